"""One real Neo4j for the whole run: authentication on, GDS and our plugin inside, data of its own.

The jars are assembled once into ``build/test-home`` of the clone (``GNN4J_TEST_HOME`` names another
place) and kept; an unchanged clone starts in seconds. ``GNN4J_TEST_URI``, ``GNN4J_TEST_HTTP`` and
``GNN4J_TEST_PASSWORD`` point the tests at a server that runs already: its database is emptied by them.

``GNN4J_TEST_SCATTER_IDS=SEED`` gives new nodes and relationships ids in no order, as a database does that has
been used for long: freed ids come back at once, and emptying the database frees many in a random order.

Hypothesis tries the same examples in every run, so that nobody's change fails by chance;
``HYPOTHESIS_PROFILE=search`` looks for new ones.
"""

import json
import os
import random
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import neo4j
import pytest
from hypothesis import HealthCheck, settings

from gds_pipelines.server import passwords, process
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.home import Home
from gds_pipelines.server.installation import installed, plugin_jar
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.report import Silent

ROOT = Path(__file__).resolve().parents[1]
TEST_MEMORY = Memory(heap=1024, page_cache=512)
# For servers that only have to live, not to be fast: the quick compiler alone halves the CPU of a start.
FRUGAL = {"server.jvm.additional": "-XX:TieredStopAtLevel=1"}
TEST_SETTINGS = {
    # 256 MB of empty log for each of two databases is no use to a test.
    "db.tx_log.preallocate": "false",
    "db.tx_log.rotation.size": "32m",
}
SCATTER = os.environ.get("GNN4J_TEST_SCATTER_IDS")
SCATTER_RANDOM = random.Random(SCATTER)
if SCATTER:
    TEST_SETTINGS["internal.db.idcontroller.maintenance_interval"] = "10ms"

