"""One module for each verb of the command line, found by :mod:`gds_pipelines.cli`.

A module has a function ``register(app)`` that adds its command or group to the Typer application. Help
must come at once: what is heavy (torch, graphdatascience, pandas) is imported inside the command's
function; so is :mod:`gds_pipelines.connection`, for the driver alone takes a second.
"""
