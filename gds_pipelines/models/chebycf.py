"""ChebyCF: a plateau-shaped graph filter by Chebyshev interpolation, an ideal filter and degree weights.

    score(x) = [ h(L~) + alpha V V' ] (x D^-beta)  D^beta,   L~ = I - 2 R'R,  R = Du^-1/2 X Di^-1/2

h is a polynomial of order K through a plateau: 0.5 + 0.5 |t|^phi for t < 0 (low frequencies), 0.5 - 0.5
t^phi above.
As in the authors' program, which the published figures were taken with, the plateau is read at cos(k pi / K)
and taken as its
value at the K + 1 Chebyshev nodes. No training. Cost of a user: 2 K passes over the interactions.
Source: Kim, Sung, Han & Lee 2025, "Graph spectral filtering with Chebyshev interpolation for recommendation".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.filters import FilterRecommender
from gds_pipelines.models.kernels import multiply
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions


@dataclass(frozen=True)
class ChebyCFParameters(Parameters):
    order: int = param(8, "degree K of the polynomial", low=1, high=64)
    flatness: float = param(1.5, "phi, shape of the plateau", above=0.0)
    factors: int = param(512, "singular vectors of the ideal filter", low=1, high=4096)
    alpha: float = param(0.2, "weight of the ideal filter", low=0.0, search=(0.0, 0.6))
    beta: float = param(0.4, "exponent of the item degrees", low=0.0, high=2.0, search=(0.0, 0.6))


class ChebyCF(FilterRecommender):
    info = ModelInfo(
        name="chebycf",
        title="Chebyshev graph filter with an ideal filter and degree weights",
        source="Kim et al. 2025, Graph spectral filtering with Chebyshev interpolation for recommendation",
        contract="lists/1",
        trained=False,
    )
    Parameters = ChebyCFParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._graph()
        self._low_pass(self.parameters.alpha, self._degree)

    def _graph(self) -> None:
        super()._graph()
        degrees = self.train.item_degrees
        self._degree = (np.maximum(degrees, 1.0) ** self.parameters.beta).astype(np.float32)
        self._known = (degrees > 0).astype(np.float32)

    def _filtered(self, histories: Histories) -> NDArray[np.float32]:
        weights = coefficients(self.parameters.order, self.parameters.flatness)
        signal = histories.matrix.toarray() * (self._known / self._degree)  # [B, I]
        before = np.ascontiguousarray(signal.T)  # [I, B]
        now = self._shifted(before)
        total = weights[0] * before + weights[1] * now
        for weight in weights[2:]:
            before, now = now, 2 * self._shifted(now) - before
            total += weight * now
        return np.ascontiguousarray(total.T) * (self._known * self._degree)

    def _shifted(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """(I - 2 R'R) signal for [I, B]."""
        return signal - 2 * multiply(self._back, multiply(self._forward, signal))


def coefficients(order: int, flatness: float) -> NDArray[np.float32]:
    """[K + 1] – Chebyshev coefficients of the plateau; see the module's text for where it is read."""
    read_at = np.round(-np.cos(np.arange(order + 1) / order * np.pi), 3)
    plateau = np.round(0.5 - 0.5 * np.sign(read_at) * np.abs(read_at) ** flatness, 3)
    nodes = -np.cos((np.arange(order + 1) + 0.5) / (order + 1) * np.pi)
    basis = np.cos(np.arange(order + 1)[:, None] * np.arccos(nodes)[None, :])  # T_k(node)
    found = 2 / (order + 1) * (basis * plateau).sum(axis=1)
    found[0] /= 2
    return found.astype(np.float32)
