"""How long the default commands take on a shop with more than 1.3 million interactions, choosing included.

    .venv/bin/python -m benchmarks.training.large

The shop is made up (``gds_pipelines.datasets.shop``), so that anyone has the same; a pair counts once, and a
random fifth of each user's is the test part. Each row is one ``gnn4j benchmark accuracy MODEL --train F
--test F --recommendations F`` as it comes, baselines beside, in a process of its own: read, choose settings
on a part of train, train, rank all users, the same for each baseline, write the lists. The file is written
after every run.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import result_file
from benchmarks.training import command
from gds_pipelines.datasets import shop

COMMAND = ".venv/bin/python -m benchmarks.training.large"
RESULTS = Path(__file__).parent / "results"
SIZE = shop.ShopSize(users=30_000, items=40_000, categories=200, events=2_600_000, days=365)
HELD = 0.2
THREADS, SEED = 2, 1


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--models", default="fism,auto", help="with commas between")
    arguments.add_argument("--threads", type=int, default=THREADS)
    arguments.add_argument("--out", type=Path, default=RESULTS)
    given = arguments.parse_args()
    load = result_file.load()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        train, test = write(SIZE, Path(folder))
        for model in given.models.split(","):
            words = ["--threads", str(given.threads), "--seed", str(SEED), "--accelerator", "cpu"]
            done = command.run(model, train, test, words)
            rows.append(timed(done))
            pairs = done.result["data"]["train"]
            result_file.write(
                given.out / "large.json",
                f"{pairs / 1e6:.2f} million interactions: the whole command, {given.threads} threads",
                COMMAND,
                rows,
                f"{done.result['data']['users']:,} users, {done.result['data']['items']:,} items, made up; "
                "choosing, training and ranking are the model's own; the rest of the command is its start, "
                f"reading, the baselines and writing. {load}",
            )


def write(size: shop.ShopSize, folder: Path) -> tuple[Path, Path]:
    """The files of train and test, in the list format: a line a user, their items after them."""
    events = shop.generate(size)["events"]
    pairs = np.unique(np.stack([events["user"].to_numpy(), events["item"].to_numpy()], axis=1), axis=0)
    held = np.random.default_rng(SEED).random(len(pairs)) < HELD
    files = folder / "train.txt", folder / "test.txt"
    for file, part in zip(files, (pairs[~held], pairs[held]), strict=True):
        write_lists(part[:, 0], part[:, 1], file)
    return files


def write_lists(users: NDArray[np.int64], items: NDArray[np.int64], file: Path) -> None:
    """Pairs [M] by ascending user, in the list format."""
    found, starts = np.unique(users, return_index=True)
    with file.open("w", encoding="utf-8") as lines:
        lines.writelines(
            " ".join(map(str, [user, *held])) + "\n"
            for user, held in zip(found, np.split(items, starts[1:]), strict=True)
        )


def timed(done: command.Done) -> dict[str, Any]:
    """One row: the model's figures, what each part of its work took, and the whole command."""
    row, *beside = done.result["models"]
    k = done.result["protocol"]["k"][-1]
    figure = f"recall@{k}"
    best = max(beside, key=lambda one: one["figures"][figure])
    seconds = row["seconds"]
    return {
        "model": row["model"],
        figure: round(row["figures"][figure], 5),
        "best baseline": f"{best['model']} {best['figures'][figure]:.4f}",
        "settings tried": row["chosen"]["trials"] if "chosen" in row else None,
        "choosing s": round(seconds["choose"], 1),
        "training s": round(seconds["fit"], 1),
        "ranking s": round(seconds["rank"], 1),
        "own s": round(seconds["choose"] + seconds["fit"] + seconds["rank"], 1),
        "command s": round(done.wall, 1),
        "command CPU s": round(done.cpu, 1),
        "users with lists": done.users,
        "peak GiB": done.peak_gib,
    }


if __name__ == "__main__":
    main()
