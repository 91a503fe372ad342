"""What this machine was measured to drive: kept in the user's state folder, and held against what a plan needs.

It measures nothing (measure.py does) and starts nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from simulator.enrollments_file import replace_file
from simulator.errors import UserError
from simulator.secretfile import state_folder

FORMAT = 2
# Above this share of what a machine can drive, chance decides whether starts are late.
SHARE = 0.7
# Where nothing was measured: CPU milliseconds a step costs an engine, all included.
ENGINE_STEP_MS = 0.55
MEASURE = "fleetrush doctor --measure"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What was measured.

    Attributes:
        fingerprint: of the machine (machine.fingerprint). measured: when, UTC. took_s: how long that took.
        steps_per_s: of one engine that has a core to itself, worked out from what a step cost it. engines: how many
            were driven at once; all_steps_per_s: of those together.
        starts_per_s: of one engine, as many as began in time. starts_at_least: nothing faster was tried. lateness_ms:
            what "in time" is.
        opened_per_s: push lines that one engine opened in a second, told to the management service.
    """

    fingerprint: str
    measured: str
    took_s: float
    steps_per_s: float
    engines: int
    all_steps_per_s: float
    starts_per_s: float
    starts_at_least: bool
    lateness_ms: float
    opened_per_s: float

    def steps_of(self, engines: int) -> float:
        """Steps a second of so many engines together."""
        return min(engines * self.steps_per_s, self.all_steps_per_s)

    def step_ms(self, engines: int) -> float:
        """CPU milliseconds a step cost each of so many engines."""
        return 1000 * min(engines, self.engines) / self.steps_of(engines)


@dataclass(frozen=True, slots=True)
class Peak:
    """What a plan asks of all engines at its fullest second: steps, starts, and push lines that are opened."""

    steps_per_s: float
    starts_per_s: float
    lines_per_s: float


def path() -> Path:
    """Where the measurement is kept."""
    return state_folder() / "machine.json"


def keep(ceiling: Ceiling) -> None:
    """Put it in the place of the one before. Raises: UserError where it cannot be kept."""
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_file(file, json.dumps({"format": FORMAT, **asdict(ceiling)}, indent=1).encode() + b"\n")
    except OSError as error:
        raise UserError(f"{file}: the measurement cannot be kept there: {error.strerror}") from None


def kept(fingerprint: str) -> Ceiling | None:
    """The measurement of this machine; None where there is none, or only one of another machine or version."""
    try:
        told = json.loads(path().read_bytes())
        ceiling = Ceiling(**{key: value for key, value in told.items() if key != "format"})
        good = told["format"] == FORMAT and ceiling.fingerprint == fingerprint
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return ceiling if good else None


def above(peak: Peak, engines: int, ceiling: Ceiling | None) -> Iterator[str]:
    """One line for each figure of a plan's peak that is more than SHARE of what the machine can drive.

    What was in time as fast as it was tried is no ceiling, and nothing is held against it.
    """
    if ceiling is None:
        can = engines * 1000 / ENGINE_STEP_MS
        basis = f"{can:,.0f} by the stated formula ({ENGINE_STEP_MS} ms a step); {MEASURE} measures it"
    else:
        can = ceiling.steps_of(engines)
        basis = f"{can:,.0f}, worked out from {ceiling.step_ms(engines):.2f} ms a step measured here"
    if peak.steps_per_s > SHARE * can:
        yield (
            f"the peak needs {peak.steps_per_s:,.0f} steps/s of {engines} engine(s), {peak.steps_per_s / can:.0%} of"
            f" what they can drive ({basis}); {_instead(engines, ceiling)}"
        )
    if ceiling is None:
        return
    cores = min(engines, ceiling.engines)
    begun, opened = cores * ceiling.starts_per_s, cores * ceiling.opened_per_s
    if not ceiling.starts_at_least and peak.starts_per_s > SHARE * begun:
        yield (
            f"the peak needs {peak.starts_per_s:,.0f} starts/s of {engines} engine(s), and {begun:,.0f} within"
            f" {ceiling.lateness_ms:g} ms were measured here; {_instead(engines, ceiling)}"
        )
    if peak.lines_per_s > SHARE * opened:
        yield (
            f"the peak opens {peak.lines_per_s:,.0f} push lines/s from {engines} engine(s), and {opened:,.0f} were"
            f" measured here; {_instead(engines, ceiling)}"
        )


def _instead(engines: int, ceiling: Ceiling | None) -> str:
    more = f"use --engines {ceiling.engines}, " if ceiling is not None and engines < ceiling.engines else ""
    return f"else starts may be late: {more}spread the arrivals (a lower --compression), or play fewer --devices"
