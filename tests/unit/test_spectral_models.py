"""Spectral filters against the dense spectrum of the graph."""

import numpy as np
import pytest
from awkward_interactions import awkward, dense_graph

from gds_pipelines import models


def test_gfcf_equals_dense_filters():
    data = awkward()
    model = models.recommender("gfcf")({"factors": 5, "alpha": 0.4}, seed=1).fit(data)
    x, r = dense_graph(data)
    v = np.linalg.svd(r)[2][:5].T
    root = np.sqrt(np.maximum(data.item_degrees, 1))
    expected = x @ (r.T @ r) + 0.4 * (x / root) @ v @ v.T * root
    assert model.scores(np.arange(40)) == pytest.approx(expected, abs=1e-3)


def test_chebycf_equals_its_filter_on_the_dense_spectrum():
    from gds_pipelines.models.chebycf import coefficients

    data = awkward()
    given = {"order": 6, "flatness": 1.5, "factors": 4, "alpha": 0.2, "beta": 0.4}
    model = models.recommender("chebycf")(given, seed=1).fit(data)
    x, r = dense_graph(data)
    values, basis = np.linalg.eigh(np.eye(30) - 2 * r.T @ r)
    answer = np.polynomial.chebyshev.chebval(values, coefficients(6, 1.5))
    v = np.linalg.svd(r)[2][:4].T
    degree = np.maximum(data.item_degrees, 1) ** 0.4 * (data.item_degrees > 0)
    signal = np.divide(x, degree, out=np.zeros_like(x), where=degree > 0)
    expected = signal @ (basis * answer @ basis.T + 0.2 * v @ v.T) * degree
    assert model.scores(np.arange(40)) == pytest.approx(expected, abs=1e-3)


# Order 1: the plateau is 1 at -1 and 0 at 1; taken as values at the nodes -+1/sqrt 2 the line is 1/2 - t /
# sqrt 2.
def test_plateau_coefficients_match_values_worked_by_hand():
    from gds_pipelines.models.chebycf import coefficients

    assert coefficients(1, 2.0) == pytest.approx([0.5, -(0.5**0.5)], abs=1e-6)


@pytest.mark.parametrize("early", [True, False])
def test_bspm_equals_an_integration_in_small_steps(early):
    data = awkward()
    given = {"factors": 5, "beta": 0.4, "sharpen": 0.9, "early": early}
    model = models.recommender("bspm")(given, seed=1).fit(data)
    x, r = dense_graph(data)
    p, root = r.T @ r, np.sqrt(np.maximum(data.item_degrees, 1))
    v = np.linalg.svd(r)[2][:5].T
    low = 0.4 * (x / root) @ v @ v.T * root
    state = x @ p + (low if early else 0)
    for _ in range(20_000):
        state = state - 0.9 / 20_000 * state @ p
    # One Runge-Kutta step of .9 is off by about .9^5 / 120 of the signal.
    assert model.scores(np.arange(40)) == pytest.approx(state + (0 if early else low), abs=0.03)
