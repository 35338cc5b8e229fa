"""The compose file and the images' recipes, checked without a container engine.

Two linters (hadolint, compose-lint) know the general rules; what is ours is checked here: versions equal to
the POM's and the package's, nothing beyond loopback, no password in a file, nobody is root, and the settings
that we ask of any Neo4j.
"""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from gds_pipelines.commands.server import foreign_settings

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
RECIPES = ["Dockerfile.database", "Dockerfile.trainer"]
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
GPU = yaml.safe_load((DOCKER / "compose.gpu.yaml").read_text(encoding="utf-8"))


def instructions(recipe: str) -> list[tuple[str, str]]:
    """(instruction, rest) of a Dockerfile, continued lines joined, comments and blank lines left out."""
    text = (DOCKER / recipe).read_text(encoding="utf-8")
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = re.sub(r"\\\n\s*", "", lines)
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines()) if name]


def arguments(recipe: str) -> dict[str, str]:
    return dict(rest.split("=", 1) for name, rest in instructions(recipe) if name == "ARG" and "=" in rest)


def tool(name: str) -> str:
    """A linter that pip put beside this Python."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is missing. Do: pip install -e '.[dev]'"
    return found


@pytest.mark.parametrize("recipe", RECIPES)
def test_hadolint_finds_nothing_in_a_recipe(recipe):
    result = subprocess.run([tool("hadolint"), DOCKER / recipe], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


def test_compose_lint_finds_nothing_grave():
    files = [DOCKER / "compose.yaml", DOCKER / "compose.gpu.yaml"]
    result = subprocess.run(
        [tool("compose-lint"), "check", *files], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_base_image_is_pinned_to_a_full_version(recipe):
    values, stages = arguments(recipe), set()
    for name, rest in instructions(recipe):
        if name != "FROM":
            continue
        image, _, stage = rest.partition(" AS ")
        image = re.sub(r"\$\{(\w+)\}", lambda match: values[match[1]], image)
        assert image in stages or re.search(r":\d+\.\d+\.\d+", image), f"{image} is not pinned"
        stages.add(stage)


def test_versions_are_those_of_the_pom_and_of_the_package():
    pom = ElementTree.parse(ROOT / "cypher" / "server" / "pom.xml")
    neo4j = pom.findtext("{*}properties/{*}neo4j.version")
    package = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    uv = re.search(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert arguments("Dockerfile.database")["NEO4J_VERSION"] == neo4j
    assert uv
    assert arguments("Dockerfile.trainer")["UV_VERSION"] == uv[1]
    assert {service["image"].rpartition(":")[2] for service in COMPOSE["services"].values()} == {package}


@pytest.mark.parametrize("recipe", RECIPES)
def test_images_run_as_an_ordinary_user_and_say_whether_they_are_well(recipe):
    names = [name for name, _ in instructions(recipe)]
    users = [rest for name, rest in instructions(recipe) if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert "HEALTHCHECK" in names
    # A COPY after USER would still be root's, a RUN before the last FROM does not count.
    assert names.index("USER") > max(place for place, name in enumerate(names) if name in ("COPY", "RUN"))


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_services_have_no_rights_they_do_not_need(service):
    told = COMPOSE["services"][service]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", told["user"])
    assert told["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in told["security_opt"]
    assert "privileged" not in told
    assert "network_mode" not in told
    assert told["healthcheck"]["test"][0] == "CMD"
    assert "mem_limit" in told


def test_only_loopback_is_published_and_only_by_the_database():
    published = {name: service.get("ports", []) for name, service in COMPOSE["services"].items()}
    assert published == {
        "database": ["127.0.0.1:7474:7474", "127.0.0.1:7687:7687"],
        "trainer": [],
        "worker": [],
    }


def test_authentication_is_on_and_no_password_is_in_the_files():
    database = COMPOSE["services"]["database"]["environment"]
    # ":?" stops compose with the sentence that follows when the variable is missing.
    assert re.fullmatch(r"neo4j/\$\{NEO4J_PASSWORD:\?[^}]+\}", database["NEO4J_AUTH"])
    for name in ("trainer", "worker"):
        given = COMPOSE["services"][name]["environment"]["NEO4J_PASSWORD"]
        assert re.fullmatch(r"\$\{NEO4J_PASSWORD:\?[^}]+\}", given)
    # In the database's container every NEO4J_ variable becomes a setting, and Neo4j refuses unknown ones.
    assert "NEO4J_PASSWORD" not in database
    assert all("PASSWORD" not in rest for recipe in RECIPES for _, rest in instructions(recipe))


def test_settings_of_the_image_are_those_we_ask_of_any_neo4j(tmp_path):
    jar = tmp_path / "plugin.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("io/gnn4j/web/BrowserPages.class", b"")
    environment = next(rest for name, rest in instructions("Dockerfile.database") if name == "ENV")
    pairs = re.findall(r'NEO4J_(\w+)="([^"]*)"', environment)
    settings = {name.replace("__", "-").replace("_", ".").replace("-", "_"): value for name, value in pairs}
    asked = {name: value for name, (value, _) in foreign_settings(jar).items()}
    assert len(asked) == 3
    assert asked.items() <= settings.items()


def test_the_gpu_file_adds_a_gpu_to_trainer_and_worker_and_nothing_else():
    assert set(GPU["services"]) == {"trainer", "worker"}
    for service in GPU["services"].values():
        assert set(service) == {"deploy"}
        device = service["deploy"]["resources"]["reservations"]["devices"][0]
        assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_the_worker_is_the_user_whom_the_database_lets_work_and_its_checkpoints_outlive_it():
    worker = COMPOSE["services"]["worker"]
    allowed = COMPOSE["services"]["database"]["environment"]["NEO4J_server_gnn_worker_users"]
    assert worker["environment"]["NEO4J_USERNAME"] == allowed
    assert worker["command"][:2] == ["worker", "--checkpoints"]
    assert any(worker["command"][2].startswith(volume.partition(":")[2]) for volume in worker["volumes"])


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_build_gets_what_it_copies_and_little_else(recipe):
    ignored = (DOCKER / f"{recipe}.dockerignore").read_text(encoding="utf-8").split("\n")
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    copied = {
        source
        for name, rest in instructions(recipe)
        if name == "COPY" and "--from=" not in rest
        for source in rest.split()[:-1]
    }
    assert "*" in ignored
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_volumes_that_are_mounted_are_declared():
    mounted = {
        volume.partition(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
    }
    assert mounted == set(COMPOSE["volumes"])
