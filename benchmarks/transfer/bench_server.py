"""A Neo4j for one benchmark run, with a heap of its own and a clock on its process."""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import neo4j
import psutil

from gds_pipelines.server import passwords, process
from gds_pipelines.server.home import Home
from gds_pipelines.server.installation import install
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent


@dataclass
class BenchServer:
    """A running server; ``exports`` is the folder GDS may write CSV files to."""

    uri: str
    auth: tuple[str, str]
    driver: neo4j.Driver
    pid: int
    exports: Path

    def cpu_seconds(self) -> float:
        """Processor time of the server since it started."""
        times = psutil.Process(self.pid).cpu_times()
        return times.user + times.system

    def heap_mb(self) -> float:
        """Heap in use, garbage included, in MB."""
        query = "CALL dbms.queryJmx('java.lang:type=Memory') YIELD attributes RETURN attributes"
        attributes = self.driver.execute_query(query).records[0]["attributes"]
        return attributes["HeapMemoryUsage"]["value"]["properties"]["used"] / 1e6

    def execute(self, query: str, **parameters: object) -> list[neo4j.Record]:
        return self.driver.execute_query(query, parameters_=parameters).records


@contextmanager
def bench_server(
    heap_mb: int, software: Path | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[BenchServer]:
    """Starts a server with empty data, and ends it with them.

    Args:
        software: the home whose jars are used; the embedded server's own by default.
        settings: further ones, by the names of ``neo4j.conf``.
    """
    own = Home(software.resolve()) if software else Home.default()
    with own.locked("server"):
        install(own, Silent())
    with tempfile.TemporaryDirectory(prefix="gnn4j-bench-") as directory:
        exports = Path(directory) / "exports"
        exports.mkdir()
        home = Home(Path(directory) / "home", software=own.root)
        extra = {"gds.export.location": str(exports), "db.tx_log.preallocate": "false", **(settings or {})}
        status = process.start(home, Silent(), memory=Memory(heap=heap_mb, page_cache=512), extra=extra)
        auth = (status.user, passwords.read_password(home))
        try:
            with neo4j.GraphDatabase.driver(
                str(status.uri), auth=auth, notifications_min_severity="OFF"
            ) as driver:
                yield BenchServer(str(status.uri), auth, driver, int(status.pid), exports)
        finally:
            process.kill(home)


@dataclass
class Clock:
    """Wall time and processor time, in seconds, of one measurement."""

    wall: float = 0.0
    client_cpu: float = 0.0
    server_cpu: float = 0.0


@contextmanager
def clocked(server: BenchServer) -> Iterator[Clock]:
    clock = Clock()
    wall, client, served = time.perf_counter(), time.process_time(), server.cpu_seconds()
    yield clock
    clock.wall = time.perf_counter() - wall
    clock.client_cpu = time.process_time() - client
    clock.server_cpu = server.cpu_seconds() - served


def busy() -> str:
    """How much else the machine had to do: the load of the last minute."""
    load = psutil.getloadavg()[0]
    return f"Load of the machine when it began: {load:.1f} on {psutil.cpu_count()} cores."


def rounded(row: Mapping[str, object]) -> dict[str, object]:
    """Three digits are what such a measurement is worth."""
    return {key: float(f"{value:.3g}") if isinstance(value, float) else value for key, value in row.items()}
