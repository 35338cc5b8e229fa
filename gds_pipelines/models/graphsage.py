"""GraphSAGE over padded blocks; features, link prediction loss and serving as in ``block_recommender``.

    h' = W_t h + sum over relations r into t of (W_r mean_r(h) + b_r log(1 + d_r)) + b_t

Cost of a step: ``docs/feature-models.md``.
Source: Hamilton, Ying & Leskovec 2017, Inductive representation learning on large graphs.
"""

from __future__ import annotations

from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.block_recommender import BlockRecommender


class GraphSAGE(BlockRecommender):
    info = ModelInfo(
        name="graphsage",
        title="Neighbourhood means with a weight for every relation, over sampled blocks",
        source="Hamilton, Ying & Leskovec 2017, Inductive representation learning on large graphs",
        contract="padded-blocks/1",
        kinds=("user-item",),
    )
    kind = "graphsage"
