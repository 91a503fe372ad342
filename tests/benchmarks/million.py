"""Planning a million devices: fleet and timetable in a fresh process. Takes about ten seconds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.tables import Row

DEVICES, ROUNDS = 1_000_000, 5
MOST_S, MOST_MB = 2.0, 250.0
PROGRAM = f"""
import time
from scenarios.load import Overrides, load
from simulator.composition import KNOWN
from simulator.fleet import make_fleet
from simulator.timetable import make_timetable
from tests.processes import peak_mib
scenario = load("morning_peak", known=KNOWN, overrides=Overrides(devices={DEVICES}), judged=False)
began = time.perf_counter()
starts = make_timetable(scenario, make_fleet(scenario.organisation, scenario.devices, scenario.seed))
took = time.perf_counter() - began
print(took, peak_mib() * 2**20 / 1e6, len(starts))
"""


def rows() -> Iterator[Row]:
    """The median of five processes, of which each plans once."""
    told = []
    for _ in range(ROUNDS):
        done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True, check=True)
        told.append([float(figure) for figure in done.stdout.split()])
    took, megabytes, starts = (sorted(figures)[ROUNDS // 2] for figures in zip(*told, strict=True))
    yield Row(
        f"planning {DEVICES:,} devices, fleet and timetable ({starts:,.0f} starts)",
        f"at most {MOST_S:g} s, {MOST_MB:g} MB",
        f"{took:.2f} s, {megabytes:.0f} MB",
        took <= MOST_S and megabytes <= MOST_MB,
        f"median of {ROUNDS} fresh processes; peak resident memory of the whole process",
    )
