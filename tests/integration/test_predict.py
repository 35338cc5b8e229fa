"""``gnn.pipeline.predict``: for every user what ``gnn.recommend.stream`` says, in all three modes."""

import numpy as np
import pytest
import served_model
from neo4j.exceptions import ClientError

pytestmark = pytest.mark.server
USERS, ITEMS = 50, 40
PREDICTED = """
CALL gnn.pipeline.predict.stream($graph, {modelName: 'kept', topK: 5})
YIELD source, node, rank, score, origin
RETURN source.id AS user, rank, node.id AS item, score, origin ORDER BY user, rank
"""
RECOMMENDED = """
MATCH (u:User) CALL (u) {
  CALL gnn.recommend.stream(u, {topK: 5}) YIELD node, rank, score, origin RETURN node, rank, score, origin
}
RETURN u.id AS user, rank, node.id AS item, score, origin ORDER BY user, rank
"""
PROJECTED = """
CALL gds.graph.relationshipProperty.stream('predict', 'score', ['LIKELY'])
YIELD sourceNodeId, targetNodeId, propertyValue
MATCH (u:User), (i:Item) WHERE id(u) = sourceNodeId AND id(i) = targetNodeId
RETURN u.id AS user, i.id AS item, propertyValue AS score ORDER BY user, item
"""
MUTATE = """
CALL gnn.pipeline.predict.mutate('predict', {modelName: 'kept', topK: 5, mutateRelationshipType: 'LIKELY'})
YIELD users, relationshipsWritten RETURN users, relationshipsWritten AS written
"""


@pytest.fixture(scope="module")
def shop(server):
    served_model.fill(server, ITEMS, USERS, served_model.SCATTERED)
    vectors = np.random.default_rng(1).normal(size=(2, ITEMS, 2))
    served_model.serve(server, "kept", list(range(1, ITEMS + 1)), *vectors)
    server.execute("CALL gds.graph.project('predict', ['User', 'Item'], 'BUY') YIELD graphName FINISH")
    yield server
    server.clear()


def rows(driver, query, **parameters):
    return [record.data() for record in driver.execute_query(query, parameters_=parameters).records]


def test_every_user_gets_what_recommend_gives_one(shop):
    expected = rows(shop.driver(), RECOMMENDED)
    assert len(expected) == 5 * USERS
    for graph in (None, "predict"):
        assert rows(shop.driver(), PREDICTED, graph=graph) == expected


def test_gds_reads_what_was_added_to_the_projection(shop):
    expected = rows(shop.driver(), RECOMMENDED)
    assert rows(shop.driver(), MUTATE) == [{"users": USERS, "written": 5 * USERS}]
    found = [(row["user"], row["item"], row["score"]) for row in rows(shop.driver(), PROJECTED)]
    assert found == sorted((row["user"], row["item"], row["score"]) for row in expected)
    # What GDS counts of it is what a loop counts.
    often = {item: sum(row["item"] == item for row in expected) for item in range(1, ITEMS + 1)}
    degrees = rows(
        shop.driver(),
        "CALL gds.degree.stream('predict', {relationshipTypes: ['LIKELY'], orientation: 'REVERSE'}) "
        "YIELD nodeId, score MATCH (i:Item) WHERE id(i) = nodeId RETURN i.id AS item, score",
    )
    assert {row["item"]: row["score"] for row in degrees} == often
    with pytest.raises(ClientError, match="has a relationship type `LIKELY` already"):
        rows(shop.driver(), MUTATE)


def test_what_is_written_is_what_is_streamed(shop):
    (done,) = rows(
        shop.driver(),
        "CALL gnn.pipeline.predict.write('predict', {modelName: 'kept', topK: 5, batchSize: 7, "
        "writeRelationshipType: 'PREDICTED'}) YIELD users, relationshipsWritten, batchesCommitted, "
        "configuration RETURN users, relationshipsWritten AS written, batchesCommitted, "
        "configuration.modelName AS model",
    )
    assert done == {
        "users": USERS, "written": 5 * USERS, "batchesCommitted": -(-USERS // 7), "model": "kept:1",
    }  # fmt: skip
    written = rows(
        shop.driver(),
        "MATCH (u:User)-[r:PREDICTED]->(i:Item) RETURN u.id AS user, r.rank AS rank, i.id AS item, "
        "r.score AS score ORDER BY user, rank",
    )
    streamed = rows(shop.driver(), PREDICTED, graph=None)
    assert written == [{key: row[key] for key in ("user", "rank", "item", "score")} for row in streamed]


def test_another_user_neither_reads_nor_changes_the_projection(shop):
    with shop.second_user() as bob:
        for query in (PREDICTED, MUTATE):
            with pytest.raises(ClientError, match=r"Graph `predict` does not exist .* Your graphs: none"):
                rows(bob, query, graph="predict")
        assert rows(bob, PREDICTED, graph=None) == rows(shop.driver(), PREDICTED, graph=None)


def test_a_dropped_graph_is_named(shop):
    shop.execute("CALL gds.graph.project('gone', ['User', 'Item'], 'BUY') YIELD graphName FINISH")
    shop.execute("CALL gds.graph.drop('gone') YIELD graphName FINISH")
    with pytest.raises(ClientError, match=r"Graph `gone` does not exist"):
        rows(shop.driver(), PREDICTED, graph="gone")
