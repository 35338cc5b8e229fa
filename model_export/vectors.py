"""``vectors.arrow``: keyed vectors as an Arrow IPC stream (``docs/formats.md`` section 2).

Shapes: N rows, D dimensions. One file may hold several node types; (type, key)
is unique. The bytes depend on the arrays only.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from model_export.errors import ArtefactError

ROWS_PER_BATCH = 65_536


@dataclass(frozen=True, eq=False)
class Vectors:
    """Keyed vectors.

    Attributes:
        types: [N] – the label of each row, text.
        keys: [N] – int64, or text of any length.
        vector: [N, D] – float32, finite.
        context: [N, D] – float32, or None.
    """

    types: NDArray[np.object_]
    keys: NDArray
    vector: NDArray[np.float32]
    context: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.vector.shape[1])


def of_one_type(label: str, keys: NDArray, vector: NDArray, context: NDArray | None = None) -> Vectors:
    """The vectors of one node type, in ascending key order whatever order they are given in.

    Args:
        label: the node label.
        keys: [N] – integers or text, unique.
        vector: [N, D] – finite; turned into float32.
        context: [N, D] or None.
    Raises:
        ArtefactError: naming every fault of the arrays.
    """
    keys, faults = _normal(keys)
    vector = np.asarray(vector)
    for name, array in (("vector", vector), ("context", context)):
        if array is None:
            continue
        array = np.asarray(array)
        if array.ndim != 2 or array.shape[0] != len(keys) or array.shape[1] == 0:
            faults.append(f"{name} has the shape {array.shape}; ({len(keys)}, D) is expected")
        elif not np.isfinite(array).all():
            faults.append(f"{name} holds {int((~np.isfinite(array)).sum())} values that are not finite")
    if context is not None and np.shape(context) != vector.shape:
        faults.append(f"vector has the shape {vector.shape}, context {np.shape(context)}")
    if faults:
        raise ArtefactError("These vectors cannot be written", faults)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    repeated = keys[1:][keys[1:] == keys[:-1]]
    if len(repeated):
        raise ArtefactError(
            "These vectors cannot be written", [f"the key {repeated.tolist()[0]!r} stands twice"]
        )
    return Vectors(
        types=np.full(len(keys), label, dtype=object),
        keys=keys,
        vector=np.ascontiguousarray(vector[order], dtype=np.float32),
        context=None
        if context is None
        else np.ascontiguousarray(np.asarray(context)[order], dtype=np.float32),
    )


def of_two_types(first: Vectors, second: Vectors) -> Vectors:
    """Both in one; where only one side's keys are integers, these become text (see ``common_keys``).

    Raises:
        ArtefactError: the types are the same, or D or the presence of ``context`` differs.
    """
    faults = []
    if len(first) and len(second) and set(first.types) & set(second.types):
        faults.append(f"both sides are of the type '{first.types[0]}'")
    if first.dimension != second.dimension:
        faults.append(f"one side has {first.dimension} dimensions, the other {second.dimension}")
    if (first.context is None) != (second.context is None):
        faults.append("one side has a context, the other none")
    if faults:
        raise ArtefactError("These vectors cannot be written", faults)
    return Vectors(
        np.concatenate([first.types, second.types]),
        common_keys([first.keys, second.keys]),
        np.concatenate([first.vector, second.vector]),
        None if first.context is None else np.concatenate([first.context, second.context]),
    )


def _normal(keys: NDArray) -> tuple[NDArray, list[str]]:
    """Keys as int64 or text, with what is wrong with them."""
    keys = np.asarray(keys)
    if keys.dtype.kind in "iu":
        large = keys.size and keys.max() > 2**63 - 1
        return keys.astype(np.int64), ["keys go beyond the 64-bit integers"] if large else []
    if keys.dtype.kind in "UO" and all(isinstance(key, str) for key in keys.tolist()):
        return keys.astype(object), []
    return keys, [f"keys must be integers or text, found {keys.dtype}"]


def common_keys(parts: list[NDArray]) -> NDArray:
    """The keys of several node types in one column: int64 when all are, else text.

    A file has one key column. An integer key then stands as its decimal digits, and whoever joins takes
    such a text for an INTEGER key where no node has the text itself.

    Raises:
        ArtefactError: keys that are neither integers nor text.
    """
    given = [_normal(keys) for keys in parts]
    faults = [fault for _, found in given for fault in found]
    if faults:
        raise ArtefactError("These keys cannot be written", faults)
    arrays = [keys for keys, _ in given]
    if all(keys.dtype == np.int64 for keys in arrays):
        return np.concatenate(arrays) if arrays else np.zeros(0, np.int64)
    return np.concatenate([np.array([str(key) for key in keys.tolist()], object) for keys in arrays])


def key_faults(types: NDArray, keys: NDArray) -> list[str]:
    """Whether (type, key) is unique."""
    table = pa.table({"type": pa.array(types, pa.utf8()), "key": pa.array(keys)})
    groups = table.group_by(["type", "key"]).aggregate([([], "count_all")])
    if len(groups) == len(table):
        return []
    return [f"{len(table) - len(groups)} rows repeat the type and key of another row"]


def _schema(key_type: pa.DataType, dimension: int, with_context: bool) -> pa.Schema:
    width = pa.list_(pa.field("item", pa.float32(), nullable=False), dimension)
    fields = [("type", pa.utf8()), ("key", key_type), ("vector", width)]
    if with_context:
        fields.append(("context", width))
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in fields])


def encode(vectors: Vectors) -> bytes:
    """The bytes of ``vectors.arrow``. N = 0 gives a stream with a schema and no batch."""
    key_type = pa.int64() if vectors.keys.dtype == np.int64 else pa.utf8()
    schema = _schema(key_type, vectors.dimension, vectors.context is not None)
    sink = BytesIO()
    with pa.ipc.new_stream(sink, schema) as writer:
        for start in range(0, len(vectors), ROWS_PER_BATCH):
            rows = slice(start, start + ROWS_PER_BATCH)
            columns = [
                pa.array(vectors.types[rows], pa.utf8()),
                pa.array(vectors.keys[rows], key_type),
                _fixed_list(vectors.vector[rows], schema.field("vector").type),
            ]
            if vectors.context is not None:
                columns.append(_fixed_list(vectors.context[rows], schema.field("context").type))
            writer.write_batch(pa.record_batch(columns, schema=schema))
    return sink.getvalue()


def _fixed_list(rows: NDArray[np.float32], kind: pa.DataType) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(rows).reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def decode(
    source: bytes | memoryview | Path, *, dimension: int | None = None, with_context: bool | None = None
) -> Vectors:
    """Read and check ``vectors.arrow``; a path is memory-mapped.

    Args:
        dimension: the D the manifest declares; None takes any.
        with_context: whether ``context`` must be there (True), must not (False) or may be (None).
    Raises:
        ArtefactError: naming every fault.
    """
    schema, batches = batches_of(
        source, "vectors.arrow", lambda found: _schema_faults(found, dimension, with_context)
    )
    faults = []
    table = pa.Table.from_batches(batches, schema)
    width = schema.field("vector").type.list_size
    dense = {name: _dense(batches, name, width) for name in schema.names if name in ("vector", "context")}
    for name, array in dense.items():
        if not np.isfinite(array).all():
            faults.append(
                f"column '{name}' holds {int((~np.isfinite(array)).sum())} values that are not finite"
            )
    keys = table["key"].to_numpy() if len(table) else np.empty(0, np.int64)
    if pa.types.is_string(schema.field("key").type):
        keys = keys.astype(object)
    types = table["type"].to_numpy().astype(object) if len(table) else np.empty(0, object)
    faults += key_faults(types, keys)
    if faults:
        raise ArtefactError("vectors.arrow is refused", faults)
    return Vectors(types, keys, dense["vector"], dense.get("context"))


def batches_of(
    source: bytes | memoryview | Path, file: str, schema_faults: Callable[[pa.Schema], list[str]]
) -> tuple[pa.Schema, list[pa.RecordBatch]]:
    """The batches of a part, read without unpacking anything: shape, sizes and nulls are right.

    Raises:
        ArtefactError: naming every fault.
    """
    what = f"{file} is refused"
    try:
        faults = list(_compressed(_open(source), file))
        reader = pa.ipc.open_stream(_open(source))
        schema = reader.schema
        faults += schema_faults(schema)
        if faults:
            raise ArtefactError(what, faults)
        batches = list(reader)
        for batch in batches:
            batch.validate(full=True)
    except (pa.ArrowException, OSError, EOFError, struct.error, UnicodeDecodeError) as error:
        raise ArtefactError(
            what, [f"it is not a readable Arrow stream: {str(error).splitlines()[0]}"]
        ) from None
    faults = [
        f"batch {index} holds {batch.num_rows} rows; at most {ROWS_PER_BATCH} are allowed"
        for index, batch in enumerate(batches)
        if batch.num_rows > ROWS_PER_BATCH
    ]
    table = pa.Table.from_batches(batches, schema)
    faults += [
        f"column '{name}' holds {table[name].null_count} nulls"
        for name in schema.names
        if table[name].null_count
    ]
    if faults:
        raise ArtefactError(what, faults)
    return schema, batches


def _open(source: bytes | memoryview | Path) -> pa.NativeFile:
    return pa.memory_map(str(source)) if isinstance(source, Path) else pa.BufferReader(source)


def _compressed(stream: pa.NativeFile, file: str) -> Iterator[str]:
    """One fault per compressed batch, told from the headers alone: nothing is unpacked to find out."""
    for index, message in enumerate(pa.ipc.MessageReader.open_stream(stream)):
        if message.type == "record batch" and _has_compression(message.metadata.to_pybytes()):
            yield f"message {index} is compressed; {file} is written without compression"


def _has_compression(metadata: bytes) -> bool:
    """Whether a RecordBatch message names a codec: field 3 of the table in field 2 (flatbuffers)."""

    def field(table: int, index: int) -> int | None:
        vtable = table - struct.unpack_from("<i", metadata, table)[0]
        if 4 + 2 * index >= struct.unpack_from("<H", metadata, vtable)[0]:
            return None
        offset = struct.unpack_from("<H", metadata, vtable + 4 + 2 * index)[0]
        return table + offset if offset else None

    header = field(struct.unpack_from("<I", metadata, 0)[0], 2)
    if header is None:
        return False
    return field(header + struct.unpack_from("<I", metadata, header)[0], 3) is not None


def _dense(batches: list[pa.RecordBatch], name: str, width: int) -> NDArray[np.float32]:
    if not batches:
        return np.empty((0, width), np.float32)
    flat = [batch.column(name).flatten().to_numpy(zero_copy_only=False) for batch in batches]
    return np.concatenate(flat).reshape(-1, width)


def _schema_faults(schema: pa.Schema, dimension: int | None, with_context: bool | None) -> list[str]:
    names = schema.names
    wanted = ["type", "key", "vector"]
    if with_context or (with_context is None and "context" in names):
        wanted.append("context")
    if names != wanted:
        return [f"the columns are {', '.join(names) or 'none'}; {', '.join(wanted)} are expected"]
    faults = []
    if not pa.types.is_string(schema.field("type").type):
        faults.append(f"column 'type' is {schema.field('type').type}, utf8 is expected")
    key = schema.field("key").type
    if not (pa.types.is_int64(key) or pa.types.is_string(key)):
        faults.append(f"column 'key' is {key}, int64 or utf8 is expected")
    for name in wanted[2:]:
        kind = schema.field(name).type
        if not (pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type)):
            faults.append(f"column '{name}' is {kind}, a fixed-size list of float32 is expected")
        elif kind.list_size < 1 or (dimension is not None and kind.list_size != dimension):
            faults.append(
                f"column '{name}' has {kind.list_size} dimensions, {dimension or 'some'} are expected"
            )
    if not faults and "context" in wanted and schema.field("context").type != schema.field("vector").type:
        faults.append("'vector' and 'context' differ in their dimensions")
    return faults
