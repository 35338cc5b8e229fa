"""FISM's form, trained by a softmax over all items: two item tables, no user table, no graph layers.

    user      u    = sum over items(u) of w(u,i) d_i^-source_power C0_i       (its length does not matter)
    item      e_i  = g_i E0_i / |E0_i|,   g_i = d_i^length / mean_j d_j^length
    logits    s_uj = (u / |u|) . e_j / temperature
    loss      sum over pairs of w(u,i) n_u^-user_weight [ -s_ui + log sum_{j not in items(u)} exp(s_uj) ]
    stored    c_i  = d_i^-source_power C0_i and e_i;  score(u, i) = (sum of w c over the user's items) . e_i

Both tables start from the leading singular vectors of the normalised graph and are not tied. Negatives are
all items
the user does not have. The gradient is written by hand: the [batch, I] matrix is made once, in bfloat16
where the device
has it, and Adam runs in one pass over each table. A new user needs only the stored c.

Cost of an epoch: 6 users x items x D flops and users x items exponentials, nearly independent of the number
of
interactions. Memory: two tables with two moments each, and one block of batch x items.
Source: Kabbur, Ning & Karypis 2013 (FISM); spectral start, degree weights and full softmax: own, measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numba as nb
import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from gds_pipelines.interactions import Interactions
from gds_pipelines.losses import FullSoftmax, fast_type
from gds_pipelines.models.base import ModelInfo, PropagationRecommender
from gds_pipelines.models.batches import BatchLearner, UserBatches, users_of_a_step, validation_figures
from gds_pipelines.models.kernels import spmm_add
from gds_pipelines.models.parameters import Parameters, param
from gds_pipelines.models.propagation import normalized, sparse_tensor
from gds_pipelines.models.spectral import spectral_start
from gds_pipelines.models.warm_start import StartVectors
from gds_pipelines.training import Moment, TrainingOptions, train

BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-12


@dataclass(frozen=True)
class FISMParameters(Parameters):
    dimension: int = param(256, "length of the vectors", low=1, high=2048)
    epochs: int = param(5, "passes over the users", low=1, high=10_000)
    batch_users: int | None = param(
        None, "users of a step; none = 64 to 1,024, about 30 steps an epoch", low=1
    )
    learning_rate: float = param(0.01, "peak of the schedule", above=0.0)
    temperature: float = param(0.12, "of the softmax", above=0.0, search=(0.08, 0.25, "log"))
    source_power: float = param(
        0.65, "how much a popular item counts less in a user", low=0.0, high=2.0, search=(0.3, 1.0)
    )
    length: float = param(
        0.13, "exponent of the degree in an item's length", low=-1.0, high=1.0, search=(0.0, 0.25)
    )
    user_weight: float = param(
        0.4, "exponent: how much less a positive of a heavy user counts", low=0.0, high=1.0
    )


class FISM(PropagationRecommender):
    info = ModelInfo(
        name="fism",
        title="One-hop item encoder with a softmax over all items",
        source="Kabbur, Ning & Karypis 2013, FISM: Factored item similarity models; training: own",
        contract="item-propagation/1",
    )
    Parameters = FISMParameters
    steps = "own"
    exponent = 0.0
    first_tries = (
        {},
        {"temperature": 0.17, "length": 0.1, "source_power": 0.75},
        {"temperature": 0.09, "length": 0.13},
        {"temperature": 0.15, "length": 0.05},
    )
    search_with: ClassVar = {"dimension": 64}
    starts_warm = True

    def _fit(
        self, interactions: Interactions, validation: Interactions | None, options: TrainingOptions
    ) -> None:
        learner = _Learner(self, interactions, validation, options)
        self.training_report = train(learner, options).to_mapping()
        self._e, self._c = learner.vectors()

    def _state(self) -> dict[str, NDArray]:
        return {"e": self._e, "c": self._c}

    def _restore(self, state: Mapping[str, NDArray]) -> None:
        self._e, self._c = state["e"], state["c"]

    @classmethod
    def _estimate(cls, interactions: Interactions, parameters: Parameters) -> int:
        # two tables with two moments, gradients and the 16-bit copy; the block; the spectral start
        tables = 4 * 11 * parameters.dimension * interactions.n_items
        start = 4 * 4 * (parameters.dimension + 32) * (interactions.n_users + interactions.n_items)
        batch = parameters.batch_users or users_of_a_step(interactions.n_users)
        return tables + start + 4 * batch * interactions.n_items + 48 * len(interactions)


class _Learner(BatchLearner):
    """Both tables with their moments; ``advance`` is one whole step, compiled on the CPU, plain torch
    elsewhere."""

    manual = True

    def __init__(
        self,
        model: FISM,
        interactions: Interactions,
        validation: Interactions | None,
        options: TrainingOptions,
    ) -> None:
        super().__init__()
        chosen = model.parameters
        self.name, self.seed, self.hyperparameters = model.info.name, model.seed, chosen.to_mapping()
        self.epochs, self.learning_rate = chosen.epochs, chosen.learning_rate
        self.batches = UserBatches(interactions, chosen.batch_users, chosen.user_weight)
        self.fingerprint = self.batches.fingerprint
        degrees = np.maximum(interactions.item_degrees, 1).astype(np.float64)
        self.source_weight = (degrees**-chosen.source_power).astype(np.float32)
        items = sources = spectral_start(normalized(interactions), chosen.dimension, model.seed)
        if model.start is not None:
            items, sources = self._warm(model.start, items, interactions.item_keys)
        for table, begun in (("items", items), ("sources", sources)):
            start = torch.from_numpy(begun)
            self.register_buffer(table, start.clone())
            self.register_buffer(f"{table}_mean", torch.zeros_like(start))
            self.register_buffer(f"{table}_square", torch.zeros_like(start))
        length = degrees**chosen.length
        self.register_buffer(
            "length", torch.from_numpy((length / length.mean()).astype(np.float32)), persistent=False
        )
        self.empty = interactions.item_degrees == 0
        self.exact = options.precision in ("32-true", "64-true")
        self.temperature, self.softmax = chosen.temperature, None
        self.model, self.validation = model, validation

    def _warm(
        self, start: StartVectors, table: NDArray[np.float32], keys: NDArray
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both tables where those of an earlier version ended; of e the direction, for that is learned."""
        table = start.turned(table, keys)
        items = start.over_items(table, keys)
        # The length of a row is how slowly it turns: that of a fresh one.
        norms = (np.linalg.norm(one, axis=1, keepdims=True) for one in (table, items))
        fresh, given = (np.maximum(one, 1e-12) for one in norms)
        sources = start.over_contexts(table * self.source_weight[:, None], keys)
        return items * (fresh / given), sources / self.source_weight[:, None]

    def forward(self, moment: Moment) -> torch.Tensor:
        raise TypeError("fism takes whole steps by `advance`")

    def advance(self, moment: Moment, learning_rate: float) -> torch.Tensor:
        users, matrix, weight = self.batches.rows(moment)
        rows = np.repeat(np.arange(len(users)), np.diff(matrix.indptr))
        inward = sp.csr_array(
            (matrix.data * self.source_weight[matrix.indices], matrix.indices, matrix.indptr),
            shape=matrix.shape,
        )
        outward = sp.csr_array((weight, matrix.indices, matrix.indptr), shape=matrix.shape)
        if self.softmax is None:
            dtype = torch.float32 if self.exact else fast_type(moment.device)
            self.softmax = FullSoftmax(self.temperature, dtype)
        product = _on_cpu if _compiled(self.items) else _on_device
        e = F.normalize(self.items, dim=1) * self.length[:, None]
        raw = product(inward, self.sources)  # [B, D]
        norm = raw.norm(dim=1, keepdim=True).clamp_(min=1e-12)
        unit = raw / norm
        pairs = torch.from_numpy(rows), torch.from_numpy(matrix.indices.astype(np.int64))
        of_user = torch.from_numpy(np.bincount(rows, weight, len(users)).astype(np.float32))
        rows_at, columns, of_user = (part.to(moment.device) for part in (*pairs, of_user))
        loss, d_unit, d_e = self.softmax.denominators(unit, e, rows_at, columns, of_user)
        positive = product(outward, e)
        loss = loss - (positive * unit).sum() / self.temperature
        d_unit -= positive
        product(sp.csr_array(outward.T.tocsr()), unit, add_to=d_e, sign=-1.0)
        d_raw = (d_unit - unit * (unit * d_unit).sum(dim=1, keepdim=True)) / norm
        d_sources = product(sp.csr_array(inward.T.tocsr()), d_raw)
        # The 1 / temperature of the gradient is left out: Adam does not see a constant factor.
        step = moment.epoch * self.steps() + moment.step + 1
        self._adam("items", d_e, self.length, learning_rate, step)
        self._adam("sources", d_sources, None, learning_rate, step)
        return loss / len(users)

    def _adam(
        self, name: str, gradient: torch.Tensor, length: torch.Tensor | None, rate: float, step: int
    ) -> None:
        """One Adam step of a table; with ``length`` the gradient first goes through e = length * P / |P|."""
        table, mean, square = (getattr(self, name + suffix) for suffix in ("", "_mean", "_square"))
        first, second = 1 / (1 - BETA1**step), 1 / (1 - BETA2**step)
        if _compiled(table):
            numbers = np.asarray([rate, BETA1, BETA2, first, second], np.float32)
            lengths = np.ones(0, np.float32) if length is None else length.numpy()
            arrays = (table.numpy(), gradient.numpy(), mean.numpy(), square.numpy(), lengths)
            _adam_rows(*arrays, length is not None, numbers)
            return
        if length is not None:
            norm = table.norm(dim=1, keepdim=True).clamp_(min=1e-10)
            unit = table / norm
            gradient = (gradient - unit * (unit * gradient).sum(dim=1, keepdim=True)) * (
                length[:, None] / norm
            )
        mean.lerp_(gradient, 1 - BETA1)
        square.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        table.addcdiv_(mean * first, (square * second).sqrt_().add_(EPSILON), value=-rate)

    @torch.no_grad()
    def vectors(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """e and c [I, D]; the c of an item nobody had in training is zero."""
        e = (F.normalize(self.items, dim=1) * self.length[:, None]).cpu().numpy()
        c = self.sources.cpu().numpy() * self.source_weight[:, None]
        c[self.empty] = 0
        return np.ascontiguousarray(e), np.ascontiguousarray(c)

    def evaluate(self) -> Mapping[str, float] | None:
        if self.validation is None:
            return None
        self.model._e, self.model._c = self.vectors()
        return validation_figures(self.model, self.validation)


def _compiled(table: torch.Tensor) -> bool:
    """Whether the compiled loops can work on it."""
    return table.device.type == "cpu"


def _on_cpu(
    matrix: sp.csr_array, table: torch.Tensor, add_to: torch.Tensor | None = None, sign: float = 1.0
) -> torch.Tensor:
    out = torch.zeros(matrix.shape[0], table.shape[1]) if add_to is None else add_to
    data = np.asarray(matrix.data, np.float32)
    spmm_add(matrix.indptr, matrix.indices, data, table.numpy(), out.numpy(), np.float32(sign))
    return out


def _on_device(
    matrix: sp.csr_array, table: torch.Tensor, add_to: torch.Tensor | None = None, sign: float = 1.0
) -> torch.Tensor:
    found = sparse_tensor(matrix).to(table.device) @ table
    return found if add_to is None else add_to.add_(found, alpha=sign)


@nb.njit(parallel=True, fastmath=True, cache=True, nogil=True)
def _adam_rows(table, gradient, mean, square, length, unit, numbers):
    rate, b1, b2, first, second = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    one = np.float32(1.0)
    tiny = np.float32(1e-12)
    for i in nb.prange(table.shape[0]):
        scale = one
        along = np.float32(0.0)
        if unit:
            s = np.float32(1e-20)
            t = np.float32(0.0)
            for d in range(table.shape[1]):
                s += table[i, d] * table[i, d]
                t += gradient[i, d] * table[i, d]
            scale = length[i] / np.sqrt(s)
            along = scale * t / s
        for d in range(table.shape[1]):
            x = scale * gradient[i, d] - along * table[i, d]
            m = b1 * mean[i, d] + (one - b1) * x
            v = b2 * square[i, d] + (one - b2) * x * x
            mean[i, d] = m
            square[i, d] = v
            table[i, d] -= rate * (m * first) / (np.sqrt(v * second) + tiny)
