"""``gnn.model.*`` over Bolt: who may, what is refused, and pieces that arrive in any order.

The rules themselves are tested beside the code, in Java; here stand authentication, two users, and files
made by the Python side.
"""

import json
import zipfile
from io import BytesIO
from pathlib import Path

import neo4j
import numpy as np
import pytest
from neo4j.exceptions import Neo4jError

from model_export.artefact import Artefact, part_entry, read
from model_export.canonical_json import canonical_json, sha256_hex
from model_export.item_propagation import build

GOLDEN = Path(__file__).parents[1] / "golden"
HAND = GOLDEN / "item_propagation"
HOSTILE = GOLDEN / "hostile"


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name in ("manifest.json", "model.onnx", "vectors.arrow"):
            archive.writestr(name, (HAND / name).read_bytes())
    return read(sink.getvalue())


@pytest.fixture
def shop(database):
    """The graph worked by hand."""
    graph = json.loads((HAND / "graph.json").read_text())
    for label in ("User", "Item"):
        database.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    for node in graph["nodes"]:
        database.execute("CREATE (n:$($label)) SET n.id = $key", **node)
    for one in graph["relationships"]:
        database.execute(
            "MATCH (u:User {id: $source}), (i:Item {id: $target}) CREATE (u)-[:$($type) {at: $at}]->(i)",
            **one,
        )
    return database


def core(manifest: dict, model: bytes) -> bytes:
    """A core zip with whatever is given, hashes made right."""
    parts = [part_entry("model.onnx", model) if p["file"] == "model.onnx" else p for p in manifest["parts"]]
    return Artefact({**manifest, "parts": parts}, {"model.onnx": model}).core_zip()


def load(server, name: str, data: bytes) -> dict:
    return server.execute("CALL gnn.model.load($name, $data)", name=name, data=data)[0].data()


def message(error: pytest.ExceptionInfo) -> str:
    return str(error.value)


def test_pieces_arrive_in_any_order_and_a_deployment_goes_on_where_it_stopped(shop, artefact):
    vectors = artefact.files["vectors.arrow"]
    pieces = [vectors[start : start + 200] for start in range(0, len(vectors), 200)]
    entry = {
        "file": "vectors.arrow",
        "bytes": len(vectors),
        "sha256": sha256_hex(vectors),
        "pieces": [{"index": i, "bytes": len(p), "sha256": sha256_hex(p)} for i, p in enumerate(pieces)],
    }
    parts = [entry if p["file"] == "vectors.arrow" else p for p in artefact.manifest["parts"]]
    data = Artefact({**artefact.manifest, "parts": parts}, artefact.files).core_zip()
    row = load(shop, "shop", data)
    assert row["partsMissing"] == [{"file": "vectors.arrow", "index": i} for i in range(len(pieces))]

    def send(index):
        return shop.execute(
            "CALL gnn.model.addPart('shop', 1, 'vectors.arrow', $index, $bytes)",
            index=index,
            bytes=pieces[index],
        )[0].data()

    for index in (3, 0):
        row = send(index)
    assert [piece["index"] for piece in row["partsMissing"]] == [1, 2]
    assert (row["version"], row["state"]) == (1, "loading")
    assert load(shop, "shop", data)["partsMissing"] == row["partsMissing"]
    for index in (2, 1):
        row = send(index)
    assert (row["state"], row["partsMissing"]) == ("building", [])
    shop.execute("CALL gds.graph.project('shop', ['User', 'Item'], ['BUY', 'VIEW'])")
    assert shop.execute("CALL gnn.embed.propagate('shop', {model: 'shop:1'})")[0]["state"] == "ready"


def test_only_named_users_change_the_registry_and_everybody_reads_it(shop, artefact):
    load(shop, "shop", artefact.core_zip())
    with shop.second_user() as bob:
        calls = {
            "gnn.model.load": "CALL gnn.model.load('shop', $data)",
            "gnn.model.addPart": "CALL gnn.model.addPart('shop', 1, 'vectors.arrow', 0, $data)",
            "gnn.model.alias": "CALL gnn.model.alias('live', 'shop', {version: 1})",
            "gnn.model.drop": "CALL gnn.model.drop('shop')",
            "gnn.embed.propagate": "CALL gnn.embed.propagate('shop', {model: 'shop:1'})",
        }
        for procedure, call in calls.items():
            with pytest.raises(Neo4jError) as error:
                bob.execute_query(call, data=artefact.core_zip())
            assert f"User 'bob' may not call `{procedure}`" in message(error)
            assert "gnn.model.load.users=" in message(error)
        rows = bob.execute_query("CALL gnn.model.list() YIELD name, version, state RETURN *").records
        assert [row.data() for row in rows] == [{"name": "shop", "version": 1, "state": "loading"}]


def test_nobody_propagates_over_the_projection_of_another_user(shop, artefact):
    load(shop, "shop", artefact.core_zip())
    for file, index, piece in artefact.pieces():
        shop.execute(
            "CALL gnn.model.addPart('shop', 1, $file, $index, $bytes)",
            file=file,
            index=index,
            bytes=bytes(piece),
        )
    with shop.second_user() as bob:
        bob.execute_query("CALL gds.graph.project('his', ['User', 'Item'], ['BUY', 'VIEW'])")
        with pytest.raises(Neo4jError) as error:
            shop.execute("CALL gnn.embed.propagate('his', {model: 'shop:1'})")
        assert "project again with gds.graph.project('his', …)" in message(error)
        bob.execute_query("CALL gds.graph.drop('his')")


