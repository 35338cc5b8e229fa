"""Features: codes in the database, features on a projection; against plain Python and GDS's own streams."""

import math
import unicodedata

import numpy as np
import pytest

from gds_pipelines import features, projection
from gds_pipelines.connection import Connection, Target
from gds_pipelines.errors import InvalidInput
from gds_pipelines.graph_reader import read_graph
from gds_pipelines.interaction_reader import read_keys
from gds_pipelines.task import Task

# é is written in two ways, of which NFC makes one.
GRAPH = """
CREATE (a:User {id: 1, age: 30, member: true}), (b:User {id: 2, member: false}), (c:User {id: 3, age: 50}),
  (x:Item {id: 1, price: 2.5, brand: 'caf\\u00e9', tags: ['new', 'oak'], look: [1.0, 0.0]}),
  (y:Item {id: 2, price: 1.0, brand: 'cafe\\u0301', tags: []}),
  (z:Item {id: 3, brand: 'Zig', tags: ['oak'], look: [0.5, 0.5]}), (w:Item {id: 4}),
  (a)-[:VIEW {at: 10}]->(x), (a)-[:VIEW {at: 30}]->(x), (a)-[:BUY {at: 20}]->(x), (a)-[:VIEW {at: 5}]->(y),
  (b)-[:VIEW {at: 40}]->(x), (b)-[:VIEW]->(z), (c)-[:BUY {at: 50}]->(z), (x)-[:LIKE {n: 1}]->(y)
"""
TASK = {
    "recommend": "Item",
    "to": "User",
    "key": {"User": "id", "Item": "id"},
    "via": {"BUY": 1.0, "VIEW": 0.1},
    "timeProperty": "at",
    "alsoTypes": ["LIKE"],
    "features": {"Item": ["price", "brand", "tags", "look"], "User": ["age", "member"]},
}


