"""The short table of figures in the README, made from committed result files and nothing else.

Written by ``python -m benchmarks.results_page``. Each row names the result file it is taken from; a file or
row that is not there any more is an error, so that the README cannot keep a figure that nobody measured.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- figures: made by benchmarks.results_page -->", "<!-- end of figures -->"
EXACT, NOT_QUANTIZED = "gnn.recommend.stream, exact", "vector index, not quantized, 100 asked for"
TEN_MILLION = 10_009_418
"""Relationships that ``gds.graph.generate`` makes of the power-law graph of ten million."""


def refreshed(text: str, results: list[dict[str, Any]]) -> str:
    """The README with the table of today.

    Raises:
        ValueError: when the README has no place for it.
        LookupError: when a figure is in no result file.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The README has no lines {BEGIN!r} and {END!r} for the figures to stand between.")
    return f"{before}{BEGIN}\n{table(results)}{END}{after}"


def table(results: list[dict[str, Any]]) -> str:
    files = {result["file"]: result for result in results}

    def row(file: str, **wanted: Any) -> Mapping[str, Any]:
        if file not in files:
            raise LookupError(f"No result file {file}; measured are {', '.join(files)}.")
        for found in files[file]["rows"]:
            if all(found.get(name) == value for name, value in wanted.items()):
                return found
        raise LookupError(f"{file} has no row with {wanted}.")

    def read(way: str) -> float:
        file = "transfer/results/reading.json"
        return row(file, relationships=TEN_MILLION, graph="power law", way=way)["million/s"]

    def listed(way: str) -> Mapping[str, Any]:
        return row("serving/results/lists.json", items=100_000, D=128, clients=1, way=way)

    def drawn(way: str) -> float:
        return row("sampling/results/neighbours.json", graph="low degree", way=way)["million edges/s"]

    def stored(way: str) -> float:
        way = f"{way}, a property that is not there yet"
        return row("transfer/results/writing.json", way=way)["thousand rows/s"]

    def embedded(way: str) -> float:
        return row("inference/results/embedding.json", way=way)["thousand nodes/s"]

    def epoch(way: str) -> float:
        return row("training/results/gowalla-steps.json", way=way)["s an epoch"]

    def ranked(model: str) -> str:
        found = row(f"accuracy/results/gowalla-{model}-seed1.json")
        return f"{found['recall@20']:.4f} / {found['ndcg@20']:.4f}"

    def minutes(model: str, seconds: str) -> str:
        return f"{row('training/results/large.json', model=model)[seconds] / 60:.1f}"

    ours, index, cypher = listed(EXACT), listed(NOT_QUANTIZED), listed("collaborative filtering in Cypher")
    rows = driver_rows(files["transfer/results/reading.json"]["rows"])
    lines = [
        ("measured", "gnn4j", "beside it, on the same machine"),
        ("---", "---", "---"),
        (
            "10 M relationships of a projection, until they are numpy arrays",
            f"{read('gnn.graph.export, CSR'):.0f} M/s",
            f"the driver's rows {rows:.2g} M/s; collected lists "
            f"{read('collected lists of plain Cypher (our client without the plugin)'):.2g} M/s",
        ),
        (
            "neighbourhoods [15, 10] of 1,024 seeds, as torch tensors",
            f"{drawn('gnn.graph.sample, blocks, 1 thread'):.1f} M edges/s",
            f"PyG's NeighborLoader in memory {drawn('PyG NeighborLoader, torch-sparse, no workers'):.1f}",
        ),
        (
            "100,000 nodes by a two-layer GraphSAGE, vectors stored",
            f"{embedded('gnn.embed.write'):.0f} k nodes/s",
            f"PyG with NeighborLoader, not stored {embedded('PyG, NeighborLoader and SAGEConv'):.1f}; "
            f"GDS GraphSAGE, into a projection {embedded('gds.beta.graphSage.mutate'):.0f}",
        ),
        (
            "100,000 vectors of 64 written to stored nodes",
            f"{stored('gnn.nodeProperty.write, 2 threads'):.0f} k rows/s",
            f"`UNWIND` by key {stored('UNWIND by key'):.0f}",
        ),
        (
            "the ten best of 100,000 items x 128 over Bolt, p50 / p99",
            f"{ours['p50 ms']:.1f} / {ours['p99 ms']:.0f} ms, exact",
            f"vector index {index['p50 ms']:.0f} / {index['p99 ms']:.0f} ms, recall "
            f"{index['recall@10']:.2f}; collaborative filtering in Cypher "
            f"{cypher['p50 ms']:.0f} / {cypher['p99 ms']:.0f} ms",
        ),
        (
            "an epoch of LightGCN on gowalla: the same step, batches of 2,048; and as shipped",
            f"{epoch('lightgcn-full, 2,048 pairs'):,.0f} s; `lightgcn` "
            f"{epoch('lightgcn as shipped, 1,024 users'):,.0f} s",
            f"LightGCN-PyTorch's way {epoch('as LightGCN-PyTorch, 2,048 pairs'):,.0f} s; PyG's on "
            f"`edge_index` {epoch('as PyG edge_index, 2,048 pairs'):,.0f} s",
        ),
        (
            "gowalla, recall@20 / nDCG@20",
            f"`auto` {ranked('auto')}, `fism` {ranked('fism')}",
            f"`lightgcn` {ranked('lightgcn')}, the best walk {ranked('rp3beta')}",
        ),
        (
            "1.5 M interactions: choose settings, train and rank 30,000 users, 2 cores",
            f"`fism` {minutes('fism', 'own s')} min, `auto` {minutes('auto', 'own s')} min",
            f"whole commands, four baselines among it: {minutes('fism', 'command s')} and "
            f"{minutes('auto', 'command s')} min",
        ),
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def driver_rows(rows: list[Mapping[str, Any]]) -> float:
    """Million rows a second of the driver, whatever number of rows was read."""
    for found in rows:
        if found["relationships"] == TEN_MILLION and found["way"].startswith("driver, a row each"):
            return found["million/s"]
    raise LookupError("transfer/results/reading.json has no row of the driver for ten million relationships.")
