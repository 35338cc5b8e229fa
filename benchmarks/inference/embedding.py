"""How fast a graph neural network embeds all nodes in the database, beside PyG and GDS's own GraphSAGE.

    .venv/bin/python -m benchmarks.inference.embedding

100,000 nodes with 64 features and a power-law graph; two-layer GraphSAGE of 64 dimensions, fan-out [15, 10];
the networks have random weights, which cost what trained ones cost. All in one run on the same cores. Clock:
the median of the rounds, which take all ways in turn, after one that warms up.
"""

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import result_file
from benchmarks.transfer.bench_server import BenchServer, bench_server, busy, clocked, rounded
from gds_pipelines.models.block_encoders import BlockEncoder
from gds_pipelines.write_back import write_node_properties
from model_export import Artefact, export
from model_export.block_schema import BlockSchema, Feature, NodeType, Relation

COMMAND = ".venv/bin/python -m benchmarks.inference.embedding"
NODES, LINKS, WIDTH = 100_000, 1_000_000, 64
FANOUTS = (15, 10)
UNWOUND = 20_000
THREADS = 2


def artefact() -> Artefact:
    schema = BlockSchema(
        types=(NodeType("Item", "id", (Feature("x", "vector", width=WIDTH),)),),
        relations=(Relation("Item", "LINK", "Item", "out"),),
        fanouts=(FANOUTS,),
        seeds=("Item",),
        layers=2,
    )
    manifest = {
        **schema.to_manifest(),
        "contract": "padded-blocks/1",
        "model": "graphsage",
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0.1.0",
        "dimension": WIDTH,
        "similarity": "cosine",
        "task": {},
        "training": {"graph": {}, "cutoff": None, "seed": 0, "hyperparameters": {}},
        "metrics": [],
    }
    return export(BlockEncoder("graphsage", schema, WIDTH), None, manifest)


