"""The sections of report.html, in order: a section is one function here, one row in SECTIONS and one template.

A function takes the story and returns what its template, templates/sections/<name>.html.j2, finds as `content`
(`charts`, if there, are drawn live); None leaves the section out. Sums are in series, words in messages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from reports import figures, groups, wording
from reports.advice import advice, hint
from reports.drawing import Chart
from reports.headroom import nearest, of_harness
from reports.honesty import sentences
from reports.messages import Say
from reports.runfolder import RunData, load_fleet
from reports.series import processes
from reports.steps import Steps, is_milestone
from reports.story import Story, story
from reports.way import milestone_of

STEPS_SHOWN: Final = 120

Content = Mapping[str, Any]


def verdict(of: Story) -> Content:
    """The verdict in words, and the question it answers."""
    return {
        "headline": wording.headline(of.run, of.summary, of.say),
        "standing": wording.standing(of.run, of.summary, of.say),
        "question": of.say.heard(of.summary["question"]),
    }


def todo(of: Story) -> Content:
    """What to do next."""
    return {"rows": advice(of.run, of.summary, of.ways, of.clusters[0], of.say)}


def facts(of: Story) -> Content:
    """The few figures of the first screen: a name, a figure, what to know about it."""
    say, devices, steps = of.say, of.summary["devices"], of.summary["steps"]
    rows = []
    if (row := steps.get("ready")) is not None:
        known, ends = row["latency_ms"]["p95"], row["latency_band_ms"]["p95"]
        band = say("facts.band", span=wording.span(ends[0], ends[1], say)) if ends else say("facts.no_band")
        text = wording.duration(known) if known is not None else wording.over(row["at_least_ms"], say)
        rows.append((say("facts.ready95"), text, band if known is not None else say("facts.not95")))
        rows.append((say("facts.got_ready"), f"{row['ok']:,}", say("facts.of_lids", count=f"{row['count']:,}")))
    key = "facts.enrolled_before" if "enrolled_before" in devices else "facts.enrolled"
    counts = {"count": f"{devices['enrolled']:,}", "before": f"{devices.get('enrolled_before', 0):,}"}
    rows.append((say("facts.devices"), f"{devices['planned']:,}", say(key, **counts)))
    real = [row for name, row in steps.items() if not is_milestone(name)]
    count, bad = sum(row["count"] for row in real), sum(row["count"] - row["ok"] for row in real)
    rows.append((say("facts.not_ok"), f"{bad:,}", say("facts.of_steps", count=f"{count:,}")))
    if (room := room_left(of.summary, of.summary["objectives"], say)) is not None:
        rows.insert(1, (say("headroom.room"), *room))
    peak = of.summary["phases"]["morning"]["peak_per_s"]
    rows.append((say("facts.busiest"), f"{peak:,}", say("facts.sent")))
    return {"rows": rows}


def room_left(summary: Mapping[str, Any], objectives: Sequence[Mapping[str, Any]], say: Say) -> tuple[str, str] | None:
    """What is left to the nearest limit of these objectives, and which that is; none where it is passed, and how far.

    None for what cannot be trusted or was cut short, and where no limit has a share.
    """
    if summary["partial"] or not summary["harness"]["trustworthy"] or (near := nearest(objectives)) is None:
        return None
    used, row = near
    name = say.heard(row["name"])
    if used <= 1:
        return wording.share(1 - used), say("headroom.left", name=name)
    if row["value"] is None:
        return say("headroom.none"), say("headroom.among_errors", name=name)
    if math.isinf(used):
        value, limit = (wording.figure(row[key], row["unit"]) for key in ("value", "limit"))
        return say("headroom.none"), say("headroom.missed", name=name, value=value, limit=limit)
    return say("headroom.none"), say("headroom.times", name=name, times=f"{used:,.3g}")


def objectives(of: Story) -> Content:
    """Each objective with where it stands against its limit; what was tested; whether to trust it."""
    return {
        "rows": [{**row, "gauge": _gauge(row)} for row in of.summary["objectives"]],
        "tested": wording.what_was_tested(of.run, of.summary, of.say),
        "headroom": of_harness(of.summary["harness"]),
    }


def compared(summary: Mapping[str, Any]) -> Content | None:
    """The comparison of a run's summary, or of a series', with what was left out gathered by its reason."""
    told = summary.get("comparison")
    return None if told is None else {**told, "left_out": wording.left_out(told["left_out"])}


def compare(of: Story) -> Content | None:
    """What changed since earlier runs, where they were named."""
    return compared(of.summary)


def ready(of: Story) -> Content | None:
    """How long people waited, and where the time went."""
    drawn = [*figures.ready(of), *figures.way(of, of.ways)]
    return {"charts": drawn} if drawn else None


def morning(of: Story) -> Content:
    """What happened when."""
    return _drawn(of, figures.morning)


def heat(of: Story) -> Content | None:
    """How latency was spread."""
    drawn = list(figures.heats(of))
    return {"charts": drawn} if drawn else None


def latency(of: Story) -> Content:
    """How slow it was when."""
    return {**_drawn(of, figures.latencies), "slice_s": of.axis.width_s}


def steps(of: Story) -> Content:
    """The steps in figures: at most STEPS_SHOWN, those of objectives first, then by what did not end ok and by p95."""
    rows = of.summary["steps"]
    asked = {one["step"] for one in of.summary["objectives"]}

    def pressing(name: str) -> tuple[bool, int, float]:
        row = rows[name]
        known = row["latency_ms"]["p95"]
        return name in asked or is_milestone(name), row["count"] - row["ok"], math.inf if known is None else known

    chosen = set(sorted(rows, key=pressing, reverse=True)[:STEPS_SHOWN])
    return {"rows": {name: row for name, row in rows.items() if name in chosen}, "more": len(rows) - len(chosen)}


def places(of: Story) -> Content | None:
    """How people fared by site and department."""
    milestone, fleet = milestone_of(of.steps), load_fleet(of.data.path)
    organisation = of.run["scenario"]["folded"].get("organisation") or {}
    if not milestone or fleet is None or not organisation:
        return None
    rows = of.steps.rows(milestone)
    said = "name" if of.say.lang == "ja" else "english"
    tables = {
        kind: groups.by_group(rows, fleet[kind], [one.get(said) or one["name"] for one in organisation[f"{kind}s"]])
        for kind in ("site", "department")
    }
    return {"tables": tables, "milestone": milestone} if any(tables.values()) else None


def errors(of: Story) -> Content:
    """What did not end ok, gathered by what it shares, with examples; bounded, whatever a server sent."""
    found, more, more_count = of.clusters
    rows = [
        {
            "cluster": one,
            "hint": hint(one.reason, of.say),
            "from_s": of.axis.city_s(one.first_s),
            "to_s": of.axis.city_s(one.last_s),
        }
        for one in found
    ]
    return {**_drawn(of, figures.troubles), "rows": rows, "more": more, "more_count": more_count}


def bandwidth(of: Story) -> Content:
    """What the lines carried."""
    return _drawn(of, figures.bandwidth)


def harness(of: Story) -> Content:
    """How we fared ourselves."""
    return {**_drawn(of, figures.harness), "processes": processes(of.data)}


def honesty(of: Story) -> Content:
    """How far the numbers carry: what the run tells of its own measuring, and the gate's figures."""
    gate = []
    for name, figure in of.summary["harness"].items():
        if isinstance(figure, Mapping) and figure.get("worst_window") is not None:
            gate.append({"name": name, "measured": figure["worst_window"], "limit": figure["limit"]})
    return {"sentences": list(sentences(of.summary["honesty"], of.say)), "gate": gate}


