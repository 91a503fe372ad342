"""Which limit of a machine a plan would meet: open files, ports, memory, processes. Pure arithmetic.

What a process costs was measured with the shipped processes, on Linux and Python 3.11: `make bench` measures it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from simulator.machine import Machine

# Files that a process has open before its first connection, and some for name resolution and the like.
SPARE_FILES = 64
# Topics fall to brokers by chance, so that one carries somewhat more than its share.
UNEVEN = 1.05
MIB = 2**20
# Resident memory at the start, and what each device or connection adds.
ENGINE_BYTES, DEVICE_BYTES = 90 * MIB, 16 * 1024
BROKER_BYTES, LINE_BYTES = 40 * MIB, 4 * 1024
BACKEND_BYTES, HTTP_BYTES = 120 * MIB, 24 * 1024
RUN_BYTES = 250 * MIB
# Processes and threads: an engine resolves names in a few, the run reads two pipes of each child in threads.
ENGINE_TASKS, CHILD_TASKS, RUN_TASKS = 8, 8, 16


@dataclass(frozen=True, slots=True)
class Needs:
    """What a plan asks of the machine that sends it.

    Attributes:
        devices, engines: how many. lines: push lines held in the end. http: other connections open at the peak, and
            http_one_server, how many of them to one server; herd, how many an operator's act has opened within seconds.
        broker: whether ours stands in for push. sources: addresses of this machine that push lines may come from;
            empty for the one that the system takes.
    """

    devices: int
    engines: int
    lines: int
    http: int
    http_one_server: int
    broker: bool
    herd: int = 0
    sources: Sequence[str] = ()

    @property
    def engine_files(self) -> int:
        """Open files of one engine."""
        return ceil((self.lines + self.http) / self.engines) + SPARE_FILES

    @property
    def backend_files(self) -> int:
        """Open files of the stand-in backend, which every device may speak to."""
        return self.http + SPARE_FILES

    def brokers(self, machine: Machine) -> int:
        """How many stand-in brokers carry the push lines: one holds no more than its files, and half the ports that one
        address has towards it (see slow)."""
        if not self.broker:
            return 0
        rooms = [machine.files - SPARE_FILES] if machine.files is not None else []
        rooms += [machine.ports // 2] if machine.ports else []
        return max(1, ceil(self.lines * UNEVEN / max(1, min(rooms)))) if rooms else 1

    def memory_bytes(self, machine: Machine) -> int:
        """Resident memory of all processes."""
        return (
            RUN_BYTES
            + self.engines * ENGINE_BYTES
            + self.devices * DEVICE_BYTES
            + self.brokers(machine) * BROKER_BYTES
            + (self.lines * LINE_BYTES if self.broker else 0)
            + BACKEND_BYTES
            + self.http * HTTP_BYTES
        )

    def tasks(self, machine: Machine) -> int:
        """Processes and threads of all of it."""
        return RUN_TASKS + self.engines * ENGINE_TASKS + (self.brokers(machine) + 1) * CHILD_TASKS

    def told(self, machine: Machine) -> Iterator[str]:
        """One line each, for a person who plans."""
        brokers = self.brokers(machine)
        carried = f", {ceil(self.lines / brokers) + SPARE_FILES:,} a broker of {brokers}" if brokers else ""
        may = "any number" if machine.files is None else f"{machine.files:,}"
        yield (
            f"open files         {self.engine_files:,} an engine, {self.backend_files:,} the backend{carried};"
            f" {may} allowed"
        )
        yield f"ports              {self.lines + self.http:,}; {machine.ports:,} from one address to one other"
        yield (
            f"memory             {_gib(self.memory_bytes(machine))} ({self.engines} engine(s), {self.devices:,} devices"
            f" x {DEVICE_BYTES // 1024} KiB, stand-ins); free {_gib(machine.memory_bytes)}"
        )


def missed(needs: Needs, machine: Machine) -> Iterator[str]:
    """One line for each limit that the plan would meet: what, where, what it needs, what to do."""
    files = machine.files
    if files is not None and needs.engine_files > files:
        wanted = ceil((needs.lines + needs.http) / max(1, files - SPARE_FILES))
        yield (
            f"open files: each of {needs.engines} engine(s) needs {needs.engine_files:,} and may have {files:,}"
            f" (ulimit -Hn): use --engines {wanted}, or raise that limit"
        )
    if files is not None and needs.backend_files > files:
        yield (
            f"open files: the stand-in backend needs {needs.backend_files:,} and may have {files:,} (ulimit -Hn): raise"
            f" that limit, {_spread(needs)}, or play fewer --devices"
        )
    room = _room(needs, machine)
    if machine.ports and not needs.broker and needs.lines > room:
        yield (
            f"ports: {max(1, len(needs.sources))} address(es) of this machine have {room:,} for connections to one"
            f" target, and the plan holds {needs.lines:,} push lines to yours: name more of this machine's addresses"
            " (source_addresses under [targets.push]), widen net.ipv4.ip_local_port_range, or play fewer --devices"
        )
    if machine.ports and needs.http_one_server > machine.ports:
        yield (
            f"ports: one address of this machine has {machine.ports:,} for connections to one server, and up to"
            f" {needs.http_one_server:,} are open at the peak: widen net.ipv4.ip_local_port_range (sysctl),"
            f" {_spread(needs)}, or play fewer --devices"
        )
    if machine.memory_bytes and (wanted := needs.memory_bytes(machine)) > machine.memory_bytes:
        yield (
            f"memory: all processes together need about {_gib(wanted)} and {_gib(machine.memory_bytes)} are free:"
            " play fewer --devices, or free some"
        )
    if machine.processes is not None and (tasks := needs.tasks(machine)) > machine.processes:
        yield (
            f"processes: the run needs about {tasks:,} processes and threads and {machine.processes:,} may still begin"
            " (ulimit -u, or the container's pids.max): use fewer --engines, or raise that limit"
        )


def slow(needs: Needs, machine: Machine) -> Iterator[str]:
    """One line where more push lines go to a named broker than half of our ports.

    Linux hands out every second port first, and once those are gone looks through all of them in vain at each connect
    (net/ipv4/inet_hashtables.c): 10 us of CPU before, measured, and 1.4 ms after.
    """
    room = _room(needs, machine)
    if machine.ports and not needs.broker and room // 2 < needs.lines <= room:
        yield (
            f"ports: {needs.lines:,} push lines to yours are more than half of the {room:,} that"
            f" {max(1, len(needs.sources))} address(es) of this machine have, and each beyond takes over 1 ms of CPU:"
            " name more of its addresses (source_addresses under [targets.push]), or widen"
            " net.ipv4.ip_local_port_range"
        )


def _spread(needs: Needs) -> str:
    """How fewer connections are open at once: no compression touches what an act of the operator brings about."""
    if 0 < needs.http_one_server <= needs.herd:
        return f"leave out the operator's act that has {needs.herd:,} devices ask at once"
    return "spread the arrivals (a lower --compression)"


def _room(needs: Needs, machine: Machine) -> int:
    """How many connections to one target the addresses that push lines come from have ports for."""
    return machine.ports * max(1, len(needs.sources))


def _gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
