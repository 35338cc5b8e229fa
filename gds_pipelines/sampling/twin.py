"""The draw rule of ``docs/formats.md``, slowly and plainly: what the database is compared with.

Plain Python over lists of nodes and relationships, no database, no arrays: integers are masked to 64 bits by
hand, floats are Python's. The answers are the columns that ``gnn.graph.sample`` sends, by name.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_MASK = (1 << 64) - 1
_STEP = 0x9E3779B97F4A7C15
_NO_TIME = -math.inf

Columns = dict[str, list[Any]]
Entry = tuple[int, int]
"""A Neo4j id and a group: the rank of the seed's time, or the seed; 0 where there are no groups."""


def mix(value: int) -> int:
    """The finaliser of SplitMix64; ``value`` and the result in [0, 2^64)."""
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ value >> 27) * 0x94D049BB133111EB & _MASK
    return value ^ value >> 31


def hash64(*values: int) -> int:
    """A chain over the values, negative ones as two's complement; in [0, 2^64)."""
    chained = 0
    for value in values:
        chained = mix((chained + _STEP + value) & _MASK)
    return chained


def below(hashed: int, bound: int) -> int:
    """In [0, bound)."""
    return hashed * bound >> 64


def unit(hashed: int) -> float:
    """In [0, 1)."""
    return (hashed >> 11) * 2.0**-53


def ln(x: float) -> float:
    """Natural logarithm of x in (0, 1], by sums and products alone."""
    mantissa, exponent = math.frexp(x)
    if mantissa < 0.7071067811865476:
        mantissa, exponent = mantissa * 2, exponent - 1
    s = (mantissa - 1) / (mantissa + 1)
    z = s * s
    q = 1 / 21
    for c in range(19, 0, -2):
        q = q * z + 1 / c
    return exponent * 0.6931471805599453 + 2 * s * q


