import numpy as np
import pytest

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.evaluation import evaluate
from gds_pipelines.interactions import Interactions
from gds_pipelines.splits import random


@pytest.fixture(scope="module")
def split():
    rng = np.random.default_rng(2)
    data = Interactions.from_indices(
        rng.integers(0, 60, 900),
        rng.integers(0, 50, 900) ** 2 // 50,
        user_keys=np.arange(60),
        item_keys=np.arange(50),
    )
    return random(data, 0.3, seed=1)


def test_figures_equal_a_plain_loop_over_all_items(split):
    model = models.recommender("rp3beta")().fit(split.train)
    found = evaluate(model, split.test, k=(5, 10))
    recalls, gains = [], []
    for user in np.flatnonzero(split.test.user_degrees):
        seen = set(split.train.matrix[[user]].indices.tolist())
        wanted = set(split.test.matrix[[user]].indices.tolist())
        scores = model.scores([user])[0]
        ranked = sorted((j for j in range(50) if j not in seen), key=lambda j, s=scores: (-s[j], j))[:10]
        recalls.append(len(wanted & set(ranked)) / len(wanted))
        ideal = sum(1 / np.log2(r + 2) for r in range(min(10, len(wanted))))
        gains.append(sum(1 / np.log2(r + 2) for r, j in enumerate(ranked) if j in wanted) / ideal)
    assert found.figure("recall", 10) == pytest.approx(np.mean(recalls))
    assert found.figure("ndcg", 10) == pytest.approx(np.mean(gains))
    assert 0 < found.figure("coverage", 10) <= 1
    assert {row["k"] for row in found.rows()} == {5, 10}
    assert "recall@5" in found.figures()


def test_users_without_training_pairs_count_and_are_said(split):
    user = int(np.flatnonzero(split.test.user_degrees)[0])
    train = split.train.keep(split.train.user_index != user)
    found = evaluate(models.recommender("popularity")().fit(train), split.test, k=(5,))
    assert found.cold_users == 1
    assert len(found.users) == int((split.test.user_degrees > 0).sum())


def test_an_empty_test_part_gives_no_number(split):
    model = models.recommender("popularity")().fit(split.train)
    found = evaluate(model, split.test.keep(np.zeros(len(split.test), bool)), k=(5,))
    assert np.isnan(found.figure("recall", 5))


def test_wrong_requests_are_refused(split):
    model = models.recommender("popularity")().fit(split.train)
    with pytest.raises(UnknownName, match="Did you mean 'recall'"):
        evaluate(model, split.test, names=("recal",))
    with pytest.raises(InvalidInput, match="k is"):
        evaluate(model, split.test, k=())
    with pytest.raises(UnknownName, match="recall@7"):
        evaluate(model, split.test, k=(5,)).figure("recall", 7)
