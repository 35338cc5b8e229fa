"""`gnn.recommend.write`: what is written equals what is streamed, and a list is whole or not there."""

import contextlib
import threading
import time

import numpy as np
import pytest
import served_model
from neo4j.exceptions import ClientError, DriverError, Neo4jError

from gds_pipelines.connection import connect
from gds_pipelines.recommendation import recommend

pytestmark = pytest.mark.server
USERS, ITEMS = 60, 40
LISTS = """
MATCH (u:User)-[r:RECOMMENDED]->(i:Item)
RETURN u.id AS user, r.rank AS rank, i.id AS item, r.score AS score,
  r.model AS model, r.version AS version, r.at AS at
ORDER BY user, rank
"""
STREAMED = """
MATCH (u:User) WITH u ORDER BY id(u) WITH collect(u) AS users
CALL gnn.recommend.stream(users, {topK: 5}) YIELD source, node, rank, score
RETURN source.id AS user, rank, node.id AS item, score ORDER BY user, rank
"""


@pytest.fixture(scope="module")
def shop(server):
    served_model.fill(server, ITEMS, USERS, served_model.SCATTERED)
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(2, ITEMS, 2))
    served_model.serve(server, "kept", list(range(1, ITEMS + 1)), *vectors)
    yield server
    server.clear()


@pytest.fixture
def database(shop):
    shop.execute("MATCH ()-[r:RECOMMENDED]->() DELETE r")
    return shop


def write(database, **config):
    (row,) = database.execute(
        "CALL gnn.recommend.write($config) YIELD users, relationshipsWritten, relationshipsDeleted, "
        "usersKept, at, batchesCommitted, batchesFailed RETURN *",
        config=config,
    )
    return row.data()


def lists(database):
    return [record.data() for record in database.execute(LISTS)]


