"""Relationship properties in the batches of PyG's loaders.

PyG's stores have no place for them, but its samplers may number the relationships drawn: a batch then has
``e_id``. Here that is the row in the ``RelationTable``, of parallel relationships the first; of these each
property takes its largest value, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data, HeteroData

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import RelationTable
from gds_pipelines.sampling.plan import Relation

Triple = tuple[str, str, str]


class RelationshipValues:
    """Numbers and properties of relationships by their ends.

    Args:
        tables: by (source type, TYPE, target type).
    """

    def __init__(self, tables: Mapping[Triple, RelationTable]) -> None:
        self._tables = tables
        self._reduced: dict[tuple[Triple, str], NDArray[np.float32]] = {}

    def rows(
        self, relation: Relation, senders: NDArray[np.int64], receivers: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """[n] – the first row of each pair, which must be there. Bisection within the row of the source."""
        table = self._tables[relation.stored]
        sources, targets = (senders, receivers) if relation.direction == "out" else (receivers, senders)
        low, high = table.offsets[sources], table.offsets[sources + 1]
        while (open_ones := low < high).any():
            middle = (low + high) // 2
            below = open_ones & (table.targets[np.minimum(middle, len(table) - 1)] < targets)
            low = np.where(below, middle + 1, low)
            high = np.where(open_ones & ~below, middle, high)
        return np.asarray(low, np.int64)

    def attach(self, names: Sequence[str]) -> Callable[[Data | HeteroData], Data | HeteroData]:
        """As ``PygGraph.edge_attr`` says."""
        known = sorted({name for table in self._tables.values() for name in table.properties})
        for name in names:
            if name not in known:
                raise UnknownName("relationship property", name, known)
        if (
            len({end for source, _, target in self._tables for end in (source, target)})
            == 1
            < len(self._tables)
        ):
            raise InvalidInput(
                "Relationship properties cannot be given to PyG",
                ["there is one node type and several relationship types; read one of them."],
            )

        def transform(data: Data | HeteroData) -> Data | HeteroData:
            stores = data.edge_stores if isinstance(data, HeteroData) else [data]
            for store in stores:
                if "e_id" not in store:
                    continue
                key = self._stored(store._key if isinstance(data, HeteroData) else None)
                if any(name in self._tables[key].properties for name in names):
                    columns = [self._column(key, name)[store.e_id.numpy()] for name in names]
                    store.edge_attr = torch.from_numpy(np.stack(columns, 1))
            return data

        return transform

    def _stored(self, edge_type: Triple | None) -> Triple:
        if edge_type is None:
            return next(iter(self._tables))
        sender, name, receiver = edge_type
        return edge_type if edge_type in self._tables else (receiver, name.removeprefix("rev_"), sender)

    def _column(self, key: Triple, name: str) -> NDArray[np.float32]:
        """[E], at the first row of parallel relationships the largest value of all of them."""
        if (key, name) not in self._reduced:
            table = self._tables[key]
            values = np.full(len(table), np.nan) if name not in table.properties else table.properties[name]
            same = (np.diff(table.sources) == 0) & (np.diff(table.targets) == 0)
            values = np.asarray(values, np.float32)
            if same.any():
                first = np.flatnonzero(np.r_[True, ~same])
                values = values.copy()
                values[first] = np.fmax.reduceat(values, first)
            self._reduced[key, name] = values
        return self._reduced[key, name]
