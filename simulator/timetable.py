"""When: the due instants of all starts known beforehand, and the two clocks they are told in. Pure: no clock is read.

City time is the scenario's, in seconds after midnight; run time is the run's own, in seconds from its first instant.
Dues are the same bytes on every machine: only operations that IEEE 754 rounds alike everywhere, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.arrivals import At, Bell, Even, Minutes
from scenarios.evidence import part
from scenarios.schema import LIDS, Members, Scenario, Wave
from simulator.draw import draws

# A start: run seconds, fleet row, index into journeys_of(scenario)
START = np.dtype([("due", "<f8"), ("device", "<u4"), ("journey", "<u2")])

ENROLL = "enroll"
# From the last device's turn to enroll to the start of the morning
LEAD_REST_S = 1.0

# Half of the window's middle sixth, in standard deviations: solves area(x) = 0.4 * area(6 * x), so 40 % come within
# that sixth. Over the sixth that is 2.4 times the mean rate, at its very top 2.51 times.
BELL_HALF_SIXTH = 0.5234308758519619
_BELL_CELLS = 1200


@dataclass(frozen=True, slots=True)
class Curve:
    """How arrivals add up: straight lines from `below[k]` of them at `edges_s[k]` to the next. City seconds; 0 to 1."""

    edges_s: NDArray[np.float64]
    below: NDArray[np.float64]

    def instants(self, shares: NDArray[np.float64]) -> NDArray[np.float64]:
        """The instants by which those shares, in [0, 1), have come."""
        cell = np.searchsorted(self.below[1:-1], shares, side="right")
        left, right = self.below[cell], self.below[cell + 1]
        start, end = self.edges_s[cell], self.edges_s[cell + 1]
        inside = (shares - left) / (right - left)
        return np.minimum(start + inside * (end - start), end)

    def shares(self, city_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """The share that comes before each instant."""
        if self.edges_s[0] == self.edges_s[-1]:
            return np.where(city_s > self.edges_s[0], 1.0, 0.0)
        return np.interp(city_s, self.edges_s, self.below).astype(np.float64)


def _area(x: float) -> float:
    """The integral of exp(-t*t/2) from 0 to x, by its series: the last bit of erf() is up to the machine's libm."""
    total, term, n = 0.0, x, 0
    while total + term / (2 * n + 1) != total:
        total += term / (2 * n + 1)
        n += 1
        term *= -x * x / (2 * n)
    return total


@lru_cache(maxsize=1)
def _bell_below() -> tuple[float, ...]:
    """The bell's shares at the edges of its cells."""
    half = _BELL_CELLS // 2
    step = 6 * BELL_HALF_SIXTH / half
    areas = [_area(step * k) for k in range(half + 1)]
    whole = 2 * areas[half]
    return (
        *((areas[half] - area) / whole for area in reversed(areas)),
        *((areas[half] + area) / whole for area in areas[1:]),
    )


def _bell(arrivals: Bell) -> Curve:
    return Curve(_edges(arrivals.from_s, arrivals.to_s, _BELL_CELLS), np.array(_bell_below()))


def _even(arrivals: Even) -> Curve:
    return Curve(_edges(arrivals.from_s, arrivals.to_s, 1), np.array([0.0, 1.0]))


def _at(arrivals: At) -> Curve:
    return Curve(np.array([arrivals.at_s, arrivals.at_s]), np.array([0.0, 1.0]))


def _minutes(arrivals: Minutes) -> Curve:
    counted = np.cumsum((0.0, *arrivals.counts))
    return Curve(_edges(arrivals.from_s, arrivals.to_s, len(arrivals.counts)), counted / counted[-1])


def _edges(from_s: float, to_s: float, cells: int) -> NDArray[np.float64]:
    return from_s + (to_s - from_s) * np.arange(cells + 1) / cells


SHAPES: dict[str, Callable[[Any], Curve]] = {"bell": _bell, "even": _even, "at": _at, "minutes": _minutes}


def curve(arrivals: Bell | Even | At | Minutes) -> Curve:
    """The curve that a wave's devices arrive along."""
    return SHAPES[arrivals.shape](arrivals)


def journeys_of(scenario: Scenario) -> tuple[str, ...]:
    """The journeys that a timetable of this scenario starts; a start's `journey` is the index."""
    return (ENROLL, *sorted({wave.journey for wave in scenario.waves} - {ENROLL}))


def lead_s(scenario: Scenario, to_enroll: int) -> float:
    """Real seconds from the run's first instant to the morning: what so many devices take to enroll, and a rest."""
    before = scenario.enrollment.when == "before"
    return to_enroll / scenario.enrollment.rate_per_s + LEAD_REST_S if before and to_enroll else 0.0


def run_second(scenario: Scenario, lead: float, city_s: float) -> float:
    """The run second of a city instant."""
    return lead + (city_s - scenario.day.start_s) / scenario.day.compression


def city_time(scenario: Scenario, lead: float, run_s: float) -> float:
    """The city instant of a run second; before the morning it runs backwards from the day's start, compressed alike."""
    return scenario.day.start_s + (run_s - lead) * scenario.day.compression


