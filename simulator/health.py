"""How our own processes and their machine fare, second by second: what the loop, the processor and the clocks did.

It reads the machine's clocks and /proc, and judges nothing: that is for reports.trust.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

TICK_S = 0.02
PAUSE_MS = 100.0
"""From here on a lag of the loop is told by itself, with what the process did meanwhile."""
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_JIFFY_MS = 1000 / os.sysconf("SC_CLK_TCK")


def run_queue_ms() -> float:
    """Milliseconds that the main thread of this process waited for a core so far (/proc/self/schedstat, field 2).

    0 where the kernel does not tell.
    """
    try:
        return int(os.pread(_schedstat(), 100, 0).split()[1]) / 1e6
    except (OSError, IndexError, ValueError):
        return 0.0


@cache
def _schedstat() -> int:
    """Kept open: it is read at every tick of a loop's watch, and a process may run out of descriptors."""
    return os.open("/proc/self/schedstat", os.O_RDONLY | os.O_CLOEXEC)


def rss_mib() -> float:
    """Resident memory of this process in MiB (/proc/self/statm, field 2); 0 where the kernel does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MIB
    except (OSError, IndexError, ValueError):
        return 0.0


class Spent:
    """What this process and its machine's clocks did since it was last asked."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._cpu_s, self._queued_ms = time.process_time(), run_queue_ms()
        self._clocks = _clocks()

    def row(self) -> dict[str, float]:
        """`span_s` is since the last row; in it the process had a core for `cpu_ms` and waited for one `runqueue_ms`.

        `wall_ms` and `asleep_ms` are how far the wall clock was set, and how far the boot-time clock, which goes on
        while a machine sleeps, left the monotonic one behind; both are 0 but for a fraction.
        """
        at, cpu_s, queued_ms, clocks = time.monotonic(), time.process_time(), run_queue_ms(), _clocks()
        row = {
            "span_s": round(at - self._at, 3),
            "cpu_ms": round((cpu_s - self._cpu_s) * 1000, 1),
            "runqueue_ms": round(queued_ms - self._queued_ms, 1),
            "wall_ms": round((clocks[0] - self._clocks[0]) * 1000, 1),
            "asleep_ms": round((clocks[1] - self._clocks[1]) * 1000, 1),
        }
        self._at, self._cpu_s, self._queued_ms, self._clocks = at, cpu_s, queued_ms, clocks
        return row


def _clocks() -> tuple[float, float]:
    """The wall clock before the boot-time one, and that before the monotonic one, in seconds.

    Of three readings, the one that was interrupted least.
    """
    readings = []
    for _ in range(3):
        before = time.monotonic()
        wall, boot = time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
        readings.append((time.monotonic() - before, wall - boot, boot - before))
    return min(readings)[1:]


class Health:
    """Watches the running loop and tells once a second, and once more when it is stopped.

    Args:
        who: the process, as the report names it.
        now: the run clock.
        tell: takes one row: t, who, loop_lag_ms (the worst), rss_mib, Spent's and `more()`. `pauses`, where there were
            any: for each lag of PAUSE_MS or more [how many seconds before `t` it ended, its ms, and of these the ms in
            which the process had a core, and waited for one].
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
        self._spent = Spent()
        self._lag_s = 0.0
        self._pauses: list[tuple[float, float, float, float]] = []
        self._next_row = now() + 1.0
        self._arm()

    def stop(self) -> None:
        """Watch no more."""
        self._timer.cancel()
        self._row()

    def _arm(self) -> None:
        self._before = time.process_time(), run_queue_ms()
        self._expected = time.monotonic() + TICK_S
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        lag_s = time.monotonic() - self._expected
        self._lag_s = max(self._lag_s, lag_s)
        if lag_s * 1000 >= PAUSE_MS:
            cpu_s, queued_ms = self._before
            ran_ms, waited_ms = (time.process_time() - cpu_s) * 1000, run_queue_ms() - queued_ms
            self._pauses.append((self._now(), lag_s * 1000, ran_ms, waited_ms))
        if self._now() >= self._next_row:
            self._row()
        self._arm()

    def _row(self) -> None:
        now = self._now()
        pauses = [[round(now - at, 3), *(round(ms, 1) for ms in told)] for at, *told in self._pauses]
        self._tell(
            {
                "t": round(now, 3),
                "who": self._who,
                "loop_lag_ms": round(max(0.0, self._lag_s) * 1000, 2),
                **self._spent.row(),
                **({"pauses": pauses} if pauses else {}),
                "rss_mib": round(rss_mib(), 1),
                **self._more(),
            }
        )
        self._lag_s, self._pauses = 0.0, []
        self._next_row = max(self._next_row + 1.0, now)


class MachineHealth:
    """How the run's own process and the machine as a whole fare; asked for a row once a second."""

    def __init__(self, who: str) -> None:
        self._who = who
        self._spent = Spent()
        self._cores = frozenset(os.sched_getaffinity(0))
        self._machine = self._read()

    def row(self, now: float) -> dict[str, Any]:
        """The figures since the last row, Spent's among them.

        `pressure_ms` is how long any task of the machine waited for a core. Of the `cores` that we may use,
        `others_ms` went to programs that are not of this run, `stolen_ms` to others on the machine's host, and
        `idle_ms` to nobody, in milliseconds of a core.
        """
        machine = self._read()
        told = {key: round(machine[key] - before, 1) for key, before in self._machine.items()}
        self._machine = machine
        return {
            "t": round(now, 3),
            "who": self._who,
            **self._spent.row(),
            "rss_mib": round(rss_mib(), 1),
            "cores": len(self._cores),
            **told,
        }

    def _read(self) -> dict[str, float]:
        busy_ms, idle_ms, stolen_ms = cores_ms(self._cores)
        return {
            "pressure_ms": pressure_ms(),
            "others_ms": busy_ms - ours_ms(os.getpid()),
            "stolen_ms": stolen_ms,
            "idle_ms": idle_ms,
        }


def pressure_ms() -> float:
    """Milliseconds for which some task of the machine waited for a core so far (/proc/pressure/cpu, some, total).

    0 where the kernel does not tell.
    """
    try:
        return int(Path("/proc/pressure/cpu").read_text().split("\n", 1)[0].rpartition("total=")[2]) / 1000
    except (OSError, ValueError):
        return 0.0


def cores_ms(cores: frozenset[int]) -> tuple[float, float, float]:
    """Milliseconds of these cores so far in which programs ran, nobody, and others on the host (proc_stat(5), cpuN).

    What the kernel does for devices (irq, softirq) is nobody's.
    """
    busy = idle = stolen = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, _, figures = line.partition(" ")
        if name.startswith("cpu") and name != "cpu" and int(name[3:]) in cores:
            user, nice, system, rest, iowait, _, _, steal, *_ = map(int, figures.split())
            busy, idle, stolen = busy + user + nice + system, idle + rest + iowait, stolen + steal
    return busy * _JIFFY_MS, idle * _JIFFY_MS, stolen * _JIFFY_MS


def ours_ms(pid: int) -> float:
    """Milliseconds of a core that a process, all that descend from it, and those that they saw end have had so far."""
    try:
        # the name in the second field may hold anything, a ")" too (proc_pid_stat(5))
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        told = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return 0.0  # it ended meanwhile, and its parent has its time
    return sum(map(int, fields[11:15])) * _JIFFY_MS + sum(ours_ms(int(child)) for child in " ".join(told).split())
