"""PyG trains on a projection: the database draws what memory draws; losses are those of a copy in memory."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch_geometric.data import HeteroData
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.nn import to_hetero
from torch_geometric.nn.models import GraphSAGE
from torch_geometric.sampler import NegativeSampling

from gds_pipelines import graph_reader
from gds_pipelines.errors import PipelineError
from gds_pipelines.graph_data import open_graph
from gds_pipelines.graph_reader import MissingPlugin
from gds_pipelines.pyg import BlockLoader, Prefetch, PygGraph
from gds_pipelines.pyg import graph as pyg_graph
from model_export.block_schema import BlockSchema, Feature, NodeType, Relation
from model_export.padded_blocks import faults_of

BUY, SOLD = ("User", "BUY", "Item"), ("Item", "rev_BUY", "User")
FEATURES = {"User": ["age"], "Item": ["price", "taste"]}


@pytest.fixture(scope="module")
def shop(server):
    """300 users, 120 items of 4 kinds; users buy mostly of their own kind; the last of each buy nothing."""
    server.clear()
    server.execute("""
        UNWIND range(0, 299) AS n CREATE (u:User {number: n, age: toFloat(n * 37 % 100) / 100})
        WITH collect(u) AS users
        UNWIND range(0, 119) AS n
        CREATE (i:Item {number: n, kind: n % 4, price: toFloat(n * 13 % 50) / 50,
                        taste: [toFloat(n % 4), 0.5, toFloat(n % 2)]})
        WITH users, collect(i) AS items
        CALL (users, items) {
          UNWIND range(0, 3999) AS r
          WITH users, items, r, r * 7919 % 290 AS n
          WITH users[n] AS u, items[(CASE r % 9 WHEN 0 THEN r ELSE n + 4 * (r * r) END) % 116] AS i, r
          CREATE (u)-[:BUY {at: r * 31 % 1000, weight: 1 + r % 5}]->(i)
        }
        UNWIND range(0, 799) AS r
        WITH users[r * 17 % 300] AS u, users[(r * r + 3) % 299] AS v
        CREATE (u)-[:KNOWS]->(v)
    """)
    server.execute("""
        CALL gds.graph.project('pyg',
          {User: {properties: ['age', 'number']}, Item: {properties: ['price', 'taste', 'kind']}},
          {BUY: {properties: ['at', 'weight']}, KNOWS: {}}) YIELD nodeCount RETURN nodeCount
    """)
    yield server.driver()
    server.clear()


@pytest.fixture(scope="module")
def graph(shop):
    found = PygGraph.of_projection(shop, "pyg", FEATURES, relationship_properties=["at", "weight"])
    assert type(found.source(found.plan([1]))).__name__ == "ProjectionNeighbourhoods"
    return found


def in_memory(graph):
    return PygGraph(graph.data, FEATURES)


def equal(one, two):
    assert one.node_types == two.node_types
    assert one.edge_types == two.edge_types
    for store, other in zip(one.stores, two.stores, strict=True):
        assert list(store.keys()) == list(other.keys())
        for key in store.keys():  # noqa: SIM118 a store is no dict
            if isinstance(store[key], torch.Tensor):
                assert torch.equal(store[key], other[key]), (store._key, key)
            else:
                assert store[key] == other[key], (store._key, key)


@pytest.mark.parametrize(
    "options",
    [{}, {"weight": "weight"}, {"weight": "weight", "replace": True}, {"time": "at", "last": 3}],
    ids=str,
)
def test_the_database_draws_what_memory_draws(graph, options):
    for kind in (NodeLoader, LinkLoader):
        batches = []
        for here in (graph, in_memory(graph)):
            # KNOWS has neither weight nor time: it is not drawn by the one, and does not mind the other.
            fan_out = {BUY: [4, 3], SOLD: [4, 3]} if "weight" in options else [4, 3]
            sampler = here.sampler(fan_out, random_seed=21, **options)
            if kind is NodeLoader:
                times = torch.arange(300) * 3 if "time" in options else None
                loader = NodeLoader((here.features, here.edges), sampler, "User", times, batch_size=150)
            else:
                times = torch.arange(len(here.data.relations[BUY])) % 900 if "time" in options else None
                loader = LinkLoader(
                    (here.features, here.edges),
                    sampler,
                    BUY,
                    edge_label_time=times,
                    neg_sampling=NegativeSampling("binary", 1),
                    batch_size=1500,
                )
            batches.append(list(loader))
        assert len(batches[0]) == len(loader) > 1
        for one, two in zip(*batches, strict=True):
            equal(one, two)


def train_nodes(model, batches):
    """Losses of GraphSAGE telling an item's kind, one for each batch."""
    torch.manual_seed(3)
    for module in model.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for batch in batches:
        out = model(batch.x_dict, batch.edge_index_dict)["Item"]
        seeds = batch["Item"].batch_size
        loss = F.cross_entropy(out[:seeds], batch["Item"].kind[:seeds])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def copy_in_memory(whole, known, batch):
    """The batch again, its features taken from a copy in memory by index and its relationships checked."""
    copy = HeteroData()
    for type_ in batch.node_types:
        copy[type_].x = whole[type_].x[batch[type_].n_id]
        copy[type_].batch_size = batch[type_].get("batch_size")
    copy["Item"].kind = whole["Item"].kind[batch["Item"].n_id]
    for key in batch.edge_types:
        copy[key].edge_index = batch[key].edge_index
        stored = key if not key[1].startswith("rev_") else (key[2], key[1].removeprefix("rev_"), key[0])
        index = torch.stack(
            [batch[key[0]].n_id[batch[key].edge_index[0]], batch[key[2]].n_id[batch[key].edge_index[1]]]
        )
        index = index if stored == key else index.flip(0)
        assert set(map(tuple, index.T.tolist())) <= known[stored]
    return copy


