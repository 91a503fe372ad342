"""Measures what this machine can drive: shipped engines play short days against the stand-ins. In one, devices come to
enroll ever faster and are turned away; in the other all open their push lines at once, then people sign in ever faster.

It judges no target and keeps nothing: what it found goes to ceiling.py.
"""

from __future__ import annotations

# Locust patches the interpreter when it is imported, so it comes before whatever could hold an unpatched socket.
from simulator.runner.conductor import Conductor  # isort: skip

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from simulator.ceiling import Ceiling
from simulator.composition import What, accounts_of, compose, order_of
from simulator.errors import UserError
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.limits import SPARE_FILES
from simulator.machine import Machine
from simulator.standins import StandIns, StandInSettings
from simulator.timetable import LEAD_REST_S

# Starts a second, rung by rung, as far as 20,000 open files reach; in time is a rung of which 98 of 100 are.
RUNGS_PER_S = (300, 450, 680, 1000, 1500, 2200)
RUNG_S = 2
LATENESS_MS = 10.0
IN_TIME_SHARE = 0.98
# So many late rungs in a row end the climb: one alone may be somebody else's pause.
LATE_RUNGS = 2
STARTS = """
title = "How fast this machine starts"
question = "How many starts a second go out in time?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "09:00"
compression = {compression}
[enrollment]
when = "never"
[backend.enrollment]
licenses = 0
[[waves]]
name = "come ever faster"
who = "all"
journey = "enroll"
arrivals = {{ shape = "minutes", from = "08:00", counts = {rungs}, stratified = true }}
"""
# Lines that open at once, their devices' enrollment before, and sign-ins at the top of the ramp: about what an engine,
# and its half of a core of the stand-in, can just do.
LINES, ENROLLMENTS_PER_S, SIGN_INS_PER_S = 300, 300, 50
# The busiest seconds tell what a step costs: in idle ones the loop's own turns cost more than the steps.
BUSY_SHARE = 0.5
BACK_S, LIDS_S = 1, 2
# From the last lid on: what starts and signs in takes six seconds; whoever needs longer waits for a busy stand-in.
LAST_S = 8
STEPPING = """
title = "What a step costs this machine"
question = "How much of a core does a step take, and how fast do lines open?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "08:{end:02}"
compression = 60
[enrollment]
rate_per_s = {rate}
[people]
typing_median_s = 0.5
typing_sigma = 0.1
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
class Climb:
    """The day of ever more starts. Args: rungs: starts a second in each RUNG_S."""

    rungs: tuple[int, ...]

    @classmethod
    def within(cls, files: int | None) -> Climb:
        """The rungs whose devices fit so many open files, each being a connection; the first in any case."""
        held = accumulate(rate * RUNG_S for rate in RUNGS_PER_S)
        fitting = sum(files is None or count + SPARE_FILES <= files for count in held)
        return cls(RUNGS_PER_S[: max(1, fitting)])

    def scenario(self) -> str:
        """The scenario's file: a minute of the city is a rung."""
        return STARTS.format(devices=RUNG_S * sum(self.rungs), compression=60 / RUNG_S, rungs=list(self.rungs))

    def in_time(self, records: NDArray[np.void]) -> list[bool]:
        """Of each rung, whether its starts went out within LATENESS_MS: whoever did not go out at all did not."""
        return [
            bool(np.count_nonzero(late_ms <= LATENESS_MS) >= IN_TIME_SHARE * rate * RUNG_S)
            for rate, late_ms in zip(self.rungs, self._late_ms(records), strict=True)
        ]

    def is_over(self, records: NDArray[np.void], now: float) -> bool:
        """Whether no rung is left to play, or the last LATE_RUNGS that were played to the end had too many late starts.

        Args:
            now: run seconds. Starts that wait for an answer are not on record yet, so what counts are those known late.
        """
        late = [
            bool(np.count_nonzero(late_ms > LATENESS_MS) > (1 - IN_TIME_SHARE) * rate * RUNG_S)
            for rate, late_ms in zip(self.rungs, self._late_ms(records), strict=True)
        ]
        played = min(len(late), int(now // RUNG_S))
        return played == len(late) or any(all(late[at : at + LATE_RUNGS]) for at in range(played - LATE_RUNGS + 1))

    def _late_ms(self, records: NDArray[np.void]) -> list[NDArray[np.float64]]:
        planned = records[(records["journey"] == _ENROLL) & (records["trigger"] == _PLANNED)]
        planned = planned[planned["outcome"] != _SKIPPED]
        late_ms, rung = (planned["sent"] - planned["able"]) * 1000, planned["due"] // RUNG_S
        return [late_ms[rung == at] for at in range(len(self.rungs))]


@dataclass(frozen=True, slots=True)
class Day:
    """The day of lines and sign-ins, run seconds. Args: ramp_s: how long people sign in ever faster."""

    ramp_s: int

    @property
    def devices(self) -> int:
        """How many play."""
        return max(LINES, SIGN_INS_PER_S * sum(self.signing_in) // self.ramp_s)

    @property
    def signing_in(self) -> list[int]:
        """Parts of the sign-ins that begin in each second."""
        return list(range(1, self.ramp_s + 1))

    @property
    def lead_s(self) -> float:
        """What the devices take to enroll, and a rest."""
        return self.devices / ENROLLMENTS_PER_S + LEAD_REST_S

    @property
    def back(self) -> float:
        """When all lines open."""
        return self.lead_s + BACK_S

    @property
    def lids(self) -> float:
        """When people begin to sign in."""
        return self.lead_s + LIDS_S

    def is_over(self, records: NDArray[np.void], now: float) -> bool:
        """Whether whoever is not signed in by that run second tells nothing more."""
        return now > self.lids + self.ramp_s + LAST_S

    def scenario(self) -> str:
        """The scenario's file: a minute of the city is a second."""
        return STEPPING.format(
            devices=self.devices,
            rate=ENROLLMENTS_PER_S,
            share=round(SIGN_INS_PER_S * sum(self.signing_in) / self.ramp_s / self.devices, 4),
            signing_in=self.signing_in,
            back=BACK_S,
            lids=LIDS_S,
            end=LIDS_S + self.ramp_s + 1,
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


def measure(machine: Machine, fingerprint: str, ramp_s: int, say: Callable[[str], object]) -> Ceiling:
    """Have one engine start ever faster, then play the short day with one, and with one for each core.

    Args:
        ramp_s: how long people sign in ever faster, whole seconds.
        say: takes a line before each play.
    Raises: UserError when an engine was lost; ChildFailed when a stand-in did not start.
    """
    began = time.monotonic()
    climb, day = Climb.within(machine.files), Day(ramp_s)
    say("starts of one engine")
    in_time = climb.in_time(_played(1, climb.scenario(), climb.is_over).records)
    say("steps of one engine")
    one = many = _played(1, day.scenario(), day.is_over)
    if machine.cores > 1:
        say(f"steps of {machine.cores} engines")
        many = _played(machine.cores, day.scenario(), day.is_over)
    return Ceiling(
        fingerprint=fingerprint,
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - began, 1),
        steps_per_s=round(1000 / step_ms(one.rows, one.records, day), 1),
        engines=machine.cores,
        all_steps_per_s=round(machine.cores * 1000 / step_ms(many.rows, many.records, day), 1),
        starts_per_s=max((rate for rate, good in zip(climb.rungs, in_time, strict=True) if good), default=0),
        starts_at_least=in_time[-1],
        lateness_ms=LATENESS_MS,
        opened_per_s=round(opened_per_s(one.records, day), 1),
    )


def _played(engines: int, scenario: str, is_over: Callable[[NDArray[np.void], float], bool]) -> _Heard:
    """Play until nothing is left to play, or `is_over` says so of the samples so far at that run second."""
    with tempfile.TemporaryDirectory(prefix="fleetrush-") as folder:
        file = Path(folder) / "measure.toml"
        file.write_text(scenario)
        what = What(str(file), secret_file=Path(folder) / "secret")
        composition = compose(what, judged=False)
        settings = StandInSettings.of(composition.scenario, what.secret())
        with StandIns(settings, wanted=composition.basis) as stand_ins:
            accounts = accounts_of(what, composition, settings)
            order = order_of(composition, stand_ins, accounts, None, engines)
            heard = _Heard()
            orders = [replace(order, shard=shard).to_json() for shard in range(engines)]
            conductor = Conductor(orders, STEPS, heard)
            stopped = False

            def tick() -> None:
                nonlocal stopped
                if not stopped and heard.rows and is_over(heard.records, heard.rows[-1]["t"]):
                    stopped = True
                    conductor.stop()

            conductor.play(tick)
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


def opened_per_s(records: NDArray[np.void], day: Day) -> float:
    """Push lines opened, over the time from the instant at which all were due until the last was told of."""
    mine = records[(records["due"] >= day.back) & (records["due"] < day.lids)]
    opened = int(np.count_nonzero((mine["step"] == _CONNECT) & (mine["outcome"] == _OK)))
    return opened / (float(mine["done"].max()) - day.back) if opened else 0.0
