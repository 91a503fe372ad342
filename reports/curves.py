"""The charts of many runs: figures over figures, and one figure run after run. Nothing is summed up here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from reports.drawing import CLOCK, FAIL, HEIGHT, MUTED, SERIES, Caption, Chart, across, data_of, figure_axis, finished
from reports.series import Row


@dataclass(frozen=True, slots=True)
class Marks:
    """What a curve shows, each with its label: dots and a line of rows with `x` and `y`, a limit across, a band between
    two x, a rule at one x."""

    points: tuple[str, Sequence[Row]]
    line: tuple[str, Sequence[Row]]
    limit: tuple[str, float] | None = None
    band: tuple[str, float, float] | None = None
    rule: tuple[str, float] | None = None


def curve(caption: Caption, marks: Marks, *, x_title: str, y_title: str, log: bool = False) -> Chart:
    """Dots and a line through them over figures, not over time; `log`: both axes are logarithmic."""
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=True, nice=True)
    numbers = "~r" if log else "~s"
    x_axis = alt.Axis(title=x_title, grid=False, ticks=False, domain=False, tickCount=6, format=numbers)
    x = alt.X("x:Q", axis=x_axis, scale=scale)
    y_axis = alt.Axis(title=None, ticks=False, domain=False, tickCount=5, format=numbers)
    y = alt.Y("y:Q", axis=y_axis, scale=scale)
    tips = [alt.Tooltip("x:Q", format=",.4~r", title=x_title), alt.Tooltip("y:Q", format=",.4~r", title=y_title)]
    layers, legend = [], [(marks.points[0], SERIES[0]), (marks.line[0], SERIES[1])]
    if marks.band is not None:
        label, low, high = marks.band
        between = alt.Chart(data_of([{"x": low, "to": high}])).mark_rect(color=SERIES[1], opacity=0.18)
        layers.append(between.encode(x=x, x2="to:Q"))
        legend.append((label, SERIES[1]))
    if marks.limit is not None:
        layers.append(alt.Chart(data_of([{"y": marks.limit[1]}])).mark_rule(color=FAIL, strokeDash=[2, 3]).encode(y=y))
        legend.append((marks.limit[0], FAIL))
    if marks.rule is not None:
        rule = alt.Chart(data_of([{"x": marks.rule[1]}])).mark_rule(color=MUTED, strokeDash=[6, 4], strokeWidth=2)
        layers.append(rule.encode(x=x))
        legend.append((marks.rule[0], MUTED))
    layers.append(alt.Chart(data_of(marks.line[1])).mark_line(color=SERIES[1], strokeWidth=2).encode(x=x, y=y))
    dots = alt.Chart(data_of(marks.points[1])).mark_point(filled=True, size=60, color=SERIES[0], opacity=0.8)
    layers.append(dots.encode(x=x, y=y, tooltip=tips))
    return Chart(caption, tuple(legend), finished(layers, height=HEIGHT + 60))


def trend(
    caption: Caption,
    rows: Sequence[Row],
    levels: Sequence[Row],
    changes: Sequence[Row],
    *,
    limit: float | None,
    clock: bool = False,
) -> Chart:
    """One figure run after run, as far apart as any two: dots on their bands, hollow where they do not count.

    Args:
        rows: `at` (its place), `day` (as the axis shows it), `run`, `value` (in words: `figure`), `low`, `high` (null:
            no band), `counted`.
        levels: `from`, `to` (places) and `value`: the mean of a stretch without a change.
        changes: `at` and `run`, each a dashed rule between two runs.
        limit: the objective's, drawn across; None where it is so far off that nothing else could be told apart.
        clock: whether the figures are times of day, in milliseconds after midnight, which is no zero to begin at.
    """
    say, days = caption.say, {row["at"]: row["day"] for row in rows}
    axis = alt.Axis(title=None, grid=False, tickMinStep=1, tickCount=8, labelOverlap=True, format="d")
    axis.labelExpr = f"{json.dumps(days, ensure_ascii=False)}[datum.value] || ''"
    x = alt.X("at:Q", axis=axis, scale=alt.Scale(nice=False, domain=[-0.5, max(days) + 0.5]))
    figures = figure_axis()
    scale = alt.Scale(zero=limit is not None and not clock, nice=True)
    if clock:
        figures.labelExpr = CLOCK
    y = alt.Y("value:Q", axis=figures, scale=scale)
    counted, others = ([row for row in rows if row["counted"] is wanted] for wanted in (True, False))
    tips = [alt.Tooltip("run:N", title=say("history.run"))]
    tips += [alt.Tooltip("figure:N", title=caption.title)]
    layers = []
    # a layer without rows makes the browser complain
    if banded := [row for row in rows if row["low"] is not None]:
        bands = alt.Chart(data_of(banded)).mark_rule(color=SERIES[0], opacity=0.35, strokeWidth=3)
        layers.append(bands.encode(x=x, y=alt.Y("low:Q"), y2="high:Q"))
    layers += [] if limit is None else [across(limit, alt.Y("limit:Q", axis=figures, scale=scale))]
    if changes:
        rules = alt.Chart(data_of(changes)).mark_rule(strokeDash=[4, 4], color=MUTED, strokeWidth=1.5)
        layers.append(rules.encode(x=x, tooltip=tips[:1]))
    if levels:
        steps = alt.Chart(data_of(levels)).mark_rule(color=SERIES[1], strokeWidth=2)
        layers.append(steps.encode(x=alt.X("from:Q"), x2="to:Q", y=y))
    for some, filled in ((counted, True), (others, False)):
        if not some:
            continue
        dots = alt.Chart(data_of(some)).mark_point(filled=filled, size=60, color=SERIES[0], opacity=1)
        layers.append(dots.encode(x=x, y=y, tooltip=tips))
    legend = [(caption.title, SERIES[0]), (say("history.level"), SERIES[1])]
    legend += [] if limit is None else [(say("chart.limit"), FAIL)]
    return Chart(caption, tuple(legend), finished(layers))
