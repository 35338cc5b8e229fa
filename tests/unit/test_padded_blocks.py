"""padded-blocks/1 against the graph worked by hand in tests/golden/padded_blocks."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from model_export import ArtefactError, open_session
from model_export.artefact import Artefact, assemble, golden_faults
from model_export.block_schema import BlockSchema
from model_export.feature_encoders import encode_type
from model_export.golden import tensor_from_json
from model_export.manifest import manifest_faults, parse_canonical

GOLDEN = Path(__file__).parents[1] / "golden" / "padded_blocks"


def read(name):
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def tensor(entry):
    return tensor_from_json({**entry, "data": [math.nan if one is None else one for one in entry["data"]]})


@pytest.fixture(scope="module")
def manifest():
    return parse_canonical((GOLDEN / "manifest.json").read_bytes())


@pytest.fixture(scope="module")
def schema(manifest):
    return BlockSchema.of(manifest)


BATCHES = read("batches.json")["batches"]


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: batch["name"])
def test_onnx_gives_the_output_worked_by_hand(batch):
    found = open_session((GOLDEN / "model.onnx").read_bytes()).run(
        {name: tensor(entry) for name, entry in batch["tensors"].items()}
    )
    np.testing.assert_array_equal(found["embedding"], tensor(batch["output"]))


def test_the_golden_artefact_passes_every_check(manifest):
    artefact = Artefact(manifest, {"model.onnx": (GOLDEN / "model.onnx").read_bytes()})
    assert manifest_faults(manifest) == []
    assert golden_faults(artefact) == []
    assert assemble(manifest, artefact.files).manifest_bytes == artefact.manifest_bytes


def test_features_become_the_columns_written_by_hand(schema):
    nodes, expected = read("graph.json")["nodes"], read("encoded.json")
    for one in schema.types:
        mine = [node for node in nodes if node["label"] == one.label]
        columns = {
            feature.property: [node["properties"].get(feature.property) for node in mine]
            for feature in one.features
        }
        x, code = encode_type(one, columns, len(mine))
        for row, node in enumerate(mine):
            wanted = expected[one.label][str(node["key"])]
            np.testing.assert_array_equal(x[row], [math.nan if v is None else v for v in wanted["x"]])
            np.testing.assert_array_equal(code[row], wanted["code"])


def test_the_schema_names_the_tensors_of_the_golden_batches_in_their_order(schema):
    for batch in BATCHES:
        assert list(schema.tensors) == list(batch["tensors"])
        for name, entry in batch["tensors"].items():
            declared = schema.tensors[name]
            assert entry["dtype"] == declared.dtype
            assert len(entry["shape"]) == len(declared.shape)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m["blocks"].update(layers=0), "blocks.layers must be from 1 to 8, found 0"),
        (lambda m: m["blocks"].update(types=["Item"]), "blocks.types must list the labels"),
        (lambda m: m["blocks"].update(seeds=["Shop"]), "blocks.seeds must list"),
        (lambda m: m["blocks"]["fanouts"].pop(), r"blocks.fanouts must have 4 lists"),
        (lambda m: m["blocks"]["sampling"].update(strategy="weighted"), "'weighted' needs weightProperty"),
        (lambda m: m["blocks"].update(hops=3), "blocks has the unknown key 'hops'"),
        (lambda m: m["schema"]["relations"][0].update(properties="at"), r"relations\[0\].properties must be"),
        (
            lambda m: m["schema"]["relations"].append(m["schema"]["relations"][0]),
            r"relations\[4\] stands twice",
        ),
        (
            lambda m: m["schema"]["nodes"]["Item"]["properties"][1].update(vocabulary=["film", "book"]),
            "vocabulary must be in ascending order",
        ),
        (
            lambda m: m["schema"]["nodes"]["Item"]["properties"][1].update(buckets=3),
            "must have either vocabulary or buckets",
        ),
        (
            lambda m: m["schema"]["nodes"]["User"]["properties"][2].update(width=3),
            r"the input 'x_n1' must be float32 \[None, 5\]",
        ),
        (lambda m: m.pop("blocks"), "the key 'blocks' is missing"),
        (lambda m: m.pop("similarity"), "the key 'similarity' is missing"),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(manifest, change, message):
    changed = json.loads(json.dumps(manifest))
    change(changed)
    with pytest.raises(ArtefactError, match=message):
        assemble(changed, {"model.onnx": (GOLDEN / "model.onnx").read_bytes()})
