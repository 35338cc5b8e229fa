"""Starts, watches and stops the embedded server.

One home has at most one server process. It is known by a marker on its command line, so a state file that a
killed server left behind, or a process number that another program has taken over, mislead nobody.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.home import Home, write_private
from gds_pipelines.server.installation import installed
from gds_pipelines.server.java import Java, find_java
from gds_pipelines.server.memory import Memory, memory_for, own_memory, usable_memory
from gds_pipelines.server.passwords import USER, first_password, new_password, password_file, read_password
from gds_pipelines.server.ports import BOLT_PORT, HTTP_PORT, listens, reserved_port, serves
from gds_pipelines.server.report import Report
from gds_pipelines.server.settings import (
    ADVERTISED_HOST,
    JVM_ADDITIONAL,
    LISTEN,
    WORKER,
    Ports,
    java_command,
    marker,
    own_settings,
    settings,
    write_configuration,
)

if TYPE_CHECKING:  # the driver takes a second to import, and `status` needs none
    import neo4j

START_SECONDS = 300
STOP_SECONDS = 120

_START_ATTEMPTS = 3
_POLL_SECONDS = 0.2
_TAIL_LINES = 20
_PORT_TAKEN = ("Address already in use", "BindException", "is already in use")


class ServerFailed(PipelineError):
    """The server ended, or did not answer in time; carries what it said since it was started."""

    def __init__(self, reason: str, home: Home, log_offset: int) -> None:
        # The JVM speaks on the console, Neo4j in its log.
        self.said = [*log_tail(home.console_log), *log_tail(home.log, since=log_offset)]
        shown = "".join(f"\n  {line}" for line in self.said) or " nothing"
        super().__init__(f"Neo4j {reason}. Its logs are in {home.logs}; what it said:{shown}")


@dataclass(frozen=True)
class Running:
    """A server that was started: where it listens and which process it is."""

    pid: int
    bolt: int
    http: int
    plugin_sha256: str
    log_offset: int


@dataclass(frozen=True)
class Status:
    """What `gnn4j server status --json` prints; addresses are None unless the server runs."""

    state: str
    home: str
    user: str
    passwordFile: str
    log: str
    uri: str | None = None
    http: str | None = None
    pid: int | None = None
    neo4j: str | None = None
    gds: str | None = None
    restartNeeded: bool = False

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def status(home: Home) -> Status:
    """How the server of this home is: ``running``, ``starting``, ``stopped``, or ``not installed``."""
    running = find_running(home)
    has = installed(home)
    known = {
        "home": str(home.root),
        "user": USER,
        "passwordFile": str(password_file(home)),
        "log": str(home.log),
        "neo4j": has.neo4j or None,
        "gds": has.gds,
    }
    if running is None:
        return Status(state="stopped" if has.neo4j else "not installed", **known)
    return Status(
        state="running" if listens(running.pid, running.bolt) else "starting",
        uri=f"bolt://{ADVERTISED_HOST}:{running.bolt}",
        http=f"http://{ADVERTISED_HOST}:{running.http}",
        pid=running.pid,
        restartNeeded=running.plugin_sha256 != has.plugin_sha256,
        **known,
    )


def find_running(home: Home) -> Running | None:
    """The living server of this home, or None; never a foreign process with a recycled number.

    A server whose state file was lost is found by its command line.
    """
    try:
        running = Running(**json.loads(_state_file(home).read_text(encoding="utf-8")))
        if _is_server(running.pid, home):
            return running
    except (OSError, ValueError, TypeError):
        pass
    return next((_without_state(pid, home) for pid in psutil.pids() if _is_server(pid, home)), None)


def start(
    home: Home,
    report: Report,
    *,
    memory: Memory | None = None,
    extra: Mapping[str, str] | None = None,
    java: Java | None = None,
    bolt_port: int = BOLT_PORT,
    http_port: int = HTTP_PORT,
    seconds: float = START_SECONDS,
) -> Status:
    """Starts the server of an installed home and waits until it answers; one that runs already will do.

    The caller holds the home's lock, so two starts at once give one server.

    Args:
        memory: heap and page cache; a share of the machine when None.
        extra: more settings, by Neo4j's names.
        bolt_port: where to look first; the next free port is taken.
        http_port: as ``bolt_port``.
        seconds: how long to wait for the first answer.
    Raises:
        ServerFailed: with the end of the log, if it does not come up.
    """
    java = java or find_java()
    memory = own_memory(memory or memory_for(usable_memory()), own_settings(home))
    if running := find_running(home):
        report.step("Waiting for the server that is already there")
        _await(home, running, seconds)
        return status(home)
    home.create()
    password = first_password(home, java)
    plugin = home.plugins / installed(home).plugin_jar
    for attempt in range(1, _START_ATTEMPTS + 1):
        try:
            with reserved_port(bolt_port) as bolt, reserved_port(http_port) as http:
                values = settings(home, Ports(bolt, http), memory, plugin if plugin.is_file() else None)
                values |= dict(extra or {})
                write_configuration(home, values)
                options = (values | own_settings(home)).get(JVM_ADDITIONAL, "")
                report.step(f"Starting Neo4j on port {bolt}")
                log_offset = home.log.stat().st_size if home.log.exists() else 0
                process = _launch(java_command(java.executable, home, memory, java.version, options), home)
                running = Running(process.pid, bolt, http, installed(home).plugin_sha256, log_offset)
                write_private(_state_file(home), json.dumps(asdict(running)))
                _await(home, running, seconds)
        except ServerFailed as error:
            # Between our look at a port and Neo4j's own bind, another program may have taken it.
            lost_port = any(word in line for line in error.said for word in _PORT_TAKEN)
            kill(home)
            if not lost_port or attempt == _START_ATTEMPTS:
                raise
            continue
        break
    _ensure_worker(home, password)
    return status(home)


def stop(home: Home, seconds: float = STOP_SECONDS) -> bool:
    """Stops the server cleanly and waits for its end; False when none was running.

    Raises:
        PipelineError: if it does not end in time; it is left alone then.
    """
    running = find_running(home)
    if running is None:
        _state_file(home).unlink(missing_ok=True)
        return False
    process = psutil.Process(running.pid)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except psutil.TimeoutExpired as error:
        raise PipelineError(
            f"The server (process {running.pid}) is still busy after {seconds:g} s. Wait and try again, or "
            f"end it with your system's tools; the data survives that. Its log: {home.logs / 'debug.log'}"
        ) from error
    _state_file(home).unlink(missing_ok=True)
    return True


def kill(home: Home) -> None:
    """Ends the server at once, as a power cut would; the next start recovers its data."""
    if running := find_running(home):
        _kill(running.pid)
    _state_file(home).unlink(missing_ok=True)


def log_tail(path: Path, since: int = 0, lines: int = _TAIL_LINES) -> list[str]:
    """The last lines of a log that are not blank, from byte ``since`` on; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            # A log that was rotated meanwhile is shorter than it was.
            file.seek(max(since if since <= size else 0, size - 300 * lines))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]


