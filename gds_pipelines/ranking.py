"""Top-k of score rows by one rule: score descending, then smaller item index.

Shapes: B = rows, I = items, K = list length. One pass a row: a heap of K beside
the scan, the excluded items skipped by walking their ascending list alongside.
"""

from __future__ import annotations

from typing import NamedTuple

import numba as nb
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

RESCORED = 64
"""How many rows beyond k the float32 scan keeps for the exact second look."""


@nb.njit(cache=True, nogil=True)
def _select_row(row, excluded, floor, heap_v, heap_i):
    """The best of one row into ``heap_v`` and ``heap_i`` [K], which hold -inf and -1 where none is left."""
    k = len(heap_i)
    size = 0
    p = 0
    end = len(excluded)
    for j in range(len(row)):
        if p < end and excluded[p] == j:
            p += 1
            continue
        v = row[j]
        if not v > floor:  # also leaves NaN out
            continue
        if size < k:
            # Sift up: the root is the worst, that is the smallest value, on ties the largest index.
            at = size
            size += 1
            while at > 0:
                up = (at - 1) >> 1
                if heap_v[up] > v or (heap_v[up] == v and heap_i[up] < j):
                    heap_v[at] = heap_v[up]
                    heap_i[at] = heap_i[up]
                    at = up
                else:
                    break
            heap_v[at] = v
            heap_i[at] = j
        elif v > heap_v[0]:  # on a tie the earlier, smaller index stays
            at = 0
            while True:
                low = 2 * at + 1
                if low >= size:
                    break
                other = low + 1
                if other < size and (
                    heap_v[other] < heap_v[low]
                    or (heap_v[other] == heap_v[low] and heap_i[other] > heap_i[low])
                ):
                    low = other
                if heap_v[low] < v or (heap_v[low] == v and heap_i[low] > j):
                    heap_v[at] = heap_v[low]
                    heap_i[at] = heap_i[low]
                    at = low
                else:
                    break
            heap_v[at] = v
            heap_i[at] = j
    for a in range(1, size):  # insertion sort: best first, ties by smaller index
        v = heap_v[a]
        i = heap_i[a]
        b = a - 1
        while b >= 0 and (heap_v[b] < v or (heap_v[b] == v and heap_i[b] > i)):
            heap_v[b + 1] = heap_v[b]
            heap_i[b + 1] = heap_i[b]
            b -= 1
        heap_v[b + 1] = v
        heap_i[b + 1] = i


@nb.njit(parallel=True, cache=True, nogil=True)
def _select(scores, pointer, excluded, floor, items, values):
    for r in nb.prange(len(scores)):
        _select_row(scores[r], excluded[pointer[r] : pointer[r + 1]], floor, values[r], items[r])


@nb.njit(cache=True, nogil=True)
def _sum_row(first, factor, second, third, weights, row):
    for j in range(len(row)):
        row[j] = first[j] * factor[j] + weights[0] * second[j]
    if weights[1] != 0:
        for j in range(len(row)):
            row[j] += weights[1] * third[j]


@nb.njit(parallel=True, cache=True, nogil=True)
def _select_sums(first, factors, second, third, factor_of, weights, pointer, excluded, items):
    for r in nb.prange(len(first)):
        row = np.empty(first.shape[1], np.float32)
        values = np.empty(items.shape[2], np.float32)
        for c in range(len(factor_of)):
            _sum_row(first[r], factors[factor_of[c]], second[r], third, weights[c], row)
            _select_row(row, excluded[pointer[r] : pointer[r + 1]], np.float32(-np.inf), values, items[c, r])


@nb.njit(parallel=True, cache=True, nogil=True)
def _count_above(
    first, factors, second, third, factor_of, weights, pointer, excluded, of_row, wanted, counts
):
    for r in nb.prange(len(first)):
        row = np.empty(first.shape[1], np.float32)
        for c in range(len(factor_of)):
            _sum_row(first[r], factors[factor_of[c]], second[r], third, weights[c], row)
            for p in range(of_row[r], of_row[r + 1]):
                value = row[wanted[p]]
                above = 0
                for j in range(len(row)):
                    above += row[j] > value
                for e in range(pointer[r], pointer[r + 1]):
                    above -= row[excluded[e]] > value
                counts[c, p] = above


class Sums(NamedTuple):
    """first * factors[f] + w * second + v * third for C choices of f, w and v, made by rows and never kept.

    Args:
        first, second: [B, I].
        factors: [F, I]; third: [I].
        factor_of: [C] rows of ``factors``.
        weights: [C, 2], w and v.
    """

    first: NDArray[np.float32]
    factors: NDArray[np.float32]
    second: NDArray[np.float32]
    third: NDArray[np.float32]
    factor_of: NDArray[np.int64]
    weights: NDArray[np.float32]


def top_k(
    scores: NDArray[np.floating],
    k: int,
    exclude: sp.csr_array | None = None,
    floor: float = -np.inf,
) -> tuple[NDArray[np.int64], NDArray[np.floating]]:
    """The k best items of each row among those not excluded and above ``floor``.

    Args:
        scores: [B, I] float32 or float64; NaN is never chosen.
        k: >= 1; a row with fewer candidates is padded.
        exclude: [B, I] CSR with ascending column indices; its stored places are left out.
        floor: only scores strictly above it are candidates.
    Returns:
        items [B, K] int64 (-1 = no candidate) and values [B, K] (-inf there), best first, ties by smaller
        index.
    """
    rows = scores.shape[0]
    items = np.full((rows, k), -1, np.int64)
    values = np.full((rows, k), -np.inf, scores.dtype)
    pointer, excluded = _excluded(exclude, rows)
    _select(np.ascontiguousarray(scores), pointer, excluded, scores.dtype.type(floor), items, values)
    return items, values


def top_k_of_sums(sums: Sums, k: int, exclude: sp.csr_array | None = None) -> NDArray[np.int64]:
    """``top_k`` of each choice: [C, B, K] items, -1 = no candidate."""
    rows = len(sums.first)
    items = np.full((len(sums.factor_of), rows, k), -1, np.int64)
    _select_sums(*sums, *_excluded(exclude, rows), items)
    return items


def above_in_sums(sums: Sums, wanted: sp.csr_array, exclude: sp.csr_array | None = None) -> NDArray[np.int64]:
    """How many items of its row stand above each wanted one, for each choice.

    Args:
        wanted: [B, I], P stored entries, none of them excluded.
    Returns:
        [C, P] counts of items that are not excluded, in the order of the stored entries.
    """
    counts = np.zeros((len(sums.factor_of), wanted.nnz), np.int64)
    _count_above(*sums, *_excluded(exclude, len(sums.first)), wanted.indptr, wanted.indices, counts)
    return counts


def _excluded(exclude: sp.csr_array | None, rows: int) -> tuple[NDArray, NDArray]:
    """Pointer and ascending columns of what is left out."""
    if exclude is None:
        return np.zeros(rows + 1, np.int32), np.zeros(0, np.int32)
    if not exclude.has_sorted_indices:
        exclude = exclude.sorted_indices()
    return exclude.indptr, exclude.indices


def reorder(
    items: NDArray[np.int64], scores: NDArray[np.float64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Rows of candidates put in final order: score descending, then smaller index, -1 last; the first k
    kept."""
    order = np.lexsort((items, -np.where(items < 0, -np.inf, scores)), axis=1)[:, :k]
    return np.take_along_axis(items, order, 1), np.take_along_axis(scores, order, 1)
