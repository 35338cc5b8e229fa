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
    """

    model: str
    item_keys: NDArray
    items: NDArray[np.float32]
    user_keys: NDArray
    users: NDArray[np.float32]

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

    def over_users(self, table: NDArray[np.float32], keys: NDArray) -> NDArray[np.float32]:
        """The same for users."""
        return _over(table, keys, self.user_keys, self.users)


def _over(table: NDArray, keys: NDArray, known: NDArray, vectors: NDArray) -> NDArray[np.float32]:
    # A file has one type of key for both labels, so whole numbers may stand as text.
    own, theirs = (np.asarray([str(key) for key in one.tolist()], dtype=str) for one in (keys, known))
    _, mine, given = np.intersect1d(own, theirs, return_indices=True)
    begun = np.array(table, np.float32)
    begun[mine] = vectors[given]
    return begun
