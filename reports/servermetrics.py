"""What the systems under test tell of themselves: metrics scraped as Prometheus text or written as CSV, on UTC seconds,
and the plain rule that names which of them gave in at the limit.

It reads text and files; it opens no connection. What a metric means is not known: only how it moves with the load.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np
from numpy.typing import NDArray

from reports.runfolder import RunData

FILE: Final = "server.csv"
HEADER: Final = ("utc", "metric", "value")
SERIES_AT_MOST: Final = 500
BUSIEST: Final = 0.1
"""Of a level's values, the highest of which are averaged: the busiest stretch of its morning."""
APART: Final = 1.15
"""Levels nearer to each other than this tell nothing about a slope."""
FULL: Final = 0.9
RISES: Final = 0.5
STANDS_STILL: Final = 0.25
RUNS_AWAY: Final = 2.0
_SHARES: Final = re.compile(r"(_ratio|_share|_utili[sz]ation)(\{|$)")
_SAMPLE: Final = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})?\s+(\S+)(?:\s+-?\d+)?\s*$")
_COUNTER: Final = re.compile(r"_total(\{|$)")
_BUCKET: Final = re.compile(r"_bucket(\{|$)")

Floats = NDArray[np.float64]


class MetricsError(ValueError):
    """A file or an answer that holds no metrics; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric: Unix seconds and what it was then; of a counter, how fast it grew per second up to then."""

    utc_s: Floats
    values: Floats


def read_exposition(text: str) -> dict[str, float]:
    """The samples of one scrape, by name and labels (Prometheus text format 0.0.4, OpenMetrics alike).

    Buckets of histograms are left out, and so is what is no finite number.
    """
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("#") or not (sample := _SAMPLE.match(line.partition(" # ")[0].strip())):
            continue
        name = sample[1] + (sample[2] or "")
        try:
            value = float(sample[3])
        except ValueError:
            continue
        if math.isfinite(value) and not _BUCKET.search(name) and len(found) < SERIES_AT_MOST:
            found[name] = value
    return found


def write_header(file: TextIO) -> None:
    """Begin a file of metrics."""
    csv.writer(file, lineterminator="\n").writerow(HEADER)


def write_scrape(file: TextIO, utc_s: float, values: Mapping[str, float]) -> None:
    """Add one scrape to a file of metrics."""
    csv.writer(file, lineterminator="\n").writerows(
        (f"{utc_s:.3f}", name, f"{value!r}") for name, value in values.items()
    )


def read_csv(path: Path) -> dict[str, Series]:
    """The metrics of a CSV file.

    Its first column is the time, in Unix seconds or ISO 8601 with an offset; either `metric` and `value` follow, or
    one column a metric, named in the header. Cells that are empty are left out.
    Raises: MetricsError that names the file and the line.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for number, (utc_s, name, value) in _cells(file):
                if name not in rows and len(rows) >= SERIES_AT_MOST:
                    raise MetricsError(f"{path}: line {number}: more than {SERIES_AT_MOST} metrics")
                rows.setdefault(name, []).append((utc_s, value))
    except (OSError, UnicodeDecodeError, MetricsError) as fault:
        raise MetricsError(f"{path}: {getattr(fault, 'strerror', None) or fault}") from None
    if not rows:
        raise MetricsError(f"{path}: no metrics in it; expected a header such as utc,metric,value and lines below it")
    return {name: _series(name, sorted(found)) for name, found in rows.items()}


def _cells(file: TextIO) -> Iterator[tuple[int, tuple[float, str, float]]]:
    table = csv.reader(file)
    header = [name.strip() for name in next(table, [])]
    if len(header) < 2:
        raise MetricsError("expected a header: utc,metric,value, or utc and a column for each metric")
    long = [name.lower() for name in header[1:]] == ["metric", "value"]
    for number, row in enumerate(table, 2):
        if not row:
            continue
        utc_s = _instant(row[0], number)
        named = [(row[1], row[2])] if long and len(row) == 3 else zip(header[1:], row[1:], strict=False)
        for name, cell in named:
            if cell.strip():
                try:
                    yield number, (utc_s, name.strip(), float(cell))
                except ValueError:
                    raise MetricsError(f"line {number}: {name} is {cell!r}; expected a number") from None


def _instant(text: str, number: int) -> float:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        when = None
    if when is None or when.tzinfo is None:
        raise MetricsError(
            f"line {number}: the time is {text!r}; expected Unix seconds, or ISO 8601 with its offset"
        ) from None
    return when.timestamp()


def _series(name: str, rows: Sequence[tuple[float, float]]) -> Series:
    utc_s, values = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    if not _COUNTER.search(name):
        return Series(utc_s, values)
    apart, grown = np.diff(utc_s), np.diff(values)
    # a counter that fell was started anew
    good = (apart > 0) & (grown >= 0)
    return Series(utc_s[1:][good], grown[good] / apart[good])


def backend_metrics(data: RunData) -> dict[str, float]:
    """What the embedded stand-in told of itself in a run, its busiest stretch: shares of one core, and milliseconds."""
    rows = [row for row in data.health if row["who"] == "backend" and row["t"] >= data.run["lead_s"]]
    told = {
        "backend_cpu_share": [row.get("cpu_ms", 0.0) / 1000 for row in rows],
        "backend_runqueue_share": [row.get("runqueue_ms", 0.0) / 1000 for row in rows],
        "backend_loop_lag_ms": [row.get("loop_lag_ms", 0.0) for row in rows],
    }
    return {name: _busiest(np.array(values)) for name, values in told.items() if values}


def metrics_between(series: Mapping[str, Series], first_s: float, last_s: float) -> dict[str, float]:
    """Each metric's busiest stretch between two Unix seconds; metrics without a value there are left out."""
    inside = {name: one.values[(one.utc_s >= first_s) & (one.utc_s <= last_s)] for name, one in series.items()}
    return {name: _busiest(values) for name, values in inside.items() if values.size}


