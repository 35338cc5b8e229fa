"""Graphs in memory and in files, by a graph small enough to write down."""

import numpy as np
import pytest
import torch

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import (
    INTEGER_MISSING,
    Arrays,
    Column,
    GraphData,
    NodeTable,
    RelationTable,
    open_graph,
    parse_relation,
)

KEY = ("User", "BUY", "Item")


def shop(arrays: Arrays) -> GraphData:
    """Users 5, 8, 9 and items 2, 3; user 5 bought 3 twice, user 9 bought 2 and 3."""
    keep = arrays.keep
    users = NodeTable(
        "User",
        keep(np.array([5, 8, 9])),
        {
            "age": Column(
                "long", keep(np.array([30, INTEGER_MISSING, 50])), keep(np.array([False, True, False]))
            ),
            "vector": Column("float[]", keep(np.array([[1, 2], [3, 4], [5, 6]], np.float32))),
            "tags": Column("long[]", keep(np.array([7, 8, 9])), None, keep(np.array([0, 2, 2, 3]))),
        },
    )
    items = NodeTable("Item", keep(np.array([2, 3])))
    buys = RelationTable(
        *KEY,
        source_count=3,
        target_count=2,
        targets=keep(np.array([1, 1, 0, 1], np.int32)),
        properties={"weight": keep(np.array([0.5, 1.0, np.nan, 2.0]))},
        given_offsets=keep(np.array([0, 2, 2, 4])),
    )
    empty = RelationTable(
        "User", "KNOWS", "User", 3, 3, keep(np.empty(0, np.int32)), {}, keep(np.zeros(4, int))
    )
    nodes = {"User": users, "Item": items}
    return GraphData("shop", "2026-01-01T00:00:00Z", nodes, {KEY: buys, ("User", "KNOWS", "User"): empty})


@pytest.fixture(params=["memory", "files"])
def graph(request, tmp_path):
    if request.param == "memory":
        return shop(Arrays())
    arrays = Arrays(tmp_path / "graph")
    arrays.finish(shop(arrays))
    return open_graph(tmp_path / "graph")


def test_either_layout_gives_the_other(graph):
    buys = graph.relation(*KEY)
    assert buys.sources.tolist() == [0, 0, 2, 2]
    coo = RelationTable(*KEY, 3, 2, buys.targets, {}, None, buys.sources)
    assert coo.offsets.tolist() == [0, 2, 2, 4]
    assert graph.relation("User", "KNOWS", "User").sources.tolist() == []


def test_index_of_finds_only_nodes_of_the_type(graph):
    assert graph.nodes["User"].index_of(np.array([9, 2, 5, 100, -1])).tolist() == [2, -1, 0, -1, -1]
    nobody = NodeTable("Ghost", np.empty(0, np.int64))
    assert nobody.index_of(np.array([1])).tolist() == [-1]


def test_arrow_has_nulls_where_values_are_missing(graph):
    tables = graph.to_arrow()
    assert tables["User"].to_pydict() == {
        "nodeId": [5, 8, 9],
        "age": [30, None, 50],
        "vector": [[1, 2], [3, 4], [5, 6]],
        "tags": [[7, 8], [], [9]],
    }
    assert tables["(User)-[BUY]->(Item)"].to_pydict() == {
        "source": [0, 0, 2, 2],
        "target": [1, 1, 0, 1],
        "weight": [0.5, 1.0, None, 2.0],
    }
    assert graph.to_pandas()["User"].age.tolist()[::2] == [30, 50]


def test_torch_csr_multiplies_like_the_dense_matrix(graph):
    dense = torch.tensor([[0.0, 2.0], [0.0, 0.0], [1.0, 1.0]])
    vector = torch.tensor([[1.0], [10.0]])
    assert torch.equal(graph.relation(*KEY).torch_csr() @ vector, dense @ vector)


def test_pyg_carries_ids_edges_properties_and_features(graph):
    data = graph.to_pyg(features={"User": ["vector"]})
    assert data.validate()
    assert data["User"].node_id.tolist() == [5, 8, 9]
    assert data[KEY].edge_index.tolist() == [[0, 0, 2, 2], [1, 1, 0, 1]]
    assert data[KEY].weight[3] == 2.0
    assert data["User"].x.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert data["User", "KNOWS", "User"].edge_index.shape == (2, 0)


def test_features_with_gaps_are_refused_all_at_once(graph):
    with pytest.raises(InvalidInput) as caught:
        graph.to_pyg(features={"User": ["age", "vector", "tags"]})
    assert caught.value.faults == ["User.age has missing values", "User.tags has lists of differing length"]


def test_rows_and_unknown_names(graph):
    users = graph.node_type("User")
    assert users.column("age").row(1) is None
    assert users.column("tags").row(0).tolist() == [7, 8]
    with pytest.raises(UnknownName, match="Did you mean 'vector'"):
        users["vektor"]
    with pytest.raises(UnknownName, match="Known: Item, User"):
        graph.node_type("Shop")
    with pytest.raises(UnknownName, match=r"\(User\)-\[BUY\]->\(Item\)"):
        graph.relation("User", "BUYS", "Item")


def test_a_directory_takes_one_finished_graph(tmp_path):
    unfinished = Arrays(tmp_path / "graph")
    shop(unfinished)
    with pytest.raises(InvalidInput, match="did not finish"):
        open_graph(tmp_path / "graph")
    with pytest.raises(InvalidInput, match="not empty"):
        Arrays(tmp_path / "graph")


def test_relation_names_are_parsed():
    assert parse_relation("(User)-[BUY]->(Item)") == KEY
    with pytest.raises(InvalidInput, match="write"):
        parse_relation("BUY")
