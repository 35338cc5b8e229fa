"""Models of ratings: errors on a planted model, and each estimate against its equations."""

import numpy as np
import pytest

from gds_pipelines import models
from gds_pipelines.interactions import Interactions
from gds_pipelines.training import TrainingOptions

OPTIONS = TrainingOptions(accelerator="cpu", threads=1)


def rated(seed=0, users=120, items=80, rank=3, pairs=3500):
    """Ratings of a planted model with biases, noise .3, cut into train and test."""
    rng = np.random.default_rng(seed)
    p, q = rng.normal(0, 0.7, (users, rank)), rng.normal(0, 0.7, (items, rank))
    full = 3 + p @ q.T + rng.normal(0, 0.4, (users, 1)) + rng.normal(0, 0.4, (1, items))
    full = np.clip(full + rng.normal(0, 0.3, full.shape), 0.5, 5.5)
    chosen = rng.permutation(users * items)[:pairs]
    rows, columns = chosen // items, chosen % items
    keys = {"user_keys": np.arange(users), "item_keys": np.arange(items)}
    whole = Interactions.from_indices(rows, columns, full[rows, columns], **keys)
    held = np.zeros(len(whole), bool)
    held[::7] = True
    return whole.keep(~held), whole.keep(held)


def rmse(model, test):
    found = model.ratings(test.user_index, test.matrix.indices)
    return float(np.sqrt(((found - test.matrix.data) ** 2).mean()))


def test_sampled_ratings_come_near_the_noise_of_a_planted_model():
    train, test = rated()
    errors = {}
    for label, name, given in (
        ("means", "mean-ratings", {}),
        ("point", "mf-ratings", {"dimension": 6, "samples": 0, "sweeps": 15, "regularization": 1.0}),
        ("sampled", "mf-ratings", {"dimension": 6, "samples": 20, "sweeps": 60}),
        ("plain", "mf-ratings", {"dimension": 6, "samples": 20, "sweeps": 60, "side": False}),
    ):
        errors[label] = rmse(models.recommender(name)(given, seed=1).fit(train, options=OPTIONS), test)
    assert errors["sampled"] < errors["point"] < errors["means"]
    assert errors["plain"] < errors["point"]
    assert errors["sampled"] < 0.42


def test_the_point_estimate_solves_each_user_s_ridge_regression():
    train, _ = rated(pairs=1500)
    given = {"dimension": 4, "samples": 0, "sweeps": 3, "regularization": 2.5}
    model = models.recommender("mf-ratings")(given, seed=1).fit(train, options=OPTIONS)
    items, mean = model.item_vectors().astype(np.float64), train.matrix.data.mean(dtype=np.float64)
    for user in (0, 7, 31):
        row = train.matrix[[user]]
        x = np.column_stack([items[row.indices, :4], np.ones(row.nnz)])
        target = row.data - mean - items[row.indices, 5]
        expected = np.linalg.solve(x.T @ x + 2.5 * np.eye(5), x.T @ target)
        assert model.user_vectors()[user, :5] == pytest.approx(expected, abs=1e-4)


def test_mean_ratings_are_the_shrunk_means_of_a_small_table():
    data = Interactions.from_indices(
        [0, 0, 1], [0, 1, 0], [5.0, 3.0, 1.0], user_keys=[1, 2], item_keys=[1, 2]
    )
    model = models.recommender("mean-ratings")({"user_shrink": 1.0, "item_shrink": 1.0}).fit(data)
    # The fixed point of b_i = sum(r - 3 - b_u) / (n_i + 1), and of b_u alike, written out pair by pair.
    user, item = np.array([0.0, 0.0]), np.array([0.0, 0.0])
    for _ in range(200):
        item = np.array([(5 - 3 - user[0] + 1 - 3 - user[1]) / 3, (3 - 3 - user[0]) / 2])
        user = np.array([(5 - 3 - item[0] + 3 - 3 - item[1]) / 3, (1 - 3 - item[0]) / 2])
    found = model.ratings([0, 0, 1], [0, 1, 0])
    assert found == pytest.approx(
        3 + np.array([user[0] + item[0], user[0] + item[1], user[1] + item[0]]), abs=1e-4
    )
