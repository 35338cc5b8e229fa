"""What ``gnn.graph.sample`` sends, as numpy arrays.

Shapes: N = nodes of a type, R = receivers of a relation at a hop, K = its fan-out, B = seeds, L = hops.
Arrays view the bytes that came and cannot be written to; positions are int32.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gds_pipelines.errors import PipelineError

FORMAT = 1


@dataclass(frozen=True)
class SampledRelation:
    """Receivers draw among senders; ``direction`` is ``out`` where relationships leave the sender."""

    sender: str
    type: str
    receiver: str
    direction: str
    fan_out: tuple[int, ...]

    @property
    def edge_type(self) -> tuple[str, str, str]:
        """As PyG names it: ``rev_<TYPE>`` against the direction of the relationships."""
        return (self.sender, self.type if self.direction == "out" else f"rev_{self.type}", self.receiver)

    def to_map(self) -> dict[str, Any]:
        """As Cypher takes it."""
        return {
            "sender": self.sender,
            "type": self.type,
            "receiver": self.receiver,
            "direction": self.direction,
            "fanOut": list(self.fan_out),
        }


@dataclass(frozen=True)
class GatheredFeature:
    """One node property of the nodes of a sample.

    Attributes:
        type: ``long``, ``double``, ``float[]``, ``double[]`` or ``long[]``.
        values: [N], or all values of lists after one another. A missing number is INTEGER minimum or NaN.
        lengths: [N] of lists, -1 where missing; None for numbers.
    """

    type: str
    values: NDArray[Any]
    lengths: NDArray[np.int32] | None = None

    def matrix(self, width: int) -> NDArray[Any]:
        """[N, width] – lists of one length, zeros where missing.

        Raises:
            PipelineError: for a list of another length.
        """
        if self.lengths is None:
            return self.values.reshape(-1, 1)
        present = self.lengths >= 0
        wrong = self.lengths[present & (self.lengths != width)]
        if len(wrong):
            raise PipelineError(f"A list of {wrong[0]} values was found where {width} are expected.")
        filled = np.zeros((len(self.lengths), width), self.values.dtype)
        filled[present] = self.values.reshape(-1, width)
        return filled


@dataclass
class Sample:
    """What both layouts share; ``n`` and ``r`` are positions in ``node_types`` and ``relations``.

    Attributes:
        batch: number of the batch, from 0.
        seed_type: node type of the seeds.
        seed: [B] – positions of the seeds, repeats allowed.
        node_ids: [N] Neo4j ids by node type; transport only.
        indices: [N] ranks among all nodes of the type; absent where the live store was read.
        truncated: receivers whose list was cut at ``max_degree`` (live store only).
        columns: every array that came, under the name that ``docs/formats.md`` gives it.
    """

    batch: int
    node_types: list[str]
    relations: list[SampledRelation]
    relationship_properties: list[str]
    hops: int
    seed_type: str
    truncated: int
    columns: dict[str, NDArray[Any]]
    features: dict[str, dict[str, GatheredFeature]] = field(default_factory=dict)

    @property
    def seed(self) -> NDArray[np.int32]:
        return self.columns["seed"]

    @property
    def node_ids(self) -> dict[str, NDArray[np.int64]]:
        return {name: self.columns[f"id_n{n}"] for n, name in enumerate(self.node_types)}

    @property
    def indices(self) -> dict[str, NDArray[np.int32]]:
        found = {name: self.columns.get(f"index_n{n}") for n, name in enumerate(self.node_types)}
        return {name: values for name, values in found.items() if values is not None}

    def feature(self, node_type: str, name: str) -> GatheredFeature:
        """A property that was asked for with ``node_properties``."""
        return self.features[node_type][name]


@dataclass
class BlockSample(Sample):
    """A neighbourhood as ``padded-blocks/1``."""

    def hop(self, n: int, h: int) -> NDArray[np.int32]:
        """Rows of x of node type n, h = 0 … L."""
        return self.columns[f"hop_n{n}_{h}"]

    def neighbours(self, r: int, h: int) -> NDArray[np.int32]:
        """[R, K] – positions in hop h of the sender, -1 = none, h = 1 … L."""
        k = self.relations[r].fan_out[h - 1]
        return self.columns[f"nbr_r{r}_{h}"].reshape(len(self.columns[f"deg_r{r}_{h}"]), k)

    def degrees(self, r: int, h: int) -> NDArray[np.int32]:
        """[R] – how many neighbours the receiver has, of those that are old enough."""
        return self.columns[f"deg_r{r}_{h}"]

    def edge(self, r: int, h: int, name: str) -> NDArray[np.float64] | None:
        """[R, K] – a relationship property, NaN where missing, 0 at -1; None where the relation has none."""
        found = self.columns.get(f"ef{self.relationship_properties.index(name)}_r{r}_{h}")
        return None if found is None else found.reshape(self.neighbours(r, h).shape)

    @property
    def edges(self) -> int:
        """Relationships drawn."""
        return sum(
            int((self.columns[f"nbr_r{r}_{h}"] >= 0).sum())
            for r in range(len(self.relations))
            for h in range(1, self.hops + 1)
        )


@dataclass
class CooSample(Sample):
    """A neighbourhood as lists of nodes and relationships, as PyG's ``HeteroSamplerOutput`` names them."""

    @property
    def node(self) -> dict[str, NDArray[np.int64]]:
        """[N] by type: indices, or Neo4j ids where the live store was read."""
        found = self.indices or self.node_ids
        return {name: values.astype(np.int64) for name, values in found.items()}

    def _by_edge_type(self, column: str) -> dict[tuple[str, str, str], NDArray[np.int64]]:
        return {
            relation.edge_type: self.columns[f"{column}_r{r}"].astype(np.int64)
            for r, relation in enumerate(self.relations)
        }

    @property
    def row(self) -> dict[tuple[str, str, str], NDArray[np.int64]]:
        """Positions of the senders."""
        return self._by_edge_type("row")

    @property
    def col(self) -> dict[tuple[str, str, str], NDArray[np.int64]]:
        """Positions of the receivers."""
        return self._by_edge_type("col")

    @property
    def num_sampled_nodes(self) -> dict[str, list[int]]:
        """L + 1 counts by type: nodes first reached at each hop."""
        return {name: self.columns[f"count_n{n}"].tolist() for n, name in enumerate(self.node_types)}

    @property
    def num_sampled_edges(self) -> dict[tuple[str, str, str], list[int]]:
        """L counts by relation."""
        return {name: counts.tolist() for name, counts in self._by_edge_type("count").items()}

    @property
    def group(self) -> dict[str, NDArray[np.int64]] | None:
        """[N] by type: the seed each node belongs to (PyG calls it ``batch``); None unless ``disjoint``."""
        if "batch_n0" not in self.columns:
            return None
        return {name: self.columns[f"batch_n{n}"].astype(np.int64) for n, name in enumerate(self.node_types)}

    def edge(self, r: int, name: str) -> NDArray[np.float64] | None:
        """A property of each relationship drawn, NaN where missing; None where the relation has none."""
        return self.columns.get(f"ef{self.relationship_properties.index(name)}_r{r}")

    @property
    def edges(self) -> int:
        """Relationships drawn."""
        return sum(len(self.columns[f"row_r{r}"]) for r in range(len(self.relations)))


