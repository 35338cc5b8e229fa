"""Where a command connects to, decided without connecting."""

import json
import os

import pytest

from gds_pipelines.connection import in_words, parse_version, resolve
from gds_pipelines.errors import PipelineError
from gds_pipelines.server import passwords, process
from gds_pipelines.server.home import Home, write_private


@pytest.fixture(autouse=True)
def no_variables(monkeypatch, tmp_path):
    for name in ("URI", "USERNAME", "USER", "PASSWORD", "DATABASE"):
        monkeypatch.delenv(f"NEO4J_{name}", raising=False)
    monkeypatch.setenv("GNN4J_HOME", str(tmp_path / "home"))


@pytest.fixture
def embedded_at_7777(monkeypatch, tmp_path):
    """An embedded server that claims to run; this process plays its part."""
    home = Home(tmp_path / "home")
    home.create()
    write_private(passwords.password_file(home), "generated\n")
    state = {"pid": os.getpid(), "bolt": 7777, "http": 7778, "plugin_sha256": "", "log_offset": 0}
    (home.run / "server.json").write_text(json.dumps(state))
    monkeypatch.setattr(process, "_is_server", lambda pid, home: pid == os.getpid())


def test_the_argument_wins_over_the_variable(monkeypatch):
    monkeypatch.setenv("NEO4J_URI", "bolt://variable")
    monkeypatch.setenv("NEO4J_PASSWORD", "secret")
    monkeypatch.setenv("NEO4J_USER", "old")
    monkeypatch.setenv("NEO4J_USERNAME", "ann")
    monkeypatch.setenv("NEO4J_DATABASE", "shop")
    target = resolve()
    assert (target.uri, target.user, target.password, target.database) == (
        "bolt://variable",
        "ann",
        "secret",
        "shop",
    )
    assert target.origin == "NEO4J_URI"
    target = resolve(uri="neo4j://argument", user="bob", password="other", database="db")
    assert (target.uri, target.user, target.password, target.database) == (
        "neo4j://argument",
        "bob",
        "other",
        "db",
    )
    assert target.origin == "--uri"


@pytest.mark.usefixtures("embedded_at_7777")
def test_without_an_address_the_embedded_server_is_used_with_its_password():
    target = resolve()
    assert (target.uri, target.user, target.password) == ("bolt://localhost:7777", "neo4j", "generated")
    assert target.origin == "the embedded server"


@pytest.mark.usefixtures("embedded_at_7777")
@pytest.mark.parametrize(
    ("uri", "user", "password"),
    [
        ("neo4j://127.0.0.1:7777", None, "generated"),
        ("bolt://localhost:7777", "ann", None),
        ("bolt://localhost:7687", None, None),
        ("bolt://elsewhere:7777", None, None),
    ],
)
def test_the_generated_password_is_sent_to_the_embedded_server_alone(uri, user, password):
    assert resolve(uri=uri, user=user).password == password


def test_no_server_at_all_says_what_to_do():
    with pytest.raises(PipelineError, match=r"embedded server is not installed.*Do: gnn4j server install"):
        resolve()


@pytest.mark.parametrize("uri", ["http://localhost:7474", "localhost:7687", "bolt//x"])
def test_an_address_of_another_kind_is_refused(uri):
    with pytest.raises(PipelineError, match="a Neo4j address begins with one of bolt://"):
        resolve(uri=uri)


def test_aura_is_refused_in_words():
    with pytest.raises(PipelineError, match="Aura does not let anybody install plugins"):
        resolve(uri="neo4j+s://0123abcd.databases.neo4j.io")


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("2026.08.1", (2026, 8)), ("5.26.0", (5, 26)), ("4.4.1-drop", (4, 4)), ("?", (0, 0))],
)
def test_versions_compare_as_numbers(version, numbers):
    assert parse_version(version) == numbers


def test_an_error_without_a_message_is_still_words():
    from neo4j.exceptions import ServiceUnavailable

    assert "gnn4j server status" in in_words(ServiceUnavailable("connection reset"))
