"""Negatives against a loop over all pairs: never a positive, and as likely as was promised."""

import numpy as np
import pytest
from scipy.stats import chisquare

from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions
from gds_pipelines.negatives import Hard, Popular, Positives, Uniform, in_batch

USERS, ITEMS = 40, 25


@pytest.fixture(scope="module")
def pairs():
    """Users 0 has nothing, user 1 everything, user 2 all but item 7; the rest at random, some twice."""
    rng = np.random.default_rng(5)
    users, items = rng.integers(3, USERS, 300), rng.integers(0, ITEMS, 300)
    every = np.arange(ITEMS)
    users = np.concatenate([users, np.full(ITEMS, 1), np.full(ITEMS - 1, 2)])
    return users, np.concatenate([items, every, every[every != 7]])


@pytest.fixture(scope="module")
def positives(pairs):
    return Positives(*pairs, USERS, ITEMS)


def kinds(positives):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(USERS, 4)), rng.normal(size=(ITEMS, 4))
    return [Uniform(positives), Popular(positives), Hard(positives, *vectors, pool=ITEMS)]


def test_no_draw_is_ever_a_positive_and_the_last_item_is_found(pairs, positives):
    known = set(zip(*(part.tolist() for part in pairs), strict=True))
    users = np.repeat(np.arange(USERS), 50)
    for kind in kinds(positives):
        drawn = kind.draw(users, 8, np.random.default_rng(2))
        assert drawn.shape == (len(users), 8)
        for user, items in zip(users.tolist(), drawn.tolist(), strict=True):
            assert not any((user, item) in known for item in items)
            if user == 1:
                assert set(items) == {-1}
            elif user == 2:
                assert 7 in items
                assert set(items) <= {7, -1}
        assert (drawn[users == 0] >= 0).all()


def test_uniform_and_popular_draws_have_the_exact_shares(positives):
    rng = np.random.default_rng(3)
    owned = {user: set(positives.items[positives.users == user].tolist()) for user in (0, 5)}
    popular = Popular(positives, 0.75)
    for user, own in owned.items():
        lacking = [item for item in range(ITEMS) if item not in own]
        for kind, weights in ((Uniform(positives), np.ones(ITEMS)), (popular, popular.weights)):
            counts = np.bincount(kind.draw(np.array([user]), 40_000, rng)[0], minlength=ITEMS)
            expected = weights[lacking] / weights[lacking].sum() * 40_000
            assert counts[list(own)].sum() == 0
            assert chisquare(counts[lacking], expected).pvalue > 1e-4


def test_every_place_is_one_item_the_user_lacks_in_order(positives):
    for user in range(USERS):
        own = set(positives.items[positives.users == user].tolist())
        lacking = [item for item in range(ITEMS) if item not in own]
        place = np.arange(len(lacking))[None, :]
        assert Uniform(positives).at(np.array([user]), place)[0].tolist() == lacking


def test_hard_negatives_are_the_nearest_of_a_full_sort(positives):
    rng = np.random.default_rng(4)
    users, items = rng.normal(size=(USERS, 3)), rng.normal(size=(ITEMS, 3))
    near = Hard(positives, users, items, pool=5, skip=2).nearest(np.array([0, 9, 2]))
    for row, user in zip(near.tolist(), (0, 9, 2), strict=True):
        own = set(positives.items[positives.users == user].tolist())
        scores = {item: float(users[user] @ items[item]) for item in range(ITEMS) if item not in own}
        best = sorted(scores, key=lambda item: (-scores[item], item))[2:7]
        assert row == best + [-1] * (5 - len(best))


def test_the_batch_is_masked_where_the_user_has_the_item(pairs, positives):
    users, items = (part[:12] for part in pairs)
    known = set(zip(*(part.tolist() for part in pairs), strict=True))
    mask = in_batch(positives, users, items)
    assert not mask.diagonal().any()
    for i, user in enumerate(users.tolist()):
        for j, item in enumerate(items.tolist()):
            assert mask[i, j] == ((user, item) not in known)


def test_all_behaviours_count_and_the_seed_decides():
    keys = {"user_keys": np.arange(3), "item_keys": np.arange(4)}
    bought = Interactions.from_indices([0, 0, 1], [0, 1, 2], **keys)
    viewed = Interactions.from_indices([0, 2], [2, 3], **keys)
    positives = Positives.of(bought, viewed)
    assert positives.degrees.tolist() == [3, 1, 1]
    first, again = (Uniform(positives).draw(np.arange(3), 9, np.random.default_rng(8)) for _ in range(2))
    assert set(first[0].tolist()) == {3}
    np.testing.assert_array_equal(first, again)
    nobody = Positives(np.empty(0, int), np.empty(0, int), 2, 3)
    assert set(Popular(nobody).draw(np.array([1]), 99, np.random.default_rng(0))[0].tolist()) == {0, 1, 2}


def test_faults_are_told_at_once(positives):
    with pytest.raises(InvalidInput) as caught:
        Positives(np.array([0, 9]), np.array([-1, 0]), 3, 4)
    assert len(caught.value.faults) == 2
    with pytest.raises(InvalidInput, match="pool is 0"):
        Hard(positives, np.zeros((USERS, 2)), np.zeros((ITEMS, 2)), pool=0)
    with pytest.raises(InvalidInput, match="one an item"):
        Popular(positives, 1.0, np.ones(3))
