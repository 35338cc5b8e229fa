"""Calls on a projection that are ended, left alone, run side by side, or lose their graph; and other users.

Each must end in a clear error, hold nothing afterwards, and disturb nobody.
"""

import json
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
import pyarrow as pa
import pytest
from neo4j.exceptions import Neo4jError

from model_export import read

pytestmark = [pytest.mark.server, pytest.mark.timeout(600)]
USERS, ITEMS = 300, 600
GOLDEN = Path(__file__).parents[1] / "golden" / "block_encoders" / "graphsage.zip"
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0},
    "timeProperty": "at",
}
# Rows of these come one after the other, so that a reader can stop in the middle.
STREAMS = {
    "export": ("CALL gnn.graph.export($graph, $config) YIELD arrow", {"batchSize": 10}),
    "sample": (
        "CALL gnn.graph.sample($graph, $config) YIELD batch, arrow",
        {"seedLabel": "User", "fanOut": [5, 5], "batchSize": 1},
    ),
    "negatives": (
        "CALL gnn.graph.negatives($graph, $config) YIELD batch, arrow",
        {"seedLabel": "User", "targetLabel": "Item", "count": 4, "batchSize": 1},
    ),
    "embed": (
        "CALL gnn.embed.stream($graph, $config) YIELD nodeId, embedding",
        {"model": "ended:1", "batchSize": 1},
    ),
}
EVALUATE = "CALL gnn.evaluate.stream($graph, $config) YIELD method, metric, k, value"
JUDGED = {"task": TASK, "methods": ["popularity", "walk"], "truth": {"after": 30}}


@pytest.fixture(scope="module")
def server(server):
    server.clear()
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(0, $n - 1) AS id CREATE (:User {id: id, age: id})", n=USERS)
    server.execute("UNWIND range(0, $n - 1) AS id CREATE (:Item {id: id, price: id})", n=ITEMS)
    server.execute("CALL db.createRelationshipType('FOLLOWS')")
    server.execute(
        "MATCH (u:User) UNWIND range(0, 9) AS n MATCH (i:Item {id: (7 * u.id + n * n) % $items}) "
        "CREATE (u)-[:BUY {at: 4 * n}]->(i)",
        items=ITEMS,
    )
    server.execute(
        "MATCH (a:Item), (b:Item {id: (a.id * 5) % $items}) CREATE (a)-[:SIMILAR]->(b)", items=ITEMS
    )
    project(server, "ended")
    server.execute("CALL gnn.model.load('ended', $core)", core=read(GOLDEN).core_zip())
    yield server
    server.clear()


def project(server, name):
    server.execute(
        "CALL gds.graph.project($name, ['User', 'Item'], "
        "{BUY: {properties: {at: {defaultValue: 0}}}, SIMILAR: {}, FOLLOWS: {}}) YIELD nodeCount RETURN 1",
        name=name,
    )


def running(server, text):
    return server.execute(
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery, statusDetails "
        "WHERE currentQuery STARTS WITH $text RETURN transactionId AS id, statusDetails AS status",
        text=text,
    )


def until(condition, seconds=90.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.2)
    return found


def nothing_is_held(server, text):
    until(lambda: not running(server, text))
    until(lambda: not server.execute("CALL gnn.memory.list() YIELD inUse WHERE inUse RETURN inUse"))


@pytest.mark.parametrize("name", STREAMS)
def test_a_terminated_stream_says_so_and_holds_nothing(server, name):
    query, config = STREAMS[name]
    with server.driver().session(fetch_size=1) as session:
        records = session.run(query, graph="ended", config=config)
        next(records)
        (one,) = running(server, query)
        server.execute("TERMINATE TRANSACTION $id", id=one["id"])
        with pytest.raises(Neo4jError, match=r"[Tt]erminated"):
            list(records)
    nothing_is_held(server, query)
    assert server.execute(query, graph="ended", config=config)


def long_graph(server):
    """Pairs of nodes that need not be stored: to walk from each of them takes minutes."""
    server.execute(
        "UNWIND range(0, 399999) AS n WITH gds.graph.project('long', n % 10000, 10000 + (n * 7919) % 491, "
        "{sourceNodeLabels: 'User', targetNodeLabels: 'Item', relationshipType: 'BUY', "
        "relationshipProperties: {at: n / 10000}}) AS graph RETURN graph.relationshipCount"
    )


def test_a_terminated_evaluation_ends(server):
    long_graph(server)
    ended = []

    def ask():
        with server.driver().session() as session:
            try:
                ended.append(session.run(EVALUATE, graph="long", config=JUDGED).values())
            except Neo4jError as error:
                ended.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    (one,) = until(lambda: running(server, EVALUATE))
    server.execute("TERMINATE TRANSACTION $id", id=one["id"])
    asking.join(90)
    assert isinstance(ended[0], Neo4jError), "it went on"
    assert "erminated" in str(ended[0])
    nothing_is_held(server, EVALUATE)
    server.execute("CALL gds.graph.drop('long') YIELD graphName RETURN 1")


