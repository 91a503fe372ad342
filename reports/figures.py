"""The charts of a run: one function each.

Each chooses its series, and says in words what the picture shows. Sums are in series, drawing in charts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from reports import charts, drawing, groups, series
from reports.charts import Band
from reports.drawing import Caption, Chart
from reports.series import Row
from reports.steps import is_milestone
from reports.story import Story
from reports.way import STAGES, Way, milestone_of, table_of
from reports.wording import city_clock, duration, time_of

LATENCIES_SHOWN: Final = 6
HEATS_SHOWN: Final = 2
SLICES_AT_LEAST: Final = 5
"""A step that came in fewer slices than these has no course over time to show."""
ACTS_TOLD: Final = 8
_STAGE_COLOURS: Final = dict(zip(STAGES, (drawing.SERIES[6], *drawing.SERIES), strict=False))
_PERCENTILES: Final = ("p50", "p95", "p99")


def ready(of: Story) -> Iterable[Chart]:
    """The way's milestone by percentile, each with its band, against its objectives."""
    milestone = milestone_of(of.steps)
    row = of.summary["steps"].get(milestone)
    if row is None:
        return
    bands = row["latency_band_ms"]
    rungs = [
        {
            "percentile": name,
            "value": _s(row["latency_ms"][name]),
            "low": _s((bands[name] or [None])[0]),
            "high": _s((bands[name] or [None])[-1]),
        }
        for name in bands
        if name == "p50" or bands[name]
    ]
    limits = [
        {"percentile": f"p{one['percentile']:g}", "limit": one["limit"]}
        for one in of.summary["objectives"]
        if one["step"] == milestone and one["measure"] == "latency" and one["window"] is None
    ]
    limits = [one for one in limits if one["percentile"] in {rung["percentile"] for rung in rungs}]
    told = "; ".join(f"{name} {time_of(row, name, of.say)}" for name in (rung["percentile"] for rung in rungs))
    yield charts.ladder(_caption(of, "ready", "seconds", told), rungs, limits)


def way(of: Story, ways: list[Way]) -> Iterable[Chart]:
    """Where the time goes on the way to ready, and once more without what is not in exchanges: it dwarfs all else."""
    if not ways:
        return
    kinds = {stage: of.say(f"way.{stage}") for stage in STAGES}
    told = " ".join(_way_told(of, one) for one in ways)
    yield charts.parts(_caption(of, "way", "seconds", told), table_of(ways), kinds, _STAGE_COLOURS)
    del kinds["own"]
    told = "; ".join(
        f"p{one.percent}: "
        + of.say("list.comma").join(f"{name} {duration(one.stages_s[stage] * 1000)}" for stage, name in kinds.items())
        for one in ways
    )
    yield charts.parts(_caption(of, "asked", "seconds", told), table_of(ways), kinds, _STAGE_COLOURS)


def _way_told(of: Story, one: Way) -> str:
    most = max(STAGES[1:], key=lambda stage: one.stages_s[stage])
    return of.say(
        "way.told",
        percent=one.percent,
        total=duration(one.total_s * 1000),
        own=duration(one.stages_s["own"] * 1000),
        stage=of.say(f"way.{most}"),
        took=duration(one.stages_s[most] * 1000),
    )


def morning(of: Story) -> Iterable[Chart]:
    """The morning as one picture: lids, devices online, exchanges and waiting on one time axis."""
    lids, sent = series.arrivals(of.data, of.axis), series.throughput(of.data, of.axis)
    online = series.online(of.data, of.axis)
    say, slice_s = of.say, f"{of.axis.width_s:g}"
    bands = [
        Band(
            f"{say('chart.arrivals')}, {say('chart.per_slice', slice=slice_s)}",
            lids,
            {"actual": say("chart.started"), "planned": say("chart.planned")},
            area=True,
        ),
        *([Band(say("chart.online"), online, {"online": say("chart.push_line")}, area=True)] if online else []),
        Band(f"{say('chart.throughput')}, {say('chart.per_second')}", sent, {"per_s": say("chart.sent")}, area=True),
    ]
    planned, actual = (round(sum(row[key] for row in lids)) for key in ("planned", "actual"))
    peak = _peak(of, lids, "actual", "count", "{:,.0f}".format)
    told = [say("chart.arrivals_told", actual=f"{actual:,}", planned=f"{planned:,}", peak=peak)]
    told.append(_peak(of, online, "online", "online", "{:,.0f}".format))
    told.append(_peak(of, sent, "per_s", "rate", lambda rate: say("chart.per_second_peak", count=f"{rate:,.1f}")))
    if milestone := milestone_of(of.steps):
        rows = series.latency(of.steps, milestone, of.axis)
        seconds = [row | {"p95": _s(row["p95"])} for row in rows]
        bands.append(Band(f"{milestone} p95, s", seconds, {"p95": f"{milestone} p95"}))
        told.append(_peak(of, [row for row in rows if row["p95"] is not None], "p95", "p95", duration))
    if of.acts:
        acts = [f"{act['act']} {city_clock(act['t'] / 1000)}" for act in of.acts[:ACTS_TOLD]]
        told.append(say("chart.acts_told", acts=say("list.comma").join(acts)))
    caption = Caption("morning", say("chart.morning"), say("chart.city_time"), " ".join(filter(None, told)), say)
    yield charts.picture(caption, bands, of.acts)


