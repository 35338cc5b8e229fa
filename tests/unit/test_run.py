"""A training run: what it measures, keeps and refuses, without a database."""

import json

import numpy as np
import pytest

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.evaluation import evaluate
from gds_pipelines.interactions import Interactions
from gds_pipelines.models import recommender
from gds_pipelines.run import Run, SplitRequest, execute
from gds_pipelines.splits import Leak, Split
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions
from gds_pipelines.tuning import Bounds

QUIET = TrainingOptions(tensorboard=False)


@pytest.fixture(scope="module")
def task() -> Task:
    return Task.from_mapping(
        {
            "recommend": "Item",
            "to": "User",
            "key": {"User": "id", "Item": "id"},
            "via": {"BUY": 1.0},
            "timeProperty": "at",
            "horizon": "P1D",
        }
    )


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    """80 users of two tastes, 40 items; the last day of ten is the test part."""
    rng = np.random.default_rng(3)
    users = np.repeat(np.arange(80), 12)
    items = (users % 2) * 20 + rng.integers(0, 20, len(users))
    times = rng.integers(0, 10 * 86_400_000, len(users))
    return Interactions.from_events(users, items, 1.0, times, item_keys=np.arange(40))


def test_measures_the_model_and_the_baselines_on_one_split_and_refits_on_everything(
    task, interactions, tmp_path
):
    run = execute(interactions, task, "itemknn", tmp_path, baselines=("popularity",), options=QUIET)
    assert [row.name for row in run.table] == ["itemknn", "popularity"]
    assert run.table[0].figures["recall@20"] > run.table[1].figures["recall@20"]
    assert run.refitted
    assert run.sizes["train"] + run.sizes["test"] == len(interactions)
    assert len(run.recommender().train) == len(interactions)
    assert run.cutoff is not None
    assert run.sizes["train"] == int((interactions.times < run.cutoff).sum())


def test_the_figures_are_those_of_the_evaluation_called_by_hand(task, interactions, tmp_path):
    split = SplitRequest("leave-last", 2)
    run = execute(
        interactions, task, "popularity", tmp_path, split=split, baselines=(), refit=False, options=QUIET
    )
    parts = split.apply(interactions, task, 0)
    model = recommender("popularity")().fit(parts.train)
    by_hand = evaluate(model, parts.test).figures()
    assert run.figures() == pytest.approx(by_hand)
    assert {(row["metric"], row["k"]) for row in run.manifest_metrics()} == {
        (name.split("@")[0], int(name.split("@")[1])) for name in by_hand
    }


def test_a_model_of_ratings_is_measured_by_its_errors_beside_mean_ratings(task, tmp_path):
    rng = np.random.default_rng(5)
    users, items = np.divmod(rng.permutation(80 * 40)[:1500], 40)
    stars = np.clip(3 + (users % 3) - (items % 4) * 0.5 + rng.normal(0, 0.2, 1500), 0.5, 5)
    rated = Interactions.from_indices(users, items, stars, user_keys=np.arange(80), item_keys=np.arange(40))
    given = {"dimension": 4, "sweeps": 12, "samples": 4}
    split = SplitRequest("random", share=0.1)
    run = execute(rated, task, "mf-ratings", tmp_path, parameters=given, split=split, seed=3, options=QUIET)
    assert [row.name for row in run.table] == ["mf-ratings", "mean-ratings"]
    parts = split.apply(rated, task, 3)
    gap = (
        recommender("mean-ratings")(seed=3)
        .fit(parts.train)
        .ratings(parts.test.user_index, parts.test.matrix.indices)
        - parts.test.matrix.data
    )
    assert run.table[1].figures == pytest.approx(
        {"rmse": np.sqrt((gap**2).mean()), "mae": np.abs(gap).mean()}
    )
    assert run.table[0].users == len(np.unique(parts.test.user_index))
    assert [{**row, "value": None} for row in run.manifest_metrics()] == [
        {"metric": name, "k": None, "value": None, "split": run.split, "protocol": "ratings"}
        for name in ("rmse", "mae")
    ]
    with pytest.raises(InvalidInput, match="'mf-ratings' predicts ratings and popularity rank"):
        execute(rated, task, "mf-ratings", tmp_path, baselines=("popularity",), options=QUIET)
    found = tmp_path / "tuned"
    execute(rated, task, "mf-ratings", found, split=split, tune=Bounds(2, None), fixed=given, options=QUIET)
    assert "minus the mean of rmse and mae" in (found / "tuned.toml").read_text()


