"""How fast vectors come back: our write-back beside UNWIND, and into a projection.

.venv/bin/python -m benchmarks.transfer.writing
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
from benchmarks.transfer.bench_server import BenchServer, bench_server, busy, clocked, rounded
from gds_pipelines import write_back
from gds_pipelines.write_back import mutate_node_properties, write_node_properties

COMMAND = ".venv/bin/python -m benchmarks.transfer.writing"
NODES = 100_000
WIDTH = 64
SLOW_NODES = 20_000


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


def set_vectors(server: BenchServer, ids: np.ndarray, vectors: np.ndarray) -> int:
    """What people write by hand: rows of id and list, found by key."""
    rows = [
        {"key": key, "vector": vector} for key, vector in zip(range(len(ids)), vectors.tolist(), strict=True)
    ]
    query = "UNWIND $rows AS row MATCH (n:Item {id: row.key}) SET n.vector = row.vector RETURN count(*)"
    for start in range(0, len(rows), 5_000):
        server.execute(query, rows=rows[start : start + 5_000])
    return len(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--heap", type=int, default=2048, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note = busy()
    with bench_server(given.heap, given.software) as server:
        rows = measure(server)
    result_file.write(
        given.out / "writing.json",
        f"Writing {WIDTH} float32 a node back",
        COMMAND,
        [rounded(row) for row in rows],
        note,
    )


def measure(server: BenchServer) -> list[dict[str, Any]]:
    server.execute("CREATE CONSTRAINT item_id FOR (n:Item) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(0, $last) AS n CREATE (:Item {id: n})", last=NODES - 1)
    server.execute("CALL gds.graph.project('items', 'Item', '*') YIELD nodeCount RETURN 1")
    found = server.execute("CYPHER 5 MATCH (n:Item) RETURN id(n) AS id ORDER BY n.id")
    ids = np.array([record["id"] for record in found])
    vectors = np.random.default_rng(0).random((NODES, WIDTH), np.float32)

    def plugin(threads: int) -> Callable[[], int]:
        def run() -> int:
            report = write_node_properties(
                server.driver,
                "Item",
                ids,
                {"vector": vectors},
                key="id",
                keys=np.arange(NODES),
                concurrency=threads,
            )
            assert report.written == NODES, report
            return NODES

        return run

    def by_id() -> int:
        with no_plugin():
            write_node_properties(server.driver, "Item", ids[:SLOW_NODES], {"vector": vectors[:SLOW_NODES]})
        return SLOW_NODES

    def mutate() -> int:
        done = mutate_node_properties(server.driver, "items", ids, {"vector": vectors}, if_exists="replace")
        return done["vector"][0]

    ways: dict[str, Callable[[], int]] = {
        "gnn.nodeProperty.write, 1 thread, label and key checked": plugin(1),
        "gnn.nodeProperty.write, 2 threads, label and key checked": plugin(2),
        f"UNWIND by key ({SLOW_NODES:,} rows)": lambda: set_vectors(
            server, ids[:SLOW_NODES], vectors[:SLOW_NODES]
        ),
        f"UNWIND by id, our client without the plugin ({SLOW_NODES:,} rows)": by_id,
        "gnn.nodeProperty.mutate, into a projection": mutate,
    }
    clocks: dict[str, list[Any]] = {name: [] for name in ways}
    rows = {}
    for turn in range(6):
        for name, run in ways.items():
            with clocked(server) as clock:
                rows[name] = run()
            if turn:
                clocks[name].append(clock)
    table = []
    for name in ways:
        wall = statistics.median(clock.wall for clock in clocks[name])
        table.append(
            {
                "way": name,
                "rows": rows[name],
                "seconds": wall,
                "thousand rows/s": rows[name] / wall / 1e3,
                "client CPU s": statistics.median(clock.client_cpu for clock in clocks[name]),
                "server CPU s": statistics.median(clock.server_cpu for clock in clocks[name]),
            }
        )
    return table


if __name__ == "__main__":
    main()
