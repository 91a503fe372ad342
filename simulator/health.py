"""How one of our own processes fares, second by second: loop lag, processor, run-queue wait, memory.

It reads a monotonic clock and /proc of this process, and judges nothing: that is for reports.trust.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TICK_S = 0.05
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


def run_queue_ms() -> float:
    """Milliseconds that the threads of this process waited for a core so far (/proc/self/schedstat, field 2).

    0 where the kernel does not tell.
    """
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e6
    except (OSError, IndexError, ValueError):
        return 0.0


def rss_mib() -> float:
    """Resident memory of this process in MiB (/proc/self/statm, field 2); 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MIB
    except (OSError, IndexError, ValueError):
        return 0.0


class Health:
    """Watches the running loop and tells once a second.

    Args:
        who: the process, as the report names it.
        now: the run clock.
        tell: takes one row: t, who, loop_lag_ms (the worst of the second), cpu_ms, runqueue_ms, rss_mib, and `more()`.
        more: further figures of this process.
    """

    def __init__(
        self,
        who: str,
        now: Callable[[], float],
        tell: Callable[[dict[str, Any]], None],
        more: Callable[[], dict[str, Any]],
    ) -> None:
        self._who, self._now, self._tell, self._more = who, now, tell, more
        self._loop = asyncio.get_running_loop()
        self._cpu_s = time.process_time()
        self._queued_ms = run_queue_ms()
        self._lag_s = 0.0
        self._next_row = now() + 1.0
        self._expected = time.monotonic() + TICK_S
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """Watch no more."""
        self._timer.cancel()

    def _tick(self) -> None:
        woke = time.monotonic()
        self._lag_s = max(self._lag_s, woke - self._expected)
        if self._now() >= self._next_row:
            self._row()
        self._expected = time.monotonic() + TICK_S
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _row(self) -> None:
        cpu_s, queued_ms, now = time.process_time(), run_queue_ms(), self._now()
        self._tell(
            {
                "t": round(now, 3),
                "who": self._who,
                "loop_lag_ms": round(max(0.0, self._lag_s) * 1000, 2),
                "cpu_ms": round((cpu_s - self._cpu_s) * 1000, 1),
                "runqueue_ms": round(queued_ms - self._queued_ms, 1),
                "rss_mib": round(rss_mib(), 1),
                **self._more(),
            }
        )
        self._cpu_s, self._queued_ms, self._lag_s = cpu_s, queued_ms, 0.0
        self._next_row = max(self._next_row + 1.0, now)


class MachineHealth:
    """How the run's own process and the machine as a whole fare; asked for a row once a second."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._cpu_s = time.process_time()
        self._queued_ms = run_queue_ms()
        self._pressure_ms = pressure_ms()

    def row(self, now: float) -> dict[str, Any]:
        """The figures since the last row; `pressure_ms` is how long any task of the machine waited for a core."""
        cpu_s, queued_ms, waited_ms = time.process_time(), run_queue_ms(), pressure_ms()
        row = {
            "t": round(now, 3),
            "who": self._who,
            "cpu_ms": round((cpu_s - self._cpu_s) * 1000, 1),
            "runqueue_ms": round(queued_ms - self._queued_ms, 1),
            "rss_mib": round(rss_mib(), 1),
            "pressure_ms": round(waited_ms - self._pressure_ms, 1),
        }
        self._cpu_s, self._queued_ms, self._pressure_ms = cpu_s, queued_ms, waited_ms
        return row


def pressure_ms() -> float:
    """Milliseconds for which some task of the machine waited for a core so far (/proc/pressure/cpu, some, total).

    0 where the kernel does not tell.
    """
    try:
        return int(Path("/proc/pressure/cpu").read_text().split("\n", 1)[0].rpartition("total=")[2]) / 1000
    except (OSError, ValueError):
        return 0.0
