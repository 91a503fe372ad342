"""The page: parsed, weighed, and searched for what must and must not be in it."""

import json
import re
from itertools import product
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from lxml import html

from reports import charts
from reports.drawing import Caption
from reports.groups import CLUSTERS_SHOWN, EXAMPLES_SHOWN
from reports.messages import Say
from reports.page import page
from reports.runfolder import RunData
from reports.sections import STEPS_SHOWN, facts
from reports.steps import Steps
from reports.story import story
from reports.summary import summarise
from reports.wording import standing

NASTY = "</script ><script>alert('x')</script><img src=x onerror=alert(1)>&amp;\x00"
TEMPLATES = Path(page.__code__.co_filename).parent / "templates"


def made(samples: np.ndarray, *, health: Any = (), examples: Any = (), **changes: Any) -> str:
    """The page of a run of these samples."""
    run = {"format": 1, **made_run.run_json(**changes)}
    data = RunData(Path("runs/20260115T000000Z-morning_peak"), run, samples, list(examples), list(health))
    return page(data, summarise(data))


@pytest.fixture(scope="module")
def good() -> str:
    """A morning that held."""
    return made(made_run.morning(2680), health=made_run.health(150))


@pytest.fixture(scope="module")
def nasty() -> str:
    """A morning in which every text that others wrote is an attack."""
    run = made_run.run_json()
    targets = {**run["targets"], "identity": {"url": f"https://{NASTY}", "basis": "target"}}
    example = {"step": "identity.login", "reason": "timeout", "status": 0, "device": 7, "at_s": 44.1}
    return made(
        made_run.morning(500, broken=0.2),
        examples=[{**example, "detail": NASTY, "url": NASTY}],
        scenario={**run["scenario"], "title": NASTY, "question": NASTY},
        targets=targets,
        actions=[{"act": NASTY, "due": made_run.LEAD_S + 9}],
        machine={NASTY: NASTY},
        versions={NASTY: NASTY},
        command=NASTY,
        untrusted=[NASTY],
    )


def text_of(document: Any) -> str:
    """What a reader sees, in single spaces."""
    return " ".join(document.text_content().split())


def test_the_first_screen_says_what_matters(good: str) -> None:
    """Verdict, pace, what was tested, the question, and whether to trust it, before any chart."""
    document = html.document_fromstring(good)
    seen = text_of(document.find("body"))
    first = seen[: seen.index("How long people waited")]
    for words in (
        "Holds in rehearsal",
        "All 5 objectives were met.",
        "a stress at 40 times the real rate",
        "none of your systems was tested",
        "2,600 people open their lids",
        "ready p95 latency at most 30 s",
        "Can these numbers be trusted? ✓ yes",
        "of 2,600 lids opened",
        "What to do Nothing of yours was tested yet. Name a system: fleetrush check --target identity=URL",
        "Headroom",
        "What the harness still had",
    ):
        assert words in first, words
    assert document.get("lang") == "en"
    assert document.findtext("head/title") == "Holds in rehearsal: Morning peak"


def test_every_step_has_its_row(good: str) -> None:
    """With its count and basis."""
    body = html.document_fromstring(good).xpath("//section/following::table[.//th='Basis']/tbody")[0]
    rows = {row.find("th").text_content(): [cell.text_content().strip() for cell in row.findall("td")] for row in body}
    assert set(made_run.STEPS) <= set(rows)
    assert rows["management.register"][:3] == ["stand-in", "2,680", "0"]


def test_every_chart_is_there_still_live_and_in_words(good: str) -> None:
    """An SVG for print and no scripts, a specification for the live one, and a label for screen readers."""
    document = html.document_fromstring(good)
    figures = document.xpath("//figure[@data-chart]")
    names = [figure.get("data-chart") for figure in figures]
    specs = json.loads(document.get_element_by_id("charts").text)
    assert {"ready", "way", "asked", "morning", "heat-ready", "latency-ready", "bandwidth", "harness"} <= set(names)
    assert sorted(specs) == sorted(names) == sorted(set(names))
    for figure in figures:
        assert figure.xpath(".//*[local-name()='svg']//*[local-name()='path' or local-name()='rect']")
        assert len(figure.xpath(".//*[@role='img']/@aria-label")[0]) > 20
        assert specs[figure.get("data-chart")]["width"] == "container"


def test_the_charts_follow_the_theme(good: str) -> None:
    """Every colour in them is a variable of the page."""
    document = html.document_fromstring(good)
    colours = set(document.xpath("//*[local-name()='svg']//@fill | //*[local-name()='svg']//@stroke"))
    assert {colour for colour in colours if not colour.startswith("var(--")} <= {"none", "transparent"}
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", good))
    assert used - set(re.findall(r"(--[a-z0-9-]+):", good)) == set()


