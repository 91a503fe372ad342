"""The words and number formats that every renderer shares.

What the verdict is called, what was tested, and how a figure reads. Nothing is computed from samples here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.messages import ENGLISH, Say

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class Headline:
    """The verdict in words: `mood` is pass, fail, unknown or untrusted."""

    mood: str
    word: str
    because: str


@dataclass(frozen=True, slots=True)
class Tested:
    """What answered, by service: each a list of (service, address)."""

    tested: list[tuple[str, str]]
    stood_in: list[tuple[str, str]]
    left_out: list[tuple[str, str]]


def headline(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say = ENGLISH) -> Headline:
    """The verdict as a reader hears it first, and why."""
    rehearsal = "" if what_was_tested(run, summary).tested else "_rehearsal"
    objectives = summary["objectives"]
    if not summary["harness"]["trustworthy"]:
        reasons = "; ".join(say.heard(reason) for reason in summary["harness"]["reasons"])
        return Headline("untrusted", say("word.untrusted"), say("because.untrusted", reasons=reasons))
    if summary["partial"]:
        return _cut_short(summary, say)
    if not objectives:
        return Headline("unknown", say("word.unjudged"), say("because.no_objective"))
    return _judged(summary, rehearsal, say)


def _judged(summary: Mapping[str, Any], rehearsal: str, say: Say) -> Headline:
    objectives = summary["objectives"]
    missed = [row for row in objectives if row["verdict"] == "fail"]
    open_ones = [row for row in objectives if row["verdict"] == "unknown"]
    if missed:
        return Headline("fail", say(f"word.fails{rehearsal}"), say("because.missed", **_some(missed, objectives, say)))
    comparison = summary.get("comparison") or {"objectives": []}
    worse = [row for row in comparison["objectives"] if row["verdict"] == "regressed"]
    if worse:
        some = _some(worse, objectives, say)
        return Headline("fail", say("word.worse"), say("because.worse", runs=len(comparison["baselines"]), **some))
    if open_ones:
        because = say("because.undecided", **_some(open_ones, objectives, say))
        return Headline("unknown", say("word.undecided"), because)
    met = say("because.met_one") if len(objectives) == 1 else say("because.met", every=len(objectives))
    return Headline("pass", say(f"word.holds{rehearsal}"), met)


def down(outage: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """One of summary.json's outages in a line."""
    minutes = round((outage["to_s"] - outage["from_s"]) / 60)
    return say(
        "down.minute" if minutes == 1 else "down.minutes",
        clock=city_clock(outage["city_s"]),
        step=outage["step"],
        not_ok=f"{outage['not_ok']:,}",
        count=f"{outage['count']:,}",
        minutes=minutes,
        reason=outage["reason"],
    )


def _cut_short(summary: Mapping[str, Any], say: Say) -> Headline:
    why = say.heard(str(summary["ended"]["detail"]))
    if summary["verdict"] == "fail":
        return Headline("fail", say("word.gave_in"), say("because.stopped", why=why))
    cut = say("because.cut_short_why", why=why) if why else say("because.cut_short")
    return Headline("unknown", say("word.cut_short"), cut)


def what_was_tested(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say = ENGLISH) -> Tested:
    """Sort the services into tested, stood in and left out (those that no step reached)."""
    reached = {name.partition(".")[0] for name in summary["steps"]}
    found = Tested([], [], [])
    for service, target in run["targets"].items():
        place = (
            found.left_out
            if service not in reached
            else found.stood_in
            if target["basis"] == "stand-in"
            else found.tested
        )
        place.append((service, str(target.get("url") or "")))
        if place is found.tested and "steps" in target:
            found.stood_in.append((say("google"), ""))
    return found


