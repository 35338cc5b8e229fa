"""How fast a projection reaches numpy: our export beside every other way out of Neo4j, in one run.

    .venv/bin/python -m benchmarks.transfer.reading

Graphs are made by ``gds.graph.generate``, with power-law or uniform degrees, and one of users and items by a
Cypher projection. Slow ways read a stated number of rows and are counted per row; all ways end in numpy
arrays. Ours relabels nodes per type, the others leave Neo4j ids as they are. Clock: the median of the rounds,
which take all ways in turn. The files are written after each graph: a run that is cut short keeps what it
has.
"""

import argparse
import gc
import json
import statistics
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo4j
import numpy as np
import pyarrow.csv

from benchmarks import result_file
from benchmarks.transfer.bench_server import BenchServer, bench_server, busy, clocked, rounded
from gds_pipelines import graph_reader
from gds_pipelines.graph_reader import read_graph

COMMAND = ".venv/bin/python -m benchmarks.transfer.reading"
SIZES = {"1m": 10_000, "10m": 100_000, "100m": 1_000_000}
"""Nodes; each has 100 relationships on average."""
DEGREE = 100
POWER_LAW, UNIFORM, TWO_TYPES = "power law", "uniform", "users and items, power law"
STREAMED_ROWS = 300_000
FEATURE_NODES = 1_000_000
FEATURE_WIDTH = 64


@dataclass
class Way:
    """One way to read: ``run`` returns how many rows arrived."""

    name: str
    run: Callable[[BenchServer, str], int]
    largest: int = 10**12
    """It is left out above that many relationships."""
    rounds: int = 3


def exported(layout: str) -> Callable[[BenchServer, str], int]:
    def run(server: BenchServer, graph: str) -> int:
        return sum(map(len, read_graph(server.driver, graph, layout=layout).relations.values()))

    return run


def row_stream(server: BenchServer, graph: str) -> int:
    query = (
        "CALL gds.graph.relationships.stream($graph) YIELD sourceNodeId, targetNodeId "
        "RETURN sourceNodeId AS source, targetNodeId AS target LIMIT $rows"
    )
    with server.driver.session() as session:
        pairs = np.array([record.values() for record in session.run(query, graph=graph, rows=STREAMED_ROWS)])
    return len(pairs)


def gds_client(server: BenchServer, graph: str) -> int:
    from graphdatascience import GraphDataScience

    client = GraphDataScience(server.driver, show_progress=False)
    return len(client.graph.relationships.stream(client.graph.get(graph)))


