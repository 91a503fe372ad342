"""Starts as a real engine sent them against their planned curve: exact total, the curve kept, no clumps.

A clump is what makes counts scatter more than those of people who know nothing of each other: the index of dispersion
over bins that expect two starts each (10 ms at least). Takes about 80 s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.starts import clumping, kolmogorov, per_bin_of
from simulator.timetable import curve
from tests.tables import Row
from tests.truth.real_engine import play, scenario_of

CHANCE_AT_LEAST = 0.001
_TO = {"from": "08:00", "to": "08:00:15"}
CURVES: dict[str, Mapping[str, Any]] = {
    "bell": {"shape": "bell", **_TO},
    "even": {"shape": "even", **_TO},
    "an audit log's minutes": {"shape": "minutes", "from": "08:00", "counts": [1, 4, 9, 2, 6]},
    "even, stratified": {"shape": "even", "stratified": True, **_TO},
}
DEVICES = 3000


@dataclass(frozen=True, slots=True)
class Sent:
    """Starts as they were sent: how many, each one's share of the curve (sorted), and how many a bin expects."""

    count: int
    devices: int
    shares: NDArray[np.float64]
    per_bin: float

    @property
    def follows(self) -> tuple[float, float]:
        """Kolmogorov-Smirnov: the distance from the curve and its chance."""
        return kolmogorov(self.shares)

    @property
    def clumps(self) -> tuple[float, float]:
        """The index of dispersion, and what it may be."""
        return clumping(self.shares, per_bin=self.per_bin)


def send(arrivals: Mapping[str, Any], devices: int, seed: int, *, compression: float = 1.0) -> Sent:
    """Let a real engine send checks along a curve, against a server that answers at once."""
    scenario = scenario_of(arrivals, devices, seed, compression=compression)
    played = play(scenario, kind="constant", mean_s=0.001)
    checks = played.checks
    # the plan's curve itself, not what run.json keeps of it
    shape = curve(scenario.waves[0].arrivals)
    shares = np.sort(shape.shares(scenario.day.start_s + checks["sent"] * compression))
    plan = played.data.run["planned"]
    per_bin = per_bin_of(np.asarray(plan["edges_s"]), np.asarray(plan["counts"]))
    return Sent(checks.size, np.unique(checks["device"]).size, shares, per_bin)


def rows() -> Iterator[Row]:
    """One row a curve."""
    for seed, (name, arrivals) in enumerate(CURVES.items(), 1):
        sent = send(arrivals, DEVICES, seed, compression=20.0 if "counts" in arrivals else 1.0)
        (distance, chance), (index, most) = sent.follows, sent.clumps
        yield Row(
            f"arrivals along a curve: {name}, {DEVICES:,} starts in 15 s",
            f"each device once; KS chance at least {CHANCE_AT_LEAST:g}; dispersion at most {most:.2f}",
            f"{sent.count:,} starts of {sent.devices:,} devices; KS distance {distance:.4f}, chance {chance:.2f};"
            f" dispersion {index:.2f}",
            sent.count == sent.devices == DEVICES and chance >= CHANCE_AT_LEAST and index <= most,
            "a real engine's own stamps, carried through the plan's cumulative curve",
        )
    yield batches_row()


def batches(shares: NDArray[np.float64], run_s: float) -> NDArray[np.float64]:
    """The same starts as a loop that wakes once a second would send them: the curve is kept, but for the clumps."""
    return np.sort(np.ceil(shares * run_s) / run_s)


def batches_row() -> Row:
    """A harness that sends once a second has to be found out."""
    shares = np.sort(np.random.default_rng(7).random(DEVICES))
    index, most = clumping(batches(shares, 15))
    return Row(
        f"arrivals sent once a second: {DEVICES:,} starts in 15 s",
        f"found out: dispersion above {most:.2f}",
        f"dispersion {index:,.1f}",
        index > most,
        "made up: the even curve's starts, each put off to the next second",
    )
