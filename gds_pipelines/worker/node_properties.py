"""Node properties that GDS computes for a pipeline, without a look at the test part.

Measuring needs properties that know nothing of the test pairs, serving those of all data. So the steps
run twice, each time on a graph of the worker's own: once on the train part alone, once on the whole. What
the first graph holds is read back and compared with the test part: a test edge in it fails the job.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.graph_data import GraphData, NodeTable
from gds_pipelines.graph_reader import read_graph
from gds_pipelines.interaction_reader import read_features
from gds_pipelines.interactions import Interactions
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.queries import query
from gds_pipelines.splits import Leak, Split
from gds_pipelines.task import Task
from gds_pipelines.worker.graphs import JobGraphs
from gds_pipelines.worker.job import Job, Step

_PROCEDURE = re.compile(r"(?:gds\.)?(?:([A-Za-z]\w*)\.)??([A-Za-z]\w*)(?:\.mutate)?")
_NO_TIME = "gnn_no_time"
_READ_KEYS = ("nodeProperties", "featureProperties", "seedProperty")


def with_features(
    connection: Connection, job: Job, graphs: JobGraphs, whole: Interactions, parts: Split
) -> tuple[Interactions, Split, str | None]:
    """``whole`` and ``parts`` with the features that the job selects.

    Returns:
        The whole with features of all data, the parts with those of the train part, and the graph that has
        the computed properties (None where there are no steps).
    Raises:
        Leak: a relationship of the train graph is a test pair.
        InvalidInput: features that are neither computed nor stored.
    """
    task = job.task
    graph = read_graph(
        connection,
        graphs.source(),
        layout="coo",
        node_labels=list(task.labels),
        relationship_types=None if job.steps else list(task.via),
        node_properties=[],
        relationship_properties=[task.time_property] if task.time_property else [],
        label_priority=list(task.labels),
        grant=graphs.grant,
    )
    served = None
    computed: list[Mapping[str, NodeTable]] = [{}, {}]
    if job.steps:
        held_out = _held_out(task, graph, parts.test)
        everything = np.zeros(0, np.int64)
        for at, (part, pairs) in enumerate((("_train", held_out), ("", everything))):
            name = graphs.name(f"_features{part}")
            graphs.keep(name)
            project_without(connection, name, task, graph, pairs, _stored_inputs(job.steps))
            run_steps(connection, name, job.steps)
            found = read_graph(
                connection,
                name,
                layout="coo",
                node_labels=list(task.labels),
                node_properties=_outputs(job.steps),
                relationship_properties=[],
                label_priority=list(task.labels),
            )
            audit(task, found, pairs)
            computed[at] = found.nodes
            if part:
                graphs.forget(name)
            else:
                served = name
    train, all_of = (
        {
            side: _features(connection, job, label, graph.nodes[label].node_ids, tables.get(label))
            for side, label in (("item_features", task.recommend), ("user_features", task.to))
        }
        for tables in computed
    )
    whole = replace(whole, **all_of)
    parts = replace(
        parts, **{name: replace(getattr(parts, name), **train) for name in ("train", "validation", "test")}
    )
    return whole, parts, served


# ---------------------------------------------------------------- graphs without the test part


def project_without(
    connection: Connection,
    name: str,
    task: Task,
    graph: GraphData,
    left_out: NDArray[np.int64],
    properties: Sequence[str] = (),
) -> None:
    """Project ``graph`` once more, without some of its pairs of user and item.

    Args:
        left_out: [N] user index * items + item index, ascending.
        properties: stored node properties to project beside.
    """
    relations = []
    for table in graph.relations.values():
        keep = np.ones(len(table), bool)
        found = _pairs(task, graph, table)
        if found is not None:
            keep = ~np.isin(found, left_out)
        behaviour = task.via.get(table.type)
        times = table.properties.get(task.time_property) if task.time_property else None
        relations.append(
            {
                "type": table.type,
                "weight": behaviour.weight if behaviour else 1.0,
                "sources": graph.nodes[table.source].node_ids[table.sources[keep]].tolist(),
                "targets": graph.nodes[table.target].node_ids[table.targets[keep]].tolist(),
                "times": (np.full(int(keep.sum()), np.nan) if times is None else times[keep]).tolist(),
            }
        )
    connection.execute(
        query("project_pairs", time=task.time_property or _NO_TIME, properties=list(properties)),
        name=name,
        labels=list(task.labels),
        nodes=np.concatenate([table.node_ids for table in graph.nodes.values()]).tolist(),
        relations=relations,
    )


def audit(task: Task, graph: GraphData, held_out: NDArray[np.int64]) -> None:
    """Return if no relationship of the graph is a held-out pair, whatever its type.

    Raises:
        Leak: with the types that have such pairs.
    """
    leaking = {}
    for table in graph.relations.values():
        found = _pairs(task, graph, table)
        if found is not None and (shared := int(np.isin(found, held_out).sum())):
            leaking[table.type] = leaking.get(table.type, 0) + shared
    if leaking:
        listing = ", ".join(f"{name} ({count:,})" for name, count in sorted(leaking.items()))
        raise Leak(
            f"The node properties would see test pairs, by the relationship types {listing}. Leave these "
            f"types out of `alsoTypes`, or name the others in `relationshipTypes` of the step."
        )


def _held_out(task: Task, graph: GraphData, test: Interactions) -> NDArray[np.int64]:
    pairs = test.pairs()
    if task.recommend != task.to:
        return np.sort(pairs)
    # Users and items are one node set: (b, a) reveals (a, b).
    users, items = np.divmod(pairs, test.n_items)
    return np.unique(np.r_[pairs, items * test.n_items + users])


def _pairs(task: Task, graph: GraphData, table: Any) -> NDArray[np.int64] | None:
    """[N] pairs of a relation between users and items; None for another relation."""
    if (table.source, table.target) == (task.to, task.recommend):
        users, items = table.sources, table.targets
    elif (table.source, table.target) == (task.recommend, task.to):
        users, items = table.targets, table.sources
    else:
        return None
    return users.astype(np.int64) * len(graph.nodes[task.recommend].node_ids) + items


# ---------------------------------------------------------------- steps


def run_steps(connection: Connection, name: str, steps: Iterable[Step]) -> None:
    """Run GDS's procedures on a graph of the worker's own, each in mode ``mutate``.

    Raises:
        InvalidInput: a name that is no procedure of GDS.
        neo4j.exceptions.Neo4jError: with GDS's own sentence.
    """
    connection.require_gds()
    for step in steps:
        called = _PROCEDURE.fullmatch(step.procedure)
        if called is None:
            raise InvalidInput(
                "Node property",
                [f"'{step.procedure}' is no algorithm of GDS with a mode mutate, such as gds.fastRP"],
            )
        statement = (
            query("mutate_node_property_of_tier", tier=called[1], procedure=called[2])
            if called[1]
            else query("mutate_node_property", procedure=called[2])
        )
        connection.execute(statement, name=name, config=dict(step.config))


def _outputs(steps: Sequence[Step]) -> list[str]:
    return [step.property for step in steps if step.property]


def _stored_inputs(steps: Sequence[Step]) -> list[str]:
    """Properties that steps read and none before them makes."""
    made: set[str] = set()
    wanted: dict[str, None] = {}
    for step in steps:
        for key in _READ_KEYS:
            given = step.config.get(key) or []
            for one in [given] if isinstance(given, str) else given:
                if isinstance(one, str) and one not in made:
                    wanted[one] = None
        if step.property:
            made.add(step.property)
    return list(wanted)


# ---------------------------------------------------------------- features


def _features(
    connection: Connection, job: Job, label: str, node_ids: NDArray[np.int64], table: NodeTable | None
) -> NodeFeatures | None:
    """The selected features of one label, computed ones last; None where it has none."""
    outputs = set(_outputs(job.steps))
    names = list(job.features) or [*job.task.features.get(label, ()), *_outputs(job.steps)]
    stored = [name for name in names if name not in outputs]
    if job.features and stored:
        known = connection.execute(query("read_property_names", label=label))[0]["names"]
        other = job.task.to if label == job.task.recommend else job.task.recommend
        elsewhere = connection.execute(query("read_property_names", label=other))[0]["names"]
        faults = [
            f"no {label} and no {other} has the property '{name}', and no step makes it."
            f"{did_you_mean(name, {*known, *elsewhere, *outputs})}"
            for name in stored
            if name not in known and name not in elsewhere
        ]
        if faults:
            raise InvalidInput("These features cannot be used", faults)
        stored = [name for name in stored if name in known]
    parts = []
    if stored:
        parts.append(read_features(connection, node_ids, label, stored))
    made = [name for name in names if name in outputs and table is not None and name in table.columns]
    if made:
        parts.append(NodeFeatures.of_values({name: _values(table, name) for name in made}, label))
    if not parts:
        return None
    return NodeFeatures(
        tuple(feature for part in parts for feature in part.features),
        np.hstack([part.x for part in parts]),
        np.hstack([part.code for part in parts]),
    )


def _values(table: NodeTable, name: str) -> list[Any]:
    column = table.column(name)
    if column.offsets is not None:
        rows = [
            column.values[start:end] for start, end in zip(column.offsets, column.offsets[1:], strict=False)
        ]
    else:
        rows = list(column.values)
    if column.missing is None:
        return rows
    return [None if gone else row for row, gone in zip(rows, column.missing, strict=True)]
