"""LightGCN with base vectors on the items only: graph propagation, trained by a softmax over all items.

    e = mean of item layers 0..L,  q(u) = sum over i in items(u) of w(u,i) c(i) / sqrt(d_u)
    (docs/formats.md §3)
    s(u, i) = (q_u / |q_u|) . e_i / temperature
    loss    = sum_u w_u sum_{i in items(u)} [ -s_ui + log sum_{j not in items(u)} exp(s_uj) ],  w_u ~
    n_u^-user_weight

A base vector's length is fixed by the item's degree (g_i ~ d_i^length), its direction is learned, from a
spectral start. Without user vectors an old and a new user are the same case, and half the parameters are
saved at no loss.
The length of q(u) does not matter for the ranking, so it is left out of the loss.

Cost of an epoch: users / batch times (4 (L/2, rounded down) sparse products + 6 batch x items x D flops).
Source: He et al. 2020, "LightGCN: Simplifying and powering graph convolution network for recommendation";
the loss and weights as in ``fism``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions
from gds_pipelines.losses import FullSoftmax, fast_type
from gds_pipelines.models.base import ModelInfo, PropagationRecommender
from gds_pipelines.models.batches import BatchLearner, UserBatches, users_of_a_step, validation_figures
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.payload import ItemPropagation
from gds_pipelines.models.propagation import BipartitePropagation, final_vectors, normalized
from gds_pipelines.models.spectral import spectral_start
from gds_pipelines.training import Moment, TrainingOptions, train

FULL_SOFTMAX_ITEMS = 100_000
"""Above this many items the denominator is sampled unless ``negatives`` says otherwise."""


@dataclass(frozen=True)
class LightGCNParameters(Parameters):
    dimension: int = param(64, "length of the vectors", low=1, high=2048)
    layers: int = param(3, "propagation steps", low=1, high=8)
    epochs: int = param(8, "passes over the users", low=1, high=10_000)
    batch_users: int | None = param(
        None, "users of a step; none = 64 to 1,024, about 30 steps an epoch", low=1
    )
    learning_rate: float = param(0.02, "peak of the schedule", above=0.0)
    temperature: float = param(0.15, "of the softmax", above=0.0, search=(0.08, 0.3, "log"))
    user_weight: float = param(
        0.4, "exponent: how much less a positive of a heavy user counts", low=0.0, high=1.0
    )
    length: float = param(
        0.0, "exponent of the degree in an item's base length", low=-1.0, high=1.0, search=(-0.1, 0.2)
    )
    negatives: int | None = param(
        None,
        "items drawn for the denominator of a batch; none = all of them up to 100,000 items, else 20,000",
        low=1,
    )


class LightGCN(PropagationRecommender):
    info = ModelInfo(
        name="lightgcn",
        title="Graph convolution on the user-item graph, base vectors on items only",
        source="He et al. 2020, LightGCN: Simplifying and powering graph convolution network for "
        "recommendation",
        contract="item-propagation/1",
    )
    Parameters = LightGCNParameters
    steps = "optimizer"
    exponent = 0.5
    starts_warm = True
    _base: NDArray[np.float32]

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        learner = _Learner(self, interactions, validation)
        self.training_report = train(learner, options).to_mapping()
        self._take(learner.base())

    def _take(self, base: NDArray[np.float32]) -> None:
        self._base = base
        self._e, self._c = final_vectors(self.train, base, self.parameters.layers)

    def base_vectors(self) -> NDArray[np.float32]:
        """[I, D] – h0, what is propagated where the model is deployed."""
        self._require_fit()
        return self._base

    def payload(self) -> ItemPropagation:
        return ItemPropagation(
            item_keys=self.train.item_keys,
            vectors="base",
            vector=self.base_vectors(),
            context=None,
            layers=self.parameters.layers,
            exponent=self.exponent,
            hyperparameters=self.parameters.to_mapping() | {"seed": self.seed},
        )

    def _state(self) -> dict[str, NDArray]:
        return {"base": self._base}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._take(state["base"])

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        # table, gradient and two Adam moments; layers and their gradients; the block of the softmax; both
        # CSR.
        rows = interactions.n_users + interactions.n_items
        tables = 4 * 4 * parameters.dimension * interactions.n_items
        layers = 4 * 2 * (parameters.layers + 2) * parameters.dimension * rows
        batch = parameters.batch_users or users_of_a_step(interactions.n_users)
        return tables + layers + 4 * batch * interactions.n_items + 32 * len(interactions)


class _Learner(BatchLearner):
    def __init__(self, model: LightGCN, interactions: Interactions, validation: Interactions | None) -> None:
        super().__init__()
        chosen = model.parameters
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.batches = UserBatches(interactions, chosen.batch_users, chosen.user_weight)
        self.fingerprint = self.batches.fingerprint
        self.propagate = BipartitePropagation(interactions, chosen.layers)
        degrees = np.maximum(interactions.item_degrees, 1).astype(np.float64) ** chosen.length
        length = torch.from_numpy((degrees / degrees.mean()).astype(np.float32))[:, None]
        self.register_buffer("item_length", length, persistent=False)
        start = spectral_start(normalized(interactions), chosen.dimension, model.seed)
        if model.start is not None:  # of base vectors only the direction is learned
            start = model.start.over_items(start, interactions.item_keys)
        self.direction = torch.nn.Parameter(F.normalize(torch.from_numpy(start), dim=1))
        self.negatives = chosen.negatives
        if self.negatives is None and interactions.n_items > FULL_SOFTMAX_ITEMS:
            self.negatives = 20_000
        self.temperature, self.softmax = chosen.temperature, None
        self.model, self.validation = model, validation

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            self.parameters(), lr=self.learning_rate, betas=(0.9, 0.99), eps=1e-12, fused=True
        )

    def table(self) -> torch.Tensor:
        """[I, D] – base vectors: learned direction times fixed length."""
        return F.normalize(self.direction, dim=1) * self.item_length

    def forward(self, moment: Moment) -> torch.Tensor:
        batch = self.batches.batch(moment)
        if self.softmax is None:
            self.softmax = FullSoftmax(self.temperature, fast_type(moment.device))
        users, items = self.propagate(self.table(), batch.users)
        # Layers are averaged for serving; the softmax wants the plain sum, whose scale the temperature is
        # set for.
        items = items * (self.propagate.layers + 1)
        candidates = None
        if self.negatives is not None and self.negatives < items.shape[0]:
            drawn = np.sort(moment.rng.choice(items.shape[0], self.negatives, replace=False))
            candidates = torch.from_numpy(drawn).to(moment.device)
        loss = self.softmax(users, items, batch.rows, batch.columns, batch.weight, candidates)
        return loss / len(batch.users)

    @torch.no_grad()
    def base(self) -> NDArray[np.float32]:
        return self.table().cpu().numpy().copy()

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._take(self.base())
        return validation_figures(self.model, self.validation)