def heats(of: Story) -> Iterable[Chart]:
    """Every ok latency of the way's milestone, and of the slowest step with an objective."""
    asked = [one["step"] for one in of.summary["objectives"] if one["measure"] == "latency"]
    wanted = [milestone_of(of.steps), *(name for name in asked if not is_milestone(name))]
    for name in list(dict.fromkeys(one for one in wanted if one in of.steps.names))[:HEATS_SHOWN]:
        cells = groups.heat(of.steps.rows(name), of.axis)
        if cells:
            fast, slow = min(cell["low"] for cell in cells), max(cell["high"] for cell in cells)
            told = of.say("chart.heat_told", fast=duration(fast * 1000), slow=duration(slow * 1000))
            yield charts.heat(Caption(f"heat-{name}", name, of.say("chart.seconds"), told, of.say), cells, of.acts)


def latencies(of: Story) -> Iterable[Chart]:
    """Latency over time: of milestones, of steps with an objective, then of the slowest steps."""
    steps = of.summary["steps"]
    asked = {one["step"]: one for one in of.summary["objectives"] if one["measure"] == "latency"}
    slowest = sorted(steps, key=lambda name: -(steps[name]["latency_ms"]["p95"] or 1e12))
    chosen = dict.fromkeys([name for name in steps if name in asked])
    chosen |= dict.fromkeys([name for name in slowest if not is_milestone(name)])
    shown = 0
    for name in chosen:
        rows = series.latency(of.steps, name, of.axis)
        known = [row for row in rows if row["p95"] is not None]
        if sum(row["count"] > 0 for row in rows) < SLICES_AT_LEAST:
            continue
        told = _peak(of, known, "p95", "p95", duration) or of.say("chart.no_p95")
        unit, rows = _readable(rows)
        labels = {"p50": of.say("chart.median"), "p95": "p95", "p99": "p99"}
        caption = Caption(f"latency-{name}", name, unit, told, of.say)
        yield charts.lines(caption, rows, labels, acts=of.acts, bad="not_ok")
        shown += 1
        if shown == LATENCIES_SHOWN:
            return


def troubles(of: Story) -> Iterable[Chart]:
    """What did not end ok, by step and reason."""
    kinds, rows = series.troubles(of.data, of.axis, of.say("chart.other"))
    if rows:
        told = of.say("chart.troubles_told", count=f"{sum(row['count'] for row in rows):,}", kind=kinds[0])
        yield charts.stacked(_caption(of, "troubles", "per_slice", told), rows, kinds, of.acts)


def bandwidth(of: Story) -> Iterable[Chart]:
    """Application bytes in and out."""
    rows = series.bandwidth(of.data, of.axis)
    told = _peak(of, rows, "in", "down", "{:,.3g} Mbit/s".format)
    shown = {"in": of.say("chart.down"), "out": of.say("chart.up")}
    yield charts.lines(
        Caption("bandwidth", of.say("chart.bandwidth"), "Mbit/s", told, of.say), rows, shown, acts=of.acts, area=True
    )


def harness(of: Story) -> Iterable[Chart]:
    """How we fared ourselves."""
    rows = series.harness(of.data, of.axis)
    limit = of.summary["harness"]["lateness_ms"]["limit"]
    known = [row for row in rows if row["late"] is not None]
    told = _peak(of, known, "late", "late", duration)
    shown = {"late": of.say("chart.late"), "lag": of.say("chart.lag")}
    yield charts.lines(Caption("harness", of.say("chart.harness"), "ms", told, of.say), rows, shown, limit=limit)


def _caption(of: Story, name: str, unit: str, told: str) -> Caption:
    return Caption(name, of.say(f"chart.{name}"), of.say(f"chart.{unit}", slice=f"{of.axis.width_s:g}"), told, of.say)


def _peak(of: Story, rows: list[Row], key: str, what: str, said: Callable[[float], str]) -> str:
    """Where the highest is, in words."""
    if not rows:
        return ""
    top = max(rows, key=lambda row: row[key])
    named = what if what == "p95" else of.say(f"chart.peak_{what}")
    return of.say("chart.peak", what=named, figure=said(top[key]), clock=city_clock(top["t"] / 1000))


def _readable(rows: list[Row]) -> tuple[str, list[Row]]:
    """Percentiles of milliseconds in the unit that keeps the axis short, and that unit."""
    if max((row["p99"] or 0 for row in rows), default=0) < 2000:
        return "ms", rows
    return "s", [row | {key: _s(row[key]) for key in _PERCENTILES} for row in rows]


def _s(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 6)
