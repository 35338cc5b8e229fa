"""The rows of one file on their way to nodes and relationships: converted, checked, counted."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gds_pipelines.errors import did_you_mean
from gds_pipelines.ingest import columns as cells
from gds_pipelines.ingest.gathered import Gathered
from gds_pipelines.ingest.key_types import key_columns
from gds_pipelines.ingest.mapping import (
    IDENTIFIER,
    Endpoint,
    Nodes,
    Properties,
    Relationships,
    Table,
    TypeByValue,
)
from gds_pipelines.ingest.readers import Columns
from gds_pipelines.ingest.report import FileReport


class FileRows:
    """The rows of one file on their way to nodes and relationships."""

    def __init__(self, name: str, table: Table, columns: Columns, gathered: Gathered) -> None:
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
