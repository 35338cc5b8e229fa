"""`gnn.graph.export` and `read_graph`: a graph worked by hand, the slow way, and trouble."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import neo4j
import numpy as np
import pytest
from neo4j.exceptions import ClientError, Neo4jError, TransientError

from gds_pipelines import graph_reader
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.graph_data import open_graph
from gds_pipelines.graph_reader import MissingPlugin, read_graph
from gds_pipelines.server import process
from gds_pipelines.write_back import mutate_node_properties

EXPORT = "CALL gnn.graph.export($graph, $config) YIELD kind, name, rows, arrow RETURN kind, name, rows"
# A database that was used before gives freed ids in any order: the roles go by ascending id.
SHOP = """
UNWIND range(1, 5) AS any CREATE (n)
WITH n ORDER BY id(n) WITH collect(n) AS n
WITH n[0] AS a, n[1] AS b, n[2] AS c, n[3] AS i, n[4] AS j
SET a:User, b:User:Extra, c:User, i:Item, j:Item,
    a += {age: 1, score: 0.5, tags: [1, 2], vector: [0.1, 0.2]}, b += {age: 2, tags: [3], vector: [1.0, 2.0]},
    i += {price: 3.5, vector: [5.0, 6.0]}, j += {price: 1.0}
CREATE (a)-[:BUY {at: 5, weight: 1.5}]->(i), (a)-[:BUY {at: 3}]->(i), (a)-[:BUY {at: 3, weight: 0.5}]->(i),
       (b)-[:BUY {at: 9}]->(j), (b)-[:KNOWS]->(a), (c)-[:BUY {at: 1}]->(c)
"""
PROJECT_SHOP = """
CALL gds.graph.project('shop',
  {User: {properties: ['age', 'score', 'tags', 'vector']},
   Item: {properties: ['price', 'vector']}, Extra: {}},
  {BUY: {properties: ['at', 'weight']}, KNOWS: {}}) YIELD nodeCount RETURN nodeCount
