"""Kills the worker, the server or both at random moments of a job, and looks what became of it.

Each round submits one job, starts a worker, kills after a random part of the time that an undisturbed job
takes, starts again what was killed, and waits for the end of the job. Afterwards there must be one result or
a stated failure: no job that runs, no version unfinished, no second version, no graph of a job.

    python -m benchmarks.worker.moments --rounds 20

Needs no server: it installs and starts one of its own in a temporary directory.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import neo4j
from neo4j.exceptions import DriverError, TransientError

from benchmarks import result_file
from gds_pipelines.connection import Connection, Target
from gds_pipelines.datasets.shop import ShopSize, generate
from gds_pipelines.registry import Registry
from gds_pipelines.server import passwords, process
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.home import Home
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent
from gds_pipelines.server.settings import WORKER

RESULT = Path(__file__).parent / "results" / "moments.json"
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "VIEW": 0.1},
    "timeProperty": "at",
    "horizon": "P14D",
}
MODEL = {"dimension": 16, "epochs": 20}
LEASE_SECONDS = 10
ENDS = ("FINISHED", "FAILED", "CANCELED")
PATIENCE = 600


class Stand:
    """A server that can be killed, and workers that can."""

    def __init__(self, home: Home, checkpoints: Path) -> None:
        self.home, self.checkpoints = home, checkpoints
        self.workers: list[subprocess.Popen] = []
        self.start_server()

    def start_server(self) -> None:
        status = process.start(
            self.home,
            Silent(),
            memory=Memory(heap=768, page_cache=128),
            extra={"server.gnn.worker.lease": f"{LEASE_SECONDS}s", "db.tx_log.preallocate": "false"},
            bolt_port=24687,
            http_port=24474,
        )
        self.target = Target(str(status.uri), "neo4j", passwords.read_password(self.home), None, "benchmark")
        self.driver = neo4j.GraphDatabase.driver(self.target.uri, auth=("neo4j", self.target.password))

    def connection(self, user: str = "neo4j") -> Connection:
        if user == "neo4j":
            return Connection(self.driver, self.target)
        password = passwords.read_password(self.home, user)
        driver = neo4j.GraphDatabase.driver(self.target.uri, auth=(user, password))
        return Connection(driver, Target(self.target.uri, user, password, None, "benchmark"))

    def start_worker(self) -> None:
        environment = os.environ | {
            "NEO4J_URI": self.target.uri,
            "NEO4J_USERNAME": WORKER,
            "NEO4J_PASSWORD": passwords.read_password(self.home, WORKER),
        }
        command = [sys.executable, "-m", "gds_pipelines.cli", "worker", "--poll", "0.5", "--threads", "1"]
        self.workers.append(
            subprocess.Popen(
                [*command, "--checkpoints", str(self.checkpoints)],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        )

    def kill_workers(self) -> None:
        for one in self.workers:
            one.kill()
            one.wait()
        self.workers.clear()

    def kill_server(self) -> None:
        self.driver.close()
        process.kill(self.home)

    def close(self) -> None:
        self.kill_workers()
        self.kill_server()


@contextmanager
def stand() -> Iterator[Stand]:
    installation = EmbeddedServer()
    installation.install(Silent())
    with tempfile.TemporaryDirectory() as directory:
        home = Home(Path(directory) / "server", software=installation.home.root)
        one = Stand(home, Path(directory) / "jobs")
        try:
            yield one
        finally:
            one.close()


def fill(connection: Connection) -> None:
    tables = generate(ShopSize(users=300, items=120, events=9_000))
    for label, name in (("User", "users"), ("Item", "items")):
        connection.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
        rows = [{"id": row["id"]} for row in tables[name].to_pylist()]
        connection.execute(f"UNWIND $rows AS row CREATE (n:{label}) SET n = row", rows=rows)
    for kind in ("view", "buy"):
        connection.execute(
            "UNWIND $rows AS row MATCH (u:User {id: row.user}) MATCH (i:Item {id: row.item}) "
            "CREATE (u)-[:$($type) {at: row.at}]->(i)",
            rows=[row for row in tables["events"].to_pylist() if row["kind"] == kind],
            type=kind.upper(),
        )
    connection.execute("CALL gnn.pipeline.create('moments') YIELD name FINISH")
    connection.execute(
        "CALL gnn.pipeline.addModel('moments', 'mf-bpr', $config) YIELD name FINISH", config=MODEL
    )
    connection.execute("CALL gnn.pipeline.configureTraining('moments', {baselines: false}) YIELD name FINISH")


def submit(connection: Connection, name: str) -> str:
    rows = connection.execute(
        "CALL gnn.pipeline.train(null, $config) YIELD jobId RETURN jobId",
        config={"pipeline": "moments", "modelName": name, "task": TASK},
    )
    return rows[0]["jobId"]


def ended(one: Stand, job_id: str) -> dict[str, Any] | None:
    """The job when it has come to an end; None when it has not within ``PATIENCE`` seconds."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            job = one.connection().execute("CALL gnn.job.show($id)", id=job_id)[0].data()
            if job["status"] in ENDS:
                return job
        except (DriverError, TransientError):
            pass
        time.sleep(0.5)
    return None


