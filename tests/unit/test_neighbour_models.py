"""Models that weigh items by items or users by users, each against a dense computation."""

from dataclasses import replace

import numpy as np
import pytest
from awkward_interactions import awkward

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions
from gds_pipelines.node_features import NodeFeatures


def test_itemknn_equals_a_dense_computation():
    data = awkward()
    model = models.recommender("itemknn")({"neighbours": 4, "shrink": 2.0}).fit(data)
    x = data.matrix.toarray().astype(np.float64)
    length = np.sqrt((x**2).sum(axis=0))
    similarity = (x.T @ x) / (np.outer(length, length) + 2.0)
    np.fill_diagonal(similarity, 0)
    for row in similarity:
        row[np.lexsort((np.arange(len(row)), -row.astype(np.float32)))[4:]] = 0
    assert model.scores(np.arange(40)) == pytest.approx(x @ similarity, abs=1e-5)


def test_userknn_equals_a_dense_computation():
    data = awkward()
    model = models.recommender("userknn")({"neighbours": 3, "shrink": 1.0}).fit(data)
    x = data.matrix.toarray().astype(np.float64)
    length = np.sqrt((x**2).sum(axis=1))
    similarity = (x @ x.T) / (np.outer(length, length) + 1.0)
    np.fill_diagonal(similarity, 0)
    for row in similarity:
        row[np.lexsort((np.arange(len(row)), -row.astype(np.float32)))[3:]] = 0
    assert model.scores(np.arange(40)) == pytest.approx(similarity @ x, abs=1e-5)


def test_rp3beta_equals_a_dense_walk():
    data = awkward()
    model = models.recommender("rp3beta")({"alpha": 0.8, "beta": 0.5}).fit(data)
    x = data.matrix.toarray().astype(np.float64)

    def step(weights):
        total = weights.sum(axis=1, keepdims=True)
        return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0) ** 0.8

    walk = step(x) @ step(x.T) @ step(x) * np.maximum(data.item_degrees, 1) ** -0.5
    assert model.scores(np.arange(40)) == pytest.approx(walk, abs=1e-5)


@pytest.mark.parametrize("dense_items", [100, 0])
def test_ease_solves_each_item_s_ridge_regression(dense_items):
    data = awkward()
    given = {"regularization": 2.0, "dense_items": dense_items, "local": 29, "neighbours": 30}
    model = models.recommender("ease")(given).fit(data)
    x = data.matrix.toarray().astype(np.float64)
    expected = np.zeros((30, 30))
    shared = x.T @ x
    for j in range(30):
        # The local form asks only items that share a user with j.
        others = [i for i in range(30) if i != j and (dense_items or shared[i, j])]
        left = x[:, others].T @ x[:, others] + 2.0 * np.eye(len(others))
        expected[others, j] = np.linalg.solve(left, x[:, others].T @ x[:, j])
    found = model._weights.toarray()
    assert found == pytest.approx(expected, abs=1e-5)
    few = models.recommender("ease")(given | {"neighbours": 4}).fit(data)._weights
    assert np.diff(few.indptr).max() == 4
    assert np.abs(few.toarray()).max(axis=1) == pytest.approx(np.abs(found).max(axis=1))


def test_content_equals_cosines_worked_by_hand():
    """Three items: texts a, a, b; prices at ranks 0, 1, 2 of a quarter circle; the third has no list."""
    features = NodeFeatures.of_values(
        {
            "kind": ["a", "a", "b", None],
            "price": [1.0, 5.0, 5000.0, None],
            "tags": [["x"], ["x", "y"], None, None],
            "new": [True, False, None, None],
        }
    )
    data = Interactions.from_indices(
        [0, 1, 1, 2], [0, 1, 2, 3], [1.0, 1.0, 0.5, 1.0], user_keys=[1, 2, 3], item_keys=[1, 2, 3, 4]
    )
    model = models.recommender("content")().fit(replace(data, item_features=features))
    # Entries weigh log(1 + 4 / n): x of two items, y of one.
    x, y = np.log(3.0), np.log(5.0)
    shared = x / np.hypot(x, y)
    # Blocks have length 1: items 0 and 1 have four of them, item 2 two, item 3 none.
    half = np.sqrt(0.5)
    cosine = np.array(
        [
            [1, (1 + half + shared + 0) / 4, (0 + 0) / np.sqrt(8), 0],
            [(1 + half + shared) / 4, 1, (0 + half) / np.sqrt(8), 0],
            [0, half / np.sqrt(8), 1, 0],
        ]
    )
    assert model.scores([0])[0] == pytest.approx(cosine[0], abs=1e-6)
    assert model.scores([1])[0] == pytest.approx(cosine[1] + 0.5 * cosine[2], abs=1e-6)
    # A user of an item without properties is like one without a history.
    assert model.recommend([2], 3).items[0].tolist() == [0, 1, 2]
    # Fewer columns keep the cosines as nearly as they can.
    narrow = models.recommender("content")({"dimension": 3}).fit(replace(data, item_features=features))
    assert narrow.item_vectors().shape == (4, 3)
    assert np.linalg.norm(narrow.item_vectors(), axis=1) == pytest.approx([1, 1, 1, 0], abs=1e-6)
    with pytest.raises(InvalidInput, match="the task names none"):
        models.recommender("content")().fit(data)