def test_pyg_graphsage_learns_with_the_losses_of_a_copy_in_memory(graph):
    loader = NodeLoader(
        (graph.features, graph.edges), graph.sampler([8, 4]), "Item", batch_size=40, shuffle=True
    )
    torch.manual_seed(1)
    batches = [batch for _ in range(6) for batch in Prefetch(loader)]
    assert len(batches) == 18
    model = to_hetero(
        GraphSAGE((-1, -1), 16, num_layers=2, out_channels=4, aggr="mean"), batches[0].metadata(), aggr="sum"
    )
    model(batches[0].x_dict, batches[0].edge_index_dict)
    losses = train_nodes(model, batches)
    assert np.mean(losses[-3:]) < 0.6 * np.mean(losses[:3])
    whole = graph.data.to_pyg(FEATURES)
    known = {key: set(map(tuple, whole[key].edge_index.T.tolist())) for key in whole.edge_types}
    assert train_nodes(model, [copy_in_memory(whole, known, batch) for batch in batches]) == losses


class LinkModel(torch.nn.Module):
    def __init__(self, metadata):
        super().__init__()
        encoder = GraphSAGE((-1, -1), 16, num_layers=2, aggr="mean")
        self.encoder = to_hetero(encoder, metadata, aggr="sum")

    def forward(self, batch):
        found = self.encoder(batch.x_dict, batch.edge_index_dict)
        users, items = batch[BUY].edge_label_index
        return (found["User"][users] * found["Item"][items]).sum(dim=1)


