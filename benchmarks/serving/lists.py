"""How long a list of ten takes, by clients at once, catalogue and width: ours, vector indexes, Cypher, numpy.

    .venv/bin/python -m benchmarks.serving.lists --items 100000 --dimensions 128

Each figure is written as soon as it is measured, and one that stands in the file is not measured again
(unless ``--again``): a run that was cut goes on. One world (items x dimensions) takes some five minutes. For
a million items give the server memory: ``--heap 8192``.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import result_file
from benchmarks.serving.client import ask
from benchmarks.serving.latency import of_clients, summary
from benchmarks.serving.world import HISTORY, K, World, fill, index
from benchmarks.transfer.bench_server import BenchServer, bench_server, rounded
from gds_pipelines.queries import query

COMMAND = ".venv/bin/python -m benchmarks.serving.lists"
RESULTS = Path(__file__).parent / "results"
MANY = 1024
RECOMMEND = (
    "MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, {topK: 10, concurrency: 2}) YIELD node, rank "
    "RETURN node.id AS item ORDER BY rank"
)
# As Neo4j's guides write it: who bought what you bought, and what else did they buy?
COLLABORATIVE = (
    "MATCH (u:User {id: $user})-[:BUY]->(:Item)<-[:BUY]-(other:User)-[:BUY]->(item:Item) "
    "WHERE NOT EXISTS { (u)-[:BUY]->(item) } "
    "RETURN item.id AS item, count(*) AS score ORDER BY score DESC, item LIMIT 10"
)
# GDS compares by angle, so that what it finds is scored again, as what a vector index finds.
KNN = (
    "MATCH (u:User {id: $user}) CALL gds.knn.filtered.stream('served', "
    "{nodeProperties: {vector: 'COSINE'}, topK: $candidates, sourceNodeFilter: u, "
    "targetNodeFilter: 'Item', concurrency: 1}) YIELD node2 "
    "WITH u, gds.util.asNode(node2) AS item WHERE NOT EXISTS { (u)-[:BUY]->(item) } "
    "WITH item, reduce(sum = 0.0, d IN range(0, size(u[$vector]) - 1) | "
    "sum + u[$vector][d] * item[$vector][d]) AS score "
    "RETURN item.id AS item ORDER BY score DESC, item LIMIT 10"
)


@dataclass(frozen=True)
class Way:
    """One way to a list.

    Args:
        statement: with ``$user`` (or ``$key``), a row an item; None where ``lists`` are made another way.
        clients: as many at once as are measured.
        around: what must stand in the database meanwhile.
        exact: it must find what numpy finds.
        asked: users that its recall is over.
        comparable: it answers the same question as numpy, so that recall means something.
    """

    title: str
    statement: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    clients: tuple[int, ...] = (1,)
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    exact: bool = False
    asked: int = 50
    comparable: bool = True


def ways(server: BenchServer, name: str, n_items: int, dimension: int, given: argparse.Namespace
         ) -> dict[str, Way]:  # fmt: skip
    """By the name that ``--ways`` takes; those that such a catalogue is too large for are left out."""
    every = tuple(given.clients)
    search = query("search_vector_index", source="User", key="id", item="Item", index=name)
    from_index = {
        "statement": search,
        "parameters": {"seen": ["BUY"], "k": K, "candidates": 100},
        "clients": every,
    }
    found = {
        "ours": Way("gnn.recommend.stream, exact", RECOMMEND, clients=every, exact=True),
        "many": Way(f"gnn.recommend.stream, exact, {MANY:,} users a call"),
        "default-index": Way(
            "vector index, default, 100 asked for", **from_index,
            around=lambda: index(server, name, dimension, None),
        ),
        "exact-index": Way(
            "vector index, not quantized, 100 asked for", **from_index,
            around=lambda: index(server, name, dimension, "NONE"),
        ),
        "cypher": Way("collaborative filtering in Cypher", COLLABORATIVE, clients=every, comparable=False),
        # It builds its graph of neighbours anew in each call, at a cost that grows with the square of how
        # many are asked for: no more, then, than a list and all that its user has bought.
        "knn": Way(
            f"GDS filtered kNN, {K + HISTORY} asked for", KNN,
            parameters={"vector": name, "candidates": K + HISTORY},
            around=lambda: Projected(server, name), asked=5,
        ),
        "numpy": Way("numpy, one thread, no database"),
    }  # fmt: skip
    if n_items > given.index_items:
        found = {key: way for key, way in found.items() if not key.endswith("index")}
    if n_items > given.knn_items:
        found.pop("knn")
    return {key: way for key, way in found.items() if not given.ways or key in given.ways}


class Projected(AbstractContextManager["Projected"]):
    """The vectors in a projection of GDS's."""

    def __init__(self, server: BenchServer, name: str) -> None:
        self.server, self.name = server, name

    def __enter__(self) -> "Projected":
        vector = f"{{properties: {{vector: {{property: '{self.name}'}}}}}}"
        self.server.execute(
            f"CALL gds.graph.project('served', {{Item: {vector}, User: {vector}}}, '*') "
            "YIELD nodeCount FINISH"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.server.execute("CALL gds.graph.drop('served') YIELD graphName FINISH")


def recall(server: BenchServer, world: World, way: Way) -> float:
    """Share of numpy's exact ten that come back, over the first users."""
    vectors, hits = world.queries(), []
    for user in range(min(way.asked, len(world.bought))):
        rows = server.execute(str(way.statement), user=user, key=user, **way.parameters)
        found = {row["item"] if isinstance(row["item"], int) else row["item"]["id"] for row in rows}
        hits.append(len(found & set(world.best(user, vectors[user]).tolist())) / K)
    if way.exact and np.mean(hits) < 0.99:
        raise RuntimeError(
            f"The exact way found {np.mean(hits):.3f} of what numpy finds: not the same question"
        )
    return float(np.mean(hits))


def many_at_once(server: BenchServer, n_users: int, seconds: float) -> dict[str, Any]:
    """Lists of ten for 1,024 users in one call, as an e-mail batch asks."""
    statement = query("recommend_email_batch", source="User", key="id", item_key="id")
    shuffled = np.random.default_rng(1).permutation(n_users)[: n_users // MANY * MANY]
    users = itertools.cycle(shuffled.reshape(-1, MANY).tolist())

    def one(batch: list[int]) -> None:
        rows = server.execute(statement, users=batch, configuration={"topK": K, "concurrency": 2})
        if len(rows) != MANY or len(rows[0]["items"]) != K:
            raise RuntimeError(f"{len(rows)} lists came back, expected {MANY} of {K}.")

    ask(one, users, seconds / 2, 2)
    return summary(ask(one, users, seconds, 5), 1, MANY)


def brute(world: World, seconds: float) -> dict[str, Any]:
    """numpy in this process."""
    vectors = world.queries()
    users = itertools.cycle(range(len(vectors)))
    return {
        **summary(ask(lambda user: world.best(user, vectors[user]), users, seconds, 5), 1),
        "recall@10": 1.0,
    }


def measure(server: BenchServer, n_items: int, dimension: int, given: argparse.Namespace, done: set[tuple]
            ) -> Iterator[dict[str, Any]]:  # fmt: skip
    """All ways on one catalogue, one row after the other."""
    chosen = {
        key: [count for count in way.clients if (n_items, dimension, way.title, count) not in done]
        for key, way in ways(server, "any", n_items, dimension, given).items()
    }
    if not any(chosen.values()):
        return
    begun = time.perf_counter()
    world = World.make(n_items, dimension, given.users)
    if len(world.bought) < MANY:
        raise SystemExit(
            f"Only {len(world.bought)} users with {HISTORY} items; give more `--users` than {MANY}."
        )
    name = fill(server, world)
    print(f"{n_items:,} x {dimension}: filled in {time.perf_counter() - begun:.0f} s", flush=True)
    shuffled = np.random.default_rng(1).permutation(len(world.bought)).tolist()
    for key, way in ways(server, name, n_items, dimension, given).items():
        if not chosen[key]:
            continue
        row = {"items": n_items, "D": dimension, "way": way.title}
        if key == "numpy":
            yield row | brute(world, given.seconds)
        elif key == "many":
            yield row | many_at_once(server, len(world.bought), given.seconds)
        else:
            with way.around():
                found = recall(server, world, way) if way.comparable else None
                for count in chosen[key]:
                    taken = of_clients(
                        server, count, str(way.statement), way.parameters, shuffled, given.seconds
                    )
                    yield row | summary(taken, count) | {"recall@10": found}
    print(f"{n_items:,} x {dimension}: {time.perf_counter() - begun:.0f} s in all", flush=True)


def keep(path: Path, row: dict[str, Any], note: str) -> None:
    """Put a row into the file, in place of an older one."""
    rows = [old for old in rows_of(path) if place(old) != place(row)] + [row]
    order = {way: at for at, way in enumerate(dict.fromkeys(one["way"] for one in rows))}
    rows.sort(key=lambda one: (one["items"], one["D"], order[one["way"]], one["clients"]))
    columns = (
        *("items", "D", "way", "clients", "p50 ms", "p95 ms", "p99 ms"),
        *("lists/s", "calls", "recall@10", "heap MB"),
    )
    result_file.write(
        path, "A list of ten through Bolt", COMMAND,
        [{column: one.get(column) for column in columns} for one in rows], note,
    )  # fmt: skip
    plot(rows, path.with_suffix(".svg"))


def rows_of(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []


def place(row: dict[str, Any]) -> tuple:
    return row["items"], row["D"], row["way"], row["clients"]


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """p50 to p99 of each way by clients, a panel a catalogue."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "gnn4j", "svg.fonttype": "none"}
    import matplotlib.pyplot as plt

    rows = [row for row in rows if not row["way"].endswith("a call")]
    worlds = list(dict.fromkeys((row["items"], row["D"]) for row in rows))
    names = list(dict.fromkeys(row["way"] for row in rows))
    if not worlds:
        return
    figure, axes = plt.subplots(
        len(worlds), 1, figsize=(9, 0.9 + 2.1 * len(worlds)), sharex=True, layout="constrained", squeeze=False
    )
    for axis, (items, dimension) in zip(axes[:, 0], worlds, strict=True):
        own = [row for row in rows if (row["items"], row["D"]) == (items, dimension)]
        labels = []
        for at, row in enumerate(own):
            axis.plot(
                [row["p50 ms"], row["p99 ms"]],
                [at, at],
                "o-",
                markersize=4,
                color=f"C{names.index(row['way'])}",
            )
            labels.append(f"{row['way']}, {row['clients']} client{'s' if row['clients'] > 1 else ''}")
        axis.set_yticks(range(len(own)), labels, fontsize=6)
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.grid(axis="x", alpha=0.3)
        axis.set_title(f"{items:,} items x {dimension} dimensions", fontsize=9, loc="left")
    axes[-1, 0].set_xlabel("milliseconds, p50 to p99 (logarithmic)")
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    arguments.add_argument("--dimensions", type=int, nargs="+", default=[64, 128, 256])
    arguments.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    names = ["ours", "many", "default-index", "exact-index", "cypher", "knn", "numpy"]
    arguments.add_argument("--ways", nargs="+", choices=names, help="these alone")
    arguments.add_argument("--users", type=int, default=2_100)
    arguments.add_argument("--seconds", type=float, default=8.0, help="for each measurement")
    arguments.add_argument("--knn-items", type=int, default=10_000, help="GDS kNN up to so many items")
    arguments.add_argument(
        "--index-items", type=int, default=100_000, help="vector indexes up to so many items"
    )
    arguments.add_argument("--heap", type=int, default=4096, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--again", action="store_true", help="measure what stands in the file, too")
    arguments.add_argument("--out", type=Path, default=RESULTS)
    given = arguments.parse_args()
    path = given.out / "lists.json"
    done = set() if given.again else {place(row) for row in rows_of(path)}
    note = (
        f"Server and clients on one machine; users bought {HISTORY} items each; what an index answers is "
        "scored again in Cypher; ours by `concurrency: 2`."
    )
    with bench_server(given.heap, given.software, {"server.gnn.memory.max": f"{given.heap // 2}m"}) as server:
        for n_items in given.items:
            for dimension in given.dimensions:
                for row in measure(server, n_items, dimension, given, done):
                    print(rounded(row), flush=True)
                    keep(path, rounded(row) | {"heap MB": given.heap}, note)


if __name__ == "__main__":
    main()