settings.register_profile("search", deadline=None, print_blob=True)
settings.register_profile(
    "steady",
    settings.get_profile("search"),
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # which judges the machine
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


@dataclass
class Server:
    """A running Neo4j as the tests see it; ``home`` is None when it was not started by them."""

    uri: str
    http: str
    user: str
    password: str
    home: Home | None = None
    _drivers: dict[tuple[str, str], neo4j.Driver] = field(default_factory=dict)

    def driver(self, user: str | None = None, password: str | None = None) -> neo4j.Driver:
        """The one driver of this user (the administrator by default); closed at the end of the run."""
        auth = (user or self.user, password or self.password)
        if auth not in self._drivers:
            self._drivers[auth] = neo4j.GraphDatabase.driver(self.uri, auth=auth)
        return self._drivers[auth]

    def execute(self, query: str, **parameters: Any) -> list[neo4j.Record]:
        """Runs one statement as the administrator and returns its records."""
        return self.driver().execute_query(query, parameters_=parameters).records

    @contextmanager
    def second_user(self, name: str = "bob") -> Iterator[neo4j.Driver]:
        """A driver signed in as an ordinary user, who is gone afterwards."""
        password = secrets.token_urlsafe(12)
        system = self.driver()
        system.execute_query(
            "CREATE OR REPLACE USER $name SET PASSWORD $password CHANGE NOT REQUIRED",
            name=name,
            password=password,
            database_="system",
        )
        try:
            with neo4j.GraphDatabase.driver(self.uri, auth=(name, password)) as driver:
                yield driver
        finally:
            system.execute_query("DROP USER $name IF EXISTS", name=name, database_="system")

    def clear(self) -> None:
        """Drops the administrator's graphs, all constraints and indexes, and all nodes."""
        if self.execute("SHOW PROCEDURES YIELD name WHERE name = 'gds.graph.list' RETURN name"):
            self.execute(
                "CALL gds.graph.list() YIELD graphName CALL gds.graph.drop(graphName) YIELD nodeCount FINISH"
            )
        for kind, listing in (
            ("CONSTRAINT", "SHOW CONSTRAINTS YIELD name RETURN name"),
            ("INDEX", "SHOW INDEXES YIELD name, type WHERE type <> 'LOOKUP' RETURN name"),
        ):
            for record in self.execute(listing):
                self.execute(f"DROP {kind} $name IF EXISTS", name=record["name"])
        with self.driver().session() as session:
            # Relationships first: ten thousand nodes may have more of them than one transaction can hold.
            session.run("MATCH ()-[r]->() CALL (r) { DELETE r } IN TRANSACTIONS OF 20000 ROWS").consume()
            session.run("MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 10000 ROWS").consume()
        if SCATTER:
            self._scatter_ids()

    def _scatter_ids(self) -> None:
        """Makes nodes and relationships in the empty database and frees their ids in a random order."""
        turns = SCATTER_RANDOM.sample(range(500), 500)
        self.execute(
            "UNWIND $turns AS turn CREATE (n {turn: turn}) CREATE (n)-[:SCATTERED]->(n)", turns=turns
        )
        with self.driver().session() as session:
            session.run(
                "MATCH (n) WITH n ORDER BY n.turn CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 1 ROWS"
            ).consume()

    def close(self) -> None:
        for driver in self._drivers.values():
            driver.close()


@pytest.fixture(scope="session")
def software() -> Home:
    """A home with the jars and the freshly built plugin, for servers that the tests start."""
    home = Home(Path(os.environ.get("GNN4J_TEST_HOME", ROOT / "build" / "test-home")).resolve())
    EmbeddedServer(home).install(Silent())
    return home


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The shared server; what one test leaves, the next one sees; ``database`` is it emptied."""
    if uri := os.environ.get("GNN4J_TEST_URI"):
        running = Server(
            uri=uri,
            http=os.environ.get("GNN4J_TEST_HTTP", "http://localhost:7474"),
            user=os.environ.get("GNN4J_TEST_USER", "neo4j"),
            password=os.environ["GNN4J_TEST_PASSWORD"],
        )
        yield running
        running.close()
        return
    software = request.getfixturevalue("software")
    with started(Home(tmp_path_factory.mktemp("server"), software=software.root)) as running:
        yield running


@pytest.fixture(scope="session")
def server_without_gds(software: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A second server, with our plugin and no GDS, resolved without it as ``--without-gds`` does."""
    bare = Home(software.root.with_name(f"{software.root.name}-without-gds"))
    _take_plugin(bare, software)
    EmbeddedServer(bare).install(Silent(), with_gds=False)
    home = Home(tmp_path_factory.mktemp("without-gds"), software=bare.root)
    with started(home, Memory(heap=512, page_cache=128), FRUGAL) as running:
        yield running


def _take_plugin(home: Home, source: Home) -> None:
    """Gives ``home`` the plugin that is built already, for the build takes its time."""
    has = installed(source)
    home.plugins.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(plugin_jar(source), home.plugins / has.plugin_jar)
    stamp = replace(installed(home), plugin_sha256=has.plugin_sha256, plugin_jar=has.plugin_jar)
    home.stamp.write_text(json.dumps(asdict(stamp)), encoding="utf-8")


@contextmanager
def started(
    home: Home, memory: Memory = TEST_MEMORY, extra: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server in that home, killed at the end: its data goes too, so nobody needs a clean stop."""
    status = process.start(home, Silent(), memory=memory, extra=TEST_SETTINGS | dict(extra or {}))
    running = Server(str(status.uri), str(status.http), status.user, passwords.read_password(home), home)
    try:
        yield running
    finally:
        running.close()
        process.kill(home)


@pytest.fixture
def database(server: Server) -> Server:
    """The shared server, emptied before the test."""
    server.clear()
    return server


def pytest_report_header() -> str | None:
    return f"ids of new nodes are scattered: GNN4J_TEST_SCATTER_IDS={SCATTER}" if SCATTER else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what was found as golden files")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever uses the server carries its mark, so that ``-m 'not server'`` leaves no one behind."""
    for item in items:
        if {"server", "database", "server_without_gds", "software"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.server)
