"""Measures what this machine can drive: shipped engines play a short day against the stand-ins, in which devices enroll
ever faster, then all open their push lines at once, then people sign in ever faster.

It judges no target and keeps nothing: what it found goes to ceiling.py.
"""

from __future__ import annotations

# Locust patches the interpreter when it is imported, so it comes before whatever could hold an unpatched socket.
from simulator.runner.conductor import Conductor  # isort: skip

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from simulator.ceiling import Ceiling
from simulator.composition import What, accounts_of, compose, order_of
from simulator.errors import UserError
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.standins import StandIns, StandInSettings

# At the tops of the two ramps: about what an engine, and its half of a core of the stand-in, can just do.
ENROLLMENTS_PER_S, SIGN_INS_PER_S = 400, 50
LATENESS_MS = 10.0
IN_TIME_PERCENT = 98
# The busiest seconds tell what a step costs: in idle ones the loop's own turns cost more than the steps.
BUSY_SHARE = 0.5
REST_S = 2
SCENARIO = """
title = "What this machine can drive"
question = "How many steps and starts a second, and how fast do lines open?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "08:{end:02}"
compression = 60
[enrollment]
when = "first_boot"
[people]
typing_median_s = 0.5
typing_sigma = 0.1
[[waves]]
name = "enroll ever faster"
who = "all"
journey = "enroll"
arrivals = {{ shape = "minutes", from = "08:00", counts = {enrolling} }}
[[waves]]
name = "all lines at once"
who = "all"
journey = "reconnect"
arrivals = {{ shape = "at", at = "08:{back:02}" }}
[[waves]]
name = "sign in ever faster"
who = "all"
share = {share}
journey = "boot"
arrivals = {{ shape = "minutes", from = "08:{lids:02}", counts = {signing_in} }}
"""
_OK, _SKIPPED = OUTCOMES.index("ok"), OUTCOMES.index("skipped")
_PLANNED = TRIGGERS.index("planned")
_ENROLL = JOURNEY_NAMES.index("enroll")
_CONNECT = STEPS.index("push.connect")
_REQUESTS = [index for index, name in enumerate(STEPS) if "." in name]


