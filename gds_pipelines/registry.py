"""The registry of models inside the database, as a client: ``gnn.model.*`` and ``gnn.embed.propagate``.

Every call is one procedure call in a transaction of its own; names and versions travel as parameters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import neo4j

from gds_pipelines.connection import Connection
from gds_pipelines.errors import InvalidInput, PipelineError

UNFINISHED = ("loading", "building")
_LOADED = "name, version, contract, sha256, state, partsMissing"
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")


@dataclass(frozen=True)
class ModelVersion:
    """One version as the registry knows it.

    Attributes:
        state: ``loading``, ``building``, ``ready`` or ``retired``.
        aliases: the names that point to it.
        created_at: epoch milliseconds by the database's clock.
        task: the completed task map.
        metrics: as in the manifest.
    """

    name: str
    version: int
    state: str
    contract: str
    sha256: str
    aliases: tuple[str, ...] = ()
    created_at: int = 0
    task: Mapping[str, Any] = field(default_factory=dict)
    metrics: Sequence[Mapping[str, Any]] = ()

    @property
    def reference(self) -> str:
        """``name:version``, as a ``model`` argument takes it."""
        return f"{self.name}:{self.version}"

    @property
    def finished(self) -> bool:
        """Whether it can answer; False while it is being made and when it was retired."""
        return self.state == "ready"


@dataclass(frozen=True)
class LoadedVersion:
    """What ``gnn.model.load`` and ``gnn.model.addPart`` answer.

    Attributes:
        parts_missing: ``(file, index)`` of the pieces that are still to come.
    """

    name: str
    version: int
    contract: str
    sha256: str
    state: str
    parts_missing: tuple[tuple[str, int], ...]


class Registry:
    """The models of one database."""

    def __init__(self, connection: Connection, lease: Mapping[str, Any] | None = None) -> None:
        """
        Args:
            lease: ``{jobId, token}`` of a job: what is written is written in one transaction with a report on
                it, so by the worker that has the lease or not at all.
        """
        self._connection = connection
        self._lease = dict(lease or {})

    def versions(self, name: str | None = None) -> list[ModelVersion]:
        """All versions, or those of one name, by name and version."""
        records = self._connection.execute("CALL gnn.model.list()")
        found = [_version(record.data()) for record in records]
        return sorted(
            (version for version in found if name in (None, version.name)),
            key=lambda version: (version.name, version.version),
        )

    def target(self, alias: str) -> ModelVersion | None:
        """The version an alias points to; None when there is no such alias."""
        return next((version for version in self.versions() if alias in version.aliases), None)

    def load(self, name: str, core: bytes, configuration: Mapping[str, Any] | None = None) -> LoadedVersion:
        """Store the core zip as a version of ``name``; one that holds the same bytes is taken again."""
        record = self._write(
            "CALL gnn.model.load($name, $artefact, $config)",
            _LOADED,
            name=name,
            artefact=core,
            config=dict(configuration or {}),
        )[0]
        return _loaded(record.data())

    def add_part(self, name: str, version: int, file: str, index: int, data: bytes) -> LoadedVersion:
        """Store one piece; safe to repeat."""
        record = self._write(
            "CALL gnn.model.addPart($name, $version, $file, $index, $bytes)",
            _LOADED,
            name=name,
            version=version,
            file=file,
            index=index,
            bytes=data,
        )[0]
        return _loaded(record.data())

    def propagate(
        self, graph_name: str | None, name: str, version: int, grant: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Join by key, propagate, write vectors, build the index, make the version ``ready``; its counts.

        Args:
            graph_name: None for a contract that needs no projection.
            grant: ``{jobId, token}`` of a lease, for a projection of the one who submitted the job.
        """
        opened = ", jobId: $jobId, token: $token" if grant else ""
        return self._connection.execute(
            f"CALL gnn.embed.propagate($graph, {{model: $name, version: $version{opened}}})",
            graph=graph_name,
            name=name,
            version=version,
            **(grant or {}),
        )[0].data()

    def point(self, alias: str, name: str, version: int, expected: int | None) -> None:
        """Move an alias in one transaction.

        Args:
            expected: the version it must still point to (0: it must not exist); None = no check.
        """
        config: dict[str, Any] = {"version": version}
        if expected is not None:
            config["expected"] = expected
        self._write(
            "CALL gnn.model.alias($alias, $name, $config)",
            "version",
            alias=alias,
            name=name,
            config=config,
        )

    def manifest(self, name: str, version: int) -> dict[str, Any]:
        """The manifest of a finished version."""
        return json.loads(self.file(name, version, "manifest.json"))

    def file(self, name: str, version: int, file: str) -> bytes:
        """One file of a stored version.

        Raises:
            PipelineError: the version has no such file.
        """
        records = self._connection.execute(
            "CALL gnn.model.export($name, {version: $version}) YIELD file, index, bytes "
            "WITH file, index, bytes WHERE file = $file RETURN bytes ORDER BY index",
            name=name,
            version=version,
            file=file,
        )
        if not records:
            raise PipelineError(f"{name}:{version} has no {file}. See: CALL gnn.model.list()")
        return b"".join(bytes(record["bytes"]) for record in records)

    def _write(self, call: str, columns: str, **parameters: Any) -> list[neo4j.Record]:
        if not self._lease:
            return self._connection.execute(call, **parameters)
        return self._connection.execute(
            f"CALL gnn.job.report($jobId, $token, {{}}) YIELD status {call} YIELD {columns} RETURN {columns}",
            **parameters,
            **self._lease,
        )

    def drop(self, name: str, version: int) -> None:
        """Remove one version with its parts, vectors and index, if it is there; refused under an alias."""
        self._connection.execute(
            "CALL gnn.model.drop($name, {version: $version, failIfMissing: false})",
            name=name,
            version=version,
        )


def check_name(what: str, name: str) -> str:
    """A name of a model or alias, unchanged.

    Raises:
        InvalidInput: unless it has 1 to 64 letters, digits or underscores.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"The name of the {what}",
            [f"'{name}' must have 1 to 64 of the characters A-Z, a-z, 0-9 and _"],
        )
    return name


def _version(row: Mapping[str, Any]) -> ModelVersion:
    return ModelVersion(
        name=row["name"],
        version=row["version"],
        state=row["state"],
        contract=row["contract"] or "unknown",  # the stored manifest is damaged
        sha256=row["sha256"],
        aliases=tuple(row["aliases"]),
        created_at=row["createdAt"] or 0,
        task=row["task"] or {},
        metrics=row["metrics"] or [],
    )


def _loaded(row: Mapping[str, Any]) -> LoadedVersion:
    return LoadedVersion(
        name=row["name"],
        version=row["version"],
        contract=row["contract"],
        sha256=row["sha256"],
        state=row["state"],
        parts_missing=tuple((piece["file"], piece["index"]) for piece in row["partsMissing"]),
    )
