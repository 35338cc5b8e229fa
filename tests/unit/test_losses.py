import numpy as np
import pytest
import torch

from gds_pipelines import losses
from gds_pipelines.errors import UnknownName


def scores(seed=0):
    rng = np.random.default_rng(seed)
    return torch.tensor(rng.normal(size=6)), torch.tensor(rng.normal(size=(6, 4)))


def test_sampled_losses_match_plain_formulas():
    positive, negative = scores()
    p, n = positive.numpy(), negative.numpy()
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    assert losses.bpr(positive, negative).item() == pytest.approx(-np.log(sigmoid(p[:, None] - n)).mean())
    both = -np.log(sigmoid(p)) - np.log(1 - sigmoid(n)).sum(axis=1)
    assert losses.bce(positive, negative).item() == pytest.approx((both / 5).mean())
    log_expected = torch.log(torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64))
    share = np.exp(p / 0.2) / (np.exp(p / 0.2) + (np.exp(n / 0.2) / log_expected.exp().numpy()).sum(axis=1))
    found = losses.sampled_softmax(positive, negative, temperature=0.2, log_expected=log_expected)
    assert found.item() == pytest.approx(-np.log(share).mean())
    hinge = (1 - p) + 3 * np.maximum(n - 0.1, 0).mean(axis=1)
    assert losses.ccl(positive, negative, margin=0.1, negative_weight=3).item() == pytest.approx(hinge.mean())
    assert losses.squared_error(positive, torch.zeros(6)).item() == pytest.approx((p**2).mean())
    inner = np.exp(p / 0.3) / np.exp(n / 0.2).sum(axis=1) ** (0.2 / 0.3)
    found = losses.bsl(positive, negative, temperature=0.2, positive_temperature=0.3)
    assert found.item() == pytest.approx(-np.log(inner).mean())
    # Pairs 0, 2 and 5 are of one user, 1 and 4 of another; a user counts by its pairs.
    owner = torch.tensor([7, 3, 7, 9, 3, 7])
    found = losses.bsl(positive, negative, temperature=0.2, positive_temperature=0.3, owner=owner)
    of_users = [inner[[0, 2, 5]].mean(), inner[[1, 4]].mean(), inner[3]]
    assert found.item() == pytest.approx(-np.dot([3, 2, 1], np.log(of_users)) / 6)


@pytest.mark.parametrize("name", sorted(losses.SAMPLED))
def test_weights_of_one_change_nothing_and_of_zero_remove_a_pair(name):
    positive, negative = scores()
    loss = losses.sampled_loss(name)
    ones = torch.ones(6, dtype=torch.float64)
    assert loss(positive, negative, ones).item() == pytest.approx(loss(positive, negative).item())
    ones[2:] = 0
    assert loss(positive, negative, ones).item() == pytest.approx(loss(positive[:2], negative[:2]).item())


def test_contrast_is_the_cross_entropy_of_matching_rows():
    rng = np.random.default_rng(1)
    first, second = torch.tensor(rng.normal(size=(5, 3))), torch.tensor(rng.normal(size=(5, 3)))
    logits = torch.nn.functional.cosine_similarity(first[:, None], second[None], dim=2) / 0.5
    expected = torch.nn.functional.cross_entropy(logits, torch.arange(5))
    assert losses.contrast(first, second, temperature=0.5).item() == pytest.approx(expected.item())


def test_an_unknown_loss_is_answered_with_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'bpr'"):
        losses.sampled_loss("brp")


def slow_full_softmax(users, items, own, weight, temperature, candidates):
    """The definition, pair by pair, through autograd."""
    unit = users / users.norm(dim=1, keepdim=True)
    total = 0.0
    for row, mine in enumerate(own):
        s = items @ unit[row] / temperature
        others = [j for j in candidates if j not in mine]
        for i in mine:
            total = total + weight[row, i] * (torch.logsumexp(s[others], dim=0) - s[i])
    return total


@pytest.mark.parametrize("candidates", [None, [0, 2, 3, 7, 8]])
@pytest.mark.parametrize("length", [1.0, 40.0])
def test_full_softmax_and_its_gradients_equal_the_definition(candidates, length):
    torch.manual_seed(0)
    users = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    items = (torch.randn(9, 6, dtype=torch.float64) * length).requires_grad_()
    own = [[0, 3], [1], [2, 5, 8], [7]]
    rows = torch.tensor([row for row, mine in enumerate(own) for _ in mine])
    columns = torch.tensor([i for mine in own for i in mine])
    each = torch.rand(4, 9, dtype=torch.float64)
    expected = slow_full_softmax(users, items, own, each, 0.7, range(9) if candidates is None else candidates)
    wanted = torch.autograd.grad(expected, (users, items))
    softmax = losses.FullSoftmax(0.7, torch.float64)
    drawn = None if candidates is None else torch.tensor(candidates)
    found = softmax(users, items, rows, columns, each[rows, columns], drawn)
    got = torch.autograd.grad(found, (users, items))
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.numpy() == pytest.approx(theirs.numpy(), rel=1e-4, abs=1e-5)


def test_a_user_who_has_every_item_gives_finite_numbers():
    users, items = torch.randn(2, 3, requires_grad=True), torch.randn(2, 3, requires_grad=True)
    rows, columns = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 0])
    losses.FullSoftmax(0.1, torch.float32)(users, items, rows, columns, torch.ones(3)).backward()
    assert torch.isfinite(users.grad).all()
    assert torch.isfinite(items.grad).all()


# A positive of ln 3 (odds 3 : 1) against two negatives of 0 (odds 1 : 1).
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bpr", np.log(4 / 3)),
        ("bce", (np.log(4 / 3) + 2 * np.log(2)) / 3),
        ("sampled-softmax", np.log(5 / 3)),
        ("bsl", np.log(2 / 3)),
    ],
)
def test_losses_of_odds_match_values_worked_by_hand(name, expected):
    loss = losses.sampled_loss(name, 1.0)
    found = loss(torch.tensor([np.log(3.0)]), torch.zeros(1, 2, dtype=torch.float64))
    assert found.item() == pytest.approx(expected)


# A cosine of .9 against .5 and .3. CCL: .1 + 150 * (.1 + 0) / 2; squares: .01 + (.25 + .09) / 2.
@pytest.mark.parametrize(("name", "expected"), [("ccl", 7.6), ("squared-error", 0.18)])
def test_losses_of_cosines_match_values_worked_by_hand(name, expected):
    found = losses.sampled_loss(name)(torch.tensor([0.9]), torch.tensor([[0.5, 0.3]]))
    assert found.item() == pytest.approx(expected, rel=1e-5)


def test_softmax_and_contrast_match_values_worked_by_hand():
    # User (2, 0) has item (1, 0) and lacks (0, 1) and (-1, 0): -1 + log(e^0 + e^-1).
    items = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    zero = torch.tensor([0])
    found = losses.FullSoftmax(1.0, torch.float32)(
        torch.tensor([[2.0, 0.0]]), items, zero, zero, torch.ones(1)
    )
    assert found.item() == pytest.approx(np.log(1 + np.exp(-1)) - 1)
    # Two orthogonal rows seen twice: log(e + 1) - 1.
    assert losses.contrast(torch.eye(2), torch.eye(2), temperature=1.0).item() == pytest.approx(
        np.log(np.e + 1) - 1
    )
