"""The one place that opens a driver.

Where to: ``--uri``, else ``NEO4J_URI``, else the embedded server. As whom: ``NEO4J_USERNAME`` (or
``NEO4J_USER``), ``neo4j`` by default, with ``NEO4J_PASSWORD``; the embedded server's own password file
where the address is its own (``gnn_worker`` has one beside). Database: ``NEO4J_DATABASE``, else the
server's default.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import neo4j
from neo4j.exceptions import (
    AuthError,
    ClientError,
    ConfigurationError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
)

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.settings import WORKER

OLDEST_NEO4J = (2026, 1)
"""The plugin's byte code and the GDS it knows need at least this one; tested with 2026.08."""

_AURA = ".databases.neo4j.io"
_SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
_CAUSE = re.compile(r"^Failed to invoke (?:procedure|function) `[^`]*`: Caused by: (?:[\w.$]+: )?", re.DOTALL)
_CONNECT_SECONDS = 15


@dataclass(frozen=True)
class Target:
    """An address, who signs in, and in which database; ``origin`` says where the address came from."""

    uri: str
    user: str
    password: str | None
    database: str | None
    origin: str


class Connection:
    """An open driver, checked, with the database to use."""

    def __init__(self, driver: neo4j.Driver, target: Target) -> None:
        self.driver = driver
        self.target = target

    @property
    def database(self) -> str | None:
        """The database of every query; None is the server's default."""
        return self.target.database

    def execute(self, query: str, **parameters: Any) -> list[neo4j.Record]:
        """One statement in a retried transaction of its own; all its records."""
        return self.driver.execute_query(query, parameters_=parameters, database_=self.database).records

    def session(self) -> neo4j.Session:
        """A session on the database, for streams and ``CALL … IN TRANSACTIONS``."""
        return self.driver.session(database=self.database)

    def gds(self) -> Any:
        """The official GDS client on this connection.

        Raises:
            PipelineError: if the server has no GDS.
        """
        self.require_gds()
        from graphdatascience import GraphDataScience  # heavy: pandas and pyarrow come with it

        # The driver stays ours to close.
        client = GraphDataScience(self.driver, database=self.database, show_progress=False)
        return client

    def neo4j_version(self) -> str:
        """The version of Neo4j, such as ``2026.08.1``."""
        records = self.execute(
            "CALL dbms.components() YIELD name, versions "
            "WHERE name = 'Neo4j Kernel' RETURN versions[0] AS version"
        )
        return str(records[0]["version"])

    def require_plugin(self) -> str:
        """The plugin's version.

        Raises:
            PipelineError: if it is not there, with what to do about it.
        """
        try:
            return str(self.execute("CALL gnn.version() YIELD version RETURN version")[0]["version"])
        except ClientError as error:
            if not _is_missing(error):
                raise
        version = self.neo4j_version()
        if parse_version(version) < OLDEST_NEO4J:
            raise PipelineError(
                f"Neo4j at {self.target.uri} is {version}; the gnn4j plugin needs {_text(OLDEST_NEO4J)} or "
                "newer. Upgrade it, or use the embedded server: unset NEO4J_URI, then gnn4j server start"
            )
        raise PipelineError(
            f"Neo4j {version} at {self.target.uri} has no gnn4j plugin. Put it in with: "
            "gnn4j server plugin --to <the directory plugins of that Neo4j>; restart it and try again."
        )

    def require_gds(self) -> str:
        """The version of GDS.

        Raises:
            PipelineError: if it is not there.
        """
        try:
            return str(self.execute("RETURN gds.version() AS version")[0]["version"])
        except ClientError as error:
            if not _is_missing(error):
                raise
        raise PipelineError(
            f"Neo4j at {self.target.uri} has no Graph Data Science library; this step projects a graph with "
            "it. Put its jar into the directory plugins, set dbms.security.procedures.unrestricted=gds.*, "
            "and restart."
        )


def resolve(
    uri: str | None = None, user: str | None = None, password: str | None = None, database: str | None = None
) -> Target:
    """Where to connect, without connecting; arguments win over variables.

    Raises:
        PipelineError: if the address is malformed or Aura's, or nothing is named and the embedded server
            does not run.
    """
    database = database or os.environ.get("NEO4J_DATABASE") or None
    user = user or os.environ.get("NEO4J_USERNAME") or os.environ.get("NEO4J_USER")
    password = password or os.environ.get("NEO4J_PASSWORD") or None
    origin = "--uri" if uri else "NEO4J_URI"
    uri = uri or os.environ.get("NEO4J_URI") or None
    embedded = EmbeddedServer()
    status = embedded.status()
    if uri is None:
        if status.uri is None:
            first = "install" if status.state == "not installed" else "start"
            raise PipelineError(
                f"The embedded server is {status.state}, and neither --uri nor NEO4J_URI names another "
                f"Neo4j. Do: gnn4j server {first}"
            )
        origin, uri = "the embedded server", status.uri
    faults = _faults(uri)
    if faults:
        raise PipelineError(f"{origin} is '{uri}': {faults}")
    if password is None and status.uri and _same_place(uri, status.uri):
        if user in (None, status.user):
            password = embedded.password()
        elif user == WORKER:
            password = embedded.password(WORKER)
    return Target(uri, user or "neo4j", password, database, origin)