def read_sample(batch: int, arrow: bytes) -> BlockSample | CooSample:
    """Opens one record; nothing is copied.

    Raises:
        PipelineError: for a format of another version.
    """
    stream = pa.ipc.open_stream(pa.py_buffer(arrow))
    head = json.loads(stream.schema.metadata[b"gnn"])
    if head["format"] != FORMAT:
        raise PipelineError(
            f"The plugin sends samples of format {head['format']}; this client reads {FORMAT}. "
            "Install one version of both."
        )
    record = stream.read_next_batch()
    columns = {name: _values(record.column(c)) for c, name in enumerate(record.schema.names)}
    features = {
        node["name"]: {
            spec["name"]: GatheredFeature(spec["type"], columns[f"p{p}_n{n}"], columns.get(f"length{p}_n{n}"))
            for p, spec in enumerate(node["properties"])
        }
        for n, node in enumerate(head["nodes"])
    }
    kind = BlockSample if head["layout"] == "blocks" else CooSample
    names = [node["name"] for node in head["nodes"]]
    return kind(
        batch,
        names,
        _relations(head["relations"]),
        head["relationshipProperties"],
        head["hops"],
        names[int(head["seedType"][1:])],
        head["truncated"],
        columns,
        features,
    )


def _relations(entries: Sequence[Mapping[str, Any]]) -> list[SampledRelation]:
    return [
        SampledRelation(
            entry["sender"], entry["type"], entry["receiver"], entry["direction"], tuple(entry["fanOut"])
        )
        for entry in entries
    ]


def _values(column: pa.Array) -> NDArray[Any]:
    """The one list of a column, where it lies."""
    values = column.values
    dtype = values.type.to_pandas_dtype()
    data = values.buffers()[-1]
    return np.empty(0, dtype) if data is None else np.frombuffer(data, dtype, len(values))
