"""Asks the database for samples, batch after batch over the ordinary Bolt connection."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import neo4j
import numpy as np
from neo4j.exceptions import ClientError
from numpy.typing import ArrayLike

from gds_pipelines.sampling.samples import BlockSample, CooSample, SampledRelation, read_sample

_SAMPLE = "CALL gnn.graph.sample($graphName, $config) YIELD batch, arrow"


class Sessions(Protocol):
    """A ``Connection``, or a driver of Neo4j."""

    def session(self) -> neo4j.Session: ...


def sample_graph(
    connection: Sessions,
    graph_name: str | None,
    *,
    fan_out: Sequence[int],
    seeds: ArrayLike | None = None,
    seed_label: str | None = None,
    before: ArrayLike | None = None,
    layout: str = "blocks",
    batch_size: int | None = None,
    random_seed: int = 0,
    replace: bool = False,
    weight_property: str | None = None,
    time_property: str | None = None,
    last: int | None = None,
    disjoint: bool = False,
    relations: Sequence[SampledRelation | Mapping[str, Any]] | None = None,
    direction: str | None = None,
    node_labels: Sequence[str] | None = None,
    relationship_types: Sequence[str] | None = None,
    label_priority: Sequence[str] = (),
    task: Mapping[str, Any] | None = None,
    node_properties: Sequence[str] = (),
    relationship_properties: Sequence[str] = (),
    source: str = "projection",
    max_degree: int | None = None,
    concurrency: int | None = None,
) -> Iterator[BlockSample | CooSample]:
    """Draws neighbourhoods in the database and yields them, one for each batch of seeds, in order.

    One query serves all batches: an epoch is one call. The server works two batches a thread ahead. Leave the
    iterator, or close it, and the query ends. Where the server has no plugin, the projection is read, after
    one warning, and drawn from in this process: the same samples, slower.

    Args:
        connection: a ``Connection``, or a ``neo4j.Driver`` for the default database.
        graph_name: a projection of the signed-in user; None with ``source='store'``.
        fan_out: senders each receiver draws, hop by hop, 0 to 10,000 each, 1 to 10 hops.
        seeds: [S] Neo4j ids, repeats allowed; None means all nodes of ``seed_label``.
        seed_label: their node type; may be left out where there is one.
        before: one time for all seeds, or [S]: only relationships older than that are drawn.
        layout: ``blocks`` (``padded-blocks/1``) or ``coo`` (for PyG).
        batch_size: seeds a batch; None means 1024.
        random_seed: the same number gives the same draws, whatever the batches and threads.
        replace: whether a sender may be drawn twice.
        weight_property: draw in proportion to this relationship property, finite and above 0.
        time_property: relationship property holding INTEGER epoch milliseconds.
        last: draw among so many newest senders only.
        disjoint: ``coo`` only: the seeds share no nodes.
        relations: what draws from what, in the order of r0, r1, …; None means every relation of the
            projection in both directions.
        direction: with ``relations=None``: ``both``, ``in`` or ``out``.
        node_labels: the node types in the order of n0, n1, …
        task: a task as Cypher takes it: its labels are the node types, the first wins.
        node_properties: gathered for the nodes of each batch; ``["*"]`` means all.
        relationship_properties: carried along with each relationship.
        source: ``projection`` or ``store``, the live store.
        max_degree: ``store`` only: relationships read of a node at most; None means 10,000.
        concurrency: threads on the server, 1 to 4; None means half its cores.
    Yields:
        ``BlockSample`` or ``CooSample``; nothing where there are no seeds.
    Raises:
        PipelineError: for ``source='store'`` where the server has no plugin.
        InvalidInput: for what cannot be drawn without the plugin.
        neo4j.exceptions.Neo4jError: with the server's sentence for wrong names and values.
    """
    config: dict[str, Any] = {
        "fanOut": list(fan_out),
        "seeds": None if seeds is None else _bytes(seeds),
        "seedLabel": seed_label,
        "before": before if before is None or np.ndim(before) == 0 else _bytes(before),
        "format": layout,
        "batchSize": batch_size,
        "randomSeed": random_seed,
        "replace": replace,
        "relationshipWeightProperty": weight_property,
        "timeProperty": time_property,
        "last": last,
        "disjoint": disjoint or None,
        "relations": None if relations is None else [_map(relation) for relation in relations],
        "direction": direction,
        "nodeLabels": None if node_labels is None else list(node_labels),
        "relationshipTypes": None if relationship_types is None else list(relationship_types),
        "labelPriority": list(label_priority) or None,
        "task": None if task is None else dict(task),
        "nodeProperties": list(node_properties) or None,
        "relationshipProperties": list(relationship_properties) or None,
        "source": source,
        "maxDegree": max_degree,
        "concurrency": concurrency,
    }
    if isinstance(config["before"], np.generic):
        config["before"] = config["before"].item()
    config = {key: value for key, value in config.items() if value is not None}
    with connection.session() as session:
        try:
            records = session.run(_SAMPLE, graphName=graph_name, config=config)
            records.peek()
        except ClientError as error:
            if error.code != "Neo.ClientError.Procedure.ProcedureNotFound":
                raise
        else:
            for record in records:
                yield read_sample(record["batch"], record["arrow"])
            return
    from gds_pipelines.sampling.memory import sample_here  # the way without the plugin

    numbers = {"seeds": seeds, "before": before}
    config |= {key: np.asarray(value) for key, value in numbers.items() if value is not None}
    yield from sample_here(connection, graph_name, config)


def _bytes(numbers: ArrayLike) -> bytes:
    """Little-endian int64."""
    return np.ascontiguousarray(numbers, dtype="<i8").tobytes()


def _map(relation: SampledRelation | Mapping[str, Any]) -> dict[str, Any]:
    return relation.to_map() if isinstance(relation, SampledRelation) else dict(relation)
