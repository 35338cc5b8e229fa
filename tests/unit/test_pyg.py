"""Neo4j behind PyG's interfaces: draws against the rule written out as loops; loaders, targets, negatives."""

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

from gds_pipelines.errors import InvalidInput, UnknownName
from gds_pipelines.graph_data import Column, GraphData, NodeTable, RelationTable
from gds_pipelines.pyg import BlockLoader, Prefetch, PygGraph
from gds_pipelines.sampling import twin
from gds_pipelines.sampling.neighbourhood import GraphNeighbourhoods, join
from model_export.block_schema import BlockSchema, Feature, NodeType
from model_export.block_schema import Relation as BlockRelation
from model_export.padded_blocks import faults_of

MASK = 2**64 - 1
BUY, SOLD = ("User", "BUY", "Item"), ("Item", "rev_BUY", "User")
USERS, ITEMS = 60, 40


def table(key, pairs, counts, rng):
    """Relationships as an export gives them: by source, then target, parallel ones kept."""
    source, target = np.array(sorted(pairs)).T
    return RelationTable(
        *key,
        counts[key[0]],
        counts[key[2]],
        target.astype(np.int32),
        {"weight": rng.integers(1, 9, len(source)) / 4, "at": rng.integers(0, 50, len(source)).astype(float)},
        None,
        source.astype(np.int32),
    )


@pytest.fixture(scope="module")
def data():
    """Two types, three relations, parallel relationships, nodes without any, one hub; ids with gaps."""
    rng = np.random.default_rng(11)
    counts = {"User": USERS, "Item": ITEMS}
    ids = rng.permutation(np.arange(10, 10 + 3 * (USERS + ITEMS)))
    users, items = np.sort(ids[:USERS]), np.sort(ids[USERS : USERS + ITEMS])
    buys = [(int(u), int(i)) for u, i in rng.integers(0, [USERS - 5, ITEMS - 4], (260, 2))]
    buys += [(3, item) for item in range(ITEMS - 4)]
    knows = [(int(u), int(v)) for u, v in rng.integers(0, USERS - 2, (150, 2))]
    views = [(int(u), int(i)) for u, i in rng.integers(0, [USERS, ITEMS], (80, 2))]
    nodes = {
        "User": NodeTable("User", users, {"age": Column("double", rng.random(USERS))}),
        "Item": NodeTable(
            "Item",
            items,
            {
                "price": Column("double", rng.random(ITEMS)),
                "vector": Column("float[]", rng.random((ITEMS, 3)).astype(np.float32)),
                "kind": Column("long", rng.integers(0, 4, ITEMS)),
            },
        ),
    }
    keys = {BUY: buys, ("User", "KNOWS", "User"): knows, ("User", "VIEW", "Item"): views}
    relations = {key: table(key, pairs, counts, rng) for key, pairs in keys.items()}
    return GraphData("shop", "2026-01-01T00:00:00Z", nodes, relations)


@pytest.fixture(scope="module")
def graph(data):
    return PygGraph(data, features={"User": ["age"], "Item": ["price", "vector"]})


# ---------------------------------------------------------------- the rule, written out


def hash64(*values):
    state = 0
    for value in values:
        z = (state + 0x9E3779B97F4A7C15 + value) & MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        state = z ^ (z >> 31)
    return state


def listed(data, relation, receiver, plan, before):
    """(sender, weight, time) of a receiver, in the order of the list that is left."""
    found = data.relations[relation.stored]
    best = {}
    for source, target, weight, at in zip(
        found.sources.tolist(), found.targets.tolist(), *found.properties.values(), strict=True
    ):
        sender, owner = (source, target) if relation.direction == "out" else (target, source)
        if owner == receiver:
            old = best.get(sender, (0, -math.inf))
            best[sender] = (max(weight, old[0]), max(at, old[1]))
    rows = [(sender, *values) for sender, values in sorted(best.items())]
    if plan.time:
        rows.sort(key=lambda row: (-row[2], row[0]))
        if before is not None:
            rows = [row for row in rows if row[2] < before]
        rows = rows[: plan.last] if plan.last else rows
    return rows


