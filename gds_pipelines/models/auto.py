"""auto: ``fism``, a walk over the same graph and popularity in one score, all weighed on a part of train.

    score(u, i) = f_i cos-logit(u, i) + weight * log(walk(u, i) / max_j walk(u, j) + floor)
                  + popularity * log(d_i / max_j d_j + floor)
    cos-logit   = (u / |u|) . e_i / temperature of ``fism``
    walk(u, .)  = x_u Di^-b X' Du^-a X Di^-c  (two hops, unequal degree weights)
    f_i         = (share of the item's interactions that is fresh: mean of 0.5^(age / half life))^freshness

The vectors know what is similar, the walk what is near; in logits they add up. What is not given is chosen on
a part of train, one thing after the other: setting of ``fism`` and weight; exponents of the walk; freshness,
where there are times; popularity. Each has to earn its place: a step that does not raise the mean of
recall@20 and nDCG@20 by ``GAIN`` is not taken. That part is the newest fifth of each user's pairs where there
are times, else ``splits.holdout``. Where lists are out of ``among`` items, it is ``splits.one_each``, and
what is raised is the mean of 1 / log2(1 + the rank to expect there). The test part is never touched. The
artefact holds the vectors, f in their length, and names sources, weights and rule: the database walks live
relationships and adds up the same score.
Source: own; the walk after Paudel et al. 2017 and Cooper et al. 2014 (RP3beta, P3alpha).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines import metrics, splits
from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo, Recommender
from gds_pipelines.models.fism import FISM, FISMParameters
from gds_pipelines.models.kernels import exact_dot, walk_rows
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.payload import ItemPropagation
from gds_pipelines.ranking import Sums, above_in_sums, top_k_of_sums
from gds_pipelines.training import TrainingOptions

WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Of the walk. Ten leave the vectors little more than to order what the walk finds alike."""
WALKS = ((0.75, 1.0, 0.3), (0.7, 0.7, 0.3), (0.7, 0.7, 0.0), (1.0, 1.0, 0.6))
"""Exponents (b, a, c) of the walk that are tried, those that are usual first."""
FRESHNESS = (0.25, 0.5, 1.0)
HALF_LIVES = (1 / 24, 1 / 12, 1 / 6, 1 / 3)
"""Shares of the time from the first interaction to the last."""
POPULARITY = (-1.0, -0.5, 0.5, 1.0, 2.0)
GAIN = 1.01
CHOICE_CELLS = 600_000_000
"""Users times items that a choice looks at, 16,000 users at most. With a quarter of them two weights of the
walk on gowalla whose lists differ by a hundredth were told apart no better than by chance."""
FRESH_FLOOR = 0.001
DAY = 86_400_000
ALL_HISTORY = 10_000
"""As many interactions as the database ever reads of a node."""
WALK_LIMIT = 10_000_000
"""Relationships a step of the walk may read in the database: all, but on very large graphs."""


@dataclass(frozen=True)
class AutoParameters(FISMParameters):
    weight: float | None = param(None, "of the walk; none = chosen on a part of train", low=0.0, high=100.0)
    popularity: float | None = param(
        None, "weight of popularity, below 0 against it; none = chosen", low=-100.0, high=100.0
    )
    freshness: float | None = param(
        None, "how much longer items of late are; none = chosen where there are times", low=0.0, high=10.0
    )
    half_life: float | None = param(None, "days until an interaction counts half; none = chosen", above=0.0)
    floor: float = param(0.001, "share of the best walk that an unreached item gets", above=0.0, high=1.0)
    walk_source: float | None = param(
        None,
        "b: how much a popular item counts less at the start of a walk; none = chosen",
        low=0.01,
        high=3.0,
    )
    walk_user: float | None = param(
        None, "a: how much a heavy user counts less; none = chosen", low=0.01, high=3.0
    )
    walk_target: float | None = param(
        None, "c: how much a popular item counts less at its end; none = chosen", low=0.0, high=2.0
    )
    among: int | None = param(None, "all is chosen for lists out of so many items; none = out of all", low=2)


@dataclass(frozen=True)
class Choice:
    """What is added up, and how.

    Args:
        weight, popularity: of the walk and of popularity.
        walk: exponents (b, a, c).
        freshness: exponent of the fresh share in an item's length.
        half_life: days; without meaning where ``freshness`` is 0.
        encoder: settings of ``fism`` that are not the given ones.
    """

    weight: float = 1.0
    walk: tuple[float, float, float] = WALKS[0]
    freshness: float = 0.0
    half_life: float = 30.0
    popularity: float = 0.0
    encoder: tuple[tuple[str, float], ...] = ()


