"""Sampling padded blocks from interactions in memory, for training and for the vectors of a trained model.

Draws follow ``docs/formats.md`` section 6 (uniform, without replacement, all where there are no more than
K). Interactions of a database carry Neo4j ids, so a node draws what it draws there; where they came from
files, indices stand in place of ids. Types: n0 = items, n1 = users; each behaviour is two relations: r(2b)
to the items, r(2b + 1) to the users. Shapes: R = receivers, K = fan-out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from gds_pipelines import draws
from gds_pipelines.interactions import Interactions
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.surroundings import ITEMS, USERS, Surroundings
from model_export.block_schema import BlockSchema, Feature, NodeType, Relation
from model_export.padded_blocks import Drawn, PaddedBlocks, build, missing_row

LABELS = ("item", "user")
"""Stand in the schema until the task's own labels are put there; tensors are numbered, not named, by them."""
VISITOR = -1


def draw_positions(
    degrees: NDArray[np.int64], ids: NDArray[np.int64], k: int, seed: int, hop: int, relation: int
) -> NDArray[np.int64]:
    """[R, K] – positions in the list of each receiver, -1 = none; drawn where it has more than K."""
    found = np.broadcast_to(np.arange(k), (len(degrees), k)).copy()
    found[found >= degrees[:, None]] = -1
    many = np.flatnonzero(degrees > k)
    if not len(many):
        return found
    found[many] = draws.distinct(draws.hash64(seed, ids[many], hop, relation), degrees[many], k)
    return found


