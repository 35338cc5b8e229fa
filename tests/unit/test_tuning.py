"""The search for settings: bounded, resumable, blind to the test part; its file is what train takes."""

import tomllib

import numpy as np
import pytest

from gds_pipelines import models, protocols, tuning
from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions
from gds_pipelines.training import TrainingOptions
from gds_pipelines.training_run import hyper_parameters

OPTIONS = TrainingOptions(accelerator="cpu", threads=1)


@pytest.fixture(scope="module")
def parts():
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(80), 10)
    items = (users % 4) * 15 + rng.integers(0, 15, len(users))
    whole = Interactions.from_indices(users, items, user_keys=np.arange(80), item_keys=np.arange(60))
    return protocols.get("recbole-8-1-1").cut(whole, seed=1)


def search(parts, model="rp3beta", **more):
    return tuning.search(model, protocols.get("recbole-8-1-1"), parts, options=OPTIONS, **more)


def test_the_best_trial_wins_and_the_defaults_are_tried_first(parts):
    heard = []
    found = search(parts, trials=6, on_trial=lambda trial, best: heard.append(best))
    assert found.trials[0].parameters == {"alpha": 0.7, "beta": 0.3}
    assert found.value == max(one.value for one in found.trials if one.state == "complete") == heard[-1]
    assert found.parameters == next(one.parameters for one in found.trials if one.value == found.value)
    protocol = protocols.get("recbole-8-1-1")
    inner = protocol.inner(parts)
    again = models.recommender("rp3beta")(found.parameters).fit(inner.fit)
    assert tuning.value_of(protocol, again, inner) == found.value


def test_what_is_fixed_is_not_searched_and_the_file_is_read_by_train(parts, tmp_path):
    found = search(parts, trials=3, fixed={"alpha": 0.5})
    assert len(found.trials) == 3
    assert all(set(one.parameters) == {"beta"} for one in found.trials)
    file = tmp_path / "tuned.toml"
    file.write_text(found.to_toml())
    assert tomllib.loads(file.read_text()) == found.parameters
    assert hyper_parameters("rp3beta", [], file).to_mapping() == found.parameters


def test_a_setting_without_meaning_beside_the_others_is_not_searched():
    assert set(tuning.spaces("mf-ratings")) == {"dimension"}
    assert set(tuning.spaces("mf-ratings", {"samples": "0"})) == {"dimension", "regularization"}
    # Of the first tries, which differ in the dimension, one is left where that is fixed.
    rng = np.random.default_rng(0)
    keys = {"user_keys": np.arange(40), "item_keys": np.arange(50)}
    users, items, ratings = np.repeat(np.arange(40), 15), rng.integers(0, 50, 600), rng.integers(1, 6, 600)
    whole = Interactions.from_indices(users, items, ratings.astype(np.float32), **keys)
    protocol = protocols.get("ratings")
    fixed = {"samples": 0, "sweeps": 2, "dimension": 2}
    found = tuning.search("mf-ratings", protocol, protocol.cut(whole, seed=1), fixed=fixed, trials=2)
    assert found.trials[0].parameters == {"regularization": 6.0}
    assert found.trials[1].parameters["regularization"] != 6.0
    # Every such condition names parameters that there are.
    for cls in models.registry().values():
        for own, (other, _) in cls.idle.items():
            assert {own, other} <= set(cls.Parameters.__dataclass_fields__)


def test_a_search_that_was_stopped_goes_on_where_it_was(parts, tmp_path):
    storage = tmp_path / "search" / "tuning.log"

    class Killed(Exception):
        pass

    def kill(trial, best):
        if trial.number == 2:
            raise Killed

    with pytest.raises(Killed):
        search(parts, trials=5, storage=storage, on_trial=kill)
    numbers = []
    found = search(
        parts, trials=5, storage=storage, on_trial=lambda trial, best: numbers.append(trial.number)
    )
    assert numbers == [3, 4]
    assert [one.number for one in found.trials] == list(range(5))
    # Another model in the same file starts from its own beginning.
    assert len(search(parts, "itemknn", trials=1, storage=storage).trials) == 1


def test_trials_that_fall_behind_are_given_up(parts, monkeypatch):
    """Validation figures are made up: the fifth and later trials are behind from their second epoch on."""
    from gds_pipelines.models import fism

    calls = iter(range(10_000))

    def figures(self):
        trial = next(calls) // 3
        return {"validation_ndcg@20": 1.0 if trial < 4 else 0.1}

    monkeypatch.setattr(fism._Learner, "evaluate", figures)
    found = search(parts, "fism", trials=6, fixed={"dimension": 4, "epochs": 3})
    assert [one.state for one in found.trials] == ["complete"] * 4 + ["pruned"] * 2
    # Settings that were only waiting for their turn are no trials.
    assert len(search(parts, "fism", trials=2, fixed={"dimension": 4, "epochs": 1}).trials) == 2


def test_time_ends_a_search_and_bad_requests_are_refused_at_once(parts):
    assert 1 <= len(search(parts, trials=None, seconds=0.2).trials) < 200
    with pytest.raises(InvalidInput, match="has no end"):
        search(parts, trials=None)
    with pytest.raises(InvalidInput, match="Did you mean 'alpha'"):
        search(parts, fixed={"alhpa": 1})
    assert search(parts, "popularity").parameters == {}


def test_a_trial_that_still_trains_when_time_is_over_is_given_up_unless_nothing_else_has_a_value(
    parts, monkeypatch
):
    """The clock is made up: time is over with the second epoch that anything trains."""
    from gds_pipelines.models import fism

    epochs = iter(range(10_000))
    passed = 0

    def figures(self):
        nonlocal passed
        passed = next(epochs)
        return {"validation_ndcg@20": 1.0}

    monkeypatch.setattr(fism._Learner, "evaluate", figures)
    monkeypatch.setattr(tuning, "monotonic", lambda: float(passed))
    found = search(parts, "fism", trials=3, seconds=0.5, fixed={"dimension": 4, "epochs": 3})
    assert [one.state for one in found.trials] == ["complete", "pruned", "pruned"]
    assert passed == 4  # each given up after its first epoch, not its third
    assert found.value == found.trials[0].value


def test_the_best_epoch_of_a_trial_that_stopped_early_is_part_of_what_won(parts, monkeypatch):
    from gds_pipelines.models import mf

    figures = iter([0.1, 0.2, 0.9, *[0.3] * 5])
    monkeypatch.setattr(mf._Learner, "evaluate", lambda self: {"validation_ndcg@20": next(figures)})
    found = search(parts, "mf-bpr", trials=1, fixed={"dimension": 4})
    assert found.parameters["epochs"] == 3
    assert "epochs = 3" in found.to_toml()
    figures = iter([0.1, 0.2, 0.9, 0.3])
    found = search(parts, "mf-bpr", trials=1, fixed={"dimension": 4, "epochs": 4})
    assert found.parameters["epochs"] == 4
