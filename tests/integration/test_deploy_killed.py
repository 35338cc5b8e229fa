"""Deployment on a server that is killed, ten times over: the old version answers until the new one is whole.

A server of its own, since it dies. The moments are named by the call that runs, so they do not depend on how
fast the machine is.
"""

import contextlib
import os
import signal
import threading
import time

import neo4j
import numpy as np
import pytest
from neo4j.exceptions import DriverError, Neo4jError

from gds_pipelines.connection import Connection, Target
from gds_pipelines.deploy import deploy
from gds_pipelines.registry import Registry
from gds_pipelines.run_artefact import schema_of
from gds_pipelines.server import passwords, process
from gds_pipelines.server.home import Home
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent
from gds_pipelines.task import Task
from model_export import Artefact
from model_export.item_propagation import build
from tests.conftest import FRUGAL, TEST_SETTINGS

pytestmark = [pytest.mark.server, pytest.mark.timeout(1800)]

USERS, ITEMS, PAIRS, DIMENSION = 1_000, 2_000, 12_000, 32
TASK = Task.from_mapping(
    {
        "recommend": "Item",
        "to": "User",
        "key": {"Item": "id", "User": "id"},
        "via": {"BUY": 1.0},
        "timeProperty": "at",
    }
)
# The call that is running, whether it had been sent, and after how many seconds of it the server dies.
MOMENTS = [
    ("gnn.model.load", "before", 0),
    ("gnn.model.load", "during", 0.02),
    ("gnn.model.addPart", "before", 0),
    ("gnn.model.addPart", "during", 0.01),
    ("gnn.embed.propagate", "before", 0),
    ("gnn.embed.propagate", "during", 0.1),
    ("gnn.embed.propagate", "during", 0.6),
    ("gnn.model.alias", "before", 0),
    ("gnn.model.alias", "during", 0.002),
    ("gnn.model.drop", "during", 0.02),
]


class Mortal:
    """A server in a directory of its own that can be killed and started again with its data."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.driver: neo4j.Driver | None = None

    def start(self) -> None:
        # It lives for one deployment: what the slow compiler would do for it never pays.
        memory = Memory(heap=512, page_cache=128)
        status = process.start(self.home, Silent(), memory=memory, extra=TEST_SETTINGS | FRUGAL)
        self.pid = status.pid
        self.target = Target(status.uri, status.user, passwords.read_password(self.home), None, "test")
        # A retry would wait half a minute for a server that is dead.
        self.driver = neo4j.GraphDatabase.driver(
            status.uri, auth=(self.target.user, self.target.password), max_transaction_retry_time=0
        )

    def kill(self) -> None:
        """Ends it, and is back when it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        deadline = time.monotonic() + 120
        while process.find_running(self.home) is not None:
            assert time.monotonic() < deadline, "the server outlives its kill"
            time.sleep(0.02)

    def connection(self) -> Connection:
        return Connection(self.driver, self.target)

    def restart(self) -> None:
        self.driver.close()
        self.start()


class Doomed(Connection):
    """A connection whose server dies at one call."""

    def __init__(self, server: Mortal, call: str, when: str, seconds: float) -> None:
        super().__init__(server.driver, server.target)
        self.server, self.call, self.when, self.seconds = server, call, when, seconds
        self.died = False

    def execute(self, query, **parameters):
        if self.call not in query or self.died:
            return super().execute(query, **parameters)
        self.died = True
        blow = threading.Timer(self.seconds, self.server.kill)
        blow.start()
        if self.when == "before":
            blow.join()
        try:
            return super().execute(query, **parameters)
        finally:
            blow.join()  # the call may have been faster: nothing comes after it


@pytest.fixture(scope="module")
def server(software, tmp_path_factory):
    mortal = Mortal(Home(tmp_path_factory.mktemp("mortal"), software=software.root))
    mortal.start()
    try:
        yield mortal
    finally:
        mortal.driver.close()
        process.kill(mortal.home)


