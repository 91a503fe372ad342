"""What processes tell of themselves and their machine, held against work really done and clocks set by hand."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simulator import health
from simulator.health import PAUSE_MS, TICK_S, Health, Spent, cores_ms, ours_ms

WORK_S = 0.2
WORK = f"import time\nwhile time.process_time() < {WORK_S}: pass\nprint(flush=True)\ninput()"
JIFFY_MS = 1000 / os.sysconf("SC_CLK_TCK")


def _work() -> None:
    end = time.process_time() + WORK_S
    while time.process_time() < end:
        pass


async def _watched(doing: Any) -> list[dict[str, Any]]:
    """The rows of a loop in which that was called."""
    rows: list[dict[str, Any]] = []
    watch = Health("engine-0", time.monotonic, rows.append, lambda: {"online": 3})
    doing()
    # a timer that is due runs in the turn after this one
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    watch.stop()
    return rows


def test_a_pause_is_told_with_what_held_it() -> None:
    """A loop that computes for WORK_S lags at least so long, a tick at most apart, and had a core all the while."""
    (row,) = asyncio.run(_watched(_work))
    ((ago_s, lag_ms, ran_ms, waited_ms),) = row["pauses"]
    assert lag_ms >= (WORK_S - TICK_S) * 1000
    assert lag_ms >= PAUSE_MS
    assert ran_ms >= WORK_S * 1000
    assert waited_ms >= 0
    assert 0 <= ago_s <= row["span_s"]
    assert row["loop_lag_ms"] == pytest.approx(lag_ms, abs=0.1)
    assert (row["who"], row["online"]) == ("engine-0", 3)


def test_a_short_stop_tells_a_row_without_pauses() -> None:
    """Whatever the length of its last stretch, its row says how long it was."""
    (row,) = asyncio.run(_watched(lambda: None))
    assert "pauses" not in row or row["loop_lag_ms"] >= PAUSE_MS
    assert row["span_s"] >= 0


class Clocks:
    """Three clocks set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monotonic = self.boot = 1000.0
        self.wall = 1.7e9
        monkeypatch.setattr(health.time, "monotonic", lambda: self.monotonic)
        monkeypatch.setattr(health.time, "time", lambda: self.wall)
        monkeypatch.setattr(health.time, "clock_gettime", lambda which: self.boot)

    def pass_by(self, monotonic: float, boot: float, wall: float) -> None:
        """Seconds of each."""
        self.monotonic, self.boot, self.wall = self.monotonic + monotonic, self.boot + boot, self.wall + wall


@pytest.mark.parametrize(
    ("passed", "wall_ms", "asleep_ms"),
    [
        ((1.0, 1.0, 1.0), 0.0, 0.0),
        ((1.0, 1.0, 4.2), 3200.0, 0.0),
        ((1.0, 1.0, -1.0), -2000.0, 0.0),
        # a machine that slept an hour: its monotonic clock stood still, the others did not
        ((1.0, 3601.0, 3601.0), 0.0, 3_600_000.0),
    ],
)
def test_clocks_are_held_against_each_other(
    monkeypatch: pytest.MonkeyPatch, passed: tuple[float, float, float], wall_ms: float, asleep_ms: float
) -> None:
    """A second by all three is nothing; one that was set and a machine that slept are told apart, and once."""
    clocks = Clocks(monkeypatch)
    spent = Spent()
    clocks.pass_by(*passed)
    row = spent.row()
    assert (row["span_s"], row["wall_ms"], row["asleep_ms"]) == (1.0, wall_ms, asleep_ms)
    again = spent.row()
    assert (again["span_s"], again["wall_ms"], again["asleep_ms"]) == (0.0, 0.0, 0.0)


def test_ours_is_what_descends_from_us_dead_or_alive() -> None:
    """A child's work counts while it lives, and stays counted when it has ended."""
    before_ms = ours_ms(os.getpid())
    child = subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    alive_ms = ours_ms(os.getpid())
    child.communicate(b"\n")
    ended_ms = ours_ms(os.getpid())
    least_ms = WORK_S * 1000 - 4 * JIFFY_MS
    assert alive_ms - before_ms >= least_ms
    assert ended_ms - before_ms >= least_ms
    assert ours_ms(child.pid) == 0


def _all_cores() -> float:
    """Milliseconds of user, nice, system, idle, iowait and steal in the kernel's own sum over the cores."""
    first = Path("/proc/stat").read_text().partition("\n")[0]
    user, nice, system, idle, iowait, _, _, steal, *_ = map(int, first.split()[1:])
    return (user + nice + system + idle + iowait + steal) * JIFFY_MS


def test_cores_add_up_to_the_kernels_own_sum() -> None:
    """All cores together are its first line, but for what is cut off of each figure; no core is nothing."""
    online = frozenset(int(path.name[3:]) for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*"))
    before = _all_cores()
    told = sum(cores_ms(online))
    assert before - 6 * len(online) * JIFFY_MS <= told <= _all_cores() + JIFFY_MS
    assert cores_ms(frozenset()) == (0, 0, 0)
