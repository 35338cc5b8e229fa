"""What is wrong with a set-up, and what to do: each check looks at one thing and changes nothing."""

import os
import platform
import shutil
import stat
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from gds_pipelines.errors import PipelineError
from gds_pipelines.server import passwords, process
from gds_pipelines.server import ports as server_ports
from gds_pipelines.server.embedded import EmbeddedServer
from gds_pipelines.server.home import Home
from gds_pipelines.server.installation import Sources, outdated
from gds_pipelines.server.java import find_java
from gds_pipelines.server.memory import memory_for, usable_memory
from gds_pipelines.server.settings import WORKER

if TYPE_CHECKING:  # the driver takes a second to import
    from gds_pipelines.connection import Connection

State = Literal["ok", "warn", "fail"]

MINIMUM_PYTHON = (3, 11)
GIBIBYTE = 1024**3
# Jars, build and caches take 0.5 GiB; a database of a million ratings with its logs about 1 GiB.
DISK_NEEDED, DISK_WANTED = GIBIBYTE, 4 * GIBIBYTE
# 0.5 GiB of heap, as much outside it, and the trainer.
MEMORY_NEEDED, MEMORY_WANTED = 2 * GIBIBYTE, 4 * GIBIBYTE


@dataclass(frozen=True)
class Finding:
    """One line of the report; ``advice`` is empty when all is well."""

    check: str
    state: State
    found: str
    advice: str = ""


def examine(uri: str | None = None) -> list[Finding]:
    """All findings, from the ground up; a check that breaks is itself a finding."""
    home = Home.default()
    findings = [python(), *packages(), java(), memory(), disk(home), permissions(home), installation(home)]
    findings += ports(home)
    findings += server(uri)
    return [*findings, gpu()]


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The interpreter."""
    found = ".".join(map(str, version)) + f" ({platform.machine()}, {sys.prefix})"
    if tuple(version) < MINIMUM_PYTHON:
        return Finding("Python", "fail", found, "Use Python 3.11 or newer.")
    return Finding("Python", "ok", found)


def packages(distribution: str = "gnn4j") -> list[Finding]:
    """Every required package, by the metadata of our own distribution: there, and new enough?"""
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(text) for text in metadata.requires(distribution) or []]
    except metadata.PackageNotFoundError:
        advice = "Run in the clone: make environment (or: pip install --editable .)"
        return [Finding("Packages", "warn", f"{distribution} is not installed, only on the path", advice)]
    faults = []
    wanted = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in wanted:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            faults.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            faults.append(f"{requirement.name} is {version}, needed is {requirement.specifier}")
    if faults:
        return [Finding("Packages", "fail", fault, "Run in the clone: make environment") for fault in faults]
    return [
        Finding("Packages", "ok", f"{len(wanted)} required packages, gnn4j {metadata.version(distribution)}")
    ]


def java() -> Finding:
    """The Java that builds the plugin and runs the embedded server."""
    try:
        found = find_java()
    except PipelineError as error:
        return Finding("Java", "fail", "none of version 21 or newer", str(error))
    return Finding("Java", "ok", f"{found.version} from {found.source} ({found.home})")


def memory(total: int | None = None) -> Finding:
    """What this process may use, and what the server would take of it."""
    total = usable_memory() if total is None else total
    share = memory_for(total)
    shares = f"{share.heap} MiB heap, {share.page_cache} MiB page cache"
    found = f"{total / GIBIBYTE:.1f} GiB; the server takes {shares}"
    if total < MEMORY_NEEDED:
        return Finding("Memory", "fail", found, "At least 2 GiB are needed.")
    if total < MEMORY_WANTED:
        return Finding("Memory", "warn", found, "Small data sets only; 4 GiB or more are better.")
    return Finding("Memory", "ok", found)


def disk(home: Home, free: int | None = None) -> Finding:
    """Free space where the server's home is, or will be."""
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = shutil.disk_usage(place).free if free is None else free
    found = f"{free / GIBIBYTE:.1f} GiB free at {place}"
    advice = "Make room, or set GNN4J_HOME to another disk."
    if free < DISK_NEEDED:
        return Finding("Disk", "fail", found, advice)
    return Finding(
        "Disk", "warn" if free < DISK_WANTED else "ok", found, advice if free < DISK_WANTED else ""
    )


def permissions(home: Home) -> Finding:
    """Nobody else may read the passwords and the data; we must be able to write."""
    if not home.root.exists():
        return Finding("Home", "ok", f"{home.root} will be made")
    if not os.access(home.root, os.W_OK):
        return Finding(
            "Home", "fail", f"{home.root} cannot be written", "Set GNN4J_HOME to a directory of yours."
        )
    if sys.platform == "win32":  # its rights are not in the mode; the user's profile is private
        return Finding("Home", "ok", str(home.root))
    private = [home.data, passwords.password_file(home), passwords.password_file(home, WORKER)]
    open_to_others = [path for path in private if path.exists() and _others_read(path, home.root)]
    if open_to_others:
        names = " ".join(f"'{path}'" for path in open_to_others)
        return Finding("Home", "fail", f"others can read {names}", f"chmod -R go-rwx {names}")
    return Finding("Home", "ok", f"{home.root}, readable by you alone")


