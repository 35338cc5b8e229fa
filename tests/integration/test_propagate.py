"""``gnn.embed.propagate`` on generated graphs, against the rule of ``docs/formats.md`` in dense float64."""

import numpy as np
import pytest
from neo4j.exceptions import Neo4jError

from model_export.item_propagation import build

USERS, ITEMS, DIMENSION, LAYERS = 120, 80, 6, 3
VIA = {"BUY": 1.0, "VIEW": {"weight": 0.25}, "LIKED_BY": {"weight": 0.5, "direction": "in"}}
TASK = {
    "recommend": "Product",
    "to": "Person",
    "key": {"Person": "name", "Product": "sku"},
    "via": VIA,
    "timeProperty": "at",
}
NODE = {"Person": "name", "Product": "sku"}
SCHEMA = {
    "nodes": {label: {"key": key, "properties": []} for label, key in NODE.items()},
    "relations": [
        {"source": "Person", "type": "BUY", "target": "Product", "direction": "out"},
        {"source": "Person", "type": "VIEW", "target": "Product", "direction": "out"},
        {"source": "Person", "type": "LIKED_BY", "target": "Product", "direction": "in"},
    ],
}


def generated(seed: int) -> tuple[np.ndarray, list[list]]:
    """[U, I] reduced weights, and events (user, type, item, at) with repeats; some nodes have none."""
    rng = np.random.default_rng(seed)
    weight = {"BUY": 1.0, "VIEW": 0.25, "LIKED_BY": 0.5}
    matrix, events = np.zeros((USERS, ITEMS)), []
    for at in range(900):
        user, item = int(rng.integers(USERS - 3)), int(ITEMS * rng.random() ** 2)
        kind = rng.choice(list(weight), p=[0.2, 0.6, 0.2])
        events.append([f"p{user}", str(kind), f"s-{item}", at])
        matrix[user, item] = max(matrix[user, item], weight[kind])
    return matrix, events


