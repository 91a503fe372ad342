"""The words and number formats that every renderer shares.

What the verdict is called, what was tested, and how a figure reads. Nothing is computed from samples here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOTHING = "–"
NONE_TESTED = "None of your systems was tested."
GOOGLE = "Google's accounts"
"""What stands in around an identity provider that was named, as the city's own systems have it around theirs."""


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


def headline(run: Mapping[str, Any], summary: Mapping[str, Any]) -> Headline:
    """The verdict as a reader hears it first, and why."""
    where = "" if what_was_tested(run, summary).tested else " in rehearsal"
    objectives = summary["objectives"]
    if not summary["harness"]["trustworthy"]:
        return Headline(
            "untrusted",
            "Cannot be trusted",
            "These numbers decide nothing: " + "; ".join(summary["harness"]["reasons"]) + ".",
        )
    if summary["partial"]:
        return _cut_short(summary)
    if not objectives:
        return Headline("unknown", "Not judged", "The scenario sets no objective.")
    missed = [row for row in objectives if row["verdict"] == "fail"]
    open_ones = [row for row in objectives if row["verdict"] == "unknown"]
    if missed:
        return Headline("fail", f"Does not hold{where}", f"Missed {_of(missed, objectives)}: {_names(missed)}.")
    if open_ones:
        return Headline(
            "unknown", "Undecided", f"The evidence cannot decide {_of(open_ones, objectives)}: {_names(open_ones)}."
        )
    met = "The one objective was met." if len(objectives) == 1 else f"All {len(objectives)} objectives were met."
    return Headline("pass", f"Holds{where}", met)


def down(outage: Mapping[str, Any]) -> str:
    """One of summary.json's outages in a line."""
    minutes = round((outage["to_s"] - outage["from_s"]) / 60)
    span = "a minute" if minutes == 1 else f"{minutes} minutes"
    return (
        f"{city_clock(outage['city_s'])}  {outage['step']}: {outage['not_ok']:,} of {outage['count']:,} not ok"
        f" within {span} ({outage['reason']})"
    )


def _cut_short(summary: Mapping[str, Any]) -> Headline:
    why = str(summary["ended"]["detail"])
    if summary["verdict"] == "fail":
        return Headline("fail", "Gave in", f"The run was stopped to spare the target: {why}.")
    cut = "The run did not come to its end, so it decides nothing"
    return Headline("unknown", "Cut short", f"{cut}: {why}." if why else f"{cut}.")


def what_was_tested(run: Mapping[str, Any], summary: Mapping[str, Any]) -> Tested:
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
            found.stood_in.append((GOOGLE, ""))
    return found


def standing(run: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """What the verdict is a verdict about, in a sentence or two."""
    pace = summary["compression"]
    kind = "One run in real time." if pace == 1 else f"One run: a stress at {pace:g} times the real rate."
    tested = what_was_tested(run, summary)
    if not tested.tested:
        return f"{kind} A rehearsal against stand-ins: {NONE_TESTED[0].lower()}{NONE_TESTED[1:]}"
    shared = _shared(run.get("accounts") or {})
    names = [service for service, _ in tested.tested]
    also = f"; {_and([name for name, _ in tested.stood_in])} stood in" if tested.stood_in else ""
    acts = sorted(set(run.get("left_out", ())))
    left_out = f" Left out, since only a stand-in does as the scenario says: {_and(acts)}." if acts else ""
    return f"{kind} Tested: {_and(names)}{also}.{left_out}{shared}"


def _shared(accounts: Mapping[str, Any]) -> str:
    """That people shared accounts, if they did: a provider answers one account otherwise than many."""
    if not accounts.get("reused"):
        return ""
    return f" {accounts['people']:,} people shared {accounts['accounts']:,} accounts."


def figure(value: float | None, unit: str) -> str:
    """An objective's figure: seconds or a share of 1."""
    if value is None:
        return NOTHING
    return share(value) if unit == "share" else duration(value * 1000)


def measured(objective: Mapping[str, Any]) -> str:
    """What was measured of an objective of summary.json."""
    if objective["value"] is None and "at_least" in objective:
        return over(objective["at_least"] * 1000)
    return figure(objective["value"], objective["unit"])


def time_of(row: Mapping[str, Any], name: str) -> str:
    """A percentile of a step of summary.json, "p95" or the like."""
    known = row["latency_ms"][name]
    return duration(known) if known is not None else over(row["at_least_ms"])


def over(at_least_ms: float | None) -> str:
    """A time that falls among the outcomes other than ok, of which only that is known."""
    return "none ok" if at_least_ms is None else f"> {duration(at_least_ms)}"


def duration(ms: float | None) -> str:
    """Milliseconds as a reader wants them, to three digits."""
    if ms is None:
        return NOTHING
    if ms < 999.5:
        return f"{ms:.3g} ms"
    return f"{ms / 1000:.3g} s" if ms < 999_500 else f"{ms / 1000:,.0f} s"


def span(low_ms: float | None, high_ms: float | None) -> str:
    """From one to another number of milliseconds; the unit is said once where it is the same."""
    if low_ms is None:
        return "among errors"
    if high_ms is None:
        return f"over {duration(low_ms)}"
    low, high = duration(low_ms), duration(high_ms)
    same = low.rpartition(" ")[2] == high.rpartition(" ")[2]
    return f"{low.rpartition(' ')[0] if same else low}–{high}"


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


def _of(some: list[Any], every: list[Any]) -> str:
    return f"{len(some)} of {len(every)} objectives"


def _names(rows: list[Any]) -> str:
    return ", ".join(row["name"] for row in rows[:4]) + (f" and {len(rows) - 4} more" if len(rows) > 4 else "")


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"
