"""Neighbourhoods drawn in the database, by ``gnn.graph.sample``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gds_pipelines.errors import PipelineError
from gds_pipelines.graph_reader import Sessions
from gds_pipelines.pyg.neighbourhood import Neighbourhood, Plan, Relation, check_seeds, join

SAMPLE = "CALL gnn.graph.sample($graphName, $config) YIELD batch, seeds, arrow"


class ProjectionNeighbourhoods:
    """Draws on a projection; one call a batch and type of seeds.

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
        self._config = sample_config(plan, label_priority)
        if concurrency is not None:
            self._config["concurrency"] = concurrency

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
        config = self._config | {
            "format": "coo",
            "seedLabel": type_,
            "seeds": self._ids[type_][indices].astype("<i8").tobytes(),
            "batchSize": len(indices),
            "disjoint": disjoint,
        }
        if before is not None:
            config["before"] = np.asarray(before).astype("<i8").tobytes()
        with self._connection.session() as session:
            record = session.run(SAMPLE, graphName=self._graph_name, config=config).single(strict=True)
        return decode(record["arrow"], self._plan, type_, self._ids)


def sample_config(plan: Plan, label_priority: Sequence[str] = ()) -> dict[str, Any]:
    """The configuration of ``gnn.graph.sample`` that draws ``plan``."""
    config: dict[str, Any] = {
        "nodeLabels": list(plan.node_types),
        "relations": [
            {
                "sender": relation.sender,
                "type": relation.type,
                "receiver": relation.receiver,
                "direction": relation.direction,
                "fanOut": list(fan_out),
            }
            for relation, fan_out in zip(plan.relations, plan.fan_outs, strict=True)
        ],
        "fanOut": list(plan.fan_outs[0]),
        "randomSeed": plan.random_seed,
        "replace": plan.replace,
        "relationshipWeightProperty": plan.weight,
        "timeProperty": plan.time,
        "last": plan.last or None,
        "labelPriority": list(label_priority) or None,
    }
    return {key: value for key, value in config.items() if value is not None}


def decode(
    arrow: bytes, plan: Plan, seed_type: str, node_ids: Mapping[str, NDArray[np.int64]]
) -> Neighbourhood:
    """A record of format ``coo``.

    Raises:
        PipelineError: where it is of another format, another plan, or another projection than was read.
    """
    reader = pa.ipc.open_stream(arrow)
    about = json.loads(reader.schema.metadata[b"gnn"])
    if about["format"] != 1 or about["layout"] != "coo":
        raise PipelineError(
            f"The plugin sent a sample of format {about['format']}, layout {about['layout']}; this client "
            "reads format 1, coo. Install one version of both."
        )
    batch = reader.read_next_batch()
    types = {node["name"]: f"n{place}" for place, node in enumerate(about["nodes"])}
    told = [
        Relation(found["sender"], found["type"], found["receiver"], found["direction"])
        for found in about["relations"]
    ]
    if told != list(plan.relations):
        raise PipelineError(
            "The sample has other relations than were asked for. Install one version of both."
        )

    def column(name: str) -> NDArray[Any]:
        return batch.column(name).values.to_numpy(zero_copy_only=False)

    nodes = {}
    for type_, place in types.items():
        nodes[type_] = column(f"index_{place}").astype(np.int64)
        ids, known = column(f"id_{place}"), node_ids[type_]
        if len(ids) and not (nodes[type_].max() < len(known) and (known[nodes[type_]] == ids).all()):
            raise PipelineError(
                f"The projection '{about['graphName']}' is not the one that was read: the nodes of type "
                f"{type_} have other numbers. Open it again."
            )
    disjoint = f"batch_{types[seed_type]}" in batch.schema.names
    return Neighbourhood(
        nodes,
        {type_: column(f"count_{place}").tolist() for type_, place in types.items()},
        [column(f"row_r{place}").astype(np.int64) for place in range(len(told))],
        [column(f"col_r{place}").astype(np.int64) for place in range(len(told))],
        [column(f"count_r{place}").tolist() for place in range(len(told))],
        {seed_type: column("seed").astype(np.int64)},
        {type_: column(f"batch_{place}").astype(np.int64) for type_, place in types.items()}
        if disjoint
        else None,
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
