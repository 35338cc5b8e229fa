"""``weights.arrow`` and ``lists.arrow``: for each node others with a number (``docs/formats.md`` section 2).

Shapes: N rows (nodes), M entries in all rows together. A row's entries name other rows of
the same file by their number, so a key is written once however often it is meant.
The bytes depend on the arrays only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model_export.errors import ArtefactError
from model_export.vectors import ROWS_PER_BATCH, batches_of, common_keys, key_faults

ENTRIES_PER_BATCH = 1 << 22
"""A batch ends before this many entries, unless one row alone has more."""
MOST_ENTRIES = (1 << 31) - 1
VALUES = {"weights.arrow": "weight", "lists.arrow": "score"}
"""The name of the number by file."""


@dataclass(frozen=True, eq=False)
class NeighbourRows:
    """Nodes, each with other nodes and a number for each of them.

    Attributes:
        types: [N] – the label of each row, text.
        keys: [N] – int64, or text of any length; (type, key) is unique.
        offsets: [N + 1] – int64; row r has the entries offsets[r] to offsets[r + 1].
        target: [M] – int32 row numbers, distinct within a row.
        value: [M] – float32, finite.
    """

    types: NDArray[np.object_]
    keys: NDArray
    offsets: NDArray[np.int64]
    target: NDArray[np.int32]
    value: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def entries(self) -> int:
        return len(self.target)

    def row(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Targets and numbers of one row."""
        part = slice(self.offsets[number], self.offsets[number + 1])
        return self.target[part], self.value[part]


def rows_of(
    nodes: list[tuple[str, NDArray]],
    source: NDArray,
    target: NDArray,
    value: NDArray,
    *,
    what: str,
) -> NeighbourRows:
    """Rows from pairs of positions.

    Args:
        nodes: (label, keys [n]) of each type, one after the other; positions count through all of them.
        source, target: [M] – positions; entries of one source stand in the order they are to be written in.
        value: [M] – finite; turned into float32.
        what: the file, for messages.
    Raises:
        ArtefactError: naming every fault.
    """
    keys = common_keys([keys for _, keys in nodes])
    types = np.concatenate([np.full(len(k), label, object) for label, k in nodes])
    source, target = np.asarray(source, np.int64), np.asarray(target, np.int64)
    value = np.asarray(value, np.float32)
    faults = key_faults(types, keys)
    if not len(source) == len(target) == len(value):
        faults.append(f"{len(source)} sources, {len(target)} targets and {len(value)} numbers were given")
    for name, positions in (("source", source), ("target", target)):
        if len(positions) and not 0 <= positions.min() <= positions.max() < len(keys):
            faults.append(
                f"{name} runs from {positions.min()} to {positions.max()}; there are {len(keys)} rows"
            )
    if faults:
        raise ArtefactError(f"{what} cannot be written", faults)
    order = np.argsort(source, kind="stable")
    offsets = np.r_[0, np.cumsum(np.bincount(source, minlength=len(keys)))].astype(np.int64)
    rows = NeighbourRows(types, keys, offsets, target[order].astype(np.int32), value[order])
    faults = list(_entry_faults(rows))
    if faults:
        raise ArtefactError(f"{what} cannot be written", faults)
    return rows


