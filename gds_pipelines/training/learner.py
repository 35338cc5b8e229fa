"""What a model hands to the training loop."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass
class Moment:
    """The step being taken. Not frozen: with mixed precision Fabric hands a learner a copy, field by field.

    Attributes:
        epoch, step: counted from 0; ``step`` within the epoch.
        device: where tensors of the batch belong.
        rng: seeded by (seed, epoch, step) and nothing else.
        shared: what ``begin_epoch`` gave.
        rank, world: which of how many processes this is.
    """

    epoch: int
    step: int
    device: torch.device
    rng: np.random.Generator
    shared: Any = None
    rank: int = 0
    world: int = 1


class Learner(torch.nn.Module):
    """What the loop trains: parameters, batches, loss.

    ``name`` and ``hyperparameters`` identify a run: a checkpoint of another one is refused.
    """

    name: str = "model"
    epochs: int = 1
    seed: int = 0
    learning_rate: float = 1e-3
    final_share: float = 0.05
    """The cosine schedule ends at this share of ``learning_rate``."""
    warmup: int = 10
    hyperparameters: Mapping[str, Any] = {}
    manual: bool = False
    """True: ``advance`` takes the whole step itself (fused kernels); one device only."""
    some_unused: bool = False
    """True where a step may leave parameters out: several devices must look which."""

    @abstractmethod
    def steps(self) -> int:
        """Batches of an epoch, >= 1."""

    def begin_epoch(self, rng: np.random.Generator) -> Any:
        """What all steps of an epoch share, e.g. a permutation; seeded by (seed, epoch)."""
        return None

    @abstractmethod
    def forward(self, moment: Moment) -> torch.Tensor:
        """Loss of one batch, a scalar. With several devices take every ``world``-th part, from ``rank``."""

    def optimizer(self) -> torch.optim.Optimizer:
        """Made once a run; not asked of a manual learner."""
        return torch.optim.Adam(self.parameters(), lr=self.learning_rate, betas=(0.9, 0.99), fused=True)

    def advance(self, moment: Moment, learning_rate: float) -> float | torch.Tensor:
        """One whole step of a manual learner; returns its loss."""
        raise NotImplementedError

    def evaluate(self) -> Mapping[str, float] | None:
        """Validation figures, the first of which decides (higher is better); None without validation."""
        return None
