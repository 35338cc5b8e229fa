"""Features: node properties as numbers GDS can project, and features GDS computes on a projection.

``encode`` looks at the properties that a task names. Numbers and lists of numbers are projected as they are;
texts, lists of texts and truth values get a code beside them in the database, ``gnn_code_<property>``, from a
vocabulary that is in the order of UTF-8 bytes: 0 missing, 1 unknown, then the entries (Unicode form NFC).

``compute`` runs a list of steps on a projection, each one of GDS's algorithms or ours, and every one adds one
node property to it. All of them are checked before the first runs. Compute features on a projection without
the test part (``projection.keep_before``): a degree that counts test edges tells what is to be predicted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, did_you_mean
from gds_pipelines.graph_data import Column
from gds_pipelines.graph_reader import read_graph
from gds_pipelines.naming import to_snake
from gds_pipelines.projection import IDENTIFIER
from gds_pipelines.queries import query
from gds_pipelines.task import Task
from gds_pipelines.write_back import mutate_node_properties

MISSING, UNKNOWN, FIRST_ENTRY = 0, 1, 2
MAX_ENTRIES = 1_000_000
MAX_ONE_HOT = 4_096

# ---------------------------------------------------------------- codes


@dataclass(frozen=True)
class Feature:
    """How one property becomes numbers.

    Args:
        label, property: whose it is.
        encoder: number, bool, category, list or vector, as the manifest of an artefact names them.
        projected: the property that GDS projects: itself, or ``gnn_code_<property>``.
        vocabulary: entries in the order of their codes from 2 on; empty where there are no codes of texts.
    """

    label: str
    property: str
    encoder: str
    projected: str
    vocabulary: tuple[str, ...] = ()

    def codes(self) -> dict[str, int]:
        """The code of each entry of the vocabulary, from 2 on; 0 is missing, 1 unknown."""
        return {entry: at for at, entry in enumerate(self.vocabulary, start=FIRST_ENTRY)}


def code_property(name: str) -> str:
    """Where the codes of a property are kept."""
    return f"gnn_code_{name}"


def encode(connection: Connection, task: Task) -> list[Feature]:
    """Give every feature of the task its numbers in the database.

    Idempotent: a code that is right already is not written again.

    Returns:
        One per label and property, in the order of the task; ``projected_properties`` makes of them what
        ``projection.project`` takes.
    Raises:
        InvalidInput: properties that no node has, that have several types or one without numbers, or more
            than a million different texts; all at once, before any write.
    """
    features, faults = [], []
    for label, names in task.features.items():
        for name in names:
            kinds = connection.execute(query("read_property_types", label=label, property=name))[0]["kinds"]
            found = _encoder(kinds)
            if found is None:
                faults.append(_type_fault(connection, label, name, kinds))
                continue
            vocabulary: tuple[str, ...] = ()
            if found in ("category", "list"):
                vocabulary = _vocabulary(connection, label, name)
                if len(vocabulary) > MAX_ENTRIES:
                    faults.append(
                        f"{label}.{name} has more than {MAX_ENTRIES:,} different "
                        "texts; that is a key, not a feature"
                    )
            projected = name if found in ("number", "vector") else code_property(name)
            features.append(Feature(label, name, found, projected, vocabulary))
    if faults:
        raise InvalidInput("These features cannot be used", faults)
    for feature in features:
        statement = {
            "category": "write_category_codes",
            "list": "write_list_codes",
            "bool": "write_boolean_codes",
        }.get(feature.encoder)
        if statement:
            places = {"label": feature.label, "property": feature.property, "code": feature.projected}
            parameters = {} if feature.encoder == "bool" else {"codes": feature.codes()}
            with connection.session() as session:
                session.run(query(statement, **places), parameters).consume()
    return features


def projected_properties(features: Iterable[Feature]) -> dict[str, list[str]]:
    """By label the properties to project."""
    found: dict[str, list[str]] = {}
    for feature in features:
        found.setdefault(feature.label, []).append(feature.projected)
    return found


def _encoder(kinds: Sequence[str]) -> str | None:
    """The encoder for values of these Cypher types, or None."""
    plain = {kind.replace(" NOT NULL", "") for kind in kinds} - {"LIST<NOTHING>"}
    for names, encoder in (
        ({"INTEGER"}, "number"),
        ({"FLOAT"}, "number"),
        ({"BOOLEAN"}, "bool"),
        ({"STRING"}, "category"),
        ({"LIST<STRING>"}, "list"),
        ({f"LIST<{kind}>" for kind in ("INTEGER", "FLOAT", "INTEGER32", "FLOAT32")}, "vector"),
    ):
        if plain and plain <= names:
            return encoder
    return None


def _type_fault(connection: Connection, label: str, name: str, kinds: Sequence[str]) -> str:
    plain = sorted({kind.replace(" NOT NULL", "") for kind in kinds})
    if not plain:
        known = connection.execute(query("read_property_names", label=label))[0]["names"]
        return f"no {label} has the property '{name}'.{did_you_mean(name, known)}"
    if plain == ["FLOAT", "INTEGER"]:
        return (
            f"{label}.{name} is INTEGER in some nodes and FLOAT in others. Do: MATCH (n:`{label}`) "
            f"WHERE n.`{name}` IS :: INTEGER SET n.`{name}` = toFloat(n.`{name}`)"
        )
    return (
        f"{label}.{name} is {' and '.join(plain)}; a feature is one "
        "type: numbers, texts, truth values or lists"
    )


def _vocabulary(connection: Connection, label: str, name: str) -> tuple[str, ...]:
    statement = query("read_property_values", label=label, property=name)
    with connection.session() as session:
        found = [record["value"] for record in session.run(statement, limit=MAX_ENTRIES + 1)]
    return tuple(sorted(found, key=lambda text: text.encode("utf-8")))


# ---------------------------------------------------------------- steps


@dataclass(frozen=True)
class Computed:
    """One property that was added to a projection."""

    property: str
    nodes: int
    millis: int


@dataclass(frozen=True)
class _Key:
    """What a configuration key may be; `needed` keys have no default."""

    check: Callable[[Any], bool]
    expected: str
    needed: bool = False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(one, str) for one in value)


def _between(low: float, high: float) -> _Key:
    return _Key(
        lambda value: _is_number(value) and low <= value <= high, f"a number from {low:g} to {high:g}"
    )


def _whole(low: int, high: int, needed: bool = False) -> _Key:
    return _Key(
        lambda value: _is_whole(value) and low <= value <= high,
        f"a whole number from {low} to {high}",
        needed,
    )


def _one_of(*names: str, needed: bool = False) -> _Key:
    return _Key(lambda value: value in names, f"one of {', '.join(names)}", needed)


_TEXT = _Key(lambda value: isinstance(value, str) and value != "", "a text")
_NUMBERS = _Key(
    lambda value: isinstance(value, list | tuple) and bool(value) and all(map(_is_number, value)),
    "a list of numbers",
)
_TEXTS = _Key(_is_texts, "a list of texts")
_NEEDED_TEXTS = _Key(_is_texts, "a list of texts", needed=True)
_SCALERS = ("none", "minmax", "max", "mean", "log", "stdscore", "center")
_COMMON = {"mutateProperty": _TEXT, "nodeLabels": _TEXTS, "concurrency": _whole(1, 4)}
_ON_RELATIONSHIPS = {**_COMMON, "relationshipTypes": _TEXTS, "relationshipWeightProperty": _TEXT}

PROCEDURES: Mapping[str, Mapping[str, _Key]] = {
    "degree": {**_ON_RELATIONSHIPS, "orientation": _one_of("NATURAL", "REVERSE", "UNDIRECTED")},
    "pageRank": {
        **_ON_RELATIONSHIPS,
        "dampingFactor": _Key(
            lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1"
        ),
        "maxIterations": _whole(1, 10_000),
        "tolerance": _between(0, 1),
        "scaler": _one_of(*_SCALERS),
    },
    "fastRP": {
        **_ON_RELATIONSHIPS,
        "embeddingDimension": _whole(1, 4_096, needed=True),
        "iterationWeights": _NUMBERS,
        "normalizationStrength": _between(-10, 10),
        "nodeSelfInfluence": _between(0, 1_000),
        "propertyRatio": _between(0, 1),
        "featureProperties": _TEXTS,
        "randomSeed": _whole(0, 2**63 - 1),
    },
    "scaleProperties": {
        **_COMMON,
        "nodeProperties": _NEEDED_TEXTS,
        "scaler": _one_of(*_SCALERS[1:], needed=True),
    },
    "oneHot": {
        **_COMMON,
        "codes": _Key(_TEXT.check, _TEXT.expected, needed=True),
        "size": _whole(1, MAX_ONE_HOT, True),
    },
}
"""By step the keys of its configuration, named as GDS names them. ``oneHot`` turns codes (one or a list per
node) into a list of ``size`` zeros and ones; 0, the code of what is missing, is a place like the others."""


def compute(connection: Connection, graph_name: str, steps: Sequence[Mapping[str, Any]]) -> list[Computed]:
    """Run the steps on a projection, in their order; each adds the property ``mutateProperty``.

    Args:
        graph_name: a projection of the signed-in user.
        steps: maps with ``procedure`` and the keys of ``PROCEDURES``; ``mutateProperty`` is the name of the
            procedure by default. A step may use the properties of the ones before it.
    Returns:
        One per step: the nodes that have the property now, and GDS's milliseconds.
    Raises:
        InvalidInput: every unknown procedure, key, type, label and property, values out of range, names that
            are taken; all at once, before anything is computed.
        PipelineError: no GDS; no plugin for ``oneHot``.
    """
    client = connection.gds()
    listed = client.graph.list(graph_name)
    if not listed:
        known = [one.graph_name for one in client.graph.list()]
        raise InvalidInput(
            "The features cannot be computed",
            [f"there is no graph '{graph_name}'.{did_you_mean(graph_name, known)} Project the task again"],
        )
    graph = client.graph.get(graph_name)
    ready = _checked(steps, graph.node_labels(), graph.relationship_types(), _properties_of(graph))
    return [_run(connection, client, graph, procedure, config) for procedure, config in ready]


def _properties_of(graph: Any) -> dict[str, set[str]]:
    return {label: set(names) for label, names in graph.node_properties().items()}


def _checked(
    steps: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    types: Sequence[str],
    properties: Mapping[str, set[str]],
) -> list[tuple[str, dict[str, Any]]]:
    """The steps with their defaults filled in, if all of them can run one after the other."""
    known = {label: set(names) for label, names in properties.items()}
    faults: list[str] = []
    ready: list[tuple[str, dict[str, Any]]] = []
    for at, step in enumerate(steps, start=1):
        if not isinstance(step, Mapping):
            faults.append(f"step {at}: a map is needed, found {type(step).__name__}")
            continue
        config = {key: value for key, value in step.items() if key != "procedure"}
        procedure = step.get("procedure")
        if procedure not in PROCEDURES:
            hint = did_you_mean(str(procedure), PROCEDURES)
            faults.append(f"step {at}: unknown procedure '{procedure}'.{hint} Known: {', '.join(PROCEDURES)}")
            continue
        where = f"step {at} ({procedure})"
        faults += _config_faults(where, config, PROCEDURES[procedure])
        chosen = config.get("nodeLabels")
        chosen = list(chosen) if _is_texts(chosen) else list(labels)
        for kind, key, names in (
            ("label", "nodeLabels", labels),
            ("relationship type", "relationshipTypes", types),
        ):
            given = config.get(key)
            for name in given if _is_texts(given) else ():
                if name not in names:
                    faults.append(f"{where}: the graph has no {kind} '{name}'.{did_you_mean(name, names)}")
        for key in ("nodeProperties", "featureProperties", "codes"):
            given = config.get(key)
            for name in given if _is_texts(given) else [given] if isinstance(given, str) else ():
                lacking = [label for label in chosen if label in known and name not in known[label]]
                if lacking:
                    every = {one for label in chosen for one in known.get(label, ())}
                    faults.append(
                        f"{where}: {lacking[0]} has no property '{name}' here.{did_you_mean(name, every)}"
                    )
        target = config.setdefault("mutateProperty", procedure)
        if isinstance(target, str):
            if not IDENTIFIER.fullmatch(target):
                faults.append(f"{where}: '{target}' is no name of letters, digits and _")
            taken = [label for label in chosen if target in known.get(label, ())]
            if taken:
                faults.append(
                    f"{where}: {taken[0]} has a property '{target}' already; name another mutateProperty"
                )
            for label in chosen:
                known.setdefault(label, set()).add(target)
        ready.append((procedure, config))
    if faults:
        raise InvalidInput("The features cannot be computed", faults)
    return ready


def _config_faults(where: str, config: Mapping[str, Any], keys: Mapping[str, _Key]) -> Iterable[str]:
    for name, value in config.items():
        if name not in keys:
            yield f"{where}: unknown key '{name}'.{did_you_mean(name, keys)} Allowed: {', '.join(keys)}"
        elif not keys[name].check(value):
            yield f"{where}: '{name}' is {value!r}, expected {keys[name].expected}"
    for name, key in keys.items():
        if key.needed and name not in config:
            yield f"{where}: '{name}' is needed, {key.expected}"


def _run(connection: Connection, client: Any, graph: Any, procedure: str, config: dict[str, Any]) -> Computed:
    began = time.perf_counter()
    if procedure == "oneHot":
        nodes = _one_hot(connection, graph, config)
        return Computed(config["mutateProperty"], nodes, round((time.perf_counter() - began) * 1000))
    algorithm = {
        "degree": client.degree_centrality,
        "pageRank": client.page_rank,
        "fastRP": client.fast_rp,
        "scaleProperties": client.scale_properties,
    }[procedure]
    result = algorithm.mutate(
        graph, **{to_snake(name): value for name, value in config.items()}, log_progress=False
    )
    millis = round((time.perf_counter() - began) * 1000)
    return Computed(config["mutateProperty"], int(result.node_properties_written), millis)


def _one_hot(connection: Connection, graph: Any, config: Mapping[str, Any]) -> int:
    labels = list(config.get("nodeLabels") or graph.node_labels())
    name, size = config["codes"], config["size"]
    read = read_graph(
        connection,
        graph.name(),
        node_labels=labels,
        relationship_types=[],
        node_properties=[name],
        label_priority=labels,
    )
    tables = list(read.nodes.values())
    highest = max((int(one[name].max(initial=0)) for one in tables), default=0)
    if highest >= size:
        raise InvalidInput(
            "The features cannot be computed",
            [f"oneHot: '{name}' has codes up to {highest}, so size must be {highest + 1} at least"],
        )
    ids = np.concatenate([one.node_ids for one in tables])
    rows = np.concatenate([_one_hot_rows(one.column(name), len(one), size) for one in tables])
    done = mutate_node_properties(
        connection, graph.name(), ids, {config["mutateProperty"]: rows}, node_labels=labels
    )
    return sum(written for written, _ in done.values())


def _one_hot_rows(column: Column, count: int, size: int) -> NDArray[np.float32]:
    """[count, size] – 1 at the codes of each node, at 0 for a node without; codes are below `size`."""
    rows = np.zeros((count, size), np.float32)
    if column.offsets is not None:
        owners, codes = np.repeat(np.arange(count), np.diff(column.offsets)), column.values
    elif column.values.ndim == 2:
        owners, codes = np.repeat(np.arange(count), column.values.shape[1]), column.values.ravel()
    else:
        owners, codes = np.arange(count), column.values
    present = codes >= 0  # A missing number is the smallest INTEGER.
    if column.missing is not None:
        present &= ~column.missing[owners]
    rows[owners[present], codes[present]] = 1
    rows[rows.sum(1) == 0, MISSING] = 1
    return rows
