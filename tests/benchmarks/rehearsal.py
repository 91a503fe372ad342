"""A working day in virtual time: how long it takes, and whether it is the same again. Takes about half a minute."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256

from scenarios.load import Overrides, load
from scenarios.schema import Scenario
from simulator.composition import KNOWN
from simulator.rehearsal import rehearse
from tests.tables import Row

HOURS = 8
SHARDS = 2
MOST_S = 10.0


def eight_hours() -> Scenario:
    """Maebashi's ordinary day at its real pace, from half past seven on."""
    scenario = load("ordinary_day", known=KNOWN, overrides=Overrides(compression=1), judged=False)
    day = scenario.day.model_copy(update={"end_s": scenario.day.start_s + HOURS * 3600})
    return scenario.model_copy(update={"day": day})


def rows() -> Iterator[Row]:
    """Two rehearsals of the same day."""
    scenario = eight_hours()
    times, prints = [], set()
    for _ in range(2):
        began = time.perf_counter()
        rehearsed = rehearse(scenario, shards=SHARDS)
        times.append(time.perf_counter() - began)
        prints.add(sha256(rehearsed.samples).hexdigest())
    what = f"rehearsal of `ordinary_day`: {scenario.devices:,} devices, {HOURS} hours, {rehearsed.count:,} samples"
    told = f"{min(times):.1f} s, {'the same bytes' if len(prints) == 1 else 'other bytes'} twice"
    met = min(times) <= MOST_S and len(prints) == 1
    yield Row(what, f"at most {MOST_S:g} s, twice the same bytes", told, met, f"{SHARDS} processes; the faster of two")
