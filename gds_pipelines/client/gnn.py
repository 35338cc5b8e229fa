"""The way in: everything hangs on the ``GraphDataScience`` of the caller."""

from __future__ import annotations

from graphdatascience import GraphDataScience

from gds_pipelines.client.calls import Calls
from gds_pipelines.client.jobs import JobEndpoints, WorkerEndpoints
from gds_pipelines.client.models import RecommendationModel
from gds_pipelines.client.pipelines import PipelineEndpoints


class Gnn:
    """``gnn.*`` on the connection of an official client, as whoever that is signed in as.

    Args:
        gds: open; it stays the caller's to close.
    """

    def __init__(self, gds: GraphDataScience) -> None:
        self._calls = Calls(gds)

    @property
    def pipeline(self) -> PipelineEndpoints:
        """`gnn.pipeline.*`: make, list, open and drop pipelines."""
        return PipelineEndpoints(self._calls)

    @property
    def job(self) -> JobEndpoints:
        """`gnn.job.*`: list, open and cancel jobs."""
        return JobEndpoints(self._calls)

    @property
    def worker(self) -> WorkerEndpoints:
        """`gnn.worker.*`: who is there to train."""
        return WorkerEndpoints(self._calls)

    def model(self, name: str) -> RecommendationModel:
        """By alias (``'shop'``) or version (``'shop:3'``).

        Raises:
            PipelineError: if none answers to that name.
        """
        model = RecommendationModel(name, self._calls)
        model.details()
        return model
