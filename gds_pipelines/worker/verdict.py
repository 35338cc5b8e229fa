"""Whether a new model is better than the one that serves: the same users, events neither has seen.

Judged are users with events after the later of the two training cut-offs; known of a user is what
happened before. The new model is the one that was measured, trained on the train part alone; the serving
version answers in the database, by ``gnn.evaluate.stream``. Better means that the whole 95 % interval of
the paired difference in nDCG@20 is above 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from gds_pipelines import statistics
from gds_pipelines.connection import Connection
from gds_pipelines.errors import PipelineError
from gds_pipelines.evaluation import evaluate
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import Recommender
from gds_pipelines.registry import ModelVersion, Registry
from gds_pipelines.task import Task

MIN_USERS = 200
METRIC, K = "ndcg", 20
JUDGED = ("item-propagation/1", "vectors/1", "item-weights/1", "lists/1", "sequence/1")
"""Contracts that ``gnn.evaluate.stream`` measures; of the first, those without a blend."""


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Args:
        deploy: whether the new version is to serve.
        reason: one sentence.
        against: ``name:version`` that it was compared with, None for none.
        expected: the version that must still serve when the alias moves; 0 for none.
        difference: the paired comparison, where there was one.
    """

    deploy: bool
    reason: str
    against: str | None = None
    expected: int = 0
    difference: statistics.Difference | None = None

    def to_mapping(self) -> dict[str, Any]:
        found: dict[str, Any] = {"deployed": self.deploy, "reason": self.reason, "against": self.against}
        if self.difference is not None:
            found["comparison"] = {
                "metric": f"{METRIC.upper()}_AT_{K}",
                "difference": self.difference.mean,
                "low": self.difference.low,
                "high": self.difference.high,
                "p": self.difference.p,
                "users": self.difference.users,
            }
        return found


def judge(
    connection: Connection,
    task: Task,
    serving: ModelVersion | None,
    measured: Recommender,
    cutoff: int | None,
    whole: Interactions,
    graph_name: str,
) -> Verdict:
    """Compare.

    Args:
        serving: the version the alias points to.
        measured: the new model as it was measured, trained on what happened before ``cutoff``.
        cutoff: epoch milliseconds; None where the split was not by time.
        whole: all interactions, over the users and items of ``measured``.
        graph_name: a projection of the task of the signed-in user, with its times.
    """
    if serving is None:
        return Verdict(True, "Nothing served under this name before.")
    against, expected = serving.reference, serving.version

    def no(reason: str) -> Verdict:
        return Verdict(False, reason, against, expected)

    if cutoff is None or whole.times is None:
        return no(
            f"Not deployed: whether it is better than {against} can only be judged with a split by time. "
            f"Give the task `timeProperty` and `horizon`, or train with deploy: 'always'."
        )
    if serving.contract not in JUDGED:
        return no(
            f"Not deployed: {against} follows {serving.contract}, which gnn.evaluate.stream does not "
            f"measure. Train with deploy: 'always' to replace it."
        )
    manifest = Registry(connection).manifest(serving.name, serving.version)
    if manifest.get("blend"):
        return no(
            f"Not deployed: {against} is a blend, which gnn.evaluate.stream does not measure. Train with "
            f"deploy: 'always' to replace it."
        )
    trained = manifest["training"]["cutoff"]
    if trained is None:
        return no(
            f"Not deployed: {against} does not say up to when it was trained, so nothing is surely new to "
            f"it. Train with deploy: 'always' to replace it."
        )
    moment = max(cutoff, trained)
    said = datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = whole.times >= moment
    test = whole.keep(late)
    users = int((test.user_degrees > 0).sum())
    if users < MIN_USERS:
        return no(
            f"Not deployed: only {users} users have events after {said}, the later of the two training "
            f"cut-offs; {MIN_USERS} are needed to judge. Train again when there is more."
        )
    mine, keys = per_user(measured, whole.keep(~late), test)
    theirs = served_values(connection, serving, graph_name, moment, task.key[task.to])
    both = [at for at, key in enumerate(keys) if key in theirs]
    if len(both) < MIN_USERS:
        return no(
            f"Not deployed: only {len(both)} users could be judged by both; {MIN_USERS} are needed. Project "
            f"again and train."
        )
    found = statistics.difference(mine[both], np.array([theirs[keys[at]] for at in both]))
    figures = (
        f"{METRIC}@{K} differs from that of {against} by {found.mean:+.4f} (95 % interval {found.low:+.4f} "
        f"to {found.high:+.4f}, {found.users:,} users with events after {said})"
    )
    if found.low > 0:
        return Verdict(True, f"Better: {figures}.", against, expected, found)
    return replace(no(f"Not deployed, for it is not surely better: {figures}."), difference=found)


def per_user(model: Recommender, known: Interactions, test: Interactions) -> tuple[np.ndarray, list[str]]:
    """[T] the metric of each user with something to find, and their keys as text."""
    found = evaluate(model.knowing(known), test, k=(K,), names=(METRIC,))
    return found.values[METRIC, K], [str(key) for key in test.user_keys[found.users].tolist()]


def served_values(
    connection: Connection, serving: ModelVersion, graph_name: str, moment: int, key: str
) -> dict[str, float]:
    """The same metric of the serving version, by the text of each user's key."""
    records = connection.execute(
        "CALL gnn.evaluate.stream($graph, $config) YIELD slice, value, users WHERE slice <> 'all' "
        "RETURN slice, value, users",
        graph=graph_name,
        config={
            "model": serving.reference,
            "methods": ["vector"],
            "truth": {"after": moment},
            "k": [K],
            "metrics": [METRIC],
            "slices": [key],
        },
    )
    several = [row["slice"] for row in records if row["users"] != 1]
    if several:
        raise PipelineError(f"Users cannot be told apart by `{key}`: {several[0]} is several.")
    return {row["slice"].removeprefix(f"{key}="): row["value"] for row in records}
