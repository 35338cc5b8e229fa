"""What every model of the registry must keep; a new file in the package is tested here by being there."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from gds_pipelines import models
from gds_pipelines.errors import InvalidInput, PipelineError, UnknownName
from gds_pipelines.interactions import Histories, Interactions
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


def awkward():
    """A user without items, one with one item, an item without users, unequal weights, no times."""
    rng = np.random.default_rng(5)
    rows, columns = rng.integers(2, 40, 300), rng.integers(0, 29, 300)
    return Interactions.from_indices(
        np.r_[rows, 1],
        np.r_[columns, 3],
        np.r_[rng.choice([0.1, 0.5, 1.0], 300), 0.5],
        user_keys=np.arange(40),
        item_keys=np.arange(30),
    )


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


# ------------------------------------------------------------------------ each model against its slow twin


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


def test_rp3beta_equals_a_dense_walk():
    data = awkward()
    model = models.recommender("rp3beta")({"alpha": 0.8, "beta": 0.5}).fit(data)
    x = data.matrix.toarray().astype(np.float64)

    def step(weights):
        total = weights.sum(axis=1, keepdims=True)
        return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0) ** 0.8

    walk = step(x) @ step(x.T) @ step(x) * np.maximum(data.item_degrees, 1) ** -0.5
    assert model.scores(np.arange(40)) == pytest.approx(walk, abs=1e-5)


def test_ials_users_solve_their_normal_equations():
    data = awkward()
    model = models.recommender("ials")({"dimension": 6, "iterations": 3}, seed=1).fit(data)
    chosen, items, x = model.parameters, model.item_vectors().astype(np.float64), data.matrix.toarray()
    for user in (1, 5, 9):
        strength = (x[user] > 0).sum() + chosen.unobserved * data.n_items
        ridge = chosen.regularization * strength**chosen.nu * np.eye(6)
        left = chosen.unobserved * items.T @ items + (items.T * x[user]) @ items + ridge
        assert model.user_vectors()[user] == pytest.approx(np.linalg.solve(left, items.T @ x[user]), abs=1e-4)
    # A visitor with the same items is folded in to the same vector, up to the weights.
    history = Histories(data.matrix[[5]], data.user_degrees[[5]])
    assert model._query(history, None)[0] == pytest.approx(model.user_vectors()[5], abs=1e-5)


def test_lightgcn_equals_propagation_with_the_dense_adjacency():
    data = awkward()
    for layers in (1, 2, 3, 4):
        model = models.recommender("lightgcn")({"dimension": 5, "layers": layers, "epochs": 1}).fit(data)
        w = data.matrix.toarray().astype(np.float64)
        du, di = np.maximum(data.user_degrees, 1), np.maximum(data.item_degrees, 1)
        a = w / np.sqrt(np.outer(du, di))
        users, items = [np.zeros((40, 5))], [model.base_vectors().astype(np.float64)]
        for _ in range(layers):
            users, items = [*users, a @ items[-1]], [*items, a.T @ users[-1]]
        assert model.item_vectors() == pytest.approx(sum(items) / (layers + 1), abs=1e-5)
        assert model.user_vectors() == pytest.approx(sum(users) / (layers + 1), abs=1e-5)


def naive_fism_step(model, learner, moment, rate):
    """One step of the recipe by autograd in double precision, with plain Adam."""
    from gds_pipelines.models import fism

    chosen, data = model.parameters, learner.batches.matrix
    start = learner.items.double().clone()
    e0, c0 = start.clone().requires_grad_(), learner.sources.double().clone().requires_grad_()
    degrees = np.maximum(np.bincount(data.indices, minlength=data.shape[1]), 1.0)
    g = degrees**chosen.length / (degrees**chosen.length).mean()
    e = e0 / e0.norm(dim=1, keepdim=True) * torch.tensor(g)[:, None]
    users = moment.shared[: chosen.batch_users]
    rows = torch.tensor(data[users].toarray(), dtype=torch.float64)
    raw = (rows * torch.tensor(degrees**-chosen.source_power)) @ c0
    s = raw / raw.norm(dim=1, keepdim=True) @ e.t() / chosen.temperature
    own = rows > 0
    weight = rows * own.sum(dim=1, keepdim=True).double() ** -chosen.user_weight
    weight = weight / weight.sum() * len(users)
    total = torch.logsumexp(s.masked_fill(own, -torch.inf), dim=1, keepdim=True)
    loss = (weight * (total - s)).sum()
    loss.backward()
    steps = []
    for table in (e0, c0):
        gradient = table.grad * chosen.temperature
        steps.append(-rate * gradient / (gradient.abs() + fism.EPSILON))
    return loss.item() / len(users), (e0 + steps[0]).detach(), (c0 + steps[1]).detach()


@pytest.mark.parametrize("compiled", [True, False])
def test_a_fism_step_equals_autograd_and_adam(compiled, monkeypatch):
    from gds_pipelines.models import fism
    from gds_pipelines.training import Moment

    data = awkward()
    model = models.recommender("fism")({"dimension": 6, "batch_users": 100, "temperature": 0.5}, seed=1)
    learner = fism._Learner(model, data, None, replace(OPTIONS, precision="32-true"))
    order = learner.begin_epoch(np.random.default_rng(0))
    moment = Moment(0, 0, torch.device("cpu"), np.random.default_rng(0), order)
    loss, items, sources = naive_fism_step(model, learner, moment, 0.01)
    if not compiled:  # what a GPU runs, on the CPU
        monkeypatch.setattr(fism, "_on_cpu", fism._on_device)
        monkeypatch.setattr(fism, "_compiled", lambda table: False)
    got = learner.advance(moment, 0.01)
    assert float(got) == pytest.approx(loss, rel=1e-5)
    # The first Adam step is the sign of the gradient; where that is tiny, rounding decides.
    for found, expected in ((learner.items, items), (learner.sources, sources)):
        moved = (found.double() - expected).abs() > 1e-5
        assert moved.double().mean() < 0.02


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


def splitmix(state):
    """The numbers of SplitMix64, as its authors give it, without end."""
    whole = 2**64 - 1
    while True:
        state = (state + 0x9E3779B97F4A7C15) & whole
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & whole
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & whole
        yield z ^ (z >> 31)


def test_mf_logistic_takes_the_steps_of_plain_sgd():
    """Against a loop in Python; a negative may be an item the user has."""
    from gds_pipelines.models import mf_logistic

    items, rate, ridge = 4, 0.05, 0.1
    rows, columns = np.nonzero(1 - np.eye(3, items))
    data = Interactions.from_indices(
        rows, columns, np.linspace(0.5, 1, len(rows)), user_keys=[1, 2, 3], item_keys=[1, 2, 3, 4]
    )
    chosen = {"dimension": 5, "negatives": 2, "learning_rate": rate, "regularization": ridge, "epochs": 3}
    model = models.recommender("mf-logistic")(chosen, seed=6)
    learner = mf_logistic._Learner(model, data, None)
    p, q = (
        np.column_stack([table.double().numpy(), np.zeros(len(table))])
        for table in (learner.users, learner.items)
    )
    bias, losses = 0.0, []
    for epoch in range(3):
        draws = splitmix(int(np.random.default_rng([6, epoch, 1]).integers(0, 2**63, dtype=np.uint64)))
        losses.append(0.0)
        for pair in np.random.default_rng([6, epoch]).permutation(len(data)):
            user, weight = data.user_index[pair], float(data.matrix.data[pair])
            drawn = [((next(draws) >> 32) * items) >> 32 for _ in range(2)]
            for item, label in ((data.matrix.indices[pair], 1.0), *((one, 0.0) for one in drawn)):
                s = bias + p[user, -1] + q[item, -1] + p[user, :-1] @ q[item, :-1]
                chance = 1 / (1 + np.exp(-s))
                losses[-1] -= weight * np.log(chance if label else 1 - chance) / len(data)
                slope = rate * weight * (label - chance)
                a, b = p[user].copy(), q[item].copy()
                p[user] = (1 - rate * ridge) * a + slope * np.r_[b[:-1], 1.0]
                q[item] = (1 - rate * ridge) * b + slope * np.r_[a[:-1], 1.0]
                bias = (1 - rate * ridge) * bias + slope
    model.fit(data, options=OPTIONS)
    assert model.user_vectors() == pytest.approx(np.column_stack([p[:, :-1], np.ones(3)]), abs=1e-5)
    assert model.item_vectors() == pytest.approx(q, abs=1e-5)
    assert [row["loss"] for row in model.training_report["history"]] == pytest.approx(losses, abs=1e-4)


def test_mf_fism_adds_up_what_its_sources_say_equally_loud():
    data = awkward()
    given = {"dimension": 6, "epochs": 3, "fism_dimension": 5, "temperature": 0.2, "weight": 0.7}
    model = models.recommender("mf-fism")(given, seed=2).fit(data, options=OPTIONS)
    users = np.arange(1, 40)
    expected = 0
    for name, settings, weight in (
        ("mf-logistic", {"dimension": 6, "epochs": 3}, 1.0),
        ("fism", {"dimension": 5, "temperature": 0.2}, 0.7),
    ):
        scores = models.recommender(name)(settings, seed=2).fit(data, options=OPTIONS).scores(users)
        expected = expected + weight * scores / scores.std(axis=1, keepdims=True)
    assert model.scores(users) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_mf_fism_takes_the_weight_that_ranks_held_out_pairs_best():
    from gds_pipelines.models.mf_fism import WEIGHTS, MFFism, held_out

    data = awkward()
    held = held_out(data, 4)
    rng = np.random.default_rng(8)
    first, second = ((rng.standard_normal((40, 3)), rng.standard_normal((30, 3))) for _ in range(2))
    gains = []
    for weight in WEIGHTS:
        score, gain = first[0] @ first[1].T + weight * second[0] @ second[1].T, 0.0
        for user, item in zip(held.validation.user_index, held.validation.matrix.indices, strict=True):
            seen = held.train.matrix[[user]].indices
            above = [j for j in range(30) if j not in seen and score[user, j] > score[user, item]]
            gain += 1 / np.log2(2 + len(above))
        gains.append(gain)
    assert 0 < np.argmax(gains) < len(gains) - 1
    assert MFFism._chosen(held.train, held.validation, first, second) == WEIGHTS[np.argmax(gains)]
    # Who has a single pair keeps it.
    assert held.train.user_degrees[1] == 1
    timed = replace(data, times=np.arange(len(data)))
    newest = held_out(timed, 4)
    for user in np.flatnonzero(newest.validation.user_degrees):
        own = newest.train.times[newest.train.user_index == user]
        assert newest.validation.times[newest.validation.user_index == user] > own.max()


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


def dense_graph(data):
    w = data.matrix.toarray().astype(np.float64)
    return w, w / np.sqrt(np.outer(np.maximum(data.user_degrees, 1), np.maximum(data.item_degrees, 1)))


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


def test_neumf_scores_a_catalogue_as_its_training_scores_pairs():
    from gds_pipelines.losses import bce
    from gds_pipelines.models import neumf
    from gds_pipelines.training import Moment

    data = awkward()
    given = {"dimension": 6, "epochs": 2, "regularization": 0.0, "batch_pairs": 50, "loss": "bce"}
    model = models.recommender("neumf")(given, seed=1).fit(data, options=OPTIONS)
    learner = neumf._Learner(model, data, None)
    with torch.no_grad():
        for name, value in learner.weights.items():
            value.copy_(torch.from_numpy(model._tables[name]))
    rngs = [np.random.default_rng(7) for _ in range(2)]
    moment = Moment(0, 0, torch.device("cpu"), rngs[0], np.arange(50))
    users, items, negatives, weights = learner.batches.batch(moment)
    table = torch.from_numpy(model.scores(np.arange(40)))
    expected = bce(table[users, items], table[users[:, None], negatives], weights)
    found = learner.forward(replace(moment, rng=rngs[1]))
    assert float(found.detach()) == pytest.approx(float(expected), rel=1e-5)
    assert model.recommend([5], 7).scores[0] == pytest.approx(
        np.sort(np.where(data.matrix.toarray()[5] > 0, -np.inf, table[5].numpy()))[::-1][:7], abs=1e-5
    )


# Order 1: the plateau is 1 at -1 and 0 at 1; taken as values at the nodes -+1/sqrt 2 the line is 1/2 - t /
# sqrt 2.
def test_plateau_coefficients_match_values_worked_by_hand():
    from gds_pipelines.models.chebycf import coefficients

    assert coefficients(1, 2.0) == pytest.approx([0.5, -(0.5**0.5)], abs=1e-6)


def test_negatives_are_never_items_the_user_has():
    from gds_pipelines.models.batches import PairBatches

    data = awkward()
    drawn = PairBatches(data, 64, 50).draw(data.user_index, np.random.default_rng(0))
    assert not data.matrix.toarray()[data.user_index[:, None], drawn].any()
    assert len(np.unique(drawn)) > 25


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


def test_lightgcn_full_propagates_both_sides():
    data = awkward()
    model = models.recommender("lightgcn-full")({"dimension": 4, "epochs": 1, "layers": 2}, seed=1)
    from gds_pipelines.models.lightgcn_full import GraphLearner

    learner = GraphLearner(model, data, None)
    _, a = dense_graph(data)
    u, i = learner.users.detach().double().numpy(), learner.items.detach().double().numpy()
    users, items = learner.vectors()
    assert items == pytest.approx((i + a.T @ u + a.T @ (a @ i)) / 3, abs=1e-5)
    assert users[1:] == pytest.approx(((u + a @ i + a @ (a.T @ u)) / 3)[1:], abs=1e-5)


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
