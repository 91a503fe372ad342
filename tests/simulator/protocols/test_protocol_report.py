"""A status report: which part goes with which policy, and every value in its field, by numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from management_numbers import leaves
from protobuf_by_hand import block, number
from status_example import STATUS

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_report import PARTS, report, session_report
from simulator.protocols.policy_values import DEFAULT_REPORTS, REPORTS, device_settings

DAY, DAY_LATER, NOW = 1_699_920_000_000, 1_700_006_400_000, 1_700_000_100_000
FIRMWARE = "Google_Voema.13672.224.0"
SMBIOS = block(41, block(1, "HP"), block(2, "Voema"), block(3, "rev4"))
# Part -> what it adds, field by field (device_management_backend.proto, DeviceStatusReportRequest).
BY_HAND: dict[str, bytes] = {
    "activity_times": block(
        6, block(1, number(1, DAY), number(2, DAY_LATER)), number(2, 60_000), block(3, "a@city.example"), number(4, 1)
    )
    + block(6, block(1, number(1, DAY), number(2, DAY_LATER)), number(2, 5_000)),
    "audio_status": number(19, 55),
    "version_info": block(1, "15886.44.0 (Official Build) stable-channel volteer")
    + block(2, FIRMWARE)
    + block(5, "126.0.6478.132")
    + block(
        21,
        *(number(1, 0x322E3000), number(2, 0x74), number(3, 0x43524F53), number(4, 1), number(5, 0x8D3E6E59)),
        *(block(6, "xCG fTPM"), block(8, "0x00281ae0")),
    )
    + number(22, 4),
    "boot_mode": block(3, "Verified"),
    "network_configuration": block(8, number(1, 0), block(2, "021B2C3D4E5F"), block(5, "/device/eth0"))
    + block(8, number(1, 1), block(2, "0A1B2C3D4E5F"), block(5, "/device/wlan0")),
    "network_status": block(
        *(11, block(1, "/device/wlan0"), number(2, 7), number(3, 2**64 - 60), block(4, "10.1.2.3")),
        block(5, "10.1.2.1"),
    ),
    "users": block(9, number(1, 0), block(2, "a@city.example")) + block(9, number(1, 1)),
    "os_update_status": block(
        17, number(1, 3), block(2, "15886.60.0"), number(4, 1_699_999_000_000), number(5, 1_699_990_000_000)
    ),
    "memory_info": number(14, 8 << 30)
    + block(31, number(1, 4 << 30), number(2, 1_700_000_000_000))
    + block(36, number(1, 8 << 20), number(2, 2 << 20), number(3, 3 << 20), number(4, 9)),
    "cpu_info": b"".join(
        block(16, block(1, label), number(2, celsius), number(3, NOW))
        for label, celsius in (("Package id 0", 48), ("Core 0", 46), ("Core 1", 45))
    )
    + block(30, number(1, 17), number(2, 1_700_000_000_000))
    + block(32, block(1, "A CPU"), number(2, 1), number(3, 4_400_000)),
    "security_status": block(
        23,
        *(number(field, value) for field, value in ((1, 1), (2, 1), (3, 1), (4, 1), (5, 0), (6, 0), (7, 200))),
        *(number(8, 0), number(9, 0), number(11, 0)),
    ),
    "system_info": number(24, 1)
    + block(
        28,
        block(4, "Chromebook 14"),
        block(5, FIRMWARE),
        block(6, "Voema"),
        block(7, "rev4"),
        number(8, 9),
        block(9, "Voema"),
    )
    + block(44, number(1, 1)),
    "vpd_info": block(28, block(1, "ABCD"), block(2, "2024-17"), block(3, "2024-03-01"), block(10, "5CD1234ABC")),
    "storage_status": block(10, block(1, "/media/archive"), number(2, 48 << 30), number(3, 32 << 30))
    + block(
        26,
        block(
            *(1, block(1, "7"), block(3, "DA4064"), number(4, 64 * 10**9), block(5, "block:mmc")),
            *(number(8, 3), number(9, 2), number(26, 1)),
        ),
        block(2, number(1, 1), number(2, 1)),
    )
    + block(29, number(1, 32 << 30), number(2, 48 << 30), block(3, "ext4"), block(4, "/dev/mmcblk0p1"))
    + number(47, 64 * 10**9),
    "power_status": block(
        25,
        block(
            2,
            *(block(1, "00042"), block(2, "HP"), number(4, 5000), number(5, 4800), number(6, 42)),
            block(
                *(7, number(1, NOW), number(2, 12_000), number(3, 2400), number(4, 30), number(5, 4800)),
                *(number(6, 50), number(7, 2**64 - 400), block(8, "Discharging")),
            ),
            *(number(9, 11_550), block(11, "Li-ion")),
        ),
    ),
    "timezone_info": block(35, block(1, "JST-9"), block(2, "Asia/Tokyo")),
}


def told(reports: Iterable[str]) -> bytes:
    """The report with these parts, as it goes out."""
    return report(STATUS, frozenset(reports)).SerializeToString()


@pytest.mark.parametrize("part", BY_HAND)
def test_a_part_is_these_fields_and_no_others(part: str) -> None:
    """With one part on, the report is that part and the machine's maker, which is always told; users name users."""
    reports = {part, "users"} if part == "activity_times" else {part}
    by_hand = SMBIOS + BY_HAND[part] + (BY_HAND["users"] if part == "activity_times" else b"")
    if part == "system_info":
        by_hand = by_hand.replace(SMBIOS, block(41, *(block(n, v) for n, v in SMBIOS_WITH_BIOS)))
    assert sorted(leaves(told(reports), "DeviceStatusReportRequest"), key=str) == sorted(
        leaves(by_hand, "DeviceStatusReportRequest"), key=str
    )


