"""Search for good hyper-parameters on a part of train: bounded, pruned, resumable.

Where a model's parameter states a ``search`` range, values are drawn from it by Optuna (tree-structured
Parzen estimator), after the settings the model names as ``first_tries``. A trial whose validation figures
fall behind the median of the others at the same epoch is given up, and so is one that is still training when
the time is over, unless it is the first; one that gains nothing for some epochs ends, and its best epoch is
part of the setting. With a file, a search that was stopped or killed goes on where it was. The result is a
TOML file that ``gnn4j train --parameters`` takes.
Source: Akiba, Sano, Yanase, Ohta & Koyama 2019, "Optuna: A next-generation hyperparameter optimization
framework".
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.models.base import Recommender
from gds_pipelines.models.batches import fingerprint
from gds_pipelines.naming import to_snake
from gds_pipelines.pair_evaluation import LOWER_IS_BETTER
from gds_pipelines.protocols import Parts, Protocol
from gds_pipelines.training import Progress, TrainingOptions

MAX_USERS = 4_000
"""Of more users than these every n-th is asked in a trial."""


EPOCHS = "epochs"


@dataclass(frozen=True)
class Bounds:
    """What ends a search, whichever comes first; None does not bound."""

    trials: int | None = 20
    seconds: float | None = None


@dataclass(frozen=True)
class Trial:
    """One setting that was tried.

    Args:
        number: from 0.
        parameters: that were set.
        value: mean of the protocol's two main figures, higher is better; None unless it came to its end.
        seconds: wall clock.
        state: 'complete', 'pruned' or 'failed'.
    """

    number: int
    parameters: dict[str, Any]
    value: float | None
    seconds: float
    state: str


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Args:
        model: name.
        parameters: the best setting, without those that only made the search cheaper.
        value: of the best trial.
        objective: what ``value`` is, in words.
        trials: all that were tried, those of earlier runs included.
    """

    model: str
    parameters: dict[str, Any]
    value: float
    objective: str
    trials: list[Trial] = field(default_factory=list)

    def to_toml(self) -> str:
        """The best setting as ``gnn4j train --parameters`` reads it, with how it was found as comments."""
        lines = [
            f"# {self.model}: best of {len(self.trials)} trials",
            f"# {self.objective}: {self.value:.5f}",
            *(f"{name} = {_toml(value)}" for name, value in sorted(self.parameters.items())),
        ]
        return "\n".join(lines) + "\n"


