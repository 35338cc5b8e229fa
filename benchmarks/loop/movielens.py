"""The loop on MovieLens-1M: how long each step takes, and whether the answers are right.

    .venv/bin/python -m benchmarks.loop.movielens

Uses the server that ``gnn4j`` would use (``--uri`` or ``NEO4J_URI`` for another); no other data set should be
in it. Checks, beside the clock: user vectors against Python's transductive output, the lists of 1,000 users
against brute force, and how soon a user created by Cypher is recommended for.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import result_file
from gds_pipelines import demo
from gds_pipelines.connection import Connection, connect
from gds_pipelines.registry import Registry
from gds_pipelines.run import Run
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions

COMMAND = ".venv/bin/python -m benchmarks.loop.movielens"
NEWCOMERS = 50
CHECKED = 1_000
TOP_K = 10


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--uri")
    arguments.add_argument("--dataset", default="movielens-1m")
    arguments.add_argument("--model")
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    with connect(given.uri) as connection, tempfile.TemporaryDirectory() as scratch:
        started = time.perf_counter()
        done = demo.run(
            connection,
            given.dataset,
            Path(scratch),
            model=given.model,
            again=True,
            options=TrainingOptions(tensorboard=False),
            on_step=print,
        )
        whole = time.perf_counter() - started
        vectors = vector_difference(connection, done.run, done.alias)
        lists = differing_lists(connection, done.run, done.alias)
        fresh = newcomer_millis(connection, done.task, done.alias)
    rows = [
        {"what": f"{step}, seconds", "value": round(seconds, 2)} for step, seconds in done.seconds.items()
    ]
    rows += [
        {"what": "all of it, from files to the newcomer's list, seconds", "value": round(whole, 1)},
        {"what": "largest difference of a user vector, database - Python", "value": f"{vectors:.1e}"},
        {"what": f"lists of {CHECKED:,} users that differ from brute force", "value": lists},
        {
            "what": "a user created by Cypher, next query: median ms",
            "value": round(statistics.median(fresh), 1),
        },
        {"what": "the same, 95th percentile ms", "value": round(float(np.percentile(fresh, 95)), 1)},
    ]
    result_file.write(given.out / f"{given.dataset}.json", f"The loop on {given.dataset}", COMMAND, rows)
    table = [
        {"model": row.name}
        | {name: round(row.figures[name], 4) for name in ("recall@20", "ndcg@20", "recall@10", "ndcg@10")}
        | {"train s": round(row.train_seconds, 1)}
        for row in done.run.table
    ]
    result_file.write(
        given.out / f"{given.dataset}-accuracy.json",
        f"Accuracy on {given.dataset}, trained through Neo4j",
        COMMAND,
        table,
        note=f"{done.run.split}; all {done.run.sizes['items']:,} items are candidates, training items out.",
    )
    for row in rows + table:
        print(row)


def vector_difference(connection: Connection, run: Run, alias: str) -> float:
    """Largest absolute difference between ``gnn.embed.nodes`` and the model's own user vectors."""
    model, task = run.recommender(), Task.from_mapping(run.task)
    records = connection.execute(
        f"MATCH (u:`{task.to}`) WHERE u.`{task.key[task.to]}` IN $keys WITH collect(u) AS users "
        "CALL gnn.embed.nodes(users, {model: $model}) YIELD node, embedding "
        f"RETURN node.`{task.key[task.to]}` AS key, embedding",
        keys=model.train.user_keys.tolist(),
        model=alias,
    )
    expected = model.user_vectors(model.train.users([record["key"] for record in records]))
    return float(np.abs(np.array([record["embedding"] for record in records]) - expected).max())


def differing_lists(connection: Connection, run: Run, alias: str) -> int:
    """How many of the first users' lists are not those of a brute-force scan in double precision."""
    task = Task.from_mapping(run.task)
    serving = Registry(connection).target(alias)
    if serving is None:
        raise SystemExit(f"Nothing answers as {alias}.")
    stored = f"gnn_{serving.name}_v{serving.version}"
    items = connection.execute(
        f"CYPHER 5 MATCH (i:`{task.recommend}`) WHERE i.`{stored}` IS NOT NULL "
        f"RETURN id(i) AS id, i.`{stored}` AS e ORDER BY id(i)"
    )
    ids = np.array([record["id"] for record in items])
    vectors = np.array([record["e"] for record in items], np.float32).astype(np.float64)
    place = {node: position for position, node in enumerate(ids.tolist())}
    users = connection.execute(
        f"CYPHER 5 MATCH (u:`{task.to}`) WITH u ORDER BY id(u) LIMIT $count "
        f"OPTIONAL MATCH (u)-[did]->(i:`{task.recommend}`) WHERE type(did) IN $types "
        "WITH u, collect(DISTINCT id(i)) AS seen "
        "CALL gnn.embed.nodes([u], {model: $model}) YIELD embedding "
        "CALL gnn.recommend.stream(u, {topK: $k, model: $model}) YIELD node, rank, score "
        "WITH u, seen, embedding, node, rank, score ORDER BY rank "
        "RETURN seen, embedding, collect(id(node)) AS nodes, collect(score) AS scores",
        count=CHECKED,
        types=list(task.seen),
        k=TOP_K,
        model=alias,
    )
    wrong = 0
    for user in users:
        if not user["seen"]:
            continue  # nothing is known of such a user: popularity answers
        query = np.array(user["embedding"], np.float32).astype(np.float64)
        scores = np.zeros(len(ids))
        for dimension in range(vectors.shape[1]):
            scores += query[dimension] * vectors[:, dimension]
        scores[[place[node] for node in user["seen"] if node in place]] = -np.inf
        order = np.lexsort((ids, -scores))[:TOP_K]
        same = user["nodes"] == ids[order].tolist() and np.allclose(user["scores"], scores[order], atol=1e-12)
        wrong += not same
    return wrong


def newcomer_millis(connection: Connection, task: Task, alias: str) -> list[float]:
    """Milliseconds from sending the creating query to holding the list, one warm-up left out."""
    kind = max(task.via, key=lambda name: task.via[name].weight)
    millis = []
    for turn in range(NEWCOMERS + 1):
        started = time.perf_counter()
        connection.execute(
            f"MATCH (i:`{task.recommend}`) WITH i ORDER BY i.`{task.key[task.recommend]}` SKIP $turn LIMIT 5 "
            f"MERGE (u:`{task.to}` {{`{task.key[task.to]}`: $key}}) "
            f"CREATE (u)-[:`{kind}` {{`{task.time_property or 'at'}`: timestamp()}}]->(i)",
            turn=turn * 5,
            key=10_000_000 + turn,
        )
        rows = connection.execute(
            f"MATCH (u:`{task.to}` {{`{task.key[task.to]}`: $key}}) "
            "CALL gnn.recommend.stream(u, {topK: 10, model: $model}) YIELD node, origin "
            "RETURN node, origin",
            key=10_000_000 + turn,
            model=alias,
        )
        if len(rows) != TOP_K:
            raise SystemExit(f"The newcomer got {len(rows)} rows, expected {TOP_K}.")
        millis.append((time.perf_counter() - started) * 1000)
    connection.execute(
        f"MATCH (u:`{task.to}`) WHERE u.`{task.key[task.to]}` >= 10000000 DETACH DELETE u RETURN count(*)"
    )
    return millis[1:]


if __name__ == "__main__":
    main()
