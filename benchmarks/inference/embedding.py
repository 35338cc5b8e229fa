"""How fast a graph neural network embeds all nodes in the database, beside PyG and GDS's own GraphSAGE.

    .venv/bin/python -m benchmarks.inference.embedding

100,000 nodes with 64 features and two million relationships, some nodes with thousands; two-layer GraphSAGE
of 64 dimensions, fan-out [15, 10]; the networks have random weights, which cost what trained ones cost. All
in one run on the same cores. Clock: the median of the rounds after one that warms up; CPU time is that of
client and server together, which a busy machine does not change much. The file is written after each way
and round: a run that is cut short keeps what it has.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import bars, result_file
from benchmarks.transfer.bench_server import BenchServer, Clock, bench_server, busy, clocked, rounded
from gds_pipelines.graph_reader import read_graph
from gds_pipelines.models.block_encoders import BlockEncoder
from gds_pipelines.pyg import BlockBatch, BlockLoader, PygGraph
from gds_pipelines.write_back import mutate_node_properties
from model_export import Artefact, export, open_session
from model_export.block_schema import BlockSchema, Feature, NodeType, Relation

COMMAND = ".venv/bin/python -m benchmarks.inference.embedding"
NODES, LINKS, WIDTH = 100_000, 2_000_000, 64
FANOUTS = (15, 10)
THREADS = 2
BATCH = 1024
OURS = "gnn.embed.write"


def network() -> BlockEncoder:
    schema = BlockSchema(
        types=(NodeType("Item", "id", (Feature("x", "vector", width=WIDTH),)),),
        relations=(Relation("Item", "LINK", "Item", "out"),),
        fanouts=(FANOUTS,),
        seeds=("Item",),
        layers=2,
    )
    return BlockEncoder("graphsage", schema, WIDTH).eval()


def artefact() -> Artefact:
    encoder = network()
    manifest = {
        **encoder.schema.to_manifest(),
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
    return export(encoder, None, manifest)


def fill(server: BenchServer, nodes: int, links: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The graph as ``bench``; features [N, W] and, as PyG has them, links [2, E] by index."""
    server.execute("CREATE CONSTRAINT item_id FOR (n:Item) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(0, $last) AS n CREATE (:Item {id: n})", last=nodes - 1)
    server.execute("CALL db.createRelationshipType('LINK')")
    found = server.execute("CYPHER 5 MATCH (n:Item) RETURN collect(id(n)) AS ids")[0]["ids"]
    # Relationships of the projection need not be stored. The square gives some receivers many.
    server.execute(
        "UNWIND range(0, $links - 1) AS r "
        "WITH $ids[r % $nodes] AS a, $ids[toInteger($nodes * rand() ^ 2)] AS b "
        "WITH gds.graph.project('bench', a, b, {sourceNodeLabels: 'Item', targetNodeLabels: 'Item', "
        "relationshipType: 'LINK'}) AS graph RETURN graph.relationshipCount",
        ids=found,
        nodes=nodes,
        links=links,
    )
    graph = read_graph(server.driver, "bench", layout="coo")
    x = np.random.default_rng(0).normal(size=(nodes, WIDTH)).astype(np.float32)
    mutate_node_properties(server.driver, "bench", graph.nodes["Item"].node_ids, {"x": x})
    (relation,) = graph.relations.values()
    return torch.from_numpy(x), torch.from_numpy(
        np.stack([relation.sources, relation.targets]).astype(np.int64)
    )


class PyGraphSAGE(torch.nn.Module):
    def __init__(self) -> None:
        from torch_geometric.nn import SAGEConv

        super().__init__()
        self.layers = torch.nn.ModuleList(SAGEConv(WIDTH, WIDTH) for _ in FANOUTS)

    def forward(self, x: torch.Tensor, links: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x, links))
        return x


