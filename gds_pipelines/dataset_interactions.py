"""Interactions of a known data set straight from its files, without a database, and its own split."""

from __future__ import annotations

import numpy as np

from gds_pipelines import ingest, splits
from gds_pipelines.datasets import Dataset
from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest.plan import Plan
from gds_pipelines.interactions import Interactions
from gds_pipelines.splits import Split
from gds_pipelines.task import Task


def interactions_of(dataset: Dataset) -> dict[str, Interactions]:
    """The task's interactions by name: ``via`` (all behaviours, reduced) and each given test type.

    Keys are the universe of the data set's users and items, so all parts share their indices.
    """
    prepared = dataset.prepare()
    return from_plan(ingest.plan_tables(prepared.files, prepared.mapping), dataset)


def from_plan(plan: Plan, dataset: Dataset) -> dict[str, Interactions]:
    """As ``interactions_of``, from a plan that was made already."""
    task = Task.from_mapping(dataset.task)
    indirect = [name for name, behaviour in task.via.items() if behaviour.through]
    if indirect:
        raise InvalidInput(
            f"Data set '{dataset.name}'",
            [f"'{indirect[0]}' runs through middle nodes, which needs the database"],
        )
    held_out = dataset.split.get("test", ()) if dataset.split["method"] == "given" else ()
    groups = {"via": task.weights} | {name: {name: 1.0} for name in held_out}
    return {group: _events(plan, task, weights) for group, weights in groups.items()}


def _events(plan: Plan, task: Task, weights: dict[str, float]) -> Interactions:
    users, items, values, times = [], [], [], []
    for one in plan.relationships:
        if one.type not in weights or {one.source_label, one.target_label} != {task.to, task.recommend}:
            continue
        direction = task.via[one.type].direction if one.type in task.via else "out"
        ends = (one.source, one.target) if direction == "out" else (one.target, one.source)
        users.append(ends[0])
        items.append(ends[1])
        values.append(np.full(len(one.source), weights[one.type], np.float32))
        if task.time_property is not None and task.time_property in one.properties:
            times.append(one.properties[task.time_property].to_numpy(zero_copy_only=False).astype(np.int64))
    if not users:
        raise InvalidInput(
            "Interactions",
            [f"no relationship of {', '.join(weights)} between {task.to} and {task.recommend}"],
        )
    complete = len(times) == len(users)
    return Interactions.from_indices(
        np.concatenate(users),
        np.concatenate(items),
        np.concatenate(values),
        np.concatenate(times) if complete else None,
        user_keys=plan.nodes[task.to].keys.to_numpy(zero_copy_only=False),
        item_keys=plan.nodes[task.recommend].keys.to_numpy(zero_copy_only=False),
    )


def split_of(dataset: Dataset, found: dict[str, Interactions], *, seed: int = 0) -> Split:
    """The split the data set is shipped with."""
    whole, chosen = found["via"], dict(dataset.split)
    method = chosen["method"]
    if method == "given":
        test = found[chosen["test"][0]]
        for name in chosen["test"][1:]:
            test = splits.merge(test, found[name])
        nothing = whole.keep(np.zeros(len(whole), bool))
        return Split(whole, nothing, test, "as given by the data set")
    if method == "by_time":
        return splits.by_time(whole, Task.from_mapping(dataset.task).horizon_millis)
    if method == "leave_last":
        return splits.leave_last(whole, chosen["n"], validation=chosen.get("validation", 0))
    if method == "random":
        return splits.random(whole, chosen["test"], validation=chosen.get("validation", 0.0), seed=seed)
    raise InvalidInput(f"Data set '{dataset.name}'", [f"its split method '{method}' is not known"])
