"""Puts Neo4j Community, Neo4j Browser, OpenGDS and our plugin into a home; does only what is not done yet.

The jars come from the POM in ``cypher/server``, the plugin is compiled from ``cypher/plugin``; both lie
in a clone of the repository, not in the Python package (the plugin has another licence). A stamp in the
home holds the hash of what each part was made from: same hash, nothing to do.
"""

import hashlib
import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from xml.etree import ElementTree

from gds_pipelines.errors import PipelineError
from gds_pipelines.server.home import Home
from gds_pipelines.server.java import Java, find_java
from gds_pipelines.server.maven import Maven
from gds_pipelines.server.report import Report

_POM = "{http://maven.apache.org/POM/4.0.0}"
_PLUGIN_GLOB = "gnn4j-plugin-*.jar"


@dataclass(frozen=True)
class Installed:
    """What a home holds. A hash is empty when its part is missing."""

    neo4j: str = ""
    gds: str | None = None
    browser: str = ""
    server_sha256: str = ""
    plugin_sha256: str = ""
    plugin_jar: str = ""


@dataclass(frozen=True)
class Sources:
    """The directory ``cypher`` of a clone."""

    cypher: Path

    @classmethod
    def beside(cls) -> "Sources | None":
        """Those beside this package or in the current directory; None when neither is a clone."""
        for root in (Path(__file__).resolve().parents[2], Path.cwd()):
            if (root / "cypher" / "server" / "pom.xml").is_file():
                return cls(root / "cypher")
        return None

    @classmethod
    def find(cls) -> "Sources":
        """As :meth:`beside`.

        Raises:
            PipelineError: if there are none.
        """
        if sources := cls.beside():
            return sources
        raise PipelineError(
            "The server is assembled from a clone of the gnn4j repository, and this is not one: no "
            f"cypher/server/pom.xml beside the package or in '{Path.cwd()}'. Run the command in a clone, "
            "or use a Neo4j of your own with --uri."
        )

    @property
    def server(self) -> Path:
        return self.cypher / "server"

    @property
    def plugin(self) -> Path:
        return self.cypher / "plugin"

    def server_sha256(self, with_gds: bool) -> str:
        """Of what decides which jars are installed; another value asks for a new installation."""
        return _hash([self.server / "pom.xml"], self.cypher, f"gds={with_gds}")

    def plugin_sha256(self) -> str:
        """Over all that can get into the jar; tests are left out."""
        files = [self.plugin / "pom.xml", *_files(self.plugin / "src" / "main")]
        return _hash(
            [*files, *_files(self.cypher / "browser"), *_files(self.cypher / "queries")], self.cypher
        )

    def property(self, name: str) -> str:
        """A ``<property>`` of the server's POM."""
        value = ElementTree.parse(self.server / "pom.xml").findtext(f"{_POM}properties/{_POM}{name}")
        if value is None:
            raise PipelineError(f"'{self.server / 'pom.xml'}' has no property '{name}'.")
        return value


