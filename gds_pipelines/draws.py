"""Draws from lists of neighbours, vectorised: the rule of docs/formats.md, section 6.

The same random seed draws the same here, in the database and in ``gds_pipelines.sampling.twin``, which says
the rule slowly. Numpy only. Shapes: n = lists, K = fan-out. Positions count from the start of a list.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


def chain(state: Any, value: Any) -> Any:
    """One step of ``hash64``: the state after one more value."""
    if isinstance(value, int):
        value = value & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.asarray(value).astype(np.uint64) + np.asarray(state, np.uint64) + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def hash64(*values: Any) -> Any:
    """The hash over any number of integers, elementwise; uint64."""
    state = np.uint64(0)
    for value in values:
        state = chain(state, value)
    return state


def below(hashes: NDArray[np.uint64], n: NDArray[Any] | int) -> NDArray[np.int64]:
    """floor(hashes * n / 2**64): numbers in [0, n), for n < 2**31."""
    n = np.asarray(n).astype(np.uint64)
    return (((hashes >> _SHIFT) * n + (((hashes & _LOW) * n) >> _SHIFT)) >> _SHIFT).astype(np.int64)


def unit(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1), from the upper 53 bits."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def natural_log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln of (0, 1], the same bits in every language; within 1e-15 of the library's, relative."""
    m, e = np.frexp(x)
    low = m < 0.7071067811865476
    m, e = np.where(low, m * 2, m), e - low
    s = (m - 1) / (m + 1)
    z = s * s
    q = np.full_like(z, 1 / 21)
    for c in range(19, 0, -2):
        q = q * z + 1 / c
    return e * 0.6931471805599453 + 2 * s * q


def distinct(prefix: NDArray[np.uint64], degree: NDArray[np.int64], fan_out: int) -> NDArray[np.int64]:
    """[n, K] positions, no two alike: Floyd's draw.

    Args:
        prefix: [n] – the hash up to the number of the draw.
        degree: [n] – lengths of the lists, all above ``fan_out``.
    """
    picked = np.empty((len(prefix), fan_out), np.int64)
    for i in range(fan_out):
        last = degree - fan_out + i
        position = below(chain(prefix, i), last + 1)
        taken = (picked[:, :i] == position[:, None]).any(axis=1)
        picked[:, i] = np.where(taken, last, position)
    return picked


def repeated(prefix: NDArray[np.uint64], degree: NDArray[np.int64], fan_out: int) -> NDArray[np.int64]:
    """[n, K] positions, with replacement; ``prefix`` and ``degree`` as for ``distinct``."""
    return below(chain(prefix[:, None], np.arange(fan_out)), degree[:, None])


def distinct_by_weight(
    prefix: NDArray[np.uint64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
    degree: NDArray[np.int64],
    fan_out: int,
) -> NDArray[np.int64]:
    """[n, K] positions, no two alike, a heavier one sooner: the smallest of -ln(1 - unit) / weight.

    Args:
        prefix, degree: as for ``distinct``.
        weights: of all lists, one after another, above 0.
        start: [n] – where in ``weights`` each list begins.
    """
    which = np.repeat(np.arange(len(start)), degree)
    begin = np.cumsum(degree) - degree
    place = np.arange(len(which)) - begin[which]
    keys = -natural_log(1 - unit(chain(prefix[which], place))) / weights[start[which] + place]
    order = np.lexsort((place, keys, which))
    return place[order[begin[:, None] + np.arange(fan_out)]]


def repeated_by_weight(
    prefix: NDArray[np.uint64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
    degree: NDArray[np.int64],
    fan_out: int,
) -> NDArray[np.int64]:
    """[n, K] positions, with replacement, by weight; arguments as for ``distinct_by_weight``."""
    picked = np.empty((len(start), fan_out), np.int64)
    shares = unit(chain(prefix[:, None], np.arange(fan_out)))
    for i, (begin, length) in enumerate(zip(start, degree, strict=True)):
        # One list at a time: the sums of the rule go from the left.
        sums = np.cumsum(weights[begin : begin + length])
        picked[i] = np.minimum(np.searchsorted(sums, shares[i] * sums[-1], side="right"), length - 1)
    return picked
