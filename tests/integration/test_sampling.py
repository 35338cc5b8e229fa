"""``gnn.graph.sample`` against the slow exact twin, and how it behaves as a procedure."""

import random
from dataclasses import dataclass

import neo4j
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gds_pipelines.sampling import SampledRelation, sample_graph
from gds_pipelines.sampling.twin import Graph, Plan, Relation, Twin

PROPERTIES = {"BUY": ("at", "weight"), "KNOWS": ("weight",), "SEE": ("at", "weight")}
ENDS = {"BUY": ("User", "Item"), "KNOWS": ("User", "User"), "SEE": ("User", "Item")}


@dataclass
class Shop:
    """A graph in the database, projected, and the same as lists."""

    driver: neo4j.Driver
    name: str
    graph: Graph


@pytest.fixture(scope="module")
def shop(server):
    """1,350 relationships: hubs, parallel ones, self-loops, missing times, ids with gaps, isolated nodes."""
    server.clear()
    chance = random.Random(4)
    server.execute(
        "UNWIND range(0, 119) AS i "
        "CALL (i) { WITH i WHERE i % 3 = 0 CREATE (:Item {k: i, price: i * 0.5, v: [i, 1.0]}) } "
        "CALL (i) { WITH i WHERE i % 3 = 1 CREATE (:User {k: i, age: i}) } "
        "CALL (i) { WITH i WHERE i % 3 = 2 CREATE (:Gap) }"
    )
    server.execute("MATCH (n:Gap) DELETE n")
    users, items = list(range(1, 120, 3)), list(range(0, 120, 3))
    rows = []
    for type_, (source, target) in ENDS.items():
        for _ in range(450):
            # A few nodes take most of the relationships.
            a = chance.choice((users if source == "User" else items)[: chance.choice((3, 20, 35))])
            b = chance.choice((users if target == "User" else items)[: chance.choice((2, 10, 38))])
            row = {"type": type_, "a": a, "b": b, "weight": chance.choice((0.25, 1.0, 3.5, 1e-3))}
            if "at" in PROPERTIES[type_] and chance.random() < 0.9:
                row["at"] = chance.randrange(40)
            rows.append(row)
    server.execute(
        "UNWIND $rows AS row MATCH (a {k: row.a}), (b {k: row.b}) CREATE (a)-[r:$(row.type)]->(b) "
        "SET r.weight = row.weight, r.at = row.at",
        rows=rows,
    )
    server.execute(
        "CALL gds.graph.project('shop', {User: {properties: 'age'}, Item: {properties: ['price', 'v']}}, "
        "{BUY: {properties: ['at', 'weight']}, KNOWS: {properties: 'weight'}, "
        "SEE: {properties: ['at', 'weight']}})"
    )
    ids = {row["k"]: row["id"] for row in server.execute("MATCH (n) RETURN n.k AS k, id(n) AS id")}
    graph = Graph(
        {"Item": [ids[k] for k in items], "User": [ids[k] for k in users]},
        [
            (row["type"], ids[row["a"]], ids[row["b"]], {k: row[k] for k in ("weight", "at") if k in row})
            for row in rows
        ],
        PROPERTIES,
    )
    yield Shop(server.driver(), "shop", graph)
    server.clear()


ALL_RELATIONS = [
    (s if d == "out" else t, type_, t if d == "out" else s, d)
    for type_, (s, t) in ENDS.items()
    for d in ("out", "in")
]


