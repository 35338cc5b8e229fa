"""The default blend: what it adds up, and what it chooses by itself."""

from dataclasses import replace

import numpy as np
import pytest
from awkward_interactions import awkward

from gds_pipelines import models
from gds_pipelines.interactions import Interactions
from gds_pipelines.training import TrainingOptions

OPTIONS = TrainingOptions(accelerator="cpu", threads=1)


def test_auto_adds_the_logit_the_walk_and_popularity_and_lengthens_what_is_fresh():
    data = awkward()
    days = np.arange(len(data)) % 11
    data = replace(data, times=1_700_000_000_000 + days * 86_400_000)
    given = {
        "dimension": 4,
        "epochs": 1,
        "weight": 1.5,
        "popularity": -0.5,
        "freshness": 0.5,
        "half_life": 3.0,
        "floor": 0.01,
        "walk_source": 0.7,
        "walk_user": 0.9,
        "walk_target": 0.2,
    }
    model = models.recommender("auto")(given, seed=1).fit(data, options=OPTIONS)
    x = data.matrix.toarray().astype(np.float64)
    du, di = np.maximum(data.user_degrees, 1.0), np.maximum(data.item_degrees, 1.0)
    walk = x @ np.diag(di**-0.7) @ x.T @ np.diag(du**-0.9) @ x @ np.diag(di**-0.2)
    users = np.arange(1, 40)
    alone = {"dimension": 4, "epochs": 1}
    vectors = models.recommender("fism")(alone, seed=1).fit(data, options=OPTIONS)
    q = vectors.user_vectors(users).astype(np.float64)
    logit = q / np.linalg.norm(q, axis=1, keepdims=True) @ vectors.item_vectors().T / 0.12
    fresh = np.zeros(30)
    for item, day in zip(data.matrix.indices, days, strict=True):
        fresh[item] += 0.5 ** ((10 - day) / 3.0) / di[item]
    expected = logit * ((fresh + 0.001) / 1.001) ** 0.5
    expected += 1.5 * np.log((walk[1:] / walk[1:].max(axis=1, keepdims=True)) + 0.01)
    expected -= 0.5 * np.log(data.item_degrees / data.item_degrees.max() + 0.01)
    assert model.scores(users) == pytest.approx(expected, rel=1e-3, abs=1e-3)
    blend = model.payload().blend
    assert {name: one["weight"] for name, one in blend["sources"].items()} == pytest.approx(
        {"vector": 1 / 0.12, "walk": 1.5, "popularity": -0.5}
    )
    assert (blend["walk"]["alpha"], blend["walk"]["beta"]) == ([1.0, 0.7, 0.9], 0.2)


def test_auto_chooses_what_the_newest_part_of_train_rewards():
    """Five touches of old items, then five of new ones: who comes next wants a new one."""
    from gds_pipelines.models.auto import WEIGHTS, held_out

    rng = np.random.default_rng(3)
    users, half = 120, 60
    columns = np.concatenate(
        [[*rng.permutation(half)[:5], *half + rng.permutation(half)[:5]] for _ in range(users)]
    )
    data = Interactions.from_indices(
        np.repeat(np.arange(users), 10),
        columns,
        1.0,
        np.tile(np.arange(10) * 7 * 86_400_000, users),
        user_keys=np.arange(users),
        item_keys=np.arange(2 * half),
    )
    chosen = models.recommender("auto")({"dimension": 8, "epochs": 2}, seed=1).fit(data, options=OPTIONS)
    blend = chosen.training_report["blend"]
    assert blend["freshness"] > 0
    assert blend["weight"] in WEIGHTS
    assert (chosen.recommend(np.arange(users), 10).items >= half).mean() > 0.9
    held = held_out(data, 1)
    assert len(held.validation) == 240
    assert (np.diff(held.train.matrix.indptr) == 8).all()
    assert len(held_out(replace(data, times=None), 1).validation) > 0


def test_auto_chooses_for_lists_out_of_few_when_told_how_many():
    """The value of each choice, against the ranks to expect that a slow count finds."""
    from gds_pipelines.models.auto import Choice, _Search, held_out

    data = awkward()
    model = models.recommender("auto")({"dimension": 4, "epochs": 1, "among": 10}, seed=1)
    held = held_out(data, 1)
    users = np.flatnonzero((held.validation.user_degrees > 0) & (held.train.user_degrees > 0))
    search = _Search(model, held.train, held.validation, users)
    search.encoders[()] = model._encoder(held.train, OPTIONS, "fism", ())
    choices = [Choice(weight=weight, popularity=popular) for weight in (0.0, 2.0) for popular in (0.0, -0.5)]
    values = search._values(choices)
    for choice, value in zip(choices, values, strict=True):
        model._set(held.train, search.encoders[()], choice)
        scores, expected = model.scores(users), 0.0
        for row, user in enumerate(users):
            seen = set(held.train.matrix[[user]].indices)
            for item in held.validation.matrix[[user]].indices:
                above = sum(scores[row, j] > scores[row, item] for j in range(data.n_items) if j not in seen)
                expected += 1 / np.log2(2 + 9 / (data.n_items - 1) * above)
        assert value == pytest.approx(expected, rel=1e-4)
    assert len(set(np.round(values, 6))) > 1
