"""The artefact: deterministic bytes, everything verified at reading, all faults at once."""

import json
import struct
import warnings
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from model_export import Artefact, ArtefactError, read
from model_export import artefact as artefact_module
from model_export.artefact import part_entry
from model_export.canonical_json import canonical_json, parse_canonical, sha256_hex
from model_export.item_propagation import build
from model_export.parts import MAX_PIECE_BYTES

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "item_propagation"


@pytest.fixture(scope="module")
def golden():
    manifest = parse_canonical((GOLDEN / "manifest.json").read_bytes())
    return Artefact(
        manifest, {part["file"]: (GOLDEN / part["file"]).read_bytes() for part in manifest["parts"]}
    )


@pytest.fixture
def written(golden, tmp_path):
    return golden.write(tmp_path / "model.zip")


def zip_of(entries, compression=zipfile.ZIP_STORED) -> bytes:
    """``entries``: (name or ZipInfo, bytes) pairs, repeats allowed."""
    sink = BytesIO()
    with zipfile.ZipFile(sink, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that stands twice is meant
        for name, data in entries:
            archive.writestr(name, data)
    return sink.getvalue()


def changed(golden, /, **keys) -> Artefact:
    """The golden artefact with other manifest keys; None removes one."""
    manifest = {**golden.manifest, **keys}
    return Artefact({key: value for key, value in manifest.items() if value is not ...}, golden.files)


def entries_of(artefact):
    return [("manifest.json", artefact.manifest_bytes), *artefact.files.items()]


def test_a_written_artefact_is_read_back_whole(golden, written):
    found = read(written)
    assert found.manifest == golden.manifest
    assert found.files == golden.files
    assert found.sha256 == sha256_hex((GOLDEN / "manifest.json").read_bytes())


def test_the_same_artefact_gives_the_same_bytes(golden, written, tmp_path):
    assert golden.write(tmp_path / "again.zip").read_bytes() == written.read_bytes()
    assert golden.core_zip() == golden.core_zip()


def test_writing_leaves_no_other_file_and_replaces_what_was_there(golden, tmp_path):
    target = tmp_path / "model.zip"
    target.write_bytes(b"old")
    golden.write(target)
    assert [path.name for path in tmp_path.iterdir()] == ["model.zip"]
    assert read(target, run_golden=False).sha256 == golden.sha256


def test_the_core_holds_the_manifest_and_the_model_alone(golden):
    with zipfile.ZipFile(BytesIO(golden.core_zip())) as archive:
        assert archive.namelist() == ["manifest.json", "model.onnx"]
        assert sha256_hex(archive.read("manifest.json")) == golden.sha256


def test_pieces_follow_in_order_and_make_up_the_parts(golden):
    pieces = list(golden.pieces())
    assert [(file, index) for file, index, _ in pieces] == [("vectors.arrow", 0)]
    assert bytes(pieces[0][2]) == golden.files["vectors.arrow"]


def test_a_file_is_cut_at_16_mib():
    data = bytes(MAX_PIECE_BYTES) + b"x"
    entry = part_entry("vectors.arrow", data)
    assert [(piece["index"], piece["bytes"]) for piece in entry["pieces"]] == [(0, MAX_PIECE_BYTES), (1, 1)]
    assert entry["pieces"][1]["sha256"] == sha256_hex(b"x")


def test_the_same_input_gives_the_same_artefact_but_for_the_time():
    def make(created_at):
        return build(
            model="fism",
            item_label="Item",
            keys=np.array(["b", "a"], object),
            e=np.eye(2),
            c=np.eye(2),
            layers=0,
            exponent=0,
            schema={"nodes": {"Item": {"key": "id", "properties": []}}, "relations": []},
            task={},
            gnn4j_version="0.1.0",
            created_at=created_at,
        )

    first, second = make("2026-01-01T00:00:00Z"), make("2026-01-01T00:00:00Z")
    assert first.core_zip() == second.core_zip()
    assert first.files == second.files
    assert make("2026-01-01T00:00:01Z").sha256 != first.sha256
    assert make(None).model == first.model


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable zip file"),
        (b"PK\x03\x04 and then nothing", "not a readable zip file"),
        (zip_of([]), "it has no manifest.json"),
        (zip_of([("manifest.json", b"{")]), "not JSON in UTF-8"),
        (zip_of([("manifest.json", b"\xff")]), "not JSON in UTF-8"),
        (zip_of([("manifest.json", b"[]")]), "a map is expected, found list"),
        (zip_of([("manifest.json", b'{"a":1,"a":2}')]), "the key 'a' stands twice"),
        (zip_of([("manifest.json", b'{"a": 1}')]), "not canonical JSON"),
        (zip_of([("manifest.json", b'{"b":1,"a":1}')]), "not canonical JSON"),
        (zip_of([("manifest.json", b'{"a":NaN}')]), "NaN is not a JSON number"),
        (zip_of([("manifest.json", b"[" * 100_000)]), "nested too deeply"),
        (zip_of([("manifest.json", b'{"format":2}')]), "format 2 is unknown; this version reads format 1"),
        (zip_of([("manifest.json", b'{"format":true}')]), "format True is unknown"),
        (zip_of([("../manifest.json", b"{}")]), r"the entry '\.\./manifest\.json' is not one of"),
        (zip_of([("/etc/passwd", b"{}")]), "the entry '/etc/passwd' is not one of"),
        (zip_of([("a\x1b[31m", b"{}")]), r"the entry 'a\?\[31m' is not one of"),
        (zip_of([("manifest.json", b"{}")] * 30), "it has 30 entries"),
        (zip_of([("manifest.json", bytes(10_000_000))], zipfile.ZIP_DEFLATED), "is compressed"),
    ],
)
def test_a_foreign_file_is_refused_with_the_reason(data, message):
    with pytest.raises(ArtefactError, match=message):
        read(data)


