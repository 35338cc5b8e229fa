"""Runs ``cypher/cases/<procedure>/<case>``: a graph, a query, and the rows or the error it must give.

``graph.cypher`` holds statements that end with a semicolon at the end of a line. ``case.yml`` holds:

- ``rule``: what the case shows, one sentence.
- ``query``, ``parameters``: the statement asked, with plain values.
- ``rows``: the expected rows in order, each a map by column; numbers with a fraction may differ by 1e-6.
- ``ties``: a label; rows of one score stand in the order that the nodes of this label have by Neo4j id, which
  nobody knows before. The column ``item`` holds their ``id``.
- ``error``: instead of rows, a regular expression found in the message.
- ``model``: a model served before the query: ``name``, and ``e`` and ``c`` by ``Item.id``.

Without a model graph and query share one transaction, which is rolled back. With one, the graph is
committed and removed again, since vectors are served as the last commit left them.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import served_model
import yaml
from neo4j.exceptions import ClientError

CASES = Path(__file__).resolve().parents[2] / "cypher" / "cases"
KEYS = {"rule", "query", "parameters", "rows", "ties", "error", "model"}
FOUND = sorted(path.parent for path in CASES.glob("*/*/case.yml"))


def read(folder: Path) -> tuple[list[str], dict[str, Any]]:
    """The statements of the graph and the case; a case that checks nothing is an error."""
    case = yaml.safe_load((folder / "case.yml").read_text(encoding="utf-8"))
    assert set(case) <= KEYS, f"unknown keys {sorted(set(case) - KEYS)}"
    assert case["rule"], "a case states its rule"
    assert ("rows" in case) != ("error" in case), "either rows or an error"
    text = "\n".join(
        line
        for line in (folder / "graph.cypher").read_text(encoding="utf-8").splitlines()
        if not line.startswith("//")
    )
    return [part.strip() for part in text.split(";\n") if part.strip(" ;\n")], case


def answer(run, case: dict[str, Any]) -> None:
    """Asks and compares."""
    if "error" in case:
        with pytest.raises(ClientError, match=case["error"]):
            list(run(case["query"], case.get("parameters", {})))
        return
    found = [record.data() for record in run(case["query"], case.get("parameters", {}))]
    assert found == [approximate(row) for row in in_true_order(run, case)]


def in_true_order(run, case: dict[str, Any]) -> list[dict[str, Any]]:
    """The expected rows; those that tie by the Neo4j ids which this graph got."""
    if "ties" not in case:
        return case["rows"]
    nodes = run(f"CYPHER 5 MATCH (n:{case['ties']}) RETURN n.id AS key, id(n) AS id")
    ids = {record["key"]: record["id"] for record in nodes}
    ordered = sorted(case["rows"], key=lambda row: (-row["score"], ids[row["item"]]))
    ranks = [{"rank": row["rank"]} if "rank" in row else {} for row in case["rows"]]
    return [row | rank for row, rank in zip(ordered, ranks, strict=True)]


def approximate(value: Any) -> Any:
    """Compares floats within 1e-6, all else exactly."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-6)
    if isinstance(value, dict):
        return {key: approximate(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [approximate(entry) for entry in value]
    return value


@pytest.fixture(scope="module")
def empty(server):
    server.clear()
    yield server
    server.clear()


@pytest.mark.server
@pytest.mark.parametrize("folder", FOUND, ids=[f"{path.parent.name}/{path.name}" for path in FOUND])
def test_case(empty, folder):
    graph, case = read(folder)
    with empty.driver().session(notifications_min_severity="OFF") as session:
        if model := case.get("model"):
            try:
                for label in ("Item", "User"):
                    session.run(f"CREATE CONSTRAINT FOR (n:{label}) REQUIRE n.id IS UNIQUE").consume()
                for statement in graph:
                    session.run(statement).consume()
                keys = sorted(model["e"])
                vectors = [np.array([model[name][key] for key in keys], float) for name in ("e", "c")]
                served_model.serve(empty, model["name"], keys, *vectors)
                answer(session.run, case)
            finally:
                empty.clear()
        else:
            with session.begin_transaction() as tx:
                for statement in graph:
                    tx.run(statement).consume()
                answer(tx.run, case)
                tx.rollback()


def test_there_are_cases_for_the_procedures_that_answer():
    assert {path.parent.name for path in FOUND} >= {
        "gnn.recommend.stream",
        "gnn.similar.stream",
        "gnn.embed.nodes",
    }