def again(of: Story) -> Content:
    """What was run, and how to run it again."""
    return {"folder": of.run.get("folder", of.data.path.name)}


SECTIONS: Final[dict[str, Callable[[Story], Content | None]]] = {
    "verdict": verdict,
    "todo": todo,
    "facts": facts,
    "objectives": objectives,
    "compare": compare,
    "ready": ready,
    "morning": morning,
    "heat": heat,
    "latency": latency,
    "steps": steps,
    "places": places,
    "errors": errors,
    "bandwidth": bandwidth,
    "honesty": honesty,
    "harness": harness,
    "again": again,
}


def sections_of(data: RunData, summary: Mapping[str, Any], steps: Steps, say: Say) -> dict[str, Any]:
    """What a page of a run shows: `sections` by name, and what stands around them."""
    of = story(data, steps, summary, say)
    made = {name: make(of) for name, make in SECTIONS.items()}
    return {
        "sections": {name: content for name, content in made.items() if content is not None},
        "run": data.run,
        "summary": summary,
        "title": say.heard(summary["title"]),
        "headline": wording.headline(data.run, summary, say),
    }


def _drawn(of: Story, *makers: Callable[[Story], Iterable[Chart]]) -> dict[str, Any]:
    return {"charts": [chart for make in makers for chart in make(of)]}


def _gauge(row: Mapping[str, Any]) -> dict[str, float] | None:
    """Where value, band and limit stand on a bar, in percent of its length; None where there is nothing to draw."""
    if row["value"] is None or row["unit"] == "clock":
        return None
    known = [x for x in (row["value"], row["high"], row["limit"]) if x is not None]
    full = max(known) * 1.15 or 1.0
    places = {key: row[key] if row[key] is not None else row["value"] for key in ("value", "low", "high", "limit")}
    return {key: round(100 * value / full, 2) for key, value in places.items()}
