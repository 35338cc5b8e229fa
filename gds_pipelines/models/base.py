"""The contract of a recommender: fit, score, recommend, answer a cold user, be saved, leave as a payload.

Shapes: U = users, I = items, B = users of a batch, K = list length, D = dimensions.
A model is one file with one subclass of ``Recommender``; the registry finds it and
the contract tests in ``tests/unit/test_models.py`` hold it to the rules:
same seed, same list; a batch equals its users one by one; seen items never return;
a user without a history gets the popular items; save, load and go on are equal.
"""

from __future__ import annotations

import copy
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.interactions import HISTORY_LIMIT, Histories, Interactions
from gds_pipelines.models.kernels import exact_dot, weighted_sums
from gds_pipelines.models.parameters import Parameters, describe, read_parameters
from gds_pipelines.models.payload import ItemPropagation, ItemWeights, Payload, RankedLists, VectorPairs
from gds_pipelines.models.warm_start import StartVectors
from gds_pipelines.ranking import RESCORED, reorder, top_k
from gds_pipelines.training import Learner, TrainingOptions, train

BLOCK_BYTES = 96 * 2**20
"""Memory one block of scores may take."""


class NotTrained(PipelineError):
    """A model was asked before ``fit``."""


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model before it is trained.

    Args:
        name: as in ``--model``.
        title: one line.
        source: the paper, or 'own'.
        contract: serving contract of its artefact; None where the database needs none.
        needs: what it reads beyond the interactions, e.g. ('ratings',).
        kinds: task kinds it can be used for: 'user-item', 'item-item'.
        trained: False for baselines without learned parameters.
    """

    name: str
    title: str
    source: str
    contract: str | None
    needs: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ("user-item", "item-item")
    trained: bool = True


@dataclass(frozen=True)
class Recommendations:
    """Ranked lists of a batch.

    Args:
        items: [B, K] item indices, best first, -1 where no candidate is left.
        scores: [B, K] descending; they order one list and are not comparable across models.
    """

    items: NDArray[np.int64]
    scores: NDArray[np.float64]


@dataclass(frozen=True)
class _NoParameters(Parameters):
    pass


class Recommender(ABC):
    """Base of all models.

    A subclass states ``info`` and ``Parameters``, fits in ``_fit`` and scores a batch in ``_score``.
    Args of the constructor: ``parameters`` – a map (or the dataclass) of hyper-parameters;
    ``seed`` – the same seed gives the same numbers on the same machine with the same number of threads.
    """

    info: ClassVar[ModelInfo]
    Parameters: ClassVar[type[Parameters]] = _NoParameters
    history_limit: ClassVar[int | None] = HISTORY_LIMIT
    """How many of a user's newest items are read; None = all (models the database does not compute live)."""
    reads_features: ClassVar[bool] = False
    """True where the features of the task are read, if it names any."""
    supported_only: ClassVar[bool] = False
    """True where a score of 0 means "no evidence": such items follow the others, by popularity."""
    first_tries: ClassVar[Sequence[Mapping[str, Any]]] = ({},)
    """Settings a search tries first; ``{}`` are the defaults."""
    starts_warm: ClassVar[bool] = False
    """True where training can begin with the vectors of an earlier version (``begin_with``)."""
    search_with: ClassVar[Mapping[str, Any]] = {}
    """Cheaper settings that hold while others are searched, where the best ones do not depend on them."""

    def __init__(self, parameters: Mapping[str, Any] | Parameters | None = None, *, seed: int = 0) -> None:
        what = f"Hyper-parameters of '{self.info.name}'"
        self.parameters = read_parameters(self.Parameters, parameters, what)
        self.seed = seed
        self._train: Interactions | None = None
        self.start: StartVectors | None = None
        self.training_report: dict[str, Any] = {}

    # ---------------------------------------------------------------- fitting

    def fit(
        self,
        interactions: Interactions,
        *,
        validation: Interactions | None = None,
        options: TrainingOptions | None = None,
    ) -> Recommender:
        """Learn from ``interactions``; ``validation`` steers early stopping where the model has steps.

        Raises:
            InvalidInput: nothing to learn from, or a validation part over other users or items.
        """
        faults = []
        if not len(interactions):
            faults.append("there are no interactions to learn from; check `via` and the projection")
        if validation is not None and validation.matrix.shape != interactions.matrix.shape:
            faults.append(
                f"train covers {interactions.matrix.shape} users and items, "
                f"validation {validation.matrix.shape}; both must be parts of one split"
            )
        if faults:
            raise InvalidInput(f"Model '{self.info.name}'", faults)
        self._train = interactions
        self._fit(interactions, validation, options or TrainingOptions())
        return self

    def begin_with(self, start: StartVectors) -> Recommender:
        """Have ``fit`` begin with these vectors instead of fresh ones.

        Raises:
            InvalidInput: this model has no vectors to begin with, or those are of another one.
        """
        if not self.starts_warm:
            raise InvalidInput("Warm start", [f"'{self.info.name}' is not trained step by step from vectors"])
        start.check(self.info.name, self.parameters.dimension)
        self.start = start
        return self

    @abstractmethod
    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        """Learn; ``interactions`` holds at least one pair."""

    @property
    def train(self) -> Interactions:
        """What the model was fitted on."""
        if self._train is None:
            raise NotTrained(f"Model '{self.info.name}' is not trained yet; call fit first.")
        return self._train

    def knowing(self, interactions: Interactions) -> Recommender:
        """The same model, asked of users who have done more (or less) since it was trained.

        Args:
            interactions: over the users and items it was trained on; what has vectors of its own keeps them.
        """
        if interactions.matrix.shape != self.train.matrix.shape:
            raise InvalidInput(
                f"Model '{self.info.name}'",
                [
                    f"it knows {self.train.matrix.shape} users and items, found {interactions.matrix.shape}; "
                    f"train it again"
                ],
            )
        asked = copy.copy(self)
        asked._train = interactions
        return asked

    @classmethod
    def estimate(cls, interactions: Interactions, parameters: Mapping[str, Any] | None = None) -> int:
        """Bytes that fitting and ranking are expected to need beyond the interactions themselves."""
        chosen = read_parameters(cls.Parameters, parameters, f"Hyper-parameters of '{cls.info.name}'")
        return BLOCK_BYTES * 2 + cls._estimate(interactions, chosen)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        return 0

    # ---------------------------------------------------------------- scoring

    @abstractmethod
    def _score(self, histories: Histories, users: NDArray[np.int64] | None) -> NDArray[np.float32]:
        """[B, I] – scores of all items. ``users`` are indices of trained users, or None for visitors."""

    def _exact(
        self, histories: Histories, users: NDArray[np.int64] | None, items: NDArray[np.int64]
    ) -> NDArray[np.float64] | None:
        """[B, M] – double-precision scores of ``items`` [B, M] (-1 allowed), or None where ``_score`` is
        exact.

        A matrix product rounds differently for different batch sizes; models that use one answer here,
        so that a list never depends on who shares the batch.
        """
        return None

    def scores(self, users: ArrayLike) -> NDArray[np.float32]:
        """[B, I] – scores of all items for trained users, seen items included."""
        users = self._checked_users(users)
        return self._score(self.train.histories(users, self.history_limit), users)

    def cold_scores(self, lists: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """[B, I] – scores for visitors who are known by a list of item indices alone."""
        return self._score(Histories.of_items(lists, self.train.n_items), None)

    def recommend(
        self,
        users: ArrayLike,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        exclude: sp.csr_array | None = None,
    ) -> Recommendations:
        """The k best items of each user.

        Args:
            users: [B] user indices.
            k: >= 1; more than there are candidates gives rows padded with -1.
            exclude_seen: leave out what the user has in the training interactions.
            exclude: [U, I] further pairs to leave out (instead of the training ones with exclude_seen=False).
        """
        users = self._checked_users(users)
        found = [
            self._rank(
                self.train.histories(block, self.history_limit),
                block,
                k,
                _union(
                    self.train.matrix[block] if exclude_seen else None,
                    exclude[block] if exclude is not None else None,
                ),
            )
            for block in self._blocks(users)
        ]
        return _joined(found, k)

    def recommend_cold(
        self, lists: Sequence[Sequence[int]], k: int = 10, *, exclude_seen: bool = True
    ) -> Recommendations:
        """The k best items for visitors without a trained user, by their lists of item indices."""
        found = []
        for block in self._blocks(np.arange(len(lists))):
            given = [lists[row] for row in block]
            histories = Histories.of_items(given, self.train.n_items)
            found.append(self._rank(histories, None, k, histories.matrix if exclude_seen else None))
        return _joined(found, k)

    def _rank(
        self, histories: Histories, users: NDArray | None, k: int, exclude: sp.csr_array | None
    ) -> Recommendations:
        if k < 1:
            raise InvalidInput("Recommend", [f"k is {k}, expected at least 1"])
        width = min(k, self.train.n_items)
        scores = self._score(histories, users)
        unknown = np.flatnonzero(self._unknown(histories, users))
        if self.supported_only:
            items, values = self._best_supported(scores, histories, users, width, exclude)
        else:
            # Enough spare rows that rounding in the scan cannot push a true member out of the list.
            items, values = top_k(scores, min(width + RESCORED, self.train.n_items), exclude)
            exact = self._exact(histories, users, items)
            values = values.astype(np.float64) if exact is None else exact
            items, values = reorder(items, values, width)
            items[unknown] = -1
        values[items < 0] = -np.inf
        short = np.flatnonzero((items < 0).any(axis=1))
        if len(short):
            self._fill(items, values, short, exclude)
        return Recommendations(items, values)

    def _best_supported(
        self,
        scores: NDArray[np.float32],
        histories: Histories,
        users: NDArray | None,
        width: int,
        exclude: sp.csr_array | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The best items with a score above 0, -1 where there are no more."""
        items, values = top_k(scores, min(width + RESCORED, self.train.n_items), exclude, floor=0.0)
        exact = self._exact(histories, users, items)
        if exact is None:
            return items[:, :width], values[:, :width].astype(np.float64)
        return reorder(items, exact, width)

    def _unknown(self, histories: Histories, users: NDArray | None) -> NDArray[np.bool_]:
        """[B] – users nothing is known of; they get the popular items."""
        return histories.degrees == 0

    def _fill(self, items: NDArray, values: NDArray, rows: NDArray, exclude: sp.csr_array | None) -> None:
        """Popularity last: complete lists that the model itself cannot fill, with scores in [-1, 0)."""
        popularity = self.train.item_degrees.astype(np.float64)
        popularity = popularity / (popularity.max() + 1) - 1
        for row in rows:
            have = items[row][items[row] >= 0]
            taken = np.zeros(len(popularity), bool)
            taken[have] = True
            if exclude is not None:
                taken[exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]] = True
            missing = items.shape[1] - len(have)
            free = np.where(taken, -np.inf, popularity)[None]
            more, score = top_k(free, missing)
            floor = min(values[row, len(have) - 1], 0.0) if len(have) else 0.0
            items[row, len(have) :] = more[0]
            values[row, len(have) :] = floor + score[0]

    def _blocks(self, users: NDArray) -> list[NDArray]:
        size = max(1, BLOCK_BYTES // (4 * max(self.train.n_items, 1)))
        return [users[start : start + size] for start in range(0, len(users), size)]

    def _checked_users(self, users: ArrayLike) -> NDArray[np.int64]:
        users = np.atleast_1d(np.asarray(users, dtype=np.int64))
        if len(users) and not (users.min() >= 0 and users.max() < self.train.n_users):
            raise InvalidInput(
                "Users",
                [
                    f"indices run from {users.min()} to {users.max()}, the model knows 0 to "
                    f"{self.train.n_users - 1}; "
                    "use recommend_cold for users it was not trained on"
                ],
            )
        return users

    # ---------------------------------------------------------------- leaving

    def payload(self) -> Payload | None:
        """What the exporter writes; None for models that need no artefact."""
        return None

    @abstractmethod
    def _state(self) -> dict[str, NDArray]:
        """The learned arrays by name."""

    @abstractmethod
    def _restore(self, state: Mapping[str, NDArray]) -> None:
        """Take the arrays of ``_state`` back; ``self.train`` is set already."""

    def save(self, directory: str | Path) -> Path:
        """Write the model into ``directory`` (made anew, put in place in one move)."""
        directory = Path(directory)
        fresh = directory.with_name(directory.name + ".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        train = self.train
        arrays = {
            "train.user_keys": train.user_keys,
            "train.item_keys": train.item_keys,
            "train.users": train.user_index.astype(np.int32),
            "train.items": train.matrix.indices.astype(np.int32),
            "train.weights": train.matrix.data,
        }
        if train.times is not None:
            arrays["train.times"] = train.times
        arrays |= {f"state.{name}": array for name, array in self._state().items()}
        np.savez(fresh / "arrays.npz", **arrays)
        description = {
            "format": 1,
            "model": self.info.name,
            "parameters": self.parameters.to_mapping(),
            "seed": self.seed,
            "training": self.training_report,
        }
        (fresh / "model.json").write_text(json.dumps(description, indent=1, sort_keys=True) + "\n")
        old = directory.with_name(directory.name + ".old")
        shutil.rmtree(old, ignore_errors=True)
        if directory.exists():
            directory.rename(old)
        fresh.rename(directory)
        shutil.rmtree(old, ignore_errors=True)
        return directory

    @classmethod
    def _loaded(cls, description: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Recommender:
        model = cls(description["parameters"], seed=description["seed"])
        model._train = Interactions.from_indices(
            arrays["train.users"],
            arrays["train.items"],
            arrays["train.weights"],
            arrays.get("train.times"),
            user_keys=arrays["train.user_keys"],
            item_keys=arrays["train.item_keys"],
        )
        model.training_report = dict(description.get("training", {}))
        model._restore({name[6:]: array for name, array in arrays.items() if name.startswith("state.")})
        return model

    @classmethod
    def describe(cls) -> dict[str, Any]:
        """The model as a map for listings: name, contract, source and the rest."""
        return {
            "name": cls.info.name,
            "title": cls.info.title,
            "contract": cls.info.contract,
            "source": cls.info.source,
            "kinds": list(cls.info.kinds),
            "needs": ["interactions", *cls.info.needs],
            "trained": cls.info.trained,
            "parameters": describe(cls.Parameters),
        }


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
        self._require()
        return self._e

    def context_vectors(self) -> NDArray[np.float32]:
        """[I, D] – c, what a user's items are summed by."""
        self._require()
        return self._c

    def query(self, histories: Histories) -> NDArray[np.float32]:
        """[B, D] – q = d^-p * (d / read) * sum of w c over the read items; zero for an empty history."""
        self._require()
        scale = histories.scale * np.maximum(histories.degrees, 1.0) ** -self.exponent
        return np.asarray(histories.matrix @ self._c) * scale.astype(np.float32)[:, None]

    def _require(self) -> None:
        if self._train is None:
            raise NotTrained(f"Model '{self.info.name}' is not trained yet; call fit first.")

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


def _union(first: sp.csr_array | None, second: sp.csr_array | None) -> sp.csr_array | None:
    if first is None or second is None:
        return first if second is None else second
    return (abs(first) + abs(second)).tocsr()


def _joined(found: list[Recommendations], k: int) -> Recommendations:
    if not found:
        return Recommendations(np.zeros((0, k), np.int64), np.zeros((0, k)))
    items = np.concatenate([part.items for part in found])
    scores = np.concatenate([part.scores for part in found])
    missing = k - items.shape[1]
    if missing > 0:
        items = np.pad(items, ((0, 0), (0, missing)), constant_values=-1)
        scores = np.pad(scores, ((0, 0), (0, missing)), constant_values=-np.inf)
    return Recommendations(items, scores)
