"""How a device is at an instant of its day, from the seed: load, memory, heat, battery, disk, network.

Pure: what is drawn belongs to an instant, so that two reports that speak of the same instant say the same. Times are
city seconds since the boot unless they say otherwise. What is told to whom is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

from simulator.protocols.management_status import Battery, Disk, Network, Sample

# A purpose and a number of it -> this device's number in [0, 1) for both (see draw.draw).
Chance = Callable[[str, int], float]

SAMPLE_EVERY_S = 120.0  # device_status_collector.cc, kResourceUsageSampleIntervalSeconds
SAMPLES = 10  # device_status_collector.h, kMaxResourceUsageSamples

_GIB = 2**30
_SLOT_S = 900.0
_AWAY = 0.15
_HOUR_S = 3600.0


def _share(chance: Chance, slot: int) -> float:
    """For how much of a quarter of an hour a person is at the device: in every seventh or so for none of it."""
    u = chance("use", slot)
    return 0.0 if slot > 0 and u < _AWAY else 0.4 + 0.6 * u


def active_s(chance: Chance, from_s: float, to_s: float) -> float:
    """Of the time between two instants, how much somebody used the device. Additive, and never more than all of it."""
    active, slot = 0.0, int(from_s // _SLOT_S)
    while from_s < to_s:
        end_s = min(to_s, (slot + 1) * _SLOT_S)
        active += (end_s - from_s) * _share(chance, slot)
        from_s, slot = end_s, slot + 1
    return active


def cpu_pct(chance: Chance, at_s: float) -> int:
    """The CPU's load: some at rest, more in use, now and then nearly all, and all of it while a session starts."""
    number, slot = int(at_s // SAMPLE_EVERY_S), int(at_s // _SLOT_S)
    u = chance("cpu", number)
    start = 40 * max(0.0, 1 - at_s / 300)
    return min(100, int(3 + 25 * u * _share(chance, slot) + 55 * u**6 + start))


def ram_available(chance: Chance, at_s: float, total: int) -> int:
    """Bytes that can be had: less and less as pages are opened over the first hours, never less than a twelfth."""
    number = int(at_s // SAMPLE_EVERY_S)
    opened = 0.45 * min(1.0, at_s / (4 * _HOUR_S)) * (0.6 + 0.4 * chance("pages", 0))
    return int(total * max(1 / 12, 0.72 - opened - 0.12 * chance("ram", number)))


def samples(chance: Chance, at_s: float, total: int, stamp_ms: Callable[[float], int]) -> tuple[Sample, ...]:
    """The last ten samples, from the boot on one every 120 s.

    Args:
        total: bytes of memory.
        stamp_ms: city seconds since the boot -> Unix milliseconds.
    """
    last = int(at_s // SAMPLE_EVERY_S)
    instants = [number * SAMPLE_EVERY_S for number in range(max(0, last - SAMPLES + 1), last + 1)]
    return tuple(
        Sample(stamp_ms(instant), cpu_pct(chance, instant), ram_available(chance, instant, total))
        for instant in instants
    )


def cpu_celsius(chance: Chance, at_s: float, cores: int = 2) -> tuple[int, ...]:
    """Of the package and of each core, which is a little cooler."""
    number = int(at_s // SAMPLE_EVERY_S)
    package = int(37 + 0.4 * cpu_pct(chance, at_s) + 6 * chance("heat", number))
    return (package, *(package - int(5 * chance(f"core {core}", number)) for core in range(cores)))


def disk(chance: Chance, at_s: float, run_s: float, *, kind: str, model: str, size_gb: int, serial: int) -> Disk:
    """The disk: its data partition fills slowly, what was read and written since the boot only grows.

    Args:
        run_s: city seconds since the run began: what fills the disk is not lost with a boot.
        kind: nvme or mmc. size_gb: 10^9 bytes.
    """
    size = size_gb * 10**9
    total = size - 14 * _GIB  # two systems of 4 GiB, their kernels, firmware and the file system's own
    used = total * (0.12 + 0.5 * chance("disk used", 0)) + run_s / _HOUR_S * 8e6 * (1 + 4 * chance("fill", 0))
    return Disk(
        model=model,
        serial=str(serial),
        kind=f"block:{kind}",
        size=size,
        partition_total=total,
        partition_free=max(0, int(total - used)),
        read=int(9e8 + 4e8 * chance("read", 0) + at_s * 4e5 * (0.5 + chance("read", 1))),
        written=int(2e8 + 1e8 * chance("written", 0) + at_s * 1.5e5 * (0.5 + chance("written", 1))),
        worn=1 + int(3 * chance("worn", 0)) if kind == "mmc" else 0,
    )


_FULL, _LOW = 1.0, 0.2
_CHARGE_S, _DRAIN_S = 2.5 * _HOUR_S, 9 * _HOUR_S


def battery(
    chance: Chance,
    run_s: float,
    *,
    plugged: bool,
    design_mah: int,
    design_mv: int,
    years: float,
    serial: int,
    maker: str,
) -> Battery:
    """The battery, which ages: charging at a desk until it is full; elsewhere drained, and plugged in when it is low.

    Args:
        run_s: city seconds since the run began: a boot charges nothing.
        plugged: whether the device has its charger.
        years: since it was made.
    """
    cycles = int(years * (60 + 120 * chance("cycles", 0)))
    full = int(design_mah * max(0.6, 1 - 0.00025 * cycles - 0.01 * years * chance("ageing", 0)))
    level, drains = _level(0.45 + 0.55 * chance("charge", 0), run_s, plugged)
    left = min(full, int(full * level))
    hot = int(3 * chance("battery heat", int(run_s // SAMPLE_EVERY_S)))
    mv = int(design_mv * (0.95 + 0.12 * level))
    if drains:
        milliamps = -int(full * _HOUR_S / _DRAIN_S * (0.8 + 0.4 * chance("drain", int(run_s // SAMPLE_EVERY_S))))
    else:
        milliamps = 0 if left == full else int(full * _HOUR_S / _CHARGE_S)
    return Battery(
        serial=f"{serial % 100_000:05}",
        maker=maker,
        design_mah=design_mah,
        full_mah=full,
        cycles=cycles,
        design_mv=design_mv,
        mv=mv,
        left_mah=left,
        ma=milliamps,
        drain_mw=max(0, -milliamps) * mv // 1000,
        celsius=26 + hot + (5 if milliamps else 0),
        status="Discharging" if drains else "Full" if left == full else "Charging",
    )


def _level(at_first: float, at_s: float, plugged: bool) -> tuple[float, bool]:
    """How full the battery is, 0 to 1, and whether it is being drained."""
    if plugged:
        return min(_FULL, at_first + at_s / _CHARGE_S), False
    drained_s = (at_first - _LOW) * _DRAIN_S
    if at_s < drained_s:
        return at_first - at_s / _DRAIN_S, True
    # from here on: plugged in when low, unplugged when full
    down_s, up_s = (_FULL - _LOW) * _DRAIN_S, (_FULL - _LOW) * _CHARGE_S
    passed_s = (at_s - drained_s) % (down_s + up_s)
    if passed_s < up_s:
        return _LOW + passed_s / _CHARGE_S, False
    return _FULL - (passed_s - up_s) / _DRAIN_S, True


def network(chance: Chance, at_s: float, *, site: str, wired: bool) -> Network:
    """An address of the site's own private network, the same all day; the signal of Wi-Fi comes and goes a little."""
    net = f"10.{crc32(site.encode()) % 200}.{int(8 * chance('network', 0))}"
    # shill's percent, made into dBm as ConvertWifiSignalStrength does
    percent = int(45 + 40 * chance("signal", 0) + 15 * chance("signal", 1 + int(at_s // SAMPLE_EVERY_S)))
    return Network(
        ip_address=f"{net}.{2 + int(250 * chance('host', 0))}",
        gateway=f"{net}.1",
        signal_dbm=None if wired else -(11 * (200 - percent) // 25),
    )
