"""Ingestion into a real Neo4j: what arrives, that it can be repeated, and what is refused before any
write.
"""

import collections
import json
import threading

import neo4j
import pyarrow as pa
import pytest
from neo4j.exceptions import ServiceUnavailable
from typer.testing import CliRunner

from gds_pipelines import cli, datasets, ingest
from gds_pipelines.connection import Connection, Target
from gds_pipelines.errors import InvalidInput
from gds_pipelines.ingest import mapping, writing
from gds_pipelines.queries import query

SIZE = datasets.ShopSize(users=60, items=40, categories=4, events=3_000)
TABLES = {name: [table] for name, table in datasets.generate_shop(SIZE).items()}
SHOP = mapping.shipped("shop")


@pytest.fixture
def connection(database) -> Connection:
    return Connection(
        database.driver(), Target(database.uri, database.user, database.password, None, "the test")
    )


def counts(server) -> dict[str, int]:
    nodes = server.execute("MATCH (n) RETURN labels(n)[0] AS name, count(*) AS count")
    relationships = server.execute("MATCH ()-[r]->() RETURN type(r) AS name, count(*) AS count")
    return {row["name"]: row["count"] for row in [*nodes, *relationships]}


def fingerprint(server) -> set:
    """Every node and relationship with its id, so that one that was deleted and made again is seen as
    well.
    """
    nodes = server.execute("MATCH (n) RETURN elementId(n) AS id, properties(n) AS values")
    relationships = server.execute("MATCH ()-[r]->() RETURN elementId(r) AS id, properties(r) AS values")
    return {(row["id"], json.dumps(row["values"], sort_keys=True)) for row in [*nodes, *relationships]}


def wanted_counts() -> dict[str, int]:
    events = TABLES["events"][0].to_pandas()
    kinds = collections.Counter(events.kind)
    made = {"VIEW": kinds["view"], "FAVOURITE": kinds["favourite"], "BUY": kinds["buy"], "IN_CATEGORY": 40}
    return {"User": 60, "Item": 40, "Category": 4, **made}


def test_the_shop_arrives_whole_and_a_second_time_changes_nothing(database, connection):
    report = ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
    assert counts(database) == wanted_counts()
    assert {one.type: one.created for one in report.relationships} == {
        name: count for name, count in wanted_counts().items() if name.isupper()
    }
    before = fingerprint(database)
    again = ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
    assert fingerprint(database) == before
    assert [one.created for one in (*again.nodes, *again.relationships)] == [0] * 7
    assert [one.updated for one in again.relationships] == [0] * 4


def test_values_are_those_of_the_tables(database, connection):
    ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
    events = TABLES["events"][0].to_pylist()
    wanted = {(row["user"], row["kind"].upper(), row["item"], row["at"]) for row in events}
    rows = database.execute(
        "MATCH (u:User)-[r:VIEW|FAVOURITE|BUY]->(i:Item) RETURN u.id AS "
        "user, type(r) AS kind, i.id AS item, r.at AS at"
    )
    assert {tuple(row) for row in rows} == wanted
    rows = database.execute("MATCH (u:User) RETURN u.id AS id, u.age AS age ORDER BY id")
    assert [dict(row) for row in rows] == TABLES["users"][0].to_pylist()
    rows = database.execute(
        "MATCH (i:Item)-[:IN_CATEGORY]->(c) RETURN i {.*, category: c.name} AS item ORDER BY i.id"
    )
    assert [row["item"] for row in rows] == TABLES["items"][0].to_pylist()


def test_keys_are_unique_and_titles_are_indexed(database, connection):
    ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
    rows = database.execute(
        "SHOW INDEXES YIELD labelsOrTypes AS labels, properties, "
        "owningConstraint, state WHERE labels IS NOT NULL "
        "RETURN labels[0] AS label, properties[0] AS property, owningConstraint IS NOT NULL AS unique, state"
    )
    assert {tuple(row) for row in rows} == {
        ("User", "id", True, "ONLINE"),
        ("Item", "id", True, "ONLINE"),
        ("Item", "title", False, "ONLINE"),
        ("Category", "name", True, "ONLINE"),
    }


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("batches", [1, 3, 6, 10])
def test_a_run_that_was_killed_is_finished_by_the_next(database, connection, batches, monkeypatch):
    monkeypatch.setattr(writing, "BATCH", 250)
    left = batches

    def count_down(what, done, total):
        nonlocal left
        left -= 1
        if left <= 0:
            raise Killed

    with pytest.raises(Killed):
        ingest.write(ingest.plan_tables(TABLES, SHOP), connection, count_down)
    assert counts(database) != wanted_counts()
    ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
    assert counts(database) == wanted_counts()


def test_a_commit_whose_answer_was_lost_is_not_written_twice(database, connection, monkeypatch):
    real, failures = neo4j.Transaction.commit, [1, 2, 3]

    def commit_then_lose_the_answer(self):
        real(self)
        if failures:
            failures.pop()
            raise ServiceUnavailable("the line was cut")

    monkeypatch.setattr(neo4j.Transaction, "commit", commit_then_lose_the_answer)
    monkeypatch.setattr(writing, "BATCH", 500)
    ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
    assert not failures
    assert counts(database) == wanted_counts()


def test_two_runs_at_once_write_every_event_once(database, connection, monkeypatch):
    monkeypatch.setattr(writing, "BATCH", 200)
    errors = []

    def run():
        try:
            ingest.write(ingest.plan_tables(TABLES, SHOP), connection)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert counts(database) == wanted_counts()


