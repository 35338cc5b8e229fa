"""``gnn4j export``: a training run as one checked file."""

from pathlib import Path
from typing import Annotated

import typer

from gds_pipelines.command_options import Json
from gds_pipelines.console import fail_in_words, out, print_json, print_pairs, steps


def register(parent: typer.Typer) -> None:
    parent.command("export")(export_command)


def export_command(
    run: Annotated[Path, typer.Argument(help="The folder that `gnn4j train` wrote.", show_default=False)],
    to: Annotated[
        Path | None, typer.Option(help="The file to write; model.zip in the folder of the run by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the model of RUN as an artefact: one zip with its manifest and what its contract asks for.

    A network (ONNX) is exported only if ONNX Runtime computes what torch computes, at several sizes.

    Example:  gnn4j export runs/lightgcn --to lightgcn.zip
    """
    with fail_in_words(json):
        from gds_pipelines.errors import PipelineError
        from gds_pipelines.run import Run
        from gds_pipelines.run_artefact import artefact_of

        with steps(quiet=json) as shown:
            made = Run.read(run)
            target = to or run / "model.zip"
            if not target.parent.is_dir():
                raise PipelineError(f"There is no directory '{target.parent}' to write '{target.name}' into.")
            shown.step("Exporting and checking")
            artefact = artefact_of(made)
            artefact.write(target)
        found = {
            "file": str(target),
            "bytes": target.stat().st_size,
            "sha256": artefact.sha256,
            "contract": artefact.manifest["contract"],
            "dimension": artefact.manifest.get("dimension"),
        }
        if json:
            print_json(found)
            return
        print_pairs({key: f"{value:,}" if key == "bytes" else value for key, value in found.items()})
        out.print(f"Next: gnn4j deploy {target}")