def _busiest(values: Floats) -> float:
    many = max(1, math.ceil(BUSIEST * values.size))
    return round(float(np.sort(values)[-many:].mean()), 6)


def gave_in(levels: Sequence[tuple[int, Mapping[str, float]]], holds: int | None, breaks: int | None) -> dict[str, Any]:
    """Which metrics gave in at the limit: what moved with it, not why.

    Three levels are compared: the lowest, the highest that holds, and the highest played that breaks. A metric is
    `full` when it is a share (its name ends so) and 90 % or more where the limit breaks; it met a `ceiling` when it
    grew with the load up to the limit (slope of the logarithms 0.5 or more) and at most a quarter as fast beyond it; it
    `ran_away` when beyond the limit it grew at least twice as fast as before and as the square of the load.

    Args:
        levels: devices and the metrics of that level, one entry a run.
    Returns: `found` [{metric, kind, low, at, beyond}], full ones first, `levels` (the three), or `refused`.
    """
    by_level: dict[int, dict[str, list[float]]] = {}
    for devices, metrics in levels:
        for name, value in metrics.items():
            by_level.setdefault(devices, {}).setdefault(name, []).append(value)
    means = {devices: {name: float(np.mean(said)) for name, said in told.items()} for devices, told in by_level.items()}
    if not means:
        return {"refused": "no metrics of the servers were given"}
    if holds is None or breaks is None or holds not in means:
        return {"refused": "the limit was not passed, so nothing gave in"}
    low, beyond = min(means), max((devices for devices in means if devices >= breaks), default=0)
    if beyond < holds * APART:
        return {"refused": "no level far enough beyond the limit has metrics"}
    found = []
    for name in means[holds]:
        figures = [means[devices].get(name) for devices in (low, holds, beyond)]
        kind = _kind(name, (low, holds, beyond), figures)
        if kind:
            low_at, at, far = (None if one is None else float(f"{one:.4g}") for one in figures)
            found.append({"metric": name, "kind": kind, "low": low_at, "at": at, "beyond": far})
    found.sort(key=lambda one: (("full", "ceiling", "ran_away").index(one["kind"]), one["metric"]))
    return {"levels": [low, holds, beyond], "found": found}


def _kind(name: str, devices: tuple[int, int, int], figures: Sequence[float | None]) -> str:
    low, at, beyond = figures
    if at is None or beyond is None:
        return ""
    if _SHARES.search(name) and beyond >= FULL:
        return "full" if beyond <= 1.5 else ""
    if low is None or min(low, at, beyond) <= 0 or devices[1] < devices[0] * APART:
        return ""
    before = math.log(at / low) / math.log(devices[1] / devices[0])
    after = math.log(beyond / at) / math.log(devices[2] / devices[1])
    if before >= RISES and after <= STANDS_STILL * before:
        return "ceiling"
    return "ran_away" if after >= RUNS_AWAY and after >= 2 * max(before, RISES) else ""


def merged(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The metrics of several sources of one level."""
    return {name: value for part in parts for name, value in part.items()}
