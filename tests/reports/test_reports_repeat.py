"""Repeated runs judged together: bands by the printed t, errors by counting, what is left out and what that means."""

from __future__ import annotations

import csv
import io
import math
from typing import Any

import pytest
from lxml import etree, html

from reports import wording
from reports.junit import junit
from reports.messages import ENGLISH, Say
from reports.objectives import exit_code
from reports.repeat import OneRun, judge_series, stops, why_stopped
from reports.series_advice import series_advice
from reports.series_page import series_page
from reports.tables import csv_bytes, series_rows
from reports.text import series_text

T_2 = 4.302652729749464
"""Student's t for two degrees of freedom, 97.5 %: 1.9 * sqrt(2 / (1 - 0.95**2)), in closed form."""
SERIES = {"planned": 3, "ended": {"reason": "complete", "detail": ""}}
SHARE = {"measure": "errors", "percentile": None, "unit": "share", "limit": 0.005, "name": "ready errors"}


def row(value: float | None, limit: float = 2.0, **changes: Any) -> dict[str, Any]:
    """A row of a run's objectives."""
    return {
        "name": "identity.login p95 latency",
        "step": "identity.login",
        "measure": "latency",
        "percentile": 95.0,
        "unit": "s",
        "window": None,
        "limit": limit,
        "value": value,
        "low": value,
        "high": value,
        "count": 2000,
        "not_ok": 0,
        "verdict": "pass",
        "reason": "",
        **changes,
    }


def errors(not_ok: int, count: int = 2000) -> dict[str, Any]:
    """A row of a run's error share."""
    return row(not_ok / count, **SHARE | {"count": count, "not_ok": not_ok})


def run(*objectives: dict[str, Any], reasons: tuple[str, ...] = (), **changes: Any) -> dict[str, Any]:
    """A run's summary.json."""
    return {
        "format": 1,
        "scenario": "morning_peak",
        "title": "Morning peak",
        "question": "Do they keep up?",
        "hash": "ab" * 32,
        "seed": 1,
        "compression": 30.0,
        "undecided": "fail",
        "partial": False,
        "ended": {"reason": "complete", "detail": ""},
        "harness": {"trustworthy": not reasons, "reasons": list(reasons), "notes": ["shared", str(id(changes))]},
        "objectives": list(objectives),
        "verdict": "pass",
        **changes,
    }


