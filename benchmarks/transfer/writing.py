"""How fast vectors come back: our write-back beside UNWIND, and into a projection.

    .venv/bin/python -m benchmarks.transfer.writing

All ways write vectors to the same nodes, in batches of the same size, and take turns: to a property that is
not there yet, as a new version of a model does, and over the vectors of the round before, of which none
stays the same. Clock: the median of the rounds after one that warms up. The file is written after every
round: a run that is cut short keeps what it has.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import bars, result_file
from benchmarks.transfer.bench_server import BenchServer, Clock, bench_server, busy, clocked, rounded
from gds_pipelines.write_back import mutate_node_properties, write_node_properties

COMMAND = ".venv/bin/python -m benchmarks.transfer.writing"
NODES = 100_000
WIDTH = 64
BATCH = 5_000
ROUNDS = 3
NEW, OVER = "a property that is not there yet", "over other vectors"
BY_KEY = "UNWIND by key"


@dataclass(frozen=True)
class Way:
    """``run`` writes these vectors to that property; ``where`` is NEW, OVER or a word for another place."""

    name: str
    where: str
    run: Callable[[np.ndarray, str], int]


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
        for found in measure(server, given.nodes, given.rounds):
            rows = [rounded(row) for row in found]
            result_file.write(
                given.out / "writing.json",
                f"Writing {WIDTH} float32 a node back",
                COMMAND,
                rows,
                f"{given.nodes:,} nodes with a unique key, {BATCH:,} a transaction. "
                f"gnn.nodeProperty.write checks label and key of each node. {note}",
            )
            bars.draw(
                rows,
                {"thousand rows/s": "by wall time", "thousand rows/CPU s": "by CPU time"},
                "thousand vectors a second (logarithmic)",
                given.out / "writing.svg",
            )


def measure(server: BenchServer, nodes: int, rounds: int) -> Iterator[list[dict[str, Any]]]:
    """The table after each round."""
    server.execute("CREATE CONSTRAINT item_id FOR (n:Item) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(0, $last) AS n CREATE (:Item {id: n})", last=nodes - 1)
    server.execute("CALL gds.graph.project('items', 'Item', '*') YIELD nodeCount RETURN 1")
    found = server.execute("CYPHER 5 MATCH (n:Item) RETURN id(n) AS id ORDER BY n.id")
    ids = np.array([record["id"] for record in found])
    random = np.random.default_rng(0)

    def plugin(threads: int) -> Callable[[np.ndarray, str], int]:
        def run(vectors: np.ndarray, name: str) -> int:
            report = write_node_properties(
                server.driver,
                "Item",
                ids,
                {name: vectors},
                key="id",
                keys=np.arange(nodes),
                batch_size=BATCH,
                concurrency=threads,
            )
            assert report.written == nodes, report
            return nodes

        return run

    def unwind(vectors: np.ndarray, name: str) -> int:
        """What people write by hand: rows of key and list, found by an index."""
        query = "UNWIND $rows AS row MATCH (n:Item {id: row.key}) SET n[$name] = row.vector RETURN count(*)"
        for start in range(0, nodes, BATCH):
            part = vectors[start : start + BATCH].tolist()
            rows = [{"key": start + at, "vector": vector} for at, vector in enumerate(part)]
            server.execute(query, rows=rows, name=name)
        return nodes

    def mutate(vectors: np.ndarray, name: str) -> int:
        done = mutate_node_properties(server.driver, "items", ids, {name: vectors}, if_exists="replace")
        return done[name][0]

    ways = [
        Way("gnn.nodeProperty.write, 1 thread", NEW, plugin(1)),
        Way("gnn.nodeProperty.write, 2 threads", NEW, plugin(2)),
        Way(BY_KEY, NEW, unwind),
        Way("gnn.nodeProperty.write, 1 thread", OVER, plugin(1)),
        Way("gnn.nodeProperty.write, 2 threads", OVER, plugin(2)),
        Way(BY_KEY, OVER, unwind),
        Way("gnn.nodeProperty.mutate", "a projection", mutate),
    ]
    clocks: dict[Way, list[Clock]] = {way: [] for way in ways}
    for turn in range(rounds + 1):
        for at, way in enumerate(ways):
            vectors = random.random((nodes, WIDTH), np.float32)
            name = f"vector{at}_{turn}" if way.where == NEW else f"vector{at}"
            with clocked(server) as clock:
                way.run(vectors, name)
            if turn:
                clocks[way].append(clock)
        if turn:
            yield table(clocks, nodes)


def table(clocks: dict[Way, list[Clock]], nodes: int) -> list[dict[str, Any]]:
    wall = {way: statistics.median(clock.wall for clock in found) for way, found in clocks.items()}
    client = {way: statistics.median(clock.client_cpu for clock in found) for way, found in clocks.items()}
    served = {way: statistics.median(clock.server_cpu for clock in found) for way, found in clocks.items()}
    slow = {way.where: way for way in clocks if way.name == BY_KEY}
    rows = []
    for way, found in clocks.items():
        row = {
            "way": f"{way.name}, {way.where}",
            "rows": nodes,
            "seconds": wall[way],
            "thousand rows/s": nodes / wall[way] / 1e3,
            "client CPU s": client[way],
            "server CPU s": served[way],
            "thousand rows/CPU s": nodes / (client[way] + served[way]) / 1e3,
            "rounds": len(found),
        }
        if other := slow.get(way.where):
            row["times UNWIND, wall"] = wall[other] / wall[way]
            row["times UNWIND, CPU"] = (client[other] + served[other]) / (client[way] + served[way])
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
