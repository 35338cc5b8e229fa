"""PyG's ``BaseSampler`` over a graph in Neo4j, for ``NodeLoader`` and ``LinkLoader``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.sampler import (
    BaseSampler,
    EdgeSamplerInput,
    HeteroSamplerOutput,
    NegativeSampling,
    NodeSamplerInput,
    SamplerOutput,
)
from torch_geometric.sampler.neighbor_sampler import edge_sample

from gds_pipelines.errors import InvalidInput
from gds_pipelines.negatives import Popular, Positives, Uniform
from gds_pipelines.sampling.neighbourhood import Neighbourhood, NeighbourhoodSource
from gds_pipelines.sampling.plan import Relation

EdgeType = tuple[str, str, str]
Numbering = Callable[[Relation, np.ndarray, np.ndarray], np.ndarray]


class NeighbourhoodSampler(BaseSampler):
    """Draws neighbourhoods around nodes or links.

    Args:
        source: draws; in the database or in memory.
        counts: nodes by type.
        positives: what negatives of links of a type are checked against; asked once for each type of link.
        keep_targets: leave the links of the batch in the neighbourhoods. By default they, and the
            same pairs read the other way, are taken out: a model must not see what it is to predict.
        also_hide: further edge types (of both directions) in which the pairs of the batch are taken out,
            such as the views of the items bought.
        random_seed: of the negatives; the draws of neighbours have their own in the plan.
        number: gives the relationships drawn their numbers, from relation, senders and receivers; a batch
            then has ``e_id``. None leaves them without.
    """

    def __init__(
        self,
        source: NeighbourhoodSource,
        counts: dict[str, int],
        positives: Any,
        *,
        keep_targets: bool = False,
        also_hide: Sequence[EdgeType] = (),
        random_seed: int = 0,
        number: Numbering | None = None,
    ) -> None:
        self._number = number
        self._source, self._counts, self._positives = source, counts, positives
        self._keep_targets, self._also_hide = keep_targets, tuple(also_hide)
        self._rng = np.random.default_rng(random_seed)
        self._negatives: dict[tuple[EdgeType | None, bool], Any] = {}
        known = {relation.edge_type for relation in source.plan.relations}
        unknown = [edge_type for edge_type in self._also_hide if edge_type not in known]
        if unknown:
            raise InvalidInput(
                "The sampler cannot be made",
                [f"also_hide names {edge_type}, none of {sorted(known)}." for edge_type in unknown],
            )

    def sample_from_nodes(self, index: NodeSamplerInput, **_: Any) -> SamplerOutput | HeteroSamplerOutput:
        """With a time per seed the neighbourhoods are disjoint and hold only what is older."""
        type_ = index.input_type or self._only_type()
        disjoint = index.time is not None
        before = {type_: index.time.numpy()} if index.time is not None else None
        found = self._source.draw({type_: index.node.numpy()}, before, disjoint)
        out = self._output(found, index.input_type is not None)
        out.metadata = (index.input_id, index.time)
        return out

    def sample_from_edges(
        self, index: EdgeSamplerInput, neg_sampling: NegativeSampling | None = None
    ) -> SamplerOutput | HeteroSamplerOutput:
        """Negatives are checked: the destination is an item that the source does not have.

        In mode ``binary`` the source of a negative is that of a positive of the batch.
        """
        disjoint = index.time is not None
        if index.input_type is None:
            only = self._only_type()
            ends = (only, only)
        else:
            ends = (index.input_type[0], index.input_type[-1])
        given = None if neg_sampling is None else self._given(index, neg_sampling, ends, disjoint)

        def sample(seed: Any, seed_time: Any = None) -> SamplerOutput | HeteroSamplerOutput:
            seeds = seed if isinstance(seed, dict) else {ends[0]: seed}
            times = seed_time if isinstance(seed_time, dict) or seed_time is None else {ends[0]: seed_time}
            found = self._source.draw(
                {type_: nodes.numpy() for type_, nodes in seeds.items()},
                None if times is None else {type_: time.numpy() for type_, time in times.items()},
                disjoint,
            )
            if not self._keep_targets:
                self._hide(found, index, ends)
            if disjoint:
                _count_groups_by_type(found, [len(nodes) for nodes in seeds.values()])
            return self._output(found, index.input_type is not None)

        return edge_sample(index, sample, self._num_nodes(index), disjoint, None, given)

    def _num_nodes(self, index: EdgeSamplerInput) -> dict[str, int] | int:
        return self._counts if index.input_type is not None else self._counts[self._only_type()]

    def _only_type(self) -> str:
        if len(self._counts) != 1:
            raise InvalidInput(
                "The seeds have no type",
                [
                    f"give it with them, as ('{next(iter(self._counts))}', indices): "
                    f"there are {', '.join(self._counts)}."
                ],
            )
        return next(iter(self._counts))

    def _given(
        self,
        index: EdgeSamplerInput,
        asked: NegativeSampling,
        ends: tuple[str, str],
        disjoint: bool,
    ) -> NegativeSampling:
        """Stands in for ``asked`` and answers with checked pairs."""
        if asked.src_weight is not None:
            raise InvalidInput(
                "The negatives cannot be drawn",
                ["src_weight is not supported: a negative keeps the source of its positive."],
            )
        sources = index.row.numpy()
        total = int(np.ceil(len(sources) * asked.amount))
        by_positive = asked.is_triplet() and not disjoint
        at = np.arange(total)
        # PyG counts triplets of joint neighbourhoods positive by positive, all others round by round.
        owner = sources[at // int(asked.amount) if by_positive else at % max(1, len(sources))]
        drawn = self._drawn(index.input_type, ends, asked.dst_weight)
        items = drawn.draw(owner, 1, self._rng)[:, 0]
        if (items < 0).any():
            example = int(owner[items < 0][0])
            raise InvalidInput(
                "The negatives cannot be drawn",
                [f"{ends[0]} {example} is linked to every {ends[1]}; leave it out of the links."],
            )
        return _Given(asked, torch.from_numpy(owner), torch.from_numpy(items))

    def _drawn(self, input_type: EdgeType | None, ends: tuple[str, str], weight: Tensor | None) -> Any:
        key = (input_type, weight is not None)
        if key not in self._negatives:
            positives: Positives = self._positives(*ends)
            self._negatives[key] = (
                Uniform(positives) if weight is None else Popular(positives, 1.0, weight.numpy())
            )
        return self._negatives[key]

    def _hide(self, found: Neighbourhood, index: EdgeSamplerInput, ends: tuple[str, str]) -> None:
        """Takes the pairs of the batch out of the relations of the target, read either way."""
        size = max(self._counts.values()) + 1
        pairs = np.unique(index.row.numpy() * size + index.col.numpy())
        turned = np.unique(index.col.numpy() * size + index.row.numpy())
        for place, relation in enumerate(self._source.plan.relations):
            hidden = self._hidden(relation, index.input_type, ends, pairs, turned)
            if hidden is None:
                continue
            sender = found.nodes[relation.sender][found.rows[place]]
            receiver = found.nodes[relation.receiver][found.cols[place]]
            kept = ~np.isin(sender * size + receiver, hidden)
            hops = np.repeat(np.arange(self._source.plan.hops), found.relationships_per_hop[place])
            found.rows[place], found.cols[place] = found.rows[place][kept], found.cols[place][kept]
            found.relationships_per_hop[place] = np.bincount(
                hops[kept], minlength=self._source.plan.hops
            ).tolist()

    def _hidden(
        self,
        relation: Relation,
        target: EdgeType | None,
        ends: tuple[str, str],
        pairs: np.ndarray,
        turned: np.ndarray,
    ) -> np.ndarray | None:
        """Keys of the pairs that this relation must not show; None where it may show all."""
        either = {relation.edge_type, relation.reverse.edge_type}
        if target is not None and target not in either and not either & set(self._also_hide):
            return None
        same, across = (
            (relation.sender, relation.receiver) == ends,
            (relation.receiver, relation.sender) == ends,
        )
        parts = ([pairs] if same else []) + ([turned] if across else [])
        return np.concatenate(parts) if parts else None

    def _output(self, found: Neighbourhood, hetero: bool) -> SamplerOutput | HeteroSamplerOutput:
        relations = self._source.plan.relations
        numbers = [self._numbers(found, place) for place in range(len(relations))]
        if hetero:
            return HeteroSamplerOutput(
                node={type_: torch.from_numpy(nodes) for type_, nodes in found.nodes.items()},
                row={r.edge_type: torch.from_numpy(found.rows[i]) for i, r in enumerate(relations)},
                col={r.edge_type: torch.from_numpy(found.cols[i]) for i, r in enumerate(relations)},
                edge={relation.edge_type: numbers[place] for place, relation in enumerate(relations)},
                batch=None
                if found.groups is None
                else {type_: torch.from_numpy(groups) for type_, groups in found.groups.items()},
                num_sampled_nodes=dict(found.nodes_per_hop),
                num_sampled_edges={
                    relation.edge_type: found.relationships_per_hop[place]
                    for place, relation in enumerate(relations)
                },
            )
        only = self._only_type()
        hops = np.concatenate(
            [np.repeat(np.arange(self._source.plan.hops), counts) for counts in found.relationships_per_hop]
        )
        order = np.argsort(hops, kind="stable")
        return SamplerOutput(
            node=torch.from_numpy(found.nodes[only]),
            row=torch.from_numpy(np.concatenate(found.rows)[order]),
            col=torch.from_numpy(np.concatenate(found.cols)[order]),
            edge=torch.cat(numbers)[torch.from_numpy(order)] if self._number else None,
            batch=None if found.groups is None else torch.from_numpy(found.groups[only]),
            num_sampled_nodes=found.nodes_per_hop[only],
            num_sampled_edges=np.bincount(hops, minlength=self._source.plan.hops).tolist(),
        )

    def _numbers(self, found: Neighbourhood, place: int) -> Tensor | None:
        if self._number is None:
            return None
        relation = self._source.plan.relations[place]
        sender = found.nodes[relation.sender][found.rows[place]]
        receiver = found.nodes[relation.receiver][found.cols[place]]
        return torch.from_numpy(self._number(relation, sender, receiver))


class _Given(NegativeSampling):
    """Answers with pairs that were drawn before."""

    def __init__(self, asked: NegativeSampling, sources: Tensor, targets: Tensor) -> None:
        super().__init__(asked.mode, asked.amount)
        self._drawn = {"src": sources, "dst": targets}

    def sample(self, num_samples: int, endpoint: str, num_nodes: int | None = None) -> Tensor:
        assert len(self._drawn[endpoint]) == num_samples
        return self._drawn[endpoint]


def _count_groups_by_type(found: Neighbourhood, sizes: Sequence[int]) -> None:
    """Groups of the second type of seeds count from 0 again: PyG folds them onto the links by remainder."""
    if found.groups is None or len(sizes) < 2:
        return
    for type_, groups in found.groups.items():
        found.groups[type_] = np.where(groups >= sizes[0], groups - sizes[0], groups)
