"""How fast sampled neighbourhoods reach Python as torch tensors: ours beside PyG, in one run.

    .venv/bin/python -m benchmarks.sampling.neighbours

Fan-out [15, 10], 1,024 seeds a batch, without replacement. Three kinds of graph of ``gds.graph.generate``,
parallel relationships left out, so that both sides draw from the same lists: power law with few
relationships a node (average 20), with hubs (average 100), and uniform (average 20). An edge is a
relationship drawn and delivered. Ways take turns; the median of the rounds counts. CPU time is that of client
and server together, which a busy machine does not change much; the cost of an edge is by that time. PyG needs
torch-sparse or pyg-lib to sample; the note says which it was.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import bars, result_file
from benchmarks.transfer.bench_server import BenchServer, Clock, bench_server, busy, clocked, rounded
from gds_pipelines.graph_reader import read_graph
from gds_pipelines.sampling import BlockSample, sample_graph

COMMAND = ".venv/bin/python -m benchmarks.sampling.neighbours"
FAN_OUT = [15, 10]
BATCH = 1024
KINDS = {"low degree": ("POWER_LAW", 20), "hubs": ("POWER_LAW", 100), "uniform": ("UNIFORM", 20)}
"""Distribution of degrees, and relationships a node on average."""
SIZES = {"1m": 1_000_000, "10m": 10_000_000, "100m": 100_000_000}
USUAL = ["1m", "10m"]
# Doubles between these two are whole numbers, so a random property can be a time.
EARLIEST, LATEST = 2.0**52, 2.0**53


@dataclass
class Bench:
    """One graph, in the database and as PyG holds it; ``seeds`` are batches of indices."""

    server: BenchServer
    name: str
    node_ids: np.ndarray
    edge_index: torch.Tensor
    seeds: np.ndarray
    kept: dict[str, Any] = field(default_factory=dict)
    """What PyG builds once."""


@dataclass
class Way:
    """One way to sample; ``run`` returns the edges that arrived."""

    name: str
    run: Callable[[Bench], int]
    needs: tuple[str, ...] = ()


def ours(layout: str, concurrency: int, **options: Any) -> Callable[[Bench], int]:
    def run(bench: Bench) -> int:
        edges = 0
        for sample in sample_graph(
            bench.server.driver,
            bench.name,
            fan_out=FAN_OUT,
            seeds=bench.node_ids[bench.seeds.ravel()],
            layout=layout,
            batch_size=BATCH,
            direction="in",
            concurrency=concurrency,
            **options,
        ):
            tensors = [torch.from_numpy(column) for column in tensors_of(sample)]
            edges += sample.edges
            del tensors
        return edges

    return run


def tensors_of(sample: Any) -> Iterator[np.ndarray]:
    """What a model reads, as int64 where PyG has int64."""
    if isinstance(sample, BlockSample):
        # Positions stay int32: torch gathers by them.
        yield from (column.copy() for name, column in sample.columns.items() if name[:3] != "id_")
    else:
        yield from sample.node.values()
        yield from (np.stack([sample.row[key], sample.col[key]]) for key in sample.row)


def pyg(bench: Bench) -> int:
    from torch_geometric.data import Data
    from torch_geometric.loader import NeighborLoader

    if "loader" not in bench.kept:
        bench.kept["loader"] = NeighborLoader(
            Data(edge_index=bench.edge_index, num_nodes=len(bench.node_ids)),
            num_neighbors=FAN_OUT,
            batch_size=BATCH,
            input_nodes=torch.from_numpy(bench.seeds.ravel()),
        )
    return sum(batch.edge_index.size(1) for batch in bench.kept["loader"])


def raw_torch_sparse(bench: Bench) -> int:
    """The operator under the loader, called alone."""
    from torch_geometric.data import Data
    from torch_geometric.sampler.utils import to_csc

    if "lists" not in bench.kept:
        data = Data(edge_index=bench.edge_index, num_nodes=len(bench.node_ids))
        bench.kept["lists"] = to_csc(data, device="cpu", share_memory=False, is_sorted=False)[:2]
    colptr, row = bench.kept["lists"]
    edges = 0
    for seeds in bench.seeds:
        found = torch.ops.torch_sparse.neighbor_sample(
            colptr, row, torch.from_numpy(seeds), FAN_OUT, False, True
        )
        edges += len(found[1])
    return edges


TIMED = {"time_property": "at", "before": int((EARLIEST + LATEST) / 2)}
WAYS = [
    Way("gnn.graph.sample, COO, 1 thread", ours("coo", 1)),
    Way("gnn.graph.sample, blocks, 1 thread", ours("blocks", 1)),
    Way("gnn.graph.sample, blocks, 2 threads", ours("blocks", 2)),
    Way("gnn.graph.sample, blocks, one time for all, 1 thread", ours("blocks", 1, **TIMED)),
    Way(
        "gnn.graph.sample, blocks, a time for each seed, 1 thread",
        lambda bench: ours("blocks", 1, time_property="at", before=times(bench))(bench),
    ),
    Way("gnn.graph.sample, blocks, weighted, 1 thread", ours("blocks", 1, weight_property="at")),
    Way("PyG NeighborLoader, torch-sparse, no workers", pyg, ("torch_sparse",)),
    Way("torch_sparse.neighbor_sample, the bare operator", raw_torch_sparse, ("torch_sparse",)),
]
BASE = "PyG NeighborLoader, torch-sparse, no workers"
UNIFORM = "gnn.graph.sample, blocks, 1 thread"


def times(bench: Bench) -> np.ndarray:
    """[S] – a whole number between the earliest and the latest time for each seed."""
    return np.random.default_rng(2).integers(int(EARLIEST), int(LATEST), bench.seeds.size)


def prepare(server: BenchServer, kind: str, size: str, batches: int) -> Bench:
    distribution, degree = KINDS[kind]
    name = f"{size}_{kind.split()[0]}"
    server.execute(
        "CALL gds.graph.generate($name, $nodes, $degree, {relationshipDistribution: $distribution, "
        "relationshipSeed: 1, aggregation: 'SINGLE', "
        "relationshipProperty: {name: 'at', type: 'RANDOM', min: $least, max: $most}}) YIELD nodes RETURN 1",
        name=name,
        nodes=SIZES[size] // degree,
        degree=degree,
        distribution=distribution,
        least=EARLIEST,
        most=LATEST,
    )
    graph = read_graph(server.driver, name, layout="coo", relationship_properties=[])
    (relation,) = graph.relations.values()
    (nodes,) = graph.nodes.values()
    # Receivers are the ends that relationships leave: PyG draws along edge_index[1].
    edges = np.unique(relation.sources.astype(np.int64) << 32 | relation.targets)
    edge_index = torch.from_numpy(np.stack([edges & 0xFFFFFFFF, edges >> 32]))
    chance = np.random.default_rng(1)
    seeds = np.stack([chance.choice(len(nodes), BATCH, replace=False) for _ in range(batches)])
    return Bench(server, name, nodes.node_ids, edge_index, seeds.astype(np.int64))


def measure(bench: Bench, kind: str, rounds: int) -> list[dict[str, Any]]:
    ways = [way for way in WAYS if all(find_spec(module) for module in way.needs)]
    clocks: dict[str, list[Clock]] = {way.name: [] for way in ways}
    edges: dict[str, int] = {}
    first: dict[str, float] = {}
    for turn in range(rounds + 1):  # the first round builds caches and warms up
        for way in ways:
            started = time.perf_counter()
            with clocked(bench.server) as clock:
                edges[way.name] = way.run(bench)
            if turn == 0:
                first[way.name] = time.perf_counter() - started
            else:
                clocks[way.name].append(clock)
    degrees = np.bincount(bench.edge_index[1].numpy(), minlength=len(bench.node_ids))
    rows = []
    for way in ways:
        wall = statistics.median(clock.wall for clock in clocks[way.name])
        cpu = statistics.median(clock.client_cpu + clock.server_cpu for clock in clocks[way.name])
        rows.append(
            {
                "graph": kind,
                "relationships": bench.edge_index.size(1),
                "median degree": int(np.median(degrees)),
                "largest degree": int(degrees.max()),
                "way": way.name,
                "edges": edges[way.name],
                "million edges/s": edges[way.name] / wall / 1e6,
                "best": edges[way.name] / min(clock.wall for clock in clocks[way.name]) / 1e6,
                "million edges/CPU s": edges[way.name] / cpu / 1e6,
                "first call s": first[way.name],
            }
        )
    for column, ratio in (("million edges/s", "times PyG"), ("million edges/CPU s", "times PyG by CPU")):
        rate = {row["way"]: row[column] for row in rows}
        for row in rows:
            row[ratio] = row[column] / rate[BASE] if BASE in rate else None
    for row in rows:
        row["cost of an edge, times uniform"] = rate[UNIFORM] / row["million edges/CPU s"]
    return rows


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--sizes", nargs="+", choices=SIZES, default=USUAL)
    arguments.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    arguments.add_argument("--batches", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--heap", type=int, default=3072, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    versions = [f"PyG {_version('torch_geometric')}"]
    versions += [
        f"{module} {_version(module)}" if find_spec(module) else f"no {module}"
        for module in ("torch_sparse", "pyg_lib")
    ]
    note = (
        f"{', '.join(versions)}. pyg-lib, PyG's faster sampler, is on no package index and was not compared. "
        f"Server and client on one machine, heap {given.heap} MB, {given.batches} batches a round, "
        f"{given.rounds} rounds. The first call builds the lists. {busy()}"
    )
    rows = []
    with bench_server(given.heap, given.software) as server:
        for size in given.sizes:
            for kind in given.kinds:
                bench = prepare(server, kind, size, given.batches)
                rows += [rounded(row) for row in measure(bench, kind, given.rounds)]
                server.execute("CALL gds.graph.drop($name) YIELD graphName RETURN 1", name=bench.name)
                # After each graph: a run that is stopped keeps what it measured.
                result_file.write(
                    given.out / "neighbours.json",
                    "Sampled neighbourhoods, [15, 10] x 1,024 seeds, as torch tensors",
                    COMMAND,
                    rows,
                    note,
                )
                plot(rows, given.out / "neighbours.svg")


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """A bar a way for each graph."""
    by_way: dict[str, dict[str, Any]] = {}
    graphs: dict[str, str] = {}
    for row in rows:
        graph = f"{row['graph']}, {row['relationships']:,} relationships"
        graphs[graph] = graph
        by_way.setdefault(row["way"], {"way": row["way"]})[graph] = row["million edges/s"]
    bars.draw(list(by_way.values()), graphs, "million edges a second (logarithmic)", path)


def _version(module: str) -> str:
    from importlib import import_module

    return str(import_module(module).__version__)


if __name__ == "__main__":
    main()
