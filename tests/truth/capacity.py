"""Known capacities found: a stand-in, and a staging copy, that serve so many passwords at a time, each for so long,
against what a queue with as many servers says of it; and how often the band of a search covers the truth.

About ten minutes: three searches of some ten runs of fourteen seconds, and three hundred made searches.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.capacity_fit import fit
from reports.capacity_search import Bounds, Played, Stop, next_play
from tests.processes import announced
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
    yield _staged(*KNOWN[0])
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
    typed_s = TYPING_MEDIAN_S * np.exp(TYPING_SIGMA * chance.standard_normal(count))
    came: NDArray[np.float64] = np.sort(chance.uniform(0, ARRIVE_S, count) + typed_s)
    left = np.empty(count)
    for at in range(count):
        # with equal service whoever came `slots` before has left first
        free = left[at - slots] if at >= slots else 0.0
        left[at] = max(came[at], free) + service_s
    return float(np.sort(left - came)[math.ceil(PERCENT / 100 * count) - 1])


def _found(slots: int, service_s: float) -> Row:
    code, result = _search(slots, service_s, scenario(slots, service_s))
    what = f"known capacity: {slots} password(s) at a time, {1000 * service_s:g} ms each"
    return _row(what, slots, service_s, code, result)


def _staged(slots: int, service_s: float) -> Row:
    """The same against `fleetrush backend`, named as a staging copy, which is given the fault by its operator."""
    argv = [*FLEETRUSH, "backend", str(SCENARIO)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as backend:
        try:
            assert backend.stdout is not None
            said = announced(backend.stdout)
            fault = {"where": "/idp/login-actions/", "kind": "slots", "slots": slots, "service_s": service_s}
            headers = {"Authorization": f"Bearer {said['token']}"}
            url = f"{said['operator']}/operator/inject_fault"
            asked = urllib.request.Request(url, json.dumps(fault).encode(), headers)
            urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked, timeout=60).close()
            targets = f'[targets.identity]\nurl = "{said["idp"]}/idp/metadata"\nstaging = true\n'
            code, result = _search(slots, service_s, SCENARIO.read_text(), targets)
        finally:
            backend.terminate()
    return _row("known capacity of a staging copy, drained between the levels", slots, service_s, code, result)


def _row(what: str, slots: int, service_s: float, code: int, result: dict[str, Any]) -> Row:
    known, found = queue_capacity(slots, service_s), result["capacity"]
    return Row(
        what,
        f"within {WITHIN:.0%} of {known:,.0f} devices",
        _words(result),
        code == 0 and found is not None and abs(found / known - 1) <= WITHIN,
        f"`fleetrush capacity` from {_start(slots, service_s)} devices, exit {code}; known by simulating the queue",
    )


def _start(slots: int, service_s: float) -> int:
    return round(0.8 * slots / service_s * ARRIVE_S)


def _search(slots: int, service_s: float, text: str, targets: str = "") -> tuple[int, dict[str, Any]]:
    """Search. Returns: the exit code, and what was found."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "slots.toml").write_text(text)
        (folder / "targets.toml").write_text(targets)
        told = ["capacity", str(folder / "slots.toml"), "--devices", str(_start(slots, service_s))]
        told += ["--what-ifs", "none", "--out", name, "--time", "8"]
        told += ["--targets", str(folder / "targets.toml")] if targets else []
        done = subprocess.run([*FLEETRUSH, *told], capture_output=True, text=True, check=False)
        made = next(folder.glob("*-capacity-slots"), None)
        result = json.loads((made / "capacity.json").read_text())["result"] if made else {"capacity": None}
    return done.returncode, result


def _words(result: dict[str, Any]) -> str:
    found = result["capacity"]
    return "nothing" if found is None else f"{found:,.0f} devices, {result['low']} to {result['high']}"


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
