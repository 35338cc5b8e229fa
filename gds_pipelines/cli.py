"""The command ``gnn4j``: one verb for each module of :mod:`gds_pipelines.commands`."""

import importlib
import pkgutil
from typing import Annotated

import typer

from gds_pipelines import commands

app = typer.Typer(
    name="gnn4j",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # a password may be among them
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(version("gnn4j"))
        raise typer.Exit


@app.callback()
def gnn4j(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Graph-neural recommendations inside Neo4j.

    Start here:  [bold]gnn4j demo[/]
    """


for _module in pkgutil.iter_modules(commands.__path__):
    importlib.import_module(f"{commands.__name__}.{_module.name}").register(app)


def main() -> None:
    """The entry point of the installed command."""
    app()


if __name__ == "__main__":
    main()
