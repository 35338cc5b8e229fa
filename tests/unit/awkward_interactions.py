"""A small graph with what models stumble over, and the same as dense matrices for the slow twins."""

import numpy as np

from gds_pipelines.interactions import Interactions


def awkward():
    """A user without items, one with one item, an item without users, unequal weights, no times."""
    rng = np.random.default_rng(5)
    rows, columns = rng.integers(2, 40, 300), rng.integers(0, 29, 300)
    return Interactions.from_indices(
        np.r_[rows, 1],
        np.r_[columns, 3],
        np.r_[rng.choice([0.1, 0.5, 1.0], 300), 0.5],
        user_keys=np.arange(40),
        item_keys=np.arange(30),
    )


def dense_graph(data):
    w = data.matrix.toarray().astype(np.float64)
    return w, w / np.sqrt(np.outer(np.maximum(data.user_degrees, 1), np.maximum(data.item_degrees, 1)))