class Auto(Recommender):
    info = ModelInfo(
        name="auto",
        title="fism, a walk and popularity in one score, weighed on a part of train",
        source="own",
        contract="item-propagation/1",
    )
    Parameters = AutoParameters
    steps = "own"
    history_limit = None  # the walk starts from all a user has; the vectors do the same
    first_tries = FISM.first_tries
    search_with = FISM.search_with
    _last: tuple[Histories, NDArray[np.float32]] | None = None

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._choice, tried = self._given(), 0
        if self._open():
            parts = (interactions, validation)
            if validation is None or not len(validation):
                cut = held_out if self.parameters.among is None else splits.one_each
                held = cut(interactions, seed=self.seed)
                parts = (held.train, held.validation)
            self._choice, tried = self._chosen(*parts, options)
        encoder = self._encoder(interactions, options, "fism", self._choice.encoder)
        self._set(interactions, encoder, self._choice)
        encoder._e = encoder._e * self._length(interactions, self._choice)[:, None]
        chosen = {
            "walk": list(self._choice.walk),
            "weight": self._choice.weight,
            "popularity": self._choice.popularity,
            "freshness": self._choice.freshness,
            "halfLifeDays": self._choice.half_life if self._choice.freshness else None,
            "fism": dict(self._choice.encoder),
            "tried": tried,
        }
        self.training_report = encoder.training_report | {"weight": self._choice.weight, "blend": chosen}

    def _given(self) -> Choice:
        """What stands in the parameters, and the usual where nothing does."""
        given, usual = self.parameters, Choice()
        walk = (given.walk_source, given.walk_user, given.walk_target)
        return Choice(
            usual.weight if given.weight is None else given.weight,
            tuple(own if one is None else one for one, own in zip(walk, WALKS[0], strict=True)),
            given.freshness or 0.0,
            given.half_life or usual.half_life,
            given.popularity or 0.0,
        )

    def _open(self) -> bool:
        """Whether anything is left to choose; whoever gives the weight of the walk has chosen."""
        return self.parameters.weight is None

    def _encoder(
        self,
        interactions: Interactions,
        options: TrainingOptions,
        folder: str,
        settings: tuple[tuple[str, float], ...],
    ) -> FISM:
        names = FISMParameters.__dataclass_fields__
        chosen = {name: value for name, value in self.parameters.to_mapping().items() if name in names}
        if options.directory is not None:
            options = replace(options, directory=options.directory / folder)
        return FISM(chosen | dict(settings), seed=self.seed).fit(interactions, options=options)

    def _set(self, interactions: Interactions, encoder: FISM, choice: Choice) -> None:
        self._train, self._fism, self._choice = interactions, encoder, choice
        self._temperature = encoder.parameters.temperature
        degrees = np.maximum(interactions.item_degrees, 0) / max(1, interactions.item_degrees.max(initial=1))
        self._popular = np.log(degrees + self.parameters.floor).astype(np.float32)
        self._steps(choice.walk)

    def _steps(self, exponents: tuple[float, float, float]) -> None:
        source, user, target = exponents
        interactions = self.train
        by_user = np.maximum(interactions.user_degrees, 1.0) ** -user
        by_item = np.maximum(interactions.item_degrees, 1.0)
        m, back = interactions.matrix, sp.csr_array(interactions.matrix.T.tocsr())
        rows = np.repeat(np.arange(interactions.n_items), np.diff(back.indptr))
        there = back.data * by_item[rows] ** -source
        here = m.data * by_user[interactions.user_index] * by_item[m.indices] ** -target
        self._to_users = (back.indptr, back.indices, there.astype(np.float32))
        self._to_items = (m.indptr, m.indices, here.astype(np.float32))

    @staticmethod
    def _length(interactions: Interactions, choice: Choice) -> NDArray[np.float32]:
        """[I] – f; 1 for all where freshness is 0 or nothing has a time."""
        if not choice.freshness or interactions.times is None:
            return np.ones(interactions.n_items, np.float32)
        age = (interactions.times.max() - interactions.times) / DAY
        fresh = np.bincount(
            interactions.matrix.indices, 0.5 ** (age / choice.half_life), interactions.n_items
        )
        share = fresh / np.maximum(interactions.item_degrees, 1)
        return ((share + FRESH_FLOOR) / (1 + FRESH_FLOOR)).astype(np.float32) ** np.float32(choice.freshness)

    # ---------------------------------------------------------------- choosing

    def _chosen(
        self, train: Interactions, held: Interactions, options: TrainingOptions
    ) -> tuple[Choice, int]:
        """The best choice on the held-out part, and how many were tried; of equals the first."""
        start, given = self._given(), self.parameters
        users = splits.users_to_choose_on(train, held, cells=CHOICE_CELLS, most=16_000)
        if not len(users):
            return start, 0
        search = _Search(self, train, held, users)
        usual = FISMParameters()
        tries: list[tuple[tuple[str, float], ...]] = [()]
        names = ("temperature", "length", "source_power")
        if all(getattr(given, name) == getattr(usual, name) for name in names):
            tries += [tuple(one.items()) for one in FISM.first_tries[1:2]]
        for settings in tries:
            encoder = self._encoder(train, options, f"weighing-{len(search.encoders)}", settings)
            search.encoders[settings] = encoder
            search.take(replace(start, encoder=settings, weight=weight) for weight in WEIGHTS)
        if given.walk_source is given.walk_user is given.walk_target is None:
            for walk in WALKS[1:]:
                search.take(replace(search.best, walk=walk, weight=weight) for weight in WEIGHTS)
        if train.times is not None and given.freshness is None:
            span = max(1.0, float(train.times.max() - train.times.min()) / DAY)
            lives = [given.half_life] if given.half_life else [share * span for share in HALF_LIVES]
            search.take(
                replace(search.best, freshness=power, half_life=life, weight=weight)
                for power in FRESHNESS
                for life in lives
                for weight in WEIGHTS
            )
        if given.popularity is None:
            near = {search.best.weight, *WEIGHTS[1:5]}
            search.take(
                replace(search.best, popularity=one, weight=weight)
                for one in POPULARITY
                for weight in sorted(near)
            )
        return search.best, search.tried

    # ---------------------------------------------------------------- scoring

    def _unit(self, histories: Histories) -> NDArray[np.float32]:
        query = self._fism.query(histories)
        length = np.linalg.norm(query.astype(np.float64), axis=1, keepdims=True)
        return (query / np.maximum(length, 1e-12) / self._temperature).astype(np.float32)

    def _logits(self, histories: Histories) -> NDArray[np.float32]:
        return self._unit(histories) @ self._fism.item_vectors().T

    def _walks(self, histories: Histories) -> NDArray[np.float32]:
        """[B, I] – share of the best walk, plus floor; 1 throughout where there is no walk at all."""
        x = histories.matrix
        out = np.empty(x.shape, np.float32)
        walk_rows(x.indptr, x.indices, x.data, *self._to_users, *self._to_items, self.train.n_users, out)
        top = out.max(axis=1, keepdims=True)
        out /= np.where(top > 0, top, 1.0)
        out += np.where(top > 0, self.parameters.floor, 1.0).astype(np.float32)
        return out

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        walks = self._walks(histories)
        self._last = (histories, walks)
        score = self._logits(histories) + np.float32(self._choice.weight) * np.log(walks)
        return score + np.float32(self._choice.popularity) * self._popular

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        kept = self._last
        walks = kept[1] if kept is not None and kept[0] is histories else self._walks(histories)
        self._last = None
        there = np.maximum(items, 0)
        near = np.log(np.take_along_axis(walks, there, axis=1).astype(np.float64))
        found = exact_dot(self._unit(histories), self._fism.item_vectors(), items)
        return found + self._choice.weight * near + self._choice.popularity * self._popular[there]

    def payload(self) -> ItemPropagation:
        chosen, choice = self.parameters, self._choice
        sources = {"vector": {"weight": 1.0 / self._temperature, "scale": "unit"}}
        for name, weight in (("walk", choice.weight), ("popularity", choice.popularity)):
            if weight:
                sources[name] = {"weight": float(weight), "scale": "log", "floor": chosen.floor}
        source, user, target = choice.walk
        walk = {
            # w / degree^alpha: a step from the user, from an item (a popular one counts less), from a user.
            "alpha": [1.0, source, user],
            "beta": target,
            "weights": "count",
            "limit": WALK_LIMIT,
        }
        settled = {"weight": choice.weight, "popularity": choice.popularity, "freshness": choice.freshness}
        settled |= {"half_life": choice.half_life, **dict(choice.encoder)}
        settled |= {"walk_source": source, "walk_user": user, "walk_target": target}
        return replace(
            self._fism.payload(),
            history=ALL_HISTORY,
            blend={"rule": "sum", "sources": sources, "walk": walk},
            hyperparameters=chosen.to_mapping() | settled | {"seed": self.seed},
        )

    def _state(self) -> dict[str, NDArray]:
        choice = self._choice
        numbers = (choice.weight, choice.popularity, choice.freshness, choice.half_life, *choice.walk)
        encoder = {f"fism.{name}": np.asarray(value) for name, value in choice.encoder}
        return self._fism._state() | encoder | {"choice": np.asarray(numbers, np.float64)}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        weight, popularity, freshness, half_life, *walk = (float(one) for one in state["choice"])
        settings = {key[5:]: float(value) for key, value in state.items() if key.startswith("fism.")}
        names = FISMParameters.__dataclass_fields__
        chosen = {name: value for name, value in self.parameters.to_mapping().items() if name in names}
        encoder = FISM(chosen | settings, seed=self.seed)
        encoder._train = self.train
        encoder._restore(state)
        choice = Choice(weight, tuple(walk), freshness, half_life, popularity, tuple(settings.items()))
        self._set(self.train, encoder, choice)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        return 2 * FISM._estimate(interactions, parameters) + 48 * len(interactions)


