"""What goes into ``neo4j.conf`` of the embedded server, and onto the command line of its JVM."""

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gds_pipelines.server.home import Home
from gds_pipelines.server.memory import MEBIBYTE, Memory

LISTEN = "127.0.0.1"
ADVERTISED_HOST = "localhost"
"""Neo4j Browser accepts guides from localhost, not from 127.0.0.1."""

WEB_PACKAGE = "io.gnn4j.web"
OWN_SETTINGS = "own.conf"
JVM_ADDITIONAL = "server.jvm.additional"
WORKER = "gnn_worker"

_DECLARATIONS = "META-INF/services/org.neo4j.configuration.SettingsDeclaration"

# The list of Neo4j's own start script, less what needs a full JDK (jdk.incubator.vector).
JVM_OPTIONS = (
    "-XX:+UseG1GC",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+DisableExplicitGC",
    "-Djdk.nio.maxCachedBufferSize=1024",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Djdk.tls.ephemeralDHKeySize=2048",
    "-Djdk.tls.rejectClientInitiatedRenegotiation=true",
    "-Dlog4j2.disable.jmx=true",
    "-Dfile.encoding=UTF-8",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
)


@dataclass(frozen=True)
class Ports:
    """Where the server listens on the loopback interface."""

    bolt: int
    http: int


def settings(home: Home, ports: Ports, memory: Memory, plugin: Path | None) -> dict[str, str]:
    """All settings of a start, by name.

    Args:
        plugin: our jar; only settings that it declares are written, for Neo4j refuses unknown ones.
    """
    values = {
        "server.directories.data": str(home.data),
        "server.directories.logs": str(home.logs),
        "server.directories.run": str(home.run),
        "server.directories.plugins": str(home.plugins),
        "server.directories.lib": str(home.lib),
        "server.directories.import": str(home.data / "import"),
        "server.default_listen_address": LISTEN,
        "server.bolt.listen_address": f"{LISTEN}:{ports.bolt}",
        "server.bolt.advertised_address": f"{ADVERTISED_HOST}:{ports.bolt}",
        "server.http.listen_address": f"{LISTEN}:{ports.http}",
        "server.http.advertised_address": f"{ADVERTISED_HOST}:{ports.http}",
        "server.https.enabled": "false",
        "dbms.security.auth_enabled": "true",
        "dbms.security.procedures.unrestricted": "gds.*",
        "dbms.usage_report.enabled": "false",
        "client.allow_telemetry": "false",
        # Bolt waits 10 s at shutdown for nobody otherwise.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period_duration": "0s",
        "internal.server.bolt.connection_shutdown_wait_time": "1s",
        "server.memory.heap.initial_size": f"{min(memory.heap, 512)}m",
        "server.memory.heap.max_size": f"{memory.heap}m",
        "server.memory.pagecache.size": f"{memory.page_cache}m",
    }
    return values | (plugin_settings(plugin) if plugin else {})


def plugin_settings(jar: Path) -> dict[str, str]:
    """The settings that this jar understands: static pages below ``/gnn``, and the worker's rights."""
    values: dict[str, str] = {}
    with zipfile.ZipFile(jar) as archive:
        names = archive.namelist()
        if any(name.startswith(WEB_PACKAGE.replace(".", "/") + "/") for name in names):
            values["server.unmanaged_extension_classes"] = f"{WEB_PACKAGE}=/gnn"
            values["dbms.security.http_auth_allowlist"] = "/,/browser.*,/gnn.*"
        if _DECLARATIONS in names:
            declared = b"".join(
                archive.read(f"{line.strip().replace('.', '/')}.class")
                for line in archive.read(_DECLARATIONS).decode().splitlines()
                if line.strip() and not line.startswith("#")
            )
            # A name that is declared stands as a constant in the class that declares it.
            if b"server.gnn.worker.users" in declared:
                values["server.gnn.worker.users"] = WORKER
            if b"server.gnn.model.load.users" in declared:
                values["server.gnn.model.load.users"] = f"neo4j,{WORKER}"
    return values


def write_configuration(home: Home, values: Mapping[str, str]) -> Path:
    """Writes ``neo4j.conf`` anew; lines of the user's own ``own.conf`` come last and win."""
    lines = [
        f"# Written at every start by gnn4j. Your own settings go into {OWN_SETTINGS}, beside this file."
    ]
    own = own_settings(home)
    lines += [f"{name}={_escape(value)}" for name, value in (dict(values) | own).items()]
    path = home.conf / "neo4j.conf"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def own_settings(home: Home) -> dict[str, str]:
    """What the user wrote into ``conf/own.conf``: ``name=value`` lines, ``#`` comments."""
    try:
        text = (home.conf / OWN_SETTINGS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    values: dict[str, str] = {}
    for line in text.splitlines():
        name, sign, value = (part.strip() for part in line.partition("="))
        if not sign or name.startswith("#"):
            continue
        # The one setting that may stand several times, an option of the JVM each.
        values[name] = f"{values[name]} {value}" if name == JVM_ADDITIONAL and name in values else value
    return values


def java_command(java: Path, home: Home, memory: Memory, version: int, own_options: str = "") -> list[str]:
    """The command that runs the server; the marker tells this server's process from all others.

    Args:
        own_options: the value of ``server.jvm.additional``; separated by blanks, they come last and win.
    """
    options = [
        *JVM_OPTIONS,
        *(["--sun-misc-unsafe-memory-access=allow"] if version >= 23 else []),
        f"-Xms{min(memory.heap, 512)}m",
        f"-Xmx{memory.heap}m",
        # Netty and the page cache of GDS live outside the heap; without a bound they may take as much again.
        f"-XX:MaxDirectMemorySize={max(memory.heap // 2, 256) * MEBIBYTE}",
        marker(home),
        *own_options.split(),
    ]
    # Procedures are found by scanning plugins/, extensions only on the class path: our jar is needed in both.
    class_path = [str(home.lib / "*"), *(str(jar) for jar in sorted(home.plugins.glob("gnn4j-plugin-*.jar")))]
    return [
        str(java),
        *options,
        "-cp",
        os.pathsep.join(class_path),
        "org.neo4j.server.Neo4jCommunity",
        f"--home-dir={home.root}",
        f"--config-dir={home.conf}",
    ]


def marker(home: Home) -> str:
    """An argument that only the JVM of this home has."""
    return f"-Dgnn4j.home={home.root}"


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\")
