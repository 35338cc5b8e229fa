"""Deployment: an artefact becomes the version that an alias answers with.

The order makes every moment safe to be killed in: load the core and its parts
(``loading``), write vectors and build the index (``building``), ``ready``, and
only then does one transaction move the alias. Until that moment the version
before answers; after a kill, the next deployment of the same artefact goes on
where this one stopped, and what another unfinished one left is removed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gds_pipelines import projection
from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, PipelineError
from gds_pipelines.naming import to_camel
from gds_pipelines.registry import UNFINISHED, LoadedVersion, ModelVersion, Registry, check_name
from gds_pipelines.task import Task
from model_export import Artefact, ArtefactError, read
from model_export.neighbour_rows import decode as decode_rows
from model_export.parts import MODEL_FILE
from model_export.vectors import decode

KEEP_PREVIOUS = 1
LEFT_BEHIND = (*UNFINISHED, "retired")
"""States of versions that a deployment was killed at."""
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,18}")
PROJECTED = ("item-propagation/1", "padded-blocks/1")
"""Contracts whose vectors are made over a projection of the task."""
CONTRACTS = (*PROJECTED, "vectors/1", "item-weights/1", "lists/1", "sequence/1", "pair/1")

Projector = Callable[[Connection, Task], AbstractContextManager[str]]
"""Projects a task, gives the graph's name, drops it at the end."""


@dataclass(frozen=True)
class DeployReport:
    """What a deployment did, or would do.

    Attributes:
        model: ``name:version``; in a dry run the name alone.
        previous: what the alias pointed to before; None when it is new.
        resumed: an unfinished version of the same artefact was gone on with.
        vectors: rows of ``vectors.arrow``, ``weights.arrow`` or ``lists.arrow``; 0 where the artefact has no
            rows, since its encoder embeds every node.
        unmatched_vectors: rows without a node; ``unmatched_nodes``: nodes without a row, of the labels
            that the file has.
        written: node properties written; 0 in a dry run.
        skipped: nodes that were gone or had another key when they were to be written.
        removed: references of versions that were dropped.
        millis: by step.
    """

    model: str
    alias: str
    contract: str
    sha256: str
    dry_run: bool
    previous: str | None
    resumed: bool
    vectors: int
    unmatched_vectors: int
    unmatched_nodes: int
    written: int = 0
    skipped: int = 0
    removed: tuple[str, ...] = ()
    millis: Mapping[str, int] = field(default_factory=dict)

    def to_mapping(self) -> dict[str, Any]:
        """With camelCase keys, for JSON."""
        return {to_camel(key): value for key, value in asdict(self).items()}


@dataclass(frozen=True)
class GraphFit:
    """How the artefact's vectors and the graph's nodes meet, before anything is written."""

    vectors: int
    unmatched_vectors: int
    unmatched_nodes: int


def read_artefact(path: Path) -> Artefact:
    """The verified artefact.

    Raises:
        InvalidInput: with all its faults.
    """
    try:
        return read(path)
    except ArtefactError as error:
        raise InvalidInput(error.what, error.faults) from error


