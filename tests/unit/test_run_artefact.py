"""A trained run as an artefact: vectors, manifest, and a user side that computes what Python does."""

from pathlib import Path

import numpy as np
import pytest

from gds_pipelines import models
from gds_pipelines.errors import PipelineError
from gds_pipelines.interactions import Interactions
from gds_pipelines.run import Measured, Run
from gds_pipelines.run_artefact import artefact_of, schema_of
from gds_pipelines.task import Task
from model_export import open_session, read
from model_export.neighbour_rows import decode as decode_rows
from model_export.vectors import decode

TASK = Task.from_mapping(
    {
        "recommend": "Item",
        "to": "User",
        "key": {"Item": "sku", "User": "id"},
        "via": {
            "BUY": 1.0,
            "LIKED_BY": {"weight": 0.5, "direction": "in"},
            "ORDER": {"through": ["PLACED", "HAS"]},
        },
    }
)
USERS, ITEMS = 40, 25


def interactions() -> Interactions:
    rng = np.random.default_rng(2)
    return Interactions.from_indices(
        rng.integers(0, USERS, 300),
        rng.integers(0, ITEMS, 300),
        rng.choice([0.5, 1.0], 300),
        user_keys=np.arange(USERS),
        item_keys=np.array([f"sku{i}" for i in range(ITEMS)]),
    )


def finished_run(directory: Path, name: str, parameters=None, **more) -> Run:
    model = models.recommender(name)(parameters, seed=3)
    model.fit(interactions())
    model.save(directory / "model")
    settings = {
        "directory": directory,
        "task": TASK.to_mapping(),
        "model": name,
        "parameters": model.parameters.to_mapping(),
        "seed": 3,
        "split": "the last pair of each user",
        "cutoff": 7,
        "refitted": True,
        "sizes": {"users": USERS, "items": ITEMS, "pairs": 300, "train": 250, "test": 50},
        "table": [Measured(name, {"recall@20": 0.5, "ndcg@20": 0.25}, 1.0, 1.0, USERS)],
        "created_at": "2026-01-01T00:00:00Z",
    }
    return Run(**settings | more)


@pytest.fixture(scope="module")
def lightgcn(tmp_path_factory) -> Run:
    directory = tmp_path_factory.mktemp("run")
    return finished_run(directory, "lightgcn", {"dimension": 8, "epochs": 1})


@pytest.fixture(scope="module")
def artefact(lightgcn):
    return artefact_of(lightgcn)


def test_the_vectors_are_the_base_vectors_by_key(lightgcn, artefact):
    found = decode(artefact.files["vectors.arrow"])
    base = lightgcn.recommender().base_vectors()
    order = sorted(range(ITEMS), key=lambda index: f"sku{index}")
    assert found.keys.tolist() == [f"sku{index}" for index in order]
    assert np.array_equal(found.vector, base[order])


def test_the_user_side_computes_what_the_model_does_in_python(lightgcn, artefact):
    model = lightgcn.recommender()
    matrix = interactions().matrix
    width = int(np.diff(matrix.indptr).max())
    context = np.zeros((USERS, width, 8), np.float32)
    weight = np.zeros((USERS, width), np.float32)
    for user in range(USERS):
        items = matrix.indices[matrix.indptr[user] : matrix.indptr[user + 1]]
        context[user, : len(items)] = model.context_vectors()[items]
        weight[user, : len(items)] = matrix.data[matrix.indptr[user] : matrix.indptr[user + 1]]
    degree = np.diff(matrix.indptr).astype(np.float32)
    found = open_session(artefact.model).run({"context": context, "weight": weight, "degree": degree})
    assert found["query"] == pytest.approx(model.user_vectors(), abs=1e-5)


