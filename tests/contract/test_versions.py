"""One version of everything, wherever it is written down."""

import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
POM = "{http://maven.apache.org/POM/4.0.0}"


def pom(module):
    return ElementTree.parse(ROOT / "cypher" / module / "pom.xml").getroot()


@pytest.mark.parametrize("module", ["plugin", "server"])
def test_python_and_java_carry_the_same_version(module):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert pom(module).findtext(f"{POM}version") == project["version"]


@pytest.mark.parametrize("name", ["neo4j.version", "gds.version"])
def test_the_plugin_is_compiled_against_the_server_that_runs_it(name):
    versions = {
        module: pom(module).findtext(f"{POM}properties/{POM}{name}") for module in ("plugin", "server")
    }
    assert versions["plugin"] is not None
    assert versions["plugin"] == versions["server"]


def test_the_locked_dependencies_cover_what_the_package_asks_for():
    """Names only: the resolver has looked at the versions when it wrote the lock."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        canonicalize_name(Requirement(text).name)
        for text in [*project["dependencies"], *extras["dev"], *extras["java"]]
    }
    locked = {
        canonicalize_name(line.partition("==")[0])
        for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    assert wanted - locked == set()
