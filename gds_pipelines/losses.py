"""Ranking losses as pieces of their own, usable with each encoder they suit.

Shapes: B = users or pairs of a batch, I = items, D = dimensions, S = shared negatives.
Sampled losses take scores (positives [B], negatives [B, S]) and return a scalar; the
full softmax takes vectors, because the [B, I] matrix must not go through autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from gds_pipelines.errors import UnknownName


def bpr(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """-log sigmoid(positive - negative), mean over pairs and negatives (Rendle et al. 2009)."""
    return _mean(F.softplus(negative - positive[:, None]).mean(dim=1), weight)


def bce(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """Binary cross-entropy of the positive as 1 and each negative as 0 (He et al. 2017)."""
    return _mean((F.softplus(-positive) + F.softplus(negative).sum(dim=1)) / (1 + negative.shape[1]), weight)


def squared_error(score: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean of (score - target)²; for ratings."""
    return _mean((score - target).square(), weight)


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    weight: Tensor | None = None,
    *,
    temperature: float = 0.1,
    log_expected: Tensor | None = None,
) -> Tensor:
    """-log of the positive's share among itself and the negatives.

    Args:
        log_expected: [S] or [B, S] – log of how often each negative is expected in the sample
            (the logQ correction); None when they were drawn uniformly. Source: Bengio & Senécal (2008).
    """
    positive, negative = positive / temperature, negative / temperature
    if log_expected is not None:
        negative = negative - log_expected
    everything = torch.cat([positive[:, None], negative], dim=1)
    return _mean(torch.logsumexp(everything, dim=1) - positive, weight)


def bsl(
    positive: Tensor,
    negative: Tensor,
    weight: Tensor | None = None,
    *,
    temperature: float = 0.1,
    positive_temperature: float = 0.1,
    owner: Tensor | None = None,
) -> Tensor:
    """Bilateral softmax: what the softmax does with a user's negatives, done with the positives too.

    -log mean over a user's positives of exp(s+/t1) / (sum of exp(s-/t2))^(t2/t1), mean over users by weight:
    a positive that does not fit the others counts less. Source: Wu et al. 2024, BSL.

    Args:
        owner: [B] – the user of each pair; None takes each pair for a user of its own.
    """
    margin = (positive / positive_temperature) - (
        torch.logsumexp(negative / temperature, dim=1) * (temperature / positive_temperature)
    )
    share = torch.ones_like(margin) if weight is None else weight
    place = torch.arange(len(margin), device=margin.device)
    if owner is not None:
        place = owner.unique(return_inverse=True)[1]
    count = int(place.max()) + 1 if len(place) else 0
    total = share.new_zeros(count).index_add_(0, place, share)
    top = margin.new_full((count,), -torch.inf).scatter_reduce(0, place, margin.detach(), "amax")
    near = share * (margin - top[place]).exp()
    soft = (margin.new_zeros(count).index_add(0, place, near) / total.clamp(min=1e-12)).clamp(min=1e-30)
    return -((soft.log() + top) * total).sum() / total.sum().clamp(min=1e-12)


def ccl(
    positive: Tensor,
    negative: Tensor,
    weight: Tensor | None = None,
    *,
    margin: float = 0.4,
    negative_weight: float = 150.0,
) -> Tensor:
    """(1 - cos+) + w * mean of max(0, cos- - margin) (Mao et al. 2021, SimpleX); scores are cosines."""
    return _mean((1 - positive) + negative_weight * F.relu(negative - margin).mean(dim=1), weight)


def contrast(first: Tensor, second: Tensor, *, temperature: float = 0.2) -> Tensor:
    """InfoNCE between two views [B, D] of the same rows; the other rows of the batch are the negatives."""
    first, second = F.normalize(first, dim=1), F.normalize(second, dim=1)
    logits = first @ second.t() / temperature
    return (torch.logsumexp(logits, dim=1) - logits.diagonal()).mean()


def squared_ranks(positive: Tensor, negative: Tensor, weight: Tensor | None = None) -> Tensor:
    """(positive - 1)² + mean of negative²: squared error where a pair counts 1 and a drawn item 0."""
    ones = torch.ones_like(positive)
    return squared_error(positive, ones, weight) + _mean(negative.square().mean(dim=1), weight)


SAMPLED: dict[str, Callable[..., Tensor]] = {
    "bpr": bpr,
    "bce": bce,
    "squared-error": squared_ranks,
    "sampled-softmax": sampled_softmax,
    "bsl": bsl,
    "ccl": ccl,
}
"""Losses over (positive [B], negative [B, S], weight) by name."""


FULL = "full-softmax"
ALL = (*SAMPLED, FULL)
"""What an encoder of one vector a user and one an item can be trained by."""
COSINES = ("sampled-softmax", "bsl", "ccl", FULL)
"""Losses over cosines: vectors are brought to unit length first."""


def sampled_loss(name: str, temperature: float | None = None) -> Callable[..., Tensor]:
    """A sampled loss by name; ``temperature`` is that of the softmaxes, other losses have none."""
    if name not in SAMPLED:
        raise UnknownName("loss", name, SAMPLED)
    if temperature is None or name not in ("sampled-softmax", "bsl"):
        return SAMPLED[name]
    given = {"temperature": temperature}
    return partial(SAMPLED[name], **given, **({"positive_temperature": temperature} if name == "bsl" else {}))


# -------------------------------------------------------------------- full softmax


