"""Training that begins with the vectors of an earlier version."""

import numpy as np
import pytest

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.warm_start import StartVectors
from gds_pipelines.training import TrainingOptions

QUIET = TrainingOptions(tensorboard=False)
SETTINGS = {"dimension": 4, "epochs": 1, "learning_rate": 1e-12}
"""A step this small leaves vectors where they began."""


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    rng = np.random.default_rng(2)
    return Interactions.from_events(rng.integers(0, 20, 150), rng.integers(0, 10, 150) + 100)


def test_vectors_of_known_keys_are_taken_and_new_ones_begin_fresh(interactions):
    fresh = models.recommender("mf-bpr")(SETTINGS, seed=1).fit(interactions, options=QUIET)
    items = np.full((2, 4), 9.0, np.float32)
    users = np.full((1, 4), -9.0, np.float32)
    # Keys of the file are text where one of the labels has text.
    start = StartVectors("mf-bpr", np.array(["103", "777"]), items, np.array(["5"]), users)
    begun = models.recommender("mf-bpr")(SETTINGS, seed=1).begin_with(start).fit(interactions, options=QUIET)
    item, user = int(interactions.items([103])[0]), int(interactions.users([5])[0])
    assert begun.item_vectors()[item] == pytest.approx(9.0)
    assert begun.user_vectors()[user] == pytest.approx(-9.0)
    others = np.arange(interactions.n_items) != item
    assert begun.item_vectors()[others] == pytest.approx(fresh.item_vectors()[others], abs=1e-6)


def test_lightgcn_begins_with_the_directions_of_base_vectors(interactions):
    first = models.recommender("lightgcn")(SETTINGS | {"learning_rate": 0.1}, seed=1)
    first.fit(interactions, options=QUIET)
    base = first.base_vectors()
    none = np.zeros((0, 4), np.float32)
    start = StartVectors("lightgcn", interactions.item_keys, base, np.zeros(0, np.int64), none)
    second = models.recommender("lightgcn")(SETTINGS, seed=1).begin_with(start)
    second.fit(interactions, options=QUIET)
    assert second.base_vectors() == pytest.approx(base, abs=1e-5)
    cold = models.recommender("lightgcn")(SETTINGS, seed=1).fit(interactions, options=QUIET)
    assert np.abs(cold.base_vectors() - base).max() > 1e-3


def test_fism_begins_where_its_version_ended_and_new_items_turn_with_the_others(interactions):
    cold = models.recommender("fism")(SETTINGS, seed=1).fit(interactions, options=QUIET)
    # As if training had turned everything, which no score shows; the last two items are new since then.
    turn, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(4, 4)))
    e, c = (vectors @ turn.astype(np.float32) for vectors in (cold.item_vectors(), cold.context_vectors()))
    none = np.zeros((0, 4), np.float32)
    start = StartVectors(
        "fism", interactions.item_keys[:-2], e[:-2], np.zeros(0, np.int64), none, contexts=c[:-2]
    )
    begun = models.recommender("fism")(SETTINGS, seed=1).begin_with(start).fit(interactions, options=QUIET)
    assert begun.item_vectors() == pytest.approx(e, abs=1e-5)
    assert begun.context_vectors() == pytest.approx(c, abs=1e-5)
    assert np.abs(cold.item_vectors() - e).max() > 1e-2


def test_vectors_of_another_model_or_size_are_refused():
    none = np.zeros((0, 8), np.float32)
    start = StartVectors("mf-bpr", np.zeros(0, np.int64), none, np.zeros(0, np.int64), none)
    with pytest.raises(InvalidInput, match="8 dimensions, the model is 'mf-bpr' with 4"):
        models.recommender("mf-bpr")(SETTINGS).begin_with(start)
    with pytest.raises(InvalidInput, match="'itemknn' is not trained step by step"):
        models.recommender("itemknn")().begin_with(start)