def make_timetable(
    scenario: Scenario,
    fleet: NDArray[np.void],
    enrolled: NDArray[np.bool_] | None = None,
    shard: tuple[int, int] = (0, 1),
) -> NDArray[np.void]:
    """Every start that is known before the run, in order of due instant and then of device.

    A wave's total is exact; when a device starts follows from seed (the arrivals' own, if there is one), wave and
    device alone (unless stratified). A wave that enrolls starts those of its devices that are not enrolled, which then
    do not enroll before the morning.

    Args:
        fleet: all devices of the scenario, not a shard's only.
        enrolled: by fleet row, which devices need not enroll any more; None for no device.
        shard: (number, count): only the rows whose index modulo count is the number.

    Returns: records of START.
    """
    rows = np.arange(len(fleet), dtype=np.uint32)
    to_enroll = rows if enrolled is None else rows[~enrolled]
    lead = lead_s(scenario, len(to_enroll))
    journeys = journeys_of(scenario)
    parts = []
    for journey, devices, due in _starts(scenario, fleet, rows, to_enroll, lead):
        mine = devices % shard[1] == shard[0]
        starts = np.empty(np.count_nonzero(mine), START)
        starts["due"], starts["device"], starts["journey"] = due[mine], devices[mine], journeys.index(journey)
        parts.append(starts)
    timetable = np.concatenate(parts)
    del parts  # a million devices' starts are sorted beside one copy of them, not two
    return timetable[np.lexsort((timetable["device"], timetable["due"]))]


def _starts(
    scenario: Scenario, fleet: NDArray[np.void], rows: NDArray[np.uint32], to_enroll: NDArray[np.uint32], lead: float
) -> Iterator[tuple[str, NDArray[np.uint32], NDArray[np.float64]]]:
    """Journey, devices and dues of the enrollment and of each wave."""
    waves = []
    early = to_enroll if scenario.enrollment.when == "before" else to_enroll[:0]
    for wave in scenario.waves:
        devices = _members(scenario, fleet, rows, wave)
        if wave.journey == ENROLL:
            devices = np.intersect1d(devices, to_enroll, assume_unique=True)
            early = np.setdiff1d(early, devices, assume_unique=True)
        waves.append((wave, devices))
    # one turn after the other, each device at its own instant within its turn
    turns = np.arange(len(early)) + draws(scenario.seed, early, ENROLL)
    yield ENROLL, early, turns / scenario.enrollment.rate_per_s
    for wave, devices in waves:
        seed = scenario.seed if scenario.arrivals_seed is None else scenario.arrivals_seed
        shares = draws(seed, devices, f"arrival/{wave.name}")
        if not isinstance(wave.arrivals, At) and wave.arrivals.stratified:
            turns = np.empty(len(devices))
            turns[np.argsort(shares, kind="stable")] = np.arange(len(devices))
            shares = (turns + draws(seed, devices, f"arrival/{wave.name}", 1)) / len(devices)
            shares = np.minimum(shares, 1 - 2.0**-53)
        city_s = curve(wave.arrivals).instants(shares)
        yield wave.journey, devices, lead + (city_s - scenario.day.start_s) / scenario.day.compression


def _members(scenario: Scenario, fleet: NDArray[np.void], rows: NDArray[np.uint32], wave: Wave) -> NDArray[np.uint32]:
    """The rows that a wave starts: its share of those it names is exact, who is in it is drawn."""
    if wave.who == "all":
        named = rows
    elif isinstance(wave.who, Members):
        there = fleet["staff"].copy()
        for column, kinds, name in (
            ("department", scenario.organisation.departments, wave.who.department),
            ("site", scenario.organisation.sites, wave.who.site),
        ):
            if name is not None:
                there &= fleet[column] == [kind.name for kind in kinds].index(name)
        named = rows[there]
    else:
        named = rows[fleet["staff"] == (wave.who == "staff")]
    if wave.share == 1:
        return named
    lots = np.argsort(draws(scenario.seed, named, f"share/{wave.name}"), kind="stable")
    return np.sort(named[lots[: part(wave.share, len(named))]])


def _waves(scenario: Scenario, journeys: tuple[str, ...]) -> list[tuple[int, Curve]]:
    """Count and curve of each wave that starts one of these journeys."""
    return [
        (part(wave.share, round(scenario.eligible(wave.who))), curve(wave.arrivals))
        for wave in scenario.waves
        if wave.journey in journeys
    ]


def planned_curve(
    scenario: Scenario, lead: float, journeys: tuple[str, ...] = LIDS, width_s: float = 10.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How many starts of these journeys are expected, over the whole run.

    Args:
        lead: run second of the day's start, as from lead_s.
        width_s: of one stretch, run seconds.

    Returns: the edges of the stretches, run seconds, and the expected starts within each (from an edge up to the next).
    """
    end = run_second(scenario, lead, scenario.day.end_s)
    # the last stretch reaches past the end, so that a start at the very end lies in it
    edges = np.arange(int(end // width_s) + 2, dtype=np.float64) * width_s
    before = _expected(scenario, _waves(scenario, journeys), lead, edges)
    return edges, before[1:] - before[:-1]


def peak_rate_per_s(scenario: Scenario, journeys: tuple[str, ...] = LIDS) -> float:
    """The most starts of these journeys expected within any one second of the run."""
    waves = _waves(scenario, journeys)
    if not waves:
        return 0.0
    corners = np.concatenate([shape.edges_s for _, shape in waves])
    begins = (corners - scenario.day.start_s) / scenario.day.compression
    # between corners the lines are straight, so the fullest window begins on one or ends just past one
    begins = np.concatenate((begins, begins - 1 + 1e-9))
    return float(np.max(_expected(scenario, waves, 0.0, begins + 1) - _expected(scenario, waves, 0.0, begins)))


def _expected(
    scenario: Scenario, waves: list[tuple[int, Curve]], lead: float, run_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Starts expected before each run second."""
    city_s = scenario.day.start_s + (run_s - lead) * scenario.day.compression
    total = np.zeros(len(run_s))
    for count, shape in waves:
        total += count * shape.shares(city_s)
    return total
