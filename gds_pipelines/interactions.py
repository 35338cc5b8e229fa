"""The interaction matrix: who touched what, how much, and when, by dense index.

Shapes: U = users, I = items, N = stored pairs. A dense index is the rank of a
node of its type by ascending Neo4j id where the data came from a database, and
by ascending key where it came from files; ties anywhere go to the smaller index.
Imports numpy and scipy only, so all that trains can run without a database.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.surroundings import Surroundings

HISTORY_LIMIT = 500
"""How many of a user's newest items a query vector is made of, in Python and in the plugin."""


@dataclass(frozen=True)
class Interactions:
    """Reduced pairs (user, item): one row a user, one weight and one time a pair.

    Args:
        user_keys: [U] keys by user index, distinct.
        item_keys: [I] keys by item index, distinct.
        matrix: [U, I] float32 weights > 0, CSR with int32 ascending column indices and no duplicates.
        times: [N] epoch milliseconds in the order of ``matrix.data``, or None where nothing has a time.
        kinds: [N] uint32 – which behaviours a pair has, bit b for the b-th of the task; None where they
            are not told apart.
        item_features, user_features: of all items and users, in index order; None where there are none.
        item_ids, user_ids: [I], [U] Neo4j ids, ascending; None where the data came from files. Draws go by
            them, as in the database; they are never written to a file.
        surroundings: nodes and relationships beside users, items and their pairs; None where they were not
            read.
    Use ``from_events`` or ``from_indices``; both reduce parallel events and check what they are given.
    """

    user_keys: NDArray
    item_keys: NDArray
    matrix: sp.csr_array
    times: NDArray[np.int64] | None = None
    kinds: NDArray[np.uint32] | None = None
    item_features: NodeFeatures | None = None
    user_features: NodeFeatures | None = None
    item_ids: NDArray[np.int64] | None = None
    user_ids: NDArray[np.int64] | None = None
    surroundings: Surroundings | None = None

    @classmethod
    def from_events(
        cls,
        users: ArrayLike,
        items: ArrayLike,
        weights: ArrayLike | float = 1.0,
        times: ArrayLike | None = None,
        *,
        user_keys: ArrayLike | None = None,
        item_keys: ArrayLike | None = None,
    ) -> Interactions:
        """Reduce events given by key: weight = the largest, time = the latest of a pair.

        Args:
            users, items: [N] keys (all integers or all text).
            weights: [N] or one number, finite and > 0.
            times: [N] epoch milliseconds, or None.
            user_keys, item_keys: the universe in index order; by default the keys met, ascending.
        Raises:
            InvalidInput: on unequal lengths, keys outside a given universe, or bad weights; all faults at
            once.
        """
        users, items = np.asarray(users), np.asarray(items)
        user_keys = np.unique(users) if user_keys is None else np.asarray(user_keys)
        item_keys = np.unique(items) if item_keys is None else np.asarray(item_keys)
        faults: list[str] = []
        rows = _positions("user", users, user_keys, faults)
        columns = _positions("item", items, item_keys, faults)
        if faults:
            raise InvalidInput("Interactions", faults)
        return cls.from_indices(rows, columns, weights, times, user_keys=user_keys, item_keys=item_keys)

    @classmethod
    def from_indices(
        cls,
        users: ArrayLike,
        items: ArrayLike,
        weights: ArrayLike | float = 1.0,
        times: ArrayLike | None = None,
        *,
        user_keys: ArrayLike,
        item_keys: ArrayLike,
        kinds: ArrayLike | None = None,
    ) -> Interactions:
        """As ``from_events``, with dense indices in place of keys.

        Args:
            kinds: [N] the behaviour of each event, 0 to 31, or None.
        """
        users = np.asarray(users, dtype=np.int64).ravel()
        items = np.asarray(items, dtype=np.int64).ravel()
        user_keys, item_keys = np.asarray(user_keys), np.asarray(item_keys)
        faults = []
        if len(users) != len(items):
            raise InvalidInput("Interactions", [f"{len(users)} users stand beside {len(items)} items"])
        for kind, found, size in (("user", users, len(user_keys)), ("item", items, len(item_keys))):
            if len(found) and not (found.min() >= 0 and found.max() < size):
                faults.append(
                    f"{kind} indices run from {found.min()} to {found.max()}, expected 0 to {size - 1}"
                )
        weight = np.asarray(weights, dtype=np.float32)
        if weight.ndim and len(weight) != len(users):
            faults.append(f"{len(weight)} weights stand beside {len(users)} pairs")
        bad = int(np.size(weight) - np.count_nonzero(np.isfinite(weight) & (weight > 0)))
        if bad and len(users):
            faults.append(
                f"{bad} weights are zero, negative or not finite; drop those pairs or give a weight > 0"
            )
        moment = None if times is None else np.asarray(times)
        if moment is not None and (len(moment) != len(users) or moment.dtype.kind not in "iu"):
            faults.append(
                f"times must be {len(users)} integers (epoch milliseconds UTC), "
                f"found {len(moment)} of type {moment.dtype}"
            )
        if faults:
            raise InvalidInput("Interactions", faults)
        weight = np.broadcast_to(weight, users.shape)
        pair = users * max(len(item_keys), 1) + items
        order = np.argsort(pair, kind="stable")
        pair = pair[order]
        first = np.flatnonzero(np.r_[True, pair[1:] != pair[:-1]]) if len(pair) else np.zeros(0, np.int64)
        data = np.maximum.reduceat(weight[order], first) if len(pair) else np.zeros(0, np.float32)
        latest = None
        if moment is not None:
            moment = moment.astype(np.int64)[order]
            latest = np.maximum.reduceat(moment, first) if len(pair) else np.zeros(0, np.int64)
        bits = None
        if kinds is not None:
            bits = np.uint32(1) << np.asarray(kinds, np.uint32)[order]
            bits = np.bitwise_or.reduceat(bits, first) if len(pair) else np.zeros(0, np.uint32)
        kept = order[first]
        pointer = np.zeros(len(user_keys) + 1, np.int64)
        np.cumsum(np.bincount(users[kept], minlength=len(user_keys)), out=pointer[1:])
        index = np.int32 if len(kept) < 2**31 else np.int64
        matrix = sp.csr_array(
            (data.astype(np.float32), items[kept].astype(index), pointer.astype(index)),
            shape=(len(user_keys), len(item_keys)),
        )
        matrix.has_canonical_format = True
        return cls(user_keys, item_keys, matrix, latest, bits)

    # ---------------------------------------------------------------- sizes and views

    @property
    def n_users(self) -> int:
        """U: users with and without interactions."""
        return self.matrix.shape[0]

    @property
    def n_items(self) -> int:
        """I: items with and without interactions."""
        return self.matrix.shape[1]

    def __len__(self) -> int:
        """The number of distinct pairs."""
        return self.matrix.nnz

    @property
    def timed(self) -> bool:
        """Whether there are times that tell interactions apart."""
        return self.times is not None and len(self.times) > 0 and self.times.min() != self.times.max()

    @cached_property
    def user_degrees(self) -> NDArray[np.int64]:
        """[U] – distinct items of a user."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    @cached_property
    def item_degrees(self) -> NDArray[np.int64]:
        """[I] – distinct users of an item."""
        return np.bincount(self.matrix.indices, minlength=self.n_items).astype(np.int64)

    @cached_property
    def user_index(self) -> NDArray[np.int64]:
        """[N] – the user of every pair, in the order of ``matrix.indices``."""
        return np.repeat(np.arange(self.n_users), self.user_degrees)

    @cached_property
    def binary(self) -> sp.csr_array:
        """[U, I] float32 with 1 where there is a pair."""
        m = self.matrix
        out = sp.csr_array((np.ones(m.nnz, np.float32), m.indices, m.indptr), shape=m.shape)
        out.has_canonical_format = True
        return out

    def keep(self, mask: NDArray[np.bool_]) -> Interactions:
        """The pairs where ``mask`` [N] is true, over the same users and items."""
        m = self.matrix
        pointer = np.zeros(self.n_users + 1, m.indptr.dtype)
        np.cumsum(np.bincount(self.user_index[mask], minlength=self.n_users), out=pointer[1:])
        matrix = sp.csr_array((m.data[mask], m.indices[mask], pointer), shape=m.shape)
        matrix.has_canonical_format = True
        return replace(
            self,
            matrix=matrix,
            times=None if self.times is None else self.times[mask],
            kinds=None if self.kinds is None else self.kinds[mask],
        )

    def pairs(self) -> NDArray[np.int64]:
        """[N] – ``user index * I + item index`` ascending, for set operations on pairs."""
        return self.user_index * self.n_items + self.matrix.indices

    # ---------------------------------------------------------------- keys

    def users(self, keys: Sequence | NDArray) -> NDArray[np.int64]:
        """Indices of user keys; ``InvalidInput`` names those that are not there."""
        return _lookup("user", np.asarray(keys), self.user_keys)

    def items(self, keys: Sequence | NDArray) -> NDArray[np.int64]:
        """Indices of item keys; ``InvalidInput`` names those that are not there."""
        return _lookup("item", np.asarray(keys), self.item_keys)

    # ---------------------------------------------------------------- histories

    def histories(self, users: ArrayLike, limit: int | None = HISTORY_LIMIT) -> Histories:
        """The newest ``limit`` items of each user: by time descending, then smaller item index.

        Args:
            users: [B] user indices, repeats allowed.
            limit: None reads all.
        """
        users = np.asarray(users, dtype=np.int64)
        m = self.matrix[users]
        degrees = self.user_degrees[users]
        if limit is None or not len(users) or degrees.max(initial=0) <= limit:
            return Histories(m, degrees)
        keep = np.ones(m.nnz, bool)
        for row in np.flatnonzero(degrees > limit):
            lo, hi = m.indptr[row], m.indptr[row + 1]
            start = self.matrix.indptr[users[row]]
            times = None if self.times is None else self.times[start : start + degrees[row]]
            keep[lo:hi] = newest(m.indices[lo:hi], times, limit)
        pointer = np.r_[0, np.cumsum(np.add.reduceat(np.r_[keep, False], m.indptr[:-1]) * (degrees > 0))]
        cut = sp.csr_array((m.data[keep], m.indices[keep], pointer.astype(m.indptr.dtype)), shape=m.shape)
        return Histories(cut, degrees)


@dataclass(frozen=True)
class Histories:
    """What a batch of users is known by: read items with weights, and full degrees.

    Args:
        matrix: [B, I] float32 weights of the items that were read.
        degrees: [B] distinct items of the user before the cut.
    """

    matrix: sp.csr_array
    degrees: NDArray[np.int64]

    @classmethod
    def of_items(
        cls, lists: Sequence[Sequence[int]], n_items: int, weights: Sequence[Sequence[float]] | None = None
    ) -> Histories:
        """Histories of visitors without a node, from lists of item indices, newest last.

        A repeated item counts once, with its largest weight; of more than 500 the last 500 distinct are read.
        """
        rows, columns, data, degrees = [], [], [], []
        for row, items in enumerate(lists):
            given = [1.0] * len(items) if weights is None else weights[row]
            best: dict[int, float] = {}
            for item, weight in zip(items, given, strict=True):
                weight = max(weight, best.pop(int(item), weight))
                best[int(item)] = weight
            degrees.append(len(best))
            for item, weight in list(best.items())[-HISTORY_LIMIT:]:
                rows.append(row)
                columns.append(item)
                data.append(weight)
        known = np.asarray(columns, np.int64)
        if len(known) and not (known.min() >= 0 and known.max() < n_items):
            raise InvalidInput(
                "History",
                [f"item indices run from {known.min()} to {known.max()}, expected 0 to {n_items - 1}"],
            )
        matrix = sp.coo_array(
            (np.asarray(data, np.float32), (rows, columns)), shape=(len(lists), n_items)
        ).tocsr()
        matrix.sort_indices()
        return cls(matrix, np.asarray(degrees, np.int64))

    def __len__(self) -> int:
        return self.matrix.shape[0]

    @cached_property
    def read(self) -> NDArray[np.int64]:
        """[B] – how many items were read."""
        return np.diff(self.matrix.indptr).astype(np.int64)

    @cached_property
    def scale(self) -> NDArray[np.float64]:
        """[B] – degree / read, what a sum over the read items is multiplied by; 1 for an empty history."""
        return np.where(self.read > 0, self.degrees / np.maximum(self.read, 1), 1.0)


def every_nth(rows: NDArray, most: int) -> NDArray:
    """At most ``most`` of the rows, evenly spaced, the same each time."""
    return rows[:: max(1, -(-len(rows) // most))]


def newest(items: NDArray, times: NDArray[np.int64] | None, limit: int) -> NDArray[np.bool_]:
    """Which of a user's items are among the newest ``limit``: time descending, then smaller item index."""
    keep = np.zeros(len(items), bool)
    order = np.argsort(items, kind="stable") if times is None else np.lexsort((items, -times))
    keep[order[:limit]] = True
    return keep


def _positions(kind: str, found: NDArray, universe: NDArray, faults: list[str]) -> NDArray[np.int64]:
    order = np.argsort(universe, kind="stable")
    ranked = universe[order]
    if len(ranked) > 1 and (ranked[1:] == ranked[:-1]).any():
        faults.append(
            f"{kind} keys are not distinct: '{ranked[1:][ranked[1:] == ranked[:-1]][0]}' stands twice"
        )
    if not len(found):
        return np.zeros(0, np.int64)
    if not len(ranked):
        faults.append(f"{len(found)} {kind} keys were given, but the universe of {kind}s is empty")
        return np.zeros(len(found), np.int64)
    at = np.minimum(np.searchsorted(ranked, found), len(ranked) - 1)
    missing = ranked[at] != found
    if missing.any():
        names = ", ".join(f"'{key}'" for key in np.unique(found[missing])[:5])
        faults.append(f"{int(missing.sum())} {kind} keys are unknown, among them {names}")
    return order[at]


def _lookup(kind: str, keys: NDArray, universe: NDArray) -> NDArray[np.int64]:
    faults: list[str] = []
    found = _positions(kind, keys, universe, faults)
    if faults:
        raise InvalidInput(f"Keys of {kind}s", faults)
    return found
