"""The charts of a run: one function each.

Each chooses its series, and says in words what the picture shows. Sums are in series, drawing in charts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from reports import charts, series
from reports.charts import Caption, Chart
from reports.series import Row
from reports.steps import is_milestone
from reports.story import Story
from reports.wording import city_clock, duration, time_of

LATENCIES_SHOWN: Final = 6
SLICES_AT_LEAST: Final = 5
"""A step that came in fewer slices than these has no course over time to show."""
_READY: Final = "ready"
_PERCENTILES: Final = ("p50", "p95", "p99")


def ready(of: Story) -> Iterable[Chart]:
    """`ready` by percentile, each with its band, against its objectives."""
    row = of.summary["steps"].get(_READY)
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
        if one["step"] == _READY and one["measure"] == "latency" and one["percentile"] is not None
    ]
    limits = [one for one in limits if one["percentile"] in {rung["percentile"] for rung in rungs}]
    told = "; ".join(f"{name} {time_of(row, name, of.say)}" for name in (rung["percentile"] for rung in rungs))
    yield charts.ladder(_caption(of, "ready", "seconds", told), rungs, limits)


def arrivals(of: Story) -> Iterable[Chart]:
    """Starts as planned and as they were."""
    rows = series.arrivals(of.data, of.axis)
    planned, actual = (round(sum(row[key] for row in rows)) for key in ("planned", "actual"))
    peak = _peak(of, rows, "actual", "count", "{:,.0f}".format)
    told = of.say("chart.arrivals_told", actual=f"{actual:,}", planned=f"{planned:,}", peak=peak)
    yield charts.planned_and_actual(_caption(of, "arrivals", "per_slice", told), rows, of.acts)


def online(of: Story) -> Iterable[Chart]:
    """Push lines held."""
    rows = series.online(of.data, of.axis)
    if rows:
        told = _peak(of, rows, "online", "count", lambda count: of.say("chart.online_peak", count=f"{count:,.0f}"))
        shown = {"online": of.say("chart.push_line")}
        yield charts.lines(_caption(of, "online", "devices", told), rows, shown, acts=of.acts, area=True)


def throughput(of: Story) -> Iterable[Chart]:
    """Exchanges sent."""
    rows = series.throughput(of.data, of.axis)
    told = _peak(of, rows, "per_s", "rate", lambda rate: of.say("chart.per_second_peak", count=f"{rate:,.1f}"))
    shown = {"per_s": of.say("chart.sent")}
    yield charts.lines(_caption(of, "throughput", "per_second", told), rows, shown, acts=of.acts, area=True)


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