def test_a_finished_run_leaves_no_checkpoint_that_would_refuse_the_next(task, interactions, tmp_path):
    settings = {"dimension": 4, "epochs": 1}
    for seed in (1, 2):
        run = execute(
            interactions,
            task,
            "lightgcn",
            tmp_path,
            parameters=settings,
            baselines=(),
            seed=seed,
            options=QUIET,
        )
        assert run.seed == seed
    assert not list(tmp_path.rglob("checkpoint.pt"))


def test_a_run_is_read_back_as_it_was_written(task, interactions, tmp_path):
    run = execute(interactions, task, "popularity", tmp_path, baselines=(), options=QUIET)
    assert Run.read(tmp_path) == run


def test_no_split_trains_on_everything_and_measures_nothing(task, interactions, tmp_path):
    run = execute(interactions, task, "popularity", tmp_path, split=SplitRequest("none"), options=QUIET)
    assert run.figures() == {}
    assert not run.refitted
    assert len(run.recommender().train) == len(interactions)


def test_a_given_test_part_that_stands_in_train_is_refused_before_training(task, interactions, tmp_path):
    nothing = interactions.keep(np.zeros(len(interactions), bool))
    leaking = Split(interactions, nothing, interactions, "given")
    with pytest.raises(Leak, match="also stand in train"):
        execute(interactions, task, "popularity", tmp_path / "run", split=leaking, options=QUIET)
    assert not (tmp_path / "run").exists()


def test_refuses_an_unknown_split_and_a_task_without_horizon(task, interactions, tmp_path):
    with pytest.raises(InvalidInput, match="expected one of time, leave-last, random, none"):
        execute(interactions, task, "popularity", tmp_path, split=SplitRequest("daily"), options=QUIET)
    endless = Task.from_mapping(task.to_mapping() | {"horizon": None})
    with pytest.raises(InvalidInput, match="no `horizon`"):
        execute(interactions, endless, "popularity", tmp_path, split=SplitRequest("time"), options=QUIET)


@pytest.mark.parametrize("content", [None, "{", json.dumps({"format": 1}), json.dumps({"format": 7})])
def test_a_folder_without_a_finished_run_is_refused_in_words(content, tmp_path):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(PipelineError, match=r"No finished run|another format"):
        Run.read(tmp_path)


def test_the_number_of_epochs_is_found_on_a_part_of_train_and_kept(task, interactions, tmp_path, monkeypatch):
    """Made-up figures say that the second epoch is best; what is measured and kept was trained for two."""
    from gds_pipelines.models import mf

    figures = iter([0.1, 0.3, 0.2, 0.2])
    monkeypatch.setattr(mf._Learner, "evaluate", lambda self: self.validation and {"made_up": next(figures)})
    given = {"dimension": 4, "epochs": 9}
    run = execute(
        interactions, task, "mf-bpr", tmp_path, parameters=given, baselines=(), options=QUIET, stop_early=2
    )
    assert run.parameters["epochs"] == 2
    assert run.recommender().training_report["epochs"] == 2
    with pytest.raises(InvalidInput, match="'auto' is not watched as it trains"):
        execute(interactions, task, "auto", tmp_path, parameters=SMALL_AUTO, options=QUIET, stop_early=2)


SMALL_AUTO = {"dimension": 4, "epochs": 1, "weight": 1.0}


def test_figures_that_were_taken_despite_a_leak_say_so(task, interactions, tmp_path):
    rows = np.arange(len(interactions))
    split = Split(interactions, interactions.keep(rows < 0), interactions.keep(rows < 5), "leaking")
    given = {"split": split, "baselines": (), "options": QUIET}
    with pytest.raises(Leak, match=r"5 test pairs also stand in train.*--despite-leak"):
        execute(interactions, task, "popularity", tmp_path, **given)
    execute(interactions, task, "popularity", tmp_path, despite_leak=True, **given)
    assert Run.read(tmp_path).leak["shared"] == 5
    clean = execute(interactions, task, "popularity", tmp_path, baselines=(), options=QUIET)
    assert clean.leak == {}


def test_a_full_disk_keeps_the_model_that_was_there(task, interactions, tmp_path, monkeypatch):
    model = recommender("itemknn")().fit(interactions)
    before = (model.save(tmp_path / "model") / "arrays.npz").read_bytes()

    def full(file, **arrays):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(PipelineError, match=r"could not be written.*No space left.*from its checkpoint"):
        model.save(tmp_path / "model")
    assert (tmp_path / "model" / "arrays.npz").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
