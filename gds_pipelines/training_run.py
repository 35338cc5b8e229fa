"""``gnn4j train`` from the graph on: project the task, read it, hand it to :mod:`gds_pipelines.run`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from gds_pipelines import datasets, models, projection
from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.interaction_reader import read_interactions
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.parameters import Parameters, parse_settings, read_parameters
from gds_pipelines.pair_evaluation import LOWER_IS_BETTER
from gds_pipelines.run import SPLITS, Measured, Run, SplitRequest, check_alike, check_options, execute
from gds_pipelines.splits import Leak, Split
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions
from gds_pipelines.tuning import Bounds

SHOWN = ("recall@10", "recall@20", "ndcg@10", "ndcg@20", "mae", "rmse")
"""Columns of the table a person sees, those there are: as many as a terminal is wide; ``--json`` has all."""


@dataclass(frozen=True)
class Subject:
    """What is trained on: a task with a name for its folder.

    Args:
        name: of the data set, or the stem of the task file.
        task: the completed task.
        split: as the data set has it, else None.
    """

    name: str
    task: Task
    split: Mapping[str, Any] | None = None


def subject(named: str) -> Subject:
    """A data set's own task, or a task file.

    Raises:
        UnknownName: neither a file nor a data set.
        InvalidInput: a file with faults.
    """
    if Path(named).suffix or Path(named).exists():
        return Subject(Path(named).stem, Task.read(named))
    if named not in datasets.DATASETS:
        raise UnknownName("task file or data set", named, datasets.names())
    dataset = datasets.get(named)
    return Subject(dataset.name, Task.from_mapping(dataset.task), dataset.split)


def split_request(
    subject: Subject, kind: str | None, count: int | None = None, share: float | None = None
) -> SplitRequest | Sequence[str]:
    """What the options ask for; what they leave open is as the data set or the task calls for.

    Returns:
        A request, or the relationship types that hold the test pairs where the data set brings its own.
    Raises:
        UnknownName: no such split.
        InvalidInput: a count or a share that the split has no use for.
    """
    if kind is not None and kind not in SPLITS:
        raise UnknownName("split", kind, SPLITS)
    request: SplitRequest | Sequence[str] = SplitRequest.for_task(subject.task)
    match dict(subject.split or {}):
        case {"method": "leave_last", "n": n}:
            request = SplitRequest("leave-last", n)
        case {"method": "random", "test": test}:
            request = SplitRequest("random", share=test)
        case {"method": "given", "test": types}:
            request = tuple(types)
    is_kind = request.kind if isinstance(request, SplitRequest) else "that of the data set"
    if kind is not None and kind != is_kind:
        request, is_kind = SplitRequest(kind), kind
    given = {option: value for option, value in (("count", count), ("share", share)) if value is not None}
    needs = {"count": "leave-last", "share": "random"}
    faults = [
        f"--{option} has no meaning for the split here, which is {is_kind}; add --split {needs[option]}"
        for option in given
        if is_kind != needs[option]
    ]
    if faults:
        raise InvalidInput("Split", faults)
    return replace(request, **given) if given else request


def hyper_parameters(model: str, settings: Sequence[str], file: Path | None) -> Parameters:
    """``--set`` over a TOML file over the defaults; all faults at once."""
    what, faults = f"Hyper-parameters of '{model}'", []
    given = given_settings(settings, file, faults)
    try:
        found = read_parameters(models.recommender(model).Parameters, given, what)
    except InvalidInput as error:
        faults += error.faults
    if faults:
        raise InvalidInput(what, faults)
    return found


def given_settings(
    settings: Sequence[str], file: Path | None, into: list[str] | None = None
) -> dict[str, Any]:
    """What ``--set`` and a TOML file say, the former over the latter, names not yet checked.

    Args:
        into: collects pieces of ``--set`` that are no settings, instead of raising.
    """
    given: dict[str, Any] = {}
    if file is not None:
        try:
            given = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"Hyper-parameters in '{file}'", [f"cannot be read: {error}"]) from error
    return given | parse_settings(settings, into)


def train(
    connection: Connection,
    subject: Subject,
    model: str,
    directory: Path,
    *,
    parameters: Parameters | None = None,
    split: SplitRequest | Sequence[str],
    baselines: Sequence[str] | None = None,
    refit: bool = True,
    seed: int = 1,
    options: TrainingOptions | None = None,
    tune: Bounds | None = None,
    fixed: Mapping[str, Any] | None = None,
    on_step: Callable[[str], None] = lambda text: None,
    stop_early: int | None = None,
    despite_leak: bool = False,
) -> Run:
    """Project, read, train, measure, keep; the projection is dropped at the end. See ``run.execute``.

    A model that predicts ratings reads the task's ``ratings`` in place of its behaviours.
    """
    check_options(model, options or TrainingOptions(), stop_early=stop_early)
    check_alike(model, baselines or ())
    rates = models.recommender(model).info.rates
    read_task = subject.task.of_ratings() if rates else subject.task
    if rates and not isinstance(split, SplitRequest):
        raise InvalidInput(
            "Split",
            [f"{', '.join(split)} holds test pairs without ratings; choose --split leave-last or random"],
        )
    if not (despite_leak or isinstance(split, SplitRequest)):
        _check_types(subject.task, split)
    on_step(f"Projecting {subject.name} with GDS")
    features = models.recommender(model).reads_features
    chosen = models.recommender(model)(parameters, seed=seed).parameters
    around = getattr(chosen, "surroundings", False)
    interactions = read(connection, read_task, features=features, surroundings=around)
    if not isinstance(split, SplitRequest):
        on_step(f"Reading the test part ({', '.join(split)})")
        split = _given(connection, subject.task, interactions, split)
    return execute(
        interactions,
        subject.task,
        model,
        directory,
        parameters=parameters,
        split=split,
        baselines=baselines,
        refit=refit,
        seed=seed,
        options=options,
        tune=tune,
        fixed=fixed,
        on_step=on_step,
        stop_early=stop_early,
        despite_leak=despite_leak,
    )


def read(
    connection: Connection, task: Task, *, features: bool = False, surroundings: bool = False
) -> Interactions:
    """The task's interactions, with its features and surroundings where asked, by a projection that lives as
    long as it is read."""
    with projection.projected(connection, task) as graph_name:
        return read_interactions(connection, graph_name, task, features=features, surroundings=surroundings)


def table(run: Run) -> Table:
    """The figures of a run, the model first, the best of each column in bold."""
    columns = _columns(run)
    ranked = f"all {run.sizes['items']:,} items ranked, training items out"
    errors = f"errors of {run.sizes.get('test', 0):,} ratings, smaller is better"
    shown = Table(title=f"{run.split}; {errors if 'rmse' in columns else ranked}")
    shown.add_column("model")
    for column in columns:
        shown.add_column(column, justify="right")
    shown.add_column("train s", justify="right")
    best = {column: _best(run, column).figures[column] for column in columns}
    for row in run.table:
        figures = [
            f"[bold]{row.figures[column]:.4f}[/]"
            if row.figures[column] == best[column]
            else f"{row.figures[column]:.4f}"
            for column in columns
        ]
        shown.add_row(row.name, *figures, f"{row.train_seconds:.1f}")
    return shown


def behind(run: Run) -> str | None:
    """A sentence where a baseline has the best figure of the last column shown; None where the model has."""
    if not (columns := _columns(run)):
        return None
    column, own = columns[-1], run.table[0]
    best = _best(run, column)
    if best.figures[column] == own.figures[column]:
        return None
    return (
        f"{own.name} is behind {best.name} at {column} on this data ({own.figures[column]:.4f} against "
        f"{best.figures[column]:.4f}). `gnn4j models` lists what else can be trained with --model."
    )


def _best(run: Run, column: str) -> Measured:
    best = min if column in LOWER_IS_BETTER else max
    return best(run.table, key=lambda row: row.figures[column])


def _columns(run: Run) -> list[str]:
    return [name for name in SHOWN if name in run.figures()]


def _check_types(task: Task, held_out: Sequence[str]) -> None:
    """Refuse a task that projects the relationships which hold the test pairs."""
    shared = [name for name in held_out if name in task.via or name in task.also_types]
    if shared:
        raise Leak(
            f"The split leaks: {', '.join(shared)} holds the test pairs and stands in the task. Leave "
            "it out of `via` and `alsoTypes`, or say that the figures were taken despite the leak "
            "(--despite-leak)."
        )


def _given(connection: Connection, task: Task, whole: Interactions, types: Sequence[str]) -> Split:
    """The test part that stands in relationships of its own; all of ``whole`` is train."""
    held_out = Task.from_mapping(task.to_mapping() | {"via": dict.fromkeys(types, 1.0), "seen": list(types)})
    test = read(connection, held_out)
    nothing = whole.keep(np.zeros(len(whole), bool))
    return Split(whole, nothing, test, f"test part given by {', '.join(types)}")
