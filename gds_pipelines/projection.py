"""A task as a GDS projection: its labels, its behaviours, what else it names.

Each behaviour is one relationship type of the projection, oriented as it is stored, or from user to item
where it runs through middle nodes; ``alsoTypes`` stand beside. Relationships carry ``weight``, the one of
their behaviour (1 for ``alsoTypes``), and the task's ``timeProperty``, NaN where a relationship has none.
Parallel relationships are all there: whoever reads the projection reduces them to the largest weight and the
latest time. ``add_undirected`` gives GDS's algorithms reduced ones that go both ways.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.queries import query
from gds_pipelines.task import Task

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RATING = "gnn_rating"
"""What ratings are called in a projection, whatever their property is."""
_NO_WEIGHT, _NO_TIME = "gnn_no_weight", "gnn_no_time"
_NUMBER_LISTS = {f"LIST<{kind}>" for kind in ("INTEGER", "FLOAT", "INTEGER32", "FLOAT32", "NOTHING")}


@dataclass(frozen=True)
class Projected:
    """What GDS made.

    Args:
        name: of the graph, visible to the signed-in user only.
        nodes, relationships: counts.
        millis: GDS's own.
    """

    name: str
    nodes: int
    relationships: int
    millis: int


@contextmanager
def projected(connection: Connection, task: Task, name: str | None = None) -> Iterator[str]:
    """Project, give the graph's name, drop it at the end whatever happened."""
    made = project(connection, task, name or f"gnn_task_{secrets.token_hex(4)}")
    try:
        yield made.name
    finally:
        drop(connection, made.name)


def project(
    connection: Connection,
    task: Task,
    name: str,
    *,
    properties: Mapping[str, Sequence[str]] | None = None,
    reverse: bool = False,
) -> Projected:
    """Project the whole of a task.

    Args:
        name: of the graph; must not exist.
        properties: node properties by label, numbers or lists of numbers, as ``features.encode`` gives them.
            A node without one has NaN, the smallest INTEGER, or no list.
        reverse: also every relationship the other way round, as ``rev_<TYPE>``.
    Raises:
        InvalidInput: labels, types, properties or constraints that are not there, a time that is no INTEGER,
            a name in use; all at once, before anything is projected.
        PipelineError: no GDS.
    """
    client = connection.gds()
    properties = {label: list(names) for label, names in (properties or {}).items() if names}
    faults = faults_of(connection, task) + _property_faults(connection, task, properties)
    if client.graph.list(name):
        faults.append(
            f"the graph '{name}' exists already; take another name, or: CALL gds.graph.drop('{name}')"
        )
    if faults:
        raise InvalidInput("The task cannot be projected", faults)
    if any(behaviour.through for behaviour in task.via.values()):
        names = sorted({one for found in properties.values() for one in found})
        made = connection.execute(
            query("project_task", time=task.time_property or _NO_TIME, properties=names),
            name=name,
            labels=list(task.labels),
            **_behaviours(task, reverse),
        )[0]
        return Projected(name, made["nodeCount"], made["relationshipCount"], made["projectMillis"])
    # No relationship has this property, so that all get the default: the weight of their behaviour. GDS only
    # asks that the name is known.
    connection.execute("CALL db.createProperty($name)", name=_NO_WEIGHT)
    relationships = {
        one: {"type": one, "orientation": "NATURAL", "properties": _relationship_properties(task, one)}
        for one in [*task.via, *task.also_types]
    }
    if reverse:
        relationships |= {
            reverse_name(one): {**spec, "orientation": "REVERSE"} for one, spec in relationships.items()
        }
    result = client.graph.project.native(
        name,
        {label: {"label": label, "properties": properties.get(label, [])} for label in task.labels},
        relationships,
        log_progress=False,
    ).result
    return Projected(name, int(result.node_count), int(result.relationship_count), int(result.project_millis))


