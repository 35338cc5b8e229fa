"""The nodes a neighbourhood has reached, and the positions they have in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Reached:
    """The nodes of one type reached so far, each a key ``number * groups + group``."""

    def __init__(self, groups: int) -> None:
        self._groups = groups
        self._keys: list[NDArray[np.int64]] = []
        self._waiting: list[NDArray[np.int64]] = []
        self._sorted = np.empty(0, np.int64)
        self._places = np.empty(0, np.int64)
        self.per_hop: list[int] = []

    def key(self, numbers: NDArray[Any], groups: NDArray[np.int64]) -> NDArray[np.int64]:
        """One number for a node and its group."""
        return numbers.astype(np.int64) * self._groups + groups

    def start(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Hop 0, in the order given; the positions of the seeds."""
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self._take(unique[order])
        return place[inverse]

    def add(self, keys: NDArray[np.int64]) -> None:
        """Note what the hop in the making reached, with repeats."""
        self._waiting.append(keys)

    def close(self) -> None:
        """Ends a hop: what was added and is new gets its positions, ascending by key."""
        fresh = np.unique(np.concatenate(self._waiting)) if self._waiting else np.empty(0, np.int64)
        self._waiting = []
        self._take(fresh[self.position(fresh) < 0])

    def _take(self, keys: NDArray[np.int64]) -> None:
        before = len(self._sorted)
        self._keys.append(keys)
        self.per_hop.append(len(keys))
        merged = np.concatenate([self._sorted, keys])
        places = np.concatenate([self._places, np.arange(before, before + len(keys))])
        order = np.argsort(merged, kind="stable")
        self._sorted, self._places = merged[order], places[order]

    def position(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of keys, -1 for those not reached."""
        if len(self._sorted) == 0:
            return np.full(len(keys), -1, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._places[at], -1)

    def newest(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers and groups of the last hop."""
        return np.divmod(self._keys[-1], self._groups)

    def newest_positions(self) -> NDArray[np.int64]:
        """Positions of the nodes of the last hop, ascending."""
        return np.arange(len(self._sorted) - len(self._keys[-1]), len(self._sorted))

    def numbers(self) -> NDArray[np.int64]:
        """Indices of all nodes, by position."""
        return np.concatenate(self._keys) // self._groups

    def groups(self) -> NDArray[np.int64]:
        """Groups of all nodes, by position."""
        return np.concatenate(self._keys) % self._groups
