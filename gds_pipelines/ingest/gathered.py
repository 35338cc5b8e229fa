"""Keys, properties and relationships of all files, and the sets without duplicates that come of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest.mapping import IngestMapping, Relationships
from gds_pipelines.ingest.report import NodeReport, RelationshipReport


@dataclass
class NodeSet:
    """The nodes of one label. `keys`: N unique int64 or strings, ascending; properties: N, null = missing."""

    label: str
    key: str
    keys: pa.Array
    properties: dict[str, pa.Array]
    indexes: list[str]
    report: NodeReport


@dataclass
class RelationshipSet:
    """All relationships of one type between two labels.

    `source`, `target`: [N] positions in the keys of the two labels. No two have the same source, target and
    `identity` properties.
    """

    type: str
    source_label: str
    target_label: str
    source: NDArray[np.int64]
    target: NDArray[np.int64]
    properties: dict[str, pa.Array]
    identity: list[str]
    report: RelationshipReport


class Gathered:
    """Keys, properties and relationships of all files, until every file has been seen."""

    def __init__(self, mapping: IngestMapping, key_types: Mapping[str, str]) -> None:
        self.mapping, self.key_types = mapping, key_types
        self.keys: dict[str, list[pa.Array]] = {label: [] for label in mapping.nodes}
        self.described: dict[str, list[tuple[pa.Array, dict[str, pa.Array]]]] = {
            label: [] for label in mapping.nodes
        }
        self.parts: dict[tuple[str, str, str], list[_Pairs]] = {}
        self.sanitized: dict[str, str] = {}

    def add_nodes(self, label: str, keys: pa.Array, properties: dict[str, pa.Array]) -> None:
        self.keys[label].append(keys.unique())
        self.described[label].append((keys, properties))

    def add_relationships(
        self,
        part: Relationships,
        kind: str,
        source: pa.Array,
        target: pa.Array,
        properties: dict[str, pa.Array],
    ) -> None:
        self.keys[part.source.label].append(source.unique())
        self.keys[part.target.label].append(target.unique())
        time = part.time.property if part.time else None
        pairs = _Pairs(source, target, properties, part.identity_properties(), time)
        self.parts.setdefault((kind, part.source.label, part.target.label), []).append(pairs)

    def nodes(self) -> dict[str, NodeSet]:
        """One set per label that has nodes, in the order of the mapping."""
        sets: dict[str, NodeSet] = {}
        for label, spec in self.mapping.nodes.items():
            if not self.keys[label]:
                continue
            keys = _sorted(pa.concat_arrays(self.keys[label]).unique())
            index = pd.Index(_numpy(keys))
            report = NodeReport(label, found=len(keys))
            rows = [(index.get_indexer(_numpy(mine)), values) for mine, values in self.described[label]]
            places = np.concatenate([mine for mine, _ in rows]) if rows else np.zeros(0, np.int64)
            report.described = len(np.unique(places))
            report.repeated = sum(len(mine) - len(np.unique(mine)) for mine, _ in rows)
            properties: dict[str, pa.Array] = {}
            names = dict.fromkeys(name for _, values in rows for name in values)
            for name in names:
                column, replaced = _last_present(
                    [(at, values[name]) for at, values in rows if name in values], len(keys)
                )
                properties[name], report.replaced = column, report.replaced + replaced
            sets[label] = NodeSet(label, spec.key, keys, properties, list(spec.index), report)
        return sets

    def relationships(self, nodes: Mapping[str, NodeSet]) -> list[RelationshipSet]:
        """One set per type and pair of labels, without duplicates; the last row of an event wins."""
        index = {label: pd.Index(_numpy(one.keys)) for label, one in nodes.items()}
        faults = [
            f"(:{source})-[:{kind}]->(:{target}) is made twice in the "
            "mapping, with different identity or properties"
            for (kind, source, target), parts in self.parts.items()
            if len({(tuple(one.identity), tuple(sorted(one.properties))) for one in parts}) > 1
        ]
        if faults:
            raise InvalidInput("The mapping is not usable", faults)
        sets = []
        for (kind, source_label, target_label), parts in self.parts.items():
            source = np.concatenate([index[source_label].get_indexer(_numpy(one.source)) for one in parts])
            target = np.concatenate([index[target_label].get_indexer(_numpy(one.target)) for one in parts])
            properties = {
                name: pa.concat_arrays([one.properties[name] for one in parts])
                for name in parts[0].properties
            }
            report = RelationshipReport(kind, source_label, target_label)
            kept = _last_of_each(source, target, [properties[name] for name in parts[0].identity])
            report.duplicates = len(source) - len(kept)
            if report.duplicates and properties:
                report.replaced = report.duplicates - _exact_repeats(source, target, properties)
            take = pa.array(kept)
            properties = {name: values.take(take) for name, values in properties.items()}
            report.found = len(kept)
            if parts[0].time is not None:
                time = properties[parts[0].time]
                report.without_time = time.null_count
                span = pc.min_max(time).as_py()
                report.earliest, report.latest = span["min"], span["max"]
            sets.append(
                RelationshipSet(
                    kind,
                    source_label,
                    target_label,
                    source[kept],
                    target[kept],
                    properties,
                    parts[0].identity,
                    report,
                )
            )
        return sets


@dataclass
class _Pairs:
    source: pa.Array
    target: pa.Array
    properties: dict[str, pa.Array]
    identity: list[str]
    time: str | None


def _numpy(keys: pa.Array) -> NDArray:
    return (
        keys.to_numpy(zero_copy_only=False)
        if pa.types.is_integer(keys.type)
        else np.array(keys.to_pylist(), object)
    )


def _sorted(keys: pa.Array) -> pa.Array:
    return keys.take(pc.array_sort_indices(keys))


def _last_present(parts: list[tuple[NDArray[np.int64], pa.Array]], size: int) -> tuple[pa.Array, int]:
    """For each of `size` nodes the last present value, and how many different ones were replaced."""
    places = np.concatenate([at for at, _ in parts])
    values = pa.concat_arrays([column for _, column in parts])
    present = np.flatnonzero(np.asarray(values.is_valid()))
    last = np.full(size, -1, np.int64)
    last[places[present]] = present  # numpy keeps the last of several assignments to one place.
    column = values.take(pa.array(last, mask=last < 0))
    if len(present) == int((last >= 0).sum()):
        return column, 0
    before, after = values.take(pa.array(present)), column.take(pa.array(places[present]))
    if pa.types.is_list(values.type):
        return column, sum(a != b for a, b in zip(before.to_pylist(), after.to_pylist(), strict=True))
    return column, pc.sum(pc.not_equal(before, after)).as_py() or 0


def _codes(values: pa.Array) -> NDArray[np.int64]:
    """Equal numbers for equal values; missing is equal to missing."""
    if pa.types.is_list(values.type):
        values = pa.array([None if one is None else repr(one) for one in values.to_pylist()], pa.string())
    return np.asarray(pc.fill_null(pc.dictionary_encode(values).indices, -1)).astype(np.int64)


def _last_of_each(source: NDArray, target: NDArray, identity: Sequence[pa.Array]) -> NDArray[np.int64]:
    """Positions of the last row of each event, ascending by (source, target): the order of writing."""
    frame = pd.DataFrame(
        {"s": source, "t": target} | {f"i{at}": _codes(one) for at, one in enumerate(identity)}
    )
    kept = np.flatnonzero(~frame.duplicated(keep="last").to_numpy())
    return kept[np.lexsort((target[kept], source[kept]))]


def _exact_repeats(source: NDArray, target: NDArray, properties: Mapping[str, pa.Array]) -> int:
    frame = pd.DataFrame({"s": source, "t": target} | {name: _codes(one) for name, one in properties.items()})
    return int(frame.duplicated(keep="last").sum())
