"""What a fleet's devices tell of themselves over a rehearsed day: plausible by rules that no code of ours knows."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from management_numbers import leaves

from scenarios.load import Overrides, load
from simulator.backend.core import Core
from simulator.composition import KNOWN
from simulator.fleet import device_facts, make_fleet
from simulator.memory import UTC_0
from simulator.protocols import management_pb2 as pb
from simulator.rehearsal import Rehearsed, rehearse

DAY = Path(__file__).parents[2] / "data" / "scenarios" / "reports.toml"
MS = 1000
DAY_MS = 24 * 3600 * MS
# 200 * 80 // 2680 spares stay closed
STAFF = 195
Reports = dict[str, list[tuple[int, pb.DeviceManagementRequest]]]


class Recorded:
    """A rehearsed day and all that was asked of the management service: (Unix ms, `request`, device id, body)."""

    def __init__(self) -> None:
        self.scenario = load(str(DAY), known=KNOWN, overrides=Overrides())
        self.asked: list[tuple[int, str, str, bytes]] = []
        handle = Core.handle

        def noting(core: Core, request: Any, now: float) -> Any:
            url = urlsplit(request.url)
            if url.path == "/devicemanagement/data/api":
                query = parse_qs(url.query)
                self.asked.append((round(now * MS), query["request"][0], query["deviceid"][0], request.body))
            return handle(core, request, now)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Core, "handle", noting)
            self.rehearsed: Rehearsed = rehearse(self.scenario)
        self.reports: Reports = defaultdict(list)
        for now_ms, kind, device, body in self.asked:
            if kind == "status_upload":
                self.reports[device].append((now_ms, pb.DeviceManagementRequest.FromString(body)))

    def statuses(self) -> Iterator[tuple[int, pb.DeviceStatusReportRequest]]:
        """Every device part."""
        for told in self.reports.values():
            for now_ms, message in told:
                yield now_ms, message.device_status_report_request


@pytest.fixture(scope="module")
def day() -> Recorded:
    """Nine hours of 200 devices, all reporting every hour, all told to reboot at one o'clock."""
    return Recorded()


def test_every_request_has_only_the_true_numbers(day: Recorded) -> None:
    """Each body of the whole day is read by the independent table of numbers, and no kind is missing."""
    for _, kind, _, body in day.asked:
        assert list(leaves(body)), kind
    assert {kind for _, kind, _, _ in day.asked} >= {
        *("device_state_retrieval", "register", "policy", "api_authorization", "fm_registration_token_upload"),
        *("remote_commands", "status_upload"),
    }
    assert day.rehearsed.examples == []


def test_every_open_device_reports_again_and_again(day: Recorded) -> None:
    """Each of the staff's devices reports a minute after a boot and then hourly: at least seven times; spares never."""
    assert len(day.reports) == STAFF
    assert min(map(len, day.reports.values())) >= 7


def test_a_report_has_every_part_that_its_policy_asks_for(day: Recorded) -> None:
    """With everything turned on and a user signed in, no part is missing; before that only networks and users are."""
    always = (
        *("os_version", "firmware_version", "browser_version", "boot_mode", "channel", "tpm_version_info"),
        *("network_interfaces", "volume_infos", "system_ram_total", "cpu_temp_infos", "os_update_status"),
        *("sound_volume", "tpm_status_info", "write_protect_switch", "power_status", "storage_status"),
        *("system_status", "stateful_partition_info", "cpu_utilization_infos", "system_ram_free_infos", "cpu_info"),
        *("timezone_info", "memory_info", "smbios_info", "boot_info", "root_device_total_storage_bytes"),
    )
    for told in day.reports.values():
        for _, message in told:
            present = {field.name for field, _ in message.device_status_report_request.ListFields()}
            assert present >= set(always), set(always) - present
        last = told[-1][1]
        assert last.session_status_report_request.user_dm_token
        present = {field.name for field, _ in last.device_status_report_request.ListFields()}
        assert present >= {"users", "network_states", "active_periods"}