def drawn(data, plan, place, hop, receiver, before=None):
    relation, k = plan.relations[place], plan.fan_outs[place][hop - 1]
    rows = listed(data, relation, receiver, plan, before)
    d = len(rows)
    if d <= k:
        return [row[0] for row in rows]
    node_id = int(data.nodes[relation.receiver].node_ids[receiver])

    def h(i):
        return hash64(plan.random_seed, node_id, hop, place, i)

    if plan.weight and plan.replace:
        sums = np.cumsum([row[1] for row in rows])
        at = [next(p for p in range(d) if sums[p] > (h(i) >> 11) * 2.0**-53 * sums[-1]) for i in range(k)]
    elif plan.weight:
        keys = [-math.log1p(-(h(p) >> 11) * 2.0**-53) / rows[p][1] for p in range(d)]
        at = sorted(range(d), key=lambda p: (keys[p], p))[:k]
    elif plan.replace:
        at = [(h(i) * d) >> 64 for i in range(k)]
    else:
        at = []
        for i in range(k):
            j = d - k + i
            p = (h(i) * (j + 1)) >> 64
            at.append(j if p in at else p)
    return [rows[p][0] for p in at]


OPTIONS = [
    {},
    {"replace": True},
    {"weight": "weight"},
    {"weight": "weight", "replace": True},
    {"time": "at"},
    {"time": "at", "last": 4, "weight": "weight"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("disjoint", [False, True])
def test_draws_follow_the_rule_written_out(data, graph, options, disjoint):
    plan = graph.plan(
        {SOLD: [3, 2], BUY: [4, 0], ("User", "KNOWS", "User"): [2, 2]}, random_seed=-5, **options
    )
    seeds = np.array([7, 3, 59, 3, 20, 41])
    before = np.array([10, 30, 20, 45, 25, 5]) if plan.time and disjoint else None
    found = GraphNeighbourhoods(data, plan).draw(
        {"User": seeds}, None if before is None else {"User": before}, disjoint
    )
    keys = [(int(n), g if disjoint else 0) for g, n in enumerate(seeds)]
    nodes = {"User": list(dict.fromkeys(keys)), "Item": []}
    assert found.seeds["User"].tolist() == [nodes["User"].index(key) for key in keys]
    receivers, first = {"User": nodes["User"][:], "Item": []}, {"User": 0, "Item": 0}
    for hop in (1, 2):
        reached, edges = {"User": [], "Item": []}, []
        for place, relation in enumerate(plan.relations):
            for at, (number, group) in enumerate(receivers[relation.receiver]):
                cut = None if before is None else before[group]
                for sender in drawn(data, plan, place, hop, number, cut):
                    reached[relation.sender].append((sender, group))
                    edges.append((place, (sender, group), first[relation.receiver] + at))
        for type_, keys in reached.items():
            receivers[type_] = sorted(set(keys) - set(nodes[type_]))
            first[type_] = len(nodes[type_])
            nodes[type_] += receivers[type_]
            assert found.nodes_per_hop[type_][hop] == len(receivers[type_])
        for place, relation in enumerate(plan.relations):
            start = sum(found.relationships_per_hop[place][: hop - 1])
            part = slice(start, start + found.relationships_per_hop[place][hop - 1])
            expected = [(nodes[relation.sender].index(key), col) for p, key, col in edges if p == place]
            got = list(zip(found.rows[place][part].tolist(), found.cols[place][part].tolist(), strict=True))
            assert got == expected
    for type_, keys in nodes.items():
        assert found.nodes[type_].tolist() == [key[0] for key in keys]
        if disjoint:
            assert found.groups[type_].tolist() == [key[1] for key in keys]


@pytest.mark.parametrize("disjoint", [False, True])
def test_types_drawn_apart_and_joined_are_those_drawn_together(data, graph, disjoint):
    source = GraphNeighbourhoods(data, graph.plan([3, 2, 2], random_seed=4))
    seeds = {"User": np.array([5, 3, 50, 3]), "Item": np.array([30, 2, 9])}
    together = source.draw(seeds, disjoint=disjoint)
    apart = [source.draw({type_: indices}, disjoint=disjoint) for type_, indices in seeds.items()]
    joined = join(source.plan, apart)
    assert joined.nodes_per_hop == together.nodes_per_hop
    assert joined.relationships_per_hop == together.relationships_per_hop
    for mine, other in ((joined.nodes, together.nodes), (joined.seeds, together.seeds)):
        for type_ in other:
            np.testing.assert_array_equal(mine[type_], other[type_])
    for mine, other in ((joined.rows, together.rows), (joined.cols, together.cols)):
        for one, two in zip(mine, other, strict=True):
            np.testing.assert_array_equal(one, two)


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


# ---------------------------------------------------------------- padded blocks


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
