"""GAT over padded blocks; features, link prediction loss and serving as in ``block_recommender``.

    h' = W_t h + sum over r of sum over k of softmax_k(LeakyReLU(p_r . W_r h_k + q_r . V_r h)) W_r h_k + b_t

Cost of a step: ``docs/feature-models.md``.
Source: Veličković et al. 2018, Graph attention networks.
"""

from __future__ import annotations

from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.block_recommender import BlockRecommender


class GAT(BlockRecommender):
    info = ModelInfo(
        name="gat",
        title="Neighbourhood attention within every relation, over sampled blocks",
        source="Veličković et al. 2018, Graph attention networks",
        contract="padded-blocks/1",
        kinds=("user-item",),
    )
    kind = "gat"
