"""The same list without a procedure of ours, and by plain HTTP."""

import base64
import json
import urllib.request

import numpy as np
import pytest
import served_model

from gds_pipelines.queries import query

pytestmark = pytest.mark.server
E = np.array([[9, 1], [5, 1], [4, 1], [3, 1], [2, 1]], float)
C = np.array([[1, 0], [0, 1], [0, 1], [0, 1], [0, 1]], float)
RECOMMEND = (
    "MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, {topK: $k}) YIELD node, score "
    "RETURN node.id AS item, score"
)


@pytest.fixture(scope="module")
def embedding(server):
    """Five items, a user whose vector (1, 0) is stored too, and the vector index a deployment makes."""
    server.clear()
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute("UNWIND range(1, 5) AS n CREATE (:Item {id: n})")
    server.execute("MATCH (i:Item {id: 1}) CREATE (:User {id: 1})-[:BUY {at: 1}]->(i)")
    name = served_model.serve(server, "plain", [1, 2, 3, 4, 5], E, C)
    server.execute(f"MATCH (u:User {{id: 1}}) SET u.`{name}` = [1.0, 0.0]")
    server.execute(
        f"CREATE VECTOR INDEX `{name}` FOR (i:Item) ON i.`{name}` OPTIONS {{indexConfig: {{"
        "`vector.dimensions`: 2, `vector.similarity_function`: 'COSINE', `vector.quantization.type`: 'NONE'}}"
    )
    server.execute("CALL db.awaitIndexes(60)")
    yield name
    server.clear()


def test_search_with_an_anti_join_gives_the_list_of_the_procedure(server, embedding):
    statement = query("search_vector_index", source="User", key="id", item="Item", index=embedding)
    found = server.execute(statement, key=1, seen=["BUY", "VIEW"], k=3, candidates=5)
    asked = server.execute(RECOMMEND, user=1, k=3)
    assert [(row["item"]["id"], row["score"]) for row in found] == [(2, 5.0), (3, 4.0), (4, 3.0)]
    assert [(row["item"], row["score"]) for row in asked] == [(2, 5.0), (3, 4.0), (4, 3.0)]


def test_the_query_api_answers_the_same(server, embedding):
    body = {"statement": RECOMMEND, "parameters": {"user": 1, "k": 3}}
    secret = base64.b64encode(f"{server.user}:{server.password}".encode()).decode()
    request = urllib.request.Request(
        f"{server.http}/db/neo4j/query/v2",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Basic {secret}"},
    )
    with urllib.request.urlopen(request) as answer:
        data = json.load(answer)["data"]
    assert data == {"fields": ["item", "score"], "values": [[2, 5.0], [3, 4.0], [4, 3.0]]}
