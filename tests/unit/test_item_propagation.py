"""The hand-worked item-propagation golden, recomputed by a slow loop and by the exported model."""

import json
from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from model_export import open_session
from model_export.artefact import Artefact, content_faults, golden_faults
from model_export.canonical_json import parse_canonical
from model_export.manifest import manifest_faults
from model_export.vectors import decode

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "item_propagation"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())
WEIGHTS = {"BUY": 1.0, "VIEW": 0.5}


@pytest.fixture(scope="module")
def artefact():
    manifest = parse_canonical((GOLDEN / "manifest.json").read_bytes())
    return Artefact(
        manifest, {part["file"]: (GOLDEN / part["file"]).read_bytes() for part in manifest["parts"]}
    )


@pytest.fixture(scope="module")
def pairs():
    """(user, item) -> (reduced weight, latest time)."""
    reduced = {}
    for row in json.loads((GOLDEN / "graph.json").read_text())["relationships"]:
        weight, at = reduced.get((row["source"], row["target"]), (0.0, 0))
        reduced[row["source"], row["target"]] = max(weight, WEIGHTS[row["type"]]), max(at, row["at"])
    return reduced


def propagate(pairs, base, layers):
    """Node by node, layer by layer, in double: e and c of the items, the mean of the users' layers."""
    users, items = (1, 2, 3), (101, 102, 103, 104)
    neighbours = {node: [] for node in (*users, *items)}
    for (user, item), (weight, _) in pairs.items():
        neighbours[user].append((item, weight))
        neighbours[item].append((user, weight))
    degree = {node: len(near) for node, near in neighbours.items()}
    h = [{node: np.array(base.get(node, [0.0, 0.0]), float) for node in neighbours}]
    for _ in range(layers):
        h.append(
            {
                node: sum(
                    (w * h[-1][b] / sqrt(degree[node] * degree[b]) for b, w in neighbours[node]), np.zeros(2)
                )
                for node in neighbours
            }
        )
    mean = {node: sum(layer[node] for layer in h) / (layers + 1) for node in neighbours}
    c = {
        item: sum(layer[item] for layer in h[:-1]) / (layers + 1) / sqrt(degree[item])
        if degree[item]
        else np.zeros(2)
        for item in items
    }
    return {i: mean[i] for i in items}, c, {u: mean[u] for u in users}, degree


def assert_equal(found, expected):
    assert {str(key) for key in found} == set(expected)
    for key, value in found.items():
        assert value == pytest.approx(expected[str(key)], abs=1e-8)


def test_vectors_join_by_key_as_the_page_counts(artefact):
    vectors = decode(artefact.files["vectors.arrow"])
    assert set(vectors.keys) - {101, 102, 103, 104} == {999}
    assert {101, 102, 103, 104} - set(vectors.keys) == {104}


@pytest.mark.parametrize(("layers", "expected"), [(2, EXPECTED), (3, EXPECTED["layers3"])])
def test_slow_propagation_gives_the_numbers_worked_by_hand(artefact, pairs, layers, expected):
    vectors = decode(artefact.files["vectors.arrow"])
    base = {int(key): row for key, row in zip(vectors.keys, vectors.vector, strict=True)}
    e, c, users, _ = propagate(pairs, base, layers)
    assert_equal(e, expected["e"])
    assert_equal(c, expected["c"])
    assert_equal(users, expected["q"])  # the transductive output of a user equals the sum over its items
    for user, query in users.items():
        scores = {item: float(query @ vector) for item, vector in e.items()}
        assert_equal(scores, expected["scores"][str(user)])


@pytest.mark.parametrize(("history", "expected"), [(500, EXPECTED["q"]), (1, EXPECTED["history1"]["q"])])
def test_the_onnx_model_gives_the_query_vectors_worked_by_hand(artefact, pairs, history, expected):
    width = min(history, 3)
    context = np.zeros((3, width, 2), np.float32)
    weight, degree = np.zeros((3, width), np.float32), np.zeros(3, np.float32)
    for row, user in enumerate((1, 2, 3)):
        newest = sorted((-at, item, w) for (u, item), (w, at) in pairs.items() if u == user)
        degree[row] = len(newest)
        for column, (_, item, w) in enumerate(newest[:history]):
            context[row, column], weight[row, column] = EXPECTED["c"][str(item)], w
    found = open_session(artefact.model).run({"context": context, "weight": weight, "degree": degree})[
        "query"
    ]
    for row, user in enumerate(("1", "2", "3")):
        assert found[row] == pytest.approx(expected[user], abs=1e-6)


def test_the_committed_artefact_passes_every_check(artefact):
    assert manifest_faults(artefact.manifest) == []
    assert content_faults(artefact) == []
    assert golden_faults(artefact) == []
