"""``gnn.graph.sample`` against the slow exact twin, and how it behaves as a procedure."""

import random
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

import neo4j
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from neo4j.exceptions import ClientError, Neo4jError

from gds_pipelines import graph_reader
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.graph_reader import MissingPlugin
from gds_pipelines.sampling import SampledRelation, client, sample_graph
from gds_pipelines.sampling.samples import read_sample
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


@contextmanager
def no_plugin():
    """The server as if it had none."""
    with (
        mock.patch.object(client, "_SAMPLE", client._SAMPLE.replace("gnn.graph", "gnn.nothing")),
        mock.patch.object(graph_reader, "_EXPORT", graph_reader._EXPORT.replace("gnn.graph", "gnn.nothing")),
    ):
        yield


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(plan=plans(), data=st.data())
def test_without_the_plugin_the_samples_are_the_same(shop, plan, data):
    seed_type = data.draw(st.sampled_from(plan.node_types))
    seeds = data.draw(st.lists(st.sampled_from(shop.graph.nodes[seed_type]), min_size=1, max_size=12))
    before = None
    if plan.time:
        times = st.integers(0, 42)
        each = st.lists(times, min_size=len(seeds), max_size=len(seeds))
        before = data.draw(st.one_of(st.none(), times, each))
    layout, disjoint = data.draw(st.sampled_from([("blocks", False), ("coo", False), ("coo", True)]))
    options = {"layout": layout, "disjoint": disjoint, "batch_size": 5}
    expected = ask(shop, plan, seed_type, seeds, before, **options)
    with no_plugin(), warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingPlugin)
        found = ask(shop, plan, seed_type, seeds, before, **options)
    assert len(found) == len(expected)
    for here, there in zip(found, expected, strict=True):
        assert type(here) is type(there)
        assert (here.batch, here.seed_type, here.relations) == (there.batch, there.seed_type, there.relations)
        require_equal(here.columns, there.columns)


def test_without_the_plugin_one_warning_comes_and_the_live_store_is_refused(shop):
    options = {"fan_out": [3, 2], "seed_label": "User", "node_properties": ["*"], "batch_size": 30}
    expected = list(sample_graph(shop.driver, "shop", **options))
    graph_reader._warned.clear()
    with no_plugin():
        with pytest.warns(MissingPlugin, match="no gnn4j plugin"):
            found = list(sample_graph(shop.driver, "shop", **options))
        next(sample_graph(shop.driver, "shop", **options))  # a second warning would be an error here
        with pytest.raises(PipelineError, match="live store"):
            next(sample_graph(shop.driver, None, source="store", **options))
        with pytest.raises(InvalidInput, match=r"seed 1 \(Neo4j id -7\) is no node of type User"):
            next(sample_graph(shop.driver, "shop", **options, seeds=[shop.graph.nodes["User"][0], -7]))
    assert len(found) == len(expected) == 2
    for here, there in zip(found, expected, strict=True):
        assert here.relations == there.relations
        assert [here.feature("Item", "v").matrix(2).tolist(), here.features.keys()] == [
            there.feature("Item", "v").matrix(2).tolist(),
            there.features.keys(),
        ]
        assert here.feature("User", "age").values.tolist() == there.feature("User", "age").values.tolist()
        assert here.seed.tolist() == there.seed.tolist()


SAMPLE = "CALL gnn.graph.sample($graph, $config) YIELD batch, seeds, arrow"
BUYERS = [{"sender": "Item", "type": "BUY", "receiver": "User", "direction": "in"}]


