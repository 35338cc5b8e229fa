"""What the pages say, as far as no database is needed: links, languages of blocks, tables of settings.

The blocks themselves are run by ``tests/integration/test_documentation.py``.
"""

import re
from pathlib import Path

import pytest
import yaml

from gds_pipelines import datasets
from gds_pipelines.losses import ALL
from gds_pipelines.models import recommender, registry
from gds_pipelines.models.parameters import describe

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LANGUAGES = {"cypher", "sh", "python", "yaml", "json", "properties", "browser", "text", "mermaid"}


def names(pages: list[Path]) -> list[str]:
    return [page.relative_to(ROOT).as_posix() for page in pages]


def anchors(page: Path) -> set[str]:
    """The anchors that headings get, by GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_blocks(page: Path) -> str:
    return re.sub(r"^\s*```.*?^\s*```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_links_lead_to_files_and_headings_that_exist(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(page)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{target} does not exist"
        assert not anchor or anchor in anchors(file), f"{target}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_blocks_name_a_language_that_is_run_or_known_to_be_shown(page):
    fences = re.findall(r"^\s*```(\w*)\s*$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(fences) % 2 == 0
    assert {opening for opening in fences[::2]} <= LANGUAGES
    assert not any(fences[1::2])


def test_every_page_of_docs_can_be_reached_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page for page in names(PAGES) if page.startswith("docs/") and f"({page})" not in readme] == []


def test_the_task_of_movielens_is_shown_as_it_is():
    page = (ROOT / "docs" / "collaborative-models.md").read_text(encoding="utf-8")
    shown = [
        yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    ]
    assert datasets.get("movielens-1m").task in shown


def number(value: object) -> str:
    if isinstance(value, bool | str):
        return str(value).lower()
    return "none" if value is None else f"{value:g}"


def allowed(row: dict) -> str:
    """The range of a setting as the pages write it."""
    low, high, above = (row.get(key) for key in ("low", "high", "above"))
    if low is not None and high is not None:
        return f"{low:g} to {high:g}"
    parts = [(">", above), ("≥", low), ("≤", high)]
    return ", ".join(f"{sign} {bound:g}" for sign, bound in parts if bound is not None)


@pytest.mark.parametrize(
    ("page", "model"),
    [
        ("fism.md", "fism"),
        ("lightgcn.md", "lightgcn"),
        ("feature-models.md", "graphsage"),
        ("baselines.md", "itemknn"),
        ("baselines.md", "rp3beta"),
        ("baselines.md", "ials"),
    ],
)
def test_the_table_of_a_model_is_what_the_code_says(page, model):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = [
        f"| `{row['name']}` | {number(row['default'])} | {allowed(row)} | {row['help']} |"
        for row in describe(recommender(model).Parameters)
    ]
    head = "| name | default | range | meaning |\n|---|---|---|---|\n"
    assert head + "\n".join(rows) + "\n" in text


def test_the_page_of_the_family_describes_every_model_and_every_loss():
    text = (ROOT / "docs" / "collaborative-models.md").read_text(encoding="utf-8")
    sections = {part.partition("\n")[0].strip("` "): part for part in text.split("\n## ")[1:]}
    of_features = {name for name in registry() if recommender(name).info.contract == "padded-blocks/1"}
    assert set(registry()) - of_features == set(sections) - {"Notation", "Losses"}
    for name in set(registry()) - of_features:
        for word in ("    ", "Cost", "Learned"):
            assert word in sections[name], f"{name}: {word}"
        assert f"`{name}`" in sections["Notation"]
    for loss in ALL:
        assert f"| `{loss}`" in sections["Losses"]
