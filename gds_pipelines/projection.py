"""A task as a GDS projection: its labels, its behaviours, what else it names.

Each behaviour is one relationship type of the projection, oriented as it is stored, or from user to item
where it runs through middle nodes; ``alsoTypes`` stand beside. Relationships carry the task's
``timeProperty``; the weights of behaviours are the task's and are applied by whoever reads the projection, as
is the reduction of parallel relationships.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.queries import query
from gds_pipelines.task import Task


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


def project(connection: Connection, task: Task, name: str) -> Projected:
    """Project the whole of a task.

    Args:
        name: of the graph; must not exist.
    Raises:
        InvalidInput: labels, types or constraints that are not there, a time that is no INTEGER, a name
            in use; all at once, before anything is projected.
        PipelineError: no GDS.
    """
    client = connection.gds()
    faults = faults_of(connection, task)
    if client.graph.list(name):
        faults.append(
            f"the graph '{name}' exists already; take another name, or: CALL gds.graph.drop('{name}')"
        )
    if faults:
        raise InvalidInput("The task cannot be projected", faults)
    if any(behaviour.through for behaviour in task.via.values()):
        made = connection.execute(
            query("project_task", time=task.time_property or "at"),
            name=name,
            labels=list(task.labels),
            **_behaviours(task),
        )[0]
        return Projected(name, made["nodeCount"], made["relationshipCount"], made["projectMillis"])
    result = client.graph.project.native(
        name,
        list(task.labels),
        {one: {"type": one, "orientation": "NATURAL"} for one in [*task.via, *task.also_types]},
        relationship_properties=_times(task),
        log_progress=False,
    ).result
    return Projected(name, int(result.node_count), int(result.relationship_count), int(result.project_millis))


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
    faults += [
        f"the graph has no relationship type '{name}'.{did_you_mean(name, types)}"
        for name in wanted
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
    return faults


def _time_faults(connection: Connection, name: str, time: str) -> list[str]:
    kinds = connection.execute(query("read_time_types", type=name, time=time))[0]["kinds"]
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


def _times(task: Task) -> dict[str, dict[str, object]] | None:
    if not task.time_property:
        return None
    # GDS keeps properties as doubles: milliseconds stay exact until the year 287396.
    return {task.time_property: {"property": task.time_property, "defaultValue": float("nan")}}


def _behaviours(task: Task) -> dict[str, list[dict[str, str]]]:
    """The parameters of the Cypher projection.

    A behaviour over two relationships becomes one from user to item; longer ones are refused.
    """
    direct, through, faults = [], [], []
    for name, behaviour in task.via.items():
        ends = {"source": task.to, "type": name, "target": task.recommend}
        if behaviour.direction == "in":
            ends |= {"source": task.recommend, "target": task.to}
        match behaviour.through:
            case ():
                direct.append(ends)
            case (first, second):
                through.append(ends | {"first": first, "second": second})
            case steps:
                faults.append(
                    f"'{name}' runs through {len(steps)} relationship types, two can be projected "
                    "(['PLACED', 'CONTAINS'], say); store the rest as a relationship of its own"
                )
    if faults:
        raise InvalidInput("The task cannot be projected", faults)
    direct += [
        {"source": source, "type": name, "target": target}
        for name in task.also_types
        for source in task.labels
        for target in task.labels
    ]
    return {"direct": direct, "through": through}