def test_threads_and_batches_change_no_byte_of_what_is_drawn(shop):
    users = np.array(shop.graph.nodes["User"] * 5, np.int64)

    def records(**options):
        config = {
            "seedLabel": "User",
            "seeds": users.tobytes(),
            "fanOut": [3, 2, 2],
            "batchSize": 7,
        } | options
        with shop.driver.session() as session:
            return [record["arrow"] for record in session.run(SAMPLE, graph="shop", config=config)]

    alone = records(concurrency=1)
    assert len(alone) == -(-len(users) // 7)
    assert records(concurrency=2) == alone
    assert records(concurrency=4) == alone
    assert records(concurrency=1, randomSeed=1) != alone


def test_a_node_draws_alike_whoever_shares_its_batch(shop):
    def blocks(seeds):
        (sample,) = sample_graph(
            shop.driver, "shop", fan_out=[4, 3], seeds=seeds, seed_label="User", relations=BUYERS
        )
        return sample

    users = shop.graph.nodes["User"]
    together = blocks(users)
    items = together.node_ids["Item"][together.hop(together.node_types.index("Item"), 1)]
    for place, user in enumerate(users[:6]):
        own = blocks([user])
        drawn = own.neighbours(0, 1)[0]
        alone = own.node_ids["Item"][own.hop(own.node_types.index("Item"), 1)][drawn[drawn >= 0]]
        shared = together.neighbours(0, 1)[together.seed[place]]
        assert alone.tolist() == items[shared[shared >= 0]].tolist()


def test_seeds_are_bytes_a_list_nodes_or_a_whole_label(shop):
    ids = sorted(shop.graph.nodes["User"])
    config = {"seedLabel": "User", "fanOut": [2], "batchSize": 1000}
    query = SAMPLE + " RETURN seeds, arrow"

    def records(extra, text=query, **parameters):
        found = shop.driver.execute_query(text, graph="shop", config=config | extra, **parameters)
        return [(record["seeds"], record["arrow"]) for record in found.records]

    whole = records({})
    assert whole[0][0] == len(ids)
    assert records({"seeds": ids}) == whole
    assert records({"seeds": np.array(ids, "<i8").tobytes()}) == whole
    nodes = (
        "MATCH (u:User) WITH u ORDER BY id(u) WITH collect(u) AS users "
        "CALL gnn.graph.sample($graph, {seedLabel: 'User', fanOut: [2], batchSize: 1000, seeds: users}) "
        "YIELD seeds, arrow RETURN seeds, arrow"
    )
    assert records({}, nodes) == whole
    assert records({"seeds": []}) == []


def test_node_properties_are_gathered_by_row(shop):
    (sample,) = sample_graph(
        shop.driver, "shop", fan_out=[3], seed_label="User", relations=BUYERS, node_properties=["*"]
    )
    stored = {
        row["id"]: row
        for row in shop.driver.execute_query(
            "MATCH (n) RETURN id(n) AS id, n.age AS age, n.price AS price, n.v AS v"
        ).records
    }
    users, items = sample.node_ids["User"].tolist(), sample.node_ids["Item"].tolist()
    assert sample.feature("User", "age").values.tolist() == [stored[node]["age"] for node in users]
    assert sample.feature("Item", "price").values.tolist() == [stored[node]["price"] for node in items]
    assert sample.feature("Item", "v").matrix(2).tolist() == [stored[node]["v"] for node in items]
    assert set(sample.features["User"]) == {"age"}


def test_the_live_store_shows_uncommitted_changes_and_says_where_it_stopped(shop):
    hub = "MATCH (u:User) WITH u, count {(u)-[:BUY]->()} AS d ORDER BY d DESC LIMIT 1 RETURN id(u) AS id, d"
    (record,) = shop.driver.execute_query(hub).records
    config = {
        "source": "store",
        "relations": BUYERS,
        "fanOut": [10_000],
        "seedLabel": "User",
        "seeds": [record["id"]],
    }
    with shop.driver.session() as session, session.begin_transaction() as tx:

        def degree(**options):
            found = tx.run(SAMPLE, graph=None, config=config | options).single()
            sample = read_sample(found["batch"], found["arrow"])
            return int(sample.degrees(0, 1)[0]), sample.truncated

        before = degree()
        assert before[1] == 0
        tx.run("MATCH (u) WHERE id(u) = $id CREATE (u)-[:BUY]->(:Item)", id=record["id"]).consume()
        assert degree() == (before[0] + 1, 0)
        cut = degree(maxDegree=5)
        assert cut[0] <= 5
        assert cut[1] == 1
        tx.rollback()


@pytest.mark.parametrize(
    ("config", "sentences"),
    [
        ({}, ["`fanOut` is missing"]),
        ({"fanOut": [-1], "bacthSize": 3}, ["`fanOut`: must be", "Did you mean `batchSize`?"]),
        ({"fanOut": [2], "before": 3}, ["`before` needs `timeProperty`"]),
        ({"fanOut": [2], "seedLabel": "Usr"}, ["`seedLabel` 'Usr' is none of the node types Item, User"]),
        ({"fanOut": [2], "seedLabel": "User", "seeds": [-7]}, ["Seed 0 (Neo4j id -7) is no node of type"]),
        ({"fanOut": [2], "seeds": b"1234567"}, ["7 bytes, no multiple of 8"]),
        (
            {"fanOut": [2], "seedLabel": "User", "timeProperty": "ta", "relationshipWeightProperty": "wight"},
            ["Unknown relationship property 'ta'", "Did you mean `at`?", "Did you mean `weight`?"],
        ),
        (
            {
                "fanOut": [2],
                "seedLabel": "User",
                "relations": [{"sender": "Item", "type": "BUYS", "receiver": "User"}],
            },
            ["Unknown relationship type 'BUYS'", "Did you mean `BUY`?"],
        ),
        (
            {"fanOut": [2, 2], "relations": [{"sender": "Item", "typ": "BUY", "fanOut": [1]}]},
            [
                "`type` is missing",
                "`receiver` is missing",
                "`fanOut` [1] is of 1 hops",
                "Unknown configuration",
            ],
        ),
        ({"fanOut": [2], "source": "store"}, ["`source` 'store' needs `relations`"]),
        ({"fanOut": [2], "disjoint": True}, ["`disjoint` needs `format` 'coo'"]),
        (
            {"fanOut": [2], "seedLabel": "User", "relationshipWeightProperty": "at"},
            ["Unknown property of KNOWS 'at'", "Known: weight"],
        ),
    ],
)
def test_faults_are_named_all_at_once_before_any_work(shop, config, sentences):
    with pytest.raises(ClientError) as caught:
        shop.driver.execute_query(SAMPLE, graph="shop", config=config)
    for sentence in sentences:
        assert sentence in caught.value.message


def test_weights_that_are_missing_are_refused(shop):
    config = {
        "fanOut": [2],
        "seedLabel": "User",
        "relationshipTypes": ["SEE"],
        "relationshipWeightProperty": "at",
    }
    with pytest.raises(
        ClientError, match=r"`at` of a relationship in .*SEE.* weights are finite and above 0"
    ):
        shop.driver.execute_query(SAMPLE, graph="shop", config=config)


def kept(driver, graph):
    rows = driver.execute_query("CALL gnn.memory.list() YIELD kind, name, bytes, inUse").records
    return {(row["kind"], row["name"]): row for row in rows if row["name"].startswith(f"{graph} ")}


def require_released(driver, graph):
    """Nobody holds the lists, at the latest after a while: a query's end and its clean-up are two moments."""
    deadline = time.monotonic() + 120
    while any(row["inUse"] for row in kept(driver, graph).values()):
        assert time.monotonic() < deadline, "the lists are still held"
        time.sleep(0.1)


def test_lists_are_built_once_estimated_listed_and_gone_with_the_graph(shop):
    driver = shop.driver
    driver.execute_query("CALL gds.graph.project('brief', ['User', 'Item'], ['BUY', 'KNOWS'])")
    config = {"fanOut": [2], "seedLabel": "User"}
    (estimate,) = driver.execute_query(
        "CALL gnn.graph.sample.estimate('brief', $config) YIELD bytesMin, mapView, relationshipCount",
        config=config,
    ).records
    before = kept(driver, "brief")
    assert [kind for kind, _ in before] == ["nodes"], "an estimate reads no relationship"
    driver.execute_query(SAMPLE, graph="brief", config=config)
    after = kept(driver, "brief")
    names = {name for kind, name in after if kind == "neighbours"}
    assert names == {
        "brief (User)-[BUY]->(Item)",
        "brief (Item)<-[BUY]-(User)",
        "brief (User)-[KNOWS]->(User)",
        "brief (User)<-[KNOWS]-(User)",
    }
    require_released(driver, "brief")
    assert sum(row["bytes"] for row in after.values()) <= estimate["bytesMin"]
    assert estimate["relationshipCount"] == 2 * 900
    driver.execute_query(SAMPLE, graph="brief", config=config | {"fanOut": [5, 5], "randomSeed": 3})
    assert kept(driver, "brief").keys() == after.keys(), "other draws, the same lists"
    driver.execute_query("CALL gds.graph.drop('brief')")
    assert kept(driver, "brief") == {}


def test_a_graph_projected_anew_is_sampled_anew(shop):
    driver = shop.driver
    config = {"fanOut": [10_000], "seedLabel": "User", "direction": "in"}

    def edges():
        (record,) = driver.execute_query(SAMPLE, graph="again", config=config).records
        return read_sample(0, record["arrow"]).edges

    driver.execute_query("CALL gds.graph.project('again', ['User', 'Item'], 'KNOWS')")
    knows = edges()
    driver.execute_query("CALL gds.graph.drop('again')")
    driver.execute_query("CALL gds.graph.project('again', ['User', 'Item'], ['KNOWS', 'SEE'])")
    assert edges() > knows
    driver.execute_query("CALL gds.graph.drop('again')")


def test_relationships_made_anew_within_a_projection_are_read_anew(shop):
    driver = shop.driver
    driver.execute_query("CALL gds.graph.project('mutated', {User: {properties: 'age'}}, 'KNOWS')")
    config = {"fanOut": [100], "direction": "in", "relationshipTypes": ["SIM"]}
    for k in (1, 3):
        driver.execute_query(
            "CALL gds.knn.mutate('mutated', {topK: $k, nodeProperties: 'age', mutateRelationshipType: 'SIM', "
            "mutateProperty: 'score', sampleRate: 1.0, deltaThreshold: 0.0})",
            k=k,
        )
        (record,) = driver.execute_query(SAMPLE, graph="mutated", config=config).records
        (dropped,) = driver.execute_query(
            "CALL gds.graph.relationships.drop('mutated', 'SIM') "
            "YIELD deletedRelationships AS count RETURN count"
        ).records
        assert read_sample(0, record["arrow"]).edges == dropped["count"]
    driver.execute_query("CALL gds.graph.drop('mutated')")


def test_another_users_graph_is_not_seen(server, shop):
    with server.second_user() as bob, pytest.raises(ClientError, match="shop"):
        bob.execute_query(SAMPLE, graph="shop", config={"fanOut": [2], "seedLabel": "User"})


def test_a_terminated_query_ends_and_lets_go_of_its_lists(shop):
    seeds = np.array(shop.graph.nodes["User"] * 20_000, np.int64).tobytes()
    config = {"seedLabel": "User", "fanOut": [30, 30, 30], "seeds": seeds, "batchSize": 50}
    with shop.driver.session() as session:
        records = session.run(SAMPLE, graph="shop", config=config)
        next(records)
        assert any(row["inUse"] for row in kept(shop.driver, "shop").values())
        (query,) = shop.driver.execute_query(
            "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE currentQuery STARTS WITH $text "
            "RETURN transactionId",
            text=SAMPLE,
        ).records
        shop.driver.execute_query("TERMINATE TRANSACTION $id", id=query["transactionId"])
        with pytest.raises(Neo4jError, match=r"[Tt]erminated"):
            for _ in records:
                pass
    require_released(shop.driver, "shop")


def test_a_client_that_stops_reading_ends_the_query(shop):
    seeds = np.array(shop.graph.nodes["User"] * 20_000, np.int64)
    samples = sample_graph(
        shop.driver, "shop", fan_out=[30, 30], seeds=seeds, seed_label="User", batch_size=50
    )
    assert next(samples).batch == 0
    samples.close()
    require_released(shop.driver, "shop")
