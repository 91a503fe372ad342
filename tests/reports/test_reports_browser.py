"""The pages in a real Chromium: drawn, readable, reachable, no wider than the screen, and on paper."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import made_run
import pytest
from made_nights import Nights
from playwright.sync_api import Browser, Page, sync_playwright
from pypdf import PdfReader

from reports.baselines import Against
from reports.council import council
from reports.messages import Lang, Say
from reports.page import page
from reports.runfolder import RunData
from reports.summary import summarise
from simulator.capacity_conclusion import tell
from simulator.conclusion import conclude
from simulator.history import show_history
from simulator.series_conclusion import conclude_series
from tests.reports.made_levels import WHAT_IF_ROWS, whole_search
from tests.reports.made_levels import conclude as conclude_search

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
A4_PT = (595, 842)

# Every text with the contrast to what is behind it, opaque grounds mixed over each other as a browser paints them.
CONTRASTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map((at) => top[at] * top[3] + under[at] * (1 - top[3])).concat(1);
  const ground = (element) => {
    const above = [];
    for (let one = element; one; one = one.parentElement) above.push(rgba(getComputedStyle(one).backgroundColor));
    return above.reverse().reduce((under, top) => over(top, under), [255, 255, 255, 1]);
  };
  const light = (colour) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, at) => {
    const part = colour[at] / 255;
    return sum + weight * (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  }, 0);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest("script, style, .skip")) continue;
    if (!element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const svg = element.closest("svg");
    const behind = ground(svg ? svg.parentElement : element);
    const ink = over(rgba(svg ? style.fill : style.color), behind);
    const [high, low] = [light(ink), light(behind)].sort((a, b) => b - a);
    const px = parseFloat(style.fontSize);
    const large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([(high + 0.05) / (low + 0.05), large ? 3 : 4.5, walker.currentNode.textContent.trim().slice(0, 40)]);
  }
  return found;
}
"""

MARKS = """
() => [...document.querySelectorAll("figure .live svg")].map((svg) =>
  svg.querySelectorAll(".mark-line path, .mark-area path, .mark-rect path, .mark-symbol path").length)
"""
# A drawn chart follows its container a moment later. Asked for within the page, frame by frame: to wait from outside
# evaluates a string each time, which the pages' policy refuses.
FITS_SOON = """
async () => {
  const root = document.documentElement;
  const until = performance.now() + 10000;
  while (root.scrollWidth > root.clientWidth && performance.now() < until) await new Promise(requestAnimationFrame);
  return root.scrollWidth <= root.clientWidth;
}
"""
CELLS = """
(at) => [...document.querySelector("#steps ~ .card table").tBodies[0].rows].map((row) =>
  row.children[at].dataset.v ?? row.children[at].textContent.trim())
"""
REACHED = """
() => {
  document.activeElement.dataset.reached = 1;
  return getComputedStyle(document.activeElement).outlineStyle === "none" ? 1 : 0;
}
"""


