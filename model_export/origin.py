"""Where a model came from: the part of a manifest that every contract has."""

from collections.abc import Mapping, Sequence
from typing import Any

from model_export.manifest import now_utc


def origin_of(
    nodes: Mapping[str, int],
    *,
    model: str,
    schema: Mapping[str, Any],
    task: Mapping[str, Any],
    gnn4j_version: str,
    training: Mapping[str, Any] | None,
    metrics: Sequence[Mapping[str, Any]],
    created_at: str | None,
) -> dict[str, Any]:
    """The keys of a manifest that say what was trained on what, when, and how well it did.

    Args:
        nodes: how many of each label the model knows, for a ``training`` that is not told.
        training: the map of the manifest; a minimal one when None.
        created_at: ISO-8601 UTC; now when None. The only part of the bytes that comes from a clock.
    """
    return {
        "model": model,
        "createdAt": created_at or now_utc(),
        "gnn4jVersion": gnn4j_version,
        "schema": dict(schema),
        "task": dict(task),
        "training": dict(training or untold(nodes)),
        "metrics": [dict(metric) for metric in metrics],
    }


def untold(nodes: Mapping[str, int]) -> dict[str, Any]:
    """The least that ``training`` can say."""
    return {
        "graph": {"nodes": dict(nodes), "relationships": {}},
        "cutoff": None,
        "seed": None,
        "hyperparameters": {},
    }