def test_use_is_told_once_and_never_more_than_passed(day: Recorded) -> None:
    """A period is a whole local day (Tokyo's, written as if UTC); what is told adds up to less than what passed."""
    for told in day.reports.values():
        total_ms, first_ms = 0, None
        for now_ms, message in told:
            booted_ms = message.device_status_report_request.os_update_status.last_reboot_timestamp
            first_ms = booted_ms if first_ms is None else first_ms
            for period in message.device_status_report_request.active_periods:
                assert period.time_period.end_timestamp - period.time_period.start_timestamp == DAY_MS
                assert period.time_period.start_timestamp % DAY_MS == 0
                assert period.time_period.start_timestamp <= now_ms + 9 * 3600 * MS < period.time_period.end_timestamp
                assert period.active_duration > 0
                # the type of a session is told with its user, never alone
                assert period.HasField("session_type") == bool(period.user_email)
                total_ms += period.active_duration
            assert total_ms <= now_ms - first_ms
        # somebody sat there for a good part of the day
        assert total_ms > 0.4 * (told[-1][0] - first_ms)
        emails = {p.user_email for _, m in told for p in m.device_status_report_request.active_periods}
        assert len(emails - {""}) == 1


def test_samples_are_ten_at_most_every_two_minutes_and_never_change(day: Recorded) -> None:
    """One every 120 s since the boot, the last at most 120 s ago; a sample told twice is the same."""
    for told in day.reports.values():
        seen: dict[int, tuple[int, int]] = {}
        for now_ms, message in told:
            status = message.device_status_report_request
            stamps = [sample.timestamp for sample in status.cpu_utilization_infos]
            assert stamps == [sample.timestamp for sample in status.system_ram_free_infos]
            assert 1 <= len(stamps) <= 10
            assert all(later - earlier == 120 * MS for earlier, later in pairwise(stamps))
            assert 0 <= now_ms - stamps[-1] < 120 * MS
            assert stamps[0] >= status.os_update_status.last_reboot_timestamp
            pairs = zip(status.cpu_utilization_infos, status.system_ram_free_infos, strict=True)
            for stamp, (cpu, ram) in zip(stamps, pairs, strict=True):
                value = (cpu.cpu_utilization_pct, ram.size_in_bytes)
                assert seen.setdefault(stamp, value) == value


def test_numbers_are_within_what_the_machine_has(day: Recorded) -> None:
    """Used is never more than there is; percentages, temperatures, signals and voltages are those of a laptop."""
    for now_ms, status in day.statuses():
        assert all(0 <= sample.cpu_utilization_pct <= 100 for sample in status.cpu_utilization_infos)
        assert all(0 < sample.size_in_bytes < status.system_ram_total for sample in status.system_ram_free_infos)
        assert all(25 <= info.cpu_temp <= 100 and info.timestamp == now_ms for info in status.cpu_temp_infos)
        memory = status.memory_info
        assert 0 < memory.free_memory_kib <= memory.available_memory_kib < memory.total_memory_kib
        assert memory.total_memory_kib * 1024 == status.system_ram_total
        partition = status.stateful_partition_info
        assert 0 < partition.available_space < partition.total_space < status.root_device_total_storage_bytes
        (disk,) = status.storage_status.disks
        assert disk.size == status.root_device_total_storage_bytes
        assert (disk.type == "block:mmc") == status.storage_status.HasField("lifetime_estimation")
        (battery,) = status.power_status.batteries
        (sample,) = battery.samples
        assert 0 < sample.remaining_capacity <= battery.full_charge_capacity <= battery.design_capacity
        assert 0.8 * battery.design_min_voltage < sample.voltage < 1.2 * battery.design_min_voltage
        assert 15 <= sample.temperature <= 50
        assert sample.charge_rate == 100 * sample.remaining_capacity // battery.full_charge_capacity
        signs = {"Discharging": -1, "Full": 0, "Charging": 1}
        assert (sample.current > 0) - (sample.current < 0) == signs[sample.status]
        assert (sample.discharge_rate > 0) == (sample.status == "Discharging")
        assert 0 <= battery.cycle_count < 2000
        for state in status.network_states:
            assert state.gateway.rpartition(".")[0] == state.ip_address.rpartition(".")[0]
            assert state.ip_address != state.gateway
            wifi = state.device_path == "/device/wlan0"
            assert state.HasField("signal_strength") == wifi
            assert not wifi or -88 <= state.signal_strength <= -44
            # the connected one is one of the interfaces told of
            assert state.device_path in {interface.device_path for interface in status.network_interfaces}


def test_counters_only_grow_and_disks_only_fill(day: Recorded) -> None:
    """Between two reports of one boot what counts since the boot grows; free space never does, whatever happens."""
    for told in day.reports.values():
        statuses = [message.device_status_report_request for _, message in told]
        for before, after in pairwise(statuses):
            update, later = before.os_update_status, after.os_update_status
            assert update.last_reboot_timestamp <= later.last_reboot_timestamp
            assert update.last_checked_timestamp <= later.last_checked_timestamp
            assert after.stateful_partition_info.available_space <= before.stateful_partition_info.available_space
            if update.last_reboot_timestamp == later.last_reboot_timestamp:
                (disk,), (disk_later,) = before.storage_status.disks, after.storage_status.disks
                assert disk.bytes_read_since_last_boot < disk_later.bytes_read_since_last_boot
                assert disk.bytes_written_since_last_boot < disk_later.bytes_written_since_last_boot
                assert before.memory_info.page_faults_since_last_boot < after.memory_info.page_faults_since_last_boot


