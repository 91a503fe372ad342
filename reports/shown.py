"""What a run shows of its objectives, or a series of runs as one: the logarithms of times that a comparison is made of.

Nothing is compared here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.bands import SHORTEST_S
from reports.record import OPERATOR, OUTCOMES
from reports.repeat import OneRun, judge_series
from reports.runfolder import RunData, open_run
from reports.seriesfolder import is_series, read_series
from reports.steps import Steps
from reports.summary import summarise

_OK: Final = OUTCOMES.index("ok")
_FROM: Final = {"latency": "due", "service": "sent"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a run or a series shows: summary.json, by (step, measure) the logarithm of each device's own time, and the
    logarithm of each step's p95 latency that is known."""

    summary: Mapping[str, Any]
    devices: Mapping[tuple[str, str], NDArray[np.float64]]
    p95: Mapping[str, float]

    def row(self, name: str) -> Mapping[str, Any]:
        """The objective of that name."""
        found: Mapping[str, Any] = next(row for row in self.summary["objectives"] if row["name"] == name)
        return found

    def figure(self, name: str) -> float:
        """The logarithm of an objective's time; infinite among the outcomes other than ok, NaN where nothing is."""
        row = self.row(name)
        if row["value"] is None:
            return math.inf if "at_least" in row else math.nan
        return logarithm(row["value"])

    def band(self, name: str) -> tuple[float, float] | None:
        """The logarithms of its band within the run; of a series, of that between its runs."""
        row = self.row(name)
        if row["low"] is None:
            return None
        high = math.inf if row["high"] is None else logarithm(row["high"])
        return logarithm(row["low"]), high


def shown(data: RunData, steps: Steps, summary: Mapping[str, Any]) -> Shown:
    """What a run shows of the objectives in its summary."""
    wanted = {(row["step"], row["measure"]) for row in summary["objectives"] if is_of_all_times(row)}
    size = int(data.run["devices"])
    known = {step: row["latency_ms"]["p95"] for step, row in summary["steps"].items()}
    p95 = {step: logarithm(ms / 1000) for step, ms in known.items() if ms is not None}
    return Shown(summary, {key: _by_device(steps, *key, size) for key in wanted}, p95)


def shown_together(runs: Sequence[Shown], summary: Mapping[str, Any]) -> Shown:
    """What the runs of a series show as one: their means, and the figures of its summary, which are that already."""
    devices = {key: _means([run.devices[key] for run in runs]) for key in runs[0].devices}
    steps = [step for step in runs[0].p95 if all(step in run.p95 for run in runs)]
    return Shown(summary, devices, {step: float(np.mean([run.p95[step] for run in runs])) for step in steps})


def shown_again(path: Path, objectives: Sequence[Mapping[str, Any]]) -> Shown:
    """What an earlier run or series shows of the objectives of another.

    Args:
        path: its folder. objectives: the other's, as its folded scenario has them.
    """
    if not is_series(path):
        return _judged_by(open_run(path), objectives)
    series, folders = read_series(path)
    runs = [_judged_by(open_run(folder), objectives) for folder in folders]
    ones = [OneRun(folder.name, run.summary) for folder, run in zip(folders, runs, strict=True)]
    counted = [run for run, one in zip(runs, ones, strict=True) if not one.left_out]
    return shown_together(counted or runs, judge_series(series, ones))


def _judged_by(data: RunData, objectives: Sequence[Mapping[str, Any]]) -> Shown:
    scenario = data.run["scenario"]
    alike = {**scenario, "folded": {**scenario["folded"], "objectives": objectives}}
    data = replace(data, run={**data.run, "scenario": alike})
    steps = Steps(data.run, data.samples)
    return shown(data, steps, summarise(data, steps))


def _means(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """By row the mean of what is known; NaN where nothing is."""
    every = np.array(columns)
    known = ~np.isnan(every)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.where(known, every, 0.0).sum(axis=0) / known.sum(axis=0)
    return found


def is_of_all_times(row: Mapping[str, Any]) -> bool:
    """Whether an objective is on every device's own times, not on those within a window of the morning."""
    return row["measure"] in _FROM and row["window"] is None


def logarithm(seconds: float) -> float:
    """Of a time, which is a microsecond at least."""
    return math.log(max(seconds, SHORTEST_S))


def _by_device(steps: Steps, step: str, measure: str, size: int) -> NDArray[np.float64]:
    """By fleet row, the mean logarithm of the seconds that the device's own ok ones of a step took; NaN without any."""
    rows = steps.rows(step)
    rows = rows[(rows["outcome"] == _OK) & (rows["device"] != OPERATOR)]
    logs = np.log(np.maximum(rows["done"] - rows[_FROM[measure]], SHORTEST_S))
    counts = np.bincount(rows["device"], minlength=size)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.bincount(rows["device"], logs, minlength=size) / counts
    return found
