"""When a new version may take the place of the one that serves; the database's half of it is played here."""

import numpy as np
import pytest

from gds_pipelines import models
from gds_pipelines.interactions import Interactions
from gds_pipelines.registry import ModelVersion, Registry
from gds_pipelines.task import Task
from gds_pipelines.worker import verdict

TASK = Task.from_mapping(
    {
        "recommend": "Item",
        "to": "User",
        "key": {"User": "id", "Item": "id"},
        "via": {"BUY": 1.0},
        "timeProperty": "at",
        "horizon": "P1D",
    }
)
SERVING = ModelVersion("shop", 3, "ready", "vectors/1", "abc", ("shop",))
CUTOFF = 1_000


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """300 users of two tastes; the last 2 of each one's 10 pairs are after the cut-off, at 1,000 or 2,000."""
    rng = np.random.default_rng(8)
    users = np.repeat(np.arange(300), 10)
    items = np.concatenate([(user % 2) * 20 + rng.permutation(20)[:10] for user in range(300)])
    times = np.tile(np.r_[np.arange(100, 900, 100), CUTOFF, 2 * CUTOFF], 300)
    return Interactions.from_events(users, items, 1.0, times, item_keys=np.arange(40))


@pytest.fixture(scope="module")
def measured(interactions):
    return models.recommender("itemknn")().fit(interactions.keep(interactions.times < CUTOFF))


@pytest.fixture
def judge(monkeypatch, interactions, measured):
    """Judge ``measured`` against a version trained up to ``trained`` whose users score ``theirs``."""

    def judged(serving=SERVING, cutoff=CUTOFF, trained=500, whole=interactions, theirs=lambda mine: mine):
        asked = []

        def served(connection, version, graph, moment, key):
            asked.append((version.reference, graph, moment, key))
            late = whole.times >= moment
            mine, keys = verdict.per_user(measured, whole.keep(~late), whole.keep(late))
            return dict(zip(keys, theirs(mine), strict=True))

        monkeypatch.setattr(Registry, "manifest", lambda *_: {"training": {"cutoff": trained}})
        monkeypatch.setattr(verdict, "served_values", served)
        return verdict.judge(None, TASK, serving, measured, cutoff, whole, "graph"), asked

    return judged


def test_the_first_version_is_deployed_and_expects_that_nothing_serves(judge):
    found, _ = judge(serving=None)
    assert (found.deploy, found.expected, found.against) == (True, 0, None)


def test_better_on_the_same_users_after_the_later_cut_off_is_deployed(judge):
    found, asked = judge(theirs=lambda mine: mine - 0.1)
    assert found.deploy
    assert (found.against, found.expected) == ("shop:3", 3)
    assert asked == [("shop:3", "graph", CUTOFF, "id")]
    assert found.difference.mean == pytest.approx(0.1)
    assert found.difference.users == 300
    assert found.to_mapping()["comparison"]["low"] > 0


def test_an_interval_that_holds_zero_is_not_better(judge):
    rng = np.random.default_rng(1)
    found, _ = judge(theirs=lambda mine: mine + rng.choice([-0.2, 0.2], len(mine)))
    assert not found.deploy
    assert found.difference.low < 0 < found.difference.high
    assert "not surely better" in found.reason


def test_what_the_serving_version_was_trained_on_is_no_test(judge):
    found, asked = judge(trained=CUTOFF + 500, theirs=lambda mine: mine - 0.1)
    assert asked[0][2] == CUTOFF + 500
    assert found.difference.users == 300


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"cutoff": None}, "can only be judged with a split by time"),
        ({"trained": None}, "does not say up to when it was trained"),
        ({"serving": ModelVersion("shop", 3, "ready", "padded-blocks/1", "abc")}, "follows padded-blocks/1"),
        ({"trained": 2 * CUTOFF + 1}, "only 0 users have events"),
    ],
)
def test_what_cannot_be_judged_is_not_deployed_and_says_why(judge, given, sentence):
    found, asked = judge(**given)
    assert not found.deploy
    assert sentence in found.reason
    assert asked == []
    assert found.against == "shop:3"


def test_199_users_are_too_few_and_200_enough(judge, interactions):
    for users, enough in ((199, False), (200, True)):
        kept = interactions.keep((interactions.times < CUTOFF) | (interactions.user_index < users))
        found, _ = judge(whole=kept, theirs=lambda mine: mine - 0.1)
        assert found.deploy == enough, found.reason


def test_a_model_is_asked_with_what_is_known_of_a_user_until_that_moment(interactions, measured):
    """What happened between its own cut-off and the moment is history: seen, and not recommended again."""
    later = interactions.keep(interactions.times < 2 * CUTOFF)
    asked = measured.knowing(later)
    lists = asked.recommend(np.arange(300), 20).items
    for user in range(300):
        own = later.matrix.indices[later.user_index == user]
        assert not set(own) & set(lists[user].tolist())
    assert len(measured.train) < len(asked.train)
