"""A graph in memory, or in memory-mapped files: numpy arrays by node type and by relation.

Nodes of a type are numbered from 0 by ascending Neo4j id; relationships hold these numbers. Nothing here
talks to a database, so training code may import it. Shapes: N = nodes of the type, E = relationships of the
relation, W = length of a list property.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, UnknownName

if TYPE_CHECKING:
    import pandas
    import pyarrow
    import torch
    from torch_geometric.data import HeteroData

INTEGER_MISSING = np.iinfo(np.int64).min
"""What GDS keeps for a missing INTEGER; a missing FLOAT is NaN."""

DTYPES: Mapping[str, type[np.generic]] = {
    "long": np.int64,
    "double": np.float64,
    "float[]": np.float32,
    "double[]": np.float64,
    "long[]": np.int64,
}
RAGGED = -1
_DESCRIPTION = "graph.json"
_RELATION = re.compile(r"\((.*)\)-\[(.*)\]->\((.*)\)")


@dataclass
class Column:
    """One node property.

    Attributes:
        type: ``long``, ``double``, ``float[]``, ``double[]`` or ``long[]``.
        values: [N], [N, W], or [all values] where lists differ in length. A missing value is
            ``INTEGER_MISSING``, NaN or a row of zeros.
        missing: [N] – True where the node lacks the property; None when none does.
        offsets: [N + 1] into ``values`` where lists differ in length, else None.
    """

    type: str
    values: NDArray[Any]
    missing: NDArray[np.bool_] | None = None
    offsets: NDArray[np.int64] | None = None

    def row(self, index: int) -> Any:
        """The value of one node; None where it is missing."""
        if self.missing is not None and self.missing[index]:
            return None
        if self.offsets is None:
            return self.values[index]
        return self.values[self.offsets[index] : self.offsets[index + 1]]


@dataclass
class NodeTable:
    """The nodes of one type.

    Attributes:
        node_ids: [N] – Neo4j ids, ascending. Valid only while the nodes live; never store them.
        columns: the properties by name.
    """

    name: str
    node_ids: NDArray[np.int64]
    columns: dict[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.node_ids)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The values of a property; see ``Column``."""
        return self.column(name).values

    def column(self, name: str) -> Column:
        """Raises UnknownName for a property that was not read."""
        if name not in self.columns:
            raise UnknownName(f"property of {self.name}", name, self.columns)
        return self.columns[name]

    def index_of(self, node_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """[n] – the indices of Neo4j ids, -1 for those of no node of this type."""
        if len(self.node_ids) == 0:
            return np.full(len(node_ids), -1, np.int64)
        found = np.minimum(np.searchsorted(self.node_ids, node_ids), len(self.node_ids) - 1)
        return np.where(self.node_ids[found] == node_ids, found, -1)

    def to_arrow(self) -> "pyarrow.Table":
        """``nodeId`` and the properties; missing values are nulls. Numbers are not copied."""
        import pyarrow as pa

        names, arrays = ["nodeId"], [pa.array(self.node_ids)]
        for name, column in self.columns.items():
            names.append(name)
            arrays.append(_arrow(column))
        return pa.Table.from_arrays(arrays, names=names)


@dataclass
class RelationTable:
    """The relationships of one type between two node types, by ascending source index, then target index.

    Parallel relationships are kept, in ascending order of their property values.

    Attributes:
        targets: [E] – indices of the target nodes.
        properties: [E] each, NaN where missing.
    """

    source: str
    type: str
    target: str
    source_count: int
    target_count: int
    targets: NDArray[np.int32]
    properties: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    given_offsets: NDArray[np.int64] | None = None
    given_sources: NDArray[np.int32] | None = None

    @property
    def name(self) -> str:
        """As messages write it: ``(Source)-[TYPE]->(Target)``."""
        return f"({self.source})-[{self.type}]->({self.target})"

    def __len__(self) -> int:
        return len(self.targets)

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        """[source nodes + 1] – where the neighbours of each source begin; made from COO at first use."""
        if self.given_offsets is not None:
            return self.given_offsets
        assert self.given_sources is not None
        return offsets_of(np.bincount(self.given_sources, minlength=self.source_count))

    @cached_property
    def sources(self) -> NDArray[np.int32]:
        """[E] – indices of the source nodes, ascending; made from CSR at first use."""
        if self.given_sources is not None:
            return self.given_sources
        return np.repeat(np.arange(self.source_count, dtype=np.int32), np.diff(self.offsets))

    def to_arrow(self) -> "pyarrow.Table":
        """``source``, ``target`` and the properties."""
        import pyarrow as pa

        arrays = [pa.array(self.sources), pa.array(self.targets)]
        arrays += [pa.array(values, from_pandas=True) for values in self.properties.values()]
        return pa.Table.from_arrays(arrays, names=["source", "target", *self.properties])

    def edge_index(self) -> "torch.Tensor":
        """[2, E] int64 – sources above targets, as PyG wants them."""
        import torch

        index = torch.empty((2, len(self)), dtype=torch.int64)
        index[0] = torch.as_tensor(_writable(self.sources))
        index[1] = torch.as_tensor(_writable(self.targets))
        return index

    def torch_csr(self, weight: str | None = None) -> "torch.Tensor":
        """A sparse CSR tensor [source nodes, target nodes].

        Args:
            weight: the property that holds the values; ones without it. Parallel relationships stay apart.
        """
        import torch

        values = (
            torch.ones(len(self)) if weight is None else torch.as_tensor(_writable(self.property(weight)))
        )
        return torch.sparse_csr_tensor(
            torch.as_tensor(_writable(self.offsets)),
            torch.as_tensor(_writable(self.targets)).long(),
            values,
            size=(self.source_count, self.target_count),
            check_invariants=False,
        )

    def property(self, name: str) -> NDArray[np.float64]:
        """Raises UnknownName for a property that was not read."""
        if name not in self.properties:
            raise UnknownName(f"property of {self.name}", name, self.properties)
        return self.properties[name]


@dataclass
class GraphData:
    """A projection, read as a whole.

    Attributes:
        creation_time: when it was projected, ISO-8601 UTC; tells projections of one name apart.
        directory: where the arrays lie when they are memory-mapped, else None.
    """

    name: str
    creation_time: str
    nodes: dict[str, NodeTable]
    relations: dict[tuple[str, str, str], RelationTable]
    directory: Path | None = None

    def node_type(self, name: str) -> NodeTable:
        """Raises UnknownName for a node type that was not read."""
        if name not in self.nodes:
            raise UnknownName("node type", name, self.nodes)
        return self.nodes[name]

    def relation(self, source: str, type: str, target: str) -> RelationTable:
        """Raises UnknownName for a relation that was not read."""
        if (source, type, target) not in self.relations:
            known = [relation.name for relation in self.relations.values()]
            raise UnknownName("relation", f"({source})-[{type}]->({target})", known)
        return self.relations[source, type, target]

    def to_arrow(self) -> dict[str, "pyarrow.Table"]:
        """Tables by the name of the node type or of the relation, ``(Source)-[TYPE]->(Target)``."""
        tables = {name: table.to_arrow() for name, table in self.nodes.items()}
        return tables | {relation.name: relation.to_arrow() for relation in self.relations.values()}

    def to_pandas(self) -> dict[str, "pandas.DataFrame"]:
        """Frames by the same names; lists are numpy arrays, missing values None or NaN."""
        return {name: table.to_pandas() for name, table in self.to_arrow().items()}

    def to_pyg(self, features: Mapping[str, Iterable[str]] | None = None) -> "HeteroData":
        """A ``HeteroData``: ``node_id``, ``edge_index``, and all properties by name.

        Args:
            features: properties by node type to be put side by side into ``x``, float32 [N, sum of widths].
        Raises:
            UnknownName: for a type or property that was not read.
            InvalidInput: for features with missing values or lists that differ in length; encode them first.
        """
        import torch
        from torch_geometric.data import HeteroData

        data = HeteroData()
        for name, table in self.nodes.items():
            data[name].num_nodes = len(table)
            data[name].node_id = torch.as_tensor(_writable(table.node_ids))
            for key, column in table.columns.items():
                if column.offsets is None:
                    data[name][key] = torch.as_tensor(_writable(column.values))
        for (source, type_, target), relation in self.relations.items():
            store = data[source, type_, target]
            store.edge_index = relation.edge_index()
            for key, values in relation.properties.items():
                store[key] = torch.as_tensor(_writable(values))
        self.check_features(features or {})
        for name, keys in (features or {}).items():
            data[name].x = self.feature_matrix(name, keys)
        return data

    def check_features(self, features: Mapping[str, Iterable[str]]) -> None:
        """Raises as ``to_pyg`` where ``features`` cannot be put side by side; all faults at once."""
        faults = [
            f"{name}.{key} has {'lists of differing length' if ragged else 'missing values'}"
            for name, keys in features.items()
            for key in keys
            if (ragged := (column := self.node_type(name).column(key)).offsets is not None)
            or column.missing is not None
        ]
        if faults:
            raise InvalidInput("These properties cannot be features as they are; encode them first", faults)

    def feature_matrix(self, node_type: str, keys: Iterable[str]) -> "torch.Tensor":
        """float32 [N, sum of widths] – properties side by side; raises as ``to_pyg``."""
        import torch

        keys, table = list(keys), self.node_type(node_type)
        self.check_features({node_type: keys})
        parts = [table[key].reshape(len(table), -1) for key in keys]
        x = np.empty((len(table), sum(part.shape[1] for part in parts)), np.float32)
        np.concatenate(parts, axis=1, out=x, casting="unsafe")
        return torch.as_tensor(x)


class Arrays:
    """Allocates the arrays of a graph: in memory, or as ``.npy`` files of an empty directory.

    Raises:
        InvalidInput: if the directory holds files already.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory
        self._made = 0
        if directory is None:
            return
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise InvalidInput(f"{directory} cannot take a graph", ["it is not empty; name a new directory."])

    def make(self, shape: tuple[int, ...], dtype: Any, zero: bool = False) -> NDArray[Any]:
        """An array whose content is not defined unless ``zero``. Never mapped when empty: no file can."""
        if self.directory is None or 0 in shape:
            return np.zeros(shape, dtype) if zero else np.empty(shape, dtype)
        path = self.directory / f"{self._made:04}.npy"
        self._made += 1
        return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)

    def keep(self, values: NDArray[Any]) -> NDArray[Any]:
        """The array itself, or its copy in a file."""
        if self.directory is None:
            return values
        stored = self.make(values.shape, values.dtype)
        stored[...] = values
        return stored

    def finish(self, graph: GraphData) -> GraphData:
        """Writes the description of mapped arrays last: a directory without one is an unfinished graph."""
        if self.directory is None:
            return graph
        graph.directory = self.directory
        description = {
            "format": 1,
            "name": graph.name,
            "creationTime": graph.creation_time,
            "nodes": [
                {
                    "name": table.name,
                    "nodeIds": _reference(table.node_ids),
                    "columns": [
                        {
                            "name": name,
                            "type": column.type,
                            "values": _reference(column.values),
                            "missing": _reference(column.missing),
                            "offsets": _reference(column.offsets),
                        }
                        for name, column in table.columns.items()
                    ],
                }
                for table in graph.nodes.values()
            ],
            "relations": [
                {
                    "source": relation.source,
                    "type": relation.type,
                    "target": relation.target,
                    "targets": _reference(relation.targets),
                    "offsets": _reference(relation.given_offsets),
                    "sources": _reference(relation.given_sources),
                    "properties": {name: _reference(values) for name, values in relation.properties.items()},
                }
                for relation in graph.relations.values()
            ],
        }
        text = json.dumps(description, indent=1, ensure_ascii=False)
        partial = self.directory / (_DESCRIPTION + ".part")
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.directory / _DESCRIPTION)
        return graph


def open_graph(directory: Path) -> GraphData:
    """Maps a graph that ``read_graph(…, into=directory)`` wrote; no database is needed.

    The files are never changed: what is written to an array stays in this process. So torch takes the arrays
    without a copy.

    Raises:
        InvalidInput: if the directory holds no finished graph, or one of another format.
    """
    try:
        description = json.loads((directory / _DESCRIPTION).read_text(encoding="utf-8"))
    except FileNotFoundError:
        reason = f"it has no {_DESCRIPTION}: the reading did not finish. Delete it and read the graph again."
        raise InvalidInput(f"{directory} holds no graph", [reason]) from None
    if description.get("format") != 1:
        raise InvalidInput(f"{directory} cannot be read", [f"format {description.get('format')} is not 1."])

    def array(reference: dict[str, Any] | None) -> NDArray[Any] | None:
        if reference is None:
            return None
        if "file" in reference:
            return np.load(directory / reference["file"], mmap_mode="c", allow_pickle=False)
        return np.empty(reference["shape"], np.dtype(reference["dtype"]))

    nodes = {}
    for table in description["nodes"]:
        columns = {
            column["name"]: Column(
                column["type"], array(column["values"]), array(column["missing"]), array(column["offsets"])
            )
            for column in table["columns"]
        }
        nodes[table["name"]] = NodeTable(table["name"], array(table["nodeIds"]), columns)
    relations = {}
    for relation in description["relations"]:
        source, type_, target = relation["source"], relation["type"], relation["target"]
        relations[source, type_, target] = RelationTable(
            source,
            type_,
            target,
            len(nodes[source]),
            len(nodes[target]),
            array(relation["targets"]),
            {name: array(values) for name, values in relation["properties"].items()},
            array(relation["offsets"]),
            array(relation["sources"]),
        )
    return GraphData(description["name"], description["creationTime"], nodes, relations, directory)


def offsets_of(degrees: NDArray[Any]) -> NDArray[np.int64]:
    """[n + 1] – where each row begins, from [n] row lengths."""
    offsets = np.zeros(len(degrees) + 1, np.int64)
    np.cumsum(degrees, out=offsets[1:])
    return offsets


def parse_relation(name: str) -> tuple[str, str, str]:
    """``(Source)-[TYPE]->(Target)`` in parts.

    Raises:
        InvalidInput: for another form.
    """
    match = _RELATION.fullmatch(name)
    if match is None:
        raise InvalidInput(f"'{name}' is no relation", ["write (Source)-[TYPE]->(Target)."])
    return match[1], match[2], match[3]


def _reference(array: NDArray[Any] | None) -> dict[str, Any] | None:
    if array is None:
        return None
    if isinstance(array, np.memmap):
        array.flush()
        return {"file": Path(str(array.filename)).name}
    return {"shape": list(array.shape), "dtype": array.dtype.str}


def _arrow(column: Column) -> "pyarrow.Array":
    import pyarrow as pa

    mask = None if column.missing is None else pa.array(column.missing)
    if column.offsets is not None:
        return pa.LargeListArray.from_arrays(pa.array(column.offsets), pa.array(column.values), mask=mask)
    if column.values.ndim == 2:
        flat = pa.array(np.ascontiguousarray(column.values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, column.values.shape[1], mask=mask)
    return pa.array(column.values, mask=column.missing)


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    """Torch wants memory it may write to; read-only maps are copied."""
    return array if array.flags.writeable else array.copy()
