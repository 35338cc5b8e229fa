"""The contract ``item-weights/1``: score(u, j) = sum over the history of w(u, i) * weight(i, j).

Source of the rules: ``docs/formats.md`` section 3. Shapes: I = items, M = weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from model_export.artefact import Artefact, assemble
from model_export.neighbour_rows import encode, rows_of
from model_export.origin import origin_of
from model_export.vector_pairs import HISTORY

FILE = "weights.arrow"


def build(
    *,
    model: str,
    item_keys: NDArray,
    source: NDArray,
    target: NDArray,
    weight: NDArray,
    schema: Mapping[str, Any],
    task: Mapping[str, Any],
    gnn4j_version: str,
    history: int = HISTORY,
    training: Mapping[str, Any] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    created_at: str | None = None,
) -> Artefact:
    """The artefact of an item-to-item model from plain arrays.

    Args:
        item_keys: [I] – integers or text, unique.
        source, target: [M] – item indices; a pair stands once.
        weight: [M] – finite.
        history: newest items a score is summed over.
    Raises:
        ArtefactError: with all faults.
    """
    rows = rows_of([(task["recommend"], item_keys)], source, target, weight, what=FILE)
    manifest = {
        "contract": "item-weights/1",
        "serving": {"history": history},
        **origin_of(
            {task["recommend"]: len(rows)},
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
