"""Which level a capacity search plays next, or why it ends: a pure rule over what was played.

Increase until the limit or our own is passed, then halve what lies between, then repeat both ends. The same rule tells,
when a folder is judged again, whether its search had come to its end. Nothing is played, timed or read here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from reports.capacity_fit import isotonic

GROWTH: Final = 1.5
TRIES: Final = 2
"""So many untrusted runs of a level, and more than trusted ones, mean that we are saturated: one may be chance."""

End = Literal["found", "harness", "not_reached", "below"]


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where a search begins and what it may do: all levels in devices.

    `precision` is how far apart, as a share, the levels around the limit may lie at the end; `repeats` how often each
    of them is played.
    """

    start: int
    most: int
    least: int = 1
    precision: float = 0.1
    repeats: int = 3


@dataclass(frozen=True, slots=True)
class Played:
    """One run of a level. `burden` is that of its worst objective; None where the run cannot be trusted."""

    devices: int
    burden: float | None


@dataclass(frozen=True, slots=True)
class Bracket:
    """Between which levels the limit lies: the highest that `holds`, the lowest that `breaks`, and the lowest at which
    we are `saturated` ourselves; None where there is none."""

    holds: int | None
    breaks: int | None
    saturated: int | None

    @property
    def upper(self) -> int | None:
        """The lowest level that cannot be said to hold."""
        return min((one for one in (self.breaks, self.saturated) if one is not None), default=None)


@dataclass(frozen=True, slots=True)
class Play:
    """Play this level."""

    devices: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The search is over. `found`: the limit lies between two levels near each other, both repeated; `harness`: we are
    saturated before the limit; `not_reached`: the highest level allowed holds; `below`: the lowest breaks."""

    end: End


def bracket(played: Sequence[Played]) -> Bracket:
    """What the runs so far say, by a monotone curve through the trusted ones: more devices are never easier."""
    trusted = [one for one in played if one.burden is not None]
    good = Counter(one.devices for one in trusted)
    bad = Counter(one.devices for one in played if one.burden is None)
    saturated = min(
        (devices for devices, count in bad.items() if count >= TRIES and count > good[devices]), default=None
    )
    if not trusted:
        return Bracket(None, None, saturated)
    levels = sorted(good)
    totals = dict.fromkeys(levels, 0.0)
    for one in trusted:
        assert one.burden is not None
        totals[one.devices] += one.burden
    runs = np.array([good[devices] for devices in levels], np.float64)
    fitted = isotonic(np.array([totals[devices] for devices in levels]) / runs, runs)
    holds = [devices for devices, value in zip(levels, fitted, strict=True) if value <= 0]
    breaks = [devices for devices, value in zip(levels, fitted, strict=True) if value > 0]
    # beyond a level at which we are saturated nothing is believed
    holds = [devices for devices in holds if saturated is None or devices < saturated]
    return Bracket(max(holds, default=None), min(breaks, default=None), saturated)


def next_play(played: Sequence[Played], bounds: Bounds) -> Play | Stop:
    """The next level, or why there is none.

    It always ends: no level is played without end, and between two levels there are finitely many.
    """
    if not played:
        return Play(bounds.start)
    where, good = bracket(played), Counter(one.devices for one in played if one.burden is not None)
    for rule in (_again, _nearer, _repeated, _around):
        devices = rule(where, good, played, bounds)
        if devices is not None:
            return Play(devices)
    if where.upper is None:
        return Stop("not_reached")
    if where.upper == where.saturated:
        return Stop("harness")
    return Stop("below" if where.holds is None else "found")


def _again(where: Bracket, good: Counter[int], played: Sequence[Played], bounds: Bounds) -> int | None:
    """A level of which nothing is known yet: its one run could not be trusted."""
    limit = where.saturated or bounds.most + 1
    return min((one.devices for one in played if not good[one.devices] and one.devices < limit), default=None)


def _nearer(where: Bracket, good: Counter[int], played: Sequence[Played], bounds: Bounds) -> int | None:
    """Further up, further down, or between: until two levels near each other have the limit between them."""
    holds, upper = where.holds, where.upper
    if holds is None:
        assert upper is not None
        return max(bounds.least, min(upper - 1, round(upper / GROWTH))) if upper > bounds.least else None
    if upper is None:
        return min(bounds.most, max(holds + 1, round(holds * GROWTH))) if holds < bounds.most else None
    if upper <= holds * (1 + bounds.precision) or upper - holds == 1:
        return None
    return min(upper - 1, max(holds + 1, round(math.sqrt(holds * upper))))


def _repeated(where: Bracket, good: Counter[int], played: Sequence[Played], bounds: Bounds) -> int | None:
    """The levels on both sides of the limit, until each has its repeats."""
    if where.upper is None:
        return None
    near = (where.holds, where.breaks if where.breaks == where.upper else None)
    return next((level for level in near if level is not None and good[level] < bounds.repeats), None)


def _around(where: Bracket, good: Counter[int], played: Sequence[Played], bounds: Bounds) -> int | None:
    """A level on either side well away from the limit, so that the curve through all of them does not end at it."""
    if where.holds is None or where.breaks is None or where.breaks != where.upper:
        return None
    if where.holds == min(good) and where.holds > bounds.least:
        return max(bounds.least, min(where.holds - 1, round(where.holds / GROWTH)))
    if where.breaks == max(good) and where.breaks < bounds.most and where.saturated is None:
        return min(bounds.most, max(where.breaks + 1, round(where.breaks * GROWTH)))
    return None
