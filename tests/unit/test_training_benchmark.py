"""The ways whose training steps are timed take the same step; checked on a small generated graph."""

import numpy as np
import pytest
import torch

from benchmarks.training import command, large, steps, time_to_recall
from benchmarks.training.ways import EdgeIndexWay, Machine, OwnWay, SparseProductWay
from gds_pipelines import models
from gds_pipelines.datasets import shop
from gds_pipelines.interaction_files import read_parts
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.lightgcn_full import GraphLearner, rows_of

CPU = Machine("cpu", 1)
USERS, ITEMS = 30, 40


@pytest.fixture(scope="module")
def data():
    """Every user and item has a neighbour; some have many."""
    rng = np.random.default_rng(3)
    rows, columns = rng.integers(0, USERS, 300), rng.integers(0, ITEMS, 300) ** 2 // ITEMS
    every = np.arange(max(USERS, ITEMS))
    return Interactions.from_indices(
        np.r_[rows, every % USERS],
        np.r_[columns, every % ITEMS],
        user_keys=np.arange(USERS),
        item_keys=np.arange(ITEMS),
    )


@pytest.mark.parametrize("other", [SparseProductWay, EdgeIndexWay])
def test_one_batch_gives_the_same_loss_and_gradient_whichever_way_takes_it(data, other):
    model = models.recommender("lightgcn-full")({"batch_pairs": 50}, seed=1)
    ours, theirs = GraphLearner(model, data, None), other(data, CPU, 50)
    for mine, table in zip((ours.users, ours.items), theirs.tables(), strict=True):
        table.copy_(mine.detach())
    (who, liked, lacking), *_ = theirs.draw(1)
    loss = theirs.loss((who, liked, lacking))
    loss.backward()
    batch = who, liked, lacking[:, None], torch.ones(len(who))
    own = ours.ranking_loss(batch, ours.propagate.at(ours.users, ours.items, *rows_of(batch)))
    own.backward()
    assert own.item() == pytest.approx(loss.item(), rel=1e-5)
    for mine, table in zip((ours.users, ours.items), theirs.gradients(), strict=True):
        assert mine.grad.abs().max() > 1e-5
        assert mine.grad.numpy() == pytest.approx(table.numpy(), rel=1e-3, abs=1e-7)


def test_every_way_is_timed_step_by_step_and_compared_by_epochs(data):
    compared = steps.ways(data, CPU, batch=50)
    *_, rows = steps.measure(compared, rounds=2, steps=2)
    pairs = -(-len(data) // 50)
    assert [row["steps an epoch"] for row in rows] == [pairs, pairs, pairs, 1, 1, 1]
    assert {row["timed steps"] for row in rows} == {4}
    assert rows[0]["LightGCN-PyTorch / this"] == 1.0
    for row in rows:
        assert row["s an epoch"] == pytest.approx(row["ms a step"] * row["steps an epoch"] / 1000, rel=0.02)
        expected = rows[1]["s an epoch"] / row["s an epoch"]
        assert row["PyG edge_index / this"] == pytest.approx(expected, rel=0.03)
    assert [way.way for way in compared if isinstance(way, OwnWay)][
        1
    ] == "lightgcn-full as shipped, 8,192 pairs"


def test_all_products_of_one_layer_are_equal_and_timed(data):
    rows = steps.propagation(data, CPU, budget=0.01, copied=2**20)
    assert [row["way"] for row in rows][-1] == "a copy"
    assert rows[-1]["share of a copy's"] == 1.0
    assert all(row["ms"] > 0 and row["GB/s"] > 0 for row in rows)


def test_the_command_is_timed_as_a_whole(data, tmp_path):
    rng = np.random.default_rng(0)
    held = rng.random(len(data)) < 0.2
    files = {}
    for name, keep in (("train", ~held), ("test", held)):
        part = data.keep(keep)
        files[name] = tmp_path / f"{name}.txt"
        large.write_lists(part.user_index, part.matrix.indices, files[name])
    row = time_to_recall.timed(
        files["train"], files["test"], ["--set", "dimension=4", "--set", "epochs=1", "--threads", "1"]
    )
    assert row["way"] == "fism, D = 4"
    assert row["users with lists"] == (data.keep(held).user_degrees > 0).sum()
    assert 0 < row["training s"] + row["ranking s"] <= row["command s"] + 0.2
    assert 0 <= row["recall@20"] <= 1


def test_a_made_up_shop_is_cut_into_files_and_the_default_command_timed_on_them(tmp_path):
    size = shop.ShopSize(users=60, items=50, categories=5, events=2_000)
    train, test = large.write(size, tmp_path)
    whole, held = read_parts(train, test)
    events = shop.generate(size)["events"]
    pairs = set(zip(events["user"].to_pylist(), events["item"].to_pylist(), strict=True))
    found = [
        set(zip(part.user_keys[users].tolist(), part.item_keys[items].tolist(), strict=True))
        for part in (whole, held)
        for users, items in [part.matrix.nonzero()]
    ]
    assert found[0] | found[1] == pairs
    assert not found[0] & found[1]
    assert len(found[1]) == pytest.approx(large.HELD * len(pairs), rel=0.2)
    words = ["--trials", "2", "--set", "epochs=1", "--set", "dimension=4", "--threads", "1"]
    row = large.timed(command.run("fism", train, test, words))
    assert row["settings tried"] == 2
    assert row["best baseline"].split()[0] in models.BASELINES
    assert row["choosing s"] > 0
    assert row["own s"] <= row["command s"]
    assert row["users with lists"] == (held.user_degrees > 0).sum()


def test_the_shortest_training_past_the_figure_is_named():
    rows = [
        {"way": "a", "recall@20": 0.17, "training s": 10.0},
        {"way": "b", "recall@20": 0.184, "training s": 20.0},
        {"way": "c", "recall@20": 0.189, "training s": 30.0},
    ]
    assert time_to_recall.reached(rows) == (
        "Past 0.1830 (b: 0.1840) after 20 s of training. "
        "The best figure, recall@20 0.1890, after 30 s of training."
    )
    assert time_to_recall.reached(rows[:1]).startswith("The best figure, recall@20 0.1700")
