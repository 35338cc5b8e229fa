"""What every model of the registry must keep; a new file in the package is tested here by being there."""

import time
from dataclasses import replace

import numpy as np
import pytest
from awkward_interactions import awkward

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, PipelineError, UnknownName
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.base import NotTrained, PropagationRecommender
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.training import TrainingOptions

NAMES = list(models.registry())
RATING = tuple(name for name, model in models.registry().items() if "ratings" in model.info.needs)
# Popularity is the same for all; where all ratings are alike, models of ratings have nothing to learn.
NOT_PERSONAL = ("popularity", *RATING)
OPTIONS = TrainingOptions(accelerator="cpu", threads=1)


def planted(seed=1, users=1000, items=1000, groups=50, known=10):
    """Users of one group know half of its items; the other half is what a model should find."""
    rng = np.random.default_rng(seed)
    size = items // groups
    rows, columns, hidden = [], [], {}
    for user in range(users):
        member = rng.permutation(size) + size * (user % groups)
        rows += [user] * known
        columns += member[:known].tolist()
        hidden[user] = set(member[known:].tolist())
    order = rng.permutation(len(rows))
    found = Interactions.from_indices(
        np.array(rows)[order],
        np.array(columns)[order],
        1.0,
        np.arange(len(rows)),
        user_keys=np.arange(users) + 10_000,
        item_keys=np.arange(items) + 500,
    )
    return found, hidden


def described(interactions, name, group=20):
    """With properties of the items, for a model that asks for them; ``group`` items share one text."""
    if "item features" not in models.recommender(name).info.needs:
        return interactions
    texts = [f"group {item // group}" for item in range(interactions.n_items)]
    prices = [None if item % 7 == 0 else float(item % group) for item in range(interactions.n_items)]
    columns = {"group": texts, "price": prices}
    return replace(interactions, item_features=NodeFeatures.of_values(columns))


@pytest.fixture(scope="module")
def graph():
    return planted()


@pytest.fixture(scope="module")
def trained(graph):
    """One model of each name on the planted graph, with the seconds it took."""
    for name in NAMES:  # compile the kernels outside the measured time
        models.recommender(name)(small(name)).fit(described(awkward(), name), options=OPTIONS).recommend(
            [2], 3
        )
    found = {}
    for name in NAMES:
        started = time.process_time()
        model = models.recommender(name)(seed=3).fit(described(graph[0], name), options=OPTIONS)
        found[name] = (model, time.process_time() - started)
    return found


def small(name):
    known = models.recommender(name).Parameters.__dataclass_fields__
    return {
        key: value
        for key, value in {"dimension": 8, "epochs": 2, "iterations": 2, "sweeps": 4}.items()
        if key in known
    }


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_PERSONAL])
def test_planted_neighbours_are_found_in_seconds(name, graph, trained):
    model, seconds = trained[name]
    interactions, hidden = graph
    lists = model.recommend(np.arange(interactions.n_users), 10).items
    recall = np.mean([len(hidden[user] & set(row.tolist())) / 10 for user, row in enumerate(lists)])
    assert recall >= 0.9
    assert seconds <= 120  # of CPU; about 5 on a quiet machine, more where threads wait for each other


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_list(name):
    data = described(awkward(), name)
    first, second = (
        models.recommender(name)(small(name), seed=4).fit(data, options=OPTIONS) for _ in range(2)
    )
    users = np.arange(data.n_users)
    assert first.recommend(users, 5).items.tolist() == second.recommend(users, 5).items.tolist()
    assert np.array_equal(first.recommend(users, 5).scores, second.recommend(users, 5).scores)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_equals_its_users_one_by_one(name, trained):
    model, _ = trained[name]
    users = np.array([5, 0, 17, 5, 999])
    batch = model.recommend(users, 30)
    for row, user in enumerate(users):
        single = model.recommend([user], 30)
        assert single.items[0].tolist() == batch.items[row].tolist()
        assert np.array_equal(single.scores[0], batch.scores[row])


@pytest.mark.parametrize("name", NAMES)
def test_seen_items_never_return_and_lists_are_ordered_and_full(name):
    data = described(awkward(), name)
    model = models.recommender(name)(small(name)).fit(data, options=OPTIONS)
    users = np.arange(data.n_users)
    found = model.recommend(users, data.n_items)
    for user in users:
        seen = set(data.matrix[[user]].indices.tolist())
        listed = found.items[user][found.items[user] >= 0]
        assert len(listed) == len(set(listed.tolist())) == data.n_items - len(seen)
        assert not seen & set(listed.tolist())
        scores = found.scores[user][: len(listed)]
        assert np.isfinite(scores).all()
        falls = scores[:-1] > scores[1:]
        ties = (scores[:-1] == scores[1:]) & (listed[:-1] < listed[1:])
        assert (falls | ties).all()
    again = model.recommend(users, data.n_items, exclude_seen=False)
    assert (again.items >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_users_without_history_get_the_popular_items(name):
    data = described(awkward(), name)
    model = models.recommender(name)(small(name)).fit(data, options=OPTIONS)
    popular = np.lexsort((np.arange(data.n_items), -data.item_degrees))
    assert model.recommend([0], 7).items[0].tolist() == popular[:7].tolist()
    assert model.recommend_cold([[]], 7).items[0].tolist() == popular[:7].tolist()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_PERSONAL])
