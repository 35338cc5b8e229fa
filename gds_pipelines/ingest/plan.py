"""From files and a mapping to the nodes and relationships that are to be written, cleaned and counted.

Nothing here touches a database. All faults of the set-up (a file that is not there, a column that is not, a
key of two types) come together in one `InvalidInput`; broken rows are counted, kept as examples, and left
out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path

import pyarrow as pa

from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.ingest import readers
from gds_pipelines.ingest.file_rows import FileRows
from gds_pipelines.ingest.gathered import Gathered, NodeSet, RelationshipSet
from gds_pipelines.ingest.key_types import key_types
from gds_pipelines.ingest.mapping import IngestMapping
from gds_pipelines.ingest.readers import Columns
from gds_pipelines.ingest.report import FileReport, IngestReport


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
    gathered = Gathered(mapping, types)
    for name, columns in read:
        report.files.append(FileRows(name, mapping.tables[name], columns, gathered).gather())
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
