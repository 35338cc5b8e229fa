"""Batches of users with all their pairs, and the validation figures of a model in training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions, every_nth
from gds_pipelines.losses import COSINES, FULL, FullSoftmax, fast_type, sampled_loss
from gds_pipelines.negatives import Positives, Uniform
from gds_pipelines.training import Learner, Moment


def users_of_a_step(users: int) -> int:
    """A power of two from 64 to 1,024 that gives an epoch about 30 steps.

    Small graphs starve with large batches: 1,892 users in steps of 1,024 are ten steps in five epochs, and
    cost a fifth of the accuracy.
    """
    return int(np.clip(2 ** round(np.log2(max(users, 1) / 30)), 64, 1024))


@dataclass(frozen=True)
class UserBatch:
    """Users of one step with their pairs, on the device.

    Args:
        users: [B] user indices.
        rows, columns: [P] position in the batch and item of every pair.
        weight: [P] weight of every pair in the loss; they sum to B.
    """

    users: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    weight: torch.Tensor


class BatchLearner(Learner):
    """A learner whose steps and epochs are those of its ``batches``, a `UserBatches` or a `PairBatches`."""

    batches: UserBatches | PairBatches

    def steps(self) -> int:
        return self.batches.steps()

    def begin_epoch(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return self.batches.order(rng)


class UserBatches:
    """Cuts the users with at least one pair into batches, in a new order every epoch.

    Args:
        interactions: the training graph.
        size: users of a batch over all devices; None takes what ``users_of_a_step`` says.
        user_weight: a pair counts w(u,i) * n_u^-user_weight, scaled so that a batch sums to its users.
    """

    def __init__(self, interactions: Interactions, size: int | None, user_weight: float) -> None:
        self.matrix, self.degrees = interactions.matrix, interactions.user_degrees
        self.users = np.flatnonzero(self.degrees > 0)
        self.size, self.user_weight = size or users_of_a_step(len(self.users)), user_weight
        self.fingerprint = fingerprint(interactions)

    def steps(self) -> int:
        return max(1, -(-len(self.users) // self.size))

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.permutation(self.users)

    def rows(self, moment: Moment) -> tuple[NDArray[np.int64], sp.csr_array, NDArray[np.float32]]:
        """Users [B] of a step, their rows [B, I], and the weight of every pair [P] in the order of the rows.

        ``moment.shared`` is the epoch's order.
        """
        users = moment.shared[moment.step * self.size : (moment.step + 1) * self.size]
        users = users[moment.rank :: moment.world]
        matrix = self.matrix[users]
        degrees = self.degrees[users]
        weight = matrix.data * np.repeat(degrees.astype(np.float64) ** -self.user_weight, degrees)
        weight *= len(users) / max(weight.sum(), 1e-12)
        return users, matrix, weight.astype(np.float32)

    def batch(self, moment: Moment) -> UserBatch:
        users, matrix, weight = self.rows(moment)
        rows = np.repeat(np.arange(len(users)), self.degrees[users])
        parts = (users, rows, matrix.indices.astype(np.int64), weight)
        return UserBatch(*(torch.from_numpy(part).to(moment.device) for part in parts))


class PairBatches:
    """Cuts all pairs into batches, in a new order every epoch, each with its own negatives.

    Args:
        interactions: the training graph.
        size: pairs of a batch over all devices.
        negatives: drawn for each pair, uniform among the items the user does not have.
    """

    def __init__(self, interactions: Interactions, size: int, negatives: int) -> None:
        self.users, self.items = interactions.user_index, interactions.matrix.indices.astype(np.int64)
        self.weights = interactions.matrix.data
        self.lacking = Uniform(Positives.of(interactions))
        self.size, self.negatives = size, negatives
        self.fingerprint = fingerprint(interactions)

    def steps(self) -> int:
        return max(1, -(-len(self.users) // self.size))

    def order(self, rng: np.random.Generator) -> NDArray[np.int64]:
        return rng.permutation(len(self.users))

    def batch(self, moment: Moment) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """users [B], items [B], negatives [B, S], weights [B] on the device; ``moment.shared`` is the
        order."""
        chosen = moment.shared[moment.step * self.size : (moment.step + 1) * self.size]
        chosen = chosen[moment.rank :: moment.world]
        users = self.users[chosen]
        drawn = self.draw(users, moment.rng)
        # A user who has every item has no negative: the pair teaches nothing.
        weights = np.where(drawn[:, 0] < 0, np.float32(0), self.weights[chosen])
        parts = (users, self.items[chosen], np.maximum(drawn, 0), weights)
        return tuple(torch.from_numpy(part).to(moment.device) for part in parts)

    def draw(self, users: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """[B, S] – items none of which the user has, over all of the user's pairs; -1 if there is none."""
        return self.lacking.draw(users, self.negatives, rng)