FRIENDS = mapping.parse(
    {
        "nodes": {"User": {"key": "id"}},
        "tables": {
            "friends": {
                "relationships": [
                    {
                        "type": "FRIEND",
                        "from": {"label": "User", "column": "a"},
                        "to": {"label": "User", "column": "b"},
                        "time": {"column": "at", "unit": "ms"},
                        "properties": {"since": "since", "tags": {"column": "tags", "separator": "|"}},
                    }
                ]
            }
        },
    },
    "mapping",
)


def friends(*rows) -> dict:
    names = ("a", "b", "at", "since", "tags")
    columns = zip(*rows, strict=True)
    types = (pa.int64(), pa.int64(), pa.int64(), pa.string(), pa.string())
    arrays = {
        name: pa.array(list(column), kind) for name, kind, column in zip(names, types, columns, strict=True)
    }
    return {"friends": [pa.table(arrays)]}


def test_what_changed_is_updated_and_what_is_missing_now_stays(database, connection):
    first = friends(
        (1, 2, 5, "x", "p|q"), (1, 2, None, "y", None), (2, 1, 5, "z", None), (1, 1, 7, None, None)
    )
    ingest.write(ingest.plan_tables(first, FRIENDS), connection)
    second = friends(
        (1, 2, 5, "X", None), (1, 2, None, "y", "r"), (2, 1, 5, None, None), (3, 1, 5, "w", None)
    )
    report = ingest.write(ingest.plan_tables(second, FRIENDS), connection).relationships[0]
    assert (report.created, report.existing, report.updated) == (1, 3, 2)
    rows = database.execute("MATCH (a)-[r:FRIEND]->(b) RETURN a.id, b.id, r.at, r.since, r.tags")
    assert sorted((tuple(row.values()) for row in rows), key=repr) == sorted(
        [
            (1, 1, 7, None, None),
            (1, 2, 5, "X", ["p", "q"]),
            (1, 2, None, "y", ["r"]),
            (2, 1, 5, "z", None),
            (3, 1, 5, "w", None),
        ],
        key=repr,
    )


def test_two_sessions_write_a_graph_within_one_label(database, connection, monkeypatch):
    monkeypatch.setattr(writing, "BATCH", 50)
    rows = [(a, (a * 7 + k * 13) % 40, k, None, None) for a in range(40) for k in range(20)]
    report = ingest.write(ingest.plan_tables(friends(*rows), FRIENDS), connection).relationships[0]
    found = database.execute("MATCH (a)-[r:FRIEND]->(b) RETURN a.id, b.id, r.at")
    assert {tuple(row) for row in found} == {row[:3] for row in rows}
    assert report.created == len(found) == 800


def test_keys_of_another_type_in_the_database_are_refused_before_any_write(database, connection):
    database.execute("CREATE (:User {id: '1'})")
    with pytest.raises(InvalidInput, match=r"User\.id there are STRING, those of the files INTEGER"):
        ingest.write(ingest.plan_tables(friends((1, 2, 5, None, None)), FRIENDS), connection)
    assert counts(database) == {"User": 1}
    assert database.execute("SHOW CONSTRAINTS YIELD name RETURN name") == []


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (
            ["CREATE (:User {id: 1}), (:User {id: 1})"],
            r"several nodes have one key; find them with MATCH \(n:`User`\)",
        ),
        (["CREATE INDEX FOR (n:User) ON (n.id)"], r"a plain index stands on User\.id"),
    ],
)
def test_what_stands_in_the_way_of_a_constraint_is_said_in_words(database, connection, before, sentence):
    for statement in before:
        database.execute(statement)
    with pytest.raises(InvalidInput, match=rf"User\.id cannot be made unique: {sentence}"):
        ingest.write(ingest.plan_tables(friends((1, 2, 5, None, None)), FRIENDS), connection)


def test_every_statement_is_one_that_neo4j_understands(server):
    names = {"label": "L", "key": "k", "property": "p", "type": "T", "source": "S", "target": "E"}
    names |= {"sourceKey": "a", "targetKey": "b"}
    parameters = {"rows": [], "sources": [], "groups": []}
    relationship = ("type", "source", "sourceKey", "target", "targetKey")
    statements = {
        "find_key_type": ("label", "key"),
        "merge_nodes": ("label", "key"),
        **{f"{verb}_relationships": relationship for verb in ("read", "create", "update")},
    }
    for statement, places in statements.items():
        server.execute(
            "EXPLAIN " + query(statement, **{place: names[place] for place in places}), **parameters
        )


def test_the_command_loads_reports_and_fails_in_words(database, tmp_path, monkeypatch):
    monkeypatch.setenv("NEO4J_URI", database.uri)
    monkeypatch.setenv("NEO4J_PASSWORD", database.password)
    (tmp_path / "train.txt").write_text("1 10 11\n2 10\n3\n")
    runner = CliRunner()
    done = runner.invoke(cli.app, ["ingest", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert [(one["type"], one["created"]) for one in report["relationships"]] == [("INTERACTED", 3)]
    assert counts(database) == {"User": 3, "Item": 2, "INTERACTED": 3}
    shown = runner.invoke(cli.app, ["ingest", str(tmp_path)])
    assert "INTERACTED" in shown.stdout
    for arguments, sentence in (
        ([str(tmp_path / "trian.txt")], "Did you mean 'train.txt'"),
        ([], "give PATH… or --dataset"),
        (["--dataset", "shoop"], "Did you mean 'shop'"),
        ([str(tmp_path), "--mapping", str(tmp_path / "train.txt")], "is not usable"),
    ):
        failed = runner.invoke(cli.app, ["ingest", *arguments])
        assert failed.exit_code == 1
        assert sentence in " ".join(failed.output.split())
