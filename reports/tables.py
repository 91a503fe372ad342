"""summary.csv: the figures of summary.json as one flat table, for spreadsheets. Nothing is computed here.

A run's has a row for each step, a series' one for each objective and run. What is not known is an empty cell.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from reports.record import OUTCOMES
from reports.summary import PERCENTS

SUMMARY_CSV: Final = "summary.csv"

_NAMES: Final = tuple(f"p{percent:g}" for percent in PERCENTS)

Row = dict[str, Any]


def step_rows(summary: Mapping[str, Any]) -> list[Row]:
    """A run's steps, milestones among them: counts, exact percentiles in milliseconds with their bands, bytes."""
    return [_step(name, row) for name, row in summary["steps"].items()]


def _step(name: str, step: Mapping[str, Any]) -> Row:
    row: Row = {"step": name, "basis": step["basis"], "count": step["count"]}
    row |= {outcome: step[outcome] for outcome in OUTCOMES}
    row |= {f"latency_{key}_ms": step["latency_ms"][key] for key in (*_NAMES, "max")}
    for key in _NAMES:
        band = step["latency_band_ms"][key] or (None, None)
        row |= {f"latency_{key}_low_ms": band[0], f"latency_{key}_high_ms": band[1]}
    service = step["service_ms"] or {}
    row |= {f"service_{key}_ms": service.get(key) for key in (*_NAMES, "max")}
    return row | {"bytes_in": step["bytes_in"], "bytes_out": step["bytes_out"]}


def series_rows(summary: Mapping[str, Any]) -> list[Row]:
    """A series' objectives: a row for each run that counts, and one, with an empty `run`, for all of them together."""
    return [row for objective in summary["objectives"] for row in _objective(objective)]


def _objective(objective: Mapping[str, Any]) -> list[Row]:
    head = {"objective": objective["name"], "limit": objective["limit"], "unit": objective["unit"]}
    ends = {key: objective[key] for key in ("low", "high")}
    each = [
        {**head, "run": one["run"], "value": one["value"], "low": None, "high": None, "verdict": one["verdict"]}
        for one in objective["runs"]
    ]
    whole = {**head, "run": None, "value": objective["value"], **ends, "verdict": objective["verdict"]}
    return [*each, whole]


def csv_bytes(rows: Sequence[Row]) -> bytes:
    """The table with its head (RFC 4180, UTF-8); empty where there are no rows."""
    if not rows:
        return b""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
