"""Base classes by serving contract: how a model answers here, and what it leaves for the database.

Shapes: U = users, I = items, B = users of a batch, D = dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.kernels import exact_dot, weighted_sums
from gds_pipelines.models.payload import ItemPropagation, ItemWeights, RankedLists, VectorPairs
from gds_pipelines.models.recommender import Recommender
from gds_pipelines.training import Learner, TrainingOptions, train


class PropagationRecommender(Recommender):
    """A model whose users are sums over their items: ``item-propagation/1``.

    A subclass sets, in ``_fit`` and ``_restore``: ``_e`` [I, D] (scored against) and ``_c`` [I, D]
    (summed for users), float32; ``exponent`` is p.
    """

    exponent: ClassVar[float] = 0.0
    _e: NDArray[np.float32]
    _c: NDArray[np.float32]

    def user_vectors(self, users: ArrayLike | None = None) -> NDArray[np.float32]:
        """[B, D] – query vectors of trained users (all by default), as the database computes them."""
        users = np.arange(self.train.n_users) if users is None else self._checked_users(users)
        return self.query(self.train.histories(users))

    def item_vectors(self) -> NDArray[np.float32]:
        """[I, D] – e, what a query is scored against."""
        self._require_fit()
        return self._e

    def context_vectors(self) -> NDArray[np.float32]:
        """[I, D] – c, what a user's items are summed by."""
        self._require_fit()
        return self._c

    def query(self, histories: Histories) -> NDArray[np.float32]:
        """[B, D] – q = d^-p * (d / read) * sum of w c over the read items; zero for an empty history."""
        self._require_fit()
        scale = histories.scale * np.maximum(histories.degrees, 1.0) ** -self.exponent
        return np.asarray(histories.matrix @ self._c) * scale.astype(np.float32)[:, None]

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        return self.query(histories) @ self._e.T

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        return exact_dot(self.query(histories), self._e, items)

    def payload(self) -> ItemPropagation:
        """Finished vectors: nothing is left for the database to propagate."""
        return ItemPropagation(
            item_keys=self.train.item_keys,
            vectors="final",
            vector=self.item_vectors(),
            context=self.context_vectors(),
            layers=0,
            exponent=self.exponent,
            hyperparameters=self.parameters.to_mapping() | {"seed": self.seed},
        )


class ItemWeightRecommender(Recommender):
    """A model that is one item x item matrix: ``item-weights/1``; score = history row times matrix.

    A subclass sets ``_weights`` [I, I] float32 CSR (source row, target column) in ``_fit``.
    """

    supported_only: ClassVar[bool] = True
    _weights: sp.csr_array

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        return (histories.matrix @ self._weights).toarray()

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        return weighted_sums(histories.matrix, self._weights, items)

    def payload(self) -> ItemWeights:
        m = self._weights
        rows = np.repeat(np.arange(m.shape[0], dtype=np.int32), np.diff(m.indptr))
        order = np.lexsort((m.indices, -m.data, rows))
        return ItemWeights(
            self.train.item_keys,
            rows[order],
            m.indices[order].astype(np.int32),
            m.data[order].astype(np.float32),
            self.parameters.to_mapping(),
        )

    def _state(self) -> dict[str, NDArray]:
        m = self._weights
        return {"data": m.data, "indices": m.indices, "indptr": m.indptr}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        n = self.train.n_items
        self._weights = sp.csr_array((state["data"], state["indices"], state["indptr"]), shape=(n, n))


class UserVectorRecommender(Recommender):
    """A model with a vector for every user and item: ``vectors/1``; score = dot product.

    A subclass that learns by steps gives ``_learner``, whose ``vectors()`` are the two tables; any other sets
    ``_users`` [U, D] and ``_items`` [I, D] float32 in a ``_fit`` of its own. A visitor gets the mean of the
    item vectors of the history, unless ``_fold_in`` knows better.
    """

    history_limit: ClassVar[int | None] = None
    cold: ClassVar[str] = "mean"
    _users: NDArray[np.float32]
    _items: NDArray[np.float32]

    def _learner(self, interactions: Interactions, validation: Interactions | None) -> Learner:
        """What the training loop runs; its ``vectors()`` gives users [U, D] and items [I, D]."""
        raise TypeError(f"'{self.info.name}' gives neither `_learner` nor a `_fit` of its own")

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        learner = self._learner(interactions, validation)
        self.training_report = train(learner, options).to_mapping()
        self._users, self._items = learner.vectors()

    def user_vectors(self) -> NDArray[np.float32]:
        """[U, D]."""
        return self._users

    def item_vectors(self) -> NDArray[np.float32]:
        """[I, D]."""
        return self._items

    def _fold_in(self, histories: Histories) -> NDArray[np.float32]:
        """[B, D] – vectors of visitors; zero for an empty history."""
        rows = np.asarray(histories.matrix @ self._items)
        total = np.asarray(histories.matrix.sum(axis=1)).reshape(-1, 1)
        return np.divide(rows, total, out=np.zeros_like(rows), where=total > 0)

    def _query(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        return self._fold_in(histories) if users is None else self._users[users]

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        return self._query(histories, users) @ self._items.T

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        return exact_dot(self._query(histories, users), self._items, items)

    def _cold_parameters(self) -> dict[str, Any]:
        """What the database needs for ``_fold_in``, as ``VectorPairs`` has it; empty for the mean."""
        return {}

    def payload(self) -> VectorPairs:
        # A user nothing is known of has no vector of its own: the rule for newcomers answers.
        known = self.train.user_degrees > 0
        return VectorPairs(
            self.train.user_keys[known],
            self.train.item_keys,
            self._users[known],
            self._items,
            "dot",
            self.cold,
            self._cold_parameters(),
            self.parameters.to_mapping() | {"seed": self.seed},
        )

    def _state(self) -> dict[str, NDArray]:
        return {"users": self._users, "items": self._items}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._users, self._items = state["users"], state["items"]


class ListRecommender(Recommender):
    """A model that leaves as finished lists, ``lists/1``: computed here for every user, served as they
    are."""

    history_limit: ClassVar[int | None] = None
    list_length: ClassVar[int] = 100

    def payload(self) -> RankedLists:
        known = np.flatnonzero(self.train.user_degrees > 0)
        found = self.recommend(known, min(self.list_length, self.train.n_items))
        there = found.items >= 0
        users = np.broadcast_to(known[:, None], found.items.shape)
        ranks = np.broadcast_to(np.arange(1, found.items.shape[1] + 1), found.items.shape)
        return RankedLists(
            self.train.user_keys,
            self.train.item_keys,
            users[there].astype(np.int32),
            found.items[there].astype(np.int32),
            ranks[there].astype(np.int32),
            found.scores[there].astype(np.float32),
            self.parameters.to_mapping() | {"seed": self.seed},
        )
