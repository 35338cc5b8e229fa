import math

import numpy as np
import pytest

from gds_pipelines import metrics
from gds_pipelines.errors import InvalidInput, UnknownName


def naive(name, row, held_out):
    """One user's value by the textbook definition, with a plain loop."""
    if held_out == 0:
        return math.nan
    found, gain, precisions, first = 0, 0.0, 0.0, 0.0
    for rank, hit in enumerate(row, start=1):
        if hit:
            found += 1
            gain += 1 / math.log2(rank + 1)
            precisions += found / rank
            first = first or 1 / rank
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(held_out, len(row)) + 1))
    return {
        "recall": found / held_out,
        "precision": found / len(row),
        "hit_rate": float(found > 0),
        "ndcg": gain / ideal,
        "mrr": first,
        "map": precisions / min(held_out, len(row)),
    }[name]


@pytest.mark.parametrize("name", sorted(metrics.METRICS))
@pytest.mark.parametrize("k", [1, 3, 10])
def test_each_metric_equals_a_naive_loop(name, k):
    rng = np.random.default_rng(7)
    hits = rng.random((200, 10)) < 0.2
    held_out = np.where(rng.random(200) < 0.1, 0, hits.sum(axis=1) + rng.integers(0, 30, 200))
    hits[held_out == 0] = False
    expected = [naive(name, row[:k], count) for row, count in zip(hits, held_out, strict=True)]
    assert metrics.per_user(name, hits, held_out, k) == pytest.approx(np.array(expected), nan_ok=True)


# Two held-out items, lists of three: ideal = 1/log2(2) + 1/log2(3) = 1.63093.
@pytest.mark.parametrize(("row", "expected"), [([1, 1, 0], 1.0), ([0, 1, 0], 0.38685), ([0, 0, 0], 0.0)])
def test_ndcg_matches_values_worked_by_hand(row, expected):
    assert metrics.ndcg(np.array([row], bool), np.array([2]))[0] == pytest.approx(expected, abs=1e-5)


def test_means_skip_users_without_held_out_items():
    values = metrics.per_user("recall", np.array([[1], [0]], bool), np.array([2, 0]), 1)
    assert metrics.mean(values) == 0.5
    assert math.isnan(metrics.mean(values[1:]))


def test_coverage_and_novelty_match_values_worked_by_hand():
    items = np.array([[0, 1], [1, -1]])
    assert metrics.coverage(items, 4) == 0.5
    # Item 0 known by 1 of 4 users (2 bits), item 1 by 2 (1 bit), listed twice: (2 + 1 + 1) / 3.
    assert metrics.novelty(items, np.array([1, 2, 0, 0]), 4) == pytest.approx(4 / 3)


def test_wrong_names_and_shapes_are_refused():
    hits = np.zeros((2, 3), bool)
    with pytest.raises(UnknownName, match="Did you mean 'ndcg'"):
        metrics.per_user("ndgc", hits, np.ones(2, int), 3)
    with pytest.raises(InvalidInput, match="k is 4"):
        metrics.per_user("ndcg", hits, np.ones(2, int), 4)
    with pytest.raises(InvalidInput, match="hits has 2 users, held_out has 3"):
        metrics.per_user("ndcg", hits, np.ones(3, int), 3)
