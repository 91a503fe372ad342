"""Which charts the page shows: one function a chart, and one row for it in FIGURES.

Each chooses its series, and says in words what the picture shows. Sums are in series, drawing in charts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from reports import charts, series
from reports.charts import Caption, Chart
from reports.runfolder import RunData
from reports.series import Axis, Row
from reports.steps import Steps, is_milestone
from reports.wording import city_clock, duration, time_of

LATENCIES_SHOWN: Final = 6
SLICES_AT_LEAST: Final = 5
"""A step that came in fewer slices than these has no course over time to show."""
_READY: Final = "ready"
_PERCENTILES: Final = {"p50": "median", "p95": "p95", "p99": "p99"}


@dataclass(frozen=True, slots=True)
class Story:
    """What a chart may draw from."""

    data: RunData
    steps: Steps
    summary: Mapping[str, Any]
    axis: Axis
    acts: tuple[Row, ...]


def story(data: RunData, steps: Steps, summary: Mapping[str, Any]) -> Story:
    """Prepare the morning's axis and the operator's acts on it."""
    axis = series.axis_of(data)
    acts = tuple(
        {"t": round(axis.city_s(act["due"]) * 1000), "act": act["act"].replace("_", " ")}
        for act in data.run.get("actions", ())
        if axis.edges[0] <= act["due"] <= axis.edges[-1]
    )
    return Story(data, steps, summary, axis, acts)


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
    told = "; ".join(f"{name} {time_of(row, name)}" for name in (rung["percentile"] for rung in rungs))
    yield charts.ladder(Caption("ready", "By percentile", "seconds", told), rungs, limits)


def arrivals(of: Story) -> Iterable[Chart]:
    """Starts as planned and as they were."""
    rows = series.arrivals(of.data, of.axis)
    planned, actual = (round(sum(row[key] for row in rows)) for key in ("planned", "actual"))
    peak = _peak(rows, "actual", "count", "{:,.0f}".format)
    told = f"{actual:,} planned starts were sent; the plan's curve expects {planned:,}. {peak}"
    caption = Caption("arrivals", "Lids opened", f"per {of.axis.width_s:g} s", told)
    yield charts.planned_and_actual(caption, rows, of.acts)


def online(of: Story) -> Iterable[Chart]:
    """Push lines held."""
    rows = series.online(of.data, of.axis)
    if rows:
        told = _peak(rows, "online", "count", "{:,.0f} devices".format)
        yield charts.lines(
            Caption("online", "Devices online", "devices", told),
            rows,
            {"online": "push line held"},
            acts=of.acts,
            area=True,
        )


def throughput(of: Story) -> Iterable[Chart]:
    """Exchanges sent."""
    rows = series.throughput(of.data, of.axis)
    told = _peak(rows, "per_s", "rate", "{:,.1f} per second".format)
    yield charts.lines(
        Caption("throughput", "Exchanges sent", "per second", told), rows, {"per_s": "sent"}, acts=of.acts, area=True
    )


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
        told = _peak(known, "p95", "p95", duration) or "No p95 is known: it falls among outcomes other than ok."
        unit, rows = _readable(rows)
        yield charts.lines(Caption(f"latency-{name}", name, unit, told), rows, _PERCENTILES, acts=of.acts, bad="not_ok")
        shown += 1
        if shown == LATENCIES_SHOWN:
            return


def troubles(of: Story) -> Iterable[Chart]:
    """What did not end ok, by step and reason."""
    kinds, rows = series.troubles(of.data, of.axis)
    if rows:
        told = f"{sum(row['count'] for row in rows):,} steps did not end ok; most often {kinds[0]}."
        yield charts.stacked(
            Caption("troubles", "Did not end ok", f"per {of.axis.width_s:g} s", told), rows, kinds, of.acts
        )


def bandwidth(of: Story) -> Iterable[Chart]:
    """Application bytes in and out."""
    rows = series.bandwidth(of.data, of.axis)
    told = _peak(rows, "in", "rate to the devices", "{:,.3g} Mbit/s".format)
    shown = {"in": "to the devices", "out": "from the devices"}
    yield charts.lines(Caption("bandwidth", "Bandwidth", "Mbit/s", told), rows, shown, acts=of.acts, area=True)


def harness(of: Story) -> Iterable[Chart]:
    """How we fared ourselves."""
    rows = series.harness(of.data, of.axis)
    limit = of.summary["harness"]["lateness_ms"]["limit"]
    known = [row for row in rows if row["late"] is not None]
    told = _peak(known, "late", "lateness (p99)", duration)
    shown = {"late": "starts sent late (p99)", "lag": "longest loop lag"}
    yield charts.lines(Caption("harness", "Our own delay", "ms", told), rows, shown, limit=limit)


FIGURES: Final[dict[str, tuple[Callable[[Story], Iterable[Chart]], ...]]] = {
    "ready": (ready,),
    "morning": (arrivals, online, throughput),
    "latency": (latencies,),
    "errors": (troubles,),
    "bandwidth": (bandwidth,),
    "harness": (harness,),
}
"""The charts of each section of the page, in order."""


def _peak(rows: list[Row], key: str, what: str, said: Callable[[float], str]) -> str:
    """Where the highest is, in words."""
    if not rows:
        return ""
    top = max(rows, key=lambda row: row[key])
    return f"Highest {what}: {said(top[key])} at {city_clock(top['t'] / 1000)}."


def _readable(rows: list[Row]) -> tuple[str, list[Row]]:
    """Percentiles of milliseconds in the unit that keeps the axis short, and that unit."""
    if max((row["p99"] or 0 for row in rows), default=0) < 2000:
        return "ms", rows
    return "s", [row | {key: _s(row[key]) for key in _PERCENTILES} for row in rows]


def _s(ms: float | None) -> float | None:
    return None if ms is None else round(ms / 1000, 6)
