"""Matrix factorisation by log loss: a dot product with biases, plain SGD over pairs and uniform negatives.

    s(u, i) = b + b_u + b_i + p_u . q_i
    loss    = sum over pairs of w(u,i) [ -log sigmoid(s(u, i)) - sum over drawn j of log sigmoid(-s(u, j)) ]
              + regularization / 2 (|p_u|^2 + |q_i|^2 + biases^2) at every step

Negatives are drawn from **all** items, the user's own among them: what a user has is then pulled up to a
finite score only, which regularises as the weight of unobserved pairs does in ``ials``. Every pair and every
negative takes its step at once, in one thread, so that a seed decides all numbers. It is the point of the
source that this, when tuned, passes networks that learn the similarity. Served as (p_u, 1) . (q_i, b_i): b
and b_u do not move a list. Cost of an epoch: pairs x (negatives + 1) x D.
Source: Rendle, Krichene, Zhang & Anderson 2020, "Neural collaborative filtering vs. matrix factorization
revisited".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numba as nb
import numpy as np
import torch
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import ModelInfo
from gds_pipelines.models.batches import fingerprint, validation_figures
from gds_pipelines.models.ials import FoldInRecommender
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import Learner, Moment, TrainingOptions


@dataclass(frozen=True)
class MFLogisticParameters(Parameters):
    dimension: int = param(192, "length of the vectors", low=1, high=2048)
    epochs: int = param(64, "passes over the pairs", low=1, high=10_000)
    negatives: int = param(8, "items drawn a pair, among all", low=1, high=1000)
    learning_rate: float = param(
        0.008, "of every single step", above=0.0, high=1.0, search=(0.002, 0.03, "log")
    )
    regularization: float = param(
        0.005, "ridge of the vectors and biases a step touches", low=0.0, search=(0.001, 0.03, "log")
    )
    spread: float = param(0.1, "standard deviation of a number of a start vector", above=0.0)
    step_pairs: int = param(65_536, "pairs between two looks at the clock", low=1)


class MFLogistic(FoldInRecommender):
    info = ModelInfo(
        name="mf-logistic",
        title="Matrix factorisation with biases by log loss",
        source="Rendle et al. 2020, Neural collaborative filtering vs. matrix factorization revisited",
        contract="vectors/1",
    )
    Parameters = MFLogisticParameters
    steps = "own"
    search_with: ClassVar = {"dimension": 32, "epochs": 16}

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        # A step of one pair is nothing a GPU could share out.
        super()._fit(interactions, validation, replace(options, accelerator="cpu", devices=1))

    def _learner(self, interactions: Interactions, validation: Interactions | None) -> _Learner:
        return _Learner(self, interactions, validation)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        rows = interactions.n_users + interactions.n_items
        return 4 * 2 * (parameters.dimension + 1) * rows + 24 * len(interactions)


class _Learner(Learner):
    """Tables [rows, D] and, apart from them so that rows stay aligned, biases [rows]."""

    manual = True
    final_share = 1.0
    warmup = 1

    def __init__(
        self, model: MFLogistic, interactions: Interactions, validation: Interactions | None
    ) -> None:
        super().__init__()
        chosen = model.parameters
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.chosen, self.matrix = chosen, interactions.matrix
        self.owner = interactions.user_index.astype(np.int32)
        self.fingerprint = fingerprint(interactions)
        start = torch.Generator().manual_seed(model.seed)
        for name, rows in (("users", interactions.n_users), ("items", interactions.n_items)):
            table = chosen.spread * torch.randn(rows, chosen.dimension, generator=start)
            self.register_buffer(name, table)
            self.register_buffer(f"{name}_bias", torch.zeros(rows))
        self.register_buffer("bias", torch.zeros(1))
        self.model, self.validation = model, validation

    def steps(self) -> int:
        return max(1, -(-len(self.owner) // self.chosen.step_pairs))

    def begin_epoch(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.permutation(len(self.owner))

    def forward(self, moment: Moment) -> torch.Tensor:
        raise TypeError("mf-logistic takes whole steps by `advance`")

    def advance(self, moment: Moment, learning_rate: float) -> float:
        size = self.chosen.step_pairs
        order = moment.shared[moment.step * size : (moment.step + 1) * size]
        tables = (self.users, self.users_bias, self.items, self.items_bias, self.bias)
        try:
            total = _steps(
                order,
                self.owner,
                self.matrix.indices,
                self.matrix.data,
                *(table.numpy() for table in tables),
                self.chosen.negatives,
                np.float32(learning_rate),
                np.float32(self.chosen.regularization),
                moment.rng.integers(0, 2**63, dtype=np.uint64),
            )
        except ZeroDivisionError:  # how the compiled loop meets a number that is none any more
            return float("nan")
        return total / max(1, len(order))

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(p, 1) of the users and (q, b) of the items."""
        users, items = self.users.numpy(), self.items.numpy()
        ones = np.ones((len(users), 1), np.float32)
        return np.hstack([users, ones]), np.hstack([items, self.items_bias.numpy()[:, None]])

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._users, self.model._items = self.vectors()
        return validation_figures(self.model, self.validation)


@nb.njit(cache=True, nogil=True, inline="always")
def _mixed(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@nb.njit(cache=True, nogil=True, fastmath=True)
def _steps(
    order,
    owner,
    index,
    data,
    users,
    users_bias,
    items,
    items_bias,
    bias,
    negatives,
    rate,
    ridge,
    seed,
):
    """A positive and its negatives for every pair of ``order``, one after the other; the sum of losses."""
    total = 0.0
    state = np.uint64(seed)
    count = np.uint64(items.shape[0])
    width = users.shape[1]
    zero, one = np.float32(0), np.float32(1)
    shrink = one - rate * ridge
    p = np.empty(width, np.float32)  # the user in hand, apart from all tables, so that loops need no care
    for pair in order:
        u = owner[pair]
        weight = data[pair]
        p[:] = users[u]
        own = users_bias[u]
        likely = 1.0
        for draw in range(negatives + 1):
            item = np.int64(index[pair])
            label = one
            if draw > 0:
                state += np.uint64(0x9E3779B97F4A7C15)
                # The upper half times the count, shifted: even, without a division.
                item = np.int64(((_mixed(state) >> np.uint64(32)) * count) >> np.uint64(32))
                label = zero
            q = items[item]
            s = zero
            for d in range(width):
                s += p[d] * q[d]
            s += bias[0] + own + items_bias[item]
            # log(1 + exp(x)), x = -s for a positive and s for a negative; exp(-|s|) serves loss and slope
            near = np.exp(-abs(s))
            high = one / (one + near)
            chance = high if s > zero else near * high
            slope = rate * weight * (label - chance)
            for d in range(width):
                a = p[d]
                b = q[d]
                p[d] = shrink * a + slope * b
                q[d] = shrink * b + slope * a
            own = shrink * own + slope
            items_bias[item] = shrink * items_bias[item] + slope
            bias[0] = shrink * bias[0] + slope
            total += weight * max(-s if draw == 0 else s, zero)
            likely *= high
        total -= weight * np.log(likely)  # one logarithm for all: 1,001 factors of .5 at least
        users[u] = p
        users_bias[u] = own
    return total
