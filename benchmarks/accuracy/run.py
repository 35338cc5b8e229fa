"""Accuracy by a protocol: one result file a model, data set and seed; no database.

    .venv/bin/python -m benchmarks.accuracy.run gowalla fism --seed 1
    .venv/bin/python -m benchmarks.accuracy.run gowalla fism --seed 1 --set dimension=128 --label fism-128
    .venv/bin/python -m benchmarks.accuracy.run lastfm fism --protocol recbole-8-1-1 --choose 12 --seed 1

``--choose N`` tries N settings on a part of train first (see ``gds_pipelines.tuning``); the file says which
won. Lists and values of single users are kept below ``build/accuracy`` (never committed), so that models
measured on different days are compared over the same users: run the baselines first, or say ``--compared``
afterwards, which measures nothing and compares what is kept with every baseline kept by then.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks import result_file
from gds_pipelines import benchmarking, datasets, models, protocols
from gds_pipelines.dataset_interactions import parts_of
from gds_pipelines.models.parameters import parse_settings
from gds_pipelines.training import TrainingOptions

RESULTS = Path(__file__).parent / "results"
VALUES = Path("build/accuracy")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("dataset", choices=datasets.names())
    arguments.add_argument("models", help="with commas between")
    arguments.add_argument("--protocol", default="all-ranking", help=", ".join(protocols.names()))
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--choose", type=int, metavar="TRIALS", help="settings tried on a part of train")
    arguments.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    arguments.add_argument("--label", help="name in tables, where the hyper-parameters are not the defaults")
    arguments.add_argument("--threads", type=int)
    arguments.add_argument("--compared", action="store_true", help="against the baselines kept since")
    given = arguments.parse_args()
    protocol = protocols.get(given.protocol)
    place = VALUES / f"{subject(given.dataset, protocol)}-seed{given.seed}"
    if given.compared:
        for label in given.models.split(","):
            compare_again(result_path(given.dataset, protocol, label, given.seed), place, label, protocol)
        return
    parts = parts_of(datasets.get(given.dataset), protocol, seed=given.seed)
    parts.audit().check()
    settings = parse_settings(given.set)
    words = "" if given.protocol == "all-ranking" else f" --protocol {given.protocol}"
    words += f" --seed {given.seed}"
    words += f" --choose {given.choose}" if given.choose else ""
    words += "".join(f" --set {one}" for one in given.set) + (
        f" --label {given.label}" if given.label else ""
    )
    for name in given.models.split(","):
        label = given.label or name
        # Whoever asks for a number of trials waits for them; an hour is far beyond what any needs.
        choice = benchmarking.Choice(given.choose, 3600.0) if given.choose else None
        done = benchmarking.measure(
            name,
            protocol,
            parts,
            settings=settings,
            seed=given.seed,
            options=TrainingOptions(threads=given.threads),
            choice=choice,
        )
        keep(place, label, done, protocol)
        command = f".venv/bin/python -m benchmarks.accuracy.run {given.dataset} {name}{words}"
        write(given.dataset, protocol, label, done, parts, place, given.seed, command)


def subject(dataset: str, protocol: protocols.Protocol) -> str:
    """Name of a table and of its files."""
    return dataset if protocol.name == "all-ranking" else f"{dataset}-{protocol.name}"


def result_path(dataset: str, protocol: protocols.Protocol, label: str, seed: int) -> Path:
    return RESULTS / f"{subject(dataset, protocol)}-{label}-seed{seed}.json"


def compare_again(path: Path, place: Path, label: str, protocol: protocols.Protocol) -> None:
    """Renew the comparisons in a result file; nothing else in it changes."""
    if not path.exists() or not (place / f"{label}.npz").exists():
        raise SystemExit(f"{label} has no result file {path.name} or no values in {place}; measure it first.")
    result = json.loads(path.read_text(encoding="utf-8"))
    result["comparisons"] = benchmarking.finite(against(place, label, protocol))
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def keep(place: Path, label: str, done: benchmarking.Measured, protocol: protocols.Protocol) -> None:
    """Values of single users, for paired tests with what is measured another day."""
    found = done.evaluation
    place.mkdir(parents=True, exist_ok=True)
    values = {metric if cut == 0 else f"{metric}@{cut}": one for (metric, cut), one in found.values.items()}
    arrays = {
        "users": found.users,
        "items": found.items.astype(np.int32),
        "baseline": np.array(done.model.info.name in benchmarking.baselines_of(protocol)),
    }
    np.savez(place / f"{label}.npz", **arrays, **values)


def write(
    dataset: str,
    protocol: protocols.Protocol,
    label: str,
    done: benchmarking.Measured,
    parts: protocols.Parts,
    place: Path,
    seed: int,
    command: str,
) -> None:
    """One result file."""
    full = benchmarking.row(label, done, protocol, parts, protocol.k)
    machine, training = benchmarking.machine(), {"history": [], **full.get("training", {})}
    title = f"{dataset}: {protocol.title.lower()}"
    result_file.write(
        result_path(dataset, protocol, label, seed),
        title=title,
        command=command,
        rows=[shown(full, protocol, seed)],
        note=f"load average while it ran: {machine['loadAverage'][0]}; threads: "
        f"{machine['threads']['torch']}",
        table=f"accuracy/{subject(dataset, protocol)}",
        dataset=dataset,
        protocol=protocol.name,
        split=parts.description,
        baseline=done.model.info.name in benchmarking.baselines_of(protocol),
        testUsers=int((parts.test.user_degrees > 0).sum()),
        comparisons=benchmarking.finite(against(place, label, protocol)),
        machineDetails=machine,
        **benchmarking.finite({key: full[key] for key in ("parameters", "beyond", "chosen") if key in full}),
        **benchmarking.finite({key: training[key] for key in ("blend", "history") if key in training}),
    )


def shown(full: dict, protocol: protocols.Protocol, seed: int) -> dict[str, object]:
    """The columns of RESULTS.md."""
    row: dict[str, object] = {"model": full["model"]}
    cuts = [f"@{cut}" for cut in protocol.k] or [""]
    for metric in protocol.metrics:
        for cut in cuts:
            row[metric + cut] = round(full["figures"][metric + cut], 5)
            ends = full["intervals95"].get(metric + cut)
            if ends and metric in protocol.main:
                row[f"{metric}{cut if len(cuts) > 1 else ''} 95 %"] = f"{ends[0]:.4f}–{ends[1]:.4f}"
    if protocol.kind == "ranking":
        last = max(protocol.k)
        row |= {
            f"coverage@{last}": round(full["figures"][f"coverage@{last}"], 5),
            f"novelty@{last}": round(full["figures"][f"novelty@{last}"], 5),
            f"diversity@{last}": round(full["beyond"][f"diversity@{last}"], 5),
        }
    seconds = full["seconds"]
    return row | {
        "seed": seed,
        "fit s": round(seconds["fit"], 1),
        "fit CPU s": round(seconds["fitCpu"], 1),
        "rank s": round(seconds["rank"], 1),
    }


def against(place: Path, label: str, protocol: protocols.Protocol) -> list[dict[str, object]]:
    """The model against the best baseline of each metric measured on this split so far, paired over users."""
    if protocol.kind == "clicks":
        return []
    values = {path.stem: dict(np.load(path)) for path in sorted(place.glob("*.npz"))}
    # A baseline stays one under a label: whoever tunes it makes it the one to beat.
    labelled = [name for name, arrays in values.items() if arrays.get("baseline")]
    beside = (*benchmarking.baselines_of(protocol), *labelled)
    if label in models.BASELINES or label in beside:
        return []
    if protocol.kind == "ratings":
        beside = (*beside, "biased-mf")  # mf-ratings as a point estimate, measured under that label
        return benchmarking.against(values, [label], beside, ["squared_error"], lower=True)
    figures = [f"{metric}@{max(protocol.k)}" for metric in protocol.main]
    return benchmarking.against(values, [label], beside, figures)


if __name__ == "__main__":
    main()
