"""Other processes as tests look at them: who descends from whom, who lives, what they say, and waiting for it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
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


def announced(lines: Iterable[str]) -> dict[str, str]:
    """What `fleetrush backend` says on its standard output once it is up: each service's address, and its tokens."""
    said: dict[str, str] = {}
    for line in lines:
        name, value = line.split()[:2]
        said[name] = value
        if name == "enrollment":
            return said
    raise AssertionError(f"the backend did not start: {said}")


def peak_mib() -> float:
    """The most memory that this process itself had resident (proc(5), VmHWM); getrusage(2) also counts what its parent
    had when it was started."""
    told = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    assert told is not None
    return int(told[1]) / 1024
