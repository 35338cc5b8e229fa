"""mf-fism: ``mf-logistic`` and ``fism`` in one dot product, weighed on a part of train.

    s(u, i) = (p_u . q_i + b_i) / sd(u) + weight * q'_u . e_i / sd'(u)

p, q and b are those of ``mf-logistic``, q' and e those of ``fism``; sd(u) is the standard deviation of a
source's scores for u over all items, so that both are equally loud to every user. Both are dot products, so
their sum is one too: vectors of D + 1 + D' numbers, the users' scaled, the items' as they are. One knows the
user, the other the items alone; they err in different places.

The weight is the one of ``WEIGHTS`` that ranks held-out pairs best, by the mean of 1 / log2(1 + rank) over
all items: the newest pair of each user where there are times, else one drawn at random. Both sources are then
trained again on all pairs. A visitor is folded in by least squares on the items' vectors.
Source: own; Rendle et al. 2020 and Kabbur, Ning & Karypis 2013 for the sources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import splits
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.fism import FISM
from gds_pipelines.models.ials import FoldInRecommender
from gds_pipelines.models.mf_logistic import MFLogistic, MFLogisticParameters
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import TrainingOptions

WEIGHTS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
CHOICE_CELLS = 150_000_000
"""Users times items that a choice looks at, 10,000 users at most."""

BLOCK = 500

Vectors = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class MFFismParameters(MFLogisticParameters):
    weight: float | None = param(None, "of fism; none = chosen on a part of train", low=0.0, high=100.0)
    fism_dimension: int = param(256, "length of the vectors of fism", low=1, high=2048)
    temperature: float = param(0.12, "of the softmax of fism", above=0.0, search=(0.08, 0.25, "log"))
    source_power: float = param(0.65, "how much a popular item counts less in a user", low=0.0, high=2.0)
    length: float = param(0.13, "exponent of the degree in an item's length", low=-1.0, high=1.0)


class MFFism(FoldInRecommender):
    info = ModelInfo(
        name="mf-fism",
        title="Matrix factorisation by log loss and fism in one dot product, weighed on a part of train",
        source="own",
        contract="vectors/1",
    )
    Parameters = MFFismParameters
    steps = "own"
    search_with: ClassVar = {"dimension": 32, "fism_dimension": 64}

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        weight, tried, sources = self.parameters.weight, 0, None
        if weight is None:
            train, held = interactions, validation
            if held is None or not len(held):
                parts = held_out(interactions, self.seed)
                train, held = parts.train, parts.validation
            sources = self._sources(train, options, "weighing-")
            weight, tried = self._chosen(train, held, *sources), len(WEIGHTS)
        if sources is None or train is not interactions:
            sources = self._sources(interactions, options, "")
        first, second = sources
        self._users = np.hstack([first[0], np.float32(weight) * second[0]])
        self._items = np.hstack([first[1], second[1]])
        self.training_report |= {"weight": weight, "blend": {"weight": weight, "tried": tried}}

    def _sources(
        self, interactions: Interactions, options: TrainingOptions, stage: str
    ) -> tuple[Vectors, Vectors]:
        """Vectors [U, D] and [I, D] of each source, trained on its own; the users' as loud as the other's."""
        given = self.parameters.to_mapping()
        encoder = {name: given[name] for name in ("temperature", "source_power", "length")}
        found = []
        for cls, settings in (
            (MFLogistic, {name: given[name] for name in MFLogisticParameters.__dataclass_fields__}),
            (FISM, encoder | {"dimension": given["fism_dimension"]}),
        ):
            each = options
            if options.directory is not None:
                each = replace(options, directory=options.directory / (stage + cls.info.name))
            source = cls(settings, seed=self.seed).fit(interactions, options=each)
            if cls is MFLogistic:
                self.training_report = dict(source.training_report)
                users = source.user_vectors()
            else:
                users = source.query(interactions.histories(np.arange(interactions.n_users), None))
            found.append(evened(users, source.item_vectors()))
        return found[0], found[1]

    @staticmethod
    def _chosen(train: Interactions, held: Interactions, first: Vectors, second: Vectors) -> float:
        """The weight that ranks the held-out pairs best; of equals the first."""
        users = np.flatnonzero((held.user_degrees > 0) & (train.user_degrees > 0))
        if not len(users):
            return 1.0
        most = int(np.clip(CHOICE_CELLS // max(1, train.n_items), 100, 10_000))
        users = users[:: -(-len(users) // most)]
        gains = np.zeros(len(WEIGHTS))
        for start in range(0, len(users), BLOCK):
            block = users[start : start + BLOCK]
            one, other = (of_users[block] @ of_items.T for of_users, of_items in (first, second))
            seen, wanted = train.matrix[block].tocoo(), held.matrix[block].tocoo()
            for at, weight in enumerate(WEIGHTS):
                score = one + np.float32(weight) * other
                score[seen.row, seen.col] = -np.inf
                own = score[wanted.row, wanted.col]
                rank = 1 + (score[wanted.row] > own[:, None]).sum(axis=1)
                gains[at] += (1 / np.log2(1 + rank)).sum()
        return WEIGHTS[int(gains.argmax())]

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        encoder = FISM.Parameters(dimension=parameters.fism_dimension)
        rows = interactions.n_users + interactions.n_items
        width = parameters.dimension + parameters.fism_dimension
        parts = MFLogistic._estimate(interactions, parameters) + FISM._estimate(interactions, encoder)
        return parts + 4 * 3 * rows * width


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


def held_out(interactions: Interactions, seed: int) -> splits.Split:
    """The part of train that the weight is chosen on, as its validation part."""
    if interactions.times is None or interactions.times.min() == interactions.times.max():
        made = splits.leave_one(interactions, seed=seed)
    else:
        made = splits.leave_last(interactions, 1, validation=0)
    return replace(made, validation=made.test, test=made.validation)