def test_an_update_is_told_from_offer_to_reboot(day: Recorded) -> None:
    """The offered version is told while it comes and waits; after the reboot it runs, and the device is up to date."""
    updated = 0
    for told in day.reports.values():
        statuses = [message.device_status_report_request for _, message in told]
        for status in statuses:
            board = "hatch" if "i3-10110U" in status.cpu_info[0].model_name else "brya"
            assert status.os_version.endswith(f" (Official Build) stable-channel {board}")
            waits = status.os_update_status.update_status in (2, 3)
            assert bool(status.os_update_status.new_platform_version) == waits
            assert status.os_update_status.last_checked_timestamp % MS == 0
        versions = [status.os_version.partition(" ")[0] for status in statuses]
        changes = [at for at in range(1, len(versions)) if versions[at] != versions[at - 1]]
        assert versions[0] == "15886.44.0"
        assert len(changes) == len(set(versions)) - 1 <= 1
        for at in changes:
            updated += 1
            before, after = statuses[at - 1].os_update_status, statuses[at].os_update_status
            assert (before.update_status, after.update_status) == (3, 0)
            assert before.new_platform_version == versions[at]
            assert before.last_reboot_timestamp < after.last_reboot_timestamp
    # a share of 0.3 within five standard errors of a binomial; all had checked, and all were rebooted at one o'clock
    assert abs(updated - 0.3 * STAFF) < 5 * (STAFF * 0.21) ** 0.5


HARDWARE = (
    *("system_status", "cpu_info", "root_device_total_storage_bytes", "system_ram_total", "network_interfaces"),
    *("smbios_info", "firmware_version", "tpm_version_info"),
)


def test_a_device_is_the_same_machine_all_day_and_no_other(day: Recorded) -> None:
    """What a device is built of never changes; serial numbers and addresses are one device's alone, and its facts'."""
    serials, macs, disks, hosts = set(), set(), set(), set()
    for told in day.reports.values():
        statuses = [message.device_status_report_request for _, message in told]
        machines = {
            (status.storage_status.disks[0].serial, *(str(getattr(status, name)) for name in HARDWARE))
            for status in statuses
        }
        assert len(machines) == 1
        last = statuses[-1]
        serials.add(last.system_status.vpd_serial_number)
        macs.update(interface.mac_address for interface in last.network_interfaces)
        disks.add(last.storage_status.disks[0].serial)
        hosts.add(last.network_states[0].ip_address)
        assert re.fullmatch(r"\d{4}-(0[1-9]|[1-4]\d|5[0-2])", last.system_status.first_power_date)
    assert len(serials) == len(disks) == STAFF
    assert len(macs) > STAFF
    assert len(hosts) > 0.95 * STAFF
    fleet = make_fleet(day.scenario.organisation, 200, day.scenario.seed)
    facts = {f.serial: f for f in (device_facts(fleet, day.scenario.organisation, row) for row in range(200))}
    for told in day.reports.values():
        status = told[-1][1].device_status_report_request
        mine = facts[status.system_status.vpd_serial_number]
        assert status.system_status.marketing_name == mine.model
        assert {i.mac_address for i in status.network_interfaces} == {
            mine.wifi_mac,
            *([mine.ethernet_mac] if mine.wired else []),
        }
        assert status.system_ram_total == mine.hardware.ram_gib << 30
        assert status.users[0].email == mine.user


def test_the_day_shows(day: Recorded) -> None:
    """Reports are not one another's copies: load, battery and memory differ over a day and between devices."""
    told = [tuple(s.cpu_utilization_pct for s in status.cpu_utilization_infos) for _, status in day.statuses()]
    long = [loads for loads in told if len(loads) == 10]
    assert len(set(long)) > 0.95 * len(long) > STAFF
    batteries = [status.power_status.batteries[0].samples[0] for _, status in day.statuses()]
    assert {sample.status for sample in batteries} == {"Charging", "Discharging", "Full"}
    start_ms = round(UTC_0 * MS)
    assert all(now_ms > start_ms for now_ms, _ in day.statuses())