def reverse_name(type_: str) -> str:
    """What the relationships of a type are called the other way round."""
    return f"rev_{type_}"


def undirected_name(type_: str) -> str:
    """What the relationships of a type are called where they go both ways."""
    return f"und_{type_}"


def add_undirected(connection: Connection, name: str, types: Iterable[str]) -> dict[str, int]:
    """Relationships that go both ways, reduced, as ``und_<TYPE>``, beside those of some types.

    Of parallel ones the largest value of each property stays; a time is NaN where one of them has none.

    Args:
        name: of a projection.
        types: of its relationships.
    Returns:
        By new type the relationships, each pair counted in both directions.
    """
    client = connection.gds()
    graph = client.graph.get(name)
    return {
        undirected_name(one): int(
            client.graph.relationships.to_undirected(
                graph, one, undirected_name(one), aggregation="MAX", log_progress=False
            ).relationships_written
        )
        for one in types
    }


def keep_before(connection: Connection, name: str, into: str, time: str, cutoff: int) -> Projected:
    """A copy of a projection without the relationships at or after a moment; those without a time stay.

    What is computed on the copy knows nothing of the test part of a split by time. A type that has no
    relationship left is not there at all.

    Args:
        name: of a projection whose relationships have the property ``time``.
        into: name of the copy; must not exist.
        cutoff: epoch milliseconds.
    """
    if not IDENTIFIER.fullmatch(time):
        raise InvalidInput("The projection cannot be cut", [f"'{time}' is no name of letters, digits and _"])
    client = connection.gds()
    made = client.graph.filter(
        client.graph.get(name),
        into,
        "*",
        f"NOT r.{time} >= $cutoff",
        parameters={"cutoff": float(cutoff)},
        log_progress=False,
    ).result
    return Projected(into, int(made.node_count), int(made.relationship_count), int(made.project_millis))


def drop(connection: Connection, name: str) -> None:
    """Drop a graph of the signed-in user; one that is gone already is no error."""
    connection.gds().graph.drop(name, fail_if_missing=False)


def faults_of(connection: Connection, task: Task) -> list[str]:
    """What the database lacks for this task, one sentence each; empty when it can be projected."""
    labels = {record["label"] for record in connection.execute("CALL db.labels() YIELD label RETURN label")}
    types = {
        record["relationshipType"]
        for record in connection.execute("CALL db.relationshipTypes() YIELD relationshipType RETURN *")
    }
    faults = [
        f"the graph has no label '{label}'.{did_you_mean(label, labels)}"
        for label in task.labels
        if label not in labels
    ]
    wanted = dict.fromkeys(
        part for name, behaviour in task.via.items() for part in (behaviour.through or (name,))
    ) | dict.fromkeys(task.also_types)
    # Ratings are checked whatever is trained: lists are never written over the types that stand there.
    faults += [
        f"the graph has no relationship type '{name}'.{did_you_mean(name, types)}"
        for name in wanted | dict.fromkeys(task.ratings)
        if name not in types
    ]
    constrained = {
        (record["label"], record["property"]) for record in connection.execute(query("read_key_constraints"))
    }
    faults += [
        f"(:{label}).{key} has no uniqueness constraint, so nodes cannot be told apart by it. Do: "
        f"CREATE CONSTRAINT FOR (n:`{label}`) REQUIRE n.`{key}` IS UNIQUE"
        for label, key in task.key.items()
        if label in labels and label in task.labels and (label, key) not in constrained
    ]
    if task.time_property:
        for name in wanted:
            if name in types and name not in task.also_types:
                faults += _time_faults(connection, name, task.time_property)
    for name, held in task.ratings.items():
        if name in types:
            faults += _rating_faults(connection, name, held)
    return faults


