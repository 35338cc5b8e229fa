"""Apache Maven for a machine that has none: fetched once, pinned by hash, run with the chosen Java.

The distribution is itself an artefact of Maven's repository, so ``jgo`` (a Maven client in Python)
fetches it. The user's own ``settings.xml`` (mirrors, proxies) and ``MAVEN_OPTS`` are honoured.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import deque
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.java import Java
from gds_pipelines.server.report import Report
from gds_pipelines.server.truststore import ca_bundle, java_options

VERSION = "3.9.11"
SHA512 = (
    "03e2d65d4483a3396980629f260e25cac0d8b6f7f2791e4dc20bc83f9514db8d"
    "0f05b0479e699a5f34679250c49c8e52e961262ded468a20de0be254d8207076"
)
_GROUP, _ARTIFACT = "org.apache.maven", "apache-maven"
_TAIL_LINES = 40
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_INTERESTING = re.compile(r"ERROR|FAIL")
_DOWNLOADED = re.compile(r"^Downloaded from \S+: \S+/(\S+) \((\S+ \S+) at")


class MavenFailed(PipelineError):
    """A build that did not end well; carries the lines that say why."""

    def __init__(self, what: str, log: Path, lines: Sequence[str]) -> None:
        shown = "".join(f"\n  {line}" for line in lines)
        super().__init__(
            f"{what} did not succeed. Is the network there? Behind a proxy or a mirror, say so in Maven's "
            f"settings.xml. The whole log: {log}{shown}"
        )


class Maven:
    """A Maven distribution under ``directory``, run with ``java``."""

    def __init__(self, directory: Path, java: Java) -> None:
        self.directory = directory
        self.java = java

    @property
    def executable(self) -> Path:
        name = "mvn.cmd" if sys.platform == "win32" else "mvn"
        return self.directory / f"{_ARTIFACT}-{VERSION}" / "bin" / name

    def fetch(self, report: Report) -> None:
        """Puts the distribution in place; does nothing when it is there.

        Raises:
            PipelineError: if it cannot be downloaded or has another hash than the pinned one.
        """
        if self.executable.exists():
            return
        archive = self._cached()
        self.directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.directory) as scratch:
            if archive is None:
                archive = _download(Path(scratch) / "repository", report)
            report.step(f"Unpacking Maven {VERSION}")
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(Path(scratch) / "unpacked")
            unpacked = Path(scratch) / "unpacked" / f"{_ARTIFACT}-{VERSION}"
            (unpacked / "bin" / "mvn").chmod(0o755)
            target = self.directory / unpacked.name
            shutil.rmtree(target, ignore_errors=True)
            unpacked.replace(target)

    def run(self, project: Path, arguments: Sequence[str], log: Path, what: str, report: Report) -> None:
        """Runs Maven on the ``pom.xml`` of ``project``; ``report`` hears of every artefact that arrives.

        Args:
            project: directory of the POM.
            arguments: goals and options, e.g. ``["package", "-DskipTests"]``.
            log: gets the whole output.
            what: the job in words, for the error.
        Raises:
            MavenFailed: if Maven ends with another status than 0.
        """
        command = [str(self.executable), "-B", "-f", str(project / "pom.xml"), *arguments]
        log.parent.mkdir(parents=True, exist_ok=True)
        tail: deque[str] = deque(maxlen=_TAIL_LINES)
        with (
            log.open("w", encoding="utf-8") as output,
            subprocess.Popen(
                command,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process,
        ):
            for line in process.stdout or ():
                output.write(line)
                tail.append(line.rstrip())
                if match := _DOWNLOADED.match(line):
                    report.received(match[1], parse_size(match[2]))
        if process.returncode != 0:
            told = [line for line in tail if _INTERESTING.search(line)] or list(tail)[-5:]
            raise MavenFailed(what, log, told[:12])

    def environment(self) -> dict[str, str]:
        """This process's environment with the chosen Java and the authorities that it names, if any."""
        own = [
            *java_options(self.directory),
            # Java 24+ warns four lines about what Maven's Guice does; nobody can act on it.
            *(["--sun-misc-unsafe-memory-access=allow"] if self.java.version >= 23 else []),
            "--enable-native-access=ALL-UNNAMED",
        ]
        # JDK_JAVA_OPTIONS may quote, MAVEN_OPTS may not (a home can have a blank in its name), and what
        # the user says in either comes later, so it wins.
        options = " ".join([*(f'"{option}"' for option in own), os.environ.get("JDK_JAVA_OPTIONS", "")])
        # The script would take these two from another Maven.
        environment = {k: v for k, v in os.environ.items() if k not in {"MAVEN_HOME", "M2_HOME"}}
        return {**environment, "JAVA_HOME": str(self.java.home), "JDK_JAVA_OPTIONS": options.strip()}

    @staticmethod
    def _cached() -> Path | None:
        """The archive in the user's own Maven repository, when it is there and whole."""
        from jgo.constants import default_maven_repo

        path = default_maven_repo().joinpath(
            *_GROUP.split("."), _ARTIFACT, VERSION, f"{_ARTIFACT}-{VERSION}-bin.zip"
        )
        return path if path.is_file() and sha512(path) == SHA512 else None


