"""The projections of a job: the owner's, opened by the lease, or the worker's own, named after the job.

The worker's own graphs are dropped when the job ends; what a killed worker left is dropped by ``sweep``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from neo4j.exceptions import DriverError

from gds_pipelines import projection
from gds_pipelines.connection import Connection
from gds_pipelines.interaction_reader import read_interactions
from gds_pipelines.interactions import Interactions
from gds_pipelines.queries import query
from gds_pipelines.worker.channel import Lease
from gds_pipelines.worker.job import Job

PREFIX = "gnn_job_"


class JobGraphs:
    """Where a job's data is read and its version is made."""

    def __init__(self, connection: Connection, lease: Lease, job: Job) -> None:
        self._connection, self._lease, self._job = connection, lease, job
        self._made: list[str] = []

    @property
    def grant(self) -> dict[str, Any] | None:
        """What opens ``source``; None for a graph of the worker's own."""
        return self._lease.grant if self._job.graph_name else None

    def source(self) -> str:
        """The graph that is trained on; the worker's own is projected when it is first asked for."""
        return self._job.graph_name or self.own()

    def own(self) -> str:
        """The task as the worker projected it for this job."""
        name = self.name()
        if name not in self._made:
            self.forget(name)
            self._made.append(name)
            projection.project(self._connection, self._job.task, name)
        return name

    def name(self, part: str = "") -> str:
        """The name of a graph of this job."""
        return f"{PREFIX}{self._lease.job_id}{part}"

    def keep(self, name: str) -> None:
        """Have a graph dropped at the end."""
        self.forget(name)
        self._made.append(name)

    def forget(self, name: str) -> None:
        """Drop a graph of the worker's own, where it is there."""
        projection.drop(self._connection, name)

    def forget_all(self) -> None:
        """Drop whatever an earlier attempt at this job left."""
        for graph in self._connection.gds().graph.list():
            if graph.graph_name.startswith(self.name()):
                self.forget(graph.graph_name)

    def read(self, *, features: bool, surroundings: bool = False) -> Interactions:
        """All pairs of the graph that is trained on."""
        return read_interactions(
            self._connection,
            self.source(),
            self._job.task,
            features=features,
            surroundings=surroundings,
            grant=self.grant,
        )

    def check(self) -> None:
        """Return if the graph that was trained on is still the one it was.

        Raises:
            neo4j.exceptions.Neo4jError: it was dropped or projected anew; with the server's sentence.
        """
        if self._job.graph_name is None:
            return
        config = {"nodeProperties": [], "relationshipProperties": [], **self._lease.grant}
        with self._connection.session() as session:
            # The first record is made before any data is; the rest is never asked for.
            session.run(
                "CALL gnn.graph.export($name, $config) YIELD kind RETURN kind LIMIT 1",
                name=self._job.graph_name,
                config=config,
            ).consume()

    def drop(self) -> None:
        """Drop what was made."""
        for name in self._made:
            self.forget(name)
        self._made.clear()


@contextmanager
def job_graphs(connection: Connection, lease: Lease, job: Job) -> Iterator[JobGraphs]:
    """The graphs of a job; the worker's own are dropped at the end, whatever happened."""
    graphs = JobGraphs(connection, lease, job)
    try:
        yield graphs
    finally:
        with suppress(DriverError):  # the database is gone, and its graphs with it
            graphs.drop()


def sweep(connection: Connection) -> list[str]:
    """Drop this user's graphs of jobs that nobody holds a lease of; their names."""
    graphs = connection.gds().graph.list()
    names = [one.graph_name for one in graphs if one.graph_name.startswith(PREFIX)]
    if not names:
        return []
    held = {row["id"] for row in connection.execute(query("read_held_jobs"))}
    left = [name for name in names if not any(name.startswith(f"{PREFIX}{one}") for one in held)]
    for name in left:
        projection.drop(connection, name)
    return left
