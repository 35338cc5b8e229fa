"""Neo4j Browser as a person meets it: sign in, open the guide, run its blocks in order, look at the drawings.

Each block's answer in Browser is compared with what the driver gets for the same text, so a page that shows
nothing, a part, or an old answer fails. Screenshots go to ``GNN4J_SCREENSHOTS`` where that is set.
"""

import base64
import os
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import httpx
import neo4j
import pytest
import training_worker
from playwright.sync_api import Locator, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "cypher" / "browser"
SECONDS = 120_000  # Playwright counts milliseconds
expect.set_options(timeout=SECONDS)

# What changes the graph is run once, by the click; everything else is asked again through the driver.
CHANGING = {"project", "new-user", "delete-user", "drop", "pipeline", "train", "clean-up"}
LINEAGE = {"User", "Item", "GnnProjection", "GnnPipeline", "GnnJob", "GnnModel", "GnnAlias"}
# Label: (colour, property of the caption), as style.grass has them.
STYLE = {
    label: (colour.upper(), caption)
    for label, colour, caption in re.findall(
        r"node\.(\w+) \{\s*color: (#\w+);.*?caption: \"\{(\w+)\}\"",
        (ROOT / "cypher" / "browser" / "style.grass").read_text(encoding="utf-8"),
        re.DOTALL,
    )
}

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]


