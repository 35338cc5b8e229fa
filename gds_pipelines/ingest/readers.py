"""Files to columns of text: delimited lines, lists, RecBole atomic files, Parquet; gzip is seen by its first
bytes.

A broken row never stops a file: it is reported with its line and why, and the rest is read. What stops a
file (it cannot be opened, decoded or unpacked) is one `InvalidInput`.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest.mapping import Table

# Rows in Python lists at one time: bounds the memory, large enough that the loop does not show.
_ROWS_AT_ONCE = 100_000
# A quoted field may run over this many lines; beyond, its opening quote is taken to be a mistake.
_LINES_IN_A_FIELD = 200


@dataclass(frozen=True)
class Broken:
    """A row that was not loaded: its line in the file (from 1) and why."""

    line: int
    why: str


@dataclass
class Columns:
    """One file. `columns`: name -> N values; `lines`: [N] line of each row; `rows`: N and the broken."""

    name: str
    columns: dict[str, pa.Array]
    lines: NDArray[np.int64]
    rows: int
    broken: list[Broken] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)


def read(path: Path, table: Table) -> Columns:
    """All rows of `path`, as `table` says it is written.

    Raises:
        InvalidInput: the file cannot be opened, unpacked or decoded, or has no header line.
    """
    ending = path.name.removesuffix(".gz").rpartition(".")[2].lower()
    form = table.format or ("parquet" if ending in ("parquet", "pq") else "delimited")
    if form == "parquet":
        return _parquet(path)
    broken: list[Broken] = []
    lines = decoded(path, table.encoding, broken)
    match form:
        case "lists":
            return _lists(path.name, lines, table.columns or ["source", "target"], broken)
        case "recbole":
            return _recbole(path.name, lines, broken)
        case _:
            return _delimited(path.name, lines, table, broken)


def decoded(path: Path, encoding: str, broken: list[Broken]) -> list[str]:
    """The lines of a text file without their ends; one that cannot be decoded is '' and in `broken`."""
    data = unpacked(path)
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) and not encoding.startswith("utf-16"):
        raise InvalidInput(
            f"{path} cannot be read", [f"it is UTF-16, not {encoding}; give `encoding: utf-16`"]
        )
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if b"\n" not in data or encoding.startswith(("utf-16", "utf-32")):
            raise InvalidInput(
                f"{path} cannot be read", [f"it is not text in {encoding}: {error.reason}"]
            ) from None
        text = "\n".join(_line_by_line(data, encoding, broken))
    del data
    lines = text.removeprefix("\ufeff").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    if "\r" in text:
        lines = [line.removesuffix("\r") for line in lines]
    return lines


def _line_by_line(data: bytes, encoding: str, broken: list[Broken]) -> Iterator[str]:
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            broken.append(Broken(number, f"byte {error.start + 1} is not {encoding}"))
            yield ""


def unpacked(path: Path) -> bytes:
    """The bytes of a file, unpacked if they are gzip."""
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except OSError as error:
        why = error.strerror or "it is not whole gzip"
    except (EOFError, zlib.error):
        why = "it is not whole gzip; was it cut short while being copied?"
    raise InvalidInput(f"{path} cannot be read", [why])


def _delimited(name: str, lines: list[str], table: Table, broken: list[Broken]) -> Columns:
    # Only one character can be told from the same character in quotes.
    quoted = table.quoted and len(table.delimiter) == 1 and table.delimiter != " "
    names, first = table.columns, 0
    if names is None:
        first = next((at for at, line in enumerate(lines) if line.strip()), len(lines))
        if first == len(lines):
            raise InvalidInput(
                f"{name} cannot be read", ["it is empty; a first line with the column names is needed"]
            )
        names = [cell.strip() for cell in _cells(lines[first], table.delimiter, quoted)]
        twice = sorted({cell for cell in names if names.count(cell) > 1})
        if twice:
            raise InvalidInput(
                f"{name} cannot be read", [f"its first line names '{cell}' twice" for cell in twice]
            )
        first += 1
    kept = _Kept(names, broken)
    for start in range(first, len(lines), _ROWS_AT_ONCE):
        block = lines[start : start + _ROWS_AT_ONCE]
        if quoted and any('"' in line for line in block):
            break
        kept.add(_split(block, table.delimiter), range(start + 1, start + 1 + len(block)))
    else:
        start = len(lines)
    # From the first block with a quote on, records are put together line by line.
    records = _records(lines, start, table.delimiter, len(names), broken)
    while rows := list(islice(records, _ROWS_AT_ONCE)):
        kept.add([cells for _, cells in rows], [number for number, _ in rows])
    return kept.columns(name)


class _Kept:
    """Collects the rows of the right width as Arrow columns, and the others as broken ones."""

    def __init__(self, names: list[str], broken: list[Broken]) -> None:
        self.names, self.broken = names, broken
        self.chunks: list[list[pa.Array]] = [[] for _ in names]
        self.numbers: list[NDArray[np.int64]] = []

    def add(self, rows: list[list[str]], numbers: Sequence[int]) -> None:
        width = len(self.names)
        good = np.fromiter((len(row) == width for row in rows), bool, len(rows))
        if width == 1:
            good &= np.fromiter((row[0].strip() != "" for row in rows), bool, len(rows))
        for at in np.flatnonzero(~good):
            row = rows[at]
            if "".join(row).strip():  # A blank line is no row.
                self.broken.append(
                    Broken(int(numbers[at]), f"{len(row)} columns, expected {width}: {_shown(row)}")
                )
        if not good.all():
            rows = [row for row, fits in zip(rows, good, strict=True) if fits]
        if rows:
            for parts, values in zip(self.chunks, zip(*rows, strict=True), strict=True):
                parts.append(pa.array(values, pa.string()))
            self.numbers.append(np.asarray(numbers, np.int64)[good])

    def columns(self, name: str) -> Columns:
        columns = {
            column: pa.concat_arrays(parts) if parts else pa.array([], pa.string())
            for column, parts in zip(self.names, self.chunks, strict=True)
        }
        lines = np.concatenate(self.numbers) if self.numbers else np.zeros(0, np.int64)
        self.broken.sort(key=lambda row: row.line)
        return Columns(name, columns, lines, len(lines) + len(self.broken), self.broken)


_UNCLOSED = "a quote is opened and never closed"


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return [line.split() for line in lines] if delimiter == " " else [line.split(delimiter) for line in lines]


def _cells(line: str, delimiter: str, quoted: bool) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter), []) if quoted else _split([line], delimiter)[0]


def _records(
    lines: list[str], at: int, delimiter: str, width: int, broken: list[Broken]
) -> Iterator[tuple[int, list[str]]]:
    """(line, cells) of quoted rows from line index `at` on; a field in quotes may hold line ends."""
    while at < len(lines):
        line = lines[at]
        if '"' not in line:
            yield at + 1, line.split(delimiter)
            at += 1
            continue
        alone = _parse_quoted(line, delimiter)
        if alone is not None:
            yield at + 1, alone
            at += 1
            continue
        # The quote is open at the end of the line: try with the lines that follow, up to the first that
        # closes it.
        for end in range(at + 1, min(at + _LINES_IN_A_FIELD, len(lines))):
            if lines[end].count('"') % 2 == 0:
                continue
            joined = _parse_quoted("\n".join(lines[at : end + 1]), delimiter)
            if joined is not None and len(joined) == width:
                yield at + 1, joined
                at = end + 1
                break
        else:
            broken.append(Broken(at + 1, _UNCLOSED))
            at += 1


def _parse_quoted(text: str, delimiter: str) -> list[str] | None:
    """The cells of one record, or None if its quotes do not pair up."""
    try:
        rows = list(csv.reader([text], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def _lists(name: str, lines: list[str], names: list[str], broken: list[Broken]) -> Columns:
    """`source target target …`: one row per target; a source alone is one row without a target."""
    sources: list[str] = []
    targets: list[str | None] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        if not cells:
            continue
        found: list[str | None] = [*cells[1:]] or [None]
        sources += [cells[0]] * len(found)
        targets += found
        numbers += [number] * len(found)
    columns = {names[0]: pa.array(sources, pa.string()), names[1]: pa.array(targets, pa.string())}
    return Columns(name, columns, np.array(numbers, np.int64), len(sources) + len(broken), broken)


def _recbole(name: str, lines: list[str], broken: list[Broken]) -> Columns:
    """Tab separated, the first line `name:type`; types are token, token_seq, float and float_seq."""
    header = lines[0].split("\t") if lines else []
    faults = [
        f"column {at} is '{cell}', not name:type with one of {', '.join(RECBOLE_TYPES)}"
        for at, cell in enumerate(header, start=1)
        if cell.rpartition(":")[2] not in RECBOLE_TYPES or not cell.rpartition(":")[0]
    ]
    if faults or not header:
        raise InvalidInput(f"{name} is not a RecBole atomic file", faults or ["it is empty"])
    names = [cell.rpartition(":")[0] for cell in header]
    table = Table.model_validate({"delimiter": "\t", "quoted": False, "columns": names})
    lines[0] = ""  # Read already; an empty line keeps the numbers of the others.
    read = _delimited(name, lines, table, broken)
    read.types = {column: cell.rpartition(":")[2] for column, cell in zip(names, header, strict=True)}
    return read


RECBOLE_TYPES = ("token", "token_seq", "float", "float_seq")


def _parquet(path: Path) -> Columns:
    """Row numbers from 1 stand in for lines."""
    try:
        table = pq.read_table(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", [error.strerror or "it is not whole Parquet"]) from None
    except pa.ArrowInvalid as error:
        raise InvalidInput(
            f"{path} cannot be read", [f"it is not Parquet: {str(error).splitlines()[0]}"]
        ) from None
    return from_table(path.name, table)


def from_table(name: str, table: pa.Table) -> Columns:
    """An Arrow table as if it had been read from a file."""
    columns = {column: pa.chunked_array(table[column]).combine_chunks() for column in table.column_names}
    return Columns(name, columns, np.arange(1, table.num_rows + 1), table.num_rows)


def _shown(row: Sequence[str]) -> str:
    text = " | ".join(row)
    return text if len(text) <= 60 else f"{text[:57]}…"
