"""Models that learn vectors, each against its slow twin: normal equations, dense propagation, plain steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from awkward_interactions import awkward, dense_graph

from gds_pipelines import models, splits
from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.training import TrainingOptions

OPTIONS = TrainingOptions(accelerator="cpu", threads=1)


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
    given |= {"ials_weight": 0.4, "ials_dimension": 4}
    model = models.recommender("mf-fism")(given, seed=2).fit(data, options=OPTIONS)
    users = np.arange(1, 40)
    expected = 0
    for name, settings, weight in (
        ("mf-logistic", {"dimension": 6, "epochs": 3}, 1.0),
        ("fism", {"dimension": 5, "temperature": 0.2}, 0.7),
        ("ials", {"dimension": 4, "unobserved": 0.3}, 0.4),
    ):
        scores = models.recommender(name)(settings, seed=2).fit(data, options=OPTIONS).scores(users)
        expected = expected + weight * scores / scores.std(axis=1, keepdims=True)
    assert model.scores(users) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_mf_fism_takes_the_weights_that_rank_held_out_pairs_best():
    from gds_pipelines.models.mf_fism import WEIGHTS, MFFism

    data = awkward()
    held = splits.one_each(data, seed=4)
    rng = np.random.default_rng(8)
    sources = [(rng.standard_normal((40, 3)), rng.standard_normal((30, 3))) for _ in range(3)]
    first, second, third = (users @ items.T for users, items in sources)

    def gain(score):
        total = 0.0
        for user, item in zip(held.validation.user_index, held.validation.matrix.indices, strict=True):
            seen = held.train.matrix[[user]].indices
            above = [j for j in range(30) if j not in seen and score[user, j] > score[user, item]]
            total += 1 / np.log2(2 + len(above))
        return total

    def best(score_of):
        return WEIGHTS[int(np.argmax([gain(score_of(weight)) for weight in WEIGHTS]))]

    by_second = best(lambda weight: first + weight * second)
    assert 0 < by_second < WEIGHTS[-1]
    chosen = MFFism._chosen(held.train, held.validation, sources, (None, 0.0))
    assert chosen == ((by_second, 0.0), len(WEIGHTS))
    (weight, other), tried = MFFism._chosen(held.train, held.validation, sources, (None, None))
    assert tried >= 2 * len(WEIGHTS)
    assert weight == best(lambda one: first + one * second + other * third)
    assert other == best(lambda one: first + weight * second + one * third)


def test_mf_fism_chooses_for_lists_out_of_few_items_by_the_rank_to_expect_there():
    from gds_pipelines.models.mf_fism import WEIGHTS, gains

    data = awkward()
    held = splits.one_each(data, seed=4)
    rng = np.random.default_rng(9)
    sources = [(rng.standard_normal((40, 3)), rng.standard_normal((30, 3))) for _ in range(2)]
    user = int(np.flatnonzero(held.validation.user_degrees)[0])
    item = int(held.validation.matrix[[user]].indices[0])
    others = np.setdiff1d(np.arange(30), held.train.matrix[[user]].indices)
    found = gains(held.train, held.validation, np.array([user]), sources, [1.0], 0, 11)
    for weight, gain in zip(WEIGHTS, found, strict=True):
        score = sources[0][0][user] @ sources[0][1].T + weight * sources[1][0][user] @ sources[1][1].T
        above = np.count_nonzero(score[others] > score[item])
        # Ten of the other 29 are drawn: as many of them are above as of all, on average.
        assert gain == pytest.approx(1 / np.log2(2 + above * 10 / 29), rel=1e-6)


def test_one_pair_of_each_leaves_a_user_something_and_is_the_newest():
    data = awkward()
    held = splits.one_each(data, seed=4)
    # Who has a single pair keeps it.
    assert held.train.user_degrees[1] == 1
    timed = replace(data, times=np.arange(len(data)))
    newest = splits.one_each(timed, seed=4)
    for user in np.flatnonzero(newest.validation.user_degrees):
        own = newest.train.times[newest.train.user_index == user]
        assert newest.validation.times[newest.validation.user_index == user] > own.max()


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


def test_negatives_are_never_items_the_user_has():
    from gds_pipelines.models.batches import PairBatches

    data = awkward()
    drawn = PairBatches(data, 64, 50).draw(data.user_index, np.random.default_rng(0))
    assert not data.matrix.toarray()[data.user_index[:, None], drawn].any()
    assert len(np.unique(drawn)) > 25
