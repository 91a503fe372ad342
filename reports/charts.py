"""The charts of a morning: from short lists of plain numbers to Vega-Lite specifications. Nothing is summed up here."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import altair as alt

from reports.drawing import (
    CLOCK,
    FAIL,
    FIGURE,
    FONT,
    HEIGHT,
    MUTED,
    SERIES,
    Caption,
    Chart,
    across,
    data_of,
    figure_of,
    finished,
)
from reports.messages import Say
from reports.series import Row

_BAND_HEIGHT: Final = 84
_BAND_HEAD: Final = 30
_BAND_STEP: Final = 122


def lines(
    caption: Caption,
    rows: Sequence[Row],
    series: Mapping[str, str],
    *,
    acts: Sequence[Row] = (),
    area: bool = False,
    limit: float | None = None,
    bad: str = "",
) -> Chart:
    """Lines over city time, one for each key of `series` (with its label); a null leaves a gap.

    Args:
        rows: `t`, `from`, `to` and the keys of `series`.
        acts: the operator's acts, `t` and `act`, each a dashed rule.
        area: fill below the first series.
        limit: a value to draw across.
        bad: the key that counts what did not end ok: a red foot below each slice that has some.
    """
    colours = dict(zip(series, SERIES, strict=False))
    layers = [_acts(acts, caption.say)] if acts else []
    if limit is not None:
        layers.append(across(limit))
    for at, key in enumerate(series):
        wide = 2.0 if at == 0 else 1.6
        base = alt.Chart(data_of(_known(rows, key))).encode(x=_time(), y=figure_of(key))
        if area and at == 0:
            layers.append(base.mark_area(color=colours[key], opacity=0.16, interpolate="monotone"))
        layers.append(base.mark_line(color=colours[key], strokeWidth=wide, interpolate="monotone", strokeCap="round"))
    legend = [(label, colours[key]) for key, label in series.items()]
    legend += [(caption.say("chart.limit"), FAIL)] if limit is not None else []
    if bad and (feet := [row for row in rows if row[bad]]):
        foot = alt.Chart(data_of(feet)).mark_rect(color=FAIL, clip=False)
        layers.append(foot.encode(x=_time("from"), x2="to:T", y=alt.value(HEIGHT - 5), y2=alt.value(HEIGHT)))
        legend.append((caption.say("chart.some_bad"), FAIL))
    layers.append(_hover(rows, series, caption.say, caption.unit))
    return Chart(caption, tuple(legend), finished(layers))


def stacked(caption: Caption, rows: Sequence[Row], kinds: Sequence[str], acts: Sequence[Row]) -> Chart:
    """Stacked bars, one colour for each kind."""
    colours = dict(zip(kinds, SERIES, strict=False))
    bars = alt.Chart(data_of(rows)).mark_bar()
    encoded = bars.encode(
        x=_time("from", binned=True),
        x2="to:T",
        y=figure_of("count"),
        color=alt.Color("kind:N", scale=alt.Scale(domain=list(kinds), range=list(colours.values())), legend=None),
        tooltip=[
            _clock(caption.say),
            alt.Tooltip("kind:N", title=caption.say("chart.step_reason")),
            _many(caption.say),
        ],
    )
    return Chart(caption, tuple(colours.items()), finished([*([_acts(acts, caption.say)] if acts else []), encoded]))


def ladder(caption: Caption, rows: Sequence[Row], limits: Sequence[Row]) -> Chart:
    """Percentiles of one step, each a dot on its band; limits are ticks on their percentile.

    Args:
        rows: `percentile`, `value`, `low`, `high` in seconds (null where unknown).
        limits: `percentile`, `limit` in seconds.
    """
    order = [row["percentile"] for row in rows]
    y = alt.Y("percentile:N", sort=order, scale=alt.Scale(domain=order), axis=alt.Axis(title=None, labelFontSize=13))
    seconds = alt.Axis(title=None, grid=True, ticks=False, domain=False, tickCount=6, format="~g")
    x = alt.X("value:Q", axis=seconds, scale=alt.Scale(zero=True, nice=True))
    say = caption.say
    tips = [
        alt.Tooltip(f"{key}:Q", format=".3~f", title=f"{say(f'chart.{key}')} (s)") for key in ("value", "low", "high")
    ]
    bands = alt.Chart(data_of(_known(rows, "low", "high"))).mark_bar(
        height=10, color=SERIES[0], opacity=0.3, cornerRadius=5
    )
    layers = [
        bands.encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        alt.Chart(data_of(_known(rows, "value")))
        .mark_point(filled=True, size=90, color=SERIES[0], opacity=1)
        .encode(x=x, y=y, tooltip=tips),
    ]
    if limits:
        ticks = alt.Chart(data_of(limits)).mark_tick(color=FAIL, thickness=3, size=26)
        layers.append(
            ticks.encode(x=alt.X("limit:Q"), y=y, tooltip=[alt.Tooltip("limit:Q", title=f"{say('chart.limit')} (s)")])
        )
    legend = ((say("chart.band"), SERIES[0]), *(((say("chart.objective"), FAIL),) if limits else ()))
    return Chart(caption, legend, finished(layers, height=34 * len(order)))


@dataclass(frozen=True, slots=True)
class Band:
    """One band of a picture: `title` above it, the lines of `series` in it, filled below the first if `area`."""

    title: str
    rows: Sequence[Row]
    series: Mapping[str, str]
    area: bool = False


def picture(caption: Caption, bands: Sequence[Band], acts: Sequence[Row]) -> Chart:
    """Bands of lines one above the other on one axis of city time, an operator's act ruled through all of them.

    One specification with the bands' own scales in it: several charts in one would not follow their container's width.
    """
    colours = iter(SERIES)
    layers = [_acts(acts, caption.say)] if acts else []
    legend: list[tuple[str, str]] = []
    for number, band in enumerate(bands):
        top = number * _BAND_STEP + _BAND_HEAD
        title = alt.Chart(data_of([{"title": band.title}])).mark_text(
            align="left", baseline="bottom", fontSize=12, font=FONT, color=MUTED
        )
        layers.append(title.encode(text="title:N", x=alt.value(0), y=alt.value(top - 5)))
        for at, (key, label) in enumerate(band.series.items()):
            colour = next(colours)
            axis = alt.Axis(
                title=None, tickCount=3, domain=False, ticks=False, labelExpr=FIGURE, orient="left", offset=0
            )
            scale = alt.Scale(zero=True, nice=True, range=[top + _BAND_HEIGHT, top])
            base = alt.Chart(data_of(_known(band.rows, key))).encode(
                x=_time(), y=alt.Y(f"{key}:Q", axis=axis if at == 0 else None, scale=scale)
            )
            if band.area and at == 0:
                layers.append(base.mark_area(color=colour, opacity=0.16, interpolate="monotone"))
            layers.append(base.mark_line(color=colour, strokeWidth=2, interpolate="monotone", strokeCap="round"))
            legend.append((label, colour))
    every = [dict(ChainMap(*slices)) for slices in zip(*(band.rows for band in bands), strict=True)]
    layers.append(_hover(every, {key: label for band in bands for key, label in band.series.items()}, caption.say, ""))
    height = len(bands) * _BAND_STEP
    return Chart(caption, tuple(legend), finished(layers, height=height, apart=True))


def parts(caption: Caption, rows: Sequence[Row], kinds: Mapping[str, str], colours: Mapping[str, str]) -> Chart:
    """A bar for each percentile, cut into its stages.

    Args:
        rows: `percentile`, `stage`, `seconds`, and `at`, the stage's place in the bar.
        kinds: the label of each stage that is shown; the rows of others are left out. colours: of each stage.
    """
    order = list(dict.fromkeys(row["percentile"] for row in rows))
    shown = [{**row, "label": kinds[row["stage"]]} for row in rows if row["stage"] in kinds]
    scale = alt.Scale(domain=list(kinds), range=[colours[kind] for kind in kinds])
    bars = alt.Chart(data_of(shown)).mark_bar(height=22)
    layer = bars.encode(
        y=alt.Y("percentile:N", sort=order, axis=alt.Axis(title=None, labelFontSize=13)),
        x=alt.X(
            "seconds:Q", stack="zero", axis=alt.Axis(title=None, grid=True, ticks=False, domain=False, format="~g")
        ),
        color=alt.Color("stage:N", scale=scale, legend=None),
        order=alt.Order("at:Q"),
        tooltip=[
            alt.Tooltip("label:N", title=caption.title),
            alt.Tooltip("seconds:Q", format=".3~f", title=caption.unit),
        ],
    )
    legend = tuple((label, colours[kind]) for kind, label in kinds.items())
    return Chart(caption, legend, finished([layer], height=34 * len(order)))


def heat(caption: Caption, cells: Sequence[Row], acts: Sequence[Row]) -> Chart:
    """Cells of time and latency, the darker the more ended there; latency on a logarithmic axis."""
    say = caption.say
    tips = [alt.Tooltip(f"{key}:Q", format=".3~g", title=f"{say(f'chart.{key}')} (s)") for key in ("low", "high")]
    y = alt.Axis(title=None, tickCount=5, domain=False, ticks=False, format="~g", grid=False)
    opacity = alt.Opacity("count:Q", scale=alt.Scale(type="sqrt", range=[0.1, 1]), legend=None)
    cell = alt.Chart(data_of(cells)).mark_rect(color=SERIES[0])
    layer = cell.encode(
        x=_time("from"),
        x2="to:T",
        y=alt.Y("low:Q", scale=alt.Scale(type="log", nice=False), axis=y),
        y2="high:Q",
        opacity=opacity,
        tooltip=[alt.Tooltip("from:T", format="%H:%M:%S", title=say("chart.city_time")), *tips, _many(say)],
    )
    layers = [layer, *([_acts(acts, say)] if acts else [])]
    return Chart(caption, ((say("chart.more_here"), SERIES[0]),), finished(layers))


def _many(say: Say) -> Any:
    return alt.Tooltip("count:Q", format=",", title=say("chart.peak_count"))


def _time(field: str = "t", *, binned: bool = False) -> Any:
    """City time. `binned` makes bars stand upright between two instants."""
    axis = alt.Axis(labelExpr=CLOCK, title=None, grid=False, tickCount=8, labelOverlap=True)
    return alt.X(
        f"{field}:T", scale=alt.Scale(type="utc", nice=False), axis=axis, bin="binned" if binned else alt.Undefined
    )


def _clock(say: Say) -> Any:
    return alt.Tooltip("t:T", format="%H:%M:%S", title=say("chart.city_time"))


def _hover(rows: Sequence[Row], series: Mapping[str, str], say: Say, unit: str) -> Any:
    """A column for each slice that shows itself, and its figures, under the pointer."""
    chosen = alt.selection_point(on="pointerover", clear="pointerout", nearest=False, fields=["t"], empty=False)
    tips = [
        alt.Tooltip(f"{key}:Q", format=",.4~r", title=f"{label} ({unit})" if unit else label)
        for key, label in series.items()
    ]
    shown = alt.when(chosen).then(alt.value(0.08)).otherwise(alt.value(0))
    columns = alt.Chart(data_of(rows)).mark_rect(color="var(--ink)")
    tips = [_clock(say), *tips]
    return columns.encode(x=_time("from"), x2="to:T", opacity=shown, tooltip=tips).add_params(chosen)


def _acts(acts: Sequence[Row], say: Say) -> Any:
    rules = alt.Chart(data_of(acts)).mark_rule(strokeDash=[4, 4], color=MUTED, strokeWidth=1.5)
    return rules.encode(x=_time(), tooltip=[_clock(say), alt.Tooltip("act:N", title=say("chart.operator"))])


def _known(rows: Sequence[Row], *keys: str) -> list[Row]:
    """The rows as a mark of these keys needs them: without its neighbours' figures."""
    wanted = {"t", "percentile", *keys}
    return [{key: value for key, value in row.items() if key in wanted} for row in rows]
