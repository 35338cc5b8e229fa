"""What the manifest of a ``padded-blocks/1`` model says: node types, features, relations, fan-outs.

Source: ``docs/formats.md`` section 7. Types and relations have numbers: ``n0``, ``r0``, … stand for
their place in ``blocks.types`` and ``schema.relations``; tensor names are built from them, never parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

CONTRACT = "padded-blocks/1"
OUTPUT = "embedding"
SEED = "seed"
ENCODERS: dict[str, tuple[str, ...]] = {
    "number": (),
    "bool": (),
    "category": ("vocabulary", "buckets"),
    "list": ("vocabulary", "buckets", "length"),
    "vector": ("width",),
}
STRATEGIES = ("uniform", "weighted")
FIRST_ENTRY = 2  # code 0 is missing, 1 is unknown
MAX_ENTRIES = 1_000_000
MAX_BUCKETS = 1 << 20
MAX_LENGTH = 256
MAX_WIDTH = 4096
MAX_LAYERS = 8
MAX_FANOUT = 1_000
MAX_LAST = 10_000


@dataclass(frozen=True)
class Feature:
    """One property and how it becomes columns.

    Args:
        property: name on the node.
        encoder: number, bool, category, list or vector.
        vocabulary: texts in the order of their codes from 2 on; None where there are buckets or no codes.
        buckets: number of hash buckets in place of a vocabulary, or None.
        length: columns of a list; 0 for others.
        width: columns of a vector; 0 for others.
    """

    property: str
    encoder: str
    vocabulary: tuple[str, ...] | None = None
    buckets: int | None = None
    length: int = 0
    width: int = 0

    @property
    def coded(self) -> bool:
        """Whether its columns stand in ``code_<n>`` (else in ``x_<n>``)."""
        return self.encoder in ("category", "list")

    @property
    def columns(self) -> int:
        """How many columns it takes, of numbers or of codes."""
        return {"list": self.length, "vector": self.width}.get(self.encoder, 1)

    @property
    def codes(self) -> int:
        """How many codes there are, 0 (missing) and 1 (unknown) included; 0 for a feature without codes."""
        if not self.coded:
            return 0
        return FIRST_ENTRY + (self.buckets if self.vocabulary is None else len(self.vocabulary))

    @property
    def projected(self) -> str:
        """The property that GDS projects."""
        return self.property if self.encoder in ("number", "vector") else f"gnn_code_{self.property}"

    def to_mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {"property": self.property, "encoder": self.encoder}
        if self.vocabulary is not None:
            mapping["vocabulary"] = list(self.vocabulary)
        if self.buckets is not None:
            mapping["buckets"] = self.buckets
        if self.encoder == "list":
            mapping["length"] = self.length
        if self.encoder == "vector":
            mapping["width"] = self.width
        return mapping


@dataclass(frozen=True)
class Relation:
    """Messages from ``source`` to ``target``: 'out' along the stored relationship, 'in' against it.

    Args:
        properties: names of the edge features, in column order.
    """

    source: str
    type: str
    target: str
    direction: str = "out"
    properties: tuple[str, ...] = ()

    def to_mapping(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "type": self.type,
            "target": self.target,
            "direction": self.direction,
            "properties": list(self.properties),
        }


@dataclass(frozen=True)
class NodeType:
    """A label with its key property and features."""

    label: str
    key: str
    features: tuple[Feature, ...] = ()

    @cached_property
    def width(self) -> int:
        """Columns of ``x_<n>``; 0 means there is no such tensor."""
        return sum(feature.columns for feature in self.features if not feature.coded)

    @cached_property
    def codes(self) -> int:
        """Columns of ``code_<n>``; 0 means there is no such tensor."""
        return sum(feature.columns for feature in self.features if feature.coded)


@dataclass(frozen=True)
class Tensor:
    """One input of the contract.

    Args:
        shape: None where the size is free.
        role: features, codes, hop, neighbours, edgeFeatures, degrees or seed.
        number: of the node type or relation; -1 for the seeds.
        hop: 0 to L; -1 for features and seeds.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    role: str
    number: int = -1
    hop: int = -1


