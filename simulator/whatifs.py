"""The what-ifs of a search: each measured in a real run, or rehearsed in virtual time, and marked so.

A rehearsal tells how much would be asked and sent, never how long an answer takes. What changes is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.capacity_words import verdict_of
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

Row = dict[str, Any]
Measure = Callable[[str], Mapping[str, Any]]


class NotPlayedError(Exception):
    """A what-if cannot be played for real, or was not; the message says why. It is rehearsed then."""


class CutOffError(Exception):
    """No what-if is to be played any more; `code` is the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def what_ifs_of(scenario: Scenario, levels: Sequence[Mapping[str, Any]], measure: Measure | None) -> Iterator[Row]:
    """The rows of the table, one by one, the scenario as it is first.

    Args:
        levels: of the search; a what-if that changes nothing that is sent but how many devices send it was measured by
            a level with as many.
        measure: plays one for real, as a level; raises NotPlayedError and CutOffError. None to rehearse.

    Yields: `name`, `changed`, `devices`, `way` (measured or rehearsed), `why` (it was not measured; "" where that is
        no matter), `of` (devices that were played), `folder` (None where rehearsed), `peak_per_s`, `requests` (None
        where measured), `bytes_in` (payloads at their true size: computed), `delta_bytes_in` (the same with deltas),
        `payload_bytes` (what is sent for each update), `worst` (a level's worst objective; None where rehearsed),
        `verdict` of the run (levels.*; None where rehearsed).
    """
    for name in ("", *WHAT_IFS):
        changed = what_if(scenario, name) if name else scenario
        level, why = _played(levels, changed.devices) if _sent_alike(changed, scenario) else None, ""
        if level is None and measure is not None:
            try:
                level = measure(name)
            except NotPlayedError as fault:
                why = str(fault)
            else:
                levels = [*levels, level] if _sent_alike(changed, scenario) else levels
        row = _rehearsed(changed) if level is None else _measured(level, changed)
        sent = changed.updates.payload_bytes
        told = {"name": name, "changed": not name or changed != scenario, "devices": changed.devices, "why": why}
        yield {**told, "payload_bytes": sent, **row}


def _sent_alike(changed: Scenario, scenario: Scenario) -> bool:
    """Whether each device sends and gets the same: what an update would weigh is computed, never sent."""
    updates = changed.updates.model_copy(update={"true_bytes": scenario.updates.true_bytes})
    return changed.model_copy(update={"devices": scenario.devices, "updates": updates}) == scenario


def _played(levels: Sequence[Mapping[str, Any]], devices: int) -> Mapping[str, Any] | None:
    """The last trusted run of a level with about so many devices."""
    near = [one for one in levels if one["burden"] is not None and abs(one["devices"] - devices) <= NEAR * devices]
    return near[-1] if near else None


def _measured(level: Mapping[str, Any], scenario: Scenario) -> Row:
    moved = level["bytes"]
    return {
        "way": "measured",
        "of": level["devices"],
        "folder": level["folder"],
        "peak_per_s": level["peak_per_s"],
        "requests": None,
        **_weighed(moved["in"], moved["payload_in"], scenario),
        "worst": max(level["objectives"], key=lambda row: float(row["burden"]), default=None),
        "verdict": verdict_of(level),
    }


def _weighed(bytes_in: float, payload_in: float, scenario: Scenario) -> Row:
    """Bytes to the devices with payloads at their true size, and as deltas."""
    rest, share = bytes_in - payload_in, payload_in / scenario.updates.payload_bytes
    weights = {"bytes_in": scenario.updates.true_bytes, "delta_bytes_in": DELTA_BYTES}
    return {key: round(rest + share * weight) for key, weight in weights.items()}


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
    return {
        "way": "rehearsed",
        "of": devices,
        "folder": None,
        "peak_per_s": round(asked.peak_per_s * by, 1),
        "requests": round(asked.requests * by),
        **_weighed(asked.bytes_in * by, asked.payload_in * by, scenario),
        "worst": None,
        "verdict": None,
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
