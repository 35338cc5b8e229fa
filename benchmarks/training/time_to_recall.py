"""How long `fism` takes to a figure: the whole command, from files to written lists, as a process of its own.

    .venv/bin/python -m benchmarks.training.time_to_recall
    .venv/bin/python -m benchmarks.training.time_to_recall --device cuda

Every run is ``gnn4j benchmark accuracy fism --train F --test F --no-choose --no-baselines
--recommendations F``, so the test part is read once, after training. What is looked for among a few widths
is the shortest training whose figure passes .1830 (LightGCN as published), and that of the best figure.
The file is written after every run: one that is cut short keeps what it has.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import bars, result_file
from benchmarks.training import command
from gds_pipelines import datasets

COMMAND = ".venv/bin/python -m benchmarks.training.time_to_recall"
DATASET = "gowalla"
RESULTS = Path(__file__).parent / "results"
THREADS, SEED = 2, 1
PASSED = 0.1830
WIDTHS = (64, 128, 256)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    arguments.add_argument("--threads", type=int, default=THREADS)
    arguments.add_argument("--widths", default=",".join(map(str, WIDTHS)), help="with commas between")
    arguments.add_argument("--out", type=Path, default=RESULTS)
    given = arguments.parse_args()
    suffix, typed = "", COMMAND
    if given.device != "cpu":
        suffix, typed = f"-{given.device}", f"{COMMAND} --device {given.device}"
    where = f"{given.threads} threads" if given.device == "cpu" else torch.cuda.get_device_name()
    load = result_file.load()
    files = _files()
    rows: list[dict[str, Any]] = []
    for width in given.widths.split(","):
        words = ["--threads", str(given.threads), "--accelerator", given.device, "--seed", str(SEED)]
        rows.append(timed(files["train"], files["test"], [*words, "--set", f"dimension={width}"]))
        result_file.write(
            given.out / f"{DATASET}-time-to-recall{suffix}.json",
            f"{DATASET}: fism from files to lists, {where}",
            typed,
            rows,
            f"{reached(rows)} A row is one `gnn4j benchmark accuracy fism --no-choose --no-baselines`: "
            "start, read, train, rank all test users, write the lists. Training is what `fit` takes, with "
            f"the spectral start; where nothing was ever run, the first row also compiles. {load}",
        )
        bars.draw(
            rows,
            {"training s": "training", "command s": "whole command"},
            "seconds (logarithmic)",
            given.out / f"{DATASET}-time-to-recall{suffix}.svg",
        )


def timed(train: Path, test: Path, words: Sequence[str]) -> dict[str, Any]:
    """One row: figures, and seconds of training and of the whole command.

    Raises:
        RuntimeError: with what the command said, when it failed.
    """
    done = command.run("fism", train, test, ["--no-choose", "--no-baselines", *words])
    row = done.result["models"][0]
    k = done.result["protocol"]["k"][-1]
    return {
        "way": f"fism, D = {row['parameters']['dimension']}",
        f"recall@{k}": round(row["figures"][f"recall@{k}"], 5),
        f"ndcg@{k}": round(row["figures"][f"ndcg@{k}"], 5),
        "training s": round(row["seconds"]["fit"], 1),
        "training CPU s": round(row["seconds"]["fitCpu"], 1),
        "ranking s": round(row["seconds"]["rank"], 1),
        "command s": round(done.wall, 1),
        "command CPU s": round(done.cpu, 1),
        "users with lists": done.users,
        "peak GiB": done.peak_gib,
    }


def reached(rows: Sequence[dict[str, Any]]) -> str:
    """In words: the shortest training past the figure, and that of the best figure."""
    name = next(column for column in rows[0] if column.startswith("recall@"))
    passed = [row for row in rows if row[name] > PASSED]
    best = max(rows, key=lambda row: row[name])
    text = f"The best figure, {name} {best[name]:.4f}, after {best['training s']:.0f} s of training."
    if not passed:
        return text
    first = min(passed, key=lambda row: row["training s"])
    of = f"({first['way']}: {first[name]:.4f})"
    return f"Past {PASSED:.4f} {of} after {first['training s']:.0f} s of training. {text}"


def _files() -> dict[str, Path]:
    """train and test of the data set, as they lie on disk."""
    found = [file for files in datasets.get(DATASET).prepare().files.values() for file in files]
    return {name: next(file for file in found if file.name.startswith(name)) for name in ("train", "test")}


if __name__ == "__main__":
    main()
