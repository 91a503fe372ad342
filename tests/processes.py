"""Other processes as tests look at them: who descends from whom, who lives, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_for(what: str, seconds: float, condition: Callable[[], object]) -> None:
    """Poll a condition on another process, which has no way to tell us, for a bounded time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def descendants(pid: int) -> list[int]:
    """All processes that descend from one, by what the kernel says."""
    found = []
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            direct = [int(text) for text in child.read_text().split()]
        except OSError:
            continue
        for one in direct:
            found += [one, *descendants(one)]
    return found


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
