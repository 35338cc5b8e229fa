"""Encoders and sampling over padded blocks, against recursion over whole neighbourhoods."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gds_pipelines.draws import hash64
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.interactions import Interactions
from gds_pipelines.models.block_encoders import LAYERS, BlockEncoder, EdgeInput
from gds_pipelines.models.block_recommender import encoded, read_fanouts
from gds_pipelines.models.neighbourhoods import (
    ITEMS,
    USERS,
    Neighbourhoods,
    columns_of,
    draw_positions,
    schema_of,
)
from gds_pipelines.node_features import NodeFeatures
from gds_pipelines.run import SplitRequest, execute
from gds_pipelines.run_artefact import artefact_of
from gds_pipelines.sampling import twin
from gds_pipelines.surroundings import OtherNodes, OtherRelation, Surroundings
from gds_pipelines.task import Task
from gds_pipelines.training import TrainingOptions
from model_export import export, open_session
from model_export.block_schema import BlockSchema, Feature, NodeType
from model_export.block_schema import Relation as BlockRelation
from model_export.padded_blocks import Drawn, build, faults_of

OPTIONS = TrainingOptions(accelerator="cpu", threads=1, tensorboard=False)
USERS_N, ITEMS_N = 9, 7


def shop():
    """Nine users, seven items, two behaviours; user 8 and item 6 have nothing; features of every kind."""
    rng = np.random.default_rng(3)
    found = Interactions.from_indices(
        rng.integers(0, 8, 22),
        rng.integers(0, 6, 22),
        user_keys=np.arange(USERS_N) + 10,
        item_keys=np.arange(ITEMS_N) + 100,
        kinds=rng.integers(0, 2, 22),
    )
    items = {
        "price": [1.0, None, 3.0, 4.0, 0.5, 2.0, 7.0],
        "brand": ["a", "b", None, "a", "c", "b", "a"],
        "tags": [["x"], [], None, ["x", "y"], ["y", "y", "z"], ["z"], ["x"]],
    }
    users = {
        "member": [True, False, None] * 3,
        "taste": [[float(u), 1.0] if u % 4 else None for u in range(9)],
    }
    return replace(
        found,
        item_features=NodeFeatures.of_values(items, "Item"),
        user_features=NodeFeatures.of_values(users, "User"),
    )


def graph_of(data, fanouts, behaviours=2):
    features = (data.item_features, data.user_features)
    schema = schema_of(features[0].features, features[1].features, fanouts, behaviours, 1)
    columns = [columns_of(features[0], data.n_items), columns_of(features[1], data.n_users)]
    return Neighbourhoods.of(data, schema, columns)


def shaken(kind, schema, seed=2):
    """An encoder none of whose numbers is 0 or 1."""
    encoder = BlockEncoder(kind, schema, 8, heads=2, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for value in encoder.parameters():
        value.data += 0.3 * torch.randn(value.shape, generator=generator)
    for entry in encoder.inputs:
        if hasattr(entry, "mean"):
            entry.mean += 0.5
            entry.scale *= 2.0
    return encoder.eval()


# ------------------------------------------------------------------------ the slow twin


class Recursion:
    """h of one node at a depth, straight from the equations of docs/feature-models.md, without blocks."""

    def __init__(self, kind, encoder, data):
        self.kind, self.encoder, self.schema = kind, encoder, encoder.schema
        self.columns = [
            (data.item_features.x, data.item_features.code),
            (data.user_features.x, data.user_features.code),
        ]
        dense = data.matrix.toarray() > 0
        bits = np.zeros(dense.shape, np.uint32)
        bits[data.user_index, data.matrix.indices] = data.kinds
        self.bits = bits

    def parts(self, module):
        return {name: value.detach().double().numpy() for name, value in module.state_dict().items()}

    def senders(self, relation, receiver):
        behaviour, to_users = divmod(relation, 2)
        has = (self.bits >> behaviour) & 1
        return np.flatnonzero(has[receiver] if to_users else has[:, receiver])

    def entered(self, number, index):
        entry, p = self.encoder.inputs[number], self.parts(self.encoder.inputs[number])
        x, code = (part[index] for part in self.columns[number])
        found = p["constant"].copy()
        if len(x):
            missing = np.isnan(x)
            scaled = np.where(missing, 0, (x.astype(np.float64) - p["mean"]) / p["scale"])
            flags = [float(missing[p["group"][:, at] > 0].any()) for at in range(p["group"].shape[1])]
            found += p["dense.weight"] @ np.r_[scaled, flags]
        column = 0
        for at, feature in enumerate(entry.coded):
            entries = [one for one in code[column : column + feature.columns] if one >= 0]
            found += np.mean([p[f"tables.{at}"][one] for one in entries], axis=0)
            column += feature.columns
        return found

    def h(self, number, index, depth):
        if depth == 0:
            return self.entered(number, index)
        own = self.h(number, index, depth - 1)
        heard = []
        for relation in range(len(self.schema.relations)):
            if self.schema.target(relation) == number:
                source = self.schema.source(relation)
                rows = [self.h(source, one, depth - 1) for one in self.senders(relation, index)]
                heard.append((relation, source, np.array(rows).reshape(-1, 8)))
        found = getattr(self, self.kind)(self.parts(self.encoder.layers[depth - 1]), number, own, heard)
        last = depth == self.schema.layers
        return found if last else np.where(found > 0, found, np.expm1(np.minimum(found, 0)))

    def vector(self, number, index):
        found = self.h(number, index, self.schema.layers)
        return found / np.sqrt((found**2).sum())

    def graphsage(self, p, number, own, heard):
        found = p[f"own.{number}.weight"] @ own + p[f"own.{number}.bias"]
        for relation, _, rows in heard:
            if len(rows):
                found = found + p[f"sent.{relation}.weight"] @ rows.mean(0)
            found = found + np.log1p(len(rows)) * p[f"degree.{relation}"]
        return found

    def gat(self, p, number, own, heard):
        found = p[f"own.{number}.weight"] @ own + p[f"own.{number}.bias"]
        for relation, _, rows in heard:
            if not len(rows):
                continue
            sent = rows @ p[f"sent.{relation}.weight"].T
            for head in range(2):
                part = slice(4 * head, 4 * head + 4)
                score = (
                    sent[:, part] @ p[f"sender.{relation}"][part]
                    + p[f"receiver.{relation}.weight"][head] @ own
                )
                score = np.exp(np.where(score > 0, score, 0.2 * score))
                found[part] += (score / score.sum()) @ sent[:, part]
        return found

    def hgt(self, p, number, own, heard):
        def linear(name, which, rows):
            return rows @ p[f"{name}.{which}.weight"].T + p[f"{name}.{which}.bias"]

        query, summed = linear("query", number, own), np.zeros(8)
        for head in range(2):
            part = slice(4 * head, 4 * head + 4)
            scores, values = [], []
            for relation, source, rows in heard:
                key = linear("key", source, rows)[:, part] @ p[f"attention.{relation}"][head]
                scores += list(key @ query[part] * p[f"prior.{relation}"][head] / 2.0)
                values += list(linear("value", source, rows)[:, part] @ p[f"message.{relation}"][head])
            if scores:
                weight = np.exp(np.array(scores))
                summed[part] = weight / weight.sum() @ np.array(values)
        gelu = torch.nn.functional.gelu(torch.from_numpy(summed)).numpy()
        gate = 1 / (1 + np.exp(-p[f"gate.{number}"]))
        return gate * linear("out", number, gelu) + (1 - gate) * own


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


def around_shop():
    """Three categories, of which one is empty, and users who follow users."""
    categories = OtherNodes("Category", "name", np.array(["a", "b", "c"]), NodeFeatures.none(3), np.arange(3))
    told_apart = categories.features.with_category("name", categories.keys.tolist())
    categories = replace(categories, features=told_apart)
    shelves = OtherRelation.of_pairs(
        ITEMS, "IN_CATEGORY", 2, (np.array([0, 1, 1, 3, 6, 6]), np.array([0, 0, 1, 1, 0, 0])), (ITEMS_N, 3)
    )
    follows = OtherRelation.of_pairs(
        USERS, "FOLLOWS", USERS, (np.array([8, 8, 0]), np.array([0, 1, 8])), (USERS_N, USERS_N)
    )
    return Surroundings((categories,), (shelves, follows))


class RecursionAround(Recursion):
    def __init__(self, kind, encoder, data):
        super().__init__(kind, encoder, data)
        self.around = data.surroundings
        self.columns += [(one.features.x, one.features.code) for one in self.around.nodes]

    def senders(self, relation, receiver):
        if relation < 4:
            return super().senders(relation, receiver)
        number, against = divmod(relation - 4, 2)
        pairs = self.around.relations[number].matrix.toarray()
        return np.flatnonzero(pairs[receiver] if against else pairs[:, receiver])


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


# ------------------------------------------------------------------------ drawing


def test_draws_follow_the_rule_of_the_formats_page():
    ids, degrees = np.array([0, 3, 7, -1, 2**40]), np.array([0, 4, 9, 30, 1000])
    assert hash64(5, ids, 2).tolist() == [twin.hash64(5, int(one), 2) for one in ids]
    for hop, relation in ((1, 0), (3, 5)):
        found = draw_positions(degrees, ids, 4, -11, hop, relation)
        for row, (one, d) in enumerate(zip(ids.tolist(), degrees.tolist(), strict=True)):
            expected = list(range(d))
            if d > 4:
                hashed = [twin.hash64(-11, one, hop, relation, i) for i in range(4)]
                expected = twin.uniform(hashed.__getitem__, d, 4, False)
            assert found[row].tolist() == expected + [-1] * (4 - len(expected))


def test_interactions_of_a_database_draw_by_the_ids_of_their_nodes():
    ids = {"item_ids": np.arange(ITEMS_N) * 10 + 3, "user_ids": np.arange(USERS_N) * 7 + 1}
    data = replace(shop(), **ids)
    graph = graph_of(data, (2, 2))
    blocks = graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5)
    slow = Recursion("graphsage", BlockEncoder("graphsage", graph.schema, 8), data)
    cut = 0
    for relation in blocks.schema.drawn(1):
        source, target = blocks.schema.source(relation), blocks.schema.target(relation)
        sent = blocks.nodes[source][blocks.tensors[f"hop_n{source}_1"]]
        heard = blocks.nodes[target][blocks.tensors[f"hop_n{target}_0"]]
        for receiver, positions in zip(heard, blocks.tensors[f"nbr_r{relation}_1"], strict=True):
            senders = slow.senders(relation, receiver).tolist()
            if len(senders) > 2:
                one = int(list(ids.values())[target][receiver])
                hashed = [twin.hash64(5, one, 1, relation, i) for i in range(2)]
                senders = [senders[at] for at in twin.uniform(hashed.__getitem__, len(senders), 2, False)]
                cut += 1
            assert [int(sent[at]) for at in positions if at >= 0] == senders
    assert cut > 3


def test_pairs_left_out_are_nowhere_in_either_direction_and_not_counted():
    data = shop()
    graph = graph_of(data, (9, 9))
    users, items = data.user_index[::3], data.matrix.indices[::3].astype(np.int64)
    left_out = np.sort(users * data.n_items + items)
    everyone = (np.arange(USERS_N), np.arange(ITEMS_N))
    whole, less = graph.batch(*everyone, 5), graph.batch(*everyone, 5, left_out=left_out)
    met = {0: set(), 1: set()}
    for blocks, into in ((whole, met[0]), (less, met[1])):
        for hop in (1, 2):
            for relation in blocks.schema.drawn(hop):
                to_users, tensors = relation % 2, blocks.tensors
                source, target = blocks.schema.source(relation), blocks.schema.target(relation)
                sent = blocks.nodes[source][tensors[f"hop_n{source}_{hop}"]]
                heard = blocks.nodes[target][tensors[f"hop_n{target}_{hop - 1}"]]
                for row, positions in enumerate(tensors[f"nbr_r{relation}_{hop}"]):
                    there = [int(sent[at]) for at in positions if at >= 0]
                    assert tensors[f"deg_r{relation}_{hop}"][row] >= len(there)
                    into.update((int(heard[row]), s) if to_users else (s, int(heard[row])) for s in there)
    gone = set(zip(users.tolist(), items.tolist(), strict=True))
    assert gone <= met[0]
    assert met[1] == met[0] - gone


# ------------------------------------------------------------------------ leaving


@pytest.mark.parametrize(("kind", "fanouts"), [("gat", (3,)), ("hgt", (3,))])
def test_an_exported_encoder_answers_like_torch_on_real_blocks(kind, fanouts):
    """Export itself compares 1, 64 and 1,024 seeds, isolated nodes, empty relations and missing values."""
    data = shop()
    graph = graph_of(data, fanouts, behaviours=1)
    encoder = shaken(kind, graph.schema)
    manifest = {
        "contract": "padded-blocks/1",
        "model": kind,
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0",
        "dimension": 8,
        "similarity": "dot",
        "task": {},
        "training": {"graph": {}, "cutoff": None, "seed": 1, "hyperparameters": {}},
        "metrics": [],
        **graph.schema.to_manifest(),
    }
    artefact = export(encoder, None, manifest)
    blocks = graph.batch(np.arange(USERS_N), np.arange(ITEMS_N), 5)
    found = open_session(artefact.model).run(blocks.take(encoder.tensors))["embedding"]
    with torch.no_grad():
        assert found == pytest.approx(encoded(encoder, blocks).numpy(), abs=1e-5)


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


# ------------------------------------------------------------------------ features


def test_encoders_are_chosen_by_the_values():
    found = NodeFeatures.of_values(
        {
            "a": [1, 2.5, None],
            "b": [True, None, False],
            "c": ["x", None, "é"],
            "d": [["x"], [], ["y", "x", "x"]],
            "e": [[1, 2], None, [0.5, 1]],
        }
    )
    chosen = {feature.property: feature.encoder for feature in found.features}
    assert chosen == {"a": "number", "b": "bool", "c": "category", "d": "list", "e": "vector"}
    np.testing.assert_array_equal(
        found.x, np.array([[1, 1, 1, 2], [2.5, np.nan, np.nan, np.nan], [np.nan, 0, 0.5, 1]], np.float32)
    )
    assert found.code.tolist() == [[2, 2, -1, -1], [0, 0, -1, -1], [3, 3, 2, 2]]
    again = NodeFeatures.of_arrays(found.to_arrays())
    assert again.features == found.features
    with pytest.raises(InvalidInput) as caught:
        NodeFeatures.of_values({"a": [1, "x"], "b": [None], "c": [[1.0], [1.0, 2.0]], "d": ["fine"]})
    assert len(caught.value.faults) == 3


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
    manifest = {
        "contract": "padded-blocks/1",
        "model": "graphsage",
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0",
        "dimension": 8,
        "similarity": "cosine",
        "task": {},
        "training": {"graph": {}, "cutoff": None, "seed": 1, "hyperparameters": {}},
        "metrics": [],
        **schema.to_manifest(),
    }
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
