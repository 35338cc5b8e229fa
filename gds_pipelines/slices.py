"""What a mean over users hides: who is served well, which items are found, how alike a list is.

Shapes: T = users who have something to find, K = list length, I = items.
Items are cut by popularity so that head, middle and tail hold a third of the training pairs each; users by
how many pairs they have in training.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.evaluation import Evaluation
from gds_pipelines.interactions import Interactions, every_nth

SAMPLE = 1_000
"""Lists of at most so many users are read for diversity."""


def by_users(
    found: Evaluation, train: Interactions, values: NDArray[np.float64]
) -> dict[str, dict[str, float | int]]:
    """Mean of ``values`` [T] over the users without training pairs, the quarter with fewest and the quarter
    with most.

    Slices without users are left out, and both quarters where half of the users or more have equally many:
    nobody then belongs to one rather than to the other.
    """
    degrees = train.user_degrees[found.users]
    warm = degrees > 0
    low, high = np.percentile(degrees[warm], [25, 75]) if warm.any() else (0, 0)
    masks = {"cold": ~warm}
    if low < high:
        masks |= {"fewest": warm & (degrees <= low), "most": warm & (degrees >= high)}
    return {
        name: {"value": float(np.nanmean(values[mask])), "users": int(mask.sum())}
        for name, mask in masks.items()
        if mask.any()
    }


def by_items(
    found: Evaluation, train: Interactions, test: Interactions, k: int
) -> dict[str, dict[str, float | int]]:
    """Share of the test pairs found in the first ``k``, by the item's popularity, cold ones apart."""
    degrees = train.item_degrees
    order = np.lexsort((np.arange(len(degrees)), -degrees))
    before = np.cumsum(degrees[order]) - degrees[order]
    part = np.empty(len(degrees), np.int64)
    part[order] = np.minimum(before * 3 // max(int(degrees.sum()), 1), 2)
    part[degrees == 0] = 3
    rows = np.flatnonzero(np.isin(test.user_index, found.users))
    listed = found.items[:, :k]
    pairs = (found.users[:, None] * test.n_items + listed)[listed >= 0]
    hit = np.isin(test.pairs()[rows], pairs)
    where = part[test.matrix.indices[rows]]
    return {
        name: {"value": float(hit[where == at].mean()), "pairs": int((where == at).sum())}
        for at, name in enumerate(("head", "middle", "tail", "cold"))
        if (where == at).any()
    }


def diversity(items: NDArray[np.int64], train: Interactions) -> float:
    """1 - mean cosine of two items of one list, by who touched them; in [0, 1], NaN without such lists.

    Of more than ``SAMPLE`` lists every n-th is read.
    """
    of_items = train.binary.T.tocsr()
    length = np.sqrt(np.maximum(train.item_degrees, 1))
    values = []
    for row in every_nth(items, SAMPLE):
        row = row[row >= 0]
        if len(row) < 2:
            continue
        part = of_items[row]
        cosine = (part @ part.T).toarray() / np.outer(length[row], length[row])
        values.append(1 - (cosine.sum() - np.trace(cosine)) / (len(row) * (len(row) - 1)))
    return float(np.mean(values)) if values else float("nan")


def summary(
    found: Evaluation, train: Interactions, test: Interactions, metric: str, k: int
) -> Mapping[str, object]:
    """All of it for one model, as results keep it."""
    return {
        f"diversity@{k}": diversity(found.items[:, :k], train),
        "users": by_users(found, train, found.values[metric, k]),
        "items": by_items(found, train, test, k),
    }
