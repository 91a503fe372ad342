"""Devices that are online and rest: what one costs its engine, and how many this machine holds at once.

They start enrolled. Each row is one `fleetrush run`, or two; KiB are what each further device adds to the resident
memory of the engine process, so that all it needs is in it: row, agenda entries, push line, HTTP line, kept identity,
policies. What an engine needs once, and the caches that the first devices fill, are not (8 MiB). Takes about a quarter
of an hour.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.enrolled import enrolled, written
from tests.processes import alive, descendants
from tests.tables import Row

FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
MOST_KIB = 16.0
ONE_ENGINE, MANY, ENGINES = 15_000, 100_000, 6
SIGNED_IN = 2_000
# How long they rest before they are counted: HTTP connections close after 30 s, and who booted reports after 60 s.
REST_S = {"reconnect": 40, "boot": 100}
LIMIT_S = 900
# As fast as leaves each engine, and the stand-in, room for connections that speak HTTP: each may open 20,000 files.
MANY_COME_S, MANY_TAKE_S = 240, 360
SCENARIO = """
title = "At rest"
question = "What does a device that is online cost?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "{end}"
compression = 1
[[waves]]
name = "everybody"
who = "all"
journey = "{journey}"
arrivals = {{ shape = "even", from = "08:00", to = "{to}" }}
[sign_in]
offline_unlock = 1
[people]
typing_median_s = 0.5
typing_sigma = 0.1
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What a run held at one instant near its end, by its processes' own health rows; from when it was started to its
    end, and how many of its processes were left then."""

    by_engines: int
    by_brokers: int
    engine_mib: float
    engines: int
    brokers: int
    took_s: float
    left: int


def held(journey: str, devices: int, seconds: int, engines: int = 1) -> Held:
    """Let so many devices come within so many seconds, and rest."""
    with tempfile.TemporaryDirectory(prefix="fleetrush-bench-") as folder:
        place = Path(folder)
        end = seconds + REST_S[journey]
        clock = [f"08:{at // 60:02}:{at % 60:02}" for at in (seconds, end)]
        what = written(place, "at_rest", SCENARIO.format(devices=devices, journey=journey, to=clock[0], end=clock[1]))
        enrolled(what)
        took_s, left = _run(
            [FLEETRUSH, "run", what.scenario, "--enrollments", str(what.enrollments), "--engines", str(engines),
             "--accounts-secret", str(what.secret_file), "--out", str(place / "runs")]
        )  # fmt: skip
        (run,) = (place / "runs").iterdir()
        rows = [json.loads(line) for line in (run / "health.jsonl").read_text().splitlines()]
    last = {row["who"]: row for row in rows if row["t"] <= end - 1}
    ours = [row for who, row in last.items() if who.startswith("engine")]
    brokers = [row for who, row in last.items() if who.startswith("broker")]
    return Held(
        by_engines=sum(row["online"] for row in ours),
        # the backend's own connection, through which it publishes, is one of each broker's
        by_brokers=sum(row["connections"] - 1 for row in brokers),
        engine_mib=max(row["rss_mib"] for row in ours),
        engines=len(ours),
        brokers=len(brokers),
        took_s=took_s,
        left=left,
    )


def _run(command: list[str]) -> tuple[float, int]:
    """A run from start to end. Returns: the seconds, and how many of its processes it left behind."""
    began, seen = time.monotonic(), set[int]()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            while process.poll() is None:
                seen.update(descendants(process.pid))
                if time.monotonic() - began > LIMIT_S:
                    raise TimeoutError(f"not over within {LIMIT_S} s: {' '.join(command)}")
                time.sleep(1.0)
        finally:
            process.kill()
    return time.monotonic() - began, sum(map(alive, seen))


def each_kib(many: Held, few: Held, devices: int) -> float:
    """KiB that each further device took."""
    return (many.engine_mib - few.engine_mib) * 1024 / devices


def rows() -> Iterator[Row]:
    """Five runs."""
    few, many = held("boot", SIGNED_IN // 2, 50), held("boot", SIGNED_IN, 100)
    kib = each_kib(many, few, SIGNED_IN // 2)
    yield Row(
        "an online, idle device: booted, its person in session, all timers set",
        f"at most {MOST_KIB:g} KiB in the engine",
        f"{kib:.1f} KiB ({many.by_engines:,} online)",
        kib <= MOST_KIB and many.by_engines == many.by_brokers == SIGNED_IN,
        f"resident memory of an engine with {SIGNED_IN:,} over one with {SIGNED_IN // 2:,}",
    )
    few, many = held("reconnect", ONE_ENGINE // 100, 5), held("reconnect", ONE_ENGINE, 130)
    kib = each_kib(many, few, ONE_ENGINE - ONE_ENGINE // 100)
    yield Row(
        f"{ONE_ENGINE:,} devices online in one engine",
        f"{ONE_ENGINE:,}, at most {MOST_KIB:g} KiB each",
        f"{many.by_engines:,} by the engine, {many.by_brokers:,} by the broker, {kib:.1f} KiB each",
        kib <= MOST_KIB and many.by_engines == many.by_brokers == ONE_ENGINE,
        f"all come back within 130 s; resident memory over an engine with {ONE_ENGINE // 100}",
    )
    many = held("reconnect", MANY, MANY_COME_S, ENGINES)
    yield Row(
        f"{MANY:,} devices online at once on this machine",
        f"{MANY:,}, over within {MANY_TAKE_S} s, no process left",
        f"{many.by_engines:,} by {many.engines} engines, {many.by_brokers:,} by {many.brokers} brokers,"
        f" over after {many.took_s:.0f} s, {many.left} left",
        many.by_engines == many.by_brokers == MANY and many.took_s <= MANY_TAKE_S and not many.left,
        f"all come back within {MANY_COME_S} s; up to {many.engine_mib:.0f} MiB an engine",
    )