def test_a_visitor_is_answered_from_a_list_of_items(name, graph, trained):
    model, _ = trained[name]
    size = 20
    found = model.recommend_cold([list(range(size * 7, size * 7 + 10))], 10).items[0]
    assert len(set(found.tolist()) & set(range(size * 7 + 10, size * 8))) >= 9


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_answers_like_the_one_that_was_saved(name, tmp_path):
    data = described(awkward(), name)
    model = models.recommender(name)(small(name), seed=2).fit(data, options=OPTIONS)
    loaded = models.load(model.save(tmp_path / "model"))
    users = np.arange(data.n_users)
    before, after = model.recommend(users, 9), loaded.recommend(users, 9)
    assert type(loaded) is type(model)
    assert loaded.parameters == model.parameters
    assert before.items.tolist() == after.items.tolist()
    assert np.array_equal(before.scores, after.scores)


@pytest.mark.parametrize("name", NAMES)
def test_the_payload_is_of_the_stated_contract_with_finite_numbers(name, trained):
    model, _ = trained[name]
    payload = model.payload()
    assert (None if payload is None else payload.contract) == model.info.contract
    for value in vars(payload or object).values() if payload else ():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all()


@pytest.mark.parametrize("name", NAMES)
def test_fewer_items_than_k_pads_the_list(name):
    data = Interactions.from_indices([0, 0, 1, 2], [0, 1, 1, 2], user_keys=[1, 2, 3], item_keys=[1, 2, 3])
    data = described(data, name, group=3)
    found = models.recommender(name)(small(name)).fit(data, options=OPTIONS).recommend([0, 1], 5)
    assert found.items[0].tolist() == [2, -1, -1, -1, -1]
    assert sorted(found.items[1].tolist()) == [-1, -1, -1, 0, 2]


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_estimated_before_training(name):
    assert models.recommender(name).estimate(awkward(), small(name)) > 0


def propagating():
    return [name for name in NAMES if issubclass(models.recommender(name), PropagationRecommender)]


@pytest.mark.parametrize("name", propagating())
def test_query_vectors_follow_the_definition_of_the_formats_page(name):
    data = described(awkward(), name)
    model = models.recommender(name)(small(name)).fit(data, options=OPTIONS)
    payload = model.payload()
    c, e = model.context_vectors().astype(np.float64), model.item_vectors()
    dense = data.matrix.toarray().astype(np.float64)
    degrees = data.user_degrees
    expected = (dense @ c) * np.maximum(degrees, 1.0)[:, None] ** -payload.exponent
    assert model.user_vectors() == pytest.approx(expected, abs=1e-5)
    assert not model.user_vectors([0]).any()
    # With a cut history the sum is scaled by degree / read.
    few = data.histories([5], limit=2)
    scaled = expected_of(few, c, payload.exponent)
    assert model.query(few)[0] == pytest.approx(scaled, abs=1e-5)
    assert model.scores([5])[0] == pytest.approx(expected[5] @ e.T, abs=1e-4)


def expected_of(histories, c, exponent):
    row = histories.matrix.toarray()[0] @ c
    return row * histories.degrees[0] / histories.read[0] * histories.degrees[0] ** -exponent


# ------------------------------------------------------------------------ the registry itself


def test_an_unknown_model_is_answered_with_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'lightgcn'"):
        models.recommender("lightgnc")
    assert models.DEFAULT_MODEL in NAMES
    assert set(models.BASELINES) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_model_describes_itself(name):
    row = models.recommender(name).describe()
    assert row["name"] == name
    assert {"contract", "source", "title", "kinds", "needs", "parameters"} <= set(row)
    assert all(entry["help"] and "default" in entry for entry in row["parameters"])


def test_all_wrong_hyper_parameters_are_named_at_once():
    with pytest.raises(InvalidInput) as caught:
        models.recommender("lightgcn")({"dimensions": 64, "layers": 0, "learningRate": "fast", "epochs": 1.5})
    assert len(caught.value.faults) == 4
    assert "Did you mean 'dimension'?" in str(caught.value)
    found = models.recommender("lightgcn")({"learningRate": "0.5", "batchUsers": "7", "negatives": "none"})
    assert (found.parameters.learning_rate, found.parameters.batch_users) == (0.5, 7)


def test_bad_use_is_refused_in_words(tmp_path):
    model = models.recommender("lightgcn")
    with pytest.raises(NotTrained, match="call fit first"):
        model().recommend([0])
    empty = Interactions.from_events([], [], user_keys=[1], item_keys=[1])
    with pytest.raises(InvalidInput, match="no interactions to learn from"):
        model().fit(empty)
    data = awkward()
    with pytest.raises(InvalidInput, match="both must be parts of one split"):
        model().fit(data, validation=empty)
    popular = models.recommender("popularity")().fit(data)
    with pytest.raises(InvalidInput, match="use recommend_cold"):
        popular.recommend([40])
    with pytest.raises(InvalidInput, match="k is 0"):
        popular.recommend([1], 0)
    with pytest.raises(PipelineError, match="Give the folder that `gnn4j train` wrote"):
        models.load(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="precision is 8"):
        replace(OPTIONS, precision="8")


@pytest.mark.parametrize("name", RATING)
def test_ratings_that_are_all_alike_are_predicted_as_they_are(name):
    rows, columns = np.nonzero(np.arange(60).reshape(10, 6) % 4)
    data = Interactions.from_indices(rows, columns, 4.0, user_keys=np.arange(10), item_keys=np.arange(6))
    model = models.recommender(name)(small(name), seed=1).fit(data, options=OPTIONS)
    assert model.ratings([0, 3, 9], [0, 5, 2]).tolist() == [4.0, 4.0, 4.0]
