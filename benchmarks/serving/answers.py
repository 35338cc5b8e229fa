"""Answers on real data: heavy users, the walk, explanations, figures.

    .venv/bin/python -m benchmarks.serving.answers movielens-1m
    .venv/bin/python -m benchmarks.serving.answers gowalla --parts walk

Each part writes its own file as soon as it is done, so a run that was cut is gone on with by ``--parts``.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import result_file
from benchmarks.serving import explanations, figures, heavy_users, walks
from benchmarks.serving.loaded import Loaded, loaded
from benchmarks.transfer.bench_server import busy, rounded

COMMAND = ".venv/bin/python -m benchmarks.serving.answers"
PARTS = ("heavy", "walk", "explain", "evaluate")
TITLES = {"movielens-1m": "MovieLens-1M", "movielens-small": "MovieLens small"}
EXPONENTS = {"movielens-1m": (1.0, 0.6), "gowalla": (0.7, 0.3)}
"""alpha and beta of the walk, chosen on a part of train."""


def run(part: str, data: Loaded, given: argparse.Namespace, note: str) -> None:
    command = f"{COMMAND} {data.dataset} --parts {part}"
    if part == "heavy":
        rows = heavy_users.measure(data, given.heavy_users, given.seconds, given.patience)
        keep(given.out / "heavy-users.json", "The heaviest users of MovieLens-1M", command, rows, note, None)
    elif part == "walk":
        alpha, beta = EXPONENTS.get(data.dataset, (0.7, 0.3))
        row = walks.measure(data, alpha, beta, given.walked_users, given.judged_users, given.seconds)
        title = "A walk over live relationships, one client, page cache warm"
        keep(given.out / "walks.json", title, f"{COMMAND} DATASET --parts walk", [row], note, "data set")
    elif part == "explain":
        for model in explanations.MODELS:
            if given.models and model not in given.models:
                continue
            for longest in explanations.SIZES.get(model, (explanations.LONGEST,)):
                row = explanations.measure(data, model, given.pairs, longest)
                title = (
                    f"Explanations on {TITLES.get(data.dataset, data.dataset)}, checked by taking items away"
                )
                name = "explanations" + ("" if data.dataset == "movielens-1m" else f"-{data.dataset}")
                keep(given.out / f"{name}.json", title, command, [row], note, "model")
    else:
        rows = figures.measure(data, given.models or (*figures.MODELS, *figures.METHODS))
        title = "gnn.evaluate.stream beside Python on MovieLens-1M, the last tenth of the likes held out"
        keep(given.out / "figures.json", title, command, rows, note, "model")


def keep(path: Path, title: str, command: str, rows: list[dict[str, Any]], note: str, by: str | None) -> None:
    """Write the rows; with ``by`` in place of older ones that have the same there."""
    rows = [rounded(row) for row in rows]
    for row in rows:
        print(row, flush=True)
    if by is not None and path.exists():
        old = json.loads(path.read_text(encoding="utf-8"))["rows"]
        rows = sorted(
            [one for one in old if one[by] not in {row[by] for row in rows}] + rows, key=lambda one: one[by]
        )
    result_file.write(path, title, command, rows, note)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("dataset", nargs="?", default="movielens-1m")
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--seconds", type=float, default=20.0, help="for each measurement of time")
    arguments.add_argument("--heavy-users", type=int, default=5)
    arguments.add_argument("--patience", type=float, default=120.0, help="seconds for one query in Cypher")
    arguments.add_argument("--walked-users", type=int, default=500, help="whose walks are compared")
    arguments.add_argument(
        "--judged-users", type=int, default=10**9, help="whose recall the twin is asked for"
    )
    arguments.add_argument("--pairs", type=int, default=200, help="that are explained by each model")
    names = dict.fromkeys((*explanations.MODELS, *figures.MODELS, *figures.METHODS))
    arguments.add_argument("--models", nargs="+", choices=names, help="that explain, or are judged")
    arguments.add_argument("--heap", type=int, default=2048, help="heap of the server, MB")
    arguments.add_argument(
        "--software", type=Path, help="a server home with the jars; the embedded one by default"
    )
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    note = f"{busy()} Server and client on one machine; server heap {given.heap} MB."
    with loaded(given.dataset, given.heap, given.software) as data:
        print(f"{given.dataset}: {len(data.whole):,} pairs loaded", flush=True)
        for part in given.parts:
            run(part, data, given, note)


if __name__ == "__main__":
    main()
