"""Measures over given pairs: a positive among listed candidates, clicks against drawn pairs, ratings.

Shapes: T = held-out pairs, N = candidates beside each, U = users, K = list length.
These protocols exist to reproduce papers. Ranking few candidates flatters every model, and not all of them
alike; the honest measure is ``evaluation.evaluate``, over all items.
Sources: He et al. 2017 (listed candidates); Fawcett 2006 (area under the curve as a rank statistic).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import metrics
from gds_pipelines.errors import InvalidInput
from gds_pipelines.evaluation import Evaluation
from gds_pipelines.interactions import Interactions

PAIR_METRICS = ("auc", "accuracy", "f1")
RATING_METRICS = ("rmse", "mae", "precision", "recall", "accuracy")
LOWER_IS_BETTER = ("rmse", "mae")
DRAWS = 400


@dataclass(frozen=True)
class PairEvaluation:
    """Figures over pairs that are no mean over users.

    Args:
        users: [T] user of every pair.
        items: [T] item of every pair.
        scores, truth: [T] what the model said and what holds.
        means: the figures by name.
        intervals: 95 % bootstrap over users, by name.
        seconds: wall clock of scoring and measuring.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    scores: NDArray[np.float64]
    truth: NDArray[np.float64]
    means: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    seconds: float
    values: dict[tuple[str, int], NDArray[np.float64]] = field(default_factory=dict)

    def figure(self, name: str, k: int | None = None) -> float:
        return self.means[name]

    def figures(self) -> dict[str, float]:
        return dict(self.means)


def evaluate_listed(
    model,
    users: NDArray[np.int64],
    items: NDArray[np.int64],
    negatives: NDArray[np.int64],
    *,
    k: Sequence[int] = (10,),
    names: Sequence[str] = ("hit_rate", "ndcg"),
) -> Evaluation:
    """Rank each positive among its candidates.

    Args:
        users, items: [T].
        negatives: [T, N], -1 = none; a copy of the positive among them is skipped.
        k, names: list lengths and metrics.
    Of equal scores the smaller item index stands first, as everywhere.
    """
    started = time.perf_counter()
    width = max(k)
    rows = np.where(negatives == items[:, None], -1, negatives)
    asked = np.column_stack([items, rows])  # [T, N + 1]
    lists = np.full((len(users), width), -1, np.int64)
    scores = np.full((len(users), width), -np.inf)
    for start, block in _blocks(users, model.train.n_items):
        given = asked[start : start + len(block)]
        found = np.take_along_axis(_complete(model, block), np.maximum(given, 0), axis=1).astype(np.float64)
        found[given < 0] = -np.inf
        order = np.lexsort((given, -found), axis=1)[:, :width]
        kept = np.take_along_axis(given, order, 1)
        lists[start : start + len(block), : kept.shape[1]] = kept
        scores[start : start + len(block), : kept.shape[1]] = np.take_along_axis(found, order, 1)
    hits = lists == items[:, None]
    held = np.ones(len(users), np.int64)
    cuts = sorted(set(k))
    degrees = model.train.item_degrees
    return Evaluation(
        users,
        lists,
        scores,
        held,
        {(name, cut): metrics.per_user(name, hits, held, cut) for name in names for cut in cuts},
        {cut: metrics.coverage(lists[:, :cut], model.train.n_items) for cut in cuts},
        {cut: metrics.novelty(lists[:, :cut], degrees, model.train.n_users) for cut in cuts},
        time.perf_counter() - started,
        int((model.train.user_degrees[users] == 0).sum()),
    )


def evaluate_clicks(
    model, test: Interactions, *, known: Interactions, negatives: int = 1, seed: int = 0
) -> PairEvaluation:
    """Test pairs against as many times ``negatives`` drawn pairs of the same users: AUC, accuracy, F1.

    Args:
        known: all pairs there are; none of them is drawn.
    A pair counts as predicted when it stands in the better half of the user's own pairs: scores of ranking
    models have no common zero.
    """
    started = time.perf_counter()
    rng = np.random.default_rng([seed, 622])
    users = np.repeat(test.user_index, 1 + negatives)
    items = np.empty(len(users), np.int64)
    items[:: 1 + negatives] = test.matrix.indices
    truth = np.zeros(len(users))
    truth[:: 1 + negatives] = 1
    drawn = np.flatnonzero(truth == 0)
    pairs = known.pairs()
    items[drawn] = rng.integers(0, test.n_items, len(drawn))
    for _ in range(50):
        wanted = users[drawn] * test.n_items + items[drawn]
        again = drawn[np.isin(wanted, pairs)]
        if not len(again):
            break
        items[again] = rng.integers(0, test.n_items, len(again))
    scores = _scores(model, users, items)
    split = _median_of_users(users, scores)
    predicted = scores > split

    def measured(rows: NDArray[np.int64]) -> dict[str, float]:
        true, said = truth[rows] > 0, predicted[rows]
        both = (true & said).sum()
        return {
            "auc": auc(scores[rows], truth[rows]),
            "accuracy": float((true == said).mean()),
            "f1": float(2 * both / max(true.sum() + said.sum(), 1)),
        }

    everything = np.arange(len(users))
    return PairEvaluation(
        users,
        items,
        scores,
        truth,
        measured(everything),
        _intervals(users, measured, seed),
        time.perf_counter() - started,
    )


