"""A device reports how it is: system, network, use, update (policy facts 2.7, 3 g). What it says is drawn."""

from __future__ import annotations

from zlib import crc32

from simulator import timers
from simulator.protocols import management
from simulator.protocols.management import Sample, Status
from simulator.traveller import Traveller

STEPS = ("management.status_upload",)

_GIB = 2**30
_RAM = (4 * _GIB, 8 * _GIB)
_DISK = (64 * _GIB, 128 * _GIB)
_SAMPLES_EVERY_MS = 120_000
_SAMPLES_MAX = 10
_REBOOT_NEEDED = 3


async def play(traveller: Traveller) -> None:
    """One report; the next one is due an interval later, whatever became of this one (status_uploader.cc)."""
    device = traveller.device
    if device.identity is None:
        return
    try:
        await traveller.ask(management.status_upload(device.identity, status_of(traveller)))
    finally:
        configured_s = timers.STATUS_S if device.settings is None else device.settings.status_ms / 1000
        traveller.later("upload_status", timers.status_s(configured_s))


def status_of(traveller: Traveller) -> Status:
    """What this device tells now. Addresses are private ones of its site; sizes go with the machine."""
    device, facts, now_ms = traveller.device, traveller.facts, traveller.utc_ms()
    fixed = traveller.fixed_draw
    ram, disk = _RAM[fixed("ram") < 0.5], _DISK[fixed("disk") < 0.3]
    network = f"10.{crc32(facts.site.encode()) % 200}.{int(fixed('network') * 8)}"
    booted_ms = now_ms - round((traveller.began - device.booted) * 1000)
    return Status(
        os_version=facts.os_version,
        browser_version=facts.chrome_version,
        firmware_version=f"Google_{facts.board.partition('-')[0].title()}.{facts.os_version}",
        board=facts.board,
        serial=facts.serial,
        marketing_name=facts.model,
        mac=facts.wifi_mac,
        ip_address=f"{network}.{2 + int(fixed('host') * 250)}",
        gateway=f"{network}.1",
        wifi=True,
        ram_total_bytes=ram,
        disk_total_bytes=disk,
        disk_free_bytes=int(disk * (0.3 + 0.5 * fixed("disk free"))),
        samples=_samples(traveller, booted_ms, now_ms, ram),
        user_email=facts.user if device.user_identity is not None else "",
        active_from_ms=booted_ms,
        active_to_ms=now_ms,
        update_status=_REBOOT_NEEDED if device.updated else 0,
        booted_ms=booted_ms,
    )


def _samples(traveller: Traveller, from_ms: int, to_ms: int, ram: int) -> tuple[Sample, ...]:
    """One every two minutes since the boot, the last ten at most: city life makes the load go up and down."""
    instants = range(to_ms, from_ms - 1, -_SAMPLES_EVERY_MS)[:_SAMPLES_MAX]
    return tuple(
        Sample(instant, 5 + int(60 * traveller.draw("cpu")), int(ram * (0.2 + 0.5 * traveller.draw("ram free"))))
        for instant in reversed(instants)
    )
