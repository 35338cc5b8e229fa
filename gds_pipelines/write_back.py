"""Sends arrays back: onto stored nodes, or into a projection.

With the plugin, Arrow pieces of some megabytes go to ``gnn.nodeProperty.write`` and
``gnn.relationship.write``, which check label and key of every node and commit in batches of their own.
Without it, rows go through ``UNWIND``, slower.
"""

import hashlib
import json
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import neo4j
import numpy as np
import pyarrow as pa
from neo4j.exceptions import ClientError
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.graph_reader import MissingPlugin, Sessions

PIECE_BYTES = 8 << 20
"""Bytes sent in one call; uploads are fastest between 5 and 25 MB."""
LANES = 2
"""Calls at once, where as many threads are wished: one is sent while the other is written."""
MOST_THREADS = 4
NODE_THREADS = 2
"""More than one core commits seldom pays: the transaction log is one."""

_WRITE = """
CALL gnn.nodeProperty.write($name, $config)
YIELD nodePropertiesWritten, skippedMissing, skippedChanged, batchesCommitted, batchesFailed, firstError
RETURN nodePropertiesWritten AS written, 0 AS created, skippedMissing, skippedChanged, batchesCommitted,
       batchesFailed, firstError
"""
_WRITE_RELATIONSHIPS = """
CALL gnn.relationship.write($name, $config)
YIELD relationshipsCreated, relationshipPropertiesWritten, skippedMissing, skippedChanged, batchesCommitted,
      batchesFailed, firstError
RETURN relationshipPropertiesWritten AS written, relationshipsCreated AS created, skippedMissing,
       skippedChanged, batchesCommitted, batchesFailed, firstError
"""
_MUTATE = """
CALL gnn.nodeProperty.mutate($graph, $config) YIELD nodeProperty, nodePropertiesWritten, skippedMissing
"""
_WRITE_ROWS = """
CYPHER 5
UNWIND $rows AS row
OPTIONAL MATCH (found) WHERE id(found) = row.nodeId
WITH row, found,
     found IS NOT NULL AND $name IN labels(found) AND ($key IS NULL OR found[$key] = row.key) AS same
FOREACH (node IN CASE WHEN same THEN [found] ELSE [] END | SET node += row.values)
RETURN count(CASE WHEN same THEN 1 END) AS kept, count(CASE WHEN found IS NULL THEN 1 END) AS missing
"""
_WRITE_RELATIONSHIP_ROWS = """
CYPHER 5
UNWIND $rows AS row
OPTIONAL MATCH (source) WHERE id(source) = row.sourceId
OPTIONAL MATCH (target) WHERE id(target) = row.targetId
WITH row, source, target, source IS NOT NULL AND target IS NOT NULL AS there
WITH *, there AND ($sourceLabel IS NULL OR $sourceLabel IN labels(source))
              AND ($targetLabel IS NULL OR $targetLabel IN labels(target))
              AND ($sourceKey IS NULL OR source[$sourceKey] = row.sourceKey)
              AND ($targetKey IS NULL OR target[$targetKey] = row.targetKey) AS same
CALL (row, source, target, same) {
  WITH * WHERE same
  MERGE (source)-[r:$($name)]->(target)
  SET r += row.values
  RETURN count(r) AS merged
}
RETURN count(CASE WHEN same THEN 1 END) AS kept, count(CASE WHEN NOT there THEN 1 END) AS missing
"""
_UNWIND_ROWS = 5_000
_warned: set[str] = set()


@dataclass
class WriteReport:
    """What became of the rows.

    Attributes:
        written: property values set, or removed where None was sent.
        created: relationships that were not there before.
        skipped_missing: rows whose node is gone.
        skipped_changed: rows whose node lacks the label or has another key.
        batches_committed: transactions, or calls of the slow way, that were committed.
        batches_failed: those that failed after three more attempts; what was committed stays.
        first_error: why the first failed, None where none did.
        rows_resumed: rows that an earlier run had written and that were not sent again.
    """

    written: int = 0
    created: int = 0
    skipped_missing: int = 0
    skipped_changed: int = 0
    batches_committed: int = 0
    batches_failed: int = 0
    first_error: str | None = None
    rows_resumed: int = 0

    def add(self, other: "WriteReport") -> None:
        """Count what another batch did; the first error stays."""
        for name, value in asdict(other).items():
            if name != "first_error":
                setattr(self, name, getattr(self, name) + value)
        self.first_error = self.first_error or other.first_error


