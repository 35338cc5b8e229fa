"""A worker in a thread of the test, for tests of what a person does while one runs.

What its jobs made is gone afterwards, but for the model 'shop', which other tests ask.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gds_pipelines.connection import connect
from gds_pipelines.server.home import Home
from gds_pipelines.server.passwords import password_file
from gds_pipelines.server.settings import WORKER
from gds_pipelines.worker.channel import JobChannel
from gds_pipelines.worker.loop import Worker
from gds_pipelines.worker.training import TrainingWork


@contextmanager
def working(server, directory: Path) -> Iterator[None]:
    """Leases and does the jobs of this server until the end of the block."""
    with ExitStack() as stack:
        home = server.home or Home.default()
        password = password_file(home, WORKER).read_text(encoding="utf-8").strip()
        connection = stack.enter_context(connect(server.uri, WORKER, password))
        work = TrainingWork(connection, directory, "test", 1)
        worker = Worker(JobChannel(connection), work, name="test", device="cpu", poll=0.2)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            worker.stop()
            thread.join(120)
            _clear(server)
        assert not thread.is_alive(), "the worker does not end"


def wait_for_jobs(server, seconds: float = 300) -> None:
    """Until every job has finished; one that ends otherwise says why."""
    until = time.monotonic() + seconds
    while True:
        jobs = [
            record.data()
            for record in server.execute("CALL gnn.job.list() YIELD status, message RETURN status, message")
        ]
        if all(job["status"] == "FINISHED" for job in jobs):
            return
        assert not {job["status"] for job in jobs} & {"FAILED", "CANCELED"}, jobs
        assert time.monotonic() < until, jobs
        time.sleep(0.2)


def _clear(server) -> None:
    server.execute(
        "CALL gds.graph.list() YIELD graphName CALL gds.graph.drop(graphName) YIELD nodeCount FINISH"
    )
    server.execute("MATCH (alias:GnnAlias) WHERE alias.name <> 'shop' DETACH DELETE alias")
    models = server.execute(
        "CALL gnn.model.list() YIELD name, version WHERE name <> 'shop' RETURN name, version"
    )
    for record in models:
        server.execute("CALL gnn.model.drop($name, {version: $version}) YIELD name FINISH", **record.data())
    server.execute("MATCH (n:GnnPipeline|GnnProjection|GnnJob|GnnJobLog|GnnSchedule) DETACH DELETE n")
