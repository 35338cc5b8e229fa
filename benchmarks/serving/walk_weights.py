"""Exponents of a walk where nobody has tuned them: alpha and beta on parts of train of seven data sets.

    .venv/bin/python -m benchmarks.serving.walk_weights

Of the train part of each data set a fifth of the pairs of half its users is held out (``splits.holdout``),
and recall@20 is taken for a grid of exponents; test parts are not looked at. A default is judged by data that
had no say in it: for each data set the exponents are chosen that do best, on average, on the others.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks import result_file
from gds_pipelines import datasets, splits
from gds_pipelines.dataset_interactions import interactions_of, split_of
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.rp3beta import RP3beta

COMMAND = ".venv/bin/python -m benchmarks.serving.walk_weights"
DATA = ("gowalla", "movielens-1m", "movielens-small", "lastfm", "deskdrop", "taobao", "games")
ALPHAS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2)
BETAS = tuple(round(0.1 * step, 1) for step in range(10))
K = 20


def grid(train: Interactions, held_out: Interactions, n_users: int) -> dict[tuple[float, float], float]:
    """recall@20 by (alpha, beta), over ``n_users`` users with something to find."""
    asked = np.flatnonzero(held_out.user_degrees > 0)
    asked = np.sort(np.random.default_rng(0).permutation(asked)[:n_users])
    degrees = np.maximum(train.item_degrees, 1.0)
    found = {}
    for alpha in ALPHAS:
        reached = RP3beta({"alpha": alpha, "beta": 0.0}).fit(train).scores(asked).astype(np.float64)
        for row, user in enumerate(asked):
            reached[row, train.matrix[[user]].indices] = -1.0
        for beta in BETAS:
            lists = np.argpartition(-reached * degrees**-beta, K, axis=1)[:, :K]
            wanted = held_out.matrix[asked].toarray() > 0
            hits = np.take_along_axis(wanted, lists, axis=1).sum(axis=1)
            found[alpha, beta] = float((hits / wanted.sum(axis=1)).mean())
    return found


def best(tables: Mapping[str, Mapping[tuple[float, float], float]], left_out: str | None = None
         ) -> tuple[float, float]:  # fmt: skip
    """The exponents with the largest mean share of each table's best."""
    own = [table for name, table in tables.items() if name != left_out]
    return max(own[0], key=lambda pair: np.mean([table[pair] / max(table.values()) for table in own]))


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--users", type=int, default=300, help="asked of each data set")
    arguments.add_argument("--datasets", nargs="+", default=DATA)
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    tables, sizes = {}, {}
    for name in given.datasets:
        dataset = datasets.get(name)
        whole = split_of(dataset, interactions_of(dataset), seed=1).train
        parts = splits.holdout(whole, seed=1)
        tables[name] = grid(parts.train, parts.validation, given.users)
        sizes[name] = whole
        print(name, best({name: tables[name]}), max(tables[name].values()), flush=True)
    common = best(tables)
    rows = []
    for name, table in tables.items():
        own, others = best({name: table}), best(tables, name)
        density = len(sizes[name]) / sizes[name].n_users / sizes[name].n_items
        rows.append(
            {
                "data set": name, "pairs": len(sizes[name]), "density": round(density, 5),
                "best alpha, beta": f"{own[0]}, {own[1]}", "recall@20": round(table[own], 4),
                "chosen by the others": f"{others[0]}, {others[1]}",
                "its share": round(table[others] / table[own], 3),
            }
            | {
                f"share at {a}, {b}": round(table[a, b] / table[own], 3)
                for a, b in dict.fromkeys([(1.0, 0.6), (0.7, 0.3), common])
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
    result_file.write(
        given.out / "walk-weights.json",
        "Exponents of a walk that nobody tuned",
        COMMAND,
        rows,
        f"recall@{K} of {given.users} users on a part of train; a share is of the best of the grid on that "
        f"data set; best on average over all: {common[0]}, {common[1]}.",
    )


if __name__ == "__main__":
    main()
