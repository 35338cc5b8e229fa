"""Every name a user can see in Cypher, against `tests/golden/procedures.json`.

After a wanted change run ``pytest tests/integration/test_surface.py --update-golden``, and look at the
difference.
"""

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "procedures.json"
PROCEDURES = """
SHOW PROCEDURES YIELD name, mode, signature, description, argumentDescription, returnDescription
WHERE name STARTS WITH 'gnn.'
RETURN name, mode, signature, description, argumentDescription AS arguments, returnDescription AS columns
ORDER BY name
"""
FUNCTIONS = """
SHOW FUNCTIONS YIELD name, signature, description, argumentDescription
WHERE name STARTS WITH 'gnn.'
RETURN name, signature, description, argumentDescription AS arguments ORDER BY name
"""


@pytest.fixture(scope="module")
def surface(server):
    def entries(query):
        return {record["name"]: _described(record.data()) for record in server.execute(query)}

    return {"procedures": entries(PROCEDURES), "functions": entries(FUNCTIONS)}


def _described(record):
    def named(fields):
        return {field["name"]: field["description"] for field in fields}

    lists = {key: named(record[key]) for key in ("arguments", "columns") if key in record}
    return {key: value for key, value in record.items() if key not in ("name", *lists)} | lists


def test_the_surface_is_the_golden_one(surface, request):
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(json.dumps(surface, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    for kind, entries in surface.items():
        assert sorted(entries) == sorted(golden[kind]), f"the names of {kind} changed"
        for name, entry in entries.items():
            assert entry == golden[kind][name], f"{name} changed"


def test_everything_is_described(surface):
    bare = []
    for kind, entries in surface.items():
        for name, entry in entries.items():
            if not entry["description"]:
                bare.append(f"{kind} {name}")
            for part in ("arguments", "columns"):
                for field, description in entry.get(part, {}).items():
                    # Neo4j shows "name :: TYPE" where code says nothing.
                    if not description or description.startswith(f"{field} ::"):
                        bare.append(f"{name} {part} {field}")
    assert surface["procedures"], "the plugin is not there"
    assert bare == []
