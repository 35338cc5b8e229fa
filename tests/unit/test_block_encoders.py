"""Encoders over padded blocks, against recursion over whole neighbourhoods, and as ONNX."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from block_recursion import Recursion, RecursionAround
from block_shop import ITEMS_N, USERS_N, around_shop, graph_of, shaken, shop

from gds_pipelines.models.block_encoders import LAYERS, BlockEncoder, EdgeInput
from gds_pipelines.models.block_recommender import encoded
from gds_pipelines.models.neighbourhoods import (
    ITEMS,
    USERS,
    Neighbourhoods,
    columns_of,
    schema_of,
)
from model_export import export, open_session
from model_export.block_schema import BlockSchema, Feature, NodeType
from model_export.block_schema import Relation as BlockRelation
from model_export.padded_blocks import Drawn, build, faults_of, golden_inputs


@pytest.mark.parametrize("kind", LAYERS)
def test_an_encoder_over_blocks_equals_recursion_over_the_graph(kind):
    data = shop()
    graph = graph_of(data, (9, 9, 9))
    encoder = shaken(kind, graph.schema)
    blocks = graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5)
    assert faults_of(graph.schema, blocks.tensors) == []
    with torch.no_grad():
        found = encoded(encoder, blocks).numpy()
    slow = Recursion(kind, encoder, data)
    nodes = [(ITEMS, i) for i in range(ITEMS_N)] + [(USERS, u) for u in range(USERS_N)]
    for row, (number, index) in enumerate(nodes):
        assert found[row] == pytest.approx(slow.vector(number, index), abs=2e-5), (number, index)


@pytest.mark.parametrize("kind", LAYERS)
def test_further_labels_and_types_are_drawn_from_both_ways(kind):
    data = replace(shop(), surroundings=around_shop())
    features = (data.item_features, data.user_features)
    schema = schema_of(features[0].features, features[1].features, (9, 9), 2, 1, data.surroundings)
    columns = [columns_of(features[0], ITEMS_N), columns_of(features[1], USERS_N)]
    columns += [columns_of(one.features, len(one)) for one in data.surroundings.nodes]
    graph = Neighbourhoods.of(data, schema, columns, data.surroundings)
    encoder = shaken(kind, graph.schema)
    # Pairs left out are those of behaviours: what stands around stays.
    blocks = graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5, left_out=np.zeros(0, np.int64))
    assert faults_of(graph.schema, blocks.tensors) == []
    with torch.no_grad():
        found = encoded(encoder, blocks).numpy()
    slow = RecursionAround(kind, encoder, data)
    nodes = [(ITEMS, i) for i in range(ITEMS_N)] + [(USERS, u) for u in range(USERS_N)]
    for row, (number, index) in enumerate(nodes):
        assert found[row] == pytest.approx(slow.vector(number, index), abs=2e-5), (number, index)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_vector_does_not_depend_on_who_shares_the_batch(kind):
    data = shop()
    graph = graph_of(data, (2, 1))
    encoder = shaken(kind, graph.schema)
    none = np.zeros(0, np.int64)
    with torch.no_grad():
        together = encoded(encoder, graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5)).numpy()
        alone = [encoded(encoder, graph.batch(none, np.array([i]), 5)).numpy()[0] for i in range(ITEMS_N)]
        alone += [encoded(encoder, graph.batch(np.array([u]), none, 5)).numpy()[0] for u in range(USERS_N)]
    assert together == pytest.approx(np.array(alone), abs=1e-6)


def manifest_of(kind, schema):
    return {
        "contract": "padded-blocks/1",
        "model": kind,
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0",
        "dimension": 8,
        "similarity": "dot",
        "task": {},
        "training": {"graph": {}, "cutoff": None, "seed": 1, "hyperparameters": {}},
        "metrics": [],
        **schema.to_manifest(),
    }


@pytest.mark.parametrize(("kind", "fanouts"), [("gat", (3,)), ("hgt", (3,))])
def test_an_exported_encoder_answers_like_torch_on_real_blocks(kind, fanouts):
    """Export itself compares 1, 64 and 1,024 seeds, isolated nodes, empty relations and missing values."""
    data = shop()
    graph = graph_of(data, fanouts, behaviours=1)
    encoder = shaken(kind, graph.schema)
    artefact = export(encoder, None, manifest_of(kind, graph.schema))
    blocks = graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5)
    found = open_session(artefact.model).run(blocks.take(encoder.tensors))["embedding"]
    with torch.no_grad():
        assert found == pytest.approx(encoded(encoder, blocks).numpy(), abs=1e-5)


def test_edges_are_heard_as_the_mean_of_those_drawn_and_missing_ones_are_flagged():
    generator = torch.Generator().manual_seed(4)
    mean, scale = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 4.0])
    layer = EdgeInput(2, 3, mean, scale)
    nbr = torch.tensor([[0, 3, -1], [1, -1, -1], [-1, -1, -1]])
    ef = torch.randn((3, 3, 2), generator=generator) * (nbr >= 0).unsqueeze(2)
    ef[0, 1, 0] = torch.nan
    with torch.no_grad():
        found = layer(ef, nbr)
        weights = layer.heard.weight
    for row, count in enumerate([2, 1, 0]):
        entered = torch.zeros(4)
        for k in range(count):
            for f in range(2):
                if torch.isnan(ef[row, k, f]):
                    entered[2 + f] += 1 / count
                else:
                    entered[f] += (ef[row, k, f] - mean[f]) / scale[f] / count
        assert found[row].tolist() == pytest.approx((weights @ entered).tolist(), abs=1e-6)


def test_an_encoder_reads_a_third_label_and_relationship_properties_and_is_exported():
    schema = BlockSchema(
        types=(
            NodeType("Item", "id", (Feature("price", "number"),)),
            NodeType("User", "id", ()),
            NodeType("Category", "id", (Feature("name", "category", vocabulary=("a", "b")),)),
        ),
        relations=(
            BlockRelation("Item", "BUY", "User", "in", ("weight", "at")),
            BlockRelation("Category", "IN_CATEGORY", "Item", "in"),
        ),
        fanouts=((2, 2), (1, 1)),
        seeds=("User",),
        layers=2,
    )
    buys = {0: [0, 1], 1: [2]}

    def draw(relation, hop, receivers):
        width = schema.fanouts[relation][hop - 1]
        lists = [buys.get(int(one), []) if relation == 0 else [int(one) % 2] for one in receivers]
        rows = np.array([(found + [-1] * width)[:width] for found in lists])
        values = np.where(rows[..., None] < 0, 0.0, stored[-1][np.maximum(rows, 0)]).astype(np.float32)
        return Drawn(rows, np.array([len(found) for found in lists]), values if relation == 0 else None)

    def features(number, rows):
        x = np.stack([rows], 1).astype(np.float32) if number == 0 else np.zeros((len(rows), 0), np.float32)
        code = np.stack([2 + rows], 1) if number == 2 else np.zeros((len(rows), 0), np.int64)
        return x, code

    encoder = BlockEncoder(
        "graphsage", schema, 8, heads=2, edge_moments={0: (torch.tensor([1.0, 5.0]), torch.ones(2))}
    ).eval()
    manifest = manifest_of("graphsage", schema) | {"similarity": "cosine"}
    session = open_session(export(encoder, None, manifest).model)
    vectors, stored = [], []
    for values in (np.array([[1.0, 5.0]] * 3), np.array([[1.0, 5.0], [np.nan, 9.0], [1.0, 5.0]])):
        stored.append(values)
        blocks = build(schema, {1: np.arange(3)}, draw, features)
        found = session.run(blocks.take(encoder.tensors))["embedding"]
        with torch.no_grad():
            assert found == pytest.approx(encoded(encoder, blocks).numpy(), abs=1e-5)
        vectors.append(found)
    changed = np.abs(vectors[0] - vectors[1]).max(axis=1) > 1e-4
    assert changed.tolist() == [True, False, False]  # only user 0 bought item 1


def test_an_encoder_whose_made_up_example_has_a_single_sender_is_exported():
    """torch takes a dimension that is 1 in what it traces for one that always is."""
    schema = BlockSchema(
        types=(
            NodeType("Item", "id", tuple(Feature(f"item{at}", "number") for at in range(2))),
            NodeType("User", "id", tuple(Feature(f"user{at}", "number") for at in range(3))),
        ),
        relations=(
            BlockRelation("User", "BUY", "Item", "out"),
            BlockRelation("Item", "BUY", "User", "in"),
        ),
        fanouts=((4, 2), (4, 2)),
        seeds=("Item", "User"),
        layers=2,
        random_seed=1,
    )
    assert golden_inputs(schema, ["hop_n1_1"])["hop_n1_1"].shape == (1,)
    encoder = BlockEncoder("hgt", schema, 8, heads=2, seed=1)
    # The export itself compares batches of every size with torch, and refuses what differs.
    assert export(encoder, None, manifest_of("hgt", schema)).manifest["model"] == "hgt"