@pytest.mark.parametrize("call", ["stats", "write"])
def test_a_terminated_embedding_ends_and_tells_before_how_far_it_is(server, call):
    query = f"CALL gnn.embed.{call}($graph, $config) YIELD nodeCount"
    config = {"model": "ended:1", "batchSize": 1, "concurrency": 1}
    if call == "write":
        config["writeProperty"] = "taste"
    ended, seen = [], []

    def ask():
        with server.driver().session() as session:
            for _ in range(1000):  # each takes a moment only
                try:
                    session.run(query, graph="ended", config=config).consume()
                except Neo4jError as error:
                    ended.append(str(error))
                    return

    asking = threading.Thread(target=ask)
    asking.start()

    def under_way():
        found = [one for one in running(server, query) if f"gnn.embed.{call}: " in (one["status"] or "")]
        seen.extend(one["status"] for one in found)
        for one in found:
            server.execute("TERMINATE TRANSACTION $id", id=one["id"])
        return ended

    until(under_way)
    asking.join(90)
    assert "erminated" in ended[0]
    assert seen
    nothing_is_held(server, query)


def test_clients_that_vanish_in_the_middle_leave_nothing_behind(server):
    script = """
        import json, sys, neo4j
        calls, auth = json.loads(sys.stdin.readline()), json.loads(sys.stdin.readline())
        driver = neo4j.GraphDatabase.driver(sys.argv[1], auth=tuple(auth))
        open_ones = [driver.session(fetch_size=1).run(query, graph="ended", config=c) for query, c in calls]
        for records in open_ones:
            next(records)
        print("reading", flush=True)
        sys.stdin.read()
    """
    client = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script), server.uri],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    client.stdin.write(json.dumps(list(STREAMS.values())) + "\n")
    client.stdin.write(json.dumps([server.user, server.password]) + "\n")
    client.stdin.flush()
    assert client.stdout.readline() == "reading\n"
    assert all(running(server, query) for query, _ in STREAMS.values())
    os.kill(client.pid, signal.SIGKILL)
    client.wait()
    for query, _ in STREAMS.values():
        nothing_is_held(server, query)


@pytest.mark.parametrize("name", STREAMS)
def test_a_projection_dropped_in_the_middle_is_an_error_in_words(server, name):
    project(server, "passing")
    query, config = STREAMS[name]
    with server.driver().session(fetch_size=1) as session:
        records = session.run(query, graph="passing", config=config)
        next(records)
        server.execute("CALL gds.graph.drop('passing') YIELD graphName RETURN 1")
        with pytest.raises(Neo4jError, match="was dropped or projected anew"):
            list(records)
    nothing_is_held(server, query)
    kept = server.execute("CALL gnn.memory.list() YIELD name WHERE name CONTAINS 'passing' RETURN name")
    assert not kept


def test_four_clients_at_once_get_what_one_gets(server):
    calls = [*STREAMS.values(), (EVALUATE, JUDGED)]

    def ask(driver):
        return [
            [list(r.values()) for r in driver.execute_query(q, graph="ended", config=c).records]
            for q, c in calls
        ]

    alone, results = ask(server.driver()), []

    def one_client():
        with neo4j.GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver:
            results.append(ask(driver))

    clients = [threading.Thread(target=one_client) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(300)
    assert len(results) == 4
    assert all(result == alone for result in results)
    for query, _ in calls:
        nothing_is_held(server, query)


def node_values():
    batch = pa.RecordBatch.from_pydict({"nodeId": np.arange(2), "x": np.arange(2.0)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return {"arrow": sink.getvalue().to_pybytes()}


@pytest.mark.parametrize(
    ("query", "config"),
    [
        *STREAMS.values(),
        (EVALUATE, JUDGED),
        (STREAMS["sample"][0].replace("sample", "sample.estimate").split(" YIELD")[0], STREAMS["sample"][1]),
        ("CALL gnn.embed.stats($graph, $config)", {"model": "ended:1"}),
        ("CALL gnn.embed.mutate($graph, $config)", {"model": "ended:1", "mutateProperty": "taste"}),
        ("CALL gnn.embed.write($graph, $config)", {"model": "ended:1", "writeProperty": "taste"}),
        ("CALL gnn.embed.write.estimate($graph, $config)", {"model": "ended:1", "writeProperty": "taste"}),
        ("CALL gnn.nodeProperty.mutate($graph, $config)", node_values()),
    ],
    ids=lambda value: value.split("(")[0].removeprefix("CALL ") if isinstance(value, str) else "",
)
def test_another_user_is_told_that_there_is_no_such_projection(server, query, config):
    with (
        server.second_user() as other,
        pytest.raises(Neo4jError, match=r"gds\.graph\.project|does not exist"),
    ):
        other.execute_query(query, graph="ended", config=config)
