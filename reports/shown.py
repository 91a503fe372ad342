"""What one run shows of its objectives, in the logarithms of times that a comparison of runs is made of.

Nothing is compared or judged here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.record import OPERATOR, OUTCOMES
from reports.runfolder import RunData
from reports.steps import Steps

_SHORTEST_S: Final = 1e-6
_OK: Final = OUTCOMES.index("ok")
_FROM: Final = {"latency": "due", "service": "sent"}


@dataclass(frozen=True, slots=True)
class Shown:
    """What one run shows: summary.json, and by (step, measure) the logarithm of each device's own time."""

    summary: Mapping[str, Any]
    devices: Mapping[tuple[str, str], NDArray[np.float64]]

    def row(self, name: str) -> Mapping[str, Any]:
        """The objective of that name."""
        found: Mapping[str, Any] = next(row for row in self.summary["objectives"] if row["name"] == name)
        return found

    def figure(self, name: str) -> float:
        """The logarithm of an objective's time; infinite among the outcomes other than ok, NaN where nothing is."""
        row = self.row(name)
        if row["value"] is None:
            return math.inf if row["count"] else math.nan
        return logarithm(row["value"])

    def band(self, name: str) -> tuple[float, float] | None:
        """The logarithms of its band within the run."""
        row = self.row(name)
        if row["low"] is None:
            return None
        high = math.inf if row["high"] is None else logarithm(row["high"])
        return logarithm(row["low"]), high


def shown(data: RunData, steps: Steps, summary: Mapping[str, Any]) -> Shown:
    """What a run shows of the objectives in its summary."""
    wanted = {(row["step"], row["measure"]) for row in summary["objectives"] if is_of_all_times(row)}
    size = int(data.run["devices"])
    return Shown(summary, {key: _by_device(steps, *key, size) for key in wanted})


def is_of_all_times(row: Mapping[str, Any]) -> bool:
    """Whether an objective is on every device's own times, not on those within a window of the morning."""
    return row["measure"] in _FROM and row["window"] is None


def logarithm(seconds: float) -> float:
    """Of a time, which is a microsecond at least."""
    return math.log(max(seconds, _SHORTEST_S))


def _by_device(steps: Steps, step: str, measure: str, size: int) -> NDArray[np.float64]:
    """By fleet row, the mean logarithm of the seconds that the device's own ok ones of a step took; NaN without any."""
    rows = steps.rows(step)
    rows = rows[(rows["outcome"] == _OK) & (rows["device"] != OPERATOR)]
    logs = np.log(np.maximum(rows["done"] - rows[_FROM[measure]], _SHORTEST_S))
    counts = np.bincount(rows["device"], minlength=size)
    with np.errstate(invalid="ignore"):
        found: NDArray[np.float64] = np.bincount(rows["device"], logs, minlength=size) / counts
    return found
