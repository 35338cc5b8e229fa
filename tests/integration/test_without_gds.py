"""The plugin in a Neo4j that has no GDS: what needs none works, the rest says what is missing."""

import pytest
from neo4j.exceptions import Neo4jError

from gds_pipelines.connection import connect, in_words
from gds_pipelines.errors import PipelineError


def test_the_plugin_says_that_there_is_no_gds(server_without_gds):
    record = server_without_gds.execute("CALL gnn.version() YIELD version, neo4j, gds RETURN *")[0]
    assert record["version"] == "0.1.0"
    assert record["gds"] is None


def test_no_gds_procedure_is_there_but_ours_are(server_without_gds):
    names = {record["name"] for record in server_without_gds.execute("SHOW PROCEDURES YIELD name")}
    assert not {name for name in names if name.startswith("gds.")}
    assert {"gnn.version", "gnn.status", "gnn.graph.export"} <= names


def test_a_graph_procedure_says_which_gds_is_supported(server_without_gds):
    with pytest.raises(Neo4jError) as error:
        server_without_gds.execute("CALL gnn.graph.export('shop', {}) YIELD kind RETURN kind")
    assert "2.26" in in_words(error.value)


def test_a_connection_is_made_all_the_same(server_without_gds):
    here = server_without_gds
    with connect(here.uri, here.user, here.password) as connection:
        assert connection.require_plugin() == "0.1.0"
        with pytest.raises(PipelineError, match="has no Graph Data Science library"):
            connection.require_gds()


def test_the_start_reports_no_error(server_without_gds):
    log = server_without_gds.home.log.read_text(encoding="utf-8")
    assert [line for line in log.splitlines() if " ERROR " in line] == []