SMBIOS_WITH_BIOS = ((1, "HP"), (2, "Voema"), (3, "rev4"), (4, FIRMWARE))


def test_every_part_of_a_device_has_its_row_here() -> None:
    """The table above is about all parts; what the policy calls app_info is the session's."""
    assert set(BY_HAND) == set(PARTS) == {*REPORTS} - {"app_info"}


def test_nothing_asked_for_tells_the_maker_only() -> None:
    """With everything off, what is always told remains."""
    assert told([]) == SMBIOS


def test_without_users_use_is_one_period_a_day() -> None:
    """Whoever it was: durations of a day are added up, and no address or session type is told."""
    two = replace(STATUS, uses=(*STATUS.uses, replace(STATUS.uses[0], day_ms=DAY_LATER)))
    periods = report(two, frozenset({"activity_times"})).active_periods
    assert [(p.time_period.start_timestamp, p.active_duration) for p in periods] == [(DAY, 65_000), (DAY_LATER, 60_000)]
    assert not any(p.HasField("user_email") or p.HasField("session_type") for p in periods)


def test_a_cable_has_no_signal_and_nobody_no_network() -> None:
    """The state of a wired network has no strength; with no affiliated user signed in there is no state."""
    assert STATUS.network is not None
    wired = report(replace(STATUS, network=replace(STATUS.network, signal_dbm=None)), frozenset({"network_status"}))
    (state,) = wired.network_states
    assert (state.device_path, state.HasField("signal_strength")) == ("/device/eth0", False)
    assert not report(replace(STATUS, network=None), frozenset({"network_status"})).network_states


def test_a_version_is_told_only_while_it_is_on_its_way() -> None:
    """Up to date and not started have no new version; a check that never was has timestamp 0, as update_engine's."""
    for state, version in ((0, ""), (1, ""), (2, "15886.60.0"), (3, "15886.60.0")):
        update = replace(STATUS.update, state=state, checked_ms=0)
        said = report(replace(STATUS, update=update), frozenset({"os_update_status"})).os_update_status
        assert (said.update_status, said.new_platform_version, said.last_checked_timestamp) == (state, version, 0)
        assert said.HasField("last_checked_timestamp")


def test_a_session_is_told_of_only_where_the_policy_asks() -> None:
    """report_app_info brings the apps with the user's own token."""
    assert session_report("user-token", frozenset(REPORTS) - {"app_info"}) is None
    session = session_report("user-token", frozenset({"app_info"}))
    assert session is not None
    assert session.user_dm_token == "user-token"
    assert {app.status for app in session.app_infos} == {pb.AppInfo.STATUS_INSTALLED}
    assert all(len(app.app_id) == 32 and set(app.app_id) <= set("abcdefghijklmnop") for app in session.app_infos)


# DeviceReportingProto (chrome_device_policy.proto): number of each flag, and whether it is on when nothing is said.
FLAGS: dict[str, tuple[int, bool]] = {
    "version_info": (1, True),
    "activity_times": (2, True),
    "boot_mode": (3, True),
    "users": (6, True),
    "os_update_status": (10, False),
    "power_status": (12, False),
    "storage_status": (13, False),
    "cpu_info": (15, False),
    "timezone_info": (18, False),
    "memory_info": (19, False),
    "app_info": (21, False),
    "vpd_info": (24, False),
    "system_info": (25, False),
    "audio_status": (28, True),
    "network_configuration": (29, True),
    "network_status": (30, True),
    "security_status": (31, False),
}


def test_a_policy_turns_parts_on_and_off() -> None:
    """Each flag by its number; those that it does not name keep their defaults."""
    assert set(FLAGS) == set(REPORTS)
    defaults = {name for name, (_, on) in FLAGS.items() if on}
    assert defaults == DEFAULT_REPORTS
    for name, (flag, on) in FLAGS.items():
        settings = device_settings(block(12, number(flag, not on)))
        assert settings is not None
        assert settings.reports == defaults ^ {name}
