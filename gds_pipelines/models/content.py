"""Content-based: items by the cosine of their properties, users as sums over their items.

    e(i) = x_i / |x_i|,   x_i = the item's properties side by side, each a block of length 1, 0 where missing
    score(u, i) = (sum over the history of w(u,j) e(j)) . e(i) = sum over the history of w(u,j) cos(x_j, x_i)

    text              one column a value
    list of texts     one column an entry, an entry of n items weighing log(1 + I / n)
    truth value       one column for true, one for false
    number            (cos t, sin t), t = pi/2 times its rank: 1 with its like, 0 across the whole range
    list of numbers   as it is

Wider than ``dimension``, x is projected on its leading singular vectors, which keeps cosines as nearly as so
many columns can. Nobody's taste is learned: an item nobody touched is found as easily as any other.
Source: Lops, de Gemmis & Semeraro 2011, "Content-based recommender systems: state of the art and trends".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo, PropagationRecommender
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.spectral import right_vectors
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.training import TrainingOptions
from model_export.block_schema import FIRST_ENTRY, Feature


@dataclass(frozen=True)
class ContentParameters(Parameters):
    dimension: int = param(256, "most columns an item's vector may have", low=1, high=4096)


class Content(PropagationRecommender):
    info = ModelInfo(
        name="content",
        title="Cosine of item properties, summed over the history",
        source="Lops, de Gemmis & Semeraro 2011, Content-based recommender systems",
        contract="item-propagation/1",
        needs=("item features",),
        trained=False,
    )
    Parameters = ContentParameters
    exponent = 0.0
    reads_features = True

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        features = interactions.item_features
        if features is None or not features.features:
            raise InvalidInput(
                "Model 'content'",
                [
                    "it compares properties of items, and the task names none. Name them in the task, as "
                    "features: {Item: ['price', 'brand']}, or take a model that needs interactions only"
                ],
            )
        table = unit_rows(columns(features))
        if table.shape[1] > self.parameters.dimension:
            axes, _ = right_vectors(table, self.parameters.dimension, self.seed)
            table = unit_rows(sp.csr_array(np.asarray(table @ axes)))
        self._e = self._c = np.ascontiguousarray(table.toarray(), np.float32)

    def _unknown(self, histories: Histories, users: NDArray | None) -> NDArray[np.bool_]:
        # Whoever touched only items without properties says as much as nobody.
        return ~self.query(histories).any(axis=1)

    def _state(self) -> dict[str, NDArray]:
        return {"e": self._e}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._e = self._c = state["e"]

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        return 4 * 6 * min(parameters.dimension + 32, 4096) * interactions.n_items


def columns(features: NodeFeatures) -> sp.csr_array:
    """[N, W] – the blocks of all properties side by side; every block of a row has length 1 or 0."""
    x, code, blocks = 0, 0, []
    for feature in features.features:
        if feature.encoder in ("category", "list"):
            width = feature.length if feature.encoder == "list" else 1
            blocks.append(_texts(features.code[:, code : code + width], feature))
            code += width
            continue
        width = feature.width if feature.encoder == "vector" else 1
        given = features.x[:, x : x + width].astype(np.float64)
        x += width
        if feature.encoder == "number":
            given = _angles(given[:, 0])
        elif feature.encoder == "bool":
            given = np.column_stack([given[:, 0] == 1, given[:, 0] == 0]).astype(np.float64)
        blocks.append(sp.csr_array(np.nan_to_num(given)))
    return sp.csr_array(sp.hstack([unit_rows(block) for block in blocks], format="csr"))


def unit_rows(matrix: sp.csr_array) -> sp.csr_array:
    """Rows of length 1; a row of zeros stays. float32."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    data = matrix.data.astype(np.float64)
    length = np.sqrt(np.bincount(rows, data**2, matrix.shape[0]))
    data = data / np.where(length > 1e-12, length, 1.0)[rows]
    return sp.csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def _texts(code: NDArray[np.int64], feature: Feature) -> sp.csr_array:
    """[N, V] – a column a known text; entries of a list weigh by how rare they are, repeats count once."""
    known = code >= FIRST_ENTRY
    width = len(feature.vocabulary) if feature.vocabulary else int(feature.buckets or 0)
    rows = np.nonzero(known)[0]
    found = sp.coo_array(
        (np.ones(len(rows)), (rows, code[known] - FIRST_ENTRY)), shape=(len(code), max(1, width))
    ).tocsr()
    found.data[:] = 1.0
    if feature.encoder == "list":
        count = np.bincount(found.indices, minlength=found.shape[1])
        found.data *= np.log1p(len(code) / np.maximum(count, 1))[found.indices]
    return sp.csr_array(found)


def _angles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N, 2] – a quarter circle by mean rank, equal values at one place; zeros where the value is missing."""
    out = np.zeros((len(values), 2))
    there = np.flatnonzero(np.isfinite(values))
    if len(there):
        _, place, count = np.unique(values[there], return_inverse=True, return_counts=True)
        middle = np.cumsum(count) - (count + 1) / 2  # from 0 to N - 1
        turn = np.pi / 2 * (middle / max(1, len(there) - 1))[place]
        out[there] = np.column_stack([np.cos(turn), np.sin(turn)])
    return out