def installation(home: Home) -> Finding:
    """Are the jars there, and made from these sources?"""
    has = EmbeddedServer(home).installed()
    if not has.neo4j:
        return Finding("Installation", "warn", f"no server in {home.root}", "gnn4j server install")
    found = f"Neo4j {has.neo4j}, {f'GDS {has.gds}' if has.gds else 'no GDS'}, {has.plugin_jar or 'no plugin'}"
    try:
        parts = outdated(home, Sources.find(), has.gds is not None)
    except PipelineError as error:
        return Finding("Installation", "warn", f"{found}; its sources are not here", str(error))
    if parts:
        advice = "gnn4j server stop; gnn4j server start"
        return Finding("Installation", "warn", f"{found}; outdated: {', '.join(parts)}", advice)
    return Finding("Installation", "ok", found)


def ports(home: Home) -> list[Finding]:
    """Whether the usual ports are free for the embedded server; another program there is no fault."""
    running = process.find_running(home)
    findings = []
    for name, port in (("Bolt", server_ports.BOLT_PORT), ("HTTP", server_ports.HTTP_PORT)):
        ours = running is not None and port in (running.bolt, running.http)
        if ours:
            findings.append(Finding("Ports", "ok", f"{name} {port} is the embedded server's"))
        elif server_ports.is_free(port):
            findings.append(Finding("Ports", "ok", f"{name} {port} is free"))
        else:
            found = f"{name} {port} is taken by {_owner(port)}; a start takes the next free one"
            findings.append(Finding("Ports", "ok", found))
    return findings


def server(uri: str | None = None) -> list[Finding]:
    """The Neo4j that commands would use: does it answer, are plugin and GDS in it, in fitting versions?"""
    from gds_pipelines import connection

    status = EmbeddedServer().status()
    named = uri or os.environ.get("NEO4J_URI")
    if not named and status.uri is None:
        advice = f"gnn4j server {'install' if status.state == 'not installed' else 'start'}"
        unknown = "not looked at: a running server says what it has in it"
        return [
            Finding("Server", "warn", f"the embedded server is {status.state}", advice),
            Finding("Plugin", "warn", unknown, advice),
            Finding("GDS", "warn", unknown, advice),
        ]
    try:
        with connection.connect(uri, plugin=False) as open_connection:
            version = open_connection.neo4j_version()
            findings = [
                Finding("Server", "ok", f"Neo4j {version} at {open_connection.target.uri}"),
                _plugin(open_connection),
                _gds(open_connection),
            ]
            if status.restartNeeded and not named:
                advice = "gnn4j server stop; gnn4j server start"
                findings.append(Finding("Server", "warn", "it still runs the plugin from before", advice))
            return findings
    except PipelineError as error:
        return [Finding("Server", "fail", "no connection", str(error))]


def gpu() -> Finding:
    """What torch will train on."""
    try:
        import torch
    except Exception as error:  # a broken driver or library can raise anything
        return Finding("GPU", "fail", f"torch does not load: {error}", "Run in the clone: make environment")
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name(0)
        size = torch.cuda.get_device_properties(0).total_memory / GIBIBYTE
        return Finding(
            "GPU", "ok", f"{torch.cuda.device_count()} x {name}, {size:.0f} GiB, CUDA {torch.version.cuda}"
        )
    if torch.backends.mps.is_available():
        return Finding("GPU", "ok", "Apple Metal")
    if shutil.which("nvidia-smi"):
        advice = f"Update the driver: torch {torch.__version__} needs one for CUDA {torch.version.cuda}."
        return Finding(
            "GPU", "warn", "nvidia-smi is there, but torch sees no device: training runs on the CPU", advice
        )
    return Finding("GPU", "ok", "none; training runs on the CPU")


def _plugin(open_connection: "Connection") -> Finding:
    try:
        version = open_connection.require_plugin()
    except PipelineError as error:
        return Finding("Plugin", "fail", "gnn.version() is not there", str(error))
    ours = _own_version()
    if ours and version != ours:
        advice = "Bring both to one version: gnn4j server install, or gnn4j server plugin --to DIR"
        return Finding("Plugin", "warn", f"{version}, but this command is {ours}", advice)
    return Finding("Plugin", "ok", version)


def _gds(open_connection: "Connection") -> Finding:
    advice = "Projection, export and sampling need it; recommendations do not."
    try:
        version = open_connection.require_gds()
    except PipelineError as error:
        return Finding("GDS", "warn", "none", f"{advice} {error}")
    try:
        expected = Sources.find().property("gds.version")
    except PipelineError:
        return Finding("GDS", "ok", version)
    if version.split(".")[:2] != expected.split(".")[:2]:
        return Finding("GDS", "warn", version, f"gnn4j is tested with {expected}. {advice}")
    return Finding("GDS", "ok", version)


def _own_version() -> str | None:
    try:
        return metadata.version("gnn4j")
    except metadata.PackageNotFoundError:
        return None


def _others_read(path: Path, root: Path) -> bool:
    """Whether a file is open to others, the directory above it included."""
    bits = stat.S_IRGRP | stat.S_IROTH
    return bool(path.stat().st_mode & bits) and bool(root.stat().st_mode & (stat.S_IXGRP | stat.S_IXOTH))


def _owner(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN:
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except (psutil.Error, OSError, PermissionError):
        pass
    return "another program"
