"""The noise that a benchmark adds."""

import numpy as np
import pytest

from benchmarks.noise.interactions import noise, with_noise
from gds_pipelines import protocols
from gds_pipelines.interactions import Interactions


@pytest.mark.parametrize("timed", [True, False])
def test_noise_brings_new_pairs_of_known_users_and_no_answer(timed):
    rng = np.random.default_rng(2)
    rows, columns = rng.integers(1, 40, 600), rng.integers(0, 25, 600)
    whole = Interactions.from_indices(
        rows,
        columns,
        1.0,
        np.arange(600) if timed else None,
        user_keys=np.arange(40),
        item_keys=np.arange(25),
    )
    parts = protocols.get("recbole-8-1-1").cut(whole, seed=1)
    noisy = with_noise(parts, 7)
    added = np.setdiff1d(noisy.fit.pairs(), parts.fit.pairs())
    assert len(added) == len(noisy.fit) - len(parts.fit) == len(parts.fit) // 10
    assert not np.isin(added, whole.pairs()).any()  # whole holds the held-out parts, too
    assert (added // 25 > 0).all()  # user 0 has no pair
    assert noisy.test.pairs().tolist() == parts.test.pairs().tolist()
    assert len(noisy.fit) == len(noisy.train)  # so validation items are left out of lists as before
    assert (noisy.fit.times is not None) == timed
    assert noise(parts.fit, whole, 20, 3).pairs().tolist() == noise(parts.fit, whole, 20, 3).pairs().tolist()
    assert noise(parts.fit, whole, 20, 3).pairs().tolist() != noise(parts.fit, whole, 20, 4).pairs().tolist()
