"""The wire between a worker and the database: ``gnn.job.lease`` and ``gnn.job.report``.

A lease is a job for as long as it is renewed; every report renews it. The token in it is a secret: it is
never logged, and no ``repr`` shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from neo4j.exceptions import Neo4jError

from gds_pipelines.connection import Connection, in_words
from gds_pipelines.errors import PipelineError

LOST = "lease lost:"
"""How the database begins the sentence that refuses a token of an older lease."""


class LeaseLost(PipelineError):
    """The job is another worker's now, or nobody's; whatever this one does for it is refused."""


@dataclass(frozen=True)
class Lease:
    """One job, ours for a while.

    Args:
        job_id: of the job.
        token: proves that we hold the lease.
        attempt: 1 for the first worker that had the job.
        seconds: how long the lease lives after each report.
        job: what is to be done, as ``Job.of`` reads it.
    """

    job_id: str
    token: str = field(repr=False)
    attempt: int
    seconds: float
    job: Mapping[str, Any]

    @property
    def grant(self) -> dict[str, str]:
        """Configuration keys that open the owner's projection while the lease lives."""
        return {"jobId": self.job_id, "token": self.token}


class Channel(Protocol):
    """What a worker needs of the database to hold a job."""

    def lease(self, worker: str, device: str) -> Lease | None: ...

    def report(self, lease: Lease, report: Mapping[str, Any]) -> str: ...


class JobChannel:
    """The jobs of one database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def lease(self, worker: str, device: str) -> Lease | None:
        """The next job, or None when nothing is to do.

        Raises:
            neo4j.exceptions.Neo4jError: with the server's sentence, when this user may not work.
        """
        records = self._connection.execute(
            "CALL gnn.job.lease($config) YIELD jobId, token, attempt, job, leaseMillis "
            "RETURN jobId, token, attempt, job, leaseMillis",
            config={"worker": worker, "device": device},
        )
        if not records:
            return None
        row = records[0]
        return Lease(row["jobId"], row["token"], row["attempt"], row["leaseMillis"] / 1000, row["job"])

    def report(self, lease: Lease, report: Mapping[str, Any]) -> str:
        """Renew the lease and tell how the job stands; the job's status is the answer.

        Raises:
            LeaseLost: the token is not the newest one.
        """
        try:
            records = self._connection.execute(
                "CALL gnn.job.report($jobId, $token, $report) YIELD status RETURN status",
                jobId=lease.job_id,
                token=lease.token,
                report=dict(report),
            )
        except Neo4jError as error:
            sentence = in_words(error)
            if LOST in sentence:
                raise LeaseLost(sentence) from error
            raise
        return str(records[0]["status"])
