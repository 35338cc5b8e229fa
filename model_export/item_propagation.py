"""The contract ``item-propagation/1``: users are sums over the items they interacted with.

Source of the algebra: ``docs/formats.md`` section 3. Shapes: B = users,
H = interactions read per user, D = dimensions.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model_export.artefact import Artefact
from model_export.errors import ArtefactError
from model_export.exporter import export
from model_export.origin import origin_of
from model_export.signature import item_propagation_signature
from model_export.vectors import encode, of_one_type

HISTORY = 500


class UserEncoder(torch.nn.Module):
    """q = degree^-p * (degree / read) * sum of weight * context over the read items.

    Built from MatMul and elementwise operators only: a sum over the padding mask is
    the mask's product with itself, so no Reduce operator (wrong on empty tensors in
    ONNX Runtime) and no scatter is needed.

    Args:
        exponent: p in [0, 1]; 1/2 for LightGCN, 0 for FISM.
    """

    def __init__(self, exponent: float) -> None:
        super().__init__()
        if not 0.0 <= exponent <= 1.0:
            raise ValueError(f"exponent must lie in [0, 1], found {exponent}")
        self.exponent = float(exponent)

    def forward(self, context: torch.Tensor, weight: torch.Tensor, degree: torch.Tensor) -> torch.Tensor:
        """Encode users.

        Args:
            context: [B, H, D] – c of the read items; any finite value where weight is 0.
            weight: [B, H] – reduced weight of the pair; 0 means padding.
            degree: [B] – the user's distinct neighbours, at least the number read; 0 for no history.
        Returns:
            [B, D] – the query vectors; a row without history is zero.
        """
        is_read = (weight != 0).to(weight.dtype)  # [B, H]
        read = (is_read.unsqueeze(1) @ is_read.unsqueeze(2)).squeeze(2)  # [B, 1]
        total = (weight.unsqueeze(1) @ context).squeeze(1)  # [B, D]
        # degree^(1-p) / read instead of degree^-p * degree / read: finite for degree 0.
        scale = degree.unsqueeze(1) ** (1.0 - self.exponent) / torch.clamp(read, min=1.0)
        return total * scale


def examples(dimension: int, seed: int = 7) -> list[dict[str, NDArray[np.float32]]]:
    """Inputs of every kind the contract allows: B = 0, 1, 64, 1024; H = 1 and more; users without history;
    rows of padding only; degrees larger than what was read."""
    rng = np.random.default_rng(seed)
    made = []
    for batch, width in ((0, 1), (1, 1), (1, 500), (64, 1), (64, 50), (1024, 20)):
        made.append(_random_inputs(rng, batch, width, dimension))
    lonely = _random_inputs(rng, 3, 4, dimension)
    lonely["weight"][:] = 0
    lonely["degree"][:] = [0, 0, 7]
    made.append(lonely)
    return made


def _random_inputs(
    rng: np.random.Generator, batch: int, width: int, dimension: int
) -> dict[str, NDArray[np.float32]]:
    read = rng.integers(0, width + 1, batch)
    weight = rng.choice(np.array([0.1, 0.5, 1.0], np.float32), (batch, width))
    weight[np.arange(width) >= read[:, None]] = 0
    return {
        "context": rng.normal(0, 0.3, (batch, width, dimension)).astype(np.float32),
        "weight": weight,
        "degree": (read + rng.integers(0, 100, batch) * (read == width)).astype(np.float32),
    }


def build(
    *,
    model: str,
    item_label: str,
    keys: NDArray,
    layers: int,
    exponent: float,
    schema: Mapping[str, Any],
    task: Mapping[str, Any],
    gnn4j_version: str,
    base: NDArray | None = None,
    e: NDArray | None = None,
    c: NDArray | None = None,
    similarity: str = "dot",
    history: int = HISTORY,
    blend: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    metrics: Sequence[Mapping[str, Any]] = (),
    created_at: str | None = None,
) -> Artefact:
    """The artefact of an item-propagation model from plain arrays.

    Args:
        model: the family, e.g. ``lightgcn``.
        item_label: the label of the recommended nodes.
        keys: [N] – integers or text, unique: the key property of each item.
        layers: L, the number of propagations; at least 1 with ``base``.
        exponent: p, see :class:`UserEncoder`.
        base: [N, D] – base vectors, to be propagated at deployment; or
        e, c: [N, D] – finished vectors to be scored against and to sum over.
        blend: {rule: 'sum', sources, walk}: what is added to the vectors' score, where it is not all.
        training, metrics, created_at: as :func:`model_export.origin.origin_of` takes them.
    Returns:
        The checked artefact.
    Raises:
        ArtefactError, ExportError: with all faults.
    """
    if (base is None) == (e is None or c is None):
        raise ArtefactError("This artefact cannot be made", ["give either base, or both e and c"])
    vectors = of_one_type(item_label, keys, base if base is not None else e, c)
    manifest = {
        "contract": "item-propagation/1",
        "dimension": vectors.dimension,
        "similarity": similarity,
        "signature": item_propagation_signature(vectors.dimension),
        "propagation": {
            "layers": layers,
            "vectors": "base" if base is not None else "final",
            "exponent": exponent,
            "history": history,
        },
        **origin_of(
            {item_label: len(vectors)},
            model=model,
            schema=schema,
            task=task,
            gnn4j_version=gnn4j_version,
            training=training,
            metrics=metrics,
            created_at=created_at,
        ),
    }
    if blend is not None:
        manifest["blend"] = dict(blend)
    files = {"vectors.arrow": encode(vectors)}
    return export(UserEncoder(exponent), golden_inputs(vectors.dimension), manifest, files=files)


def golden_inputs(dimension: int) -> dict[str, NDArray[np.float32]]:
    """Three users: one read in part (4 of 9), one read whole (2), one without history."""
    rng = np.random.default_rng(11)
    return {
        "context": rng.normal(0, 0.3, (3, 4, dimension)).astype(np.float32),
        "weight": np.array([[1, 0.5, 0.25, 1], [1, 0.5, 0, 0], [0, 0, 0, 0]], np.float32),
        "degree": np.array([9, 2, 0], np.float32),
    }