def faults_after(one: Stand, name: str, job: dict[str, Any] | None) -> list[str]:
    if job is None:
        return ["the job is stuck"]
    connection = one.connection(WORKER)
    versions = Registry(connection).versions(name)
    faults = [f"{version.reference} is {version.state}" for version in versions if not version.finished]
    if job["status"] == "FINISHED" and len(versions) != 1:
        faults.append(f"{len(versions)} versions of one job")
    if job["status"] == "FINISHED" and not any(name in version.aliases for version in versions):
        faults.append("nothing serves")
    if job["status"] != "FINISHED" and not job["message"]:
        faults.append(f"{job['status']} without a word")
    graphs = [graph.graph_name for graph in connection.gds().graph.list()]
    faults += [f"graph {graph} is left" for graph in graphs if graph.startswith("gnn_job_")]
    connection.driver.close()
    return faults


def run(rounds: int, seed: int) -> Iterator[dict[str, Any]]:
    """One row a round, the first of a job that nobody disturbs."""
    rng = random.Random(seed)
    with stand() as one:
        fill(one.connection())
        job_id = submit(one.connection(), "undisturbed")
        started = time.monotonic()
        one.start_worker()
        job = ended(one, job_id)
        whole = time.monotonic() - started
        time.sleep(1.0)
        yield _row(0, "nothing", 0.0, job, faults_after(one, "undisturbed", job), whole)
        one.kill_workers()
        for number in range(1, rounds + 1):
            victim = ("worker", "server", "both")[number % 3]
            name, moment = f"round{number}", rng.uniform(0, whole)
            job_id = submit(one.connection(), name)
            started = time.monotonic()
            one.start_worker()
            time.sleep(moment)
            if victim != "server":
                one.kill_workers()
            if victim != "worker":
                one.kill_server()
                one.start_server()
            # A worker that found no server when it began has ended; a service manager starts it again.
            time.sleep(5.0)
            if all(worker.poll() is not None for worker in one.workers):
                one.start_worker()
            job = ended(one, job_id)
            time.sleep(1.0)  # the worker drops its graphs after its last word
            yield _row(number, victim, moment, job, faults_after(one, name, job), time.monotonic() - started)
            one.kill_workers()


def _row(
    number: int, victim: str, moment: float, job: Any, faults: list[str], seconds: float
) -> dict[str, Any]:
    return {
        "round": number,
        "killed": victim,
        "after s": round(moment, 1),
        "end": job["status"] if job else "none",
        "attempts": job["attempt"] if job else None,
        "seconds": round(seconds, 1),
        "faults": "; ".join(faults) or "none",
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rows = []
    for row in run(given.rounds, given.seed):
        rows.append(row)
        sys.stderr.write(f"{row}\n")
        # After each round, so that a run that is cut short keeps what it found.
        result_file.write(
            RESULT,
            "Training jobs whose worker, server or both are killed at random moments",
            f"python -m benchmarks.worker.moments --rounds {given.rounds} --seed {given.seed}",
            rows,
            f"300 users, 120 items, mf-bpr of {MODEL['epochs']} epochs; leases of {LEASE_SECONDS} s; "
            f"checkpoints in one directory that all workers see; {len(rows) - 1} of {given.rounds} rounds.",
        )
    sys.exit(any(row["faults"] != "none" for row in rows))


if __name__ == "__main__":
    main()