def fast_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the device multiplies it in hardware, else float32."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return torch.bfloat16
    return torch.float32


EXPONENTIALS = 2**18
"""Numbers that are turned into exponentials and summed at a time, on the CPU."""


class FullSoftmax:
    """Softmax over all items the user does not have, for every positive of a batch of users.

    loss = sum over pairs (u, i) of w_ui [ -s_ui + log sum_{j not in items(u)} exp(s_uj) ],
    s_uj = unit(u) . e_j / temperature. The user's own items are the targets and leave the denominator.
    The [B, I] matrix is neither normalised nor scaled: factors go on the small side.

    Args:
        temperature: > 0.
        dtype: of the matrix products; row sums and gradients have the type of the vectors.
    The buffer of the largest batch is kept between calls.
    """

    def __init__(self, temperature: float, dtype: torch.dtype) -> None:
        self.temperature, self.dtype = temperature, dtype
        self._buffer: Tensor | None = None

    def denominators(
        self, users: Tensor, items: Tensor, rows: Tensor, columns: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The part of the denominators: loss, and its gradients times the temperature.

        Args:
            users: [B, D] unit vectors.
            items: [I, D].
            rows, columns: [P] batch position and item of every pair of the batch's users.
            weight: [B] summed weight of the user's pairs.
        Returns:
            sum of weight * log denominator, d users [B, D], d items [I, D].
        """
        share = self._block(users, items)
        small = items.to(self.dtype)
        torch.mm((users / self.temperature).to(self.dtype), small.t(), out=share)
        share[rows, columns] = -torch.inf
        # Short items need no row maximum; where lengths are free the exponent must be kept in range.
        shift = torch.zeros((), dtype=users.dtype, device=users.device)
        if float(items.norm(dim=1).max()) / self.temperature > 60.0:
            top = share.amax(dim=1, keepdim=True).clamp_(min=torch.finfo(share.dtype).min)
            share.sub_(top)
            shift = top[:, 0].to(users.dtype)
        # A user who has every item has no denominator: nothing to push away, gradient 0.
        total = _exponentials(share, users.dtype).clamp_(min=1e-30)
        factor = (weight / total)[:, None]
        d_users = (share @ small).to(users.dtype) * factor
        d_items = (share.t() @ (users * factor).to(self.dtype)).to(users.dtype)
        return (weight * (total.log() + shift)).sum(), d_users, d_items

    def _block(self, users: Tensor, items: Tensor) -> Tensor:
        size, buffer = (users.shape[0], items.shape[0]), self._buffer
        if (
            buffer is None
            or buffer.shape[0] < size[0]
            or buffer.shape[1] != size[1]
            or buffer.device != users.device
        ):
            self._buffer = buffer = torch.empty(size, dtype=self.dtype, device=users.device)
        return buffer[: size[0]]

    def __call__(
        self,
        users: Tensor,
        items: Tensor,
        rows: Tensor,
        columns: Tensor,
        weight: Tensor,
        candidates: Tensor | None = None,
    ) -> Tensor:
        """The loss, differentiable in ``users`` [B, D] (any length) and ``items`` [I, D].

        Args:
            rows, columns: [P] batch position and item of every pair of the batch's users.
            weight: [P] weight of each pair.
            candidates: [S] ascending, distinct: only these items stand in the denominator, the same for the
                whole batch (sampled softmax with shared uniform negatives). None takes all items.
        """
        return _FullSoftmaxFunction.apply(
            F.normalize(users, dim=1), items, rows, columns, weight, candidates, self
        )


def _exponentials(block: Tensor, dtype: torch.dtype) -> Tensor:
    """Turns a block [B, I] into its exponentials, in place; row sums [B] in ``dtype``.

    On the CPU by a few rows at a time: a sum in another type copies what it sums, and that copy should stay
    in the cache.
    """
    if block.device.type != "cpu":
        return block.exp_().sum(dim=1, dtype=dtype)
    rows = max(1, EXPONENTIALS // max(1, block.shape[1]))
    return torch.cat([part.exp_().sum(dim=1, dtype=dtype) for part in block.split(rows)])


class _FullSoftmaxFunction(torch.autograd.Function):
    @staticmethod
    def forward(ctx, users, items, rows, columns, weight, candidates, softmax):
        of_user = users.new_zeros(users.shape[0]).index_add_(0, rows, weight)
        if candidates is None:
            loss, d_users, d_items = softmax.denominators(users, items, rows, columns, of_user)
        else:
            at = torch.searchsorted(candidates, columns).clamp_(max=max(0, len(candidates) - 1))
            own = candidates[at] == columns
            loss, d_users, d_few = softmax.denominators(
                users, items.index_select(0, candidates), rows[own], at[own], of_user
            )
            d_items = torch.zeros_like(items)
            d_items[candidates] = d_few
        target = items.index_select(0, columns)
        source = users.index_select(0, rows)
        loss = loss - (weight * (target * source).sum(dim=1)).sum() / softmax.temperature
        d_users.index_add_(0, rows, target * -weight[:, None])
        d_items.index_add_(0, columns, source * -weight[:, None])
        ctx.save_for_backward(d_users, d_items)
        ctx.temperature = softmax.temperature
        return loss

    @staticmethod
    def backward(ctx, gradient):
        d_users, d_items = ctx.saved_tensors
        factor = gradient / ctx.temperature
        return d_users * factor, d_items * factor, None, None, None, None, None


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.mean()
    return (values * weight).sum() / weight.sum().clamp(min=1e-12)