@pytest.mark.parametrize("which", ["good", "nasty"])
def test_nothing_is_loaded_from_anywhere(which: str, request: pytest.FixtureRequest) -> None:
    """No element names an address, no style imports one, and the page's own policy forbids it to any script."""
    document = html.document_fromstring(request.getfixturevalue(which))
    assert document.xpath("//@src | //link | //iframe | //object | //embed | //base | //form") == []
    assert all(href.startswith("#") for href in document.xpath("//@href | //@*[local-name()='href']"))
    assert not any(re.search(r"url\(|@import", style.text) for style in document.iter("style"))
    (policy,) = document.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    allowed = {"default-src 'none'", "script-src 'unsafe-inline'", "style-src 'unsafe-inline'", "img-src data:"}
    assert set(policy.split("; ")) == allowed


def test_what_others_wrote_stays_text(nasty: str) -> None:
    """No attack becomes markup: three scripts, all ours, no handler; a reader sees the text as it was written."""
    document = html.document_fromstring(nasty)
    scripts = document.xpath("//script")
    assert [script.get("type") for script in scripts] == ["application/json", None, None]
    assert not any("alert(" in script.text for script in scripts[1:])
    assert document.xpath("//img | //@onerror | //@onload | //@onclick") == []
    assert NASTY[:-1] in json.dumps(json.loads(scripts[0].text), ensure_ascii=False)
    assert text_of(document).count("<script>alert('x')</script>") >= 8


def test_errors_are_listed_with_examples(nasty: str) -> None:
    """By step and reason, with what happened."""
    document = html.document_fromstring(nasty)
    (example,) = document.xpath("//ul[@class='examples']/li")
    assert "device 7" in example.text_content()
    assert "Cannot be trusted" in document.find(".//h1").text


@pytest.mark.parametrize("texts", ["few steps, every reason", "2,500 steps"])
def test_a_million_errors_of_every_kind_stay_small(texts: str) -> None:
    """A million samples that did not end ok, of 2,500 kinds or steps, with the longest examples: below 3 MB."""
    many = texts == "2,500 steps"
    steps = [f"service{number}.step_with_a_long_name_{number}" for number in range(2500 if many else 50)]
    reasons = ["none"] + [f"a_reason_with_a_long_name_{number}" for number in range(49)]
    count = 1_000_000
    samples = made_run.rows("ready", count)
    number = np.arange(count)
    samples["step"], samples["reason"] = number % len(steps), 1 + number // 50 % 49
    samples["due"] = samples["able"] = samples["sent"] = made_run.LEAD_S + number * 0.0045
    samples["done"], samples["outcome"] = samples["due"] + 1, 1 + number % 3
    examples = [
        {"step": s, "reason": r, "detail": word + "前" * 500, "url": "x" * 5000, "device": 1, "at_s": 1.0, "status": 0}
        for s, r in product(steps[:50], reasons)
        for word in "abcde"
    ]
    made_page = made(samples, steps=steps, reasons=reasons, examples=examples, health=made_run.health(4500))
    assert len(made_page.encode()) < 3_000_000
    document = html.document_fromstring(made_page)
    shown = document.xpath("//ul[@class='examples']")
    assert len(shown) == CLUSTERS_SHOWN
    assert {len(one) for one in shown} == {EXAMPLES_SHOWN}
    assert f"And {49 - CLUSTERS_SHOWN} more kinds" in text_of(document)
    assert (f"{2500 - STEPS_SHOWN:,} more stand in summary.json" in text_of(document)) == many


@pytest.mark.parametrize(
    "changes",
    [{}, {"ended": None}, {"compression": 1.0, "lead_s": 0.0}, {"actions": [], "targets": {}}, {"planned": None}],
)
def test_a_run_with_next_to_nothing_has_a_page(changes: dict[str, Any]) -> None:
    """No sample, no health, no end: the page says so instead of failing."""
    document = html.document_fromstring(made(made_run.rows("ready", 0), **changes))
    assert document.find(".//h1").text in ("Undecided", "Undecided in rehearsal", "Cannot be trusted")


def test_a_run_killed_before_its_first_start_has_a_page() -> None:
    """run.json as it stands before there is a first instant or an end."""
    run = {"format": 1, **made_run.run_json()}
    del run["t0_utc"], run["ended"]
    data = RunData(Path("x"), run, made_run.rows("ready", 0))
    document = html.document_fromstring(page(data, summarise(data)))
    assert document.find(".//h1").text == "Cannot be trusted"
    assert document.findtext(".//pre/code") == "fleetrush run morning_peak --seed 1"


def test_the_update_s_true_size_is_marked_computed(good: str) -> None:
    """260 payloads of 4 MB would have been 260 of 1.2 GB."""
    seen = text_of(html.document_fromstring(good))
    assert "it would be 312 GB to the devices computed; 1.09 GB of stand-in payload was moved." in seen


def contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two #rrggbb colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_contrast_is_aa_in_both_themes(theme: int) -> None:
    """Text 4.5 to 1 on every ground it stands on, lines of charts 3 to 1 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    style = (TEMPLATES / "style.css").read_text()
    pairs = re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", style)
    colour = {name: both[theme] for name, *both in pairs}
    moods = ("pass", "fail", "unknown", "untrusted")
    grounds = ["card", "paper", *(f"{mood}-tint" for mood in moods)]
    for text, ground in [*product(("ink", "muted"), grounds), *((mood, f"{mood}-tint") for mood in moods)]:
        assert contrast(colour[text], colour[ground]) >= 4.5, (text, ground)
    assert contrast(colour["fail"], colour["card"]) >= 4.5
    assert contrast(colour["link"], colour["card"]) >= 4.5
    assert all(contrast(colour[f"series-{number}"], colour["card"]) >= 3 for number in range(1, 8))


READY: dict[str, Any] = {"step": "ready", "percentile": 95.0, "latency_s_at_most": 1000.0}
NO_ERRORS: dict[str, Any] = {"step": "all", "error_share_at_most": 0.0}


@pytest.mark.parametrize(
    ("objectives", "broken", "figure", "note"),
    [
        ([READY], 0.0, "98.", "to the limit of ready p95 latency"),
        ([READY | {"latency_s_at_most": 1.0}], 0.0, "none", "ready p95 latency at 1"),
        ([READY, NO_ERRORS], 0.0, "98.", "to the limit of ready p95 latency"),
        ([READY, NO_ERRORS], 0.02, "none", "all errors: "),
        (
            [READY, {"step": "ready", "done_share": 0.95, "done_by": "08:00"}],
            0.0,
            "none",
            "ready on 95 % of devices: 08:4",
        ),
        ([READY | {"percentile": 99.0}], 0.5, "none", "ready p99 latency is among what did not end ok"),
    ],
)
def test_the_headroom_is_what_is_left_to_the_nearest_limit(
    objectives: list[dict[str, Any]], broken: float, figure: str, note: str
) -> None:
    """In percent of the limit; none where one is missed, which is named: a limit of 0 or a time of day, too."""
    made = made_run.run_json()["scenario"]
    run = {"format": 1, **made_run.run_json(scenario={**made, "folded": {**made["folded"], "objectives": objectives}})}
    ((_, shown, named),) = headroom_of(run, made_run.morning(600, broken=broken))
    assert shown.startswith(figure)
    assert named.startswith(note)


def headroom_of(run: dict[str, Any], samples: np.ndarray) -> list[tuple[str, str, str]]:
    """What the first screen of a run says of its headroom; nothing where it says nothing."""
    data, steps = RunData(Path("x"), run, samples), Steps(run, samples)
    rows = facts(story(data, steps, summarise(data, steps)))["rows"]
    return [row for row in rows if row[0] == "Headroom"]


def test_a_run_that_decides_nothing_has_no_headroom() -> None:
    """A target gave in, or the run cannot be trusted: nothing is left, or nobody knows."""
    ended = {"utc": "2026-01-15T00:02:30Z", "reason": "aborted", "detail": "x"}
    for changes in ({"partial": True, "ended": ended}, {"untrusted": ["x"]}):
        assert headroom_of({"format": 1, **made_run.run_json(**changes)}, made_run.morning(600)) == []
    assert headroom_of({"format": 1, **made_run.run_json()}, made_run.morning(600))


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        ({"identity": {"url": "https://i", "basis": "target"}}, "Tested: identity."),
        ({}, "none of your systems was tested."),
    ],
)
def test_a_service_that_no_step_reached_is_told_on_the_first_screen(targets: Any, told: str) -> None:
    """Beside what was tested, in the sentence under the verdict."""
    samples = made_run.morning(300)
    asked = np.isin(samples["step"], [made_run.STEPS.index(name) for name in ("identity.login", "ready")])
    run = {"format": 1, **made_run.run_json()}
    run["targets"] = {**run["targets"], **targets}
    summary = summarise(RunData(Path("x"), run, samples[asked]))
    assert standing(run, summary).endswith(f"{told} Not asked: management, updates and push.")
    assert standing(run, summary, Say("ja")).endswith("対象外: management、updatesとpush。")


def test_an_axis_writes_half_a_percent_and_the_seconds_of_a_short_run() -> None:
    """As drawn: no SI prefix below one (500m would be read as 500), and no minute told over and over."""

    def labels(step_ms: int, step: float) -> str:
        rows = [
            {
                "t": 28_500_000 + at * step_ms,
                "from": 28_500_000 + at * step_ms,
                "to": 28_500_000 + at * step_ms,
                "share": at * step,
            }
            for at in range(10)
        ]
        drawn = charts.lines(Caption("x", "x", "%", ""), rows, {"share": "share"}).still(alone=False)
        return " ".join(re.findall(r">([^<>]+)</text>", drawn))

    assert labels(10_000, 0.05) == "07:55 07:55:15 07:55:30 07:55:45 07:56 07:56:15 07:56:30 0 0.1 0.2 0.3 0.4"
    assert labels(600_000, 20_000.0) == "08:00 08:15 08:30 08:45 09:00 09:15 0 50k 100k 150k"