def test_a_link_in_the_zip_is_refused(golden):
    link = zipfile.ZipInfo("vectors.arrow")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    entries = [(n, d) for n, d in entries_of(golden) if n != "vectors.arrow"]
    with pytest.raises(ArtefactError, match=r"'vectors\.arrow' is not a plain file"):
        read(zip_of([*entries, (link, b"/etc/passwd")]))


def test_an_entry_that_claims_more_than_the_file_has_is_refused(golden):
    data = bytearray(zip_of(entries_of(golden)))
    at = data.rfind(b"PK\x01\x02")  # the directory entry of the last file: sizes stand at 20 and 24
    struct.pack_into("<II", data, at + 20, 1 << 30, 1 << 30)
    with pytest.raises(ArtefactError, match="entries overlap"):
        read(bytes(data))


def test_an_entry_over_the_limit_is_refused_before_it_is_read(golden, monkeypatch):
    monkeypatch.setattr(artefact_module, "MAX_CORE_BYTES", 1_000)
    monkeypatch.setattr(artefact_module, "MAX_PARTS_BYTES", 10)
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *a: pytest.fail("it was read"))
    with pytest.raises(ArtefactError) as error:
        read(zip_of(entries_of(golden)))
    assert len(error.value.faults) == 2


@pytest.mark.parametrize("name", ["model.onnx", "vectors.arrow"])
def test_one_changed_byte_in_a_part_is_noticed(golden, name):
    files = dict(golden.files)
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    with pytest.raises(ArtefactError, match=f"'{name}' does not have the sha256"):
        read(zip_of(entries_of(Artefact(golden.manifest, files))))


def test_missing_and_additional_parts_are_both_named(golden):
    files = {"model.onnx": golden.files["model.onnx"], "lists.arrow": b"x"}
    with pytest.raises(ArtefactError) as error:
        read(zip_of(entries_of(Artefact(golden.manifest, files))))
    assert error.value.faults == [
        "the manifest lists 'vectors.arrow', the zip lacks it",
        "the zip has 'lists.arrow', the manifest does not list it",
    ]


