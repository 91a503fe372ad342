"""What this machine gives a run: cores, memory, open files, ports, processes; and what it is, for a later look at it.

It reads the system and changes one thing, on demand: how many files this process may open. It judges nothing.
"""

from __future__ import annotations

import os
import platform
import resource
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """What it gives now; None (0 for ports and memory) where it does not tell or sets no limit.

    Attributes:
        cores: that this process may use. memory_bytes: free for new processes, whichever of machine and container is
            shorter. soft_files, files: that one process may open as it is, and after raising that itself.
        ports: for connections from one address to one other. processes: threads count too; those that may still begin.
    """

    cores: int
    memory_bytes: int
    soft_files: int | None
    files: int | None
    ports: int
    processes: int | None


def this_machine() -> Machine:
    """Look at it."""
    soft, hard = (_bounded(limit) for limit in resource.getrlimit(resource.RLIMIT_NOFILE))
    return Machine(
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=min(_memory(), default=0),
        soft_files=soft,
        files=hard,
        ports=ephemeral_ports(),
        processes=min(_processes(), default=None),
    )


def allow_descriptors() -> None:
    """Let this process and its children open as many files as the system lets them: a connection is one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def ephemeral_ports() -> int:
    """How many ports this machine gives to outgoing connections of one address; 0 where it does not tell."""
    try:
        low, high = EPHEMERAL.read_text().split()
    except (OSError, ValueError):
        return 0
    return int(high) - int(low) + 1


def is_ours(address: str) -> bool:
    """Whether connections can come from that address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def processor() -> str:
    """The name of the processor's model."""
    with suppress(OSError), open("/proc/cpuinfo") as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return platform.processor()


def total_memory_bytes() -> int:
    """All memory of the machine; 0 where it does not tell."""
    return _meminfo("MemTotal")


def fingerprint(version: str) -> str:
    """What a measurement is good for: this machine with that version of fleetrush; another one, another text."""
    gib = round(total_memory_bytes() / 2**30)
    cores = len(os.sched_getaffinity(0))
    told = (platform.node(), processor(), cores, gib, platform.release(), platform.python_version(), version)
    return sha256(repr(told).encode()).hexdigest()[:16]


def _bounded(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _memory() -> Iterator[int]:
    """What the machine, and the container, still have."""
    if free := _meminfo("MemAvailable"):
        yield free
    yield from _container("memory")


def _processes() -> Iterator[int]:
    yield from _container("pids")
    most = _bounded(resource.getrlimit(resource.RLIMIT_NPROC)[1])
    # root is held by no RLIMIT_NPROC (setrlimit(2)); how many a user has already, nobody tells cheaply
    if most is not None and os.geteuid():
        yield most


def _container(what: str) -> Iterator[int]:
    """What a control group of version 2 leaves of something it limits (cgroup-v2: X.max, X.current)."""
    with suppress(OSError, ValueError):
        most = int((CGROUP / f"{what}.max").read_text())
        yield most - int((CGROUP / f"{what}.current").read_text())


def _meminfo(key: str) -> int:
    with suppress(OSError), MEMINFO.open() as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if name == key:
                return int(rest.split()[0]) * 1024
    return 0
