"""Train, validation and test parts of an interaction matrix, and the audit that nothing leaked.

Every part keeps the users and items of the whole, so an index means the same node
in each. The same seed gives the same parts. Splitting by time is the honest way
where there are times; the others exist because papers use them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.interactions import Interactions, every_nth

_OF_NODES = ("item_features", "user_features", "item_ids", "user_ids", "surroundings")


@dataclass(frozen=True)
class Split:
    """Three disjoint parts of one interaction matrix.

    Args:
        train, validation, test: parts over the same users and items; validation may hold no pair.
        description: how it was made, in words, for reports.
        cutoff: epoch milliseconds; nothing in train happened at or after it. None without times.
    """

    train: Interactions
    validation: Interactions
    test: Interactions
    description: str
    cutoff: int | None = None

    def choosing(self) -> Split:
        """The same parts with what would be the test part for validation: to choose on, within a train."""
        return replace(self, validation=self.test, test=self.validation)

    def refit(self) -> Interactions:
        """Train and validation together: what the final model is fitted on once its settings are chosen."""
        return merge(self.train, self.validation)


def by_time(interactions: Interactions, horizon: int, *, validation: bool = True) -> Split:
    """Test = the last ``horizon`` of the data, validation = the one before it.

    Args:
        horizon: milliseconds, > 0; counted back from just after the latest event.
        validation: False gives those pairs to train.
    Raises:
        InvalidInput: without times, or when a part that must hold pairs would be empty.
    """
    times = _times(interactions)
    if horizon <= 0:
        raise InvalidInput("Split by time", [f"horizon is {horizon} ms, expected > 0"])
    end = int(times.max()) + 1
    test_from = end - horizon
    validation_from = test_from - horizon if validation else test_from
    if int(times.min()) >= validation_from:
        days = (end - int(times.min())) / 86_400_000
        raise InvalidInput(
            "Split by time",
            [
                f"nothing is left to train on: the data spans {days:.3g} days, "
                f"the horizon is {horizon / 86_400_000:.3g}; take a shorter horizon"
            ],
        )
    return Split(
        interactions.keep(times < validation_from),
        interactions.keep((times >= validation_from) & (times < test_from)),
        interactions.keep(times >= test_from),
        f"by time, last {horizon / 86_400_000:g} days",
        validation_from,
    )


def leave_last(interactions: Interactions, n: int = 1, *, validation: int | None = None) -> Split:
    """The last ``n`` pairs of each user by time are test, the ``validation`` (default n) before them
    validation.

    Of equal times the larger item index counts as later. A user with too few pairs to leave one in train
    stays in train whole.
    """
    _times(interactions)
    validation = n if validation is None else validation
    if n < 1 or validation < 0:
        raise InvalidInput(
            "Split leave-last", [f"n is {n} and validation {validation}, expected >= 1 and >= 0"]
        )
    order = np.lexsort((interactions.matrix.indices, interactions.times, interactions.user_index))
    from_end = np.empty(len(interactions), np.int64)
    degrees = interactions.user_degrees
    from_end[order] = np.repeat(np.cumsum(degrees), degrees) - np.arange(len(order)) - 1
    enough = degrees[interactions.user_index] > n + validation
    return Split(
        interactions.keep(~enough | (from_end >= n + validation)),
        interactions.keep(enough & (from_end >= n) & (from_end < n + validation)),
        interactions.keep(enough & (from_end < n)),
        f"leave the last {n} of each user",
    )


def by_user_time(interactions: Interactions, test: float = 0.2, *, validation: float = 0.0) -> Split:
    """The last share of each user's pairs by time is test, the share before it validation."""
    _times(interactions)
    _check_shares("Split per user by time", test, validation)
    order = np.lexsort((interactions.matrix.indices, interactions.times, interactions.user_index))
    return _by_rank(interactions, order, test, validation, f"per user by time, last {test:g}")


def by_time_share(interactions: Interactions, test: float = 0.2, *, validation: float = 0.0) -> Split:
    """The newest share of all pairs is test, the share before it validation; pairs of one moment stay
    together, in the later part."""
    times = _times(interactions)
    _check_shares("Split by time", test, validation)
    ranked, count = np.sort(times), len(times)
    test_from = ranked[min(count - 1, int(np.floor(count * (1 - test) + 0.5)))]
    start = min(count - 1, int(np.floor(count * (1 - test - validation) + 0.5)))
    validation_from = min(ranked[start], test_from) if validation else test_from
    if ranked[0] >= validation_from:
        raise InvalidInput("Split by time", ["nothing is left to train on: all pairs are of one moment"])
    return Split(
        interactions.keep(times < validation_from),
        interactions.keep((times >= validation_from) & (times < test_from)),
        interactions.keep(times >= test_from),
        f"by time, newest {test:g} of all pairs",
        int(test_from),
    )


