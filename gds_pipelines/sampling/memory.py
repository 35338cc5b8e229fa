"""Samples drawn in this process from a graph that was read: what ``sample_graph`` gives without the plugin.

The rule and the columns are those of ``gnn.graph.sample`` (docs/formats.md, section 6). Shapes: R =
receivers, K = fan-out, N = nodes. An entry of a hop is one key, ``index * groups + group``: a group is the
time of a seed, or the seed where they are kept apart, and there is one group where there is neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.graph_data import Column, GraphData
from gds_pipelines.graph_reader import Sessions, read_graph
from gds_pipelines.sampling.graph_neighbourhoods import GraphNeighbourhoods
from gds_pipelines.sampling.plan import Plan, Relation
from gds_pipelines.sampling.reached import Reached
from gds_pipelines.sampling.samples import BlockSample, CooSample, GatheredFeature, SampledRelation

BATCH_SIZE = 1024
_ALL = ["*"]


def sample_here(
    connection: Sessions, graph_name: str | None, config: Mapping[str, Any]
) -> Iterator[BlockSample | CooSample]:
    """Reads a projection, after one warning, and draws from it.

    Args:
        config: as ``gnn.graph.sample`` takes it, ``seeds`` and ``before`` as numbers.
    Raises:
        PipelineError: for the live store, which is not read row by row.
        InvalidInput: for what cannot be drawn, all faults at once.
    """
    if config.get("source", "projection") != "projection" or graph_name is None:
        raise PipelineError(
            "The server has no gnn4j plugin, which draws from the live store. Project the graph and name the "
            "projection: it is then drawn from in Python. See: gnn4j server plugin --help"
        )
    given: Sequence[Mapping[str, Any]] | None = config.get("relations")
    seed_label = config.get("seedLabel")
    labels = config.get("nodeLabels")
    if labels is None and given is not None:
        ends = {end for relation in given for end in (relation["sender"], relation["receiver"])}
        labels = sorted(ends | ({seed_label} if seed_label else set()))
    wanted = {config.get("relationshipWeightProperty"), config.get("timeProperty")} - {None}
    carried = list(config.get("relationshipProperties", ()))
    properties = list(config.get("nodeProperties", ()))
    graph = read_graph(
        connection,
        graph_name,
        node_labels=labels,
        relationship_types=(
            sorted({relation["type"] for relation in given})
            if given is not None
            else config.get("relationshipTypes")
        ),
        node_properties=None if properties == _ALL else properties,
        relationship_properties=None if carried == _ALL else sorted(wanted | set(carried)),
        label_priority=config.get("labelPriority", ()),
        task=config.get("task"),
    )
    types = labels or list(graph.nodes)
    relations = _relations(graph, config.get("direction", "both")) if given is None else given
    drawn = [
        SampledRelation(
            relation["sender"],
            relation["type"],
            relation["receiver"],
            relation.get("direction", "out"),
            tuple(relation.get("fanOut", config["fanOut"])),
        )
        for relation in relations
    ]
    if carried == _ALL:
        carried = sorted({key for table in graph.relations.values() for key in table.properties})
    plan = Plan(
        tuple(types),
        tuple(Relation(one.sender, one.type, one.receiver, one.direction) for one in drawn),
        tuple(one.fan_out for one in drawn),
        config.get("randomSeed", 0),
        config.get("replace", False),
        config.get("relationshipWeightProperty"),
        config.get("timeProperty"),
        config.get("last", 0),
    )
    return MemorySampler(graph, plan, drawn, carried).batches(
        seed_label,
        config.get("seeds"),
        config.get("before"),
        config.get("batchSize", BATCH_SIZE),
        coo=config.get("format") == "coo",
        disjoint=config.get("disjoint", False),
    )


def _relations(graph: GraphData, direction: str) -> list[dict[str, Any]]:
    """All of the graph, ascending by (type, sender, receiver), ``out`` before ``in``."""
    found = []
    for source, type_, target in graph.relations:
        found.append({"sender": source, "type": type_, "receiver": target, "direction": "out"})
        found.append({"sender": target, "type": type_, "receiver": source, "direction": "in"})
    found.sort(key=lambda one: (one["type"], one["sender"], one["receiver"], one["direction"] == "in"))
    return [one for one in found if direction in ("both", one["direction"])]


class MemorySampler:
    """Draws batches of one plan from one graph.

    Args:
        relations: those of the plan, as samples name them.
        carried: relationship properties sent along where a relation has them.
    """

    def __init__(
        self, graph: GraphData, plan: Plan, relations: Sequence[SampledRelation], carried: Sequence[str]
    ) -> None:
        self._graph, self._plan = graph, plan
        self._sampled, self._carried = list(relations), list(carried)
        held = [graph.relations.get(relation.stored) for relation in plan.relations]
        self._keys = [
            [key for key in carried if table is not None and key in table.properties] for table in held
        ]
        self._lists = GraphNeighbourhoods(graph, plan, self._keys)

    def batches(
        self,
        seed_type: str | None,
        seeds: NDArray[np.int64] | None,
        before: Any,
        batch_size: int,
        *,
        coo: bool,
        disjoint: bool,
    ) -> Iterator[BlockSample | CooSample]:
        """One sample for each batch of seeds, in order.

        Args:
            seeds: [S] Neo4j ids; None means all nodes of the type.
            before: None, one time, or [S].
        """
        types = self._plan.node_types
        if seed_type is None and len(types) == 1:
            seed_type = types[0]
        faults = []
        if seed_type not in types:
            faults.append(f"seed_label {seed_type!r} is none of the node types {', '.join(types)}.")
        if before is not None and self._plan.time is None:
            faults.append("before needs time_property.")
        if disjoint and not coo:
            faults.append("disjoint needs the layout coo.")
        if faults:
            raise InvalidInput("The samples cannot be drawn", faults)
        table = self._graph.nodes[seed_type]
        if seeds is None:
            indices = np.arange(len(table))
        else:
            ids = np.asarray(seeds, np.int64)
            indices = table.index_of(ids)
            if (indices < 0).any():
                first = int(np.argmax(indices < 0))
                fault = f"seed {first} (Neo4j id {ids[first]}) is no node of type {seed_type}."
                raise InvalidInput("The samples cannot be drawn", [fault])
        times = None
        if before is not None:
            times = np.broadcast_to(np.asarray(before, np.float64), indices.shape)
        for number, start in enumerate(range(0, len(indices), batch_size)):
            part = slice(start, start + batch_size)
            cut = None if times is None else times[part]
            if coo:
                columns, rows = self._coo(seed_type, indices[part], cut, disjoint)
            else:
                columns, rows = self._blocks(seed_type, indices[part], cut)
            yield (CooSample if coo else BlockSample)(
                number,
                list(types),
                self._sampled,
                self._carried,
                self._plan.hops,
                seed_type,
                0,
                columns,
                {name: self._features(name, rows[name]) for name in types},
            )

    def _blocks(
        self, seed_type: str, seeds: NDArray[np.int64], before: NDArray[np.float64] | None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.int64]]]:
        plan, types = self._plan, self._plan.node_types
        times, group = _groups(before, len(seeds), disjoint=False)
        groups = 1 if times is None else max(1, len(times))
        nobody = np.empty(0, np.int64)
        hops = [dict.fromkeys(types, nobody)]
        hops[0][seed_type], at = np.unique(seeds * groups + group, return_inverse=True)
        columns: dict[str, NDArray[Any]] = {"seed": at.astype(np.int32)}
        for hop in range(1, plan.hops + 1):
            answers = []
            reached: dict[str, list[NDArray[np.int64]]] = {name: [nobody] for name in types}
            for place, relation in enumerate(plan.relations):
                numbers, mine = np.divmod(hops[hop - 1][relation.receiver], groups)
                cut = None if times is None else times[mine]
                senders, degrees, edges = self._lists.receive(place, hop, numbers, cut)
                keys = np.where(senders < 0, -1, senders * groups + mine[:, None])
                reached[relation.sender].append(keys[keys >= 0])
                answers.append((keys, degrees, edges))
            hops.append({name: np.unique(np.concatenate(parts)) for name, parts in reached.items()})
            for place, (keys, degrees, edges) in enumerate(answers):
                found = np.searchsorted(hops[hop][plan.relations[place].sender], keys)
                columns[f"nbr_r{place}_{hop}"] = np.where(keys < 0, -1, found).astype(np.int32).reshape(-1)
                columns[f"deg_r{place}_{hop}"] = degrees.astype(np.int32)
                for column, key in enumerate(self._keys[place]):
                    name = f"ef{self._carried.index(key)}_r{place}_{hop}"
                    columns[name] = edges[:, :, column].reshape(-1)
        rows = {}
        for n, name in enumerate(types):
            rows[name] = np.unique(np.concatenate([entries[name] for entries in hops]) // groups)
            for hop, entries in enumerate(hops):
                columns[f"hop_n{n}_{hop}"] = np.searchsorted(rows[name], entries[name] // groups).astype(
                    np.int32
                )
        return columns | self._nodes(rows), rows

    def _coo(
        self, seed_type: str, seeds: NDArray[np.int64], before: NDArray[np.float64] | None, disjoint: bool
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.int64]]]:
        plan, types = self._plan, self._plan.node_types
        times, group = _groups(before, len(seeds), disjoint)
        groups = max(1, len(seeds)) if disjoint else 1 if times is None else max(1, len(times))
        reached = {name: Reached(groups) for name in types}
        nobody = np.empty(0, np.int64)
        positions = {
            name: found.start(found.key(seeds, group) if name == seed_type else nobody)
            for name, found in reached.items()
        }
        rows: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
        cols: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
        values: list[list[NDArray[np.float64]]] = [[] for _ in plan.relations]
        for hop in range(1, plan.hops + 1):
            drawn = []
            for place, relation in enumerate(plan.relations):
                numbers, mine = reached[relation.receiver].newest()
                cut = None if times is None else times[mine]
                senders, _, edges = self._lists.receive(place, hop, numbers, cut)
                there = senders >= 0
                which = np.nonzero(there)[0]
                key = reached[relation.sender].key(senders[there], mine[which])
                drawn.append((key, reached[relation.receiver].newest_positions()[which]))
                values[place].append(edges[there])
                reached[relation.sender].add(key)
            for found in reached.values():
                found.close()
            for place, (key, receiver) in enumerate(drawn):
                rows[place].append(reached[plan.relations[place].sender].position(key))
                cols[place].append(receiver)
        columns: dict[str, NDArray[Any]] = {"seed": positions[seed_type].astype(np.int32)}
        for n, name in enumerate(types):
            columns[f"count_n{n}"] = np.array(reached[name].per_hop, np.int32)
            if disjoint:
                columns[f"batch_n{n}"] = reached[name].groups().astype(np.int32)
        for place in range(len(plan.relations)):
            columns[f"row_r{place}"] = np.concatenate(rows[place]).astype(np.int32)
            columns[f"col_r{place}"] = np.concatenate(cols[place]).astype(np.int32)
            columns[f"count_r{place}"] = np.array([len(part) for part in rows[place]], np.int32)
            edges = np.concatenate(values[place])
            for column, key in enumerate(self._keys[place]):
                columns[f"ef{self._carried.index(key)}_r{place}"] = edges[:, column]
        found_rows = {name: found.numbers() for name, found in reached.items()}
        return columns | self._nodes(found_rows), found_rows

    def _nodes(self, rows: Mapping[str, NDArray[np.int64]]) -> dict[str, NDArray[Any]]:
        columns: dict[str, NDArray[Any]] = {}
        for n, (name, found) in enumerate(rows.items()):
            columns[f"id_n{n}"] = self._graph.nodes[name].node_ids[found]
            columns[f"index_n{n}"] = found.astype(np.int32)
        return columns

    def _features(self, name: str, rows: NDArray[np.int64]) -> dict[str, GatheredFeature]:
        return {key: _gathered(column, rows) for key, column in self._graph.nodes[name].columns.items()}


def _gathered(column: Column, rows: NDArray[np.int64]) -> GatheredFeature:
    if column.offsets is None and column.values.ndim == 1:
        return GatheredFeature(column.type, column.values[rows])
    missing = np.zeros(len(rows), bool) if column.missing is None else column.missing[rows]
    if column.offsets is None:
        lengths = np.where(missing, -1, column.values.shape[1])
        return GatheredFeature(
            column.type, column.values[rows[~missing]].reshape(-1), lengths.astype(np.int32)
        )
    start, end = column.offsets[rows], column.offsets[rows + 1]
    parts = [column.values[a:b] for a, b in zip(start, end, strict=True)]
    values = np.concatenate(parts) if parts else column.values[:0]
    return GatheredFeature(column.type, values, np.where(missing, -1, end - start).astype(np.int32))


def _groups(
    before: NDArray[np.float64] | None, count: int, disjoint: bool
) -> tuple[NDArray[np.float64] | None, NDArray[np.int64]]:
    """Times by group, None where there are none; and the group of each seed."""
    if disjoint:
        return before, np.arange(count)
    if before is None:
        return None, np.zeros(count, np.int64)
    times, group = np.unique(before, return_inverse=True)
    return times, group
