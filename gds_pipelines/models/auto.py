"""auto: ``fism`` blended with a walk over the same graph, the weight chosen on a part of train.

    score(u, i) = cos-logit(u, i) + weight * log(walk(u, i) / max_j walk(u, j) + floor)
    cos-logit   = (u / |u|) . e_i / temperature of ``fism``
    walk(u, .)  = x_u Di^-b X' Du^-1 X Di^-c  (two hops, unequal degree weights)

The vectors know what is similar, the walk what is near; in logits they add up. With ``weight`` not given,
``fism`` is
fitted on ``splits.holdout`` of train, the weights of ``WEIGHTS`` are tried there, and the best is
kept for the fit on all of train. The test part is never touched. The artefact holds the vectors and names
sources, weights and rule: the database walks live relationships and adds up the same score.
Source: own; the walk after Paudel et al. 2017 and Cooper et al. 2014 (RP3beta, P3alpha).
"""

from __future__ import annotations

from collections.abc import Mapping
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
from gds_pipelines.ranking import top_k
from gds_pipelines.training import TrainingOptions

WEIGHTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
"""Tried on the held-out part of train when none is given."""


ALL_HISTORY = 10_000
"""As many interactions as the database ever reads of a node."""
WALK_LIMIT = 10_000_000
"""Relationships a step of the walk may read in the database: all, but on very large graphs."""


@dataclass(frozen=True)
class AutoParameters(FISMParameters):
    weight: float | None = param(None, "of the walk; none = chosen on a part of train", low=0.0, high=100.0)
    floor: float = param(0.001, "share of the best walk that an unreached item gets", above=0.0, high=1.0)
    walk_source: float = param(
        0.75, "b: how much a popular item counts less at the start of a walk", low=0.01, high=3.0
    )
    walk_target: float = param(0.3, "c: how much a popular item counts less at its end", low=0.0, high=2.0)


class Auto(Recommender):
    info = ModelInfo(
        name="auto",
        title="fism blended with a walk, weighed on a part of train",
        source="own",
        contract="item-propagation/1",
    )
    Parameters = AutoParameters
    history_limit = None  # the walk starts from all a user has; the vectors do the same
    first_tries = FISM.first_tries
    search_with = FISM.search_with
    _last: tuple[Histories, NDArray[np.float32]] | None = None

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._weight = self.parameters.weight
        if self._weight is None:
            parts = (interactions, validation)
            if validation is None or not len(validation):
                held = splits.holdout(interactions, seed=self.seed)
                parts = (held.train, held.validation)
            self._weight = self._chosen(*parts, options)
        self._set(interactions, self._encoder(interactions, options, "fism"))
        self.training_report = self._fism.training_report | {"weight": self._weight}

    def _encoder(self, interactions: Interactions, options: TrainingOptions, folder: str) -> FISM:
        names = FISMParameters.__dataclass_fields__
        chosen = {name: value for name, value in self.parameters.to_mapping().items() if name in names}
        if options.directory is not None:
            options = replace(options, directory=options.directory / folder)
        return FISM(chosen, seed=self.seed).fit(interactions, options=options)

    def _set(self, interactions: Interactions, encoder: FISM) -> None:
        self._train, self._fism = interactions, encoder
        by_user = 1.0 / np.maximum(interactions.user_degrees, 1)
        by_item = np.maximum(interactions.item_degrees, 1.0)
        m, back = interactions.matrix, sp.csr_array(interactions.matrix.T.tocsr())
        rows = np.repeat(np.arange(interactions.n_items), np.diff(back.indptr))
        there = back.data * by_item[rows] ** -self.parameters.walk_source
        here = m.data * by_user[interactions.user_index] * by_item[m.indices] ** -self.parameters.walk_target
        self._to_users = (back.indptr, back.indices, there.astype(np.float32))
        self._to_items = (m.indptr, m.indices, here.astype(np.float32))

    def _chosen(self, train: Interactions, held_out: Interactions, options: TrainingOptions) -> float:
        """The weight of the best mean of recall@20 and nDCG@20 on the held-out part; the smaller of
        equals."""
        self._set(train, self._encoder(train, options, "weighing"))
        users = np.flatnonzero((held_out.user_degrees > 0) & (train.user_degrees > 0))
        if not len(users):
            return 1.0
        users = users[:: max(1, len(users) // 6_000)]
        totals = np.zeros(len(WEIGHTS))
        wanted = held_out.pairs()
        for block in self._blocks(users):
            histories = train.histories(block, self.history_limit)
            logits, walks = self._logits(histories), np.log(self._walks(histories))
            for at, weight in enumerate(WEIGHTS):
                items, _ = top_k(
                    logits + np.float32(weight) * walks, min(20, train.n_items), train.matrix[block]
                )
                hits = np.isin(block[:, None] * train.n_items + items, wanted) & (items >= 0)
                held = held_out.user_degrees[block]
                totals[at] += metrics.recall(hits, held).sum() + metrics.ndcg(hits, held).sum()
        return WEIGHTS[int(totals.argmax())]

    # ---------------------------------------------------------------- scoring

    def _unit(self, histories: Histories) -> NDArray[np.float32]:
        query = self._fism.query(histories)
        length = np.linalg.norm(query.astype(np.float64), axis=1, keepdims=True)
        return (query / np.maximum(length, 1e-12) / self.parameters.temperature).astype(np.float32)

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
        return self._logits(histories) + np.float32(self._weight) * np.log(walks)

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        kept = self._last
        walks = kept[1] if kept is not None and kept[0] is histories else self._walks(histories)
        self._last = None
        near = np.log(np.take_along_axis(walks, np.maximum(items, 0), axis=1).astype(np.float64))
        return exact_dot(self._unit(histories), self._fism.item_vectors(), items) + self._weight * near

    def payload(self) -> ItemPropagation:
        chosen = self.parameters
        sources = {
            "vector": {"weight": 1.0 / chosen.temperature, "scale": "unit"},
            "walk": {"weight": float(self._weight), "scale": "log", "floor": chosen.floor},
        }
        walk = {
            # w / degree^alpha: a step from the user, from an item (a popular one counts less), from a user.
            "alpha": [1.0, chosen.walk_source, 1.0],
            "beta": chosen.walk_target,
            "weights": "count",
            "limit": WALK_LIMIT,
        }
        return replace(
            self._fism.payload(),
            history=ALL_HISTORY,
            blend={"rule": "sum", "sources": sources, "walk": walk},
            hyperparameters=chosen.to_mapping() | {"seed": self.seed, "weight": self._weight},
        )

    def _state(self) -> dict[str, NDArray]:
        return self._fism._state() | {"weight": np.asarray(self._weight)}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._weight = float(state["weight"])
        names = FISMParameters.__dataclass_fields__
        chosen = {name: value for name, value in self.parameters.to_mapping().items() if name in names}
        encoder = FISM(chosen, seed=self.seed)
        encoder._train = self.train
        encoder._restore(state)
        self._set(self.train, encoder)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        return FISM._estimate(interactions, parameters) + 48 * len(interactions)
