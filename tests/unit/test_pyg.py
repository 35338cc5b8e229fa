"""Neo4j behind PyG's interfaces: loaders, targets, negatives, stores, what waits ahead."""

import math
import threading
import time

import numpy as np
import pytest
import torch
from torch_geometric.data import FeatureStore, TensorAttr
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.sampler import BaseSampler, HeteroSamplerOutput, NegativeSampling
from torch_geometric.utils import trim_to_layer
from two_types_graph import BUY, ITEMS, SOLD, USERS, two_types

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import GraphData
from gds_pipelines.pyg import Prefetch, PygGraph


@pytest.fixture(scope="module")
def data():
    return two_types()


@pytest.fixture(scope="module")
def graph(data):
    return PygGraph(data, features={"User": ["age"], "Item": ["price", "vector"]})


# ---------------------------------------------------------------- loaders


def stored(data, key):
    found = data.relations[key]
    return set(zip(found.sources.tolist(), found.targets.tolist(), strict=True))


def test_node_loader_gives_features_and_true_relationships(data, graph):
    loader = NodeLoader(
        (graph.features, graph.edges), node_sampler=graph.sampler([4, 3]), input_nodes="User", batch_size=16
    )
    assert len(loader) == math.ceil(USERS / 16)
    seen = []
    for batch in loader:
        seen += batch["User"].n_id[: batch["User"].batch_size].tolist()
        index = batch["Item"].n_id
        assert batch["Item"].x.shape == (len(index), 4)
        np.testing.assert_array_equal(batch["Item"].x[:, 1:], data.nodes["Item"]["vector"][index])
        np.testing.assert_array_equal(batch["Item"].kind, data.nodes["Item"]["kind"][index])
        for key in (BUY, SOLD, ("User", "KNOWS", "User"), ("User", "rev_KNOWS", "User")):
            ends = [
                batch[key[0]].n_id[batch[key].edge_index[0]],
                batch[key[2]].n_id[batch[key].edge_index[1]],
            ]
            of = (key[0], key[1].removeprefix("rev_"), key[2])
            if of != key:
                ends, of = ends[::-1], (key[2], of[1], key[0])
            pairs = set(zip(*(end.tolist() for end in ends), strict=True))
            assert pairs
            assert pairs <= stored(data, of)
    assert sorted(seen) == list(range(USERS))
    x, edge_index, _ = trim_to_layer(
        1, batch.num_sampled_nodes_dict, batch.num_sampled_edges_dict, batch.x_dict, batch.edge_index_dict
    )
    for key, edges in edge_index.items():
        assert (edges < torch.tensor([[len(x[key[0]])], [len(x[key[2]])]])).all()


class OtherSampler(BaseSampler):
    """As the database samplers proposed to PyG answer: a query's rows as dictionaries, edges without ids."""

    def __init__(self, sampler):
        self._sampler = sampler

    def sample_from_nodes(self, index, **kwargs):
        found = self._sampler.sample_from_nodes(index)
        nothing = dict.fromkeys(found.row)
        seeds = (index.node.to(torch.int64), getattr(index, "time", None))
        return HeteroSamplerOutput(found.node, found.row, found.col, nothing, metadata=seeds)

    def sample_from_edges(self, index, neg_sampling=None):
        raise NotImplementedError


class OtherStore(FeatureStore):
    """As a store proposed to PyG: attributes named beforehand, rows fetched by their numbers."""

    def __init__(self, tensors):
        super().__init__()
        self._tensors = tensors

    def _get_tensor(self, attr):
        return self._tensors[attr.group_name, attr.attr_name][attr.index]

    def _get_tensor_size(self, attr):
        return tuple(self._tensors[attr.group_name, attr.attr_name].shape)

    def get_all_tensor_attrs(self):
        return [TensorAttr(group, name) for group, name in self._tensors]

    def _put_tensor(self, tensor, attr):
        return False

    def _remove_tensor(self, attr):
        return False


@pytest.mark.parametrize("theirs", ["sampler", "features"])
def test_stores_and_samplers_of_other_backends_stand_beside_ours(graph, theirs):
    ours = NodeLoader(
        (graph.features, graph.edges), node_sampler=graph.sampler([4, 3]), input_nodes="User", batch_size=16
    )
    features, sampler = graph.features, graph.sampler([4, 3])
    if theirs == "sampler":
        sampler = OtherSampler(sampler)
    else:
        features = OtherStore({(name, "x"): graph.features[name, "x", None] for name in ("User", "Item")})
    mixed = NodeLoader((features, graph.edges), node_sampler=sampler, input_nodes="User", batch_size=16)
    for expected, found in zip(ours, mixed, strict=True):
        for name in ("User", "Item"):
            assert torch.equal(found[name].x, expected[name].x)
        assert found.edge_index_dict.keys() == expected.edge_index_dict.keys()
        for key, index in expected.edge_index_dict.items():
            assert torch.equal(found[key].edge_index, index)


