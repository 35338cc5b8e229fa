"""A finished training run as an artefact that can be deployed, whatever its contract."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.models.payload import (
    BlockModel,
    ItemPropagation,
    ItemWeights,
    Payload,
    RankedLists,
    VectorPairs,
)
from gds_pipelines.run import Run, gnn4j_version
from gds_pipelines.task import Task
from model_export import Artefact, ArtefactError, item_weights, ranked_lists, vector_pairs
from model_export.block_schema import BlockSchema, NodeType, Relation


def artefact_of(run: Run, created_at: str | None = None) -> Artefact:
    """Export the model of a run; where there is a network, parity with ONNX Runtime is part of it.

    Args:
        created_at: ISO-8601 UTC; by default when the run was made, so the same run gives the same bytes.
    Raises:
        PipelineError: if the model needs no artefact.
        InvalidInput: with all faults of the export.
    """
    recommender = run.recommender()
    payload = recommender.payload()
    if payload is None:
        raise PipelineError(
            f"The model '{run.model}' of '{run.directory}' has no artefact: the database answers it by "
            f"itself. Ask for it with: CALL gnn.recommend.stream(user, "
            f"{{method: '{method_of(run.model)}', task: …{_walk(run)}}})"
        )
    task = Task.from_mapping(run.task)
    common = {
        "model": run.model,
        "schema": schema_of(task),
        "task": task.to_mapping(),
        "training": {
            "graph": {
                "nodes": {task.to: run.sizes["users"], task.recommend: run.sizes["items"]},
                "relationships": {"|".join(task.via): run.sizes["pairs"]},
            },
            # What is kept was trained on everything when it was refitted, up to the newest event.
            "cutoff": run.data_end if run.refitted else run.cutoff,
            "seed": run.seed,
            "hyperparameters": payload.hyperparameters,
        },
        "metrics": run.manifest_metrics(),
        "gnn4j_version": gnn4j_version(),
        "created_at": created_at or run.created_at,
    }
    try:
        return _build(payload, task, common)
    except ArtefactError as error:
        raise InvalidInput(error.what, error.faults) from error


def _walk(run: Run) -> str:
    """The exponents of a walk as the map of a call has them."""
    if method_of(run.model) != "walk":
        return ""
    return f", walk: {{alpha: {run.parameters['alpha']:g}, beta: {run.parameters['beta']:g}}}"


def method_of(model: str) -> str:
    """The method of ``gnn.recommend.stream`` that answers a model without an artefact."""
    return "popularity" if model == "popularity" else "walk"


@singledispatch
def _build(payload: Payload, task: Task, common: dict[str, Any]) -> Artefact:
    raise PipelineError(f"A payload of {payload.contract} cannot be exported by this version.")


@_build.register
def _(payload: ItemPropagation, task: Task, common: dict[str, Any]) -> Artefact:
    from model_export.item_propagation import build  # torch is needed for this contract only

    final = payload.vectors == "final"
    vectors = {"e": payload.vector, "c": payload.context} if final else {"base": payload.vector}
    return build(
        item_label=task.recommend,
        keys=payload.item_keys,
        layers=payload.layers,
        exponent=payload.exponent,
        similarity=payload.similarity,
        history=payload.history,
        blend=payload.blend or None,
        **vectors,
        **common,
    )


@_build.register
def _(payload: VectorPairs, task: Task, common: dict[str, Any]) -> Artefact:
    return vector_pairs.build(
        user_keys=payload.user_keys,
        user_vectors=payload.user_vectors,
        item_keys=payload.item_keys,
        item_vectors=payload.item_vectors,
        similarity=payload.similarity,
        cold={"rule": payload.cold, **payload.cold_parameters},
        **common,
    )


@_build.register
def _(payload: ItemWeights, task: Task, common: dict[str, Any]) -> Artefact:
    return item_weights.build(
        item_keys=payload.item_keys,
        source=payload.source,
        target=payload.target,
        weight=payload.weight,
        **common,
    )


@_build.register
def _(payload: RankedLists, task: Task, common: dict[str, Any]) -> Artefact:
    return ranked_lists.build(
        user_keys=payload.user_keys,
        item_keys=payload.item_keys,
        users=payload.users,
        items=payload.items,
        ranks=payload.ranks,
        scores=payload.scores,
        **common,
    )


@_build.register
def _(payload: BlockModel, task: Task, common: dict[str, Any]) -> Artefact:
    from model_export.exporter import export  # torch is needed to trace the encoder

    manifest = {
        **common,
        **block_schema_of(payload, task).to_manifest(),
        "contract": payload.contract,
        "createdAt": common["created_at"],
        "gnn4jVersion": common["gnn4j_version"],
        "dimension": payload.dimension,
        "similarity": payload.similarity,
    }
    for name in ("created_at", "gnn4j_version"):
        del manifest[name]
    return export(payload.module, None, manifest)


def block_schema_of(payload: BlockModel, task: Task) -> BlockSchema:
    """The model's schema with the labels, keys and relationship types of the task.

    Raises:
        PipelineError: the task has relations that sampled blocks do not: through middle nodes, of a label
            with itself, or several behaviours that were not told apart in training.
    """
    schema, behaviours = payload.schema, list(task.via.items())
    through = [name for name, behaviour in behaviours if behaviour.through]
    if through:
        raise PipelineError(
            f"The behaviour {through[0]} runs through middle nodes; the sampler draws along stored "
            f"relationships. Write it as relationships of its own, or train a model of item-propagation/1, "
            f"fism say."
        )
    if task.recommend == task.to:
        raise PipelineError(
            f"The task recommends {task.recommend} to {task.to}; models on sampled blocks tell users from "
            f"items by their labels. Train another model, fism say."
        )
    if len(behaviours) > 1 and not payload.told_apart:
        raise PipelineError(
            f"The task has {len(behaviours)} behaviours, which this model did not tell apart in training. "
            f"Train it from the database, where they are relationships of their own type."
        )
    labels = (task.recommend, task.to)
    relations = []
    for at in range(2 * payload.behaviours):
        name, behaviour = behaviours[at // 2]
        stored, turned = (
            ("out", "in") if behaviour.direction == "out" else ("in", "out")
        )  # `out`: stored from user to item
        to_items = at % 2 == 0
        source, target = (labels[1], labels[0]) if to_items else labels
        relations.append(Relation(source, name, target, stored if to_items else turned))
    stands_for = {node.label: label for node, label in zip(schema.types, labels, strict=False)}
    for relation in schema.relations[2 * payload.behaviours :]:
        ends = (relation.source, relation.target)
        source, target = (stands_for.get(label, label) for label in ends)
        relations.append(replace(relation, source=source, target=target))
    types = []
    for label, node in zip(labels, schema.types, strict=False):
        key = task.key[label]
        features = tuple(
            replace(feature, property=key) if feature.property == payload.item_key else feature
            for feature in node.features
        )
        types.append(NodeType(label, key, features))
    types += schema.types[len(labels) :]
    return replace(schema, types=tuple(types), relations=tuple(relations), seeds=labels)


def schema_of(task: Task) -> dict[str, Any]:
    """The labels, keys and relationships a model of interactions reads.

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
