"""A data set in the database of a benchmark, and models of it that answer there."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.transfer.bench_server import BenchServer, bench_server
from gds_pipelines import datasets, ingest, models, training_run
from gds_pipelines.connection import Connection, Target
from gds_pipelines.deploy import deploy
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import Recommender
from gds_pipelines.run import Run
from gds_pipelines.run_artefact import artefact_of
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions


@dataclass
class Loaded:
    """A server that holds one data set.

    Args:
        whole: its pairs, as they stand in the database.
        served: models that were deployed, by alias.
    """

    server: BenchServer
    connection: Connection
    dataset: str
    task: Task
    whole: Interactions
    served: dict[str, Recommender] = field(default_factory=dict)

    def serve(self, name: str, train: Interactions | None = None, cutoff: int | None = None, **settings: Any
              ) -> Recommender:  # fmt: skip
        """Train and deploy under the model's own name (``-`` becomes ``_``), without any baselines.

        Args:
            train: what it may see; all by default, with the features where the model reads them.
            cutoff: epoch milliseconds before which all of ``train`` lies.
        """
        kind = models.recommender(name)
        if train is None:
            reads = kind.reads_features
            train = training_run.read(self.connection, self.task, features=True) if reads else self.whole
        model = kind(settings, seed=1)
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            options = TrainingOptions(tensorboard=False, progress=False)
            model.fit(train, options=options).save(folder / "model")
            sizes = {"users": train.n_users, "items": train.n_items, "pairs": len(train)}
            run = Run(
                folder, self.task.to_mapping(), name, model.parameters.to_mapping(), 1, "benchmark", cutoff,
                False, sizes, created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            )  # fmt: skip
            deploy(self.connection, artefact_of(run), keep_previous=0)
        self.served[name] = model
        return model


@contextmanager
def loaded(dataset: str, heap_mb: int, software: Path | None) -> Iterator[Loaded]:
    """A server with the data set, gone at the end."""
    with bench_server(heap_mb, software) as server:
        connection = Connection(server.driver, Target(server.uri, *server.auth, None, "benchmark"))
        prepared = datasets.get(dataset).prepare()
        ingest.write(ingest.plan_tables(prepared.files, prepared.mapping), connection, None)
        task = training_run.subject(dataset).task
        yield Loaded(server, connection, dataset, task, training_run.read(connection, task))
