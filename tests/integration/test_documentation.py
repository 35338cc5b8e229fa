"""Every code block of README, CONTRIBUTING and docs is run, or its page fails.

By language: ``cypher`` runs on the shared server with the shop in it, and must answer with rows. ``sh`` runs
in bash, in a directory that looks like a clone; what would install, download or take minutes is checked down
to its last option instead (see ``COMMANDS``). ``python`` runs with names of its own, the blocks of a page in
one interpreter, since most of their time goes into importing PyTorch. ``yaml`` and ``json`` are parsed,
``properties`` must be settings that this server knows. ``browser`` blocks are those that the browser tests
type. ``text`` shows output and ``mermaid`` a picture; nothing else is allowed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbclient
import nbformat
import pytest
import training_worker
import yaml

from gds_pipelines.ingest import mapping as ingest_mapping
from gds_pipelines.task import Task

ROOT = Path(__file__).resolve().parents[2]
QUERIES = ROOT / "cypher" / "browser" / "queries"
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
]
pytestmark = pytest.mark.timeout(1800)

# Pages that ask for training.
WITH_WORKER = {"README.md", "docs/pipelines.md"}
SHOWN_ONLY = {"text", "mermaid"}
COMMAND_SECONDS = 900  # only a command that hangs takes that long

# Programs of sh blocks that are replaced: each is a Python script that checks its arguments.
COMMANDS = {
    # Options are parsed by the real application; what is slow or touches a person's own server stops there.
    "gnn4j": """
import sys
import typer
from gds_pipelines.cli import app, main

SLOW = ({slow})
if not any(tuple(sys.argv[1 : 1 + len(words)]) == words for words in SLOW):
    main()
    sys.exit()
command, arguments, context = typer.main.get_command(app), sys.argv[1:], None
while True:
    context = command.make_context(command.name, arguments, parent=context)
    if not hasattr(command, "resolve_command"):
        break
    _, command, arguments = command.resolve_command(context, [*context._protected_args, *context.args])
""",
    # A dry run: the target must be there.
    "make": """
import subprocess, sys
sys.exit(subprocess.run(["{make}", "--dry-run", "--directory", "{root}", *sys.argv[1:]],
                        stdout=subprocess.DEVNULL).returncode)
""",
    # There is no engine here: the files and services that are named must be there.
    "docker": """
import pathlib, sys, yaml
words, files = sys.argv[1:], []
assert words.pop(0) == "compose", "only docker compose is used"
while words[0] == "-f":
    files.append(pathlib.Path(words[1]))
    words = words[2:]
services = set().union(*(yaml.safe_load(file.read_text())["services"] for file in files))
verb, *rest = words
assert verb in ("build", "up", "down", "run", "logs", "ps"), verb
named = [word for word in rest if not word.startswith("-")]
if verb == "run":
    named = named[:1]
assert set(named) <= services, (named, services)
""",
    "git": """
import os, sys
assert sys.argv[1] == "clone", "only git clone is used"
os.makedirs(sys.argv[-1], exist_ok=True)
""",
}
SLOW = (
    ("demo",),
    ("server", "install"),
    ("server", "start"),
    ("server", "stop"),
    ("server", "plugin"),
)


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


class Interpreter:
    """A Python that runs one text after another, each as a main module of its own."""

    LOOP = """
import json, sys, traceback, types
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    error, main = "", types.ModuleType("__main__")
    sys.modules["__main__"] = main
    try:
        exec(compile(json.loads(line), "block", "exec"), vars(main))
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps(error), file=answers, flush=True)
"""

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        self.said = directory.with_name("said.txt")
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                [sys.executable, "-c", self.LOOP],
                cwd=directory,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
            )

    def run(self, text: str) -> str:
        """What went wrong; empty when nothing did."""
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if answer:
            return json.loads(answer)
        return f"the interpreter ended with {self.process.wait()}: {self.said.read_text()}"

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@dataclass
class Shell:
    """Where the commands of a page run."""

    directory: Path
    environment: dict[str, str]

    @cached_property
    def interpreter(self) -> Interpreter:
        return Interpreter(self.directory, self.environment)


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order.

    Raises:
        AssertionError: for a fence that is not closed or has no language.
    """
    found, start, language, lines = [], 0, "", []
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(\w*)\s*$", line)
        if fence and not start:
            assert fence[1], f"{page}:{number}: a block without a language"
            start, language, lines = number, fence[1], []
        elif fence:
            found.append(Block(page, start, language, "\n".join(lines) + "\n"))
            start = 0
        elif start:
            lines.append(line)
    assert not start, f"{page}:{start}: the block is not closed"
    return found


def run_cypher(block: Block, shop, shell: Shell) -> None:
    for statement in filter(None, (part.strip() for part in re.split(r";\s*(?:\n|$)", block.text))):
        records, summary, _ = shop.driver().execute_query(statement)
        answers = re.search(r"\bRETURN\b|\bYIELD\b", statement)
        assert records or not answers, f"{block}: no row comes back from\n{statement}"
        assert answers or summary.counters.contains_updates or summary.counters.contains_system_updates


