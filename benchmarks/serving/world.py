"""A made-up catalogue with users, in memory and in a database that serves a model of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from benchmarks.transfer.bench_server import BenchServer
from gds_pipelines.connection import Connection, Target
from gds_pipelines.registry import Registry
from gds_pipelines.write_back import write_node_properties
from model_export.item_propagation import build

K = 10
HISTORY = 40
EXPONENT = 0.5
TASK = {"recommend": "Item", "to": "User", "key": {"User": "id", "Item": "id"}, "via": {"BUY": 1.0}}
SCHEMA = {
    "nodes": {label: {"key": "id", "properties": []} for label in ("Item", "User")},
    "relations": [{"source": "User", "type": "BUY", "target": "Item", "direction": "out"}],
}


@dataclass(frozen=True)
class World:
    """Items with vectors, and users with what they bought.

    Args:
        items: [N, D] float32, e of item-propagation/1; c is the same.
        bought: [U, HISTORY] item indices, distinct in a row.
    """

    items: np.ndarray
    bought: np.ndarray

    @classmethod
    def make(cls, n_items: int, dimension: int, n_users: int, seed: int = 0) -> "World":
        """Vectors around 200 centres, as trained ones lie; items bought by a power law."""
        rng = np.random.default_rng(seed)
        centres = rng.standard_normal((200, dimension), dtype=np.float32)
        items = rng.standard_normal((n_items, dimension), dtype=np.float32)
        items *= 0.5
        items += centres[rng.integers(200, size=n_items)]
        liked = np.minimum((n_items ** rng.random((n_users, HISTORY * 3))).astype(np.int64), n_items - 1)
        rows = [np.unique(row) for row in liked]
        bought = np.stack([rng.permutation(row)[:HISTORY] for row in rows if len(row) >= HISTORY])
        return cls(items, bought)

    def queries(self) -> np.ndarray:
        """[U, D] – the users' vectors by the rule of item-propagation/1."""
        return np.stack([self.items[row].sum(axis=0) for row in self.bought]) * np.float32(HISTORY**-EXPONENT)

    def best(self, user: int, vector: np.ndarray) -> np.ndarray:
        """[K] – exact, bought ones out: what numpy takes, and what recall is measured against."""
        scores = self.items @ vector
        scores[self.bought[user]] = -np.inf
        top = np.argpartition(-scores, K)[:K]
        return top[np.argsort(-scores[top])]


def in_batches(server: BenchServer, statement: str, **parameters: object) -> None:
    """A statement that commits by itself, which no transaction of the driver's may be around."""
    with server.driver.session() as session:
        session.run(statement, parameters).consume()


def empty(server: BenchServer) -> None:
    """Takes out models, nodes and relationships."""
    server.execute("MATCH (a:GnnAlias) DETACH DELETE a")
    for row in server.execute("CALL gnn.model.list() YIELD name RETURN DISTINCT name"):
        server.execute("CALL gnn.model.drop($name) YIELD version FINISH", name=row["name"])
    in_batches(server, "MATCH ()-[r]->() CALL (r) { DELETE r } IN TRANSACTIONS OF 20000 ROWS")
    in_batches(server, "MATCH (n) CALL (n) { DELETE n } IN TRANSACTIONS OF 20000 ROWS")


def fill(server: BenchServer, world: World) -> str:
    """Nodes, purchases, model and vector properties; returns the property that holds the vectors."""
    empty(server)
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT IF NOT EXISTS FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    for label, count in (("Item", len(world.items)), ("User", len(world.bought))):
        in_batches(
            server,
            f"UNWIND range(0, $last) AS n CALL (n) {{ CREATE (:{label} {{id: n}}) }} "
            "IN TRANSACTIONS OF 20000 ROWS",
            last=count - 1,
        )
    rows = world.bought.tolist()
    for start in range(0, len(rows), 500):
        server.execute(
            "UNWIND $rows AS row MATCH (u:User {id: row[0]}) UNWIND row[1] AS bought "
            "MATCH (i:Item {id: bought}) CREATE (u)-[:BUY]->(i)",
            rows=[[start + at, row] for at, row in enumerate(rows[start : start + 500])],
        )
    one = world.items[:1]  # the vectors themselves are written below, faster than a deployment
    artefact = build(
        model="served", task=TASK, schema=SCHEMA, item_label="Item", keys=np.array([0]), layers=1,
        exponent=EXPONENT, e=one, c=one, gnn4j_version="0",
    )  # fmt: skip
    connection = Connection(server.driver, Target(server.uri, *server.auth, None, "benchmark"))
    registry = Registry(connection)
    version = registry.load("served", artefact.core_zip()).version
    for file, place, piece in artefact.pieces():
        registry.add_part("served", version, file, place, bytes(piece))
    name = f"gnn_served_v{version}"
    asked = np.unique(world.bought)  # the rest of c is never read
    for label, table, suffix, rows_of in (
        ("Item", world.items, "", None),
        ("Item", world.items[asked], "_c", asked),
        ("User", world.queries(), "", None),
    ):
        found = server.execute(f"CYPHER 5 MATCH (n:{label}) RETURN id(n) AS id ORDER BY n.id")
        ids = np.array([row["id"] for row in found])
        written = ids if rows_of is None else ids[rows_of]
        write_node_properties(server.driver, label, written, {f"{name}{suffix}": table})
    server.execute("MATCH (m:GnnModel {name: 'served', version: $v}) SET m.state = 'ready'", v=version)
    server.execute("CALL gnn.model.alias('served', 'served') YIELD version FINISH")
    return name


@contextmanager
def index(server: BenchServer, name: str, dimension: int, quantization: str | None) -> Iterator[None]:
    """A vector index on the items while it is measured; ``quantization`` None leaves Neo4j's default."""
    server.execute(f"DROP INDEX `{name}` IF EXISTS")
    options = f"`vector.dimensions`: {dimension}, `vector.similarity_function`: 'COSINE'"
    if quantization:
        options += f", `vector.quantization.type`: '{quantization}'"
    server.execute(
        f"CREATE VECTOR INDEX `{name}` FOR (i:Item) ON i.`{name}` OPTIONS {{indexConfig: {{{options}}}}}"
    )
    server.execute("CALL db.awaitIndexes(7200)")
    try:
        yield
    finally:
        server.execute(f"DROP INDEX `{name}` IF EXISTS")
