"""council.html: one A4 page in plain words for those who decide and never saw a percentile.

Its one sentence is counted from the samples of a run, or of several runs of one morning together; what it cannot say is
said as plainly. No chart, no step's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports import wording
from reports.bands import RUNS_AT_LEAST, SHORTEST_S, between_runs
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.percentiles import Ranked, rank_of
from reports.record import OUTCOMES
from reports.runfolder import RunData
from reports.steps import Steps
from reports.way import milestone_of
from scenarios.targets import SERVICES

_OK: Final = OUTCOMES.index("ok")
_ROUND_S: Final = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
LONGEST_TITLE: Final = 80
LONGEST_QUESTION: Final = 200
_MOODS: Final = {"gave_in": "fail", "worse": "fail", "cut_short": "unknown", "unjudged": "unknown"}


@dataclass(frozen=True, slots=True)
class Waits:
    """How long each person of one run waited for a milestone, in seconds, and whether the wait ended ok."""

    milestone: str
    seconds: NDArray[np.float64]
    ok: NDArray[np.bool_]


def waits_of(steps: Steps) -> Waits | None:
    """The waits of one run; None where nobody waited for anything."""
    milestone = milestone_of(steps)
    if not milestone:
        return None
    rows = steps.rows(milestone)
    return Waits(milestone, rows["done"] - rows["due"], rows["outcome"] == _OK)


def council(data: RunData, summary: Mapping[str, Any], steps: Steps | None = None, say: Say = ENGLISH) -> str:
    """The page of one run.

    Args:
        data: the run as recorded.
        summary: summary.json of the same run.
        steps: its samples by step, where the caller has them already.
        say: its language.
    """
    shown = sheet(data.run, summary, [waits_of(steps or Steps(data.run, data.samples))], say)
    return render("council.html.j2", say, sheet=shown)


def series_council(
    run: Mapping[str, Any], summary: Mapping[str, Any], waits: Sequence[Waits | None], say: Say = ENGLISH
) -> str:
    """The page of repeated runs.

    Args:
        run: run.json of the first run.
        summary: summary.json of the series, with the `steps` of the first run.
        waits: of the runs that count.
        say: its language.
    """
    return render("council.html.j2", say, sheet=sheet(run, summary, waits, say))


def sheet(
    run: Mapping[str, Any], summary: Mapping[str, Any], waits: Sequence[Waits | None], say: Say
) -> dict[str, Any]:
    """What stands on the page, for its template: of one run, or of a series (with `runs` in the summary)."""
    answer = answer_of(summary)
    rehearsal = answer in ("pass", "fail", "worse") and not wording.what_was_tested(run, summary).tested
    known = [one for one in waits if one is not None]
    people = _people(known, summary) if known and answer in ("pass", "fail", "worse", "unknown") else None
    return {
        "mood": _MOODS.get(answer, answer),
        "title": short(say.heard(summary["title"]), LONGEST_TITLE),
        "question": short(say.heard(summary["question"]), LONGEST_QUESTION),
        "day": str(run.get("t0_utc") or "")[:10],
        "rehearsal": rehearsal,
        "heading": say(f"council.rehearsal_{answer}") if rehearsal else say(f"council.answer_{answer}"),
        "people": people,
        "sentence": _sentence(people, say),
        "of": _of(people, say),
        "tiles": [] if people is None else _tiles(people, say),
        "limits": _limits(run, summary, say),
        "next": _next(answer, run, summary, say),
        "which": say("council.which", scenario=summary["scenario"], hash=summary["hash"][:12]),
    }


def answer_of(summary: Mapping[str, Any]) -> str:
    """In one word: untrusted, gave_in, cut_short, unjudged, worse (than before, no limit missed), or the verdict."""
    if not summary["harness"]["trustworthy"]:
        return "untrusted"
    if summary["partial"]:
        return "gave_in" if summary["verdict"] == "fail" else "cut_short"
    if summary["verdict"] == "fail" and not any(row["verdict"] == "fail" for row in summary["objectives"]):
        return "worse"
    return str(summary["verdict"]) if summary["objectives"] else "unjudged"


def _people(waits: Sequence[Waits], summary: Mapping[str, Any]) -> dict[str, Any]:
    """How many of 100 who opened their lids got in within the limit, rounded down; `half` and `most` by run."""
    ranked = [Ranked(one.seconds, one.ok) for one in waits]
    times = {
        name: [one.at(rank_of(one.count, percent)) for one in ranked] for name, percent in (("half", 50), ("most", 95))
    }
    longest = max(one.at_least or 0.0 for one in ranked)
    limit = _limit_s(waits[0].milestone, summary, max(times["most"]), longest)
    within = [int((one.ok & (one.seconds <= limit)).sum()) for one in waits]
    count = sum(one.count for one in ranked)
    return {
        "hundred": math.floor(100 * sum(within) / count),
        "fewest": min(math.floor(100 * kept / one.count) for kept, one in zip(within, ranked, strict=True)),
        "limit": f"{limit:g}",
        "count": count,
        "within": sum(within),
        "lost": sum(int((~one.ok).sum()) for one in waits),
        "runs": len(waits),
        **times,
    }


def _limit_s(milestone: str, summary: Mapping[str, Any], p95_s: float, longest_s: float) -> float:
    """The limit of the milestone's objective; without one, the round number of seconds that p95 keeps."""
    asked = [
        float(row["limit"])
        for row in summary["objectives"]
        if row["step"] == milestone and row["measure"] == "latency" and row["window"] is None
    ]
    if asked:
        return min(asked)
    known = longest_s if math.isinf(p95_s) else p95_s
    return float(next((one for one in _ROUND_S if one >= known), math.ceil(known)))


