"""``gnn.embed.*`` by shipped encoders, against ONNX Runtime in Python over the exact twin of the sampler.

Three layers, two labels, features of every kind with missing values, isolated nodes and a relation without
relationships. The tests of the plugin hold the numbers worked by hand; here it is sizes and the way round.
"""

import random
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import neo4j
import numpy as np
import pytest
from neo4j.exceptions import Neo4jError

from gds_pipelines.connection import Connection, Target
from gds_pipelines.deploy import deploy
from gds_pipelines.sampling.twin import Graph, Neighbour, Plan, Twin
from gds_pipelines.sampling.twin import Relation as TwinRelation
from model_export import Artefact, open_session, read
from model_export.block_schema import BlockSchema
from model_export.feature_encoders import encode_type
from model_export.padded_blocks import Drawn, build

ITEMS, USERS, BUYS, SIMILARS = 1_100, 150, 2_400, 800
KINDS = ("graphsage", "gat", "hgt")
WORDS = ("book", "film", "game", "é", "日本")
GOLDEN = Path(__file__).parents[1] / "golden" / "block_encoders"
ARTEFACTS = {kind: read(GOLDEN / f"{kind}.zip") for kind in KINDS}
SCHEMA = BlockSchema.of(ARTEFACTS["gat"].manifest)


class IndexedGraph(Graph):
    """The twin's graph, its lists looked up instead of searched for."""

    def neighbours(self, relation: TwinRelation, receiver: int) -> list[Neighbour]:
        found = self._lists.get((relation.type, relation.direction, receiver), ())
        return [Neighbour(sender, {}) for sender in sorted(found)]

    @cached_property
    def _lists(self) -> dict:
        lists: dict[tuple, set[int]] = {}
        for name, source, target, _ in self.relationships:
            lists.setdefault((name, "out", target), set()).add(source)
            lists.setdefault((name, "in", source), set()).add(target)
        return lists


@dataclass
class World:
    """The graph in the database as ``world``, and in Python by ascending Neo4j id."""

    server: object
    ids: dict[str, list[int]]
    properties: dict[str, list[dict]]
    graph: IndexedGraph

    def expected(self, artefact: Artefact, label: str, rows: np.ndarray) -> np.ndarray:
        """Vectors by ONNX Runtime in Python, of nodes by index."""
        plan = Plan(
            ("Item", "User"),
            tuple(
                TwinRelation(r.source, r.type, r.target, r.direction, fan_out)
                for r, fan_out in zip(SCHEMA.relations, SCHEMA.fanouts, strict=True)
            ),
            random_seed=SCHEMA.random_seed,
        )
        twin, index = Twin(self.graph, plan), {n: i for ids in self.ids.values() for i, n in enumerate(ids)}

        def draw(relation: int, hop: int, receivers: np.ndarray) -> Drawn:
            ids = self.ids[SCHEMA.relations[relation].target]
            senders = np.full((len(receivers), SCHEMA.fanouts[relation][hop - 1]), -1)
            degrees = np.zeros(len(receivers))
            for row, receiver in enumerate(receivers):
                chosen, degrees[row] = twin.draw(relation, ids[receiver], hop, None)
                senders[row, : len(chosen)] = [index[one.sender] for one in chosen]
            return Drawn(senders, degrees)

        def features(number: int, indices: np.ndarray):
            node = SCHEMA.types[number]
            mine = [self.properties[node.label][i] for i in indices]
            columns = {f.property: [one.get(f.property) for one in mine] for f in node.features}
            return encode_type(node, columns, len(mine))

        blocks = build(SCHEMA, {SCHEMA.numbers[label]: rows}, draw, features)
        names = [entry["name"] for entry in artefact.manifest["signature"]["inputs"]]
        return open_session(artefact.files["model.onnx"]).run(blocks.take(names))["embedding"]


