"""Calls that ask for far too much, or whose model goes: a correct list or one clear sentence."""

import threading
import time

import numpy as np
import pytest
import served_model
from neo4j.exceptions import ClientError, Neo4jError, TransientError

pytestmark = pytest.mark.server
ITEMS = 400


@pytest.fixture(scope="module")
def shop(server):
    server.clear()
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(1, $n) AS n CREATE (:Item {id: n, code: 'code-' + n})", n=ITEMS)
    server.execute("MATCH (i:Item) WHERE i.id <= 3 CREATE (:User {id: i.id})-[:BUY {at: i.id}]->(i)")
    rng = np.random.default_rng(4)
    server.vectors = rng.normal(size=(2, ITEMS, 2))
    served_model.serve(server, "limits", list(range(1, ITEMS + 1)), *server.vectors)
    yield server
    server.clear()


def test_a_million_sources_are_answered_as_they_are_read(shop):
    query = (
        "MATCH (u:User {id: 1}) WITH [x IN range(1, 1000000) | u] AS users "
        "CALL gnn.recommend.stream(users, {topK: 2}) YIELD node, rank WITH node, rank LIMIT 300 "
        "RETURN count(*) AS rows, count(DISTINCT node) AS items, sum(rank) AS ranks"
    )
    assert shop.execute(query)[0].values() == [300, 2, 450]


def test_a_million_sources_end_when_the_transaction_is_timed_out(shop):
    query = (
        "MATCH (u:User {id: 1}) WITH [x IN range(1, 1000000) | u] AS users "
        "CALL gnn.recommend.stream(users, {topK: 1}) YIELD node RETURN count(*) AS rows"
    )
    with shop.driver().session() as session:
        tx = session.begin_transaction(timeout=2)
        with pytest.raises((ClientError, TransientError), match=r"(?i)terminated|timed? ?out"):
            tx.run(query).consume()
    held = "CALL gnn.memory.list() YIELD inUse WHERE inUse RETURN count(*) AS held"
    deadline = time.monotonic() + 120  # the end of a query and its clean-up are two moments
    while shop.execute(held)[0]["held"]:
        assert time.monotonic() < deadline, "memory is still held"
        time.sleep(0.1)


def test_a_filter_of_ten_megabytes_holds(shop):
    wanted = [f"code-{n}" for n in range(11, 1_000_011)]
    (row,) = shop.execute(
        "MATCH (u:User {id: 1}) CALL gnn.recommend.stream(u, {topK: 1000, filter: {code: $wanted}}) "
        "YIELD node RETURN count(*) AS rows, min(node.id) AS least",
        wanted=wanted,
    )
    assert tuple(row.values()) == (ITEMS - 10, 11)


def test_text_of_a_filter_is_a_value_and_never_cypher(shop):
    hostile = "x'}) DETACH DELETE node //`"
    query = "MATCH (u:User {id: 1}) CALL gnn.recommend.stream(u, $config) YIELD node RETURN count(*) AS rows"
    for config, rows in (
        ({"filter": {"code": hostile}}, 0),
        ({"filter": {hostile: 1}}, 0),
        ({"maxPer": {hostile: 1}}, 10),
        ({"blockedTypes": [hostile]}, 10),
        ({"blend": {"vector": 1, "boosts": {hostile: {"filter": {hostile: hostile}}}}}, 10),
    ):
        assert shop.execute(query, config=config)[0]["rows"] == rows
    for config in ({"seen": [hostile]}, {"model": hostile}):
        with pytest.raises(ClientError, match="DETACH DELETE node"):
            shop.execute(query, config=config)
    assert shop.execute("MATCH (i:Item) RETURN count(*) AS n")[0]["n"] == ITEMS


@pytest.mark.parametrize("top_k", [100_000, 1_000_000])
def test_a_huge_list_is_all_there_is_or_refused(shop, top_k):
    query = "MATCH (u:User {id: 1}) CALL gnn.recommend.stream(u, {topK: $k}) YIELD node RETURN count(*) AS n"
    if top_k == 100_000:
        assert shop.execute(query, k=top_k)[0]["n"] == ITEMS - 1
    else:
        with pytest.raises(ClientError, match=r"`topK` must lie in \[1, 100000\], but is 1000000"):
            shop.execute(query, k=top_k)


def test_a_model_that_is_dropped_during_a_call_answers_it_to_the_end(shop):
    served_model.serve(shop, "going", list(range(1, ITEMS + 1)), *shop.vectors)
    served_model.serve(shop, "going", list(range(1, ITEMS + 1)), *shop.vectors, history=7)
    query = (
        "MATCH (u:User {id: 2}) WITH [x IN range(1, 600) | u] AS users "
        "CALL gnn.recommend.stream(users, {model: $model, topK: 5}) YIELD source, node, rank "
        "RETURN source.id AS user, node.id AS item, rank"
    )
    with shop.driver().session(fetch_size=10) as session:
        result = session.run(query, model="going:1")
        rows = [next(result).data()]
        dropping = threading.Thread(
            target=shop.execute, args=("CALL gnn.model.drop('going', {version: 1}) YIELD name FINISH",)
        )
        dropping.start()
        rows += [record.data() for record in result]
    dropping.join()
    assert len(rows) == 600 * 5
    expected = shop.execute(query, model="limits:1")
    assert rows == [record.data() for record in expected]
    with pytest.raises(Neo4jError, match="Unknown version 1 of model 'going'"):
        shop.execute(query, model="going:1")