@dataclass(frozen=True)
class Adjacency:
    """Senders of every receiver, ascending: CSR without values."""

    offsets: NDArray[np.int64]
    senders: NDArray[np.int64]

    @classmethod
    def of(cls, matrix: sp.csr_array) -> Adjacency:
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64))

    def degrees(self, receivers: NDArray[np.int64]) -> NDArray[np.int64]:
        """[R] – how many senders each receiver has."""
        return self.offsets[receivers + 1] - self.offsets[receivers]

    def take(self, receivers: NDArray[np.int64], positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """[R, K] – senders at positions; -1 stays."""
        if not len(self.senders):
            return np.full(positions.shape, -1, np.int64)
        at = np.maximum(self.offsets[receivers][:, None] + positions, 0)
        found = self.senders[np.minimum(at, len(self.senders) - 1)]
        return np.where(positions < 0, -1, found)


@dataclass(frozen=True)
class Visitors:
    """Users without a node: user indices from ``first`` on mean rows of ``items``."""

    first: int
    items: Adjacency


@dataclass
class Neighbourhoods:
    """The graph of some interactions with the features of its nodes.

    Args:
        schema: as ``schema_of`` makes it.
        to_items, to_users: by behaviour the users of every item, the items of every user.
        others: the senders of the relations after those of behaviours.
        columns: by type its x [N, W] and code [N, C].
        ids: by type [N] what stands for a node in the hash of a draw: its Neo4j id, else its index.
    """

    schema: BlockSchema
    to_items: list[Adjacency]
    to_users: list[Adjacency]
    columns: list[tuple[NDArray[np.float32], NDArray[np.int64]]]
    n_items: int
    ids: list[NDArray[np.int64]]
    others: list[Adjacency] = field(default_factory=list)
    _missing: list[Any] = field(default_factory=list)
    _pairs: dict[int, NDArray[np.int64]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        interactions: Interactions,
        schema: BlockSchema,
        columns: list[tuple[NDArray[np.float32], NDArray[np.int64]]],
        surroundings: Surroundings | None = None,
    ) -> Neighbourhoods:
        to_items, to_users, others = [], [], []
        around = surroundings or Surroundings((), ())
        for behaviour in range(len(schema.relations) // 2 - len(around.relations)):
            mask = slice(None)
            if interactions.kinds is not None:
                mask = (interactions.kinds >> np.uint32(behaviour)) & np.uint32(1) == 1
            part = interactions.keep(mask).matrix if interactions.kinds is not None else interactions.matrix
            turned = sp.csr_array(part.T.tocsr())
            turned.sort_indices()
            to_users.append(Adjacency.of(part))
            to_items.append(Adjacency.of(turned))
        for relation in around.relations:
            turned = sp.csr_array(relation.matrix.T.tocsr())
            turned.sort_indices()
            others += [Adjacency.of(turned), Adjacency.of(relation.matrix)]
        missing = [missing_row(node) for node in schema.types]
        known = [
            np.arange(count) if ids is None else ids
            for ids, count in (
                (interactions.item_ids, interactions.n_items),
                (interactions.user_ids, interactions.n_users),
                *((one.ids, len(one)) for one in around.nodes),
            )
        ]
        return cls(schema, to_items, to_users, columns, interactions.n_items, known, others, missing)

    def batch(
        self,
        users: NDArray[np.int64],
        items: NDArray[np.int64],
        seed: int,
        *,
        left_out: NDArray[np.int64] | None = None,
        visitors: Visitors | None = None,
    ) -> PaddedBlocks:
        """Blocks of these users and items; rows of the output: first the items, then the users, as given.

        Args:
            seed: of the draws; the same seed draws the same whoever shares the batch.
            left_out: ``user * n_items + item`` ascending: pairs whose relationship is not there, either way.
        """

        def draw(relation: int, hop: int, receivers: NDArray[np.int64]) -> Drawn:
            behaviour, to_users = divmod(relation, 2)
            k = self.schema.fanouts[relation][hop - 1]
            own, target = behaviour < len(self.to_items), self.schema.target(relation)
            if own:
                lists = (self.to_users if to_users else self.to_items)[behaviour]
            else:
                lists = self.others[relation - 2 * len(self.to_items)]
            known = len(receivers)
            if visitors is not None and target == USERS:
                known = int(np.searchsorted(receivers, visitors.first))
            degrees = np.zeros(len(receivers), np.int64)
            degrees[:known] = lists.degrees(receivers[:known])
            if known < len(receivers) and behaviour == 0:
                degrees[known:] = visitors.items.degrees(receivers[known:] - visitors.first)
            ids = np.full(len(receivers), VISITOR)
            ids[:known] = self.ids[target][receivers[:known]]
            positions = draw_positions(degrees, ids, k, seed, hop, relation)
            senders = np.full(positions.shape, -1, np.int64)
            senders[:known] = lists.take(receivers[:known], positions[:known])
            if known < len(receivers) and behaviour == 0:
                senders[known:] = visitors.items.take(receivers[known:] - visitors.first, positions[known:])
            if left_out is not None and own:
                here = left_out[self._has(behaviour, left_out)]
                degrees = self._leave_out(receivers, senders, degrees, bool(to_users), here)
            return Drawn(senders, degrees)

        def rows(number: int, indices: NDArray[np.int64]) -> tuple[NDArray, NDArray]:
            x, code = self.columns[number]
            if number != USERS or visitors is None or indices[-1] < visitors.first:
                return x[indices], code[indices]
            strange = indices >= visitors.first
            safe = np.where(strange, 0, indices)
            blank_x, blank_code = self._missing[number]
            return (
                np.where(strange[:, None], blank_x, x[safe] if len(x) else blank_x),
                np.where(strange[:, None], blank_code, code[safe] if len(code) else blank_code),
            )

        return build(self.schema, {ITEMS: items, USERS: users}, draw, rows)

    def _has(self, behaviour: int, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which pairs (``user * n_items + item``) a behaviour has."""
        lists = self.to_users[behaviour]
        if behaviour not in self._pairs:
            users = np.repeat(np.arange(len(lists.offsets) - 1), np.diff(lists.offsets))
            self._pairs[behaviour] = users * self.n_items + lists.senders  # ascends, as the lists do
        known = self._pairs[behaviour]
        if not len(known):
            return np.zeros(len(pairs), bool)
        return known[np.minimum(np.searchsorted(known, pairs), len(known) - 1)] == pairs

    def _leave_out(
        self,
        receivers: NDArray[np.int64],
        senders: NDArray[np.int64],
        degrees: NDArray[np.int64],
        to_users: bool,
        left_out: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Blank what is left out (in place); the degrees without it. All of ``left_out`` is in the lists."""
        if not len(left_out):
            return degrees
        users, items = (receivers[:, None], senders) if to_users else (senders, receivers[:, None])
        pairs = np.where(senders < 0, -1, users * self.n_items + items)
        at = np.minimum(np.searchsorted(left_out, pairs), len(left_out) - 1)
        gone = (left_out[at] == pairs) & (senders >= 0)
        senders[gone] = -1
        ends = left_out // self.n_items if to_users else left_out % self.n_items
        ends = np.sort(ends)
        fewer = np.searchsorted(ends, receivers, "right") - np.searchsorted(ends, receivers, "left")
        return degrees - fewer


def schema_of(
    item_features: tuple[Feature, ...],
    user_features: tuple[Feature, ...],
    fanouts: tuple[int, ...],
    behaviours: int,
    seed: int,
    surroundings: Surroundings | None = None,
) -> BlockSchema:
    """Types, relations and fan-outs of interactions with that many behaviours, and of what stands around."""
    relations, others = [], []
    for behaviour in range(behaviours):
        relations.append(Relation(LABELS[USERS], f"b{behaviour}", LABELS[ITEMS], "out"))
        relations.append(Relation(LABELS[ITEMS], f"b{behaviour}", LABELS[USERS], "in"))
    if surroundings is not None:
        others = [NodeType(one.label, one.key, one.features.features) for one in surroundings.nodes]
        labels = [*LABELS, *(one.label for one in others)]
        for one in surroundings.relations:
            relations.append(Relation(labels[one.source], one.type, labels[one.target], "out"))
            relations.append(Relation(labels[one.target], one.type, labels[one.source], "in"))
    return BlockSchema(
        types=(
            NodeType(LABELS[ITEMS], "key", item_features),
            NodeType(LABELS[USERS], "key", user_features),
            *others,
        ),
        relations=tuple(relations),
        fanouts=tuple(fanouts for _ in relations),
        seeds=LABELS,
        layers=len(fanouts),
        random_seed=seed,
    )


def behaviours_of(interactions: Interactions) -> int:
    """How many behaviours the pairs have; 1 where that is not told apart."""
    if interactions.kinds is None or not len(interactions.kinds):
        return 1
    return max(1, int(interactions.kinds.max()).bit_length())


def columns_of(features: NodeFeatures | None, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """x [N, W] and code [N, C] of features; without columns where there are none."""
    if features is None:
        return np.zeros((count, 0), np.float32), np.zeros((count, 0), np.int64)
    return features.x, features.code


def moments(x: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
    """``mean`` and ``scale`` [W] of what is there; 0 and 1 where nothing is, scale 1 where nothing varies."""
    there = np.isfinite(x)
    count = np.maximum(there.sum(0), 1)
    wide = np.where(there, x, 0).astype(np.float64)
    mean = wide.sum(0) / count
    deviation = np.sqrt((np.where(there, x - mean, 0).astype(np.float64) ** 2).sum(0) / count)
    scale = np.where(deviation > 1e-12, deviation, 1.0)
    return {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}
