"""A device's status report, from plain values (Chromium device_status_collector.cc, child of the status uploader).

What a device knows comes in; nothing is measured or drawn here.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.protocols import management_pb2 as pb


@dataclass(frozen=True, slots=True)
class Sample:
    """What a device samples every 120 s: at `timestamp_ms` (Unix), the CPU's load in percent and free memory, bytes."""

    timestamp_ms: int
    cpu_pct: int
    ram_free_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What one status report says.

    Attributes:
        os_version: platform version, e.g. "15886.44.0".
        browser_version, firmware_version: as they name themselves.
        board, serial, marketing_name: of the machine.
        mac, ip_address, gateway: of its one connected network, by wire or by air.
        wifi: which of the two.
        ram_total_bytes, disk_total_bytes, disk_free_bytes: sizes.
        samples: since the last report that arrived.
        user_email: who is signed in; empty: nobody.
        active_from_ms, active_to_ms: when the device was in use, Unix milliseconds; equal: it was not.
        update_status: 0 up to date, 1 not started, 2 in progress, 3 a reboot is needed (OsUpdateStatus).
        update_version: the version downloaded or being downloaded.
        update_checked_ms, booted_ms: Unix milliseconds.
    """

    os_version: str
    browser_version: str
    firmware_version: str
    board: str
    serial: str
    marketing_name: str
    mac: str
    ip_address: str
    gateway: str
    wifi: bool
    ram_total_bytes: int
    disk_total_bytes: int
    disk_free_bytes: int
    samples: tuple[Sample, ...] = ()
    user_email: str = ""
    active_from_ms: int = 0
    active_to_ms: int = 0
    update_status: int = 0
    update_version: str = ""
    update_checked_ms: int = 0
    booted_ms: int = 0


def report(status: Status) -> pb.DeviceStatusReportRequest:
    """The report as a message. Raises: ValueError when a value does not fit its field."""
    message = pb.DeviceStatusReportRequest(
        os_version=status.os_version,
        firmware_version=status.firmware_version,
        boot_mode="Verified",
        browser_version=status.browser_version,
        channel=pb.DeviceStatusReportRequest.CHANNEL_STABLE,
        system_ram_total=status.ram_total_bytes,
        write_protect_switch=True,
        root_device_total_storage_bytes=status.disk_total_bytes,
    )
    message.system_status.board_name = status.board
    message.system_status.vpd_serial_number = status.serial
    message.system_status.marketing_name = status.marketing_name
    message.stateful_partition_info.total_space = status.disk_total_bytes
    message.stateful_partition_info.available_space = status.disk_free_bytes
    for sample in status.samples:
        message.cpu_utilization_infos.add(cpu_utilization_pct=sample.cpu_pct, timestamp=sample.timestamp_ms)
        message.system_ram_free_infos.add(size_in_bytes=sample.ram_free_bytes, timestamp=sample.timestamp_ms)
    _add_network(message, status)
    _add_use(message, status)
    _add_update(message, status)
    return message


def _add_network(message: pb.DeviceStatusReportRequest, status: Status) -> None:
    kind = pb.NetworkInterface.TYPE_WIFI if status.wifi else pb.NetworkInterface.TYPE_ETHERNET
    path = "/device/wlan0" if status.wifi else "/device/eth0"
    message.network_interfaces.add(type=kind, mac_address=status.mac, device_path=path)
    message.network_states.add(
        device_path=path,
        connection_state=pb.NetworkState.ONLINE,
        ip_address=status.ip_address,
        gateway=status.gateway,
    )


def _add_use(message: pb.DeviceStatusReportRequest, status: Status) -> None:
    if status.user_email:
        message.users.add(type=pb.DeviceUser.USER_TYPE_MANAGED, email=status.user_email)
    if status.active_to_ms > status.active_from_ms:
        message.active_periods.add(
            time_period=pb.TimePeriod(start_timestamp=status.active_from_ms, end_timestamp=status.active_to_ms),
            active_duration=status.active_to_ms - status.active_from_ms,
            user_email=status.user_email or None,
        )


def _add_update(message: pb.DeviceStatusReportRequest, status: Status) -> None:
    update = message.os_update_status
    update.update_status = pb.OsUpdateStatus.UpdateStatus.ValueType(status.update_status)
    if status.update_version:
        update.new_platform_version = status.update_version
    if status.update_checked_ms:
        update.last_checked_timestamp = status.update_checked_ms
    if status.booted_ms:
        update.last_reboot_timestamp = status.booted_ms
