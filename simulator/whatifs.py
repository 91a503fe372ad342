"""The what-ifs of a search: each measured in a real run, or rehearsed in virtual time, and marked so.

A rehearsal tells how much would be asked and sent, never how long an answer takes. What changes is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.record import OPERATOR, OUTCOMES, SAMPLE
from reports.steps import is_milestone
from scenarios.schema import Scenario
from scenarios.whatifs import DELTA_BYTES, WHAT_IFS, what_if
from simulator.journeys import STEPS
from simulator.rehearsal import rehearse
from simulator.timetable import lead_s

REHEARSED_AT_MOST = 1000
"""Devices; more are rehearsed as so many, and told in proportion."""
PEAK_S = 5.0
NEAR = 0.05
"""A level so near to a what-if's devices has measured it."""
_SKIPPED = OUTCOMES.index("skipped")
_PAYLOAD = STEPS.index("updates.payload")

Measure = Callable[[str], tuple[dict[str, Any] | None, int]]
Row = dict[str, Any]


def what_ifs_of(
    scenario: Scenario, levels: Sequence[Mapping[str, Any]], measure: Measure | None
) -> tuple[list[Row], int]:
    """The rows of the table, the scenario as it is first.

    Args:
        levels: of the search; a what-if that is a matter of devices alone was measured by a level with as many.
        measure: plays one for real; None to rehearse.

    Returns: `name`, `changed`, `devices`, `way` (measured or rehearsed), `of` (devices rehearsed), `peak_per_s`,
        `requests` (None where measured), `bytes_in` (payloads at their true size: computed), `delta_bytes_in` (the same
        with deltas), `worst` (a level's worst objective; None where rehearsed), `holds`; and an exit code other than 0
        when one could not be played.
    """
    rows: list[Row] = []
    for name in ("", *WHAT_IFS):
        changed = what_if(scenario, name) if name else scenario
        is_other = not name or changed != scenario
        only_devices = changed.model_copy(update={"devices": scenario.devices}) == scenario
        level = _played(levels, changed.devices) if only_devices else None
        if level is None and measure is not None and is_other:
            level, code = measure(name)
            if code:
                return rows, code
        row = _rehearsed(changed) if level is None else _measured(level)
        rows.append({"name": name, "changed": is_other, "devices": changed.devices, **row})
    return rows, 0


def _played(levels: Sequence[Mapping[str, Any]], devices: int) -> Mapping[str, Any] | None:
    """The last trusted run of a level with about so many devices."""
    near = [one for one in levels if one["burden"] is not None and abs(one["devices"] - devices) <= NEAR * devices]
    return near[-1] if near else None


def _measured(level: Mapping[str, Any]) -> Row:
    objectives = level["objectives"]
    worst = max(objectives, key=lambda row: float(row["burden"])) if objectives else None
    moved = level["bytes"]["computed_in"] or level["bytes"]["in"]
    return {
        "way": "measured",
        "of": level["devices"],
        "peak_per_s": level["peak_per_s"],
        "requests": None,
        "bytes_in": moved,
        "delta_bytes_in": None,
        "worst": worst,
        "holds": None if level["burden"] is None else level["burden"] <= 0,
    }


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a rehearsal asked: exchanges, the most within a second on average over PEAK_S, and bytes."""

    requests: float
    peak_per_s: float
    bytes_in: float
    payload_in: float


def _rehearsed(scenario: Scenario) -> Row:
    devices = min(scenario.devices, REHEARSED_AT_MOST)
    asked = _ask(_cheap(scenario, devices))
    by = scenario.devices / devices
    rest, true = asked.bytes_in - asked.payload_in, scenario.updates.true_bytes / scenario.updates.payload_bytes
    delta = DELTA_BYTES / scenario.updates.payload_bytes
    return {
        "way": "rehearsed",
        "of": devices,
        "peak_per_s": round(asked.peak_per_s * by, 1),
        "requests": round(asked.requests * by),
        "bytes_in": round((rest + asked.payload_in * true) * by),
        "delta_bytes_in": round((rest + asked.payload_in * delta) * by),
        "worst": None,
        "holds": None,
    }


def _cheap(scenario: Scenario, devices: int) -> Scenario:
    """The same exchanges with fewer devices and less work for the stand-in: what a password costs changes none."""
    backend = scenario.backend.model_copy(update={"password_cost": 1})
    return scenario.model_copy(update={"devices": devices, "backend": backend})


def _ask(scenario: Scenario) -> _Asked:
    samples = np.frombuffer(rehearse(scenario).samples, SAMPLE)
    steps = np.array([not is_milestone(name) for name in STEPS])
    asked = samples[steps[samples["step"]] & (samples["device"] != OPERATOR) & (samples["outcome"] != _SKIPPED)]
    morning = asked["sent"][asked["sent"] >= lead_s(scenario, scenario.devices)]
    busiest = np.bincount((morning / PEAK_S).astype(np.int64)).max(initial=0) / PEAK_S
    payload = asked["bytes_in"][asked["step"] == _PAYLOAD]
    return _Asked(
        float(asked.size),
        float(busiest),
        float(asked["bytes_in"].sum(dtype=np.uint64)),
        float(payload.sum(dtype=np.uint64)),
    )