def sha512(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha512").hexdigest()


def parse_size(text: str) -> int:
    """Bytes of a size as Maven prints it, such as ``1.2 MB`` or ``816 B``; 0 when it is something else."""
    number, _, unit = text.partition(" ")
    try:
        return round(float(number) * _UNITS[unit])
    except (ValueError, KeyError):
        return 0


def mirror_of_central(settings: Path) -> str | None:
    """The address that ``settings.xml`` gives instead of Maven Central, or None.

    Only the two usual forms of ``mirrorOf`` are understood: ``*`` (also with exceptions) and ``central``.
    """
    try:
        root = ElementTree.parse(settings).getroot()
    except (OSError, ElementTree.ParseError):
        return None
    for mirror in root.iterfind("{*}mirrors/{*}mirror"):
        of = {part.strip() for part in (mirror.findtext("{*}mirrorOf") or "").split(",")}
        if "!central" not in of and of & {"*", "central", "external:*"}:
            return (mirror.findtext("{*}url") or "").rstrip("/") or None
    return None


def _download(repository: Path, report: Report) -> Path:
    import requests
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def progress(name: str, total: int):
        report.step(f"Downloading Maven {VERSION}", expected=total)
        yield lambda count: report.received(name, count)

    mirror = mirror_of_central(Path.home() / ".m2" / "settings.xml")
    context = MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=repository,
        remote_repos={"central": mirror} if mirror else None,
        timeout=60,
    )
    artifact = (
        context.project(_GROUP, _ARTIFACT).at_version(VERSION).artifact(classifier="bin", packaging="zip")
    )
    try:
        with _requests_trust_bundle():
            path = Path(artifact.resolve())
    except (requests.RequestException, RuntimeError, OSError) as error:
        raise PipelineError(
            f"Maven {VERSION} could not be downloaded: {error}. It is needed once, to fetch Neo4j; "
            f"check the network, HTTPS_PROXY and SSL_CERT_FILE."
        ) from error
    if (found := sha512(path)) != SHA512:
        raise PipelineError(
            f"The downloaded Maven {VERSION} has SHA-512 {found[:16]}…, expected {SHA512[:16]}…. "
            f"Nothing was unpacked. A proxy may have answered in its place; try again."
        )
    return path


@contextmanager
def _requests_trust_bundle():
    """``requests`` looks at REQUESTS_CA_BUNDLE only; the rest of the world at SSL_CERT_FILE."""
    bundle = ca_bundle()
    if bundle is None or os.environ.get("REQUESTS_CA_BUNDLE"):
        yield
        return
    os.environ["REQUESTS_CA_BUNDLE"] = str(bundle)
    try:
        yield
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]