@pytest.fixture(scope="module")
def world(server):
    server.clear()
    for label in ("Item", "User"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    server.execute("CALL db.createRelationshipType('FOLLOWS')")
    chance = random.Random(3)
    properties = {"Item": [], "User": []}
    for key in range(ITEMS):
        one = {
            "id": key,
            "price": chance.choice([chance.randrange(50), chance.random() * 10]),
            "kind": chance.choice(WORDS),
            "tags": chance.sample([*WORDS, "x", "e\u0301"], chance.randrange(5)),
            "taste": [chance.gauss(0, 1) for _ in range(4)],
        }
        properties["Item"].append({k: v for k, v in one.items() if k == "id" or chance.random() < 0.9})
    for key in range(USERS):
        one = {"id": key, "age": chance.randrange(18, 90), "member": chance.random() < 0.5}
        properties["User"].append({k: v for k, v in one.items() if k == "id" or chance.random() < 0.8})
    # A tenth of the nodes stays alone; some items are bought by nearly everybody.
    items, users = range(ITEMS * 9 // 10), range(USERS * 9 // 10)
    events = [
        ("BUY", chance.choice(users), chance.choice(items[: chance.choice((20, ITEMS))])) for _ in range(BUYS)
    ]
    events += [("SIMILAR", chance.choice(items), chance.choice(items)) for _ in range(SIMILARS)]
    for label, rows in properties.items():
        server.execute(f"UNWIND $rows AS row CREATE (n:{label}) SET n = row", rows=rows)
    server.execute(
        "UNWIND $rows AS row MATCH (b:Item {id: row[2]}) "
        "CALL (row, b) { WITH row, b WHERE row[0] = 'BUY' MATCH (a:User {id: row[1]}) CREATE (a)-[:BUY]->(b) "
        "UNION WITH row, b WHERE row[0] <> 'BUY' MATCH (a:Item {id: row[1]}) CREATE (a)-[:SIMILAR]->(b) }",
        rows=events,
    )
    server.execute("CALL gds.graph.project('world', ['Item', 'User'], ['BUY', 'SIMILAR', 'FOLLOWS'])")
    by_key = {
        (row["label"], row["key"]): row["id"]
        for row in server.execute("MATCH (n) RETURN labels(n)[0] AS label, n.id AS key, id(n) AS id")
    }
    ends = {"BUY": "User", "SIMILAR": "Item"}
    relationships = [(t, by_key[ends[t], a], by_key["Item", b], {}) for t, a, b in events]
    order = {
        label: sorted(rows, key=lambda one: by_key[label, one["id"]]) for label, rows in properties.items()
    }
    ids = {label: [by_key[label, one["id"]] for one in rows] for label, rows in order.items()}
    yield World(server, ids, order, IndexedGraph(ids, relationships))
    server.clear()


@pytest.fixture(scope="module")
def artefacts(world):
    for kind, artefact in ARTEFACTS.items():
        world.server.execute("CALL gnn.model.load($name, $core)", name=kind, core=artefact.core_zip())
    return ARTEFACTS


def streamed(world, kind: str, **config) -> dict[int, list[float]]:
    rows = world.server.execute(
        "CALL gnn.embed.stream('world', $config)", config={"model": f"{kind}:1", **config}
    )
    return {row["nodeId"]: row["embedding"] for row in rows}


@pytest.mark.parametrize("kind", KINDS)
def test_the_database_gives_what_python_gives_in_batches_of_1_64_and_1024(world, artefacts, kind):
    expected = {}
    for label, ids in world.ids.items():
        vectors = world.expected(artefacts[kind], label, np.arange(len(ids)))
        expected |= dict(zip(ids, vectors, strict=True))
    for size in (1, 64, 1024):
        found = streamed(world, kind, batchSize=size, concurrency=2)
        assert found.keys() == expected.keys()
        worst = max(np.abs(np.array(found[node]) - expected[node]).max() for node in expected)
        assert worst < 1e-5, size
    assert np.std(list(expected.values()), axis=0).min() > 1e-3  # nodes are told apart


def test_the_live_store_gives_what_the_projection_gives(world, artefacts):
    world.server.execute("CALL gnn.embed.propagate('world', {model: 'gat:1'})")
    projected = streamed(world, "gat")
    rows = world.server.execute(
        "MATCH (n:Item|User) WITH collect(n) AS nodes CALL gnn.embed.nodes(nodes, {model: 'gat:1'}) "
        "YIELD node, embedding RETURN id(node) AS id, embedding"
    )
    assert {row["id"] for row in rows} == projected.keys()
    assert max(np.abs(np.array(row["embedding"]) - projected[row["id"]]).max() for row in rows) < 1e-6


def test_gds_reads_what_was_mutated(world, artefacts):
    done = world.server.execute(
        "CALL gnn.embed.mutate('world', {model: 'graphsage:1', mutateProperty: 'e', nodeLabels: ['Item']})"
    )[0]
    assert done["nodePropertiesWritten"] == ITEMS
    world.server.execute(
        "CALL gds.knn.mutate('world', {nodeLabels: ['Item'], nodeProperties: ['e'], topK: 5, concurrency: 1, "
        "sampleRate: 1.0, deltaThreshold: 0.0, randomSeed: 1, mutateRelationshipType: 'NEAR', "
        "mutateProperty: 'score'}) YIELD relationshipsWritten RETURN 1"
    )
    found = streamed(world, "graphsage", nodeLabels="Item")
    vectors = np.array([found[node] for node in world.ids["Item"]])
    place = {node: row for row, node in enumerate(world.ids["Item"])}
    near = world.server.execute(
        "CALL gds.graph.relationshipProperty.stream('world', 'score', ['NEAR']) "
        "YIELD sourceNodeId AS a, targetNodeId AS b, propertyValue AS score"
    )
    cosines = [vectors[place[row["a"]]] @ vectors[place[row["b"]]] for row in near]
    # GDS moves the cosine from [-1, 1] to [0, 1].
    np.testing.assert_allclose([row["score"] for row in near], [(1 + c) / 2 for c in cosines], atol=1e-5)
    communities = world.server.execute(
        "CALL gds.louvain.stats('world', {nodeLabels: ['Item'], relationshipTypes: ['NEAR'], "
        "relationshipWeightProperty: 'score'}) YIELD communityCount RETURN communityCount"
    )[0]["communityCount"]
    assert 1 < communities < ITEMS / 5


def test_another_user_sees_neither_the_graph_nor_its_vectors(world, artefacts):
    with world.server.second_user() as bob:
        for call in ("stream", "stats", "stream.estimate"):
            with pytest.raises(Neo4jError, match=r"gds\.graph\.project"):
                bob.execute_query(f"CALL gnn.embed.{call}('world', {{model: 'gat:1'}})")


def test_a_terminated_query_ends_and_the_next_one_answers(world, artefacts):
    with world.server.driver().session(fetch_size=1) as session:
        result = session.run("CALL gnn.embed.stream('world', {model: 'graphsage:1', batchSize: 1})")
        next(iter(result))
        running = world.server.execute(
            "SHOW TRANSACTIONS YIELD transactionId AS id, currentQuery AS query "
            "WHERE query STARTS WITH 'CALL gnn.embed.stream' RETURN id"
        )
        world.server.execute("TERMINATE TRANSACTION $id", id=running[0]["id"])
        with pytest.raises(neo4j.exceptions.Neo4jError):
            list(result)
    assert len(streamed(world, "graphsage", nodeLabels="User")) == USERS


def test_a_deployed_encoder_recommends_by_the_live_vector_of_the_user(world, artefacts):
    server = world.server
    connection = Connection(server.driver(), Target(server.uri, server.user, server.password, None, "test"))
    # A task names types that are in use.
    server.execute("MATCH (a:User {id: 0}), (b:User {id: 1}) CREATE (a)-[:FOLLOWS]->(b)")
    report = deploy(connection, artefacts["graphsage"], name="graphsage", alias="main")
    assert (report.model, report.written) == ("graphsage:1", ITEMS + USERS)
    server.execute("CREATE (u:User {id: 9999, age: 30}) WITH u MATCH (i:Item {id: 5}) CREATE (u)-[:BUY]->(i)")
    rows = server.execute(
        "MATCH (u:User {id: 9999}) CALL gnn.embed.nodes(u, {model: 'main'}) YIELD embedding "
        "CALL gnn.recommend.stream(u, {topK: 20, model: 'main'}) YIELD node, rank, score, origin "
        "RETURN embedding, node.id AS id, score, origin ORDER BY rank"
    )
    vectors = server.execute("MATCH (i:Item) RETURN i.id AS id, i.gnn_graphsage_v1 AS e")
    matrix = np.array([row["e"] for row in vectors], np.float32)
    cosine = matrix @ np.array(rows[0]["embedding"], np.float32)
    ranked = [vectors[i]["id"] for i in np.argsort(-cosine) if vectors[i]["id"] != 5][:20]
    assert {row["origin"] for row in rows} == {"exact"}
    assert [row["id"] for row in rows[:5]] == ranked[:5]
    np.testing.assert_allclose(
        [row["score"] for row in rows],
        np.sort(np.delete(cosine, [i for i, row in enumerate(vectors) if row["id"] == 5]))[::-1][:20],
        atol=1e-5,
    )
    server.execute("MATCH (u:User {id: 9999}) DETACH DELETE u")