def write_node_properties(
    connection: Sessions,
    label: str,
    node_ids: NDArray[np.int64],
    values: Mapping[str, Any],
    *,
    key: str | None = None,
    keys: Sequence[int] | Sequence[str] | NDArray[Any] | None = None,
    batch_size: int | None = None,
    concurrency: int = NODE_THREADS,
    journal: Path | None = None,
    report: Callable[[int, int], None] | None = None,
) -> WriteReport:
    """Writes properties of stored nodes. Not atomic; safe to run again.

    Args:
        connection: a ``Connection`` or a driver.
        label: the label the nodes must carry.
        node_ids: [N] – Neo4j ids, in any order, each once.
        values: arrays [N] or [N, W], or Arrow arrays, by property; float32 rows are stored as ``float[]``.
            A null in an Arrow array removes the property.
        key: the property that tells whether an id still means the same node.
        keys: [N] – its values; wanted with ``key``.
        batch_size: rows a transaction; None means 5,000.
        concurrency: threads on the server, 1 to 4.
        journal: a file that remembers what was written: a run that was killed goes on behind it when it is
            called again with the same data. It is deleted at the end.
        report: called with the rows sent so far and all rows.
    Raises:
        InvalidInput: for arrays that do not fit together, all faults at once.
        PipelineError: when the journal belongs to other data.
    """
    table = _table({"nodeId": node_ids}, {"key": (key, keys)}, values, ["values"] if not values else [])
    config = {"key": key, "batchSize": batch_size, "concurrency": concurrency}
    return _send(connection, _Statements(_WRITE, _WRITE_ROWS), label, config, table, journal, report)


def write_relationships(
    connection: Sessions,
    relationship_type: str,
    source_ids: NDArray[np.int64],
    target_ids: NDArray[np.int64],
    values: Mapping[str, Any] | None = None,
    *,
    source_label: str | None = None,
    target_label: str | None = None,
    source_key: str | None = None,
    source_keys: Sequence[int] | Sequence[str] | NDArray[Any] | None = None,
    target_key: str | None = None,
    target_keys: Sequence[int] | Sequence[str] | NDArray[Any] | None = None,
    batch_size: int | None = None,
    concurrency: int | None = None,
    journal: Path | None = None,
    report: Callable[[int, int], None] | None = None,
) -> WriteReport:
    """Makes relationships, one a pair, and sets the properties of those that are there. Safe to run again.

    Args:
        relationship_type: letters A to Z, digits and underscores.
        source_ids, target_ids: [N] each – Neo4j ids, in any order, each pair once.
        values: arrays [N] by property.
        source_label, target_label: labels the nodes must carry; None asks for none.
        source_key, source_keys, target_key, target_keys: properties, and their values [N], that tell whether
            an id still means the same node.
        concurrency: threads on the server, 1 to 4; None means 1. Side by side, batches may wait for each
            other's nodes; what fails for that is tried again.
        batch_size, journal, report: as for ``write_node_properties``.
    Raises:
        InvalidInput: for arrays that do not fit together, all faults at once.
        PipelineError: when the journal belongs to other data.
    """
    keys = {"sourceKey": (source_key, source_keys), "targetKey": (target_key, target_keys)}
    table = _table({"sourceId": source_ids, "targetId": target_ids}, keys, values or {})
    config = {
        "sourceLabel": source_label,
        "targetLabel": target_label,
        "sourceKey": source_key,
        "targetKey": target_key,
        "batchSize": batch_size,
        "concurrency": concurrency,
    }
    statements = _Statements(_WRITE_RELATIONSHIPS, _WRITE_RELATIONSHIP_ROWS)
    return _send(connection, statements, relationship_type, config, table, journal, report)


