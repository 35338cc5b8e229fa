"""The contract ``padded-blocks/1``: batches of sampled surroundings, made, checked and made up.

Source: ``docs/formats.md`` section 7. Nodes are named by (type number, index), where the index
ascends with the Neo4j id. R = receivers, K = fan-out, B = seeds. Imports numpy only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_export import block_schema as names
from model_export.block_schema import BlockSchema, NodeType
from model_export.errors import ArtefactError
from model_export.feature_encoders import MISSING, PADDING

EXAMPLE_NODES = 60
EXAMPLE_FANOUT = 6


@dataclass(frozen=True)
class Drawn:
    """What the receivers of one relation drew at one hop.

    Args:
        senders: [R, K] indices of the sender type, -1 = none.
        degrees: [R] distinct neighbours, all of them.
        edges: [R, K, F] edge features, NaN = missing, 0 beside a -1; None where the relation has none.
    """

    senders: NDArray[np.int64]
    degrees: NDArray
    edges: NDArray[np.float32] | None = None


Draw = Callable[[int, int, NDArray[np.int64]], Drawn]
"""(relation, hop, receivers [R]) -> what they drew; the receivers are unique and ascend."""
Rows = Callable[[int, NDArray[np.int64]], tuple[NDArray[np.float32], NDArray[np.int64]]]
"""(type, indices [N]) -> x [N, W] and code [N, C]."""


@dataclass(frozen=True, eq=False)
class PaddedBlocks:
    """One batch.

    Attributes:
        schema: that of the model.
        tensors: by name, in the order of ``schema.tensors``.
        nodes: by type number the indices of the rows of ``x_<n>``; empty where there is only padding.
    """

    schema: BlockSchema
    tensors: Mapping[str, NDArray]
    nodes: Mapping[int, NDArray[np.int64]]

    def __len__(self) -> int:
        """B, the number of vectors a model gives."""
        return len(self.tensors[names.SEED])

    def take(self, wanted: Sequence[str]) -> dict[str, NDArray]:
        """The tensors that a model takes, in its order."""
        return {name: self.tensors[name] for name in wanted}


def build(
    schema: BlockSchema, seeds: Mapping[int, NDArray[np.int64]], draw: Draw, rows: Rows
) -> PaddedBlocks:
    """Draw hop by hop and number what was drawn.

    Args:
        seeds: by type number the indices to embed, repeats allowed, in any order. The rows of the output
            stand by type in the order of ``schema.seeds``, within it as given here.
        draw: asked once for every relation and hop that has receivers.
        rows: features of the nodes reached.
    Returns:
        A batch; without any seed its ``seed`` is empty and every hop is padding.
    Raises:
        ArtefactError: seeds of a type that is not embedded.
    """
    foreign = sorted(set(seeds) - set(schema.seed_types))
    if foreign:
        raise ArtefactError("This batch cannot be made", [f"type n{number} is no seed" for number in foreign])
    none = np.zeros(0, np.int64)
    levels = [{n: np.unique(np.asarray(seeds.get(n, none), np.int64)) for n in schema.reached[0]}]
    found: dict[str, NDArray] = {}
    for hop in range(1, schema.layers + 1):
        drawn: dict[int, Drawn] = {}
        for relation in schema.drawn(hop):
            receivers = levels[-1][schema.target(relation)]
            if len(receivers):
                drawn[relation] = draw(relation, hop, receivers)
        level = {}
        for number in schema.reached[hop]:
            sent = [one.senders.ravel() for r, one in drawn.items() if schema.source(r) == number]
            together = np.unique(np.concatenate(sent)) if sent else none
            level[number] = together[np.searchsorted(together, 0) :]
        for relation in schema.drawn(hop):
            found |= _neighbours(schema, relation, hop, drawn.get(relation), level[schema.source(relation)])
        levels.append(level)
    nodes = {}
    for number in sorted({number for level in levels for number in level}):
        nodes[number] = np.unique(np.concatenate([level.get(number, none) for level in levels]))
        x, code = rows(number, nodes[number]) if len(nodes[number]) else missing_row(schema.types[number])
        if schema.types[number].width:
            found[names.x(number)] = np.ascontiguousarray(x, np.float32)
        if schema.types[number].codes:
            found[names.code(number)] = np.ascontiguousarray(code, np.int64)
        for hop, level in enumerate(levels):
            if number in level:
                at = np.searchsorted(nodes[number], level[number])
                found[names.hop(number, hop)] = at if len(at) else np.zeros(1, np.int64)
    found[names.SEED] = _seed(schema, seeds, levels[0])
    return PaddedBlocks(schema, {name: found[name] for name in schema.tensors}, nodes)


def _neighbours(
    schema: BlockSchema, relation: int, hop: int, drawn: Drawn | None, senders: NDArray[np.int64]
) -> dict[str, NDArray]:
    width = len(schema.relations[relation].properties)
    if drawn is None:
        k = schema.fanouts[relation][hop - 1]
        drawn = Drawn(np.full((1, k), -1), np.zeros(1), np.zeros((1, k, width), np.float32))
    there = drawn.senders >= 0
    positions = np.searchsorted(senders, drawn.senders)
    positions[~there] = -1
    found = {
        names.nbr(relation, hop): positions.astype(np.int64),
        names.deg(relation, hop): np.asarray(drawn.degrees, np.float32),
    }
    if width:
        found[names.ef(relation, hop)] = np.asarray(drawn.edges, np.float32)
    return found


def _seed(
    schema: BlockSchema, seeds: Mapping[int, NDArray], level: Mapping[int, NDArray[np.int64]]
) -> NDArray[np.int64]:
    parts, start = [np.zeros(0, np.int64)], 0
    for number in schema.seed_types:
        if number in seeds:
            parts.append(start + np.searchsorted(level[number], np.asarray(seeds[number], np.int64)))
        start += max(1, len(level[number]))
    return np.concatenate(parts)


def missing_row(node: NodeType) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """x [1, W] and code [1, C] of a node without any property."""
    codes: list[int] = []
    for feature in node.features:
        if feature.coded:
            codes += [MISSING] + [PADDING] * (feature.columns - 1)
    return np.full((1, node.width), np.nan, np.float32), np.array([codes], np.int64).reshape(1, -1)


def faults_of(schema: BlockSchema, tensors: Mapping[str, NDArray]) -> list[str]:
    """What is wrong with a batch; empty where a model may read it.

    ONNX Runtime refuses an index that is too large, but takes -1 as the last row: nothing would tell.
    """
    faults = [f"the tensor '{name}' is missing" for name in schema.tensors if name not in tensors]
    faults += [f"the tensor '{name}' is not of this model" for name in tensors if name not in schema.tensors]
    for name, tensor in schema.tensors.items():
        array = tensors.get(name)
        if array is None:
            continue
        fits = array.ndim == len(tensor.shape) and all(
            wanted in (None, size) for wanted, size in zip(tensor.shape, array.shape, strict=True)
        )
        if str(array.dtype) != tensor.dtype or not fits:
            faults.append(
                f"'{name}' must be {tensor.dtype} {list(tensor.shape)}, "
                f"found {array.dtype} {list(array.shape)}"
            )
        elif not len(array) and name != names.SEED:
            faults.append(f"'{name}' is empty; a padding row is needed")
        elif np.isinf(array).any():
            faults.append(f"'{name}' holds infinite numbers")
    return faults or list(_index_faults(schema, tensors))


def _index_faults(schema: BlockSchema, tensors: Mapping[str, NDArray]):
    def outside(name: str, low: int, size: int):
        array = tensors[name]
        if array.size and (array.min() < low or array.max() >= size):
            yield (
                f"'{name}' holds indices from {array.min()} to {array.max()}, expected {low} to {size - 1}"
            )

    for number, node in enumerate(schema.types):
        held = [name for name in (names.x(number), names.code(number)) if name in tensors]
        for hop in range(schema.layers + 1):
            name = names.hop(number, hop)
            if name in tensors and held:
                yield from outside(name, 0, len(tensors[held[0]]))
                if (np.diff(tensors[name]) <= 0).any():
                    yield f"'{name}' must ascend, each node once"
        if node.codes and names.code(number) in tensors:
            yield from _code_faults(node, tensors[names.code(number)], names.code(number))
    for hop in range(1, schema.layers + 1):
        for relation in schema.drawn(hop):
            name = names.nbr(relation, hop)
            yield from outside(name, -1, len(tensors[names.hop(schema.source(relation), hop)]))
            receivers = len(tensors[names.hop(schema.target(relation), hop - 1)])
            shape = tensors[name].shape
            for other in (name, names.deg(relation, hop), names.ef(relation, hop)):
                if other in tensors and len(tensors[other]) != receivers:
                    yield f"'{other}' has {len(tensors[other])} rows, its receivers are {receivers}"
            edges = tensors.get(names.ef(relation, hop))
            if edges is not None and edges.shape[:2] != shape:
                yield f"'{names.ef(relation, hop)}' is {list(edges.shape)} beside neighbours {list(shape)}"
    first = sum(len(tensors[names.hop(number, 0)]) for number in schema.seed_types)
    yield from outside(names.SEED, 0, first)


def _code_faults(node: NodeType, code: NDArray[np.int64], name: str):
    column = 0
    for feature in node.features:
        if feature.coded:
            part = code[:, column : column + feature.columns]
            low = PADDING if feature.encoder == "list" else 0
            if part.size and (part.min() < low or part.max() >= feature.codes):
                yield (
                    f"'{name}' holds codes from {part.min()} to {part.max()} for '{feature.property}', "
                    f"expected {low} to {feature.codes - 1}"
                )
            if feature.encoder == "list" and (part[:, 0] < 0).any():
                yield f"'{name}' has a list of '{feature.property}' without a first code; 0 means missing"
            column += feature.columns


# ---------------------------------------------------------------- made-up batches


class MadeUpGraph:
    """A random graph with features, drawn from at random: what models are compared on.

    Args:
        nodes: of every type.
        linked: share of the nodes that have neighbours at all, 0 to 1.
        missing: share of missing feature values, 0 to 1.
        empty: numbers of relations without any relationship.
        fanout: upper bound of K, so that wide models can be tried on small batches.
    """

    def __init__(
        self,
        schema: BlockSchema,
        rng: np.random.Generator,
        *,
        nodes: int = EXAMPLE_NODES,
        linked: float = 0.8,
        missing: float = 0.1,
        empty: Sequence[int] = (),
        fanout: int = EXAMPLE_FANOUT,
    ) -> None:
        self.schema, self.rng, self.nodes, self.empty = schema, rng, nodes, set(empty)
        self.fanout = fanout
        self.linked = rng.random((len(schema.relations), nodes)) < linked
        self.features = [self._features(node, missing) for node in schema.types]

    def _features(self, node: NodeType, missing: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        x = self.rng.normal(0, 1, (self.nodes, node.width)).astype(np.float32)
        x[self.rng.random(x.shape) < missing] = np.nan
        codes = [np.zeros((self.nodes, 0), np.int64)]
        for feature in node.features:
            if feature.coded:
                part = self.rng.integers(0, feature.codes, (self.nodes, feature.columns))
                length = self.rng.integers(1, feature.columns + 1, self.nodes)
                codes.append(np.where(np.arange(feature.columns) < length[:, None], part, PADDING))
        return x, np.hstack(codes)

    def draw(self, relation: int, hop: int, receivers: NDArray[np.int64]) -> Drawn:
        k = min(self.fanout, self.schema.fanouts[relation][hop - 1])
        degrees = self.rng.integers(1, 3 * k + 1, len(receivers)) * self.linked[relation, receivers]
        if relation in self.empty:
            degrees[:] = 0
        senders = self.rng.integers(0, self.nodes, (len(receivers), k))
        there = np.arange(k) < degrees[:, None]
        senders[~there] = -1
        width = len(self.schema.relations[relation].properties)
        edges = self.rng.random((len(receivers), k, width)).astype(np.float32)
        return Drawn(senders, degrees, np.where(there[:, :, None], edges, 0).astype(np.float32))

    def rows(self, number: int, indices: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
        x, code = self.features[number]
        return x[indices], code[indices]

    def batch(self, seeds: Mapping[int, int]) -> PaddedBlocks:
        """A batch of that many random seeds by type number."""
        chosen = {number: self.rng.integers(0, self.nodes, count) for number, count in seeds.items()}
        return build(self.schema, chosen, self.draw, self.rows)


def examples(schema: BlockSchema, wanted: Sequence[str], seed: int = 7) -> list[dict[str, NDArray]]:
    """Batches of every kind: 1, 64 and 1,024 seeds, of each type and mixed; isolated nodes; each relation
    empty, and all; missing values in plenty and no value at all.

    Args:
        wanted: names of the tensors that the model takes, in its order.
    """
    rng = np.random.default_rng(seed)
    made = []
    everyone = range(len(schema.relations))
    usual = MadeUpGraph(schema, rng)
    for number in schema.seed_types:
        made += [usual.batch({number: count}) for count in (1, 64)]
    mixed = {number: 1024 // len(schema.seed_types) for number in schema.seed_types}
    made.append(usual.batch(mixed))
    for relation in everyone:
        made.append(MadeUpGraph(schema, rng, empty=[relation]).batch(dict.fromkeys(schema.seed_types, 3)))
    isolated = MadeUpGraph(schema, rng, empty=everyone)
    made += [isolated.batch({number: 2}) for number in schema.seed_types]
    made.append(MadeUpGraph(schema, rng, missing=1.0).batch(dict.fromkeys(schema.seed_types, 5)))
    return [one.take(wanted) for one in made]


def golden_inputs(schema: BlockSchema, wanted: Sequence[str], seed: int = 11) -> dict[str, NDArray]:
    """A small batch without missing values (JSON has no NaN): two seeds of each type among three nodes."""
    graph = MadeUpGraph(schema, np.random.default_rng(seed), nodes=3, linked=1.0, missing=0.0, fanout=2)
    found = graph.batch(dict.fromkeys(schema.seed_types, 2)).take(wanted)
    return {name: np.nan_to_num(array) if array.dtype.kind == "f" else array for name, array in found.items()}


def signature_names(manifest: Mapping[str, Any]) -> list[str]:
    """Names of the inputs that the model of a manifest takes, in order."""
    return [entry["name"] for entry in manifest["signature"]["inputs"]]
