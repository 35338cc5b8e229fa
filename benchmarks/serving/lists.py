"""How long a list of ten takes, by clients at once, catalogue and width: ours, vector indexes, Cypher, numpy.

.venv/bin/python -m benchmarks.serving.lists --items 10000 100000 --dimensions 64 256
"""

import argparse
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo4j
import numpy as np

from benchmarks import result_file
from benchmarks.transfer.bench_server import BenchServer, bench_server, busy, rounded
from gds_pipelines.connection import Connection, Target
from gds_pipelines.queries import query
from gds_pipelines.registry import Registry
from gds_pipelines.write_back import write_node_properties
from model_export.item_propagation import build

COMMAND = ".venv/bin/python -m benchmarks.serving.lists"
K = 10
HISTORY = 40
EXPONENT = 0.5
TASK = {"recommend": "Item", "to": "User", "key": {"User": "id", "Item": "id"}, "via": {"BUY": 1.0}}
SCHEMA = {
    "nodes": {label: {"key": "id", "properties": []} for label in ("Item", "User")},
    "relations": [{"source": "User", "type": "BUY", "target": "Item", "direction": "out"}],
}
RECOMMEND = (
    "MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, {topK: 10}) YIELD node, rank "
    "RETURN node.id AS item ORDER BY rank"
)
# As Neo4j's guides write it: who bought what you bought, and what else did they buy?
COLLABORATIVE = (
    "MATCH (u:User {id: $user})-[:BUY]->(:Item)<-[:BUY]-(other:User)-[:BUY]->(item:Item) "
    "WHERE NOT EXISTS { (u)-[:BUY]->(item) } "
    "RETURN item.id AS item, count(*) AS score ORDER BY score DESC, item LIMIT 10"
)
KNN = (
    "MATCH (u:User {id: $user}) CALL gds.knn.filtered.stream('served', "
    "{nodeProperties: {vector: 'COSINE'}, topK: 50, sourceNodeFilter: u, "
    "targetNodeFilter: 'Item', concurrency: 1}) YIELD node2, similarity "
    "WITH u, gds.util.asNode(node2) AS item, similarity WHERE NOT EXISTS { (u)-[:BUY]->(item) } "
    "RETURN item.id AS item ORDER BY similarity DESC LIMIT 10"
)


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
        centres = rng.normal(size=(200, dimension))
        of = rng.integers(200, size=n_items)
        items = (centres[of] + 0.5 * rng.normal(size=(n_items, dimension))).astype(np.float32)
        liked = np.minimum((n_items ** rng.random((n_users, HISTORY * 3))).astype(np.int64), n_items - 1)
        rows = [np.unique(row) for row in liked]
        bought = np.stack([rng.permutation(row)[:HISTORY] for row in rows if len(row) >= HISTORY])
        return cls(items, bought)

    def queries(self) -> np.ndarray:
        """[U, D] – the users' vectors by the rule of item-propagation/1."""
        return (self.items[self.bought].sum(axis=1) * HISTORY**-EXPONENT).astype(np.float32)

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


def fill(server: BenchServer, world: World) -> str:
    """Nodes, purchases, model and vector properties; returns the property that holds the vectors."""
    in_batches(server, "MATCH (n) CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 20000 ROWS")
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
    for label, table, suffix in (
        ("Item", world.items, ""),
        ("Item", world.items, "_c"),
        ("User", world.queries(), ""),
    ):
        ids = server.execute(f"CYPHER 5 MATCH (n:{label}) RETURN id(n) AS id ORDER BY n.id")
        write_node_properties(
            server.driver, label, np.array([row["id"] for row in ids]), {f"{name}{suffix}": table}
        )
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


def ask(uri: str, auth: tuple[str, str], statement: str, parameters: dict, users: list[int], seconds: float,
        start: Any, answers: Any) -> None:  # fmt: skip
    """One client: asks for one user after the other, and sends its latencies in seconds."""
    with neo4j.GraphDatabase.driver(uri, auth=auth, notifications_min_severity="OFF") as driver:
        for user in users[:3]:
            driver.execute_query(statement, user=user, key=user, **parameters)
        start.wait()
        taken, begun = [], time.perf_counter()
        while time.perf_counter() - begun < seconds:
            before = time.perf_counter()
            user = users[len(taken) % len(users)]
            driver.execute_query(statement, user=user, key=user, **parameters)
            taken.append(time.perf_counter() - before)
        answers.put(taken)


def clients(server: BenchServer, count: int, statement: str, parameters: dict, n_users: int, seconds: float
            ) -> dict[str, float]:  # fmt: skip
    """Latencies of ``count`` clients, each a process with a connection of its own."""
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(count), context.Queue()
    users = np.random.default_rng(1).permutation(n_users).tolist()
    workers = [
        context.Process(
            target=ask,
            args=(server.uri, server.auth, statement, parameters, users[at::count], seconds, start, answers),
        )
        for at in range(count)
    ]
    for worker in workers:
        worker.start()
    taken = [one for _ in workers for one in answers.get(timeout=seconds * 20 + 300)]
    for worker in workers:
        worker.join()
    return summary(np.array(taken), count)


