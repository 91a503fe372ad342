"""The `doctor` command: what this machine is, whether it is fit to measure with, and what to do where it is not.

Every finding is one line, from one row of CHECKS. It plays nothing; with --measure the shipped engines do (measure.py).
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from simulator import ceiling
from simulator.ceiling import Ceiling
from simulator.children import ChildFailed
from simulator.composition import What, compose
from simulator.errors import UserError
from simulator.health import cores_ms, pressure_ms, rss_mib
from simulator.machine import Machine, fingerprint, processor, this_machine, total_memory_bytes
from simulator.plan import limits_missed, warnings
from simulator.secretfile import state_folder

MISSED, UNFIT = 2, 4
FILES, PORTS = 20_000, 28_000
MEMORY_BYTES = 2 * 2**30
PAUSE_MS = 10.0
STEAL_SHARE, PRESSURE_SHARE = 0.02, 0.3
CLOCK_NS = 1_000
LOOK_S = 2.0
_NAP_S = 0.005
_CLOCK = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
_PACKAGES = ("locust", "uvloop", "aiomqtt", "numpy", "httptools")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was found, and what to do about it ("" where nothing has to be done)."""

    what: str
    advice: str = ""


def _cores(machine: Machine) -> Finding:
    found = f"{machine.cores}, {processor() or 'of an unknown make'}"
    few = "engine and stand-ins share it: name targets on other machines, or use one with two cores or more"
    return Finding(found, few if machine.cores < 2 else "")


def _memory(machine: Machine) -> Finding:
    if not machine.memory_bytes:
        return Finding("this system does not tell", "plan and run cannot say whether a fleet fits")
    free = f"{machine.memory_bytes / 2**30:.1f} GiB free of {total_memory_bytes() / 2**30:.1f}"
    return Finding(
        free, "free some: a run of Maebashi needs about 1 GiB" if machine.memory_bytes < MEMORY_BYTES else ""
    )


def _files(machine: Machine) -> Finding:
    may = "any number" if machine.files is None else f"{machine.files:,}"
    few = machine.files is not None and machine.files < FILES
    advice = f"raise the hard limit to {FILES:,} or more (ulimit -Hn, or LimitNOFILE=), or use more --engines"
    return Finding(f"{may} a process; we raise the soft limit ourselves", advice if few else "")


def _ports(machine: Machine) -> Finding:
    few = 0 < machine.ports < PORTS
    advice = 'widen it: sysctl net.ipv4.ip_local_port_range="32768 60999"'
    return Finding(f"{machine.ports:,} from one address to one other", advice if few else "")


def _processes(machine: Machine) -> Finding:
    may = "any number" if machine.processes is None else f"{machine.processes:,} more"
    few = machine.processes is not None and machine.processes < 100
    return Finding(may, "raise the limit (ulimit -u, or the container's pids.max)" if few else "")


def _clock(machine: Machine) -> Finding:
    """The source of time, and what a look at it costs: every step is stamped four times."""
    rounds = 20_000
    began = time.perf_counter_ns()
    for _ in range(rounds):
        time.monotonic()
    cost_ns = (time.perf_counter_ns() - began) / rounds
    source = _text(_CLOCK) or "unknown source"
    slow = "a look at the clock is a system call here: let the kernel use tsc, kvm-clock or arch_sys_counter"
    return Finding(f"{source}, {cost_ns:.0f} ns a look", slow if cost_ns > CLOCK_NS else "")


def _quiet(machine: Machine) -> Finding:
    """How still the machine is while nothing of ours runs."""
    cores = frozenset(os.sched_getaffinity(0))
    busy, idle, stolen = cores_ms(cores)
    pressure, began = pressure_ms(), time.monotonic()
    worst_s = 0.0
    while (now := time.monotonic()) - began < LOOK_S:
        time.sleep(_NAP_S)
        worst_s = max(worst_s, time.monotonic() - now - _NAP_S)
    spent = [after - before for before, after in zip((busy, idle, stolen), cores_ms(cores), strict=True)]
    share = spent[2] / max(1.0, sum(spent))
    pressed = (pressure_ms() - pressure) / 1000 / LOOK_S
    told = (
        f"worst pause {worst_s * 1000:.1f} ms, {share:.1%} of the cores taken by others (steal),"
        f" tasks waited for a core {pressed:.0%} of {LOOK_S:g} s"
    )
    noisy = worst_s * 1000 > PAUSE_MS or share > STEAL_SHARE or pressed > PRESSURE_SHARE
    return Finding(told, "something else uses this machine: end it, or measure elsewhere" if noisy else "")


