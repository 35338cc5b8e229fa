"""Encoders over padded blocks: GraphSAGE, GAT and a heterogeneous graph transformer.

One module trains and serves: it takes the tensors of ``padded-blocks/1`` (``docs/formats.md`` section 7) and
is exported as it stands. Built from Gather, MatMul, Softmax and elementwise operators alone: no scatter, and
no reduction over an axis that may be empty. Shapes: R = receivers, M = senders at hand, K = fan-out,
D = dimension, H = heads, F = properties of a relation. Equations and cost stand in
``docs/feature-models.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gds_pipelines.errors import InvalidInput
from model_export import block_schema as names
from model_export.block_schema import BlockSchema, NodeType

TINY = 1e-12
FAR = 1e30


class NodeInput(nn.Module):
    """h0 of a type from its columns: scaled numbers, missing flags and code embeddings, summed into D.

    h0 = W [ (x - mean) / scale, 0 where missing ; flags ] + sum over coded features of T[code] + b, where a
    list counts with the mean of its entries. A type without features has b alone.

    Args:
        node: the type.
        dimension: D.
        mean, scale: [W] of the columns of x; 0 and 1 when None. scale > 0.
    """

    def __init__(
        self, node: NodeType, dimension: int, mean: Tensor | None = None, scale: Tensor | None = None
    ) -> None:
        super().__init__()
        self.coded = [feature for feature in node.features if feature.coded]
        dense = [feature for feature in node.features if not feature.coded]
        self.constant = nn.Parameter(torch.randn(dimension) / dimension**0.5)
        if node.width:
            group = torch.zeros(node.width, len(dense))
            start = 0
            for at, feature in enumerate(dense):
                group[start : start + feature.columns, at] = 1.0
                start += feature.columns
            self.register_buffer("group", group)  # which feature a column belongs to
            self.register_buffer("mean", torch.zeros(node.width) if mean is None else mean.float())
            self.register_buffer("scale", torch.ones(node.width) if scale is None else scale.float())
            self.dense = nn.Linear(node.width + len(dense), dimension, bias=False)
        self.tables = nn.ParameterList(
            nn.Parameter(torch.randn(feature.codes, dimension) / dimension**0.5) for feature in self.coded
        )

    def forward(self, x: Tensor | None, code: Tensor | None, like: Tensor) -> Tensor:
        """[N, D]; ``like`` [N] gives the number of rows where there are no columns."""
        found = self.constant + 0.0 * like.unsqueeze(1).to(self.constant.dtype)
        if x is not None:
            missing = torch.isnan(x)
            scaled = torch.where(missing, 0.0, (x - self.mean) / self.scale)
            flags = (missing.to(x.dtype) @ self.group).clamp(max=1.0)
            found = found + self.dense(torch.cat([scaled, flags], 1))
        column = 0
        for feature, table in zip(self.coded, self.tables, strict=True):
            if feature.encoder == "category":
                found = found + table.index_select(0, code[:, column])
            else:
                entries = code[:, column : column + feature.columns]
                found = found + mean_of(table, entries)
            column += feature.columns
        return found


def mask_of(nbr: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """[R, K] 1 where there is a neighbour, and [R, 1] how many, at least 1."""
    there = (nbr >= 0).to(like.dtype)
    count = (there @ torch.ones(nbr.shape[1], 1, dtype=like.dtype, device=like.device)).clamp(min=1.0)
    return there, count


def mean_of(values: Tensor, nbr: Tensor) -> Tensor:
    """[R, D] – mean of the rows of ``values`` [M, D] at ``nbr`` [R, K]; 0 where all are -1."""
    there, count = mask_of(nbr, values)
    gathered = values.index_select(0, nbr.clamp(min=0).flatten()).view(nbr.shape[0], nbr.shape[1], -1)
    return ((there / count).unsqueeze(1) @ gathered).squeeze(1)


def start_near_identity(own: nn.ModuleList, sent: nn.ModuleList) -> None:
    """Square projections begin as smoothing over the graph, which keeps what the features already say."""
    for linear in (*own, *sent):
        nn.init.eye_(linear.weight)
        linear.weight.data += torch.randn_like(linear.weight) * 0.1 / linear.in_features**0.5
    for linear in own:
        nn.init.zeros_(linear.bias)


class EdgeInput(nn.Module):
    """What a layer hears of the relationships drawn, beside their senders.

    U [ mean over the drawn k of (e_k - m) / s, 0 where missing ; share of those missing ]

    Args:
        columns: F properties of the relation.
        mean, scale: [F]; 0 and 1 when None. scale > 0.
    """

    def __init__(
        self, columns: int, dimension: int, mean: Tensor | None = None, scale: Tensor | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(columns) if mean is None else mean.float())
        self.register_buffer("scale", torch.ones(columns) if scale is None else scale.float())
        self.heard = nn.Linear(2 * columns, dimension, bias=False)

    def forward(self, ef: Tensor, nbr: Tensor) -> Tensor:
        """From ``ef`` [R, K, F], NaN = missing, and ``nbr`` [R, K]; zeros where all are -1."""
        there, count = mask_of(nbr, ef)
        missing = torch.isnan(ef)
        scaled = torch.where(missing, 0.0, (ef - self.mean) / self.scale)
        both = torch.cat([scaled, missing.to(ef.dtype)], 2)
        return self.heard(((there / count).unsqueeze(1) @ both).squeeze(1))


class SageLayer(nn.Module):
    """h' = W_t h + sum over relations r into t of (W_r mean_r + b_r log(1 + d_r)) + b_t.

    Source: Hamilton, Ying & Leskovec 2017, "Inductive representation learning on large graphs", the mean
    aggregator, one weight a relation as in Schlichtkrull et al. 2018.
    """

    def __init__(self, schema: BlockSchema, dimension: int, **_: int) -> None:
        super().__init__()
        self.own = nn.ModuleList(nn.Linear(dimension, dimension) for _ in schema.types)
        self.sent = nn.ModuleList(nn.Linear(dimension, dimension, bias=False) for _ in schema.relations)
        self.degree = nn.ParameterList(nn.Parameter(torch.zeros(dimension)) for _ in schema.relations)
        start_near_identity(self.own, self.sent)

    def prepared(self, relation: int, source: int, senders: Tensor) -> Tensor:
        """Senders [M, D], projected once for all who receive from them."""
        return self.sent[relation](senders)

    def forward(
        self, number: int, own: Tensor, heard: Sequence[tuple[int, Tensor, Tensor, Tensor]]
    ) -> Tensor:
        """[R, D] from ``own`` [R, D] and (relation, prepared senders, nbr [R, K], degrees [R])."""
        found = self.own[number](own)
        for relation, senders, nbr, degrees in heard:
            found = found + mean_of(senders, nbr)
            found = found + torch.log1p(degrees).unsqueeze(1) * self.degree[relation]
        return found


class GatLayer(nn.Module):
    """Attention within each relation; the relations are added.

    a_rk = softmax over the drawn k of LeakyReLU(p_r . W_r h_k + q_r . V_r h), per head;
    h' = W_t h + sum over r of sum over k of a_rk W_r h_k + b_t

    Source: Veličković et al. 2018, "Graph attention networks"; the node itself has a weight of its own
    instead of a self loop.
    """

    def __init__(self, schema: BlockSchema, dimension: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.own = nn.ModuleList(nn.Linear(dimension, dimension) for _ in schema.types)
        self.sent = nn.ModuleList(nn.Linear(dimension, dimension, bias=False) for _ in schema.relations)
        width = dimension // heads
        self.sender = nn.ParameterList(
            nn.Parameter(torch.randn(dimension) / width**0.5) for _ in schema.relations
        )
        group = torch.arange(dimension).unsqueeze(1) // width == torch.arange(heads)
        self.register_buffer("group", group.float(), persistent=False)  # [D, H]: which head a column is of
        # [D, H]: the receiver's part of the score, projection and attention vector in one.
        self.receiver = nn.ModuleList(nn.Linear(dimension, heads, bias=False) for _ in schema.relations)
        start_near_identity(self.own, self.sent)

    def prepared(self, relation: int, source: int, senders: Tensor) -> Tensor:
        return self.sent[relation](senders)

    def forward(
        self, number: int, own: Tensor, heard: Sequence[tuple[int, Tensor, Tensor, Tensor]]
    ) -> Tensor:
        found = self.own[number](own)
        for relation, senders, nbr, _ in heard:
            rows, k, heads = nbr.shape[0], nbr.shape[1], self.heads
            there, _ = mask_of(nbr, own)
            # [M, H]: one product a sender and not one a slot.
            score = senders @ (self.sender[relation].unsqueeze(1) * self.group)
            at = nbr.clamp(min=0).flatten()
            scores = score.index_select(0, at).view(rows, k, heads) + self.receiver[relation](own).unsqueeze(
                1
            )
            scores = F.leaky_relu(scores, 0.2) + (there.unsqueeze(2) - 1.0) * FAR
            weight = torch.softmax(scores, 1) * there.unsqueeze(2)  # [R, K, H]; all 0 without neighbours
            gathered = senders.index_select(0, at).view(rows, k, heads, -1).transpose(1, 2)  # [R, H, K, D/H]
            heard_of = weight.transpose(1, 2).unsqueeze(2) @ gathered  # [R, H, 1, D/H]
            found = found + heard_of.flatten(1)
        return found


class HgtLayer(nn.Module):
    """Attention over all relations together, with weights of their own for types and relations.

    a_k = softmax over all drawn k of all relations of (Q_t h) . (A_r K_s h_k) mu_r / sqrt(D/H), per head;
    h' = g_t O_t gelu(sum of a_k M_r V_s h_k) + (1 - g_t) h, g_t = sigmoid of a learned number

    Source: Hu, Dong, Wang & Sun 2020, "Heterogeneous graph transformer".
    """

    def __init__(self, schema: BlockSchema, dimension: int, heads: int = 4) -> None:
        super().__init__()
        self.heads, self.width = heads, dimension // heads
        self.query, self.key, self.value, self.out = (
            nn.ModuleList(nn.Linear(dimension, dimension) for _ in schema.types) for _ in range(4)
        )
        eye = torch.eye(self.width).repeat(heads, 1, 1)
        self.attention = nn.ParameterList(nn.Parameter(eye.clone()) for _ in schema.relations)
        self.message = nn.ParameterList(nn.Parameter(eye.clone()) for _ in schema.relations)
        self.prior = nn.ParameterList(nn.Parameter(torch.ones(heads)) for _ in schema.relations)
        self.gate = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in schema.types)
        for linear in (*self.value, *self.out):
            nn.init.eye_(linear.weight)
            linear.weight.data += torch.randn_like(linear.weight) * 0.1 / dimension**0.5
            nn.init.zeros_(linear.bias)

    def prepared(self, relation: int, source: int, senders: Tensor) -> Tensor:
        """[M, 2D] – keys, scaled by the prior of the relation, beside messages."""
        scale = (self.prior[relation] / self.width**0.5).view(self.heads, 1, 1)
        key = self._by_head(self.key[source](senders)) @ (self.attention[relation] * scale)
        value = self._by_head(self.value[source](senders)) @ self.message[relation]
        return torch.cat([part.transpose(0, 1).flatten(1) for part in (key, value)], 1)

    def _by_head(self, rows: Tensor) -> Tensor:
        """[H, M, D/H]."""
        return rows.view(rows.shape[0], self.heads, self.width).transpose(0, 1)

    def forward(
        self, number: int, own: Tensor, heard: Sequence[tuple[int, Tensor, Tensor, Tensor]]
    ) -> Tensor:
        gate = torch.sigmoid(self.gate[number])
        if not heard:
            return (1.0 - gate) * own
        rows, heads, width = own.shape[0], self.heads, self.width
        query = self.query[number](own).view(rows, heads, 1, width)
        scores, values, masks = [], [], []
        for _, senders, nbr, _ in heard:
            k = nbr.shape[1]
            there, _ = mask_of(nbr, own)
            both = senders.index_select(0, nbr.clamp(min=0).flatten()).view(rows, k, 2, heads, width)
            key, value = both.permute(2, 0, 3, 1, 4).unbind(0)  # [R, H, K, D/H] each
            scores.append((query @ key.transpose(2, 3)).squeeze(2))  # [R, H, K]
            values.append(value)
            masks.append(there.unsqueeze(1))
        there = torch.cat(masks, 2)  # [R, 1, all K]
        weight = torch.softmax(torch.cat(scores, 2) + (there - 1.0) * FAR, 2) * there
        found = (weight.unsqueeze(2) @ torch.cat(values, 2)).view(rows, heads * width)
        return gate * self.out[number](F.gelu(found)) + (1.0 - gate) * own


LAYERS: dict[str, type[nn.Module]] = {"graphsage": SageLayer, "gat": GatLayer, "hgt": HgtLayer}


class BlockEncoder(nn.Module):
    """L layers over padded blocks; unit vectors of the seeds.

    Args:
        kind: a name of LAYERS.
        schema: which types, features, relations and fan-outs.
        dimension: D of every layer and of the output.
        heads: H of the attention, a divisor of D.
        seed: of the initial weights.
        edge_moments: mean and scale [F] of the properties of a relation, by its number; those left out
            enter as they are.
    Attributes:
        tensors: names of the inputs, in the order of ``forward``.
    """

    def __init__(
        self,
        kind: str,
        schema: BlockSchema,
        dimension: int,
        *,
        heads: int = 4,
        seed: int = 0,
        edge_moments: Mapping[int, tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        super().__init__()
        if dimension % heads:
            raise InvalidInput(
                f"Encoder '{kind}'", [f"dimension {dimension} is no multiple of heads {heads}"]
            )
        self.schema, self.dimension = schema, dimension
        needs_degrees = kind == "graphsage"
        self.tensors = [
            name for name, tensor in schema.tensors.items() if needs_degrees or tensor.role != "degrees"
        ]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.inputs = nn.ModuleList(NodeInput(node, dimension) for node in schema.types)
            self.layers = nn.ModuleList(
                LAYERS[kind](schema, dimension, heads=heads) for _ in range(schema.layers)
            )
            self.edges = nn.ModuleList(
                nn.ModuleDict(
                    {
                        str(number): EdgeInput(
                            len(relation.properties), dimension, *(edge_moments or {}).get(number, ())
                        )
                        for number, relation in enumerate(schema.relations)
                        if relation.properties
                    }
                )
                for _ in range(schema.layers)
            )

    def forward(self, *tensors: Tensor) -> Tensor:
        """[B, D] – unit vectors; arguments as ``tensors`` names them."""
        at = dict(zip(self.tensors, tensors, strict=True))
        level = [self._entered(at, hop) for hop in range(self.schema.layers + 1)]
        for depth, layer in enumerate(self.layers, start=1):
            last = depth == self.schema.layers
            level = [
                self._layer(layer, self.edges[depth - 1], at, level, hop, last)
                for hop in range(1, self.schema.layers - depth + 2)
            ]
        found = torch.cat([level[0][number] for number in self.schema.seed_types])
        found = found.index_select(0, at[names.SEED])
        squares = (found * found) @ torch.ones(self.dimension, 1, dtype=found.dtype, device=found.device)
        return found / torch.sqrt(squares + TINY)

    def _entered(self, at: dict[str, Tensor], hop: int) -> dict[int, Tensor]:
        """h0 of the nodes at a hop, by type; columns are gathered first, since they are narrower than D."""
        found = {}
        for number in self.schema.reached[hop]:
            rows = at[names.hop(number, hop)]
            x, code = at.get(names.x(number)), at.get(names.code(number))
            x = None if x is None else x.index_select(0, rows)
            code = None if code is None else code.index_select(0, rows)
            found[number] = self.inputs[number](x, code, rows)
        return found

    def _layer(
        self,
        layer: nn.Module,
        edges: nn.ModuleDict,
        at: dict[str, Tensor],
        level: list[dict[int, Tensor]],
        hop: int,
        last: bool,
    ) -> dict[int, Tensor]:
        """One layer at hop - 1 from what stands there and at hop."""
        found = {}
        for number in self.schema.reached[hop - 1]:
            heard = []
            for relation in self.schema.drawn(hop):
                if self.schema.target(relation) != number:
                    continue
                source = self.schema.source(relation)
                degrees = at.get(names.deg(relation, hop))
                senders = layer.prepared(relation, source, level[hop][source])
                heard.append((relation, senders, at[names.nbr(relation, hop)], degrees))
            own = layer(number, level[hop - 1][number], heard)
            for relation, _, nbr, _ in heard:
                if str(relation) in edges:
                    own = own + edges[str(relation)](at[names.ef(relation, hop)], nbr)
            found[number] = own if last else F.elu(own)
        return found
