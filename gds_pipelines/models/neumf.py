"""NeuMF: a generalised dot product and a small network over (user, item), trained together.

    g = p_u * q_i (elementwise),   h = ReLU layers over [p'_u, q'_i],   s(u, i) = w . [g, h]
    loss = log loss of the pair against drawn items (or any sampled loss of ``losses``)

The first layer of the network is linear in user and item apart, so a whole catalogue is scored without
building all pairs at full width. A visitor's two user vectors are the means over the users who share the
items, the more the rarer the item. Served as finished lists.

Cost of an epoch: pairs x (negatives + 1) x width^2. Scoring all pairs: users x items x width^2 / 2; for
catalogues of tens of thousands of items take a model of one dot product instead, which is also the more
accurate (Rendle et al. 2020).
Source: He, Liao, Zhang, Nie, Hu & Chua 2017, "Neural collaborative filtering".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gds_pipelines.interactions import Histories, Interactions
from gds_pipelines.losses import SAMPLED
from gds_pipelines.models.base import ListRecommender, ModelInfo
from gds_pipelines.models.batches import BatchLearner, PairBatches, PairLoss, validation_figures
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.training import Moment, TrainingOptions, train

LOSSES = tuple(name for name in SAMPLED if name not in ("bsl", "ccl"))
"""Those two want cosines, and the scores of a network are none."""

PAIRS_AT_ONCE = 2**17
"""Pairs (user, item) the network takes at a time when it scores."""


@dataclass(frozen=True)
class NeuMFParameters(Parameters):
    dimension: int = param(32, "length of each of the two vectors", low=2, high=1024)
    layers: int = param(2, "hidden layers after the first, each half as wide", low=0, high=6)
    epochs: int = param(30, "passes over the pairs", low=1, high=10_000)
    batch_pairs: int = param(2048, "pairs of a step", low=1)
    negatives: int = param(4, "items drawn a pair", low=1, high=1000)
    learning_rate: float = param(0.004, "peak of the schedule", above=0.0, search=(0.001, 0.02, "log"))
    regularization: float = param(
        1e-3, "weight of the squared lengths of a batch's vectors", low=0.0, search=(1e-5, 0.02, "log")
    )
    loss: str = param("bce", "of a pair and its drawn items", choices=LOSSES)
    temperature: float = param(1.0, "of a softmax as the loss", above=0.0)


class NeuMF(ListRecommender):
    info = ModelInfo(
        name="neumf",
        title="A generalised dot product and a small network, trained together",
        source="He et al. 2017, Neural collaborative filtering",
        contract="lists/1",
    )
    Parameters = NeuMFParameters
    steps = "optimizer"
    _tables: dict[str, NDArray[np.float32]]

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        learner = _Learner(self, interactions, validation)
        self.training_report = train(learner, options).to_mapping()
        self._tables = learner.tables()

    # ---------------------------------------------------------------- scoring

    def _users(self, histories: Histories, users: NDArray | None) -> tuple[NDArray, NDArray]:
        """Vectors of dot product and network [B, D]; of a visitor, the mean of who shares the items."""
        tables = self._tables
        if users is not None:
            return tables["users_dot"][users], tables["users_net"][users]
        x, train = histories.matrix, self.train.binary
        weight = np.maximum(self.train.item_degrees, 1).astype(np.float32) ** -1
        scaled = x.copy()
        scaled.data = x.data * weight[x.indices]
        near = (scaled @ train.T).tocsr()
        total = np.maximum(np.asarray(near.sum(axis=1)).reshape(-1, 1), 1e-12)
        return tuple(
            (np.asarray(near @ tables[name]) / total).astype(np.float32)
            for name in ("users_dot", "users_net")
        )

    def _score(self, histories: Histories, users: NDArray | None) -> NDArray[np.float32]:
        dot, net = self._users(histories, users)
        out = np.empty((len(dot), self.train.n_items), np.float32)
        network = _Network(self._tables, torch.float32)
        items = network.items()
        step = max(1, PAIRS_AT_ONCE // self.train.n_items)
        for start in range(0, len(dot), step):
            rows = slice(start, start + step)
            out[rows] = network.score(dot[rows], net[rows], *items).numpy()
        return out

    def _exact(self, histories: Histories, users: NDArray | None, items: NDArray) -> NDArray[np.float64]:
        dot, net = self._users(histories, users)
        network = _Network(self._tables, torch.float64)
        out = np.full(items.shape, -np.inf)
        # One user at a time and always as many items: products round alike whoever shares the batch.
        for row, listed in enumerate(items):
            parts = network.items(np.maximum(listed, 0))
            found = network.score(dot[row : row + 1], net[row : row + 1], *parts).numpy()[0]
            out[row] = np.where(listed < 0, -np.inf, found)
        return out

    def _state(self) -> dict[str, NDArray]:
        return self._tables

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._tables = dict(state)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        rows = interactions.n_users + interactions.n_items
        batch = parameters.batch_pairs * (parameters.negatives + 1)
        width = 8 * parameters.dimension
        return 4 * (8 * rows * parameters.dimension + 6 * batch * width) + 24 * len(interactions)


class _Network:
    """The trained layers, ready to score rows of users against items."""

    def __init__(self, tables: Mapping[str, NDArray], dtype: torch.dtype) -> None:
        self.tables, self.dtype = tables, dtype
        self.layers = [
            (self.take(f"weight_{depth}"), self.take(f"bias_{depth}"))
            for depth in range(sum(name.startswith("weight_") for name in tables))
        ]

    def take(self, name: str, rows: NDArray | None = None) -> torch.Tensor:
        found = self.tables[name] if rows is None else self.tables[name][rows]
        return torch.from_numpy(np.ascontiguousarray(found)).to(self.dtype)

    def items(self, rows: NDArray | None = None) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What items bring along: their dot vectors, their share of the first layer, their bias."""
        share = self.take("items_net", rows) @ self.take("first_items").t()
        return self.take("items_dot", rows), share, self.take("items_bias", rows)

    def score(
        self, dot: NDArray, net: NDArray, items_dot: torch.Tensor, share: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        """[B, M] for users [B, D] against M items."""
        of_user = torch.from_numpy(net).to(self.dtype) @ self.take("first_users").t() + self.take(
            "first_bias"
        )
        hidden = F.relu(of_user[:, None] + share[None])
        for weight, offset in self.layers:
            hidden = F.relu(hidden @ weight.t() + offset)
        weighed = torch.from_numpy(dot).to(self.dtype) * self.take("out_dot")
        return weighed @ items_dot.t() + hidden @ self.take("out_net") + bias[None]


class _Learner(BatchLearner):
    def __init__(self, model: NeuMF, interactions: Interactions, validation: Interactions | None) -> None:
        super().__init__()
        chosen = model.parameters
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.batches = PairBatches(interactions, chosen.batch_pairs, chosen.negatives)
        self.fingerprint = self.batches.fingerprint
        self.regularization = chosen.regularization
        self.loss = PairLoss(interactions, chosen.loss, chosen.temperature)
        width = chosen.dimension
        start = torch.Generator().manual_seed(model.seed)

        def drawn(*shape: int, scale: float) -> torch.nn.Parameter:
            return torch.nn.Parameter(scale * torch.randn(*shape, generator=start))

        self.weights = torch.nn.ParameterDict(
            {
                f"{side}_{kind}": drawn(rows, width, scale=0.3 / width**0.5)
                for side, rows in (("users", interactions.n_users), ("items", interactions.n_items))
                for kind in ("dot", "net")
            }
        )
        self.weights["items_bias"] = torch.nn.Parameter(torch.zeros(interactions.n_items))
        for side in ("users", "items"):
            self.weights[f"first_{side}"] = drawn(2 * width, width, scale=width**-0.5)
        self.weights["first_bias"] = torch.nn.Parameter(torch.zeros(2 * width))
        self.depth, wide = chosen.layers, 2 * width
        for depth in range(chosen.layers):
            half = max(2, wide // 2)
            self.weights[f"weight_{depth}"] = drawn(half, wide, scale=(2 / wide) ** 0.5)
            self.weights[f"bias_{depth}"] = torch.nn.Parameter(torch.zeros(half))
            wide = half
        self.weights["out_dot"] = torch.nn.Parameter(torch.ones(width))
        self.weights["out_net"] = drawn(wide, scale=wide**-0.5)
        self.model, self.validation = model, validation

    def forward(self, moment: Moment) -> torch.Tensor:
        users, items, negatives, weights = self.batches.batch(moment)
        w = self.weights
        asked = torch.cat([items[:, None], negatives], dim=1)  # [B, 1 + S]
        flat = asked.flatten()
        p, p_net = w["users_dot"][users], w["users_net"][users]
        q = w["items_dot"][flat].view(*asked.shape, -1)
        q_net = w["items_net"][flat].view(*asked.shape, -1)
        of_user = p_net @ w["first_users"].t() + w["first_bias"]
        hidden = F.relu(of_user[:, None] + q_net @ w["first_items"].t())
        for depth in range(self.depth):
            hidden = F.relu(hidden @ w[f"weight_{depth}"].t() + w[f"bias_{depth}"])
        scores = torch.einsum("bd,bsd->bs", p * w["out_dot"], q) + hidden @ w["out_net"]
        scores = scores + w["items_bias"][flat].view(asked.shape)
        penalty = p.square().sum() + p_net.square().sum()
        penalty = (penalty + (q.square().sum() + q_net.square().sum()) / asked.shape[1]) / len(users)
        loss = self.loss.of_scores(scores[:, 0], scores[:, 1:], weights, users)
        return loss + self.regularization * penalty

    @torch.no_grad()
    def tables(self) -> dict[str, NDArray[np.float32]]:
        """Everything that was learned, by name."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self.weights.items()}

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._tables = self.tables()
        return validation_figures(self.model, self.validation)
