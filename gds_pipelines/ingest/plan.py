"""From files and a mapping to the nodes and relationships that are to be written, cleaned and counted.

Nothing here touches a database. All faults of the set-up (a file that is not there, a column that is not, a
key of two types) come together in one `InvalidInput`; broken rows are counted, kept as examples, and left
out.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.ingest import columns as cells
from gds_pipelines.ingest import readers
from gds_pipelines.ingest.key_types import key_columns, key_types
from gds_pipelines.ingest.mapping import (
    IDENTIFIER,
    Endpoint,
    IngestMapping,
    Nodes,
    Properties,
    Relationships,
    Table,
    TypeByValue,
)
from gds_pipelines.ingest.readers import Columns
from gds_pipelines.ingest.report import FileReport, IngestReport, NodeReport, RelationshipReport


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


@dataclass
class Plan:
    """What will be written, and what was found on the way."""

    nodes: dict[str, NodeSet]
    relationships: list[RelationshipSet]
    report: IngestReport


def make_plan(files: Mapping[str, Sequence[Path | pa.Table]], mapping: IngestMapping) -> Plan:
    """Reads, checks and cleans.

    Args:
        files: table name -> its files, or Arrow tables that stand in for files.
        mapping: what they mean.
    Raises:
        InvalidInput: all faults of the set-up at once.
    """
    read, faults = _read(files, mapping)
    faults += _property_faults(mapping)
    if faults:
        raise InvalidInput("The data cannot be loaded", faults)
    types, notes = key_types(read, mapping)
    report = IngestReport(notes=notes)
    gathered = _Gathered(mapping, types)
    for name, columns in read:
        report.files.append(_Rows(name, mapping.tables[name], columns, gathered).gather())
        columns.columns.clear()  # The text is not needed any more, and is the largest thing in memory.
    empty = [one for one in report.files if one.loaded == 0 and not mapping.tables[one.table].optional]
    if empty:
        raise InvalidInput("The data cannot be loaded", [_nothing_loaded(one) for one in empty])
    nodes = gathered.nodes()
    relationships = gathered.relationships(nodes)
    report.nodes = [one.report for one in nodes.values()]
    report.relationships = [one.report for one in relationships]
    report.notes += [note for one in relationships for note in _strange_times(one)]
    return Plan(nodes, relationships, report)


def candidates(paths: Iterable[Path]) -> list[Path]:
    """All files among `paths`; directories are looked into, not below.

    Raises:
        InvalidInput: a path that does not exist.
    """
    faults: list[str] = []
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(entry for entry in path.iterdir() if entry.is_file())
        elif path.is_file():
            found.append(path)
        else:
            close = (
                did_you_mean(path.name, (one.name for one in path.parent.iterdir()))
                if path.parent.is_dir()
                else ""
            )
            faults.append(f"{path} does not exist.{close}")
    if faults:
        raise InvalidInput("The data cannot be loaded", faults)
    # A file that lies there packed and unpacked is one file.
    return [one for one in found if not (one.suffix == ".gz" and one.with_suffix("") in found)]


def assign(files: Sequence[Path], mapping: IngestMapping) -> tuple[dict[str, list[Path]], list[Path]]:
    """The files of every table, and those that no table takes.

    Raises:
        InvalidInput: a table that is not optional has no file.
    """
    faults: list[str] = []
    assigned: dict[str, list[Path]] = {}
    for name, table in mapping.tables.items():
        patterns = table.file or [f"{name}.*", name]
        found = [one for one in files if any(fnmatchcase(one.name.removesuffix(".gz"), p) for p in patterns)]
        if found:
            assigned[name] = found
        elif not table.optional:
            names = [one.name for one in files]
            where = ", ".join(names[:8]) + (" …" if len(names) > 8 else "") or "no file"
            hint = did_you_mean(patterns[0], names)
            faults.append(f"no file for the table '{name}' ({' or '.join(patterns)}) among {where}.{hint}")
    if faults:
        raise InvalidInput("The data cannot be loaded", faults)
    taken = {one for found in assigned.values() for one in found}
    return assigned, [one for one in files if one not in taken]


def _read(
    files: Mapping[str, Sequence[Path | pa.Table]], mapping: IngestMapping
) -> tuple[list[tuple[str, Columns]], list[str]]:
    read: list[tuple[str, Columns]] = []
    faults: list[str] = []
    for name, table in mapping.tables.items():
        if not files.get(name) and not table.optional:
            faults.append(f"no file for the table '{name}'")
        for file in files.get(name, ()):
            try:
                columns = (
                    readers.from_table(name, file)
                    if isinstance(file, pa.Table)
                    else readers.read(file, table)
                )
            except InvalidInput as error:
                faults.append(" ".join(str(error).split()))
                continue
            unknown: dict[str, str] = {}
            for column, purpose in table.uses():
                if column not in columns.columns:
                    unknown.setdefault(column, purpose)
            for column, purpose in unknown.items():
                known = list(columns.columns)
                faults.append(
                    f"{columns.name} has no column '{column}' ({purpose}).{did_you_mean(column, known)}"
                    f" It has: {', '.join(known)}."
                )
            if not unknown:
                read.append((name, columns))
    return read, faults


def _property_faults(mapping: IngestMapping) -> list[str]:
    """A property that two tables describe must have one type."""
    faults: list[str] = []
    kinds: dict[tuple[str, str], tuple[str, bool]] = {}
    for name, table in mapping.tables.items():
        for part in table.nodes:
            for prop, spec in part.properties.items():
                kind = (spec.type, spec.separator is not None)
                if kinds.setdefault((part.label, prop), kind) != kind:
                    faults.append(f"tables.{name}: {part.label}.{prop} has another type in another table")
    return faults


class _Rows:
    """The rows of one file on their way to nodes and relationships."""

    def __init__(self, name: str, table: Table, columns: Columns, gathered: "_Gathered") -> None:
        self.table, self.columns, self.gathered = table, columns, gathered
        self.report = FileReport(name, columns.name, rows=columns.rows)
        self.usable = np.ones(len(columns), bool)
        self.cache: dict[tuple, pa.Array] = {}

    def gather(self) -> FileReport:
        for row in self.columns.broken:
            self.report.drop(row.line, row.why, "broken lines")
        # First every value is read, so that a row with a bad value is left out whole; then the rest is taken.
        types = [self._types(part) for part in self.table.relationships]
        for part in self.table.nodes:
            self._key(part.label, part.key)
            self._properties(part.properties)
        for part in self.table.relationships:
            self._end(part.source)
            self._end(part.target)
            self._time(part)
            self._properties(part.properties)
        made = np.zeros(len(self.columns), bool)
        for part in self.table.nodes:
            self._take_nodes(part, made)
        for part, kinds in zip(self.table.relationships, types, strict=True):
            self._take_relationships(part, kinds, made)
        for line in self.columns.lines[self.usable & ~made]:
            self.report.drop(int(line), f"no value in {self._needed()}", f"without {self._needed()}")
        self.report.loaded = int(made.sum())
        return self.report

    def _needed(self) -> str:
        return " or ".join(dict.fromkeys(column for _, column, _ in key_columns(self.table)))

    def _column(self, column: str, what: tuple, convert) -> pa.Array:
        """A converted column, once; the rows of its bad values are dropped with the text that was found."""
        if (found := self.cache.get((column, *what))) is not None:
            return found
        raw = self.columns.columns[column]
        converted: cells.Converted = convert(raw)
        for at in np.flatnonzero(converted.bad & self.usable):
            text = str(raw[int(at)].as_py())
            text = text if len(text) <= 40 else f"{text[:37]}…"
            self.report.drop(
                int(self.columns.lines[at]),
                f"'{text}' in {column} is not {what[0]}",
                f"{column} not {what[0]}",
            )
        self.usable &= ~converted.bad
        self.cache[(column, *what)] = converted.values
        return converted.values

    def _key(self, label: str, column: str, separator: str | None = None) -> pa.Array:
        kind = self.gathered.key_types[label]
        missing = self.table.missing
        if separator is not None:
            convert = lambda raw: cells.lists(raw, kind, separator, missing)  # noqa: E731
        else:
            convert = lambda raw: cells.typed(raw, kind, missing)  # noqa: E731
        return self._column(column, (_A[kind], separator), convert)

    def _end(self, end: Endpoint) -> pa.Array:
        return self._key(end.label, end.column, end.separator)

    def _properties(self, specs: Properties) -> dict[str, pa.Array]:
        missing = self.table.missing
        values: dict[str, pa.Array] = {}
        for name, spec in specs.items():

            def convert(raw: pa.Array, spec=spec) -> cells.Converted:
                if spec.pattern is not None:
                    raw = cells.matched(raw, spec.pattern, missing)
                if spec.separator is not None:
                    return cells.lists(raw, spec.type, spec.separator, missing)
                return cells.typed(raw, spec.type, missing)

            values[name] = self._column(spec.column, (_A[spec.type], spec.separator, spec.pattern), convert)
        return values

    def _time(self, part: Relationships) -> pa.Array | None:
        if part.time is None:
            return None
        unit, missing = part.time.unit, self.table.missing
        return self._column(
            part.time.column, (_TIMES[unit], unit), lambda raw: cells.times(raw, unit, missing)
        )

    def _types(self, part: Relationships) -> NDArray[np.object_] | str:
        """The type of every row, None where the mapping leaves it out; unknown values drop the row."""
        if isinstance(part.type, str):
            return part.type
        rule: TypeByValue = part.type
        text = self._column(
            rule.column, ("a text",), lambda raw: cells.typed(raw, "string", self.table.missing)
        )
        coded = pc.dictionary_encode(text)
        codes = np.asarray(pc.fill_null(coded.indices, -1)).astype(np.int64)
        values = coded.dictionary.to_pylist()
        found: list[str | None] = []
        known: list[bool] = []
        for value in values:
            kind, is_known = _type_of(value, rule)
            found.append(kind)
            known.append(is_known)
        found.append(rule.otherwise)  # For rows without a value, code -1.
        known.append(rule.otherwise is not None)
        kinds = np.array(found, object)[codes]
        bad = ~np.array(known, bool)[codes]
        for at in np.flatnonzero(bad & self.usable):
            value = values[codes[at]] if codes[at] >= 0 else ""
            hint = did_you_mean(value, rule.values)
            why = (
                f"'{value}' in {rule.column} has no relationship type in the mapping.{hint}"
                if value
                else f"no {rule.column}"
            )
            self.report.drop(int(self.columns.lines[at]), why, f"{rule.column} without a type")
        self.usable &= ~bad
        for code, kind in enumerate(found[:-1]):
            if kind is None and known[code]:
                count = int(((codes == code) & self.usable).sum())
                self.report.left_out[f"{rule.column} '{values[code]}'"] += count
        return kinds

    def _take_nodes(self, part: Nodes, made: NDArray[np.bool_]) -> None:
        keys = self._key(part.label, part.key)
        rows = self.usable & np.asarray(keys.is_valid())
        made |= rows
        take = pa.array(np.flatnonzero(rows))
        values = {name: column.take(take) for name, column in self._properties(part.properties).items()}
        for name, column in values.items():
            self._count_missing(f"{part.label}.{name}", column)
        self.gathered.add_nodes(part.label, keys.take(take), values)

    def _take_relationships(
        self, part: Relationships, kinds: NDArray[np.object_] | str, made: NDArray[np.bool_]
    ) -> None:
        ends = (self._end(part.source), self._end(part.target))
        rows = self.usable & np.asarray(ends[0].is_valid()) & np.asarray(ends[1].is_valid())
        if not isinstance(kinds, str):
            left_out = np.fromiter((kind is None for kind in kinds), bool, len(kinds))
            made |= self.usable & left_out
            rows &= ~left_out
        made |= rows
        properties = dict(self._properties(part.properties))
        if (time := self._time(part)) is not None:
            properties = {part.time.property: time, **properties}
            self._count_missing(f"{part.time.property}", time.filter(pa.array(rows)))
        for name in part.properties:
            self._count_missing(name, properties[name].filter(pa.array(rows)))
        if part.position:
            position = np.full(len(rows), -1, np.int64)
            order = pd.Series(ends[0].take(pa.array(np.flatnonzero(rows))).to_pandas())
            position[rows] = order.groupby(order, sort=False).cumcount().to_numpy()
            properties[part.position] = pa.array(position)
        at = np.flatnonzero(rows)
        source, owner = _expanded(ends[0], at)
        at = at[owner]
        target, owner = _expanded(ends[1], at)
        at, source = at[owner], source.take(pa.array(owner))
        for kind in [kinds] if isinstance(kinds, str) else pd.unique(kinds[at]):
            mine = np.arange(len(at)) if isinstance(kinds, str) else np.flatnonzero(kinds[at] == kind)
            rows_of_kind = pa.array(at[mine])
            values = {name: column.take(rows_of_kind) for name, column in properties.items()}
            self.gathered.add_relationships(
                part, kind, source.take(pa.array(mine)), target.take(pa.array(mine)), values
            )

    def _count_missing(self, name: str, values: pa.Array) -> None:
        self.report.missing[name] = self.report.missing.get(name, 0) + values.null_count


_TIMES = {
    "s": "a time in seconds",
    "ms": "a time in milliseconds",
    "us": "a time in microseconds",
    "ns": "a time in nanoseconds",
    "iso": "an ISO 8601 time",
    "auto": "a time",
}
_A = {"string": "a text", "integer": "an integer", "float": "a number", "boolean": "true or false"}


def _expanded(ends: pa.Array, rows: NDArray[np.int64]) -> tuple[pa.Array, NDArray[np.int64]]:
    """The values of the rows, lists unfolded, and for each value the position in `rows` it comes from."""
    values = ends.take(pa.array(rows))
    if not pa.types.is_list(values.type):
        return values, np.arange(len(rows))
    return values.flatten(), np.repeat(np.arange(len(rows)), np.diff(np.asarray(values.offsets)))


def _type_of(value: str, rule: TypeByValue) -> tuple[str | None, bool]:
    """(type, whether the mapping says anything about the value); a type of None means: leave the row out."""
    if value in rule.values:
        return rule.values[value], True
    if rule.at_least:
        try:
            number = float(value)
        except ValueError:
            return None, False
        reached = [bound for bound in rule.at_least if number >= bound]
        if reached:
            return rule.at_least[max(reached)], True
    if rule.as_is:
        name = re.sub(r"[^A-Za-z0-9]+", "_", value).strip("_").upper()
        if IDENTIFIER.fullmatch(name):
            return name, True
    return rule.otherwise, rule.otherwise is not None


class _Gathered:
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


def _nothing_loaded(one: FileReport) -> str:
    if not one.rows:
        return f"{one.file} has no rows"
    line, why = one.examples[0] if one.examples else (0, "all rows are left out by the mapping")
    return f"not one of the {one.rows:,} rows of {one.file} can be loaded; line {line}: {why}"


def _strange_times(one: RelationshipSet) -> Iterator[str]:
    report = one.report
    if report.latest is None:
        return
    first, last = (
        datetime(1971, 1, 1, tzinfo=UTC).timestamp() * 1000,
        datetime(2100, 1, 1, tzinfo=UTC).timestamp() * 1000,
    )
    if report.earliest >= 0 and report.latest < first:
        yield (
            f"All times of {one.type} lie in 1970: is their unit in the mapping too small ('ms' for seconds)?"
        )
    if report.earliest > last:
        yield (
            f"All times of {one.type} lie after 2100: is their unit in "
            "the mapping too large ('s' for milliseconds)?"
        )
