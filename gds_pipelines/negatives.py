"""Negatives: items that a user does not have, checked against everything the user has.

Draws never meet a positive and are never repeated until they fit: a drawn number counts places among
the items the user lacks, and is turned into an item by a search. A user who has every item has none: -1.
Shapes: U = users, I = items, B = users of a batch, S = negatives of each, D = dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions

_SCALE = 1024.0
"""Popularity is kept in whole numbers of 1/1024, so that sums are exact."""


class Positives:
    """What every user has, over all behaviours together.

    Args:
        users, items: [N] each, any order, repeats allowed.
    Raises:
        InvalidInput: for an index outside the users or items, or lists of different length.
    """

    def __init__(
        self, users: NDArray[np.integer], items: NDArray[np.integer], n_users: int, n_items: int
    ) -> None:
        users, items = np.asarray(users, np.int64), np.asarray(items, np.int64)
        faults = []
        if len(users) != len(items):
            faults.append(f"{len(users)} users stand beside {len(items)} items")
        for kind, found, size in (("user", users, n_users), ("item", items, n_items)):
            if len(found) and not (found.min() >= 0 and found.max() < size):
                faults.append(
                    f"{kind} indices run from {found.min()} to {found.max()}, expected 0 to {size - 1}"
                )
        if faults:
            raise InvalidInput("The positives", faults)
        self._take(np.unique(users * max(n_items, 1) + items), n_users, n_items)

    def _take(self, keys: NDArray[np.int64], n_users: int, n_items: int) -> None:
        self.n_users, self.n_items, self.keys = n_users, n_items, keys
        self.users, self.items = np.divmod(keys, max(n_items, 1))
        self.degrees = np.bincount(self.users, minlength=n_users)
        self.offsets = np.zeros(n_users + 1, np.int64)
        np.cumsum(self.degrees, out=self.offsets[1:])

    @classmethod
    def of(cls, *behaviours: Interactions) -> Positives:
        """The pairs of all behaviours; they must be over the same users and items."""
        sizes = {(part.n_users, part.n_items) for part in behaviours}
        if len(sizes) != 1:
            raise InvalidInput("The positives", ["give behaviours over the same users and items."])
        found = cls.__new__(cls)
        found._take(_union([part.pairs() for part in behaviours]), *sizes.pop())
        return found

    def has(self, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the users have the items; arguments are broadcast."""
        wanted = np.asarray(users, np.int64) * max(self.n_items, 1) + items
        if len(self.keys) == 0:
            return np.zeros(wanted.shape, np.bool_)
        at = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return self.keys[at] == wanted


