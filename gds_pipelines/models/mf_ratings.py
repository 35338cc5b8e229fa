"""Ratings: matrix factorisation with biases and squared error, averaged over Gibbs samples.

    r(u, i) = m + b_u + b_i + p_u . q_i + noise,   (p_u, b_u) ~ N(mean + F_u Y, L^-1), items alike without F

F_u is what the user rated at all (1 / sqrt(n_u) at each item): whom a rating is from says something before
it is read, so the prior mean is a regression on it (Y is sampled too). Every half-step is the exact posterior
of a row given the other side; nothing has to be stopped early, and precision, means and noise are sampled
beside. The answer is the mean over ``samples`` of the last sweeps. That mean of dot products is one dot
product of the vectors laid end to end, so it is served as ``vectors/1``. With ``samples`` 0 it is the plain
point estimate by alternating least squares with the ridge ``regularization``: biased MF, as papers have it.

Weights of the interactions are the ratings. Cost of a sweep: ratings x D^2 + (users + items) x D^3 / 3.
Sources: Koren, Bell & Volinsky 2009 (biased MF); Salakhutdinov & Mnih 2008, "Bayesian probabilistic matrix
factorization using Markov chain Monte Carlo"; Simm et al. 2017 (Macau: the regression of the prior mean).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numba as nb
import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo, UserVectorRecommender
from gds_pipelines.models.kernels import exact_dot
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import Diverged, Progress, TrainingOptions, use_threads

BURN_IN = 0.25
"""Share of the sweeps that is thrown away."""


class RatingRecommender(UserVectorRecommender):
    """A model whose scores are ratings: the dot product plus ``_mean``, within the scale that was seen."""

    _mean: float
    _range: tuple[float, float]

    def ratings(self, users: ArrayLike, items: ArrayLike) -> NDArray[np.float64]:
        """[T] – predicted ratings of pairs (trained user, item), cut to the scale of the training ratings."""
        users, items = self._checked_users(users), np.asarray(items, np.int64)
        found = np.empty(len(users))
        for start in range(0, len(users), 100_000):
            rows = slice(start, start + 100_000)
            found[rows] = exact_dot(self._users[users[rows]], self._items, items[rows, None])[:, 0]
        return np.clip(found + self._mean, *self._range)

    def _scale(self, interactions: Interactions) -> None:
        ratings = interactions.matrix.data
        self._mean = float(ratings.mean(dtype=np.float64))
        self._range = (float(ratings.min()), float(ratings.max()))

    def _state(self) -> dict[str, NDArray]:
        return super()._state() | {"scale": np.asarray([self._mean, *self._range])}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        super()._restore(state)
        mean, low, high = (float(value) for value in state["scale"])
        self._mean, self._range = mean, (low, high)


@dataclass(frozen=True)
class MeanRatingsParameters(Parameters):
    user_shrink: float = param(
        10.0, "ratings of the mean that a user begins with", low=0.0, search=(0.5, 50.0, "log")
    )
    item_shrink: float = param(
        5.0, "ratings of the mean that an item begins with", low=0.0, search=(0.5, 50.0, "log")
    )


class MeanRatings(RatingRecommender):
    info = ModelInfo(
        name="mean-ratings",
        title="Rating of an item plus that of a user, each as it differs from the mean",
        source="Koren 2010, Factor in the neighbors: baseline predictors",
        contract="vectors/1",
        needs=("ratings",),
        trained=False,
    )
    Parameters = MeanRatingsParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        self._scale(interactions)
        chosen, users, items = self.parameters, interactions.user_index, interactions.matrix.indices
        rest = interactions.matrix.data - self._mean
        of_items, of_users = np.zeros(interactions.n_items), np.zeros(interactions.n_users)
        for _ in range(10):
            sums = np.bincount(items, rest - of_users[users], interactions.n_items)
            of_items = sums / (interactions.item_degrees + max(chosen.item_shrink, 1e-9))
            sums = np.bincount(users, rest - of_items[items], interactions.n_users)
            of_users = sums / (interactions.user_degrees + max(chosen.user_shrink, 1e-9))
        one = np.ones(interactions.n_users, np.float32)
        self._users = np.column_stack([one, of_users]).astype(np.float32)
        self._items = np.column_stack([of_items, np.ones(interactions.n_items)]).astype(np.float32)

    cold = "constant"

    def _cold_parameters(self) -> dict[str, Any]:
        return {"vector": [1.0, 0.0]}

    def _fold_in(self, histories: Histories) -> NDArray[np.float32]:
        # A list of items is no list of ratings: nothing is known about how generous a visitor is.
        return np.tile(np.asarray([[1.0, 0.0]], np.float32), (len(histories), 1))


@dataclass(frozen=True)
class MFRatingsParameters(Parameters):
    dimension: int = param(32, "length of a sample's vectors", low=1, high=512, search=(8, 48, "log"))
    sweeps: int = param(80, "rounds of users and items", low=2, high=10_000)
    samples: int = param(
        20, "of the last sweeps, averaged; 0 = one point estimate with the ridge below", low=0, high=500
    )
    regularization: float = param(
        6.0, "ridge of the point estimate, in ratings", above=0.0, search=(2.0, 40.0, "log")
    )
    side: bool = param(True, "let what a user rated, whatever the rating, move the prior")


class MFRatings(RatingRecommender):
    info = ModelInfo(
        name="mf-ratings",
        title="Matrix factorisation with biases and squared error, averaged over samples",
        source="Koren et al. 2009; Salakhutdinov & Mnih 2008, Bayesian probabilistic matrix factorization",
        contract="vectors/1",
        needs=("ratings",),
    )
    Parameters = MFRatingsParameters
    first_tries = ({}, {"dimension": 16})
    search_with: ClassVar = {"samples": 8, "sweeps": 24}
    idle: ClassVar = {"regularization": ("samples", 0)}

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        use_threads(options.threads)
        self._scale(interactions)
        ratings = interactions.matrix.data
        if ratings.size > 1 and not np.isfinite(ratings).all():
            raise InvalidInput("Ratings", ["some are not finite"])
        started = time.perf_counter()
        sampler = _Sampler(interactions, self._mean, self.parameters, self.seed)
        history = []
        for sweep in range(self.parameters.sweeps):
            sampler.sweep(sweep)
            if not np.isfinite(sampler.error):
                raise Diverged(
                    f"Sampling of 'mf-ratings' diverged in sweep {sweep + 1}. Take a smaller `dimension`."
                )
            history.append(
                {"epoch": sweep + 1, "loss": sampler.error, "seconds": time.perf_counter() - started}
            )
            if options.on_progress is not None:
                taken = history[-1]["seconds"]
                options.on_progress(
                    Progress.of_round(sweep + 1, self.parameters.sweeps, taken, sampler.error)
                )
            if options.should_stop is not None and options.should_stop():
                from gds_pipelines.training import Cancelled

                raise Cancelled(f"Training of 'mf-ratings' was cancelled in sweep {sweep + 1}.")
        self._users, self._items = sampler.vectors()
        self.training_report = {"epochs": self.parameters.sweeps, "device": "cpu", "history": history}

    cold = "fold-in"

    def _cold_parameters(self) -> dict[str, Any]:
        ridge = {"regularization": self.parameters.regularization, "nu": 0.0}
        return {"unobserved": 0.0, "items": self.train.n_items, **ridge}

    def _fold_in(self, histories: Histories) -> NDArray[np.float32]:
        """Ridge answer to the history: every listed item counts as rated a little above its own mean."""
        width = self._items.shape[1]
        out = np.zeros((len(histories), width), np.float32)
        matrix = histories.matrix
        for row in range(len(histories)):
            items = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
            if len(items):
                q = self._items[items].astype(np.float64)
                left = q.T @ q + self.parameters.regularization * np.eye(width)
                out[row] = np.linalg.solve(left, q.sum(axis=0))
        return out

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        rows = interactions.n_users + interactions.n_items
        kept = 4 * (parameters.dimension + 2) * max(1, parameters.samples) * rows
        side = 8 * 3 * interactions.n_items**2 if parameters.side else 0
        return 2 * kept + side + 40 * len(interactions)


class _Side:
    """One side's vectors with their prior. The last two columns hold the bias and a one that meets the other
    side's bias."""

    def __init__(self, matrix: sp.csr_array, width: int, rng: np.random.Generator, bias_at: int) -> None:
        self.matrix, self.bias_at, self.one_at = (
            matrix,
            bias_at,
            width - 1 if bias_at == width - 2 else width - 2,
        )
        self.table = 0.1 * rng.standard_normal((matrix.shape[0], width))
        self.table[:, bias_at] = 0
        self.table[:, self.one_at] = 1
        self.free = np.delete(np.arange(width), self.one_at)
        self.mean = np.zeros((matrix.shape[0], width - 1))
        self.precision = np.eye(width - 1)


