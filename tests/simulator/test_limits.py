"""Which limit a plan would meet, worked out by hand, and what this machine tells of itself."""

from __future__ import annotations

import resource
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from scenarios.targets import PushTarget, Services, Targets
from simulator.composition import What, compose
from simulator.limits import (
    BACKEND_BYTES,
    BROKER_BYTES,
    DEVICE_BYTES,
    ENGINE_BYTES,
    HTTP_BYTES,
    LINE_BYTES,
    RUN_BYTES,
    SPARE_FILES,
    Needs,
    missed,
    slow,
)
from simulator.machine import Machine, fingerprint, is_ours, this_machine
from simulator.plan import forecast, limits_missed, needs_of

# 8 GiB, 20,000 files, the ports that Linux gives
MACHINE = Machine(cores=2, memory_bytes=8 * 2**30, soft_files=1024, files=20_000, ports=28_232, processes=None)
NEEDS = Needs(devices=100_000, engines=6, lines=100_000, http=16_680, http_one_server=16_680, broker=True)


def test_a_hundred_thousand_fit_where_six_engines_share_them() -> None:
    """(100,000 + 16,680) / 6 = 19,446.7, and 64 spare: 19,511 of 20,000. Brokers: 105,000 / 14,116 = 7.4, so eight."""
    assert NEEDS.engine_files == 19_511
    assert NEEDS.brokers(MACHINE) == 8
    assert NEEDS.memory_bytes(MACHINE) == (
        RUN_BYTES + 6 * ENGINE_BYTES + 100_000 * (DEVICE_BYTES + LINE_BYTES) + 8 * BROKER_BYTES + BACKEND_BYTES
        + 16_680 * HTTP_BYTES
    )  # fmt: skip
    assert not list(missed(NEEDS, MACHINE))


def test_each_limit_is_one_line_with_what_to_do() -> None:
    """Each alone, by its first word; the remedy is one that works."""
    (files,) = missed(replace(NEEDS, engines=5), MACHINE)
    assert files.startswith("open files: each of 5 engine(s) needs 23,400 and may have 20,000 (ulimit -Hn)")
    # 116,680 / 19,936 = 5.9
    assert "use --engines 6" in files
    (backend,) = missed(replace(NEEDS, engines=10, http=19_937, http_one_server=5_000), MACHINE)
    assert backend.startswith("open files: the stand-in backend needs 20,001 and may have 20,000")
    assert backend.endswith("raise that limit, spread the arrivals (a lower --compression), or play fewer --devices")
    (backend,) = missed(replace(NEEDS, engines=10, http=19_937, http_one_server=19_937, herd=19_937), MACHINE)
    assert backend.endswith("leave out the operator's act that has 19,937 devices ask at once, or play fewer --devices")
    (memory,) = missed(NEEDS, replace(MACHINE, memory_bytes=2**30))
    assert memory.startswith("memory: all processes together need about")
    assert memory.endswith("play fewer --devices, or free some")
    (tasks,) = missed(NEEDS, replace(MACHINE, processes=50))
    # 16 of the run, 6 x 8 of engines, 9 x 8 of stand-ins
    assert "needs about 136 processes and threads and 50 may still begin" in tasks
    (ports,) = missed(replace(NEEDS, broker=False), MACHINE)
    assert ports.startswith("ports: 1 address(es) of this machine have 28,232 for connections to one target")
    assert "source_addresses under [targets.push]" in ports
    # 4 x 28,232 = 112,928
    assert not list(missed(replace(NEEDS, broker=False, sources=("a", "b", "c", "d")), MACHINE))
    (server,) = missed(replace(NEEDS, http=40_000, http_one_server=28_233, engines=8), replace(MACHINE, files=50_000))
    assert "up to 28,233 are open at the peak" in server


def test_a_machine_that_tells_nothing_misses_nothing() -> None:
    """No figure, no complaint; one broker."""
    silent = Machine(cores=1, memory_bytes=0, soft_files=None, files=None, ports=0, processes=None)
    assert not list(missed(NEEDS, silent))
    assert NEEDS.brokers(silent) == 1
    assert list(NEEDS.told(silent))


