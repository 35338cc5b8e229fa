"""What an ingest found and did, as numbers: printed as a table for people and as JSON for machines."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

# Examples of broken rows that are kept per file; all are counted.
EXAMPLES = 5


@dataclass
class FileReport:
    """One file of one table. `rows` = `loaded` + sum of `dropped`; lines in `examples` count from 1."""

    table: str
    file: str
    rows: int = 0
    loaded: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    missing: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[int, str]] = field(default_factory=list)

    def drop(self, line: int, why: str, kind: str) -> None:
        """Counts one broken row under `kind` and keeps the first few with their full reason."""
        self.dropped[kind] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append((line, why))


@dataclass
class NodeReport:
    """One label. `described` have a row of their own, the other `found` are only named by relationships."""

    label: str
    found: int = 0
    described: int = 0
    repeated: int = 0
    replaced: int = 0
    created: int = 0


@dataclass
class RelationshipReport:
    """One type between two labels. `found` = `created` + `existing`; `updated` are among `existing`."""

    type: str
    source: str
    target: str
    found: int = 0
    duplicates: int = 0
    replaced: int = 0
    without_time: int = 0
    earliest: int | None = None
    latest: int | None = None
    created: int = 0
    existing: int = 0
    updated: int = 0


@dataclass
class IngestReport:
    """The whole run. Times in seconds; `notes` are sentences worth reading."""

    files: list[FileReport] = field(default_factory=list)
    nodes: list[NodeReport] = field(default_factory=list)
    relationships: list[RelationshipReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    written: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain values with camelCase keys, ready for JSON."""
        return {
            "files": [
                {
                    "table": one.table,
                    "file": one.file,
                    "rows": one.rows,
                    "loaded": one.loaded,
                    "dropped": dict(one.dropped),
                    "leftOut": dict(one.left_out),
                    "missing": one.missing,
                    "examples": [{"line": line, "why": why} for line, why in one.examples],
                }
                for one in self.files
            ],
            "nodes": [vars(one) for one in self.nodes],
            "relationships": [
                {
                    ("withoutTime" if name == "without_time" else name): value
                    for name, value in vars(one).items()
                }
                for one in self.relationships
            ],
            "notes": self.notes,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
            "written": self.written,
        }

    def mixed_with_others(self) -> list[str]:
        """A sentence if nodes were there before that none of the relationships knew: another data set's."""
        there = [f"{one.found - one.created:,} :{one.label}" for one in self.nodes if one.created < one.found]
        if not self.written or not there or any(one.existing for one in self.relationships):
            return []
        return [
            f"{' and '.join(there)} were in the database already and "
            "have these relationships now as well. If they "
            "belong to another data set, empty the database (MATCH (n) CALL (n) { DETACH DELETE n } IN "
            "TRANSACTIONS) and load this one again."
        ]

    def __rich__(self) -> RenderableType:
        parts: list[RenderableType] = [self._files()]
        broken = [(one.file, line, why) for one in self.files for line, why in one.examples]
        if broken:
            parts.append(Text("Broken rows (the first of each file):", style="yellow"))
            parts += [Text(f"  {file}:{line}  {why}") for file, line, why in broken]
        parts += [self._nodes(), self._relationships()]
        parts += [Text(note, style="yellow") for note in self.notes]
        spent = ", ".join(f"{name} {value:.1f} s" for name, value in self.seconds.items())
        parts.append(Text(spent, style="dim"))
        return Group(*parts)

    def _files(self) -> RichTable:
        rows = []
        for one in self.files:
            remarks = [f"{count:,} {why}" for why, count in one.dropped.most_common()]
            remarks += [f"{count:,} left out: {why}" for why, count in one.left_out.most_common()]
            remarks += [f"{count:,} without {column}" for column, count in one.missing.items() if count]
            numbers = (one.rows, one.loaded, one.dropped.total())
            rows.append((one.file, *numbers, "; ".join(remarks)))
        return _table(("file", "rows", "loaded", "dropped", "why, and what is missing"), rows)

    def _nodes(self) -> RichTable:
        rows = [
            (
                one.label,
                one.found,
                one.described,
                one.repeated,
                one.replaced,
                one.created if self.written else None,
                one.found - one.created if self.written else None,
            )
            for one in self.nodes
        ]
        names = ("label", "found", "with a row", "repeated", "replaced", "created", "there already")
        return _table(names, rows, kept=("label", "found", "created"))

    def _relationships(self) -> RichTable:
        shown, rest = self.relationships, []
        if len(shown) > 20:
            shown, rest = shown[:19], shown[19:]
        rows = []
        for one in shown:
            span = f"{_day(one.earliest)}\n{_day(one.latest)}" if one.earliest is not None else ""
            written = (one.created, one.existing, one.updated) if self.written else (None, None, None)
            ends = f"{one.source} → {one.target}"
            untimed = one.without_time or ""
            rows.append((one.type, ends, one.found, one.duplicates, untimed, span, *written))
        if rest:
            fields = ("found", "duplicates", "without_time", "created", "existing", "updated")
            sums = [sum(getattr(one, name) for one in rest) for name in fields]
            rows.append(
                (f"{len(rest)} more types", "", *sums[:3], "", *(sums[3:] if self.written else [None] * 3))
            )
        names = (
            "type",
            "ends",
            "found",
            "duplicates",
            "without time",
            "first, last",
            "created",
            "there already",
            "updated",
        )
        return _table(names, rows, kept=("type", "ends", "found", "created"))


_TEXT_COLUMNS = ("file", "label", "type", "ends", "first, last", "why, and what is missing")


def _table(
    names: Sequence[str], rows: Sequence[Sequence[object]], kept: Sequence[str] | None = None
) -> RichTable:
    """Numbers with thousands marks; a column that is not `kept` is shown where it has something to say."""
    table = RichTable(header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    chosen = [
        at for at, name in enumerate(names) if kept is None or name in kept or any(row[at] for row in rows)
    ]
    for at in chosen:
        text = names[at] in _TEXT_COLUMNS
        table.add_column(
            names[at], justify="left" if text else "right", overflow="fold", no_wrap=names[at] == "ends"
        )
    for row in rows:
        table.add_row(*(escape(_shown(row[at])) for at in chosen))
    return table


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else "-" if value is None else str(value)


def _day(milliseconds: int | None) -> str:
    return (
        "" if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d")
    )
