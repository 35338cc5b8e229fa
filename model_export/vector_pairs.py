"""The contract ``vectors/1``: a vector for each user and each item, compared by dot product or cosine.

Source of the rules: ``docs/formats.md`` section 3. Shapes: U = users, I = items, D = dimensions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export.artefact import Artefact, assemble, one_sided
from model_export.errors import ArtefactError
from model_export.origin import origin_of
from model_export.vectors import Vectors, encode, of_one_type, of_two_types

HISTORY = 500


def build(
    *,
    model: str,
    user_keys: NDArray,
    user_vectors: NDArray,
    item_keys: NDArray,
    item_vectors: NDArray,
    schema: Mapping[str, Any],
    task: Mapping[str, Any],
    gnn4j_version: str,
    similarity: str = "dot",
    cold: Mapping[str, Any] | str = "mean",
    history: int = HISTORY,
    training: Mapping[str, Any] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    created_at: str | None = None,
) -> Artefact:
    """The artefact of a model with a vector a node, from plain arrays.

    Args:
        user_keys, item_keys: [U], [I] – integers or text, unique on each side.
        user_vectors, item_vectors: [U, D], [I, D]. A user without a row, or with zeros, is answered by
            ``cold``.
        cold: 'mean' (of the history's item vectors, by weight), or {rule: 'fold-in', unobserved,
            regularization, nu, items}: the least-squares user of iALS, or {rule: 'constant', vector}: one
            vector for all.
        history: newest items that ``cold`` reads.
    Raises:
        ArtefactError: with all faults.
    """
    items = of_one_type(task["recommend"], item_keys, item_vectors)
    users = of_one_type(task["to"], user_keys, user_vectors)
    vectors = _both_parts(items, users) if one_sided(task) else of_two_types(items, users)
    rule = {"rule": cold} if isinstance(cold, str) else dict(cold)
    manifest = {
        "contract": "vectors/1",
        "dimension": vectors.dimension,
        "similarity": similarity,
        "serving": {"cold": rule.pop("rule"), "history": history, **rule},
        **origin_of(
            {task["to"]: len(users), task["recommend"]: len(items)},
            model=model,
            schema=schema,
            task=task,
            gnn4j_version=gnn4j_version,
            training=training,
            metrics=metrics,
            created_at=created_at,
        ),
    }
    return assemble(manifest, {"vectors.arrow": encode(vectors)})


def _both_parts(items: Vectors, users: Vectors) -> Vectors:
    """One row a node: ``vector`` as an item, ``context`` as a user; zeros where it plays one part only."""
    if items.dimension != users.dimension:
        raise ArtefactError(
            "These vectors cannot be written",
            [f"items have {items.dimension} dimensions, users {users.dimension}"],
        )
    place = {key: row for row, key in enumerate(items.keys.tolist())}
    place |= {
        key: len(place) + more for more, key in enumerate(k for k in users.keys.tolist() if k not in place)
    }
    shape = (len(place), items.dimension)
    vector, context = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    vector[: len(items)] = items.vector
    context[[place[key] for key in users.keys.tolist()]] = users.vector
    keys = np.array(list(place), dtype=items.keys.dtype)
    return of_one_type(items.types[0] if len(items) else users.types[0], keys, vector, context)