def test_a_heterogeneous_link_model_learns_and_never_sees_its_targets(graph):
    loader = LinkLoader(
        (graph.features, graph.edges),
        graph.sampler([8, 4], random_seed=5),
        BUY,
        neg_sampling=NegativeSampling("binary", 1),
        batch_size=1000,
        shuffle=True,
    )
    torch.manual_seed(2)
    batches = [batch for _ in range(4) for batch in Prefetch(loader)]
    relation = graph.data.relations[BUY]
    own = set(zip(relation.sources.tolist(), relation.targets.tolist(), strict=True))
    for batch in batches[:3]:
        users, items = batch["User"].n_id, batch["Item"].n_id
        src, dst = batch[BUY].edge_label_index
        pairs = list(zip(users[src].tolist(), items[dst].tolist(), strict=True))
        label = batch[BUY].edge_label.tolist()
        assert all((pair in own) == bool(of) for pair, of in zip(pairs, label, strict=True))
        for key in (BUY, SOLD):
            ends = batch[key].edge_index if key == BUY else batch[key].edge_index.flip(0)
            shown = set(zip(users[ends[0]].tolist(), items[ends[1]].tolist(), strict=True))
            assert not shown & set(pairs)
    model = LinkModel(batches[0].metadata())
    model(batches[0])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for batch in batches:
        loss = F.binary_cross_entropy_with_logits(model(batch), batch[BUY].edge_label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])


def test_block_loader_gives_the_same_from_the_database_and_from_files(graph, shop, tmp_path):
    schema = BlockSchema(
        (
            NodeType("Item", "id", (Feature("price", "number"), Feature("taste", "vector", width=3))),
            NodeType("User", "id", (Feature("age", "number"),)),
        ),
        (Relation("Item", "BUY", "User", "in", ("weight",)), Relation("User", "BUY", "Item")),
        ((5, 3), (4, 2)),
        ("Item", "User"),
        2,
        random_seed=-7,
    )
    PygGraph.of_projection(
        shop, "pyg", relationship_properties=["weight"], into=tmp_path / "graph", in_database=False
    )
    files = PygGraph(open_graph(tmp_path / "graph"))
    for label in ("User", "Item"):
        loaders = [BlockLoader(here, schema, label, batch_size=64, shuffle=True) for here in (graph, files)]
        for one, two in zip(*loaders, strict=True):
            assert faults_of(schema, {name: tensor.numpy() for name, tensor in one.tensors.items()}) == []
            assert list(one.tensors) == list(two.tensors)
            assert torch.equal(one.indices, two.indices)
            for name, tensor in one.tensors.items():
                assert torch.equal(tensor, two.tensors[name]), name


def test_another_projection_of_the_same_name_is_noticed(graph, server, shop):
    server.execute("CALL gds.graph.project('other', ['User', 'Item'], 'BUY') YIELD nodeCount RETURN 1")
    before = PygGraph.of_projection(shop, "other")
    server.execute("CALL gds.graph.drop('other') YIELD graphName RETURN 1")
    # Without its first user every other one has another number.
    server.execute("CYPHER 5 MATCH (u:User) WITH u ORDER BY id(u) LIMIT 1 SET u:Gone REMOVE u:User")
    server.execute("CALL gds.graph.project('other', ['User', 'Item'], 'BUY') YIELD nodeCount RETURN 1")
    loader = NodeLoader((before.features, before.edges), before.sampler([99, 99]), "Item", batch_size=10)
    with pytest.raises(PipelineError, match="is not the one that was read"):
        list(loader)


def test_without_the_plugin_loaders_run_alike_after_one_warning(shop, graph, monkeypatch):
    monkeypatch.setattr(graph_reader, "_EXPORT", graph_reader._EXPORT.replace("gnn.graph", "gnn.nothing"))
    monkeypatch.setattr(pyg_graph, "has_sampling", lambda connection: False)
    monkeypatch.setattr(graph_reader, "_warned", set())
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        slow, again = (
            PygGraph.of_projection(shop, "pyg", FEATURES, relationship_properties=["at", "weight"])
            for _ in range(2)
        )
    assert [warning.category for warning in heard].count(MissingPlugin) == 1
    assert type(again.source(again.plan([1]))).__name__ == "GraphNeighbourhoods"
    batches = [
        list(
            NodeLoader(
                (here.features, here.edges),
                here.sampler([4, 3], random_seed=2, edge_ids=True),
                "User",
                batch_size=150,
                transform=here.edge_attr(["at"]),
            )
        )
        for here in (graph, slow)
    ]
    for one, two in zip(*batches, strict=True):
        assert one[SOLD].edge_attr.shape == (one[SOLD].num_edges, 1)
        equal(one, two)
