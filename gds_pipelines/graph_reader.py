"""Reads a GDS projection into numpy arrays, over the ordinary Bolt connection.

With the plugin, ``gnn.graph.export`` sends Arrow record batches whose columns are copied once, into arrays
allocated from the counts that come first. Without it, collected lists of ids and values come through plain
Cypher: the same arrays, slower, after one warning.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import neo4j
import numpy as np
import pyarrow as pa
from neo4j.exceptions import ClientError
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.graph_data import (
    DTYPES,
    RAGGED,
    Arrays,
    Column,
    GraphData,
    NodeTable,
    RelationTable,
    offsets_of,
)

Report = Callable[[str, int, int], None]
"""Called with the name of what is read, the rows of everything read so far, and the rows of all."""

_EXPORT = "CALL gnn.graph.export($graphName, $config) YIELD kind, name, rows, arrow"
_LAYOUTS = ("csr", "coo")
_warned: set[str] = set()


class Sessions(Protocol):
    """A ``Connection``, or a driver of Neo4j."""

    def session(self) -> neo4j.Session: ...


class MissingPlugin(UserWarning):
    """The slow way was taken."""


def read_graph(
    connection: Sessions,
    graph_name: str,
    *,
    layout: str = "csr",
    node_labels: Sequence[str] | None = None,
    relationship_types: Sequence[str] | None = None,
    node_properties: Sequence[str] | None = None,
    relationship_properties: Sequence[str] | None = None,
    label_priority: Sequence[str] = (),
    task: Mapping[str, Any] | None = None,
    grant: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    concurrency: int | None = None,
    into: Path | None = None,
    progress: bool = False,
    report: Report | None = None,
) -> GraphData:
    """Reads a projection.

    Args:
        connection: a ``Connection``, or a ``neo4j.Driver`` for the default database.
        graph_name: a projection of the signed-in user.
        layout: ``csr`` or ``coo``: what travels and is allocated; either gives the other on demand.
        node_labels: the node types; None means all labels of the projection. A node with two of them is
            refused unless ``label_priority`` decides.
        relationship_types: None means all.
        node_properties: None means all, [] none.
        relationship_properties: None means all, [] none.
        label_priority: the type of a node with several labels is the first of these.
        task: a task as Cypher takes it (``Task.to_map()``): its labels are the node types, the first wins.
        grant: ``{jobId, token}`` of a lease, which opens the projection of the one who submitted the job.
        batch_size: rows a record; None makes records of 2 MB.
        concurrency: threads that make records on the server, 1 to 4; None means half its cores.
        into: an empty directory for memory-mapped arrays, for graphs larger than memory;
            ``graph_data.open_graph`` opens it again.
        progress: show a bar on standard error.
        report: called after every record.
    Returns:
        All of it; empty types have arrays of length 0. Client memory: the arrays and one record.
    Raises:
        InvalidInput: for a wrong layout or a directory that is not empty.
        PipelineError: where the server has neither the plugin nor GDS.
        neo4j.exceptions.Neo4jError: with the server's sentence for unknown names or a graph that was dropped.
    """
    if layout not in _LAYOUTS:
        raise InvalidInput(
            "The graph cannot be read", [f"layout '{layout}' is none of {', '.join(_LAYOUTS)}."]
        )
    config: dict[str, Any] = {
        "layout": layout,
        "nodeLabels": node_labels,
        "relationshipTypes": relationship_types,
        "nodeProperties": node_properties,
        "relationshipProperties": relationship_properties,
        "labelPriority": list(label_priority) or None,
        "task": task,
        "batchSize": batch_size,
        "concurrency": concurrency,
    }
    config = {
        key: value if isinstance(value, str | int | Mapping) else list(value)
        for key, value in config.items()
        if value is not None
    } | dict(grant or {})
    arrays = Arrays(into)
    with _bar(graph_name, progress, report) as tell, connection.session() as session:
        try:
            records = session.run(_EXPORT, graphName=graph_name, config=config)
            records.peek()
        except ClientError as error:
            if error.code != "Neo.ClientError.Procedure.ProcedureNotFound":
                raise
        else:
            return arrays.finish(_assemble(records, layout, arrays, tell))
    if "plugin" not in _warned:
        _warned.add("plugin")
        warnings.warn(
            "The server has no gnn4j plugin: the graph is read as collected lists, which is slower. "
            "See: gnn4j server plugin --help",
            MissingPlugin,
            stacklevel=2,
        )
    from gds_pipelines.graph_lists import read_lists  # the way without the plugin

    with _bar(graph_name, progress, report) as tell, connection.session() as session:
        return arrays.finish(read_lists(session, graph_name, config, arrays, tell))


def _assemble(records: neo4j.Result, layout: str, arrays: Arrays, tell: Report) -> GraphData:
    first = next(iter(records), None)
    if first is None or first["kind"] != "schema":
        raise PipelineError("The export did not begin with its schema. Are server and client of one version?")
    schema = json.loads(pa.ipc.open_stream(first["arrow"]).schema.metadata[b"gnn"])
    if schema["format"] != 1:
        raise PipelineError(
            f"The plugin exports format {schema['format']}; this client reads format 1. "
            "Install one version of both."
        )
    nodes = {table["name"]: _NodeFiller(table, arrays) for table in schema["nodes"]}
    counts = {name: filler.rows for name, filler in nodes.items()}
    relations = {
        table["name"]: _RelationFiller(table, layout, counts, arrays) for table in schema["relationships"]
    }
    total = sum(counts.values()) + sum(table["rows"] for table in schema["relationships"])
    done = 0
    for record in records:
        filler = (nodes if record["kind"] == "nodes" else relations)[record["name"]]
        done += filler.add(pa.ipc.open_stream(record["arrow"]).read_next_batch())
        tell(record["name"], done, total)
    tables = {name: filler.finish() for name, filler in nodes.items()}
    edges = {filler.key: filler.finish() for filler in relations.values()}
    return GraphData(schema["graphName"], schema["creationTime"], tables, edges)


class _NodeFiller:
    """Copies the record batches of one node type into its arrays."""

    def __init__(self, table: Mapping[str, Any], arrays: Arrays) -> None:
        self.name: str = table["name"]
        self.rows: int = table["rows"]
        self._arrays = arrays
        self._ids = arrays.make((self.rows,), np.int64)
        self._columns: dict[str, Column] = {}
        self._pieces: dict[str, list[NDArray[Any]]] = {}
        self._lengths: dict[str, list[NDArray[Any]]] = {}
        self._at = 0
        for spec in table["properties"]:
            name, dtype, width = spec["name"], DTYPES[spec["type"]], spec["width"]
            if width == RAGGED:
                self._pieces[name], self._lengths[name] = [], []
                shape: tuple[int, ...] = (0,)
            else:
                shape = (self.rows, width) if width else (self.rows,)
            self._columns[name] = Column(spec["type"], arrays.make(shape, dtype))

    def add(self, batch: pa.RecordBatch) -> int:
        start, end = self._at, self._at + batch.num_rows
        self._ids[start:end] = _numbers(batch.column(0))
        for position, (name, column) in enumerate(self._columns.items(), start=1):
            values = batch.column(position)
            if values.null_count:
                if column.missing is None:
                    column.missing = self._arrays.make((self.rows,), np.bool_, zero=True)
                column.missing[start:end] = values.is_null().to_numpy(zero_copy_only=False)
            if name in self._pieces:
                offsets = np.frombuffer(values.buffers()[1], np.int32, batch.num_rows + 1)
                self._lengths[name].append(np.diff(offsets))
                self._pieces[name].append(_numbers(values.values))
            elif column.values.ndim == 2:
                column.values[start:end] = _numbers(values.values).reshape(batch.num_rows, -1)
            else:
                column.values[start:end] = _numbers(values)
        self._at = end
        return batch.num_rows

    def finish(self) -> NodeTable:
        _require(self._at == self.rows, self.name)
        for name, pieces in self._pieces.items():
            column = self._columns[name]
            column.values = self._arrays.make((sum(map(len, pieces)),), column.values.dtype)
            at = 0
            for piece in pieces:
                column.values[at : at + len(piece)] = piece
                at += len(piece)
            lengths = np.concatenate(self._lengths[name]) if pieces else np.empty(0, np.int32)
            column.offsets = self._arrays.keep(offsets_of(lengths))
        return NodeTable(self.name, self._ids, self._columns)


class _RelationFiller:
    """Copies the record batches of one relation into its arrays."""

    def __init__(
        self, table: Mapping[str, Any], layout: str, counts: Mapping[str, int], arrays: Arrays
    ) -> None:
        self.name: str = table["name"]
        self.key: tuple[str, str, str] = (table["source"], table["type"], table["target"])
        self._rows: int = table["rows"]
        self._counts = (counts[table["source"]], counts[table["target"]])
        self._targets = arrays.make((self._rows,), np.int32)
        self._offsets = arrays.make((self._counts[0] + 1,), np.int64, zero=True) if layout == "csr" else None
        self._sources = arrays.make((self._rows,), np.int32) if layout == "coo" else None
        self._properties = {
            spec["name"]: arrays.make((self._rows,), np.float64) for spec in table["properties"]
        }
        self._at = 0
        self._degrees_at = 0

    def add(self, batch: pa.RecordBatch) -> int:
        names = batch.schema.names
        if names == ["degree"]:
            assert self._offsets is not None
            start = self._degrees_at
            self._degrees_at += batch.num_rows
            piece = self._offsets[start + 1 : self._degrees_at + 1]
            np.cumsum(_numbers(batch.column(0)), out=piece)
            piece += self._offsets[start]
            return 0
        start, end = self._at, self._at + batch.num_rows
        first = 0
        if self._sources is not None:
            self._sources[start:end] = _numbers(batch.column(0))
            first = 1
        self._targets[start:end] = _numbers(batch.column(first))
        for position, values in enumerate(self._properties.values(), start=first + 1):
            values[start:end] = _numbers(batch.column(position))
        self._at = end
        return batch.num_rows

    def finish(self) -> RelationTable:
        _require(self._at == self._rows, self.name)
        if self._offsets is not None:
            _require(self._degrees_at == self._counts[0] and self._offsets[-1] == self._rows, self.name)
        return RelationTable(
            *self.key, *self._counts, self._targets, self._properties, self._offsets, self._sources
        )


def _numbers(array: pa.Array) -> NDArray[Any]:
    """The values where they lie, those under a null too: INTEGER minimum, NaN, zeros."""
    data = array.buffers()[-1]
    dtype = array.type.to_pandas_dtype()
    if data is None or len(array) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, len(array), array.offset * np.dtype(dtype).itemsize)


def _require(complete: bool, name: str) -> None:
    if not complete:
        raise PipelineError(
            f"The export of {name} ended early: fewer rows came than were announced. Read it again."
        )


@contextmanager
def _bar(graph_name: str, shown: bool, report: Report | None) -> Iterator[Report]:
    """What is called after every record: ``report``, and a bar where it is ``shown``."""
    if not shown:
        yield report or (lambda name, done, total: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("Reading {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(graph_name, total=None)

        def tell(name: str, done: int, total: int) -> None:
            bar.update(task, description=name, completed=done, total=total)
            if report is not None:
                report(name, done, total)

        yield tell
