"""Neo4j behind PyG's own interfaces: ``FeatureStore``, ``GraphStore``, ``BaseSampler``."""

from gds_pipelines.pyg.block_loader import BlockBatch, BlockLoader
from gds_pipelines.pyg.feature_store import PropertyStore
from gds_pipelines.pyg.graph import PygGraph
from gds_pipelines.pyg.graph_store import RelationStore
from gds_pipelines.pyg.loader import Prefetch
from gds_pipelines.pyg.sampler import NeighbourhoodSampler

__all__ = [
    "BlockBatch",
    "BlockLoader",
    "NeighbourhoodSampler",
    "Prefetch",
    "PropertyStore",
    "PygGraph",
    "RelationStore",
]