def encode(rows: NeighbourRows, file: str) -> bytes:
    """The bytes of ``weights.arrow`` or ``lists.arrow``. N = 0 gives a stream with a schema and no batch."""
    key_type = pa.int64() if rows.keys.dtype == np.int64 else pa.utf8()
    schema = _schema(key_type, VALUES[file])
    sink = BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for start, stop in _cuts(rows.offsets):
            low, high = rows.offsets[start], rows.offsets[stop]
            offsets = pa.array((rows.offsets[start : stop + 1] - low).astype(np.int32))
            columns = [
                pa.array(rows.types[start:stop], pa.utf8()),
                pa.array(rows.keys[start:stop], key_type),
                pa.ListArray.from_arrays(
                    offsets, pa.array(rows.target[low:high]), type=schema.field("target").type
                ),
                pa.ListArray.from_arrays(offsets, pa.array(rows.value[low:high]), type=schema.field(3).type),
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue()


def decode(source: bytes | memoryview | Path, file: str) -> NeighbourRows:
    """Read and check ``weights.arrow`` or ``lists.arrow``; a path is memory-mapped.

    Args:
        file: which of the two it is.
    Raises:
        ArtefactError: naming every fault.
    """
    wanted = _schema(pa.int64(), VALUES[file])
    schema, batches = batches_of(source, file, lambda found: _schema_faults(found, wanted))
    faults = []
    lengths, targets, values = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    for index, batch in enumerate(batches):
        first, second = batch.column(2), batch.column(3)
        if first.flatten().null_count or second.flatten().null_count:
            faults.append(f"batch {index}: a list holds nulls")
            continue
        sizes = np.diff(first.offsets.to_numpy()).astype(np.int64)
        if not np.array_equal(sizes, np.diff(second.offsets.to_numpy())):
            faults.append(f"batch {index}: the lists of a row differ in length")
        if batch.num_rows > 1 and sizes.sum() > ENTRIES_PER_BATCH:
            faults.append(
                f"batch {index} holds {sizes.sum()} entries; at most {ENTRIES_PER_BATCH} are allowed"
            )
        lengths.append(sizes)
        targets.append(first.flatten().to_numpy(zero_copy_only=False))
        values.append(second.flatten().to_numpy(zero_copy_only=False))
    if faults:
        raise ArtefactError(f"{file} is refused", faults)
    table = pa.Table.from_batches(batches, schema)
    keys = table["key"].to_numpy() if len(table) else np.empty(0, np.int64)
    if pa.types.is_string(schema.field("key").type):
        keys = keys.astype(object)
    types = table["type"].to_numpy().astype(object) if len(table) else np.empty(0, object)
    offsets = np.r_[0, np.cumsum(np.concatenate(lengths))].astype(np.int64)
    rows = NeighbourRows(types, keys, offsets, np.concatenate(targets), np.concatenate(values))
    faults = [*key_faults(types, keys), *_entry_faults(rows)]
    if faults:
        raise ArtefactError(f"{file} is refused", faults)
    return rows


def _schema(key_type: pa.DataType, value: str) -> pa.Schema:
    def many(kind: pa.DataType) -> pa.DataType:
        return pa.list_(pa.field("item", kind, nullable=False))

    fields = [
        ("type", pa.utf8()),
        ("key", key_type),
        ("target", many(pa.int32())),
        (value, many(pa.float32())),
    ]
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


def _schema_faults(schema: pa.Schema, wanted: pa.Schema) -> list[str]:
    if schema.names != wanted.names:
        return [
            f"the columns are {', '.join(schema.names) or 'none'}; {', '.join(wanted.names)} are expected"
        ]
    faults = []
    for field in wanted:
        found = schema.field(field.name).type
        if field.name == "key":
            if not (pa.types.is_int64(found) or pa.types.is_string(found)):
                faults.append(f"column 'key' is {found}, int64 or utf8 is expected")
        elif pa.types.is_list(field.type):
            if not pa.types.is_list(found) or found.value_type != field.type.value_type:
                faults.append(
                    f"column '{field.name}' is {found}, a list of {field.type.value_type} is expected"
                )
        elif found != field.type:
            faults.append(f"column '{field.name}' is {found}, {field.type} is expected")
    return faults


def _cuts(offsets: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of rows that make one batch each."""
    start, count = 0, len(offsets) - 1
    while start < count:
        most = int(np.searchsorted(offsets, offsets[start] + ENTRIES_PER_BATCH, side="right")) - 1
        stop = min(count, start + ROWS_PER_BATCH, max(most, start + 1))
        yield start, stop
        start = stop


def _entry_faults(rows: NeighbourRows) -> Iterator[str]:
    if rows.entries > MOST_ENTRIES:
        yield f"it holds {rows.entries} entries; at most {MOST_ENTRIES} are allowed"
        return
    if rows.entries and not 0 <= rows.target.min() <= rows.target.max() < len(rows):
        yield f"targets run from {rows.target.min()} to {rows.target.max()}; there are {len(rows)} rows"
        return
    bad = int((~np.isfinite(rows.value)).sum())
    if bad:
        yield f"{bad} numbers are not finite"
    # A block at a time: the sorted copy of all entries may be larger than the file.
    for start, stop in _cuts(rows.offsets):
        part = slice(rows.offsets[start], rows.offsets[stop])
        row = np.repeat(np.arange(start, stop), np.diff(rows.offsets[start : stop + 1]))
        pair = np.sort(row * len(rows) + rows.target[part])
        twice = pair[1:][pair[1:] == pair[:-1]]
        if len(twice):
            key = rows.keys[[twice[0] // len(rows), twice[0] % len(rows)]].tolist()
            yield f"the row of key {key[0]!r} names the key {key[1]!r} twice"
            return