def chromium() -> str:
    named = [os.environ.get("GNN4J_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"]
    for name in named:
        if name and (path := shutil.which(name)):
            return path
    pytest.skip("No Chromium here. Do: apt-get install chromium, or name one in GNN4J_CHROMIUM.")


class _Guide(HTMLParser):
    """Collects the runnable blocks of each slide: id and text as Browser will run it."""

    def __init__(self) -> None:
        super().__init__()
        self.slides: list[list[tuple[str, str]]] = []
        self._id: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag == "slide":
            self.slides.append([])
        elif tag == "pre" and "runnable" in (named.get("class") or "").split():
            self._id, self._text = named["id"], ""

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "pre" and self._id:
            self.slides[-1].append((self._id, self._text.strip()))
            self._id = None


def slides(guide: str) -> list[list[tuple[str, str]]]:
    parser = _Guide()
    parser.feed((PAGES / guide).read_text(encoding="utf-8"))
    return parser.slides


@dataclass
class Browser:
    """One signed-in tab of Neo4j Browser; frames are the answers, newest on top."""

    page: Page
    http: str

    def type(self, text: str) -> None:
        """Types a command into the editor and runs it."""
        self.page.get_by_test_id("activeEditor").click()
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Control+Enter")

    def command(self, text: str) -> Locator:
        """Runs a command and returns its frame."""
        self.type(text)
        return self.answer(text)

    def answer(self, text: str, position: int = 0) -> Locator:
        """The newest frame, once it is the one of this command and complete."""
        frame = self.page.get_by_test_id("frame").nth(position)
        # Browser shows the command on one line, without the breaks.
        expect(frame.get_by_test_id("frameCommand")).to_contain_text(
            re.compile(r"\s*".join(map(re.escape, text.split()))[:400])
        )
        done = frame.locator("svg.neod3viz g.node, table, pre, :text('completed after'), :text('ERROR')")
        expect(done.first).to_be_visible()
        expect(frame.get_by_text("ERROR", exact=True), frame.inner_text()).to_have_count(0)
        return frame

    def close(self, frame: Locator) -> None:
        frame.locator("button[title=Close]").click()

    def show(self, name: str) -> None:
        if folder := os.environ.get("GNN4J_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png")


def table(frame: Locator) -> list[dict[str, str]]:
    """What a result table shows, as text."""
    columns = frame.locator("th[role=columnheader]").all_inner_texts()
    return [
        dict(zip(columns, row.locator("td[role=cell]").all_inner_texts(), strict=True))
        for row in frame.locator("tr.relatable__table-body-row").all()
    ]


def drawn(frame: Locator) -> dict[str, list[str]]:
    """Captions of the drawn nodes by their colour."""
    captions: dict[str, list[str]] = {}
    for node in frame.locator("svg.neod3viz g.node").all():
        colour = node.locator("circle.b-outline").get_attribute("fill") or ""
        # A long caption is broken into lines, and the last may be shortened to fit the circle.
        lines = node.locator("text.caption").all_text_contents()
        captions.setdefault(colour.upper(), []).append(" ".join(line.strip() for line in lines).strip())
    return captions


def nodes_of(value: object) -> Iterator[neo4j.graph.Node]:
    if isinstance(value, neo4j.graph.Node):
        yield value
    elif isinstance(value, neo4j.graph.Path):
        yield from value.nodes
    elif isinstance(value, list | tuple):
        for part in value:
            yield from nodes_of(part)


@pytest.fixture(scope="module")
def browser(shop) -> Iterator[Browser]:
    executable = chromium()
    with sync_playwright() as playwright:
        # Containers have no user namespaces for Chromium's sandbox; it opens our own page only.
        running = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = running.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(SECONDS)
        page.goto(f"{shop.http}/browser/")
        page.get_by_test_id("username").fill(shop.user)
        page.get_by_test_id("password").fill(shop.password)
        page.get_by_test_id("connect").click()
        expect(page.get_by_text("You are connected as user")).to_be_visible()
        yield Browser(page, shop.http)
        running.close()


def test_a_wrong_password_is_not_let_in(shop):
    # Another user's: Neo4j locks a name for some seconds after a few wrong passwords.
    with shop.second_user("carol"), sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page = running.new_page()
        page.set_default_timeout(SECONDS)
        page.goto(f"{shop.http}/browser/")
        page.get_by_test_id("username").fill("carol")
        page.get_by_test_id("password").fill("not the password")
        page.get_by_test_id("connect").click()
        expect(page.get_by_text("Neo.ClientError.Security.Unauthorized")).to_be_visible()
        running.close()


def test_the_guide_runs_from_the_first_block_to_the_last(browser, shop):
    play(browser, shop, "guide.html")


def test_a_first_recommender_is_trained_while_a_worker_runs(browser, shop, tmp_path):
    assert sum(map(len, slides("train.html"))) <= 8
    browser.close(browser.command(f":style {browser.http}/gnn/style.grass"))
    with training_worker.working(shop, tmp_path):
        play(browser, shop, "train.html")


def play(browser: Browser, shop, name: str) -> None:
    """Runs all blocks of a guide by a click on each."""
    guide = browser.command(f":play {browser.http}/gnn/{name}")
    browser.show(Path(name).stem)
    # Pinned, it stays where it is while answers come and go.
    guide.locator("button[title='Pin at top']").click()
    ran = []
    pages = slides(name)
    for number, blocks in enumerate(pages):
        for block, code in blocks:
            guide = browser.page.get_by_test_id("frame").first
            shown = guide.locator(f"pre#{block}")
            code = code.replace("http://localhost:7474", browser.http)
            assert shown.inner_text().strip() == code
            shown.locator("i").click()
            answer = browser.answer(code, position=1)
            check(block, code, answer, shop)
            browser.show(f"{Path(name).stem}-{number:02}-{block}")
            browser.close(answer)
            if block == "train":
                training_worker.wait_for_jobs(shop)
            ran.append(block)
        if number + 1 < len(pages):
            guide.get_by_test_id("nextSlide").click()
    assert ran == [block for blocks in pages for block, _ in blocks]
    browser.close(browser.page.get_by_test_id("frame").first)


def test_the_guide_also_opens_in_the_side_bar(browser):
    browser.type(f":guide {browser.http}/gnn/guide.html")
    side_bar = browser.page.locator("[data-testid=guidesDrawer]")
    expect(side_bar.get_by_text(f":style {browser.http}/gnn/style.grass")).to_be_visible()


def test_saved_queries_dropped_onto_the_window_become_favourites(browser):
    archive = httpx.get(f"{browser.http}/gnn/queries.zip", timeout=120).content
    dropped = browser.page.evaluate_handle(
        """base64 => {
            const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "queries.zip", {type: "application/zip"}));
            return transfer;
        }""",
        base64.b64encode(archive).decode(),
    )
    window = browser.page.locator(".filedrop").first
    for event in ("dragenter", "dragover", "drop"):
        window.dispatch_event(event, {"dataTransfer": dropped})
    browser.page.get_by_test_id("navigationFavorites").click()
    browser.page.get_by_text("gnn4j", exact=True).click()
    for file in (ROOT / "cypher" / "browser" / "queries").glob("*.cypher"):
        title = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("// ")
        expect(browser.page.get_by_text(title, exact=True)).to_be_visible()
    browser.show("favourites")


def check(name: str, code: str, answer: Locator, shop) -> None:
    """One answer in Browser against the driver's answer to the same text."""
    if name == "style":
        expect(answer).to_contain_text("node.Item")
        return
    if name in CHANGING:
        expect(answer.locator("tr.relatable__table-body-row")).to_have_count(1)
        return
    records, _, columns = shop.driver().execute_query(code)
    nodes = {node.element_id: node for record in records for node in nodes_of(record.values())}
    until = time.monotonic() + SECONDS / 1000
    while True:  # Browser shows the first node or row before the last
        try:
            if answer.locator("svg.neod3viz").count():
                if name == "lineage":
                    assert {label for node in nodes.values() for label in node.labels} == LINEAGE
                return compare_drawing(drawn(answer), list(nodes.values()))
            return compare_table(table(answer), columns, records)
        except (AssertionError, ValueError, IndexError):
            if time.monotonic() > until:
                raise
            answer.page.wait_for_timeout(500)


def compare_table(rows: list[dict[str, str]], columns: list[str], records: list[neo4j.Record]) -> None:
    """The same columns and rows; texts and whole numbers cell by cell."""
    assert len(rows) == len(records) > 0
    for row, record in zip(rows, records, strict=True):
        assert list(row) == columns
        for name, value in record.items():
            if isinstance(value, str | int) and not isinstance(value, bool):
                assert row[name].strip('"') == str(value)


def compare_drawing(captions: dict[str, list[str]], nodes: list[neo4j.graph.Node]) -> None:
    """Every node is drawn once, in the colour of its label and with the caption that the style gives it."""
    expected: dict[str, list[str]] = {}
    for node in nodes:
        (label,) = node.labels
        colour, caption = STYLE[label]
        expected.setdefault(colour, []).append(str(node[caption]))
    assert len(nodes) > 1
    assert captions.keys() == expected.keys()
    for colour, texts in captions.items():
        missing = sorted(text.replace(" ", "") for text in expected[colour])
        # Browser breaks a caption into lines; of one that does not fit only the first word is surely whole.
        for text in sorted(texts, key=lambda text: text.endswith("…")):
            cut = text.endswith("…")
            begins = text.removesuffix("…").split()[0] if cut else text.replace(" ", "")
            found = [one for one in missing if (one.startswith(begins) if cut else one == begins)]
            assert found, f"'{text}' is drawn, and left are {missing}"
            missing.remove(found[0])
        assert missing == []