def ways_of(
    server: BenchServer, threads: int, nodes: int, links: int
) -> dict[str, tuple[str, Callable[[], int]]]:
    x, edges = fill(server, nodes, links)
    server.execute("CALL gnn.model.load('bench', $core)", core=artefact().core_zip())
    server.execute(
        "CALL gds.beta.graphSage.train('bench', {modelName: 'bench', featureProperties: ['x'], epochs: 1, "
        "maxIterations: 1, embeddingDimension: $width, sampleSizes: $fanouts, batchSize: $batch, "
        "concurrency: $threads, randomSeed: 1}) "
        "YIELD trainMillis RETURN 1",
        width=WIDTH,
        fanouts=list(FANOUTS),
        batch=BATCH,
        threads=threads,
    )
    torch.set_num_threads(threads)
    pyg = PyGraphSAGE().eval()

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
            "batchSize: $batch, concurrency: $threads}) YIELD nodePropertiesWritten RETURN 1",
            batch=BATCH,
            threads=threads,
        )
        server.execute(
            "CALL gds.graph.nodeProperties.drop('bench', ['gds']) YIELD propertiesRemoved RETURN 1"
        )
        return nodes

    def layer_by_layer() -> int:
        with torch.no_grad():
            return len(pyg(x, edges))

    def sampled() -> int:
        from torch_geometric.data import Data
        from torch_geometric.loader import NeighborLoader

        loader = NeighborLoader(Data(x=x, edge_index=edges), list(FANOUTS), batch_size=BATCH)
        with torch.no_grad():
            return sum(len(pyg(batch.x, batch.edge_index)[: batch.batch_size]) for batch in loader)

    here = PygGraph.of_projection(server.driver, "bench")
    encoder, model = network(), artefact()
    session = open_session(model.model, threads=threads)

    def blocks(embed: Callable[[BlockBatch], np.ndarray]) -> Callable[[], int]:
        return lambda: sum(
            len(embed(batch)) for batch in BlockLoader(here, encoder.schema, "Item", batch_size=BATCH)
        )

    def eager(batch: BlockBatch) -> np.ndarray:
        with torch.no_grad():
            return encoder(*(batch.tensors[name] for name in encoder.tensors)).numpy()

    def onnx(batch: BlockBatch) -> np.ndarray:
        return session.run({name: batch.tensors[name].numpy() for name in encoder.tensors})["embedding"]

    found = {
        "gnn.embed.stats": ("drawn in the database, vectors not kept", ours("stats")),
        "gnn.embed.stats, 1,024 seeds a batch": (
            "the same, in batches as of PyG",
            ours("stats", batchSize=BATCH),
        ),
        OURS: ("vectors on the stored nodes, label and key checked", ours("write", writeProperty="e")),
        "torch, the same network": ("eager, 1,024 seeds a batch, drawn by gnn.graph.sample", blocks(eager)),
        "ONNX Runtime in Python": ("the same model and batches", blocks(onnx)),
        "PyG, SAGEConv layer by layer": (
            "all neighbours, no sampling; the graph is in memory already",
            layer_by_layer,
        ),
    }
    if find_spec("torch_sparse") or find_spec("pyg_lib"):
        found["PyG, NeighborLoader and SAGEConv"] = (
            "drawn, 1,024 seeds a batch; the graph is in memory already",
            sampled,
        )
    return found | {"gds.beta.graphSage.mutate": ("GDS's own, into the projection", gds)}


def measure(
    server: BenchServer, threads: int, nodes: int, links: int, rounds: int
) -> Iterator[list[dict[str, Any]]]:
    """The table after each way of each round."""
    ways = ways_of(server, threads, nodes, links)
    clocks: dict[str, list[Clock]] = {name: [] for name in ways}
    rows: dict[str, int] = {}
    for turn in range(rounds + 1):
        for name, (_, run) in ways.items():
            with clocked(server) as clock:
                rows[name] = run()
            if turn:
                clocks[name].append(clock)
                yield table({name: what for name, (what, _) in ways.items()}, rows, clocks)


def table(ways: dict[str, str], rows: dict[str, int], clocks: dict[str, list[Clock]]) -> list[dict[str, Any]]:
    found = []
    for name, what in ways.items():
        if not clocks[name]:
            continue
        wall = statistics.median(clock.wall for clock in clocks[name])
        cpu = statistics.median(clock.client_cpu + clock.server_cpu for clock in clocks[name])
        found.append(
            {
                "way": name,
                "what": what,
                "nodes": rows[name],
                "seconds": wall,
                "CPU s": cpu,
                "thousand nodes/s": rows[name] / wall / 1e3,
                "thousand nodes/CPU s": rows[name] / cpu / 1e3,
                "rounds": len(clocks[name]),
            }
        )
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--heap", type=int, default=2048, help="heap of the server, MB")
    arguments.add_argument("--threads", type=int, default=THREADS, help="of every way, 1 to 4")
    arguments.add_argument("--nodes", type=int, default=NODES)
    arguments.add_argument("--links", type=int, default=LINKS)
    arguments.add_argument("--rounds", type=int, default=2, help="after one that warms up")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note = busy()
    sampler = "pyg-lib" if find_spec("pyg_lib") else "torch-sparse" if find_spec("torch_sparse") else None
    pyg = (
        f"PyG samples with {sampler}."
        if sampler
        else (
            "PyG's NeighborLoader needs pyg-lib or torch-sparse, which were not installed: nothing is drawn."
        )
    )
    with bench_server(given.heap, given.software) as server:
        for rows in measure(server, given.threads, given.nodes, given.links, given.rounds):
            rows = [rounded(row) for row in rows]
            result_file.write(
                given.out / "embedding.json",
                f"Embedding {given.nodes:,} nodes by a two-layer GraphSAGE, {given.threads} threads",
                COMMAND,
                rows,
                f"{given.nodes:,} nodes with {WIDTH} features, {given.links:,} relationships; "
                f"heap {given.heap} MB. "
                f"{pyg} {note}",
            )
            bars.draw(
                rows,
                {"thousand nodes/s": "by wall time", "thousand nodes/CPU s": "by CPU time"},
                "thousand nodes a second (logarithmic)",
                given.out / "embedding.svg",
            )


if __name__ == "__main__":
    main()
