"""Symmetric propagation on the user-item graph without user base vectors, forward and backward by CSR.

With A [U, I] = w(u,i) / sqrt(d(u) d(i)) one step takes item layers to user layers by A and back by
its transpose. Base vectors stand on items only, so odd item layers and even user layers are zero:

    items    h0, h2 = A'A h0, h4 = A'A h2, …       users    h1 = A h0, h3 = A h2, …

Each sparse product's gradient is a product with the other matrix, so nothing is transposed at run time.
Source: He et al. 2020 (LightGCN), with e_u = 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from gds_pipelines.interactions import Interactions


def normalized(interactions: Interactions) -> sp.csr_array:
    """A [U, I] float32: w(u,i) / sqrt(d(u) d(i)), d = distinct neighbours."""
    by_user = np.maximum(interactions.user_degrees, 1) ** -0.5
    by_item = np.maximum(interactions.item_degrees, 1) ** -0.5
    m = interactions.matrix
    data = m.data * by_user[interactions.user_index] * by_item[m.indices]
    return sp.csr_array((data.astype(np.float32), m.indices, m.indptr), shape=m.shape)


class _OnGraph(torch.nn.Module):
    """Holds A and its transpose; they follow the parameters to a device, and stay out of checkpoints."""

    def __init__(self, interactions: Interactions, layers: int) -> None:
        super().__init__()
        self.layers = layers
        forward = normalized(interactions)
        self._there, self._back = sparse_tensor(forward), sparse_tensor(sp.csr_array(forward.T.tocsr()))

    def _apply(self, fn, recurse=True):
        device = fn(torch.zeros(1)).device  # not `fn` itself: it may change the type as well
        self._there, self._back = self._there.to(device), self._back.to(device)
        return super()._apply(fn, recurse)


class BipartitePropagation(_OnGraph):
    """e, and the sum of user layers, from item base vectors; differentiable, on any device.

    Args:
        interactions: the training graph.
        layers: L >= 0.
    """

    def forward(self, base: Tensor) -> tuple[Tensor, Tensor]:
        """(users [U, D], items [I, D]): the mean over layers 0..L, as formats.md defines e."""
        layer, items, users = base, base, None
        for step in range(self.layers):
            if step % 2 == 0:
                layer = _Product.apply(layer, self._there, self._back)
                users = layer if users is None else users + layer
            else:
                layer = _Product.apply(layer, self._back, self._there)
                items = items + layer
        if users is None:
            users = base.new_zeros(self._there.shape[0], base.shape[1])
        return users / (self.layers + 1), items / (self.layers + 1)


class FullPropagation(_OnGraph):
    """All layers of both sides from base vectors on both; differentiable, on any device.

    Args:
        interactions: the training graph.
        layers: L >= 0.
    ``known_users`` [U] says who has at least one interaction.
    """

    def __init__(self, interactions: Interactions, layers: int) -> None:
        super().__init__(interactions, layers)
        self.known_users = interactions.user_degrees > 0

    def forward(
        self, users: Tensor, items: Tensor, disturb: Callable[[Tensor], Tensor] = lambda layer: layer
    ) -> list[tuple[Tensor, Tensor]]:
        """Layers 0..L as (users [U, D], items [I, D]); ``disturb`` is applied to every layer above 0."""
        found = [(users, items)]
        for _ in range(self.layers):
            users, items = (
                disturb(_Product.apply(items, self._there, self._back)),
                disturb(_Product.apply(users, self._back, self._there)),
            )
            found.append((users, items))
        return found


def final_vectors(interactions: Interactions, base: np.ndarray, layers: int) -> tuple[np.ndarray, np.ndarray]:
    """e and c [I, D] of item base vectors, by scipy: e from layers 0..L, c = d^-1/2 * layers 0..L-1, over
    L+1."""
    matrix = normalized(interactions)
    transposed = matrix.T.tocsr()
    layer = base.astype(np.float32)
    e = layer.copy()
    c = layer.copy() if layers > 0 else np.zeros_like(layer)
    for step in range(1, layers + 1):
        layer = np.asarray((matrix if step % 2 else transposed) @ layer)
        if step % 2 == 0:
            e += layer
            if step < layers:
                c += layer
    scale = np.maximum(interactions.item_degrees, 1) ** -0.5
    return e / (layers + 1), (c * scale[:, None] / (layers + 1)).astype(np.float32)


def sparse_tensor(matrix: sp.csr_array) -> Tensor:
    """A scipy CSR matrix as torch has it, with int32 indices (MKL and cuSPARSE are faster on them)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*[Ss]parse.*")  # torch calls its CSR support a beta
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int32)),
            torch.from_numpy(matrix.indices.astype(np.int32)),
            torch.from_numpy(matrix.data),
            size=matrix.shape,
        )


class _Product(torch.autograd.Function):
    """matrix @ dense, whose gradient is transpose @ gradient."""

    @staticmethod
    def forward(ctx, dense: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ dense

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return ctx.transposed @ gradient.contiguous(), None, None
