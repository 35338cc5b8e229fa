"""UserKNN: what the users nearest by cosine have.

    s(u, v) = sum_i x_ui x_vi / (|x_u| |x_v| + shrink),  score(u, j) = sum over the nearest v of s(u, v) x_vj

A user is not its own neighbour. A visitor is compared by the given items. Served as finished lists.
Source: Resnick et al. (1994); cosine with shrinkage as in Ferrari Dacrema et al. (2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ListRecommender, ModelInfo
from gds_pipelines.models.kernels import keep_largest
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions


@dataclass(frozen=True)
class UserKNNParameters(Parameters):
    neighbours: int = param(100, "most similar users asked", low=1, high=10_000, search=(20, 800, "log"))
    shrink: float = param(
        5.0,
        "added to the denominator: distrust of users who share few items",
        low=0.0,
        search=(0.5, 200.0, "log"),
    )


class UserKNN(ListRecommender):
    info = ModelInfo(
        name="userknn",
        title="Cosine between users over their items",
        source="Resnick et al. 1994, GroupLens: An open architecture for collaborative filtering",
        contract="lists/1",
        trained=False,
    )
    Parameters = UserKNNParameters
    supported_only = True

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._of_items = sp.csr_array(interactions.matrix.T.tocsr())
        self._length = _lengths(interactions.matrix)

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        chosen = self.parameters
        near = sp.csr_array(histories.matrix @ self._of_items)  # [B, U]
        rows = np.repeat(np.arange(near.shape[0]), np.diff(near.indptr))
        length = _lengths(histories.matrix)
        near.data = (near.data / (length[rows] * self._length[near.indices] + chosen.shrink)).astype(
            np.float32
        )
        if users is not None:
            near.data[near.indices == users[rows]] = 0
            near.eliminate_zeros()
        return (keep_largest(near, chosen.neighbours) @ self.train.matrix).toarray()

    def _state(self) -> dict[str, NDArray]:
        return {}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._fit(self.train, None, TrainingOptions())


def _lengths(matrix: sp.csr_array) -> NDArray[np.float64]:
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return np.sqrt(np.bincount(rows, matrix.data.astype(np.float64) ** 2, matrix.shape[0]))
