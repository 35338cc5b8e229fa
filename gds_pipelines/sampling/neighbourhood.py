"""Neighbourhoods drawn from a graph in memory: what ``gnn.graph.sample`` draws on a projection, vectorised.

The rule of a draw and the order of nodes and relationships are those of docs/formats.md, section 6, so the
same seeds and the same ``random_seed`` give the same neighbourhood here and in the database. Numpy only.
Shapes: L = hops, n = receivers, K = fan-out. Nodes are indices within their type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.errors import InvalidInput
from gds_pipelines.graph_data import GraphData, RelationTable, offsets_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)


@dataclass(frozen=True)
class Relation:
    """Receivers draw among senders; ``out``: the relationships leave the sender."""

    sender: str
    type: str
    receiver: str
    direction: str = "out"

    @property
    def name(self) -> str:
        """As docs/formats.md writes it."""
        arrow = f"-[{self.type}]->" if self.direction == "out" else f"<-[{self.type}]-"
        return f"({self.sender}){arrow}({self.receiver})"

    @property
    def edge_type(self) -> tuple[str, str, str]:
        """PyG's name: a relation read against its direction is called ``rev_<TYPE>``."""
        return self.sender, self.type if self.direction == "out" else f"rev_{self.type}", self.receiver

    @property
    def stored(self) -> tuple[str, str, str]:
        """Source, type and target of the relationships as they lie in the projection."""
        ends = (self.sender, self.receiver)
        source, target = ends if self.direction == "out" else ends[::-1]
        return source, self.type, target

    @property
    def reverse(self) -> Relation:
        """The same relationships read the other way."""
        return Relation(self.receiver, self.type, self.sender, "in" if self.direction == "out" else "out")


@dataclass(frozen=True)
class Plan:
    """What is drawn.

    Attributes:
        node_types: all types of the graph, in the order of n0, n1, …
        relations: in the order of r0, r1, …
        fan_outs: [relation][hop], 0 to 10,000.
        weight: a relationship property that every relation has.
        time: a relationship property; relations without it are untimed.
        last: only so many newest neighbours are drawn from; 0 means all.
    """

    node_types: tuple[str, ...]
    relations: tuple[Relation, ...]
    fan_outs: tuple[tuple[int, ...], ...]
    random_seed: int = 0
    replace: bool = False
    weight: str | None = None
    time: str | None = None
    last: int = 0

    def __post_init__(self) -> None:
        faults = []
        if len({len(hops) for hops in self.fan_outs}) > 1 or not self.fan_outs or not self.fan_outs[0]:
            faults.append("every relation needs a fan-out for each of the same number of hops, at least one.")
        faults += [
            f"{relation.name} has fan-out {wrong[0]}; it must lie in [0, 10000]."
            for relation, hops in zip(self.relations, self.fan_outs, strict=True)
            if (wrong := [fan_out for fan_out in hops if not 0 <= fan_out <= 10_000])
        ]
        faults += [
            f"{relation.name} ends at '{end}', none of {', '.join(self.node_types)}."
            for relation in self.relations
            for end in (relation.sender, relation.receiver)
            if end not in self.node_types
        ]
        if self.last < 0 or (self.last and self.time is None):
            faults.append(f"last is {self.last}; it must be at least 1 and needs a time property.")
        if not -(2**63) <= self.random_seed < 2**63:
            faults.append(f"random_seed is {self.random_seed}; it must fit into 64 bits.")
        if faults:
            raise InvalidInput("The neighbourhoods cannot be drawn", faults)

    @property
    def hops(self) -> int:
        return len(self.fan_outs[0])


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


