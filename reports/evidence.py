"""What was measured of each objective: its step, within its window, by its kind of limit.

Pure: from samples to counts and ranked values. Whether they keep a limit is judged in objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.objectives import Evidence, Objective
from reports.percentiles import Ranked
from reports.record import OPERATOR, OUTCOMES, Samples
from reports.steps import is_milestone
from scenarios.objective import ALL

_OK: Final = OUTCOMES.index("ok")


def measure(name: str, rows: Samples) -> Evidence:
    """The times of one step in rank order. A milestone has no service time: nothing of it is handed to the wire."""
    ok = rows["outcome"] == _OK
    service = None if is_milestone(name) else Ranked(rows["done"] - rows["sent"], ok)
    return Evidence(int(rows.size), int(rows.size - ok.sum()), Ranked(rows["done"] - rows["due"], ok), service)


def counted(one: Objective, rows: Samples, run: Mapping[str, Any]) -> Samples:
    """Of a step's samples those that an objective counts: all, or those due in its window.

    Args:
        run: run.json, of which the clock is read: `lead_s`, `day_start_s`, `compression`.
    """
    if one.window is None:
        return rows
    lead_s, day_start_s, pace = (float(run[key]) for key in ("lead_s", "day_start_s", "compression"))
    first, last = (
        otherwise if city_s is None else lead_s + (city_s - day_start_s) / pace
        for city_s, otherwise in zip(one.window, (-np.inf, np.inf), strict=True)
    )
    return rows[(rows["due"] >= first) & (rows["due"] < last)]


class Gathering:
    """Takes a run's samples step by step, and has the evidence of each objective afterwards.

    Args:
        run: run.json, of which the clock is read: `lead_s`, `day_start_s`, `compression`.
        objectives: the scenario's.
    """

    def __init__(self, run: Mapping[str, Any], objectives: Sequence[Objective]) -> None:
        self._run = run
        self._lead_s, self._day_start_s = float(run["lead_s"]), float(run["day_start_s"])
        self._pace = float(run["compression"])
        self._objectives = objectives
        self._found: dict[Objective, Evidence] = {}

    def take(self, name: str, rows: Samples, measured: Evidence) -> None:
        """Take one step: its samples, and what `measure` says of all of them."""
        for one in self._objectives:
            if one.step == name or (one.step == ALL and not is_milestone(name)):
                found = self._evidence(one, name, rows, measured)
                before = self._found.get(one)
                if before is not None:
                    found = Evidence(before.count + found.count, before.not_ok + found.not_ok)
                self._found[one] = found

    def of(self, objective: Objective) -> Evidence | None:
        """What was measured of it; None where nothing of its step was recorded."""
        return self._found.get(objective)

    def _evidence(self, one: Objective, name: str, rows: Samples, measured: Evidence) -> Evidence:
        if one.window is not None:
            rows = counted(one, rows, self._run)
            measured = measure(name, rows)
        if one.measure == "errors":
            bad = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
            return Evidence(measured.count, int(sum(bad[OUTCOMES.index(outcome)] for outcome in one.outcomes)))
        return self._done(rows, since_first=one.measure == "done_within") if one.is_of_devices else measured

    def _done(self, rows: Samples, *, since_first: bool) -> Evidence:
        """When each device was done first: in real seconds since the first start, or in city time.

        In city time a device is done at its start plus the real seconds it took, which nothing squeezes.
        """
        rows = rows[rows["device"] != OPERATOR]
        ok = rows["outcome"] == _OK
        due = rows["due"]
        ended = rows["done"] - due.min(initial=np.inf)
        if not since_first:
            ended = self._day_start_s + (due - self._lead_s) * self._pace + (rows["done"] - due)
        devices, index = np.unique(rows["device"], return_inverse=True)
        first: NDArray[np.float64] = np.full(devices.size, np.inf)
        np.minimum.at(first, index[ok], ended[ok])
        reached = np.isfinite(first)
        return Evidence(devices.size, int((~reached).sum()), done=Ranked(first, reached))