def collected(server: BenchServer, graph: str) -> int:
    with no_plugin(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sum(map(len, read_graph(server.driver, graph).relations.values()))


@contextmanager
def no_plugin() -> Iterator[None]:
    query = graph_reader._EXPORT
    graph_reader._EXPORT = query.replace("gnn.graph.export", "gnn.graph.nothing")
    try:
        yield
    finally:
        graph_reader._EXPORT = query


def csv_files(server: BenchServer, graph: str) -> int:
    name = f"{graph}{time.monotonic_ns()}"
    server.execute(
        "CALL gds.graph.export.csv($graph, {exportName: $name}) YIELD exportName RETURN 1",
        graph=graph,
        name=name,
    )
    rows = 0
    for path in sorted(server.exports.rglob(f"{name}/relationships_*[0-9].csv")):
        names = pyarrow.csv.ReadOptions(column_names=["source", "target"])
        table = pyarrow.csv.read_csv(path, read_options=names)
        rows += len(table["source"].to_numpy())
        path.unlink()
    return rows


WAYS = [
    Way("gnn.graph.export, CSR", exported("csr"), rounds=9),
    Way("gnn.graph.export, COO", exported("coo"), rounds=9),
    Way(
        "collected lists of plain Cypher (our client without the plugin)",
        collected,
        largest=20_000_000,
        rounds=2,
    ),
    Way("gds.graph.export.csv, read by pyarrow from its folder", csv_files, largest=20_000_000, rounds=2),
    Way(f"driver, a row each ({STREAMED_ROWS:,} rows)", row_stream),
    Way("graphdatascience, to pandas", gds_client, largest=2_000_000, rounds=1),
]


def make_graph(server: BenchServer, size: str, kind: str) -> tuple[str, int]:
    """A projection: its name and how many relationships it has."""
    name = f"{size}-{kind.split()[0]}"
    if kind == TWO_TYPES:
        # Ids of no stored node: the projection does not look. The fifth power makes some items popular.
        made = server.execute(
            "UNWIND range(0, $nodes * $degree - 1) AS r "
            "WITH r % $nodes AS user, $nodes + toInteger($nodes * rand() ^ 5) AS item "
            "WITH gds.graph.project($name, user, item, "
            "{sourceNodeLabels: 'User', targetNodeLabels: 'Item', relationshipType: 'BUY'}) AS graph "
            "RETURN graph.relationshipCount AS relationships",
            name=name,
            nodes=SIZES[size],
            degree=DEGREE,
        )
    else:
        made = server.execute(
            "CALL gds.graph.generate($name, $nodes, $degree, "
            "{relationshipDistribution: $distribution, relationshipSeed: 1}) "
            "YIELD relationships RETURN relationships",
            name=name,
            nodes=SIZES[size],
            degree=DEGREE,
            distribution="POWER_LAW" if kind == POWER_LAW else "UNIFORM",
        )
    return name, made[0]["relationships"]


def measure_relationships(server: BenchServer, size: str, kind: str, ours: bool) -> list[dict[str, Any]]:
    """All ways on the power-law graph; on the others, or where ``ours`` is wished, ours alone."""
    graph, count = make_graph(server, size, kind)
    alone = ours or kind != POWER_LAW
    ways = [way for way in WAYS if count <= way.largest and (not alone or way in WAYS[:2])]
    clocks: dict[str, list[Any]] = {way.name: [] for way in ways}
    rows: dict[str, int] = {}
    for turn in range(max(way.rounds for way in ways) + 1):  # the first round warms up
        for way in ways:
            if turn > way.rounds or (turn == 0 and way.rounds == 1):
                continue
            with clocked(server) as clock:
                rows[way.name] = way.run(server, graph)
            if turn:
                clocks[way.name].append(clock)
    found = []
    for way in ways:
        wall = statistics.median(clock.wall for clock in clocks[way.name])
        found.append(
            {
                "relationships": count,
                "graph": kind,
                "way": way.name,
                "rows read": rows[way.name],
                "seconds": wall,
                "million/s": rows[way.name] / wall / 1e6,
                "best": rows[way.name] / min(clock.wall for clock in clocks[way.name]) / 1e6,
                "client CPU s": statistics.median(clock.client_cpu for clock in clocks[way.name]),
                "server CPU s": statistics.median(clock.server_cpu for clock in clocks[way.name]),
            }
        )
    if kind != POWER_LAW:
        server.execute("CALL gds.graph.drop($graph) YIELD graphName RETURN 1", graph=graph)
        return found
    rate = {row["way"]: row["million/s"] for row in found}
    for row in found:
        row["times slower than CSR"] = rate[WAYS[0].name] / row["million/s"]
    return found


def measure_features(server: BenchServer) -> dict[str, Any]:
    """Nodes with 64 floats each, as FastRP leaves them in the projection."""
    server.execute(
        "CALL gds.graph.generate('features', $nodes, 2) YIELD nodes RETURN nodes", nodes=FEATURE_NODES
    )
    server.execute(
        "CALL gds.fastRP.mutate('features', {embeddingDimension: $width, mutateProperty: 'vector', "
        "iterationWeights: [1.0]}) YIELD nodePropertiesWritten RETURN 1",
        width=FEATURE_WIDTH,
    )
    clocks = []
    for _ in range(4):
        with clocked(server) as clock:
            table = read_graph(server.driver, "features", relationship_types=["REL"]).nodes["__ALL__"]
        assert table["vector"].shape == (FEATURE_NODES, FEATURE_WIDTH)
        clocks.append(clock)
    wall = statistics.median(clock.wall for clock in clocks[1:])
    query = (
        "CALL gds.graph.nodeProperty.stream('features', 'vector') YIELD nodeId, propertyValue "
        "RETURN nodeId, propertyValue LIMIT 50000"
    )
    with clocked(server) as rows, server.driver.session() as session:
        np.array([record["propertyValue"] for record in session.run(query)], np.float32)
    server.execute("CALL gds.graph.drop('features') YIELD graphName RETURN 1")
    return {
        "what": f"{FEATURE_NODES:,} nodes x {FEATURE_WIDTH} float32, with some relationships",
        "seconds": wall,
        "million rows/s": FEATURE_NODES / wall / 1e6,
        "rows of the driver, million/s": 50_000 / rows.wall / 1e6,
    }


def measure_memory(server: BenchServer, size: str) -> dict[str, Any]:
    """The peak of a fresh client, and the heap of the server meanwhile."""
    heap_before, peak, done = server.heap_mb(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            peak[0] = max(peak[0], server.heap_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.transfer.reading", "--child", server.uri, f"{size}-power"],
            input=json.dumps(server.auth),
            capture_output=True,
            text=True,
            check=True,
        )
    finally:
        done.set()
        watcher.join()
    before, after, arrays = json.loads(child.stdout)
    return {
        "relationships": size,
        "arrays MB": arrays,
        "client peak MB above its start": after - before,
        "times the arrays": (after - before) / arrays,
        "server heap before MB": heap_before,
        "server heap peak MB, garbage included": peak[0],
    }


def resident_mb(field: str) -> float:
    """``VmRSS`` (now) or ``VmHWM`` (the peak) of this process; getrusage's peak is the parent's at first."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field)) * 1024 / 1e6


def child(uri: str, graph_name: str) -> None:
    """Reads in a process of its own and prints its memory in MB before, at the peak, and of the arrays."""
    user, password = json.loads(sys.stdin.read())
    with neo4j.GraphDatabase.driver(uri, auth=(user, password)) as driver:
        read_graph(driver, "1m-power")  # what is loaded once is not counted
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts from here
        before = resident_mb("VmRSS")
        graph = read_graph(driver, graph_name)
        arrays = sum(
            relation.targets.nbytes + relation.offsets.nbytes for relation in graph.relations.values()
        )
        arrays += sum(table.node_ids.nbytes for table in graph.nodes.values())
        after = resident_mb("VmHWM")
    print(json.dumps([before, after, arrays / 1e6]))


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "gnn4j", "svg.fonttype": "none"}
    import matplotlib.pyplot as plt

    rows = [row for row in rows if row["graph"] == POWER_LAW]
    sizes = list(dict.fromkeys(row["relationships"] for row in rows))
    ways = [way.name for way in WAYS]
    figure, axis = plt.subplots(figsize=(9, 0.5 + 0.35 * len(ways) * len(sizes)), layout="constrained")
    height = 0.8 / len(sizes)
    for position, size in enumerate(sizes):
        rates = {row["way"]: row["million/s"] for row in rows if row["relationships"] == size}
        at = [index + position * height for index, way in enumerate(ways) if way in rates]
        bars = axis.barh(
            at, [rates[way] for way in ways if way in rates], height, label=f"{size:,} relationships"
        )
        axis.bar_label(bars, fmt="%.3g", padding=2, fontsize=8)
    axis.set_xscale("log")
    axis.set_yticks([index + 0.4 - height / 2 for index in range(len(ways))], ways, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("million relationships a second, until they are numpy arrays (logarithmic)")
    axis.legend(fontsize=8)
    axis.margins(x=0.15)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    if "--child" in sys.argv:
        child(*sys.argv[2:])
        return
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--sizes", nargs="+", choices=SIZES, default=["1m", "10m"])
    arguments.add_argument("--ours", action="store_true", help="measure our ways alone")
    arguments.add_argument("--heap", type=int, default=4096, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note = busy()
    with bench_server(given.heap, given.software) as server:
        rows: list[dict[str, Any]] = []
        for size in given.sizes:
            kinds = (POWER_LAW, UNIFORM, TWO_TYPES) if SIZES[size] <= SIZES["10m"] else (POWER_LAW,)
            for kind in kinds:
                rows += map(rounded, measure_relationships(server, size, kind, given.ours))
                write_reading(given, rows, note)
        features = rounded(measure_features(server))
        write_reading(given, rows, note, features=features)
        result_file.write(given.out / "features.json", "Reading node features", COMMAND, [features], note)
        memory = []
        for size in given.sizes[1:]:
            memory.append(rounded(measure_memory(server, size)))
            result_file.write(
                given.out / "memory.json", "Memory while reading a projection", COMMAND, memory, note
            )


def write_reading(given: argparse.Namespace, rows: list[dict[str, Any]], note: str, **more: Any) -> None:
    result_file.write(
        given.out / "reading.json",
        "Reading a projection into numpy",
        COMMAND,
        rows,
        f"{DEGREE} relationships a node; server and client on one machine, heap {given.heap} MB. {note}",
        **more,
    )
    plot(rows, given.out / "reading.svg")


if __name__ == "__main__":
    main()
