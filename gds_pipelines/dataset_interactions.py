"""Interactions of a known data set straight from its files, without a database, and its own split."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gds_pipelines import ingest, splits
from gds_pipelines.datasets import Dataset
from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest.mapping import IngestMapping
from gds_pipelines.ingest.plan import Plan
from gds_pipelines.interaction_files import EventList
from gds_pipelines.interactions import Interactions
from gds_pipelines.protocols import Listed, Parts, Protocol
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


def parts_of(dataset: Dataset, protocol: Protocol, *, seed: int = 0) -> Parts:
    """The parts of a data set by a protocol; ``seed`` of random splits and drawn candidates.

    Raises:
        InvalidInput: the data set has no ratings, times or lists that the protocol needs.
    """
    own = protocol.datasets.get(dataset.name, {})
    same = dataset.task["recommend"] == dataset.task["to"]
    if protocol.interactions.get("weight") == "value" and "value" not in own:
        known = ", ".join(name for name, entry in protocol.datasets.items() if "value" in entry)
        raise InvalidInput(
            f"Protocol '{protocol.name}'",
            [f"it needs ratings, and '{dataset.name}' has none. Known: {known}"],
        )
    if protocol.split["method"] == "own":
        split = split_of(dataset, interactions_of(dataset), seed=seed)
        return Parts(
            split.train,
            split.validation,
            split.test,
            split.refit(),
            split.description,
            split.cutoff is not None,
            same_nodes=same,
        )
    prepared = dataset.prepare()
    plan, task = ingest.plan_tables(prepared.files, prepared.mapping), Task.from_mapping(dataset.task)
    whole = _events(
        plan,
        task,
        own.get("via", task.weights),
        value=own.get("value") if protocol.interactions.get("weight") == "value" else None,
        first=protocol.interactions.get("time") == "first",
    )
    listed = None
    if protocol.split["method"] == "listed":
        listed = read_listed(_listed_file(dataset, protocol), whole)
    return protocol.cut(whole, seed=seed, listed=listed, same_nodes=same)


def read_listed(path: Path, whole: Interactions) -> Listed:
    """Held-out items with their candidates: lines ``user positive negative …``, as many on each line."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            rows = np.loadtxt(file, dtype=np.int64, ndmin=2)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InvalidInput(f"File '{path.name}'", [f"cannot be read as numbers: {error}"]) from error
    if rows.shape[1] < 3:
        raise InvalidInput(
            f"File '{path.name}'", [f"lines hold {rows.shape[1]} numbers, expected user positive negative …"]
        )
    order = np.argsort(whole.item_keys, kind="stable")
    keys = whole.item_keys[order]
    at = np.minimum(np.searchsorted(keys, rows[:, 2:]), len(keys) - 1)
    # A candidate that nobody ever touched is in no model; it cannot win either.
    negatives = np.where(keys[at] == rows[:, 2:], order[at], -1)
    return Listed(whole.users(rows[:, 0]), whole.items(rows[:, 1]), negatives)


VALUES = ("rating", "value", "weight")
"""Properties that are taken for the rating of a pair, the first that is there."""


