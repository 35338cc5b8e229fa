"""A sampled neighbourhood, who gives one, and how several become one.

Nodes are indices within their type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.sampling.plan import Plan
from gds_pipelines.sampling.reached import Reached


@dataclass
class Neighbourhood:
    """One sampled neighbourhood: every node once, or once per seed where it is disjoint.

    Attributes:
        nodes: indices by type, by the hop that reached them first.
        nodes_per_hop: by type, how many hops 0 … L reached first.
        rows, cols: by place of the relation in the plan, positions of sender and receiver in ``nodes``.
        relationships_per_hop: by place of the relation, how many hops 1 … L drew.
        seeds: by type, positions of the seeds in ``nodes``, in the order given.
        groups: by type, the number of each node's seed, counted over the seeds of all types in the order in
            which they were given; None unless disjoint.
    """

    nodes: dict[str, NDArray[np.int64]]
    nodes_per_hop: dict[str, list[int]]
    rows: list[NDArray[np.int64]]
    cols: list[NDArray[np.int64]]
    relationships_per_hop: list[list[int]]
    seeds: dict[str, NDArray[np.int64]]
    groups: dict[str, NDArray[np.int64]] | None = None


class NeighbourhoodSource(Protocol):
    """Draws; the database does, or a graph in memory."""

    @property
    def plan(self) -> Plan: ...

    def draw(
        self,
        seeds: Mapping[str, NDArray[np.int64]],
        before: Mapping[str, NDArray[np.int64]] | None = None,
        disjoint: bool = False,
    ) -> Neighbourhood:
        """The neighbourhood of seeds, given by type as indices; with ``before``, only of what is older.

        Args:
            before: a time for each seed; needs ``disjoint``.
            disjoint: every seed has a neighbourhood of its own.
        Raises:
            InvalidInput: for seeds that are no nodes of their type.
        """
        ...


def check_seeds(
    seeds: Mapping[str, NDArray[np.int64]],
    before: Mapping[str, NDArray[np.int64]] | None,
    disjoint: bool,
    counts: Mapping[str, int],
) -> None:
    """Raises InvalidInput for what no source can draw."""
    faults = []
    for type_, indices in seeds.items():
        if type_ not in counts:
            faults.append(f"'{type_}' is none of the node types {', '.join(counts)}.")
        elif len(indices) and not (indices.min() >= 0 and indices.max() < counts[type_]):
            faults.append(
                f"seeds of {type_} run from {indices.min()} to {indices.max()}, "
                f"expected 0 to {counts[type_] - 1}."
            )
    if before is not None and not disjoint:
        faults.append("a time per seed needs disjoint neighbourhoods.")
    if before is not None and any(len(before[type_]) != len(indices) for type_, indices in seeds.items()):
        faults.append("there must be one time for each seed.")
    if faults:
        raise InvalidInput("The neighbourhoods cannot be drawn", faults)


def join(plan: Plan, found: Sequence[Neighbourhood]) -> Neighbourhood:
    """What all seeds draw together, from what the seeds of each type drew apart.

    A draw depends on the node and the hop alone, so a node reached at the same hop by two of them drew the
    same twice, and what it drew at a later hop than its first is left out.

    Args:
        found: at least one; each has seeds of one type, no two of the same.
    """
    disjoint = found[0].groups is not None
    sizes = [len(next(iter(one.seeds.values()))) for one in found]
    reached = {type_: Reached(max(sum(sizes), 1) if disjoint else 1) for type_ in plan.node_types}
    keys, positions = [], {}
    for one, shift in zip(found, np.cumsum([0, *sizes[:-1]]), strict=True):
        keys.append(
            {
                type_: found_.key(
                    one.nodes[type_], np.int64(0) if one.groups is None else one.groups[type_] + shift
                )
                for type_, found_ in reached.items()
            }
        )
        (type_, seeds), *_ = one.seeds.items()
        positions[type_] = reached[type_].start(keys[-1][type_][seeds])
    for type_ in plan.node_types:
        if type_ not in positions:
            reached[type_].start(np.empty(0, np.int64))
    rows: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
    cols: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
    begin = [np.zeros(len(plan.relations), np.int64) for _ in found]
    for hop in range(plan.hops):
        drawn = []
        for place, relation in enumerate(plan.relations):
            receivers = reached[relation.receiver]
            newest = receivers.newest_positions()
            senders_parts, receivers_parts, seen = [], [], np.empty(0, np.int64)
            for one, of_one, at in zip(found, keys, begin, strict=True):
                end = at[place] + one.relationships_per_hop[place][hop]
                part = slice(at[place], end)
                at[place] = end
                receiver = receivers.position(of_one[relation.receiver][one.cols[place][part]])
                kept = (
                    receiver >= newest[0] if len(newest) else np.zeros(len(receiver), np.bool_)
                ) & ~np.isin(receiver, seen)
                seen = np.concatenate([seen, receiver[kept]])
                receivers_parts.append(receiver[kept])
                senders_parts.append(of_one[relation.sender][one.rows[place][part][kept]])
            receiver = np.concatenate(receivers_parts)
            order = np.argsort(receiver, kind="stable")
            sender = np.concatenate(senders_parts)[order]
            reached[relation.sender].add(sender)
            drawn.append((sender, receiver[order]))
        for found_ in reached.values():
            found_.close()
        for place, relation in enumerate(plan.relations):
            rows[place].append(reached[relation.sender].position(drawn[place][0]))
            cols[place].append(drawn[place][1])
    return collect(reached, rows, cols, positions, disjoint)


def collect(
    reached: Mapping[str, Reached],
    rows: Sequence[Sequence[NDArray[np.int64]]],
    cols: Sequence[Sequence[NDArray[np.int64]]],
    seeds: dict[str, NDArray[np.int64]],
    disjoint: bool,
) -> Neighbourhood:
    """A neighbourhood of what was reached; ``rows`` and ``cols`` are [relation][hop], ``seeds`` positions."""
    return Neighbourhood(
        {type_: found.numbers() for type_, found in reached.items()},
        {type_: found.per_hop for type_, found in reached.items()},
        [np.concatenate(parts) for parts in rows],
        [np.concatenate(parts) for parts in cols],
        [[len(part) for part in parts] for parts in rows],
        seeds,
        {type_: found.groups() for type_, found in reached.items()} if disjoint else None,
    )