@given(lines=st.integers(0, 10**6), http=st.integers(0, 10**5), files=st.integers(200, 10**6))
def test_the_remedy_works(lines: int, http: int, files: int) -> None:
    """With as many engines as the line says no engine lacks files, and with one fewer one does."""
    machine = replace(MACHINE, files=files)
    needs = Needs(devices=lines, engines=1, lines=lines, http=http, http_one_server=0, broker=True)
    said = [line for line in missed(needs, machine) if line.startswith("open files: each")]
    assert bool(said) == (needs.engine_files > files)
    for line in said:
        wanted = int(line.partition("--engines ")[2].partition(",")[0])
        assert replace(needs, engines=wanted).engine_files <= files
        assert replace(needs, engines=wanted - 1).engine_files > files
    if lines:
        shared = lines * 1.05 / needs.brokers(machine)
        assert shared + SPARE_FILES <= files + 1
        assert shared <= machine.ports + 1


def test_a_fleet_that_enrolls_and_boots() -> None:
    """Maebashi's morning: 2,600 lines, an HTTP connection to each of four servers for 40 s; all fit one engine."""
    composition = compose(What())
    expected = forecast(composition, 1)
    needs = needs_of(composition, expected, 1)
    assert needs.lines == 2_600
    # 250 enrollments/s, which is more than lids: 250 x 40 s = 10,000, but there are 2,680 devices
    assert needs.http_one_server == 2_680
    assert needs.http == 4 * 2_680
    # the publish after it: 2,600 online within 9.98 s, each an apply_push
    assert round(expected.peak_starts_per_s, 1) == 260.5
    assert needs.brokers(MACHINE) == 1
    assert not list(missed(needs, MACHINE))


def test_a_named_broker_and_its_ports() -> None:
    """Lines to a named broker come from one address, or from those that the user names; those must be the machine's."""
    composition = compose(What(devices=60_000, targets=["push=mqtt://127.0.0.1:1883"], compression=1))
    assert [line for line in limits_missed(composition, 10) if line.startswith("ports: 1 address(es)")]
    push = PushTarget(url="mqtt://127.0.0.1:1883", source_addresses=("127.0.0.5", "127.0.0.6", "192.0.2.1"))
    named = replace(composition, targets=composition.targets.model_copy(update={"targets": Services(push=push)}))
    assert isinstance(named.targets, Targets)
    found = limits_missed(named, 10)
    # 60,000 x 2,600 / 2,680 lines find a port; the fetches after the publish come from one address all the same
    (fetches,) = (line for line in found if line.startswith("ports"))
    assert "up to 58,209 are open at the peak" in fetches
    assert "leave out the operator's act that has 58,209 devices ask at once" in fetches
    # 192.0.2.0/24 is nobody's (RFC 5737)
    assert [line for line in found if line.startswith("source_addresses")] == [
        "source_addresses: 192.0.2.1 is no address of this machine: name one that `ip address` shows"
    ]


def test_half_the_ports_of_an_address_are_a_warning() -> None:
    """Of 28,232 ports 14,116 go fast: more lines to a named broker are told beforehand, to ours shared out."""
    few = Needs(devices=14_116, engines=2, lines=14_116, http=10, http_one_server=5, broker=False)
    assert not list(slow(few, MACHINE))
    (line,) = slow(replace(few, lines=14_117), MACHINE)
    assert line.startswith("ports: 14,117 push lines to yours are more than half of the 28,232 ")
    assert not list(missed(replace(few, lines=14_117), MACHINE))
    assert not list(slow(replace(few, lines=14_117, sources=("127.0.0.5", "127.0.0.6")), MACHINE))
    assert not list(slow(replace(few, lines=14_117, broker=True), MACHINE))
    # one that cannot be carried at all is refused, and not warned of as well
    assert not list(slow(replace(few, lines=28_233), MACHINE))


def test_this_machine_tells_what_the_system_says() -> None:
    """Limits as getrlimit has them; a fingerprint changes with the version, and with nothing else here."""
    machine = this_machine()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = tuple(None if limit == resource.RLIM_INFINITY else limit for limit in (soft, hard))
    assert (machine.soft_files, machine.files) == told
    assert machine.cores >= 1
    assert machine.memory_bytes > 2**20
    assert fingerprint("1") == fingerprint("1") != fingerprint("2")
    assert is_ours("127.0.0.9")
    assert not is_ours("192.0.2.1")