def mutate_node_properties(
    connection: Sessions,
    graph_name: str,
    node_ids: NDArray[np.int64],
    values: Mapping[str, Any],
    *,
    node_labels: Sequence[str] | None = None,
    if_exists: str = "fail",
) -> dict[str, tuple[int, int]]:
    """Adds properties to a projection; GDS's own procedures read them there.

    Args:
        node_ids: [N] – Neo4j ids, in any order, each once.
        values: arrays [N] or [N, W] by property.
        node_labels: the labels whose nodes get them; None means all.
        if_exists: ``fail``, ``replace``, or ``merge`` into the values that are there.
    Returns:
        By property the nodes that got a value, and the rows whose node is not in the projection.
    Raises:
        InvalidInput: for arrays that do not fit together, all faults at once.
        PipelineError: where the server has no plugin; plain Cypher cannot do this.
    """
    table = _table({"nodeId": node_ids}, {}, values, ["values"] if not values else [])
    done: dict[str, tuple[int, int]] = {}
    with connection.session() as session:
        for number, piece in enumerate(_pieces(table, pieces_of=32 * PIECE_BYTES)):
            config: dict[str, Any] = {
                "arrow": _stream(piece),
                "ifExists": if_exists if number == 0 else "merge",
            }
            if node_labels is not None:
                config["nodeLabels"] = list(node_labels)
            try:
                records = list(session.run(_MUTATE, graph=graph_name, config=config))
            except ClientError as error:
                if not _lacks_plugin(error):
                    raise
                raise PipelineError(
                    "A projection can be changed by the gnn4j plugin only. See: gnn4j server plugin --help"
                ) from error
            for record in records:
                written, missing = done.get(record["nodeProperty"], (0, 0))
                done[record["nodeProperty"]] = (
                    written + record["nodePropertiesWritten"],
                    missing + record["skippedMissing"],
                )
    return done


def _table(
    ids: Mapping[str, NDArray[np.int64]],
    keys: Mapping[str, tuple[str | None, Any]],
    values: Mapping[str, Any],
    empty: Sequence[str] = (),
) -> pa.Table:
    """Id columns, key columns that were given, and the properties, sorted by the ids.

    Args:
        keys: by column the name of the property and its values.
        empty: what must not be empty and is.
    """
    faults = [f"{name} is empty: name at least one property." for name in empty]
    ids = {name: np.asarray(column, np.int64) for name, column in ids.items()}
    length = len(next(iter(ids.values())))
    if any(len(column) != length for column in ids.values()):
        raise InvalidInput("These values cannot be written", ["the arrays of ids differ in length."])
    order = np.lexsort(list(reversed(ids.values())))
    if length and np.logical_and.reduce([np.diff(column[order]) == 0 for column in ids.values()]).any():
        faults.append(f"{' and '.join(ids)} come more than once.")
    reserved = [name for name in values if name in ids or name in keys]
    faults += [f"'{name}' names a column of its own; no property can be sent under it." for name in reserved]
    columns: dict[str, Any] = {}
    for name, (property_name, column) in keys.items():
        if (property_name is None) != (column is None):
            faults.append(f"{name}: the property and its values go together.")
        elif column is not None:
            columns[name] = column
    names, arrays = list(ids), [pa.array(column[order]) for column in ids.values()]
    sorted_already = bool((order == np.arange(length)).all())
    for name, column in (columns | dict(values)).items():
        try:
            array = _array(column)
        except (TypeError, ValueError, pa.ArrowInvalid) as error:
            faults.append(f"'{name}': {error}")
            continue
        if len(array) != length:
            faults.append(f"'{name}' has {len(array)} rows, but there are {length} ids.")
            continue
        names.append(name)
        arrays.append(array if sorted_already else array.take(pa.array(order)))
    if faults:
        raise InvalidInput("These values cannot be written", faults)
    return pa.Table.from_arrays(arrays, names=names).combine_chunks()


def _array(column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    if isinstance(column, pa.Array):
        return column
    if hasattr(column, "detach"):  # a torch tensor
        column = column.detach().cpu().numpy()
    array = np.asarray(column)
    if array.ndim == 1:
        return pa.array(array if array.dtype != object else list(column))
    if array.ndim != 2 or array.shape[1] == 0:
        raise ValueError(f"has shape {array.shape}; one value or one list a node is wanted.")
    return pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(array).reshape(-1)), array.shape[1]
    )


