"""The schema of a manifest: labels and relations, and the hash that both languages take of them."""

from collections.abc import Iterator
from typing import Any

from model_export.canonical_json import canonical_json, sha256_hex
from model_export.plain_values import key_faults


def schema_hash(schema: Any) -> str:
    """``schemaSha256`` of a schema that holds no fractional number."""
    return sha256_hex(canonical_json(schema))


def schema_faults(schema: Any) -> list[str]:
    """What is wrong with the labels and relations of a schema, whatever the contract."""
    if not isinstance(schema, dict):
        return [f"'schema' must be a map, found {type(schema).__name__}"]
    faults = key_faults(schema, ("nodes", "relations"), "schema")
    nodes, relations = schema.get("nodes", {}), schema.get("relations", [])
    if not isinstance(nodes, dict):
        faults.append("schema.nodes must be a map from label to {key, properties}")
        nodes = {}
    for label, node in nodes.items():
        if not isinstance(node, dict) or not isinstance(node.get("key"), str):
            faults.append(f"schema.nodes.{label} must be a map with the name of the key property in 'key'")
        elif not isinstance(node.get("properties"), list):
            faults.append(f"schema.nodes.{label}.properties must be a list")
    if not isinstance(relations, list):
        faults.append("schema.relations must be a list")
        relations = []
    for index, relation in enumerate(relations):
        at = f"schema.relations[{index}]"
        if not isinstance(relation, dict):
            faults.append(f"{at} must be a map")
            continue
        faults += [
            f"{at} lacks '{k}'" for k in ("source", "type", "target", "direction") if k not in relation
        ]
        for end in ("source", "target"):
            if end in relation and relation[end] not in nodes:
                faults.append(f"{at}.{end} is {relation[end]!r}, which schema.nodes does not have")
        if relation.get("direction", "out") not in ("out", "in"):
            faults.append(f"{at}.direction must be out or in, found {relation['direction']!r}")
    return faults


def schema_hash_faults(schema: Any, declared: Any) -> list[str]:
    """Whether ``declared`` is the hash of ``schema``, and there is one that all agree on."""
    if any(isinstance(leaf, float) for leaf in _leaves(schema)):
        # Both languages hash the schema anew; only integers and text have one spelling in each.
        return ["schema holds a fractional number; only text, integers, booleans and null may stand there"]
    found = schema_hash(schema)
    return [] if found == declared else [f"schemaSha256 is {declared}, but the schema hashes to {found}"]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value
