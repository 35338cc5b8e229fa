"""What a model file builds on: ``Recommender``, its base classes by serving contract, ``ModelInfo``."""

from gds_pipelines.models.contracts import (
    ItemWeightRecommender,
    ListRecommender,
    PropagationRecommender,
    UserVectorRecommender,
)
from gds_pipelines.models.recommender import ModelInfo, NotTrained, Recommendations, Recommender

__all__ = [
    "ItemWeightRecommender",
    "ListRecommender",
    "ModelInfo",
    "NotTrained",
    "PropagationRecommender",
    "Recommendations",
    "Recommender",
    "UserVectorRecommender",
]