@dataclass(frozen=True, slots=True)
class Day:
    """The short day: its ramps and when they begin, run seconds."""

    ramp_s: int

    @property
    def enrolling(self) -> list[int]:
        """Parts of the enrollments that begin in each second."""
        return list(range(1, max(2, self.ramp_s // 2) + 1))

    @property
    def back(self) -> int:
        """When all lines open."""
        return len(self.enrolling) + REST_S

    @property
    def lids(self) -> int:
        """When people begin to sign in."""
        return self.back + REST_S

    @property
    def end(self) -> int:
        """Nothing starts after it."""
        return self.lids + self.ramp_s + REST_S

    def scenario(self) -> str:
        """The scenario's file."""
        enrolling, signing_in = self.enrolling, list(range(1, self.ramp_s + 1))
        devices = ENROLLMENTS_PER_S * sum(enrolling) // enrolling[-1]
        share = SIGN_INS_PER_S * sum(signing_in) / signing_in[-1] / devices
        return SCENARIO.format(
            devices=devices,
            share=round(share, 4),
            enrolling=enrolling,
            signing_in=signing_in,
            back=self.back,
            lids=self.lids,
            end=self.end,
        )


@dataclass(slots=True)
class _Heard:
    """Keeps what the engines of one play sent. It is the conductor's listener."""

    batches: list[NDArray[np.void]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def began(self, t0_utc: float) -> None:
        """As Listener.began."""

    def samples(self, batch: bytes, records: NDArray[np.void]) -> None:
        """As Listener.samples."""
        self.batches.append(records)

    def example(self, example: dict[str, Any]) -> None:
        """As Listener.example."""

    def enrollments(self, lines: bytes) -> None:
        """As Listener.enrollments."""

    def health(self, row: dict[str, Any]) -> None:
        """As Listener.health."""
        self.rows.append(row)

    def distrust(self, reason: str) -> None:
        """As Listener.distrust."""
        self.faults.append(reason)

    def failed(self, traceback: str) -> None:
        """As Listener.failed."""
        self.faults.append(traceback)

    @property
    def records(self) -> NDArray[np.void]:
        """All samples."""
        return np.concatenate([np.empty(0, SAMPLE), *self.batches])


def measure(cores: int, fingerprint: str, ramp_s: int, say: Callable[[str], object]) -> Ceiling:
    """Play the short day with one engine, then with one for each core; about three times ramp_s and half a minute.

    Args:
        ramp_s: how long people sign in ever faster, whole seconds.
        say: takes a line before each play.
    Raises: UserError when an engine was lost; ChildFailed when a stand-in did not start.
    """
    day = Day(ramp_s)
    say("one engine")
    one = many = _played(1, day)
    if cores > 1:
        say(f"{cores} engines")
        many = _played(cores, day)
    return Ceiling(
        fingerprint=fingerprint,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        steps_per_s=round(1000 / step_ms(one.rows, one.records, day), 1),
        engines=cores,
        all_steps_per_s=round(cores * 1000 / step_ms(many.rows, many.records, day), 1),
        starts_per_s=starts_in_time_per_s(one.records),
        lateness_ms=LATENESS_MS,
        opened_per_s=round(opened_per_s(one.records, day), 1),
    )


def _played(engines: int, day: Day) -> _Heard:
    with tempfile.TemporaryDirectory(prefix="fleetrush-") as folder:
        file = Path(folder) / "measure.toml"
        file.write_text(day.scenario())
        what = What(str(file), secret_file=Path(folder) / "secret")
        composition = compose(what, judged=False)
        settings = StandInSettings.of(composition.scenario, what.secret())
        with StandIns(settings, wanted=composition.basis) as stand_ins:
            accounts = accounts_of(what, composition, settings)
            order = order_of(composition, stand_ins, accounts, None, engines)
            heard = _Heard()
            orders = [replace(order, shard=shard).to_json() for shard in range(engines)]
            Conductor(orders, STEPS, heard).play(lambda: None)
    if heard.faults:
        raise UserError(*(f"the measurement failed: {line}" for line in heard.faults))
    return heard


def step_ms(rows: list[dict[str, Any]], records: NDArray[np.void], day: Day) -> float:
    """CPU milliseconds that a step cost the engines in the busiest seconds of the sign-ins.

    Args:
        rows: the engines' health; each tells the CPU time of the second before its `t`.
    Raises: UserError when nothing was done.
    """
    asked = np.isin(records["step"], _REQUESTS) & (records["outcome"] != _SKIPPED)
    done = np.sort(records["done"][asked])
    seconds = [(row["t"], row["cpu_ms"]) for row in rows if day.lids + 1 < row["t"]]
    steps = [int(np.searchsorted(done, end) - np.searchsorted(done, end - 1)) for end, _ in seconds]
    most = max(steps, default=0)
    if not most:
        raise UserError("the measurement failed: no step was done; this machine is too busy, try again")
    # of each engine one row a second: their steps are counted together, so the CPU time is shared out
    engines = len({row["who"] for row in rows})
    busy = [(cpu_ms, count) for (_, cpu_ms), count in zip(seconds, steps, strict=True) if count >= BUSY_SHARE * most]
    spent_ms: float = engines * sum(cpu_ms for cpu_ms, _ in busy)
    return spent_ms / sum(count for _, count in busy)


def starts_in_time_per_s(records: NDArray[np.void]) -> int:
    """The most enrollments in one second of which 98 % went out within LATENESS_MS; 0 for none."""
    planned = records[(records["journey"] == _ENROLL) & (records["trigger"] == _PLANNED)]
    late_ms = (planned["sent"] - planned["able"]) * 1000
    second = planned["due"].astype(np.int64)
    in_time = (late_ms[second == at] for at in np.unique(second))
    return max((one.size for one in in_time if np.percentile(one, IN_TIME_PERCENT) <= LATENESS_MS), default=0)


def opened_per_s(records: NDArray[np.void], day: Day) -> float:
    """Push lines opened, over the time from the instant at which all were due until the last was told of."""
    mine = records[(records["due"] >= day.back) & (records["due"] < day.lids)]
    opened = int(np.count_nonzero((mine["step"] == _CONNECT) & (mine["outcome"] == _OK)))
    return opened / (float(mine["done"].max()) - day.back) if opened else 0.0