@pytest.mark.parametrize(
    ("keys", "faults"),
    [
        ({"contract": "item-propagation/2"}, ["contract 'item-propagation/2' is unknown. Did you mean"]),
        ({"dimension": 3}, ["the signature is not the one of item-propagation/1"]),
        ({"dimension": True}, ["'dimension' must be an integer from 1 to 4096, found True"]),
        ({"similarity": "euclid"}, ["'similarity' must be dot or cosine, found 'euclid'"]),
        ({"createdAt": "yesterday"}, ["'createdAt' must be ISO-8601 in UTC"]),
        ({"schemaSha256": "0" * 64}, ["schemaSha256 is 000"]),
        ({"golden": ...}, ["the key 'golden' is missing"]),
        ({"dimention": 2}, ["unknown key 'dimention'. Did you mean 'dimension'?"]),
        ({"metrics": [{"metric": "recall"}]}, ["metrics[0] lacks 'k'"]),
        (
            {"propagation": {"layers": 99, "vectors": "none", "exponent": 2, "history": 0}},
            ["propagation.layers", "propagation.history", "propagation.vectors", "propagation.exponent"],
        ),
        ({"parts": []}, ["the contract asks for 'model.onnx'", "the contract asks for 'vectors.arrow'"]),
        ({"task": [], "training": 3}, ["'task' must be a map", "'training' must be a map"]),
    ],
)
def test_every_fault_of_a_manifest_is_listed(golden, keys, faults):
    with pytest.raises(ArtefactError) as error:
        read(zip_of(entries_of(changed(golden, **keys))))
    for wanted in faults:
        assert any(wanted in fault for fault in error.value.faults), error.value.faults


def test_any_key_of_the_manifest_may_be_of_any_type(golden):
    for key in golden.manifest:
        for value in (None, 1, "x", [], {}, [None], {"a": {}}, [[]], {"nodes": [], "relations": {}}):
            allowed = {"model": "x", "gnn4jVersion": "x", "format": 1, "dimension": 1, "metrics": []}
            if value == allowed.get(key, ...) or (key == "task" and isinstance(value, dict)):
                continue
            with pytest.raises(ArtefactError):
                read(zip_of(entries_of(changed(golden, **{key: value}))), run_golden=False)


@pytest.mark.parametrize("part", [None, 1, {}, {"file": []}, {"file": "model.onnx", "bytes": "9"}])
def test_any_part_may_be_of_any_type(golden, part):
    with pytest.raises(ArtefactError):
        read(zip_of(entries_of(changed(golden, parts=[part, *golden.manifest["parts"]]))))


def test_pieces_that_do_not_add_up_are_refused(golden):
    parts = json.loads(canonical_json(golden.manifest["parts"]))
    parts[0]["pieces"][0]["bytes"] -= 1
    with pytest.raises(ArtefactError, match="its pieces hold"):
        read(zip_of(entries_of(changed(golden, parts=parts))))


def repacked(golden, /, **files) -> bytes:
    """A consistent artefact around other file contents, as an attacker would make it."""
    parts = {**golden.files, **files}
    manifest = {**golden.manifest, "parts": [part_entry(name, data) for name, data in parts.items()]}
    return zip_of(entries_of(Artefact(manifest, parts)))


def test_a_consistent_artefact_around_a_hostile_model_is_refused(golden):
    with zipfile.ZipFile(GOLDEN.parent / "hostile" / "models.zip") as archive:
        hostile = archive.read("external_relative.onnx")
        harmless = archive.read("good.onnx")
    with pytest.raises(ArtefactError, match="keeps its data in another file"):
        read(repacked(golden, **{"model.onnx": hostile}))
    with pytest.raises(ArtefactError, match="the model has no input 'context'"):
        read(repacked(golden, **{"model.onnx": harmless}))


def test_an_output_that_differs_from_the_golden_sample_is_refused(golden):
    sample = json.loads(canonical_json(golden.manifest["golden"]))
    sample["outputs"]["query"]["data"][0] += 1e-3
    with pytest.raises(ArtefactError, match=r"differs in 1 of 6 values; first at \[0, 0\]"):
        read(zip_of(entries_of(changed(golden, golden=sample))))


def test_vectors_of_another_width_or_label_are_refused(golden):
    from model_export.vectors import encode, of_one_type

    wide = encode(of_one_type("Item", np.array([1]), np.ones((1, 3))))
    with pytest.raises(ArtefactError, match="has 3 dimensions"):
        read(repacked(golden, **{"vectors.arrow": wide}))
    foreign = encode(of_one_type("Film", np.array([1]), np.ones((1, 2))))
    with pytest.raises(ArtefactError, match="the type 'Film' is not in the schema"):
        read(repacked(golden, **{"vectors.arrow": foreign}))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ArtefactError, match=r"The artefact nothing\.zip is refused"):
        read(tmp_path / "nothing.zip")
