"""Reads a GDS projection through plain Cypher, as collected lists: the way without the plugin.

The result is that of ``gnn.graph.export``, with one difference that Cypher makes: it does not tell
``float[]`` from ``double[]``, so lists of FLOAT are float64 here. The server builds
each list as a whole; graphs of many millions of relationships need the plugin.
"""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import neo4j
import numpy as np
from neo4j.exceptions import ClientError
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, PipelineError, did_you_mean
from gds_pipelines.graph_data import (
    DTYPES,
    INTEGER_MISSING,
    Arrays,
    Column,
    GraphData,
    NodeTable,
    RelationTable,
    offsets_of,
)

_TYPES = {"Integer": "long", "Float": "double", "List of Integer": "long[]", "List of Float": "double[]"}
# Every node has a degree, isolated ones too: the one stream of GDS that names all nodes under a label.
_NODES = """
CALL gds.degree.stream($graph, {nodeLabels: [$label]}) YIELD nodeId
RETURN collect(nodeId) AS ids
"""
_NODE_PROPERTY = """
CALL gds.graph.nodeProperty.stream($graph, $property, [$label]) YIELD nodeId, propertyValue
WITH nodeId, propertyValue WHERE propertyValue IS NOT NULL
RETURN collect(nodeId) AS ids, collect(propertyValue) AS values
"""
_RELATIONSHIPS = """
CALL gds.graph.relationships.stream($graph, [$type]) YIELD sourceNodeId, targetNodeId
RETURN sourceNodeId AS source, null AS property, collect(targetNodeId) AS targets, null AS values
"""
_RELATIONSHIP_PROPERTIES = """
CALL gds.graph.relationshipProperties.stream($graph, $properties, [$type])
YIELD sourceNodeId, targetNodeId, relationshipProperty, propertyValue
RETURN sourceNodeId AS source, relationshipProperty AS property,
       collect(targetNodeId) AS targets, collect(propertyValue) AS values
"""


def read_lists(
    session: neo4j.Session,
    graph_name: str,
    config: Mapping[str, Any],
    arrays: Arrays,
    tell: Callable[[str, int, int], None],
) -> GraphData:
    """Reads a projection; ``config`` is that of ``gnn.graph.export``.

    Raises:
        InvalidInput: for names the projection does not have, all at once, and for nodes of two types.
        PipelineError: where there is no GDS, or no such projection.
    """
    if task := config.get("task"):
        labels = list(dict.fromkeys((task["recommend"], task["to"], *task.get("alsoLabels", ()))))
        config = {"nodeLabels": labels, "labelPriority": labels, **config}
    info = _info(session, graph_name)
    schema = info["schema"]
    labels = _wanted(config, "nodeLabels", schema["nodes"])
    types = _wanted(config, "relationshipTypes", schema["relationships"])
    node_keys = {key for label in labels if label in schema["nodes"] for key in schema["nodes"][label]}
    edges = schema["relationships"]
    relationship_keys = {key for type_ in types if type_ in edges for key in edges[type_]["properties"]}
    faults = [
        *_unknown("node label", labels, schema["nodes"], graph_name),
        *_unknown("node label", config.get("labelPriority", ()), schema["nodes"], graph_name),
        *_unknown("relationship type", types, schema["relationships"], graph_name),
        *_unknown("node property", config.get("nodeProperties", ()), node_keys, graph_name),
        *_unknown(
            "relationship property", config.get("relationshipProperties", ()), relationship_keys, graph_name
        ),
    ]
    if faults:
        raise InvalidInput("The graph cannot be read", faults)
    total = info["nodeCount"] + info["relationshipCount"]
    done = 0
    ids = _typed_nodes(session, graph_name, labels, config.get("labelPriority", ()))
    nodes = {}
    for label in labels:
        properties = sorted(_chosen(config, "nodeProperties", schema["nodes"][label]))
        nodes[label] = NodeTable(
            label,
            arrays.keep(ids[label]),
            {
                key: _column(session, graph_name, label, key, schema["nodes"][label][key], ids[label], arrays)
                for key in properties
            },
        )
        done += len(ids[label])
        tell(label, done, total)
    relations = {}
    for type_ in types:
        described = schema["relationships"][type_]["properties"]
        properties = sorted(_chosen(config, "relationshipProperties", described))
        rows = _relationships(session, graph_name, type_, properties)
        for relation in _relations(type_, rows, properties, nodes, config["layout"], arrays):
            relations[relation.source, relation.type, relation.target] = relation
        done += len(rows[0])
        tell(type_, done, total)
    created = info["creationTime"].to_native().astimezone(datetime.UTC)
    return GraphData(graph_name, created.isoformat().replace("+00:00", "Z"), nodes, relations)