def deploy(
    connection: Connection,
    artefact: Artefact,
    *,
    name: str | None = None,
    alias: str | None = None,
    graph_name: str | None = None,
    keep_previous: int = KEEP_PREVIOUS,
    dry_run: bool = False,
    project: Projector | None = None,
    grant: Mapping[str, Any] | None = None,
    lease: Mapping[str, Any] | None = None,
    switch: bool = True,
    expected: int | None = None,
    on_loaded: Callable[[LoadedVersion], None] = lambda loaded: None,
    on_step: Callable[[str], None] = lambda text: None,
) -> DeployReport:
    """Load, propagate, switch, clean up.

    Args:
        artefact: as ``read_artefact`` gives it.
        name: of the model in the registry; by default the model family of the manifest, with ``_`` for ``-``.
        alias: what queries name; by default ``name``.
        graph_name: an existing projection of the task; None projects the task and drops the graph afterwards.
        keep_previous: finished versions of ``name`` to keep beside the new one.
        dry_run: check and count, write nothing.
        project: how a task is projected; the default is ``gds_pipelines.projection``.
        grant: ``{jobId, token}`` of a lease, which opens ``graph_name`` of another user.
        lease: the same map, for the registry: what is written is the lease holder's, or is not written.
        switch: False leaves the alias where it is and removes no version that is finished.
        expected: the version the alias must still point to when it is moved (0: none); by default what it
            points to now.
        on_loaded: told the version before anything is written for it.
        on_step: told what happens now, in words; what it raises ends the deployment there.
    Raises:
        PipelineError: in words. The alias has not moved then, unless only the removal of old versions failed.
    """
    manifest = artefact.manifest
    if manifest["contract"] not in CONTRACTS:
        raise PipelineError(
            f"The artefact follows {manifest['contract']}; what can be deployed is {', '.join(CONTRACTS)}."
        )
    if keep_previous < 0:
        raise InvalidInput("keepPrevious", [f"it must be 0 or more, found {keep_previous}"])
    name = check_name("model", name or manifest["model"].replace("-", "_"))
    alias = check_name("alias", alias or name)
    task = Task.from_mapping(manifest["task"])
    registry, timer = Registry(connection, lease), _Timer()

    on_step("Comparing the artefact with the graph")
    with timer.step("check"):
        fit = fit_of(connection, artefact, task)
        versions = registry.versions()
    before = next((version for version in versions if alias in version.aliases), None)
    resumable = next(
        (v for v in versions if v.name == name and v.state in UNFINISHED and v.sha256 == artefact.sha256),
        None,
    )

    def report(model: str, **more: Any) -> DeployReport:
        return DeployReport(
            model=model,
            alias=alias,
            contract=manifest["contract"],
            sha256=artefact.sha256,
            dry_run=dry_run,
            previous=before.reference if before else None,
            resumed=resumable is not None,
            **{
                "vectors": fit.vectors,
                "unmatched_vectors": fit.unmatched_vectors,
                "unmatched_nodes": fit.unmatched_nodes,
                "millis": timer.millis,
            }
            | more,
        )

    if dry_run:
        return report(resumable.reference if resumable else name)

    with timer.step("load"):
        left = [v for v in versions if v.name == name and v.state in LEFT_BEHIND and v is not resumable]
        removed = _remove(registry, left, on_step, ", which a deployment left unfinished")
        on_step(f"Going on with {resumable.reference}" if resumable else f"Loading the artefact as '{name}'")
        loaded = _load(registry, name, artefact, on_loaded)
    if manifest["contract"] in PROJECTED:
        graph_of = _graph(connection, task, graph_name, project, on_step)
    else:
        graph_of = nullcontext(None)
    with timer.step("propagate"), graph_of as graph:
        on_step(f"Joining {loaded.name}:{loaded.version} with the graph")
        counts = registry.propagate(graph, loaded.name, loaded.version, grant)
    if switch:
        with timer.step("switch"):
            on_step(f"Pointing '{alias}' to {loaded.name}:{loaded.version}")
            now = before.version if before else 0
            registry.point(alias, loaded.name, loaded.version, now if expected is None else expected)
    with timer.step("remove"):
        outdated = _outdated(registry.versions(name), loaded.version, before, keep_previous) if switch else []
        removed += _remove(registry, outdated, on_step)
    return report(
        f"{loaded.name}:{loaded.version}",
        unmatched_vectors=counts.get("unmatchedVectors", fit.unmatched_vectors),
        unmatched_nodes=counts.get("unmatchedNodes", fit.unmatched_nodes),
        written=counts.get("nodePropertiesWritten", 0),
        skipped=counts.get("skippedMissing", 0) + counts.get("skippedChanged", 0),
        removed=tuple(removed),
    )


def fit_of(connection: Connection, artefact: Artefact, task: Task) -> GraphFit:
    """Compare the artefact's task and keys with the live graph.

    Raises:
        InvalidInput: with every label, type and constraint that lacks, or when no key meets.
    """
    faults = projection.faults_of(connection, task)
    if faults:
        raise InvalidInput("The artefact does not fit the graph", faults)
    return _keys_meet(connection, artefact, artefact.manifest["schema"])