def spaces(model: str, fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The ranges that are searched, by parameter: (low, high), (low, high, 'log') or texts.

    Args:
        fixed: settings that stay; what has no meaning beside them is left out.
    """
    cls = models.recommender(model)
    settled = cls(fixed).parameters.to_mapping()
    return {
        one.name: one.metadata["search"]
        for one in dataclasses.fields(cls.Parameters)
        if one.metadata.get("search")
        and (one.name not in cls.idle or settled[cls.idle[one.name][0]] == cls.idle[one.name][1])
    }


def search(
    model: str,
    protocol: Protocol,
    parts: Parts,
    *,
    fixed: Mapping[str, Any] | None = None,
    ranges: Mapping[str, Sequence[Any]] | None = None,
    trials: int | None = 20,
    seconds: float | None = None,
    seed: int = 0,
    storage: Path | None = None,
    options: TrainingOptions | None = None,
    on_trial: Callable[[Trial, float], None] = lambda trial, best: None,
) -> Tuned:
    """Try settings on ``protocol.inner(parts)``; the test part is never touched.

    Args:
        fixed: settings that stay; their names are not searched.
        ranges: what is searched and where, in place of ``spaces(model, fixed)``; the model's first tries are
            left out then, since they may lie elsewhere.
        trials, seconds: whichever comes first ends it; at least one is needed. Trials of earlier runs count,
            and one always comes to its end, whatever it takes.
        storage: a file that keeps what was tried; None keeps nothing.
        on_trial: told each finished trial and the best value so far.
    Raises:
        InvalidInput: no bound, bad fixed settings, or every trial failed.
    """
    import optuna

    cls = models.recommender(model)
    fixed = dict(fixed or {})
    checked = cls(fixed, seed=seed).parameters.to_mapping()
    faults = []
    if trials is None and seconds is None:
        faults.append("give a number of trials or of seconds; a search without either has no end")
    if (trials is not None and trials < 1) or (seconds is not None and seconds <= 0):
        faults.append(f"trials is {trials} and seconds {seconds}, expected at least 1 and above 0")
    if faults:
        raise InvalidInput("Search", faults)
    fixed = {name: checked[name] for name in checked if name in {to_snake(str(key)) for key in fixed}}
    own = spaces(model, fixed) if ranges is None else ranges
    first_tries = cls.first_tries if ranges is None else ()
    ranges = {name: one for name, one in own.items() if name not in fixed}
    inner = protocol.inner(parts, seed=seed)
    minus = "minus the " if protocol.main[0] in LOWER_IS_BETTER else ""
    objective = f"{minus}mean of {' and '.join(protocol.main)} on {inner.description}, a part of train"
    if not ranges:
        return Tuned(model, fixed, float("nan"), objective)
    if not len(inner.test) or not len(inner.fit):
        return Tuned(model, fixed, float("nan"), "train is too small to hold out a part of it")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = None
    if storage is not None:
        storage.parent.mkdir(parents=True, exist_ok=True)
        kept = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(storage)))
    name = _study_name(model, protocol, inner, fixed)
    found = optuna.create_study(
        study_name=name,
        storage=kept,
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    found.sampler = optuna.samplers.TPESampler(
        seed=seed + 1000 * len(found.trials), n_startup_trials=max(5, len(first_tries))
    )
    if not found.trials:
        for one in first_tries:
            begin = cls(one).parameters.to_mapping()
            # Tries that differ in fixed settings alone are one.
            begin = {key: begin[key] for key in ranges if begin[key] is not None}
            found.enqueue_trial(begin, skip_if_exists=True)

    ends = None if seconds is None else monotonic() + seconds

    def run(trial: optuna.Trial) -> float:
        drawn = {name: _draw(trial, name, one) for name, one in ranges.items()}
        with_these = {**cls.search_with, **fixed, **drawn}

        reported = set()

        def follow(progress: Progress) -> None:
            if ends is not None and monotonic() > ends and _complete(found):
                raise optuna.TrialPruned
            if progress.metrics and progress.epoch not in reported:
                reported.add(progress.epoch)
                trial.report(next(iter(progress.metrics.values())), progress.epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned

        each = replace(options or TrainingOptions(), directory=None, progress=False, on_progress=follow)
        watched = inner.test if protocol.kind == "ranking" else None
        one = cls(with_these, seed=seed).fit(inner.fit, validation=watched, options=each)
        if one.training_report.get("stopped_early") and EPOCHS not in with_these:
            trial.set_user_attr(EPOCHS, one.training_report["best_epoch"])
        return value_of(protocol, one, inner)

    def done(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        best = max((one.value for one in _complete(study)), default=float("nan"))
        on_trial(_trial(trial), best)

    finished = sum(one.state.is_finished() for one in found.trials)
    left = None if trials is None else max(0, trials - finished)
    if left != 0:
        found.optimize(run, n_trials=left, timeout=seconds, callbacks=[done], catch=(PipelineError,))
    complete = _complete(found)
    if not complete:
        raise InvalidInput("Search", [f"none of {len(found.trials)} trials of '{model}' came to an end"])
    best = max(complete, key=lambda one: one.value)
    return Tuned(
        model,
        # What was valued is the best epoch of a trial that stopped early: that is how long to train.
        {**fixed, **best.params, **({EPOCHS: best.user_attrs[EPOCHS]} if EPOCHS in best.user_attrs else {})},
        float(best.value),
        objective,
        [_trial(one) for one in found.trials if one.state.is_finished()],
    )


def value_of(protocol: Protocol, model: Recommender, parts: Parts) -> float:
    """Mean of the two main figures of a fitted model, the error ones negated."""
    found = protocol.evaluate(model, parts, most_users=MAX_USERS)
    figures = found.figures()
    values = []
    for metric in protocol.main:
        value = figures[metric if protocol.kind != "ranking" else f"{metric}@{max(protocol.k)}"]
        values.append(-value if metric in LOWER_IS_BETTER else value)
    return float(sum(values) / len(values))


def _draw(trial: Any, name: str, given: Any) -> Any:
    if isinstance(given[0], str):
        return trial.suggest_categorical(name, list(given))
    low, high, log = given[0], given[1], len(given) > 2
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=log)
    return trial.suggest_float(name, low, high, log=log)


def _trial(one: Any) -> Trial:
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(one.state.name, "failed")
    seconds = one.duration.total_seconds() if one.duration is not None else 0.0
    return Trial(one.number, dict(one.params), one.value if state == "complete" else None, seconds, state)


def _complete(study: Any) -> list[Any]:
    return [one for one in study.trials if one.state.name == "COMPLETE"]


def _study_name(model: str, protocol: Protocol, inner: Parts, fixed: Mapping[str, Any]) -> str:
    """The same file may hold searches of several models and data; only equal ones go on."""
    what = json.dumps([model, protocol.to_mapping(), dict(fixed)], sort_keys=True, default=str)
    return hashlib.sha256((what + fingerprint(inner.fit)).encode()).hexdigest()


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, str) else repr(value)
