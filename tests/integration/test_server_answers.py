"""The assembled server: Neo4j, GDS and the plugin in one process, with authentication on."""

import urllib.request

import neo4j
import pytest
from neo4j.exceptions import AuthError


def test_neo4j_gds_and_the_plugin_answer(server):
    record = server.execute("CALL gnn.version() YIELD version, neo4j, gds RETURN *")[0]
    assert (record["neo4j"], record["gds"]) == ("2026.08.1", "2.26.0")
    assert server.execute("RETURN gds.version() AS version")[0]["version"] == "2.26.0"


def test_a_wrong_password_is_refused(server):
    with (
        neo4j.GraphDatabase.driver(server.uri, auth=("neo4j", "not the password")) as driver,
        pytest.raises(AuthError),
    ):
        driver.verify_connectivity()


def test_browser_is_served_without_signing_in_but_queries_are_not(server):
    with urllib.request.urlopen(f"{server.http}/browser/") as answer:
        assert b"<html" in answer.read().lower()
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{server.http}/db/neo4j/query/v2", data=b'{"statement": "RETURN 1"}')


def test_a_second_user_is_somebody_else(server):
    with server.second_user("carol") as carol:
        assert carol.execute_query("SHOW CURRENT USER YIELD user").records[0]["user"] == "carol"


def test_clear_leaves_no_node_graph_or_constraint(server):
    server.execute("CREATE CONSTRAINT thing IF NOT EXISTS FOR (t:Thing) REQUIRE t.id IS UNIQUE")
    server.execute("CREATE (:Thing {id: 1})-[:NEXT]->(:Thing {id: 2})")
    server.execute("CALL gds.graph.project('things', 'Thing', 'NEXT')")
    server.clear()
    assert server.execute("MATCH (n) RETURN count(n) AS count")[0]["count"] == 0
    assert server.execute("SHOW CONSTRAINTS") == []
    assert server.execute("CALL gds.graph.list() YIELD graphName RETURN graphName") == []
