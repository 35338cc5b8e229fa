"""Jobs of ``gnn.pipeline.train`` and the workers that do them."""

from __future__ import annotations

import logging
import time
from typing import Any

from pandas import DataFrame

from gds_pipelines.client.calls import Calls
from gds_pipelines.client.results import JobState
from gds_pipelines.errors import PipelineError

ENDED = frozenset({"FINISHED", "FAILED", "CANCELED"})
SCHEDULED = "SCHEDULED"
_POLL_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
log = logging.getLogger(__name__)


class Job:
    """A training job, with the methods that the official client's handles of jobs have."""

    def __init__(self, job_id: str, calls: Calls) -> None:
        self._id = job_id
        self._calls = calls

    def job_id(self) -> str:
        """As `gnn.job.list` shows it."""
        return self._id

    def details(self) -> JobState:
        """How it stands now.

        Raises:
            PipelineError: if the signed-in user has no such job.
        """
        row = self._calls.row("CALL gnn.job.show($id)", id=self._id)
        if row is None:
            raise PipelineError(f"There is no job '{self._id}' of yours. See: gnn.job.list()")
        return JobState.model_validate(row)

    def status(self) -> str:
        """PENDING, RUNNING, CANCELING, FINISHED, FAILED or CANCELED; SCHEDULED for a schedule."""
        return self.details().status

    def done(self) -> bool:
        """Whether it came to an end, of whatever kind; asks the database."""
        return self.status() in ENDED

    def wait(self, timeout: float | None = None) -> JobState:
        """Until it has ended, in whatever way; being interrupted does not cancel it.

        Args:
            timeout: seconds; None waits for ever.
        Raises:
            PipelineError: when the time is over, with what the job is doing; for a schedule, which has no
                end.
        """
        began, told = time.monotonic(), False
        until = None if timeout is None else began + timeout
        while (state := self.details()).status not in ENDED:
            if state.status == SCHEDULED:
                raise PipelineError(
                    f"'{self._id}' is a schedule, and does not end by itself: {state.message} "
                    "Wait for one of its jobs; see gnn.job.list()."
                )
            if until is not None and time.monotonic() >= until:
                raise PipelineError(
                    f"Job {self._id} is {state.status} after {timeout:g} s: {state.message or 'no message'}. "
                    "It goes on; see gnn.job.list() and gnn.worker.list(), or end it with cancel()."
                )
            if state.status == "PENDING" and not told and time.monotonic() - began > _PATIENCE_SECONDS:
                log.warning("Job %s: %s", self._id, state.message)  # it may be that no worker is alive
                told = True
            time.sleep(_POLL_SECONDS)
        return state

    def log(self, **config: Any) -> DataFrame:
        """What the worker said: ``at``, ``level``, ``message``, oldest first."""
        return self._calls.rows("CALL gnn.job.log($id, $config)", id=self._id, config=config)

    def cancel(self) -> JobState:
        """Ask it to stop; a worker that is at it does so at its next report. Ends a schedule."""
        return JobState.model_validate(self._calls.row("CALL gnn.job.cancel($id)", "WRITE", id=self._id))


class JobEndpoints:
    """``gnn.job``: the signed-in user's own jobs."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> DataFrame:
        """All of them, one a row."""
        return self._calls.rows("CALL gnn.job.list()")

    def get(self, job_id: str) -> Job:
        """Raises PipelineError where there is none of that id."""
        job = Job(job_id, self._calls)
        job.details()
        return job


class WorkerEndpoints:
    """``gnn.worker``."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list(self) -> DataFrame:
        """``worker``, ``device``, ``lastSeen``, ``jobId``."""
        return self._calls.rows("CALL gnn.worker.list()")
