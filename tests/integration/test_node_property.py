"""`gnn.nodeProperty.mutate` and `.write`: values arrive, reused ids are left alone, rights hold."""

import threading

import numpy as np
import pyarrow as pa
import pytest
from neo4j.exceptions import ClientError, Neo4jError

from gds_pipelines import write_back
from gds_pipelines.graph_reader import MissingPlugin, read_graph
from gds_pipelines.write_back import WriteReport, mutate_node_properties, write_node_properties

WRITE = "CALL gnn.nodeProperty.write($label, $config) YIELD nodePropertiesWritten RETURN *"
MUTATE = "CALL gnn.nodeProperty.mutate($graph, $config) YIELD nodeProperty RETURN *"


@pytest.fixture
def items(database):
    """Items 0 to 999 and one stranger; their Neo4j ids in the order of their keys."""
    database.execute("UNWIND range(0, 999) AS n CREATE (:Item {id: n})")
    database.execute("CREATE (:Stranger {id: 5})")
    rows = database.execute("CYPHER 5 MATCH (n:Item) RETURN id(n) AS id ORDER BY n.id")
    return np.array([row["id"] for row in rows])


def arrow(columns):
    batch = pa.RecordBatch.from_pydict(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


@pytest.fixture(params=["plugin", "rows"])
def way(request, monkeypatch):
    """Both ways write the same; the slow one says so."""
    if request.param == "rows":
        monkeypatch.setattr(write_back, "_WRITE", write_back._WRITE.replace("gnn.", "gnn.nothing."))
        monkeypatch.setattr(write_back, "_warned", {"plugin"})
    return request.param


def test_values_of_all_types_are_stored(database, items, way):
    vectors = np.random.default_rng(0).random((1000, 8)).astype(np.float32)
    shuffled = np.random.default_rng(1).permutation(1000)
    report = write_node_properties(
        database.driver(),
        "Item",
        items[shuffled],
        {
            "vector": vectors[shuffled],
            "double": shuffled / 7,
            "whole": shuffled,
            "text": [f"é{n}" for n in shuffled],
            "some": pa.array([None if n % 2 else n for n in shuffled], pa.int64()),
        },
        key="id",
        keys=shuffled,
        batch_size=300,
        concurrency=2,
    )
    assert report.written == 5000
    assert (report.skipped_missing, report.skipped_changed, report.batches_failed) == (0, 0, 0)
    rows = database.execute("MATCH (n:Item) RETURN n ORDER BY n.id")
    for n, row in enumerate(rows):
        node = row["n"]
        assert node["vector"] == vectors[n].tolist()
        assert (node["double"], node["whole"], node["text"]) == (n / 7, n, f"é{n}")
        assert node.get("some") == (None if n % 2 else n)


def test_rows_of_nodes_that_are_gone_or_are_others_now_are_counted_not_written(database, items, way):
    database.execute("MATCH (n:Item {id: 0}) DELETE n")
    database.execute("MATCH (n:Item {id: 1}) SET n.id = 1001")
    database.execute("MATCH (n:Item {id: 2}) REMOVE n:Item SET n:Stranger")
    report = write_node_properties(
        database.driver(), "Item", items, {"x": np.arange(1000)}, key="id", keys=np.arange(1000)
    )
    assert (report.written, report.skipped_missing, report.skipped_changed) == (997, 1, 2)
    rows = database.execute("MATCH (n) WHERE n.x IS NOT NULL RETURN count(n) AS n, min(n.x) AS least")
    assert (rows[0]["n"], rows[0]["least"]) == (997, 3)


def test_float32_takes_half_the_room(database, items):
    write_node_properties(database.driver(), "Item", items[:1], {"v": np.ones((1, 4), np.float32)})
    stored = database.execute("MATCH (n:Item {id: 0}) RETURN valueType(n.v) AS type")[0]["type"]
    assert stored.startswith("LIST<FLOAT"), stored


def test_a_null_removes_the_property(database, items):
    database.execute("MATCH (n:Item {id: 3}) SET n.x = 1")
    write_node_properties(database.driver(), "Item", items[3:4], {"x": pa.nulls(1, pa.int64())})
    assert database.execute("MATCH (n:Item {id: 3}) RETURN n.x AS x")[0]["x"] is None


def test_text_keys_are_compared_too(database):
    database.execute("CREATE (:Item {sku: 'a'}), (:Item {sku: 'b'})")
    ids = database.execute("CYPHER 5 MATCH (n:Item) RETURN collect(id(n)) AS ids, collect(n.sku) AS keys")[0]
    keys = ["a", "z"] if ids["keys"] == ["a", "b"] else ["z", "a"]
    report = write_node_properties(
        database.driver(), "Item", np.array(ids["ids"]), {"x": [1, 2]}, key="sku", keys=keys
    )
    assert (report.written, report.skipped_changed) == (1, 1)


def test_a_killed_write_goes_on_behind_its_journal(database, items, tmp_path, monkeypatch):
    monkeypatch.setattr(write_back, "PIECE_BYTES", 4000)
    journal = tmp_path / "journal"

    class Killed(BaseException):
        pass

    def kill(done, total):
        if done >= 500:
            raise Killed

    values = {"x": np.arange(1000)}
    with pytest.raises(Killed):
        write_node_properties(database.driver(), "Item", items, values, journal=journal, report=kill)
    report = write_node_properties(database.driver(), "Item", items, values, journal=journal)
    assert 500 <= report.rows_resumed < 1000
    assert report.rows_resumed + report.written == 1000
    assert not journal.exists()
    assert database.execute("MATCH (n:Item) WHERE n.x = n.id RETURN count(n) AS n")[0]["n"] == 1000


@pytest.mark.parametrize(
    ("label", "config", "words"),
    [
        (
            "Itm",
            {"arrow": {"nodeId": [1], "x": [1]}},
            "No node of this database has the label `Itm`. Did you mean `Item`?",
        ),
        ("Item", {}, "`arrow` is missing"),
        ("Item", {"arrow": b"nonsense"}, "These bytes are no Arrow IPC stream."),
        ("Item", {"arrow": "text"}, "`arrow` must be BYTES or a list of them, but is STRING text."),
        (
            "Item",
            {"arrow": {"id": [1], "x": [1]}},
            "needs a column `nodeId` int64; found: id int64, x int64.",
        ),
        ("Item", {"arrow": {"nodeId": [1]}}, "has no column with values"),
        ("Item", {"arrow": {"nodeId": [2, 1], "x": [1, 2]}}, "Row 1 has nodeId 1 after 2. Sort the rows"),
        (
            "Item",
            {"arrow": {"nodeId": [1, 1], "x": [1, 2]}},
            "Row 1 has nodeId 1 after 1. Sort the rows by nodeId, each once.",
        ),
        ("Item", {"arrow": {"nodeId": [1], "a b": [1]}}, "'a b' cannot be the name of a property"),
        ("Item", {"arrow": {"nodeId": [1], "x": [1]}, "nodeProperty": "x`"}, "'x`' cannot be the name"),
        (
            "Item",
            {"arrow": {"nodeId": [1], "x": [1], "y": [1]}, "nodeProperty": "z"},
            "has 2 columns with values",
        ),
        (
            "Item",
            {"arrow": {"nodeId": [1], "x": [1], "key": [1]}},
            "name the property that holds it in `key`",
        ),
        ("Item", {"arrow": {"nodeId": [1], "x": [1]}, "key": "id"}, "has no column `key`"),
        (
            "Item",
            {"arrow": {"nodeId": [1], "x": [True]}},
            "Column `x` has a type that is not supported (Bool)",
        ),
        ("Item", {"arow": b"", "batchSize": 0}, "Unknown configuration key `arow`. Did you mean `arrow`?"),
    ],
)
def test_faults_are_told_before_anything_is_written(items, database, label, config, words):
    config = {key: arrow(value) if isinstance(value, dict) else value for key, value in config.items()}
    with pytest.raises(ClientError) as caught:
        database.execute(WRITE, label=label, config=config)
    assert words in caught.value.message


def test_a_call_inside_a_transaction_with_writes_is_refused(database, items):
    config = {"arrow": arrow({"nodeId": items[:1].tolist(), "x": [1]})}
    with database.driver().session() as session, session.begin_transaction() as tx:
        tx.run("CREATE (:Item)").consume()
        with pytest.raises(ClientError, match="this transaction already holds writes"):
            tx.run(WRITE, label="Item", config=config).consume()
        tx.close()


def test_a_batch_that_cannot_be_written_is_counted_and_named(database, items):
    database.execute("CREATE CONSTRAINT unique_x FOR (n:Item) REQUIRE n.x IS UNIQUE")
    values = np.arange(1000)
    values[10] = 11  # both in the first batch: rows are sent by ascending id
    report = write_node_properties(database.driver(), "Item", np.sort(items), {"x": values}, batch_size=100)
    assert (report.batches_committed, report.batches_failed, report.written) == (9, 1, 900)
    assert "rows 0 to 99" in report.first_error
    assert "already exists" in report.first_error
    with pytest.raises(ClientError, match="Nothing was written: rows 0 to 19"):
        write_node_properties(database.driver(), "Item", items[:20], {"x": np.zeros(20, int)})


def test_a_locked_node_is_waited_for_not_lost(database, items):
    driver = database.driver()
    done = []
    with driver.session() as session, session.begin_transaction() as tx:
        tx.run("MATCH (n:Item {id: 7}) SET n.locked = true").consume()
        writer = threading.Thread(
            target=lambda: done.append(write_node_properties(driver, "Item", items, {"x": np.arange(1000)}))
        )
        writer.start()
        writer.join(1)
        assert writer.is_alive()
        tx.commit()
    writer.join(300)
    assert done == [WriteReport(written=1000, batches_committed=1)]


def test_writing_happens_with_the_rights_of_the_caller(database, items):
    """Community knows no roles: that another user's own threads may write is all there is to see."""
    with database.second_user("bob") as bob:
        report = write_node_properties(bob, "Item", items[:10], {"x": np.arange(10)})
        assert report.written == 10


def test_mutated_properties_are_read_by_gds_and_by_us(database, items):
    driver = database.driver()
    database.execute("CALL gds.graph.project('g', ['Item', 'Stranger'], '*') YIELD nodeCount RETURN 1")
    vectors = np.random.default_rng(0).random((1000, 8)).astype(np.float32)
    ids = np.append(items, 10**9)
    done = mutate_node_properties(
        driver,
        "g",
        ids,
        {"vector": np.vstack([vectors, vectors[:1]]), "group": np.arange(1001) % 10},
        node_labels=["Item"],
    )
    assert done == {"vector": (1000, 1), "group": (1000, 1)}
    row_of = {node_id: row for row, node_id in enumerate(items)}
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = database.execute(
        "CALL gds.knn.stream('g', {nodeLabels: ['Item'], nodeProperties: ['vector'], topK: 1, "
        "concurrency: 1, randomSeed: 1}) YIELD node1, node2, similarity RETURN node1, node2, similarity"
    )
    assert len(pairs) == 1000
    for first, second, similarity in pairs:
        cosine = unit[row_of[first]] @ unit[row_of[second]]
        assert similarity == pytest.approx((1 + cosine) / 2, abs=1e-5)
    communities = database.execute(
        "CALL gds.labelPropagation.stats('g', {nodeLabels: ['Item'], seedProperty: 'group'}) "
        "YIELD communityCount RETURN communityCount"
    )
    assert communities[0]["communityCount"] == 10
    graph = read_graph(driver, "g")
    at = graph.nodes["Item"].index_of(items)  # Neo4j gave ids of deleted nodes again: they do not ascend
    np.testing.assert_array_equal(graph.nodes["Item"]["vector"][at], vectors)
    assert list(graph.nodes["Stranger"].columns) == []
    with pytest.raises(ClientError, match="has a node property `group` already"):
        mutate_node_properties(driver, "g", ids, {"group": np.zeros(1001)})
    with pytest.raises(ClientError, match="double cannot be merged into it"):
        mutate_node_properties(driver, "g", ids, {"group": np.zeros(1001)}, if_exists="merge")
    mutate_node_properties(driver, "g", items[:1], {"group": np.array([77])}, if_exists="merge")
    assert read_graph(driver, "g").nodes["Item"]["group"][at[:3]].tolist() == [77, 1, 2]
    mutate_node_properties(driver, "g", items[:1], {"group": np.array([0.5])}, if_exists="replace")
    replaced = read_graph(driver, "g").nodes["Item"].column("group")
    assert (replaced.values[at[0]], int(replaced.missing.sum())) == (0.5, 999)


def test_nobody_mutates_the_graph_of_another(database, items):
    database.execute("CALL gds.graph.project('g', 'Item', '*') YIELD nodeCount RETURN 1")
    config = {"arrow": arrow({"nodeId": items[:1].tolist(), "x": [1]})}
    with database.second_user("bob") as bob, pytest.raises(Neo4jError, match="does not exist"):
        bob.execute_query(MUTATE, graph="g", config=config)
    with pytest.raises(Neo4jError, match="a projection holds numbers"):
        database.execute(MUTATE, graph="g", config={"arrow": arrow({"nodeId": [1], "x": ["a"]})})


def test_without_the_plugin_a_warning_says_so_once(database, items, monkeypatch):
    monkeypatch.setattr(write_back, "_WRITE", write_back._WRITE.replace("gnn.", "gnn.nothing."))
    monkeypatch.setattr(write_back, "_warned", set())
    with pytest.warns(MissingPlugin, match="row by row"):
        write_node_properties(database.driver(), "Item", items[:3], {"x": np.arange(3)})
    write_node_properties(database.driver(), "Item", items[:3], {"x": np.arange(3)})
