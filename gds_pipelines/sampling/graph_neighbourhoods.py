"""Neighbourhoods drawn from a graph in memory: what ``gnn.graph.sample`` draws on a projection, vectorised.

The rule of a draw and the order of nodes and relationships are those of docs/formats.md, section 6, so the
same seeds and the same ``random_seed`` give the same neighbourhood here and in the database. Numpy only.
Shapes: R = receivers, K = fan-out, F = properties. Nodes are indices within their type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.graph_data import GraphData
from gds_pipelines.sampling.neighbour_lists import NeighbourLists
from gds_pipelines.sampling.neighbourhood import Neighbourhood, check_seeds, collect
from gds_pipelines.sampling.plan import Plan
from gds_pipelines.sampling.reached import Reached


class GraphNeighbourhoods:
    """Draws from a ``GraphData``, in memory or in memory-mapped files; needs no database.

    Lists of neighbours are made once: 4 bytes a relationship and direction, 8 more for each of weight and
    time.
    """

    def __init__(
        self, graph: GraphData, plan: Plan, relationship_properties: Sequence[Sequence[str]] | None = None
    ) -> None:
        """``relationship_properties`` are to be given with ``receive``, by place of the relation."""
        self._plan = plan
        self._ids = {name: table.node_ids for name, table in graph.nodes.items()}
        self._counts = {name: len(table) for name, table in graph.nodes.items()}
        wanted = relationship_properties or [()] * len(plan.relations)
        self._lists = [
            NeighbourLists.of(graph, relation, plan, keys)
            for relation, keys in zip(plan.relations, wanted, strict=True)
        ]

    @property
    def plan(self) -> Plan:
        return self._plan

    def draw(
        self,
        seeds: Mapping[str, NDArray[np.int64]],
        before: Mapping[str, NDArray[np.int64]] | None = None,
        disjoint: bool = False,
    ) -> Neighbourhood:
        check_seeds(seeds, before, disjoint, self._counts)
        plan = self._plan
        groups = sum(len(indices) for indices in seeds.values()) if disjoint else 1
        times = None
        if before is not None:
            times = np.concatenate([np.asarray(before[type_], np.float64) for type_ in seeds])
        reached = {type_: Reached(max(groups, 1)) for type_ in plan.node_types}
        positions, first = {}, 0
        nobody = np.empty(0, np.int64)
        # Groups count the seeds of all types in the order given; types without seeds begin empty.
        for type_ in [*seeds, *(name for name in plan.node_types if name not in seeds)]:
            indices = np.asarray(seeds.get(type_, nobody), np.int64)
            group = first + np.arange(len(indices)) if disjoint else np.zeros(len(indices), np.int64)
            start = reached[type_].start(reached[type_].key(indices, group))
            if type_ in seeds:
                positions[type_] = start
            first += len(indices)
        rows: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
        cols: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
        for hop in range(1, plan.hops + 1):
            drawn = []
            for place, relation in enumerate(plan.relations):
                receivers = reached[relation.receiver]
                numbers, group = receivers.newest()
                cut = None if times is None else times[group]
                lists = self._lists[place]
                which, position, _ = lists.draw(
                    plan, place, hop, numbers, self._ids[relation.receiver][numbers], cut
                )
                key = reached[relation.sender].key(lists.senders[position], group[which])
                drawn.append((key, receivers.newest_positions()[which]))
                reached[relation.sender].add(key)
            for found in reached.values():
                found.close()
            for place, relation in enumerate(plan.relations):
                key, receiver = drawn[place]
                rows[place].append(reached[relation.sender].position(key))
                cols[place].append(receiver)
        return collect(reached, rows, cols, positions, disjoint)

    def receive(
        self,
        place: int,
        hop: int,
        receivers: NDArray[np.int64],
        before: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """What the receivers of one relation draw at one hop, as padded blocks have it.

        Args:
            place: of the relation in the plan.
            before: [R] – a time for each receiver.
        Returns:
            senders [R, K], -1 = none; degrees [R]; relationship properties [R, K, F], NaN where missing, 0
            beside a -1.
        """
        relation, lists = self._plan.relations[place], self._lists[place]
        which, position, degree = lists.draw(
            self._plan, place, hop, receivers, self._ids[relation.receiver][receivers], before
        )
        fan_out = self._plan.fan_outs[place][hop - 1]
        slot = np.arange(len(which)) - np.searchsorted(which, which)
        senders = np.full((len(receivers), fan_out), -1, np.int64)
        senders[which, slot] = lists.senders[position]
        edges = np.zeros((len(receivers), fan_out, len(lists.properties)))
        for column, values in enumerate(lists.properties):
            edges[which, slot, column] = values[position]
        return senders, degree, edges
