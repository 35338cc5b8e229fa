"""Symmetric propagation on the user-item graph, forward and backward by CSR.

With A [U, I] = w(u,i) / sqrt(d(u) d(i)) one step takes item layers to user layers by A and back by
its transpose. Each product's gradient is a product with the other matrix, so nothing is transposed at run
time. Sums of layers are taken from the inside out, h0 + A (h0 + A (h0 + …)), which needs no layer twice; and
since a loss asks for the vectors of a batch, the last product is made for the rows of the batch only, as is
the first one of the gradient.

Where base vectors stand on items only, odd item layers and even user layers are zero:

    items    h0, h2 = A'A h0, h4 = A'A h2, …       users    h1 = A h0, h3 = A h2, …

Source: He et al. 2020 (LightGCN); with base vectors on items only: e_u = 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from gds_pipelines.interactions import Interactions
from gds_pipelines.models.kernels import RowProducts, add_rows


def normalized(interactions: Interactions) -> sp.csr_array:
    """A [U, I] float32: w(u,i) / sqrt(d(u) d(i)), d = distinct neighbours."""
    by_user = np.maximum(interactions.user_degrees, 1) ** -0.5
    by_item = np.maximum(interactions.item_degrees, 1) ** -0.5
    m = interactions.matrix
    data = m.data * by_user[interactions.user_index] * by_item[m.indices]
    return sp.csr_array((data.astype(np.float32), m.indices, m.indptr), shape=m.shape)


class Adjacency:
    """A sparse matrix [R, C] that dense tables [C, D] are multiplied with: by compiled loops on the CPU, by
    torch's CSR on other devices and for other types than float32. Not differentiable itself."""

    def __init__(self, matrix: sp.csr_array) -> None:
        self.tensor, self.compiled = sparse_tensor(matrix), RowProducts(matrix)

    def to(self, device: torch.device) -> None:
        self.tensor = self.tensor.to(device)

    def times(self, table: Tensor, base: Tensor | None = None) -> Tensor:
        """[R, D] – base (or 0) + matrix @ table."""
        if not _by_loops(table):
            return self.tensor @ table if base is None else torch.addmm(base, self.tensor, table)
        out = table.new_empty(self.tensor.shape[0], table.shape[1])
        self.compiled.times(_array(table), None if base is None else _array(base), out.numpy())
        return out

    def rows(self, rows: Tensor, table: Tensor, base: Tensor | None = None) -> Tensor:
        """[B, D] – rows [B] of base (or 0) + matrix @ table."""
        if not _by_loops(table):
            return self.times(table, base)[rows]
        out = table.new_empty(len(rows), table.shape[1])
        where = None if base is None else _array(base)
        self.compiled.rows(rows.numpy(), _array(table), where, out.numpy())
        return out

    def scattered(self, rows: Tensor, values: Tensor, base: Tensor | None = None) -> Tensor:
        """[R, D] – base (or 0) + matrix @ a table of zeros to which ``values`` [B, D] were added at rows."""
        if not _by_loops(values):
            table = values.new_zeros(self.tensor.shape[1], values.shape[1])
            return self.times(table.index_add_(0, rows, values), base)
        out = values.new_empty(self.tensor.shape[0], values.shape[1])
        where = None if base is None else _array(base)
        self.compiled.marked(rows.numpy(), _array(values), where, out.numpy())
        return out


def _by_loops(table: Tensor) -> bool:
    return table.device.type == "cpu" and table.dtype == torch.float32


def _array(table: Tensor) -> np.ndarray:
    return table.detach().contiguous().numpy()


def _add(table: Tensor, rows: Tensor, values: Tensor) -> None:
    """table[rows] += values, in place; torch's own is slow on the CPU, a call a row."""
    if _by_loops(table):
        add_rows(rows.numpy(), values.numpy(), table.numpy())
    else:
        table.index_add_(0, rows, values)


class _OnGraph(torch.nn.Module):
    """Holds A and its transpose; they follow the parameters to a device, and stay out of checkpoints.

    Args:
        interactions: the training graph.
        layers: L >= 0.
    """

    def __init__(self, interactions: Interactions, layers: int) -> None:
        super().__init__()
        self.layers = layers
        forward = normalized(interactions)
        self.there, self.back = Adjacency(forward), Adjacency(sp.csr_array(forward.T.tocsr()))

    def _apply(self, fn, recurse=True):
        device = fn(torch.zeros(1)).device  # not `fn` itself: it may change the type as well
        self.there.to(device)
        self.back.to(device)
        return super()._apply(fn, recurse)