def _pieces(table: pa.Table, pieces_of: int | None = None) -> Iterator[pa.RecordBatch]:
    rows = max(1, (pieces_of or PIECE_BYTES) // max(1, table.nbytes // max(1, table.num_rows)))
    batches = table.to_batches(max_chunksize=rows)
    # A projection gets its property even where no node does.
    yield from batches or [pa.RecordBatch.from_pylist([], schema=table.schema)]


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@dataclass(frozen=True)
class _Statements:
    """The call of the plugin, and the statement for rows without it."""

    call: str
    rows: str


def _send(
    connection: Sessions,
    statements: _Statements,
    name: str,
    config: Mapping[str, Any],
    table: pa.Table,
    journal: Path | None,
    report: Callable[[int, int], None] | None,
) -> WriteReport:
    total, done = WriteReport(), 0
    log = _Journal(journal, name, config, table) if journal else None
    pieces = list(_pieces(table))
    written = log.pieces if log is not None else 0
    lanes, threads = 1, config["concurrency"]
    if threads in range(LANES, MOST_THREADS + 1) and len(pieces) - written > 1:
        lanes, config = LANES, {**config, "concurrency": threads // LANES}
    found = _written(connection, statements, name, config, pieces[written:], lanes)
    with closing(found):
        for number, piece in enumerate(pieces):
            if number < written:
                total.rows_resumed += piece.num_rows
            else:
                total.add(next(found))
                if log is not None and total.batches_failed == 0:
                    log.wrote()
            done += piece.num_rows
            if report is not None:
                report(done, table.num_rows)
    if log is not None and total.batches_failed == 0:
        log.delete()
    return total


def _written(
    connection: Sessions,
    statements: _Statements,
    name: str,
    config: Mapping[str, Any],
    pieces: Sequence[pa.RecordBatch],
    lanes: int,
) -> Iterator[WriteReport]:
    """What became of each piece, in order; while one is written, the next is sent in a session of its own."""

    def call(piece: pa.RecordBatch) -> WriteReport:
        given = {key: value for key, value in config.items() if value is not None}
        with connection.session() as session:
            result = session.run(statements.call, name=name, config=given | {"arrow": _stream(piece)})
            return WriteReport(*result.single(strict=True).values())

    left, pending = deque(pieces), deque()
    with ThreadPoolExecutor(lanes, thread_name_prefix="gnn4j-write") as threads:
        while left or pending:
            while left and len(pending) < lanes:
                pending.append((left[0], threads.submit(call, left.popleft())))
            piece, answer = pending.popleft()
            try:
                yield answer.result()
            except ClientError as error:
                if not _lacks_plugin(error):
                    raise
                yield _write_slowly(connection, statements, name, config, piece)


def _write_slowly(
    connection: Sessions,
    statements: _Statements,
    name: str,
    config: Mapping[str, Any],
    piece: pa.RecordBatch,
) -> WriteReport:
    if "plugin" not in _warned:
        _warned.add("plugin")
        warnings.warn(
            "The server has no gnn4j plugin: values are written row by row, which is slower. "
            "See: gnn4j server plugin --help",
            MissingPlugin,
            stacklevel=5,
        )
    total = WriteReport()
    own = {"nodeId", "key", "sourceId", "targetId", "sourceKey", "targetKey"} & set(piece.schema.names)
    names = [column for column in piece.schema.names if column not in own]
    with connection.session() as session:
        for start in range(0, piece.num_rows, _UNWIND_ROWS):
            part = piece.slice(start, _UNWIND_ROWS).to_pylist()
            rows = [
                {column: row[column] for column in own}
                | {"values": {column: row[column] for column in names}}
                for row in part
            ]
            total.add(session.execute_write(_write_rows, statements.rows, name, config, rows, len(names)))
    return total


def _write_rows(
    tx: neo4j.ManagedTransaction,
    statement: str,
    name: str,
    config: Mapping[str, Any],
    rows: list[dict[str, Any]],
    properties: int,
) -> WriteReport:
    result = tx.run(statement, {**config, "name": name, "rows": rows})
    record = result.single(strict=True)
    kept, missing = record["kept"], record["missing"]
    created = result.consume().counters.relationships_created
    return WriteReport(kept * properties, created, missing, len(rows) - kept - missing, 1)


def _lacks_plugin(error: ClientError) -> bool:
    return error.code == "Neo.ClientError.Procedure.ProcedureNotFound"


class _Journal:
    """Counts the pieces that were written, beside a fingerprint of the data they were cut from."""

    def __init__(self, path: Path, name: str, config: Mapping[str, Any], table: pa.Table) -> None:
        self._path = path
        digest = hashlib.sha256(json.dumps([name, dict(config), str(table.schema)]).encode())
        for column in table.columns:
            for chunk in column.chunks:
                for buffer in chunk.buffers():
                    digest.update(buffer or b"")
        fingerprint = digest.hexdigest()
        self.pieces = 0
        if path.exists():
            lines = path.read_text(encoding="ascii").split()
            if not lines or lines[0] != fingerprint:
                raise PipelineError(f"The journal {path} belongs to other data. Delete it to begin anew.")
            self.pieces = len(lines) - 1
        else:
            path.write_text(fingerprint + "\n", encoding="ascii")

    def wrote(self) -> None:
        with self._path.open("a", encoding="ascii") as file:
            file.write("+\n")

    def delete(self) -> None:
        self._path.unlink()