@pytest.fixture(scope="module")
def artefact():
    rng = np.random.default_rng(5)
    return build(
        model="lightgcn",
        item_label="Item",
        keys=np.arange(ITEMS),
        base=rng.normal(0, 0.1, (ITEMS, DIMENSION)),
        layers=3,
        exponent=0.5,
        schema=schema_of(TASK),
        task=TASK.to_mapping(),
        gnn4j_version="0",
        created_at="2026-01-01T00:00:00Z",
    )


def fill(connection: Connection) -> None:
    rng = np.random.default_rng(6)
    for label, count in (("User", USERS), ("Item", ITEMS)):
        connection.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
        connection.execute(
            "UNWIND range(0, $count - 1) AS id CREATE (n:$($label) {id: id})", label=label, count=count
        )
    pairs = {
        (int(u), int(i))
        for u, i in zip(rng.integers(0, USERS, PAIRS), rng.integers(0, ITEMS, PAIRS), strict=True)
    }
    connection.execute(
        "UNWIND $pairs AS pair MATCH (u:User {id: pair[0]}), (i:Item {id: pair[1]}) "
        "CREATE (u)-[:BUY {at: 1}]->(i)",
        pairs=sorted(map(list, pairs)),
    )


def answer(connection: Connection) -> dict[int, float]:
    """Item and score of the best five, best first."""
    rows = connection.execute(
        "MATCH (u:User {id: 7}) CALL gnn.recommend.stream(u, {topK: 5, model: 'shop'}) "
        "YIELD node, score, rank RETURN node.id AS id, score ORDER BY rank"
    )
    return {row["id"]: row["score"] for row in rows}


def test_killed_at_ten_moments_the_old_version_answers_and_deploying_again_succeeds(server, artefact):
    fill(server.connection())
    deploy(server.connection(), artefact, name="shop")
    old, expected = artefact.sha256, answer(server.connection())
    assert len(expected) == 5
    for number, (call, when, seconds) in enumerate(MOMENTS, 1):
        where = f"moment {number}: {when} {call}"
        new = Artefact({**artefact.manifest, "createdAt": f"2026-02-{number:02}T00:00:00Z"}, artefact.files)
        doomed = Doomed(server, call, when, seconds)
        with contextlib.suppress(DriverError, Neo4jError):
            deploy(doomed, new, name="shop", keep_previous=0)
        assert doomed.died, where
        server.restart()

        connection = server.connection()
        registry = Registry(connection)
        target = registry.target("shop")
        moved = call == "gnn.model.drop" or (call == "gnn.model.alias" and when == "during")
        assert target.sha256 == old or (moved and target.sha256 == new.sha256), where
        assert target.state == "ready", where
        # The same vectors under another version: the answer is the same, from one whole version.
        found = answer(connection)
        assert list(found) == list(expected), where
        assert found == pytest.approx(expected), where
        for version in registry.versions("shop"):
            if version.state != "ready":
                with pytest.raises(Neo4jError, match="not ready"):
                    connection.execute(
                        "MATCH (u:User {id: 7}) CALL gnn.recommend.stream(u, {model: $model}) "
                        "YIELD node RETURN node",
                        model=version.reference,
                    )

        report = deploy(connection, new, name="shop", keep_previous=0)
        target = registry.target("shop")
        assert (target.reference, target.sha256) == (report.model, new.sha256), where
        assert [version.state for version in registry.versions("shop")] == ["ready"], where
        properties = connection.execute(
            "MATCH (n) WHERE n:User OR n:Item UNWIND keys(n) AS key "
            "WITH DISTINCT key WHERE key STARTS WITH 'gnn_' RETURN collect(key) AS names"
        )[0]["names"]
        name = f"gnn_shop_v{target.version}"
        assert sorted(properties) == [name, f"{name}_c"], where
        indexes = connection.execute("SHOW VECTOR INDEXES YIELD name RETURN collect(name) AS names")[0][
            "names"
        ]
        assert indexes == [name], where
        old = new.sha256