class Uniform:
    """Each item the user lacks is as likely as any other; draws are with replacement."""

    def __init__(self, positives: Positives) -> None:
        self.positives = positives
        # Items that the user lacks and that are smaller than the k-th positive: ascends within a user.
        rank = np.arange(len(positives.keys)) - positives.offsets[positives.users]
        self._lacking = positives.users * (positives.n_items + 1) + positives.items - rank

    def draw(self, users: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """[B, S] items; -1 for users who have every item."""
        users = np.asarray(users, np.int64)
        room = self.positives.n_items - self.positives.degrees[users]
        place = rng.integers(0, np.maximum(room, 1)[:, None], (len(users), count))
        return self.at(users, place)

    def at(self, users: NDArray[np.int64], place: NDArray[np.int64]) -> NDArray[np.int64]:
        """[B, S] – the items at places [B, S] among those that each user lacks, ascending from 0."""
        owner = users[:, None]
        wanted = owner * (self.positives.n_items + 1) + place
        before = np.searchsorted(self._lacking, wanted, side="right") - self.positives.offsets[owner]
        full = self.positives.degrees[owner] >= self.positives.n_items
        return np.where(full, -1, place + before)


class Popular:
    """An item is drawn by degree ** exponent among the items the user lacks; draws are with replacement.

    Args:
        exponent: 1 is popularity itself, 0.75 what word2vec takes, 0 uniform.
        degrees: [I] – popularity; users of each item by default. An item nobody has counts as 1/1024.
    Raises:
        InvalidInput: for popularity that is negative, not finite or not one number an item.
    """

    def __init__(
        self, positives: Positives, exponent: float = 0.75, degrees: NDArray[np.floating] | None = None
    ) -> None:
        self.positives = positives
        if degrees is None:
            degrees = np.bincount(positives.items, minlength=positives.n_items)
        powers = np.asarray(degrees, np.float64) ** exponent if exponent else np.ones(len(degrees))
        if len(powers) != positives.n_items or not (np.isfinite(powers) & (powers >= 0)).all():
            raise InvalidInput(
                "The popularity", [f"give {positives.n_items} finite numbers of at least 0, one an item."]
            )
        if powers.sum() * _SCALE > 2**52:
            raise InvalidInput("The popularity", ["its sum is above 2**42; use a smaller exponent."])
        self.weights = np.maximum(1, np.rint(powers * _SCALE)).astype(np.int64)
        self._ends = np.cumsum(self.weights)
        total = int(self._ends[-1]) if len(self._ends) else 0
        own = self.weights[positives.items]
        taken = np.concatenate([[0], np.cumsum(own)])
        self._taken = taken
        # Mass that the user lacks below the k-th positive: ascends within a user.
        below = self._ends[positives.items] - own
        self._mass = below - (taken[:-1] - taken[positives.offsets[positives.users]])
        self._free = total - (taken[positives.offsets[1:]] - taken[positives.offsets[:-1]])

    def draw(self, users: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """[B, S] items; -1 for users who have every item."""
        users = np.asarray(users, np.int64)
        place = rng.integers(0, np.maximum(self._free[users], 1)[:, None], (len(users), count))
        offsets = self.positives.offsets
        start = np.broadcast_to(offsets[users][:, None], place.shape)
        low, high = start.copy(), np.broadcast_to(offsets[users + 1][:, None], place.shape).copy()
        # Masses of different users do not fit into one key: search each user's own piece.
        while (open_ := low < high).any():
            middle = (low + high) >> 1
            passed = np.zeros(place.shape, np.bool_)
            passed[open_] = self._mass[middle[open_]] <= place[open_]
            low = np.where(open_ & passed, middle + 1, low)
            high = np.where(open_ & ~passed, middle, high)
        place = place + self._taken[low] - self._taken[start]
        items = np.searchsorted(self._ends, place, side="right")
        full = self.positives.degrees[users][:, None] >= self.positives.n_items
        return np.where(full, -1, items)


def in_batch(positives: Positives, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[B, B] – True where item j of the batch is a negative of user i: not the user's own."""
    return ~positives.has(np.asarray(users)[:, None], np.asarray(items)[None, :])


class Hard:
    """The items nearest to the user by dot product that the user lacks; draws are without replacement.

    Args:
        user_vectors, item_vectors: [U, D] and [I, D], as they are now; make a new one when they moved.
        pool: draws are among so many nearest.
        skip: so many nearest are left out, as likely false negatives.
    """

    def __init__(
        self,
        positives: Positives,
        user_vectors: NDArray[np.floating],
        item_vectors: NDArray[np.floating],
        *,
        pool: int = 100,
        skip: int = 0,
    ) -> None:
        faults = []
        for kind, vectors, size in (
            ("user", user_vectors, positives.n_users),
            ("item", item_vectors, positives.n_items),
        ):
            if len(vectors) != size or not np.isfinite(vectors).all():
                faults.append(f"give {size} finite {kind} vectors, one each.")
        if pool < 1 or skip < 0:
            faults.append(f"pool is {pool} and skip {skip}; they must be at least 1 and 0.")
        if faults:
            raise InvalidInput("The hard negatives", faults)
        self.positives, self.pool, self.skip = positives, pool, skip
        self.user_vectors, self.item_vectors = user_vectors, item_vectors

    def draw(self, users: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """[B, S] items; -1 where the pool of a user holds fewer than S."""
        users = np.asarray(users, np.int64)
        drawn = np.full((len(users), count), -1, np.int64)
        rows = max(1, 20_000_000 // max(1, self.positives.n_items))
        for begin in range(0, len(users), rows):
            some = users[begin : begin + rows]
            drawn[begin : begin + rows] = self._some(some, count, rng)
        return drawn

    def nearest(self, users: NDArray[np.int64]) -> NDArray[np.int64]:
        """[B, pool] nearest first, ties to the smaller index; -1 where there are fewer."""
        size = self.positives.n_items
        scores = np.asarray(self.user_vectors[users] @ self.item_vectors.T, np.float64)
        offsets = self.positives.offsets
        degrees = self.positives.degrees[users]
        row = np.repeat(np.arange(len(users)), degrees)
        inside = np.arange(len(row)) - (np.cumsum(degrees) - degrees)[row]
        scores[row, self.positives.items[offsets[users][row] + inside]] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, self.skip : self.skip + self.pool]
        found = np.where(np.isneginf(np.take_along_axis(scores, order, axis=1)), -1, order)
        missing = self.pool - found.shape[1]
        return np.pad(found, ((0, 0), (0, missing)), constant_values=-1) if size and missing else found

    def _some(self, users: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        near = self.nearest(users)
        keys = np.where(near < 0, 2.0, rng.random(near.shape))
        order = np.argsort(keys, axis=1, kind="stable")[:, :count]
        drawn = np.take_along_axis(near, order, axis=1)
        return np.pad(drawn, ((0, 0), (0, count - drawn.shape[1])), constant_values=-1)


def _union(keys: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.unique(np.concatenate([np.asarray(part, np.int64) for part in keys]))
