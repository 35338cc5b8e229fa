"""XSimGCL: graph convolution with noise, whose contrast between layers evens out the representation.

    h(k+1) = A h(k) + eps * sign(A h(k)) * unit noise,   e = mean of layers 1..L
    loss   = BPR(e) + contrast_weight * InfoNCE(e, h(contrast_layer)) over the batch's users and items

One propagation gives the recommendation and both views. No noise when serving.
Source: Yu, Xia, Chen, Cui, Hung & Yin 2023, "XSimGCL: Towards extremely simple graph contrastive learning
for recommendation".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from gds_pipelines.interactions import Interactions
from gds_pipelines.losses import ALL, contrast
from gds_pipelines.models.base import ModelInfo, UserVectorRecommender
from gds_pipelines.models.lightgcn_full import GraphLearner, rows_of
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.propagation import FullPropagation
from gds_pipelines.training import Moment


@dataclass(frozen=True)
class XSimGCLParameters(Parameters):
    dimension: int = param(64, "length of the vectors", low=1, high=2048)
    layers: int = param(3, "propagation steps", low=1, high=8)
    contrast_layer: int = param(1, "layer that is contrasted with the result", low=1, high=8)
    noise: float = param(0.2, "length eps of the noise", low=0.0, high=1.0)
    contrast_weight: float = param(0.2, "weight of the contrast", low=0.0)
    temperature: float = param(0.2, "of the contrast", above=0.0)
    epochs: int = param(20, "passes over the pairs", low=1, high=10_000)
    batch_pairs: int = param(2048, "pairs of a step", low=1)
    negatives: int = param(1, "items drawn a pair", low=1, high=1000)
    learning_rate: float = param(0.003, "peak of the schedule", above=0.0)
    regularization: float = param(1e-4, "weight of the squared lengths of a batch's base vectors", low=0.0)
    loss: str = param("bpr", "what a step lowers, beside the contrast", choices=ALL)
    loss_temperature: float = param(0.1, "of a softmax as the loss", above=0.0)


class XSimGCL(UserVectorRecommender):
    info = ModelInfo(
        name="xsimgcl",
        title="Graph convolution with noise and contrast between layers",
        source="Yu et al. 2023, XSimGCL: Towards extremely simple graph contrastive learning for "
        "recommendation",
        contract="vectors/1",
    )
    Parameters = XSimGCLParameters
    steps = "optimizer"

    def _learner(self, interactions: Interactions, validation: Interactions | None) -> _Learner:
        return _Learner(self, interactions, validation)

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        rows = interactions.n_users + interactions.n_items
        views = 4 * 4 * parameters.batch_pairs**2
        return 4 * parameters.dimension * rows * (4 + 5 * parameters.layers) + 64 * len(interactions) + views


class _Learner(GraphLearner):
    propagation = FullPropagation

    def final(self) -> tuple[torch.Tensor, torch.Tensor]:
        return mean(self.propagate(self.users, self.items))

    def forward(self, moment: Moment) -> torch.Tensor:
        chosen = self.chosen
        generator = torch.Generator(device=moment.device).manual_seed(int(moment.rng.integers(2**62)))

        def disturb(layer: torch.Tensor) -> torch.Tensor:
            noise = torch.rand(layer.shape, generator=generator, device=layer.device)
            return layer + chosen.noise * layer.sign() * F.normalize(noise, dim=1)

        layers = self.propagate(self.users, self.items, disturb)
        users, items = mean(layers)
        batch = self.batches.batch(moment)
        if self.loss.full:
            loss = self.softmax_loss(batch, users, items)
        else:
            whose, which = rows_of(batch)
            base = self.users[whose], self.items[which]
            loss = self.ranking_loss(batch, (users[whose], items[which], *base))
        other_users, other_items = layers[min(chosen.contrast_layer, chosen.layers)]
        who, liked = batch[0].unique(), batch[1].unique()
        views = contrast(users[who], other_users[who], temperature=chosen.temperature)
        views = views + contrast(items[liked], other_items[liked], temperature=chosen.temperature)
        return loss + chosen.contrast_weight * views


def mean(layers: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Users [U, D] and items [I, D]: the mean of the layers 1..L of 0..L."""
    users, items = (torch.stack(side[1:]).mean(dim=0) for side in zip(*layers, strict=True))
    return users, items