@st.composite
def plans(draw):
    hops = draw(st.integers(1, 3))
    chosen = draw(st.lists(st.sampled_from(ALL_RELATIONS), min_size=1, max_size=4, unique=True))
    fan_outs = st.lists(st.sampled_from([0, 1, 2, 3, 7, 30]), min_size=hops, max_size=hops)
    relations = tuple(Relation(*ends, tuple(draw(fan_outs))) for ends in chosen)
    time = draw(st.sampled_from([None, "at"])) if any(ends[1] != "KNOWS" for ends in chosen) else None
    return Plan(
        ("Item", "User"),
        relations,
        random_seed=draw(st.integers(-(2**63), 2**63 - 1)),
        replace=draw(st.booleans()),
        weight=draw(st.sampled_from([None, "weight"])),
        time=time,
        last=draw(st.sampled_from([0, 0, 1, 4, 50])) if time else 0,
        edge_properties=draw(st.sampled_from([(), ("weight",), ("weight", "at")])) if time else (),
    )


def ask(shop, plan, seed_type, seeds, before, **options):
    relations = [
        SampledRelation(r.sender, r.type, r.receiver, r.direction, r.fan_out) for r in plan.relations
    ]
    return list(
        sample_graph(
            shop.driver,
            options.pop("graph", shop.name),
            fan_out=plan.relations[0].fan_out,
            seeds=np.array(seeds, np.int64),
            seed_label=seed_type,
            before=before,
            random_seed=plan.random_seed,
            replace=plan.replace,
            weight_property=plan.weight,
            time_property=plan.time,
            last=plan.last or None,
            relations=relations,
            node_labels=plan.node_types,
            relationship_properties=plan.edge_properties,
            **options,
        )
    )


def require_equal(columns, expected, without=()):
    assert set(columns) == {name for name in expected if not name.startswith(without or "?")}
    for name, values in columns.items():
        np.testing.assert_array_equal(values, np.array(expected[name], values.dtype), err_msg=name)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plan=plans(), data=st.data())
def test_every_sample_equals_the_slow_exact_twin(shop, plan, data):
    seed_type = data.draw(st.sampled_from(plan.node_types))
    seeds = data.draw(st.lists(st.sampled_from(shop.graph.nodes[seed_type]), min_size=1, max_size=12))
    before = None
    if plan.time:
        times = st.integers(0, 42)
        before = data.draw(
            st.one_of(st.none(), times, st.lists(times, min_size=len(seeds), max_size=len(seeds)))
        )
    layout, disjoint = data.draw(st.sampled_from([("blocks", False), ("coo", False), ("coo", True)]))
    size = data.draw(st.sampled_from([1, 5, 100]))
    twin = Twin(shop.graph, plan)
    found = ask(shop, plan, seed_type, seeds, before, layout=layout, disjoint=disjoint, batch_size=size)
    assert [sample.batch for sample in found] == list(range(-(-len(seeds) // size)))
    for sample in found:
        part = slice(sample.batch * size, (sample.batch + 1) * size)
        here = seeds[part]
        times = [before] * len(here) if isinstance(before, int) else before and before[part]
        if layout == "blocks":
            expected = twin.blocks(seed_type, here, times)
        else:
            expected = twin.coo(seed_type, here, times, disjoint)
        require_equal(sample.columns, expected)
        assert sample.seed_type == seed_type


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plan=plans(), data=st.data())
def test_the_live_store_gives_what_the_projection_gives(shop, plan, data):
    seed_type = data.draw(st.sampled_from(plan.node_types))
    seeds = data.draw(st.lists(st.sampled_from(shop.graph.nodes[seed_type]), min_size=1, max_size=6))
    before = data.draw(st.integers(5, 42)) if plan.time else None
    layout = data.draw(st.sampled_from(["blocks", "coo"]))
    (projected,) = ask(shop, plan, seed_type, seeds, before, layout=layout)
    (live,) = ask(shop, plan, seed_type, seeds, before, layout=layout, graph=None, source="store")
    # What a projection has no property for is NaN in the store, so only what both have is compared.
    shared = {name: values for name, values in live.columns.items() if name in projected.columns}
    assert {name for name in projected.columns if not name.startswith("index_")} == set(shared)
    for name, values in shared.items():
        np.testing.assert_array_equal(values, projected.columns[name], err_msg=name)
    assert live.truncated == 0