def evaluate_ratings(
    model, test: Interactions, *, threshold: float | None = 4.0, seed: int = 0
) -> PairEvaluation:
    """Error of predicted ratings, and how well they tell liked from not liked at ``threshold``.

    Args:
        model: one whose scores are on the scale of the ratings (``needs`` names 'ratings').
        test: the weights are the true ratings.
        threshold: from which rating on something is liked; None leaves those figures out.
    Raises:
        InvalidInput: the model ranks and does not rate.
    """
    if not model.info.rates:
        raise InvalidInput(
            f"Model '{model.info.name}'", ["it ranks and does not predict ratings; take mf-ratings"]
        )
    started = time.perf_counter()
    users, items = test.user_index, test.matrix.indices.astype(np.int64)
    truth = test.matrix.data.astype(np.float64)
    scores = model.ratings(users, items)

    def measured(rows: NDArray[np.int64]) -> dict[str, float]:
        gap = scores[rows] - truth[rows]
        errors = {"rmse": float(np.sqrt((gap**2).mean())), "mae": float(np.abs(gap).mean())}
        if threshold is None:
            return errors
        liked, said = truth[rows] >= threshold, scores[rows] >= threshold
        both = (liked & said).sum()
        return errors | {
            "precision": float(both / max(said.sum(), 1)),
            "recall": float(both / max(liked.sum(), 1)),
            "accuracy": float((liked == said).mean()),
        }

    return PairEvaluation(
        users,
        items,
        scores,
        truth,
        measured(np.arange(len(users))),
        _intervals(users, measured, seed),
        time.perf_counter() - started,
        {("squared_error", 0): (scores - truth) ** 2},
    )


def auc(scores: NDArray[np.float64], truth: NDArray) -> float:
    """Chance that a true pair scores above a false one, ties half; NaN without both kinds."""
    true = truth > 0
    positives, others = int(true.sum()), int((~true).sum())
    if not positives or not others:
        return float("nan")
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    _, where, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.bincount(where, ranks) / count)[where]
    return float((ranks[true].sum() - positives * (positives + 1) / 2) / (positives * others))


def _complete(model, users: NDArray[np.int64]) -> NDArray[np.float32]:
    """[B, I] – scores; what a model knows nothing of follows by popularity, as in its lists."""
    scores = model.scores(users)
    if not model.supported_only:
        return scores
    degrees = model.train.item_degrees
    return np.where(scores > 0, scores, (degrees / (degrees.max() + 1) - 1).astype(np.float32))


def _scores(model, users: NDArray[np.int64], items: NDArray[np.int64]) -> NDArray[np.float64]:
    order = np.argsort(users, kind="stable")
    distinct, first = np.unique(users[order], return_index=True)
    ends = np.r_[first[1:], len(users)]
    out = np.empty(len(users))
    for start, block in _blocks(distinct, model.train.n_items):
        table = _complete(model, block)
        for row in range(len(block)):
            at = order[first[start + row] : ends[start + row]]
            out[at] = table[row, items[at]]
    return out


def _median_of_users(users: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """[T] – the median of the scores of the pair's user."""
    order = np.lexsort((scores, users))
    _, first, count = np.unique(users[order], return_index=True, return_counts=True)
    ranked = scores[order]
    middle = (ranked[first + (count - 1) // 2] + ranked[first + count // 2]) / 2
    out = np.empty(len(users))
    out[order] = np.repeat(middle, count)
    return out


def _intervals(users: NDArray[np.int64], measured, seed: int) -> dict[str, tuple[float, float]]:
    """Percentiles over draws of whole users."""
    order = np.argsort(users, kind="stable")
    _, first, count = np.unique(users[order], return_index=True, return_counts=True)
    rng = np.random.default_rng(seed)
    # Large tests need fewer draws for the same two ends.
    draws = DRAWS if len(users) <= 50_000 else 100
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        drawn = rng.integers(0, len(first), len(first))
        size = count[drawn]
        start = np.repeat(first[drawn] - np.r_[0, np.cumsum(size)[:-1]], size)
        for name, value in measured(order[start + np.arange(size.sum())]).items():
            found.setdefault(name, []).append(value)
    ends = {name: np.nanpercentile(values, [2.5, 97.5]) for name, values in found.items()}
    return {name: (float(low), float(high)) for name, (low, high) in ends.items()}


def _blocks(users: NDArray[np.int64], n_items: int):
    size = max(1, 2**24 // max(n_items, 1))
    for start in range(0, len(users), size):
        yield start, users[start : start + size]
