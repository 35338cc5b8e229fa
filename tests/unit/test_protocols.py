import numpy as np
import pytest

from gds_pipelines import models, protocols, slices
from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.evaluation import evaluate
from gds_pipelines.interactions import Interactions
from gds_pipelines.pair_evaluation import auc, evaluate_clicks, evaluate_listed


def made(users=60, items=40, pairs=900, seed=0):
    rng = np.random.default_rng(seed)
    return Interactions.from_indices(
        rng.integers(0, users, pairs),
        rng.integers(0, items, pairs),
        rng.choice([1.0, 2.0, 5.0], pairs),
        rng.integers(0, 10**6, pairs),
        user_keys=np.arange(users),
        item_keys=np.arange(items),
    )


@pytest.mark.parametrize("name", protocols.names())
def test_every_protocol_cuts_disjoint_parts_and_chooses_without_the_test_part(name):
    protocol, whole = protocols.get(name), made()
    given = {}
    if protocol.split["method"] == "own":
        test = whole.keep(np.arange(len(whole)) % 5 == 0)
        whole = whole.keep(np.arange(len(whole)) % 5 > 0)
        given = {"test": test}
    if protocol.split["method"] == "listed":
        first = whole.matrix.indptr[:-1]
        items = whole.matrix.indices[first].astype(np.int64)
        given = {"listed": protocols.Listed(np.arange(60), items, np.full((60, 3), -1))}
    parts = protocol.cut(whole, seed=3, **given)
    seen = [set(part.pairs().tolist()) for part in (parts.train, parts.validation, parts.test)]
    assert len(parts.test) > 0
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert not set(parts.fit.pairs().tolist()) & seen[2]
    inner = protocol.inner(parts, seed=3)
    tried = set(inner.fit.pairs().tolist()) | set(inner.test.pairs().tolist())
    assert not tried & seen[2]
    assert not set(inner.fit.pairs().tolist()) & set(inner.test.pairs().tolist())
    assert len(inner.test) > 0
    if protocol.candidates["kind"] == "drawn":
        pairs = parts.listed.users[:, None] * whole.n_items + parts.listed.negatives
        assert not set(pairs[parts.listed.negatives >= 0].tolist()) & set.union(*seen)
        for row in parts.listed.negatives:
            assert len(set(row[row >= 0].tolist())) == (row >= 0).sum() > 10


def test_a_protocol_of_ones_own_is_read_and_all_its_faults_are_named(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("""
title = "Mine"
source = "own"
split = { method = "random", test = 0.3 }
candidates = { kind = "all" }
metrics = ["ndcg"]
k = [5]
""")
    assert protocols.get(str(file)).cut(made()).description == "random 0.3 of each user, seed 0"
    file.write_text('title = "Mine"\nsplitt = 1\ncandidates = { kind = "drwn" }\nmetrics = ["ncdg"]')
    with pytest.raises(InvalidInput) as caught:
        protocols.get(str(file))
    text = str(caught.value)
    for part in (
        "Did you mean 'split'",
        "`source` is missing",
        "Did you mean 'drawn'",
        "Did you mean 'ndcg'",
    ):
        assert part in text
    with pytest.raises(UnknownName, match="Did you mean 'sasrec'"):
        protocols.get("sasrek")


def test_listed_candidates_are_ranked_as_a_loop_ranks_them():
    data = made()
    model = models.recommender("popularity")().fit(data)
    rng = np.random.default_rng(1)
    users, items = rng.integers(0, 60, 30), rng.integers(0, 40, 30)
    negatives = rng.integers(-1, 40, (30, 9))
    found = evaluate_listed(model, users, items, negatives, k=(3,), names=("hit_rate", "ndcg"))
    degrees = data.item_degrees
    for row in range(30):
        rivals = [i for i in negatives[row] if i >= 0 and i != items[row]]
        better = sum((-degrees[i], i) < (-degrees[items[row]], items[row]) for i in rivals)
        hit = better < 3
        assert found.values["hit_rate", 3][row] == hit
        assert found.values["ndcg", 3][row] == pytest.approx(hit / np.log2(better + 2))


# Scores 3, 2, 2, 1 of true, true, false, false: of the four pairs three are right and one is a tie.
def test_area_under_the_curve_matches_a_value_worked_by_hand():
    assert auc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([1, 1, 0, 0])) == pytest.approx(3.5 / 4)
    assert np.isnan(auc(np.array([1.0]), np.array([1])))


def test_clicks_are_set_against_pairs_that_nobody_made():
    whole = made()
    parts = protocols.get("ctr").cut(whole, seed=1)
    model = models.recommender("popularity")().fit(parts.fit)
    found = evaluate_clicks(model, parts.test, known=whole)
    assert found.truth.mean() == 0.5
    drawn = found.users[found.truth == 0] * whole.n_items + found.items[found.truth == 0]
    assert not np.isin(drawn, whole.pairs()).any()
    low, high = found.intervals["auc"]
    assert low < found.means["auc"] < high


def test_slices_and_diversity_equal_a_count_by_hand():
    train = Interactions.from_indices(
        [0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 0], user_keys=np.arange(4), item_keys=np.arange(5)
    )
    test = Interactions.from_indices([1, 2, 3], [2, 3, 4], user_keys=np.arange(4), item_keys=np.arange(5))
    model = models.recommender("popularity")().fit(train)
    found = evaluate(model, test, k=(2,), names=("recall",))
    # Lists: user 1 gets items 2, 3; user 2 gets 1, 2; user 3 (cold) gets 0, 1.
    assert slices.by_users(found, train, found.values["recall", 2]) == {
        "cold": {"value": 0.0, "users": 1},
        "fewest": {"value": 0.0, "users": 1},
        "most": {"value": 1.0, "users": 1},
    }
    # Where all have equally many there is no quarter with fewest or most.
    alike = Interactions.from_indices(
        [0, 0, 1, 1, 2, 2], [0, 1, 0, 3, 1, 2], user_keys=np.arange(4), item_keys=np.arange(5)
    )
    assert set(slices.by_users(found, alike, found.values["recall", 2])) == {"cold"}
    # Item 2 is the tail (it begins where 5 of 6 pairs are passed); items 3 and 4 nobody knew.
    assert slices.by_items(found, train, test, 2) == {
        "tail": {"value": 1.0, "pairs": 1},
        "cold": {"value": 0.0, "pairs": 2},
    }
    # Cosines: (2, 3) 0; (1, 2) 1/sqrt(2); (0, 1) 2/sqrt(6).
    assert slices.diversity(found.items, train) == pytest.approx(
        1 - (0 + 0.5**0.5 + 2 / 6**0.5) / 3, abs=1e-6
    )
