"""Matrix factorisation by a ranking loss over sampled negatives: BPR by default.

    s(u, i) = p_u . q_i,   loss = mean over pairs and negatives of -log sigmoid(s(u, i) - s(u, j)) + reg
    |p_u|^2 + …

``loss`` takes any of ``losses.ALL``; the softmaxes, bsl and ccl are over cosines, and unit vectors are served
then. Cost of an epoch: pairs x (negatives + 2) x D; of the full softmax pairs x items x D.
Source: Rendle, Freudenthaler, Gantner & Schmidt-Thieme 2009, "BPR: Bayesian personalized ranking from
implicit feedback".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions
from gds_pipelines.losses import ALL
from gds_pipelines.models.base import ModelInfo, UserVectorRecommender
from gds_pipelines.models.batches import BatchLearner, PairBatches, PairLoss, validation_figures
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import Moment


@dataclass(frozen=True)
class MFParameters(Parameters):
    dimension: int = param(64, "length of the vectors", low=1, high=2048)
    epochs: int = param(60, "passes over the pairs", low=1, high=10_000)
    batch_pairs: int = param(4096, "pairs of a step", low=1)
    negatives: int = param(4, "items drawn a pair", low=1, high=1000)
    learning_rate: float = param(0.01, "peak of the schedule", above=0.0, search=(0.001, 0.05, "log"))
    regularization: float = param(
        0.001, "weight of the squared lengths of a batch's vectors", low=0.0, search=(1e-5, 0.01, "log")
    )
    loss: str = param("bpr", "what a step lowers", choices=ALL)
    temperature: float = param(0.1, "of the softmaxes", above=0.0)


class MF(UserVectorRecommender):
    info = ModelInfo(
        name="mf-bpr",
        title="Matrix factorisation by Bayesian personalised ranking",
        source="Rendle et al. 2009, BPR: Bayesian personalized ranking from implicit feedback",
        contract="vectors/1",
    )
    Parameters = MFParameters
    steps = "optimizer"
    starts_warm = True

    def _learner(self, interactions: Interactions, validation: Interactions | None) -> _Learner:
        return _Learner(self, interactions, validation)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        rows = interactions.n_users + interactions.n_items
        batch = parameters.batch_pairs * (parameters.negatives + 2)
        return 4 * parameters.dimension * (6 * rows + 4 * batch) + 24 * len(interactions)


class _Learner(BatchLearner):
    def __init__(self, model: MF, interactions: Interactions, validation: Interactions | None) -> None:
        super().__init__()
        chosen = model.parameters
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.batches = PairBatches(interactions, chosen.batch_pairs, chosen.negatives)
        self.fingerprint = self.batches.fingerprint
        start = torch.Generator().manual_seed(model.seed)
        for name, rows in (("users", interactions.n_users), ("items", interactions.n_items)):
            table = 0.1 * torch.randn(rows, chosen.dimension, generator=start) / chosen.dimension**0.5
            if model.start is not None:
                over, keys = (
                    (model.start.over_users, interactions.user_keys)
                    if name == "users"
                    else (model.start.over_items, interactions.item_keys)
                )
                table = torch.from_numpy(over(table.numpy(), keys))
            setattr(self, name, torch.nn.Parameter(table))
        self.loss = PairLoss(interactions, chosen.loss, chosen.temperature)
        self.regularization = chosen.regularization
        self.model, self.validation = model, validation

    def forward(self, moment: Moment) -> torch.Tensor:
        users, items, negatives, weights = self.batches.batch(moment)
        p, q = self.users[users], self.items[items]
        penalty = p.square().sum() + q.square().sum()
        if self.loss.full:
            loss = self.loss.of_all(self.users, self.items, users, items, weights)
        else:
            n = self.items[negatives.flatten()].view(*negatives.shape, -1)
            penalty = penalty + n.square().sum() / negatives.shape[1]
            loss = self.loss.of_pairs(p, q, n, weights, users)
        return loss + self.regularization * (penalty / len(users))

    @torch.no_grad()
    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """User and item vectors; of unit length where the loss was over cosines."""
        tables = (self.loss.unit(table) for table in (self.users, self.items))
        users, items = (table.detach().cpu().numpy().copy() for table in tables)
        return users, items

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._users, self.model._items = self.vectors()
        return validation_figures(self.model, self.validation)
