"""Who may import whom, read from the sources of both languages (section 2 of the design).

The rules are data at the top; the two readers below them are tested on planted sources first, so that a rule
that can no longer fail is noticed.
"""

import ast
import re
import textwrap
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ROOMS = {"gds_pipelines", "model_export", "cypher", "tests", "benchmarks", "docs", "docker"}
PURE = {"task", "models", "losses", "negatives", "splits", "metrics", "evaluation", "training", "tuning"}
INPUT_OUTPUT = {
    *("connection", "server", "ingest", "projection", "sampling"),
    *(
        "features",
        "write_back",
        "registry",
        "worker",
        "datasets",
        "graph_reader",
        "graph_lists",
        "negative_reader",
    ),
}
DATABASE_CLIENTS = {"neo4j", "graphdatascience"}

NEO4J_PACKAGES = {"procedure", "extension", "graph", "registry", "refresh", "writeback", "gds"}
# What each Java name space may be used by; the longest prefix that matches decides.
JAVA_RULES: Mapping[str, set[str]] = {
    "org.neo4j.": NEO4J_PACKAGES,
    "org.neo4j.gds.": {"gds"},
    "ai.onnxruntime.": {"inference"},
    # Loaded by name behind a probe, so that the plugin works where there is no GDS.
    "io.gnn4j.gds.": {"gds"},
}

_JAVA_NOISE = re.compile(
    r'//[^\n]*|/\*.*?\*/|"""(?:\\.|.)*?"""|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])+'", re.DOTALL
)
_JAVA_PACKAGE = re.compile(r"^\s*package\s+io\.gnn4j(?:\.(\w+))?", re.MULTILINE)
_JAVA_NAME = re.compile(r"(?<![\w.])((?:org\.neo4j|ai\.onnxruntime|io\.gnn4j\.gds)(?:\s*\.\s*[\w*]+)+)")
_ENTRY_POINT = re.compile(r"@\s*(?:Procedure|UserFunction|UserAggregationFunction)\b")


def imported_modules(source: str, module: str, is_package: bool = False) -> set[str]:
    """Dotted names of all imports of a source, nested ones too; ``from a import b`` gives a and a.b."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parent = module.split(".")
            if node.level:
                keep = len(parent) - node.level + is_package
                base = ".".join([*parent[:keep], *([node.module] if node.module else [])])
            else:
                base = node.module or ""
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


def python_violations(sources: Mapping[str, str]) -> list[str]:
    """What breaks the rules of the Python rooms.

    Args:
        sources: text by dotted module name; a package under its own name with the suffix ``.__init__``.
    """
    imports = {}
    for name, text in sources.items():
        module, package = (name.removesuffix(".__init__"), name.endswith(".__init__"))
        imports[module] = imported_modules(text, module, package)
    faults = []
    for module, names in imports.items():
        room = module.split(".")[0]
        allowed = {"gds_pipelines": {"gds_pipelines", "model_export"}, "model_export": {"model_export"}}[room]
        for name in sorted(names):
            other = name.split(".")[0]
            if other in ROOMS - allowed:
                faults.append(f"{module} imports the room {other}")
        if room == "gds_pipelines" and half(module) == "pure":
            for chain in _reached(module, imports):
                faults.append(f"{module} is pure, but reaches {' -> '.join(chain)}")
    return sorted(set(faults))


def half(module: str) -> str:
    """``pure``, ``io`` or ``neither`` (such as ``errors``), of a module of ``gds_pipelines``."""
    part = ([*module.split("."), ""])[1]
    return "pure" if part in PURE else "io" if part in INPUT_OUTPUT else "neither"


def _reached(start: str, imports: Mapping[str, set[str]]) -> Iterable[tuple[str, ...]]:
    """Forbidden modules in the closure of a pure one, each with the way that leads there."""
    waiting, seen = [(start,)], {start}
    while waiting:
        chain = waiting.pop()
        for name in sorted(imports.get(chain[-1], ())):
            if name.split(".")[0] in DATABASE_CLIENTS or (
                name.startswith("gds_pipelines.") and half(name) == "io"
            ):
                yield (*chain[1:], name)
            elif name in imports and name not in seen:
                seen.add(name)
                waiting.append((*chain, name))


def java_violations(sources: Mapping[str, str]) -> list[str]:
    """What breaks the rules of the Java packages; ``sources`` is text by file name."""
    faults = []
    for file, text in sources.items():
        code = _JAVA_NOISE.sub(" ", text)
        declared = _JAVA_PACKAGE.search(code)
        if declared is None:
            faults.append(f"{file} is outside io.gnn4j")
            continue
        package = declared[1] or ""
        for match in _JAVA_NAME.finditer(code):
            name = re.sub(r"\s", "", match[1])
            prefix = max((rule for rule in JAVA_RULES if f"{name}.".startswith(rule)), key=len)
            if package not in JAVA_RULES[prefix]:
                faults.append(f"{file} (package {package}) uses {name}")
        if package == "gds" and _ENTRY_POINT.search(code):
            faults.append(f"{file} has a procedure in package gds: its signature would pull GDS in")
    return sorted(set(faults))


def python_sources(root: Path) -> dict[str, str]:
    """The modules of both Python rooms below ``root``."""
    found = {}
    for room in ("gds_pipelines", "model_export"):
        for path in sorted((root / room).rglob("*.py")):
            found[".".join(path.relative_to(root).with_suffix("").parts)] = path.read_text(encoding="utf-8")
    return found


def java_sources(root: Path) -> dict[str, str]:
    """The plugin's sources below ``root``, tests left out."""
    base = root / "cypher" / "plugin" / "src" / "main" / "java"
    return {
        path.relative_to(base).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(base.rglob("*.java"))
    }


