"""EASE: the linear item-to-item model in closed form; for large catalogues one small system an item.

    B = argmin |X - X B|^2 + reg |B|^2 with zero diagonal,  B_ij = -P_ij / P_jj,  P = (X'X + reg I)^-1

Up to ``dense_items`` items P is one inverse. Above, column j is solved over j and its ``local`` items with
the largest co-occurrence (by cosine) alone: cost items x local^3 / 3. Rows are cut to ``neighbours`` entries
by magnitude, which is what is served. Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse
data"; the local form after Steck 2019, "Markov random fields for collaborative filtering".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import ItemWeightRecommender, ModelInfo
from gds_pipelines.models.itemknn import row_blocks
from gds_pipelines.models.kernels import keep_largest
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions, use_threads


@dataclass(frozen=True)
class EASEParameters(Parameters):
    regularization: float = param(300.0, "ridge on the weights", above=0.0, search=(20.0, 3000.0, "log"))
    dense_items: int = param(8_000, "up to so many items one dense inverse is taken", low=0, high=50_000)
    local: int = param(200, "items of a local system, above dense_items", low=1, high=2_000)
    neighbours: int = param(500, "weights kept an item, by magnitude", low=1, high=50_000)


class EASE(ItemWeightRecommender):
    info = ModelInfo(
        name="ease",
        title="Linear item-to-item weights in closed form",
        source="Steck 2019, Embarrassingly shallow autoencoders for sparse data",
        contract="item-weights/1",
    )
    Parameters = EASEParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        use_threads(options.threads)
        dense = interactions.n_items <= self.parameters.dense_items
        weights = self._dense(interactions) if dense else self._local(interactions)
        self._weights = _largest_by_magnitude(weights, self.parameters.neighbours)

    def _dense(self, interactions: Interactions) -> sp.csr_array:
        gram = torch.from_numpy((interactions.matrix.T @ interactions.matrix).toarray().astype(np.float64))
        gram.diagonal().add_(self.parameters.regularization)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        weights = -inverse / inverse.diagonal()[None, :]
        weights.fill_diagonal_(0)
        return sp.csr_array(weights.numpy().astype(np.float32))

    def _local(self, interactions: Interactions) -> sp.csr_array:
        size = min(self.parameters.local, interactions.n_items - 1)
        of_items = sp.csr_array(interactions.matrix.T.tocsr())
        length = np.sqrt(
            np.maximum(
                np.bincount(interactions.matrix.indices, interactions.matrix.data**2, interactions.n_items),
                1e-12,
            )
        )
        rows, columns, values = [], [], []
        for start, stop in row_blocks(interactions):
            for low in range(start, stop, 128):
                high = min(low + 128, stop)
                near = sp.csr_array(of_items[low:high] @ interactions.matrix)
                near.data = (near.data / length[near.indices]).astype(np.float32)
                own = np.repeat(np.arange(low, high), np.diff(near.indptr))
                near.data[near.indices == own] = 0
                near.eliminate_zeros()
                near = keep_largest(near, size)
                for item in range(low, high):
                    found = near.indices[near.indptr[item - low] : near.indptr[item - low + 1]]
                    if not len(found):
                        continue
                    group = np.r_[item, found]
                    part = of_items[group]
                    system = torch.from_numpy((part @ part.T).toarray().astype(np.float64))
                    system.diagonal().add_(self.parameters.regularization)
                    unit = torch.zeros(len(group), 1, dtype=torch.float64)
                    unit[0] = 1
                    solved = torch.cholesky_solve(unit, torch.linalg.cholesky(system))[:, 0]
                    rows.append(found)
                    columns.append(np.full(len(found), item))
                    values.append((-solved[1:] / solved[0]).numpy().astype(np.float32))
        if not rows:
            return sp.csr_array((interactions.n_items, interactions.n_items), dtype=np.float32)
        entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
        return sp.csr_array(sp.coo_array(entries, shape=(interactions.n_items, interactions.n_items)))

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        n = interactions.n_items
        kept = 12 * n * min(parameters.neighbours, n)
        return kept + (
            8 * 4 * n * n if n <= parameters.dense_items else 24 * n * min(parameters.local, n) + 2**28
        )


def _largest_by_magnitude(matrix: sp.csr_array, count: int) -> sp.csr_array:
    size = sp.csr_array((np.abs(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
    size.sort_indices()
    matrix = matrix.copy()
    matrix.sort_indices()
    kept = keep_largest(size, count)
    if kept.nnz == matrix.nnz:
        return matrix
    # Put the signs back: the kept places are a subset of the old ones, in the same order.
    width = matrix.shape[1]
    place = _places(matrix, width)
    at = np.searchsorted(place, _places(kept, width))
    return sp.csr_array((matrix.data[at], kept.indices, kept.indptr), shape=matrix.shape)


def _places(matrix: sp.csr_array, width: int) -> NDArray[np.int64]:
    return (
        np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr)) * width + matrix.indices
    )