def _sentence(people: Mapping[str, Any] | None, say: Say) -> str:
    return "" if people is None else say("council.sentence", people=people["hundred"], limit=people["limit"])


def _of(people: Mapping[str, Any] | None, say: Say) -> str:
    """How many people the sentence rests on."""
    if people is None:
        return ""
    counts = {key: f"{people[key]:,}" for key in ("within", "count", "runs", "fewest")}
    return say("council.of_runs" if people["runs"] > 1 else "council.of", **counts)


def _tiles(people: Mapping[str, Any], say: Say) -> list[tuple[str, str, str]]:
    """Each a figure, what it means, and its band between the runs, empty where there are too few."""
    waits = [(*_typical(people[key], say), say(f"council.{key}")) for key in ("half", "most")]
    lost = (f"{people['lost']:,}", say("council.lost", count=f"{people['count']:,}"), "")
    return [*((value, meaning, band) for value, band, meaning in waits), lost]


def _typical(values_s: Sequence[float], say: Say) -> tuple[str, str]:
    """A time of one run; of several the middle, and in words the band between them."""

    def seconds(value: float) -> str:
        return say("council.never") if math.isinf(value) else say("council.seconds", seconds=f"{value:,.3g}")

    if len(values_s) < RUNS_AT_LEAST:
        return seconds(max(values_s)), ""
    band = between_runs([max(value, SHORTEST_S) for value in values_s])
    return seconds(band.middle), say("council.between", low=seconds(band.low), high=seconds(band.high))


def _limits(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say) -> list[str]:
    """What this run does not say, the gravest first."""
    told = [] if summary["harness"]["trustworthy"] else [say("council.untrusted")]
    told.append(tested_told(wording.what_was_tested(run, summary, say), say))
    if any(row["verdict"] == "unknown" for row in summary["objectives"]) and summary["harness"]["trustworthy"]:
        told.append(say("council.undecided"))
    pace = summary["compression"]
    told.append(say("council.real_pace") if pace == 1 else say("council.squeezed", pace=f"{pace:g}"))
    return [*told, *shared_told(run, say), *_how_often(summary, say), say("council.not_in_it")]


def tested_told(found: wording.Tested, say: Say) -> str:
    """What was tested and what stood in, in plain words."""
    ours, others = ([_service(name, say) for name, _ in which] for which in (found.tested, found.stood_in))
    if not ours:
        return say("council.rehearsal")
    if others:
        return say("council.partly", tested=say.many(ours), others=say.many(others))
    return say("council.tested", tested=say.many(ours))


def shared_told(run: Mapping[str, Any], say: Say) -> list[str]:
    """That people shared accounts, if they did."""
    accounts = run.get("accounts") or {}
    if not accounts.get("reused"):
        return []
    counts = {key: f"{accounts[key]:,}" for key in ("people", "accounts")}
    return [say("standing.shared", **counts).strip()]


def _next(answer: str, run: Mapping[str, Any], summary: Mapping[str, Any], say: Say) -> str:
    """What to do next. That nothing has to be bought is said only where nothing that was asked for is left open."""
    if answer == "unknown" and "runs" in summary:
        return say("council.next_unknown_runs")
    if answer != "pass":
        return say(f"council.next_{answer}")
    found = wording.what_was_tested(run, summary)
    tested, stood_in, unasked = (
        [_service(name, say) for name, _ in which if name in SERVICES]
        for which in (found.tested, found.stood_in, found.left_out)
    )
    if not tested:
        return say("council.next_rehearsal")
    still = [say("council.open_stood_in", names=say.many(stood_in))] if stood_in else []
    still += [say("council.open_unasked", names=say.many(unasked))] if unasked else []
    still += [say("council.open_pace")] if summary["compression"] != 1 else []
    still += [say("council.open_once")] if "runs" not in summary else []
    if not still:
        return say("council.next_pass")
    return say("council.next_pass_open", tested=say.many(tested), open=say("council.semicolon").join(still))


def _how_often(summary: Mapping[str, Any], say: Say) -> list[str]:
    """How many tests it rests on, and how many were of no use."""
    if "runs" not in summary:
        return [say("council.one_run")]
    left = sum(bool(one["left_out"]) for one in summary["runs"])
    told = [say("council.runs", runs=len(summary["runs"]) - left)] if left < len(summary["runs"]) else []
    return [*told, *([say("council.runs_left_out", left=left)] if left else [])]


def _service(name: str, say: Say) -> str:
    return say(f"council.service_{name}") if name in SERVICES else name


def short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