def _info(session: neo4j.Session, graph_name: str) -> dict[str, Any]:
    query = (
        "CALL gds.graph.list() "
        "YIELD graphName, nodeCount, relationshipCount, creationTime, schemaWithOrientation AS schema "
        "RETURN *"
    )
    try:
        graphs = {record["graphName"]: record.data() for record in session.run(query)}
    except ClientError as error:
        if error.code != "Neo.ClientError.Procedure.ProcedureNotFound":
            raise
        raise PipelineError(
            "The server has neither the gnn4j plugin nor Graph Data Science, so it has no projections. "
            "See: gnn4j server plugin --help"
        ) from error
    if graph_name not in graphs:
        raise PipelineError(
            f"Graph '{graph_name}' does not exist.{did_you_mean(graph_name, graphs)} "
            f"Your graphs: {', '.join(sorted(graphs)) or 'none'}. Project it with gds.graph.project."
        )
    return graphs[graph_name]


def _wanted(config: Mapping[str, Any], key: str, known: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(config.get(key) or sorted(known)))


def _chosen(config: Mapping[str, Any], key: str, known: Iterable[str]) -> list[str]:
    given = config.get(key)
    return [name for name in known if given is None or name in given]


def _unknown(kind: str, names: Iterable[str], known: Iterable[str], graph: str) -> list[str]:
    known = sorted(known)
    return [
        f"Unknown {kind} '{name}' in graph '{graph}'.{did_you_mean(name, known)} "
        f"Known: {', '.join(known) or 'none'}."
        for name in names
        if name not in known
    ]


