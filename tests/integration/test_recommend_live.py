"""What commits, other users and bad vectors do to the answers."""

import numpy as np
import pytest
import served_model
from neo4j.exceptions import ClientError

pytestmark = pytest.mark.server

# Worked by hand: c of item 1 is (1, 0), so user 1's vector is (1, 0) and a score is the first number of e.
E = np.array([[9, 0], [5, 0], [4, 0], [3, 0], [2, 0]], float)
C = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [0, 1]], float)
TOP = """
MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, {topK: $k}) YIELD node, score, origin
RETURN collect([node.id, score, origin]) AS rows
"""


@pytest.fixture(scope="module")
def embedding(server):
    server.clear()
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(1, 5) AS n CREATE (:Item {id: n})")
    server.execute("UNWIND range(1, 3) AS n CREATE (:User {id: n})")
    server.execute("MATCH (u:User {id: 1}), (i:Item {id: 1}) CREATE (u)-[:BUY {at: 1}]->(i)")
    yield served_model.serve(server, "live", [1, 2, 3, 4, 5], E, C)
    server.clear()


def top(runner, user: int = 1, k: int = 3) -> list:
    run = runner.execute if hasattr(runner, "execute") else runner.run
    return next(iter(run(TOP, user=user, k=k)))["rows"]


def ids(rows: list) -> list[int]:
    return [row[0] for row in rows]


@pytest.fixture
def database(server, embedding):
    """The five items and their vectors as they were, whatever a test does to them."""
    assert ids(top(server)) == [2, 3, 4]
    yield server
    server.execute("MATCH (i:Item) WHERE i.id > 5 DETACH DELETE i")
    server.execute("MATCH (u:User) WHERE u.id > 3 DETACH DELETE u")
    server.execute("UNWIND range(1, 5) AS n MERGE (i:Item {id: n})")
    server.execute("MATCH (u:User)-[r]->() WHERE u.id > 1 OR type(r) <> 'BUY' DELETE r")
    served_model.write_vectors(server, embedding, [1, 2, 3, 4, 5], E)
    served_model.write_vectors(server, f"{embedding}_c", [1, 2, 3, 4, 5], C)


def test_a_committed_vector_counts_in_the_next_call(database, embedding):
    served_model.write_vectors(database, embedding, [5], np.array([[4.5, 0]]))
    assert top(database) == [[2, 5.0, "exact"], [5, 4.5, "exact"], [3, 4.0, "exact"]]


def test_a_deleted_item_is_gone_and_its_id_may_be_used_again(database, embedding):
    old = database.execute("MATCH (i:Item {id: 2}) WITH i, elementId(i) AS e DETACH DELETE i RETURN e")[0][
        "e"
    ]
    assert ids(top(database)) == [3, 4, 5]
    reused = None
    for n in range(100, 140):  # ids come back in any order, some later than others
        reused = database.execute("CREATE (i:Item {id: $n}) RETURN elementId(i) AS e", n=n)[0]["e"]
        if reused == old:
            break
    assert ids(top(database)) == [3, 4, 5]
    served_model.write_vectors(database, embedding, [n], np.array([[7, 0]]))
    assert top(database)[0] == [n, 7.0, "cold"]  # of what its users are made of there is nothing


def test_label_and_property_come_and_go(database, embedding):
    database.execute("MATCH (i:Item {id: 2}) REMOVE i:Item SET i:Sold")
    assert ids(top(database)) == [3, 4, 5]
    database.execute("MATCH (i:Sold) SET i:Item REMOVE i:Sold")
    assert ids(top(database)) == [2, 3, 4]
    database.execute(f"MATCH (i:Item {{id: 2}}) REMOVE i.`{embedding}`")
    assert top(database, k=4) == [
        [3, 4.0, "exact"],
        [4, 3.0, "exact"],
        [5, 2.0, "exact"],
        [2, 0.0, "popularity"],
    ]


def test_changes_of_the_own_transaction_count_and_leave_no_trace(database):
    with database.driver().session() as session, session.begin_transaction() as tx:
        tx.run("MATCH (u:User {id: 1}), (i:Item {id: 2}) CREATE (u)-[:VIEW]->(i)").consume()
        tx.run("MATCH (i:Item {id: 3}) DETACH DELETE i").consume()
        tx.run("CREATE (:Item {id: 50})").consume()
        # q = 2^-1/2 * (1 * (1, 0) + 0.25 * (0, 1)); the new item has no vector and comes last.
        assert top(tx, k=9) == [
            [4, pytest.approx(3 / 2**0.5, abs=1e-6), "exact"],
            [5, pytest.approx(2 / 2**0.5, abs=1e-6), "exact"],
            [50, 0.0, "popularity"],
        ]
        tx.rollback()
    assert ids(top(database)) == [2, 3, 4]


def test_a_new_user_is_answered_in_the_next_query(database):
    database.execute("CREATE (:User {id: 9})")
    assert {row[2] for row in top(database, user=9)} == {"popularity"}
    database.execute("MATCH (u:User {id: 9}), (i:Item {id: 1}) CREATE (u)-[:BUY]->(i)")
    assert top(database, user=9) == top(database, user=1)


