"""One name, two spellings: ``snake_case`` in Python, ``camelCase`` in Cypher and in files."""

import re


def to_camel(name: str) -> str:
    """``time_property`` -> ``timeProperty``; a name without an underscore stays as it is."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def to_snake(name: str) -> str:
    """``timeProperty`` -> ``time_property``; a snake_case name stays as it is."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()