def dense(matrix: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """e, c of the items and q of the users: the sums over layers as they are written."""
    adjacency = np.block(
        [[np.zeros((ITEMS, ITEMS)), matrix.T], [matrix, np.zeros((USERS, USERS))]]
    )  # items first
    degree = (adjacency > 0).sum(1)
    scale = 1 / np.sqrt(np.maximum(degree, 1))
    layers = [np.vstack([base, np.zeros((USERS, DIMENSION))])]
    for _ in range(LAYERS):
        layers.append((adjacency * np.outer(scale, scale)) @ layers[-1])
    total = sum(layers) / (LAYERS + 1)
    context = np.where(degree > 0, scale, 0)[:, None] * sum(layers[:-1]) / (LAYERS + 1)
    return total[:ITEMS], context[:ITEMS], total[ITEMS:]


@pytest.fixture(scope="module")
def graph(server):
    """The graph in the database, its model loaded as ``market:1`` and projected as ``market``."""
    server.clear()
    matrix, events = generated(seed=11)
    for label, key in NODE.items():
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.{key} IS UNIQUE")
    server.execute("UNWIND range(0, $n - 1) AS i CREATE (:Product {sku: 's-' + i})", n=ITEMS)
    server.execute("UNWIND range(0, $n - 1) AS i CREATE (:Person {name: 'p' + i})", n=USERS)
    server.execute(
        "UNWIND $events AS e MATCH (u:Person {name: e[0]}), (i:Product {sku: e[2]}) "
        "CALL (u, i, e) { WITH * WHERE e[1] = 'LIKED_BY' CREATE (i)-[:LIKED_BY {at: e[3]}]->(u) "
        "UNION WITH * WHERE e[1] <> 'LIKED_BY' CREATE (u)-[:$(e[1]) {at: e[3]}]->(i) }",
        events=events,
    )
    known = np.delete(np.arange(ITEMS), [5, 17])
    base = np.random.default_rng(3).normal(0, 0.5, (ITEMS, DIMENSION)).astype(np.float32)
    base[[5, 17]] = 0
    artefact = build(
        model="lightgcn",
        item_label="Product",
        keys=np.array([*(f"s-{i}" for i in known), "gone"], dtype=object),
        layers=LAYERS,
        exponent=0.5,
        schema=SCHEMA,
        task=TASK,
        gnn4j_version="0.1.0",
        base=np.vstack([base[known], np.ones((1, DIMENSION), np.float32)]),
        created_at="2026-11-21T10:00:00Z",
    )
    load(server, "market", artefact)
    server.execute("CALL gds.graph.project('market', ['Person', 'Product'], ['BUY', 'VIEW', 'LIKED_BY'])")
    return server, matrix, base


def load(server, name: str, artefact) -> None:
    server.execute("CALL gnn.model.load($name, $core)", name=name, core=artefact.core_zip())
    for file, index, piece in artefact.pieces():
        server.execute(
            "CALL gnn.model.addPart($name, 1, $file, $index, $bytes)",
            name=name,
            file=file,
            index=index,
            bytes=bytes(piece),
        )


@pytest.fixture(scope="module")
def propagated(graph):
    server, _, _ = graph
    return server.execute(
        "CALL gnn.embed.propagate('market', {model: 'market', version: 1, concurrency: 4})"
    )[0]


def stored(server, label: str, name: str, count: int) -> np.ndarray:
    key, prefix = NODE[label], {"Person": "p", "Product": "s-"}[label]
    rows = {
        row["key"]: row["vector"]
        for row in server.execute(f"MATCH (n:{label}) RETURN n.{key} AS key, n.{name} AS vector")
    }
    return np.array([rows[f"{prefix}{i}"] for i in range(count)])


def test_counts_say_what_met_and_what_did_not(propagated):
    assert propagated["unmatchedVectors"] == 1  # "gone"
    assert propagated["unmatchedNodes"] == 2
    assert propagated["nodePropertiesWritten"] == 2 * ITEMS + USERS
    assert (propagated["items"], propagated["users"]) == (ITEMS, USERS)
    assert (propagated["skippedMissing"], propagated["skippedChanged"]) == (0, 0)


def test_vectors_on_the_nodes_equal_the_dense_rule(graph, propagated):
    server, matrix, base = graph
    e, c, q = dense(matrix, base)
    assert np.abs(stored(server, "Product", "gnn_market_v1", ITEMS) - e).max() < 1e-6
    assert np.abs(stored(server, "Product", "gnn_market_v1_c", ITEMS) - c).max() < 1e-6
    assert np.abs(stored(server, "Person", "gnn_market_v1", USERS) - q).max() < 1e-5
    assert np.abs(q[: USERS - 3]).max() > 0.05
    assert not q[USERS - 3 :].any()


def test_one_thread_writes_the_same_bits_as_four(graph, propagated):
    server, _, _ = graph
    before = stored(server, "Product", "gnn_market_v1", ITEMS)
    server.execute("CALL gnn.embed.propagate('market', {model: 'market:1', concurrency: 1})")
    assert (stored(server, "Product", "gnn_market_v1", ITEMS) == before).all()


def test_plain_cypher_finds_neighbours_by_the_index(graph, propagated):
    server, matrix, base = graph
    e, _, q = dense(matrix, base)
    found = server.execute(
        "CYPHER 25 MATCH (u:Person {name: 'p0'}) "
        "MATCH (n:Product) SEARCH n IN (VECTOR INDEX gnn_market_v1 FOR u.gnn_market_v1 LIMIT 10) SCORE AS s "
        "RETURN n.sku AS sku"
    )
    cosine = (e @ q[0]) / (np.linalg.norm(e, axis=1) + 1e-30)
    assert {row["sku"] for row in found} == {f"s-{i}" for i in np.argsort(-cosine)[:10]}


def test_an_item_that_finished_vectors_lack_is_one_hop_over_its_users(graph, propagated):
    """By weight: taste is the mean of e over a user's known items, e that of taste over an item's users."""
    server, matrix, _ = graph
    known = np.delete(np.arange(ITEMS), [5, 17])
    e, c = np.random.default_rng(8).normal(size=(2, len(known), DIMENSION)).astype(np.float32)
    artefact = build(
        model="fism",
        item_label="Product",
        keys=np.array([f"s-{i}" for i in known], dtype=object),
        layers=0,
        exponent=0.0,
        schema=SCHEMA,
        task=TASK,
        gnn4j_version="0.1.0",
        e=e,
        c=c,
        created_at="2026-11-21T10:00:00Z",
    )
    load(server, "finished", artefact)
    done = server.execute("CALL gnn.embed.propagate('market', {model: 'finished:1'})")[0]
    assert (done["unmatchedNodes"], done["nodePropertiesWritten"]) == (2, 2 * ITEMS - 2 + USERS)
    mine = matrix[:, known]
    tasted = mine.sum(1) > 0
    taste = (mine[tasted] @ e) / mine[tasted].sum(1)[:, None]
    for item in (5, 17):
        weights = matrix[tasted, item]
        assert weights.sum() > 0
        (row,) = server.execute(
            "MATCH (n:Product {sku: $sku}) RETURN n.gnn_finished_v1 AS e, n.gnn_finished_v1_c AS c",
            sku=f"s-{item}",
        )
        assert row["e"] == pytest.approx((weights @ taste / weights.sum()).tolist(), abs=1e-6)
        assert row["c"] is None
    server.execute("CALL gnn.model.alias('finished', 'finished')")
    rows = server.execute(
        "MATCH (u:Person {name: 'p0'}) "
        "CALL gnn.recommend.stream(u, {model: 'finished', topK: 100, seen: []}) "
        "YIELD node, origin RETURN node.sku AS sku, origin"
    )
    assert len(rows) == ITEMS
    assert {row["sku"]: row["origin"] for row in rows} == {
        f"s-{i}": "cold" if i in (5, 17) else "exact" for i in range(ITEMS)
    }


def test_without_the_projection_it_says_project_again(graph, propagated):
    server, _, _ = graph
    with pytest.raises(Neo4jError, match=r"project again with gds\.graph\.project"):
        server.execute("CALL gnn.embed.propagate('nothing', {model: 'market:1'})")


def test_progress_is_in_the_log_of_the_server(graph, propagated):
    server, _, _ = graph
    if server.home is None:
        pytest.skip("not our server")
    text = (server.home.logs / "neo4j.log").read_text(encoding="utf-8")
    assert "gnn.embed.propagate of market: propagating over 3 layers" in text
    assert "building the vector index gnn_market_v1" in text
