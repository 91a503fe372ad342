"""How a device is: rules that hold for any device and any instant, whatever is drawn."""

from __future__ import annotations

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from simulator.draw import draw
from simulator.journeys import condition

ROWS = st.integers(0, 100_000)
# up to three weeks after a boot
SECONDS = st.floats(0, 21 * 86_400)
GIB = 2**30


def chance_of(row: int) -> condition.Chance:
    """What one device of a fleet draws."""
    return partial(draw, 1, row)


@given(ROWS, SECONDS, SECONDS, SECONDS)
def test_use_adds_up_and_never_exceeds_the_time(row: int, one: float, two: float, three: float) -> None:
    """The use of a stretch is that of its parts, and lies between nothing and all of it."""
    first, middle, last = sorted((one, two, three))
    whole = condition.active_s(chance_of(row), first, last)
    parts = condition.active_s(chance_of(row), first, middle) + condition.active_s(chance_of(row), middle, last)
    assert abs(whole - parts) < 1e-6 * max(1.0, whole)
    assert 0 <= whole <= last - first + 1e-6


def test_use_is_that_of_a_working_person() -> None:
    """Seventeen parts in twenty at 0.4 to 1: over many devices and hours 0.85 x 0.7 of the time, within a tenth."""
    hours = [condition.active_s(chance_of(row), 3600, 7200) / 3600 for row in range(1000)]
    # away while u < 0.15, else 0.4 + 0.6 u with u uniform over 0.15 to 1: its mean is 0.4 + 0.6 x 0.575
    assert abs(sum(hours) / len(hours) - 0.85 * (0.4 + 0.6 * 0.575)) < 0.03


@given(ROWS, SECONDS, st.integers(4, 64))
def test_load_memory_and_heat_are_a_laptops(row: int, at_s: float, gib: int) -> None:
    """Percent, bytes that there are, degrees below the point where processors stop."""
    chance = chance_of(row)
    assert 0 <= condition.cpu_pct(chance, at_s) <= 100
    assert gib * GIB / 13 < condition.ram_available(chance, at_s, gib * GIB) < 0.73 * gib * GIB
    package, *cores = condition.cpu_celsius(chance, at_s)
    assert 30 <= package <= 90
    assert all(package - 5 <= core <= package for core in cores)


@given(ROWS, SECONDS)
def test_samples_are_the_last_ten_of_one_every_two_minutes(row: int, at_s: float) -> None:
    """From the boot on, none from the future, as many as fit but ten at most."""
    samples = condition.samples(chance_of(row), at_s, 8 * GIB, lambda s: round(s * 1000))
    stamps = [sample.timestamp_ms for sample in samples]
    assert len(stamps) == min(10, int(at_s // 120) + 1)
    assert stamps == [1000 * 120 * (int(at_s // 120) - back) for back in reversed(range(len(stamps)))]


@given(ROWS, SECONDS, st.booleans(), st.floats(0, 8))
def test_a_battery_holds_what_it_can(row: int, at_s: float, plugged: bool, years: float) -> None:
    """Charge, health and current fit together at every instant; what is plugged in is never drained."""
    told = condition.battery(
        chance_of(row), at_s, plugged=plugged, design_mah=5000, design_mv=11_550, years=years, serial=row, maker="HP"
    )
    assert 0 < told.left_mah <= told.full_mah <= told.design_mah
    assert told.left_mah >= 0.19 * told.full_mah
    assert {"Discharging": told.ma < 0, "Charging": told.ma > 0, "Full": told.ma == 0}[told.status]
    assert (told.drain_mw > 0) == (told.status == "Discharging")
    assert not plugged or told.status != "Discharging"
    assert told.cycles <= 180 * years


@given(ROWS, SECONDS, st.floats(0, 3600), st.booleans())
def test_a_battery_changes_no_faster_than_it_can(row: int, at_s: float, later_s: float, plugged: bool) -> None:
    """Full in 2.5 hours, empty in 9: within a stretch the level moves by no more."""

    def left(instant_s: float) -> int:
        return condition.battery(
            chance_of(row), instant_s, plugged=plugged, design_mah=5000, design_mv=1, years=0, serial=0, maker=""
        ).left_mah

    before, after = left(at_s), left(at_s + later_s)
    assert -5000 * later_s / (9 * 3600) - 2 <= after - before <= 5000 * later_s / (2.5 * 3600) + 2


@given(ROWS, SECONDS, SECONDS, st.sampled_from(["nvme", "mmc"]))
def test_a_disk_fills_and_its_counters_grow(row: int, one: float, two: float, kind: str) -> None:
    """Later is fuller and has read and written more; what is free is part of the whole."""
    first, last = (
        condition.disk(chance_of(row), s, s, kind=kind, model="M", size_gb=64, serial=1) for s in sorted((one, two))
    )
    assert first.partition_free >= last.partition_free >= 0
    assert first.read <= last.read
    assert first.written <= last.written
    assert first.partition_free < first.partition_total < first.size
    assert bool(first.worn) == (kind == "mmc")


@given(ROWS, SECONDS, SECONDS, st.booleans())
def test_an_address_stays_and_a_signal_is_shills(row: int, one: float, two: float, wired: bool) -> None:
    """The same address in the site's network all day; a signal that ConvertWifiSignalStrength can give: -88 to -44."""
    first, last = (condition.network(chance_of(row), s, site="本庁舎", wired=wired) for s in (one, two))
    assert (first.ip_address, first.gateway) == (last.ip_address, last.gateway)
    assert all(0 <= int(part) <= 255 for part in first.ip_address.split("."))
    for network in (first, last):
        assert (network.signal_dbm is None) == wired
        assert wired or -88 <= network.signal_dbm <= -44
