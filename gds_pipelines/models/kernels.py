"""Compiled loops the models share. Each works on preallocated arrays and does not depend on the batch.

numba compiles at the first call and keeps the result beside the package.
"""

from __future__ import annotations

import numba as nb
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@nb.njit(parallel=True, cache=True, nogil=True)
def _exact_dot_rows(queries, vectors, items, out):
    """out[b, m] = queries[b] . vectors[items[b, m]], double sum in ascending dimension; -inf for -1."""
    for b in nb.prange(items.shape[0]):
        for m in range(items.shape[1]):
            i = items[b, m]
            if i < 0:
                out[b, m] = -np.inf
                continue
            total = 0.0
            for d in range(queries.shape[1]):
                total += np.float64(queries[b, d]) * np.float64(vectors[i, d])
            out[b, m] = total


def exact_dot(
    queries: NDArray[np.float32], vectors: NDArray[np.float32], items: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[B, M] – dot products summed in double precision in ascending dimension, as the plugin does.

    Args:
        queries: [B, D].
        vectors: [I, D].
        items: [B, M] rows of ``vectors``; -1 gives -inf.
    """
    out = np.empty(items.shape, np.float64)
    _exact_dot_rows(np.ascontiguousarray(queries), np.ascontiguousarray(vectors), items, out)
    return out


@nb.njit(parallel=True, cache=True, nogil=True)
def _weighted_sums(pointer, index, data, to_pointer, to_index, to_data, width, items, out):
    for b in nb.prange(items.shape[0]):
        total = np.zeros(width, np.float64)
        for p in range(pointer[b], pointer[b + 1]):
            w = np.float64(data[p])
            i = index[p]
            for q in range(to_pointer[i], to_pointer[i + 1]):
                total[to_index[q]] += w * np.float64(to_data[q])
        for m in range(items.shape[1]):
            out[b, m] = total[items[b, m]] if items[b, m] >= 0 else -np.inf


def weighted_sums(
    histories: sp.csr_array, weights: sp.csr_array, items: NDArray[np.int64]
) -> NDArray[np.float64]:
    """[B, M] – rows of ``histories`` [B, I] times ``weights`` [I, I], summed in double precision over the
    history in ascending order, as the plugin does.

    Args:
        items: [B, M] columns that are wanted; -1 gives -inf.
    """
    out = np.empty(items.shape, np.float64)
    h, w = histories, weights
    _weighted_sums(h.indptr, h.indices, h.data, w.indptr, w.indices, w.data, w.shape[1], items, out)
    return out


@nb.njit(parallel=True, cache=True, nogil=True)
def _multiply(pointer, index, data, table, out):
    for r in nb.prange(out.shape[0]):
        for p in range(pointer[r], pointer[r + 1]):
            w = data[p]
            j = index[p]
            for d in range(out.shape[1]):
                out[r, d] += w * table[j, d]


def multiply(matrix: sp.csr_array, table: NDArray[np.float32]) -> NDArray[np.float32]:
    """CSR [R, C] times dense [C, D]; every entry is summed in storage order, whatever stands in other
    columns."""
    out = np.zeros((matrix.shape[0], table.shape[1]), np.float32)
    _multiply(matrix.indptr, matrix.indices, matrix.data, np.ascontiguousarray(table, np.float32), out)
    return out


@nb.njit(parallel=True, fastmath=True, cache=True, nogil=True)
def spmm_add(pointer, index, data, table, out, sign):
    """out += sign * (CSR rows times table): sparse [R, C] times dense [C, D] into [R, D]."""
    for r in nb.prange(out.shape[0]):
        for p in range(pointer[r], pointer[r + 1]):
            w = sign * data[p]
            j = index[p]
            for d in range(out.shape[1]):
                out[r, d] += w * table[j, d]


@nb.njit(parallel=True, fastmath=True, cache=True, nogil=True)
def _propagate(pointer, index, data, cuts, table, base, with_base, out):
    # Four neighbours at a time: a row of `out` is read and written once for four, and their rows of `table`
    # are on their way together. The order of a row's sum does not depend on the number of threads.
    width = out.shape[1]
    for part in nb.prange(len(cuts) - 1):
        for r in range(cuts[part], cuts[part + 1]):
            if with_base:
                for d in range(width):
                    out[r, d] = base[r, d]
            else:
                for d in range(width):
                    out[r, d] = np.float32(0.0)
            p, end = pointer[r], pointer[r + 1]
            while p + 4 <= end:
                a, b, c, e = data[p], data[p + 1], data[p + 2], data[p + 3]
                i, j, k, m = (
                    np.uint64(index[p]),
                    np.uint64(index[p + 1]),
                    np.uint64(index[p + 2]),
                    np.uint64(index[p + 3]),
                )
                for d in range(width):
                    out[r, d] += (a * table[i, d] + b * table[j, d]) + (c * table[k, d] + e * table[m, d])
                p += 4
            while p < end:
                a = data[p]
                i = np.uint64(index[p])
                for d in range(width):
                    out[r, d] += a * table[i, d]
                p += 1


@nb.njit(parallel=True, fastmath=True, cache=True, nogil=True)
def _propagate_rows(pointer, index, data, rows, table, base, with_base, out):
    width = out.shape[1]
    for b in nb.prange(len(rows)):
        r = rows[b]
        for d in range(width):
            out[b, d] = base[r, d] if with_base else np.float32(0.0)
        for p in range(pointer[r], pointer[r + 1]):
            w = data[p]
            j = np.uint64(index[p])
            for d in range(width):
                out[b, d] += w * table[j, d]


@nb.njit(parallel=True, fastmath=True, cache=True, nogil=True)
def _propagate_marked(pointer, index, data, cuts, marked, table, base, with_base, out):
    width = out.shape[1]
    for part in nb.prange(len(cuts) - 1):
        for r in range(cuts[part], cuts[part + 1]):
            for d in range(width):
                out[r, d] = base[r, d] if with_base else np.float32(0.0)
            for p in range(pointer[r], pointer[r + 1]):
                j = np.uint64(index[p])
                if marked[j]:
                    w = data[p]
                    for d in range(width):
                        out[r, d] += w * table[j, d]


@nb.njit(cache=True, nogil=True)
def add_rows(rows, values, out):
    """out[rows] += values, [B] and [B, D] into [R, D]; a row may stand there twice."""
    for b in range(len(rows)):
        r = rows[b]
        for d in range(out.shape[1]):
            out[r, d] += values[b, d]


class RowProducts:
    """Products of one CSR matrix [R, C] with dense tables [C, D] float32, made many times in training.

    Each row is summed in storage order; the rows are cut into parts of about as many entries each.
    """

    PARTS = 128

    def __init__(self, matrix: sp.csr_array) -> None:
        self.csr = (
            matrix.indptr.astype(np.int32, copy=False),
            matrix.indices.astype(np.int32, copy=False),
            matrix.data.astype(np.float32, copy=False),
        )
        self.shape = matrix.shape
        self.cuts = np.searchsorted(self.csr[0], np.linspace(0, matrix.nnz, self.PARTS + 1))
        self.cuts[0], self.cuts[-1] = 0, matrix.shape[0]

    def times(
        self, table: NDArray[np.float32], base: NDArray[np.float32] | None, out: NDArray[np.float32]
    ) -> None:
        """out [R, D] = base [R, D] (or 0) + matrix @ table."""
        _propagate(*self.csr, self.cuts, table, out if base is None else base, base is not None, out)

    def rows(
        self,
        rows: NDArray[np.int64],
        table: NDArray[np.float32],
        base: NDArray[np.float32] | None,
        out: NDArray[np.float32],
    ) -> None:
        """out [B, D] = the same at ``rows`` [B] only."""
        _propagate_rows(*self.csr, rows, table, out if base is None else base, base is not None, out)

    def marked(
        self,
        rows: NDArray[np.int64],
        values: NDArray[np.float32],
        base: NDArray[np.float32] | None,
        out: NDArray[np.float32],
    ) -> None:
        """out [R, D] = base [R, D] (or 0) + matrix @ a table that holds ``values`` [B, D] at ``rows`` [B],
        added up where a row stands there twice, and zeros elsewhere."""
        marked = np.zeros(self.shape[1], np.bool_)
        marked[rows] = True
        table = np.empty((self.shape[1], values.shape[1]), np.float32)
        table[rows] = 0  # the other rows are never read
        add_rows(rows, values, table)
        given = base is not None
        _propagate_marked(*self.csr, self.cuts, marked, table, base if given else out, given, out)


@nb.njit(cache=True, nogil=True)
def _mark_largest(pointer, index, data, count, keep):
    heap = np.empty(count, data.dtype)
    for r in range(len(pointer) - 1):
        lo, hi = pointer[r], pointer[r + 1]
        if hi - lo <= count:
            keep[lo:hi] = True
            continue
        # A heap with the smallest of the largest at its root gives the limit of this row.
        size = 0
        for p in range(lo, hi):
            v = data[p]
            if size < count:
                at = size
                size += 1
                while at > 0 and heap[(at - 1) >> 1] > v:
                    heap[at] = heap[(at - 1) >> 1]
                    at = (at - 1) >> 1
                heap[at] = v
            elif v > heap[0]:
                at = 0
                while 2 * at + 1 < size:
                    low = 2 * at + 1
                    if low + 1 < size and heap[low + 1] < heap[low]:
                        low += 1
                    if heap[low] >= v:
                        break
                    heap[at] = heap[low]
                    at = low
                heap[at] = v
        limit = heap[0]
        free = count
        for p in range(lo, hi):
            if data[p] > limit:
                keep[p] = True
                free -= 1
        for p in range(lo, hi):  # columns ascend, so ties go to the smaller one
            if free > 0 and data[p] == limit:
                keep[p] = True
                free -= 1


def keep_largest(matrix: sp.csr_array, count: int) -> sp.csr_array:
    """The ``count`` largest entries of each row of a CSR matrix, ties to the smaller column; columns
    ascending."""
    matrix = sp.csr_array(matrix)
    matrix.sort_indices()
    keep = np.zeros(matrix.nnz, bool)
    _mark_largest(matrix.indptr, matrix.indices, matrix.data, count, keep)
    before = np.r_[0, np.cumsum(keep)]
    return sp.csr_array((matrix.data[keep], matrix.indices[keep], before[matrix.indptr]), shape=matrix.shape)


@nb.njit(parallel=True, cache=True, nogil=True)
def walk_rows(h_ptr, h_idx, h_val, i_ptr, i_idx, i_val, u_ptr, u_idx, u_val, n_users, out):
    """Two hops from each history: items -> users (``i_*``) -> items (``u_*``), dense rows ``out`` [B, I].

    Summed in double precision in storage order, so a row does not depend on its neighbours in the batch.
    """
    for b in nb.prange(out.shape[0]):
        mass = np.zeros(n_users)
        touched = np.empty(n_users, np.int64)
        count = 0
        total = np.zeros(out.shape[1])
        for p in range(h_ptr[b], h_ptr[b + 1]):
            i = h_idx[p]
            for q in range(i_ptr[i], i_ptr[i + 1]):
                v = i_idx[q]
                if mass[v] == 0.0:
                    touched[count] = v
                    count += 1
                mass[v] += np.float64(h_val[p]) * np.float64(i_val[q])
        for t in range(count):
            v = touched[t]
            for q in range(u_ptr[v], u_ptr[v + 1]):
                total[u_idx[q]] += mass[v] * np.float64(u_val[q])
        for j in range(out.shape[1]):
            out[b, j] = total[j]