def test_a_graph_of_one_type_gives_plain_data(data):
    friends = GraphData(
        "friends",
        "",
        {"User": data.nodes["User"]},
        {("User", "KNOWS", "User"): data.relations["User", "KNOWS", "User"]},
    )
    graph = PygGraph(friends, features={"User": ["age"]})
    sampler = graph.sampler([3, 3])
    batch = next(iter(NodeLoader((graph.features, graph.edges), sampler, torch.arange(9), batch_size=9)))
    assert batch.x.shape == (batch.num_nodes, 1)
    assert batch.n_id[:9].tolist() == list(range(9))
    assert sum(batch.num_sampled_edges) == batch.edge_index.shape[1]
    links = graph.edges.coo([("User", "KNOWS", "User")])
    index = torch.stack([part["User", "KNOWS", "User"] for part in links[:2]])[:, :20]
    batch = next(iter(LinkLoader((graph.features, graph.edges), sampler, (None, index), batch_size=20)))
    at = batch.edge_label_index
    np.testing.assert_array_equal(batch.n_id[at], index)
    shown = {tuple(pair) for pair in batch.n_id[batch.edge_index].T.tolist()}
    hidden = {tuple(pair) for pair in index.T.tolist()}
    assert not shown & (hidden | {pair[::-1] for pair in hidden})


def largest(data, stored, name):
    """The property of each pair, of parallel relationships the largest."""
    found, table = {}, data.relations[stored]
    rows = zip(table.sources.tolist(), table.targets.tolist(), table.properties[name].tolist(), strict=True)
    for source, target, value in rows:
        found[source, target] = max(value, found.get((source, target), -math.inf))
    return found


def test_relationship_properties_come_as_edge_attr_in_both_directions(data, graph):
    loader = NodeLoader(
        (graph.features, graph.edges),
        graph.sampler([4, 3], edge_ids=True),
        ("User", torch.arange(USERS)),
        batch_size=25,
        transform=graph.edge_attr(["at", "weight"]),
    )
    seen = set()
    for batch in loader:
        for edge_type in batch.edge_types:
            store = batch[edge_type]
            ends = [
                batch[end].n_id[row].tolist()
                for end, row in zip(edge_type[::2], store.edge_index, strict=True)
            ]
            turned = edge_type[1].startswith("rev_")
            stored = (edge_type[2], edge_type[1][4:], edge_type[0]) if turned else edge_type
            pairs = list(zip(*(reversed(ends) if turned else ends), strict=True))
            expected = [[largest(data, stored, name)[pair] for name in ("at", "weight")] for pair in pairs]
            np.testing.assert_array_equal(store.edge_attr, np.array(expected, np.float32).reshape(-1, 2))
            seen |= {edge_type} if pairs else set()
    assert len(seen) == 6
    with pytest.raises(UnknownName, match="Did you mean 'weight'"):
        graph.edge_attr(["wieght"])


def test_links_and_graphs_of_one_type_have_edge_attr_too(data, graph):
    links = LinkLoader(
        (graph.features, graph.edges),
        graph.sampler([4, 3], edge_ids=True),
        BUY,
        batch_size=50,
        transform=graph.edge_attr(["at"]),
    )
    batch = next(iter(links))
    assert batch[BUY].edge_attr.shape == (batch[BUY].num_edges, 1)
    key = ("User", "KNOWS", "User")
    friends = GraphData("friends", "", {"User": data.nodes["User"]}, {key: data.relations[key]})
    graph = PygGraph(friends)
    batch = next(
        iter(
            NodeLoader(
                (graph.features, graph.edges),
                graph.sampler({key: [5, 5]}, edge_ids=True),
                torch.arange(20),
                batch_size=20,
                transform=graph.edge_attr(["at"]),
            )
        )
    )
    expected = [largest(data, key, "at")[tuple(pair)] for pair in batch.n_id[batch.edge_index].T.tolist()]
    assert batch.edge_attr[:, 0].tolist() == expected
    two = GraphData("two", "", {"User": data.nodes["User"]}, {key: data.relations[key]})
    two.relations["User", "LIKES", "User"] = data.relations[key]
    with pytest.raises(InvalidInput, match="several relationship types"):
        PygGraph(two).edge_attr(["at"])


