"""Models side by side on one split, by one protocol, with intervals and a paired test against the best
baseline.

What comes out is a plain map: figures, hyper-parameters, seconds, the machine, the command; never a vector.
"""

from __future__ import annotations

import math
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import models, slices, statistics, tuning
from gds_pipelines.errors import InvalidInput
from gds_pipelines.evaluation import Evaluation
from gds_pipelines.models.base import Recommender
from gds_pipelines.pair_evaluation import PairEvaluation
from gds_pipelines.protocols import Parts, Protocol
from gds_pipelines.splits import Audit
from gds_pipelines.training import TrainingOptions
from gds_pipelines.tuning import Tuned


@dataclass(frozen=True)
class Choice:
    """How settings are chosen on a part of train, before the test part is read.

    Args:
        trials: at most so many a model.
        seconds: at most so long a model that is measured, and a quarter of it a baseline.
    """

    trials: int = 12
    seconds: float = 150.0


@dataclass(frozen=True)
class Measured:
    """One model on one test part.

    Args:
        model: fitted.
        evaluation: its lists and values.
        fit_seconds, fit_cpu_seconds: wall clock and process time of ``fit``.
        tuned: how its settings were chosen; None where they were given.
        choose_seconds: wall clock of choosing them.
    """

    model: Recommender
    evaluation: Evaluation | PairEvaluation
    fit_seconds: float
    fit_cpu_seconds: float
    tuned: Tuned | None = None
    choose_seconds: float = 0.0


