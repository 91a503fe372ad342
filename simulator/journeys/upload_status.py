"""A device reports how it is: system, use, network, update, as its policy asks (policy facts 2.7, 2.9, 3 g).

Its calendar is the clock of the run, by which a server judges: every timestamp and every duration is what passed there.
Its own pace is the city's: under compression as many samples and as much use go into a report as on a real day, in as
much less time.
"""

from __future__ import annotations

from datetime import date

from simulator import timers
from simulator.device import Device
from simulator.draw import bits, draw
from simulator.journeys import condition
from simulator.protocols import management
from simulator.protocols.management_status import Battery, Disk, Network, Status, System, Update, Use
from simulator.protocols.policy_values import DEFAULT_REPORTS
from simulator.traveller import Traveller

STEPS = ("management.status_upload",)

_DAY_MS = 86_400_000
_YEAR_DAYS = 365.25
# Where all fleets of today live (organisation.locale): a day begins nine hours before that of UTC.
_TIME_ZONE, _REGION, _AHEAD_MS = "JST-9", "Asia/Tokyo", 9 * 3600 * 1000
_GIB = 2**30
_FAULTS_AT_BOOT, _FAULTS_PER_S = 2_500_000, 900


async def play(traveller: Traveller) -> None:
    """One report; the next one is due an interval later, whatever became of this one (status_uploader.cc)."""
    device = traveller.device
    if not device.registered or device.identity is None:
        return
    note_use(traveller)
    status, reports = status_of(traveller), reports_of(device)
    user = device.user_identity if _told_of(device) else None
    exchange = management.status_upload(
        device.identity, status, reports, user_dm_token="" if user is None else user.dm_token
    )
    try:
        await traveller.ask(exchange)
        if "activity_times" in reports:
            _forget(device, status.uses)
    finally:
        device.status_ended = traveller.world.clock.now()
        configured_s = timers.STATUS_S if device.settings is None else device.settings.status_ms / 1000
        traveller.later("upload_status", timers.status_s(configured_s))


def reports_of(device: Device) -> frozenset[str]:
    """Which parts of a report the device's policy asks for."""
    return DEFAULT_REPORTS if device.settings is None else device.settings.reports


def _told_of(device: Device) -> bool:
    """Whether somebody is signed in of whom this organisation may be told (ReportingUserTracker: affiliated users)."""
    return device.in_session and device.affiliated


def note_use(traveller: Traveller) -> None:
    """Add up for how long the device was used since this was last done, for whom and on which local day.

    Called before a report, and before another one uses the device (activity_storage.cc adds up as it goes, every 30 s).
    """
    device, now_ms = traveller.device, traveller.utc_ms()
    from_ms, device.noted_ms = device.noted_ms or now_ms, now_ms
    email = device.user_trust.username if device.user_trust is not None and _told_of(device) else ""
    while from_ms < now_ms:
        day_ms = (from_ms + _AHEAD_MS) // _DAY_MS * _DAY_MS
        until_ms = min(now_ms, day_ms + _DAY_MS - _AHEAD_MS)
        active_ms = _active_ms(traveller, from_ms, until_ms)
        if active_ms:
            device.used[day_ms, email] = device.used.get((day_ms, email), 0) + active_ms
        from_ms = until_ms


def _active_ms(traveller: Traveller, from_ms: int, until_ms: int) -> int:
    pace = traveller.plan.compression
    first_s, last_s = (max(0.0, (ms - booted_ms(traveller)) / 1000 * pace) for ms in (from_ms, until_ms))
    return min(until_ms - from_ms, round(condition.active_s(_chance(traveller), first_s, last_s) / pace * 1000))


def _forget(device: Device, told: tuple[Use, ...]) -> None:
    """What a report that arrived has told is not told again; what was added since then stays."""
    for use in told:
        key = (use.day_ms, use.user_email)
        device.used[key] -= use.active_ms
        if not device.used[key]:
            del device.used[key]


def booted_ms(traveller: Traveller) -> int:
    """When the device last booted, Unix milliseconds."""
    now_s = traveller.world.clock.now()
    return traveller.utc_ms() - round((now_s - traveller.device.booted) * 1000)


def _chance(traveller: Traveller) -> condition.Chance:
    """What number 0 of a purpose draws is the device's for good; the others are instants, each boot's its own."""
    seed, row = traveller.plan.seed, traveller.device.row
    boot = round(traveller.device.booted * traveller.plan.compression)
    return lambda what, number: draw(seed, row, what, number + boot if number else 0)


def _run_s(traveller: Traveller) -> float:
    """City seconds since the run began."""
    return max(0.0, traveller.world.clock.now() * traveller.plan.compression)


