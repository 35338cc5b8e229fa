"""The scan of ONNX bytes: the hostile files, what ONNX Runtime makes of them, and arbitrary bytes."""

import importlib.util
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_export import ArtefactError, open_session
from model_export.scan import OPERATORS, scan_model, signature_faults

HOSTILE = Path(__file__).resolve().parents[1] / "golden" / "hostile"
EXPECTED = json.loads((HOSTILE / "expected.json").read_text())
with zipfile.ZipFile(HOSTILE / "models.zip") as _archive:
    MODELS = {name: _archive.read(name) for name in _archive.namelist()}


def generator():
    spec = importlib.util.spec_from_file_location("hostile_generate", HOSTILE / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_files_are_those_of_the_generator():
    built = generator().build()
    assert {name: data for name, (data, _) in built.items()} == MODELS
    assert {name: codes for name, (_, codes) in built.items()} == EXPECTED


def test_the_operator_list_is_the_one_both_languages_share():
    assert sorted(OPERATORS) == json.loads((HOSTILE / "operators.json").read_text())


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_the_scan_finds_exactly_what_is_wrong(name):
    assert sorted({finding.code for finding in scan_model(MODELS[name]).findings}) == EXPECTED[name]


@pytest.mark.parametrize("name", sorted(name for name, codes in EXPECTED.items() if codes))
def test_a_refused_model_is_never_handed_to_onnx_runtime(name, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *a, **k: pytest.fail("it was opened"))
    with pytest.raises(ArtefactError, match="The ONNX model is refused"):
        open_session(MODELS[name])


@pytest.mark.parametrize("name", sorted(name for name, codes in EXPECTED.items() if not codes))
def test_an_accepted_model_opens_and_runs(name):
    session = open_session(MODELS[name])
    inputs = {
        "x": np.ones((3, 2), np.float32),
        "at": np.array([[0], [2]], np.int64),
        "u": np.ones((2, 2), np.float32),
    }
    found = session.run({key: inputs[key] for key in session.input_names})
    assert np.isfinite(found["y"]).all()


def test_a_hard_link_to_a_secret_loads_by_path_but_not_by_us(tmp_path, monkeypatch):
    # Why the scan exists: ONNX Runtime reads the linked file and gives its content out as weights.
    import onnxruntime

    (tmp_path / "private").mkdir()
    secret = tmp_path / "private" / "key"
    secret.write_bytes(np.array([1, 2, 3, 4], np.float32).tobytes())
    os.link(secret, tmp_path / "secret.bin")
    (tmp_path / "model.onnx").write_bytes(MODELS["external_relative.onnx"])
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.eye(2, dtype=np.float32)})[0].ravel().tolist() == [1, 2, 3, 4]
    monkeypatch.chdir(tmp_path)  # the working directory is where bytes look for external data
    with pytest.raises(ArtefactError, match="another file"):
        open_session(MODELS["external_relative.onnx"])


def test_a_file_of_two_formats_is_read_as_the_other_one_by_onnx_runtime():
    # Why bytes 4 to 7 matter: unless told the format, the runtime does not read what was scanned.
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with pytest.raises(Exception, match="ORT model verification failed"):
        onnxruntime.InferenceSession(MODELS["ort_format_polyglot.onnx"], options)
    options.add_session_config_entry("session.load_model_format", "ONNX")
    assert (
        onnxruntime.InferenceSession(MODELS["ort_format_polyglot.onnx"], options).get_inputs()[0].name == "x"
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_judged_without_an_exception(data):
    assert scan_model(data).findings


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_changed_model_is_judged_without_an_exception(data):
    model = bytearray(
        MODELS[data.draw(st.sampled_from(["good.onnx", "if.onnx", "external_in_attribute.onnx"]))]
    )
    for _ in range(data.draw(st.integers(1, 4))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    scan_model(bytes(model))


def test_many_bad_nodes_are_one_finding():
    make = generator()
    nodes = [make.node("Exec", ["x"], ["y"])] * 4_000
    findings = scan_model(make.model(make.graph(nodes))).findings
    assert [finding.code for finding in findings] == ["operator"]


def test_names_from_the_file_cannot_write_to_a_terminal():
    make = generator()
    model = make.model(make.graph([make.node("\x1b[31mRed\n", ["x"], ["y"])]))
    assert "\x1b" not in scan_model(model).findings[0].message
    assert "\n" not in scan_model(model).findings[0].message


def test_a_signature_is_compared_by_name_type_and_free_dimensions():
    entry = {"name": "x", "dtype": "float32", "shape": [None, 2], "role": "features"}
    signature = {"inputs": [entry], "outputs": [{**entry, "name": "y"}]}
    result = scan_model(MODELS["good.onnx"])
    assert signature_faults(result, signature) == []
    fixed = {"inputs": [{**entry, "shape": [5, 2]}], "outputs": [{**entry, "name": "z"}]}
    assert signature_faults(result, fixed) == [
        "input 'x' is float32[None, 2] in the model, float32[5, 2] in the signature",
        "the model has no output 'z'",
        "the signature does not name the output 'y'",
    ]
