"""How fast vectors come back: our write-back beside UNWIND, and into a projection.

    .venv/bin/python -m benchmarks.transfer.writing

All ways write the same vectors to the same nodes, in batches of the same size, and take turns. Clock: the
median of the rounds after one that warms up. The file is written after every round: a run that is cut short
keeps what it has.
"""

import argparse
import statistics
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import result_file
from benchmarks.transfer.bench_server import BenchServer, Clock, bench_server, busy, clocked, rounded
from gds_pipelines import write_back
from gds_pipelines.write_back import mutate_node_properties, write_node_properties

COMMAND = ".venv/bin/python -m benchmarks.transfer.writing"
NODES = 100_000
WIDTH = 64
BATCH = 5_000
ROUNDS = 3
PLUGIN, BY_KEY = "gnn.nodeProperty.write, 1 thread", "UNWIND by key"


@contextmanager
def no_plugin() -> Iterator[None]:
    query = write_back._WRITE
    write_back._WRITE = query.replace("gnn.nodeProperty", "gnn.nothing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        write_back._WRITE = query


def set_vectors(server: BenchServer, vectors: np.ndarray) -> int:
    """What people write by hand: rows of key and list."""
    query = "UNWIND $rows AS row MATCH (n:Item {id: row.key}) SET n.vector = row.vector RETURN count(*)"
    for start in range(0, len(vectors), BATCH):
        part = vectors[start : start + BATCH].tolist()
        server.execute(query, rows=[{"key": start + at, "vector": vector} for at, vector in enumerate(part)])
    return len(vectors)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--heap", type=int, default=2048, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--nodes", type=int, default=NODES)
    arguments.add_argument("--rounds", type=int, default=ROUNDS, help="after one that warms up")
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note = busy()
    with bench_server(given.heap, given.software) as server:
        for rows in measure(server, given.nodes, given.rounds):
            result_file.write(
                given.out / "writing.json",
                f"Writing {WIDTH} float32 a node back",
                COMMAND,
                [rounded(row) for row in rows],
                f"{given.nodes:,} nodes, {BATCH:,} a transaction; the nodes have a unique key. {note}",
            )


def measure(server: BenchServer, nodes: int, rounds: int) -> Iterator[list[dict[str, Any]]]:
    """The table after each round."""
    server.execute("CREATE CONSTRAINT item_id FOR (n:Item) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(0, $last) AS n CREATE (:Item {id: n})", last=nodes - 1)
    server.execute("CALL gds.graph.project('items', 'Item', '*') YIELD nodeCount RETURN 1")
    found = server.execute("CYPHER 5 MATCH (n:Item) RETURN id(n) AS id ORDER BY n.id")
    ids = np.array([record["id"] for record in found])
    vectors = np.random.default_rng(0).random((nodes, WIDTH), np.float32)

    def plugin(threads: int) -> Callable[[], int]:
        def run() -> int:
            report = write_node_properties(
                server.driver,
                "Item",
                ids,
                {"vector": vectors},
                key="id",
                keys=np.arange(nodes),
                batch_size=BATCH,
                concurrency=threads,
            )
            assert report.written == nodes, report
            return nodes

        return run

    def by_id() -> int:
        with no_plugin():
            write_node_properties(server.driver, "Item", ids, {"vector": vectors})
        return nodes

    def mutate() -> int:
        done = mutate_node_properties(server.driver, "items", ids, {"vector": vectors}, if_exists="replace")
        return done["vector"][0]

    ways: dict[str, tuple[str, Callable[[], int]]] = {
        PLUGIN: ("label and key checked", plugin(1)),
        "gnn.nodeProperty.write, 2 threads": ("label and key checked", plugin(2)),
        BY_KEY: (
            "the driver, rows of key and list, an index on the key",
            lambda: set_vectors(server, vectors),
        ),
        "UNWIND by id": ("our client without the plugin; label checked", by_id),
        "gnn.nodeProperty.mutate": ("into a projection", mutate),
    }
    clocks: dict[str, list[Clock]] = {name: [] for name in ways}
    rows = {}
    for turn in range(rounds + 1):
        for name, (_, run) in ways.items():
            with clocked(server) as clock:
                rows[name] = run()
            if turn:
                clocks[name].append(clock)
        if turn:
            yield table({name: what for name, (what, _) in ways.items()}, rows, clocks)


def table(ways: dict[str, str], rows: dict[str, int], clocks: dict[str, list[Clock]]) -> list[dict[str, Any]]:
    found = []
    for name, what in ways.items():
        wall = statistics.median(clock.wall for clock in clocks[name])
        client = statistics.median(clock.client_cpu for clock in clocks[name])
        served = statistics.median(clock.server_cpu for clock in clocks[name])
        found.append(
            {
                "way": name,
                "what": what,
                "rows": rows[name],
                "seconds": wall,
                "thousand rows/s": rows[name] / wall / 1e3,
                "client CPU s": client,
                "server CPU s": served,
                "rounds": len(clocks[name]),
                "CPU s": client + served,
            }
        )
    slow = next(row for row in found if row["way"] == BY_KEY)
    return [
        row
        | {
            "times faster than UNWIND by key, wall": slow["seconds"] / row["seconds"],
            "by CPU": slow["CPU s"] / row["CPU s"],
        }
        for row in found
    ]


if __name__ == "__main__":
    main()