def _python(machine: Machine) -> Finding:
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    return Finding(f"{platform.python_version()}, fleetrush {version('fleetrush')}, {packages}")


def _broker(machine: Machine) -> Finding:
    place = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    return Finding(
        f"{place}: --broker mosquitto can be used" if place else "not installed; the embedded broker is used"
    )


def _state(machine: Machine) -> Finding:
    folder = state_folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    advice = f"let it be written, or say another in XDG_STATE_HOME: generated passwords are kept in {folder}"
    return Finding(str(folder), "" if os.access(there, os.W_OK | os.X_OK) else advice)


def _figures(machine: Machine) -> Finding:
    """What the trust gate reads of our own processes."""
    needed = ("/proc/self/schedstat", "/proc/self/statm", "/proc/stat", "/proc/pressure/cpu")
    missing = [path for path in needed if not _text(Path(path))]
    told = f"{len(needed) - len(missing)} of {len(needed)} there, {rss_mib():.0f} MiB resident now"
    advice = f"{', '.join(missing)} cannot be read: a machine that cannot keep up is found out by lateness alone"
    return Finding(told, advice if missing else "")


CHECKS: dict[str, Callable[[Machine], Finding]] = {
    "cores": _cores,
    "memory": _memory,
    "open files": _files,
    "ports": _ports,
    "processes": _processes,
    "clock": _clock,
    "quiet": _quiet,
    "python": _python,
    "mosquitto": _broker,
    "state folder": _state,
    "kernel figures": _figures,
}


def doctor(what: What, engines: int, measure_s: int | None) -> int:
    """Print one line a finding, then whether the plan fits this machine.

    Args:
        measure_s: how long a ramp of the measurement is; None: none is made.
    Returns: 0; 4 when something needs attention, so that what is measured here may not be trusted; 2 when the plan
        cannot be played here.
    """
    machine = this_machine()
    unfit = False
    for name, check in CHECKS.items():
        found = check(machine)
        unfit |= bool(found.advice)
        _tell(name, found)
    mark = fingerprint(version("fleetrush"))
    if measure_s is not None:
        _measure(machine, mark, measure_s)
    kept = ceiling.kept(mark)
    for line in measured(kept, machine):
        print(line)
    composition = compose(what, judged=False)
    missed = limits_missed(composition, engines)
    print(f"{'plan':<15} {composition.scenario.name}, {composition.scenario.devices:,} devices, {engines} engine(s)")
    for line in missed:
        print(f"{'':<15} cannot be played: {line}")
    near = [] if missed else warnings(composition, engines)
    for line in near:
        print(f"{'':<15} attention: {line}")
    if not missed and not near:
        print(f"{'':<15} ok: fits")
    return MISSED if missed else UNFIT if unfit or near else 0


def measured(kept: Ceiling | None, machine: Machine) -> Iterator[str]:
    """What a kept measurement says."""
    if kept is None:
        yield f"{'measured':<15} nothing yet: {ceiling.MEASURE} finds in under a minute what this machine can drive"
        return
    lines = "any number of" if machine.files is None else f"up to {machine.files - 64:,}"
    least = "at least " if kept.starts_at_least else ""
    yield f"{'measured':<15} {kept.measured}, in {kept.took_s:.0f} s, kept in {ceiling.path()}"
    for engines, whose in (
        (1, "an engine with a core to itself"),
        (kept.engines, f"{kept.engines} engine(s), a core each"),
    ):
        worked_out = f"worked out from {kept.step_ms(engines):.2f} ms a step"
        yield f"{'':<15} {kept.steps_of(engines):,.0f} steps/s of {whose}, {worked_out}"
    yield f"{'':<15} {least}{kept.starts_per_s:,.0f} starts/s of an engine within {kept.lateness_ms:g} ms"
    yield f"{'':<15} {kept.opened_per_s:,.0f} push lines/s opened by an engine, which may hold {lines} (its open files)"


def _measure(machine: Machine, mark: str, ramp_s: int) -> None:
    # imported here alone: it lets Locust patch the interpreter
    from simulator.measure import measure

    def say(line: str) -> None:
        print(f"{'measuring':<15} {line}", flush=True)

    try:
        ceiling.keep(measure(machine, mark, ramp_s, say))
    except ChildFailed as failed:
        raise UserError(f"the measurement could not be made: {failed}") from None


def _tell(name: str, found: Finding) -> None:
    print(f"{name:<15} {'attention' if found.advice else 'ok':<9} {found.what}")
    if found.advice:
        print(f"{'':<15} {'':<9} -> {found.advice}")
    sys.stdout.flush()


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
