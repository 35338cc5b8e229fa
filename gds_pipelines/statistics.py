"""How far a mean over users can be trusted, and whether one model beats another on the same users.

Shapes: U = users. NaN values (users with nothing to find) are left out, in both lists of a pair.
Source: Efron & Tibshirani (1993), the percentile bootstrap; Urbano, Lima & Hanjalic (2019) on paired tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput

DRAWS = 2_000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % bootstrap interval over users; NaN throughout when there is no user."""

    mean: float
    low: float
    high: float
    users: int


@dataclass(frozen=True)
class Difference:
    """Mean of (first - second) over the same users.

    Args:
        mean, low, high: with the 95 % bootstrap interval.
        p: two-sided, by flipping the sign of each user's difference at random; 1 where nothing differs.
        users: that were compared.
    """

    mean: float
    low: float
    high: float
    p: float
    users: int


def interval(values: NDArray[np.float64], *, seed: int = 0, draws: int = DRAWS) -> Interval:
    """Mean of ``values`` [U] and its interval."""
    kept = values[~np.isnan(values)]
    if not len(kept):
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    low, high = np.percentile(_resampled(kept, np.random.default_rng(seed), draws), [2.5, 97.5])
    return Interval(float(kept.mean()), float(low), float(high), len(kept))


def difference(
    first: NDArray[np.float64], second: NDArray[np.float64], *, seed: int = 0, draws: int = DRAWS
) -> Difference:
    """Paired comparison of two lists [U] of the same users in the same order.

    Raises:
        InvalidInput: if the lists are of different length.
    """
    if len(first) != len(second):
        raise InvalidInput("Paired test", [f"the lists hold {len(first)} and {len(second)} users"])
    gap = first - second
    gap = gap[~np.isnan(gap)]
    if not len(gap):
        return Difference(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    rng = np.random.default_rng(seed)
    low, high = np.percentile(_resampled(gap, rng, draws), [2.5, 97.5])
    # The mean of random signs times the differences is asymptotically normal, but small tests need the draw
    # itself.
    moved = gap[gap != 0]
    flipped = np.concatenate(
        [rng.choice([-1.0, 1.0], (part, len(moved))) @ moved / len(gap) for part in _parts(draws, len(moved))]
    )
    extreme = np.count_nonzero(np.abs(flipped) >= abs(gap.mean()) - 1e-15)
    return Difference(float(gap.mean()), float(low), float(high), (extreme + 1) / (draws + 1), len(gap))


def _resampled(values: NDArray, rng: np.random.Generator, draws: int) -> NDArray:
    parts = _parts(draws, len(values))
    return np.concatenate(
        [values[rng.integers(0, len(values), (n, len(values)))].mean(axis=1) for n in parts]
    )


def _parts(draws: int, width: int) -> list[int]:
    """Draws cut into blocks of at most about 4 M numbers."""
    size = max(1, 4_000_000 // max(width, 1))
    return [min(size, draws - start) for start in range(0, draws, size)]