@dataclass(frozen=True)
class BlockSchema:
    """All that fixes the tensors of a model.

    Args:
        types: n0, n1, …
        relations: r0, r1, …
        fanouts: by relation L numbers, of hop 1 first; 0 = not drawn at that hop.
        seeds: labels whose nodes are embedded, in the order in which ``seed`` counts them.
        sampling: the map of the manifest.
    """

    types: tuple[NodeType, ...]
    relations: tuple[Relation, ...]
    fanouts: tuple[tuple[int, ...], ...]
    seeds: tuple[str, ...]
    layers: int
    strategy: str = "uniform"
    replace: bool = False
    random_seed: int = 0
    weight_property: str | None = None
    time_property: str | None = None
    last: int | None = None

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> BlockSchema:
        """From a manifest that :func:`model_export.block_faults.block_faults` found no fault in."""
        blocks, schema = manifest["blocks"], manifest["schema"]
        sampling = blocks["sampling"]
        return cls(
            types=tuple(
                NodeType(
                    label,
                    schema["nodes"][label]["key"],
                    tuple(_feature(entry) for entry in schema["nodes"][label]["properties"]),
                )
                for label in blocks["types"]
            ),
            relations=tuple(
                Relation(r["source"], r["type"], r["target"], r["direction"], tuple(r["properties"]))
                for r in schema["relations"]
            ),
            fanouts=tuple(tuple(row) for row in blocks["fanouts"]),
            seeds=tuple(blocks["seeds"]),
            layers=blocks["layers"],
            strategy=sampling["strategy"],
            replace=sampling["replace"],
            random_seed=sampling["randomSeed"],
            weight_property=sampling["weightProperty"],
            time_property=sampling["timeProperty"],
            last=sampling["last"],
        )

    def to_manifest(self) -> dict[str, Any]:
        """The keys ``schema`` and ``blocks`` of a manifest."""
        return {
            "schema": {
                "nodes": {
                    node.label: {
                        "key": node.key,
                        "properties": [feature.to_mapping() for feature in node.features],
                    }
                    for node in self.types
                },
                "relations": [relation.to_mapping() for relation in self.relations],
            },
            "blocks": {
                "layers": self.layers,
                "types": [node.label for node in self.types],
                "seeds": list(self.seeds),
                "fanouts": [list(row) for row in self.fanouts],
                "sampling": {
                    "strategy": self.strategy,
                    "replace": self.replace,
                    "randomSeed": self.random_seed,
                    "weightProperty": self.weight_property,
                    "timeProperty": self.time_property,
                    "last": self.last,
                },
            },
        }

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Label to the number of its type."""
        return {node.label: number for number, node in enumerate(self.types)}

    @cached_property
    def seed_types(self) -> tuple[int, ...]:
        """The numbers of the types that are embedded."""
        return tuple(self.numbers[label] for label in self.seeds)

    def source(self, relation: int) -> int:
        """Number of the type that sends."""
        return self.numbers[self.relations[relation].source]

    def target(self, relation: int) -> int:
        """Number of the type that receives."""
        return self.numbers[self.relations[relation].target]

    @cached_property
    def reached(self) -> tuple[tuple[int, ...], ...]:
        """By hop 0..L the types that can stand there, ascending."""
        levels = [tuple(sorted(self.seed_types))]
        for hop in range(1, self.layers + 1):
            levels.append(tuple(sorted({self.source(r) for r in self.drawn(hop, levels[-1])})))
        return tuple(levels)

    def drawn(self, hop: int, receivers: Sequence[int] | None = None) -> tuple[int, ...]:
        """Numbers of the relations drawn at ``hop`` (1..L), ascending."""
        at = self.reached[hop - 1] if receivers is None else receivers
        return tuple(
            r for r in range(len(self.relations)) if self.fanouts[r][hop - 1] > 0 and self.target(r) in at
        )

    @cached_property
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the contract by name, in canonical order; a model may take fewer."""
        found = list(self._tensors())
        return {tensor.name: tensor for tensor in found}

    def _tensors(self) -> Iterator[Tensor]:
        for number in sorted({number for level in self.reached for number in level}):
            node = self.types[number]
            if node.width:
                yield Tensor(x(number), "float32", (None, node.width), "features", number)
            if node.codes:
                yield Tensor(code(number), "int64", (None, node.codes), "codes", number)
        for hop_number, level in enumerate(self.reached):
            for number in level:
                yield Tensor(hop(number, hop_number), "int64", (None,), "hop", number, hop_number)
        for at in range(1, self.layers + 1):
            for number in self.drawn(at):
                yield Tensor(nbr(number, at), "int64", (None, None), "neighbours", number, at)
                edges = len(self.relations[number].properties)
                if edges:
                    yield Tensor(ef(number, at), "float32", (None, None, edges), "edgeFeatures", number, at)
                yield Tensor(deg(number, at), "float32", (None,), "degrees", number, at)
        yield Tensor(SEED, "int64", (None,), "seed")

    def signature(self, dimension: int, names: Sequence[str] | None = None) -> dict[str, Any]:
        """The ``signature`` of a manifest for a model that takes ``names`` (all tensors when None)."""
        chosen = list(self.tensors) if names is None else list(names)
        return {
            "inputs": [
                {
                    "name": name,
                    "dtype": self.tensors[name].dtype,
                    "shape": list(self.tensors[name].shape),
                    "role": self.tensors[name].role,
                }
                for name in chosen
            ],
            "outputs": [
                {"name": OUTPUT, "dtype": "float32", "shape": [None, dimension], "role": "embedding"}
            ],
        }


def x(number: int) -> str:
    """Numbers of the nodes of a type."""
    return f"x_n{number}"


def code(number: int) -> str:
    """Codes of the nodes of a type."""
    return f"code_n{number}"


def hop(number: int, at: int) -> str:
    """Rows of the nodes of a type that stand at a hop."""
    return f"hop_n{number}_{at}"


def nbr(number: int, at: int) -> str:
    """Positions of what the receivers of a relation drew at a hop."""
    return f"nbr_r{number}_{at}"


def ef(number: int, at: int) -> str:
    """Properties of the relationships that were drawn."""
    return f"ef_r{number}_{at}"


def deg(number: int, at: int) -> str:
    """Neighbours of the receivers, drawn or not."""
    return f"deg_r{number}_{at}"


def _feature(entry: Mapping[str, Any]) -> Feature:
    vocabulary = entry.get("vocabulary")
    return Feature(
        entry["property"],
        entry["encoder"],
        None if vocabulary is None else tuple(vocabulary),
        entry.get("buckets"),
        entry.get("length", 0),
        entry.get("width", 0),
    )
