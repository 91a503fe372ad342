"""What the systems under test tell of themselves: metrics scraped as Prometheus text or written as CSV, on UTC seconds.

It reads text and files; it opens no connection. What a metric means is not known; which of them gave in is for gave_in.
"""

from __future__ import annotations

import csv
import math
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

import numpy as np
from numpy.typing import NDArray

from reports.runfolder import RunData

FILE: Final = "server.csv"
HEADER: Final = ("utc", "metric", "value")
SERIES_AT_MOST: Final = 1000
"""So many metrics are kept of a search, the first that are met; how many were left out is told."""
BUSIEST: Final = 0.1
"""Of a level's values, the highest of which are averaged: the busiest stretch of its morning."""
STAND_IN: Final = ("backend_cpu_share", "backend_runqueue_share", "backend_loop_lag_ms")
"""Of the embedded stand-in."""
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
        if math.isfinite(value) and not _BUCKET.search(name):
            found[name] = value
    return found


def kept(values: Mapping[str, float], known: set[str]) -> dict[str, float]:
    """What is kept of one scrape: the metrics that are known, and new ones while those are fewer than SERIES_AT_MOST.

    Args:
        known: the names of metrics that earlier scrapes had; new ones are added to it.
    """
    for name in values:
        if len(known) >= SERIES_AT_MOST:
            break
        known.add(name)
    return {name: value for name, value in values.items() if name in known}


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
    rows: dict[str, tuple[array[float], array[float]]] = {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for number, (utc_s, name, value) in _cells(file):
                if name not in rows and len(rows) >= SERIES_AT_MOST:
                    raise MetricsError(f"{path}: line {number}: more than {SERIES_AT_MOST} metrics")
                of_name = rows.setdefault(name, (array("d"), array("d")))
                of_name[0].append(utc_s)
                of_name[1].append(value)
    except (OSError, UnicodeDecodeError, MetricsError) as fault:
        raise MetricsError(f"{path}: {getattr(fault, 'strerror', None) or fault}") from None
    if not rows:
        raise MetricsError(f"{path}: no metrics in it; expected a header such as utc,metric,value and lines below it")
    return {name: _series(name, np.array(utc_s), np.array(values)) for name, (utc_s, values) in rows.items()}


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


def _series(name: str, utc_s: Floats, values: Floats) -> Series:
    order = np.lexsort((values, utc_s))
    utc_s, values = utc_s[order], values[order]
    if not _COUNTER.search(name):
        return Series(utc_s, values)
    apart, grown = np.diff(utc_s), np.diff(values)
    # a counter that fell was started anew
    good = (apart > 0) & (grown >= 0)
    return Series(utc_s[1:][good], grown[good] / apart[good])


def backend_metrics(data: RunData) -> dict[str, float]:
    """What the embedded stand-in told of itself in a run, its busiest stretch: shares of one core, and milliseconds."""
    rows = [row for row in data.health if row["who"] == "backend" and row["t"] >= data.run["lead_s"]]
    told = (
        [row.get("cpu_ms", 0.0) / 1000 for row in rows],
        [row.get("runqueue_ms", 0.0) / 1000 for row in rows],
        [row.get("loop_lag_ms", 0.0) for row in rows],
    )
    return {name: _busiest(np.array(values)) for name, values in zip(STAND_IN, told, strict=True) if values}


def metrics_between(series: Mapping[str, Series], first_s: float, last_s: float) -> dict[str, float]:
    """Each metric's busiest stretch between two Unix seconds; metrics without a value there are left out."""
    inside = {name: one.values[(one.utc_s >= first_s) & (one.utc_s <= last_s)] for name, one in series.items()}
    return {name: _busiest(values) for name, values in inside.items() if values.size}


def _busiest(values: Floats) -> float:
    many = max(1, math.ceil(BUSIEST * values.size))
    return round(float(np.sort(values)[-many:].mean()), 6)
