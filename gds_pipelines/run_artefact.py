"""A finished training run as an artefact that can be deployed."""

from __future__ import annotations

from typing import Any

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.models.payload import ItemPropagation
from gds_pipelines.run import Run, gnn4j_version
from gds_pipelines.task import Task
from model_export import Artefact, ArtefactError
from model_export.item_propagation import build


def artefact_of(run: Run, created_at: str | None = None) -> Artefact:
    """Export the model of a run; the parity with ONNX Runtime and the golden sample are part of it.

    Args:
        created_at: ISO-8601 UTC; by default when the run was made, so the same run gives the same bytes.
    Raises:
        PipelineError: if the model needs no artefact, or of a contract that cannot be exported.
        InvalidInput: with all faults of the export.
    """
    payload = run.recommender().payload()
    if not isinstance(payload, ItemPropagation):
        contract = f"follows {payload.contract}" if payload else "has no artefact"
        raise PipelineError(
            f"The model '{run.model}' of '{run.directory}' {contract}; what can be exported are models of "
            f"{ItemPropagation.contract}, such as lightgcn. Train one with: gnn4j train TASK --model lightgcn"
        )
    task = Task.from_mapping(run.task)
    vectors = (
        {"base": payload.vector} if payload.vectors == "base" else {"e": payload.vector, "c": payload.context}
    )
    try:
        return build(
            model=run.model,
            item_label=task.recommend,
            keys=payload.item_keys,
            layers=payload.layers,
            exponent=payload.exponent,
            similarity=payload.similarity,
            history=payload.history,
            schema=schema_of(task),
            task=task.to_mapping(),
            training={
                "graph": {
                    "nodes": {task.to: run.sizes["users"], task.recommend: run.sizes["items"]},
                    "relationships": {"|".join(task.via): run.sizes["pairs"]},
                },
                # What is kept was trained on everything when it was refitted: no cut-off holds for it.
                "cutoff": None if run.refitted else run.cutoff,
                "seed": run.seed,
                "hyperparameters": payload.hyperparameters,
            },
            metrics=run.manifest_metrics(),
            gnn4j_version=gnn4j_version(),
            created_at=created_at or run.created_at,
            **vectors,
        )
    except ArtefactError as error:
        raise InvalidInput(error.what, error.faults) from error


def schema_of(task: Task) -> dict[str, Any]:
    """The labels, keys and relationships an item-propagation model reads.

    A behaviour through middle nodes is described by the task alone: its types have ends of other labels.
    """
    labels = dict.fromkeys((task.recommend, task.to))
    return {
        "nodes": {label: {"key": task.key[label], "properties": []} for label in labels},
        "relations": [
            {
                "source": task.to,
                "type": name,
                "target": task.recommend,
                "direction": behaviour.direction,
            }
            for name, behaviour in task.via.items()
            if not behaviour.through
        ],
    }
