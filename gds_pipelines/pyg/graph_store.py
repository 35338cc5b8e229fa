"""PyG's ``GraphStore`` over the relationships of a projection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import EdgeAttr, GraphStore
from torch_geometric.data.graph_store import EdgeLayout

from gds_pipelines.errors import InvalidInput
from gds_pipelines.graph_data import RelationTable
from gds_pipelines.sampling.plan import Relation


class RelationStore(GraphStore):
    """Edge indices by edge type; a relation read against its direction is ``rev_<TYPE>``. Read-only.

    Args:
        relations: what there is.
        counts: nodes by type.
        table: gives the relationships of (source, type, target); asked at first use.
    """

    def __init__(
        self,
        relations: list[Relation],
        counts: Mapping[str, int],
        table: Callable[[tuple[str, str, str]], RelationTable | None],
    ) -> None:
        super().__init__()
        self._relations = {relation.edge_type: relation for relation in relations}
        self._counts, self._table = counts, table

    def _put_edge_index(self, edge_index: Any, edge_attr: EdgeAttr) -> bool:
        raise InvalidInput(
            f"The edges {edge_attr.edge_type} cannot be stored",
            ["the store reads a projection; write with gnn.relationship.write, and project anew."],
        )

    def _remove_edge_index(self, edge_attr: EdgeAttr) -> bool:
        raise InvalidInput(
            f"The edges {edge_attr.edge_type} cannot be removed",
            ["the store reads a projection; make a smaller one with gds.graph.filter."],
        )

    def get_all_edge_attrs(self) -> list[EdgeAttr]:
        """One for each edge type, in the layout that is at hand without a copy of the relationships."""
        return [
            EdgeAttr(
                edge_type,
                EdgeLayout.CSR if relation.direction == "out" else EdgeLayout.CSC,
                size=(self._counts[relation.sender], self._counts[relation.receiver]),
            )
            for edge_type, relation in self._relations.items()
        ]

    def _get_edge_index(self, edge_attr: EdgeAttr) -> tuple[Tensor, Tensor] | None:
        relation = self._relations.get(tuple(edge_attr.edge_type))
        if relation is None:
            return None
        table = self._table(relation.stored)
        if table is None:
            return _nothing(edge_attr.layout, self._counts[relation.sender], self._counts[relation.receiver])
        sources, targets = _tensor(table.sources), _tensor(table.targets)
        out = relation.direction == "out"
        row, col = (sources, targets) if out else (targets, sources)
        if edge_attr.layout == EdgeLayout.COO:
            return row, col
        if edge_attr.layout == (EdgeLayout.CSR if out else EdgeLayout.CSC):
            offsets = _tensor(table.offsets)
            return (offsets, col) if out else (row, offsets)
        # The table ascends by the other end.
        order = torch.argsort(targets, stable=True)
        offsets = torch.zeros(table.target_count + 1, dtype=torch.int64)
        torch.cumsum(torch.bincount(targets, minlength=table.target_count), 0, out=offsets[1:])
        return (row[order], offsets) if out else (offsets, col[order])


def _tensor(array: Any) -> Tensor:
    return torch.as_tensor(array if array.flags.writeable else array.copy()).long()


def _nothing(layout: EdgeLayout, rows: int, cols: int) -> tuple[Tensor, Tensor]:
    none = torch.empty(0, dtype=torch.int64)
    if layout == EdgeLayout.COO:
        return none, none.clone()
    if layout == EdgeLayout.CSR:
        return torch.zeros(rows + 1, dtype=torch.int64), none
    return none, torch.zeros(cols + 1, dtype=torch.int64)
