"""Blocks drawn for a model of ``padded-blocks/1``: against the slow twin, and what is refused."""

import numpy as np
import pytest
from two_types_graph import ITEMS, USERS, two_types

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import Column, GraphData, NodeTable
from gds_pipelines.pyg import BlockLoader, PygGraph
from gds_pipelines.sampling import twin
from model_export.block_schema import BlockSchema, Feature, NodeType
from model_export.block_schema import Relation as BlockRelation
from model_export.padded_blocks import faults_of


@pytest.fixture(scope="module")
def data():
    return two_types()


def block_schema():
    vector, kinds = Feature("vector", "vector", width=3), Feature("kind", "category", buckets=4)
    item = NodeType("Item", "id", (Feature("price", "number"), vector, kinds))
    relations = (
        BlockRelation("Item", "BUY", "User", "in", ("weight",)),
        BlockRelation("User", "BUY", "Item", "out"),
        BlockRelation("User", "KNOWS", "User", "out"),
    )
    types = (item, NodeType("User", "id", (Feature("age", "number"),)))
    return BlockSchema(types, relations, ((4, 3), (2, 2), (3, 0)), ("Item", "User"), 2, random_seed=9)


def with_codes(data):
    """The same graph, with the kinds as codes, a missing age and a missing vector."""
    items, users = data.nodes["Item"], data.nodes["User"]
    codes = items["kind"] + 2
    missing = np.arange(ITEMS) == 6
    vectors = Column("float[]", items["vector"], missing)
    ages = np.where(np.arange(USERS) == 3, np.nan, users["age"])
    nodes = {
        "User": NodeTable("User", users.node_ids, {"age": Column("double", ages, np.isnan(ages))}),
        "Item": NodeTable(
            "Item",
            items.node_ids,
            {"price": items.column("price"), "vector": vectors, "gnn_code_kind": Column("long", codes)},
        ),
    }
    return GraphData(data.name, data.creation_time, nodes, data.relations)


@pytest.mark.parametrize("seed_label", ["User", "Item"])
def test_block_loader_gives_the_tensors_of_the_contract(data, seed_label):
    schema, data = block_schema(), with_codes(data)
    ids = {name: table.node_ids.tolist() for name, table in data.nodes.items()}
    rows = [
        (found.type, ids[found.source][s], ids[found.target][t], {"weight": w, "at": int(at)})
        for found in data.relations.values()
        for s, t, w, at in zip(
            found.sources, found.targets, found.properties["weight"], found.properties["at"], strict=True
        )
    ]
    properties = {kind: {"weight": "double", "at": "long"} for kind in ("BUY", "KNOWS", "VIEW")}
    plan = twin.Plan(
        ("User", "Item"),
        tuple(
            twin.Relation(r.source, r.type, r.target, r.direction, fan_out)
            for r, fan_out in zip(schema.relations, schema.fanouts, strict=True)
        ),
        random_seed=9,
        edge_properties=("weight",),
    )
    slow = twin.Twin(twin.Graph(ids, rows, properties), plan)
    loader = BlockLoader(PygGraph(data), schema, seed_label, batch_size=25, shuffle=True)
    seen = []
    for batch in loader:
        tensors = {name: tensor.numpy() for name, tensor in batch.tensors.items()}
        assert faults_of(schema, tensors) == []
        assert faults_of(schema, batch.padded(schema).tensors) == []
        seeds = [ids[seed_label][index] for index in batch.indices]
        seen += batch.indices.tolist()
        expected = slow.blocks(seed_label, seeds)
        for n, other in (("n0", "n1"), ("n1", "n0")):
            for hop in (0, 1, 2):
                if f"hop_{n}_{hop}" in tensors:
                    assert tensors[f"hop_{n}_{hop}"].tolist() == (list(expected[f"hop_{other}_{hop}"]) or [0])
        for r, k in (("r0_1", 4), ("r0_2", 3), ("r1_1", 2), ("r1_2", 2), ("r2_1", 3)):
            assert tensors[f"nbr_{r}"].ravel().tolist() == (list(expected[f"nbr_{r}"]) or [-1] * k)
            assert tensors[f"deg_{r}"].tolist() == (list(expected[f"deg_{r}"]) or [0])
        assert tensors["ef_r0_1"].ravel().tolist() == (list(expected["ef0_r0_1"]) or [0] * 4)
        shift = 1 if seed_label == "User" else 0
        assert (tensors["seed"] - shift).tolist() == list(expected["seed"])
        for label, name in (("Item", "x_n0"), ("User", "x_n1")):
            at = batch.nodes[label]
            table = data.nodes[label]
            first = table["price" if label == "Item" else "age"][at].astype(np.float32)
            np.testing.assert_array_equal(tensors[name][:, 0], first)
        gone = tensors["x_n0"][(batch.nodes["Item"] == 6).numpy(), 1:]
        assert np.isnan(gone).all()
        np.testing.assert_array_equal(
            tensors["code_n0"][:, 0], data.nodes["Item"]["gnn_code_kind"][batch.nodes["Item"]]
        )
    assert sorted(seen) == list(range(len(ids[seed_label])))
    assert seen != sorted(seen)
    again = [
        batch.indices.tolist()
        for batch in BlockLoader(PygGraph(data), schema, seed_label, batch_size=25, shuffle=True)
    ]
    assert [index for part in again for index in part] == seen
    last = [index for batch in loader for index in batch.indices.tolist()]
    assert last != seen


def test_block_loader_refuses_what_the_model_does_not_know(data):
    schema = block_schema()
    with pytest.raises(UnknownName, match="gnn_code_kind"):
        BlockLoader(PygGraph(data), schema, "User")
    coded = with_codes(data)
    coded.nodes["Item"].columns["gnn_code_kind"].values[3] = 77
    coded.nodes["Item"].columns["vector"] = Column("float[]", np.zeros((ITEMS, 2), np.float32))
    with pytest.raises(InvalidInput) as caught:
        BlockLoader(PygGraph(coded), schema, "User")
    assert len(caught.value.faults) == 2
    with pytest.raises(UnknownName, match="seed label"):
        BlockLoader(PygGraph(with_codes(data)), schema, "Shop")