def test_the_python_rooms_keep_the_rules():
    sources = python_sources(ROOT)
    assert "gds_pipelines.errors" in sources
    assert python_violations(sources) == []


def test_the_java_packages_keep_the_rules():
    sources = java_sources(ROOT)
    assert any(name.startswith("io/gnn4j/gds/") for name in sources)
    assert java_violations(sources) == []


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("gds_pipelines.models.walk", "import neo4j", "reaches neo4j"),
        ("gds_pipelines.models.walk", "from neo4j.graph import Node", "reaches neo4j.graph"),
        ("gds_pipelines.training", "def f():\n    import graphdatascience as g", "reaches graphdatascience"),
        ("gds_pipelines.losses", "from gds_pipelines.server import process", "reaches gds_pipelines.server"),
        ("gds_pipelines.metrics", "from gds_pipelines import datasets", "reaches gds_pipelines.datasets"),
        ("gds_pipelines.models.walk", "from ..registry import load", "reaches gds_pipelines.registry"),
        ("gds_pipelines.models.__init__", "from ..registry import load", "reaches gds_pipelines.registry"),
        ("gds_pipelines.splits", "import benchmarks.export", "imports the room benchmarks"),
        (
            "model_export.artefact",
            "from gds_pipelines.errors import PipelineError",
            "imports the room gds_pipelines",
        ),
    ],
)
def test_a_planted_python_import_is_found(module, source, fault):
    assert any(fault in found for found in python_violations({module: source}))


def test_a_way_round_through_a_neutral_module_is_found():
    planted = {
        "gds_pipelines.training": "from gds_pipelines.ranking import top",
        "gds_pipelines.ranking": "from gds_pipelines import queries",
        "gds_pipelines.queries": "import neo4j",
    }
    assert python_violations(planted) == [
        "gds_pipelines.training is pure, but reaches gds_pipelines.ranking -> gds_pipelines.queries -> neo4j"
    ]


def test_what_is_allowed_in_python_is_not_a_violation():
    allowed = {
        "gds_pipelines.ingest.reader": "import neo4j\nfrom gds_pipelines.task import Task",
        "gds_pipelines.task": "from gds_pipelines.errors import InvalidInput\nimport numpy",
        "gds_pipelines.commands.export": "import model_export",
        "gds_pipelines.models.neo4jlike": "import neo4j_like",
        "model_export.scan": "from model_export import manifest\nimport onnx",
    }
    assert python_violations(allowed) == []


@pytest.mark.parametrize(
    ("package", "code", "fault"),
    [
        ("recommend", "import org.neo4j.graphdb.Node;", "uses org.neo4j.graphdb.Node"),
        (
            "recommend",
            "import static org.neo4j.configuration.SettingImpl.newBuilder;",
            "org.neo4j.configuration",
        ),
        ("inference", "import org.neo4j.logging.*;", "uses org.neo4j.logging.*"),
        ("procedure", "import org.neo4j.gds.api.GraphStore;", "uses org.neo4j.gds.api.GraphStore"),
        ("procedure", "private org.neo4j.gds.api.Graph graph;", "uses org.neo4j.gds.api.Graph"),
        ("registry", "import ai.onnxruntime.OrtSession;", "uses ai.onnxruntime.OrtSession"),
        ("graph", "import io.gnn4j.gds.OpenGdsCatalog;", "uses io.gnn4j.gds.OpenGdsCatalog"),
        ("gds", 'class P { @Procedure(name = "gnn.x") public void x() {} }', "procedure in package gds"),
    ],
)
def test_a_planted_java_use_is_found(package, code, fault):
    faults = java_violations({"Planted.java": f"package io.gnn4j.{package};\n{code}"})
    assert len(faults) == 1
    assert fault in faults[0]


def test_what_is_allowed_in_java_is_not_a_violation():
    text = textwrap.dedent(
        '''
        // SPDX: org.neo4j.gds.api.Graph in a comment
        package io.gnn4j.recommend;
        import io.gnn4j.graph.GraphCatalog;
        /** {@link org.neo4j.graphdb.Node} */
        class A { String s = "org.neo4j.graphdb.Node"; String t = """
            ai.onnxruntime.OrtSession """; }
        '''
    )
    graph = "package io.gnn4j.gds;\nimport org.neo4j.gds.api.GraphStore;\nimport org.neo4j.graphdb.Node;"
    session = "package io.gnn4j.inference;\nimport ai.onnxruntime.OrtSession;"
    assert java_violations({"A.java": text, "B.java": graph, "C.java": session}) == []


def test_a_java_file_outside_the_root_package_is_found():
    assert java_violations({"A.java": "package com.example;"}) == ["A.java is outside io.gnn4j"]