def installed(home: Home) -> Installed:
    """What the home's stamp says; all empty when there is none or it cannot be read."""
    try:
        return Installed(**json.loads(home.stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return Installed()


def plugin_jar(home: Home) -> Path:
    """The plugin's jar in this home.

    Raises:
        PipelineError: if it is not installed.
    """
    path = home.plugins / installed(home).plugin_jar
    if not path.is_file():
        raise PipelineError(f"There is no plugin in '{home.plugins}'. Run: gnn4j server install")
    return path


def outdated(home: Home, sources: Sources, with_gds: bool) -> list[str]:
    """The parts, ``server`` and ``plugin``, that an install would make anew."""
    has = installed(home)
    parts = []
    if has.server_sha256 != sources.server_sha256(with_gds) or not home.lib.is_dir():
        parts.append("server")
    if has.plugin_sha256 != sources.plugin_sha256() or not (home.plugins / has.plugin_jar).is_file():
        parts.append("plugin")
    return parts


def install(
    home: Home,
    report: Report,
    with_gds: bool = True,
    *,
    parts: Collection[str] = ("server", "plugin"),
    java: Java | None = None,
) -> list[str]:
    """Brings the home up to date and returns the parts that were made anew; two at once do it once.

    Jars of the server are only exchanged while it is down: the caller sees to that.

    Args:
        home: where to.
        report: hears what is being done.
        with_gds: leave GDS away when False.
        parts: what is wanted; ``("plugin",)`` fetches no Neo4j.
        java: for the build; found when None.
    Raises:
        PipelineError: without Java, network, or disk; nothing half-made is left in place.
    """
    sources = Sources.find()
    with home.installation.locked("install"):
        needed = [part for part in outdated(home, sources, with_gds) if part in parts]
        if not needed:
            return []
        maven = Maven(home.maven, java or find_java())
        maven.fetch(report)
        if "server" in needed:
            _install_server(home, sources, maven, report, with_gds)
        if "plugin" in needed:
            _install_plugin(home, sources, maven, report)
        return needed


def _install_server(home: Home, sources: Sources, maven: Maven, report: Report, with_gds: bool) -> None:
    staging = home.build / "server"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    megabytes = int(sources.property("gnn4j.download.megabytes"))
    report.step("Fetching Neo4j from Maven Central", expected=megabytes * 10**6)
    arguments = ["package", f"-Dgnn4j.home={staging}", *([] if with_gds else ["-DwithoutGds"])]
    maven.run(
        sources.server, arguments, home.build / "server.log", "Fetching Neo4j from Maven Central", report
    )
    (staging / "plugins").mkdir(exist_ok=True)
    # The directories are exchanged as a whole; our plugin moves along.
    before = installed(home)
    for jar in home.plugins.glob(_PLUGIN_GLOB):
        shutil.copyfile(jar, staging / "plugins" / jar.name)
    # The stamp goes first: a crash between the two renames is then seen as "not installed".
    home.stamp.unlink(missing_ok=True)
    for name, target in (("lib", home.lib), ("plugins", home.plugins)):
        shutil.rmtree(target, ignore_errors=True)
        (staging / name).replace(target)
    _write_stamp(
        home,
        Installed(
            neo4j=sources.property("neo4j.version"),
            gds=sources.property("gds.version") if with_gds else None,
            browser=sources.property("neo4j.browser.version"),
            server_sha256=sources.server_sha256(with_gds),
            plugin_sha256=before.plugin_sha256,
            plugin_jar=before.plugin_jar,
        ),
    )


def _install_plugin(home: Home, sources: Sources, maven: Maven, report: Report) -> None:
    sha256 = sources.plugin_sha256()
    # A copy is built, so that a read-only clone will do and two homes never share a target directory.
    copy = home.build / "cypher"
    shutil.rmtree(copy, ignore_errors=True)
    unneeded = {
        sources.cypher: {"server", "cases"},
        sources.plugin: {"target"},
        sources.plugin / "src": {"test"},
    }
    shutil.copytree(sources.cypher, copy, ignore=lambda place, _: unneeded.get(Path(place), set()))
    report.step("Building the plugin")
    # maven.test.skip leaves the tests uncompiled: their sources were not copied.
    maven.run(
        copy / "plugin",
        ["package", "-Dmaven.test.skip=true"],
        home.build / "plugin.log",
        "Building the plugin",
        report,
    )
    jars = [jar for jar in (copy / "plugin" / "target").glob(_PLUGIN_GLOB) if "sources" not in jar.name]
    if len(jars) != 1:
        raise PipelineError(f"The build made {len(jars)} plugin jars, expected one: {jars}.")
    for old in home.plugins.glob(_PLUGIN_GLOB):
        if old.name != jars[0].name:
            old.unlink()
    home.plugins.mkdir(exist_ok=True)
    arriving = home.plugins / f".{jars[0].name}"
    shutil.copyfile(jars[0], arriving)
    arriving.replace(home.plugins / jars[0].name)
    _write_stamp(home, replace(installed(home), plugin_sha256=sha256, plugin_jar=jars[0].name))


def _write_stamp(home: Home, stamp: Installed) -> None:
    partial = home.stamp.with_suffix(".partial")
    partial.write_text(json.dumps(asdict(stamp), indent=2), encoding="utf-8")
    partial.replace(home.stamp)


def _files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _hash(files: Iterable[Path], root: Path, salt: str = "") -> str:
    digest = hashlib.sha256(salt.encode())
    for path in files:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
