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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gds_pipelines import models, statistics
from gds_pipelines.evaluation import PROTOCOL, Evaluation, evaluate
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import Recommender
from gds_pipelines.splits import Audit, audit
from gds_pipelines.training import TrainingOptions

METRICS = ("recall", "ndcg", "precision", "hit_rate", "mrr", "map")
MAIN = ("recall", "ndcg")
"""The metrics that get intervals and tests."""


@dataclass(frozen=True)
class Measured:
    """One model on one test part.

    Args:
        model: fitted.
        evaluation: its lists and values.
        fit_seconds, fit_cpu_seconds: wall clock and process time of ``fit``.
    """

    model: Recommender
    evaluation: Evaluation
    fit_seconds: float
    fit_cpu_seconds: float


def measure(
    model: Recommender,
    train: Interactions,
    test: Interactions,
    *,
    k: Sequence[int] = (20,),
    options: TrainingOptions | None = None,
) -> Measured:
    """Fit on ``train``, rank all items for the users of ``test``."""
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(train, options=options)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Measured(model, evaluate(model, test, k=k, names=METRICS), wall, cpu)


def compare(
    names: Sequence[str],
    train: Interactions,
    test: Interactions,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    baselines: Sequence[str] = models.BASELINES,
    k: Sequence[int] = (20,),
    seed: int = 0,
    options: TrainingOptions | None = None,
    despite_leak: bool = False,
    on_model: Callable[[str], None] | None = None,
) -> tuple[dict[str, Any], dict[str, Measured]]:
    """Measure ``names`` and the baselines beside them.

    Args:
        names: models, in the order of the table.
        settings: hyper-parameters by model name.
        baselines: stand beside, unless named already.
        despite_leak: measure although the audit failed; the result says so.
        on_model: called with each model's name before it is fitted.
    Returns:
        The result as a map, and what was measured by name.
    Raises:
        Leak: test pairs stand in train, unless ``despite_leak``.
        UnknownName, InvalidInput: before anything is fitted.
    """
    found: Audit = audit(train, test)
    if not despite_leak:
        found.check()
    settings = settings or {}
    everything = [*names, *(name for name in baselines if name not in names)]
    prepared = {name: models.recommender(name)(settings.get(name), seed=seed) for name in everything}
    measured: dict[str, Measured] = {}
    for name, model in prepared.items():
        if on_model is not None:
            on_model(name)
        measured[name] = measure(model, train, test, k=k, options=options)
    result = {
        "protocol": PROTOCOL,
        "data": {
            "users": train.n_users,
            "items": train.n_items,
            "train": len(train),
            "test": len(test),
            "testUsers": int((test.user_degrees > 0).sum()),
            "testUsersUnknownToTrain": found.unknown_users,
            "testItemsUnknownToTrain": found.unknown_items,
        },
        "leak": {"clean": found.clean, "sharedPairs": found.shared, "despiteLeak": despite_leak},
        "seed": seed,
        "models": [_row(name, one, k) for name, one in measured.items()],
        "comparisons": _comparisons(names, baselines, measured, k),
        "machine": machine(),
        "peakMemoryBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        * (1 if sys.platform == "darwin" else 1024),
    }
    return result, measured


def _row(name: str, one: Measured, k: Sequence[int]) -> dict[str, Any]:
    values = one.evaluation.values
    intervals = {}
    for metric in MAIN:
        for cut in k:
            found = statistics.interval(values[metric, cut])
            intervals[f"{metric}@{cut}"] = [found.low, found.high]
    report = one.model.training_report
    row = {
        "model": name,
        "baseline": name in models.BASELINES,
        "parameters": one.model.parameters.to_mapping(),
        "figures": one.evaluation.figures(),
        "intervals95": intervals,
        "seconds": {
            "fit": round(one.fit_seconds, 2),
            "fitCpu": round(one.fit_cpu_seconds, 2),
            "rank": round(one.evaluation.seconds, 2),
        },
    }
    if report:
        row["training"] = {key: report[key] for key in ("epochs", "steps", "device") if key in report}
    return row


def _comparisons(
    names: Sequence[str], baselines: Sequence[str], measured: Mapping[str, Measured], k: Sequence[int]
) -> list[dict[str, Any]]:
    """Each named model against the baseline that is best by the metric; paired over users."""
    rows = []
    beside = [name for name in measured if name in baselines]
    for metric in MAIN:
        cut = max(k)
        if not beside:
            break
        best = max(beside, key=lambda name: measured[name].evaluation.figure(metric, cut))
        against = measured[best].evaluation.values[metric, cut]
        for name in names:
            if name == best:
                continue
            gap = statistics.difference(measured[name].evaluation.values[metric, cut], against)
            rows.append(
                {
                    "metric": f"{metric}@{cut}",
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
