"""One job, from its lease to what it reports at the end: read, select, train, measure, export, deploy.

The measured part is ``run.execute``, the same as ``gnn4j train``: same task, seed and settings give the
same figures. Everything is kept in a folder of the job below the worker's directory: a later attempt that
sees the same folder and the same data goes on from its checkpoint, or straight from the finished run.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from neo4j.exceptions import ClientError, DriverError, TransientError

from gds_pipelines import models, splits
from gds_pipelines.connection import Connection, in_words
from gds_pipelines.deploy import PROJECTED, DeployReport, deploy
from gds_pipelines.errors import PipelineError
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import Recommender
from gds_pipelines.models.batches import fingerprint
from gds_pipelines.models.warm_start import StartVectors
from gds_pipelines.queries import query
from gds_pipelines.registry import UNFINISHED, LoadedVersion, ModelVersion, Registry, check_name
from gds_pipelines.run import Run, execute
from gds_pipelines.run_artefact import artefact_of
from gds_pipelines.splits import Split
from gds_pipelines.training import CHECKPOINT, Cancelled, Progress, TrainingOptions
from gds_pipelines.worker import model_info, node_properties, selection, verdict
from gds_pipelines.worker.channel import Lease, LeaseLost
from gds_pipelines.worker.graphs import JobGraphs, job_graphs
from gds_pipelines.worker.heartbeat import Heartbeat, progress_of
from gds_pipelines.worker.job import Job
from gds_pipelines.worker.selection import Selection, Tried
from model_export import Artefact
from model_export.vectors import decode

CHECKPOINT_SECONDS = 15.0
KEPT = "model.zip"
VECTORS = "vectors.arrow"
_JUDGED_AGAIN = 3
# Shares of the job's progress; reading, exporting and deploying are short.
_READ, _SELECTED, _TRAINED, _EXPORTED = 0.05, 0.30, 0.85, 0.90


@dataclass
class TrainingWork:
    """Does the jobs of one worker.

    Args:
        connection: of the worker's user.
        directory: where folders of jobs are kept; several workers may share it.
        name: of the worker, for sentences.
        threads: CPU threads; None keeps what is set.
    """

    connection: Connection
    directory: Path
    name: str
    threads: int | None = None

    def __call__(self, lease: Lease, beat: Heartbeat) -> dict[str, Any]:
        job = Job.of(lease.job)
        check_name("model", job.model_name)
        if done := _deployed_before(self.connection, job):
            JobGraphs(self.connection, lease, job).forget_all()
            _tidy(self.directory / lease.job_id, keep_artefact=False)
            return {"message": f"{done} serves already: an earlier attempt had come that far."}
        folder = self.directory / lease.job_id
        try:
            with job_graphs(self.connection, lease, job) as graphs:
                final = _Attempt(self, lease, job, graphs, folder, beat).run()
        except (LeaseLost, DriverError, TransientError):
            raise
        except Exception:
            # Cancelled and failed jobs do not go on; one that was lost, or handed back, does.
            if beat.canceling.is_set() or not beat.must_stop():
                _tidy(folder, keep_artefact=not beat.canceling.is_set())
            raise
        _tidy(folder, keep_artefact=not final["modelInfo"]["deployment"]["model"])
        return final


class _Attempt:
    """One attempt at one job."""

    def __init__(
        self, work: TrainingWork, lease: Lease, job: Job, graphs: JobGraphs, folder: Path, beat: Heartbeat
    ) -> None:
        self._connection, self._worker, self._threads = work.connection, work.name, work.threads
        self._lease, self._job, self._graphs, self._beat = lease, job, graphs, beat
        self._folder = folder
        self._seconds: dict[str, float] = {}
        self._share = (0.0, _READ)
        self._claimed: LoadedVersion | None = None

    def run(self) -> dict[str, Any]:
        """What the last report says."""
        job, beat = self._job, self._beat
        with self._phase("read"):
            whole, parts, served = self._read()
        place = self._folder / fingerprint(whole)[:16]
        self._say_where_it_begins(place)
        with self._phase("select"):
            self._stage(_READ, _SELECTED)
            selected = self._select(parts, place)
        with self._phase("train"):
            self._stage(_SELECTED, _TRAINED)
            run, measured = self._train(whole, parts, selected, place)
        outer = selection.fit_figures(measured)
        beat.note(progress=_TRAINED, metrics=dict(run.figures()))
        stats = model_info.selection_stats(selected)

        def told() -> dict[str, Any]:
            info = model_info.model_info(job, run, selected, outer, self._seconds)
            info["deployment"] = {"deployed": False, "model": None}
            return {"modelInfo": info, "modelSelectionStats": stats}

        with self._phase("export"):
            artefact, why_not = self._export(run)
        beat.confirm(progress=_EXPORTED, **told())
        if artefact is None:
            return told() | {"message": why_not}
        artefact.write(self._folder / KEPT)
        with self._phase("deploy"):
            found, report = self._bring_back(artefact, run, measured, whole, served)
        info = told()
        info["modelInfo"]["deployment"] = found.to_mapping() | {"model": report.model if report else None}
        message = found.reason if found.deploy or report is None else f"{found.reason} It is {report.model}."
        return info | {"message": self._with_place(message, report)}

    # ---------------------------------------------------------------- reading

    def _read(self) -> tuple[Interactions, Split, str | None]:
        job = self._job
        self._step(f"Reading {job.graph_name or 'the graph'}")
        plain = not job.steps and not job.features
        reads = job.reads_features()
        whole = self._graphs.read(features=plain and reads, surroundings=job.reads_surroundings())
        parts = job.split.apply(whole, job.task, job.split_seed)
        splits.audit(
            parts.train,
            parts.test,
            same_nodes=job.task.recommend == job.task.to,
            by_time=parts.cutoff is not None,
        ).check()
        served = None
        if not plain and reads:
            self._step(f"Computing {len(job.steps)} node properties, on the train part and on the whole")
            whole, parts, served = node_properties.with_features(
                self._connection, job, self._graphs, whole, parts
            )
        elif job.steps:
            names = ", ".join(sorted({one.model for one in job.candidates}))
            self._beat.say(f"No candidate reads node properties ({names}); no step is run.", "WARNING")
        self._beat.check()
        return whole, parts, served

    def _say_where_it_begins(self, place: Path) -> None:
        if self._lease.attempt == 1:
            return
        if (place / "run.json").exists():
            where = "the model was trained already"
        elif any(place.rglob(CHECKPOINT)):
            where = "goes on from the checkpoint"
        else:
            where = "no checkpoint of this data is here, so it begins with epoch 0"
        self._beat.say(f"Attempt {self._lease.attempt}: {where}")

    # ---------------------------------------------------------------- models

    def _select(self, parts: Split, place: Path) -> Selection:
        job, file = self._job, place / "selection.json"
        if file.exists():
            raw = json.loads(file.read_text(encoding="utf-8"))
            tried = tuple(Tried(**one) for one in raw["tried"])
            return Selection(tried, raw["best"], raw["description"])
        found = selection.select(
            job.candidates,
            parts,
            job.tuning,
            place / "selection",
            seed=job.seed,
            options=self._options(),
            on_step=self._step,
        )
        place.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(found)), encoding="utf-8")
        fresh.replace(file)
        if len(found.tried) > 1:
            self._beat.say(f"{found.winner.model} wins with {found.winner.value:.4f} on validation")
        return found

    def _train(
        self, whole: Interactions, parts: Split, selected: Selection, place: Path
    ) -> tuple[Run, Recommender]:
        job, measured = self._job, place / "measured"
        if (place / "run.json").exists():
            return Run.read(place), models.load(measured)
        kept: list[Recommender] = []
        start = self._start_of(selected.winner) if job.warm_start and job.refit else None

        def keep(model: Recommender, _: Split) -> None:
            model.save(measured)
            kept.append(model)

        run = execute(
            whole,
            job.task,
            selected.winner.model,
            place,
            parameters=selected.winner.parameters,
            split=parts,
            baselines=models.BASELINES if job.baselines else (),
            refit=job.refit,
            seed=job.seed,
            options=self._options(),
            on_step=self._step,
            on_measured=keep,
            start=start,
        )
        return run, kept[0]

    def _start_of(self, winner: Tried) -> StartVectors | None:
        """The vectors of the version that serves, where the winner can begin with them; else says why not."""
        job, registry = self._job, Registry(self._connection)
        serving = registry.target(job.model_name)
        chosen = models.recommender(winner.model)(winner.parameters)
        if serving is None:
            self._beat.say("No warm start: nothing serves under this name yet")
            return None
        if not chosen.starts_warm:
            self._beat.say(f"No warm start: {winner.model} is not trained step by step from vectors")
            return None
        manifest = registry.manifest(serving.name, serving.version)
        if (manifest["model"], manifest.get("dimension")) != (winner.model, chosen.parameters.dimension):
            self._beat.say(
                f"No warm start: {serving.reference} is {manifest['model']} of another size or kind"
            )
            return None
        found = decode(registry.file(serving.name, serving.version, VECTORS))
        items, users = found.types == job.task.recommend, found.types == job.task.to
        self._beat.say(f"Begins with the vectors of {serving.reference}")
        return StartVectors(
            winner.model,
            found.keys[items],
            found.vector[items],
            found.keys[users],
            found.vector[users],
            None if found.context is None else found.context[items],
        )

    def _options(self) -> TrainingOptions:
        return TrainingOptions(
            threads=self._threads,
            checkpoint_seconds=CHECKPOINT_SECONDS,
            tensorboard=False,
            on_progress=self._progress,
            should_stop=self._beat.must_stop,
        )

    # ---------------------------------------------------------------- the way back

    def _export(self, run: Run) -> tuple[Artefact | None, str]:
        self._step("Exporting the model and checking it")
        if run.recommender().payload() is None:
            return None, (
                f"Nothing is deployed: the database answers '{run.model}' by itself, with "
                f"gnn.recommend.stream(user, {{method: …, task: …}})."
            )
        return artefact_of(run, self._submitted()), ""

    def _submitted(self) -> str | None:
        """When the job was submitted: attempts that train alike make the same artefact, and version."""
        records = self._connection.execute(query("read_job_time"), id=self._lease.job_id)
        if not records or records[0]["at"] is None:
            return None
        return datetime.fromtimestamp(records[0]["at"] // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _bring_back(
        self,
        artefact: Artefact,
        run: Run,
        measured: Recommender,
        whole: Interactions,
        served: str | None,
    ) -> tuple[verdict.Verdict, DeployReport | None]:
        job, registry = self._job, Registry(self._connection)
        try:
            self._graphs.check()
            self._drop_other(registry, artefact)
            for turn in range(_JUDGED_AGAIN):
                serving = registry.target(job.model_name)
                found = self._judge(serving, measured, run, whole)
                if not found.deploy and job.deploy == "ifBetter":
                    return found, None
                try:
                    return found, self._deploy(artefact, found, served)
                except ClientError as error:
                    moved = "somebody moved it" in in_words(error)
                    if not moved or turn == _JUDGED_AGAIN - 1:
                        raise
                    self._beat.say("Somebody else's version serves now; judging again", "WARNING")
        except LeaseLost:
            raise
        except (PipelineError, ClientError) as error:
            with suppress(Cancelled):
                self._beat.confirm()  # what another attempt goes on with is not ours to remove
            if self._claimed is not None:
                _drop_unfinished(registry, self._claimed)
            self._beat.check()
            sentence = in_words(error) if isinstance(error, ClientError) else str(error)
            raise PipelineError(self._with_place(sentence, None)) from error
        raise AssertionError("unreachable: the last turn returns or raises")

    def _judge(
        self, serving: ModelVersion | None, measured: Recommender, run: Run, whole: Interactions
    ) -> verdict.Verdict:
        job = self._job
        against, expected = (serving.reference, serving.version) if serving else (None, 0)
        if job.deploy == "always":
            return verdict.Verdict(True, "Deployed.", against, expected)
        if job.deploy == "never":
            return verdict.Verdict(False, "Not deployed, as asked.", against, expected)
        self._step("Comparing with what serves")
        graph = self._graphs.own() if serving is not None else ""
        return verdict.judge(self._connection, job.task, serving, measured, run.cutoff, whole, graph)

    def _deploy(self, artefact: Artefact, found: verdict.Verdict, served: str | None) -> DeployReport:
        graph, grant = served, None
        if graph is None and artefact.manifest["contract"] in PROJECTED:
            graph, grant = self._graphs.source(), self._graphs.grant
        return deploy(
            self._connection,
            artefact,
            name=self._job.model_name,
            graph_name=graph,
            grant=grant,
            lease=self._lease.grant,
            switch=found.deploy,
            expected=found.expected,
            on_loaded=self._claim,
            on_step=self._deploy_step,
        )

    def _claim(self, loaded: LoadedVersion) -> None:
        self._claimed = loaded
        self._beat.confirm(modelVersion=loaded.version)

    def _deploy_step(self, text: str) -> None:
        self._beat.say(text)
        self._beat.confirm()
        if text.startswith("Pointing"):
            self._graphs.check()

    def _drop_other(self, registry: Registry, artefact: Artefact) -> None:
        """Remove the version that an earlier attempt made of other bytes; one job has one version."""
        for version in registry.versions(self._job.model_name):
            other = version.version == self._job.model_version and version.sha256 != artefact.sha256
            if other and not version.aliases:
                registry.drop(version.name, version.version)

    def _with_place(self, message: str, report: DeployReport | None) -> str:
        if report is not None:
            return message
        return f"{message} The artefact is kept at worker {self._worker}: gnn4j deploy {self._folder / KEPT}"

    # ---------------------------------------------------------------- telling

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[name] = time.perf_counter() - started

    def _step(self, text: str) -> None:
        self._beat.say(text)
        self._beat.check()
        # How many steps follow is not known: each takes a quarter of what is left of its phase.
        first, last = self._share
        self._share = (first + (last - first) / 4, last)
        self._beat.note(progress=first)

    def _stage(self, first: float, last: float) -> None:
        self._share = (first, last)

    def _progress(self, progress: Progress) -> None:
        first, last = self._share
        progress_of(self._beat, first, first + (last - first) / 4)(progress)


def _tidy(folder: Path, *, keep_artefact: bool) -> None:
    """Remove the folder of a job that has come to its end, but for an artefact that is in no registry."""
    artefact = folder / KEPT
    if not keep_artefact or not artefact.exists():
        shutil.rmtree(folder, ignore_errors=True)
        return
    for place in folder.iterdir():
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)


def _deployed_before(connection: Connection, job: Job) -> str | None:
    """The job's version, where an earlier attempt made it serve and died before it could say so."""
    if job.model_version is None:
        return None
    serving = Registry(connection).target(job.model_name)
    made = serving is not None and serving.name == job.model_name and serving.version == job.model_version
    return serving.reference if made else None


def _drop_unfinished(registry: Registry, claimed: LoadedVersion) -> None:
    for version in registry.versions(claimed.name):
        if version.version == claimed.version and version.state in UNFINISHED:
            registry.drop(version.name, version.version)