def summary(taken: np.ndarray, count: int) -> dict[str, float]:
    """Milliseconds by rank, and lists a second."""
    low, high, highest = np.percentile(taken, [50, 95, 99]) * 1e3
    return {
        "clients": count, "p50 ms": float(low), "p95 ms": float(high), "p99 ms": float(highest),
        "lists/s": float(count / taken.mean()), "lists": len(taken),
    }  # fmt: skip


def recall(server: BenchServer, world: World, statement: str, parameters: dict, exact: bool) -> float:
    """Share of numpy's exact ten that come back, over 50 users."""
    vectors, hits = world.queries(), []
    for user in range(min(50, len(world.bought))):
        rows = server.execute(statement, user=user, key=user, **parameters)
        found = {row["item"] if isinstance(row["item"], int) else row["item"]["id"] for row in rows}
        hits.append(len(found & set(world.best(user, vectors[user]).tolist())) / K)
    if exact and np.mean(hits) < 0.99:
        raise RuntimeError(
            f"The exact way found {np.mean(hits):.3f} of what numpy finds: not the same question"
        )
    return float(np.mean(hits))


def measure(server: BenchServer, n_items: int, dimension: int, given: argparse.Namespace) -> list[dict]:
    """All ways on one catalogue."""
    world = World.make(n_items, dimension, given.users)
    name = fill(server, world)
    rows: list[dict[str, Any]] = []

    def take(way: str, statement: str, parameters: dict, counts: list[int], exact: bool = False,
             comparable: bool = True) -> None:  # fmt: skip
        found = recall(server, world, statement, parameters, exact) if comparable else None
        for count in counts:
            figures = clients(server, count, statement, parameters, len(world.bought), given.seconds)
            rows.append({"items": n_items, "D": dimension, "way": way, **figures, "recall@10": found})
            print(rounded(rows[-1]), flush=True)

    take("gnn.recommend.stream, exact", RECOMMEND, {}, given.clients, exact=True)
    search = query("search_vector_index", source="User", key="id", item="Item", index=name)
    parameters = {"seen": ["BUY"], "k": K, "candidates": 100}
    for way, quantization in (
        ("vector index, default, 100 asked for", None),
        ("vector index, not quantized, 100 asked for", "NONE"),
    ):  # fmt: skip
        with index(server, name, dimension, quantization):
            take(way, search, parameters, given.clients)
    take("collaborative filtering in Cypher", COLLABORATIVE, {}, given.clients, comparable=False)
    if n_items <= given.knn_items:
        server.execute(
            f"CALL gds.graph.project('served', {{Item: {{properties: {{vector: {{property: '{name}'}}}}}}, "
            f"User: {{properties: {{vector: {{property: '{name}'}}}}}}}}, '*') YIELD nodeCount FINISH"
        )
        take("GDS filtered kNN", KNN, {}, [1])
        server.execute("CALL gds.graph.drop('served') YIELD graphName FINISH")
    rows.append(
        {"items": n_items, "D": dimension, "way": "numpy, one thread, no database", **brute(world, given)}
    )
    return rows


def brute(world: World, given: argparse.Namespace) -> dict[str, Any]:
    """numpy in this process."""
    vectors = world.queries()
    taken, begun = [], time.perf_counter()
    best: Callable[[int, np.ndarray], np.ndarray] = world.best
    while time.perf_counter() - begun < given.seconds:
        user = len(taken) % len(vectors)
        before = time.perf_counter()
        best(user, vectors[user])
        taken.append(time.perf_counter() - before)
    return {**summary(np.array(taken), 1), "recall@10": 1.0}


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    arguments.add_argument("--dimensions", type=int, nargs="+", default=[64, 256])
    arguments.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    arguments.add_argument("--users", type=int, default=2_000)
    arguments.add_argument("--seconds", type=float, default=20.0, help="for each measurement")
    arguments.add_argument("--knn-items", type=int, default=10_000, help="GDS kNN up to so many items")
    arguments.add_argument("--heap", type=int, default=4096, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note, rows = busy(), []
    with bench_server(given.heap, given.software) as server:
        for n_items in given.items:
            for dimension in given.dimensions:
                rows += measure(server, n_items, dimension, given)
    sizes = " ".join(map(str, given.items))
    result_file.write(
        given.out / "lists.json",
        "One list of ten through Bolt",
        f"{COMMAND} --items {sizes} --dimensions {' '.join(map(str, given.dimensions))}",
        [rounded(row) for row in rows],
        f"{note} Server heap {given.heap} MB; users bought {HISTORY} items each; what an index answers is "
        "scored again in Cypher.",
    )


if __name__ == "__main__":
    main()