class BipartitePropagation(_OnGraph):
    """e, and the sum of user layers, from item base vectors; differentiable, on any device."""

    def forward(self, base: Tensor, who: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(users [U, D], items [I, D]): the mean over layers 0..L, as formats.md defines e; of the users
        ``who`` [B] only, where they are given."""
        users, items = _ItemLayers.apply(base, who, self)
        return users / (self.layers + 1), items / (self.layers + 1)


class MeanPropagation(_OnGraph):
    """The mean of all layers of both sides, from base vectors on both; differentiable, on any device."""

    def forward(self, users: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        """(users [U, D], items [I, D]): the mean over layers 0..L."""
        whole = (torch.arange(len(side), device=side.device) for side in (users, items))
        return self.at(users, items, *whole)[:2]

    def at(self, users: Tensor, items: Tensor, who: Tensor, which: Tensor) -> tuple[Tensor, ...]:
        """The same of users ``who`` [B] and items ``which`` [C] only, either of which may stand there twice;
        then their base vectors, for penalties: [B, D], [C, D], [B, D], [C, D]."""
        return _MeanLayers.apply(users, items, who, which, self)


class FullPropagation(_OnGraph):
    """All layers of both sides from base vectors on both, for what looks at single layers; differentiable, on
    any device."""

    def forward(
        self, users: Tensor, items: Tensor, disturb: Callable[[Tensor], Tensor] = lambda layer: layer
    ) -> list[tuple[Tensor, Tensor]]:
        """Layers 0..L as (users [U, D], items [I, D]); ``disturb`` is applied to every layer above 0."""
        found = [(users, items)]
        for _ in range(self.layers):
            users, items = (
                disturb(_Product.apply(items, self.there, self.back)),
                disturb(_Product.apply(users, self.back, self.there)),
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
    def forward(ctx, dense: Tensor, matrix: Adjacency, transposed: Adjacency) -> Tensor:
        ctx.transposed = transposed
        return matrix.times(dense)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        return ctx.transposed.times(gradient.contiguous()), None, None


class _ItemLayers(torch.autograd.Function):
    """Sums of user layers and of item layers over 0..L. With S(k) = h0 + A'A S(k-1), S(0) = h0, the items are
    S(L/2 rounded down); the users are A S(L/2 rounded up - 1)."""

    @staticmethod
    def forward(ctx, base: Tensor, who: Tensor | None, graph: BipartitePropagation):
        ctx.graph, ctx.who = graph, who
        items, users = base, base.new_zeros(graph.there.tensor.shape[0], base.shape[1])
        for _ in range(graph.layers // 2):
            users = graph.there.times(items)
            items = graph.back.times(users, base)
        if graph.layers % 2:
            users = graph.there.times(items) if who is None else graph.there.rows(who, items)
        elif who is not None:
            users = users[who]
        return users, items.clone() if items is base else items

    @staticmethod
    def backward(ctx, d_users: Tensor, d_items: Tensor):
        graph, who, repeats = ctx.graph, ctx.who, ctx.graph.layers // 2
        d_users, d_items = d_users.contiguous(), d_items.contiguous()
        if graph.layers == 0:
            return d_items, None, None
        if graph.layers % 2:
            reached = _through(graph.back, who, d_users, d_items)
            found = reached
        else:  # the users are what the last round of the items passed through
            middle = graph.there.times(d_items)
            middle = middle + d_users if who is None else middle.index_add_(0, who, d_users)
            reached = graph.back.times(middle)
            found, repeats = reached, repeats - 1
        for _ in range(repeats):
            found = graph.back.times(graph.there.times(found), reached)
        return found if graph.layers % 2 else found + d_items, None, None


def _through(matrix: Adjacency, rows: Tensor | None, values: Tensor, base: Tensor) -> Tensor:
    return matrix.times(values, base) if rows is None else matrix.scattered(rows, values, base)


class _MeanLayers(torch.autograd.Function):
    """Rows of the mean of layers 0..L of both sides, and of layer 0."""

    @staticmethod
    def forward(ctx, users: Tensor, items: Tensor, who: Tensor, which: Tensor, graph: MeanPropagation):
        ctx.graph, ctx.who, ctx.which = graph, who, which
        ctx.shapes = users.shape, items.shape
        own = users.index_select(0, who), items.index_select(0, which)
        if graph.layers == 0:
            return own[0].clone(), own[1].clone(), *own
        u, i = users, items
        for _ in range(graph.layers - 1):
            u, i = graph.there.times(i, users), graph.back.times(u, items)
        share = 1 / (graph.layers + 1)
        return graph.there.rows(who, i, users) * share, graph.back.rows(which, u, items) * share, *own

    @staticmethod
    def backward(ctx, d_users: Tensor, d_items: Tensor, d_own_users: Tensor, d_own_items: Tensor):
        graph, who, which = ctx.graph, ctx.who, ctx.which
        share = 1 / (graph.layers + 1)
        d_users, d_items = (d_users * share).contiguous(), (d_items * share).contiguous()
        if graph.layers == 0:
            u, i = (d_users.new_zeros(shape) for shape in ctx.shapes)
        else:
            u, i = graph.there.scattered(which, d_items), graph.back.scattered(who, d_users)
        # The gradient of the batch stands on a few rows only: adding those beats adding a table of zeros.
        _add(u, who, d_users)
        _add(i, which, d_items)
        for _ in range(graph.layers - 1):
            u, i = graph.there.times(i), graph.back.times(u)
            _add(u, who, d_users)
            _add(i, which, d_items)
        _add(u, who, d_own_users.contiguous())
        _add(i, which, d_own_items.contiguous())
        return u, i, None, None, None
