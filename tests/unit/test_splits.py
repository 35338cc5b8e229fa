from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gds_pipelines import splits
from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions
from gds_pipelines.node_features import NodeFeatures

DAY = 86_400_000


def made(seed=0, users=40, items=30, pairs=300, times=True):
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 100 * DAY, pairs) if times else None
    return Interactions.from_indices(
        rng.integers(0, users, pairs),
        rng.integers(0, items, pairs),
        1.0,
        at,
        user_keys=np.arange(users),
        item_keys=np.arange(items),
    )


def parts(split):
    return [set(part.pairs().tolist()) for part in (split.train, split.validation, split.test)]


@given(st.integers(0, 50), st.sampled_from(["time", "leave", "random", "user", "holdout"]))
@settings(max_examples=40, deadline=None)
def test_parts_are_disjoint_cover_all_pairs_and_repeat_with_the_seed(seed, kind):
    data = made(seed)
    cut = {
        "time": lambda: splits.by_time(data, 10 * DAY),
        "leave": lambda: splits.leave_last(data, 2),
        "random": lambda: splits.random(data, 0.2, validation=0.1, seed=seed),
        "user": lambda: splits.by_user_time(data, 0.2, validation=0.1),
        "holdout": lambda: splits.holdout(data, seed=seed),
    }[kind]
    train, validation, test = parts(cut())
    assert train | validation | test == set(data.pairs().tolist())
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert parts(cut()) == [train, validation, test]
    assert splits.audit(cut().train, cut().test).clean


def test_a_split_by_time_puts_the_last_horizon_into_test():
    data = Interactions.from_indices(
        [0] * 5, range(5), 1.0, [0, 79, 80, 89, 99], user_keys=[0], item_keys=range(5)
    )
    split = splits.by_time(data, 10)
    # The end is 100: test from 90, validation from 80.
    assert split.train.times.tolist() == [0, 79]
    assert split.validation.times.tolist() == [80, 89]
    assert split.test.times.tolist() == [99]
    assert split.cutoff == 80
    assert splits.by_time(data, 10, validation=False).train.times.tolist() == [0, 79, 80, 89]


def test_leave_last_takes_the_latest_of_each_user_and_spares_short_histories():
    data = Interactions.from_indices(
        [0, 0, 0, 1], [0, 1, 2, 0], 1.0, [3, 1, 2, 9], user_keys=[0, 1], item_keys=range(3)
    )
    split = splits.leave_last(data, 1)
    assert split.test.matrix.toarray().tolist() == [[1, 0, 0], [0, 0, 0]]
    assert split.validation.matrix.toarray().tolist() == [[0, 0, 1], [0, 0, 0]]
    assert split.train.matrix.toarray().tolist() == [[0, 1, 0], [1, 0, 0]]


def test_a_random_split_takes_the_share_of_each_user():
    data = Interactions.from_indices(
        np.repeat([0, 1], [10, 1]), [*range(10), 0], user_keys=[0, 1], item_keys=range(10)
    )
    split = splits.random(data, 0.2, validation=0.1, seed=3)
    assert split.test.user_degrees.tolist() == [2, 0]
    assert split.validation.user_degrees.tolist() == [1, 0]
    other = splits.random(data, 0.2, validation=0.1, seed=4)
    assert other.test.pairs().tolist() != split.test.pairs().tolist()


def test_what_cannot_be_split_is_refused():
    with pytest.raises(InvalidInput, match="no times"):
        splits.by_time(made(times=False), DAY)
    with pytest.raises(InvalidInput, match="nothing is left to train on"):
        splits.by_time(made(), 99 * DAY)
    with pytest.raises(InvalidInput, match="below 1"):
        splits.random(made(), 1.0)


def test_the_audit_finds_shared_reversed_and_late_pairs():
    train = Interactions.from_indices(
        [0, 1, 2], [1, 2, 0], 1.0, [5, 6, 9], user_keys=[1, 2, 3], item_keys=[1, 2, 3]
    )
    test = Interactions.from_indices(
        [0, 1, 2], [1, 0, 2], 1.0, [7, 8, 8], user_keys=[1, 2, 3], item_keys=[1, 2, 3]
    )
    found = splits.audit(train, test, same_nodes=True, by_time=True)
    assert (found.shared, found.reversed, found.late) == (1, 1, 1)
    with pytest.raises(
        splits.Leak, match="1 test pairs also stand in train; 1 test pairs stand in train the other"
    ):
        found.check()
    assert splits.audit(train.keep(np.array([True, False, False])), test).unknown_users == 2


def test_refit_joins_train_and_validation():
    split = splits.random(made(), 0.2, validation=0.2)
    assert len(split.refit()) == len(split.train) + len(split.validation)


def test_parts_put_together_again_are_the_whole_with_all_that_nodes_have():
    whole = Interactions.from_indices(
        [0, 0, 0, 1, 2],
        [1, 1, 2, 0, 2],
        user_keys=np.arange(3),
        item_keys=np.arange(3),
        kinds=[0, 2, 1, 1, 0],
    )
    whole = replace(
        whole,
        item_features=NodeFeatures.of_values({"price": [1.0, 2.0, 3.0]}, "Item"),
        item_ids=np.array([5, 6, 9]),
        user_ids=np.array([1, 2, 4]),
    )
    again = splits.random(whole, 0.2, validation=0.4, seed=1)
    again = splits.merge(again.refit(), again.test)
    assert (again.matrix != whole.matrix).nnz == 0
    assert again.kinds.tolist() == whole.kinds.tolist() == [0b101, 0b10, 0b10, 0b1]
    for name in ("item_features", "user_features", "item_ids", "user_ids", "surroundings"):
        assert getattr(again, name) is getattr(whole, name)
