"""How long an epoch of LightGCN takes: our models beside LightGCN-PyTorch's way and PyG's, taking turns.

    .venv/bin/python -m benchmarks.training.steps
    .venv/bin/python -m benchmarks.training.steps --device cuda

One process, the same threads for all, D = 64, 3 layers. In every round each way takes some steps that warm
it up and then some that are timed, the order turning by one a round; a figure is the median over all timed
steps, and an epoch is as many steps as cover all pairs (or users) once. Ratios are of epochs, by the clock
and by CPU time. Before that, one layer of propagation by itself: how fast it moves memory, beside a copy.
The files are written after every round: a run that is cut short keeps what it has.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import bars, result_file
from benchmarks.training.ways import (
    DIMENSION,
    LAYERS,
    EdgeIndexWay,
    Machine,
    OwnWay,
    Seconds,
    SparseProductWay,
    Way,
)
from gds_pipelines import datasets, protocols
from gds_pipelines.dataset_interactions import parts_of
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.propagation import FullPropagation
from gds_pipelines.training import use_threads

COMMAND = ".venv/bin/python -m benchmarks.training.steps"
DATASET = "gowalla"
RESULTS = Path(__file__).parent / "results"
ACCURACY = Path(__file__).parents[1] / "accuracy" / "results"
BATCH = 2048
THREADS, ROUNDS, STEPS, WARM = 2, 4, 10, 2
COPIED = 2**28
"""Bytes of the table that is copied to see what memory can do."""


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments.add_argument("--threads", type=int, default=THREADS)
    arguments.add_argument("--rounds", type=int, default=ROUNDS, help="0: propagation alone")
    arguments.add_argument("--steps", type=int, default=STEPS, help="timed, a way and round")
    arguments.add_argument("--out", type=Path, default=RESULTS)
    given = arguments.parse_args()
    machine = Machine(given.device, given.threads)
    suffix, command = "", COMMAND
    if given.device != "cpu":
        suffix, command = f"-{given.device}", f"{COMMAND} --device {given.device}"
    load = result_file.load()
    interactions = parts_of(datasets.get(DATASET), protocols.get("all-ranking"), seed=1).fit
    where = f"{given.threads} threads" if given.device == "cpu" else torch.cuda.get_device_name()
    result_file.write(
        given.out / f"{DATASET}-propagation{suffix}.json",
        f"{DATASET}: one layer of propagation, both sides, D = {DIMENSION}, {where}",
        command,
        propagation(interactions, machine),
        "Bytes as if every row of a neighbour came from memory; a copy is of "
        f"{COPIED // 2**20} MiB, read and written. Caches can lift a share above 1. {load}",
    )
    for rows in measure(ways(interactions, machine), given.rounds, given.steps):
        result_file.write(
            given.out / f"{DATASET}-steps{suffix}.json",
            f"{DATASET}: an epoch of LightGCN, D = {DIMENSION}, {LAYERS} layers, {where}",
            command,
            rows,
            f"{rows[0]['timed steps']} timed steps a way, in turns. Same model, loss (BPR) and batch at "
            f"{BATCH:,} pairs: lightgcn-full and the two others, whose batches are drawn outside the time. "
            f"lightgcn has base vectors on items only and a softmax over all items{_recall()}. "
            f"torch {torch.__version__}; {load}",
        )
        bars.draw(
            rows,
            {"s an epoch": "by the clock", "CPU s an epoch": "of CPU"},
            "seconds an epoch (logarithmic)",
            given.out / f"{DATASET}-steps{suffix}.svg",
        )


def ways(interactions: Interactions, machine: Machine, batch: int = BATCH) -> list[Way]:
    """Those that are compared, ours last."""
    return [
        SparseProductWay(interactions, machine, batch),
        EdgeIndexWay(interactions, machine, batch),
        OwnWay(interactions, machine, "lightgcn-full", {"batch_pairs": batch}),
        OwnWay(interactions, machine, "lightgcn-full"),
        OwnWay(interactions, machine, "lightgcn", {"batch_users": batch}, per_user=True),
        OwnWay(interactions, machine, "lightgcn", per_user=True),
    ]


def measure(compared: list[Way], rounds: int, steps: int) -> Iterator[list[dict[str, Any]]]:
    """The table after each round."""
    found: dict[str, list[Seconds]] = {way.way: [] for way in compared}
    for number in range(rounds):
        turn = number % len(compared)
        for way in compared[turn:] + compared[:turn]:
            found[way.way] += way.steps(WARM + steps)[WARM:]
        yield table(compared, found)


def table(compared: list[Way], found: dict[str, list[Seconds]]) -> list[dict[str, Any]]:
    """One row a way; ratios against every way that is not ours."""
    epochs = {}
    for way in compared:
        wall, cpu = (statistics.median(part) for part in zip(*found[way.way], strict=True))
        epochs[way.way] = Seconds(wall * way.epoch, cpu * way.epoch)
    others = [way for way in compared if not isinstance(way, OwnWay)]
    rows = []
    for way in compared:
        epoch = epochs[way.way]
        row: dict[str, Any] = {
            "way": way.way,
            "timed steps": len(found[way.way]),
            "steps an epoch": way.epoch,
            "ms a step": epoch.wall / way.epoch * 1000,
            "CPU ms a step": epoch.cpu / way.epoch * 1000,
            "s an epoch": epoch.wall,
            "CPU s an epoch": epoch.cpu,
        }
        for other in others:
            row[f"{other.name} / this"] = epochs[other.way].wall / epoch.wall
            row[f"{other.name} / this, CPU"] = epochs[other.way].cpu / epoch.cpu
        rows.append({key: _three(value) for key, value in row.items()})
    return rows


def propagation(
    interactions: Interactions, machine: Machine, *, budget: float = 4.0, copied: int = COPIED
) -> list[dict[str, Any]]:
    """One layer, users from items and items from users, by each way's product; then a copy.

    Args:
        budget: seconds of each.
        copied: bytes of the table that is copied.
    Raises:
        AssertionError: the products differ.
    """
    from torch_geometric.nn import LGConv

    use_threads(machine.threads)
    users, items, pairs = interactions.n_users, interactions.n_items, len(interactions)
    table = torch.randn(users + items, DIMENSION, device=machine.device)
    # An entry: its value, its index, a row of the table; a row: its pointer and what is written.
    moved = 2 * pairs * (4 + 4 + 4 * DIMENSION) + (users + items) * (4 + 4 * DIMENSION)
    graph = FullPropagation(interactions, 1).to(machine.device)
    u, i = table[:users], table[users:]
    whole = SparseProductWay(interactions, machine, BATCH).graph
    edges = EdgeIndexWay(interactions, machine, BATCH).edge_index
    conv = LGConv()
    by_torch = [part.tensor for part in (graph.there, graph.back)]
    source = torch.ones(copied // 4, device=machine.device)
    target = torch.empty_like(source)
    tried: dict[str, tuple[Callable[[], Any], int]] = {
        "gnn4j": (lambda: (graph.there.times(i), graph.back.times(u)), moved),
        "torch, CSR a side": (lambda: (by_torch[0] @ i, by_torch[1] @ u), moved),
        "torch, COO of both": (lambda: torch.sparse.mm(whole, table), moved),
        "PyG, edge_index": (lambda: conv(table, edges), moved),
        "a copy": (lambda: target.copy_(source), 2 * copied),
    }
    seconds = {}
    with torch.no_grad():
        for name, (run, _) in tried.items():
            seconds[name] = median(run, machine, budget)
            if name != "a copy":
                found = run()
                found = torch.cat(found) if isinstance(found, tuple) else found
                torch.testing.assert_close(found, torch.sparse.mm(whole, table), rtol=1e-3, atol=1e-4)
    speed = {name: tried[name][1] / took for name, took in seconds.items()}
    return [
        {
            "way": name,
            "ms": _three(seconds[name] * 1000),
            "GB moved": _three(tried[name][1] / 1e9),
            "GB/s": _three(speed[name] / 1e9),
            "share of a copy's": _three(speed[name] / speed["a copy"]),
        }
        for name in tried
    ]


def median(run: Callable[[], object], machine: Machine, budget: float) -> float:
    """Seconds of the median run after one that warms up; at least 5 runs, else as many as the budget has."""
    run()
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < 5 or (time.perf_counter() - began < budget and len(taken) < 200):
        start = machine.now().wall
        run()
        taken.append(machine.now().wall - start)
    return statistics.median(taken)


def _recall() -> str:
    """What lightgcn as shipped reaches, from the accuracy benchmark."""
    file = ACCURACY / f"{DATASET}-lightgcn-seed1.json"
    if not file.exists():
        return ""
    row = json.loads(file.read_text(encoding="utf-8"))["rows"][0]
    return f" (as shipped: recall@20 {row['recall@20']:.4f}, ndcg@20 {row['ndcg@20']:.4f})"


def _three(value: Any) -> Any:
    """Three digits are what such a measurement is worth."""
    return float(f"{value:.3g}") if isinstance(value, float | np.floating) else value


if __name__ == "__main__":
    main()