def random(
    interactions: Interactions,
    test: float = 0.2,
    *,
    validation: float = 0.0,
    seed: int = 0,
    rounding: str = "nearest",
    over: str = "users",
) -> Split:
    """A random share of each user's pairs is test, another validation; at least one pair stays in train.

    Args:
        rounding: of a user's counts: 'nearest', or 'down' but at least one (as RecBole has it).
        over: 'users', or 'pairs' for shares of all pairs whoever they are of.
    """
    _check_shares("Random split", test, validation)
    draw = np.random.default_rng(seed).random(len(interactions))
    if over == "pairs":
        rank = np.empty(len(draw), np.int64)
        rank[np.argsort(draw, kind="stable")] = np.arange(len(draw))
        held, checked = (int(len(draw) * share + 0.5) for share in (test, validation))
        return Split(
            interactions.keep(rank >= held + checked),
            interactions.keep((rank >= held) & (rank < held + checked)),
            interactions.keep(rank < held),
            f"random {test:g} of all pairs, seed {seed}",
        )
    order = np.lexsort((draw, interactions.user_index))
    words = f"random {test:g} of each user, seed {seed}"
    return _by_rank(interactions, order, test, validation, words, down=rounding == "down")


def one_each(interactions: Interactions, *, seed: int = 0) -> Split:
    """One pair of each user to choose on, as validation part: the newest where there are times, else drawn
    at random."""
    made = (
        leave_last(interactions, 1, validation=0)
        if interactions.timed
        else leave_one(interactions, seed=seed)
    )
    return made.choosing()