def test_what_is_written_is_what_is_streamed(database):
    done = write(database, topK=5, batchSize=7, concurrency=2)
    found = lists(database)
    assert [{key: row[key] for key in ("user", "rank", "item", "score")} for row in found] == [
        record.data() for record in database.execute(STREAMED)
    ]
    assert {(row["model"], row["version"], row["at"]) for row in found} == {("kept", 1, done["at"])}
    assert done["users"] == USERS
    assert done["relationshipsWritten"] == len(found) == 5 * USERS
    assert (done["batchesCommitted"], done["batchesFailed"]) == (-(-USERS // 7), 0)


def test_writing_again_replaces_and_since_goes_on_where_it_ended(database):
    first = write(database, topK=5)
    some = write(database, users=[], topK=3)
    assert some["users"] == some["relationshipsWritten"] == 0
    database.execute("MATCH (u:User)-[r:RECOMMENDED]->() WHERE u.id > 50 DELETE r")
    resumed = write(database, topK=3, since=first["at"])
    assert (resumed["usersKept"], resumed["users"], resumed["relationshipsDeleted"]) == (50, 10, 0)
    again = write(database, topK=2)
    assert (again["users"], again["relationshipsDeleted"]) == (USERS, 50 * 5 + 10 * 3)
    assert len(lists(database)) == 2 * USERS


def test_a_call_that_is_ended_leaves_whole_lists_and_the_next_goes_on(database):
    write(database, topK=8)
    (begun,) = database.execute("RETURN timestamp() AS at")
    ended = threading.Thread(target=ended_write, args=(database, {"topK": 3, "batchSize": 1}))
    ended.start()
    while ended.is_alive() and 3 not in sizes(database):
        time.sleep(0.002)
    running = database.execute(
        "SHOW TRANSACTIONS YIELD transactionId, currentQuery "
        "WHERE currentQuery STARTS WITH 'CALL gnn.recommend.write' RETURN transactionId AS id"
    )
    for record in running:
        database.execute("TERMINATE TRANSACTION $id", id=record["id"])
    ended.join()
    before = sizes(database)
    assert set(before) <= {3, 8}
    resumed = write(database, topK=3, since=begun["at"])
    assert resumed["usersKept"] == before.count(3)
    assert sizes(database) == [3] * USERS


def ended_write(database, config):
    with contextlib.suppress(DriverError, Neo4jError):
        database.execute("CALL gnn.recommend.write($config) YIELD users RETURN users", config=config)


def sizes(database) -> list[int]:
    query = "MATCH (u:User) RETURN COUNT { (u)-[:RECOMMENDED]->() } AS size"
    return [record["size"] for record in database.execute(query)]


def test_lists_of_some_users_by_a_walk(database):
    (row,) = database.execute(
        "MATCH (u:User) WHERE u.id IN [3, 4] WITH collect(u) AS some CALL gnn.recommend.write({users: some, "
        "method: 'walk', task: {recommend: 'Item', to: 'User', via: {BUY: 1}}, topK: 2, "
        "relationshipType: 'NEAR'}) YIELD users, model, version, relationshipsWritten AS written "
        "RETURN users, model, version, written"
    )
    assert tuple(row.values()) == (2, "walk", 0, 4)
    assert not lists(database)
    database.execute("MATCH ()-[r:NEAR]->() DELETE r")


def test_relationships_of_another_meaning_are_not_replaced_by_lists(database):
    database.execute("MATCH (u:User {id: 7}), (i:Item {id: 3}) CREATE (u)-[:LIKES {since: 5}]->(i)")
    with pytest.raises(ClientError, match=r"a `LIKES` relationship of node \d+ has no `rank` and `model`"):
        write(database, topK=2, relationshipType="LIKES", batchSize=100)
    done = write(database, topK=2, relationshipType="LIKES", batchSize=20, concurrency=1)
    assert (done["batchesCommitted"], done["batchesFailed"], done["users"]) == (2, 1, 40)
    kept = database.execute("MATCH (:User {id: 7})-[r:LIKES]->() RETURN r.since AS since")
    assert [row["since"] for row in kept] == [5]
    database.execute("MATCH ()-[r:LIKES]->() DELETE r")


def test_a_frame_of_lists_needs_no_model_where_the_task_is_given(database):
    walk = {"method": "walk", "task": served_model.TASK, "seen": []}
    with connect(database.uri, database.user, database.password) as connection:
        rows = recommend(connection, [3, 4], top_k=2, configuration=walk)
        with pytest.raises(ClientError, match="both given"):
            recommend(connection, [3], model="kept", configuration=walk)
    streamed = database.execute(
        "MATCH (u:User) WHERE u.id IN [3, 4] WITH collect(u) AS some "
        "CALL gnn.recommend.stream(some, {method: 'walk', topK: 2, task: $task, seen: []}) "
        "YIELD source, node, rank RETURN source.id AS user, rank, node.id AS item ORDER BY user, rank",
        task=served_model.TASK,
    )
    assert rows[["user", "rank", "item"]].to_dict("records") == [record.data() for record in streamed]
    assert set(rows["origin"]) == {"walk"}


def test_the_estimate_counts_and_writes_nothing(database):
    (row,) = database.execute(
        "CALL gnn.recommend.write.estimate({topK: 5}) YIELD users, relationships, bytesMin, bytesMax "
        "RETURN users, relationships, bytesMin < bytesMax AS ordered"
    )
    assert tuple(row.values()) == (USERS, 5 * USERS, True)
    assert not lists(database)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("CREATE (:Other) WITH 1 AS x CALL gnn.recommend.write()", "already\\s+holds writes"),
        ("CALL gnn.recommend.write({relationshipType: 'A`B'})", "`relationshipType` must be letters"),
        (
            "CALL gnn.recommend.write({topK: 5000, sinse: 1})",
            "(?s)(?=.*Did you mean `since`)(?=.*at most 1000)",
        ),
        ("CALL gnn.recommend.write({history: []})", "Unknown configuration key `history`"),
        ("CALL gnn.recommend.write({relationshipType: 'VIEW'})", "would delete these relationships"),
        ("CALL gnn.recommend.write.estimate({relationshipType: 'GNN_FEEDBACK'})", "would delete"),
    ],
)
def test_a_wrong_call_gets_one_sentence(database, query, message):
    with pytest.raises(ClientError, match=message):
        database.execute(f"{query} YIELD users RETURN users")