class PairLoss:
    """Any loss of ``losses.ALL`` over the vectors of a batch of pairs.

    Args:
        interactions: the training graph; the full softmax takes a user's own items out of the denominator.
        name: the loss.
        temperature: of the softmaxes.
    """

    def __init__(self, interactions: Interactions, name: str, temperature: float) -> None:
        self.full, self.cosine = name == FULL, name in COSINES
        self.matrix, self.temperature, self.softmax = interactions.matrix, temperature, None
        self.sampled = None if self.full else sampled_loss(name, temperature)
        self.by_user = name == "bsl"

    def unit(self, vectors: torch.Tensor) -> torch.Tensor:
        """Vectors as the loss compares them and as they are served: of length 1 where it wants cosines."""
        return F.normalize(vectors, dim=-1) if self.cosine else vectors

    def of_pairs(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        negatives: torch.Tensor,
        weights: torch.Tensor,
        who: torch.Tensor,
    ) -> torch.Tensor:
        """A sampled loss: users [B, D], items [B, D], negatives [B, S, D], weights [B], user indices [B]."""
        p, q, n = (self.unit(part) for part in (users, items, negatives))
        positive, negative = (p * q).sum(dim=1), torch.bmm(n, p[:, :, None])[:, :, 0]
        return self.of_scores(positive, negative, weights, who)

    def of_scores(
        self, positive: torch.Tensor, negative: torch.Tensor, weights: torch.Tensor, who: torch.Tensor
    ) -> torch.Tensor:
        """A sampled loss of scores [B] and [B, S]."""
        more = {"owner": who} if self.by_user else {}
        return self.sampled(positive, negative, weights, **more)

    def of_all(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        who: torch.Tensor,
        liked: torch.Tensor,
        weights: torch.Tensor,
    ) -> torch.Tensor:
        """The full softmax: tables of users [U, D] and items [I, D], pairs (who, liked) [B], weights [B]."""
        if self.softmax is None:
            self.softmax = FullSoftmax(self.temperature, fast_type(items.device))
        distinct, place = who.unique(return_inverse=True)
        own = self.matrix[distinct.cpu().numpy()]
        rows = np.repeat(np.arange(len(distinct)), np.diff(own.indptr))
        columns = own.indices.astype(np.int64)
        # All pairs of the batch's users leave the denominator; those that stand in the batch are targets.
        wanted = place.cpu().numpy() * own.shape[1] + liked.cpu().numpy()
        share = np.zeros(len(rows), np.float32)
        np.add.at(share, np.searchsorted(rows * own.shape[1] + columns, wanted), weights.cpu().numpy())
        pairs = (torch.from_numpy(part).to(items.device) for part in (rows, columns, share))
        return self.softmax(users[distinct], self.unit(items), *pairs) / weights.sum().clamp(min=1e-12)


def fingerprint(interactions: Interactions) -> str:
    """Hash of the graph a run is trained on, so that a checkpoint of other data is refused."""
    digest = hashlib.sha256()
    for part in (interactions.matrix.indptr, interactions.matrix.indices, interactions.matrix.data):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()


def validation_figures(model, validation: Interactions) -> dict[str, float]:
    """nDCG@20 and recall@20 on a validation part, the first decides; at most 5,000 users, the same each
    time."""
    from gds_pipelines.evaluation import evaluate

    asked = every_nth(np.flatnonzero(validation.user_degrees > 0), 5_000)
    found = evaluate(model, validation, k=(20,), names=("ndcg", "recall"), users=asked)
    return {
        "validation_ndcg@20": found.figure("ndcg", 20),
        "validation_recall@20": found.figure("recall", 20),
    }
