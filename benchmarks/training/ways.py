"""LightGCN's training step as our registry takes it and as two other libraries do.

All ways here have the same model (base vectors on users and items, D = 64, mean of layers 0..3), the same
loss (BPR over one drawn negative a pair, plus 1e-4 times half the mean squared length of a batch's base
vectors) and Adam over all base vectors: one batch gives one loss and one gradient, which
``tests/unit/test_training_benchmark.py`` checks. What differs is how the graph is propagated over.

- ``SparseProductWay`` does it as LightGCN-PyTorch: both sides in one table, one symmetric matrix in torch's
  COO form, ``torch.sparse.mm`` a layer, layers stacked and averaged, all by autograd.
- ``EdgeIndexWay`` is ``torch_geometric.nn.LightGCN`` as its documentation trains it: ``edge_index`` with both
  directions, so that each layer normalises, gathers a message an edge and scatters it.
- ``OwnWay`` is any model of the registry, by the loop that trains it.

Sources: He et al. 2020 (LightGCN); the public repository gusye1234/LightGCN-PyTorch, read for what a step
does; PyG's ``examples/lightgcn.py``.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gds_pipelines import models
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.batches import PairBatches, users_of_a_step
from gds_pipelines.models.propagation import normalized
from gds_pipelines.training import Cancelled, TrainingOptions

LAYERS = 3
DIMENSION = 64
PENALTY = 1e-4
LEARNING_RATE = 1e-3

Batch = tuple[Tensor, Tensor, Tensor]
"""Users [B], items they have [B], items they lack [B]."""


class Seconds(NamedTuple):
    """Of one step: by the clock, and of all threads of the process."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Machine:
    """Where all ways run: 'cpu' or 'cuda', and with how many threads."""

    device: str
    threads: int

    def now(self) -> Seconds:
        """The clock, once the device has done what it was given."""
        if self.device != "cpu":
            torch.cuda.synchronize()
        return Seconds(time.perf_counter(), time.process_time())


class Way(ABC):
    """One way to train.

    Attributes:
        way: its name in the table.
        size: of a step, in ``unit``: pairs or users.
        epoch: steps that an epoch has.
    """

    way: str
    size: int
    unit: str = "pairs"
    epoch: int

    @abstractmethod
    def steps(self, count: int) -> list[Seconds]:
        """Takes ``count`` steps, each timed by itself."""


