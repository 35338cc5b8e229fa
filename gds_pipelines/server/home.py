"""Where the embedded server lives on disk, and nothing else.

Layout: ``lib/`` (class path), ``plugins/`` (scanned for procedures), ``maven/`` (the build tool) and
``build/`` (the plugin's) come from the installation; ``conf/``, ``data/`` (the databases), ``logs/`` and
``run/`` (state and locks) belong to the server.
"""

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from gds_pipelines.errors import PipelineError

HOME_VARIABLE = "GNN4J_HOME"
LOCK_SECONDS = 900
"""How long one command waits for another on the same home: a first download on a slow line."""


@dataclass(frozen=True)
class Home:
    """The directories of one embedded server.

    ``software`` is another home whose installation this one runs; its own by default. So several servers,
    each with data of its own, share one set of jars.
    """

    root: Path
    software: Path | None = None

    @classmethod
    def default(cls) -> "Home":
        """``GNN4J_HOME`` where it is set, else the user's data directory of this platform."""
        named = os.environ.get(HOME_VARIABLE)
        return cls(Path(named).expanduser().resolve() if named else Path(platformdirs.user_data_dir("gnn4j")))

    @property
    def installation(self) -> "Home":
        """The home whose jars this one runs."""
        return Home(self.software) if self.software else self

    @property
    def lib(self) -> Path:
        return self.installation.root / "lib"

    @property
    def plugins(self) -> Path:
        return self.installation.root / "plugins"

    @property
    def conf(self) -> Path:
        return self.root / "conf"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def maven(self) -> Path:
        return self.installation.root / "maven"

    @property
    def build(self) -> Path:
        return self.installation.root / "build"

    @property
    def stamp(self) -> Path:
        """What is installed, and from which sources."""
        return self.installation.root / "installed.json"

    @property
    def log(self) -> Path:
        """What Neo4j reports: the first place to look."""
        return self.logs / "neo4j.log"

    @property
    def console_log(self) -> Path:
        """What the JVM prints, since the last start."""
        return self.logs / "console.log"

    def create(self) -> None:
        """Makes the directories, readable by the owner alone: they hold passwords and data.

        Raises:
            PipelineError: if the place cannot be written.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            for directory in (self.conf, self.data, self.logs, self.run):
                directory.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise PipelineError(
                f"The server's home '{self.root}' cannot be made ({error.strerror}). "
                f"Set {HOME_VARIABLE} to a directory that you may write."
            ) from error

    @contextmanager
    def locked(self, what: str, seconds: float = LOCK_SECONDS):
        """Holds this home for one command at a time; the lock ends with the process, however that ends.

        Raises:
            PipelineError: if another command holds it longer than ``seconds``.
        """
        self.create()
        lock = FileLock(self.run / f"{what}.lock", timeout=seconds)
        try:
            lock.acquire()
        except Timeout as error:
            raise PipelineError(
                f"Another gnn4j command has held '{lock.lock_file}' for {seconds:g} s. "
                f"Wait for it to end, or look for it with your system's process list."
            ) from error
        try:
            yield
        finally:
            lock.release()


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner can read, at no moment otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    partial.replace(path)
