"""history.html: the course of earlier runs as one page, and the same in lines for a terminal.

Chooses what of a history is shown and puts it into words. Nothing is read, counted or judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from reports import curves, drawing, wording
from reports.drawing import Caption, Chart
from reports.history import Change, Group, Trend
from reports.html import render
from reports.messages import ENGLISH, Say

RUNS_AT_LEAST: Final = 6
"""With fewer that count nothing can be told from chance: three and three give a p of 0.001 only when far apart."""


FAR_OFF: Final = 1.5
"""A limit so many times the highest figure would press all figures flat, and is told in words alone."""


_UNITS: Final = {"share": (100, "%"), "clock": (1000, "")}
"""How figures of an objective's unit are drawn, where not in seconds: times what, and in which unit."""


def history_page(groups: Sequence[Group], say: Say = ENGLISH) -> str:
    """The page: a section for each group of runs that were played alike."""
    with drawing.unchecked():
        sections = [_section(number, group, say) for number, group in enumerate(groups)]
        drawn = [chart for section in sections for chart in section["charts"]]
        return render("history.html.j2", say, charts=drawn, groups=sections)


def history_text(groups: Sequence[Group]) -> str:
    """The lines, joined, with a newline at the end."""
    lines = []
    for group in groups:
        counted = sum(run.counted for run in group.runs)
        lines.append(f"{group.scenario} ({group.key[:8]}): {len(group.runs):,} runs, {counted:,} of them count")
        for trend, change in _changes(group):
            figures = (wording.figure(mean, trend.unit) for mean in (change.point.before, change.point.after))
            lines.append(f"  {trend.name}: {' -> '.join(figures)} ({_moved(trend, change)}) since {change.since.name}")
        if not any(trend.changes for trend in group.trends):
            lines.append(f"  {ENGLISH('history.few') if counted < RUNS_AT_LEAST else ENGLISH('history.none')}")
    return "\n".join(lines) + "\n"


def _section(number: int, group: Group, say: Say) -> dict[str, Any]:
    counted = sum(run.counted for run in group.runs)
    times = {"first": _minute(group.runs[0].utc), "last": _minute(group.runs[-1].utc)}
    return {
        "id": f"group-{number}",
        "title": say.heard(group.title),
        "key": group.key[:8],
        "runs": say("history.runs", runs=f"{len(group.runs):,}", **times),
        "left": say("history.not_counted", runs=f"{len(group.runs) - counted:,}") if counted < len(group.runs) else "",
        "quiet": say("history.few") if counted < RUNS_AT_LEAST else say("history.none"),
        "changes": [_row(trend, change) for trend, change in _changes(group)],
        "charts": [
            _chart(f"trend-{number}-{at}", group, trend, say) for at, trend in enumerate(group.trends) if trend.points
        ],
    }


def _changes(group: Group) -> Iterable[tuple[Trend, Change]]:
    """All changes of a group, the latest first."""
    every = [(trend, change) for trend in group.trends for change in trend.changes]
    return sorted(every, key=lambda one: one[1].since.utc, reverse=True)


def _row(trend: Trend, change: Change) -> Mapping[str, Any]:
    return {
        "name": trend.name,
        "since": _minute(change.since.utc),
        "run": change.since.name,
        "before": wording.figure(change.point.before, trend.unit),
        "after": wording.figure(change.point.after, trend.unit),
        "change": _moved(trend, change),
        "worse": change.point.after > change.point.before,
        "p": "< 0.0001" if change.point.p < 0.0001 else f"{change.point.p:.4f}",
    }


def _chart(name: str, group: Group, trend: Trend, say: Say) -> Chart:
    """One trend, in the unit that keeps its axis short."""
    highest = max(point.high or point.value for point in trend.points)
    scale, unit = (1000, "ms") if highest < 2 else (1, "s")
    if trend.unit in _UNITS:
        scale, unit = _UNITS[trend.unit]
    places = {run.name: at for at, run in enumerate(group.runs)}
    rows = [
        {
            "at": places[point.run.name],
            "day": point.run.utc[5:10],
            "run": point.run.name,
            "counted": point.run.counted,
            "value": scale * point.value,
            "figure": wording.figure(point.value, trend.unit),
            **{key: None if end is None else scale * end for key, end in (("low", point.low), ("high", point.high))},
        }
        for point in trend.points
    ]
    levels = [
        {"from": places[first.name] - 0.4, "to": places[last.name] + 0.4, "value": scale * mean}
        for first, last, mean in trend.levels()
    ]
    changes = [{"at": places[one.since.name] - 0.5, "run": one.since.name} for one in trend.changes]
    caption = Caption(name, say.heard(trend.name), unit, _told(trend, say), say)
    limit = scale * trend.limit if trend.limit <= FAR_OFF * highest or not highest else None
    return curves.trend(caption, rows, levels, changes, limit=limit, clock=trend.unit == "clock")


def _told(trend: Trend, say: Say) -> str:
    """What the picture shows, for whoever does not see it."""
    latest, limit = (wording.figure(value, trend.unit) for value in (trend.points[-1].value, trend.limit))
    told = [say("history.told", count=f"{len(trend.points):,}", latest=latest, limit=limit)]
    told += [
        say("history.told_change", change=_moved(trend, one), since=_minute(one.since.utc)) for one in trend.changes
    ] or [say("history.told_none")]
    return " ".join(told)


def _moved(trend: Trend, change: Change) -> str:
    """By how much, relative to before; of a time of day, which is relative to nothing, in seconds."""
    if trend.unit == "clock":
        return f"{change.point.after - change.point.before:+,.0f} s"
    return wording.change(change.point.change, "s")


def _minute(utc: str) -> str:
    return f"{utc[:10]} {utc[11:16]}"
