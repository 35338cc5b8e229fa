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