@dataclass
class Opened:
    """A page in the browser, what it complained of and what it asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; nothing is downloaded."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """report-en.html, report-ja.html, council-en.html and council-ja.html of a morning in which much went wrong."""
    folder = tmp_path_factory.mktemp("pages")
    examples = [
        {
            "step": "identity.login",
            "reason": "timeout",
            "status": 0,
            "device": 7,
            "at_s": 44.1,
            "detail": "x" * 300,
            "url": "http://127.0.0.1:8001/a?b",
        }
    ]
    samples = made_run.morning(600, broken=0.08)
    run = made_run.run_json(devices=600, staff=580)
    data = made_run.write(folder, samples, run, made_run.health(150), examples)
    summary = summarise(data)
    for lang in ("en", "ja"):
        (folder / f"report-{lang}.html").write_text(page(data, summary, say=Say(lang)), "utf-8")
        (folder / f"council-{lang}.html").write_text(council(data, summary, say=Say(lang)), "utf-8")
    return folder


def opened(browser: Browser, path: Path, *, width: int = 1280, theme: str = "light") -> Opened:
    """Open a page, and listen to what it says and asks."""
    shown = Opened(browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme))
    shown.page.on("console", lambda said: shown.complaints.append(said.text))
    shown.page.on("pageerror", lambda error: shown.complaints.append(str(error)))
    shown.page.on("request", lambda request: shown.requests.append(request.url))
    shown.page.goto(path.as_uri())
    return shown


def draw_all(shown: Page) -> int:
    """Scroll every chart into view until it is drawn. Returns: how many there are."""
    figures = shown.locator("figure[data-chart]")
    for at in range(figures.count()):
        figures.nth(at).scroll_into_view_if_needed()
        figures.nth(at).locator(".live svg").wait_for(state="attached")
    return figures.count()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_report_is_drawn_and_readable(browser: Browser, pages: Path, lang: str, theme: str) -> None:
    """Every chart is drawn with marks in it, nothing is asked of any network, no error is told, every text has the
    contrast that WCAG 2.2 AA asks for (1.4.3), charts' labels included."""
    shown = opened(browser, pages / f"report-{lang}.html", theme=theme)
    assert draw_all(shown.page) >= 10
    marks = shown.page.evaluate(MARKS)
    assert all(marks)
    assert shown.complaints == []
    assert shown.requests == [(pages / f"report-{lang}.html").as_uri()]
    assert shown.page.locator("html").get_attribute("lang") == lang
    ratios = shown.page.evaluate(CONTRASTS)
    assert len(ratios) > 300
    assert [one for one in ratios if one[0] < one[1]] == []
    shown.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_council_s_page_is_readable(browser: Browser, pages: Path, lang: str, theme: str) -> None:
    """No error, no request, and WCAG AA contrast."""
    shown = opened(browser, pages / f"council-{lang}.html", theme=theme)
    assert shown.complaints == []
    assert len(shown.requests) == 1
    ratios = shown.page.evaluate(CONTRASTS)
    assert len(ratios) > 10
    assert [one for one in ratios if one[0] < one[1]] == []
    shown.page.close()


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six nights, and a series of four that is worse than those: one of its runs is no use, its accounts are shared."""
    nights = Nights(tmp_path_factory.mktemp("nights"))
    nights.several(6)
    accounts = {"from": "x.csv", "accounts": 50, "people": 2600, "reused": True}
    folder = nights.repeat(4, night=1.45, accounts=accounts)
    run = json.loads((folder / "run-04" / "run.json").read_text())
    run["untrusted"] = ["engine 1 was lost"]
    (folder / "run-04" / "run.json").write_text(json.dumps(run))
    conclude(folder / "run-04", io.StringIO())
    return folder


@pytest.mark.parametrize(("lang", "theme"), [("en", "light"), ("ja", "dark")])
def test_pages_of_many_runs_are_readable(browser: Browser, series: Path, lang: Lang, theme: str) -> None:
    """Of a series held against earlier nights, its council's sheet (on one A4 as well), and the course of all: no
    error, no request, WCAG AA contrast, charts drawn, and no scrolling sideways from 360 px to 4K."""
    assert conclude_series(series, io.StringIO(), lang, Against((series.parent,), any_run=True)) == 1
    show_history(series.parent, io.StringIO(), lang)
    for path in (series / "report.html", series / "council.html", series.parent / "history.html"):
        check(browser, path, theme, charts=5 * 2 if path.name == "history.html" else 0)


def check(browser: Browser, path: Path, theme: str, *, charts: int) -> None:
    """That a page draws its charts, says no error, asks for nothing, has the contrast and fits every width; of a
    council's sheet, that it is one A4."""
    shown = opened(browser, path, theme=theme)
    assert draw_all(shown.page) == charts
    assert all(shown.page.evaluate(MARKS))
    assert (shown.complaints, shown.requests) == ([], [path.as_uri()])
    assert [one for one in shown.page.evaluate(CONTRASTS) if one[0] < one[1]] == []
    for width in (360, 768, 3840):
        shown.page.set_viewport_size({"width": width, "height": 900})
        assert shown.page.evaluate(FITS_SOON), (path.name, width)
    if path.name.startswith("council"):
        (only,) = printed(shown.page).pages
        assert size_of(only) == A4_PT
    shown.page.close()


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A search for the capacity that found it, with its what-ifs, a target of the user's among stand-ins, the longest
    words it can say, and a level that was not played."""
    folder = tmp_path_factory.mktemp("search")
    own = {"url": "https://idp.example", "basis": "target", "steps": ["identity.login"]}
    targets = {**made_run.run_json()["targets"], "identity": own}
    accounts = {"from": "x.csv", "accounts": 50, "people": 2600, "reused": True}
    whole_search(folder, targets=targets, accounts=accounts)
    words = {"title": "長い題名" * 60, "question": "long words " * 60}
    changes = {"targets": targets, "what_ifs": WHAT_IF_ROWS, "unplayable": {"5000": "one address has 900 ports"}}
    return folder, conclude_search(folder, **words, **changes)


@pytest.mark.parametrize(("lang", "theme"), [("en", "dark"), ("ja", "light")])
def test_pages_of_a_search_are_readable(
    browser: Browser, search: tuple[Path, dict[str, Any]], lang: Lang, theme: str
) -> None:
    """Of a search for the capacity and its council's sheet, as those of many runs. The sheet holds its longest on one
    A4: squeezed, shared accounts, stand-ins in part, a metric that gave in."""
    folder, whole = search
    found = [{**whole["gave_in"]["found"][0], "metric": 'node_cpu_utilization{instance="idp-db-01:9100",mode="user"}'}]
    whole = {**whole, "compression": 60.0, "gave_in": {**whole["gave_in"], "found": found}}
    assert tell(folder, whole, io.StringIO(), lang) == 0
    check(browser, folder / "report.html", theme, charts=2)
    check(browser, folder / "council.html", theme, charts=0)


@pytest.mark.parametrize("name", ["report-en", "report-ja", "council-en", "council-ja"])
def test_no_width_makes_the_page_scroll_sideways(browser: Browser, pages: Path, name: str) -> None:
    """From 360 px to 4K."""
    shown = opened(browser, pages / f"{name}.html")
    for width in (360, 768, 1280, 3840):
        shown.page.set_viewport_size({"width": width, "height": 900})
        wide = shown.page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
        assert wide[0] <= wide[1], width
    shown.page.close()


def column(shown: Page, at: int) -> list[str]:
    """The cells of one column of the table of steps, from top to bottom."""
    cells: list[str] = shown.evaluate(CELLS, at)
    return cells


def test_the_keyboard_sorts_the_steps(browser: Browser, pages: Path) -> None:
    """Enter on a heading sorts, largest first; once more turns it round; the table tells screen readers which way."""
    shown = opened(browser, pages / "report-en.html").page
    heading = shown.locator("#steps ~ .card table thead th").nth(2)
    heading.locator("button").focus()
    for way in ("descending", "ascending"):
        shown.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == way
        counts = [float(cell) for cell in column(shown, 2)]
        assert counts == sorted(counts, reverse=way == "descending")
    shown.locator("#steps ~ .card table thead th button").first.press("Space")
    assert column(shown, 0) == sorted(column(shown, 0))
    assert shown.locator("#steps ~ .card table thead th[aria-sort]").count() == 1
    shown.close()


def test_the_keyboard_reaches_everything(browser: Browser, pages: Path) -> None:
    """Tab stops at whatever can be pressed, opened, followed or scrolled, and shows where it is."""
    shown = opened(browser, pages / "report-en.html").page
    every = "a[href], button, summary, [tabindex='0']"
    count = shown.locator(every).count()
    unseen = 0
    for _ in range(count):
        shown.keyboard.press("Tab")
        unseen += shown.evaluate(REACHED)
    assert shown.locator(every).count() == shown.locator("[data-reached]").count() == count
    assert unseen == 0
    shown.close()


def test_the_theme_changes_and_says_so(browser: Browser, pages: Path) -> None:
    """The button names what it leads to, and the ground follows."""
    shown = opened(browser, pages / "report-ja.html").page
    ground = "getComputedStyle(document.body).backgroundColor"
    assert shown.locator("#theme").text_content() == "ダーク"
    before = shown.evaluate(ground)
    shown.locator("#theme").press("Enter")
    assert shown.locator("#theme").text_content() == "ライト"
    assert shown.evaluate(ground) != before
    shown.close()


def printed(shown: Page) -> PdfReader:
    """What the browser's own print makes of a page."""
    return PdfReader(io.BytesIO(shown.pdf(prefer_css_page_size=True, print_background=True)))