def _typed_nodes(
    session: neo4j.Session, graph: str, labels: Sequence[str], priority: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Ids by type, ascending. The first label of ``priority`` decides."""
    found = []
    for label in labels:
        record = session.run(_NODES, graph=graph, label=label).single(strict=True)
        found.append(np.sort(np.asarray(record["ids"], np.int64)))
    everyone = np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
    unranked = len(priority)
    ranks = np.array([priority.index(label) if label in priority else unranked for label in labels])
    owner = np.full(len(everyone), -1)
    undecided = np.zeros(len(everyone), np.bool_)
    for position, ids in enumerate(found):
        at = np.searchsorted(everyone, ids)
        before = owner[at]
        taken = before >= 0
        better = taken & (ranks[position] < ranks[before])
        # A ranked label decides over all others; two without a rank leave the node undecided.
        undecided[at[better]] = False
        undecided[at[taken & ~better & (ranks[before] == unranked)]] = True
        owner[at[~taken | better]] = position
    if undecided.any():
        examples = ", ".join(map(str, everyone[undecided][:3]))
        raise InvalidInput(
            "The graph cannot be read",
            [
                f"{int(undecided.sum())} nodes carry several of the labels, such as {examples}. "
                "A node has one type: name the deciding labels in label_priority, first wins."
            ],
        )
    return {label: everyone[owner == position] for position, label in enumerate(labels)}


def _column(
    session: neo4j.Session,
    graph: str,
    label: str,
    key: str,
    description: str,
    ids: NDArray[np.int64],
    arrays: Arrays,
) -> Column:
    type_ = _TYPES[description.split(" (")[0]]
    record = session.run(_NODE_PROPERTY, graph=graph, property=key, label=label).single(strict=True)
    carriers = np.asarray(record["ids"], np.int64)
    at = np.minimum(np.searchsorted(ids, carriers), max(0, len(ids) - 1))
    # A node that carries the label may be of another type.
    kept = ids[at] == carriers if len(ids) else np.zeros(len(carriers), np.bool_)
    missing = np.ones(len(ids), np.bool_)
    missing[at[kept]] = False
    dtype = DTYPES[type_]
    if not type_.endswith("[]"):
        values = np.full(len(ids), INTEGER_MISSING if type_ == "long" else np.nan, dtype)
        values[at[kept]] = np.asarray(record["values"], dtype)[kept]
        missing |= values == INTEGER_MISSING if type_ == "long" else np.isnan(values)
        return Column(type_, arrays.keep(values), arrays.keep(missing) if missing.any() else None)
    lists: list[list[float]] = [[] for _ in ids]
    for place, keep, value in zip(at, kept, record["values"], strict=True):
        if keep:
            lists[place] = value
    lengths = np.array([len(value) for value in lists], np.int64)
    present = lengths[~missing]
    mask = arrays.keep(missing) if missing.any() else None
    if len(present) and present[0] > 0 and (present == present[0]).all():
        values = np.zeros((len(ids), present[0]), dtype)
        if len(ids):
            values[~missing] = [value for value, gone in zip(lists, missing, strict=True) if not gone]
        return Column(type_, arrays.keep(values), mask)
    flat = np.array([number for value in lists for number in value], dtype)
    return Column(type_, arrays.keep(flat), mask, arrays.keep(offsets_of(lengths)))


def _relationships(
    session: neo4j.Session, graph: str, type_: str, properties: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], list[NDArray[np.float64]]]:
    """Source ids, target ids and values of all relationships of a type."""
    query = _RELATIONSHIP_PROPERTIES if properties else _RELATIONSHIPS
    pieces: dict[str | None, list[tuple[int, list[int], list[float] | None]]]
    pieces = {key: [] for key in properties or [None]}
    for record in session.run(query, graph=graph, type=type_, properties=properties):
        pieces[record["property"]].append((record["source"], record["targets"], record["values"]))
    columns = []
    sources = targets = np.empty(0, np.int64)
    for rows in pieces.values():
        # GDS streams a node's relationships once for each property, in the same order.
        rows.sort(key=lambda row: row[0])
        lengths = [len(row[1]) for row in rows]
        sources = np.repeat(np.array([row[0] for row in rows], np.int64), lengths)
        targets = np.array([target for row in rows for target in row[1]], np.int64)
        if properties:
            columns.append(np.array([value for row in rows for value in row[2] or ()], np.float64))
    return sources, targets, columns


def _relations(
    type_: str,
    rows: tuple[NDArray[np.int64], NDArray[np.int64], list[NDArray[np.float64]]],
    properties: Sequence[str],
    nodes: Mapping[str, NodeTable],
    layout: str,
    arrays: Arrays,
) -> Iterable[RelationTable]:
    for source, source_table in nodes.items():
        from_index = source_table.index_of(rows[0])
        for target, target_table in nodes.items():
            to_index = target_table.index_of(rows[1])
            kept = np.flatnonzero((from_index >= 0) & (to_index >= 0))
            if len(kept) == 0 and len(nodes) > 1:
                continue
            keys = [rows[2][p][kept] for p in reversed(range(len(properties)))]
            order = kept[np.lexsort([*keys, to_index[kept], from_index[kept]])]
            sources = from_index[order].astype(np.int32)
            csr = layout == "csr"
            yield RelationTable(
                source,
                type_,
                target,
                len(source_table),
                len(target_table),
                arrays.keep(to_index[order].astype(np.int32)),
                {key: arrays.keep(rows[2][p][order]) for p, key in enumerate(properties)},
                arrays.keep(offsets_of(np.bincount(sources, minlength=len(source_table)))) if csr else None,
                None if csr else arrays.keep(sources),
            )