class _Search:
    """Keeps the best choice on a held-out part."""

    def __init__(
        self, model: Auto, train: Interactions, held: Interactions, users: NDArray[np.int64]
    ) -> None:
        self.model, self.train, self.held, self.users = model, train, held, users
        self.wanted = held.pairs()
        self.encoders: dict[tuple, FISM] = {}
        self.best, self.value, self.tried = Choice(), -np.inf, 0

    def take(self, choices: Iterator[Choice]) -> None:
        """Try choices; the best of them stays if it is better than the one that stood by ``GAIN``."""
        listed = list(choices)
        values = self._values(listed)
        self.tried += len(listed)
        best = int(values.argmax())
        if values[best] > max(self.value, 0.0) * GAIN or self.value == -np.inf:
            self.best, self.value = listed[best], float(values[best])

    def _values(self, choices: list[Choice]) -> NDArray[np.float64]:
        """Sum over users of recall@20 and nDCG@20, or over pairs of 1 / log2(1 + rank) among few, for choices
        of one encoder and one walk."""
        model, train = self.model, self.train
        model._set(train, self.encoders[choices[0].encoder], choices[0])
        ages = list(dict.fromkeys((one.freshness, one.half_life) for one in choices))
        first = [next(one for one in choices if (one.freshness, one.half_life) == age) for age in ages]
        lengths = np.stack([model._length(train, one) for one in first])
        length_of = np.array([ages.index((one.freshness, one.half_life)) for one in choices])
        weights = np.array([(one.weight, one.popularity) for one in choices], np.float32)
        width, totals = min(20, train.n_items), np.zeros(len(choices))
        among = model.parameters.among
        for block in model._blocks(self.users):
            histories = train.histories(block, model.history_limit)
            logits, near = model._logits(histories), np.log(model._walks(histories))
            sums = Sums(logits, lengths, near, model._popular, length_of, weights)
            if among is not None:
                above = above_in_sums(sums, self.held.matrix[block], train.matrix[block])
                totals += metrics.gain_among(above, train.n_items, among).sum(axis=1)
                continue
            lists = top_k_of_sums(sums, width, train.matrix[block])
            held = self.held.user_degrees[block]
            for at, items in enumerate(lists):
                places = block[:, None] * train.n_items + items
                nearest = np.minimum(np.searchsorted(self.wanted, places), len(self.wanted) - 1)
                hits = (self.wanted[nearest] == places) & (items >= 0)
                totals[at] += metrics.recall(hits, held).sum() + metrics.ndcg(hits, held).sum()
        return totals


def held_out(interactions: Interactions, seed: int) -> splits.Split:
    """The part of train that a choice is made on, as its validation part."""
    if interactions.timed:
        return splits.by_user_time(interactions).choosing()
    return splits.holdout(interactions, seed=seed)