def status_of(traveller: Traveller) -> Status:
    """All that this device knows of itself now."""
    device, facts, now_ms = traveller.device, traveller.facts, traveller.utc_ms()
    chance, pace, start_ms = _chance(traveller), traveller.plan.compression, booted_ms(traveller)
    total = facts.hardware.ram_gib * _GIB
    at_s = (now_ms - start_ms) / 1000 * pace
    available = condition.ram_available(chance, at_s, total)
    return Status(
        now_ms=now_ms,
        system=_system(traveller, total),
        uses=tuple(Use(day_ms, email, active_ms) for (day_ms, email), active_ms in device.used.items()),
        samples=condition.samples(chance, at_s, total, lambda s: start_ms + round(s / pace * 1000)),
        cpu_celsius=condition.cpu_celsius(chance, at_s),
        network=_network(traveller, at_s),
        users=_users(traveller),
        disk=_disk(traveller, at_s),
        battery=_battery(traveller),
        update=_update(traveller, start_ms),
        volume_pct=int(100 * chance("volume", 0)),
        ram_free=int(available * (0.3 + 0.4 * chance("ram free", int(at_s // condition.SAMPLE_EVERY_S)))),
        ram_available=available,
        page_faults=_FAULTS_AT_BOOT + int(at_s * _FAULTS_PER_S * (0.5 + chance("faults", 0))),
    )


def _system(traveller: Traveller, total: int) -> System:
    facts, hardware = traveller.facts, traveller.facts.hardware
    model = facts.hwid.partition("-")[0].partition(" ")[0].title()
    made = date.fromisoformat(facts.manufacture_date)
    year, week, _ = made.isocalendar()
    return System(
        os_version=f"{traveller.os_version} (Official Build) stable-channel {facts.board.partition('-')[0]}",
        browser_version=facts.chrome_version,
        firmware_version=f"Google_{model}.{hardware.firmware}",
        maker=hardware.maker,
        board=model,
        board_version="rev4",
        sku=facts.brand_code,
        serial=facts.serial,
        marketing_name=facts.model,
        manufacture_date=facts.manufacture_date,
        # some weeks on the way and in a store
        first_power_date=f"{year + (week + 8) // 53}-{(week + 7) % 52 + 1:02}",
        wifi_mac=facts.wifi_mac,
        ethernet_mac=facts.ethernet_mac if facts.wired else "",
        cpu=hardware.cpu,
        cpu_max_khz=hardware.cpu_max_mhz * 1000,
        arm=facts.arch == "aarch64",
        ram_total=total,
        time_zone=_TIME_ZONE,
        region=_REGION,
    )


def _network(traveller: Traveller, at_s: float) -> Network | None:
    """Told only while an affiliated user is signed in (GetNetworkStatus)."""
    device, facts = traveller.device, traveller.facts
    if not _told_of(device):
        return None
    return condition.network(_chance(traveller), at_s, site=facts.site, wired=facts.wired)


def _users(traveller: Traveller) -> tuple[str, ...]:
    device = traveller.device
    return () if device.user_trust is None else (device.user_trust.username if device.affiliated else "",)


def _disk(traveller: Traveller, at_s: float) -> Disk:
    hardware = traveller.facts.hardware
    return condition.disk(
        _chance(traveller),
        at_s,
        _run_s(traveller),
        kind=hardware.storage,
        model=hardware.storage_model,
        size_gb=hardware.storage_gb,
        serial=bits(traveller.plan.seed, traveller.device.row, "disk serial") >> 32,
    )


def _battery(traveller: Traveller) -> Battery:
    facts, hardware, chance = traveller.facts, traveller.facts.hardware, _chance(traveller)
    today = date.fromtimestamp(0).toordinal() + traveller.utc_ms() // _DAY_MS
    return condition.battery(
        chance,
        _run_s(traveller),
        # whoever has a cable has a dock; of the others most sit at a desk with a charger
        plugged=facts.wired or chance("plugged", 0) < 0.6,
        design_mah=hardware.battery_mah,
        design_mv=hardware.battery_mv,
        years=max(0.0, (today - date.fromisoformat(facts.manufacture_date).toordinal()) / _YEAR_DAYS),
        serial=bits(traveller.plan.seed, traveller.device.row, "battery serial") >> 32,
        maker=hardware.battery_maker,
    )


def _update(traveller: Traveller, start_ms: int) -> Update:
    device = traveller.device
    state = 3 if device.updated else 2 if device.new_version else 1 if device.offer is not None else 0
    return Update(state=state, version=device.new_version, checked_ms=device.checked_ms, booted_ms=start_ms)