class OwnWay(Way):
    """A model of the registry by its ``fit``, told to stop after so many steps; its batches are drawn within
    the time.

    Args:
        model: its name.
        settings: hyper-parameters that are not the shipped ones.
        per_user: a step takes users, not pairs.
    """

    def __init__(
        self,
        interactions: Interactions,
        machine: Machine,
        model: str,
        settings: Mapping[str, Any] | None = None,
        *,
        per_user: bool = False,
    ) -> None:
        self.interactions, self.machine = interactions, machine
        self.model, self.settings = model, {**(settings or {}), "epochs": 10_000}
        chosen = models.recommender(model)(settings).parameters.to_mapping()
        of = (interactions.user_degrees > 0).sum() if per_user else len(interactions)
        self.size = chosen["batch_users" if per_user else "batch_pairs"] or users_of_a_step(of)
        self.epoch, self.unit = max(1, -(-int(of) // self.size)), "users" if per_user else "pairs"
        self.way = f"{model}{'' if settings else ' as shipped'}, {self.size:,} {self.unit}"

    def steps(self, count: int) -> list[Seconds]:
        stamps: list[Seconds] = []

        def stop() -> bool:  # the loop asks before every step
            stamps.append(self.machine.now())
            return len(stamps) > count

        options = TrainingOptions(
            accelerator=self.machine.device, threads=self.machine.threads, should_stop=stop
        )
        with contextlib.suppress(Cancelled):
            models.recommender(self.model)(self.settings, seed=1).fit(self.interactions, options=options)
        return between(stamps)


class OtherWay(Way, torch.nn.Module):
    """A step written out: loss, gradient, Adam. Its batches are drawn before the time is taken."""

    name: str

    def __init__(self, interactions: Interactions, machine: Machine, size: int) -> None:
        torch.nn.Module.__init__(self)
        self.machine = machine
        self.batches = PairBatches(interactions, size, 1)
        self.size, self.epoch = size, self.batches.steps()
        self.way = f"as {self.name}, {size:,} pairs"
        self.n_users, self.n_items = interactions.n_users, interactions.n_items
        self.rng = np.random.default_rng(1)

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """Of a batch, with the penalty."""

    @abstractmethod
    def tables(self) -> tuple[Tensor, Tensor]:
        """Base vectors [U, D] and [I, D], to be read and written in place."""

    @abstractmethod
    def gradients(self) -> tuple[Tensor, Tensor]:
        """Of the base vectors [U, D] and [I, D], after ``backward``."""

    def ready(self) -> None:
        """To the device, once all parameters stand."""
        self.to(self.machine.device)
        self.optimizer = torch.optim.Adam(self.parameters(), lr=LEARNING_RATE)

    def draw(self, count: int) -> list[Batch]:
        pairs = self.rng.permutation(len(self.batches.users))
        found = []
        for step in range(count):
            chosen = np.resize(pairs[step * self.size : (step + 1) * self.size], self.size)
            users = self.batches.users[chosen]
            negatives = np.maximum(self.batches.draw(users, self.rng)[:, 0], 0)
            parts = (users, self.batches.items[chosen], negatives)
            found.append(tuple(torch.from_numpy(part).to(self.machine.device) for part in parts))
        return found

    def steps(self, count: int) -> list[Seconds]:
        batches = self.draw(count)
        torch.set_num_threads(self.machine.threads)
        stamps = [self.machine.now()]
        for batch in batches:
            loss = self.loss(batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()
            stamps.append(self.machine.now())
        return between(stamps)


class SparseProductWay(OtherWay):
    """As LightGCN-PyTorch does it."""

    name = "LightGCN-PyTorch"

    def __init__(self, interactions: Interactions, machine: Machine, size: int) -> None:
        super().__init__(interactions, machine, size)
        self.users = torch.nn.Embedding(self.n_users, DIMENSION)
        self.items = torch.nn.Embedding(self.n_items, DIMENSION)
        for table in (self.users, self.items):
            torch.nn.init.normal_(table.weight, std=0.1)
        half = normalized(interactions).tocoo()
        there = np.stack([half.row, half.col + self.n_users]).astype(np.int64)
        whole = np.concatenate([there, there[::-1]], axis=1)
        values = torch.from_numpy(np.concatenate([half.data, half.data]))
        nodes = self.n_users + self.n_items
        graph = torch.sparse_coo_tensor(
            torch.from_numpy(whole), values, (nodes, nodes), check_invariants=True
        )
        self.graph = graph.coalesce().to(machine.device)
        self.ready()

    def loss(self, batch: Batch) -> Tensor:
        who, liked, lacking = batch
        layer = torch.cat([self.users.weight, self.items.weight])
        layers = [layer]
        for _ in range(LAYERS):
            layer = torch.sparse.mm(self.graph, layer)
            layers.append(layer)
        users, items = torch.stack(layers, dim=1).mean(dim=1).split([self.n_users, self.n_items])
        u, p, n = users[who], items[liked], items[lacking]
        squares = sum(
            base.norm(2).pow(2) for base in (self.users(who), self.items(liked), self.items(lacking))
        )
        ranked = F.softplus((u * n).sum(dim=1) - (u * p).sum(dim=1)).mean()
        return ranked + PENALTY * squares / 2 / len(who)

    def tables(self) -> tuple[Tensor, Tensor]:
        return self.users.weight.data, self.items.weight.data

    def gradients(self) -> tuple[Tensor, Tensor]:
        return self.users.weight.grad, self.items.weight.grad


class EdgeIndexWay(OtherWay):
    """As PyG does it."""

    name = "PyG edge_index"

    def __init__(self, interactions: Interactions, machine: Machine, size: int) -> None:
        from torch_geometric.nn import LightGCN

        super().__init__(interactions, machine, size)
        self.model = LightGCN(self.n_users + self.n_items, DIMENSION, LAYERS)
        half = normalized(interactions).tocoo()
        there = np.stack([half.row, half.col + self.n_users]).astype(np.int64)
        whole = torch.from_numpy(np.concatenate([there, there[::-1]], axis=1))
        self.register_buffer("edge_index", whole)
        self.ready()

    def loss(self, batch: Batch) -> Tensor:
        who, liked, lacking = batch
        liked, lacking = liked + self.n_users, lacking + self.n_users
        asked = torch.stack([torch.cat([who, who]), torch.cat([liked, lacking])])
        positive, negative = self.model(self.edge_index, asked).chunk(2)
        return self.model.recommendation_loss(
            positive, negative, node_id=torch.cat([who, liked, lacking]), lambda_reg=PENALTY / 2
        )

    def tables(self) -> tuple[Tensor, Tensor]:
        return self.model.embedding.weight.data.split([self.n_users, self.n_items])

    def gradients(self) -> tuple[Tensor, Tensor]:
        return self.model.embedding.weight.grad.split([self.n_users, self.n_items])


def between(stamps: Sequence[Seconds]) -> list[Seconds]:
    """What lies between each stamp and the next."""
    return [Seconds(b.wall - a.wall, b.cpu - a.cpu) for a, b in itertools.pairwise(stamps)]
