"""The contract of a recommender: fit, score, recommend, answer a cold user, be saved, leave as a payload.

Shapes: U = users, I = items, B = users of a batch, K = list length, D = dimensions.
A model is one file with one subclass of ``Recommender``; the registry finds it and
the contract tests in ``tests/unit/test_models.py`` hold it to the rules:
same seed, same list; a batch equals its users one by one; seen items never return;
a user without a history gets the popular items; save, load and go on are equal.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.interactions import HISTORY_LIMIT, Histories, Interactions
from gds_pipelines.models import saved_model
from gds_pipelines.models.parameters import Parameters, describe, read_parameters
from gds_pipelines.models.payload import Payload
from gds_pipelines.models.warm_start import StartVectors
from gds_pipelines.ranking import RESCORED, reorder, top_k
from gds_pipelines.training import TrainingOptions

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

    @property
    def rates(self) -> bool:
        """Whether it predicts ratings, and is measured by their error, not by lists."""
        return "ratings" in self.needs


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
    steps: ClassVar[Literal["none", "own", "optimizer"]] = "none"
    """How it is trained: in closed form, by steps it takes itself, or by those of an optimizer."""
    starts_warm: ClassVar[bool] = False
    """True where training can begin with the vectors of an earlier version (``begin_with``)."""
    search_with: ClassVar[Mapping[str, Any]] = {}
    """Cheaper settings that hold while others are searched, where the best ones do not depend on them."""
    idle: ClassVar[Mapping[str, tuple[str, Any]]] = {}
    """Parameters that mean something only where another one has a certain value: {name: (other, value)}. A
    search leaves them out elsewhere."""

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
        """What the model was fitted on.

        Raises:
            NotTrained: before ``fit``.
        """
        self._require_fit()
        return self._train

    def _require_fit(self) -> None:
        if self._train is None:
            raise NotTrained(f"Model '{self.info.name}' is not trained yet; call fit first.")

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
        """Write the model into ``directory`` (made anew, put in place in one move).

        Raises:
            NotTrained: there is nothing to keep yet.
        """
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
        description = {
            "model": self.info.name,
            "parameters": self.parameters.to_mapping(),
            "seed": self.seed,
            "training": self.training_report,
        }
        return saved_model.write(directory, description, arrays)

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
