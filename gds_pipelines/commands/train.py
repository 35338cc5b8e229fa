"""``gnn4j train``: from the graph to a measured, kept model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gds_pipelines.command_options import HeldCount, HeldShare, Json, Uri
from gds_pipelines.console import err, fail_in_words, out, print_json

if TYPE_CHECKING:
    from gds_pipelines.training import TrainingOptions
    from gds_pipelines.tuning import Bounds


HOW = "How to train"


def register(app: typer.Typer) -> None:
    app.command("train")(train_command)


def train_command(
    task: Annotated[
        str,
        typer.Argument(
            help="A task file (.json, .toml, .yaml), or the name of a data set that was ingested."
        ),
    ],
    model: Annotated[str | None, typer.Option(help="One of `gnn4j models`.", show_default="fism")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="A hyper-parameter, as key=value; may be repeated.")
    ] = None,
    parameters: Annotated[Path | None, typer.Option(help="Hyper-parameters in a TOML file.")] = None,
    tune: Annotated[
        int | None, typer.Option(min=1, metavar="TRIALS", help="Search settings first, this many trials.")
    ] = None,
    tune_minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Search settings first, no longer than this.")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="time | leave-last | random | none", show_default="what suits the task"),
    ] = None,
    count: HeldCount = None,
    share: HeldShare = None,
    baselines: Annotated[
        bool,
        typer.Option(
            help="Measure popularity, ItemKNN, RP3beta and iALS beside it; mean ratings beside ratings."
        ),
    ] = True,
    refit: Annotated[
        bool, typer.Option(help="Train what is kept on everything, once it is measured.")
    ] = True,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same numbers on the same machine.")
    ] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads.", show_default="all that are free")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="auto, cpu or cuda.", rich_help_panel=HOW)] = "auto",
    devices: Annotated[
        int, typer.Option(min=1, help="Train data-parallel on so many (gloo, NCCL).", rich_help_panel=HOW)
    ] = 1,
    precision: Annotated[
        str | None,
        typer.Option(
            help="32-true, bf16-mixed or 16-mixed.", show_default="the model's", rich_help_panel=HOW
        ),
    ] = None,
    clip_norm: Annotated[
        float | None, typer.Option(help="Largest norm of a gradient.", rich_help_panel=HOW)
    ] = None,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Batches whose gradients make one step.", rich_help_panel=HOW)
    ] = 1,
    ema: Annotated[
        float | None, typer.Option(help="Keep averaged weights, by this decay: 0.99.", rich_help_panel=HOW)
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Find the number of epochs first: on a part of train, until so many bring no gain.",
            rich_help_panel=HOW,
        ),
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0.0, help="Work that a kill may cost.", rich_help_panel=HOW)
    ] = 60.0,
    despite_leak: Annotated[
        bool,
        typer.Option("--despite-leak", help="Measure although test pairs stand in train; the run says so."),
    ] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="The folder of the run.", show_default="runs/<task>-<model>")
    ] = None,
    wandb: Annotated[
        str | None,
        typer.Option(metavar="PROJECT", help="Log to Weights & Biases as well, where it is installed."),
    ] = None,
    uri: Uri = None,
    json: Json = False,
) -> None:
    """Project TASK, train a model outside the database, measure it beside the baselines, keep it in a folder.

    A run that was killed goes on from its checkpoint when it is started again with the same folder, and so
    does a search. What a search finds stands in tuned.toml of the folder, for --parameters of later runs.

    Example:  gnn4j train shop --model lightgcn --set dimension=64
    Example:  gnn4j train movies.toml --split leave-last --count 10 --out runs/movies
    Example:  gnn4j train shop --tune 20 --tune-minutes 10
    Example:  gnn4j train shop --model mf-bpr --patience 3 --precision bf16-mixed --devices 2
    """
    with fail_in_words(json):
        from gds_pipelines import models, training_run
        from gds_pipelines.connection import connect
        from gds_pipelines.deploy import CONTRACTS
        from gds_pipelines.run import check_options
        from gds_pipelines.training import TrainingOptions
        from gds_pipelines.training.progress_bar import ProgressLines

        subject = training_run.subject(task)
        name = model or models.DEFAULT_MODEL
        request = training_run.split_request(subject, split, count, share)
        chosen = training_run.hyper_parameters(name, set_ or [], parameters)
        options = TrainingOptions(
            accelerator=accelerator,
            devices=devices,
            precision=precision,
            threads=threads,
            checkpoint_seconds=checkpoint_seconds,
            clip_norm=clip_norm,
            accumulate=accumulate,
            ema=ema,
            progress=not json and err.is_terminal,
            on_progress=None if json or err.is_terminal else ProgressLines(err.print),
            wandb=wandb,
        )
        check_options(name, options, stop_early=patience)
        directory = out_dir or Path("runs") / f"{subject.name}-{name}"
        with _words_on_checkpoint(directory, options), connect(uri) as connection:
            run = training_run.train(
                connection,
                subject,
                name,
                directory,
                parameters=chosen,
                tune=None if tune is None and tune_minutes is None else _bounds(tune, tune_minutes),
                fixed=training_run.given_settings(set_ or [], parameters),
                split=request,
                baselines=None if baselines else (),
                refit=refit,
                seed=seed,
                options=options,
                on_step=(lambda text: None) if json else (lambda text: err.print(f"{text} …")),
                stop_early=patience,
                despite_leak=despite_leak,
            )
        if json:
            print_json(run.to_mapping())
            return
        out.print(training_run.table(run))
        if run.leak:
            out.print(f"[bold red]Leak:[/] {run.leak['shared']} test pairs also stand in train.")
        if sentence := training_run.behind(run):
            out.print(sentence, markup=False)
        out.print(f"Kept in {run.directory}.")
        if models.recommender(name).info.contract in CONTRACTS:
            out.print(f"Next: gnn4j export {run.directory}")


@contextmanager
def _words_on_checkpoint(directory: Path, options: "TrainingOptions") -> Iterator[None]:
    """Says after Ctrl-C that the run can go on, where it can."""
    from gds_pipelines.run import checkpoints

    try:
        yield
    except KeyboardInterrupt:
        if checkpoints(directory, options):
            err.print(f"A checkpoint is kept in {directory}; the same command goes on from it.")
        raise


def _bounds(trials: int | None, minutes: float | None) -> "Bounds":
    from gds_pipelines.tuning import Bounds

    return Bounds(trials, None if minutes is None else minutes * 60)