class _Sampler:
    def __init__(
        self, interactions: Interactions, mean: float, chosen: MFRatingsParameters, seed: int
    ) -> None:
        self.chosen, self.rng = chosen, np.random.default_rng(seed)
        width = chosen.dimension + 2
        centred = sp.csr_array(
            (
                interactions.matrix.data.astype(np.float64) - mean,
                interactions.matrix.indices,
                interactions.matrix.indptr,
            ),
            shape=interactions.matrix.shape,
        )
        self.users = _Side(centred, width, self.rng, width - 2)
        self.items = _Side(sp.csr_array(centred.T.tocsr()), width, self.rng, width - 1)
        self.noise, self.error, self.count = 1.0, float("nan"), 0
        self.kept: list[tuple[NDArray, NDArray]] = []
        self.side = None
        if chosen.side and chosen.samples:
            scale = np.maximum(interactions.user_degrees, 1) ** -0.5
            features = interactions.binary.astype(np.float64)
            features.data = features.data * scale[interactions.user_index]
            self.side = _Regression(features, width - 1)

    def sweep(self, number: int) -> None:
        sampled = self.chosen.samples > 0
        for one, other in ((self.items, self.users), (self.users, self.items)):
            if sampled:
                self._prior(one, self.side if one is self.users else None)
            else:
                one.mean[:] = 0
                one.precision = self.chosen.regularization * np.eye(one.mean.shape[1])
            shape = (one.table.shape[0], one.mean.shape[1])
            noise = self.rng.standard_normal(shape) if sampled else np.zeros(shape)
            # The other side's vector as regressors: its one meets this side's bias, its bias is known.
            regressors = other.table[:, one.free]
            known = other.table[:, other.bias_at]
            m = one.matrix
            _rows(
                *(m.indptr, m.indices, m.data, regressors, known),
                *(one.mean, one.precision, self.noise, noise, one.table, one.free),
            )
        m = self.users.matrix
        squares = _squares(m.indptr, m.indices, m.data, self.users.table, self.items.table)
        self.error = float(np.sqrt(squares / m.nnz)) if m.nnz else 0.0
        if sampled:
            self.noise = self.rng.gamma(1.0 + m.nnz / 2, 1.0 / (1.0 + squares / 2))
        keep = self.chosen.samples if sampled else 1
        begin = int(self.chosen.sweeps * BURN_IN) if sampled else self.chosen.sweeps - 1
        left = self.chosen.sweeps - max(
            begin, self.chosen.sweeps - keep * max(1, (self.chosen.sweeps - begin) // keep)
        )
        step = max(1, left // keep)
        from_end = self.chosen.sweeps - 1 - number
        if from_end % step == 0 and from_end // step < keep:
            self.kept.append((self.users.table.astype(np.float32), self.items.table.astype(np.float32)))

    def _prior(self, one: _Side, regression: _Regression | None) -> None:
        """Mean and precision of the rows given the rows, by their normal-Wishart posterior."""
        free = one.table[:, one.free]
        shift = regression.predicted if regression is not None else 0.0
        rest = free - shift
        count, width = rest.shape
        middle = rest.mean(axis=0)
        spread = (rest - middle).T @ (rest - middle)
        strength = 2.0
        pull = count * strength / (count + strength) * np.outer(middle, middle)
        inverse = np.linalg.inv(np.eye(width) + spread + pull)
        root = np.linalg.cholesky((inverse + inverse.T) / 2)
        one.precision = _wishart(root, width + count, self.rng)
        centre = count * middle / (count + strength)
        scale = np.linalg.cholesky(np.linalg.inv((count + strength) * one.precision))
        mean = centre + scale @ self.rng.standard_normal(width)
        if regression is not None:
            regression.draw(free - mean, one.precision, self.rng)
            one.mean = mean + regression.predicted
        else:
            one.mean = np.tile(mean, (count, 1))

    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The kept samples side by side, each weighed by one over their number."""
        share = np.float32(1.0 / len(self.kept))
        users = np.concatenate([one[0] * share for one in self.kept], axis=1)
        return users, np.concatenate([one[1] for one in self.kept], axis=1)


class _Regression:
    """Y of rows ~ F Y + noise, drawn from its posterior with the ridge ``strength``.

    F'F is factorised once. The noise of the rows has the prior's precision L, and Y's prior is
    N(0, (strength L)^-1), so all columns share that factor (Macau's noise injection).
    """

    strength = 20.0

    def __init__(self, features: sp.csr_array, width: int) -> None:
        self.features = features
        gram = (features.T @ features).toarray()
        gram[np.diag_indices_from(gram)] += self.strength
        self.factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        self.predicted = np.zeros((features.shape[0], width))

    def draw(self, rows: NDArray, precision: NDArray, rng: np.random.Generator) -> None:
        root = np.linalg.inv(np.linalg.cholesky(precision)).T  # root root' = L^-1
        count, items = self.features.shape
        jitter = rng.standard_normal((count, rows.shape[1])) @ root.T
        right = self.features.T @ (rows + jitter)
        right += self.strength**0.5 * (rng.standard_normal((items, rows.shape[1])) @ root.T)
        found = scipy.linalg.cho_solve(self.factor, right, check_finite=False)
        self.predicted = self.features @ found


def _wishart(root: NDArray, degrees: int, rng: np.random.Generator) -> NDArray:
    """A draw with scale root root', by Bartlett's decomposition."""
    width = len(root)
    lower = np.tril(rng.standard_normal((width, width)), -1)
    lower[np.diag_indices(width)] = np.sqrt(rng.chisquare(degrees - np.arange(width)))
    half = root @ lower
    return half @ half.T


@nb.njit(parallel=True, cache=True, nogil=True)
def _rows(pointer, index, data, regressors, known, mean, precision, noise, draw, table, free):
    """table[row, free] ~ posterior of each row: normal with precision A = L + noise * sum x x'."""
    width = regressors.shape[1]
    for r in nb.prange(table.shape[0]):
        a = precision.copy()
        b = np.zeros(width)
        for d in range(width):
            for e in range(width):
                b[d] += precision[d, e] * mean[r, e]
        for p in range(pointer[r], pointer[r + 1]):
            j = index[p]
            rest = noise * (data[p] - known[j])
            for d in range(width):
                x = regressors[j, d]
                b[d] += rest * x
                x *= noise
                for e in range(d + 1):
                    a[d, e] += x * regressors[j, e]
        # Cholesky of the lower part, in place.
        for d in range(width):
            for e in range(d + 1):
                s = a[d, e]
                for f in range(e):
                    s -= a[d, f] * a[e, f]
                if d == e:
                    a[d, d] = np.sqrt(max(s, 1e-12))
                else:
                    a[d, e] = s / a[e, e]
        for d in range(width):
            s = b[d]
            for f in range(d):
                s -= a[d, f] * b[f]
            b[d] = s / a[d, d]
        for d in range(width):
            b[d] += draw[r, d]
        for d in range(width - 1, -1, -1):
            s = b[d]
            for f in range(d + 1, width):
                s -= a[f, d] * b[f]
            b[d] = s / a[d, d]
        for d in range(width):
            table[r, free[d]] = b[d]


@nb.njit(parallel=True, cache=True, nogil=True)
def _squares(pointer, index, data, users, items):
    total = np.zeros(len(pointer) - 1)
    for r in nb.prange(len(pointer) - 1):
        for p in range(pointer[r], pointer[r + 1]):
            s = data[p]
            for d in range(users.shape[1]):
                s -= users[r, d] * items[index[p], d]
            total[r] += s * s
    return total.sum()
