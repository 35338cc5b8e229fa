"""The leading singular vectors of the normalised user-item matrix, by randomised subspace iteration.

Source: Halko, Martinsson & Tropp (2011). Three rounds, oversampling 32, orthonormalised each time.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

OVERSAMPLING = 32
ROUNDS = 3


def right_vectors(
    matrix: sp.csr_array, count: int, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The ``count`` leading right singular vectors and values of [U, I].

    Args:
        matrix: CSR float32.
        count: >= 1; beyond min(U, I) the vectors are padded with zeros.
        seed: of the random start.
    Returns:
        V [I, count] with orthonormal columns and s [count] descending; each column's largest entry is
        positive.
    """
    transposed = sp.csr_array(matrix.T.tocsr())
    width = min(count + OVERSAMPLING, *matrix.shape)
    basis = np.random.default_rng(seed).standard_normal((matrix.shape[1], width)).astype(np.float32)
    for _ in range(ROUNDS):
        basis = np.linalg.qr(np.asarray(transposed @ np.asarray(matrix @ basis)))[0]
    small = np.linalg.qr(np.asarray(matrix @ basis))[1]
    _, values, rotation = np.linalg.svd(small, full_matrices=False)
    vectors = (basis @ rotation.T)[:, :count]
    values = values[:count]
    peak = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[peak, np.arange(vectors.shape[1])])
    missing = count - vectors.shape[1]
    return (
        np.pad(vectors, ((0, 0), (0, missing))).astype(np.float32),
        np.pad(values, (0, missing)).astype(np.float32),
    )


def spectral_start(matrix: sp.csr_array, dimension: int, seed: int) -> NDArray[np.float32]:
    """[I, D] – singular vectors times the root of their value, scaled so that the mean row length is 1.

    Rows without any entry (isolated items) get a small random vector, so that they too can be learned.
    """
    vectors, values = right_vectors(matrix, dimension, seed)
    start = vectors * np.sqrt(values)
    length = np.linalg.norm(start, axis=1)
    start /= max(float(length.mean()), 1e-12)
    empty = length < 1e-8
    if empty.any():
        noise = np.random.default_rng([seed, 1]).standard_normal((int(empty.sum()), dimension))
        start[empty] = 0.1 * noise / np.sqrt(dimension)
    return start.astype(np.float32)