def _time_faults(connection: Connection, name: str, time: str) -> list[str]:
    kinds = connection.execute(query("read_value_types", type=name, property=time))[0]["kinds"]
    wrong = [kind for kind in kinds if not kind.startswith("INTEGER")]
    if not wrong:
        return []
    convert = (
        f"CYPHER 25 MATCH ()-[r:`{name}`]->() WHERE NOT r.`{time}` IS :: INTEGER "
        f"CALL (r) {{ SET r.`{time}` = datetime(r.`{time}`).epochMillis }} IN TRANSACTIONS"
    )
    return [
        f"'{name}'.{time} is {', '.join(wrong)}; times are INTEGER epoch milliseconds UTC. Convert with: "
        f"{convert}"
    ]


def _rating_faults(connection: Connection, name: str, held: str) -> list[str]:
    kinds = connection.execute(query("read_value_types", type=name, property=held))[0]["kinds"]
    plain = sorted({kind.replace(" NOT NULL", "") for kind in kinds})
    if not plain:
        names = [record["name"] for record in connection.execute(query("read_relationship_keys", type=name))]
        return [
            f"no relationship '{name}' has the property '{held}', which is to hold its rating."
            f"{did_you_mean(held, names)}"
        ]
    if not set(plain) <= {"INTEGER", "FLOAT"}:
        return [f"'{name}'.{held} is {' and '.join(plain)}; ratings are INTEGER or FLOAT"]
    return []


def _property_faults(
    connection: Connection, task: Task, properties: Mapping[str, Sequence[str]]
) -> list[str]:
    faults = [
        f"properties are asked of '{label}', which the task does not have.{did_you_mean(label, task.labels)}"
        for label in properties
        if label not in task.labels
    ]
    for label, names in properties.items():
        for name in names if label in task.labels else ():
            kinds = connection.execute(query("read_property_types", label=label, property=name))[0]["kinds"]
            plain = {kind.replace(" NOT NULL", "") for kind in kinds}
            if not plain:
                faults.append(f"no {label} has the property '{name}'")
            elif not plain <= {"INTEGER"} and not plain <= {"FLOAT"} and not plain <= _NUMBER_LISTS:
                faults.append(
                    f"{label}.{name} is {' and '.join(sorted(plain))}; GDS takes one type, INTEGER, FLOAT or "
                    "lists of them. features.encode turns others into codes"
                )
    return faults
    return faults


def _relationship_properties(task: Task, one: str) -> dict[str, dict[str, object]]:
    behaviour = task.via.get(one)
    weight = behaviour.weight if behaviour else 1.0
    found = {"weight": {"property": _NO_WEIGHT, "defaultValue": weight}}
    if task.time_property:
        # GDS keeps properties as doubles: milliseconds stay exact until the year 287396.
        found[task.time_property] = {"property": task.time_property, "defaultValue": float("nan")}
    if behaviour and behaviour.rating:
        found[RATING] = {"property": behaviour.rating, "defaultValue": float("nan")}
    return found


def _behaviours(task: Task, reverse: bool) -> dict[str, list[Any]]:
    """The parameters of the Cypher projection.

    A behaviour over two relationships becomes one from user to item; longer ones are refused.
    """
    direct, through, faults = [], [], []
    for name, behaviour in task.via.items():
        ends = {"source": task.to, "target": task.recommend, "type": name, "weight": behaviour.weight}
        if behaviour.direction == "in":
            ends |= {"source": task.recommend, "target": task.to}
        match behaviour.through:
            case ():
                direct.append(ends | {"stored": name})
            case (first, second):
                through.append(ends | {"first": first, "second": second})
            case steps:
                faults.append(
                    f"'{name}' runs through {len(steps)} relationship types, two can be projected "
                    "(['PLACED', 'CONTAINS'], say); store the rest as a relationship of its own"
                )
    if reverse:
        faults.append("behaviours through middle nodes are not projected the other way round as well")
    if faults:
        raise InvalidInput("The task cannot be projected", faults)
    return {"direct": direct, "through": through, "alsoTypes": list(task.also_types)}
