"""Models of ``padded-blocks/1``: a trained run as an artefact, with and without what stands around."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from block_shop import USERS_N, around_shop, shop

from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.models.block_recommender import read_fanouts
from gds_pipelines.models.neighbourhoods import (
    ITEMS,
    USERS,
)
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.run import SplitRequest, execute
from gds_pipelines.run_artefact import artefact_of
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions
from model_export import open_session
from model_export.block_schema import BlockSchema

OPTIONS = TrainingOptions(accelerator="cpu", threads=1, tensorboard=False)
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "sku"},
    "via": {"BUY": 1.0, "SEEN_BY": {"weight": 0.1, "direction": "in"}},
    "features": {"Item": ["price", "brand", "tags"], "User": ["member", "taste"]},
}


def test_a_trained_run_leaves_as_an_artefact_with_the_names_of_the_task(tmp_path: Path):
    task = Task.from_mapping(TASK)
    given = {"dimension": 8, "heads": 2, "epochs": 1, "fanouts": "3,2"}
    run = execute(
        shop(),
        task,
        "graphsage",
        tmp_path / "run",
        parameters=given,
        split=SplitRequest("none"),
        options=OPTIONS,
    )
    artefact = artefact_of(run)
    schema = BlockSchema.of(artefact.manifest)
    assert [(r.source, r.type, r.target, r.direction) for r in schema.relations] == [
        ("User", "BUY", "Item", "out"),
        ("Item", "BUY", "User", "in"),
        ("User", "SEEN_BY", "Item", "in"),
        ("Item", "SEEN_BY", "User", "out"),
    ]
    assert [feature.property for feature in schema.types[ITEMS].features] == ["price", "brand", "tags", "sku"]
    assert schema.types[ITEMS].features[-1].vocabulary == tuple(str(key) for key in range(100, 107))
    assert [feature.encoder for feature in schema.types[USERS].features] == ["bool", "vector"]
    # The vectors a trained model ranks by are those of the artefact on the same blocks.
    model = run.recommender()
    blocks = model._graph.batch(np.arange(USERS_N), np.zeros(0, np.int64), model.seed)
    found = open_session(artefact.model).run(blocks.take(model._encoder.tensors))["embedding"]
    assert found == pytest.approx(model.user_vectors(), abs=1e-5)


def test_a_run_with_its_surroundings_is_kept_and_leaves_with_their_names(tmp_path: Path):
    task = Task.from_mapping(
        TASK
        | {
            "key": TASK["key"] | {"Category": "name"},
            "alsoLabels": ["Category"],
            "alsoTypes": ["IN_CATEGORY", "FOLLOWS"],
        }
    )
    plain = replace(around_shop().nodes[0], features=NodeFeatures.none(3))
    data = replace(shop(), surroundings=replace(around_shop(), nodes=(plain,)))
    given = {"dimension": 8, "heads": 2, "epochs": 1, "fanouts": "3,2", "surroundings": True}
    request = SplitRequest("none")
    with pytest.raises(InvalidInput, match="read without them"):
        execute(shop(), task, "hgt", tmp_path / "no", parameters=given, split=request, options=OPTIONS)
    run = execute(data, task, "hgt", tmp_path / "run", parameters=given, split=request, options=OPTIONS)
    artefact, model = artefact_of(run), run.recommender()
    schema = BlockSchema.of(artefact.manifest)
    assert [(r.source, r.type, r.target, r.direction) for r in schema.relations[4:]] == [
        ("Item", "IN_CATEGORY", "Category", "out"),
        ("Category", "IN_CATEGORY", "Item", "in"),
        ("User", "FOLLOWS", "User", "out"),
        ("User", "FOLLOWS", "User", "in"),
    ]
    assert [(node.label, node.key) for node in schema.types] == [
        ("Item", "sku"),
        ("User", "id"),
        ("Category", "name"),
    ]
    assert schema.types[2].features[0].vocabulary == ("a", "b", "c")
    blocks = model._graph.batch(np.arange(USERS_N), np.zeros(0, np.int64), model.seed)
    found = open_session(artefact.model).run(blocks.take(model._encoder.tensors))["embedding"]
    assert found == pytest.approx(model.user_vectors(), abs=1e-5)


def test_a_task_that_blocks_cannot_follow_is_refused_in_words(tmp_path: Path):
    through = TASK | {"via": {"BUY": {"through": ["PLACED", "CONTAINS"]}}}
    given = {"dimension": 8, "heads": 2, "epochs": 1, "fanouts": "2"}
    for mapping, data, message in (
        (through, shop(), "runs through middle nodes"),
        (TASK, replace(shop(), kinds=None), "did not tell apart"),
    ):
        run = execute(
            data,
            Task.from_mapping(mapping),
            "graphsage",
            tmp_path / message[:4],
            parameters=given,
            split=SplitRequest("none"),
            options=OPTIONS,
        )
        with pytest.raises(PipelineError, match=message):
            artefact_of(run)
    with pytest.raises(InvalidInput, match="`fanouts` must be 1 to 8 numbers"):
        read_fanouts("20,0")