def test_the_manifest_says_what_was_trained_and_measured(artefact):
    manifest = artefact.manifest
    assert (manifest["model"], manifest["createdAt"]) == ("lightgcn", "2026-01-01T00:00:00Z")
    assert manifest["propagation"] == {"layers": 3, "vectors": "base", "exponent": 0.5, "history": 500}
    assert manifest["training"]["graph"]["nodes"] == {"User": USERS, "Item": ITEMS}
    assert manifest["training"]["cutoff"] is None  # refitted on everything: no cut-off holds
    assert Task.from_mapping(manifest["task"]) == TASK
    assert [(m["metric"], m["k"], m["value"]) for m in manifest["metrics"]] == [
        ("recall", 20, 0.5),
        ("ndcg", 20, 0.25),
    ]


def test_the_schema_names_keys_and_direct_behaviours():
    assert schema_of(TASK) == {
        "nodes": {"Item": {"key": "sku", "properties": []}, "User": {"key": "id", "properties": []}},
        "relations": [
            {"source": "User", "type": "BUY", "target": "Item", "direction": "out"},
            {"source": "User", "type": "LIKED_BY", "target": "Item", "direction": "in"},
        ],
    }


def test_the_same_run_gives_the_same_file(lightgcn, artefact, tmp_path):
    assert artefact_of(lightgcn).sha256 == artefact.sha256
    assert read(artefact.write(tmp_path / "model.zip")).sha256 == artefact.sha256


def test_a_model_without_a_refit_keeps_its_cut_off(tmp_path):
    run = finished_run(tmp_path, "lightgcn", {"dimension": 8, "epochs": 1}, refitted=False)
    assert artefact_of(run).manifest["training"]["cutoff"] == 7


def test_a_model_without_an_artefact_says_how_the_database_answers_it(tmp_path):
    with pytest.raises(PipelineError, match=r"method: 'popularity'"):
        artefact_of(finished_run(tmp_path, "popularity"))


@pytest.mark.parametrize("name", ["ials", "itemknn", "userknn"])
def test_other_contracts_leave_as_files_that_are_read_back(name, tmp_path):
    """Integer user keys and text item keys share one column, as text."""
    run = finished_run(tmp_path, name, {"dimension": 4} if name == "ials" else None)
    model, artefact = run.recommender(), artefact_of(run)
    assert read(artefact.write(tmp_path / "model.zip")).sha256 == artefact.sha256
    known, best = np.flatnonzero(model.train.user_degrees > 0), model.recommend(np.arange(USERS), 5)
    if name == "ials":
        found = decode(artefact.files["vectors.arrow"])
        row = {(t, k): r for r, (t, k) in enumerate(zip(found.types, found.keys, strict=True))}
        of_items = found.vector[[row["Item", f"sku{i}"] for i in range(ITEMS)]]
        of_users = found.vector[[row["User", str(u)] for u in known]]
        assert of_users @ of_items.T == pytest.approx(model.scores(known), abs=1e-5)
        assert artefact.manifest["serving"]["items"] == ITEMS
        return
    file = "weights.arrow" if name == "itemknn" else "lists.arrow"
    rows = decode_rows(artefact.files[file], file)
    row = {(t, k): r for r, (t, k) in enumerate(zip(rows.types, rows.keys, strict=True))}
    for user in known:
        if name == "itemknn":
            scores = {}
            for i, w in zip(*history(model, user), strict=True):
                for target, weight in zip(*rows.row(row["Item", f"sku{i}"]), strict=True):
                    scores[target] = scores.get(target, 0) + w * weight
            for item, score in zip(best.items[user], best.scores[user], strict=True):
                if score > 0:
                    assert scores[row["Item", f"sku{item}"]] == pytest.approx(score, rel=1e-5)
        else:
            targets, scores = rows.row(row["User", str(user)])
            assert [rows.keys[t] for t in targets[:5]] == [f"sku{i}" for i in best.items[user]]
            assert scores[:5] == pytest.approx(best.scores[user])


def history(model, user):
    pointer = model.train.matrix.indptr[user : user + 2]
    part = slice(*pointer)
    return model.train.matrix.indices[part], model.train.matrix.data[part]
