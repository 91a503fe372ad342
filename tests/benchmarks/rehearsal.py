"""A working day in virtual time: how long it takes, and whether it is the same again. Takes about forty seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from statistics import median

from scenarios.load import Overrides, load
from scenarios.schema import Scenario
from simulator.composition import KNOWN
from tests.tables import Row

HOURS = 8
SHARDS = 2
MOST_S = 10.0
# Whatever a process decides by the hashes of strings is decided otherwise in the next one.
HASH_SEEDS = (1, 2, 3)
PROGRAM = f"""
import time
from hashlib import sha256
from simulator.rehearsal import rehearse
from tests.benchmarks.rehearsal import eight_hours
scenario = eight_hours()
began = time.perf_counter()
rehearsed = rehearse(scenario, shards={SHARDS})
print(time.perf_counter() - began, rehearsed.count, sha256(rehearsed.samples).hexdigest())
"""


def eight_hours() -> Scenario:
    """Maebashi's ordinary day at its real pace, from half past seven on."""
    scenario = load("ordinary_day", known=KNOWN, overrides=Overrides(compression=1), judged=False)
    day = scenario.day.model_copy(update={"end_s": scenario.day.start_s + HOURS * 3600})
    return scenario.model_copy(update={"day": day})


def rows() -> Iterator[Row]:
    """The same day in three processes, one after the other."""
    told = []
    for seed in HASH_SEEDS:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        told.append(done.stdout.split())
    times, counts, prints = zip(*told, strict=True)
    took_s, same = median(map(float, times)), len(set(prints)) == 1
    spread = f"{min(map(float, times)):.1f} to {max(map(float, times)):.1f}"
    yield Row(
        f"rehearsal of `ordinary_day`: {eight_hours().devices:,} devices, {HOURS} hours, {int(counts[0]):,} samples",
        f"at most {MOST_S:g} s, each time the same bytes",
        f"{took_s:.1f} s ({spread}), {'the same bytes' if same else 'other bytes'}",
        took_s <= MOST_S and same,
        f"median of {len(told)} fresh processes with other hash seeds, {SHARDS} shards each",
    )
