"""The twin of the walk that the serving benchmark compares the database with, and when lists are the same."""

import numpy as np
import pytest

from benchmarks.serving.walks import Twin, same
from gds_pipelines import models
from gds_pipelines.interactions import Interactions


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(2)
    user, item = np.nonzero(rng.random((40, 30)) < 0.2)
    return Interactions.from_indices(
        user, item, times=rng.permutation(len(user)), user_keys=np.arange(40), item_keys=np.arange(30)
    )


def test_without_a_limit_the_twin_is_rp3beta(pairs):
    model = models.recommender("rp3beta")({"alpha": 0.8, "beta": 0.4}).fit(pairs)
    twin = Twin(pairs, 0.8, 0.4)
    for user in range(10):
        assert twin.scores(user) == pytest.approx(model.scores([user])[0], rel=1e-5)
    assert twin.cut == 0


# With room for one node a step, the newest item's users and the first of those are all that is read.
def test_with_the_smallest_limit_one_node_a_step_is_read(pairs):
    twin = Twin(pairs, 1.0, 0.0, limit=1)
    row = slice(pairs.matrix.indptr[0], pairs.matrix.indptr[1])
    items, times = pairs.matrix.indices[row], pairs.times[row]
    newest = items[np.argmax(times)]
    first = np.flatnonzero(pairs.matrix.toarray()[:, newest])[0]
    own = pairs.matrix[[int(first)]].indices
    expected = np.zeros(pairs.n_items)
    expected[own] = 1 / len(items) / (pairs.matrix.toarray()[:, newest] > 0).sum() / len(own)
    assert twin.scores(0) == pytest.approx(expected)
    assert twin.cut == 1


def test_lists_are_the_same_but_for_items_of_equal_score():
    scores = np.array([3.0, 2.0, 2.0, 1.0])
    assert same([5, 2, 1, 9], scores, np.array([5, 1, 2, 9]), scores)
    assert not same([1, 2, 5, 9], scores, np.array([5, 1, 2, 9]), scores)
    assert not same([5, 1, 2, 9], scores * 1.001, np.array([5, 1, 2, 9]), scores)
