"""A training run: split, train, measure beside the baselines, refit, keep in a folder.

The folder holds ``run.json`` (task, model, split, figures, what it was trained on), ``model/``
(as ``Recommender.save`` writes it) and, while it trains, the checkpoint and the TensorBoard
logs. A killed run started again with the same folder goes on from its checkpoint.
Imports no database: what it needs arrives as ``Interactions``.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from gds_pipelines import models, protocols, splits, tuning
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.evaluation import evaluate
from gds_pipelines.interactions import Interactions
from gds_pipelines.metrics import METRICS
from gds_pipelines.models.base import Recommender
from gds_pipelines.models.warm_start import StartVectors
from gds_pipelines.pair_evaluation import evaluate_ratings
from gds_pipelines.splits import Split
from gds_pipelines.task import Task
from gds_pipelines.training import CHECKPOINT, TrainingOptions
from gds_pipelines.tuning import Bounds

SPLITS = ("time", "leave-last", "random", "none")
DEFAULT_K = (10, 20)
FORMAT = 1


@dataclass(frozen=True)
class SplitRequest:
    """How the test part is held out.

    Args:
        kind: 'time' (the task's horizon), 'leave-last' (``count`` newest pairs of each user), 'random'
            (``share`` of each user's pairs) or 'none' (train on everything, measure nothing).
        count: >= 1, for 'leave-last'.
        share: in (0, 1), for 'random'.
    """

    kind: str = "time"
    count: int = 1
    share: float = 0.2

    @classmethod
    def for_task(cls, task: Task) -> SplitRequest:
        """By time where the task has a time and a horizon, else the last pair, else a random fifth."""
        if task.time_property and task.horizon:
            return cls("time")
        return cls("leave-last") if task.time_property else cls("random")

    def apply(self, interactions: Interactions, task: Task, seed: int) -> Split:
        """The parts. No validation part is cut: settings are chosen beforehand, so train keeps all it can."""
        if self.kind not in SPLITS:
            raise InvalidInput("Split", [f"kind is '{self.kind}', expected one of {', '.join(SPLITS)}"])
        if self.kind == "time":
            if task.horizon_millis is None:
                raise InvalidInput(
                    "Split by time",
                    ["the task has no `horizon`; add one ('P30D', say) or choose --split leave-last"],
                )
            return splits.by_time(interactions, task.horizon_millis, validation=False)
        if self.kind == "leave-last":
            return splits.leave_last(interactions, self.count, validation=0)
        if self.kind == "random":
            return splits.random(interactions, self.share, seed=seed)
        nothing = interactions.keep(np.zeros(len(interactions), bool))
        return Split(interactions, nothing, nothing, "no test part")


@dataclass(frozen=True)
class Measured:
    """One row of the table.

    Args:
        name: of the model.
        figures: means by names like ``recall@20``, of models of ratings ``rmse`` and ``mae``; empty where
            nothing was held out.
        train_seconds, evaluate_seconds: wall clock.
        users: users with something to find.
    """

    name: str
    figures: dict[str, float]
    train_seconds: float
    evaluate_seconds: float
    users: int


@dataclass(frozen=True)
class Run:
    """What ``run.json`` says.

    Args:
        directory: the folder.
        task: the completed task map.
        model: name of the trained model.
        parameters: its hyper-parameters.
        seed: of split and training.
        split: in words.
        cutoff: epoch milliseconds; the *measured* model saw nothing at or after it. Else None.
        refitted: the kept model was trained on everything afterwards, test part included.
        sizes: users, items and pairs of the whole and of the parts.
        table: the model first, then the baselines.
        created_at: ISO-8601 UTC.
        data_end: epoch milliseconds just after the newest event of all; None without times. A refitted model
            saw nothing at or after it.
        leak: what the audit found where the figures were taken despite it; else empty.
    """

    directory: Path
    task: dict[str, Any]
    model: str
    parameters: dict[str, Any]
    seed: int
    split: str
    cutoff: int | None
    refitted: bool
    sizes: dict[str, int]
    table: list[Measured] = field(default_factory=list)
    created_at: str = ""
    data_end: int | None = None
    leak: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, directory: str | Path) -> Run:
        """A finished run from its folder.

        Raises:
            PipelineError: no finished run is there.
        """
        directory = Path(directory)
        try:
            raw = json.loads((directory / "run.json").read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                raise PipelineError(f"The run in '{directory}' has another format; train it again.")
            table = [Measured(**row) for row in raw.pop("table")]
            return cls(directory=directory, table=table, **raw)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PipelineError(
                f"No finished run is in '{directory}' ({error}). Give the folder that `gnn4j train` wrote."
            ) from error

    def recommender(self) -> Recommender:
        """The trained model."""
        return models.load(self.directory / "model")

    def figures(self) -> dict[str, float]:
        """The model's own figures."""
        return self.table[0].figures if self.table else {}

    def manifest_metrics(self) -> list[dict[str, Any]]:
        """The figures as the manifest of an artefact lists them."""
        rows = []
        for key, value in self.figures().items():
            name, _, k = key.partition("@")
            row = {"metric": name, "k": int(k) if k else None, "value": value, "split": self.split}
            rows.append(row | {"protocol": "all-ranking" if k else "ratings"})
        return rows

    def to_mapping(self) -> dict[str, Any]:
        mapping = asdict(self)
        mapping["directory"] = str(self.directory)
        return mapping

    def write(self) -> None:
        """Put ``run.json`` into the folder in one move."""
        mapping = self.to_mapping() | {"format": FORMAT}
        del mapping["directory"]
        path = self.directory / "run.json"
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(mapping, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(fresh, path)


def execute(
    interactions: Interactions,
    task: Task,
    model: str,
    directory: Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    split: SplitRequest | Split | None = None,
    baselines: Sequence[str] | None = None,
    refit: bool = True,
    seed: int = 0,
    k: Sequence[int] = DEFAULT_K,
    options: TrainingOptions | None = None,
    tune: Bounds | None = None,
    fixed: Mapping[str, Any] | None = None,
    on_step: Callable[[str], None] = lambda text: None,
    on_measured: Callable[[Recommender, Split], None] | None = None,
    start: StartVectors | None = None,
    stop_early: int | None = None,
    despite_leak: bool = False,
) -> Run:
    """Train ``model``, measure it and the baselines on the same split, refit it on everything, keep it.

    Args:
        interactions: the whole.
        split: how the test part is held out, or the parts where they are given already; the kept model is
            refitted on ``interactions`` either way.
        baselines: names of models to stand beside it, None takes those that suit it; the model itself is not
            measured twice.
        refit: what is kept is trained on everything; False keeps the measured model.
        tune: search settings on a part of train first; the best are left in ``tuned.toml`` of the folder, and
            a search that was stopped goes on when the same command is given again. ``parameters`` is not
            used then.
        fixed: settings that are not searched.
        on_step: told what happens now, in words.
        start: vectors that the refit begins with; the measured model never does, for they may know the test
            part.
        on_measured: given the measured model and the parts, before it is refitted.
        stop_early: evaluations without a gain after which a first training, on a part of train, ends; its
            best epoch is then how long the model is trained.
        despite_leak: measure although the audit failed; the run says so.
    Raises:
        PipelineError: unknown names, bad hyper-parameters, an empty split, a leak; before training.
    """
    request = split or SplitRequest.for_task(task)
    options = options or TrainingOptions()
    if options.on_resume is None:
        told = "Going on from a checkpoint, after epoch {} of {}"
        options = replace(options, on_resume=lambda *epochs: on_step(told.format(*epochs)))
    chosen = models.recommender(model)(parameters, seed=seed)
    check_options(model, options, stop_early=stop_early)
    beside = models.baselines_of(model) if baselines is None else baselines
    check_alike(model, beside)
    others = [models.recommender(name)(seed=seed) for name in beside if name != model]
    parts = request if isinstance(request, Split) else request.apply(interactions, task, seed)
    audit = splits.audit(
        parts.train, parts.test, same_nodes=task.recommend == task.to, by_time=parts.cutoff is not None
    )
    if not despite_leak:
        audit.check()
    directory.mkdir(parents=True, exist_ok=True)
    measure = len(parts.test) > 0
    if not measure and not (isinstance(request, SplitRequest) and request.kind == "none"):
        raise InvalidInput(
            "Split", [f"nothing was held out ({parts.description}); take a smaller count or another split"]
        )

    if tune is not None:
        parameters = _tuned(model, parts, directory, tune, fixed or {}, seed, options, on_step)
        chosen = models.recommender(model)(parameters, seed=seed)
    if stop_early is not None:
        on_step(f"Training {model} on a part of train until {stop_early} evaluations bring no gain")
        epochs = _epochs(chosen, parts, directory, stop_early, options)
        parameters = chosen.parameters.to_mapping() | {"epochs": epochs}
        chosen = models.recommender(model)(parameters, seed=seed)
        on_step(f"{epochs} epochs were best")
    table = []
    for one in [chosen, *others] if measure else [chosen]:
        on_step(f"Training {one.info.name} on {len(parts.train):,} pairs")
        started = time.perf_counter()
        one.fit(parts.train, options=_options(options, directory, one.info.name))
        trained = time.perf_counter() - started
        if not measure:
            table.append(Measured(one.info.name, {}, trained, 0.0, 0))
            continue
        if one.info.rates:
            on_step(f"Predicting {len(parts.test):,} ratings by {one.info.name}")
            found = evaluate_ratings(one, parts.test, threshold=None, seed=seed)
        else:
            on_step(f"Ranking all {interactions.n_items:,} items for the test users by {one.info.name}")
            found = evaluate(one, parts.test, k=k, names=tuple(METRICS))
        users = len(np.unique(found.users))
        table.append(Measured(one.info.name, found.figures(), trained, found.seconds, users))
        if one is chosen and on_measured is not None:
            on_measured(one, parts)
    if refit and measure:
        on_step(f"Training {chosen.info.name} once more, on all {len(interactions):,} pairs")
        chosen = models.recommender(model)(parameters, seed=seed)
        if start is not None:
            chosen.begin_with(start)
        chosen.fit(interactions, options=_options(options, directory, f"{model}-refit"))
    chosen.save(directory / "model")
    run = Run(
        directory=directory,
        task=task.to_mapping(),
        model=model,
        parameters=chosen.parameters.to_mapping(),
        seed=seed,
        split=parts.description,
        cutoff=parts.cutoff,
        refitted=refit and measure,
        sizes={
            "users": interactions.n_users,
            "items": interactions.n_items,
            "pairs": len(interactions),
            "train": len(parts.train),
            "test": len(parts.test),
        },
        table=table,
        created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        data_end=(
            int(interactions.times.max()) + 1
            if interactions.times is not None and len(interactions)
            else None
        ),
        leak={} if audit.clean else asdict(audit),
    )
    run.write()
    # What is finished needs no checkpoint, and the next run of this folder may be another one.
    for checkpoint in checkpoints(directory, options):
        checkpoint.unlink()
    return run


def checkpoints(directory: Path, options: TrainingOptions) -> list[Path]:
    """What an unfinished run of the folder can go on from; empty where nothing was kept yet."""
    return sorted(_training(directory, options).glob(f"*/{CHECKPOINT}"))


def check_options(model: str, options: TrainingOptions, *, stop_early: int | None = None) -> None:
    """Refuse options that the model's way of training has no use for.

    Raises:
        InvalidInput: all of them at once.
    """
    cls = models.recommender(model)
    usual = TrainingOptions()
    needs = {
        "optimizer": ("devices", "clip_norm", "accumulate"),
        "own": ("precision", "ema"),
    }
    allowed = {"none": (), "own": ("own",), "optimizer": ("own", "optimizer")}[cls.steps]
    why = {
        "none": f"'{model}' is not trained step by step",
        "own": f"'{model}' takes its steps itself, on one device",
    }
    faults = [
        f"--{name.replace('_', '-')} has no meaning: {why[cls.steps]}"
        for kind, names in needs.items()
        if kind not in allowed
        for name in names
        if getattr(options, name) != getattr(usual, name)
    ]
    fields = cls.Parameters.__dataclass_fields__
    if stop_early is not None and (cls.steps == "none" or "epochs" not in fields):
        faults.append(f"--patience has no meaning: '{model}' has no epochs to stop after")
    if faults:
        raise InvalidInput("Training options", faults)


def check_alike(model: str, others: Sequence[str]) -> None:
    """Refuse to put figures of lists and of ratings into one table.

    Raises:
        InvalidInput: with the models that are of the other kind.
    """
    rates = models.recommender(model).info.rates
    unlike = [name for name in others if models.recommender(name).info.rates != rates]
    if unlike:
        does, do = ("predicts ratings", "rank") if rates else ("ranks", "predict ratings")
        raise InvalidInput(
            "Models side by side",
            [f"'{model}' {does} and {', '.join(unlike)} {do}; measure them in two runs"],
        )


def _epochs(
    model: Recommender, parts: Split, directory: Path, patience: int, options: TrainingOptions
) -> int:
    """After how many epochs a part of train is ranked best; the test part stays unread."""
    given = protocols.Parts(parts.train, parts.validation, parts.test, parts.refit(), parts.description)
    inner = protocols.get("all-ranking").inner(given, seed=model.seed)
    watched = _options(options, directory, f"{model.info.name}-epochs")
    probe = models.recommender(model.info.name)(model.parameters, seed=model.seed)
    probe.fit(inner.fit, validation=inner.test, options=replace(watched, patience=patience))
    if not any(set(row) - {"epoch", "loss", "seconds"} for row in probe.training_report["history"]):
        raise InvalidInput(
            "Training options",
            [f"--patience has no meaning: '{model.info.name}' is not watched as it trains"],
        )
    return max(1, int(probe.training_report["best_epoch"]))


def _tuned(
    model: str,
    parts: Split,
    directory: Path,
    bounds: Bounds,
    fixed: Mapping[str, Any],
    seed: int,
    options: TrainingOptions,
    on_step: Callable[[str], None],
) -> dict[str, Any]:
    """The best settings found within ``bounds``; also written as TOML."""
    if not tuning.spaces(model, fixed):
        raise InvalidInput("Search", [f"'{model}' has no setting with a range to search"])
    given = protocols.Parts(parts.train, parts.validation, parts.test, parts.refit(), parts.description)
    found = tuning.search(
        model,
        protocols.get("ratings" if models.recommender(model).info.rates else "all-ranking"),
        given,
        fixed=fixed,
        trials=bounds.trials,
        seconds=bounds.seconds,
        seed=seed,
        storage=directory / "tuning.log",
        options=options,
        on_trial=lambda trial, best: on_step(
            f"Trial {trial.number + 1}: {'given up' if trial.value is None else f'{trial.value:.4f}'}, "
            f"best {best:.4f}"
        ),
    )
    (directory / "tuned.toml").write_text(found.to_toml(), encoding="utf-8")
    return found.parameters


def gnn4j_version() -> str:
    """The installed version; '0' from a source tree that was not installed."""
    try:
        return version("gnn4j")
    except PackageNotFoundError:
        return "0"


def _options(options: TrainingOptions, directory: Path, part: str) -> TrainingOptions:
    return replace(options, directory=_training(directory, options) / part)


def _training(directory: Path, options: TrainingOptions) -> Path:
    return options.directory or directory / "training"