@pytest.mark.parametrize("mode", ["binary", "triplet"])
@pytest.mark.parametrize("timed", [False, True])
def test_link_loader_leaves_targets_out_and_draws_true_negatives(data, graph, mode, timed):
    sampler = graph.sampler([5, 5], time="at" if timed else None, also_hide=[("User", "VIEW", "Item")])
    times = torch.from_numpy(data.relations[BUY].properties["at"]).long() if timed else None
    loader = LinkLoader(
        (graph.features, graph.edges),
        sampler,
        BUY,
        edge_label_time=times,
        neg_sampling=NegativeSampling(mode, 2),
        batch_size=64,
    )
    own = stored(data, BUY) | stored(data, ("User", "VIEW", "Item"))
    for batch in loader:
        users, items = batch["User"].n_id, batch["Item"].n_id
        if mode == "binary":
            src, dst = batch[BUY].edge_label_index
            label = batch[BUY].edge_label.bool()
            good = set(zip(users[src[label]].tolist(), items[dst[label]].tolist(), strict=True))
            bad = set(zip(users[src[~label]].tolist(), items[dst[~label]].tolist(), strict=True))
            assert int((~label).sum()) == 2 * int(label.sum())
        else:
            src, dst = batch["User"].src_index, batch["Item"].dst_pos_index
            wrong = batch["Item"].dst_neg_index
            good = set(zip(users[src].tolist(), items[dst].tolist(), strict=True))
            assert wrong.shape == (len(src), 2)
            bad = {(int(users[s]), int(items[i])) for s, row in zip(src, wrong, strict=True) for i in row}
        assert good <= stored(data, BUY)
        assert not bad & own
        for key in (BUY, ("User", "VIEW", "Item"), SOLD, ("Item", "rev_VIEW", "User")):
            row, col = batch[key].edge_index
            ends = (users[row], items[col]) if key[0] == "User" else (users[col], items[row])
            assert not good & set(zip(ends[0].tolist(), ends[1].tolist(), strict=True))
            assert sum(batch[key].num_sampled_edges) == len(row)
    shown = graph.sampler([5, 5], keep_targets=True)
    batch = next(iter(LinkLoader((graph.features, graph.edges), shown, BUY, batch_size=64)))
    assert batch[SOLD].edge_index.shape[1] > 0


def test_stores_answer_in_every_layout(data, graph):
    for edge_type in (BUY, SOLD):
        pairs = sorted(stored(data, BUY) if edge_type == BUY else {pair[::-1] for pair in stored(data, BUY)})
        row, col, _ = graph.edges.coo([edge_type])
        assert sorted(set(zip(row[edge_type].tolist(), col[edge_type].tolist(), strict=True))) == pairs
        for layout in ("csr", "csc", "coo"):
            first, second = graph.edges.get_edge_index(edge_type, layout)
            if layout == "csr":
                first = torch.repeat_interleave(torch.arange(len(first) - 1), first.diff())
            if layout == "csc":
                second = torch.repeat_interleave(torch.arange(len(second) - 1), second.diff())
            assert sorted(set(zip(first.tolist(), second.tolist(), strict=True))) == pairs
    with pytest.raises(InvalidInput, match="reads a projection"):
        graph.edges.put_edge_index((torch.zeros(1), torch.zeros(1)), BUY, "coo")
    features = PygGraph(data).features
    assert features.put_tensor(torch.arange(ITEMS), "Item", "y", None)
    assert features.update_tensor(torch.ones(ITEMS), "Item", "y", None)
    assert features["Item", "y", torch.tensor([1, 2])].tolist() == [1, 1]
    before = data.nodes["Item"]["kind"].copy()
    assert features.put_tensor(torch.tensor([9]), "Item", "kind", torch.tensor([0]))
    assert features["Item", "kind", None][0] == 9
    np.testing.assert_array_equal(data.nodes["Item"]["kind"], before)
    with pytest.raises(UnknownName, match=r"Did you mean 'Item\.kind'"):
        features.get_tensor("Item", "kindd", None)


def test_faults_are_told_before_any_draw(graph):
    with pytest.raises(UnknownName, match="Did you mean"):
        graph.sampler({("User", "BUYS", "Item"): [3]})
    with pytest.raises(InvalidInput) as caught:
        graph.sampler({BUY: [3], SOLD: [-1, 2]}, last=3)
    assert len(caught.value.faults) == 3
    with pytest.raises(InvalidInput, match="The seeds have no type"):
        next(iter(NodeLoader((graph.features, graph.edges), graph.sampler([2]), torch.arange(3))))
    beyond = ("User", torch.tensor([0, 99]))
    loader = NodeLoader((graph.features, graph.edges), graph.sampler([2]), beyond, batch_size=2)
    with pytest.raises(InvalidInput, match="run from 0 to 99"):
        next(iter(loader))


# ---------------------------------------------------------------- prefetch


def test_prefetch_keeps_order_bounds_what_waits_and_ends_its_thread():
    made = []

    def items():
        for number in range(100):
            made.append(number)
            yield number

    class Endless:
        def __iter__(self):
            return items()

    for number in Prefetch(Endless(), depth=3):
        time.sleep(0.01)
        assert len(made) <= number + 5
        if number == 10:
            break
    assert not [thread for thread in threading.enumerate() if thread.name == "gnn4j-prefetch"]
    assert list(Prefetch(Endless())) == list(range(100))


def test_prefetch_raises_the_error_in_its_place():
    def items():
        yield 1
        raise ValueError("in the middle")

    found = iter(Prefetch(items()))
    assert next(found) == 1
    with pytest.raises(ValueError, match="in the middle"):
        next(found)
    with pytest.raises(InvalidInput, match="depth is 0"):
        Prefetch([], 0)
