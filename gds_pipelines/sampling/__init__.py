"""Neighbourhoods drawn in the database: the call, what comes back, and a slow exact twin to compare with."""

from gds_pipelines.sampling.client import sample_graph
from gds_pipelines.sampling.samples import BlockSample, CooSample, GatheredFeature, SampledRelation

__all__ = ["BlockSample", "CooSample", "GatheredFeature", "SampledRelation", "sample_graph"]