def measure(
    name: str,
    protocol: Protocol,
    parts: Parts,
    *,
    settings: Mapping[str, Any] | None = None,
    k: Sequence[int] | None = None,
    seed: int = 0,
    options: TrainingOptions | None = None,
    choice: Choice | None = None,
) -> Measured:
    """Choose what is not set on a part of train, fit on all of it, measure on the test part."""
    settings = with_list_length(name, parts, settings)
    tuned, choosing = None, time.perf_counter()
    if choice is not None and tuning.spaces(name, settings):
        tuned = tuning.search(
            name,
            protocol,
            parts,
            fixed=settings,
            trials=choice.trials,
            seconds=choice.seconds,
            seed=seed,
            options=options,
        )
        settings = {**(settings or {}), **tuned.parameters}
    choosing = time.perf_counter() - choosing
    model = models.recommender(name)(settings, seed=seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(parts.fit, options=options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    found = protocol.evaluate(model, parts, k=k, seed=seed)
    return Measured(model, found, wall, cpu, tuned, choosing)


def with_list_length(
    name: str, parts: Parts, settings: Mapping[str, Any] | None = None
) -> Mapping[str, Any] | None:
    """The settings; where a protocol ranks a pair among few candidates, a model that can choose for lists of
    that length is told it, unless it stands there already."""
    fields = models.recommender(name).Parameters.__dataclass_fields__
    if parts.listed is None or "among" not in fields or "among" in (settings or {}):
        return settings
    return {**(settings or {}), "among": 1 + parts.listed.negatives.shape[1]}


def compare(
    names: Sequence[str],
    protocol: Protocol,
    parts: Parts,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    baselines: Sequence[str] | None = None,
    k: Sequence[int] | None = None,
    seed: int = 0,
    options: TrainingOptions | None = None,
    choice: Choice | None = None,
    despite_leak: bool = False,
    on_model: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], dict[str, Measured]]:
    """Measure ``names`` and the baselines beside them.

    Args:
        names: models, in the order of the table.
        settings: hyper-parameters by model name; these are not searched.
        baselines: stand beside, unless named already; None takes those that suit the protocol.
        k: list lengths; None takes the protocol's.
        choice: choose the other settings on a part of train; None takes the defaults.
        despite_leak: measure although the audit failed; the result says so.
        on_model: called with each model's name before it is fitted.
    Returns:
        The result as a map, and what was measured by name.
    Raises:
        Leak: test pairs stand in train, unless ``despite_leak``.
        UnknownName, InvalidInput: before anything is fitted.
    """
    found: Audit = parts.audit()
    if not despite_leak:
        found.check()
    settings = settings or {}
    beside = baselines_of(protocol) if baselines is None else baselines
    everything = [*names, *(name for name in beside if name not in names)]
    for name in everything:  # all faults before the first hour of work
        one = models.recommender(name)(settings.get(name), seed=seed)
        if protocol.kind == "ratings" and not one.info.rates:
            raise InvalidInput(f"Model '{name}'", ["it ranks and does not predict ratings; take mf-ratings"])
        if one.info.rates and len(np.unique(parts.fit.matrix.data)) < 2:
            raise InvalidInput(
                f"Model '{name}'", ["it learns from ratings, and the weights of these pairs are all the same"]
            )
    measured: dict[str, Measured] = {}
    for name in everything:
        if on_model is not None:
            on_model(name)
        allowed = choice
        if choice is not None and name not in names:
            allowed = replace(choice, seconds=choice.seconds / 4)
        measured[name] = measure(
            name,
            protocol,
            parts,
            settings=settings.get(name),
            k=k,
            seed=seed,
            options=options,
            choice=allowed,
        )
    lengths = tuple(k or protocol.k)
    test = parts.test
    result = {
        "protocol": protocol.to_mapping() | {"description": parts.description, "dropped": parts.dropped},
        "data": {
            "users": test.n_users,
            "items": test.n_items,
            "train": len(parts.fit),
            "test": len(test),
            "testUsers": int((test.user_degrees > 0).sum()),
            "testUsersUnknownToTrain": found.unknown_users,
            "testItemsUnknownToTrain": found.unknown_items,
        },
        "leak": {
            "clean": found.clean,
            "sharedPairs": found.shared,
            "reversedPairs": found.reversed,
            "latePairs": found.late,
            "despiteLeak": despite_leak,
        },
        "seed": seed,
        "models": [row(name, one, protocol, parts, lengths) for name, one in measured.items()],
        "comparisons": comparisons(names, beside, measured, protocol, lengths),
        "machine": machine(),
        "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024),
    }
    return result, measured


def baselines_of(protocol: Protocol) -> tuple[str, ...]:
    """The baselines that stand beside every model of a protocol."""
    return models.RATING_BASELINES if protocol.kind == "ratings" else models.BASELINES


def row(name: str, one: Measured, protocol: Protocol, parts: Parts, k: Sequence[int]) -> dict[str, Any]:
    """One model as results keep it."""
    found, report = one.evaluation, one.model.training_report
    made: dict[str, Any] = {
        "model": name,
        "baseline": name in baselines_of(protocol),
        "parameters": one.model.parameters.to_mapping(),
        "figures": found.figures(),
        "intervals95": intervals(found, protocol, k),
        "seconds": {
            "choose": round(one.choose_seconds, 2),
            "fit": round(one.fit_seconds, 2),
            "fitCpu": round(one.fit_cpu_seconds, 2),
            "rank": round(found.seconds, 2),
        },
    }
    if protocol.kind == "ranking":
        made["beyond"] = slices.summary(found, parts.fit, parts.test, protocol.main[0], max(k))
    if one.tuned is not None:
        made["chosen"] = {
            "parameters": one.tuned.parameters,
            "trials": len(one.tuned.trials),
            "value": one.tuned.value,
            "by": one.tuned.objective,
        }
    if report:
        keys = ("epochs", "steps", "device", "history", "weight", "blend")
        made["training"] = {key: report[key] for key in keys if key in report}
    return made


def intervals(found: Evaluation | PairEvaluation, protocol: Protocol, k: Sequence[int]) -> dict[str, list]:
    """95 % intervals of the main figures, by their names."""
    if isinstance(found, PairEvaluation):
        return {name: list(ends) for name, ends in found.intervals.items()}
    made = {}
    for metric in protocol.main:
        for cut in k:
            around = statistics.interval(found.values[metric, cut])
            made[f"{metric}@{cut}"] = [around.low, around.high]
    return made


def comparisons(
    names: Sequence[str],
    baselines: Sequence[str],
    measured: Mapping[str, Measured],
    protocol: Protocol,
    k: Sequence[int],
) -> list[dict[str, Any]]:
    """Each named model against the baseline that is best by the metric; paired over users (ratings: over
    pairs, by squared error; clicks have no value a user and are not compared)."""
    if protocol.kind == "ratings":
        values = {
            name: {"squared_error": one.evaluation.values["squared_error", 0]}
            for name, one in measured.items()
        }
        return against(values, names, baselines, ("squared_error",), lower=True)
    if protocol.kind == "clicks":
        return []
    cut = max(k)
    values = {
        name: {f"{metric}@{cut}": one.evaluation.values[metric, cut] for metric in protocol.main}
        for name, one in measured.items()
    }
    return against(values, names, baselines, [f"{metric}@{cut}" for metric in protocol.main])


def against(
    values: Mapping[str, Mapping[str, NDArray[np.float64]]],
    names: Sequence[str],
    baselines: Sequence[str],
    figures: Sequence[str],
    *,
    lower: bool = False,
) -> list[dict[str, Any]]:
    """Paired differences from the best baseline of each figure.

    Args:
        values: by model and figure, one array over the same users.
        lower: smaller values are better.
    """
    rows = []
    beside = [name for name in values if name in baselines]
    for figure in figures if beside else ():
        best = max(beside, key=lambda name: (-1 if lower else 1) * np.nanmean(values[name][figure]))
        for name in names:
            if name == best or name not in values:
                continue
            gap = statistics.difference(values[name][figure], values[best][figure])
            rows.append(
                {
                    "metric": figure,
                    "model": name,
                    "baseline": best,
                    "difference": gap.mean,
                    "interval95": [gap.low, gap.high],
                    "p": gap.p,
                }
            )
    return rows


def machine() -> dict[str, Any]:
    """What it ran on: processor, cores, threads, memory, versions. No names and no paths."""
    import numba
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "memoryBytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        if hasattr(os, "sysconf")
        else None,
        "loadAverage": [round(value, 1) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "bfloat16": bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def finite(value: Any) -> Any:
    """The same map with NaN as None, so that every JSON reader takes it."""
    if isinstance(value, Mapping):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
