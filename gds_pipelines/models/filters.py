"""What the closed-form graph filters share: a filtered row plus a low-rank part, ranked the same in any
batch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ListRecommender
from gds_pipelines.models.kernels import exact_dot
from gds_pipelines.models.parameters import Parameters
from gds_pipelines.models.propagation import normalized
from gds_pipelines.models.spectral import right_vectors


class FilterRecommender(ListRecommender):
    """score = filtered row + (row @ source) @ target'.

    A subclass sets ``_source`` and ``_target`` [I, F] float32 and gives ``_filtered``, whose rows must not
    depend on the batch.
    """

    _source: NDArray[np.float32]
    _target: NDArray[np.float32]
    _last: tuple[Histories, NDArray[np.float32]] | None = None

    @abstractmethod
    def _filtered(self, histories: Histories) -> NDArray[np.float32]:
        """[B, I] – the part that is not low-rank."""

    def _graph(self) -> None:
        """What follows from train alone: R = Du^-1/2 X Di^-1/2 and its transpose; made again on loading."""
        self._forward = normalized(self.train)
        self._back = sp.csr_array(self._forward.T.tocsr())

    def _low_pass(self, weight: float, scale: NDArray) -> None:
        """The low-rank part weight * x D^-1 V V' D, D = diag(``scale``), V = leading right vectors of R.

        Args:
            scale: [I], above 0.
        """
        vectors, _ = right_vectors(self._forward, self.parameters.factors, self.seed)
        self._source = (weight * vectors / scale[:, None]).astype(np.float32)
        self._target = (vectors * scale[:, None]).astype(np.float32)

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        filtered = self._filtered(histories)
        self._last = (histories, filtered)  # `_exact` follows with the same batch; filtering is the dear part
        return filtered + np.asarray(histories.matrix @ self._source) @ self._target.T

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        kept, self._last = self._last, None
        filtered = kept[1] if kept is not None and kept[0] is histories else self._filtered(histories)
        found = np.take_along_axis(filtered, np.maximum(items, 0), axis=1)
        low_rank = exact_dot(np.asarray(histories.matrix @ self._source), self._target, items)
        return found.astype(np.float64) + low_rank

    def _state(self) -> dict[str, NDArray]:
        return {"source": self._source, "target": self._target}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._source, self._target = state["source"], state["target"]
        self._graph()

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        factors = getattr(parameters, "factors", 0)
        rows = interactions.n_users + interactions.n_items
        return 4 * 5 * (factors + 32) * rows + 24 * len(interactions)