"""


@pytest.fixture(scope="module")
def shop(server):
    server.clear()
    server.execute(SHOP)
    server.execute(PROJECT_SHOP)
    # Mutated properties are float[]; those that were projected are double[].
    server.execute("CALL gds.fastRP.mutate('shop', {embeddingDimension: 4, mutateProperty: 'fastrp'})")
    node = server.execute("MATCH (a:User {age: 1}) RETURN id(a) AS id")[0]["id"]
    some = {"some": np.array([[1, 2, 3]], np.float32)}
    mutate_node_properties(server.driver(), "shop", np.array([node]), some)
    return server.driver()


@pytest.fixture(scope="module")
def noise(server, shop):
    """100,000 relationships between two labels, ids in no order; 1 in 10 nodes has no relationship."""
    server.execute("""
        UNWIND range(0, 3999) AS n
        FOREACH (x IN CASE WHEN n % 3 = 0 THEN [n] ELSE [] END | CREATE (:A {number: x}))
        FOREACH (x IN CASE WHEN n % 3 > 0 THEN [n] ELSE [] END | CREATE (:B {number: x}))
    """)
    server.execute("""
        MATCH (n) WHERE n:A OR n:B WITH collect(n) AS nodes
        UNWIND range(1, 30000) AS r
        WITH nodes[r * 7919 % 3600] AS from, nodes[r * r % 3601] AS to, r
        CREATE (from)-[:LINK {weight: r % 4}]->(to)
    """)
    server.execute(
        "CALL gds.graph.project('noise', {A: {properties: 'number'}, B: {properties: 'number'}},"
        " {LINK: {properties: 'weight'}, BACK: {type: 'LINK', orientation: 'REVERSE'}})"
        " YIELD nodeCount RETURN nodeCount"
    )
    return server.driver()


@pytest.fixture
def without_plugin(monkeypatch):
    monkeypatch.setattr(graph_reader, "_EXPORT", graph_reader._EXPORT.replace("gnn.graph", "gnn.nothing"))
    graph_reader._warned.clear()


@pytest.mark.parametrize("layout", ["csr", "coo"])
def test_export_equals_the_graph_worked_by_hand(shop, layout):
    graph = read_graph(shop, "shop", layout=layout, label_priority=["User"])
    assert sorted(graph.nodes) == ["Extra", "Item", "User"]
    assert [len(graph.nodes[name]) for name in ("Extra", "Item", "User")] == [0, 2, 3]
    users = graph.nodes["User"]
    assert np.all(np.diff(users.node_ids) > 0)
    assert users.column("age").missing.tolist() == [False, False, True]
    assert users["age"].tolist()[:2] == [1, 2]
    np.testing.assert_array_equal(users["score"], [0.5, np.nan, np.nan])
    assert users.column("tags").offsets.tolist() == [0, 2, 3, 3]
    assert users["tags"].tolist() == [1, 2, 3]
    assert users.column("tags").row(2) is None
    assert users["vector"].dtype == np.float64
    assert users["vector"].tolist() == [[0.1, 0.2], [1.0, 2.0], [0.0, 0.0]]
    assert (users["fastrp"].dtype, users["fastrp"].shape) == (np.float32, (3, 4))
    assert users["some"].dtype == np.float32
    assert users["some"].tolist() == [[1, 2, 3], [0, 0, 0], [0, 0, 0]]
    assert users.column("some").missing.tolist() == [False, True, True]
    buys = graph.relation("User", "BUY", "Item")
    assert buys.sources.tolist() == [0, 0, 0, 1]
    assert buys.offsets.tolist() == [0, 3, 4, 4]
    assert buys.targets.tolist() == [0, 0, 0, 1]
    np.testing.assert_array_equal(buys.properties["at"], [3, 3, 5, 9])
    np.testing.assert_array_equal(buys.properties["weight"], [0.5, np.nan, 1.5, np.nan])
    assert graph.relation("User", "BUY", "User").sources.tolist() == [2]
    assert graph.relation("User", "KNOWS", "User").targets.tolist() == [0]
    assert len(graph.relations) == 3


def test_filters_leave_out_what_was_not_asked_for(shop):
    graph = read_graph(
        shop,
        "shop",
        node_labels=["User"],
        relationship_types=["KNOWS", "BUY"],
        node_properties=["age"],
        relationship_properties=[],
    )
    assert list(graph.nodes["User"].columns) == ["age"]
    assert [(relation.name, len(relation)) for relation in graph.relations.values()] == [
        ("(User)-[KNOWS]->(User)", 1),
        ("(User)-[BUY]->(User)", 1),
    ]
    assert graph.relation("User", "BUY", "User").properties == {}
    extra = read_graph(shop, "shop", node_labels=["Extra"])
    assert len(extra.nodes["Extra"]) == 1
    assert {len(relation) for relation in extra.relations.values()} == {0}


def test_an_empty_type_and_an_empty_graph_are_no_error(server, shop):
    server.execute("CALL gds.graph.filter('nobody', 'shop', 'n.age > 1000', '*') YIELD nodeCount RETURN 1")
    graph = read_graph(shop, "nobody")
    assert [len(table) for table in graph.nodes.values()] == [0]
    assert all(len(relation) == 0 for relation in graph.relations.values())
    assert graph.to_arrow()["__ALL__"].num_rows == 0


@pytest.mark.parametrize("layout", ["csr", "coo"])
def test_the_plugin_and_collected_lists_give_the_same(noise, without_plugin, layout, monkeypatch):
    with pytest.warns(MissingPlugin, match="no gnn4j plugin"):
        slow = read_graph(noise, "noise", layout=layout)
    read_graph(noise, "noise", layout=layout, node_properties=[])  # a second warning would be an error here
    monkeypatch.undo()
    fast = read_graph(noise, "noise", layout=layout, batch_size=777, concurrency=3)
    assert slow.relations.keys() == fast.relations.keys()
    assert sum(map(len, fast.relations.values())) == 60_000
    for name, table in fast.nodes.items():
        np.testing.assert_array_equal(table.node_ids, slow.nodes[name].node_ids)
        np.testing.assert_array_equal(table["number"], slow.nodes[name]["number"])
    for key, relation in fast.relations.items():
        np.testing.assert_array_equal(relation.targets, slow.relations[key].targets)
        np.testing.assert_array_equal(relation.offsets, slow.relations[key].offsets)
        np.testing.assert_array_equal(relation.sources, slow.relations[key].sources)
        for name, values in relation.properties.items():
            np.testing.assert_array_equal(values, slow.relations[key].properties[name])


def test_a_mapped_graph_is_opened_without_the_database(noise, tmp_path):
    done = []
    read = read_graph(
        noise, "noise", into=tmp_path / "noise", report=lambda name, at, total: done.append((at, total))
    )
    assert isinstance(read.relation("A", "LINK", "B").targets, np.memmap)
    assert done[-1][0] == done[-1][1] > 60_000
    memory = read_graph(noise, "noise")
    opened = open_graph(tmp_path / "noise")
    assert opened.creation_time == memory.creation_time
    for key, relation in memory.relations.items():
        np.testing.assert_array_equal(relation.offsets, opened.relations[key].offsets)
        np.testing.assert_array_equal(relation.targets, opened.relations[key].targets)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"layot": "csr"}, "Unknown configuration key `layot`. Did you mean `layout`?"),
        ({"layout": "cs"}, "Unknown value 'cs' for `layout`"),
        ({"batchSize": -1, "concurrency": 9}, "`concurrency` must lie in [1, 4], but is 9."),
        ({"nodeLabels": ["Usr"]}, "Unknown node label 'Usr' in graph `shop`. Did you mean `User`?"),
        (
            {"relationshipTypes": ["BUYS"]},
            "Unknown relationship type 'BUYS' in graph `shop`. Did you mean `BUY`?",
        ),
        ({"nodeProperties": ["Age"], "relationshipProperties": ["weigth"]}, "Did you mean `weight`?"),
        ({}, "carry several of the labels"),
    ],
)
def test_faults_are_told_before_any_work(shop, config, words):
    with pytest.raises(ClientError) as caught:
        shop.execute_query(EXPORT, graph="shop", config=config)
    assert words in caught.value.message


def test_reading_what_is_not_there(shop, without_plugin, monkeypatch):
    with pytest.warns(MissingPlugin), pytest.raises(PipelineError, match="Did you mean 'shop'"):
        read_graph(shop, "shopp")
    for options, words in (
        ({"node_labels": ["Usr"]}, "Did you mean 'User'"),
        ({"node_properties": ["Age"], "relationship_types": ["BUYS"]}, "Did you mean 'age'"),
        ({}, "carry several of the labels"),
    ):
        with pytest.raises(InvalidInput, match=words):
            read_graph(shop, "shop", **options)
    monkeypatch.undo()
    with pytest.raises(ClientError, match=r"Did you mean `shop`.*project again with"):
        read_graph(shop, "shopp")
    with pytest.raises(InvalidInput, match="layout 'rows' is none of csr, coo"):
        read_graph(shop, "shop", layout="rows")


def test_nobody_exports_the_graph_of_another(server, shop):
    with server.second_user("bob") as bob:
        with pytest.raises(ClientError, match=r"does not exist in database `neo4j`\. Your graphs: none\."):
            bob.execute_query(EXPORT, graph="shop", config={})
        bob.execute_query("CALL gds.graph.generate('shop', 5, 1) YIELD nodes RETURN nodes")
        assert len(read_graph(bob, "shop").nodes["__ALL__"]) == 5
        assert len(read_graph(shop, "shop", label_priority=["User"]).nodes["User"]) == 3
        bob.execute_query("CALL gds.graph.drop('shop') YIELD graphName RETURN 1")


@pytest.fixture(scope="module")
def large(server, shop):
    server.execute(
        "CALL gds.graph.generate('large', 50000, 20, {relationshipSeed: 1}) YIELD nodes RETURN nodes"
    )
    return server.driver()


def _export_threads(server):
    """Names of Linux threads carry the first letters of the Java name."""
    pid = process.status(server.home).pid
    names = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/comm")]
    return [name for name in names if name.startswith("gnn-export")]


def _transactions(server):
    return server.execute(
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery WHERE currentQuery CONTAINS 'gnn.graph.export' "
        "AND NOT currentQuery STARTS WITH 'SHOW' RETURN transactionId AS id"
    )


def _until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def test_a_graph_dropped_during_its_export_is_an_error_in_words(server, large):
    server.execute("CALL gds.graph.generate('passing', 20000, 10) YIELD nodes RETURN nodes")
    with large.session(fetch_size=1) as session:
        records = session.run(EXPORT, graph="passing", config={"batchSize": 500})
        next(records)
        server.execute("CALL gds.graph.drop('passing') YIELD graphName RETURN 1")
        with pytest.raises(Neo4jError, match="was dropped or projected anew"):
            list(records)


def test_a_terminated_export_ends(server, large):
    ended = []

    def read():
        with large.session() as session:
            try:
                # A million rows: far more than are read until the end is asked for.
                for _ in session.run(EXPORT, graph="large", config={"batchSize": 1}):
                    pass
            except (ClientError, TransientError) as error:
                ended.append(error.code)

    reader = threading.Thread(target=read)
    reader.start()
    found = []
    _until(lambda: found.extend(_transactions(server)) or found)
    server.execute("TERMINATE TRANSACTIONS $id", id=found[0]["id"])
    reader.join(120)
    assert ended, "the export went on"
    assert "Terminated" in ended[0]
    _until(lambda: not _transactions(server))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads the names of Linux threads")
def test_a_client_that_vanishes_leaves_nothing_behind(server, large):
    script = """
        import sys, neo4j
        driver = neo4j.GraphDatabase.driver(sys.argv[1], auth=(sys.argv[2], sys.argv[3]))
        records = driver.session(fetch_size=1).run(
            "CALL gnn.graph.export('large', {batchSize: 1000}) YIELD rows RETURN rows")
        next(records); next(records)
        print("reading", flush=True)
        sys.stdin.read()
    """
    command = [sys.executable, "-c", textwrap.dedent(script), server.uri, server.user, server.password]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"reading\n"
    assert _transactions(server)
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    _until(lambda: not _transactions(server))
    if server.home is not None:
        _until(lambda: not _export_threads(server))


def test_four_clients_at_once_get_the_same(server, large):
    results = []

    def read():
        with neo4j.GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
            graph = read_graph(driver, "large", concurrency=2)
            results.append(next(iter(graph.relations.values())).targets)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert len(results) == 4
    for targets in results:
        np.testing.assert_array_equal(targets, results[0])


def test_the_labels_of_a_task_are_the_types_and_the_first_wins(shop, without_plugin, monkeypatch):
    task = {"recommend": "Extra", "to": "User", "key": {"Extra": "id", "User": "id"}, "via": {"KNOWS": 1}}
    with pytest.warns(MissingPlugin):
        slow = read_graph(shop, "shop", task=task)
    monkeypatch.undo()
    for graph in (slow, read_graph(shop, "shop", task=task)):
        assert [(name, len(table)) for name, table in graph.nodes.items()] == [("Extra", 1), ("User", 2)]
        assert graph.relation("Extra", "KNOWS", "User").targets.tolist() == [0]
    with pytest.raises(
        ClientError, match=r"`labelPriority` and `task` exclude each other.*Unknown configuration key"
    ):
        read_graph(shop, "shop", task=task | {"recomend": "X"}, label_priority=["User"])
