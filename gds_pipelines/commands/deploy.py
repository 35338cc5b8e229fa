"""``gnn4j deploy``: an artefact into the registry of a database, and the alias to it."""

from pathlib import Path
from typing import Annotated

import typer

from gds_pipelines.command_options import Json, Uri
from gds_pipelines.console import fail_in_words, out, print_json, print_pairs, steps


def register(parent: typer.Typer) -> None:
    parent.command("deploy")(deploy_command)


def deploy_command(
    artefact: Annotated[Path, typer.Argument(help="The .zip that `gnn4j export` wrote.", show_default=False)],
    name: Annotated[
        str | None, typer.Option(help="Name of the model in the registry; the artefact's model by default.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(help="The name that queries use; the model's name by default.")
    ] = None,
    graph: Annotated[
        str | None,
        typer.Option(help="A projection of the task that is there, where the contract needs one; else made."),
    ] = None,
    keep_previous: Annotated[
        int, typer.Option(min=0, help="Finished versions to keep beside the new one, to go back to.")
    ] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count, write nothing.")] = False,
    uri: Uri = None,
    database: Annotated[str | None, typer.Option(help="The database; the server's default one.")] = None,
    json: Json = False,
) -> None:
    """Load ARTEFACT into the registry, join it with the graph, switch the alias; prints one report.

    The version before keeps answering until the last step. A deployment that was killed is gone on with by
    the same command.

    Example:  gnn4j deploy runs/lightgcn/model.zip --dry-run
    """
    with fail_in_words(json):
        from gds_pipelines.connection import connect
        from gds_pipelines.deploy import deploy, read_artefact

        made = read_artefact(artefact)
        with connect(uri, database=database) as connection, steps(quiet=json) as shown:
            report = deploy(
                connection,
                made,
                name=name,
                alias=alias,
                graph_name=graph,
                keep_previous=keep_previous,
                dry_run=dry_run,
                on_step=shown.step,
            )
        if json:
            print_json(report.to_mapping())
            return
        print_pairs(
            {
                "Model": report.model,
                "Alias": f"{report.alias} (was {report.previous})" if report.previous else report.alias,
                "Contract": report.contract,
                "SHA-256": report.sha256,
                "Rows": f"{report.vectors:,}, {report.unmatched_vectors:,} of them without a node"
                if report.vectors
                else None,
                "Nodes without a row": f"{report.unmatched_nodes:,}" if report.vectors else None,
                "Properties written": None if dry_run else f"{report.written:,}",
                "Skipped": f"{report.skipped:,} nodes that were changed meanwhile"
                if report.skipped
                else None,
                "Removed": ", ".join(report.removed) or None,
                "Seconds": " + ".join(f"{step} {ms / 1000:.1f}" for step, ms in report.millis.items()),
            }
        )
        if dry_run:
            out.print("Nothing was written. Leave --dry-run away to deploy.")
