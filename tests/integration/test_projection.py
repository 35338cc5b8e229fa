"""A task projected by GDS and read as a matrix, against plain Cypher."""

import numpy as np
import pytest

from gds_pipelines import projection, training_run
from gds_pipelines.connection import Connection, Target
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.interaction_reader import read_interactions
from gds_pipelines.task import Task

GRAPH = """
CREATE (a:User {id: 'a'}), (b:User {id: 'b'}), (:User {id: 'lonely'}),
  (x:Item {id: 7}), (y:Item {id: 3}), (:Item {id: 5}),
  (a)-[:VIEW {at: 10}]->(x), (a)-[:VIEW {at: 30}]->(x), (a)-[:BUY {at: 20}]->(x), (a)-[:VIEW {at: 5}]->(y),
  (y)-[:SENT_TO {at: 40}]->(b),
  (b)-[:PLACED {at: 50}]->(o:Order {id: 1}), (o)-[:CONTAINS]->(x), (o)-[:CONTAINS {at: 60}]->(y)
"""
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "VIEW": 0.1},
    "timeProperty": "at",
}


@pytest.fixture(scope="module")
def connection(server) -> Connection:
    server.clear()
    server.execute(GRAPH)
    for label in ("User", "Item"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    target = Target(server.uri, server.user, server.password, None, "the tests")
    return Connection(server.driver(), target)


def pairs(connection, task) -> dict:
    """{(user key, item key): (weight, time)} as the matrix has it."""
    with projection.projected(connection, task) as name:
        found = read_interactions(connection, name, task)
    times = found.times if found.times is not None else np.zeros(len(found))
    return {
        (str(found.user_keys[user]), int(found.item_keys[item])): (round(float(weight), 4), int(time))
        for user, item, weight, time in zip(
            found.user_index, found.matrix.indices, found.matrix.data, times, strict=True
        )
    }


def test_parallel_relationships_become_one_pair_with_the_largest_weight_and_the_latest_time(connection):
    task = Task.from_mapping(TASK)
    assert pairs(connection, task) == {("a", 7): (1.0, 30), ("a", 3): (0.1, 5)}


def test_all_nodes_of_both_labels_are_there_in_the_order_of_their_ids(connection):
    task = Task.from_mapping(TASK)
    with projection.projected(connection, task) as name:
        found = read_interactions(connection, name, task)
    for label, keys in (("User", found.user_keys), ("Item", found.item_keys)):
        rows = connection.execute(f"CYPHER 5 MATCH (n:{label}) RETURN n.id AS key ORDER BY id(n)")
        assert keys.tolist() == [row["key"] for row in rows]
        assert len(keys) == 3


def test_a_behaviour_that_points_at_the_user_and_one_through_orders(connection):
    task = Task.from_mapping(
        TASK
        | {
            "via": {
                "BUY": 1.0,
                "SENT_TO": {"weight": 0.7, "direction": "in"},
                "ORDERED": {"weight": 0.9, "through": ["PLACED", "CONTAINS"]},
            }
        }
    )
    assert pairs(connection, task) == {("a", 7): (1.0, 20), ("b", 3): (0.9, 60), ("b", 7): (0.9, 50)}


def test_models_of_ratings_read_what_was_rated_and_say_what_is_missing(connection, server):
    server.execute(
        "MATCH (a:User {id: 'a'}), (b:User {id: 'b'}), (x:Item {id: 7}), (y:Item {id: 3}) "
        "CREATE (a)-[:RATED {at: 1, stars: 4}]->(x), (a)-[:RATED {at: 2, stars: 2.5}]->(y), "
        "(y)-[:RATED_BY {at: 3, mark: 1}]->(b)"
    )
    task = Task.from_mapping(
        TASK
        | {
            "via": {"BUY": 1.0, "RATED_BY": {"direction": "in"}},
            "ratings": {"RATED": "stars", "RATED_BY": "mark"},
        }
    )
    try:
        found = training_run.read(connection, task.of_ratings())
        rated = {
            (str(found.user_keys[user]), int(found.item_keys[item])): (float(stars), int(at))
            for user, item, stars, at in zip(
                found.user_index, found.matrix.indices, found.matrix.data, found.times, strict=True
            )
        }
        assert rated == {("a", 7): (4.0, 1), ("a", 3): (2.5, 2), ("b", 3): (1.0, 3)}
        assert pairs(connection, task) == {("a", 7): (1.0, 20), ("b", 3): (1.0, 3)}
        server.execute("MATCH (:User {id: 'a'})-[r:RATED]->(:Item {id: 3}) REMOVE r.stars")
        with pytest.raises(
            PipelineError, match="1 of 2 'RATED' relationships have no rating above 0 in `stars`"
        ):
            training_run.read(connection, task.of_ratings())
        wrong = Task.from_mapping(task.to_mapping() | {"ratings": {"RATED": "stasr", "RATED_BY": "text"}})
        server.execute("MATCH ()-[r:RATED_BY]->() SET r.text = 'good'")
        for read in (wrong.of_ratings(), wrong):  # also by a model that reads none
            with pytest.raises(InvalidInput) as caught:
                training_run.read(connection, read)
            assert "no relationship 'RATED' has the property 'stasr'" in str(caught.value)
            assert "Did you mean 'stars'?" in str(caught.value)
            assert "'RATED_BY'.text is STRING; ratings are INTEGER or FLOAT" in str(caught.value)
        unknown = Task.from_mapping(task.to_mapping() | {"ratings": {"RATED": "stars", "RATED_YB": "mark"}})
        with pytest.raises(InvalidInput, match=r"relationship type 'RATED_YB'\. Did you mean 'RATED_BY'\?"):
            training_run.read(connection, unknown)
    finally:
        server.execute("MATCH ()-[r:RATED|RATED_BY]->() DELETE r")


def test_the_projection_is_gone_afterwards_even_after_an_error(connection, server):
    with pytest.raises(RuntimeError), projection.projected(connection, Task.from_mapping(TASK), "doomed"):
        raise RuntimeError
    assert server.execute("CALL gds.graph.list() YIELD graphName RETURN graphName") == []


def test_everything_the_database_lacks_is_named_at_once(connection):
    task = Task.from_mapping(
        TASK
        | {
            "recommend": "Itm",
            "key": {"User": "name", "Itm": "id"},
            "via": {"BUY": 1.0, "VEIW": 0.1},
        }
    )
    with pytest.raises(InvalidInput) as refused:
        projection.project(connection, task, "never")
    text = str(refused.value)
    assert "no label 'Itm'. Did you mean 'Item'?" in text
    assert "no relationship type 'VEIW'. Did you mean 'VIEW'?" in text
    assert "CREATE CONSTRAINT FOR (n:`User`) REQUIRE n.`name` IS UNIQUE" in text


def test_a_datetime_is_refused_with_the_query_that_converts_it(connection, server):
    server.execute(
        "MATCH (a:User {id: 'a'}), (x:Item {id: 3}) "
        "CREATE (a)-[:RATED {at: datetime('2024-05-01T00:00:00Z')}]->(x), (a)-[:RATED {at: 7}]->(x)"
    )
    task = Task.from_mapping(TASK | {"via": {"RATED": 1.0}})
    with pytest.raises(InvalidInput, match="INTEGER epoch milliseconds") as refused:
        projection.project(connection, task, "never")
    convert = str(refused.value).partition("Convert with: ")[2]
    with server.driver().session() as session:
        session.run(convert).consume()
    assert pairs(connection, task) == {("a", 3): (1.0, 1_714_521_600_000)}


def test_a_graph_name_in_use_is_refused(connection):
    task = Task.from_mapping(TASK)
    with (
        projection.projected(connection, task, "taken"),
        pytest.raises(InvalidInput, match="exists already"),
    ):
        projection.project(connection, task, "taken")
