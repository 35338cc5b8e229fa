"""Accuracy by full ranking: one result file a model, data set and seed; no database.

    .venv/bin/python -m benchmarks.accuracy.run gowalla fism --seed 1
    .venv/bin/python -m benchmarks.accuracy.run gowalla fism --seed 1 --set dimension=128 --label fism-128

The data set is split as the catalogue says (gowalla: the published train and test lists). Values of single
users
are kept below ``build/accuracy`` (never committed), so that models measured on different days are compared
over the same users: run the baselines first.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks import result_file
from gds_pipelines import benchmarking, datasets, models, statistics
from gds_pipelines.dataset_interactions import interactions_of, split_of
from gds_pipelines.models.parameters import parse_settings
from gds_pipelines.splits import audit
from gds_pipelines.training import TrainingOptions

K = 20
SHOWN = ("recall", "ndcg", "hit_rate", "mrr", "map", "coverage", "novelty")
RESULTS = Path(__file__).parent / "results"
VALUES = Path("build/accuracy")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("dataset", choices=datasets.names())
    arguments.add_argument("models", help="with commas between")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments.add_argument("--label", help="name in tables, where the hyper-parameters are not the defaults")
    arguments.add_argument("--threads", type=int)
    given = arguments.parse_args()
    dataset = datasets.get(given.dataset)
    parts = split_of(dataset, interactions_of(dataset), seed=given.seed)
    train, test = parts.refit(), parts.test
    audit(train, test).check()
    settings = parse_settings(given.set)
    for name in given.models.split(","):
        label = given.label or name
        model = models.recommender(name)(settings, seed=given.seed)
        done = benchmarking.measure(
            model, train, test, k=(K,), options=TrainingOptions(threads=given.threads)
        )
        place = VALUES / f"{given.dataset}-seed{given.seed}"
        place.mkdir(parents=True, exist_ok=True)
        values = {metric: done.evaluation.values[metric, K] for metric in benchmarking.MAIN}
        np.savez(place / f"{label}.npz", users=done.evaluation.users, **values)
        sets = "".join(f" --set {one}" for one in given.set) + (f" --label {label}" if given.label else "")
        write(given.dataset, label, done, parts.description, place, given.seed, sets)


def write(
    dataset: str, label: str, done: benchmarking.Measured, split: str, place: Path, seed: int, sets: str
) -> None:
    found, model = done.evaluation, done.model
    row: dict[str, object] = {"model": label}
    figures = found.figures()
    for metric in SHOWN:
        row[f"{metric}@{K}"] = round(figures[f"{metric}@{K}"], 5)
        if metric in benchmarking.MAIN:
            around = statistics.interval(found.values[metric, K])
            row[f"{metric} 95 %"] = f"{around.low:.4f}–{around.high:.4f}"
    row |= {
        "seed": seed,
        "fit s": round(done.fit_seconds, 1),
        "fit CPU s": round(done.fit_cpu_seconds, 1),
        "rank s": round(found.seconds, 1),
    }
    machine = benchmarking.machine()
    result_file.write(
        RESULTS / f"{dataset}-{label}-seed{seed}.json",
        title=f"{dataset}: {split}, all items ranked, training items left out, k = {K}",
        command=f".venv/bin/python -m benchmarks.accuracy.run {dataset} {model.info.name} --seed "
        f"{seed}{sets}",
        rows=[row],
        note=f"load average while it ran: {machine['loadAverage'][0]}; threads: "
        f"{machine['threads']['torch']}",
        table=f"accuracy/{dataset}",
        dataset=dataset,
        baseline=model.info.name in models.BASELINES,
        parameters=model.parameters.to_mapping(),
        testUsers=len(found.users),
        comparisons=benchmarking.finite(against(values_of(place), label)),
        machineDetails=machine,
    )


def values_of(place: Path) -> dict[str, dict[str, np.ndarray]]:
    """Values by user of everything measured on this split so far."""
    return {path.stem: dict(np.load(path)) for path in sorted(place.glob("*.npz"))}


def against(values: dict[str, dict[str, np.ndarray]], label: str) -> list[dict[str, object]]:
    """The model against the best baseline of each metric, paired over users."""
    rows = []
    for metric in benchmarking.MAIN:
        beside = {name: values[name][metric] for name in models.BASELINES if name in values and name != label}
        if not beside:
            continue
        best = max(beside, key=lambda name, beside=beside: np.nanmean(beside[name]))
        gap = statistics.difference(values[label][metric], beside[best])
        rows.append(
            {
                "metric": f"{metric}@{K}",
                "baseline": best,
                "difference": gap.mean,
                "interval95": [gap.low, gap.high],
                "p": gap.p,
            }
        )
    return rows


if __name__ == "__main__":
    main()