@contextmanager
def connect(
    uri: str | None = None,
    user: str | None = None,
    password: str | None = None,
    database: str | None = None,
    *,
    plugin: bool = True,
) -> Iterator[Connection]:
    """Opens a driver, makes sure that somebody answers and lets us in, and closes it at the end.

    Args:
        plugin: also make sure that our procedures are there.
    Raises:
        PipelineError: in words, for every way in which this can fail.
    """
    target = resolve(uri, user, password, database)
    auth = (target.user, target.password) if target.password else None
    try:
        with neo4j.GraphDatabase.driver(
            target.uri,
            auth=auth,
            connection_acquisition_timeout=_CONNECT_SECONDS,
            connection_timeout=_CONNECT_SECONDS,
            notifications_min_severity="OFF",
            telemetry_disabled=True,
        ) as driver:
            _verify(driver, target)
            connection = Connection(driver, target)
            if plugin:
                connection.require_plugin()
            yield connection
    except ConfigurationError as error:
        raise PipelineError(f"{target.origin} is '{target.uri}': {error}") from error


def in_words(error: DriverError | Neo4jError) -> str:
    """The sentence inside an error of the driver, without the server's wrapping."""
    if isinstance(error, ServiceUnavailable):
        return f"The connection to Neo4j was lost ({error}). See: gnn4j server status"
    if isinstance(error, Neo4jError) and error.message:
        return _CAUSE.sub("", error.message)
    return str(error)


def parse_version(version: str) -> tuple[int, int]:
    """The first two numbers of a version; (0, 0) when there are none."""
    numbers = re.findall(r"\d+", version)[:2]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else (0, 0)


def _verify(driver: neo4j.Driver, target: Target) -> None:
    try:
        # Not execute_query, which would try again for half a minute.
        with driver.session(database=target.database) as session:
            session.run("RETURN 1").consume()
    except AuthError as error:
        if target.password is None:
            reason = "asks for a password, and NEO4J_PASSWORD is not set"
        elif "RateLimit" in (error.code or ""):
            reason = "locked this user for some seconds after too many wrong passwords; wait, then try again"
        else:
            reason = (
                f"refuses the password of user '{target.user}'; look at NEO4J_USERNAME and NEO4J_PASSWORD"
            )
        if target.origin == "the embedded server":
            reason += f", or write the right one into {EmbeddedServer().status().passwordFile}"
        raise PipelineError(f"Neo4j at {target.uri} {reason}.") from error
    except ServiceUnavailable as error:
        hint = (
            "See: gnn4j server status"
            if target.origin == "the embedded server"
            else f"Is it running, and is the address in {target.origin} right? The embedded server is used "
            "when neither --uri nor NEO4J_URI is given."
        )
        raise PipelineError(f"No Neo4j answers at {target.uri}. {hint}") from error
    except ClientError as error:
        if error.code == "Neo.ClientError.Database.DatabaseNotFound":
            raise PipelineError(
                f"Neo4j at {target.uri} has no database '{target.database}'. "
                f"Known: {', '.join(_databases(driver))}."
            ) from error
        raise


def _databases(driver: neo4j.Driver) -> list[str]:
    records = driver.execute_query("SHOW DATABASES YIELD name RETURN name", database_="system").records
    return sorted(record["name"] for record in records if record["name"] != "system")


def _faults(uri: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme not in _SCHEMES:
        return f"a Neo4j address begins with one of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}."
    if (parts.hostname or "").endswith(_AURA):
        return (
            "Neo4j Aura does not let anybody install plugins, and gnn4j's procedures are one. Use a Neo4j of "
            "your own, or the embedded server: leave --uri away, unset NEO4J_URI, then gnn4j server start"
        )
    return ""


def _same_place(one: str, other: str) -> bool:
    def place(uri: str) -> tuple[str, int]:
        parts = urlsplit(uri)
        host = "localhost" if parts.hostname in ("127.0.0.1", "::1") else parts.hostname
        return host or "", parts.port or 7687

    return place(one) == place(other)


def _is_missing(error: ClientError) -> bool:
    return error.code in (
        "Neo.ClientError.Procedure.ProcedureNotFound",
        "Neo.ClientError.Statement.SyntaxError",  # an unknown function
    )


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]:02d}"
