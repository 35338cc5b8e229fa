"""What models on sampled neighbourhoods read: behaviours told apart, features as they are stored."""

import numpy as np
import pytest

from gds_pipelines import training_run
from gds_pipelines.connection import Connection, Target
from gds_pipelines.errors import InvalidInput
from gds_pipelines.interaction_reader import read_features
from gds_pipelines.task import Task

TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "SEEN_BY": {"weight": 0.1, "direction": "in"}},
    "features": {"Item": ["price", "tags"], "User": ["age", "member", "taste"]},
}
GRAPH = """
CREATE (u1:User {id: 1, age: 40, member: true, taste: [1.0, 2.0]}),
  (u2:User {id: 2, member: false}), (u3:User {id: 3, age: 31}),
  (a:Item {id: 101, price: 4.5, tags: ['new', 'sale']}), (b:Item {id: 102, tags: []}),
  (c:Item {id: 103, price: 2.0}),
  (u1)-[:BUY]->(a), (u1)-[:BUY]->(a), (u1)-[:BUY]->(b), (u2)-[:BUY]->(c),
  (a)-[:SEEN_BY]->(u1), (c)-[:SEEN_BY]->(u3)
"""


@pytest.fixture
def connection(server) -> Connection:
    server.clear()
    for label in ("User", "Item"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute(GRAPH)
    return Connection(server.driver(), Target(server.uri, server.user, server.password, None, "tests"))


def by_key(keys, rows):
    return dict(zip(keys.tolist(), rows.tolist(), strict=True))


def test_behaviours_and_features_come_as_they_are_stored(connection):
    found = training_run.read(connection, Task.from_mapping(TASK), features=True)
    pairs = zip(found.user_keys[found.user_index], found.item_keys[found.matrix.indices], strict=True)
    kinds = {(int(u), int(i)): int(k) for (u, i), k in zip(pairs, found.kinds, strict=True)}
    assert kinds == {(1, 101): 0b11, (1, 102): 0b01, (2, 103): 0b01, (3, 103): 0b10}
    assert [(f.property, f.encoder) for f in found.item_features.features] == [
        ("price", "number"),
        ("tags", "list"),
    ]
    assert [f.encoder for f in found.user_features.features] == ["number", "bool", "vector"]
    assert by_key(found.item_keys, found.item_features.code) == {101: [2, 3], 102: [0, -1], 103: [0, -1]}
    users = by_key(found.user_keys, np.nan_to_num(found.user_features.x, nan=-9.0))
    assert users == {1: [40, 1, 1, 2], 2: [-9, 0, -9, -9], 3: [31, -9, -9, -9]}
    prices = by_key(found.item_keys, np.nan_to_num(found.item_features.x, nan=-9.0))
    assert prices == {101: [4.5], 102: [-9], 103: [2]}
    assert training_run.read(connection, Task.from_mapping(TASK)).item_features is None


def test_features_that_cannot_be_used_are_named_together(connection, server):
    server.execute("MATCH (u:User {id: 3}) SET u.age = 'old'")
    ids = np.array([row["id"] for row in server.execute("MATCH (u:User) RETURN id(u) AS id ORDER BY id")])
    with pytest.raises(InvalidInput) as caught:
        read_features(connection, ids, "User", ["age", "hobby"])
    assert "'age' of User: a feature is one type" in caught.value.faults[0]
    assert "'hobby' of User: no node has it" in caught.value.faults[1]
