"""Propagation and its hand-written gradients against dense layers in double precision by autograd."""

import numpy as np
import pytest
import torch

from gds_pipelines.interactions import Interactions
from gds_pipelines.models import propagation
from gds_pipelines.models.kernels import RowProducts

USERS, ITEMS, WIDTH = 23, 17, 5


@pytest.fixture(params=[True, False], ids=["compiled", "by torch"])
def graph(request, monkeypatch):
    """A user and an item without neighbours, an item with most users, unequal weights."""
    if not request.param:
        monkeypatch.setattr(propagation, "_by_loops", lambda table: False)
    rng = np.random.default_rng(4)
    rows, columns = rng.integers(1, USERS, 120), rng.integers(1, ITEMS, 120)
    crowd = np.arange(2, USERS)
    return Interactions.from_indices(
        np.r_[rows, crowd],
        np.r_[columns, np.full(len(crowd), 3)],
        np.r_[rng.choice([0.25, 1.0], 120), np.ones(len(crowd))],
        user_keys=np.arange(USERS),
        item_keys=np.arange(ITEMS),
    )


def dense_layers(graph, users, items, layers):
    w = graph.matrix.toarray().astype(np.float64)
    du, di = (np.maximum(d, 1).astype(np.float64) for d in (graph.user_degrees, graph.item_degrees))
    a = torch.from_numpy(w / np.sqrt(np.outer(du, di)))
    found = [(users, items)]
    for _ in range(layers):
        users, items = a @ items, a.t() @ users
        found.append((users, items))
    return found


def tables(seed=1):
    rng = np.random.default_rng(seed)
    made = [torch.from_numpy(rng.standard_normal((rows, WIDTH))) for rows in (USERS, ITEMS)]
    return [t.requires_grad_() for t in made], [t.detach().float().requires_grad_() for t in made]


def pulled(outputs, seed=2):
    """A scalar in which every entry of the outputs has a weight of its own, the same in both precisions."""
    rng = np.random.default_rng(seed)
    return sum((torch.from_numpy(rng.standard_normal(out.shape)).to(out) * out).sum() for out in outputs)


@pytest.mark.parametrize("layers", range(5))
def test_rows_of_the_mean_of_all_layers_and_their_gradient(graph, layers):
    who, which = torch.tensor([4, 0, 4, 22, 7]), torch.tensor([3, 16, 3, 3, 0, 9])
    exact, given = tables()
    found = propagation.MeanPropagation(graph, layers)
    sides = zip(*dense_layers(graph, *exact, layers), strict=True)
    users, items = (sum(side) / (layers + 1) for side in sides)
    expected = users[who], items[which], exact[0][who], exact[1][which]
    outputs = found.at(*given, who, which)
    pulled(expected).backward()
    pulled(outputs).backward()
    for one, other in zip(outputs, expected, strict=True):
        assert one.detach().numpy() == pytest.approx(other.detach().numpy(), abs=1e-5)
    for one, other in zip(given, exact, strict=True):
        assert one.grad.numpy() == pytest.approx(other.grad.numpy(), abs=1e-5)
    for one, other in zip(found(*given), (users, items), strict=True):
        assert one.detach().numpy() == pytest.approx(other.detach().numpy(), abs=1e-5)


@pytest.mark.parametrize("who", [None, torch.tensor([4, 0, 22, 7])], ids=["all", "some"])
@pytest.mark.parametrize("layers", range(6))
def test_layers_from_items_alone_and_their_gradient(graph, layers, who):
    (_, exact), (_, given) = tables()
    layered = dense_layers(graph, torch.zeros(USERS, WIDTH, dtype=torch.float64), exact, layers)
    users, items = (sum(side) / (layers + 1) for side in zip(*layered, strict=True))
    expected = users if who is None else users[who], items
    outputs = propagation.BipartitePropagation(graph, layers)(given, who)
    pulled(expected).backward()
    pulled(outputs).backward()
    for one, other in zip(outputs, expected, strict=True):
        assert one.detach().numpy() == pytest.approx(other.detach().numpy(), abs=1e-5)
    assert given.grad.numpy() == pytest.approx(exact.grad.numpy(), abs=1e-5)


def test_rows_are_cut_into_parts_that_hold_all_of_them_once():
    matrix = Interactions.from_indices(
        np.repeat([0, 5], [1, 200]),
        np.r_[0, np.arange(200)],
        user_keys=np.arange(7),
        item_keys=np.arange(200),
    ).matrix
    cuts = RowProducts(matrix).cuts
    assert cuts[0] == 0
    assert cuts[-1] == 7
    assert (np.diff(cuts) >= 0).all()
