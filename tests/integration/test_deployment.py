"""The hand-worked artefact, deployed to a real server: the numbers of the page stand on the nodes."""

import json
from pathlib import Path

import neo4j
import pytest
from typer.testing import CliRunner

from gds_pipelines.cli import app
from gds_pipelines.connection import Connection, Target
from gds_pipelines.deploy import deploy
from gds_pipelines.errors import InvalidInput
from gds_pipelines.registry import Registry
from model_export import Artefact
from model_export.artefact import part_entry
from model_export.canonical_json import parse_canonical

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "item_propagation"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


@pytest.fixture(scope="module")
def artefact():
    manifest = parse_canonical((GOLDEN / "manifest.json").read_bytes())
    files = {part["file"]: (GOLDEN / part["file"]).read_bytes() for part in manifest["parts"]}
    return Artefact(manifest, files)


@pytest.fixture
def connection(database):
    """The shared server with the golden graph and nothing else."""
    for label in ("User", "Item"):
        database.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    graph = json.loads((GOLDEN / "graph.json").read_text())
    for node in graph["nodes"]:
        database.execute("CREATE (n:$($label) {id: $key})", label=node["label"], key=node["key"])
    database.execute(
        "UNWIND $rows AS row MATCH (u:User {id: row.source}), (i:Item {id: row.target}) "
        "CREATE (u)-[r:$(row.type) {at: row.at}]->(i)",
        rows=graph["relationships"],
    )
    target = Target(database.uri, database.user, database.password, None, "test")
    return Connection(database.driver(), target)


def vectors(connection, label, name):
    rows = connection.execute("MATCH (n:$($label)) RETURN n.id AS id, n[$name] AS v", label=label, name=name)
    return {str(row["id"]): row["v"] for row in rows}


def assert_vectors(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        # A zero vector may be left away: a vector index takes none.
        assert (
            found[key] in (None, [0.0, 0.0])
            if value == [0, 0]
            else found[key] == pytest.approx(value, abs=1e-6)
        )


def test_the_numbers_worked_by_hand_stand_on_the_nodes(connection, artefact):
    report = deploy(connection, artefact, name="shop")
    assert (report.model, report.previous) == ("shop:1", None)
    assert (report.unmatched_vectors, report.unmatched_nodes) == (1, 1)
    assert_vectors(vectors(connection, "Item", "gnn_shop_v1"), EXPECTED["e"])
    assert_vectors(vectors(connection, "Item", "gnn_shop_v1_c"), EXPECTED["c"])
    assert_vectors(vectors(connection, "User", "gnn_shop_v1"), EXPECTED["q"])
    assert Registry(connection).target("shop").state == "ready"
    index = connection.execute(
        "SHOW VECTOR INDEXES YIELD name, state, options WHERE name = 'gnn_shop_v1' RETURN state, options"
    )[0]
    assert index["state"] == "ONLINE"
    assert index["options"]["indexConfig"]["vector.quantization.type"] in ("NONE", "OFF", None)
    assert connection.execute("CALL gds.graph.list() YIELD graphName RETURN graphName") == []
    for user, items in EXPECTED["unseenBestFirst"].items():
        rows = connection.execute(
            "MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, {topK: 2, model: 'shop'}) "
            "YIELD node, rank, score, origin RETURN node.id AS id, score, origin ORDER BY rank",
            user=int(user),
        )
        assert [row["id"] for row in rows] == items
        scores = [EXPECTED["scores"][user][str(item)] for item in items]
        assert [row["score"] for row in rows] == pytest.approx(scores, abs=1e-6)


def test_a_second_deployment_moves_the_alias_and_a_third_removes_the_first(connection, artefact):
    made = [
        Artefact({**artefact.manifest, "createdAt": f"2026-03-0{day}T00:00:00Z"}, artefact.files)
        for day in (1, 2, 3)
    ]
    reports = [deploy(connection, one, name="shop") for one in made]
    assert [report.model for report in reports] == ["shop:1", "shop:2", "shop:3"]
    assert reports[2].removed == ("shop:1",)
    assert Registry(connection).target("shop").sha256 == made[2].sha256
    assert [version.version for version in Registry(connection).versions("shop")] == [2, 3]
    assert set(vectors(connection, "Item", "gnn_shop_v1").values()) == {None}
    names = connection.execute("SHOW VECTOR INDEXES YIELD name RETURN collect(name) AS names")[0]["names"]
    assert sorted(names) == ["gnn_shop_v2", "gnn_shop_v3"]


def test_the_server_refuses_what_the_client_would_have_refused(connection, artefact):
    import zipfile

    with zipfile.ZipFile(GOLDEN.parent / "hostile" / "models.zip") as archive:
        hostile = archive.read("external_relative.onnx")
    files = {**artefact.files, "model.onnx": hostile}
    parts = [part_entry(name, data) for name, data in files.items()]
    made = Artefact({**artefact.manifest, "parts": parts}, files)
    with pytest.raises(neo4j.exceptions.ClientError, match="another file"):
        Registry(connection).load("shop", made.core_zip())
    assert Registry(connection).versions() == []


def test_a_graph_that_does_not_fit_is_refused_before_anything_is_written(connection, artefact):
    connection.execute("MATCH (i:Item) SET i.id = toString(i.id)")
    with pytest.raises(InvalidInput, match="keys there are like '10"):
        deploy(connection, artefact, name="shop")
    assert connection.execute("MATCH (m:GnnModel) RETURN m") == []


def test_the_command_deploys_and_a_dry_run_writes_nothing(connection, artefact, tmp_path, monkeypatch):
    path = artefact.write(tmp_path / "model.zip")
    monkeypatch.setenv("NEO4J_URI", connection.target.uri)
    monkeypatch.setenv("NEO4J_USERNAME", connection.target.user)
    monkeypatch.setenv("NEO4J_PASSWORD", connection.target.password)
    run = CliRunner().invoke
    dry = run(app, ["deploy", str(path), "--name", "shop", "--dry-run", "--json"])
    assert dry.exit_code == 0, dry.output
    assert json.loads(dry.stdout)["unmatchedVectors"] == 1
    assert connection.execute("MATCH (m:GnnModel) RETURN m") == []
    real = run(app, ["deploy", str(path), "--name", "shop", "--alias", "main"])
    assert real.exit_code == 0, real.output
    assert "shop:1" in real.stdout
    assert Registry(connection).target("main").reference == "shop:1"


def test_the_command_says_in_words_what_is_wrong(tmp_path, server, monkeypatch):
    monkeypatch.setenv("NEO4J_URI", server.uri)
    monkeypatch.setenv("NEO4J_PASSWORD", server.password)
    missing = CliRunner().invoke(app, ["deploy", str(tmp_path / "no.zip")])
    assert missing.exit_code == 1
    assert "The artefact no.zip is refused" in missing.stderr
