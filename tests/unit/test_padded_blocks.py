"""padded-blocks/1 against the graph worked by hand in tests/golden/padded_blocks."""

import json
import math
import re
import threading
from pathlib import Path

import numpy as np
import pytest

from model_export import ArtefactError, BlockSession, open_session
from model_export.artefact import Artefact, assemble, golden_faults
from model_export.block_schema import BlockSchema
from model_export.canonical_json import parse_canonical
from model_export.feature_encoders import encode_type
from model_export.golden import tensor_from_json
from model_export.manifest import manifest_faults
from model_export.padded_blocks import Drawn, PaddedBlocks, build, examples, faults_of, golden_inputs

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


class Neighbours:
    """All neighbours from graph.json, by lists and sets: the slow twin of a sampler that takes all."""

    def __init__(self, schema):
        self.schema, graph = schema, read("graph.json")
        self.keys = [[n["key"] for n in graph["nodes"] if n["label"] == one.label] for one in schema.types]
        self.edges, expected = graph["relationships"], read("encoded.json")
        self.columns = [
            [expected[one.label][str(key)] for key in keys]
            for one, keys in zip(schema.types, self.keys, strict=True)
        ]

    def draw(self, relation, hop, receivers):
        stated, k = self.schema.relations[relation], self.schema.fanouts[relation][hop - 1]
        senders, degrees, edges = [], [], []
        senders_of, targets_of = (
            self.keys[self.schema.source(relation)],
            self.keys[self.schema.target(relation)],
        )
        for receiver in receivers:
            best = {}
            for edge in self.edges:
                ends = (
                    (edge["source"], edge["target"])
                    if stated.direction == "out"
                    else (edge["target"], edge["source"])
                )
                if edge["type"] == stated.type and ends[1] == targets_of[receiver]:
                    weight = edge["properties"].get("weight", math.nan)
                    best[senders_of.index(ends[0])] = weight
            row = sorted(best)
            assert len(row) <= k
            degrees.append(len(row))
            senders.append(row + [-1] * (k - len(row)))
            edges.append([[best[one]] for one in row] + [[0.0]] * (k - len(row)))
        return Drawn(np.array(senders), np.array(degrees), np.array(edges, np.float32))

    def rows(self, number, indices):
        chosen = [self.columns[number][index] for index in indices]
        x = [[math.nan if one is None else one for one in entry["x"]] for entry in chosen]
        return np.array(x, np.float32), np.array([entry["code"] for entry in chosen], np.int64)


@pytest.mark.parametrize("batch", BATCHES, ids=lambda batch: batch["name"])
def test_building_gives_the_tensors_written_by_hand(schema, batch):
    twin = Neighbours(schema)
    seeds = {}
    for label, key in batch["seeds"]:
        number = schema.numbers[label]
        seeds.setdefault(number, []).append(twin.keys[number].index(key))
    found = build(schema, {number: np.array(rows) for number, rows in seeds.items()}, twin.draw, twin.rows)
    assert faults_of(schema, found.tensors) == []
    for name, entry in batch["tensors"].items():
        expected = tensor(entry)
        if name == "seed":  # our rows stand by type, those of the file as they were asked for
            expected = np.array(sorted(expected, key=lambda at: at >= 2)) if len(expected) > 1 else expected
        assert found.tensors[name].dtype == expected.dtype, name
        np.testing.assert_array_equal(found.tensors[name], expected, err_msg=name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("nbr_r0_1", lambda a: a + 2, "'nbr_r0_1' holds indices from 1 to 3, expected -1 to 1"),
        ("hop_n0_1", lambda a: a[::-1].copy(), "'hop_n0_1' must ascend"),
        ("seed", lambda a: a - 1, "'seed' holds indices from -1"),
        ("code_n0", lambda a: a + 1, "holds codes from 1 to 4 for 'category', expected 0 to 3"),
        ("code_n0", lambda a: a.astype(np.int32), r"'code_n0' must be int64 \[None, 3\], found int32"),
        ("x_n0", lambda a: a[:0], "'x_n0' is empty"),
        ("x_n0", lambda a: a + np.inf, "'x_n0' holds infinite numbers"),
        ("deg_r0_2", lambda a: a[:1], "'deg_r0_2' has 1 rows, its receivers are 3"),
        ("ef_r2_1", lambda a: a[:, :1], "'ef_r2_1' is"),
    ],
)
def test_a_batch_with_wrong_indices_is_told(schema, name, change, message):
    tensors = {key: tensor(entry) for key, entry in BATCHES[0]["tensors"].items()}
    assert faults_of(schema, tensors) == []
    tensors[name] = change(tensors[name])
    assert any(re.search(message, fault) for fault in faults_of(schema, tensors))


def test_batches_of_every_kind_are_valid(schema):
    made = examples(schema, list(schema.tensors))
    assert {len(one["seed"]) for one in made} >= {1, 64, 1024}
    assert any(np.isnan(one["x_n0"]).all() for one in made)
    assert any(not one["deg_r0_1"].any() and not one["deg_r1_1"].any() for one in made)
    for one in [*made, golden_inputs(schema, list(schema.tensors))]:
        assert faults_of(schema, one) == []


def golden_artefact(manifest):
    return Artefact(manifest, {"model.onnx": (GOLDEN / "model.onnx").read_bytes()})


def test_many_batches_are_embedded_in_order_while_others_are_made(manifest, schema):
    twin = Neighbours(schema)
    session = BlockSession(golden_artefact(manifest))
    asked = [(0, 0), (1, 0), (0, 3), (1, 2), (1, 1)]  # 101, user 1, 104, user 3, user 2
    batches = (build(schema, {number: np.array([index])}, twin.draw, twin.rows) for number, index in asked)
    found = np.concatenate(list(session.embed(batches)))
    assert found.tolist() == [[9.875, -7.75], [4.375, 6.375], [0, -2], [-2, 0], [17.75, 0.25]]
    assert list(session.embed([])) == []
    assert session.run(build(schema, {}, twin.draw, twin.rows)).shape == (0, 2)


def test_errors_of_the_maker_come_out_and_stopping_early_stops_it(manifest, schema):
    twin = Neighbours(schema)
    session = BlockSession(golden_artefact(manifest))
    one = build(schema, {0: np.array([0])}, twin.draw, twin.rows)

    def breaking():
        yield one
        raise OSError("the disk is gone")

    found = session.embed(breaking())
    assert len(next(found)) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(found)
    made = []

    def endless():
        while True:
            made.append(1)
            yield one

    threads = threading.active_count()
    stopped = session.embed(endless(), ahead=2)
    next(stopped)
    stopped.close()
    assert threading.active_count() == threads
    assert len(made) <= 5
    with pytest.raises(ArtefactError, match="'seed' holds indices"):
        session.run(PaddedBlocks(schema, {**one.tensors, "seed": np.array([9])}, one.nodes))
    with pytest.raises(ArtefactError, match="padded-blocks/1 is needed"):
        BlockSession(Artefact({**manifest, "contract": "pair/1"}, {}))
