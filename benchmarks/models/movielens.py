"""Every model of the registry on MovieLens-1M, through Neo4j, by its lines of the command line.

    .venv/bin/python -m benchmarks.models.movielens

For each model `gnn4j train`, `gnn4j export` and `gnn4j deploy`, then the lists of users who were there and
of users made a moment before by Cypher. Models without an artefact are asked for by their method. Uses the
server that ``gnn4j`` would use (``--uri`` or ``NEO4J_URI`` for another); no other data set should be in it.
What was measured before for other models stays in the result file: a run that was cut off is gone on with.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from benchmarks import result_file
from gds_pipelines import datasets, models, training_run
from gds_pipelines.cli import app
from gds_pipelines.connection import Connection, connect
from gds_pipelines.deploy import CONTRACTS
from gds_pipelines.run_artefact import method_of
from gds_pipelines.task import Task

COMMAND = ".venv/bin/python -m benchmarks.models.movielens"
DATASET = "movielens-1m"
RESULTS = Path(__file__).parent / "results"
TOP_K = 10
ASKED = 20
"""Users of each kind; one more comes first, which finds the caches empty."""
FIRST_NEW = 10_000_000
"""Keys of users that the benchmark makes begin here."""
METRICS = ("recall@20", "ndcg@20", "rmse")
"""Of each model those that it has: lists or errors of ratings."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--uri")
    arguments.add_argument("--dataset", default=DATASET)
    arguments.add_argument("--out", type=Path, default=RESULTS)
    arguments.add_argument("--models", nargs="*", help="all whose contract is deployed by default")
    arguments.add_argument("--threads", type=int)
    given = arguments.parse_args()
    with connect(given.uri) as connection, tempfile.TemporaryDirectory() as scratch:
        if not connection.execute("MATCH (u:User) RETURN u LIMIT 1"):
            cli("ingest", "--dataset", given.dataset, *uri(given.uri))
        forget_new_users(connection, training_run.subject(given.dataset).task)
        for name in given.models or [name for name in models.registry() if served(name)]:
            row = measure(connection, given.dataset, name, Path(scratch), given.uri, given.threads)
            print(row)
            words = f" --threads {given.threads}" if given.threads else ""
            keep(given.out / f"{given.dataset}.json", given.dataset, row, COMMAND + words)


def served(name: str) -> bool:
    """Whether the database can be asked for a model, by its artefact or by a method of its own."""
    contract = models.recommender(name).info.contract
    return contract is None or contract in CONTRACTS


def uri(address: str | None) -> list[str]:
    return [] if address is None else ["--uri", address]


def cli(*line: str) -> dict[str, Any]:
    """One line of the command line, in this process; its JSON.

    Raises:
        SystemExit: with what it said, where it failed.
    """
    done = CliRunner().invoke(app, [*line, "--json"])
    if done.exit_code:
        raise SystemExit(f"gnn4j {' '.join(line)} failed: {done.output} {done.exception or ''}")
    return json.loads(done.stdout)


def measure(
    connection: Connection,
    dataset: str,
    name: str,
    scratch: Path,
    address: str | None,
    threads: int | None,
) -> dict[str, Any]:
    """Train, export, deploy and ask one model; its row."""
    folder = scratch / name
    own = ["--threads", str(threads)] if threads else []
    line = ["train", dataset, "--model", name, "--no-baselines", "--no-refit", "--out", str(folder)]
    trained = cli(*line, *own, *uri(address))["table"][0]
    task = training_run.subject(dataset).task
    row = {"model": name, "contract": models.recommender(name).info.contract or "none"}
    row |= {"train s": round(trained["train_seconds"], 1)}
    figures = trained["figures"]
    row |= {metric: round(figures[metric], 4) if metric in figures else None for metric in METRICS}
    if models.recommender(name).info.contract is None:
        config: dict[str, Any] = {"method": method_of(name), "task": task.to_mapping()}
        row |= {"artefact MB": None, "deploy s": None}
    else:
        exported = cli("export", str(folder))
        started = time.perf_counter()
        deployed = cli("deploy", exported["file"], "--keep-previous", "0", *uri(address))
        config = {"model": deployed["alias"]}
        row |= {
            "artefact MB": round(exported["bytes"] / 1e6, 2),
            "deploy s": round(time.perf_counter() - started, 1),
        }
    for kind, keys in (("old", old_users(connection, task)), ("new", new_users(connection, task))):
        millis, origin = ask(connection, task, keys, config)
        row |= {f"{kind} user ms": round(millis, 1), f"{kind} user origin": origin}
    forget_new_users(connection, task)
    return row


