"""The embedded server as commands use it: everything here takes the home's lock where it must.

>>> server = EmbeddedServer()          # GNN4J_HOME, or the user's data directory
>>> server.start(report).uri           # installs first when needed
'bolt://localhost:7687'
"""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gds_pipelines.errors import PipelineError
from gds_pipelines.server import passwords, ports, process
from gds_pipelines.server.home import Home
from gds_pipelines.server.installation import (
    Installed,
    Sources,
    install,
    installed,
    outdated,
    plugin_jar,
)
from gds_pipelines.server.memory import Memory
from gds_pipelines.server.process import Status
from gds_pipelines.server.report import Report

LOCK = "server"


@dataclass(frozen=True)
class EmbeddedServer:
    """One home and the server in it."""

    home: Home = field(default_factory=Home.default)

    def install(self, report: Report, with_gds: bool | None = None) -> list[str]:
        """Brings jars and plugin up to date; returns the parts made anew, ``server`` and ``plugin``.

        Args:
            with_gds: None keeps what is installed, with GDS at first.
        Raises:
            PipelineError: if jars must be exchanged under a running server.
        """
        with self.home.locked(LOCK):
            return self._install(report, with_gds)

    def start(
        self,
        report: Report,
        *,
        memory: Memory | None = None,
        extra: Mapping[str, str] | None = None,
        bolt_port: int = ports.BOLT_PORT,
        http_port: int = ports.HTTP_PORT,
        seconds: float = process.START_SECONDS,
    ) -> Status:
        """Installs what is missing or outdated and starts; a server that runs already is left as it is."""
        with self.home.locked(LOCK):
            # A package away from its clone can still start what was installed from it.
            known = Sources.beside() is not None or not installed(self.home).plugin_jar
            if known and process.find_running(self.home) is None:
                self._install(report, None)
            return process.start(
                self.home,
                report,
                memory=memory,
                extra=extra,
                bolt_port=bolt_port,
                http_port=http_port,
                seconds=seconds,
            )

    def stop(self, seconds: float = process.STOP_SECONDS) -> bool:
        """Stops the server and waits for its end; False when none was running."""
        with self.home.locked(LOCK):
            return process.stop(self.home, seconds)

    def status(self) -> Status:
        """How the server is; takes no lock."""
        return process.status(self.home)

    def installed(self) -> Installed:
        """What the home holds."""
        return installed(self.home)

    def password(self, user: str = passwords.USER) -> str:
        """The generated password of a user."""
        return passwords.read_password(self.home, user)

    def copy_plugin(self, directory: Path, report: Report) -> Path:
        """Builds the plugin where needed and copies it into somebody's own ``plugins`` directory.

        Older jars of ours there are removed: two versions side by side stop Neo4j from starting.

        Raises:
            PipelineError: if the directory is not there or cannot be written.
        """
        if not directory.is_dir():
            raise PipelineError(
                f"'{directory}' is not a directory. Name the directory 'plugins' of your Neo4j, which exists "
                f"beside its 'conf'."
            )
        install(self.home, report, parts=("plugin",))
        jar = plugin_jar(self.home)
        target = directory / jar.name
        try:
            for old in directory.glob("gnn4j-plugin-*.jar"):
                if old.name != jar.name:
                    old.unlink()
            shutil.copyfile(jar, target.with_suffix(".arriving"))
            target.with_suffix(".arriving").replace(target)
        except OSError as error:
            raise PipelineError(f"'{directory}' cannot be written ({error.strerror}).") from error
        return target

    def _install(self, report: Report, with_gds: bool | None) -> list[str]:
        has = installed(self.home)
        if with_gds is None:
            with_gds = has.gds is not None or not has.neo4j
        if running := process.find_running(self.home):
            parts = outdated(self.home, Sources.find(), with_gds)
            # A running JVM keeps the plugin's old file open; on Windows nobody may replace an open file.
            if "server" in parts or (parts and sys.platform == "win32"):
                raise PipelineError(
                    f"The server runs (process {running.pid}) on jars that would be exchanged. "
                    f"First: gnn4j server stop"
                )
        return install(self.home, report, with_gds)
