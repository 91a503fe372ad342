"""Known capacities found: a stand-in that serves so many passwords at a time, each for so long, against what a queue
with as many servers says of it; and how often the band of a search covers the truth.

About five minutes: two searches of some nine runs of fourteen seconds, and three hundred made searches.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from reports.capacity_fit import fit
from reports.capacity_search import Bounds, Played, Stop, next_play
from tests.tables import Row

SCENARIO = Path(__file__).parents[1] / "data" / "scenarios" / "slots.toml"
ARRIVE_S, TYPING_MEDIAN_S, TYPING_SIGMA, LIMIT_S, PERCENT = 8.0, 0.5, 0.3, 1.0, 95
# One password at a time, and three at a time.
KNOWN = ((1, 0.04), (3, 0.1))
WITHIN = 0.10
MADE, COVERED_AT_LEAST = 300, 0.90
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]


def rows() -> Iterator[Row]:
    """The rows of the table."""
    for slots, service_s in KNOWN:
        yield _found(slots, service_s)
    yield _covered()


def scenario(slots: int, service_s: float) -> str:
    """The scenario with these slots."""
    text = SCENARIO.read_text()
    changed = text.replace("slots = 1, service_s = 0.04", f"slots = {slots}, service_s = {service_s}")
    assert slots == 1 or changed != text
    return changed


def queue_capacity(slots: int, service_s: float, *, plays: int = 400, seed: int = 1) -> float:
    """How many arrivals it takes for the median p95 of time in the queue to pass the limit.

    By nothing of ours: people come uniformly at random, type for a lognormal time, and whoever is first is served by
    the server that is free first. Halved between 1 and 1,000.
    """
    low, high = 1.0, 1000.0
    while high / low > 1.005:
        middle = math.sqrt(low * high)
        chance = np.random.default_rng(seed)
        times = [_p95(chance, round(middle), slots, service_s) for _ in range(plays)]
        low, high = (low, middle) if float(np.median(times)) > LIMIT_S else (middle, high)
    return math.sqrt(low * high)


def _p95(chance: np.random.Generator, count: int, slots: int, service_s: float) -> float:
    typed = TYPING_MEDIAN_S * np.exp(TYPING_SIGMA * chance.standard_normal(count))
    came: NDArray[np.float64] = np.sort(chance.uniform(0, ARRIVE_S, count) + typed)
    left = np.empty(count)
    for at in range(count):
        # with equal service whoever came `slots` before has left first
        free = left[at - slots] if at >= slots else 0.0
        left[at] = max(came[at], free) + service_s
    return float(np.sort(left - came)[math.ceil(PERCENT / 100 * count) - 1])


def _found(slots: int, service_s: float) -> Row:
    known = queue_capacity(slots, service_s)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "slots.toml"
        file.write_text(scenario(slots, service_s))
        start = str(round(0.8 * slots / service_s * ARRIVE_S))
        told = ["capacity", str(file), "--devices", start, "--what-ifs", "none", "--out", folder, "--time", "4"]
        done = subprocess.run([*FLEETRUSH, *told], capture_output=True, text=True, check=False)
        made = next(Path(folder).glob("*-capacity-slots"), None)
        result = json.loads((made / "capacity.json").read_text())["result"] if made else {"capacity": None}
    found = result["capacity"]
    words = "nothing" if found is None else f"{found:,.0f} devices, {result['low']} to {result['high']}"
    return Row(
        f"known capacity: {slots} password(s) at a time, {1000 * service_s:g} ms each",
        f"within {WITHIN:.0%} of {known:,.0f} devices",
        words,
        done.returncode == 0 and found is not None and abs(found / known - 1) <= WITHIN,
        f"`fleetrush capacity` from {start} devices, exit {done.returncode}; known by simulating the queue alone",
    )


def _covered() -> Row:
    """Made searches: time grows with a power of the devices, runs of a level differ lognormally."""
    chance, covered, off = np.random.default_rng(3), 0, []
    for _ in range(MADE):
        capacity, power, spread = chance.uniform(500, 9000), chance.uniform(2, 6), chance.uniform(0.05, 0.3)
        played: list[Played] = []
        bounds = Bounds(2680, most=100_000)
        while not isinstance(said := next_play(played, bounds), Stop):
            burden = power * math.log(said.devices / capacity) + chance.normal(0, spread)
            played.append(Played(said.devices, max(-math.log(8), min(math.log(8), burden))))
        found = fit(np.array([one.devices for one in played], float), np.array([one.burden for one in played], float))
        covered += found.low <= capacity <= found.high
        off.append(abs((found.crossing or math.inf) / capacity - 1))
    return Row(
        "bands of made searches that cover the truth",
        f"at least {COVERED_AT_LEAST:.0%} of {MADE}",
        f"{covered / MADE:.1%}; the headline is off by {np.median(off):.1%} in the median",
        covered >= COVERED_AT_LEAST * MADE,
        "capacity 500 to 9,000, growth with the 2nd to 6th power, runs that differ by 5 to 30 %",
    )
