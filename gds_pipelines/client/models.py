"""A model of the registry, to be asked for all users of its task."""

from __future__ import annotations

from typing import Any

from graphdatascience import Graph
from pandas import DataFrame

from gds_pipelines.client.calls import Calls, configuration, graph_name
from gds_pipelines.client.results import (
    Estimation,
    ModelVersion,
    PredictMutateResult,
    PredictWriteResult,
)
from gds_pipelines.errors import PipelineError

_ROW = "name, version, state, aliases, contract, task, metrics, createdAt"
# Nodes by their Neo4j id, as all DataFrames of the official client have them.
_STREAM = """
CALL gnn.pipeline.predict.stream($graph, $config) YIELD source, node, rank, score, origin
RETURN id(source) AS sourceNodeId, id(node) AS targetNodeId, rank, score, origin
"""


class RecommendationModel:
    """An alias or a version (``'shop:3'``); methods as the official client's models of pipelines have them.

    All ``predict_*`` take a graph of the official client, its name, or None for all that is stored, and every
    key of ``gnn.pipeline.predict`` in snake_case.
    """

    def __init__(self, name: str, calls: Calls) -> None:
        self._name = name
        self._calls = calls

    def name(self) -> str:
        return self._name

    def exists(self) -> bool:
        """Whether calls that name it are answered now: an alias, or name:version, that is ready."""
        row = self._calls.row("RETURN gnn.model.exists($name) AS found", name=self._name)
        return bool(row and row["found"])

    def details(self) -> ModelVersion:
        """The version that answers to this name.

        Raises:
            PipelineError: if there is none, as before the first training has finished.
        """
        name, _, version = self._name.partition(":")
        row = self._calls.row(
            f"CALL gnn.model.list() YIELD {_ROW} "
            "WHERE CASE WHEN $version IS NULL THEN $name IN aliases "
            "ELSE [name, version] = [$name, $version] END "
            f"RETURN {_ROW}",
            name=name,
            version=int(version) if version.isdecimal() else None,
        )
        if row is None:
            raise PipelineError(f"No model answers to '{self._name}'. See: CALL gnn.model.list()")
        return ModelVersion.model_validate(row)

    def drop(self) -> None:
        """Remove the version, its vectors and its index; never one that an alias points to."""
        found = self.details()
        self._calls.rows(
            "CALL gnn.model.drop($name, {version: $version})",
            "WRITE",
            True,
            name=found.name,
            version=found.version,
        )

    def metrics(self) -> dict[str, Any]:
        """By figure (``RECALL_AT_20``): what it was on train, validation and test."""
        return dict(self._info()["metrics"])

    def best_parameters(self) -> dict[str, Any]:
        """The winner's settings; ``modelName`` is its family."""
        return dict(self._info()["bestParameters"])

    def node_property_steps(self) -> list[dict[str, Any]]:
        """What the worker computed before training, in order: `procedure` and `config` of each step."""
        return list(self._info()["nodePropertySteps"])

    def _info(self) -> dict[str, Any]:
        name = self._name.partition(":")[0]
        row = self._calls.row(
            "CALL gnn.job.list() YIELD jobId, modelName, status, finishedAt "
            "WHERE modelName = $name AND status = 'FINISHED' WITH jobId ORDER BY finishedAt DESC LIMIT 1 "
            "CALL gnn.job.show(jobId) YIELD modelInfo RETURN modelInfo",
            name=name,
        )
        if row is None or not row["modelInfo"]:
            raise PipelineError(f"No finished job of yours made '{name}'. For others see details().")
        return dict(row["modelInfo"])

    def predict_stream(self, G: Graph | str | None = None, *, top_k: int = 10, **config: Any) -> DataFrame:
        """``sourceNodeId, targetNodeId, rank, score, origin``; users by ascending Neo4j id."""
        return self._calls.rows(_STREAM, graph=graph_name(G), config=self._config(top_k, config))

    def predict_mutate(
        self,
        G: Graph | str,
        mutate_relationship_type: str,
        *,
        mutate_property: str = "score",
        top_k: int = 10,
        **config: Any,
    ) -> PredictMutateResult:
        """Add the lists to the projection as relationships with their score."""
        config |= {"mutate_relationship_type": mutate_relationship_type, "mutate_property": mutate_property}
        row = self._calls.row(
            "CALL gnn.pipeline.predict.mutate($graph, $config)",
            once=True,
            graph=graph_name(G),
            config=self._config(top_k, config),
        )
        return PredictMutateResult.model_validate(row)

    def predict_write(
        self,
        G: Graph | str | None = None,
        *,
        write_relationship_type: str = "RECOMMENDED",
        top_k: int = 10,
        **config: Any,
    ) -> PredictWriteResult:
        """Keep the lists in the database, each user's in place of the one before."""
        config |= {"write_relationship_type": write_relationship_type}
        row = self._calls.row(
            "CALL gnn.pipeline.predict.write($graph, $config)",
            "WRITE",
            True,
            graph=graph_name(G),
            config=self._config(top_k, config),
        )
        return PredictWriteResult.model_validate(row)

    def predict_estimate(self, G: Graph | str | None = None, *, top_k: int = 10, **config: Any) -> Estimation:
        """What ``predict_stream`` would take."""
        row = self._calls.row(
            "CALL gnn.pipeline.predict.stream.estimate($graph, $config)",
            graph=graph_name(G),
            config=self._config(top_k, config),
        )
        return Estimation.model_validate(row)

    def _config(self, top_k: int, config: dict[str, Any]) -> dict[str, Any]:
        return configuration({"model_name": self._name, "top_k": top_k} | config)
