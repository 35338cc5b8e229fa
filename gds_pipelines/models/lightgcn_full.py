"""LightGCN as published: base vectors on users and items, BPR over sampled negatives, mean of all layers.

    h(k+1)(a) = sum_b w(a,b) h(k)(b) / sqrt(d(a) d(b)),  e = mean of layers 0..L

``loss`` takes any of ``losses.ALL`` in place of BPR: `bsl` is LightGCN + BSL as Wu et al. 2024 have it.
Kept to reproduce papers and to compare with; ``lightgcn`` (base vectors on items only) serves new users as
well
as old ones and has half the parameters. Cost of a step: 4 (L - 1) sparse products of the whole graph and four
that touch only the batch's neighbours, so take large batches.
Source: He et al. 2020, "LightGCN: Simplifying and powering graph convolution network for recommendation".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions
from gds_pipelines.losses import ALL
from gds_pipelines.models.base import ModelInfo, UserVectorRecommender
from gds_pipelines.models.batches import BatchLearner, PairBatches, PairLoss, validation_figures
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.propagation import FullPropagation, MeanPropagation
from gds_pipelines.training import Moment


@dataclass(frozen=True)
class LightGCNFullParameters(Parameters):
    dimension: int = param(64, "length of the vectors", low=1, high=2048)
    layers: int = param(3, "propagation steps", low=1, high=8)
    epochs: int = param(100, "passes over the pairs", low=1, high=10_000)
    batch_pairs: int = param(8192, "pairs of a step", low=1)
    negatives: int = param(1, "items drawn a pair", low=1, high=1000)
    learning_rate: float = param(0.01, "peak of the schedule", above=0.0)
    regularization: float = param(1e-4, "weight of the squared lengths of a batch's base vectors", low=0.0)
    loss: str = param("bpr", "what a step lowers", choices=ALL)
    loss_temperature: float = param(0.1, "of a softmax as the loss", above=0.0)


class LightGCNFull(UserVectorRecommender):
    info = ModelInfo(
        name="lightgcn-full",
        title="LightGCN with base vectors on users and items, as published",
        source="He et al. 2020, LightGCN: Simplifying and powering graph convolution network for "
        "recommendation",
        contract="vectors/1",
    )
    Parameters = LightGCNFullParameters
    steps = "optimizer"

    def _learner(self, interactions: Interactions, validation: Interactions | None) -> GraphLearner:
        return GraphLearner(self, interactions, validation)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        rows = interactions.n_users + interactions.n_items
        return 4 * parameters.dimension * rows * (4 + 3 * parameters.layers) + 64 * len(interactions)


class GraphLearner(BatchLearner):
    """Base vectors of both sides, propagated in every step; the chosen loss on the result."""

    propagation: ClassVar[type[MeanPropagation] | type[FullPropagation]] = MeanPropagation

    def __init__(
        self, model: UserVectorRecommender, interactions: Interactions, validation: Interactions | None
    ) -> None:
        super().__init__()
        chosen = model.parameters
        self.chosen = chosen
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.batches = PairBatches(interactions, chosen.batch_pairs, chosen.negatives)
        self.fingerprint = self.batches.fingerprint
        self.propagate = self.propagation(interactions, chosen.layers)
        self.loss = PairLoss(interactions, chosen.loss, chosen.loss_temperature)
        self.known_users = interactions.user_degrees > 0
        start = torch.Generator().manual_seed(model.seed)
        for name, rows in (("users", interactions.n_users), ("items", interactions.n_items)):
            setattr(
                self, name, torch.nn.Parameter(0.1 * torch.randn(rows, chosen.dimension, generator=start))
            )
        self.model, self.validation = model, validation

    def final(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Users [U, D] and items [I, D] after propagation."""
        return self.propagate(self.users, self.items)

    def ranking_loss(
        self, batch: tuple[torch.Tensor, ...], vectors: tuple[torch.Tensor, ...]
    ) -> torch.Tensor:
        """The chosen sampled loss of a batch plus the penalty on its base vectors.

        Args:
            batch: users [B], items [B], negatives [B, S], weights [B].
            vectors: [B, D] of the users and [B + B S, D] of the items and then the negatives, propagated;
                their base vectors in the same order.
        """
        who, liked, negatives, weights = batch
        (p, items), base = vectors[:2], vectors[2:]
        q, n = items[: len(liked)], items[len(liked) :].view(*negatives.shape, -1)
        squares = base[0].square().sum() + base[1][: len(liked)].square().sum()
        squares = squares + base[1][len(liked) :].square().sum() / negatives.shape[1]
        return self.loss.of_pairs(p, q, n, weights, who) + self._penalty(squares, who)

    def softmax_loss(
        self, batch: tuple[torch.Tensor, ...], users: torch.Tensor, items: torch.Tensor
    ) -> torch.Tensor:
        """The full softmax of a batch over all items [I, D], propagated, plus the penalty."""
        who, liked, _, weights = batch
        squares = self.users[who].square().sum() + self.items[liked].square().sum()
        return self.loss.of_all(users, items, who, liked, weights) + self._penalty(squares, who)

    def _penalty(self, squares: torch.Tensor, who: torch.Tensor) -> torch.Tensor:
        return self.chosen.regularization * squares / (2 * len(who))

    def forward(self, moment: Moment) -> torch.Tensor:
        batch = self.batches.batch(moment)
        if self.loss.full:
            return self.softmax_loss(batch, *self.final())
        return self.ranking_loss(batch, self.propagate.at(self.users, self.items, *rows_of(batch)))

    @torch.no_grad()
    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """User and item vectors after propagation; the vector of a user without interactions is zero."""
        users, items = (self.loss.unit(table) for table in self.final())
        users, items = users.cpu().numpy().copy(), items.cpu().numpy().copy()
        users[~self.known_users] = 0
        return users, items

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._users, self.model._items = self.vectors()
        return validation_figures(self.model, self.validation)


def rows_of(batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Users [B], and items [B + B S] of a batch: those of the pairs, then the negatives."""
    who, liked, negatives, _ = batch
    return who, torch.cat([liked, negatives.flatten()])