def series(*summaries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The summary of a series of these runs."""
    runs = [OneRun(f"run-{number:02}", one) for number, one in enumerate(summaries, 1)]
    return judge_series({**SERIES, **changes}, runs)


def of_values(*values: float | None, limit: float = 2.0) -> dict[str, Any]:
    """The one objective of a series of runs with these percentiles; None is one among outcomes other than ok."""
    rows = [row(value, limit) if value else row(None, limit, at_least=1.5) for value in values]
    (judged,) = series(*(run(one) for one in rows))["objectives"]
    return judged


def test_a_percentile_is_judged_by_its_band_between_runs() -> None:
    """exp(mean +- t * s / sqrt(3)) of the logarithms, by hand; inside, outside, and across the limit."""
    values = (1.0, 1.1, 1.21)
    mean, spread = math.log(1.1), math.log(1.1)
    low, high = (math.exp(mean + sign * T_2 * spread / math.sqrt(3)) for sign in (-1, 1))
    judged = of_values(*values)
    assert [judged[key] for key in ("value", "low", "high")] == pytest.approx([1.1, low, high], abs=1e-6)
    assert [one["value"] for one in judged["runs"]] == list(values)
    limits = {high + 1e-5: "pass", high - 1e-5: "unknown", low + 1e-5: "unknown", low - 1e-5: "fail"}
    assert [of_values(*values, limit=limit)["verdict"] for limit in limits] == list(limits.values())


def test_three_runs_that_each_pass_may_be_undecided() -> None:
    """All keep 2 s, but they differ so much that another morning need not: within-run bands do not show that."""
    judged = of_values(0.5, 1.0, 1.9)
    assert judged["verdict"] == "unknown"
    assert judged["reason"] == "the band between 3 runs lies on both sides of the limit"
    assert of_values(0.5, 0.51, 0.52)["verdict"] == "pass"


def test_a_time_of_day_is_judged_by_seconds() -> None:
    """On 95 % of devices at 08:40, 08:41 and 08:42, plus and minus 149 s by the printed t: a limit of 08:44 is kept,
    one of 08:43 undecided, one of 08:38 broken; and the same two hours later, which logarithms would not give."""
    reach = T_2 * 60 / math.sqrt(3)
    for at in (8 * 3600 + 41 * 60, 10 * 3600 + 41 * 60):
        clock = {"measure": "done_by", "unit": "clock", "name": "ready on 95 % of devices"}
        for limit, verdict in ((at + 180, "pass"), (at + 120, "unknown"), (at - 180, "fail")):
            rows = [row(at + off, limit, **clock) for off in (-60, 0, 60)]
            (judged,) = series(*map(run, rows))["objectives"]
            assert judged["verdict"] == verdict
            assert [judged[key] - at for key in ("value", "low", "high")] == pytest.approx([0, -reach, reach], abs=1e-6)


def test_a_run_among_failures_makes_no_band_better() -> None:
    """One percentile among outcomes other than ok takes the upper end away: never met, whatever the others are."""
    judged = of_values(0.1, 0.1, None)
    assert (judged["value"], judged["high"], judged["verdict"]) == (None, None, "unknown")
    assert of_values(3.0, 3.0, None)["verdict"] == "fail"
    every = of_values(None, None, None)
    assert (every["low"], every["verdict"]) == (None, "fail")


@pytest.mark.parametrize(
    ("counts", "verdict", "value", "reason"),
    [
        ((1, 2, 3), "pass", 0.001, "each of 3 runs keeps the limit, the worst is run-03"),
        ((0, 20, 1), "unknown", 0.0035, "run-02 breaks the limit, 3 runs together keep it"),
        ((0, 900, 0), "fail", 0.15, "900 of 6,000 in 3 runs together, most in run-02"),
        ((40, 40, 40), "fail", 0.02, "120 of 6,000 in 3 runs together, most in run-01"),
    ],
)
def test_errors_are_counted_together_and_in_each_run(
    counts: tuple[int, ...], verdict: str, value: float, reason: str
) -> None:
    """At most 0.5 % of 2,000: 10 in one run, 30 in all three."""
    (judged,) = series(*(run(errors(one)) for one in counts))["objectives"]
    assert (judged["verdict"], judged["reason"]) == (verdict, reason)
    assert (judged["value"], judged["low"], judged["high"]) == (
        pytest.approx(value),
        min(counts) / 2000,
        max(counts) / 2000,
    )


def test_an_untrusted_run_is_named_and_left_out_while_three_remain() -> None:
    """It says nothing about the targets, neither for nor against; with fewer than three others nothing is decided."""
    good, bad = run(row(1.0)), run(row(9.0), reasons=("engine 1 was lost",))
    four = series(good, bad, good, good, planned=4)
    assert (four["verdict"], exit_code(four)) == ("pass", 0)
    assert "run-02 is left out: it cannot be trusted: engine 1 was lost" in four["harness"]["notes"]
    assert [one["left_out"] != "" for one in four["runs"]] == [False, True, False, False]
    assert "shared" in four["harness"]["notes"]
    assert [one["value"] for one in four["objectives"][0]["runs"]] == [1.0] * 3
    three = series(good, bad, good)
    assert (three["verdict"], exit_code(three)) == ("unknown", 3)
    assert three["harness"]["reasons"][0] == "2 of 3 runs can be trusted, 3 are needed"
    none = series(bad, bad, bad)
    assert exit_code(none) == 3
    assert none["objectives"][0]["verdict"] == "unknown"


def test_what_others_took_is_the_most_of_any_run_that_counts() -> None:
    """Beside four runs, of which one is no use: 0.4 cores beside the second, not the 1.5 of the last."""
    runs = [run(row(1.0), reasons=("late",) if taken > 1 else ()) for taken in (0.1, 0.4, 0.0, 1.5)]
    for one, taken in zip(runs, (0.1, 0.4, 0.0, 1.5), strict=True):
        one["harness"]["others_cores"] = {"worst_window": taken, "limit": 0.5}
    assert series(*runs, planned=4)["harness"]["others_cores"] == {"worst_window": 0.4}


def test_a_run_that_was_cut_short_ends_the_series() -> None:
    """Interrupted: undecided, whatever the others showed. A target that gave in: failed."""
    good = run(row(1.0))
    cut = run(row(9.0), partial=True, verdict="unknown", ended={"reason": "interrupted", "detail": ""})
    gave_in = run(row(9.0), partial=True, verdict="fail", ended={"reason": "aborted", "detail": "half of it failed"})
    assert [stops(OneRun("x", one)) for one in (good, cut, gave_in)] == [False, True, True]
    one = series(good, good, good, cut, ended=why_stopped(OneRun("run-04", cut)))
    assert (one["verdict"], one["partial"], exit_code(one)) == ("unknown", True, 4)
    assert one["ended"] == {"reason": "interrupted", "detail": "run-04: interrupted"}
    # as far as it went, its figures stand
    assert one["objectives"][0]["value"] == pytest.approx(1.0)
    other = series(good, gave_in, ended=why_stopped(OneRun("run-02", gave_in)))
    assert (other["verdict"], other["ended"]["reason"], exit_code(other)) == ("fail", "aborted", 1)
    assert series(good, ended=None)["ended"]["reason"] == "killed"


def test_the_combined_verdict_is_the_worst() -> None:
    """Fail before undecided before pass; without evidence undecided, in whichever run it lacks."""
    bad, open_one, good = row(3.0), row(None, count=0), row(1.0)
    assert series(*[run(good, open_one, bad)] * 3)["verdict"] == "fail"
    undecided = series(run(good, open_one), run(good, good), run(good, good))
    assert (undecided["verdict"], exit_code(undecided)) == ("unknown", 4)
    assert undecided["objectives"][1]["reason"] == "nothing of it was recorded in run-01"
    lenient = series(*[run(good, open_one, undecided="pass")] * 3)
    assert exit_code(lenient) == 0


def ended(reason: str) -> dict[str, Any]:
    """What series.json says of a series that did not come to its end."""
    return {"ended": {"reason": reason, "detail": "why"}}


ENDS = {
    "holds": ([run(row(1.0), errors(1))] * 3, {}, 0),
    "misses": ([run(row(3.0), errors(1))] * 3, {}, 1),
    "undecided": ([run(row(one), errors(1)) for one in (0.5, 1.0, 1.9)], {}, 4),
    "untrusted": ([run(row(3.0), errors(1), reasons=("late",))] * 3, {}, 3),
    "gave in": (
        [run(row(3.0), errors(1), partial=True, verdict="fail")],
        {"ended": {"reason": "aborted", "detail": "x"}},
        1,
    ),
    "interrupted": ([run(row(3.0), errors(1))], {"ended": {"reason": "interrupted", "detail": "x"}}, 4),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_case_fails_if_and_only_if_the_exit_code_is_1(name: str) -> None:
    """For a series as for a run: what is not decided is skipped with its reason."""
    summaries, changes, code = ENDS[name]
    judged = series(*summaries, **changes)
    suites = etree.fromstring(junit(judged, utc="2026-01-15T00:00:00Z", seconds=9.0, host="here"))
    assert exit_code(judged) == code
    assert bool(suites.xpath("//failure")) == (code == 1)
    assert bool(suites.xpath("//skipped")) == (code in (3, 4) or name == "gave in")
    assert all(one.get("message") for one in suites.xpath("//failure | //skipped"))
    assert not suites.xpath("//error")


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_page_shows_every_run_and_what_it_means(name: str, lang: Any) -> None:
    """Each run's figure and link, the band, the verdict in the page's language."""
    summaries, changes, _ = ENDS[name]
    judged = {**series(*summaries, **changes), "steps": {"identity.login": {}}}
    targets = {"identity": {"basis": "target", "url": "https://idp.example"}}
    command = "fleetrush run morning_peak --repeat=3"
    page = series_page({"targets": targets, "command": command}, judged, Say(lang))
    assert command in page
    for number in range(1, len(summaries) + 1):
        assert f'href="run-{number:02}/report.html"' in page
    if name == "misses":
        assert ("Does not hold" if lang == "en" else "耐えられない") in page
        assert page.count("3 s") >= 4
        assert ("3 runs, each with fresh state" if lang == "en" else "3 回の実行です") in page
    words = series_text({"targets": targets}, judged)
    assert f"{len(summaries)} of 3 runs were played" in words


@pytest.mark.parametrize(
    ("values", "figure", "note"),
    [
        # the middle of the runs, 1.1 s, would leave 45 %
        ((1.0, 1.1, 1.21), wording.share(1 - 1.1 * math.exp(T_2 * math.log(1.1) / math.sqrt(3)) / 2.0), "to the limit"),
        ((1.5, 1.65, 1.815), "none", "at 1.05 times its limit"),
        ((1.0, 1.0, None), "none", "is among what did not end ok"),
    ],
)
def test_the_first_screen_says_the_headroom_at_the_worse_end(
    values: tuple[float | None, ...], figure: str, note: str
) -> None:
    """Of the objective nearest to its limit by the band's upper end, worked by hand from the printed t; and how many
    runs count, what was tested, what stood in and what was left out, all before the tables."""
    rows = [row(value) if value else row(None, at_least=1.5) for value in values]
    judged = {**series(*(run(one, errors(1)) for one in rows)), "steps": {"identity.login": {}, "push.connect": {}}}
    targets = {
        "identity": {"basis": "target", "url": "https://idp.example"},
        "push": {"basis": "stand-in", "url": "mqtt://x"},
        "updates": {"basis": "stand-in", "url": ""},
    }
    page = html.document_fromstring(series_page({"targets": targets, "command": "x"}, judged))
    facts = [[" ".join(cell.text_content().split()) for cell in one] for one in page.xpath("//dl[1]/div")]
    assert facts[0][:2] == ["Headroom", figure]
    assert "identity.login p95 latency" in facts[0][2]
    assert note in facts[0][2]
    assert facts[0][2].endswith(", by the worse end between the runs")
    assert facts[1] == ["Runs that count", "3", "of 3 planned"]
    (tested,) = page.xpath("//section[@aria-labelledby='tested']")
    kinds = [[" ".join(cell.text_content().split()) for cell in one] for one in tested.xpath("./dl/div")][:3]
    assert kinds == [
        ["Tested", "identity https://idp.example"],
        ["Stood in by the embedded backend", "push mqtt://x"],
        ["Left out", "updates"],
    ]
    assert tested.xpath("./preceding::table") == []


def test_the_table_reads_back() -> None:
    """By the csv module: a row for each run that counts and one for all together; what is not known is empty."""
    summaries = [run(row(one), errors(1)) for one in (1.0, 1.1, 1.21)]
    judged = series(*summaries)
    rows = list(csv.DictReader(io.StringIO(csv_bytes(series_rows(judged)).decode(), newline="")))
    assert [one["run"] for one in rows] == ["run-01", "run-02", "run-03", ""] * 2
    assert [float(one["value"]) for one in rows[:3]] == [1.0, 1.1, 1.21]
    assert float(rows[3]["high"]) == judged["objectives"][0]["high"]
    assert rows[0]["high"] == ""
    assert {one["verdict"] for one in rows} == {"pass"}


TODO = {
    "holds": "Keep this run as a baseline",
    "misses": "identity.login p95 latency: open the page of run-01",
    "undecided": "identity.login p95 latency: more runs narrow the band",
    "untrusted": "Open the pages of run-01, run-02 and run-03",
    "gave in": "Open the page of run-01: it says when the target gave in",
    "interrupted": "Run it to its end: fleetrush run morning_peak --repeat=3",
}


@pytest.mark.parametrize("name", TODO)
def test_each_end_of_a_series_has_its_next_step(name: str) -> None:
    """On the page, in either language; the worst run is the one to look at."""
    summaries, changes, _ = ENDS[name]
    judged = {**series(*summaries, **changes), "steps": {"identity.login": {}}, "compression": 1.0}
    run = {"targets": {"identity": {"basis": "target"}}, "command": "fleetrush run morning_peak --repeat=3"}
    assert series_advice(run, judged, ENGLISH)[0].startswith(TODO[name])
    for say in (ENGLISH, Say("ja")):
        assert series_advice(run, judged, say)[0] in series_page(run, judged, say)


def test_the_worst_run_is_the_one_to_look_at() -> None:
    """The largest figure, and one among failures before it."""
    for values, worst in (((3.0, 5.0, 4.0), "run-02"), ((3.0, 5.0, None), "run-03")):
        judged = {**series(*(run(row(one, 0.5, at_least=5.0)) for one in values)), "steps": {"identity.login": {}}}
        told = series_advice({"targets": {}, "command": "x"}, judged, ENGLISH)
        assert f"open the page of {worst}" in told[0]
