"""``gnn4j server``: the embedded Neo4j, from nothing to running and back."""

from pathlib import Path
from typing import Annotated

import typer

from gds_pipelines.command_options import Json
from gds_pipelines.console import fail_in_words, out, print_json, print_pairs, steps
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.ports import BOLT_PORT, HTTP_PORT
from gds_pipelines.server.process import START_SECONDS, STOP_SECONDS, Status
from gds_pipelines.server.settings import plugin_settings

app = typer.Typer(no_args_is_help=True, help="The embedded Neo4j: install, start, stop, status, plugin.")


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="server")


@app.command("install")
def install_command(
    gds: Annotated[
        bool | None,
        typer.Option("--with-gds/--without-gds", help="With the Graph Data Science library (the default)."),
    ] = None,
    json: Json = False,
) -> None:
    """Fetch Neo4j, Neo4j Browser and GDS from Maven Central and build the plugin; does only what is missing.

    About 250 MB are downloaded the first time, into Maven's own cache as well.

    Example:  gnn4j server install
    """
    with fail_in_words(json):
        server = EmbeddedServer()
        with steps(quiet=json) as report:
            parts = server.install(report, gds)
        has, status = server.installed(), server.status()
        if json:
            print_json({"installed": parts, "neo4j": has.neo4j, "gds": has.gds, "home": status.home})
            return
        what = f"Neo4j {has.neo4j}, {f'GDS {has.gds}' if has.gds else 'no GDS'}, {has.plugin_jar}"
        out.print(f"{'Installed' if parts else 'Up to date'}: {what}")
        out.print(f"Home: {status.home}")
        if status.restartNeeded:
            out.print("The server still runs the plugin from before: gnn4j server stop, then start.")


@app.command("start")
def start_command(
    bolt_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The next free port is taken.")
    ] = BOLT_PORT,
    http_port: Annotated[
        int, typer.Option(min=1, max=65535, help="The next free port is taken.")
    ] = HTTP_PORT,
    timeout: Annotated[
        float, typer.Option(min=1, help="Seconds to wait for the first answer.")
    ] = START_SECONDS,
    worker: Annotated[
        bool, typer.Option("--worker", help="A worker beside it, for gnn.pipeline.train; see gnn4j worker.")
    ] = False,
    json: Json = False,
) -> None:
    """Start the server, installing it first where needed; one that runs already is left alone.

    It listens on this machine only, asks for a password, and keeps its data between starts.

    Example:  gnn4j server start
    Example:  gnn4j server start --worker
    """
    with fail_in_words(json):
        server = EmbeddedServer()
        with steps(quiet=json) as report:
            status = server.start(report, bolt_port=bolt_port, http_port=http_port, seconds=timeout)
            if worker:
                from gds_pipelines.worker import process as worker_process

                report.step("Starting a worker")
                worker_process.start(server.home)
        _show(status, json)


@app.command("stop")
def stop_command(
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for its end.")] = STOP_SECONDS,
    json: Json = False,
) -> None:
    """Stop the server cleanly, and the worker beside it first; its data stays.

    Example:  gnn4j server stop
    """
    with fail_in_words(json):
        from gds_pipelines.worker import process as worker_process

        server = EmbeddedServer()
        with steps(quiet=json) as report:
            worker_process.stop(server.home)
            if server.status().pid:
                report.step("Stopping Neo4j")
            stopped = server.stop(timeout)
        if json:
            print_json({"stopped": stopped, **server.status().as_dict()})
        else:
            out.print("Stopped." if stopped else "It was not running.")


@app.command("status")
def status_command(json: Json = False) -> None:
    """Say whether the server runs, and where; always exits with 0.

    Example:  gnn4j server status --json
    """
    with fail_in_words(json):
        _show(EmbeddedServer().status(), json)


@app.command("plugin")
def plugin_command(
    to: Annotated[
        Path, typer.Option("--to", metavar="DIR", help="The directory 'plugins' of a Neo4j of your own.")
    ],
    json: Json = False,
) -> None:
    """Put the plugin's jar into a Neo4j of your own and say which settings it needs.

    Example:  gnn4j server plugin --to /var/lib/neo4j/plugins
    """
    with fail_in_words(json):
        with steps(quiet=json) as report:
            jar = EmbeddedServer().copy_plugin(to, report)
        settings = foreign_settings(jar)
        if json:
            print_json({"jar": str(jar), "settings": {name: value for name, (value, _) in settings.items()}})
            return
        out.print(f"Copied: {jar}")
        out.print("Now add to that Neo4j's conf/neo4j.conf, then restart it:\n")
        for name, (value, why) in settings.items():
            out.print(f"  # {why}\n  {name}={value}")
        out.print("\nThen check it:  NEO4J_URI=bolt://… NEO4J_PASSWORD=… gnn4j doctor")


def foreign_settings(jar: Path) -> dict[str, tuple[str, str]]:
    """What somebody's own ``neo4j.conf`` needs for the plugin in this jar: name, (value, reason)."""
    reasons = {
        "server.gnn.model.load.users": "Who may load, move and drop models; separated by commas.",
        "server.unmanaged_extension_classes": "The guide for Neo4j Browser: static pages.",
        "dbms.security.http_auth_allowlist": "Lets Browser read that guide.",
    }
    values = plugin_settings(jar)
    if "server.gnn.model.load.users" in values:
        values["server.gnn.model.load.users"] = "neo4j"  # the worker is a user of the embedded server only
    return {name: (values[name], reason) for name, reason in reasons.items() if name in values} | {
        "dbms.security.procedures.unrestricted": ("gds.*", "Only where the GDS library is installed.")
    }


def _show(status: Status, json: bool) -> None:
    if json:
        print_json(status.as_dict())
        return
    from gds_pipelines.worker import process as worker_process

    home = EmbeddedServer().home
    worker = worker_process.find(home)
    print_pairs(
        {
            "State": status.state,
            "Browser": f"{status.http}/browser/" if status.http else None,
            "Bolt": status.uri,
            "User": status.user if status.uri else None,
            "Password": f"in {status.passwordFile}" if status.uri else None,
            "Process": status.pid,
            "Neo4j": status.neo4j,
            "GDS": status.gds or ("none" if status.neo4j else None),
            "Home": status.home,
            "Log": status.log,
            "Worker": f"process {worker.pid}, log {worker_process.log_file(home)}" if worker else None,
        }
    )
    if status.restartNeeded:
        out.print("A newer plugin is installed than the one that runs: gnn4j server stop, then start.")
    if status.state == "not installed":
        out.print("Do: gnn4j server install")
    elif status.state == "stopped":
        out.print("Do: gnn4j server start")
