"""The whole loop on the made-up shop: ingest, train, export, deploy, ask; and the answers against Python.

The demo's own functions are called, so what is tested is what `gnn4j demo` does.
"""

import numpy as np
import pytest

from gds_pipelines import demo
from gds_pipelines.connection import Connection, Target
from gds_pipelines.recommendation import recommend
from gds_pipelines.training import TrainingOptions

ALIAS = "shop"


@pytest.fixture(scope="module")
def connection(server) -> Connection:
    server.clear()
    return Connection(server.driver(), Target(server.uri, server.user, server.password, None, "the tests"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def first(connection, folder) -> demo.Demo:
    # LightGCN, not the default: its vectors are propagated in the database, and must come out as in Python.
    options = TrainingOptions(threads=1, tensorboard=False)
    return demo.run(connection, "shop", folder, model="lightgcn", options=options)


def test_every_stage_left_what_the_next_one_reads(first, connection):
    counts = connection.execute(
        "MATCH (u:User) WITH count(u) AS users MATCH (i:Item) "
        f"RETURN users, count(i) AS items, count(i.gnn_{ALIAS}_v1) AS embedded"
    )[0]
    assert counts["items"] == counts["embedded"] == 400
    assert counts["users"] == 601  # the newcomer too
    assert [row.name for row in first.run.table][1:] == ["popularity", "itemknn", "rp3beta", "ials"]
    assert first.run.figures()["recall@20"] > first.run.table[1].figures["recall@20"]


def test_the_newcomer_gets_a_full_list_without_what_he_did(first):
    assert len(first.newcomer.rows) == demo.TOP_K
    assert {row[3] for row in first.newcomer.rows} == {"exact"}
    assert len(first.newcomer.because) == demo.HISTORY
    assert not {row[1] for row in first.newcomer.rows} & set(first.newcomer.because)


def test_a_second_demo_trains_nothing_and_says_why(first, connection, folder):
    said = []
    again = demo.run(connection, "shop", folder, model="lightgcn", on_step=said.append)
    assert again.reused
    assert "train" not in again.seconds
    assert "still answers" in said[0]
    assert again.run == first.run


@pytest.fixture(scope="module")
def trained(first):
    """The kept model over the graph it was trained on: all of it, since it was refitted."""
    return first.run.recommender()


def test_user_vectors_in_the_database_equal_the_transductive_output(trained, connection):
    records = connection.execute(
        "MATCH (u:User) WHERE u.id IN $keys WITH u ORDER BY u.id WITH collect(u) AS users "
        "CALL gnn.embed.nodes(users, {model: $model}) YIELD node, embedding "
        "RETURN node.id AS key, embedding ORDER BY key",
        keys=trained.train.user_keys.tolist(),
        model=ALIAS,
    )
    assert [record["key"] for record in records] == sorted(trained.train.user_keys.tolist())
    found = np.array([record["embedding"] for record in records])
    expected = trained.user_vectors(trained.train.users([record["key"] for record in records]))
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(expected).max() > 1e-3


def test_item_vectors_on_the_nodes_equal_the_transductive_output(trained, connection):
    records = connection.execute(
        f"MATCH (i:Item) RETURN i.id AS key, i.gnn_{ALIAS}_v1 AS embedding ORDER BY key"
    )
    found = np.array([record["embedding"] for record in records])
    expected = trained.item_vectors()[trained.train.items([record["key"] for record in records])]
    # The newcomer's interactions came after the vectors were written.
    assert np.abs(found - expected).max() < 1e-5


def test_lists_equal_brute_force_for_every_user(trained, connection):
    """Ids, ranks and scores: vectors are read as they lie in the database, the rest is done by numpy."""
    items = connection.execute(
        f"CYPHER 5 MATCH (i:Item) RETURN id(i) AS id, i.id AS key, i.gnn_{ALIAS}_v1 AS e ORDER BY id(i)"
    )
    ids = np.array([record["id"] for record in items])
    vectors = np.array([record["e"] for record in items], np.float32).astype(np.float64)
    place = {record["key"]: position for position, record in enumerate(items)}
    users = connection.execute(
        "MATCH (u:User) OPTIONAL MATCH (u)-[:VIEW|FAVOURITE|BUY]->(i:Item) "
        "WITH u, collect(DISTINCT i.id) AS seen "
        "CALL gnn.embed.nodes([u], {model: $model}) YIELD embedding "
        "CALL gnn.recommend.stream(u, {topK: 10, model: $model}) YIELD node, rank, score, origin "
        "WITH u, seen, embedding, rank, node, score, origin ORDER BY rank "
        "RETURN u.id AS key, seen, embedding, collect(node.id) AS keys, collect(score) AS scores, "
        "collect(origin) AS origins",
        model=ALIAS,
    )
    assert len(users) == 601  # a second demo replaces the newcomer of the first
    for user in users:
        query = np.array(user["embedding"], np.float32).astype(np.float64)
        scores = np.zeros(len(ids))
        for dimension in range(vectors.shape[1]):  # in ascending dimension, as the rule says
            scores += query[dimension] * vectors[:, dimension]
        scores[[place[key] for key in user["seen"]]] = -np.inf
        order = np.lexsort((ids, -scores))[:10]
        assert user["keys"] == [items[position]["key"] for position in order], user["key"]
        assert user["scores"] == pytest.approx(scores[order].tolist(), abs=1e-12)
        assert set(user["origins"]) == {"exact"}


def test_recommend_gives_a_frame_and_refuses_an_unknown_user(first, connection):
    rows = recommend(connection, ["1", 2], top_k=3)
    assert rows.groupby("user").size().to_dict() == {1: 3, 2: 3}
    assert rows["title"].notna().all()
    with pytest.raises(Exception, match="no User has `id` = nobody"):
        recommend(connection, "nobody")
    assert recommend(connection, "12", top_k=1)["user"].tolist() == [12]  # not users 1 and 2
    assert recommend(connection, np.array([3, 4]), top_k=1)["user"].tolist() == [3, 4]
    assert recommend(connection, []).empty
