"""The contract ``lists/1``: finished lists, best first.

Source of the rules: ``docs/formats.md`` section 3. Shapes: U = users, I = items, M = rows of all lists.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.artefact import Artefact, assemble, one_sided
from model_export.neighbour_rows import encode, rows_of
from model_export.origin import origin_of

FILE = "lists.arrow"


def build(
    *,
    model: str,
    user_keys: NDArray,
    item_keys: NDArray,
    users: NDArray,
    items: NDArray,
    ranks: NDArray,
    scores: NDArray,
    schema: Mapping[str, Any],
    task: Mapping[str, Any],
    gnn4j_version: str,
    training: Mapping[str, Any] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    created_at: str | None = None,
) -> Artefact:
    """The artefact of finished lists from plain arrays.

    Args:
        user_keys, item_keys: [U], [I] – integers or text, unique on each side.
        users, items: [M] – indices; a pair stands once.
        ranks: [M] – ascending from the best; only their order within a user counts.
        scores: [M] – finite, not rising with the rank.
    Raises:
        ArtefactError: with all faults.
    """
    order = np.lexsort((ranks, users))
    users, items = np.asarray(users, np.int64)[order], np.asarray(items, np.int64)[order]
    if one_sided(task):
        known = {key: row for row, key in enumerate(np.asarray(item_keys).tolist())}
        for key in np.asarray(user_keys).tolist():
            known.setdefault(key, len(known))
        nodes = [(task["recommend"], np.array(list(known), dtype=np.asarray(item_keys).dtype))]
        source = np.array([known[key] for key in np.asarray(user_keys).tolist()], np.int64)[users]
    else:
        nodes = [(task["recommend"], item_keys), (task["to"], user_keys)]
        source = users + len(item_keys)
    rows = rows_of(nodes, source, items, np.asarray(scores)[order], what=FILE)
    manifest = {
        "contract": "lists/1",
        **origin_of(
            {task["to"]: len(user_keys), task["recommend"]: len(item_keys)},
            model=model,
            schema=schema,
            task=task,
            gnn4j_version=gnn4j_version,
            training=training,
            metrics=metrics,
            created_at=created_at,
        ),
    }
    return assemble(manifest, {FILE: encode(rows, FILE)})
