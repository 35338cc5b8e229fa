"""What training must keep for every model of the registry: losses, resume, options, numbers, memory."""

import gc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from awkward_interactions import awkward
from test_models import described, planted, small
from typer.testing import CliRunner

from gds_pipelines import losses, models
from gds_pipelines.cli import app
from gds_pipelines.errors import InvalidInput
from gds_pipelines.interactions import Interactions
from gds_pipelines.models import neumf
from gds_pipelines.run import check_options
from gds_pipelines.training import Cancelled, TrainingOptions

NAMES = list(models.registry())
STEPWISE = [name for name in NAMES if models.recommender(name).steps != "none"]
OPTIMIZED = [name for name in NAMES if models.recommender(name).steps == "optimizer"]
OPTIONS = TrainingOptions(accelerator="cpu", threads=1, tensorboard=False)
SIZES = {"batch_users": 8, "batch_pairs": 60, "step_pairs": 60, "negatives": 3}


def tiny(name):
    """Small, with several steps an epoch."""
    known = models.recommender(name).Parameters.__dataclass_fields__
    return small(name) | {key: value for key, value in SIZES.items() if key in known}


def fitted(name, options, **settings):
    return models.recommender(name)(tiny(name) | settings, seed=2).fit(
        described(awkward(), name), options=options
    )


@pytest.fixture(scope="module")
def groups():
    return planted(users=120, items=120, groups=6), planted(users=240, items=240, groups=12)


ENCODERS = dict.fromkeys(("mf-bpr", "lightgcn-full", "xsimgcl"), losses.ALL) | {"neumf": neumf.LOSSES}
QUICK = {"dimension": 16, "epochs": 10, "batch_pairs": 256, "negatives": 2, "learning_rate": 0.05}
SLOW = {"dimension": 16, "epochs": 40, "batch_pairs": 256, "negatives": 8, "learning_rate": 0.02}
NOISY = {"dimension": 16, "epochs": 30, "batch_pairs": 512, "negatives": 8}


@pytest.mark.parametrize(("name", "loss"), [(name, loss) for name in ENCODERS for loss in ENCODERS[name]])
def test_each_loss_trains_each_encoder_it_suits(name, loss, groups):
    """Chance finds .09 of a user's hidden items, which are drawn as negatives too; CCL pushes them most."""
    data, hidden = groups[name == "xsimgcl"]
    given = NOISY if name == "xsimgcl" else SLOW if loss == "ccl" else QUICK
    temperature = "temperature" if name in ("mf-bpr", "neumf") else "loss_temperature"
    given = given | {"loss": loss, temperature: 1.0 if name == "neumf" else 0.2}
    model = models.recommender(name)(given, seed=1).fit(data, options=OPTIONS)
    lists = model.recommend(np.arange(data.n_users), 10).items
    recall = np.mean([len(hidden[user] & set(row.tolist())) / 10 for user, row in enumerate(lists)])
    assert recall >= (0.4 if loss == "ccl" else 0.75)
    if loss in losses.COSINES and name != "neumf":
        assert np.linalg.norm(model.item_vectors(), axis=1) == pytest.approx(np.ones(data.n_items), abs=1e-5)


@pytest.mark.parametrize("name", STEPWISE)
def test_a_run_that_was_stopped_goes_on_to_the_same_model(name, tmp_path):
    whole = fitted(name, OPTIONS)
    calls = iter(range(10_000))
    with pytest.raises(Cancelled):
        fitted(name, replace(OPTIONS, directory=tmp_path, should_stop=lambda: next(calls) >= 3))
    again = fitted(name, replace(OPTIONS, directory=tmp_path))
    for key, value in whole._state().items():
        assert np.array_equal(again._state()[key], value), key


@pytest.mark.parametrize("name", OPTIMIZED)
def test_options_of_the_optimizer_hold_for_every_model_that_has_one(name):
    plain = fitted(name, OPTIONS)
    options = replace(OPTIONS, precision="bf16-mixed", clip_norm=0.5, accumulate=2, ema=0.9)
    model = fitted(name, options)
    assert np.isfinite(model.scores(np.arange(40))).all()
    assert model.training_report["steps"] < plain.training_report["steps"]


@pytest.mark.parametrize("name", NAMES)
def test_numbers_stay_finite_on_isolated_nodes_and_users_of_one_item(name):
    """A gradient that is not finite would stand in the parameters after the first step."""
    model = fitted(name, OPTIONS)
    for key, value in model._state().items():
        assert value.dtype.kind != "f" or np.isfinite(value).all(), key
    assert ("steps" in model.training_report) == (model.steps != "none")


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_are_all_alike_are_learned_from(name):
    data = described(awkward(), name)
    data = replace(data, matrix=data.binary * np.float32(3.0))
    model = models.recommender(name)(tiny(name), seed=2).fit(data, options=OPTIONS)
    found = model.recommend(np.arange(data.n_users), 5)
    assert np.isfinite(found.scores).all()
    assert (found.items >= 0).all()


def test_options_without_a_meaning_are_refused_all_at_once():
    options = TrainingOptions(ema=0.9, clip_norm=1.0, accumulate=2, devices=2)
    with pytest.raises(InvalidInput) as caught:
        check_options("ease", options, stop_early=2)
    assert len(caught.value.faults) == 5
    with pytest.raises(InvalidInput, match="'fism' takes its steps itself"):
        check_options("fism", options)
    check_options("fism", TrainingOptions(ema=0.9), stop_early=2)
    check_options("lightgcn", options, stop_early=2)
    found = CliRunner().invoke(
        app, ["train", "shop", "--model", "itemknn", "--ema", "0.9", "--patience", "1"]
    )
    assert found.exit_code == 1
    assert "--ema has no meaning: 'itemknn' is not trained step by step" in found.stderr
    assert "--patience has no meaning" in found.stderr


def peak() -> int:
    """Most memory this process has held since ``forget_peak``, in bytes."""
    line = next(one for one in Path("/proc/self/status").read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def forget_peak() -> int:
    """Memory held now."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return peak()


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a process"
)
@pytest.mark.parametrize("name", NAMES)
def test_memory_stays_within_the_estimate(name, wide):
    cls = models.recommender(name)
    data = wide.keep(np.arange(len(wide)) % 8 == 0) if cls.info.contract == "padded-blocks/1" else wide
    known = cls.Parameters.__dataclass_fields__
    few = {key: value for key, value in (("epochs", 1), ("iterations", 1), ("sweeps", 2)) if key in known}
    cls(tiny(name)).fit(described(awkward(), name), options=OPTIONS).recommend(
        [2], 3
    )  # compiled and imported
    before = forget_peak()
    cls(few).fit(described(data, name), options=OPTIONS).recommend(np.arange(0, data.n_users, 30), 20)
    assert peak() - before <= cls.estimate(data, few)


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(4)
    return Interactions.from_indices(
        rng.integers(0, 2000, 25_000),
        rng.integers(0, 2000, 25_000),
        user_keys=np.arange(2000),
        item_keys=np.arange(2000),
    )
