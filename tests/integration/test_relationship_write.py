"""`gnn.relationship.write` and its slow twin: one relationship a pair, however often the rows are sent."""

import threading

import numpy as np
import pytest
from neo4j.exceptions import ClientError

from gds_pipelines import write_back
from gds_pipelines.write_back import write_relationships

PAIRS = "MATCH (a)-[r:LIKES]->(b) RETURN a.id AS a, b.id AS b, r.rank AS rank, r.note AS note ORDER BY a, b"


@pytest.fixture
def ids(database):
    """Neo4j ids of users 0 to 49 and of items 0 to 19, by their keys."""
    database.execute("UNWIND range(0, 49) AS n CREATE (:User {id: n})")
    database.execute("UNWIND range(0, 19) AS n CREATE (:Item {id: n})")
    found = database.execute("CYPHER 5 MATCH (n) RETURN labels(n)[0] AS label, id(n) AS id ORDER BY n.id")
    return {
        label: np.array([row["id"] for row in found if row["label"] == label]) for label in ("User", "Item")
    }


@pytest.fixture(params=["plugin", "rows"])
def way(request, monkeypatch):
    if request.param == "rows":
        query = write_back._WRITE_RELATIONSHIPS.replace("gnn.", "gnn.nothing.")
        monkeypatch.setattr(write_back, "_WRITE_RELATIONSHIPS", query)
        monkeypatch.setattr(write_back, "_warned", {"plugin"})


def test_rows_sent_twice_make_one_relationship_a_pair(database, ids, way):
    users, items = np.divmod(np.random.default_rng(0).permutation(1000), 20)

    def write(rank):
        return write_relationships(
            database.driver(),
            "LIKES",
            ids["User"][users],
            ids["Item"][items],
            {"rank": np.full(1000, rank), "note": [f"{u}-{i}" for u, i in zip(users, items, strict=True)]},
            source_label="User",
            target_label="Item",
            source_key="id",
            source_keys=users,
            target_key="id",
            target_keys=items,
            batch_size=130,
            concurrency=2,
        )

    first, second = write(1), write(2)
    assert (first.created, first.written, first.batches_failed) == (1000, 2000, 0)
    assert (second.created, second.written) == (0, 2000)
    rows = [tuple(row.values()) for row in database.execute(PAIRS)]
    assert rows == [(u, i, 2, f"{u}-{i}") for u in range(50) for i in range(20)]


def test_ends_that_are_gone_or_others_now_are_counted(database, ids, way):
    database.execute("MATCH (n:User {id: 0}) DELETE n")
    database.execute("MATCH (n:Item {id: 1}) SET n.id = 99")
    database.execute("MATCH (n:User {id: 2}) REMOVE n:User")
    report = write_relationships(
        database.driver(),
        "LIKES",
        ids["User"][:4],
        ids["Item"][:4],
        source_label="User",
        target_key="id",
        target_keys=np.arange(4),
    )
    assert (report.created, report.written, report.skipped_missing, report.skipped_changed) == (1, 0, 1, 2)
    assert [(row["a"], row["b"]) for row in database.execute(PAIRS)] == [(3, 3)]


def test_two_writers_make_no_pair_twice(database, ids):
    sources, targets = np.repeat(ids["User"], 20), np.tile(ids["Item"], 50)
    reports = []

    def write():
        reports.append(write_relationships(database.driver(), "LIKES", sources, targets, batch_size=50))

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sum(report.created for report in reports) == 1000
    assert len(database.execute(PAIRS)) == 1000


@pytest.mark.parametrize(
    ("type_", "options", "words"),
    [
        ("LIKES`", {}, "'LIKES`' cannot be a relationship type"),
        ("LIKES", {"batch_size": 0}, "`batchSize` must lie in"),
        ("LIKES", {"concurrency": 5}, "`concurrency` must lie in [1, 4], but is 5."),
    ],
)
def test_faults_are_told_before_anything_is_written(database, ids, type_, options, words):
    with pytest.raises(ClientError) as caught:
        write_relationships(database.driver(), type_, ids["User"][:1], ids["Item"][:1], **options)
    assert words in caught.value.message
    assert database.execute("MATCH ()-[r]->() RETURN count(r) AS n")[0]["n"] == 0
