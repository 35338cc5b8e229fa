"""MovieLens-1M by Cypher alone: pipeline, training by a worker, recommendations; ``gnn4j train`` beside it.

    .venv/bin/gnn4j server start --worker
    .venv/bin/python -m benchmarks.loop.pipeline

The data is ingested first. Then only statements that a person types in Neo4j Browser are sent; the clock runs
from the first to the last. At the end ``gnn4j train`` is run with the same task, model, split and seed, and
every figure of the test part is compared.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import result_file
from gds_pipelines import datasets, ingest, models, training_run
from gds_pipelines.connection import connect
from gds_pipelines.run import SplitRequest
from gds_pipelines.training import TrainingOptions
from gds_pipelines.worker.model_info import metric_name

COMMAND = ".venv/bin/python -m benchmarks.loop.pipeline"
NAME = "by_cypher"
STATEMENTS = {
    "describe": "CALL gnn.pipeline.fromTask($name, $task) YIELD name RETURN name",
    "split": "CALL gnn.pipeline.configureSplit($name, $split) YIELD name RETURN name",
    "train": "CALL gnn.pipeline.train(null, {pipeline: $name, modelName: $name, randomSeed: 1, wait: true}) "
    "YIELD status, modelInfo RETURN status, modelInfo",
    "recommend for one user": "MATCH (u:User {id: 42}) "
    "CALL gnn.recommend.stream(u, {topK: 10, model: $name}) YIELD node, rank "
    "RETURN rank, node.title AS title ORDER BY rank",
    "predict for all users": "CALL gnn.pipeline.predict.stream(null, {modelName: $name, topK: 10}) "
    "YIELD source RETURN count(*) AS rows",
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--uri")
    arguments.add_argument("--dataset", default="movielens-1m")
    arguments.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    given = arguments.parse_args()
    subject = training_run.subject(given.dataset)
    request = training_run.split_request(subject, None, 1, 0.2)
    if not isinstance(request, SplitRequest):
        raise SystemExit(f"{given.dataset} brings its own test part, which a pipeline does not read.")
    with connect(given.uri) as connection, tempfile.TemporaryDirectory() as scratch:
        if not connection.execute("CALL gnn.worker.list() YIELD worker RETURN worker"):
            raise SystemExit("No worker runs. Start one: gnn4j worker")
        dataset = datasets.get(given.dataset).prepare()
        ingest.write(ingest.plan_tables(dataset.files, dataset.mapping), connection)
        values = {"name": NAME, "task": subject.task.to_mapping(), "split": split_of(request)}
        connection.execute("CALL gnn.pipeline.drop($name, false) YIELD name FINISH", name=NAME)
        seconds, answers = {}, {}
        with connection.session() as session:
            for step, statement in STATEMENTS.items():
                started = time.perf_counter()
                answers[step] = [record.data() for record in session.run(statement, values)]
                seconds[step] = time.perf_counter() - started
        run = training_run.train(
            connection,
            subject,
            models.DEFAULT_MODEL,
            Path(scratch),
            split=request,
            seed=1,
            options=TrainingOptions(tensorboard=False),
        )
    (trained,) = answers["train"]
    if trained["status"] != "FINISHED":
        raise SystemExit(f"The job is {trained['status']}; see gnn.job.list()")
    found = trained["modelInfo"]["metrics"]
    figures = {name: (found[metric_name(name)]["test"], value) for name, value in run.figures().items()}
    largest = max(abs(one - other) for one, other in figures.values())
    rows = [{"what": f"{step}, seconds", "value": round(took, 2)} for step, took in seconds.items()]
    rows += [
        {"what": "all five statements, seconds", "value": round(sum(seconds.values()), 1)},
        {"what": "rows of the lists of all users", "value": answers["predict for all users"][0]["rows"]},
    ]
    rows += [
        {"what": name, "value": f"{one:.6f}", "by gnn4j train": f"{other:.6f}"}
        for name, (one, other) in figures.items()
    ]
    rows.append({"what": f"largest difference of {len(figures)} figures", "value": f"{largest:.1e}"})
    result_file.write(
        given.out / f"{given.dataset}-pipeline.json",
        f"{given.dataset} by Cypher alone",
        COMMAND,
        rows,
        note=f"Ingested beforehand; worker on the same machine; {run.split}; model {run.model}, seed 1.",
    )


def split_of(request: SplitRequest) -> dict[str, object]:
    """The same for ``gnn.pipeline.configureSplit``."""
    extra = {"leave-last": {"count": request.count}, "random": {"testFraction": request.share}}
    return {"method": request.kind, **extra.get(request.kind, {})}


if __name__ == "__main__":
    main()
