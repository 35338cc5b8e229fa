"""Training pipelines: made, filled and trained as the official client's link-prediction pipelines are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from graphdatascience import Graph
from pandas import DataFrame

from gds_pipelines.client.calls import Calls, configuration, graph_name
from gds_pipelines.client.jobs import Job
from gds_pipelines.client.models import RecommendationModel
from gds_pipelines.client.results import Estimation, JobState, PipelineExists, PipelineInfo, TrainResult
from gds_pipelines.errors import PipelineError
from gds_pipelines.task import Task

SplitMethod = Literal["time", "leave-last", "random"]
DeployRule = Literal["always", "ifBetter", "never"]


class RecommendationPipeline:
    """A pipeline of the signed-in user; make it with ``gnn.pipeline.create`` or ``.from_task``."""

    def __init__(self, name: str, calls: Calls) -> None:
        self._name = name
        self._calls = calls

    def name(self) -> str:
        return self._name

    def add_node_property(self, procedure: str, **config: Any) -> PipelineInfo:
        """A step of GDS, as ``add_node_property("fastRP", embedding_dimension=64, mutate_property="near")``.

        It is run on the train part for training and evaluation, and on the whole graph for what serves.
        """
        return self._change(
            "CALL gnn.pipeline.addNodeProperty($name, $procedure, $config)",
            procedure=procedure,
            config=configuration(config),
        )

    def select_features(self, features: str | Sequence[str]) -> PipelineInfo:
        """The node properties that models read."""
        chosen = [features] if isinstance(features, str) else list(features)
        return self._change("CALL gnn.pipeline.selectFeatures($name, $features)", features=chosen)

    def configure_split(
        self, *, method: SplitMethod | None = None, test_fraction: float | None = None, **config: Any
    ) -> PipelineInfo:
        """How the test part is held out; by time where the task has a time, unless told otherwise."""
        config |= {"method": method, "test_fraction": test_fraction}
        return self._change("CALL gnn.pipeline.configureSplit($name, $config)", config=configuration(config))

    def configure_auto_tuning(
        self, *, max_trials: int | None = None, max_minutes: float | None = None, **config: Any
    ) -> PipelineInfo:
        """How long ranges are searched."""
        config |= {"max_trials": max_trials, "max_minutes": max_minutes}
        return self._change(
            "CALL gnn.pipeline.configureAutoTuning($name, $config)",
            config=configuration(config),
        )

    def configure_training(
        self, *, deploy: DeployRule | None = None, warm_start: bool | None = None, **config: Any
    ) -> PipelineInfo:
        """When a new version takes over, and what training begins from."""
        config |= {"deploy": deploy, "warm_start": warm_start}
        return self._change(
            "CALL gnn.pipeline.configureTraining($name, $config)",
            config=configuration(config),
        )

    def add_model(self, model: str, **config: Any) -> PipelineInfo:
        """A candidate by its name in ``gnn4j models``; a setting is a value or a tuple ``(low, high)``."""
        return self._change(
            "CALL gnn.pipeline.addModel($name, $model, $config)",
            model=model,
            config=configuration(config),
        )

    def details(self) -> PipelineInfo:
        """Raises PipelineError where it is gone."""
        return _info(self._calls.row("CALL gnn.pipeline.info($name)", name=self._name))

    def exists(self) -> bool:
        """Whether it is there now; another session may have dropped it."""
        row = self._calls.row("CALL gnn.pipeline.exists($name)", name=self._name)
        return row is not None and PipelineExists.model_validate(row).exists

    def drop(self, fail_if_missing: bool = False) -> PipelineInfo | None:
        """What it was, None where there was none; jobs that have begun have a copy and go on."""
        return _drop(self._calls, self._name, fail_if_missing)

    def train(
        self,
        G: Graph | str | None,
        *,
        model_name: str,
        wait: bool = False,
        timeout: float | None = None,
        **config: Any,
    ) -> tuple[RecommendationModel, TrainResult]:
        """Submit a job for a worker; ``job(result)`` follows it.

        Args:
            G: a projection of yours; None: the worker projects the task itself.
            model_name: of the registry; the alias of that name serves the version that a rule lets through.
            wait: until the job has ended. Waiting is done here, so that an interrupted call cancels nothing.
            timeout: seconds to wait at most; None waits for ever.
            config: further keys of ``gnn.pipeline.train``.
        Returns:
            The model, which answers once a version is deployed, and the result: with ``wait`` the final one.
        Raises:
            PipelineError: for what is wrong with it, and with ``wait`` when the job failed or was cancelled.
        """
        row = self._calls.row(
            "CALL gnn.pipeline.train($graph, $config)",
            "WRITE",
            True,  # tried again it would be two jobs
            graph=graph_name(G),
            config=self._train_config(model_name, config),
        )
        result = TrainResult.model_validate(row)
        if wait:
            state = self.job(result).wait(timeout)
            if state.status != "FINISHED":
                raise PipelineError(f"Job {result.job_id} is {state.status}: {state.message or 'no message'}")
            result = result.model_copy(update=_ended(state))
        return RecommendationModel(model_name, self._calls), result

    def job(self, result: TrainResult) -> Job:
        """The job that ``train`` submitted."""
        return Job(result.job_id, self._calls)

    def train_estimate(self, G: Graph | str | None, *, model_name: str, **config: Any) -> Estimation:
        """What training takes, here and (``trainer_bytes``) at the worker."""
        row = self._calls.row(
            "CALL gnn.pipeline.train.estimate($graph, $config)",
            graph=graph_name(G),
            config=self._train_config(model_name, config),
        )
        return Estimation.model_validate(row)

    def _train_config(self, model_name: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return configuration({"pipeline": self._name, "model_name": model_name} | dict(config))

    def _change(self, statement: str, **parameters: Any) -> PipelineInfo:
        return _info(self._calls.row(statement, "WRITE", name=self._name, **parameters))


class PipelineEndpoints:
    """``gnn.pipeline``: the signed-in user's own pipelines."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def create(self, name: str) -> tuple[RecommendationPipeline, PipelineInfo]:
        """An empty one."""
        row = self._calls.row("CALL gnn.pipeline.create($name)", "WRITE", name=name)
        return RecommendationPipeline(name, self._calls), _info(row)

    def from_task(
        self, name: str, task: Task | Mapping[str, Any]
    ) -> tuple[RecommendationPipeline, PipelineInfo]:
        """A complete one out of one sentence: what is recommended to whom, by which behaviour.

        Args:
            task: a ``Task``, or a map as Cypher takes it: ``{"recommend": "Item", "to": "User", …}``.
        """
        row = self._calls.row(
            "CALL gnn.pipeline.fromTask($name, $task)",
            "WRITE",
            name=name,
            task=task.to_mapping() if isinstance(task, Task) else dict(task),
        )
        return RecommendationPipeline(name, self._calls), _info(row)

    def list(self) -> DataFrame:
        """All of them, one a row."""
        return self._calls.rows("CALL gnn.pipeline.list()")

    def get(self, name: str) -> RecommendationPipeline:
        """Raises PipelineError where there is none of that name."""
        pipeline = RecommendationPipeline(name, self._calls)
        pipeline.details()
        return pipeline

    def exists(self, name: str) -> PipelineExists | None:
        """None where there is none, as the official client says it."""
        row = self._calls.row("CALL gnn.pipeline.exists($name)", name=name)
        found = None if row is None else PipelineExists.model_validate(row)
        return found if found and found.exists else None

    def drop(self, name: str, *, fail_if_missing: bool = False) -> PipelineInfo | None:
        return _drop(self._calls, name, fail_if_missing)


def _drop(calls: Calls, name: str, fail_if_missing: bool) -> PipelineInfo | None:
    row = calls.row("CALL gnn.pipeline.drop($name, $fail)", "WRITE", name=name, fail=fail_if_missing)
    return None if row is None else _info(row)


def _ended(state: JobState) -> dict[str, Any]:
    """What the answer of ``train`` says of a job that has finished."""
    took = None
    if state.started_at is not None and state.finished_at is not None:
        took = round((state.finished_at - state.started_at).total_seconds() * 1000)
    named = ("status", "model_info", "model_selection_stats", "message")
    return {name: getattr(state, name) for name in named} | {"train_millis": took}


def _info(row: Mapping[str, Any] | None) -> PipelineInfo:
    return PipelineInfo.model_validate(row)