def test_popularity_counts_distinct_users_as_committed(database):
    def touched():
        rows = database.execute(
            "CALL gnn.recommend.stream(null, {method: 'popularity'}) YIELD node, score "
            "WITH node, score WHERE score > 0 RETURN node.id, score"
        )
        return [tuple(row.values()) for row in rows]

    assert touched() == [(1, 1.0)]
    database.execute(
        "MATCH (u:User), (i:Item {id: 4}) WHERE u.id > 1 "
        "CREATE (u)-[:VIEW]->(i), (u)-[:VIEW]->(i), (u)-[:BUY]->(i)"
    )
    assert touched() == [(4, 2.0), (1, 1.0)]
    database.execute("MATCH (:User {id: 2})-[r]->(:Item {id: 4}) DELETE r")
    assert sorted(touched()) == [(1, 1.0), (4, 1.0)]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([1.0, float("nan")], "holds NaN"),
        ([1.0], "has 1 numbers"),
        ("text", "is no vector"),
        ([1e30, 1.0], "holds 1.0E30"),
    ],
)
def test_a_vector_that_cannot_be_used_is_said_and_not_skipped(database, embedding, value, fault):
    database.execute(f"MATCH (i:Item {{id: 3}}) SET i.`{embedding}` = $value", value=value)
    with pytest.raises(ClientError, match=f"`{embedding}` of node .* {fault}, where a vector of 2"):
        top(database)
    served_model.write_vectors(database, embedding, [3], E[2:3])
    assert ids(top(database)) == [2, 3, 4]


def test_another_user_gets_the_same_list(database):
    with database.second_user() as bob, bob.session() as session:
        assert top(session) == top(database)


def test_similar_items_by_cosine_and_by_dot_product(database, embedding):
    served_model.write_vectors(database, embedding, [2, 3], np.array([[0, 1], [3.5, 4]]))
    call = (
        "MATCH (i:Item {{id: 1}}) CALL gnn.similar.stream(i, {{topK: 2{}}}) YIELD node, rank, score "
        "RETURN node.id, rank, score"
    )
    cosine = [tuple(r.values()) for r in database.execute(call.format(""))]
    tied = database.execute("CYPHER 5 MATCH (i:Item) WHERE i.id IN [4, 5] RETURN i.id AS id ORDER BY id(i)")
    assert cosine == [(tied[0]["id"], 1, 1.0), (tied[1]["id"], 2, 1.0)]
    dot = [tuple(r.values()) for r in database.execute(call.format(", similarity: 'dot'"))]
    assert dot == [(3, 1, 31.5), (4, 2, 27.0)]


def test_who_follows_itself_is_explained_too(database):
    task = {"recommend": "Item", "to": "Item", "key": {"Item": "id"}, "via": {"LINK": 1.0}}
    served_model.serve(database, "social", [1, 2, 3, 4, 5], E, C, task=task)
    database.execute("MATCH (a:Item {id: 1}), (b:Item {id: 2}) CREATE (a)-[:LINK]->(a), (a)-[:LINK]->(b)")
    try:
        rows = database.execute(
            "MATCH (a:Item {id: 1}), (b:Item {id: 3}) "
            "CALL gnn.explain.stream(a, b, {model: 'social'}) YIELD path, contribution "
            "RETURN [n IN nodes(path) | n.id] AS nodes, contribution ORDER BY contribution DESC"
        )
        # q = 2^-1/2 * ((1, 0) + (0, 1)), and e of item 3 is (4, 0).
        assert [row["nodes"] for row in rows] == [[1], [1, 2]]
        assert [row["contribution"] for row in rows] == pytest.approx([4 / 2**0.5, 0.0], abs=1e-6)
    finally:
        database.execute("MATCH ()-[r:LINK]->() DELETE r")
        database.execute("MATCH (a:GnnAlias {name: 'social'}) DETACH DELETE a")
        database.execute("CALL gnn.model.drop('social') YIELD version FINISH")


def test_users_without_vectors_are_not_silently_like_nobody(database):
    with pytest.raises(ClientError, match=r"keeps no vectors of `User` nodes.*method: 'walk'"):
        database.execute("MATCH (u:User {id: 1}) CALL gnn.similar.stream(u) YIELD node RETURN node")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("gnn.recommend.stream(u, {topK: 0})", r"`topK` must lie in \[1, 100000\], but is 0\."),
        ("gnn.recommend.stream(u, {topK: 1000000})", r"`topK` must lie in \[1, 100000\]"),
        ("gnn.recommend.stream(u, {topk: 3})", "Unknown configuration key `topk`. Did you mean `topK`"),
        ("gnn.recommend.stream(3)", "`sources` must be a NODE or a LIST<NODE>, but holds INTEGER 3"),
        ("gnn.recommend.stream([u, null])", "`sources` must be a NODE or a LIST<NODE>, but holds a NULL"),
        ("gnn.recommend.stream(u, {model: 'live:7'})", "Unknown version 7 of model 'live'"),
        ("gnn.recommend.stream(u, {model: 'liv'})", "Unknown model 'liv'. Did you mean `live`"),
        (
            "gnn.recommend.stream(u, {seen: ['BYU']})",
            "`seen` names 'BYU', which is not in `via` .*mean `BUY`",
        ),
        ("gnn.recommend.stream(u, {history: []})", "`history` is for visitors"),
        (
            "gnn.recommend.stream(u, {filter: {price: {above: 3}}})",
            "Unknown configuration key `filter.price.above`",
        ),
        ("gnn.recommend.stream(u, {filter: {price: null}})", "`filter.price` is null"),
        ("gnn.recommend.stream(m)", "is neither a `User` nor a `Item`|No alias has a model"),
        ("gnn.similar.stream(u)", "has no vector in model 'live:1'. A user gets one by interactions"),
        ("gnn.similar.stream(null)", "`node` must be a NODE"),
        ("gnn.embed.nodes('u')", "`nodes` must be a NODE"),
    ],
)
def test_a_wrong_call_gets_one_sentence(database, call, message):
    with pytest.raises(ClientError, match=message):
        database.execute(f"MATCH (u:User {{id: 3}}), (m:GnnModel) CALL {call} YIELD node RETURN node")


def test_an_empty_list_of_sources_has_no_rows(database):
    assert database.execute("CALL gnn.recommend.stream([]) YIELD node RETURN node") == []
