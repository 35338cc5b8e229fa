"""GF-CF: a linear graph filter plus an ideal low-pass filter, in closed form.

    score(x) = x R'R + alpha * x Di^-1/2 V V' Di^1/2,   R = Du^-1/2 X Di^-1/2,  V = leading right vectors of R

x is the user's row of weights. Served as finished lists; a visitor's row is filtered the same way.
Source: Shen, Wu, Zhang, Shan, Zhang, Letaief & Li 2021, "How powerful is graph convolution for
recommendation?".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.filters import FilterRecommender
from gds_pipelines.models.kernels import walk_rows
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions


@dataclass(frozen=True)
class GFCFParameters(Parameters):
    factors: int = param(256, "singular vectors of the low-pass filter", low=1, high=4096)
    alpha: float = param(0.3, "weight of the low-pass filter", low=0.0, search=(0.0, 1.0))


class GFCF(FilterRecommender):
    info = ModelInfo(
        name="gfcf",
        title="Linear graph filter with an ideal low-pass filter",
        source="Shen et al. 2021, How powerful is graph convolution for recommendation?",
        contract="lists/1",
        trained=False,
    )
    Parameters = GFCFParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._graph()
        self._low_pass(self.parameters.alpha, np.sqrt(np.maximum(interactions.item_degrees, 1.0)))

    def _filtered(self, histories: Histories) -> NDArray[np.float32]:
        x, forward, back = histories.matrix, self._forward, self._back
        out = np.empty(x.shape, np.float32)
        there = (back.indptr, back.indices, back.data)
        here = (forward.indptr, forward.indices, forward.data)
        walk_rows(x.indptr, x.indices, x.data, *there, *here, forward.shape[0], out)
        return out