def size_of(one: Any) -> tuple[int, int]:
    """A PDF page's width and height in whole points."""
    return round(one.mediabox.width), round(one.mediabox.height)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_council_s_page_prints_on_one_a4(browser: Browser, tmp_path: Path, lang: str) -> None:
    """Exactly one, with the longest it can say: an undecided, squeezed run, stand-ins in part, shared accounts."""
    run = made_run.run_json(
        accounts={"from": "x.csv", "accounts": 50, "people": 2600, "reused": True},
        scenario={**made_run.run_json()["scenario"], "title": "長い題名" * 60, "question": "long words " * 60},
        targets={**made_run.run_json()["targets"], "identity": {"url": "https://idp.example", "basis": "target"}},
    )
    for devices in (60, 2680):
        data = RunData(tmp_path, {"format": 1, **run}, made_run.morning(devices, broken=0.004 * (devices > 60)))
        path = tmp_path / "council.html"
        path.write_text(council(data, summarise(data), say=Say(lang)), "utf-8")
        shown = opened(browser, path).page
        (only,) = printed(shown).pages
        assert size_of(only) == A4_PT
        shown.close()


def test_the_report_prints(browser: Browser, pages: Path) -> None:
    """With its still charts and opened examples, undrawn as it is, dark as the screen may be."""
    shown = opened(browser, pages / "report-en.html", theme="dark").page
    made = printed(shown)
    text = " ".join(" ".join(one.extract_text().split()) for one in made.pages)
    assert 3 <= len(made.pages) <= 20
    for words in (
        "Does not hold in rehearsal",
        "The morning in one picture",
        "run second 44.1, device 7",
        "Run it again",
    ):
        assert words in text, words
    shown.close()
