"""One engine that begins journeys, in a process of its own: how late each step is sent.

`python -m tests.benchmarks.starting FOLDER URL RATE SECONDS`. The starts of a timetable, as many a second and each at
an instant of its own, go through the agenda and the player; the journey is `sync_policy`, as its timer would begin it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import numpy as np
import uvloop

from reports.record import SAMPLE
from scenarios.targets import Targets
from simulator import pipe
from simulator.agenda import Start
from simulator.engine import FLUSH_S, RealClock, Sockets, settle_memory
from simulator.health import run_queue_ms
from simulator.player import Player
from tests.benchmarks.one_engine import device_of, world_of
from tests.benchmarks.registered import read

LEAD_S = 1.0
SEED = 20260401


async def play(folder: Path, url: str, rate: int, seconds: float) -> None:
    """Play, and tell: the lateness of all steps in milliseconds by percentile, the CPU used, the wait for a core."""
    registered = read(folder, url)
    # each device begins about once a second
    world = world_of(url, RealClock(time.monotonic() + LEAD_S, time.time() + LEAD_S), rate)
    sockets = Sockets(Targets())
    devices = {row: device_of(world, sockets, row, registered[row % len(registered)]) for row in range(rate)}
    dues = np.sort(np.random.default_rng(SEED).uniform(0.0, seconds, round(rate * seconds)))
    for number, due in enumerate(dues.tolist()):
        world.agenda.put(Start(due, number % rate, "sync_policy", "planned"))
    player = Player(world, lambda row: devices[row].wire, devices)
    settle_memory()
    used, queued_ms, parts = time.process_time(), run_queue_ms(), []
    player.begin()
    while world.clock.now() < seconds or not player.at_rest:
        await asyncio.sleep(FLUSH_S)
        parts.append(world.tape.take())
        pipe.frame(pipe.SAMPLES, parts[-1])
    used, queued_ms = time.process_time() - used, run_queue_ms() - queued_ms
    await player.stop()
    await sockets.close()
    samples = np.frombuffer(b"".join([*parts, world.tape.take()]), SAMPLE)
    if len(samples) != len(dues) or samples["outcome"].any():
        raise RuntimeError(f"{len(samples)} of {len(dues)} steps, {np.count_nonzero(samples['outcome'])} not ok")
    late_ms = (samples["sent"] - samples["able"]) * 1000
    percentiles = {name: float(np.percentile(late_ms, at)) for name, at in (("p50", 50), ("p99", 99), ("p99.9", 99.9))}
    print(
        json.dumps(
            {
                **percentiles,
                "max": float(late_ms.max()),
                "starts": len(dues),
                "cpu_s": used,
                "queued_s": queued_ms / 1000,
            }
        )
    )


if __name__ == "__main__":
    uvloop.run(play(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