def _keys_meet(connection: Connection, artefact: Artefact, schema: Mapping[str, Any]) -> GraphFit:
    if artefact.files.keys() <= {MODEL_FILE}:
        return GraphFit(0, 0, 0)
    types, keys = _keyed(artefact)
    unmatched_vectors = unmatched_nodes = 0
    for label in sorted(set(types)):
        key = schema["nodes"][label]["key"]
        given = set(keys[types == label].tolist())
        records = connection.execute(
            "MATCH (n:$($label)) WHERE n[$key] IS NOT NULL RETURN collect(n[$key]) AS keys",
            label=label,
            key=key,
        )
        present = set(records[0]["keys"])
        met = {_own(name, present) for name in given} & present
        if given and present and not met:
            mine, theirs = next(iter(given)), next(iter(present))
            raise InvalidInput(
                "The artefact does not fit the graph",
                [f"no row of '{label}' has a node: keys there are like {theirs!r}, here like {mine!r}"],
            )
        unmatched_vectors += len(given) - len(met)
        unmatched_nodes += len(present - met)
    return GraphFit(len(types), unmatched_vectors, unmatched_nodes)


def _keyed(artefact: Artefact) -> tuple[NDArray[np.object_], NDArray]:
    """Label and key of each row that has to find its node."""
    file = next(part["file"] for part in artefact.manifest["parts"] if part["file"] != MODEL_FILE)
    rows = (
        decode(artefact.files[file]) if file == "vectors.arrow" else decode_rows(artefact.files[file], file)
    )
    return rows.types, rows.keys


def _own(name: int | str, present: set) -> int | str:
    """The key as nodes have it: digits stand for an INTEGER where no node has them as text."""
    if isinstance(name, str) and name not in present and _DECIMAL.fullmatch(name):
        return int(name)
    return name


def _load(
    registry: Registry, name: str, artefact: Artefact, on_loaded: Callable[[LoadedVersion], None]
) -> LoadedVersion:
    loaded = registry.load(name, artefact.core_zip())
    on_loaded(loaded)
    missing = set(loaded.parts_missing)
    for file, index, data in artefact.pieces():
        if (file, index) in missing:
            loaded = registry.add_part(name, loaded.version, file, index, bytes(data))
    if loaded.parts_missing:
        listing = ", ".join(f"{file} {index}" for file, index in loaded.parts_missing)
        raise PipelineError(
            f"{loaded.name}:{loaded.version} still lacks {listing}, which the artefact does not have."
        )
    return loaded


@contextmanager
def _graph(
    connection: Connection,
    task: Task,
    graph_name: str | None,
    project: Projector | None,
    on_step: Callable[[str], None],
) -> Iterator[str]:
    if graph_name is not None:
        yield graph_name
        return
    on_step("Projecting the graph")
    with (project or projection.projected)(connection, task) as name:
        yield name


def _outdated(
    versions: list[ModelVersion], newest: int, before: ModelVersion | None, keep: int
) -> list[ModelVersion]:
    """Finished versions beyond the ``keep`` previous ones; never one that an alias points to.

    What the alias pointed to until now is the first one kept, so that going back is one switch.
    """
    older = [v for v in versions if v.finished and v.version < newest and not v.aliases]
    older.sort(
        key=lambda v: (before is not None and v.reference == before.reference, v.version), reverse=True
    )
    return older[keep:]


def _remove(
    registry: Registry, versions: list[ModelVersion], on_step: Callable[[str], None], why: str = ""
) -> list[str]:
    """Drop versions one by one; gives their references."""
    for version in versions:
        on_step(f"Removing {version.reference}{why}")
        registry.drop(version.name, version.version)
    return [version.reference for version in versions]


class _Timer:
    def __init__(self) -> None:
        self.millis: dict[str, int] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        try:
            yield
        finally:
            self.millis[name] = round((time.monotonic() - start) * 1000)
