"""One row of an answer as an object: its columns as attributes in snake_case."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from graphdatascience.procedure_surface.api.base_result import BaseResult
from pydantic import BeforeValidator


def _native(value: Any) -> Any:
    return value.to_native() if hasattr(value, "to_native") else value


Moment = Annotated[datetime | None, BeforeValidator(_native)]
"""A time of the driver as Python's own."""


class PipelineInfo(BaseResult):
    """What a pipeline holds."""

    name: str
    task: dict[str, Any] | None = None
    node_property_steps: list[Any]
    feature_properties: list[Any]
    split_config: dict[str, Any]
    auto_tuning_config: dict[str, Any]
    training_config: dict[str, Any]
    parameter_space: Any


class PipelineExists(BaseResult):
    pipeline_name: str
    pipeline_type: str | None = None
    exists: bool


class TrainResult(BaseResult):
    """The answer of ``train``; ``model_info`` and ``model_selection_stats`` once the job is finished."""

    job_id: str
    status: str
    model_info: dict[str, Any] | None = None
    model_selection_stats: dict[str, Any] | None = None
    train_millis: int | None = None
    configuration: dict[str, Any] | None = None
    message: str | None = None


class JobState(BaseResult):
    """One job at one moment; ``progress`` in [0, 1], ``time_left_millis`` None where nobody can say."""

    job_id: str
    pipeline: str | None = None
    model_name: str | None = None
    graph_name: str | None = None
    status: str
    progress: float | None = None
    epoch: int | None = None
    metrics: dict[str, Any] | None = None
    device: str | None = None
    worker: str | None = None
    attempt: int | None = None
    submitted_at: Moment = None
    started_at: Moment = None
    finished_at: Moment = None
    time_left_millis: int | None = None
    message: str | None = None
    configuration: dict[str, Any] | None = None
    model_info: dict[str, Any] | None = None
    model_selection_stats: dict[str, Any] | None = None


class Estimation(BaseResult):
    """Memory in bytes; columns that a procedure does not have are None."""

    required_memory: str
    map_view: dict[str, Any] | None = None
    bytes_min: int
    bytes_max: int
    node_count: int | None = None
    relationship_count: int | None = None
    heap_percentage_min: float | None = None
    heap_percentage_max: float | None = None
    trainer_bytes: int | None = None


class PredictMutateResult(BaseResult):
    users: int
    relationships_written: int
    millis: int
    configuration: dict[str, Any]


class PredictWriteResult(PredictMutateResult):
    relationships_deleted: int
    users_kept: int
    skipped_missing: int
    model: str
    version: int
    at: int
    batches_committed: int
    batches_failed: int
    first_error: str | None = None


class ModelVersion(BaseResult):
    """One version in the registry."""

    name: str
    version: int
    state: str
    aliases: list[str]
    contract: str
    task: dict[str, Any]
    metrics: list[Any] | None = None
    created_at: int
