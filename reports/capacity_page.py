"""The page of a search for the capacity: the headline first, then what it rests on.

Puts words, figures and charts before the template. Nothing is measured, judged or worded here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from reports import drawing
from reports.capacity_advice import capacity_advice
from reports.capacity_words import (
    devices,
    gave_in,
    headline,
    headroom,
    metrics_left_out,
    objective,
    standing,
    surely,
    verdict_of,
)
from reports.curves import Marks, curve
from reports.drawing import Caption, Chart
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.runfolder import PAGE
from reports.scalability import Law
from scenarios.whatifs import WHAT_IFS

_STEPS: Final = 40


def capacity_page(
    folder: str,
    whole: Mapping[str, Any],
    say: Say = ENGLISH,
    *,
    run_page: str = PAGE,
    sheet: Mapping[str, Any] | None = None,
) -> str:
    """The page.

    Args:
        folder: the name of that of the search.
        whole: its capacity.json.
        say: its language.
        run_page: the page that each run has in its folder; "" to link to none.
        sheet: the council's (reports.capacity_council), for paper, where it comes first; None for the screen.
    """
    with drawing.unchecked():
        curve, law = _curve(whole, say), _law(whole["scalability"], say)
        return render(
            "capacity.html.j2" if sheet is None else "capacity_paper.html.j2",
            say,
            sheet=sheet,
            charts=[*curve, *law],
            whole=whole,
            folder=folder,
            run_page=run_page,
            headline=headline(whole, say),
            headroom=headroom(whole, say),
            standing=standing(whole, say),
            todo=capacity_advice(whole, say),
            gave_in=gave_in(whole, say),
            left_out=metrics_left_out(whole, say),
            found=[{**one, "surely": surely(one, say)} for one in whole["gave_in"].get("found", ())],
            what_ifs=1 + len(WHAT_IFS),
            curve=curve,
            law=law,
            levels=[_row(level, say) for level in sorted(whole["levels"], key=lambda one: int(one["devices"]))],
        )


def _row(level: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """A run as the table of levels has it."""
    worst = max(level["objectives"], key=lambda row: float(row["burden"]), default=None)
    name = "" if worst is None else objective(worst["name"], say)
    return {**level, "verdict": verdict_of(level), "worst": worst, "worst_name": name}


def _curve(whole: Mapping[str, Any], say: Say) -> list[Chart]:
    """The runs, the fit and the limit of the objective that gives in first."""
    result = whole["result"]
    name = result["objective"]["name"]
    fitted = result["curves"].get(name)
    if fitted is None:
        return []
    points = [
        {"x": level["devices"], "y": _times(burden)}
        for level in whole["levels"]
        if level["burden"] is not None
        for burden in _burdens(level, name)
    ]
    line = [{"x": at, "y": _times(value)} for at, value in zip(fitted["levels"], fitted["fitted"], strict=True)]
    told = say(
        "curve.told",
        runs=len(points),
        levels=len(line),
        first=devices(line[0]["x"]),
        last=devices(line[-1]["x"]),
        devices=devices(fitted["crossing"]),
    )
    caption = Caption("capacity", objective(name, say), say("curve.unit"), told, say)
    marks = Marks(
        points=(say("curve.run"), points),
        line=(say("curve.fit"), line),
        limit=(say("curve.limit"), 1.0),
        band=(say("curve.band"), result["low"], result["high"]) if result["low"] and result["high"] else None,
        rule=(say(_rule(whole)), result["saturated"]) if result["saturated"] else None,
    )
    return [curve(caption, marks, x_title=say("curve.devices"), y_title=say("curve.times"), log=True)]


def _rule(whole: Mapping[str, Any]) -> str:
    """The key of what held the search back at the level of its rule."""
    return "curve.lacking" if whole["result"]["saturated"] in whole.get("lacking", ()) else "curve.saturated"


def _burdens(level: Mapping[str, Any], name: str) -> list[float]:
    found = [row["burden"] for row in level["objectives"] if row["name"] == name]
    return found or [level["burden"]]


def _times(burden: float) -> float:
    return round(math.exp(burden), 4)


def _law(section: Mapping[str, Any], say: Say) -> list[Chart]:
    """The plateaus and the law through them."""
    if "refused" in section:
        return []
    points = [{"x": one["in_flight"], "y": one["per_s"]} for one in section["points"]]
    law = Law(*(section[key]["value"] for key in ("rate", "contention", "coherency")))
    n = np.geomspace(min(point["x"] for point in points), max(point["x"] for point in points), _STEPS)
    line = [{"x": round(float(x), 4), "y": round(float(y), 4)} for x, y in zip(n, law.at(n), strict=True)]
    levels = len({one["devices"] for one in section["points"]})
    told = say("scalability.told", levels=levels, bend=f"{section['bend']:.0%}")
    caption = Caption("scalability", say("scalability.chart"), say("scalability.unit"), told, say)
    marks = Marks(points=(say("curve.run"), points), line=(say("scalability.law"), line))
    return [curve(caption, marks, x_title=say("scalability.in_flight"), y_title=say("scalability.unit"))]
