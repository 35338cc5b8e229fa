"""Ranking metrics over fixed-length recommendation lists, one value a user.

Shapes: U = users, K = list length. ``hits`` is [U, K], true where the item at
that rank (rank 1 first) was held out; ``held_out`` is [U], how many items of the
user were held out. Means are taken over the users who have something to find.
Imports numpy only, so every number here can be checked without a database.

recall      found / held out                              (LightGCN, NGCF and most graph papers)
precision   found / K
hit_rate    1 when anything was found
ndcg        binary gain, log2 discount, ideal list of min(held out, K) (Järvelin & Kekäläinen 2002)
mrr         1 / rank of the first hit, 0 without one
map         mean over min(held out, K) of the precision at each hit
coverage    distinct recommended items / items of the catalogue (one number, no user axis)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput, UnknownName

Hits = NDArray[np.bool_]
Counts = NDArray[np.int64]


def recall(hits: Hits, held_out: Counts) -> NDArray[np.float64]:
    """[U] in [0, 1]; NaN where nothing was held out."""
    return _share(hits.sum(axis=1), held_out)


def precision(hits: Hits, held_out: Counts) -> NDArray[np.float64]:
    """[U] in [0, 1]; NaN where nothing was held out."""
    return np.where(held_out > 0, hits.sum(axis=1) / max(hits.shape[1], 1), np.nan)


def hit_rate(hits: Hits, held_out: Counts) -> NDArray[np.float64]:
    """[U], 0 or 1; NaN where nothing was held out."""
    return np.where(held_out > 0, hits.any(axis=1).astype(float), np.nan)


def ndcg(hits: Hits, held_out: Counts) -> NDArray[np.float64]:
    """[U] in [0, 1]; NaN where nothing was held out."""
    discount = 1.0 / np.log2(np.arange(2, hits.shape[1] + 2))  # [K]
    ideal = np.r_[0.0, np.cumsum(discount)][np.minimum(held_out, hits.shape[1])]  # [U]
    return _share(hits @ discount, ideal)


def mrr(hits: Hits, held_out: Counts) -> NDArray[np.float64]:
    """[U] in [0, 1]; NaN where nothing was held out."""
    rank = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)
    return np.where(held_out > 0, 1.0 / rank, np.nan)


def mean_average_precision(hits: Hits, held_out: Counts) -> NDArray[np.float64]:
    """[U] in [0, 1]; NaN where nothing was held out."""
    at = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return _share((at * hits).sum(axis=1), np.minimum(held_out, hits.shape[1]))


def gain_among(above: Counts, n_items: int, among: int | None = None) -> NDArray[np.float64]:
    """Gain 1 / log2(1 + rank) of single held-out items, in (0, 1].

    Args:
        above: how many of the ``n_items`` stand above each.
        among: items of a list, the wanted one with others drawn evenly: the rank is the one to expect there;
            None = all items.
    """
    share = 1.0 if among is None else min(1.0, (among - 1) / max(1, n_items - 1))
    return 1.0 / np.log2(2.0 + share * above)


METRICS: dict[str, Callable[[Hits, Counts], NDArray[np.float64]]] = {
    "recall": recall,
    "precision": precision,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "mrr": mrr,
    "map": mean_average_precision,
}
"""The metrics that have one value a user, by name."""


def per_user(name: str, hits: Hits, held_out: Counts, k: int) -> NDArray[np.float64]:
    """One metric at k for every user.

    Args:
        name: a key of ``METRICS``.
        hits: [U, K] with K >= k; the first k columns count.
        held_out: [U].
    Raises:
        UnknownName: for a name that is not a metric.
        InvalidInput: if the user axes differ or the lists are shorter than k.
    """
    if name not in METRICS:
        raise UnknownName("metric", name, METRICS)
    faults = []
    if hits.shape[0] != held_out.shape[0]:
        faults.append(f"hits has {hits.shape[0]} users, held_out has {held_out.shape[0]}")
    if not 1 <= k <= hits.shape[1]:
        faults.append(f"k is {k}, the lists hold {hits.shape[1]} ranks")
    if faults:
        raise InvalidInput(f"Metric '{name}'", faults)
    return METRICS[name](hits[:, :k], held_out)


def mean(values: NDArray[np.float64]) -> float:
    """Mean over the users who had something to find; NaN when there is none."""
    counted = values[~np.isnan(values)]
    return float(counted.mean()) if len(counted) else float("nan")


def coverage(items: NDArray[np.int64], n_items: int) -> float:
    """Share of the catalogue that stands in some list; ``items`` [U, K], -1 = no item. 0 for an empty
    catalogue."""
    return len(np.unique(items[items >= 0])) / n_items if n_items else 0.0


def novelty(items: NDArray[np.int64], item_degrees: NDArray[np.int64], n_users: int) -> float:
    """Mean self-information of what was recommended: -log2(share of users who know the item), in bits.

    An item nobody knows counts as known by one. NaN when nothing was recommended.
    """
    listed = items[items >= 0]
    if not len(listed):
        return float("nan")
    return float(-np.log2(np.maximum(item_degrees[listed], 1) / max(n_users, 1)).mean())


def _share(part: NDArray, whole: NDArray) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole > 0, part / whole, np.nan)
