"""RP3beta: a three-step random walk user -> item -> user -> item, popular targets divided by degree^beta.

    score(u, j) = sum_i p(u, i)^alpha  sum_v p(i, v)^alpha p(v, j)^alpha / d_j^beta

p are transition probabilities over the reduced weights, d_j the number of distinct users of j.
Nothing is learned, so no artefact: the database walks the live relationships. Here the two hops are
walked for each history, without an item x item matrix. Cost of a user: the number of its paths.
Source: Paudel, Christoffel, Newell & Bernstein (2017), "Updatable, accurate, diverse, and scalable
recommendations for interactive applications".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo, Recommender
from gds_pipelines.models.kernels import walk_rows
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions


@dataclass(frozen=True)
class RP3betaParameters(Parameters):
    alpha: float = param(
        0.7, "exponent of the transition probabilities", above=0.0, high=3.0, search=(0.3, 2.0)
    )
    beta: float = param(0.3, "how much popular targets are held back", low=0.0, high=2.0, search=(0.0, 1.0))


class RP3beta(Recommender):
    info = ModelInfo(
        name="rp3beta",
        title="Three-step random walk with a popularity discount",
        source="Paudel et al. 2017, Updatable, accurate, diverse, and scalable recommendations",
        contract=None,
        trained=False,
    )
    Parameters = RP3betaParameters
    supported_only = True

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        alpha, beta = self.parameters.alpha, self.parameters.beta
        self._to_items = transition(interactions.matrix, alpha)  # [U, I] v -> j
        self._to_users = transition(interactions.matrix.T.tocsr(), alpha)  # [I, U] i -> v
        discount = np.maximum(interactions.item_degrees, 1.0) ** -beta
        self._to_items.data *= discount[self._to_items.indices].astype(np.float32)

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        start = transition(histories.matrix, self.parameters.alpha)
        out = np.empty(start.shape, np.float32)
        there, back = self._to_users, self._to_items
        walk_rows(
            start.indptr,
            start.indices,
            start.data,
            there.indptr,
            there.indices,
            there.data,
            back.indptr,
            back.indices,
            back.data,
            back.shape[0],
            out,
        )
        return out

    def _state(self) -> dict[str, NDArray]:
        return {}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._fit(self.train, None, TrainingOptions())


def transition(matrix: sp.csr_array, alpha: float) -> sp.csr_array:
    """Rows of weights as probabilities to the power alpha, float32; an empty row stays empty."""
    total = np.add.reduceat(np.r_[matrix.data, 0.0], matrix.indptr[:-1]) if matrix.shape[0] else np.zeros(0)
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    data = (matrix.data / total[rows]) ** alpha if matrix.nnz else matrix.data
    return sp.csr_array((data.astype(np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)