def run_sh(block: Block, shop, shell: Shell) -> None:
    text = block.text.replace("http://localhost:7474", shop.http).replace("bolt://localhost:7687", shop.uri)
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=shell.directory,
        env=shell.environment,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert result.returncode == 0, (
        f"{block} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
    )
    # curl says nothing of an error that comes with an answer.
    assert '"errors":[' not in result.stdout, f"{block}: {result.stdout}"


def run_python(block: Block, shop, shell: Shell) -> None:
    error = shell.interpreter.run(block.text.replace("bolt://localhost:7687", shop.uri))
    assert error == "", f"{block} failed:\n{error}"


def run_yaml(block: Block, shop, shell: Shell) -> None:
    content = yaml.safe_load(block.text)
    if "tables" in content:
        ingest_mapping.parse(content)
    elif "recommend" in content:
        Task.from_mapping(content)
    else:
        raise AssertionError(f"{block}: neither a mapping nor a task")


def run_json(block: Block, shop, shell: Shell) -> None:
    json.loads(block.text)


def run_browser(block: Block, shop, shell: Shell) -> None:
    address = "http://localhost:7474/gnn"
    typed = {f":play {address}/{guide}.html" for guide in ("guide", "train")}
    typed |= {f":guide {address}/guide.html", f":style {address}/style.grass"}
    assert set(block.text.splitlines()) <= typed, f"{block}: the browser tests do not type this"


def run_properties(block: Block, shop, shell: Shell) -> None:
    known = {record["name"] for record in shop.execute("SHOW SETTINGS YIELD name")}
    lines = [line for line in block.text.splitlines() if line.strip() and not line.startswith("#")]
    unknown = {line.partition("=")[0] for line in lines} - known
    assert not unknown, f"{block}: no such settings: {unknown}"


RUN = {
    "cypher": run_cypher,
    "sh": run_sh,
    "python": run_python,
    "yaml": run_yaml,
    "json": run_json,
    "properties": run_properties,
    "browser": run_browser,
}


# The environment that `make` would have made: what pytest is asked for must be there, and its options must be
# such that pytest takes them. To collect all tests again takes long and is what this very run has done.
PYTHON = """
import pathlib, subprocess, sys
assert sys.argv[1:3] == ["-m", "pytest"], "only pytest is run this way"
asked = sys.argv[3:]
places = [word for word in asked if "/" in word]
assert all((pathlib.Path("{root}") / place).exists() for place in places), places
options = [word for word in asked if word not in places]
command = ["{python}", "-m", "pytest", *options, "--collect-only", "-qq", "tests/contract/test_versions.py"]
sys.exit(subprocess.run(command, cwd="{root}", stdout=subprocess.DEVNULL).returncode)
"""


@pytest.fixture
def shell(shop, tmp_path) -> Iterator[Shell]:
    """Directory and environment of sh blocks: a look-alike of a clone, commands replaced, this server."""
    clone, programs = tmp_path / "clone", tmp_path / "bin"
    shutil.copytree(ROOT / "docker", clone / "docker")
    values = {
        "slow": ", ".join(map(repr, SLOW)),
        "make": shutil.which("make"),
        "root": ROOT,
        "python": sys.executable,
    }
    sources = {programs / name: source for name, source in COMMANDS.items()}
    for file, source in (sources | {clone / ".venv" / "bin" / "python": PYTHON}).items():
        for key, value in values.items():
            source = source.replace("{" + key + "}", str(value))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!{sys.executable}\n{source}", encoding="utf-8")
        file.chmod(0o755)
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NEO4J_", "GNN4J_"))
    }
    environment |= {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "NEO4J_URI": shop.uri,
        "NEO4J_USERNAME": shop.user,
        "NEO4J_PASSWORD": shop.password,
        "GNN4J_HOME": str(tmp_path / "home"),
    }
    shell = Shell(clone, environment)
    yield shell
    if "interpreter" in vars(shell):
        shell.interpreter.close()


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs_in_order(page, shop, shell, tmp_path):
    with training_worker.working(shop, tmp_path) if page in WITH_WORKER else nullcontext():
        for block in blocks(page):
            if block.language not in SHOWN_ONLY:
                RUN[block.language](block, shop, shell)


def test_the_notebook_runs_from_the_first_cell_to_the_last(shop, shell, tmp_path):
    notebook = nbformat.read(ROOT / "docs" / "recommender.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "kept without what it printed"
    for cell in notebook.cells:
        cell.source = cell.source.replace("bolt://localhost:7687", shop.uri)
    with training_worker.working(shop, tmp_path / "jobs"):
        nbclient.NotebookClient(notebook, timeout=COMMAND_SECONDS, kernel_name="python3").execute(
            cwd=str(shell.directory), env=shell.environment
        )
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output["data"]["text/plain"] for output in outputs if "data" in output]
    (counted,) = shop.execute("MATCH (user:User) RETURN count(user) AS users")
    assert any(f"'users': {counted['users']}," in text for text in shown), shown


@pytest.mark.parametrize("name", sorted(file.stem for file in QUERIES.glob("*.cypher")))
def test_saved_queries_of_browser_answer_on_the_shop(name, shop):
    assert shop.execute((QUERIES / f"{name}.cypher").read_text(encoding="utf-8"))
