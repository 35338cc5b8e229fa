"""Neighbourhoods of a graph in memory: draws against the rule written out as loops, and draws joined."""

import math

import numpy as np
import pytest
from two_types_graph import BUY, SOLD, two_types

from gds_pipelines.pyg import PygGraph
from gds_pipelines.sampling.graph_neighbourhoods import GraphNeighbourhoods
from gds_pipelines.sampling.neighbourhood import join

MASK = 2**64 - 1


@pytest.fixture(scope="module")
def data():
    return two_types()


@pytest.fixture(scope="module")
def graph(data):
    return PygGraph(data)


def hash64(*values):
    state = 0
    for value in values:
        z = (state + 0x9E3779B97F4A7C15 + value) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        state = z ^ (z >> 31)
    return state


def listed(data, relation, receiver, plan, before):
    """(sender, weight, time) of a receiver, in the order of the list that is left."""
    found = data.relations[relation.stored]
    best = {}
    for source, target, weight, at in zip(
        found.sources.tolist(), found.targets.tolist(), *found.properties.values(), strict=True
    ):
        sender, owner = (source, target) if relation.direction == "out" else (target, source)
        if owner == receiver:
            old = best.get(sender, (0, -math.inf))
            best[sender] = (max(weight, old[0]), max(at, old[1]))
    rows = [(sender, *values) for sender, values in sorted(best.items())]
    if plan.time:
        rows.sort(key=lambda row: (-row[2], row[0]))
        if before is not None:
            rows = [row for row in rows if row[2] < before]
        rows = rows[: plan.last] if plan.last else rows
    return rows


def drawn(data, plan, place, hop, receiver, before=None):
    relation, k = plan.relations[place], plan.fan_outs[place][hop - 1]
    rows = listed(data, relation, receiver, plan, before)
    d = len(rows)
    if d <= k:
        return [row[0] for row in rows]
    node_id = int(data.nodes[relation.receiver].node_ids[receiver])

    def h(i):
        return hash64(plan.random_seed, node_id, hop, place, i)

    if plan.weight and plan.replace:
        sums = np.cumsum([row[1] for row in rows])
        at = [next(p for p in range(d) if sums[p] > (h(i) >> 11) * 2.0**-53 * sums[-1]) for i in range(k)]
    elif plan.weight:
        keys = [-math.log1p(-(h(p) >> 11) * 2.0**-53) / rows[p][1] for p in range(d)]
        at = sorted(range(d), key=lambda p: (keys[p], p))[:k]
    elif plan.replace:
        at = [(h(i) * d) >> 64 for i in range(k)]
    else:
        at = []
        for i in range(k):
            j = d - k + i
            p = (h(i) * (j + 1)) >> 64
            at.append(j if p in at else p)
    return [rows[p][0] for p in at]


OPTIONS = [
    {},
    {"replace": True},
    {"weight": "weight"},
    {"weight": "weight", "replace": True},
    {"time": "at"},
    {"time": "at", "last": 4, "weight": "weight"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("disjoint", [False, True])
def test_draws_follow_the_rule_written_out(data, graph, options, disjoint):
    plan = graph.plan(
        {SOLD: [3, 2], BUY: [4, 0], ("User", "KNOWS", "User"): [2, 2]}, random_seed=-5, **options
    )
    seeds = np.array([7, 3, 59, 3, 20, 41])
    before = np.array([10, 30, 20, 45, 25, 5]) if plan.time and disjoint else None
    found = GraphNeighbourhoods(data, plan).draw(
        {"User": seeds}, None if before is None else {"User": before}, disjoint
    )
    keys = [(int(n), g if disjoint else 0) for g, n in enumerate(seeds)]
    nodes = {"User": list(dict.fromkeys(keys)), "Item": []}
    assert found.seeds["User"].tolist() == [nodes["User"].index(key) for key in keys]
    receivers, first = {"User": nodes["User"][:], "Item": []}, {"User": 0, "Item": 0}
    for hop in (1, 2):
        reached, edges = {"User": [], "Item": []}, []
        for place, relation in enumerate(plan.relations):
            for at, (number, group) in enumerate(receivers[relation.receiver]):
                cut = None if before is None else before[group]
                for sender in drawn(data, plan, place, hop, number, cut):
                    reached[relation.sender].append((sender, group))
                    edges.append((place, (sender, group), first[relation.receiver] + at))
        for type_, keys in reached.items():
            receivers[type_] = sorted(set(keys) - set(nodes[type_]))
            first[type_] = len(nodes[type_])
            nodes[type_] += receivers[type_]
            assert found.nodes_per_hop[type_][hop] == len(receivers[type_])
        for place, relation in enumerate(plan.relations):
            start = sum(found.relationships_per_hop[place][: hop - 1])
            part = slice(start, start + found.relationships_per_hop[place][hop - 1])
            expected = [(nodes[relation.sender].index(key), col) for p, key, col in edges if p == place]
            got = list(zip(found.rows[place][part].tolist(), found.cols[place][part].tolist(), strict=True))
            assert got == expected
    for type_, keys in nodes.items():
        assert found.nodes[type_].tolist() == [key[0] for key in keys]
        if disjoint:
            assert found.groups[type_].tolist() == [key[1] for key in keys]


@pytest.mark.parametrize("disjoint", [False, True])
def test_types_drawn_apart_and_joined_are_those_drawn_together(data, graph, disjoint):
    source = GraphNeighbourhoods(data, graph.plan([3, 2, 2], random_seed=4))
    seeds = {"User": np.array([5, 3, 50, 3]), "Item": np.array([30, 2, 9])}
    together = source.draw(seeds, disjoint=disjoint)
    apart = [source.draw({type_: indices}, disjoint=disjoint) for type_, indices in seeds.items()]
    joined = join(source.plan, apart)
    assert joined.nodes_per_hop == together.nodes_per_hop
    assert joined.relationships_per_hop == together.relationships_per_hop
    for mine, other in ((joined.nodes, together.nodes), (joined.seeds, together.seeds)):
        for type_ in other:
            np.testing.assert_array_equal(mine[type_], other[type_])
    for mine, other in ((joined.rows, together.rows), (joined.cols, together.cols)):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_array_equal(one, two)
