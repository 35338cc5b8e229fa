"""Connecting to a real server, and every way in which that fails, in words."""

import socket

import pytest
from neo4j.exceptions import Neo4jError

from gds_pipelines.connection import Connection, connect, in_words
from gds_pipelines.errors import PipelineError


def test_a_connection_has_plugin_gds_and_the_official_client(server):
    with connect(server.uri, server.user, server.password) as connection:
        assert connection.require_plugin() == "0.1.0"
        assert connection.require_gds() == "2.26.0"
        assert connection.neo4j_version() == "2026.08.1"
        assert connection.gds().server_version() is not None
        assert connection.execute("RETURN $n + 1 AS m", n=1)[0]["m"] == 2


def test_a_wrong_password_names_the_variables(server):
    with (
        pytest.raises(PipelineError, match="refuses the password of user 'neo4j'; look at NEO4J_USERNAME"),
        connect(server.uri, "neo4j", "wrong"),
    ):
        pass


def test_a_missing_password_says_so(server, monkeypatch, tmp_path):
    monkeypatch.setenv("GNN4J_HOME", str(tmp_path))
    monkeypatch.delenv("NEO4J_PASSWORD", raising=False)
    with pytest.raises(PipelineError, match="NEO4J_PASSWORD is not set"), connect(server.uri):
        pass


def test_nobody_at_the_address_says_so():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        uri = f"bolt://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(PipelineError, match=f"No Neo4j answers at {uri}"), connect(uri, "neo4j", "x"):
            pass


def test_an_unknown_database_lists_the_known_ones(server):
    with (
        pytest.raises(PipelineError, match=r"no database 'shop'\. Known: neo4j\."),
        connect(server.uri, server.user, server.password, "shop"),
    ):
        pass


class WithoutPlugin(Connection):
    """The server as it would answer without our jar and without GDS: their names are not known there."""

    version = "2026.08.1"

    def execute(self, query, **parameters):
        return super().execute(
            query.replace("gnn.version", "gnn.absent").replace("gds.version", "gds.absent")
        )

    def neo4j_version(self):
        return self.version


def test_a_missing_plugin_says_how_to_put_it_in(server):
    with connect(server.uri, server.user, server.password) as connection:
        bare = WithoutPlugin(connection.driver, connection.target)
        with pytest.raises(PipelineError, match=r"has no gnn4j plugin.*gnn4j server plugin --to"):
            bare.require_plugin()
        with pytest.raises(PipelineError, match="has no Graph Data Science library"):
            bare.require_gds()
        bare.version = "5.26.3"
        with pytest.raises(PipelineError, match=r"is 5\.26\.3; the gnn4j plugin needs 2026\.01 or newer"):
            bare.require_plugin()


def test_the_sentence_of_a_procedure_comes_without_its_wrapping(server):
    with pytest.raises(Neo4jError) as error:
        server.execute("CALL gds.graph.drop('nothing')")
    assert in_words(error.value).startswith("Graph with name `nothing` does not exist")
