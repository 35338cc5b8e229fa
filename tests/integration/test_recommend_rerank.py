"""The second stage: small pair/1 and sequence/1 networks, deployed, against the same algebra in numpy."""

from collections import Counter
from itertools import pairwise

import numpy as np
import onnx.parser
import onnxruntime
import pytest
import served_model
from neo4j.exceptions import ClientError

from gds_pipelines.connection import connect
from gds_pipelines.deploy import deploy
from model_export import golden, ordering
from model_export.artefact import assemble
from model_export.origin import untold
from model_export.signature import ORDERING
from model_export.vectors import encode, of_one_type, of_two_types

pytestmark = pytest.mark.server
USERS, ITEMS, DIMENSION, HISTORY = 8, 30, 3, 4
HOUR = 3_600_000
WITHOUT = {7, 19}  # items that the second stage has no vector for


PAIR = """
pair (float[B, 3] source, float[B, C, 3] candidate, float[B, 3] context) => (float[B, C] score) {
  half = Constant <value = float {0.5}> ()
  last = Constant <value = int64[1] {2}> ()
  looked = Mul (context, half)
  query = Add (source, looked)
  column = Unsqueeze (query, last)
  product = MatMul (candidate, column)
  score = Squeeze (product, last)
}"""
SEQUENCE = """
sequence (float[B, L, 3] history, float[B, L] mask, float[B, L] gap) => (float[B, 3] query) {
  one = Constant <value = float {1.0}> ()
  middle = Constant <value = int64[1] {1}> ()
  age = Add (gap, one)
  weight = Div (mask, age)
  row = Unsqueeze (weight, middle)
  sum = MatMul (row, history)
  query = Squeeze (sum, middle)
}"""


@pytest.fixture(scope="module")
def shop(server):
    served_model.fill(
        server,
        ITEMS,
        USERS,
        "MATCH (u:User), (i:Item) WHERE (u.id * 5 + i.id * 3) % 7 = 0 AND i.id <= 20 "
        "CREATE (u)-[:BUY {at: ((i.id * 11 + u.id) % 17) * $hour * i.id}]->(i)",
        hour=HOUR,
    )
    rng = np.random.default_rng(8)
    served_model.serve(server, "first", list(range(1, ITEMS + 1)), *rng.normal(size=(2, ITEMS, 2)))
    item_keys = np.array([n for n in range(1, ITEMS + 1) if n not in WITHOUT])
    items = of_one_type("Item", item_keys, rng.normal(size=(len(item_keys), DIMENSION)).astype(np.float32))
    user_keys = np.arange(1, 5)  # the others are met for the first time
    users = of_one_type("User", user_keys, rng.normal(size=(4, DIMENSION)).astype(np.float32))
    with connect(server.uri, server.user, server.password) as connection:
        for name, network, vectors in (
            ("pair", PAIR, of_two_types(items, users)),
            ("sequence", SEQUENCE, items),
        ):
            deploy(connection, artefact(name, network, vectors), name=name)
    yield (
        server,
        {
            "Item": dict(zip(item_keys.tolist(), items.vector.astype(float), strict=True)),
            "User": dict(zip(user_keys.tolist(), users.vector.astype(float), strict=True)),
        },
    )
    server.clear()


def artefact(name, network, vectors, cutoff=None):
    manifest = {
        "contract": f"{name}/1",
        "model": name,
        "createdAt": "2026-01-01T00:00:00Z",
        "gnn4jVersion": "0.1.0",
        "dimension": DIMENSION,
        "signature": ORDERING[f"{name}/1"](DIMENSION),
        "similarity": "dot",
        "schema": {
            "nodes": {label: {"key": "id", "properties": []} for label in ("Item", "User")},
            "relations": [],
        },
        "task": {**served_model.TASK, "via": {"BUY": 1.0}},
        "serving": {"history": HISTORY},
        "training": untold({}) | {"cutoff": cutoff},
        "metrics": [],
    }
    model = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {network}').SerializeToString()
    inputs = ordering.examples(f"{name}/1", DIMENSION)[0]
    outputs = dict(zip(["score" if name == "pair" else "query"], run(model, inputs), strict=True))
    files = {"model.onnx": model, "vectors.arrow": encode(vectors)}
    return assemble({**manifest, "golden": golden.sample(inputs, outputs)}, files)


def run(model, inputs):
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, inputs)


def newest(server, user):
    """(item, at) of the user's history, newest first, then by smaller Neo4j id."""
    return [
        tuple(record.values())
        for record in server.execute(
            "MATCH (:User {id: $user})-[r:BUY]->(i) RETURN i.id, r.at ORDER BY r.at DESC, id(i)",
            user=user,
        )
    ]


def expected_pair(vectors, user, history, context=()):
    own = vectors["User"].get(user)
    if own is None:
        read = [vectors["Item"][item] for item, _ in history[:HISTORY] if item in vectors["Item"]]
        own = np.mean(read, axis=0)
    looked = np.mean([vectors["Item"][item] for item in context], axis=0) if context else np.zeros(DIMENSION)
    return {item: float((own + 0.5 * looked) @ vector) for item, vector in vectors["Item"].items()}


def expected_sequence(vectors, history):
    read = [(item, at) for item, at in history if item in vectors["Item"]][:HISTORY][::-1]
    gaps = [0.0] + [np.log1p((late - early) / HOUR) for (_, early), (_, late) in pairwise(read)]
    query = sum(vectors["Item"][item] / (1 + gap) for (item, _), gap in zip(read, gaps, strict=True))
    return {item: float(query @ vector) for item, vector in vectors["Item"].items()}