def fill(server: BenchServer) -> tuple[np.ndarray, np.ndarray]:
    """The graph in the database and as ``bench``; features [N, W] and links [2, E] by ``id``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(NODES, WIDTH)).astype(np.float32)
    ends = [(NODES * rng.random(LINKS) ** 2).astype(np.int64), rng.integers(0, NODES, LINKS)]
    server.execute("CREATE CONSTRAINT item_id FOR (n:Item) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(0, $last) AS n CREATE (:Item {id: n})", last=NODES - 1)
    for start in range(0, LINKS, 50_000):
        server.execute(
            "UNWIND $rows AS row MATCH (a:Item {id: row[0]}), (b:Item {id: row[1]}) CREATE (a)-[:LINK]->(b)",
            rows=np.stack([end[start : start + 50_000] for end in ends], 1).tolist(),
        )
    found = server.execute("CYPHER 5 MATCH (n:Item) RETURN id(n) AS id ORDER BY n.id")
    ids = np.array([record["id"] for record in found])
    write_node_properties(server.driver, "Item", ids, {"x": x}, key="id", keys=np.arange(NODES))
    server.execute(
        "CALL gds.graph.project('bench', {Item: {properties: 'x'}}, 'LINK') YIELD nodeCount RETURN 1"
    )
    return x, np.stack(ends)


class PyGraphSAGE(torch.nn.Module):
    def __init__(self) -> None:
        from torch_geometric.nn import SAGEConv

        super().__init__()
        self.layers = torch.nn.ModuleList(SAGEConv(WIDTH, WIDTH) for _ in FANOUTS)

    def forward(self, x: torch.Tensor, links: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x, links))
        return x


def measure(server: BenchServer, threads: int) -> list[dict[str, Any]]:
    x, links = fill(server)
    server.execute("CALL gnn.model.load('bench', $core)", core=artefact().core_zip())
    server.execute(
        "CALL gds.beta.graphSage.train('bench', {modelName: 'bench', featureProperties: ['x'], epochs: 1, "
        "maxIterations: 1, embeddingDimension: $width, sampleSizes: $fanouts, batchSize: 1024, "
        "concurrency: $threads, randomSeed: 1}) "
        "YIELD trainMillis RETURN 1",
        width=WIDTH,
        fanouts=list(FANOUTS),
        threads=threads,
    )
    torch.set_num_threads(threads)
    network, tensors = PyGraphSAGE().eval(), (torch.from_numpy(x), torch.from_numpy(links))

    def ours(mode: str, **config: Any) -> Callable[[], int]:
        def run() -> int:
            row = server.execute(
                f"CALL gnn.embed.{mode}('bench', $config)",
                config={"model": "bench:1", "concurrency": threads, **config},
            )[0]
            return row["nodeCount"]

        return run

    def gds() -> int:
        server.execute(
            "CALL gds.beta.graphSage.mutate('bench', {modelName: 'bench', mutateProperty: 'gds', "
            "batchSize: 1024, concurrency: $threads}) YIELD nodePropertiesWritten RETURN 1",
            threads=threads,
        )
        server.execute(
            "CALL gds.graph.nodeProperties.drop('bench', ['gds']) YIELD propertiesRemoved RETURN 1"
        )
        return NODES

    def pyg() -> int:
        with torch.no_grad():
            return len(network(*tensors))

    def unwound() -> int:
        query = "UNWIND $rows AS row MATCH (n:Item {id: row.id}) SET n.y = row.v RETURN count(*)"
        rows = [{"id": at, "v": vector} for at, vector in enumerate(x[:UNWOUND].tolist())]
        for start in range(0, UNWOUND, 5_000):
            server.execute(query, rows=rows[start : start + 5_000])
        return UNWOUND

    ways: dict[str, tuple[str, Callable[[], int]]] = {
        "gnn.embed.stats": ("drawn in the database, vectors not kept", ours("stats")),
        "gnn.embed.stats, 1,024 seeds a batch": ("the same, in small batches", ours("stats", batchSize=1024)),
        "gnn.embed.write": (
            "vectors on the stored nodes, label and key checked",
            ours("write", writeProperty="e"),
        ),
        "gds.beta.graphSage.mutate": ("GDS's own, into the projection", gds),
        "PyG, SAGEConv layer by layer": ("all neighbours, no sampling; the graph is in memory already", pyg),
        f"UNWIND by key ({UNWOUND:,} rows)": ("only writes vectors that are there", unwound),
    }
    clocks: dict[str, list[Any]] = {name: [] for name in ways}
    rows = {}
    for turn in range(3):
        for name, (_, run) in ways.items():
            with clocked(server) as clock:
                rows[name] = run()
            if turn:
                clocks[name].append(clock)
    written = server.execute(
        "CALL gnn.embed.write('bench', {model: 'bench:1', writeProperty: 'e', concurrency: $n})", n=threads
    )[0]
    table = []
    for name, (what, _) in ways.items():
        wall = statistics.median(clock.wall for clock in clocks[name])
        table.append(
            {
                "way": name,
                "what": what,
                "nodes": rows[name],
                "seconds": wall,
                "thousand nodes/s": rows[name] / wall / 1e3,
                "client CPU s": statistics.median(clock.client_cpu for clock in clocks[name]),
                "server CPU s": statistics.median(clock.server_cpu for clock in clocks[name]),
            }
        )
    table.append(
        {
            "way": "gnn.embed.write, its writeMillis alone",
            "what": "the write-back of its last round, label and key checked",
            "nodes": NODES,
            "seconds": written["writeMillis"] / 1e3,
            "thousand nodes/s": NODES / written["writeMillis"],
            "client CPU s": None,
            "server CPU s": None,
        }
    )
    return table


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--heap", type=int, default=2048, help="heap of the server, MB")
    arguments.add_argument("--threads", type=int, default=THREADS, help="of every way, 1 to 4")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note = busy()
    with bench_server(given.heap, given.software) as server:
        rows = measure(server, given.threads)
    result_file.write(
        given.out / "embedding.json",
        f"Embedding {NODES:,} nodes by a two-layer GraphSAGE, {given.threads} threads",
        COMMAND,
        [rounded(row) for row in rows],
        f"{NODES:,} nodes with {WIDTH} features, {LINKS:,} relationships. PyG's NeighborLoader needs "
        f"pyg-lib or torch-sparse, which were not installed: its figure has no sampling. {note}",
    )


if __name__ == "__main__":
    main()
