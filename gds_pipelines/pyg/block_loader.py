"""Batches of padded blocks, for models of the contract ``padded-blocks/1``: docs/formats.md, section 7."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import Column, GraphData
from gds_pipelines.pyg.loader import Prefetch
from gds_pipelines.pyg.projection_sampling import ProjectionNeighbourhoods
from gds_pipelines.sampling import BlockSample
from gds_pipelines.sampling.graph_neighbourhoods import GraphNeighbourhoods
from gds_pipelines.sampling.plan import Plan, Relation
from model_export import block_schema as names
from model_export.block_schema import BlockSchema, Feature, NodeType
from model_export.feature_encoders import MISSING, PADDING
from model_export.padded_blocks import Drawn, PaddedBlocks, build, missing_row

if TYPE_CHECKING:
    from gds_pipelines.pyg.graph import PygGraph


@dataclass(frozen=True)
class BlockBatch:
    """One batch.

    Attributes:
        indices: [B] of the seeds, in the order of the rows that a model gives.
        tensors: by the names of the contract.
        nodes: [N] by label, indices of the rows of ``x_<n>`` and ``code_<n>``; empty where all is padding.
    """

    indices: Tensor
    tensors: dict[str, Tensor]
    nodes: dict[str, Tensor]

    def padded(self, schema: BlockSchema) -> PaddedBlocks:
        """The same, as ``model_export.BlockSession`` takes it; nothing is copied."""
        tensors = {name: tensor.numpy() for name, tensor in self.tensors.items()}
        nodes = {schema.numbers[label]: at.numpy() for label, at in self.nodes.items()}
        return PaddedBlocks(schema, tensors, nodes)


class BlockLoader:
    """Padded blocks around nodes of one type, drawn ahead by a thread of its own.

    Where the database draws, a pass over the loader is one query: the server works ahead as well.

    Args:
        graph: where features are; and who draws.
        schema: types, relations and features of the model; its features must have been read, ``bool``,
            ``category`` and ``list`` as ``gnn_code_<property>``.
        seed_label: the type of the seeds.
        indices: [S] the seeds; None means all nodes of the type.
        shuffle: a new order every pass, from ``random_seed`` and the number of the pass.
        drop_last: leave out a last batch that is not full.
        depth: batches that wait at most.
    Raises:
        UnknownName: for a type, relation or property that the graph does not have.
        InvalidInput: for a list that is wider than the schema says, and a batch size below 1.
    """

    def __init__(
        self,
        graph: PygGraph,
        schema: BlockSchema,
        seed_label: str,
        indices: NDArray[np.int64] | Tensor | None = None,
        *,
        batch_size: int = 1024,
        shuffle: bool = False,
        drop_last: bool = False,
        random_seed: int = 0,
        depth: int = 2,
    ) -> None:
        if batch_size < 1:
            raise InvalidInput(
                "Nothing can be loaded", [f"batch_size is {batch_size}; it must be at least 1."]
            )
        if seed_label not in schema.seeds:
            raise UnknownName("seed label", seed_label, schema.seeds)
        self.schema, self.seed_label = schema, seed_label
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.random_seed, self.depth = random_seed, depth
        all_of_type = np.arange(graph.counts[seed_label]) if indices is None else np.asarray(indices)
        self.indices = all_of_type.astype(np.int64)
        self._passes = 0
        self._tables = [FeatureRows(graph.data, node) for node in schema.types]
        known = {relation.edge_type: relation for relation in graph.relations}
        relations = [Relation(r.source, r.type, r.target, r.direction) for r in schema.relations]
        for relation in relations:
            if relation.edge_type not in known:
                raise UnknownName("relation", relation.name, [found.name for found in known.values()])
        plan = Plan(
            tuple(graph.counts),
            tuple(relations),
            schema.fanouts,
            schema.random_seed,
            schema.replace,
            schema.weight_property if schema.strategy == "weighted" else None,
            schema.time_property,
            schema.last or 0,
        )
        properties = [relation.properties for relation in schema.relations]
        self._source = graph.source(plan, relationship_properties=properties)

    def __len__(self) -> int:
        full, rest = divmod(len(self.indices), self.batch_size)
        return full + bool(rest and not self.drop_last)

    def __iter__(self) -> Iterator[BlockBatch]:
        order = self.indices
        if self.shuffle:
            order = np.random.default_rng([self.random_seed, self._passes]).permutation(order)
        self._passes += 1
        return iter(Prefetch(_Pass(self, order[: len(self) * self.batch_size]), self.depth))

    def _batches(self, order: NDArray[np.int64]) -> Iterator[BlockBatch]:
        starts = range(0, len(order), self.batch_size)
        if isinstance(self._source, ProjectionNeighbourhoods):
            keys = list(dict.fromkeys(key for r in self.schema.relations for key in r.properties))
            samples = self._source.blocks(
                self.seed_label, order, self.batch_size, relationship_properties=keys
            )
            for start, sample in zip(starts, samples, strict=True):
                yield self._of_sample(order[start : start + self.batch_size], sample)
            return
        for start in starts:
            yield self._drawn_here(order[start : start + self.batch_size], self._source)

    def _drawn_here(self, seeds: NDArray[np.int64], source: GraphNeighbourhoods) -> BlockBatch:
        def draw(relation: int, hop: int, receivers: NDArray[np.int64]) -> Drawn:
            senders, degrees, edges = source.receive(relation, hop, receivers)
            return Drawn(senders, degrees, edges.astype(np.float32))

        number = self.schema.numbers[self.seed_label]
        found = build(self.schema, {number: seeds}, draw, lambda n, at: self._tables[n].rows(at))
        nodes = {self.schema.types[n].label: at for n, at in found.nodes.items()}
        return _batch(seeds, dict(found.tensors), nodes)

    def _of_sample(self, seeds: NDArray[np.int64], sample: BlockSample) -> BlockBatch:
        """The tensors of the contract; the sample has positions, and padding nowhere."""
        schema, found = self.schema, {}
        place = {label: n for n, label in enumerate(sample.node_types)}
        nodes: dict[str, NDArray[np.int64]] = {}
        for number in sorted({number for level in schema.reached for number in level}):
            node = schema.types[number]
            at = nodes[node.label] = sample.indices[node.label].astype(np.int64)
            x, code = self._tables[number].rows(at) if len(at) else missing_row(node)
            if node.width:
                found[names.x(number)] = x
            if node.codes:
                found[names.code(number)] = code
        for hop, level in enumerate(schema.reached):
            for number in level:
                rows = sample.hop(place[schema.types[number].label], hop)
                found[names.hop(number, hop)] = rows.astype(np.int64) if len(rows) else np.zeros(1, np.int64)
        for hop in range(1, schema.layers + 1):
            for r in schema.drawn(hop):
                found |= self._neighbours(sample, r, hop)
        seed_type = schema.numbers[self.seed_label]
        # The hops 0 of other seed types are one padding row each.
        before = schema.seed_types.index(seed_type)
        found[names.SEED] = sample.seed.astype(np.int64) + before
        return _batch(seeds, {name: found[name] for name in schema.tensors}, nodes)

    def _neighbours(self, sample: BlockSample, r: int, hop: int) -> dict[str, NDArray]:
        positions, degrees = sample.neighbours(r, hop), sample.degrees(r, hop)
        empty = len(degrees) == 0
        keys = self.schema.relations[r].properties
        if empty:
            positions, degrees = np.full((1, positions.shape[1]), -1), np.zeros(1)
        found = {
            names.nbr(r, hop): positions.astype(np.int64),
            names.deg(r, hop): degrees.astype(np.float32),
        }
        if keys:
            edges = np.zeros((*positions.shape, len(keys)), np.float32)
            for column, key in enumerate(keys):
                values = None if empty else sample.edge(r, hop, key)
                if values is not None:
                    edges[:, :, column] = values
            found[names.ef(r, hop)] = edges
        return found


class _Pass:
    """One pass, so that the thread ahead makes the batches and no other."""

    def __init__(self, loader: BlockLoader, order: NDArray[np.int64]) -> None:
        self._loader, self._order = loader, order

    def __iter__(self) -> Iterator[BlockBatch]:
        return self._loader._batches(self._order)


def _batch(seeds: NDArray[np.int64], tensors: dict, nodes: dict) -> BlockBatch:
    return BlockBatch(
        torch.from_numpy(seeds),
        {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in tensors.items()},
        {label: torch.from_numpy(at) for label, at in nodes.items()},
    )


class FeatureRows:
    """The features of one type as a schema has them, from what was read of the projection.

    Raises:
        UnknownName: for a type or property that was not read.
        InvalidInput: for a vector of another width, or codes that the feature does not have.
    """

    def __init__(self, graph: GraphData, node: NodeType) -> None:
        self.node, self._table = node, graph.node_type(node.label)
        self._columns = [self._table.column(feature.projected) for feature in node.features]
        faults = [
            f"{node.label}.{feature.projected}: {fault}"
            for feature, column in zip(node.features, self._columns, strict=True)
            if (fault := _fault(feature, column))
        ]
        if faults:
            raise InvalidInput("The features do not fit the model", faults)

    def rows(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """x [N, W] with NaN where missing, and code [N, C]."""
        x: list[NDArray] = [np.empty((len(indices), 0), np.float32)]
        code: list[NDArray] = [np.empty((len(indices), 0), np.int64)]
        for feature, column in zip(self.node.features, self._columns, strict=True):
            if feature.coded:
                code.append(_codes(feature, column, indices))
            else:
                values = column.values[indices].astype(np.float64).astype(np.float32)
                if column.missing is not None:
                    values[column.missing[indices]] = np.nan
                x.append(values.reshape(len(indices), -1))
        return np.hstack(x), np.hstack(code)


def _codes(feature: Feature, column: Column, indices: NDArray[np.int64]) -> NDArray[np.int64]:
    if feature.encoder == "category":
        codes = column.values[indices].astype(np.int64)
        if column.missing is not None:
            codes[column.missing[indices]] = MISSING
        return codes.reshape(-1, 1)
    found = np.full((len(indices), feature.length), PADDING, np.int64)
    found[:, 0] = MISSING
    for row, index in enumerate(indices):
        codes = column.row(int(index))
        if codes is not None and len(codes):
            found[row, :] = PADDING
            found[row, : min(len(codes), feature.length)] = codes[: feature.length]
    return found


def _fault(feature: Feature, column: Column) -> str | None:
    if feature.encoder == "vector":
        if column.values.ndim != 2 or column.values.shape[1] != feature.width:
            held = "lists of differing length" if column.offsets is not None else column.values.shape[1:]
            return f"the model takes vectors of {feature.width} numbers, the graph holds {held}."
        return None
    if feature.encoder in ("number", "bool", "category") and column.values.ndim != 1:
        return f"the model takes one {feature.encoder} a node, the graph holds lists."
    if feature.coded and len(column.values):
        given = (
            column.values
            if column.missing is None or column.offsets is not None
            else column.values[~column.missing]
        )
        low, high = (given.min(), given.max()) if given.size else (0, 0)
        if low < 0 or high >= feature.codes:
            return f"codes run from {low} to {high}, the model knows 0 to {feature.codes - 1}."
    return None
