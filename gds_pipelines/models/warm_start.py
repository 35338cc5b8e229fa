"""Vectors of an earlier version as the place where training begins, joined by key.

Users and items that are new since then begin where they would without it. The same model, dimension and start
give the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class StartVectors:
    """Vectors by key.

    Args:
        model: name of the model they are of.
        item_keys, items: [n] and [n, D].
        user_keys, users: the same of users; empty for a model whose users have none of their own.
        contexts: [n, D] – what users are summed by, zero where nothing is known; None for a model without.
    """

    model: str
    item_keys: NDArray
    items: NDArray[np.float32]
    user_keys: NDArray
    users: NDArray[np.float32]
    contexts: NDArray[np.float32] | None = None

    def check(self, model: str, dimension: int) -> None:
        """Raises InvalidInput unless training of this model can begin with them."""
        if model != self.model or self.items.shape[1] != dimension:
            raise InvalidInput(
                "Warm start",
                [
                    f"the vectors are of '{self.model}' with {self.items.shape[1]} dimensions, the model is "
                    f"'{model}' with {dimension}; train without warmStart"
                ],
            )

    def over_items(self, table: NDArray[np.float32], keys: NDArray) -> NDArray[np.float32]:
        """``table`` [N, D] of the nodes ``keys`` with the rows replaced that are known here."""
        return _over(table, keys, self.item_keys, self.items)

    def over_contexts(self, table: NDArray[np.float32], keys: NDArray) -> NDArray[np.float32]:
        """``table`` [N, D] of the items ``keys``, the rows replaced whose context is known and not zero."""
        if self.contexts is None:
            return np.array(table, np.float32)
        there = np.abs(self.contexts).max(axis=1, initial=0.0) > 0
        return _over(table, keys, self.item_keys[there], self.contexts[there])

    def turned(self, table: NDArray[np.float32], keys: NDArray) -> NDArray[np.float32]:
        """``table`` [N, D] of the items ``keys``, turned as a whole to lie near to what is known.

        Trained vectors have turned away from where they began, together. New items begin beside the others
        only where their rows turn with them. Lengths and products within ``table`` stay.
        Source: Schönemann 1966, A generalized solution of the orthogonal Procrustes problem.
        """
        mine, given = _both(keys, self.item_keys)
        left, _, right = np.linalg.svd(table[mine].T.astype(np.float64) @ self.items[given])
        return (table @ (left @ right)).astype(np.float32)

    def over_users(self, table: NDArray[np.float32], keys: NDArray) -> NDArray[np.float32]:
        """The same for users."""
        return _over(table, keys, self.user_keys, self.users)


def _both(keys: NDArray, known: NDArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the keys that both have stand in either."""
    # A file has one type of key for both labels, so whole numbers may stand as text.
    own, theirs = (np.asarray([str(key) for key in one.tolist()], dtype=str) for one in (keys, known))
    _, mine, given = np.intersect1d(own, theirs, return_indices=True)
    return mine, given


def _over(table: NDArray, keys: NDArray, known: NDArray, vectors: NDArray) -> NDArray[np.float32]:
    mine, given = _both(keys, known)
    begun = np.array(table, np.float32)
    begun[mine] = vectors[given]
    return begun