def users_to_choose_on(
    train: Interactions, held: Interactions, *, cells: int, most: int
) -> NDArray[np.int64]:
    """Users with pairs in both parts, evenly thinned to what ``cells`` scores of all items allow: 100 to
    ``most``."""
    users = np.flatnonzero((held.user_degrees > 0) & (train.user_degrees > 0))
    return every_nth(users, int(np.clip(cells // max(1, train.n_items), 100, most)))


def leave_one(interactions: Interactions, *, seed: int = 0) -> Split:
    """One pair of each user who has several is test, drawn at random; nothing is validation."""
    draw = np.random.default_rng(seed).random(len(interactions))
    order = np.lexsort((draw, interactions.user_index))
    held = np.zeros(len(interactions), bool)
    held[order[interactions.matrix.indptr[:-1][interactions.user_degrees > 1]]] = True
    return Split(
        interactions.keep(~held),
        interactions.keep(np.zeros(len(held), bool)),
        interactions.keep(held),
        f"one pair of each user, seed {seed}",
    )


def holdout(train: Interactions, *, seed: int = 0, share: float = 0.2, users: float = 0.5) -> Split:
    """A part of train to choose settings on, harder than a plain random one.

    ``users`` of the users lose ``share`` of their pairs: half of them at random, half as one contiguous run
    of item indices (cyclic). A plain random tenth rewards models that fit near-duplicates: on gowalla it
    ranked two
    models the wrong way round, this did not. The test part of the result is empty.
    """
    _check_shares("Holdout", share, 0.0)
    rng = np.random.default_rng(seed)
    degrees, start = train.user_degrees, train.matrix.indptr[:-1]
    count = np.floor(degrees * share + 0.5).astype(np.int64)
    eligible = np.flatnonzero((count > 0) & (degrees > count))
    chosen = rng.permutation(eligible)[: int(len(eligible) * users)]
    mask = np.zeros(len(train), bool)
    for position, user in enumerate(np.sort(chosen)):
        if position % 2:
            offsets = (rng.integers(degrees[user]) + np.arange(count[user])) % degrees[user]
        else:
            offsets = rng.permutation(degrees[user])[: count[user]]
        mask[start[user] + offsets] = True
    return Split(
        train.keep(~mask),
        train.keep(mask),
        train.keep(np.zeros(len(train), bool)),
        f"{share:g} of {users:g} of the users, random and contiguous, seed {seed}",
    )


def merge(first: Interactions, second: Interactions) -> Interactions:
    """Both parts as one matrix over the same users and items (weight = the largest, time = the latest).

    Features and Neo4j ids are those of ``first``; behaviours are told apart where both parts do.
    """
    times = None
    if first.times is not None and second.times is not None:
        times = np.r_[first.times, second.times]
    made = Interactions.from_indices(
        np.r_[first.user_index, second.user_index],
        np.r_[first.matrix.indices, second.matrix.indices],
        np.r_[first.matrix.data, second.matrix.data],
        times,
        user_keys=first.user_keys,
        item_keys=first.item_keys,
    )
    kinds = None
    if first.kinds is not None and second.kinds is not None:
        kinds = np.zeros(len(made), np.uint32)
        for part in (first, second):
            kinds[np.searchsorted(made.pairs(), part.pairs())] |= part.kinds  # a pair stands once in a part
    return replace(made, kinds=kinds, **{name: getattr(first, name) for name in _OF_NODES})


# -------------------------------------------------------------------- audit


class Leak(PipelineError):
    """Train and test are not apart; figures made on them would flatter."""


@dataclass(frozen=True)
class Audit:
    """What the leak audit found.

    Args:
        shared: pairs that stand in train and in test.
        reversed: test pairs (a, b) whose reverse (b, a) stands in train; only where users and items are
            the same nodes, else 0.
        late: train pairs at or after the earliest test pair (only for splits by global time), else 0.
        unknown_users, unknown_items: users and items of the test part without any train pair (no leak;
            counted).
    """

    shared: int
    reversed: int
    late: int
    unknown_users: int
    unknown_items: int

    @property
    def clean(self) -> bool:
        """Nothing of the test part was seen in training."""
        return not (self.shared or self.reversed or self.late)

    def check(self) -> None:
        """Raise ``Leak`` with all findings in words unless clean."""
        found = [
            text
            for count, text in (
                (self.shared, f"{self.shared} test pairs also stand in train"),
                (self.reversed, f"{self.reversed} test pairs stand in train the other way round"),
                (self.late, f"{self.late} train pairs happened at or after the first test pair"),
            )
            if count
        ]
        if found:
            raise Leak(
                f"The split leaks: {'; '.join(found)}. Remove them from train, or say that the figures were "
                "taken despite the leak (--despite-leak)."
            )


def audit(
    train: Interactions, test: Interactions, *, same_nodes: bool = False, by_time: bool = False
) -> Audit:
    """Look for test pairs that training could have seen.

    Args:
        train, test: parts over the same users and items.
        same_nodes: users and items are one node set (a social or item-item graph), so (b, a) reveals (a, b).
            The keys decide which node is which.
        by_time: the split claims that all of train is older than all of test.
    """
    if train.matrix.shape != test.matrix.shape:
        raise InvalidInput(
            "Leak audit",
            [
                f"train is {train.matrix.shape}, test is {test.matrix.shape}; both need the same users "
                f"and items"
            ],
        )
    shared = len(np.intersect1d(train.pairs(), test.pairs(), assume_unique=True))
    turned = 0
    if same_nodes:
        as_item, as_user = _counterparts(train.user_keys, train.item_keys)
        known = (as_item[test.user_index] >= 0) & (as_user[test.matrix.indices] >= 0)
        reverse = as_user[test.matrix.indices[known]] * train.n_items + as_item[test.user_index[known]]
        turned = int(np.isin(reverse, train.pairs()).sum())
    late = 0
    if by_time and len(test) and train.times is not None and test.times is not None:
        late = int((train.times >= test.times.min()).sum())
    return Audit(
        shared,
        turned,
        late,
        int(((test.user_degrees > 0) & (train.user_degrees == 0)).sum()),
        int(((test.item_degrees > 0) & (train.item_degrees == 0)).sum()),
    )


def _counterparts(user_keys: NDArray, item_keys: NDArray) -> tuple[NDArray, NDArray]:
    _, user_at, item_at = np.intersect1d(user_keys, item_keys, return_indices=True)
    as_item, as_user = np.full(len(user_keys), -1, np.int64), np.full(len(item_keys), -1, np.int64)
    as_item[user_at], as_user[item_at] = item_at, user_at
    return as_item, as_user


def _times(interactions: Interactions) -> NDArray[np.int64]:
    if interactions.times is None or not len(interactions):
        raise InvalidInput(
            "Split by time",
            ["the interactions have no times; name `timeProperty` in the task, or take a random split"],
        )
    return interactions.times


def _check_shares(what: str, test: float, validation: float) -> None:
    faults = [
        f"{name} is {value}, expected at least 0 and below 1"
        for name, value in (("test", test), ("validation", validation))
        if not 0 <= value < 1
    ]
    if not faults and test + validation >= 1:
        faults = [f"test and validation together are {test + validation}, expected below 1"]
    if faults:
        raise InvalidInput(what, faults)


def _by_rank(
    interactions: Interactions,
    order: NDArray,
    test: float,
    validation: float,
    description: str,
    *,
    down: bool = False,
) -> Split:
    degrees = interactions.user_degrees
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order)) - np.repeat(interactions.matrix.indptr[:-1], degrees)
    half, least = (0.0, 1) if down else (0.5, 0)
    held = np.floor(degrees * test + half).astype(np.int64)
    checked = np.floor(degrees * validation + half).astype(np.int64)
    held, checked = (
        np.maximum(part, least if share else 0) for part, share in ((held, test), (checked, validation))
    )
    held = np.minimum(held, np.maximum(degrees - 1, 0))
    checked = np.minimum(checked, np.maximum(degrees - 1 - held, 0))
    test_from = (degrees - held)[interactions.user_index]
    validation_from = test_from - checked[interactions.user_index]
    return Split(
        interactions.keep(rank < validation_from),
        interactions.keep((rank >= validation_from) & (rank < test_from)),
        interactions.keep(rank >= test_from),
        description,
    )
