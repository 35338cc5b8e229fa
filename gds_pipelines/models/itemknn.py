"""ItemKNN: items bought by the same users, cosine with shrinkage, the nearest few kept.

    s(i, j) = sum_u x_ui x_uj / (|x_i| |x_j| + shrink),  score(u, j) = sum over i in history(u) of w_ui s(i,
    j)

x are the reduced weights. Rows are cut to their ``neighbours`` largest entries, ties to the smaller index.
Cost: sum of squared user degrees; memory: items x neighbours.
Source: Sarwar et al. (2001); shrinkage as in Ferrari Dacrema et al. (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import ItemWeightRecommender, ModelInfo
from gds_pipelines.models.kernels import keep_largest
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions


@dataclass(frozen=True)
class ItemKNNParameters(Parameters):
    neighbours: int = param(
        100, "most similar items kept an item", low=1, high=10_000, search=(20, 800, "log")
    )
    shrink: float = param(
        5.0,
        "added to the denominator: distrust of pairs seen by few users",
        low=0.0,
        search=(0.5, 200.0, "log"),
    )


class ItemKNN(ItemWeightRecommender):
    info = ModelInfo(
        name="itemknn",
        title="Cosine between items over their users",
        source="Sarwar et al. 2001, Item-based collaborative filtering recommendation algorithms",
        contract="item-weights/1",
        trained=False,
    )
    Parameters = ItemKNNParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        chosen = self.parameters
        users_of = interactions.matrix.T.tocsr()  # [I, U]
        length = np.sqrt(
            np.bincount(interactions.matrix.indices, interactions.matrix.data**2, interactions.n_items)
        )
        parts = []
        for start, stop in row_blocks(interactions):
            block = (users_of[start:stop] @ interactions.matrix).tocsr()
            rows = np.repeat(np.arange(start, stop), np.diff(block.indptr))
            block.data = (block.data / (length[rows] * length[block.indices] + chosen.shrink)).astype(
                np.float32
            )
            block.data[rows == block.indices] = 0  # an item is not its own neighbour
            block.eliminate_zeros()
            parts.append(keep_largest(block, chosen.neighbours))
        self._weights = sp.csr_array(sp.vstack(parts, format="csr", dtype=np.float32))

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        return 8 * interactions.n_items * min(parameters.neighbours, interactions.n_items) * 3 + 2**28


def row_blocks(interactions: Interactions, entries: int = 8_000_000) -> list[tuple[int, int]]:
    """Ranges of items whose rows of the item x item product hold at most about ``entries`` entries."""
    degrees = interactions.user_degrees
    cost = np.zeros(interactions.n_items)
    np.add.at(cost, interactions.matrix.indices, degrees[interactions.user_index])
    bound = np.cumsum(np.minimum(cost, interactions.n_items))
    edges = [0]
    while edges[-1] < interactions.n_items:
        base = bound[edges[-1] - 1] if edges[-1] else 0.0
        edges.append(max(edges[-1] + 1, int(np.searchsorted(bound, base + entries, side="right"))))
    return list(pairwise(edges))
