"""iALS: matrix factorisation of implicit feedback by alternating least squares, solved exactly.

    min sum_{(u,i)} w_ui (1 - p_u.q_i)^2 + a0 sum_{all u,i} (p_u.q_i)^2
        + reg ( sum_u (|N(u)| + a0 I)^nu |p_u|^2 + sum_i (|N(i)| + a0 U)^nu |q_i|^2 )

w are the reduced weights. The last half-step is the users', so a stored user vector is the least-squares
answer to the
user's history, and a visitor is folded in by the same solve. Cost of an iteration:
pairs x D^2 + (users + items) x D^3 / 3.
Source: Hu, Koren & Volinsky (2008); weights and scaled regularisation of Rendle, Krichene, Zhang & Koren
(2022),
"Revisiting the performance of iALS on item recommendation benchmarks".
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numba as nb
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.models.base import ModelInfo, UserVectorRecommender
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import Progress, TrainingOptions, use_threads


@dataclass(frozen=True)
class IALSParameters(Parameters):
    dimension: int = param(64, "length of the vectors", low=1, high=2048)
    iterations: int = param(12, "rounds of items and users", low=1, high=1000)
    unobserved: float = param(
        0.1, "weight a0 of every pair, seen or not", above=0.0, search=(0.003, 1.0, "log")
    )
    regularization: float = param(
        0.003, "weight reg of the vectors' squared lengths", above=0.0, search=(0.0003, 0.1, "log")
    )
    nu: float = param(1.0, "how the regularisation grows with the number of interactions", low=0.0, high=1.0)
    scale: float = param(0.1, "standard deviation of a start vector's length", above=0.0)


class FoldInRecommender(UserVectorRecommender):
    """Vectors of users and items; a visitor's vector is the least-squares answer to its history.

    A mean of item vectors would point the wrong way where an item's bias is below 0.
    """

    cold = "fold-in"

    def _ridge(self) -> dict[str, float]:
        """What ``least_squares`` is told, by name; the defaults of ``ials`` unless overridden."""
        return _of_fold_in(IALSParameters())

    def _cold_parameters(self) -> dict[str, Any]:
        return {**self._ridge(), "items": self.train.n_items}

    def _fold_in(self, histories: Histories) -> NDArray[np.float32]:
        out = np.zeros((len(histories), self._items.shape[1]), np.float32)
        least_squares(histories.matrix, self._items, **self._ridge(), out=out)
        return out


def _of_fold_in(chosen: IALSParameters) -> dict[str, float]:
    return {"unobserved": chosen.unobserved, "regularization": chosen.regularization, "nu": chosen.nu}


class IALS(FoldInRecommender):
    info = ModelInfo(
        name="ials",
        title="Implicit matrix factorisation by alternating least squares",
        source="Hu, Koren & Volinsky 2008; Rendle et al. 2022, Revisiting the performance of iALS",
        contract="vectors/1",
    )
    Parameters = IALSParameters

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        use_threads(options.threads)
        chosen, rng = self.parameters, np.random.default_rng(self.seed)
        of_users, of_items = interactions.matrix, interactions.matrix.T.tocsr()
        spread = chosen.scale / np.sqrt(chosen.dimension)
        users = rng.normal(0, spread, (interactions.n_users, chosen.dimension)).astype(np.float32)
        users[interactions.user_degrees == 0] = 0
        items = np.zeros((interactions.n_items, chosen.dimension), np.float32)
        started = time.perf_counter()
        for done in range(chosen.iterations):
            if options.should_stop is not None and options.should_stop():
                break
            self._solve(of_items, users, items)
            self._solve(of_users, items, users)
            if options.on_progress is not None:
                taken = time.perf_counter() - started
                options.on_progress(Progress.of_round(done + 1, chosen.iterations, taken))
        self._users, self._items = users, items

    def _solve(self, matrix: sp.csr_array, fixed: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        least_squares(matrix, fixed, **self._ridge(), out=out)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        return 4 * parameters.dimension * (interactions.n_users + interactions.n_items) + 8 * len(
            interactions
        )

    def _ridge(self) -> dict[str, float]:
        return _of_fold_in(self.parameters)


def least_squares(
    matrix: sp.csr_array,
    fixed: NDArray[np.float32],
    unobserved: float,
    regularization: float,
    nu: float,
    out: NDArray[np.float32],
) -> None:
    """Least-squares rows of ``out`` [R, D] for the rows of ``matrix`` [R, C], given those of the
    columns [C, D].

    Every column counts ``unobserved`` with the value 0, those of a row w more with the value 1; the ridge is
    regularization * (columns of the row + unobserved * C)^nu. A row without columns is zero.
    """
    gram = (unobserved * (fixed.T @ fixed)).astype(np.float32)
    strength = np.diff(matrix.indptr) + unobserved * matrix.shape[1]
    ridge = (regularization * strength**nu).astype(np.float32)
    _solve_rows(matrix.indptr, matrix.indices, matrix.data, fixed, gram, ridge, out)


@nb.njit(parallel=True, cache=True, fastmath=True, nogil=True)
def _solve_rows(pointer, index, data, fixed, gram, ridge, out):
    size = fixed.shape[1]
    for r in nb.prange(out.shape[0]):
        lo, hi = pointer[r], pointer[r + 1]
        if lo == hi:
            for d in range(size):
                out[r, d] = 0.0
            continue
        left = gram.copy()
        right = np.zeros(size, np.float32)
        for p in range(lo, hi):
            w = data[p]
            row = fixed[index[p]]
            for a in range(size):
                right[a] += w * row[a]
                x = w * row[a]
                for b in range(size):
                    left[a, b] += x * row[b]
        for a in range(size):
            left[a, a] += ridge[r]
        # Cholesky in place, then two triangular solves.
        for a in range(size):
            s = left[a, a]
            for b in range(a):
                s -= left[a, b] * left[a, b]
            root = np.sqrt(max(s, np.float32(1e-12)))
            left[a, a] = root
            for c in range(a + 1, size):
                s = left[c, a]
                for b in range(a):
                    s -= left[c, b] * left[a, b]
                left[c, a] = s / root
        for a in range(size):
            s = right[a]
            for b in range(a):
                s -= left[a, b] * right[b]
            right[a] = s / left[a, a]
        for a in range(size - 1, -1, -1):
            s = right[a]
            for b in range(a + 1, size):
                s -= left[b, a] * right[b]
            right[a] = s / left[a, a]
        for d in range(size):
            out[r, d] = right[d]
