"""Negatives drawn in the database, by ``gnn.graph.negatives``.

``gds_pipelines.negatives`` draws without one; the database's draws follow the rule of docs/formats.md,
section 6, and so depend on the seeds and ``random_seed`` alone.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from neo4j.exceptions import ClientError
from numpy.typing import ArrayLike, NDArray

from gds_pipelines.errors import PipelineError
from gds_pipelines.graph_reader import Sessions

_NEGATIVES = "CALL gnn.graph.negatives($graphName, $config) YIELD arrow"


def draw_negatives(
    connection: Sessions,
    graph_name: str,
    seed_label: str,
    target_label: str,
    *,
    seeds: ArrayLike | None = None,
    count: int = 1,
    kind: str = "uniform",
    among: ArrayLike | None = None,
    vector_property: str | None = None,
    pool: int | None = None,
    skip: int | None = None,
    random_seed: int = 0,
    relationship_types: Sequence[str] | None = None,
    label_priority: Sequence[str] = (),
    batch_size: int | None = None,
    concurrency: int | None = None,
) -> NDArray[np.int64]:
    """Draws nodes that the seeds have no relationship with, in either direction.

    Args:
        seeds: [S] Neo4j ids, repeats allowed: a seed that stands again gets further draws. None means all
            nodes of ``seed_label``, ascending.
        count: negatives of each seed, K.
        kind: ``uniform``; ``popular``, by the power of 3/4 of the distinct seeds a node has; or ``hard``,
            among the ``pool`` nearest by ``vector_property`` after ``skip``. The first two draw with
            replacement.
        among: Neo4j ids that may be drawn, such as the items of a batch; None means all of ``target_label``.
        relationship_types: what counts as positive; None means every type.
    Returns:
        [S, K] indices within ``target_label``, -1 where there is none.
    Raises:
        PipelineError: where the server has no plugin.
        neo4j.exceptions.Neo4jError: with the server's sentence for wrong names and values.
    """
    config: dict[str, Any] = {
        "seedLabel": seed_label,
        "targetLabel": target_label,
        "seeds": None if seeds is None else np.ascontiguousarray(seeds, "<i8").tobytes(),
        "among": None if among is None else np.ascontiguousarray(among, "<i8").tobytes(),
        "count": count,
        "kind": kind,
        "property": vector_property,
        "pool": pool,
        "skip": skip,
        "randomSeed": random_seed,
        "relationshipTypes": None if relationship_types is None else list(relationship_types),
        "labelPriority": list(label_priority) or None,
        "batchSize": batch_size,
        "concurrency": concurrency,
    }
    config = {key: value for key, value in config.items() if value is not None}
    parts = [np.empty(0, np.int64)]
    with connection.session() as session:
        try:
            for record in session.run(_NEGATIVES, graphName=graph_name, config=config):
                batch = pa.ipc.open_stream(record["arrow"]).read_next_batch()
                parts.append(batch.column("index").values.to_numpy(zero_copy_only=False).astype(np.int64))
        except ClientError as error:
            if error.code != "Neo.ClientError.Procedure.ProcedureNotFound":
                raise
            raise PipelineError(
                "The server has no gnn4j plugin, which draws the negatives; gds_pipelines.negatives draws "
                "them here. See: gnn4j server plugin --help"
            ) from error
    return np.concatenate(parts).reshape(-1, count)
