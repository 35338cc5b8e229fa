"""The figures of ``gnn.evaluate.stream`` beside those of Python, for a model of each contract."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.serving.loaded import Loaded
from gds_pipelines import models, projection
from gds_pipelines.evaluation import evaluate
from gds_pipelines.metrics import METRICS
from gds_pipelines.models.base import Recommender

MODELS = ("fism", "ials", "itemknn", "userknn", "auto")
SETTINGS = {"auto": {"weight": 1.0}}
"""Given, so that nothing is chosen."""
METHODS = {"popularity": "popularity", "rp3beta": "walk"}
K = [10, 20]
HELD_OUT = 0.1
"""Share of the pairs, the latest ones."""
GRAPH = "held"
CALL = (
    "CALL gnn.evaluate.stream($graph, $config) YIELD method, slice, metric, k, value, users "
    "RETURN method, slice, metric, k, value, users"
)


def measure(loaded: Loaded, names: Sequence[str] = (*MODELS, *METHODS)) -> list[dict[str, Any]]:
    """A row for each model, for popularity and for the walk: how far the largest of its figures is off."""
    whole = loaded.whole
    assert whole.times is not None
    cut = int(np.quantile(whole.times, 1 - HELD_OUT))
    train, test = whole.keep(whole.times < cut), whole.keep(whole.times >= cut)
    projection.project(loaded.connection, loaded.task, GRAPH)
    try:
        rows = []
        for name in [name for name in names if name in MODELS]:
            model = loaded.serve(name, train, cut, **SETTINGS.get(name, {}))
            rows.append(compared(loaded, name, model, "vector", test, {"model": name}, cut))
            loaded.served.pop(name)  # it has not seen everything
        task = loaded.task.to_mapping()
        for name in [name for name in names if name in METHODS]:
            model = models.recommender(name)().fit(train)
            rows.append(compared(loaded, name, model, METHODS[name], test, {"task": task}, cut))
        return rows
    finally:
        projection.drop(loaded.connection, GRAPH)


def compared(
    loaded: Loaded, name: str, model: Recommender, method: str, test: Any, config: dict[str, Any], cut: int
) -> dict[str, Any]:
    config = {**config, "methods": [method], "truth": {"after": cut}, "k": K}
    begun = time.perf_counter()
    found = loaded.server.execute(CALL, graph=GRAPH, config=config)
    seconds = time.perf_counter() - begun
    judged = evaluate(model, test, k=K, names=tuple(METRICS))
    off = [abs(row["value"] - judged.figure(row["metric"], row["k"])) for row in found]
    if {row["users"] for row in found} != {len(judged.users)} or len(found) != (len(METRICS) + 2) * len(K):
        raise RuntimeError(
            f"{name}: {len(found)} figures of other users than the {len(judged.users)} of Python."
        )
    return {
        "model": name, "contract": model.info.contract or method, "users": len(judged.users),
        "figures": len(found),
        "largest difference": f"{max(off):.1e}", "recall@20": round(judged.figure("recall", 20), 4),
        "database s": round(seconds, 1), "Python s": round(judged.seconds, 1),
    }  # fmt: skip
