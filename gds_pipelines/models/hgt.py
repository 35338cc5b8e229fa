"""HGT over padded blocks; features, link prediction loss and serving as in ``block_recommender``.

    h' = g_t O_t gelu(sum of softmax_k((Q_t h) . (A_r K_s h_k) mu_r / sqrt(D/H)) M_r V_s h_k) + (1 - g_t) h

Cost of a step: ``docs/feature-models.md``.
Source: Hu, Dong, Wang & Sun 2020, Heterogeneous graph transformer.
"""

from __future__ import annotations

from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.block_recommender import BlockRecommender


class HGT(BlockRecommender):
    info = ModelInfo(
        name="hgt",
        title="Attention over all relations together, weights for types and relations, on sampled blocks",
        source="Hu, Dong, Wang & Sun 2020, Heterogeneous graph transformer",
        contract="padded-blocks/1",
        kinds=("user-item",),
    )
    kind = "hgt"
