import numpy as np
import pytest

from gds_pipelines.errors import InvalidInput
from gds_pipelines.statistics import difference, interval


def test_the_interval_is_close_to_the_normal_one_for_many_users():
    values = np.random.default_rng(0).normal(0.3, 0.2, 5_000)
    found = interval(np.r_[values, np.nan])
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=half / 10)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 10)
    assert found.users == 5_000


def test_a_paired_test_sees_a_small_steady_gain_and_no_gain_where_there_is_none():
    rng = np.random.default_rng(1)
    base = rng.random(2_000)
    better = difference(base + 0.01 + rng.normal(0, 0.05, 2_000), base)
    assert better.p < 0.01
    assert better.low > 0
    same = difference(base + rng.normal(0, 0.05, 2_000), base)
    assert same.p > 0.05
    assert same.low < 0 < same.high
    assert difference(base, base).p == 1


# Two users, both better by 1: of the four sign patterns two are as extreme, so p is a half.
def test_the_sign_test_of_two_users_matches_the_count_by_hand():
    assert difference(np.ones(2), np.zeros(2)).p == pytest.approx(0.5, abs=0.05)


def test_empty_and_unequal_lists():
    assert interval(np.full(3, np.nan)).users == 0
    with pytest.raises(InvalidInput, match="2 and 3 users"):
        difference(np.ones(2), np.ones(3))
