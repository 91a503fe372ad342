"""The waves that timers make of one morning's lids: recorded starts against the density that convolution gives.

The lids' density, carried on by each timer and spread by its jitter, is where the echo has to be. Played in virtual
time by the journeys that run for real. The power of each test is worked out by drawing from the same density with a
timer that is a minute wrong. Takes about 60 s.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reports.record import OUTCOMES, SAMPLE, TRIGGERS, Samples
from reports.starts import kolmogorov
from scenarios.load import Overrides, load
from scenarios.schema import Scenario
from simulator.composition import KNOWN
from simulator.journeys import STEPS
from simulator.rehearsal import rehearse
from simulator.timetable import curve, lead_s
from tests.tables import Row

SCENARIO = Path(__file__).with_name("echoes.toml")
DEVICES = 2680
CHANCE_AT_LEAST = 0.0005
WRONG_S = 60.0
DRAWN = 200
MINUTE, HOUR = 60.0, 3600.0
_STEP_S = 0.5


@dataclass(frozen=True, slots=True)
class Echo:
    """One wave: which starts it is made of, and what has happened to the lids' density until then.

    The numbers are the facts' (Chromium), written here a second time and by hand: fixed waits, and uniform spreads in
    seconds.
    """

    step: str
    nth: int
    wait_s: float
    spreads_s: tuple[float, ...] = ()


ECHOES: dict[str, Echo] = {
    "first update check, 7 min": Echo("updates.check", 0, 2 * MINUTE, (10 * MINUTE,)),
    "second, 45 min later": Echo("updates.check", 1, 42 * MINUTE, (10 * MINUTE,) * 2),
    "third, 45 min later": Echo("updates.check", 2, 82 * MINUTE, (10 * MINUTE,) * 3),
    "first status, 1 min": Echo("management.status_upload", 0, MINUTE),
    "second status, 3 h later": Echo("management.status_upload", 1, MINUTE + 3 * HOUR),
    "policy, 3 h after the browser's start": Echo("management.device_policy", 0, 5.0 + 3 * HOUR, (5 * MINUTE,)),
}


@dataclass(frozen=True, slots=True)
class Density:
    """Where starts are expected: the cumulative share at seconds of the day."""

    at_s: NDArray[np.float64]
    below: NDArray[np.float64]

    @classmethod
    def of(cls, scenario: Scenario, echo: Echo) -> Density:
        """The lids' density, put off and spread by convolution."""
        arrivals = scenario.waves[0].arrivals
        edges_s = np.arange(arrivals.from_s, arrivals.to_s + _STEP_S, _STEP_S)
        density, first_s = np.diff(curve(arrivals).shares(edges_s)), arrivals.from_s + echo.wait_s
        for spread_s in echo.spreads_s:
            cells = round(spread_s / _STEP_S)
            density = np.convolve(density, np.full(cells, 1 / cells))
            first_s += _STEP_S / 2  # two cells that are each centred on a half add up to a whole one
        below = np.concatenate(([0.0], np.cumsum(density)))
        return cls(first_s + _STEP_S * np.arange(below.size), below / below[-1])

    def judge(self, starts_s: NDArray[np.float64]) -> tuple[float, float]:
        """Kolmogorov-Smirnov's chance, and by how many standard errors the mean is off."""
        shares = np.sort(np.interp(starts_s, self.at_s, self.below))
        middles, weights = (self.at_s[1:] + self.at_s[:-1]) / 2, np.diff(self.below)
        mean = float((middles * weights).sum())
        deviation = math.sqrt(float(((middles - mean) ** 2 * weights).sum()))
        return kolmogorov(shares)[1], (float(starts_s.mean()) - mean) / deviation * math.sqrt(starts_s.size)

    def draw(self, count: int, chance: np.random.Generator) -> NDArray[np.float64]:
        """So many starts of it."""
        return np.interp(chance.random(count), self.below, self.at_s)

    def refuses(self, starts_s: NDArray[np.float64]) -> bool:
        """Whether these starts are not of this density: one honest set in a thousand is."""
        chance, off = self.judge(starts_s)
        return chance < CHANCE_AT_LEAST or abs(off) > 3.5

    def power(self, count: int, wrong_s: float = WRONG_S) -> float:
        """How often starts of a timer that is so wrong are refused."""
        chance = np.random.default_rng(3)
        return sum(self.refuses(self.draw(count, chance) + wrong_s) for _ in range(DRAWN)) / DRAWN


def scenario_of(devices: int) -> Scenario:
    """The morning, with so many devices."""
    return load(str(SCENARIO), known=KNOWN, overrides=Overrides(devices=devices), judged=False)


def recorded(scenario: Scenario) -> Samples:
    """The morning's samples."""
    return np.frombuffer(rehearse(scenario).samples, SAMPLE)


def starts_of(scenario: Scenario, samples: Samples, echo: Echo) -> NDArray[np.float64]:
    """Each device's n-th start of a step by its own clock, in seconds of the day."""
    timed = (samples["trigger"] == TRIGGERS.index("timer")) & (samples["step"] == STEPS.index(echo.step))
    own = samples[timed & (samples["outcome"] == OUTCOMES.index("ok"))]
    own = own[np.lexsort((own["due"], own["device"]))]
    _, first, count = np.unique(own["device"], return_index=True, return_counts=True)
    sent: NDArray[np.float64] = own["sent"][first[count > echo.nth] + echo.nth]
    return sent - lead_s(scenario, scenario.devices) + scenario.day.start_s


def rows() -> Iterator[Row]:
    """One row an echo."""
    scenario = scenario_of(DEVICES)
    samples = recorded(scenario)
    for name, echo in ECHOES.items():
        starts_s, expected = starts_of(scenario, samples, echo), Density.of(scenario, echo)
        chance, off = expected.judge(starts_s)
        power = expected.power(starts_s.size)
        yield Row(
            f"echo: {name}",
            f"all {scenario.staff:,} where convolution says (KS chance at least {CHANCE_AT_LEAST:g}, mean within 3.5"
            f" standard errors); a timer {WRONG_S / MINUTE:g} min wrong is found in 99 % and more",
            f"{starts_s.size:,} starts, chance {chance:.2f}, mean {off:+.1f} standard errors off; power {power:.1%}",
            starts_s.size == scenario.staff and not expected.refuses(starts_s) and power >= 0.99,
            f"recorded starts in virtual time; power from {DRAWN} seeded draws",
        )