def old_users(connection: Connection, task: Task) -> list[Any]:
    """Keys of users spread evenly over all, by key."""
    key = task.key[task.to]
    rows = connection.execute(
        f"MATCH (u:`{task.to}`) WHERE u.`{key}` < $first WITH u.`{key}` AS key ORDER BY key "
        "WITH collect(key) AS keys, $count AS count "
        "RETURN [i IN range(0, count) | keys[i * (size(keys) / (count + 1))]] AS keys",
        count=ASKED,
        first=FIRST_NEW,
    )
    return rows[0]["keys"]


def new_users(connection: Connection, task: Task) -> list[Any]:
    """Keys of users that this makes, each with five items."""
    key, kind = task.key[task.to], max(task.via, key=lambda name: task.via[name].weight)
    keys = list(range(FIRST_NEW, FIRST_NEW + ASKED + 1))
    for turn, one in enumerate(keys):
        connection.execute(
            f"MATCH (i:`{task.recommend}`) WITH i ORDER BY i.`{task.key[task.recommend]}` SKIP $turn LIMIT 5 "
            f"MERGE (u:`{task.to}` {{`{key}`: $key}}) "
            f"CREATE (u)-[:`{kind}` {{`{task.time_property or 'at'}`: timestamp()}}]->(i)",
            turn=turn * 5,
            key=one,
        )
    return keys


def forget_new_users(connection: Connection, task: Task) -> None:
    """Take them out: the next model must not be trained, let alone tested, on them."""
    connection.execute(
        f"MATCH (u:`{task.to}`) WHERE u.`{task.key[task.to]}` >= $first DETACH DELETE u", first=FIRST_NEW
    )


def ask(connection: Connection, task: Task, keys: Sequence[Any], config: dict[str, Any]) -> tuple[float, str]:
    """Median milliseconds from sending a query to holding its list, the first left out; the origins."""
    millis, origins = [], set()
    for key in keys:
        started = time.perf_counter()
        rows = connection.execute(
            f"MATCH (u:`{task.to}` {{`{task.key[task.to]}`: $key}}) "
            "CALL gnn.recommend.stream(u, $config) YIELD node, rank, origin RETURN node, rank, origin",
            key=key,
            config=config | {"topK": TOP_K},
        )
        millis.append((time.perf_counter() - started) * 1000)
        if len(rows) != TOP_K:
            raise SystemExit(f"User {key} got {len(rows)} rows, expected {TOP_K}.")
        origins |= {row["origin"] for row in rows}
    return statistics.median(millis[1:]), ", ".join(sorted(origins))


def keep(path: Path, dataset: str, row: dict[str, Any], command: str) -> None:
    """Put a row into the result file, in place of an older one of the same model."""
    rows = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.exists() else []
    rows = sorted([old for old in rows if old["model"] != row["model"]] + [row], key=lambda one: one["model"])
    subject = training_run.subject(dataset)
    result_file.write(
        path,
        f"Every model on {datasets.get(dataset).title}, trained through Neo4j and asked in Cypher",
        command,
        rows,
        note=f"split of the data set: {dict(subject.split or {})}; all items ranked, training items out, or "
        f"the ratings of these pairs predicted (rmse); median answer of {ASKED} users one after the other "
        f"over Bolt, lists of {TOP_K}; new users were made by Cypher after the deployment.",
    )


if __name__ == "__main__":
    main()