def test_every_hostile_model_is_refused_by_name_and_nothing_is_stored(shop, artefact):
    expected = json.loads((HOSTILE / "expected.json").read_text())
    with zipfile.ZipFile(HOSTILE / "models.zip") as archive:
        models = {name: archive.read(name) for name in archive.namelist()}
    refused = 0
    for name, codes in expected.items():
        model = models[name]
        if not model:
            continue  # the manifest cannot declare an empty file
        with pytest.raises(Neo4jError) as error:
            load(shop, "shop", core(artefact.manifest, model))
        text = message(error)
        # A good file is a stranger, too: it does not have the signature of the manifest.
        assert "The model is refused:" in text, name
        for code in codes:
            assert f"[{code}]" in text, name
        refused += 1
    assert refused > 80
    assert shop.execute("CALL gnn.model.list()") == []


def test_foreign_files_get_one_clear_sentence(shop, artefact):
    manifest = dict(artefact.manifest)
    for data, sentence in {
        b"PK\x03\x04 and then nothing": "It is no zip file",
        core({**manifest, "format": 2}, artefact.model): "`format` is 2; this gnn4j reads format 1.",
        core(
            {**manifest, "contract": "item-propagatoin/1"}, artefact.model
        ): "Did you mean `item-propagation/1`?",
        core(
            {**manifest, "dimension": 3}, artefact.model
        ): "`signature.inputs` of item-propagation/1 must be",
        core(
            {**manifest, "golden": {**manifest["golden"], "tolerance": 0.5}}, artefact.model
        ): "`golden.tolerance`",
    }.items():
        with pytest.raises(Neo4jError) as error:
            load(shop, "shop", data)
        assert sentence in message(error)


def test_a_golden_sample_that_this_server_does_not_reproduce_is_refused(shop, artefact):
    golden = json.loads(json.dumps(artefact.manifest["golden"]))
    golden["outputs"]["query"]["data"][0] += 0.01
    with pytest.raises(Neo4jError) as error:
        load(shop, "shop", core({**artefact.manifest, "golden": golden}, artefact.model))
    assert "golden sample: Output 'query' differs by 0.0" in message(error)


def test_bytes_that_were_changed_in_the_database_are_refused_when_they_are_opened(shop, artefact):
    # A network of its own: one that another test opened is served from memory, and not opened again.
    artefact = build(
        model="lightgcn",
        item_label="Item",
        keys=np.array([101, 102, 103]),
        layers=1,
        exponent=0.37,
        schema=artefact.manifest["schema"],
        task=artefact.manifest["task"],
        gnn4j_version="0.1.0",
        base=np.eye(3, 2),
        created_at="2026-03-03T00:00:00Z",
    )
    own = artefact.manifest
    load(shop, "shop", artefact.core_zip())
    for file, index, piece in artefact.pieces():
        shop.execute(
            "CALL gnn.model.addPart('shop', 1, $file, $index, $bytes)",
            file=file,
            index=index,
            bytes=bytes(piece),
        )
    shop.execute("CALL gds.graph.project('shop', ['User', 'Item'], ['BUY', 'VIEW'])")
    evil = zipfile.ZipFile(HOSTILE / "models.zip").read("external_absolute.onnx")
    shop.execute("MATCH (p:GnnModelPart {file: 'model.onnx'}) SET p.bytes = $evil", evil=evil)
    with pytest.raises(Neo4jError) as error:
        shop.execute("CALL gnn.embed.propagate('shop', {model: 'shop:1'})")
    assert "is missing or was changed" in message(error)
    # Its hashes made right everywhere, it is still not let in: the scan runs at each opening.
    data = core(own, evil)
    with zipfile.ZipFile(BytesIO(data)) as archive:
        manifest = archive.read("manifest.json")
    assert canonical_json(json.loads(manifest)) == manifest
    shop.execute(
        "MATCH (m:GnnModel)-->(p:GnnModelPart {file: 'manifest.json'}) "
        "SET p.bytes = $manifest, m.sha256 = $sha",
        manifest=manifest,
        sha=sha256_hex(manifest),
    )
    with pytest.raises(Neo4jError) as error:
        shop.execute("CALL gnn.embed.propagate('shop', {model: 'shop:1'})")
    assert "[external-data]" in message(error)
    assert shop.execute("CALL gnn.model.list() YIELD state RETURN state")[0]["state"] == "building"


def test_export_gives_back_what_was_loaded(shop, artefact):
    load(shop, "shop", artefact.core_zip())
    rows = shop.execute("CALL gnn.model.export('shop', {version: 1})")
    assert [(row["file"], row["index"], bytes(row["bytes"])) for row in rows] == [
        ("manifest.json", 0, artefact.manifest_bytes),
        ("model.onnx", 0, artefact.model),
    ]
    assert all(sha256_hex(bytes(row["bytes"])) == row["sha256"] for row in rows)


def test_a_read_transaction_cannot_load(shop, artefact):
    with shop.driver().session(default_access_mode=neo4j.READ_ACCESS) as session, pytest.raises(Neo4jError):
        session.run("CALL gnn.model.load('shop', $data)", data=artefact.core_zip()).consume()
    assert shop.execute("CALL gnn.model.list()") == []
