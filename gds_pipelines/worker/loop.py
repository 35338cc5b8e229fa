"""From job to job: lease one, do it, tell how it ended.

Every end of a job is told to the database, but three that are not this worker's to tell: the lease is
another worker's; the database is away (the lease runs out, and whoever leases the job next goes on from
the checkpoint); or this process was killed, which is the same thing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any

from neo4j.exceptions import DriverError, Neo4jError, TransientError

from gds_pipelines.connection import in_words
from gds_pipelines.errors import PipelineError
from gds_pipelines.training import Cancelled
from gds_pipelines.worker.channel import Channel, Lease, LeaseLost
from gds_pipelines.worker.heartbeat import LONGEST_PAUSE, Heartbeat, Stopping

log = logging.getLogger(__name__)

POLL_SECONDS = 5.0

Work = Callable[[Lease, Heartbeat], Mapping[str, Any]]
"""Does one job; what it returns goes with the report that the job is FINISHED."""


class Worker:
    """One process that works.

    Args:
        channel: to the database.
        work: does one job.
        name: as ``gnn.worker.list`` shows it.
        device: what it trains on, in words.
        poll: seconds between two looks for a job.
        pause: longest time between two reports on a job.
    """

    def __init__(
        self,
        channel: Channel,
        work: Work,
        *,
        name: str,
        device: str,
        poll: float = POLL_SECONDS,
        pause: float = LONGEST_PAUSE,
    ) -> None:
        self._channel, self._work = channel, work
        self._name, self._device, self._poll, self._pause = name, device, poll, pause
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End soon: the job that runs is handed back, no other is leased. Safe in a signal handler."""
        self._stopping.set()

    def run(self, *, once: bool = False) -> int:
        """Work until ``stop``; the number of jobs that were leased.

        Args:
            once: end after one job, or at once where none is waiting.
        Raises:
            neo4j.exceptions.Neo4jError: this user may not work, or the plugin knows no jobs.
        """
        done = 0
        away = reached = False
        while not self._stopping.is_set():
            try:
                lease = self._channel.lease(self._name, self._device)
                if away:
                    log.info("Neo4j answers again")
                away, reached = False, True
            except (DriverError, Neo4jError) as error:
                # A server that starts again may refuse for other reasons than that it is away.
                if once or not (reached or isinstance(error, DriverError | TransientError)):
                    raise
                if not away:
                    log.warning("%s", in_words(error))
                away = True
                lease = None
            if lease is not None:
                done += 1
                self.do(lease)
            if once:
                break
            if lease is None:
                self._stopping.wait(self._poll)
        return done

    def do(self, lease: Lease) -> None:
        """One job from its lease to its end."""
        log.info("%s: leased, attempt %d", lease.job_id, lease.attempt)
        try:
            with Heartbeat(self._channel, lease, self._stopping, self._pause) as beat:
                beat.note(state="RUNNING", device=self._device)
                self._finish(lease, beat)
        except LeaseLost as error:
            log.warning("%s: dropped, %s", lease.job_id, error)
        except (DriverError, TransientError) as error:
            log.warning("%s: dropped, %s", lease.job_id, in_words(error))
        except Neo4jError as error:
            # The report itself was refused, by something else than its token.
            log.error("%s: dropped, %s", lease.job_id, in_words(error))
        except Exception:
            # Whatever it is, it ends this job's turn and not the worker.
            log.exception("%s: dropped", lease.job_id)

    def _finish(self, lease: Lease, beat: Heartbeat) -> None:
        try:
            done = self._work(lease, beat)
        except (LeaseLost, DriverError, TransientError):
            raise
        except (Cancelled, Stopping):
            # Training stops alike whatever the reason was.
            if beat.lost.is_set():
                raise LeaseLost("the lease is another worker's") from None
            if beat.canceling.is_set():
                beat.end("CANCELED", message="Cancelled.")
            else:
                beat.say(f"The worker {self._name} ends; the next one goes on")
                beat.end("PENDING")
            return
        except PipelineError as error:
            beat.end("FAILED", message=str(error), log=[_line(str(error))])
            return
        except Neo4jError as error:
            beat.end("FAILED", message=in_words(error), log=[_line(in_words(error))])
            return
        except Exception as error:
            # A fault of ours; the job must not hang for it.
            log.exception("%s", lease.job_id)
            sentence = f"The worker failed with {type(error).__name__}: {error}. See the log of {self._name}."
            beat.end("FAILED", message=sentence, log=[_line(sentence)])
            return
        beat.end("FINISHED", progress=1.0, timeLeftMillis=0, **done)
        log.info("%s: finished", lease.job_id)


def _line(message: str) -> dict[str, str]:
    return {"level": "ERROR", "message": message}
