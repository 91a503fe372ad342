"""council.html: one A4 page in plain words for those who decide and never saw a percentile.

Its one sentence is counted from the run's samples; what it cannot say is said as plainly. No chart, no step's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from reports import wording
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.percentiles import Ranked, rank_of
from reports.record import OUTCOMES, Samples
from reports.runfolder import RunData
from reports.steps import Steps
from reports.way import milestone_of

_OK: Final = OUTCOMES.index("ok")
_ROUND_S: Final = (1, 2, 3, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 1200, 1800, 3600)
_LONGEST_TITLE: Final = 80
_LONGEST_QUESTION: Final = 200


def council(data: RunData, summary: Mapping[str, Any], steps: Steps | None = None, say: Say = ENGLISH) -> str:
    """The page.

    Args:
        data: the run as recorded.
        summary: summary.json of the same run.
        steps: its samples by step, where the caller has them already.
        say: its language.
    """
    shown = sheet(data, summary, steps or Steps(data.run, data.samples), say)
    return render("council.html.j2", say, sheet=shown)


def sheet(data: RunData, summary: Mapping[str, Any], steps: Steps, say: Say) -> dict[str, Any]:
    """What stands on the page, for its template."""
    answer = answer_of(summary)
    rehearsal = answer in ("pass", "fail") and not wording.what_was_tested(data.run, summary).tested
    people = _people(steps, summary) if answer in ("pass", "fail", "unknown") else None
    return {
        "mood": "fail" if answer == "gave_in" else "unknown" if answer in ("cut_short", "unjudged") else answer,
        "title": _short(say.heard(summary["title"]), _LONGEST_TITLE),
        "question": _short(say.heard(summary["question"]), _LONGEST_QUESTION),
        "day": str(data.run.get("t0_utc") or "")[:10],
        "rehearsal": rehearsal,
        "heading": say(f"council.rehearsal_{answer}") if rehearsal else say(f"council.answer_{answer}"),
        "people": people,
        "sentence": _sentence(people, say),
        "tiles": [] if people is None else _tiles(people, say),
        "limits": _limits(data.run, summary, say),
        "next": say("council.next_rehearsal" if rehearsal and answer == "pass" else f"council.next_{answer}"),
        "hash": summary["hash"][:12],
        "scenario": summary["scenario"],
    }


def answer_of(summary: Mapping[str, Any]) -> str:
    """In one word: untrusted, gave_in, cut_short, unjudged, or the verdict."""
    if not summary["harness"]["trustworthy"]:
        return "untrusted"
    if summary["partial"]:
        return "gave_in" if summary["verdict"] == "fail" else "cut_short"
    return str(summary["verdict"]) if summary["objectives"] else "unjudged"


def _people(steps: Steps, summary: Mapping[str, Any]) -> dict[str, Any] | None:
    """How many of 100 who opened their lids got in within the limit, rounded down."""
    milestone = milestone_of(steps)
    if not milestone:
        return None
    rows = steps.rows(milestone)
    ok = rows["outcome"] == _OK
    seconds = rows["done"] - rows["due"]
    ranked = Ranked(seconds, ok)
    times = {name: ranked.at(rank_of(ranked.count, percent)) for name, percent in (("half", 50), ("most", 95))}
    limit = _limit_s(milestone, summary, times["most"], ranked.at_least or 0.0)
    within = int((ok & (seconds <= limit)).sum())
    return {
        "hundred": math.floor(100 * within / rows.size),
        "limit": f"{limit:g}",
        "count": int(rows.size),
        "within": within,
        "lost": _lost(rows),
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


def _lost(rows: Samples) -> int:
    return int((rows["outcome"] != _OK).sum())


def _sentence(people: Mapping[str, Any] | None, say: Say) -> str:
    return "" if people is None else say("council.sentence", people=people["hundred"], limit=people["limit"])


def _tiles(people: Mapping[str, Any], say: Say) -> list[tuple[str, str]]:
    def seconds(value: float) -> str:
        return say("council.never") if math.isinf(value) else say("council.seconds", seconds=f"{value:,.3g}")

    return [
        (seconds(people["half"]), say("council.half")),
        (seconds(people["most"]), say("council.most")),
        (f"{people['lost']:,}", say("council.lost", count=f"{people['count']:,}")),
    ]


def _limits(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say) -> list[str]:
    """What this run does not say, the gravest first."""
    found = wording.what_was_tested(run, summary, say)
    told = [] if summary["harness"]["trustworthy"] else [say("council.untrusted")]
    ours, others = ([_service(name, say) for name, _ in which] for which in (found.tested, found.stood_in))
    if not ours:
        told.append(say("council.rehearsal"))
    elif others:
        told.append(say("council.partly", tested=say.many(ours), others=say.many(others)))
    else:
        told.append(say("council.tested", tested=say.many(ours)))
    if any(row["verdict"] == "unknown" for row in summary["objectives"]) and summary["harness"]["trustworthy"]:
        told.append(say("council.undecided"))
    pace = summary["compression"]
    told.append(say("council.real_pace") if pace == 1 else say("council.squeezed", pace=f"{pace:g}"))
    accounts = run.get("accounts") or {}
    if accounts.get("reused"):
        told.append(
            say("standing.shared", people=f"{accounts['people']:,}", accounts=f"{accounts['accounts']:,}").strip()
        )
    return [*told, say("council.one_run"), say("council.not_in_it")]


def _service(name: str, say: Say) -> str:
    known = {"management", "identity", "updates", "push"}
    return say(f"council.service_{name}") if name in known else name


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
