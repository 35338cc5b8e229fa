"""``gnn.*`` in Python, beside the official client: pipelines, jobs and models as objects.

>>> gds = GraphDataScience("bolt://localhost:7687", auth=("neo4j", password))
>>> gnn = Gnn(gds)
>>> pipeline, _ = gnn.pipeline.from_task("shop", task)
>>> model, result = pipeline.train(G, model_name="shop", wait=True)
>>> model.predict_stream(G, top_k=10)

Names are those of Cypher in snake_case, a range is a tuple of two numbers. As the official client does it,
one row comes back as an object with its columns as attributes, and many rows as a DataFrame.
"""

from gds_pipelines.client.gnn import Gnn
from gds_pipelines.client.jobs import Job
from gds_pipelines.client.models import RecommendationModel
from gds_pipelines.client.pipelines import RecommendationPipeline

__all__ = ["Gnn", "Job", "RecommendationModel", "RecommendationPipeline"]
