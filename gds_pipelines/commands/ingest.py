"""``gnn4j ingest``: files or a data set into the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gds_pipelines.command_options import Json, Uri
from gds_pipelines.console import err, fail_in_words, out, print_json
from gds_pipelines.errors import InvalidInput

if TYPE_CHECKING:
    from gds_pipelines.ingest import Plan, Progress


def register(app: typer.Typer) -> None:
    app.command("ingest")(ingest_command)


def ingest_command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or directories with files; .gz is unpacked.", show_default=False),
    ] = None,
    mapping: Annotated[
        Path | None,
        typer.Option(help="YAML or TOML that says what the columns mean; known formats need none."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A data set by name, such as shop or movielens-1m, instead of PATH.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read, clean and report, write nothing.")
    ] = False,
    uri: Uri = None,
    json: Json = False,
) -> None:
    """Load PATH… into the database: constraints, nodes, relationships; prints what was found and done.

    A broken row is reported with its line, counted and left out. Running it again changes nothing, and after
    a run that was stopped it does the rest.

    Example:  gnn4j ingest --dataset shop
    Example:  gnn4j ingest ratings.csv movies.csv
    Example:  gnn4j ingest orders.parquet --mapping orders.yml --dry-run
    """
    with fail_in_words(json):
        from gds_pipelines import ingest
        from gds_pipelines.connection import connect

        made = _plan(paths or [], mapping, dataset, quiet=json)
        if dry_run:
            report = made.report
        else:
            with connect(uri, plugin=False) as connection, progress(quiet=json) as bars:
                report = ingest.write(made, connection, bars)
            if dataset:
                report.notes += report.mixed_with_others()
        if json:
            print_json(report.to_dict())
        else:
            out.print(report)


def _plan(paths: list[Path], mapping: Path | None, dataset: str | None, *, quiet: bool) -> "Plan":
    from gds_pipelines import datasets, ingest

    faults = [
        f"'{path}' is a data set and no file here; give --dataset {path}"
        for path in paths
        if str(path) in datasets.names() and not path.exists()
    ]
    if dataset is None and not paths:
        faults.append("give PATH… or --dataset; the data set 'shop' is always there")
    if dataset is not None and (paths or mapping):
        faults.append("--dataset has its own files and mapping; give either it, or PATH… with --mapping")
    if faults:
        raise InvalidInput("Nothing to load", faults)
    if dataset is None:
        return ingest.plan_paths(paths, ingest.read_mapping(mapping) if mapping else None)
    with progress(quiet=quiet) as bars:
        prepared = datasets.get(dataset).prepare(
            received=lambda name, done, total: bars(f"fetching {name}", done, total or done)
        )
    made = ingest.plan_tables(prepared.files, prepared.mapping)
    made.report.notes[:0] = prepared.notes
    return made


@contextmanager
def progress(*, quiet: bool) -> "Iterator[Progress]":
    """A bar per label and relationship type on standard error, where that is a terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bars: dict[str, TaskID] = {}
    with Progress(*columns, console=err, disable=quiet or not err.is_terminal) as shown:

        def advance(what: str, done: int, total: int) -> None:
            if what not in bars:
                bars[what] = shown.add_task(what, total=total)
            shown.update(bars[what], completed=done, total=total)

        yield advance
