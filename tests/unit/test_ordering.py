"""The contracts sequence/1 and pair/1: one signature each, and inputs that fit it."""

import pytest

from model_export import ordering
from model_export.manifest import manifest_faults, with_schema_hash
from model_export.signature import ORDERING, signature_of


@pytest.mark.parametrize("contract", ORDERING)
def test_the_inputs_fit_the_signature(contract):
    signature = ORDERING[contract](5)
    for given in ordering.examples(contract, 5):
        assert list(given) == [entry["name"] for entry in signature["inputs"]]
        free = {}
        for entry in signature["inputs"]:
            array = given[entry["name"]]
            assert array.dtype == entry["dtype"]
            for axis, (size, found) in enumerate(zip(entry["shape"], array.shape, strict=True)):
                # The first free axis is the source; the second one is the same wherever it stands.
                assert size == found or (size is None and free.setdefault(axis, found) == found)


def test_a_padded_place_of_a_history_is_zero_and_the_first_gap_too():
    for given in ordering.examples("sequence/1", 3):
        assert not given["history"][given["mask"] == 0].any()
        assert not given["gap"][given["mask"] == 0].any()
        assert not given["gap"][:, 0].any()
        assert given["mask"][:, 0].all()


@pytest.mark.parametrize("contract", ORDERING)
def test_another_signature_and_a_missing_history_are_refused(contract):
    tensor = {"dtype": "float32", "shape": [1, 2], "data": [0.0, 0.0]}
    pieces = [{"index": 0, "bytes": 1, "sha256": "0" * 64}]
    manifest = with_schema_hash(
        {
            "contract": contract,
            "model": "own",
            "createdAt": "2026-01-01T00:00:00Z",
            "gnn4jVersion": "0.1.0",
            "dimension": 2,
            "similarity": "dot",
            "signature": signature_of(
                [("x", "float32", [None, 2], "source")], [("y", "float32", [None, 2], "query")]
            ),
            "golden": {"inputs": {"x": tensor}, "outputs": {"y": tensor}, "tolerance": 1e-5},
            "schema": {"nodes": {}, "relations": []},
            "task": {},
            "serving": {"history": 50},
            "training": {"graph": {}, "cutoff": None, "seed": 1, "hyperparameters": {}},
            "metrics": [],
            "parts": [
                {"file": file, "bytes": 1, "sha256": "0" * 64, "pieces": pieces}
                for file in ("model.onnx", "vectors.arrow")
            ],
        }
    )
    (fault,) = manifest_faults(manifest)
    assert fault.startswith(f"the signature is not the one of {contract}: ")
    missing = {key: value for key, value in manifest.items() if key != "serving"}
    assert manifest_faults(missing) == ["the key 'serving' is missing"]
    assert any(
        "serving.history" in fault for fault in manifest_faults({**manifest, "serving": {"history": 0}})
    )
