"""Sends arrays back: onto stored nodes, or into a projection.

With the plugin, Arrow pieces of some megabytes go to ``gnn.nodeProperty.write``, which checks label and key
of every node and commits in batches of its own. Without it, rows go through ``UNWIND``, slower.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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

_WRITE = """
CALL gnn.nodeProperty.write($label, $config)
YIELD nodePropertiesWritten, skippedMissing, skippedChanged, batchesCommitted, batchesFailed, firstError
"""
_MUTATE = """
CALL gnn.nodeProperty.mutate($graph, $config) YIELD nodeProperty, nodePropertiesWritten, skippedMissing
"""
_WRITE_ROWS = """
CYPHER 5
UNWIND $rows AS row
OPTIONAL MATCH (found) WHERE id(found) = row.id
WITH row, found,
     found IS NOT NULL AND $label IN labels(found) AND ($key IS NULL OR found[$key] = row.key) AS same
FOREACH (node IN CASE WHEN same THEN [found] ELSE [] END | SET node += row.values)
RETURN count(CASE WHEN same THEN 1 END) AS written, count(CASE WHEN found IS NULL THEN 1 END) AS missing,
       count(CASE WHEN found IS NOT NULL AND NOT same THEN 1 END) AS changed
"""
_UNWIND_ROWS = 5_000
_warned: set[str] = set()


@dataclass
class WriteReport:
    """What became of the rows.

    Attributes:
        written: property values set, or removed where None was sent.
        skipped_missing: rows whose node is gone.
        skipped_changed: rows whose node lacks the label or has another key.
        batches_committed: transactions, or calls of the slow way, that were committed.
        batches_failed: those that failed after three more attempts; what was committed stays.
        first_error: why the first failed, None where none did.
        rows_resumed: rows that an earlier run had written and that were not sent again.
    """

    written: int = 0
    skipped_missing: int = 0
    skipped_changed: int = 0
    batches_committed: int = 0
    batches_failed: int = 0
    first_error: str | None = None
    rows_resumed: int = 0

    def add(self, other: "WriteReport") -> None:
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
    concurrency: int | None = None,
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
        concurrency: threads on the server, 1 to 4; None means half its cores.
        journal: a file that remembers what was written: a run that was killed goes on behind it when it is
            called again with the same data. It is deleted at the end.
        report: called with the rows sent so far and all rows.
    Raises:
        InvalidInput: for arrays that do not fit together, all faults at once.
        PipelineError: when the journal belongs to other data.
    """
    table = _table(node_ids, values, key, keys)
    config = {"key": key, "batchSize": batch_size, "concurrency": concurrency}
    config = {name: value for name, value in config.items() if value is not None}
    pieces = list(_pieces(table))
    total, done = WriteReport(), 0
    log = _Journal(journal, label, config, table) if journal else None
    with connection.session() as session:
        for number, piece in enumerate(pieces):
            if log is not None and number < log.pieces:
                total.rows_resumed += piece.num_rows
            else:
                total.add(_write(session, label, config, piece))
                if log is not None and total.batches_failed == 0:
                    log.wrote()
            done += piece.num_rows
            if report is not None:
                report(done, table.num_rows)
    if log is not None and total.batches_failed == 0:
        log.delete()
    return total


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
    table = _table(node_ids, values, None, None)
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


def _table(node_ids: NDArray[np.int64], values: Mapping[str, Any], key: str | None, keys: Any) -> pa.Table:
    """Columns ``nodeId``, perhaps ``key``, and the properties, sorted by id."""
    node_ids = np.asarray(node_ids, np.int64)
    faults = []
    order = np.argsort(node_ids, kind="stable")
    if len(node_ids) and (np.diff(node_ids[order]) == 0).any():
        faults.append("node_ids has a node more than once.")
    if not values:
        faults.append("values is empty: name at least one property.")
    if (key is None) != (keys is None):
        faults.append("key and keys go together: the property and its values.")
    names, arrays = ["nodeId"], [pa.array(node_ids[order])]
    columns = ({"key": keys} if keys is not None else {}) | dict(values)
    sorted_already = bool((order == np.arange(len(order))).all())
    for name, column in columns.items():
        try:
            array = _array(column)
        except (TypeError, ValueError, pa.ArrowInvalid) as error:
            faults.append(f"'{name}': {error}")
            continue
        if len(array) != len(node_ids):
            faults.append(f"'{name}' has {len(array)} rows, but there are {len(node_ids)} node_ids.")
            continue
        names.append(name)
        arrays.append(array if sorted_already else array.take(pa.array(order)))
    if "key" in values or "nodeId" in values:
        faults.append("'key' and 'nodeId' name columns of their own; no property can be sent under them.")
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


def _write(
    session: neo4j.Session, label: str, config: Mapping[str, Any], piece: pa.RecordBatch
) -> WriteReport:
    try:
        record = session.run(_WRITE, label=label, config={**config, "arrow": _stream(piece)}).single(
            strict=True
        )
        return WriteReport(*record.values())
    except ClientError as error:
        if not _lacks_plugin(error):
            raise
    if "plugin" not in _warned:
        _warned.add("plugin")
        warnings.warn(
            "The server has no gnn4j plugin: values are written row by row, which is slower. "
            "See: gnn4j server plugin --help",
            MissingPlugin,
            stacklevel=4,
        )
    total = WriteReport()
    names = [name for name in piece.schema.names if name not in ("nodeId", "key")]
    for start in range(0, piece.num_rows, _UNWIND_ROWS):
        rows = [
            {"id": row["nodeId"], "key": row.get("key"), "values": {name: row[name] for name in names}}
            for row in piece.slice(start, _UNWIND_ROWS).to_pylist()
        ]
        record = session.execute_write(
            lambda tx, rows: tx.run(_WRITE_ROWS, rows=rows, label=label, key=config.get("key")).single(
                strict=True
            ),
            rows,
        )
        written = record["written"] * len(names)
        total.add(WriteReport(written, record["missing"], record["changed"], 1))
    return total


def _lacks_plugin(error: ClientError) -> bool:
    return error.code == "Neo.ClientError.Procedure.ProcedureNotFound"


class _Journal:
    """Counts the pieces that were written, beside a fingerprint of the data they were cut from."""

    def __init__(self, path: Path, label: str, config: Mapping[str, Any], table: pa.Table) -> None:
        self._path = path
        digest = hashlib.sha256(json.dumps([label, config, str(table.schema)]).encode())
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
