"""``gnn4j evaluate``: several models side by side on the task's own graph."""

from typing import Annotated

import typer

from gds_pipelines.command_options import HeldCount, HeldShare, Json, Uri
from gds_pipelines.console import err, fail_in_words, out, print_json


def register(app: typer.Typer) -> None:
    app.command("evaluate")(evaluate_command)


def evaluate_command(
    task: Annotated[
        str,
        typer.Argument(
            help="A task file (.json, .toml, .yaml), or the name of a data set that was ingested."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="May be repeated.", show_default="fism and the baselines"),
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="time | leave-last | random", show_default="what suits the task")
    ] = None,
    count: HeldCount = None,
    share: HeldShare = None,
    seed: Annotated[int, typer.Option(min=0, help="Of split and training.")] = 1,
    uri: Uri = None,
    json: Json = False,
) -> None:
    """Train models on the train part, rank all items for the test users, print one table; keeps nothing.

    Example:  gnn4j evaluate shop --model popularity --model rp3beta
    """
    with fail_in_words(json):
        import tempfile
        from pathlib import Path

        from gds_pipelines import models, training_run
        from gds_pipelines.connection import connect

        subject = training_run.subject(task)
        names = list(dict.fromkeys(model or [models.DEFAULT_MODEL, *models.BASELINES]))
        for name in names:
            models.recommender(name)
        request = training_run.split_request(subject, split, count, share)
        with connect(uri) as connection, tempfile.TemporaryDirectory() as scratch:
            run = training_run.train(
                connection,
                subject,
                names[0],
                Path(scratch),
                split=request,
                baselines=names[1:],
                refit=False,
                seed=seed,
                on_step=(lambda text: None) if json else (lambda text: err.print(f"{text} …")),
            )
        if json:
            print_json({"split": run.split, "sizes": run.sizes, "models": [vars(row) for row in run.table]})
        else:
            out.print(training_run.table(run))
