"""The hand-worked files of vectors/1, item-weights/1 and lists/1: read, recomputed by slow loops, refused."""

import json
import runpy
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from model_export import ArtefactError, vector_pairs
from model_export.artefact import Artefact, content_faults
from model_export.canonical_json import parse_canonical
from model_export.manifest import manifest_faults
from model_export.neighbour_rows import ENTRIES_PER_BATCH, decode, encode, rows_of
from model_export.vectors import decode as decode_vectors

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
FILES = {"vectors": "vectors.arrow", "item_weights": "weights.arrow", "lists": "lists.arrow"}
HISTORY = {1: {101: 1.0, 102: 0.5}, 2: {101: 1.0, 104: 1.0}, 3: {}}
ITEMS = (101, 102, 103, 104)


def golden(folder: str, manifest: str = "manifest.json") -> Artefact:
    made = parse_canonical((GOLDEN / folder / manifest).read_bytes())
    return Artefact(made, {p["file"]: (GOLDEN / folder / p["file"]).read_bytes() for p in made["parts"]})


def expected(folder: str) -> dict:
    return json.loads((GOLDEN / folder / "expected.json").read_text())


def best(scores: dict, user: int, origin: str) -> list:
    """Unseen items of the graph by score, then id: the rows of one origin."""
    unseen = [(i, s) for i, s in scores.items() if i in ITEMS and i not in HISTORY[user]]
    return [[item, score, origin] for item, score in sorted(unseen, key=lambda row: (-row[1], row[0]))]


def approx(rows: list) -> list:
    return [[item, pytest.approx(score, abs=1e-8), *more] for item, score, *more in rows]


@pytest.mark.parametrize("folder", FILES)
def test_the_golden_files_are_sound_and_made_by_their_script(folder):
    artefact = golden(folder)
    assert manifest_faults(artefact.manifest) == []
    assert content_faults(artefact) == []
    made = runpy.run_path(str(GOLDEN / folder / "make.py"))["make"]()
    assert made.sha256 == artefact.sha256


def vectors() -> tuple[dict, dict]:
    found = decode_vectors(golden("vectors").files["vectors.arrow"])
    rows = list(zip(found.types, found.keys, found.vector.astype(float), strict=True))
    return tuple({k: v for t, k, v in rows if t == label} for label in ("User", "Item"))


def test_vectors_give_the_numbers_worked_by_hand():
    users, items = vectors()
    want = expected("vectors")["lists"]
    assert best({i: users[1] @ v for i, v in items.items()}, 1, "exact") == approx(want["1"][:1])
    known = {i: w for i, w in HISTORY[2].items() if i in items}
    mean = sum(w * items[i] for i, w in known.items()) / sum(known.values())
    assert best({i: mean @ v for i, v in items.items()}, 2, "cold") == approx(want["2"])


def test_the_fold_in_gives_the_numbers_worked_by_hand():
    _, items = vectors()
    rule = golden("vectors", "manifest_fold_in.json").manifest["serving"]
    on_nodes = {i: v for i, v in items.items() if i in ITEMS}
    known = [(w, on_nodes[i]) for i, w in HISTORY[2].items() if i in on_nodes]
    left = rule["unobserved"] * sum(np.outer(v, v) for v in on_nodes.values())
    left = left + sum(w * np.outer(v, v) for w, v in known)
    strength = len(known) + rule["unobserved"] * rule["items"]
    left = left + rule["regularization"] * strength ** rule["nu"] * np.eye(2)
    user = np.linalg.solve(left, sum(w * v for w, v in known))
    want = expected("vectors")["foldIn"]["2"]
    assert best({i: user @ v for i, v in items.items()}, 2, "cold") == approx(want)


@pytest.mark.parametrize("user", [1, 2])
def test_item_weights_give_the_numbers_worked_by_hand(user):
    rows = decode(golden("item_weights").files["weights.arrow"], "weights.arrow")
    row = {key: r for r, key in enumerate(rows.keys.tolist())}
    scores = {}
    for item, w in HISTORY[user].items():
        for target, weight in zip(*rows.row(row[item]), strict=True) if item in row else ():
            key = int(rows.keys[target])
            scores[key] = scores.get(key, 0) + w * float(weight)
    want = [r for r in expected("item_weights")["lists"][str(user)] if r[2] == "exact"]
    assert best(scores, user, "exact") == approx(want)


def test_lists_hold_what_the_page_says():
    rows = decode(golden("lists").files["lists.arrow"], "lists.arrow")
    targets, scores = rows.row(list(zip(rows.types, rows.keys, strict=True)).index(("User", 1)))
    found = {int(rows.keys[t]): float(s) for t, s in zip(targets, scores, strict=True)}
    assert best(found, 1, "list") == approx(expected("lists")["lists"]["1"])


@pytest.mark.parametrize("folder", FILES)
def test_counts_of_both_sides_are_those_of_the_page(folder):
    file = FILES[folder]
    data = golden(folder).files[file]
    rows = decode_vectors(data) if folder == "vectors" else decode(data, file)
    given = set(zip(rows.types, rows.keys.tolist(), strict=True))
    there = {("Item", i) for i in ITEMS} | {("User", u) for u in HISTORY if folder != "item_weights"}
    want = expected(folder)
    assert (len(given - there), len(there - given)) == (want["unmatchedVectors"], want["unmatchedNodes"])


