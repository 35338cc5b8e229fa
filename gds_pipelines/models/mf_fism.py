"""mf-fism: ``mf-logistic``, ``fism`` and ``ials`` in one dot product, weighed on a part of train.

    s(u, i) = (p_u . q_i + b_i) / sd(u) + weight * q'_u . e_i / sd'(u) + ials_weight * x_u . y_i / sd''(u)

p, q and b are those of ``mf-logistic``, q' and e those of ``fism``, x and y those of ``ials``; sd(u) is the
standard deviation of a source's scores for u over all items, so that all are equally loud to every user. Each
is a dot product, so their sum is one too: vectors of D + 1 + D' + D'' numbers, the users' scaled, the items'
as they are. One knows the user, one the items alone, and one weighs what was not touched; they err in
different places.

The weights are those of ``WEIGHTS`` that rank held-out pairs best, by the mean of 1 / log2(1 + rank): the
newest pair of each user where there are times, else one drawn at random. The rank is that among all items,
or, where lists are made out of ``among`` items, the one to expect there. The weights are chosen in turns, the
one with the other as it stands, until neither changes. The sources are then trained again on all pairs. A
visitor is folded in by least squares on the items' vectors.
Source: own; Rendle et al. 2020, Kabbur, Ning & Karypis 2013 and Rendle et al. 2022 for the sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import metrics, splits
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.fism import FISM
from gds_pipelines.models.ials import IALS, FoldInRecommender
from gds_pipelines.models.mf_logistic import MFLogistic, MFLogisticParameters
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions

WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
CHOICE_CELLS = 150_000_000
"""Users times items that a choice looks at, 10,000 users at most."""

BLOCK = 500
TURNS = 4
"""Times a weight is chosen again at most."""

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class MFFismParameters(MFLogisticParameters):
    weight: float | None = param(None, "of fism; none = chosen on a part of train", low=0.0, high=100.0)
    fism_dimension: int = param(256, "length of the vectors of fism", low=1, high=2048)
    temperature: float = param(0.12, "of the softmax of fism", above=0.0, search=(0.08, 0.25, "log"))
    source_power: float = param(0.65, "how much a popular item counts less in a user", low=0.0, high=2.0)
    length: float = param(0.13, "exponent of the degree in an item's length", low=-1.0, high=1.0)
    ials_weight: float | None = param(None, "of ials; none = chosen on a part of train", low=0.0, high=100.0)
    ials_dimension: int = param(64, "length of the vectors of ials", low=1, high=2048)
    ials_unobserved: float = param(0.3, "weight of every pair in ials, seen or not", above=0.0)
    among: int | None = param(
        None, "weights are chosen for lists out of so many items; none = out of all", low=2
    )


class MFFism(FoldInRecommender):
    info = ModelInfo(
        name="mf-fism",
        title="mf-logistic, fism and ials in one dot product, weighed on a part of train",
        source="own",
        contract="vectors/1",
    )
    Parameters = MFFismParameters
    steps = "own"
    search_with: ClassVar = {"dimension": 32, "fism_dimension": 64, "ials_dimension": 32}

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        weights = (self.parameters.weight, self.parameters.ials_weight)
        tried, sources = 0, None
        if None in weights:
            train, held = interactions, validation
            if held is None or not len(held):
                parts = splits.one_each(interactions, seed=self.seed)
                train, held = parts.train, parts.validation
            sources = self._sources(train, options, "weighing-")
            weights, tried = self._chosen(train, held, sources, weights, self.parameters.among)
        if sources is None or train is not interactions:
            sources = self._sources(interactions, options, "")
        loud = (1.0, *weights)
        self._users = np.hstack([np.float32(by) * of[0] for by, of in zip(loud, sources, strict=True)])
        self._items = np.hstack([items for _, items in sources])
        weight, ials_weight = weights
        chosen = {"weight": weight, "ials_weight": ials_weight}
        self.training_report |= {"weight": weight, "blend": {**chosen, "tried": tried}}

    def _sources(self, interactions: Interactions, options: TrainingOptions, stage: str) -> list[Vectors]:
        """Vectors [U, D] and [I, D] of each source, trained on its own; the users' as loud as the others'."""
        given = self.parameters.to_mapping()
        encoder = {name: given[name] for name in ("temperature", "source_power", "length")}
        squares = {"dimension": given["ials_dimension"], "unobserved": given["ials_unobserved"]}
        found = []
        for cls, settings in (
            (MFLogistic, {name: given[name] for name in MFLogisticParameters.__dataclass_fields__}),
            (FISM, encoder | {"dimension": given["fism_dimension"]}),
            (IALS, squares),
        ):
            each = options
            if options.directory is not None:
                each = replace(options, directory=options.directory / (stage + cls.info.name))
            source = cls(settings, seed=self.seed).fit(interactions, options=each)
            if cls is MFLogistic:
                self.training_report = dict(source.training_report)
            if cls is FISM:
                users = source.query(interactions.histories(np.arange(interactions.n_users), None))
            else:
                users = source.user_vectors()
            found.append(evened(users, source.item_vectors()))
        return found

    @staticmethod
    def _chosen(
        train: Interactions,
        held: Interactions,
        sources: Sequence[Vectors],
        given: Sequence[float | None],
        among: int | None = None,
    ) -> tuple[tuple[float, ...], int]:
        """The weights of all sources but the first that rank held-out pairs best, and how many were tried.

        Args:
            given: a weight that stands, or None for one to choose; it starts as 1, and of equals the first of
                ``WEIGHTS`` is taken.
        """
        weights = [1.0 if one is None else float(one) for one in given]
        open_ = [at for at, one in enumerate(given) if one is None]
        users = splits.users_to_choose_on(train, held, cells=CHOICE_CELLS, most=10_000)
        if not len(users):
            return tuple(weights), 0
        tried, still = 0, 0
        for turn in range(TURNS * len(open_)):
            at = open_[turn % len(open_)]
            best = WEIGHTS[int(gains(train, held, users, sources, weights, at, among).argmax())]
            tried += len(WEIGHTS)
            still = still + 1 if best == weights[at] else 0
            weights[at] = best
            if still >= len(open_) - 1 and turn >= len(open_) - 1:
                break
        return tuple(weights), tried

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        encoder = FISM.Parameters(dimension=parameters.fism_dimension)
        squares = IALS.Parameters(dimension=parameters.ials_dimension)
        rows = interactions.n_users + interactions.n_items
        width = parameters.dimension + parameters.fism_dimension + parameters.ials_dimension
        parts = (
            MFLogistic._estimate(interactions, parameters)
            + FISM._estimate(interactions, encoder)
            + IALS._estimate(interactions, squares)
        )
        return parts + 4 * 3 * rows * width


def gains(
    train: Interactions,
    held: Interactions,
    users: NDArray[np.int64],
    sources: Sequence[Vectors],
    weights: Sequence[float],
    at: int,
    among: int | None = None,
) -> NDArray[np.float64]:
    """[len(WEIGHTS)] - sum of 1 / log2(1 + rank) of held-out pairs by the weight of source ``at + 1``.

    Args:
        users: whose pairs count; what stands in ``train`` is not ranked.
        weights: of the other sources but the first, whose weight is 1.
        among: items of a list, the wanted one among them, the others drawn evenly; None = all.
    """
    found = np.zeros(len(WEIGHTS))
    for start in range(0, len(users), BLOCK):
        block = users[start : start + BLOCK]
        own, rest = (of[block] @ items.T for of, items in (sources[at + 1], sources[0]))
        for other, (of, items) in enumerate(sources[1:]):
            if other != at and weights[other]:
                rest = rest + np.float32(weights[other]) * (of[block] @ items.T)
        seen, wanted = train.matrix[block].tocoo(), held.matrix[block].tocoo()
        for place, weight in enumerate(WEIGHTS):
            score = rest + np.float32(weight) * own
            score[seen.row, seen.col] = -np.inf
            value = score[wanted.row, wanted.col]
            above = (score[wanted.row] > value[:, None]).sum(axis=1)
            found[place] += metrics.gain_among(above, train.n_items, among).sum()
    return found


def evened(users: NDArray[np.float32], items: NDArray[np.float32]) -> Vectors:
    """The same vectors with each user's divided by the standard deviation of its scores over all items.

    A user whose scores are all alike stays as it is.
    """
    apart = items.astype(np.float64) - items.mean(axis=0, dtype=np.float64)
    spread = apart.T @ apart / max(1, len(items))
    wide = users.astype(np.float64)
    deviation = np.sqrt(np.maximum(((wide @ spread) * wide).sum(axis=1), 0.0))
    deviation[deviation < 1e-9] = 1.0
    return (wide / deviation[:, None]).astype(np.float32), items
