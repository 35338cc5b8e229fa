"""The main job, end to end, on one data set: from files to recommendations in Cypher.

Every step uses what a user would: ingestion, training, deployment and plain Cypher calls. A second
demo finds the model still answering with the artefact it made, and goes straight to the answers.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gds_pipelines import datasets, ingest, models, training_run
from gds_pipelines.connection import Connection
from gds_pipelines.deploy import deploy
from gds_pipelines.errors import PipelineError
from gds_pipelines.queries import query
from gds_pipelines.recommendation import TITLES, lists_for
from gds_pipelines.registry import Registry
from gds_pipelines.run import Run
from gds_pipelines.run_artefact import artefact_of
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions

EXAMPLES = 2
TOP_K = 5
HISTORY = 5


@dataclass(frozen=True)
class Answer:
    """One list that came out of a Cypher call.

    Args:
        source: key of the user.
        because: titles of what the user did, newest first.
        rows: (rank, title, score, origin).
        millis: wall clock of the call, over Bolt.
    """

    source: Any
    because: list[str]
    rows: list[tuple[int, str, float, str]]
    millis: float


@dataclass
class Demo:
    """What was done.

    Args:
        alias: what ``model`` is called in Cypher.
        reused: model and graph were still there from an earlier demo.
        seconds: wall clock by step.
        notes: what a reader of the figures should know, such as nodes of another data set.
        answers: for users who were there before.
        newcomer: for the user made a moment before.
    """

    dataset: str
    task: Task
    alias: str
    run: Run | None = None
    reused: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    newcomer: Answer | None = None

    def to_mapping(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "dataset": self.dataset,
            "task": self.task.to_mapping(),
            "alias": self.alias,
            "run": self.run.to_mapping() if self.run else None,
            "reused": self.reused,
            "seconds": self.seconds,
            "notes": self.notes,
            "answers": [vars(answer) for answer in self.answers],
            "newcomer": vars(self.newcomer) if self.newcomer else None,
        }


def run(
    connection: Connection,
    dataset: str,
    directory: Path,
    *,
    model: str | None = None,
    again: bool = False,
    seed: int = 1,
    options: TrainingOptions | None = None,
    on_step: Callable[[str], None] = lambda text: None,
    on_ingest: ingest.Progress | None = None,
    on_download: Callable[[str, int, int | None], None] | None = None,
) -> Demo:
    """All of it.

    Args:
        dataset: name of a data set; 'shop' is made here.
        directory: where run, artefact and the note for the next demo are kept.
        model: to train; the default one when None.
        again: do every step even if an earlier demo's model still answers.
    Raises:
        PipelineError: in words, from whichever step.
    """
    subject = training_run.subject(dataset)
    name = model or models.DEFAULT_MODEL
    models.recommender(name)
    demo = Demo(dataset, subject.task, re.sub(r"\W", "_", dataset))
    clock = _Clock(demo.seconds)
    # The newcomer of an earlier demo is no data: it would be all of a test part cut by time.
    connection.execute(query("delete_newcomers"))
    if not again and (found := _kept(connection, demo.alias, name, directory)):
        demo.run, demo.reused = found, True
        on_step(
            f"The model of the last demo still answers as '{demo.alias}'; --again does everything once more"
        )
    else:
        with clock.step("ingest"):
            on_step(f"Loading into Neo4j: {datasets.get(dataset).title}")
            prepared = datasets.get(dataset).prepare(received=on_download)
            plan = ingest.plan_tables(prepared.files, prepared.mapping)
            demo.notes = ingest.write(plan, connection, on_ingest).mixed_with_others()
        with clock.step("train"):
            demo.run = training_run.train(
                connection,
                subject,
                name,
                directory,
                split=training_run.split_request(subject, None),
                seed=seed,
                options=options,
                on_step=on_step,
            )
        with clock.step("export"):
            on_step("Exporting the model to ONNX and checking it against PyTorch")
            artefact = artefact_of(demo.run)
            path = artefact.write(directory / f"{demo.alias}.zip")
        with clock.step("deploy"):
            deploy(connection, artefact, name=demo.alias, on_step=on_step)
        _keep(directory, name, path.name, artefact.sha256)
    with clock.step("answers"):
        on_step("Asking the database")
        demo.answers = examples(connection, subject.task, demo.alias)
    with clock.step("newcomer"):
        on_step(f"Creating a user with {HISTORY} interactions, and asking again")
        demo.newcomer = newcomer(connection, subject.task, demo.alias)
    return demo


def examples(connection: Connection, task: Task, alias: str) -> list[Answer]:
    """Lists for a user with a short history and for one with a long one."""
    records = connection.execute(
        query("pick_example_users", source=task.to, key=task.key[task.to]), types=_types(task), count=EXAMPLES
    )
    return [answer(connection, task, alias, record["key"]) for record in records]


def answer(connection: Connection, task: Task, alias: str, key: Any) -> Answer:
    """Recommend for one user, as an application would."""
    history = connection.execute(
        query("read_history_titles", source=task.to, key=task.key[task.to], target=task.recommend),
        key=key,
        types=_types(task),
        time=task.time_property or "",
        titles=[*TITLES, task.key[task.recommend]],
        count=HISTORY,
    )
    started = time.perf_counter()
    records = lists_for(connection, task, key, {"topK": TOP_K, "model": alias})
    millis = (time.perf_counter() - started) * 1000
    return Answer(
        key,
        [record["title"] for record in history],
        [
            (record["rank"], record["title"], record["score"], record["origin"])
            for record in records
            if record["rank"] is not None
        ],
        millis,
    )


def newcomer(connection: Connection, task: Task, alias: str) -> Answer:
    """Create a user who did five things, by plain Cypher, and recommend in the next query."""
    behaviour = next((name for name in _types(task)), None)
    if behaviour is None:
        raise PipelineError(
            "Every behaviour of this task runs through other nodes; the demo cannot make a user up."
        )
    numeric = connection.execute(query("next_integer_key", source=task.to, key=task.key[task.to]))[0]["next"]
    key = numeric if numeric is not None else "demo-newcomer"
    connection.execute(
        query(
            "create_newcomer",
            source=task.to,
            key=task.key[task.to],
            target=task.recommend,
            type=behaviour,
            time=task.time_property or "at",
        ),
        key=key,
        count=HISTORY,
        model=alias,
    )
    return answer(connection, task, alias, key)


def _types(task: Task) -> list[str]:
    """Relationship types that lead straight from a user to an item, the strongest first."""
    straight = [
        (-one.weight, name) for name, one in task.via.items() if not one.through and one.direction == "out"
    ]
    return [name for _, name in sorted(straight)]


_NOTE = "demo.json"


def _keep(directory: Path, model: str, artefact: str, sha256: str) -> None:
    note = {"model": model, "artefact": artefact, "sha256": sha256}
    fresh = directory / f"{_NOTE}.new"
    fresh.write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    os.replace(fresh, directory / _NOTE)


def _kept(connection: Connection, alias: str, model: str, directory: Path) -> Run | None:
    """The run of an earlier demo whose artefact is what the alias answers with; None if there is none."""
    try:
        note = json.loads((directory / _NOTE).read_text(encoding="utf-8"))
        run = Run.read(directory)
    except (OSError, ValueError, PipelineError):
        return None
    serving = Registry(connection).target(alias)
    same = serving is not None and serving.sha256 == note["sha256"] and note["model"] == model
    return run if same else None


class _Clock:
    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds

    def step(self, name: str) -> _Clock:
        self._name = name
        return self

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._seconds[self._name] = round(time.perf_counter() - self._started, 3)