def test_rows_are_cut_into_batches_and_come_back_equal():
    rng, nodes = np.random.default_rng(1), 70_000
    lengths = np.where(np.arange(nodes) == 5, 3000, rng.integers(0, 4, nodes))
    source = np.repeat(np.arange(nodes), lengths)
    start = np.repeat(np.cumsum(lengths) - lengths, lengths)
    target = (source + np.arange(len(source)) - start) % nodes
    value = rng.normal(size=len(source)).astype(np.float32)
    rows = rows_of([("Item", np.arange(nodes))], source, target, value, what="weights.arrow")
    data = encode(rows, "weights.arrow")
    batches = list(pa.ipc.open_stream(data))
    assert [b.num_rows for b in batches] == [65_536, nodes - 65_536]
    assert max(len(b.column(2).flatten()) for b in batches) <= ENTRIES_PER_BATCH
    back = decode(data, "weights.arrow")
    for name in ("types", "keys", "offsets", "target", "value"):
        assert np.array_equal(getattr(back, name), getattr(rows, name)), name


def pairs(source=(0, 1), target=(1, 0), value=(0.5, 0.25), keys=(7, 8)):
    columns = (np.array(part) for part in (source, target, value))
    return rows_of([("Item", np.array(keys))], *columns, what="weights.arrow")


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"target": (1, 2)}, "target runs from 1 to 2; there are 2 rows"),
        ({"value": (0.5, float("nan"))}, "1 numbers are not finite"),
        ({"source": (0, 0), "target": (1, 1)}, "the row of key 7 names the key 8 twice"),
        ({"keys": (7, 7)}, "1 rows repeat the type and key of another row"),
        ({"keys": (7.5, 8.5)}, "keys must be integers or text, found float64"),
    ],
)
def test_bad_arrays_are_refused_with_the_reason(changed, fault):
    with pytest.raises(ArtefactError) as error:
        pairs(**changed)
    assert error.value.faults == [fault]


def test_a_file_with_other_columns_or_uneven_lists_is_refused():
    with pytest.raises(
        ArtefactError, match="the columns are type, key, target, weight; type, key, target, score"
    ):
        decode(encode(pairs(), "weights.arrow"), "lists.arrow")
    good = pa.ipc.open_stream(encode(pairs(), "weights.arrow")).read_next_batch()
    uneven = pa.array([[0.5, 1.0], [0.25]], good.schema.field("weight").type)
    batch = pa.record_batch([*good.columns[:3], uneven], schema=good.schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, good.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(ArtefactError, match="the lists of a row differ in length"):
        decode(sink.getvalue().to_pybytes(), "weights.arrow")


def test_misplaced_labels_and_rising_scores_are_refused():
    made = golden("lists")

    def faults(**arrays):
        given = {"source": [1, 1], "target": [0, 2], "value": [2.0, 1.0]} | arrays
        nodes = [("Item", np.array([1])), ("User", np.array([1])), ("Item", np.array([2]))]
        rows = rows_of(nodes, *map(np.array, given.values()), what="lists.arrow")
        return content_faults(Artefact(made.manifest, {"lists.arrow": encode(rows, "lists.arrow")}))

    assert faults() == []
    assert faults(value=[1.0, 2.0]) == ["lists.arrow: a list has a score above the one before it"]
    assert faults(target=[0, 1]) == ["lists.arrow: a list names a node that is not a 'Item'"]
    assert faults(source=[0, 0]) == ["lists.arrow: a node that is not a 'User' has a list"]


@pytest.mark.parametrize(
    ("serving", "fault"),
    [
        ({"cold": "mean"}, "serving lacks 'history'"),
        ({"cold": "mean", "history": 0}, "serving.history must be an integer from 1 to 10000, found 0"),
        (
            {"cold": "nearest", "history": 5},
            "serving.cold must be mean, fold-in or constant, found 'nearest'",
        ),
        (
            {"cold": "constant", "history": 5, "vector": [1.0]},
            "serving.vector has 1 numbers, dimension is 2",
        ),
        (
            {"cold": "fold-in", "history": 5, "unobserved": 1, "regularization": -1, "nu": 1, "items": 3},
            "serving.regularization must be a number from 0 to 1e+09, found -1",
        ),
    ],
)
def test_a_wrong_serving_rule_is_named(serving, fault):
    assert manifest_faults({**golden("vectors").manifest, "serving": serving}) == [fault]


def test_where_users_are_items_a_node_has_a_vector_for_each_part():
    shared = runpy.run_path(str(GOLDEN / "item_propagation" / "make.py"))
    task = shared["TASK"] | {"recommend": "User", "key": {"User": "id"}}
    schema = {"nodes": {"User": {"key": "id", "properties": []}}, "relations": []}
    made = vector_pairs.build(
        model="mf",
        user_keys=np.array(["b", "c"]),
        user_vectors=np.array([[1.0], [2.0]]),
        item_keys=np.array(["a", "b"]),
        item_vectors=np.array([[3.0], [4.0]]),
        schema=schema,
        task=task,
        gnn4j_version="0",
    )
    found = decode_vectors(made.files["vectors.arrow"], dimension=1, with_context=True)
    assert found.keys.tolist() == ["a", "b", "c"]
    assert found.vector[:, 0].tolist() == [3, 4, 0]
    assert found.context[:, 0].tolist() == [0, 1, 2]
