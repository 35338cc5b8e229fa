"""Keeps a lease alive from a thread of its own, and carries what the job has to say.

What is noted between two reports goes with the next one. The thread finds out that the job is to stop
(somebody cancelled it, or the lease is another worker's) and the work finds out from ``check`` or
``must_stop``.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from neo4j.exceptions import DriverError, Neo4jError

from gds_pipelines.connection import in_words
from gds_pipelines.training import Cancelled
from gds_pipelines.worker.channel import Channel, Lease, LeaseLost

log = logging.getLogger(__name__)

LONGEST_PAUSE = 20.0
SHORTEST_PAUSE = 0.5
_LEVELS = {"INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}


class Stopping(Exception):
    """The worker was told to end; the job goes to whoever leases it next."""


class Heartbeat:
    """One lease, renewed while the ``with`` block runs.

    Args:
        channel: to the database.
        lease: the job.
        stopping: set when the whole worker is to end.
        pause: seconds between two reports; at most a third of the lease.
    """

    def __init__(
        self, channel: Channel, lease: Lease, stopping: threading.Event, pause: float = LONGEST_PAUSE
    ) -> None:
        self._channel, self._lease, self._stopping = channel, lease, stopping
        self._pause = min(pause, LONGEST_PAUSE, lease.seconds / 3)
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._sending = threading.Lock()
        self._noted: dict[str, Any] = {}
        self._lines: list[dict[str, str]] = []
        self._over = threading.Event()
        self.canceling, self.lost = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {lease.job_id}", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._wake.set()
        self._thread.join()

    # ---------------------------------------------------------------- what the work says

    def note(self, **values: Any) -> None:
        """Report these with the next beat, which comes soon; keys as ``gnn.job.report`` has them."""
        with self._lock:
            self._noted.update(plain(values))
        self._wake.set()

    def say(self, message: str, level: str = "INFO") -> None:
        """A line of the job's log, which is also what it shows as its message."""
        log.log(_LEVELS[level], "%s: %s", self._lease.job_id, message)
        with self._lock:
            self._lines.append({"level": level, "message": message})
            self._noted["message"] = message
        self._wake.set()

    def must_stop(self) -> bool:
        """Whether the work is to end at its next good moment; ``check`` says why."""
        return self.canceling.is_set() or self.lost.is_set() or self._stopping.is_set()

    def check(self) -> None:
        """Return if the work may go on.

        Raises:
            Cancelled, LeaseLost, Stopping: why it may not.
        """
        if self.lost.is_set():
            raise LeaseLost(f"{self._lease.job_id} is no longer leased to this worker")
        if self.canceling.is_set():
            raise Cancelled("The job was cancelled.")
        if self._stopping.is_set():
            raise Stopping

    def confirm(self, **values: Any) -> None:
        """Report now, and make sure that the job is still ours: before every step that others would see."""
        self.note(**values)
        self._send({})
        self.check()

    def end(self, state: str, **values: Any) -> None:
        """The last report; tried again for as long as the lease lives while nobody answers."""
        until = time.monotonic() + self._lease.seconds
        while True:
            try:
                self._send({"state": state} | plain(values))
                break
            except DriverError as error:
                if time.monotonic() >= until:
                    raise
                log.warning("%s: %s", self._lease.job_id, in_words(error))
                time.sleep(1.0)
        self._over.set()

    # ---------------------------------------------------------------- the thread

    def _beat(self) -> None:
        last = 0.0
        while not self._over.is_set():
            self._wake.wait(self._pause)
            # Much may be said at once; a pause between two reports makes one of it.
            if self._over.wait(max(0.0, SHORTEST_PAUSE - (time.monotonic() - last))):
                return
            self._wake.clear()
            try:
                self._send({})
            except LeaseLost as error:
                log.warning("%s", error)
                return
            except (DriverError, Neo4jError) as error:
                # The lease may outlive a database that comes back; if not, the next report is refused.
                log.warning("%s: %s", self._lease.job_id, in_words(error))
                self._over.wait(min(2.0, self._pause))
            last = time.monotonic()

    def _send(self, more: Mapping[str, Any]) -> None:
        with self._sending:
            with self._lock:
                noted, self._noted = self._noted, {}
                lines, self._lines = self._lines, []
            try:
                report = noted | dict(more)
                if lines:
                    report["log"] = lines + list(report.get("log", []))
                status = self._channel.report(self._lease, report)
            except LeaseLost:
                self.lost.set()
                raise
            except BaseException:
                with self._lock:
                    self._noted = noted | self._noted
                    self._lines = lines + self._lines
                raise
            if status == "CANCELING":
                self.canceling.set()


def progress_of(beat: Heartbeat, first: float, last: float) -> Callable[[Any], None]:
    """A ``TrainingOptions.on_progress`` that maps a run onto the share [first, last] of the job."""

    def tell(progress: Any) -> None:
        left = progress.seconds_left
        beat.note(
            progress=first + (last - first) * progress.fraction,
            epoch=progress.epoch,
            metrics=progress.figures,
            **({"timeLeftMillis": max(0, round(left * 1000))} if math.isfinite(left) else {}),
        )

    return tell


def plain(value: Any) -> Any:
    """A value as the driver takes it: no NaN, no numpy, no tuples."""
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if hasattr(value, "item") and not isinstance(value, str):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
