"""What a trained model hands to the exporter: plain arrays, one class a serving contract.

Keys stand in index order, so row r of every array belongs to key r.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.interactions import HISTORY_LIMIT
from model_export.block_schema import BlockSchema


@dataclass(frozen=True)
class ItemPropagation:
    """``item-propagation/1``: users are weighted sums over their items.

    Args:
        item_keys: [I].
        vectors: 'base' (LightGCN: to be propagated where it is deployed) or 'final' (FISM: e and c).
        vector: [I, D] float32, base vectors or e.
        context: [I, D] float32 c for 'final', None for 'base'.
        layers: propagation steps L; 0 for 'final'.
        exponent: p of q(u) = d(u)^-p * (d(u) / read) * sum of w(u,i) c(i).
        similarity: 'dot'.
        history: newest items that are read.
        blend: {rule, sources, walk} where the vectors are one source among others, as
            ``gnn.recommend.stream`` takes them; empty where they are all.
        hyperparameters: as trained, for the manifest.
    """

    contract: ClassVar[str] = "item-propagation/1"
    item_keys: NDArray
    vectors: str
    vector: NDArray[np.float32]
    context: NDArray[np.float32] | None
    layers: int
    exponent: float
    similarity: str = "dot"
    history: int = HISTORY_LIMIT
    blend: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class VectorPairs:
    """``vectors/1``: one vector a user and one an item; score = dot product.

    Args:
        user_keys, item_keys: [U], [I].
        user_vectors, item_vectors: [U, D], [I, D] float32.
        similarity: 'dot' or 'cosine'.
        cold: for users without a vector: 'mean' (of the history's item vectors), 'fold-in' (least squares)
            or 'constant' (one vector for all).
        cold_parameters: of 'fold-in' {unobserved, regularization, nu, items}, of 'constant' {vector}.
    """

    contract: ClassVar[str] = "vectors/1"
    user_keys: NDArray
    item_keys: NDArray
    user_vectors: NDArray[np.float32]
    item_vectors: NDArray[np.float32]
    similarity: str = "dot"
    cold: str = "mean"
    cold_parameters: dict[str, Any] = field(default_factory=dict)
    hyperparameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ItemWeights:
    """``item-weights/1``: score(u, j) = sum over the history of w(u,i) * weight(i, j).

    Args:
        item_keys: [I].
        source, target: [N] item indices, by source then weight descending.
        weight: [N] float32; only the largest of a source's row are kept.
    """

    contract: ClassVar[str] = "item-weights/1"
    item_keys: NDArray
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    weight: NDArray[np.float32]
    hyperparameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RankedLists:
    """``lists/1``: finished lists.

    Args:
        user_keys, item_keys: [U], [I].
        users, items, ranks: [N] indices of user and item, rank from 1.
        scores: [N] float32, descending with the rank.
    """

    contract: ClassVar[str] = "lists/1"
    user_keys: NDArray
    item_keys: NDArray
    users: NDArray[np.int32]
    items: NDArray[np.int32]
    ranks: NDArray[np.int32]
    scores: NDArray[np.float32]
    hyperparameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockModel:
    """``padded-blocks/1``: an encoder of sampled surroundings; score = dot product of unit vectors.

    Args:
        schema: n0 = items, n1 = users; relations r(2b), r(2b + 1) of the b-th behaviour, to items, to users.
            Their labels and types are those of the exporter to fill in; further ones are named already.
        module: takes ``module.tensors``, gives [B, D].
        item_key: name of the feature that stands for the items' key property, where it is one.
        told_apart: whether it knows one behaviour from another.
        behaviours: how many it knows.
    """

    contract: ClassVar[str] = "padded-blocks/1"
    schema: BlockSchema
    module: Any
    dimension: int
    item_key: str
    told_apart: bool = False
    behaviours: int = 1
    similarity: str = "dot"
    hyperparameters: dict[str, Any] = field(default_factory=dict)


Payload = BlockModel | ItemPropagation | VectorPairs | ItemWeights | RankedLists