@dataclass(frozen=True)
class Relation:
    """Receivers draw among senders; ``direction`` is ``out`` where relationships leave the sender."""

    sender: str
    type: str
    receiver: str
    direction: str
    fan_out: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What is drawn; see the configuration of ``gnn.graph.sample``."""

    node_types: tuple[str, ...]
    relations: tuple[Relation, ...]
    random_seed: int = 0
    replace: bool = False
    weight: str | None = None
    time: str | None = None
    last: int = 0
    edge_properties: tuple[str, ...] = ()

    @property
    def hops(self) -> int:
        return len(self.relations[0].fan_out)


@dataclass
class Neighbour:
    """One sender in the list of a receiver, parallel relationships reduced."""

    sender: int
    properties: dict[str, float]


@dataclass
class Graph:
    """Nodes and relationships as they are stored.

    Attributes:
        nodes: Neo4j ids by node type.
        relationships: (type, source id, target id, numbers by name); a missing number has no entry.
        properties: names by relationship type, what a projection would have.
    """

    nodes: Mapping[str, Sequence[int]]
    relationships: Sequence[tuple[str, int, int, Mapping[str, float]]]
    properties: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def neighbours(self, relation: Relation, receiver: int) -> list[Neighbour]:
        """The list of a receiver, ascending by Neo4j id."""
        senders = set(self.nodes[relation.sender])
        found: dict[int, Neighbour] = {}
        for name, source, target, numbers in self.relationships:
            sender, end = (source, target) if relation.direction == "out" else (target, source)
            if name == relation.type and end == receiver and sender in senders:
                entry = found.setdefault(sender, Neighbour(sender, {}))
                for key, number in numbers.items():
                    entry.properties[key] = max(entry.properties.get(key, -math.inf), number)
        return [found[sender] for sender in sorted(found)]


class Twin:
    """Draws from one graph by one plan."""

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.graph = graph
        self.plan = plan

    def list_of(self, relation: Relation, receiver: int, before: int | None) -> list[Neighbour]:
        """The senders that are old enough, in the order of the rule."""
        neighbours = self.graph.neighbours(relation, receiver)
        time = self.plan.time
        if time is None or time not in self.graph.properties.get(relation.type, ()):
            return neighbours
        neighbours.sort(key=lambda entry: (-entry.properties.get(time, _NO_TIME), entry.sender))
        if before is not None:
            neighbours = [entry for entry in neighbours if entry.properties.get(time, _NO_TIME) < before]
        return neighbours

    def draw(self, number: int, receiver: int, hop: int, before: int | None) -> tuple[list[Neighbour], int]:
        """The senders a receiver of relation ``number`` draws to reach ``hop``, and how many there were."""
        relation = self.plan.relations[number]
        neighbours = self.list_of(relation, receiver, before)
        degree = len(neighbours)
        if self.plan.last and any(self.plan.time in entry.properties for entry in neighbours):
            neighbours = neighbours[: self.plan.last]
        k, d = relation.fan_out[hop - 1], len(neighbours)
        if d <= k:
            return neighbours, degree

        def hashed(draw: int) -> int:
            return hash64(self.plan.random_seed, receiver, hop, number, draw)

        if self.plan.weight is None:
            positions = uniform(hashed, d, k, self.plan.replace)
        else:
            weights = [entry.properties[self.plan.weight] for entry in neighbours]
            positions = weighted(hashed, weights, k, self.plan.replace)
        return [neighbours[position] for position in positions], degree

    def blocks(self, seed_type: str, seeds: Sequence[int], before: Sequence[int] | None = None) -> Columns:
        """The columns of one batch, ``format: 'blocks'``."""
        plan = self.plan
        times, groups = _groups(before, len(seeds), disjoint=False)
        hops: list[dict[str, list[Entry]]] = [{name: [] for name in plan.node_types}]
        starts = list(zip(seeds, groups, strict=True))
        hops[0][seed_type] = sorted(set(starts))
        columns: Columns = {"seed": [hops[0][seed_type].index(start) for start in starts]}
        for hop in range(1, plan.hops + 1):
            drawn: list[list[tuple[list[Neighbour], int, int]]] = []
            for r, relation in enumerate(plan.relations):
                answers = []
                for receiver, group in hops[hop - 1][relation.receiver]:
                    answers.append((*self.draw(r, receiver, hop, times and times[group]), group))
                drawn.append(answers)
            reached: dict[str, set[Entry]] = {name: set() for name in plan.node_types}
            for relation, answers in zip(plan.relations, drawn, strict=True):
                for chosen, _, group in answers:
                    reached[relation.sender] |= {(entry.sender, group) for entry in chosen}
            hops.append({name: sorted(entries) for name, entries in reached.items()})
            for r, (relation, answers) in enumerate(zip(plan.relations, drawn, strict=True)):
                places = {entry: place for place, entry in enumerate(hops[hop][relation.sender])}
                k = relation.fan_out[hop - 1]
                neighbours: list[int] = []
                for chosen, _, group in answers:
                    row = [places[entry.sender, group] for entry in chosen]
                    neighbours += row + [-1] * (k - len(row))
                columns[f"nbr_r{r}_{hop}"] = neighbours
                columns[f"deg_r{r}_{hop}"] = [degree for _, degree, _ in answers]
                for e, name in self._edge_properties(relation):
                    values: list[float] = []
                    for chosen, _, _ in answers:
                        row_values = [entry.properties.get(name, math.nan) for entry in chosen]
                        values += row_values + [0.0] * (k - len(chosen))
                    columns[f"ef{e}_r{r}_{hop}"] = values
        for n, name in enumerate(plan.node_types):
            unique = sorted({node for hop_entries in hops for node, _ in hop_entries[name]})
            rows = {node: row for row, node in enumerate(unique)}
            columns |= self._nodes(n, name, unique)
            for h, hop_entries in enumerate(hops):
                columns[f"hop_n{n}_{h}"] = [rows[node] for node, _ in hop_entries[name]]
        return columns

    def coo(
        self,
        seed_type: str,
        seeds: Sequence[int],
        before: Sequence[int] | None = None,
        disjoint: bool = False,
    ) -> Columns:
        """The columns of one batch, ``format: 'coo'``."""
        plan = self.plan
        times, groups = _groups(before, len(seeds), disjoint)
        starts = list(zip(seeds, groups, strict=True))
        nodes: dict[str, list[Entry]] = {name: [] for name in plan.node_types}
        nodes[seed_type] = list(dict.fromkeys(starts))
        counts = {name: [len(entries)] for name, entries in nodes.items()}
        columns: Columns = {"seed": [nodes[seed_type].index(start) for start in starts]}
        edges: list[list[tuple[Entry, Entry, Neighbour]]] = [[] for _ in plan.relations]
        edge_counts: list[list[int]] = [[] for _ in plan.relations]
        for hop in range(1, plan.hops + 1):
            reached: dict[str, set[Entry]] = {name: set() for name in plan.node_types}
            for r, relation in enumerate(plan.relations):
                waiting = counts[relation.receiver][-1]
                frontier = nodes[relation.receiver][len(nodes[relation.receiver]) - waiting :]
                before_hop = len(edges[r])
                for receiver, group in frontier:
                    chosen, _ = self.draw(r, receiver, hop, times and times[group])
                    for entry in chosen:
                        sender = (entry.sender, group)
                        edges[r].append((sender, (receiver, group), entry))
                        reached[relation.sender].add(sender)
                edge_counts[r].append(len(edges[r]) - before_hop)
            for name, entries in reached.items():
                fresh = sorted(entries - set(nodes[name]))
                nodes[name] += fresh
                counts[name].append(len(fresh))
        for n, name in enumerate(plan.node_types):
            columns |= self._nodes(n, name, [node for node, _ in nodes[name]])
            columns[f"count_n{n}"] = counts[name]
            if disjoint:
                columns[f"batch_n{n}"] = [group for _, group in nodes[name]]
        for r, relation in enumerate(plan.relations):
            sender_at = {entry: place for place, entry in enumerate(nodes[relation.sender])}
            receiver_at = {entry: place for place, entry in enumerate(nodes[relation.receiver])}
            columns[f"row_r{r}"] = [sender_at[sender] for sender, _, _ in edges[r]]
            columns[f"col_r{r}"] = [receiver_at[receiver] for _, receiver, _ in edges[r]]
            columns[f"count_r{r}"] = edge_counts[r]
            for e, name in self._edge_properties(relation):
                columns[f"ef{e}_r{r}"] = [entry.properties.get(name, math.nan) for _, _, entry in edges[r]]
        return columns

    def _edge_properties(self, relation: Relation) -> Iterable[tuple[int, str]]:
        known = self.graph.properties.get(relation.type, ())
        return [(e, name) for e, name in enumerate(self.plan.edge_properties) if name in known]

    def _nodes(self, n: int, name: str, ids: Sequence[int]) -> Columns:
        index = {node: rank for rank, node in enumerate(sorted(self.graph.nodes[name]))}
        return {f"id_n{n}": list(ids), f"index_n{n}": [index[node] for node in ids]}


def uniform(hashed: Any, d: int, k: int, replace: bool) -> list[int]:
    """Positions below ``d`` of ``k`` draws; ``hashed`` gives H(i). Without replacement: Floyd's algorithm."""
    if replace:
        return [below(hashed(i), d) for i in range(k)]
    chosen: list[int] = []
    for i in range(k):
        last = d - k + i
        position = below(hashed(i), last + 1)
        chosen.append(last if position in chosen else position)
    return chosen


def weighted(hashed: Any, weights: Sequence[float], k: int, replace: bool) -> list[int]:
    """Positions of ``k`` draws by weight; ``hashed`` gives H(i)."""
    if replace:
        sums = []
        total = 0.0
        for weight in weights:
            total += weight
            sums.append(total)
        aims = [unit(hashed(i)) * total for i in range(k)]
        return [next((p for p, s in enumerate(sums) if s > aim), len(weights) - 1) for aim in aims]
    keys = [(-ln(1 - unit(hashed(p))) / weight, p) for p, weight in enumerate(weights)]
    return [p for _, p in sorted(keys)[:k]]


def _groups(
    before: Sequence[int] | None, count: int, disjoint: bool
) -> tuple[Sequence[int] | None, list[int]]:
    """Times by group, and the group of each seed."""
    if disjoint:
        return before, list(range(count))
    if before is None:
        return None, [0] * count
    times = sorted(set(before))
    return times, [times.index(time) for time in before]