class GraphNeighbourhoods:
    """Draws from a ``GraphData``, in memory or in memory-mapped files; needs no database.

    Lists of neighbours are made once: 4 bytes a relationship and direction, 8 more for each of weight and
    time.
    """

    def __init__(
        self, graph: GraphData, plan: Plan, relationship_properties: Sequence[Sequence[str]] | None = None
    ) -> None:
        """``relationship_properties`` are to be given with ``receive``, by place of the relation."""
        self._plan = plan
        self._ids = {name: table.node_ids for name, table in graph.nodes.items()}
        self._counts = {name: len(table) for name, table in graph.nodes.items()}
        wanted = relationship_properties or [()] * len(plan.relations)
        self._lists = [
            _NeighbourLists.of(graph, relation, plan, keys)
            for relation, keys in zip(plan.relations, wanted, strict=True)
        ]

    @property
    def plan(self) -> Plan:
        return self._plan

    def draw(
        self,
        seeds: Mapping[str, NDArray[np.int64]],
        before: Mapping[str, NDArray[np.int64]] | None = None,
        disjoint: bool = False,
    ) -> Neighbourhood:
        check_seeds(seeds, before, disjoint, self._counts)
        plan = self._plan
        groups = sum(len(indices) for indices in seeds.values()) if disjoint else 1
        times = None
        if before is not None:
            times = np.concatenate([np.asarray(before[type_], np.float64) for type_ in seeds])
        reached = {type_: Reached(max(groups, 1)) for type_ in plan.node_types}
        positions, first = {}, 0
        nobody = np.empty(0, np.int64)
        # Groups count the seeds of all types in the order given; types without seeds begin empty.
        for type_ in [*seeds, *(name for name in plan.node_types if name not in seeds)]:
            indices = np.asarray(seeds.get(type_, nobody), np.int64)
            group = first + np.arange(len(indices)) if disjoint else np.zeros(len(indices), np.int64)
            start = reached[type_].start(reached[type_].key(indices, group))
            if type_ in seeds:
                positions[type_] = start
            first += len(indices)
        rows: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
        cols: list[list[NDArray[np.int64]]] = [[] for _ in plan.relations]
        for hop in range(1, plan.hops + 1):
            drawn = []
            for place, relation in enumerate(plan.relations):
                receivers = reached[relation.receiver]
                numbers, group = receivers.newest()
                cut = None if times is None else times[group]
                lists = self._lists[place]
                which, position, _ = lists.draw(
                    plan, place, hop, numbers, self._ids[relation.receiver][numbers], cut
                )
                key = reached[relation.sender].key(lists.senders[position], group[which])
                drawn.append((key, receivers.newest_positions()[which]))
                reached[relation.sender].add(key)
            for found in reached.values():
                found.close()
            for place, relation in enumerate(plan.relations):
                key, receiver = drawn[place]
                rows[place].append(reached[relation.sender].position(key))
                cols[place].append(receiver)
        return _collect(reached, rows, cols, positions, disjoint)

    def receive(
        self,
        place: int,
        hop: int,
        receivers: NDArray[np.int64],
        before: NDArray[np.float64] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """What the receivers of one relation draw at one hop, as padded blocks have it.

        Args:
            place: of the relation in the plan.
            before: [R] – a time for each receiver.
        Returns:
            senders [R, K], -1 = none; degrees [R]; relationship properties [R, K, F], NaN where missing, 0
            beside a -1.
        """
        relation, lists = self._plan.relations[place], self._lists[place]
        which, position, degree = lists.draw(
            self._plan, place, hop, receivers, self._ids[relation.receiver][receivers], before
        )
        fan_out = self._plan.fan_outs[place][hop - 1]
        slot = np.arange(len(which)) - np.searchsorted(which, which)
        senders = np.full((len(receivers), fan_out), -1, np.int64)
        senders[which, slot] = lists.senders[position]
        edges = np.zeros((len(receivers), fan_out, len(lists.properties)))
        for column, values in enumerate(lists.properties):
            edges[which, slot, column] = values[position]
        return senders, degree, edges


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
    return _collect(reached, rows, cols, positions, disjoint)


def _collect(
    reached: Mapping[str, Reached],
    rows: Sequence[Sequence[NDArray[np.int64]]],
    cols: Sequence[Sequence[NDArray[np.int64]]],
    seeds: dict[str, NDArray[np.int64]],
    disjoint: bool,
) -> Neighbourhood:
    return Neighbourhood(
        {type_: found.numbers() for type_, found in reached.items()},
        {type_: found.per_hop for type_, found in reached.items()},
        [np.concatenate(parts) for parts in rows],
        [np.concatenate(parts) for parts in cols],
        [[len(part) for part in parts] for parts in rows],
        seeds,
        {type_: found.groups() for type_, found in reached.items()} if disjoint else None,
    )


class Reached:
    """The nodes of one type reached so far, each a key ``number * groups + group``."""

    def __init__(self, groups: int) -> None:
        self._groups = groups
        self._keys: list[NDArray[np.int64]] = []
        self._waiting: list[NDArray[np.int64]] = []
        self._sorted = np.empty(0, np.int64)
        self._places = np.empty(0, np.int64)
        self.per_hop: list[int] = []

    def key(self, numbers: NDArray[Any], groups: NDArray[np.int64]) -> NDArray[np.int64]:
        return numbers.astype(np.int64) * self._groups + groups

    def start(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Hop 0, in the order given; the positions of the seeds."""
        unique, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        self._take(unique[order])
        return place[inverse]

    def add(self, keys: NDArray[np.int64]) -> None:
        self._waiting.append(keys)

    def close(self) -> None:
        """Ends a hop: what was added and is new gets its positions, ascending by key."""
        fresh = np.unique(np.concatenate(self._waiting)) if self._waiting else np.empty(0, np.int64)
        self._waiting = []
        self._take(fresh[self.position(fresh) < 0])

    def _take(self, keys: NDArray[np.int64]) -> None:
        before = len(self._sorted)
        self._keys.append(keys)
        self.per_hop.append(len(keys))
        merged = np.concatenate([self._sorted, keys])
        places = np.concatenate([self._places, np.arange(before, before + len(keys))])
        order = np.argsort(merged, kind="stable")
        self._sorted, self._places = merged[order], places[order]

    def position(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Positions of keys, -1 for those not reached."""
        if len(self._sorted) == 0:
            return np.full(len(keys), -1, np.int64)
        at = np.minimum(np.searchsorted(self._sorted, keys), len(self._sorted) - 1)
        return np.where(self._sorted[at] == keys, self._places[at], -1)

    def newest(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Numbers and groups of the last hop."""
        return np.divmod(self._keys[-1], self._groups)

    def newest_positions(self) -> NDArray[np.int64]:
        return np.arange(len(self._sorted) - len(self._keys[-1]), len(self._sorted))

    def numbers(self) -> NDArray[np.int64]:
        return np.concatenate(self._keys) // self._groups

    def groups(self) -> NDArray[np.int64]:
        return np.concatenate(self._keys) % self._groups


@dataclass
class _NeighbourLists:
    """The lists of one relation, one after another.

    Attributes:
        offsets: [receivers + 1].
        senders: indices, each once in a list; ascending, or newest first where ``times`` is not None.
        weights: None draws uniformly.
        times: -inf where missing.
        properties: those that are carried along.
    """

    offsets: NDArray[np.int64]
    senders: NDArray[np.int32]
    weights: NDArray[np.float64] | None
    times: NDArray[np.float64] | None
    properties: list[NDArray[np.float64]]

    @classmethod
    def of(cls, graph: GraphData, relation: Relation, plan: Plan, keys: Sequence[str]) -> _NeighbourLists:
        receivers_count = len(graph.nodes[relation.receiver])
        table = graph.relations.get(relation.stored)
        if table is None:
            return cls(
                np.zeros(receivers_count + 1, np.int64),
                np.empty(0, np.int32),
                None,
                None,
                [np.empty(0) for _ in keys],
            )
        if plan.weight and plan.weight not in table.properties:
            raise InvalidInput(
                "The neighbourhoods cannot be drawn",
                [f"{relation.name} has no property '{plan.weight}' to weigh by; leave that relation out."],
            )
        carried = {key: table.property(key) for key in keys}
        values = carried | {
            key: table.properties[key] for key in (plan.weight, plan.time) if key and key in table.properties
        }
        receivers, senders, values = _reduced(table, relation.direction, values)
        weights, times = values.get(plan.weight or ""), values.get(plan.time or "")
        if weights is not None and not (np.isfinite(weights) & (weights > 0)).all():
            raise InvalidInput(
                "The neighbourhoods cannot be drawn",
                [f"{relation.name} has weights '{plan.weight}' that are missing, infinite or not above 0."],
            )
        if times is not None:
            times = np.where(np.isnan(times), -np.inf, times)
            order = np.lexsort((senders, -times, receivers))
            senders, times = senders[order], times[order]
            weights = None if weights is None else weights[order]
            values = {key: column[order] for key, column in values.items()}
        return cls(
            offsets_of(np.bincount(receivers, minlength=receivers_count)),
            senders,
            weights,
            times,
            [values[key] for key in keys],
        )

    def draw(
        self,
        plan: Plan,
        place: int,
        hop: int,
        numbers: NDArray[np.int64],
        ids: NDArray[np.int64],
        before: NDArray[np.float64] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Which receiver drew, at which positions of all lists, by receiver, then draw; and [n] degrees.

        Args:
            numbers, ids: [n] indices and Neo4j ids of the receivers.
            before: [n] – only older ones are in the list.
        """
        fan_out = plan.fan_outs[place][hop - 1]
        start, end = self.offsets[numbers], self.offsets[numbers + 1]
        if self.times is not None and before is not None:
            start = _first_older(self.times, start, end, before)
        degree = end - start
        if self.times is not None and plan.last and len(self.times):
            timed = (degree > 0) & (self.times[np.minimum(start, len(self.times) - 1)] > -np.inf)
            end = np.where(timed, np.minimum(end, start + plan.last), end)
        among = end - start
        count = np.minimum(among, fan_out)
        which = np.repeat(np.arange(len(numbers)), count)
        ends = np.cumsum(count)
        begin = ends - count
        position = np.arange(len(which)) - begin[which] + start[which]
        large = np.flatnonzero(among > fan_out) if fan_out else np.empty(0, np.int64)
        if len(large):
            prefix = chain(chain(chain(chain(np.uint64(0), plan.random_seed), ids[large]), hop), place)
            picked = self._pick(plan.replace, prefix, start[large], among[large], fan_out)
            position[begin[large][:, None] + np.arange(fan_out)] = start[large][:, None] + picked
        return which, position, degree

    def _pick(
        self,
        replace: bool,
        prefix: NDArray[np.uint64],
        start: NDArray[np.int64],
        degree: NDArray[np.int64],
        fan_out: int,
    ) -> NDArray[np.int64]:
        """[n, K] positions in lists that are longer than K."""
        if self.weights is not None:
            pick = _by_sums if replace else _by_keys
            return pick(prefix, self.weights, start, degree, fan_out)
        hashes = chain(prefix[:, None], np.arange(fan_out))
        if replace:
            return below(hashes, degree[:, None])
        picked = np.empty((len(prefix), fan_out), np.int64)
        for i in range(fan_out):
            last = degree - fan_out + i
            position = below(hashes[:, i], last + 1)
            taken = (picked[:, :i] == position[:, None]).any(axis=1)
            picked[:, i] = np.where(taken, last, position)
        return picked


def _reduced(
    table: RelationTable, direction: str, values: Mapping[str, NDArray[np.float64]]
) -> tuple[NDArray[np.int32], NDArray[np.int32], dict[str, NDArray[np.float64]]]:
    """Receivers, senders and values by ascending (receiver, sender); a pair once, with its largest values."""
    receivers, senders = table.sources, table.targets
    if direction == "out":
        # The table ascends by (source, target): stable order by target makes (target, source).
        order = np.argsort(table.targets, kind="stable")
        receivers, senders = table.targets[order], table.sources[order]
        values = {key: column[order] for key, column in values.items()}
    if len(receivers) == 0:
        return receivers, senders, dict(values)
    first = np.flatnonzero(np.r_[True, (receivers[1:] != receivers[:-1]) | (senders[1:] != senders[:-1])])
    # fmax passes over NaN: a missing value is below all numbers.
    largest = {key: np.fmax.reduceat(column, first) for key, column in values.items()}
    return receivers[first], senders[first], largest


def chain(state: Any, value: Any) -> Any:
    """One step of ``hash64``: the state after one more value."""
    if isinstance(value, int):
        value = value & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.asarray(value).astype(np.uint64) + np.asarray(state, np.uint64) + _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def below(hashes: NDArray[np.uint64], n: NDArray[Any] | int) -> NDArray[np.int64]:
    """Numbers in [0, n), n < 2**31."""
    n = np.asarray(n).astype(np.uint64)
    return (((hashes >> _SHIFT) * n + (((hashes & _LOW) * n) >> _SHIFT)) >> _SHIFT).astype(np.int64)


def unit(hashes: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def natural_log(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln of (0, 1], the same bits in every language; within 1e-15 of the library's, relative."""
    m, e = np.frexp(x)
    low = m < 0.7071067811865476
    m, e = np.where(low, m * 2, m), e - low
    s = (m - 1) / (m + 1)
    z = s * s
    q = np.full_like(z, 1 / 21)
    for c in range(19, 0, -2):
        q = q * z + 1 / c
    return e * 0.6931471805599453 + 2 * s * q


def _by_keys(
    prefix: NDArray[np.uint64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
    degree: NDArray[np.int64],
    fan_out: int,
) -> NDArray[np.int64]:
    which = np.repeat(np.arange(len(start)), degree)
    begin = np.cumsum(degree) - degree
    place = np.arange(len(which)) - begin[which]
    keys = -natural_log(1 - unit(chain(prefix[which], place))) / weights[start[which] + place]
    order = np.lexsort((place, keys, which))
    return place[order[begin[:, None] + np.arange(fan_out)]]


def _by_sums(
    prefix: NDArray[np.uint64],
    weights: NDArray[np.float64],
    start: NDArray[np.int64],
    degree: NDArray[np.int64],
    fan_out: int,
) -> NDArray[np.int64]:
    picked = np.empty((len(start), fan_out), np.int64)
    shares = unit(chain(prefix[:, None], np.arange(fan_out)))
    for i, (begin, length) in enumerate(zip(start, degree, strict=True)):
        # One list at a time: the sums of the rule go from the left.
        sums = np.cumsum(weights[begin : begin + length])
        picked[i] = np.minimum(np.searchsorted(sums, shares[i] * sums[-1], side="right"), length - 1)
    return picked


def _first_older(
    times: NDArray[np.float64], start: NDArray[np.int64], end: NDArray[np.int64], before: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The first position in each [start, end) whose time is before the cut; times descend."""
    low, high = start.copy(), end.copy()
    while (open_ := low < high).any():
        middle = (low + high) >> 1
        older = np.zeros(len(low), np.bool_)
        older[open_] = times[middle[open_]] < before[open_]
        high = np.where(open_ & older, middle, high)
        low = np.where(open_ & ~older, middle + 1, low)
    return low