def mapped_events(path: Path, mapping: IngestMapping, *, ratings: bool = False) -> EventList:
    """The events of one file by a mapping of ``gnn4j ingest``: ``from`` is the user, ``to`` the item.

    Args:
        path: is read as the table whose file pattern fits its name, else as the only one with relationships.
        ratings: weights are the property ``rating``, ``value`` or ``weight``; else ``weight``, where it is.
    Raises:
        InvalidInput: no table fits, it relates several pairs of labels, or there are no ratings.
    """
    makers = {name: table for name, table in mapping.tables.items() if table.relationships}
    fitting = [
        name
        for name, table in makers.items()
        if any(fnmatchcase(path.name.removesuffix(".gz"), one) for one in table.file or [f"{name}.*", name])
    ] or list(makers)
    if len(fitting) != 1:
        raise InvalidInput(
            f"File '{path.name}'",
            [
                f"it may be any of the tables {', '.join(fitting) or '(none)'} of the mapping; name it so "
                "that one fits"
            ],
        )
    table = makers[fitting[0]]
    if not path.is_file():
        raise InvalidInput(f"File '{path}'", ["there is no such file; check the path"])
    alone = mapping.model_copy(update={"tables": {fitting[0]: table}})
    plan = ingest.plan_tables({fitting[0]: [path]}, alone)
    ends = {(one.source_label, one.target_label) for one in plan.relationships}
    if len(ends) != 1:
        found = ", ".join(f"{source} to {target}" for source, target in sorted(ends))
        raise InvalidInput(f"File '{path.name}'", [f"one kind of pair is needed, the mapping makes {found}"])
    user, item = ends.pop()
    wanted = VALUES if ratings else VALUES[-1:]
    clock = {part.time.property for part in table.relationships if part.time}
    columns: dict[str, list[NDArray]] = {"user": [], "item": [], "weight": [], "time": []}
    for one in plan.relationships:
        columns["user"].append(_array(plan.nodes[user].keys)[one.source])
        columns["item"].append(_array(plan.nodes[item].keys)[one.target])
        for kind, names in (("weight", wanted), ("time", clock)):
            name = next((name for name in names if name in one.properties), None)
            if name is not None and not one.properties[name].null_count:
                columns[kind].append(_array(one.properties[name]))
    if ratings and len(columns["weight"]) < len(columns["user"]):
        raise InvalidInput(
            f"File '{path.name}'",
            [f"the mapping gives not every relationship a property {', '.join(VALUES[:-1])} or {VALUES[-1]}"],
        )
    joined = {
        kind: np.concatenate(parts) if len(parts) == len(plan.relationships) else None
        for kind, parts in columns.items()
    }
    weights, times = joined["weight"], joined["time"]
    return EventList(
        joined["user"],
        joined["item"],
        None if weights is None else weights.astype(np.float32),
        None if times is None else times.astype(np.int64),
    )


def _array(column: pa.Array) -> NDArray:
    found = column.to_numpy(zero_copy_only=False)
    return found.astype(str) if found.dtype.kind == "O" else found


def _listed_file(dataset: Dataset, protocol: Protocol) -> Path:
    name = protocol.datasets.get(dataset.name, {}).get("listed")
    place = dataset.find() if name else None
    for path in (place / name, place / f"{name}.gz") if place else ():
        if path.is_file():
            return path
    what = f"the file {name} is not beside the data set" if name else "the data set has no such list"
    raise InvalidInput(
        f"Protocol '{protocol.name}' on '{dataset.name}'",
        [f"{what}; give a list of your own by --train F --test F --candidates F"],
    )


def _events(
    plan: Plan, task: Task, weights: Mapping[str, float], *, value: str | None = None, first: bool = False
) -> Interactions:
    """Pairs of the behaviours in ``weights``.

    Args:
        value: a property to take as the weight of a pair, instead of the behaviour's.
        first: keep the earliest time of a pair, not the latest.
    """
    users, items, values, times = [], [], [], []
    for one in plan.relationships:
        if one.type not in weights or {one.source_label, one.target_label} != {task.to, task.recommend}:
            continue
        direction = task.via[one.type].direction if one.type in task.via else "out"
        ends = (one.source, one.target) if direction == "out" else (one.target, one.source)
        users.append(ends[0])
        items.append(ends[1])
        if value is None:
            values.append(np.full(len(one.source), weights[one.type], np.float32))
        else:
            values.append(one.properties[value].to_numpy(zero_copy_only=False).astype(np.float32))
        if task.time_property is not None and task.time_property in one.properties:
            moments = one.properties[task.time_property]
            # Where some pairs have no time, none is used: an unknown time is no early one.
            if not moments.null_count:
                times.append(moments.to_numpy(zero_copy_only=False).astype(np.int64) * (-1 if first else 1))
    if not users:
        raise InvalidInput(
            "Interactions",
            [f"no relationship of {', '.join(weights)} between {task.to} and {task.recommend}"],
        )
    complete = len(times) == len(users)
    made = Interactions.from_indices(
        np.concatenate(users),
        np.concatenate(items),
        np.concatenate(values),
        np.concatenate(times) if complete else None,
        user_keys=plan.nodes[task.to].keys.to_numpy(zero_copy_only=False),
        item_keys=plan.nodes[task.recommend].keys.to_numpy(zero_copy_only=False),
    )
    # Of negated times the latest is the earliest.
    return replace(made, times=-made.times) if first and made.times is not None else made


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
