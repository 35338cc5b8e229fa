"""Files to columns: round trips of anything that can be written, and files broken by hand."""

import csv
import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest import readers
from gds_pipelines.ingest.mapping import Table

# Any text a cell can hold: no blanks at the ends (they are trimmed later), no carriage return (line ends are
# read as \n), no unpaired surrogate.
CELL = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x00"), max_size=12)
PLAIN = st.text(st.characters(exclude_categories=("Cs",), exclude_characters='\r\n\x00":,'), max_size=8)
WIDE_ENOUGH = st.integers(2, 5)


def table(**options) -> Table:
    return Table.model_validate(options)


@st.composite
def grids(draw, cell):
    width = draw(WIDE_ENOUGH)
    rows = draw(st.lists(st.lists(cell, min_size=width, max_size=width), max_size=20))
    # A row of nothing but blanks in its first and only cell would be a blank line; with two columns it is
    # not.
    return [f"c{at}" for at in range(width)], rows


def cells_of(read: readers.Columns) -> list[list[str]]:
    return [list(row) for row in zip(*(column.to_pylist() for column in read.columns.values()), strict=True)]


@settings(max_examples=150, deadline=None)
@given(grids(CELL), st.sampled_from([",", ";", "\t", "|"]), st.booleans(), st.booleans())
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, grid, delimiter, packed, windows):
    names, rows = grid
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n" if windows else "\n")
    writer.writerows([names, *rows])
    data = text.getvalue().encode()
    file = tmp_path_factory.mktemp("csv") / "t.csv"
    file.write_bytes(gzip.compress(data) if packed else data)
    read = readers.read(file, table(delimiter=delimiter))
    wanted = [row for row in rows if "".join(row).strip() or len(row) > 1]
    assert (cells_of(read), read.broken) == (wanted, [])


@settings(max_examples=60, deadline=None)
@given(grids(PLAIN), st.sampled_from(["utf-8", "utf-16", "iso-8859-1"]))
def test_double_colons_without_a_header_are_read_back(tmp_path_factory, grid, encoding):
    names, rows = grid
    rows = [[cell.encode("iso-8859-1", "ignore").decode("iso-8859-1") for cell in row] for row in rows]
    file = tmp_path_factory.mktemp("dat") / "t.dat"
    file.write_bytes("".join("::".join(row) + "\n" for row in rows).encode(encoding))
    read = readers.read(file, table(delimiter="::", columns=names, encoding=encoding))
    assert (cells_of(read), read.broken) == (rows, [])
    assert read.lines.tolist() == list(range(1, len(rows) + 1))


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(0, 50), st.lists(st.integers(0, 99), max_size=6), max_size=8))
def test_lists_are_read_back_and_a_source_alone_stays(tmp_path_factory, lists):
    file = tmp_path_factory.mktemp("lists") / "train.txt"
    file.write_text(
        "".join(" ".join(map(str, [source, *targets])) + "\n" for source, targets in lists.items())
    )
    read = readers.read(file, table(format="lists", columns=["user", "item"]))
    wanted = [
        [str(s), str(t) if t is not None else None]
        for s, targets in lists.items()
        for t in (targets or [None])
    ]
    assert cells_of(read) == wanted


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.text(max_size=5) | st.none()), max_size=10))
def test_parquet_keeps_values_and_missing_ones(tmp_path_factory, rows):
    file = tmp_path_factory.mktemp("parquet") / "t.parquet"
    pq.write_table(
        pa.table({"a": pa.array([a for a, _ in rows], pa.int64()), "b": [b for _, b in rows]}), file
    )
    read = readers.read(file, table())
    assert cells_of(read) == [[a, b] for a, b in rows]


@pytest.mark.parametrize(
    ("text", "rows", "broken"),
    [
        ("a,b\n1,2\n3\n4,5\n", [["1", "2"], ["4", "5"]], {3: "1 columns, expected 2: 3"}),
        ("a,b\n1,2,9\n\n4,5\n", [["4", "5"]], {2: "3 columns, expected 2: 1 | 2 | 9"}),
        ('a,b\n"x\ny",2\n3,4\n', [["x\ny", "2"], ["3", "4"]], {}),
        ('a,b\n"x,2\n3,4\n5,6\n', [["3", "4"], ["5", "6"]], {2: "a quote is opened and never closed"}),
        ('a,b\n5" pipe,2\n6" pipe,4\n', [['5" pipe', "2"], ['6" pipe', "4"]], {}),
        ('a,b\n"he said ""no""",2\n', [['he said "no"', "2"]], {}),
        ("a,b\n1,2", [["1", "2"]], {}),
        ("\ufeffa,b\n1,2\n", [["1", "2"]], {}),
    ],
)
def test_a_broken_row_is_named_and_the_rest_is_read(tmp_path, text, rows, broken):
    file = tmp_path / "t.csv"
    file.write_text(text, "utf-8")
    read = readers.read(file, table())
    assert cells_of(read) == rows
    assert {row.line: row.why for row in read.broken} == broken
    assert read.rows == len(rows) + len(broken)


def test_a_line_that_is_not_utf8_is_one_broken_row(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(b"a,b\n1,2\n\xff\xfe,4\n5,6\n")
    read = readers.read(file, table())
    assert cells_of(read) == [["1", "2"], ["5", "6"]]
    assert [(row.line, row.why) for row in read.broken] == [(3, "byte 1 is not utf-8")]


def test_recbole_columns_lose_their_types_and_keep_their_lines(tmp_path):
    file = tmp_path / "x.item"
    file.write_text("item_id:token\tname:token_seq\n1\tA B\n2\n3\tC\n")
    read = readers.read(file, table(format="recbole"))
    assert read.types == {"item_id": "token", "name": "token_seq"}
    assert cells_of(read) == [["1", "A B"], ["3", "C"]]
    assert (read.lines.tolist(), [row.line for row in read.broken]) == ([2, 4], [3])


@pytest.mark.parametrize(
    ("name", "data", "options", "sentence"),
    [
        ("t.csv", b"", {}, "it is empty"),
        ("t.csv", b"a,b,a\n1,2,3\n", {}, "names 'a' twice"),
        ("t.csv", "a,b\n1,2\n".encode("utf-16"), {}, "it is UTF-16"),
        ("t.csv.gz", gzip.compress(b"a,b\n" * 999)[:-20], {}, "it is not whole gzip"),
        ("t.parquet", b"PAR1 and no more", {}, "it is not"),
        ("t.inter", b"user_id:token\titem\n", {"format": "recbole"}, "column 2 is 'item', not name:type"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, data, options, sentence):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(InvalidInput, match=sentence):
        readers.read(file, table(**options))