def _state_file(home: Home) -> Path:
    return home.run / "server.json"


def _is_server(pid: int, home: Home) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and marker(home) in process.cmdline()
    except psutil.Error:
        return False


def _without_state(pid: int, home: Home) -> Running:
    """What the configuration of the last start says about a server that is only known by its process."""
    ports = {
        name: int(value.rpartition(":")[2])
        for name, _, value in (line.partition("=") for line in _lines(home.conf / "neo4j.conf"))
        if name.endswith(".listen_address") and value.rpartition(":")[2].isdigit()
    }
    return Running(
        pid,
        bolt=ports.get("server.bolt.listen_address", BOLT_PORT),
        http=ports.get("server.http.listen_address", HTTP_PORT),
        plugin_sha256=installed(home).plugin_sha256,
        log_offset=0,
    )


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _launch(command: list[str], home: Home) -> subprocess.Popen[bytes]:
    if home.console_log.exists():
        home.console_log.replace(home.console_log.with_name("console.previous.log"))
    # A terminal's Ctrl-C must not reach the server.
    detached: dict[str, Any] = (
        {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        if sys.platform == "win32"
        else {"start_new_session": True}
    )
    # Variables named NEO4J_... would be read as settings, NEO4J_URI and NEO4J_PASSWORD among them.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NEO4J_")}
    with home.console_log.open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=home.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **detached,
        )


def _await(home: Home, running: Running, seconds: float) -> None:
    """Waits until the server lets us in with the password."""
    from neo4j.exceptions import AuthError, DriverError, Neo4jError

    deadline = time.monotonic() + seconds
    password = read_password(home)
    while time.monotonic() < deadline:
        if not _is_server(running.pid, home):
            time.sleep(
                1
            )  # a program that is just being loaded has no command line yet; a busy machine shows it
            if not _is_server(running.pid, home):
                raise ServerFailed("ended while it was starting", home, running.log_offset)
        if all(listens(running.pid, port) for port in (running.bolt, running.http)) and serves(running.http):
            try:
                with _driver(running.bolt, USER, password) as driver:
                    driver.verify_connectivity()
                    return
            except AuthError:
                # The user changed the password inside the database: the server is up all the same.
                return
            except (DriverError, Neo4jError):
                pass  # still starting: listening before the databases are there
        time.sleep(_POLL_SECONDS)
    raise ServerFailed(f"did not answer within {seconds:g} s", home, running.log_offset)


def _driver(bolt: int, user: str, password: str) -> "neo4j.Driver":
    import neo4j

    return neo4j.GraphDatabase.driver(
        f"bolt://{LISTEN}:{bolt}", auth=(user, password), telemetry_disabled=True
    )


def _ensure_worker(home: Home, password: str) -> None:
    """Makes the user that background work runs as, with a password file of its own."""
    from neo4j.exceptions import AuthError

    running = find_running(home)
    path = password_file(home, WORKER)
    if running is None or path.exists():
        return
    worker_password = new_password()
    try:
        with _driver(running.bolt, USER, password) as driver:
            driver.execute_query(
                "CREATE OR REPLACE USER gnn_worker SET PASSWORD $password CHANGE NOT REQUIRED",
                password=worker_password,
                database_="system",
            )
    except AuthError:
        return  # whoever changed the password looks after the users as well
    write_private(path, worker_password + "\n")


def _kill(pid: int) -> None:
    try:
        process = psutil.Process(pid)
        process.kill()
        process.wait(30)
    except psutil.Error:
        pass