def standing(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """What the verdict is a verdict about, in a sentence or two: one run, or several (with `runs` in the summary)."""
    pace = summary["compression"]
    runs = "_runs" if "runs" in summary else ""
    told = {"pace": f"{pace:g}", "runs": len(summary.get("runs", ()))}
    kind = say(f"standing.{'real_time' if pace == 1 else 'stress'}{runs}", **told)
    tested = what_was_tested(run, summary, say)
    unasked = say.many([service for service, _ in tested.left_out])
    asked = say("standing.unasked", names=unasked) if tested.left_out else ""
    if not tested.tested:
        return kind + say("standing.rehearsal") + asked
    names = say.many([service for service, _ in tested.tested])
    others = say.many([name for name, _ in tested.stood_in])
    which = "standing.tested_also" if tested.stood_in else "standing.tested"
    acts = sorted(set(run.get("left_out", ())))
    left_out = say("standing.left_out", acts=say.many(acts)) if acts else ""
    return kind + say(which, names=names, others=others) + asked + left_out + _shared(run.get("accounts") or {}, say)


def _shared(accounts: Mapping[str, Any], say: Say) -> str:
    """That people shared accounts, if they did: a provider answers one account otherwise than many."""
    if not accounts.get("reused"):
        return ""
    return say("standing.shared", people=f"{accounts['people']:,}", accounts=f"{accounts['accounts']:,}")


def figure(value: float | None, unit: str) -> str:
    """An objective's figure: seconds, a share of 1, or (unit "clock") city seconds after midnight."""
    if value is None:
        return NOTHING
    if unit == "clock":
        return city_clock(value)
    return share(value) if unit == "share" else duration(value * 1000)


def measured(objective: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """What was measured of an objective of summary.json."""
    if objective["value"] is None and "at_least" in objective:
        known = objective["at_least"]
        return say("figure.none_ok") if known is None else f"> {figure(known, objective['unit'])}"
    return figure(objective["value"], objective["unit"])


def band(objective: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """The band of an objective of summary.json that has one; its upper end may lie among outcomes other than ok."""
    low, high, unit = objective["low"], objective["high"], objective["unit"]
    if unit == "s":
        return span(None if low is None else 1000 * low, None if high is None else 1000 * high, say)
    return say("figure.over", figure=figure(low, unit)) if high is None else f"{figure(low, unit)}–{figure(high, unit)}"


def time_of(row: Mapping[str, Any], name: str, say: Say = ENGLISH) -> str:
    """A percentile of a step of summary.json, "p95" or the like."""
    known = row["latency_ms"][name]
    return duration(known) if known is not None else over(row["at_least_ms"], say)


def over(at_least_ms: float | None, say: Say = ENGLISH) -> str:
    """A time that falls among the outcomes other than ok, of which only that is known."""
    return say("figure.none_ok") if at_least_ms is None else f"> {duration(at_least_ms)}"


def duration(ms: float | None) -> str:
    """Milliseconds as a reader wants them, to three digits."""
    if ms is None:
        return NOTHING
    if ms < 999.5:
        return f"{ms:.3g} ms"
    return f"{ms / 1000:.3g} s" if ms < 999_500 else f"{ms / 1000:,.0f} s"


def gauged(value: float, name: str) -> str:
    """A measure of our own, by the unit that its name ends in."""
    return next(show(value) for unit, show in _GAUGED.items() if name.endswith(unit))


def span(low_ms: float | None, high_ms: float | None, say: Say = ENGLISH) -> str:
    """From one to another number of milliseconds; the unit is said once where it is the same."""
    if low_ms is None:
        return say("figure.among_errors")
    if high_ms is None:
        return say("figure.over", figure=duration(low_ms))
    low, high = duration(low_ms), duration(high_ms)
    same = low.rpartition(" ")[2] == high.rpartition(" ")[2]
    return f"{low.rpartition(' ')[0] if same else low}–{high}"


def change(value: float | None, unit: str, say: Say = ENGLISH) -> str:
    """By how much a figure changed: a time in percent of what it was, a share in percentage points."""
    if value is None:
        return NOTHING
    percent = f"{value * 100:+.1f}" if abs(value) < 0.995 else f"{value * 100:+,.0f}"
    return say("compare.points", change=percent) if unit == "share" else f"{percent} %"


def left_out(runs: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    """The runs a comparison left out, one row a reason: its one run, or how many."""
    counts = Counter(run["reason"] for run in runs)
    names = {run["reason"]: run["run"] for run in runs}
    return [(names[why] if count == 1 else f"{count:,}", why) for why, count in counts.items()]


def share(value: float | None) -> str:
    """A share of 1 in percent, never rounded to a bare 0 or 100."""
    if value is None:
        return NOTHING
    digits = 0 if value in (0, 1) else 1 if 0.1 <= value <= 0.9 else 2
    text = f"{value * 100:.{digits}f} %"
    if value and float(text[:-2]) == 0:
        return "< 0.01 %"
    return "> 99.99 %" if value < 1 and float(text[:-2]) == 100 else text


def size(count: float | None) -> str:
    """Bytes in powers of 1,000."""
    if count is None:
        return NOTHING
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB" if count < 999.5 else f"{count:,.0f} TB"


def city_clock(city_s: float) -> str:
    """Seconds after midnight as HH:MM:SS."""
    whole = round(city_s) % 86_400
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"


def _some(rows: list[Any], every: list[Any], say: Say) -> dict[str, object]:
    names = say("list.comma").join(say.heard(row["name"]) for row in rows[:4])
    names = say("names.more", names=names, more=len(rows) - 4) if len(rows) > 4 else names
    return {"some": len(rows), "every": len(every), "names": names}


_GAUGED: Final[dict[str, Callable[[float], str]]] = {
    "_ms": duration,
    "_s": lambda seconds: duration(seconds * 1000),
    "_share": share,
    "_cores": lambda cores: f"{cores:.2f}",
}
