"""What stands around users and items: nodes of further labels, and relationships of further types.

Node types are numbered: 0 = items, 1 = users, then ``Surroundings.nodes`` in their order. Imports no
database.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines.node_features import NodeFeatures

ITEMS, USERS, FIRST = 0, 1, 2
"""The number of the first further node type."""


@dataclass(frozen=True)
class OtherNodes:
    """The nodes of one label.

    Args:
        key: the property that identifies a node.
        keys: [N] in index order.
        ids: [N] Neo4j ids, ascending; None where they are not known any more.
    """

    label: str
    key: str
    keys: NDArray
    features: NodeFeatures
    ids: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.keys)


@dataclass(frozen=True)
class OtherRelation:
    """The relationships of one type between two node types, parallel ones once.

    Args:
        source, target: numbers of the node types.
        matrix: [S, T] CSR with a 1 for each pair.
    """

    source: int
    type: str
    target: int
    matrix: sp.csr_array

    @classmethod
    def of_pairs(
        cls, source: int, type_: str, target: int, pairs: tuple[NDArray, NDArray], shape: tuple[int, int]
    ) -> OtherRelation:
        """From the two ends of every relationship; a pair that stands twice counts once."""
        ones = np.ones(len(pairs[0]), np.float32)
        matrix = sp.csr_array((ones, pairs), shape=shape)
        matrix.sum_duplicates()
        matrix.sort_indices()
        matrix.data[:] = 1
        return cls(source, type_, target, matrix)


@dataclass(frozen=True)
class Surroundings:
    """Further nodes and relationships; either may be empty."""

    nodes: tuple[OtherNodes, ...]
    relations: tuple[OtherRelation, ...]

    def to_arrays(self) -> dict[str, NDArray]:
        """For ``numpy.savez``; ``of_arrays`` reads them back. Neo4j ids are left out."""
        described = {
            "nodes": [[one.label, one.key] for one in self.nodes],
            "relations": [[one.source, one.type, one.target, *one.matrix.shape] for one in self.relations],
        }
        arrays = {"described": np.array(json.dumps(described))}
        for n, one in enumerate(self.nodes):
            arrays[f"n{n}.keys"] = one.keys
            arrays |= {f"n{n}.features.{name}": array for name, array in one.features.to_arrays().items()}
        for r, one in enumerate(self.relations):
            arrays[f"r{r}.indptr"], arrays[f"r{r}.indices"] = one.matrix.indptr, one.matrix.indices
        return arrays

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray]) -> Surroundings:
        described = json.loads(str(arrays["described"]))
        nodes = []
        for n, (label, key) in enumerate(described["nodes"]):
            parts = {name: arrays[f"n{n}.features.{name}"] for name in ("features", "x", "code")}
            nodes.append(OtherNodes(label, key, arrays[f"n{n}.keys"], NodeFeatures.of_arrays(parts)))
        relations = []
        for r, (source, type_, target, *shape) in enumerate(described["relations"]):
            indices = arrays[f"r{r}.indices"]
            data = np.ones(len(indices), np.float32)
            matrix = sp.csr_array((data, indices, arrays[f"r{r}.indptr"]), shape=shape)
            relations.append(OtherRelation(source, type_, target, matrix))
        return cls(tuple(nodes), tuple(relations))