@pytest.fixture(scope="module")
def connection(server) -> Connection:
    server.clear()
    server.execute(GRAPH)
    for label in ("User", "Item"):
        server.execute(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE")
    return Connection(server.driver(), Target(server.uri, server.user, server.password, None, "the tests"))


@pytest.fixture
def graph(connection):
    """Name of a projection with all features of the task."""
    encoded = features.encode(connection, Task.from_mapping(TASK))
    with dropped(connection, "featured") as name:
        projection.project(
            connection, Task.from_mapping(TASK), name, properties=features.projected_properties(encoded)
        )
        yield name


class dropped:
    def __init__(self, connection, *names):
        self.connection, self.names = connection, names

    def __enter__(self):
        return self.names[0]

    def __exit__(self, *_):
        for name in self.names:
            projection.drop(self.connection, name)


def stored(connection, label, *names) -> dict:
    rows = connection.execute(f"MATCH (n:{label}) RETURN n.id AS id, n AS node")
    return {row["id"]: tuple(row["node"].get(name) for name in names) for row in rows}


def test_texts_lists_and_truth_values_get_codes_in_the_order_of_bytes(connection):
    encoded = {one.property: one for one in features.encode(connection, Task.from_mapping(TASK))}
    assert {name: one.encoder for name, one in encoded.items()} == {
        "price": "number",
        "brand": "category",
        "tags": "list",
        "look": "vector",
        "age": "number",
        "member": "bool",
    }
    cafe = unicodedata.normalize("NFC", "café")
    assert encoded["brand"].vocabulary == ("Zig", cafe)
    assert encoded["tags"].codes() == {"new": 2, "oak": 3}
    assert stored(connection, "Item", "gnn_code_brand", "gnn_code_tags") == {
        1: (3, [2, 3]),
        2: (3, None),
        3: (2, [3]),
        4: (0, None),
    }
    assert stored(connection, "User", "gnn_code_member") == {1: (1,), 2: (0,), 3: (None,)}


def test_codes_follow_the_values_and_are_not_written_twice(connection, server):
    task = Task.from_mapping(TASK | {"features": {"Item": ["brand", "tags"], "User": ["member"]}})
    features.encode(connection, task)
    with server.driver().session() as session:
        counters = [
            session.run(
                features.query(statement, label=label, property=name, code=f"gnn_code_{name}"),
                codes={"Zig": 2, "café": 3, "new": 2, "oak": 3},
            ).single()["written"]
            for statement, label, name in (
                ("write_category_codes", "Item", "brand"),
                ("write_list_codes", "Item", "tags"),
                ("write_boolean_codes", "User", "member"),
            )
        ]
    assert counters == [0, 0, 0]
    server.execute("MATCH (n:Item {id: 4}) SET n.brand = 'Aa'")
    features.encode(connection, task)
    assert stored(connection, "Item", "gnn_code_brand") == {1: (4,), 2: (4,), 3: (3,), 4: (2,)}
    server.execute("MATCH (n:Item {id: 4}) REMOVE n.brand")
    features.encode(connection, task)
    assert stored(connection, "Item", "gnn_code_brand")[4] == (0,)


def test_features_that_cannot_be_are_named_at_once_and_nothing_is_written(connection, server):
    server.execute("MATCH (n:Item) SET n.mixed = CASE n.id WHEN 1 THEN 1 ELSE 2.5 END, n.odd = date()")
    task = Task.from_mapping(
        TASK | {"features": {"Item": ["prise", "mixed", "odd", "title"], "User": ["member"]}}
    )
    server.execute("MATCH (n:User) REMOVE n.gnn_code_member")
    with pytest.raises(InvalidInput) as refused:
        features.encode(connection, task)
    server.execute("MATCH (n:Item) REMOVE n.mixed, n.odd")
    assert refused.value.faults == [
        "no Item has the property 'prise'. Did you mean 'price'?",
        "Item.mixed is INTEGER in some nodes and FLOAT in others. Do: MATCH (n:`Item`) "
        "WHERE n.`mixed` IS :: INTEGER SET n.`mixed` = toFloat(n.`mixed`)",
        "Item.odd is DATE; a feature is one type: numbers, texts, truth values or lists",
        "no Item has the property 'title'.",
    ]
    assert stored(connection, "User", "gnn_code_member") == {1: (None,), 2: (None,), 3: (None,)}


@pytest.mark.parametrize("way", ["native", "cypher"])
def test_a_projection_has_the_features_weights_and_times_of_plain_cypher(connection, way):
    """A behaviour through a middle node makes GDS project by Cypher; both ways give the same graph."""
    task = TASK | (
        {"via": TASK["via"] | {"GOT": {"weight": 0.7, "through": ["NONE", "NONE"]}}}
        if way == "cypher"
        else {}
    )
    connection.execute("MATCH (a:User {id: 1}) MERGE (a)-[:NONE]->(:Other)")
    task = Task.from_mapping(task)
    encoded = features.encode(connection, task)
    with dropped(connection, "whole") as name:
        projection.project(connection, task, name, properties=features.projected_properties(encoded))
        rows = connection.execute(
            "CALL gds.graph.relationshipProperties.stream($name, ['weight', 'at']) "
            "YIELD sourceNodeId, targetNodeId, relationshipType, relationshipProperty, propertyValue "
            "WITH gds.util.asNode(sourceNodeId).id AS source, gds.util.asNode(targetNodeId).id AS target, "
            "relationshipType AS type, relationshipProperty AS name, propertyValue AS value RETURN *",
            name=name,
        )
        nodes = read_graph(connection, name, relationship_types=[]).nodes
    found = {}
    for row in rows:
        found.setdefault((row["type"], row["source"], row["target"], row["name"]), []).append(row["value"])
    wanted = {}
    weights = {"BUY": 1.0, "VIEW": 0.1, "LIKE": 1.0}
    for row in connection.execute(
        "MATCH (s)-[r:BUY|VIEW|LIKE]->(t) RETURN s.id, type(r) AS type, t.id, r.at"
    ):
        source, kind, target, at = row
        wanted.setdefault((kind, source, target, "weight"), []).append(weights[kind])
        wanted.setdefault((kind, source, target, "at"), []).append(math.nan if at is None else at)
    assert {key: sorted(map(str, map(float, one))) for key, one in found.items()} == {
        key: sorted(map(str, map(float, one))) for key, one in wanted.items()
    }
    # By key: a database that was used before gives ids in another order than that of creation.
    items, users = (
        np.argsort(read_keys(connection, nodes[label].node_ids, label, "id")) for label in ("Item", "User")
    )
    np.testing.assert_array_equal(nodes["Item"].column("price").values[items], [2.5, 1.0, math.nan, math.nan])
    assert nodes["Item"]["gnn_code_brand"][items].tolist() == [3, 3, 2, 0]
    missing = np.iinfo(np.int64).min
    assert nodes["User"].column("age").values[users].tolist() == [30, missing, 50]
    looks = [nodes["Item"].column("look").row(at) for at in items]
    assert [None if look is None else list(look) for look in looks] == [[1, 0], None, [0.5, 0.5], None]


def stream(connection, name, property_) -> dict:
    rows = connection.execute(
        "CALL gds.graph.nodeProperty.stream($name, $property) YIELD nodeId, propertyValue "
        "WITH gds.util.asNode(nodeId) AS node, propertyValue RETURN "
        "labels(node)[0] + node.id AS node, propertyValue",
        name=name,
        property=property_,
    )
    return {row["node"]: row["propertyValue"] for row in rows}


def of_stream(connection, procedure, name, column, **config) -> dict:
    rows = connection.execute(
        f"CALL gds.{procedure}.stream($name, $config) YIELD nodeId, {column} AS value "
        "WITH gds.util.asNode(nodeId) AS node, value RETURN labels(node)[0] + node.id AS node, value",
        name=name,
        config=config,
    )
    return {row["node"]: row["value"] for row in rows}


def test_every_step_adds_what_gds_streams(connection, graph):
    projection.add_undirected(connection, graph, ["VIEW", "BUY"])
    both = ["und_VIEW", "und_BUY"]
    steps = [
        {"procedure": "degree", "relationshipTypes": both},
        {"procedure": "pageRank", "mutateProperty": "rank", "relationshipTypes": both, "dampingFactor": 0.8},
        {"procedure": "fastRP", "embeddingDimension": 8, "randomSeed": 3, "relationshipTypes": both},
        {"procedure": "scaleProperties", "nodeProperties": ["degree", "rank"], "scaler": "minmax"},
        {"procedure": "oneHot", "codes": "gnn_code_brand", "size": 4, "nodeLabels": ["Item"]},
        {
            "procedure": "oneHot",
            "codes": "gnn_code_tags",
            "size": 4,
            "nodeLabels": ["Item"],
            "mutateProperty": "tagged",
        },
    ]
    done = features.compute(connection, graph, steps)
    assert [(one.property, one.nodes) for one in done] == [
        ("degree", 7),
        ("rank", 7),
        ("fastRP", 7),
        ("scaleProperties", 7),
        ("oneHot", 4),
        ("tagged", 4),
    ]
    types = {"relationshipTypes": both}
    assert stream(connection, graph, "degree") == of_stream(connection, "degree", graph, "score", **types)
    rank = of_stream(connection, "pageRank", graph, "score", dampingFactor=0.8, **types)
    assert stream(connection, graph, "rank") == pytest.approx(rank)
    vectors = of_stream(connection, "fastRP", graph, "embedding", embeddingDimension=8, randomSeed=3, **types)
    assert stream(connection, graph, "fastRP") == vectors
    scaled = stream(connection, graph, "scaleProperties")
    degrees = stream(connection, graph, "degree")
    low, high = min(degrees.values()), max(degrees.values())
    assert {node: row[0] for node, row in scaled.items()} == pytest.approx(
        {node: (degree - low) / (high - low) for node, degree in degrees.items()}
    )
    nodes = read_graph(connection, graph, relationship_types=[], node_labels=["Item"]).nodes["Item"]
    items = np.argsort(read_keys(connection, nodes.node_ids, "Item", "id"))
    assert nodes["oneHot"][items].tolist() == [[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]
    assert nodes["tagged"][items].tolist() == [[0, 0, 1, 1], [1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]


def test_undirected_relationships_are_reduced(connection, graph):
    assert projection.add_undirected(connection, graph, ["VIEW"]) == {"und_VIEW": 8}
    features.compute(connection, graph, [{"procedure": "degree", "relationshipTypes": ["und_VIEW"]}])
    # Worked by hand: user 1 sees items 1 and 2, item 1 twice; item 1 is seen by users 1 and 2.
    assert stream(connection, graph, "degree") == {
        "User1": 2,
        "User2": 2,
        "User3": 0,
        "Item1": 2,
        "Item2": 1,
        "Item3": 1,
        "Item4": 0,
    }


def test_what_comes_after_the_cut_is_not_counted(connection, graph):
    with dropped(connection, "early") as name:
        made = projection.keep_before(connection, graph, name, "at", 30)
        before = (
            "MATCH ()-[r:VIEW|BUY|LIKE]->() WHERE NOT coalesce(r.at >= 30, false) RETURN count(r) AS count"
        )
        assert made.relationships == connection.execute(before)[0]["count"]
        features.compute(connection, name, [{"procedure": "degree", "relationshipTypes": ["VIEW", "BUY"]}])
        # Item 1 is seen at 10 and bought at 20, not seen at 30; what has no time stays.
        assert stream(connection, name, "degree") == {
            "User1": 3,
            "User2": 1,
            "User3": 0,
            **{f"Item{at}": 0 for at in (1, 2, 3, 4)},
        }


def test_the_other_way_round_stands_beside(connection):
    task = Task.from_mapping(TASK | {"features": {}})
    with dropped(connection, "turned") as name:
        projection.project(connection, task, name, reverse=True)
        read = read_graph(connection, name, layout="coo")
        there, back = (
            next(table for table in read.relations.values() if table.type == kind)
            for kind in ("VIEW", "rev_VIEW")
        )
    pairs = sorted(zip(there.sources.tolist(), there.targets.tolist(), strict=True))
    assert sorted(zip(back.targets.tolist(), back.sources.tolist(), strict=True)) == pairs


def test_all_faults_of_all_steps_come_at_once_and_nothing_is_computed(connection, graph):
    steps = [
        {"procedure": "degree", "orientation": "BOTH", "nodeLabels": ["Itm"]},
        {"procedure": "pagerank"},
        {"procedure": "fastRP", "relationshipTypes": ["VEIW"], "randomSead": 1},
        {
            "procedure": "scaleProperties",
            "nodeProperties": ["degree", "prize"],
            "scaler": "minmax",
            "nodeLabels": ["Item"],
        },
        {
            "procedure": "oneHot",
            "codes": "gnn_code_brand",
            "size": 0,
            "mutateProperty": "price",
            "nodeLabels": ["Item"],
        },
        "degree",
    ]
    with pytest.raises(InvalidInput) as refused:
        features.compute(connection, graph, steps)
    expected = [
        "step 1 (degree): 'orientation' is 'BOTH', expected one of NATURAL, REVERSE, UNDIRECTED",
        "step 1 (degree): the graph has no label 'Itm'. Did you mean 'Item'?",
        "step 2: unknown procedure 'pagerank'. Did you mean 'pageRank'? Known: ",
        "step 3 (fastRP): unknown key 'randomSead'. Did you mean 'randomSeed'? Allowed: ",
        "step 3 (fastRP): 'embeddingDimension' is needed, a whole number from 1 to 4096",
        "step 3 (fastRP): the graph has no relationship type 'VEIW'. Did you mean 'VIEW'?",
        "step 4 (scaleProperties): Item has no property 'degree' here.",
        "step 4 (scaleProperties): Item has no property 'prize' here. Did you mean 'price'?",
        "step 5 (oneHot): 'size' is 0, expected a whole number from 1 to 4096",
        "step 5 (oneHot): Item has a property 'price' already; name another mutateProperty",
        "step 6: a map is needed, found str",
    ]
    assert len(refused.value.faults) == len(expected)
    for fault, beginning in zip(refused.value.faults, expected, strict=True):
        assert fault.startswith(beginning)
    assert "fastRP" not in read_graph(connection, graph, relationship_types=[]).nodes["Item"].columns


def test_a_graph_that_is_not_there_and_too_few_places_are_said_in_words(connection, graph):
    with pytest.raises(InvalidInput, match=r"there is no graph 'feature'\. Did you mean 'featured'"):
        features.compute(connection, "feature", [])
    with pytest.raises(InvalidInput, match="codes up to 3, so size must be 4 at least"):
        features.compute(
            connection,
            graph,
            [{"procedure": "oneHot", "codes": "gnn_code_brand", "size": 3, "nodeLabels": ["Item"]}],
        )


def test_properties_that_cannot_be_projected_are_named(connection):
    with pytest.raises(InvalidInput) as refused:
        projection.project(
            connection,
            Task.from_mapping(TASK),
            "never",
            properties={"Item": ["brand", "colour"], "Usr": ["age"]},
        )
    assert refused.value.faults == [
        "properties are asked of 'Usr', which the task does not have. Did you mean 'User'?",
        "Item.brand is STRING; GDS takes one type, INTEGER, FLOAT or lists of them. "
        "features.encode turns others into codes",
        "no Item has the property 'colour'",
    ]
