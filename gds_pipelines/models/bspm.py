"""BSPM: an interaction row is blurred by the heat equation, then sharpened by running it backwards.

    blur       b = x + T_b (x P - x),   P = R'R,  R = Du^-1/2 X Di^-1/2          (Euler; T_b = 1 gives x P)
    low pass   l = x Di^-1/2 V V' Di^1/2,   V = leading right vectors of R
    sharpen    dy/dt = -y P from y(0) = b + beta l over time T_s, by one Runge-Kutta step of order 4:
               y(T_s) = y(0) G,   G = I - T P + T^2 P^2 / 2 - T^3 P^3 / 6 + T^4 P^4 / 24

With ``early`` 0 the low pass is added after the sharpening, as the paper's late merge. No training. Cost of a
user: 10 passes over the interactions; the low-rank part is filtered once, on the factors.
Source: Choi, Hong, Park & Cho 2023, "Blurring-sharpening process models for collaborative filtering".
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
class BSPMParameters(Parameters):
    factors: int = param(448, "singular vectors of the low pass", low=1, high=4096)
    beta: float = param(0.2, "weight of the low pass", low=0.0, search=(0.0, 0.6))
    blur: float = param(1.0, "T_b, how long the row is blurred", above=0.0, high=1.0)
    sharpen: float = param(2.5, "T_s, how long it is sharpened", low=0.0, high=4.0, search=(0.5, 3.0))
    early: bool = param(True, "sharpen the low pass too; else it is added afterwards")


class BSPM(FilterRecommender):
    info = ModelInfo(
        name="bspm",
        title="Blurring by the heat equation, then sharpening by its reverse",
        source="Choi et al. 2023, Blurring-sharpening process models for collaborative filtering",
        contract="lists/1",
        trained=False,
    )
    Parameters = BSPMParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._graph()
        self._low_pass(self.parameters.beta, np.sqrt(np.maximum(interactions.item_degrees, 1.0)))
        if self.parameters.early:
            # P is symmetric, so sharpening a row of l is sharpening the columns of its right factor.
            self._target = self._sharpened(self._target)

    def _smoothed(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """P signal for [I, B]."""
        return multiply(self._back, multiply(self._forward, signal))

    def _sharpened(self, signal: NDArray[np.float32]) -> NDArray[np.float32]:
        """G signal for [I, B]."""
        total, term = signal.copy(), signal
        for order in range(1, 5):
            term = self._smoothed(term) * np.float32(-self.parameters.sharpen / order)
            total += term
        return total

    def _filtered(self, histories: Histories) -> NDArray[np.float32]:
        signal = np.ascontiguousarray(histories.matrix.toarray().T)  # [I, B]
        blur = np.float32(self.parameters.blur)
        blurred = (1 - blur) * signal + blur * self._smoothed(signal)
        return np.ascontiguousarray(self._sharpened(blurred).T)
