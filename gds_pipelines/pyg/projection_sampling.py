"""Neighbourhoods drawn in the database, by ``gnn.graph.sample``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import PipelineError
from gds_pipelines.graph_reader import Sessions
from gds_pipelines.sampling import BlockSample, CooSample, SampledRelation, sample_graph
from gds_pipelines.sampling.neighbourhood import Neighbourhood, check_seeds, join
from gds_pipelines.sampling.plan import Plan


class ProjectionNeighbourhoods:
    """Draws on a projection: one call for each batch and type of seeds.

    Args:
        node_ids: [N] Neo4j ids by type, ascending, as ``read_graph`` gave them.
        label_priority: as they were read.
        concurrency: threads of the server; None means half its cores.
    """

    def __init__(
        self,
        connection: Sessions,
        graph_name: str,
        plan: Plan,
        node_ids: Mapping[str, NDArray[np.int64]],
        *,
        label_priority: Sequence[str] = (),
        concurrency: int | None = None,
    ) -> None:
        self._connection, self._graph_name, self._plan, self._ids = connection, graph_name, plan, node_ids
        self._counts = {name: len(ids) for name, ids in node_ids.items()}
        self._options = sample_options(plan, label_priority) | {"concurrency": concurrency}

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
        found = [
            self._of_type(type_, indices, None if before is None else before[type_], disjoint)
            for type_, indices in seeds.items()
            if len(indices)
        ]
        if not found:
            return _nothing(self._plan, seeds, disjoint)
        neighbourhood = found[0] if len(found) == 1 else join(self._plan, found)
        for type_ in seeds:
            neighbourhood.seeds.setdefault(type_, np.empty(0, np.int64))
        return neighbourhood

    def _of_type(
        self, type_: str, indices: NDArray[np.int64], before: NDArray[np.int64] | None, disjoint: bool
    ) -> Neighbourhood:
        samples = sample_graph(
            self._connection,
            self._graph_name,
            seeds=self._ids[type_][indices],
            seed_label=type_,
            before=before,
            layout="coo",
            batch_size=len(indices),
            disjoint=disjoint,
            **self._options,
        )
        with closing(samples):
            sample = next(samples)
        assert isinstance(sample, CooSample)
        check_numbers(sample, self._ids, self._graph_name)
        of_type = sample.num_sampled_edges
        return Neighbourhood(
            sample.node,
            sample.num_sampled_nodes,
            list(sample.row.values()),
            list(sample.col.values()),
            [of_type[relation.edge_type] for relation in self._plan.relations],
            {type_: sample.seed.astype(np.int64)},
            sample.group,
        )

    def blocks(
        self,
        seed_type: str,
        indices: NDArray[np.int64],
        batch_size: int,
        *,
        before: NDArray[np.int64] | None = None,
        node_properties: Sequence[str] = (),
        relationship_properties: Sequence[str] = (),
    ) -> Iterator[BlockSample]:
        """Padded blocks, batch after batch in the order of the seeds; one query for all of them."""
        check_seeds({seed_type: indices}, None, False, self._counts)
        if len(indices) == 0:
            return
        samples = sample_graph(
            self._connection,
            self._graph_name,
            seeds=self._ids[seed_type][indices],
            seed_label=seed_type,
            before=before,
            layout="blocks",
            batch_size=batch_size,
            node_properties=node_properties,
            relationship_properties=relationship_properties,
            **self._options,
        )
        with closing(samples):
            for sample in samples:
                assert isinstance(sample, BlockSample)
                check_numbers(sample, self._ids, self._graph_name)
                yield sample


def sample_options(plan: Plan, label_priority: Sequence[str] = ()) -> dict[str, Any]:
    """The arguments of ``sample_graph`` that draw ``plan``."""
    return {
        "fan_out": plan.fan_outs[0],
        "relations": [
            SampledRelation(relation.sender, relation.type, relation.receiver, relation.direction, fan_out)
            for relation, fan_out in zip(plan.relations, plan.fan_outs, strict=True)
        ],
        "node_labels": plan.node_types,
        "label_priority": label_priority,
        "random_seed": plan.random_seed,
        "replace": plan.replace,
        "weight_property": plan.weight,
        "time_property": plan.time,
        "last": plan.last or None,
    }


def check_numbers(
    sample: BlockSample | CooSample, node_ids: Mapping[str, NDArray[np.int64]], graph_name: str
) -> None:
    """Raises PipelineError where the projection is another than the one whose ids are known."""
    for type_, indices in sample.indices.items():
        ids, known = sample.node_ids[type_], node_ids[type_]
        if len(ids) and not (indices.max() < len(known) and (known[indices] == ids).all()):
            raise PipelineError(
                f"The projection '{graph_name}' is not the one that was read: its nodes of type {type_} "
                "have other numbers. Read it again."
            )


def _nothing(plan: Plan, seeds: Mapping[str, NDArray[np.int64]], disjoint: bool) -> Neighbourhood:
    none = np.empty(0, np.int64)
    return Neighbourhood(
        dict.fromkeys(plan.node_types, none),
        {type_: [0] * (plan.hops + 1) for type_ in plan.node_types},
        [none for _ in plan.relations],
        [none for _ in plan.relations],
        [[0] * plan.hops for _ in plan.relations],
        dict.fromkeys(seeds, none),
        dict.fromkeys(plan.node_types, none) if disjoint else None,
    )
