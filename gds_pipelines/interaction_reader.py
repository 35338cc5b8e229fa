"""From a projection to the interaction matrix that models train on.

The universe is every node of the task's two labels, indexed by ascending Neo4j id as
everywhere; keys are read beside it, since GDS projects numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.connection import Connection
from gds_pipelines.errors import PipelineError
from gds_pipelines.graph_data import GraphData
from gds_pipelines.graph_reader import read_graph
from gds_pipelines.interactions import Interactions
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.projection import RATING
from gds_pipelines.queries import query
from gds_pipelines.surroundings import FIRST, ITEMS, USERS, OtherNodes, OtherRelation, Surroundings
from gds_pipelines.task import Task

KEYS_PER_QUERY = 50_000
MOST_BEHAVIOURS = 32  # told apart in training; one bit each


def read_interactions(
    connection: Connection,
    graph_name: str,
    task: Task,
    *,
    features: bool = False,
    surroundings: bool = False,
    grant: Mapping[str, Any] | None = None,
) -> Interactions:
    """The reduced pairs of a projection made by ``projection.project(task)``.

    Args:
        connection: open, with the plugin or without (then slower).
        graph_name: a projection of the signed-in user with one relationship type a behaviour.
        task: whose behaviours are read; its weights are taken, not the projection's.
        features: read the task's features, too.
        surroundings: read the nodes of ``alsoLabels`` for which the task names a key, and the relationships
            of ``alsoTypes`` between labels that are read; with features where ``features`` is set.
        grant: as ``read_graph`` takes it.
    Returns:
        All nodes of both labels, with degree 0 where nothing links them; weight = the largest and
        time = the latest of a pair; times are None where the task names no ``timeProperty``.
    Raises:
        PipelineError: the projection lacks a behaviour, or relationships lack their time or rating.
    """
    others = [label for label in task.also_labels if surroundings and label in task.key]
    graph = read_graph(
        connection,
        graph_name,
        layout="coo",
        node_labels=list(dict.fromkeys((task.to, task.recommend, *others))),
        relationship_types=[*task.via, *(task.also_types if surroundings else ())],
        label_priority=task.labels if surroundings else (),
        node_properties=[],
        relationship_properties=[
            *([task.time_property] if task.time_property else []),
            *([RATING] if any(behaviour.rating for behaviour in task.via.values()) else []),
        ],
        grant=grant,
    )
    users, items, weights, times, kinds = _pairs(graph, task)
    found = Interactions.from_indices(
        users,
        items,
        weights,
        times,
        user_keys=read_keys(connection, graph.nodes[task.to].node_ids, task.to, task.key[task.to]),
        item_keys=read_keys(
            connection, graph.nodes[task.recommend].node_ids, task.recommend, task.key[task.recommend]
        ),
        kinds=kinds if 1 < len(task.via) <= MOST_BEHAVIOURS else None,
    )
    found = replace(
        found, item_ids=graph.nodes[task.recommend].node_ids, user_ids=graph.nodes[task.to].node_ids
    )
    if surroundings:
        around = _surroundings(connection, graph, task, others, features)
        found = replace(found, surroundings=around)
    if not features:
        return found
    read = {
        side: read_features(connection, graph.nodes[label].node_ids, label, task.features[label])
        for side, label in (("item_features", task.recommend), ("user_features", task.to))
        if task.features.get(label)
    }
    return replace(found, **read)


def _pairs(graph: GraphData, task: Task) -> tuple[NDArray, NDArray, NDArray, NDArray | None, NDArray]:
    """User, item, weight, time and number of the behaviour of every relationship: [M] each, times or None."""
    users, items, weights, times, kinds = [], [], [], [], []
    for at, (name, behaviour) in enumerate(task.via.items()):
        found = [
            table
            for table in graph.relations.values()
            if table.type == name and {table.source, table.target} == {task.to, task.recommend}
        ]
        if not found:
            raise PipelineError(
                f"The projection '{graph.name}' has no relationships '{name}' between {task.to} and "
                f"{task.recommend}. Project the task again."
            )
        for table in found:
            forward = table.source == task.to and not (
                task.to == task.recommend and behaviour.direction == "in"
            )
            ends = (table.sources, table.targets) if forward else (table.targets, table.sources)
            users.append(ends[0])
            items.append(ends[1])
            kinds.append(np.full(len(table), at, np.uint32))
            weights.append(
                _rated(table.properties[RATING], name, behaviour.rating)
                if behaviour.rating
                else np.full(len(table), behaviour.weight, np.float32)
            )
            if task.time_property:
                times.append(_millis(table.properties[task.time_property], name, task.time_property))
    return (
        np.concatenate(users),
        np.concatenate(items),
        np.concatenate(weights),
        np.concatenate(times) if times else None,
        np.concatenate(kinds),
    )


def _surroundings(
    connection: Connection, graph: GraphData, task: Task, labels: Sequence[str], features: bool
) -> Surroundings:
    nodes = []
    for label in labels:
        ids, names = graph.nodes[label].node_ids, task.features.get(label, ())
        known = (
            read_features(connection, ids, label, names)
            if features and names
            else NodeFeatures.none(len(ids))
        )
        keys = read_keys(connection, ids, label, task.key[label])
        nodes.append(OtherNodes(label, task.key[label], keys, known, ids))
    numbers = {task.to: USERS, task.recommend: ITEMS}
    numbers |= {label: FIRST + at for at, label in enumerate(labels)}
    relations = []
    for (source, type_, target), table in sorted(graph.relations.items()):
        if type_ in task.also_types and type_ not in task.via:
            shape = (len(graph.nodes[source]), len(graph.nodes[target]))
            pairs = (table.sources, table.targets)
            relations.append(OtherRelation.of_pairs(numbers[source], type_, numbers[target], pairs, shape))
    return Surroundings(tuple(nodes), tuple(relations))


def read_features(
    connection: Connection, node_ids: NDArray[np.int64], label: str, names: Sequence[str]
) -> NodeFeatures:
    """Features of nodes from their properties as they are stored, in the order of their ids.

    Raises:
        InvalidInput: properties that no node has, or of mixed types; all at once.
    """
    statement = query("read_node_properties", label=label)
    found = _by_id(connection, statement, node_ids, "values", names=list(names))
    absent = [None] * len(names)
    rows = [found.get(node_id, absent) for node_id in node_ids.tolist()]
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    return NodeFeatures.of_values(columns, label)


def read_keys(connection: Connection, node_ids: NDArray[np.int64], label: str, key: str) -> NDArray:
    """[N] – the key property of nodes, in the order of their ids; all integers or all text.

    Raises:
        PipelineError: nodes without a key, or keys of mixed types.
    """
    found = _by_id(connection, query("read_node_keys", label=label, key=key), node_ids, "keys")
    missing = len(node_ids) - len(found)
    if missing:
        raise PipelineError(
            f"{missing} of {len(node_ids)} {label} nodes of the projection are gone or have no `{key}`. "
            f"Give each its key (CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.{key} IS UNIQUE helps), then "
            "project again."
        )
    kinds = {type(value) for value in found.values()}
    if not kinds <= {int} and not kinds <= {str}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise PipelineError(
            f"The keys `{label}.{key}` are of the types {names}; they must be all INTEGER or all STRING."
        )
    return np.array(
        [found[node_id] for node_id in node_ids.tolist()], dtype=np.int64 if int in kinds else None
    )


def _by_id(
    connection: Connection, statement: str, node_ids: NDArray[np.int64], column: str, **parameters: Any
) -> dict[int, Any]:
    """What ``statement`` gives in ``column`` for each node by Neo4j id; nodes that are gone are left out."""
    found: dict[int, Any] = {}
    for start in range(0, len(node_ids), KEYS_PER_QUERY):
        chunk = node_ids[start : start + KEYS_PER_QUERY].tolist()
        record = connection.execute(statement, ids=chunk, **parameters)[0]
        found.update(zip(record["ids"], record[column], strict=True))
    return found


def _rated(values: NDArray[np.float64], name: str, property_name: str) -> NDArray[np.float32]:
    bad = int((~(np.isfinite(values) & (values > 0))).sum())
    if bad:
        raise PipelineError(
            f"{bad:,} of {len(values):,} '{name}' relationships have no rating above 0 in `{property_name}`. "
            f"Give each one, or take '{name}' out of the task's `ratings`."
        )
    return values.astype(np.float32)


def _millis(values: NDArray[np.float64], name: str, property_name: str) -> NDArray[np.int64]:
    unknown = int(np.isnan(values).sum())
    if unknown == len(values) and len(values):
        raise PipelineError(
            f"No '{name}' relationship has `{property_name}`, the task's timeProperty. Leave it out of the "
            "task, or write INTEGER epoch milliseconds there."
        )
    # An unknown time counts as the oldest: such pairs train, and never stand in a test part cut by time.
    return np.where(np.isnan(values), 0, values).astype(np.int64)