def lists(server, user, config):
    return [
        tuple(record.values())
        for record in server.execute(
            "MATCH (u:User {id: $user}) CALL gnn.recommend.stream(u, $config) "
            "YIELD node, score, scores, origin RETURN node.id, score, scores, origin",
            user=user,
            config={"model": "first", "topK": ITEMS, **config},
        )
    ]


@pytest.mark.parametrize("name", ["pair", "sequence"])
def test_the_best_are_ordered_by_the_network_and_the_rest_follows(shop, name):
    server, vectors = shop
    for user in range(1, USERS + 1):
        history = newest(server, user)
        wanted = (
            expected_pair(vectors, user, history) if name == "pair" else expected_sequence(vectors, history)
        )
        first = lists(server, user, {})
        found = lists(server, user, {"rerank": {"model": name, "topN": 12}})
        seen = [row[0] for row in first[:12]]
        scored = [row for row in found if row[3] == "rerank"]
        assert {row[0]: row[1] for row in scored} == pytest.approx(
            {item: wanted[item] for item in seen if item not in WITHOUT}, abs=1e-5
        )
        assert [row[1] for row in scored] == sorted((row[1] for row in scored), reverse=True)
        assert all(row[2]["rerank"] == row[1] and "vector" in row[2] for row in scored)
        behind = [row for row in first[:12] if row[0] in WITHOUT] + first[12:]
        assert found == scored + behind


def test_a_visitor_with_a_context_is_ordered_by_both(shop):
    server, vectors = shop
    rows = server.execute(
        "MATCH (h:Item) WHERE h.id IN [1, 2] WITH collect(h) AS history MATCH (c:Item {id: 9}) "
        "CALL gnn.recommend.stream(null, {model: 'first', history: history, context: [c], topK: 5, "
        "rerank: {model: 'pair', topN: 100}}) YIELD node, score RETURN node.id AS item, score"
    )
    read = [(item, 0) for item in (1, 2, 9)]  # what is looked at now is history, too
    wanted = expected_pair(vectors, None, read, context=[9])
    best = sorted((item for item in wanted if item not in (1, 2, 9)), key=lambda item: -wanted[item])[:5]
    assert [row["item"] for row in rows] == best
    assert [row["score"] for row in rows] == pytest.approx([wanted[item] for item in best], abs=1e-5)


def test_a_sequence_model_answers_by_itself(shop):
    server, vectors = shop
    wanted = expected_sequence(vectors, newest(server, 3))
    found = [row for row in lists(server, 3, {"model": "sequence"}) if row[3] == "exact"]
    assert {row[0]: row[1] for row in found} == pytest.approx(
        {item: score for item, score in wanted.items() if item not in dict(newest(server, 3))}, abs=1e-5
    )


def test_diversity_orders_what_the_second_stage_has_scored(shop):
    server, _ = shop
    config = {"rerank": {"model": "pair", "topN": 12}, "diversity": {"weight": 0.5}, "topK": 6}
    rows = lists(server, 2, config)
    assert all(row[3] == "rerank" and "diversity" in row[2] for row in rows)
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"rerank": {"model": "first"}},
            "has the contract item-propagation/1, but a second stage is pair/1 or",
        ),
        ({"rerank": {}}, "`rerank.model` is missing"),
        ({"rerank": {"model": "piar"}}, "Unknown model 'piar'. Did you mean `pair`"),
        ({"model": "pair"}, "which orders what another model found"),
    ],
)
def test_a_wrong_second_stage_gets_one_sentence(shop, config, message):
    with pytest.raises(ClientError, match=message):
        lists(shop[0], 1, config)


def test_a_sequence_model_is_evaluated_by_what_happened_before(shop):
    server, vectors = shop
    cut, k = 60 * HOUR, 5
    item_keys = np.array(sorted(vectors["Item"]))
    table = np.array([vectors["Item"][key] for key in item_keys.tolist()], np.float32)
    with connect(server.uri, server.user, server.password) as connection:
        made = artefact("sequence", SEQUENCE, of_one_type("Item", item_keys, table), cutoff=cut)
        deploy(connection, made, name="before")
    server.execute(
        "CALL gds.graph.project('held', ['User', 'Item'], {BUY: {properties: 'at'}}) YIELD nodeCount FINISH"
    )
    (row,) = server.execute(
        "CALL gnn.evaluate.stream('held', {model: 'before', methods: ['vector'], metrics: ['recall'], k: $k, "
        "truth: {after: $cut}}) YIELD value, users RETURN value, users",
        cut=cut,
        k=k,
    )
    events = {user: newest(server, user) for user in range(1, USERS + 1)}
    place = [record["id"] for record in server.execute("MATCH (i:Item) RETURN i.id AS id ORDER BY id(i)")]
    users_of = Counter(item for history in events.values() for item, at in history if at < cut)
    recalls = []
    for history in events.values():
        known, truth = ([pair for pair in history if (pair[1] >= cut) == late] for late in (False, True))
        if truth:
            scores = expected_sequence(vectors, known) if known else users_of
            unseen = set(scores if known else place) - {item for item, _ in known}
            best = sorted(unseen, key=lambda item: (-scores[item], place.index(item)))[:k]
            recalls.append(len(set(best) & {item for item, _ in truth}) / len(truth))
    assert len(recalls) > USERS / 2
    assert (row["users"], row["value"]) == (len(recalls), pytest.approx(np.mean(recalls), abs=1e-9))
    assert row["value"] > 0
    server.execute("CALL gds.graph.drop('held') YIELD graphName FINISH")
