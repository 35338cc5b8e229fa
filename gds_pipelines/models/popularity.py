"""Popularity: the items most users have; the floor any model must clear.

score(u, i) = number of distinct users of i. No artefact: the database counts.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo, Recommender
from gds_pipelines.training import TrainingOptions


class Popularity(Recommender):
    info = ModelInfo(
        name="popularity",
        title="Most users first, the same list for everybody",
        source="own",
        contract=None,
        trained=False,
    )

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        pass  # the degrees of the interactions are all there is

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        row = self.train.item_degrees.astype(np.float32)
        return np.broadcast_to(row, (len(histories), len(row)))

    def _unknown(self, histories: Histories, users: NDArray | None) -> NDArray[np.bool_]:
        return np.zeros(len(histories), bool)

    def _state(self) -> dict[str, NDArray]:
        return {}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        pass
