"""A device's status report as messages: which parts a policy asks for, and what field each value goes into.

What a device knows comes in as values (management_status). Facts: Chromium device_status_collector.cc (its Get...
functions and OnCrosHealthdDataReceived), activity_storage.cc, policy facts 2.7 and 2.9.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_status import Status, Use

_Report = pb.DeviceStatusReportRequest

_DAY_MS = 86_400_000
_KIB = 1024
# Where shill keeps its devices.
_ETHERNET_PATH, _WIFI_PATH = "/device/eth0", "/device/wlan0"
# SMBIOS 3, 7.4.1: a laptop.
_LAPTOP = 9
# Google's own security chip, which plays a TPM 2.0 ("2.0" and "CROS" as numbers), as tpm_manager names it.
_TPM = pb.TpmVersionInfo(
    family=0x322E3000,
    spec_level=0x74,
    manufacturer=0x43524F53,
    tpm_model=1,
    firmware_version=0x8D3E6E59,
    vendor_specific="xCG fTPM",
    did_vid="0x00281ae0",
)


def report(status: Status, reports: frozenset[str]) -> _Report:
    """The report as a message, with the parts that are on (see policy_values.REPORTS)."""
    if "users" not in reports:
        status = replace(status, uses=_of_whoever(status.uses))
    message = _Report()
    # Whatever the policy: vendor and product (kSystemInfo, "should always be reported").
    message.smbios_info.sys_vendor = status.system.maker
    message.smbios_info.product_name = status.system.board
    message.smbios_info.product_version = status.system.board_version
    for name, add in PARTS.items():
        if name in reports:
            add(message, status)
    return message


def _activity_times(message: _Report, status: Status) -> None:
    for use in status.uses:
        period = message.active_periods.add(active_duration=use.active_ms)
        period.time_period.start_timestamp = use.day_ms
        period.time_period.end_timestamp = use.day_ms + _DAY_MS
        if use.user_email:
            period.user_email = use.user_email
            period.session_type = pb.ActiveTimePeriod.SESSION_AFFILIATED_USER


def _of_whoever(uses: tuple[Use, ...]) -> tuple[Use, ...]:
    """One period a day, whoever it was (GetFilteredActivityPeriods)."""
    days: dict[int, int] = {}
    for use in uses:
        days[use.day_ms] = days.get(use.day_ms, 0) + use.active_ms
    return tuple(Use(day_ms, "", active_ms) for day_ms, active_ms in days.items())


def _audio_status(message: _Report, status: Status) -> None:
    message.sound_volume = status.volume_pct


def _version_info(message: _Report, status: Status) -> None:
    system = status.system
    message.os_version, message.browser_version = system.os_version, system.browser_version
    message.firmware_version = system.firmware_version
    message.channel = _Report.CHANNEL_STABLE
    message.tpm_version_info.MergeFrom(_TPM)


def _boot_mode(message: _Report, status: Status) -> None:
    message.boot_mode = "Verified"


def _network_configuration(message: _Report, status: Status) -> None:
    macs = (
        (pb.NetworkInterface.TYPE_ETHERNET, status.system.ethernet_mac, _ETHERNET_PATH),
        (pb.NetworkInterface.TYPE_WIFI, status.system.wifi_mac, _WIFI_PATH),
    )
    for kind, mac, path in macs:
        if mac:
            message.network_interfaces.add(type=kind, mac_address=mac, device_path=path)


def _network_status(message: _Report, status: Status) -> None:
    network = status.network
    if network is None:
        return
    state = message.network_states.add(connection_state=pb.NetworkState.ONLINE)
    state.device_path = _ETHERNET_PATH if network.signal_dbm is None else _WIFI_PATH
    if network.signal_dbm is not None:
        state.signal_strength = network.signal_dbm
    state.ip_address, state.gateway = network.ip_address, network.gateway


def _users(message: _Report, status: Status) -> None:
    for email in status.users:
        if email:
            message.users.add(type=pb.DeviceUser.USER_TYPE_MANAGED, email=email)
        else:
            message.users.add(type=pb.DeviceUser.USER_TYPE_UNMANAGED)


def _os_update_status(message: _Report, status: Status) -> None:
    told, update = message.os_update_status, status.update
    told.update_status = pb.OsUpdateStatus.UpdateStatus.ValueType(update.state)
    if update.state in (pb.OsUpdateStatus.OS_IMAGE_DOWNLOAD_IN_PROGRESS, pb.OsUpdateStatus.OS_UPDATE_NEED_REBOOT):
        told.new_platform_version = update.version
    told.last_checked_timestamp, told.last_reboot_timestamp = update.checked_ms, update.booted_ms


def _memory_info(message: _Report, status: Status) -> None:
    message.system_ram_total = status.system.ram_total
    for sample in status.samples:
        message.system_ram_free_infos.add(size_in_bytes=sample.ram_free, timestamp=sample.timestamp_ms)
    message.memory_info.total_memory_kib = status.system.ram_total // _KIB
    message.memory_info.free_memory_kib = status.ram_free // _KIB
    message.memory_info.available_memory_kib = status.ram_available // _KIB
    message.memory_info.page_faults_since_last_boot = status.page_faults


def _cpu_info(message: _Report, status: Status) -> None:
    for sample in status.samples:
        message.cpu_utilization_infos.add(cpu_utilization_pct=sample.cpu_pct, timestamp=sample.timestamp_ms)
    labels = ["Package id 0", *(f"Core {core}" for core in range(len(status.cpu_celsius) - 1))]
    for label, celsius in zip(labels, status.cpu_celsius, strict=True):
        message.cpu_temp_infos.add(cpu_label=label, cpu_temp=celsius, timestamp=status.now_ms)
    message.cpu_info.add(
        model_name=status.system.cpu,
        architecture=pb.CpuInfo.AARCH64 if status.system.arm else pb.CpuInfo.X86_64,
        max_clock_speed_khz=status.system.cpu_max_khz,
    )


def _security_status(message: _Report, status: Status) -> None:
    # A healthy chip of a managed device: owned, attested, nobody guessing at it (TpmStatusCombiner).
    message.tpm_status_info.MergeFrom(
        pb.TpmStatusInfo(
            enabled=True,
            owned=True,
            tpm_initialized=True,
            attestation_prepared=True,
            attestation_enrolled=False,
            dictionary_attack_counter=0,
            dictionary_attack_threshold=200,
            dictionary_attack_lockout_in_effect=False,
            dictionary_attack_lockout_seconds_remaining=0,
            owner_password_is_present=False,
        )
    )


def _system_info(message: _Report, status: Status) -> None:
    told, system = message.system_status, status.system
    message.write_protect_switch = True
    told.bios_version = message.smbios_info.bios_version = system.firmware_version
    told.board_name, told.board_version = system.board, system.board_version
    told.chassis_type = _LAPTOP
    told.marketing_name, told.product_name = system.marketing_name, system.board
    message.boot_info.boot_method = pb.BootInfo.CROS_SECURE


def _vpd_info(message: _Report, status: Status) -> None:
    told, system = message.system_status, status.system
    told.first_power_date, told.manufacture_date = system.first_power_date, system.manufacture_date
    told.vpd_sku_number, told.vpd_serial_number = system.sku, system.serial


def _storage_status(message: _Report, status: Status) -> None:
    disk = status.disk
    told = message.stateful_partition_info
    told.available_space, told.total_space = disk.partition_free, disk.partition_total
    told.filesystem, told.mount_source = "ext4", "/dev/nvme0n1p1" if disk.kind == "block:nvme" else "/dev/mmcblk0p1"
    message.root_device_total_storage_bytes = disk.size
    message.volume_infos.add(
        volume_id="/media/archive", storage_total=disk.partition_total, storage_free=disk.partition_free
    )
    message.storage_status.disks.add(
        serial=disk.serial,
        model=disk.model,
        size=disk.size,
        type=disk.kind,
        bytes_read_since_last_boot=disk.read,
        bytes_written_since_last_boot=disk.written,
        purpose=pb.DiskInfo.PURPOSE_BOOT,
    )
    if disk.worn:
        message.storage_status.lifetime_estimation.slc = disk.worn
        message.storage_status.lifetime_estimation.mlc = disk.worn


def _power_status(message: _Report, status: Status) -> None:
    battery = status.battery
    told = message.power_status.batteries.add(
        serial=battery.serial,
        manufacturer=battery.maker,
        design_capacity=battery.design_mah,
        full_charge_capacity=battery.full_mah,
        cycle_count=battery.cycles,
        design_min_voltage=battery.design_mv,
        technology="Li-ion",
    )
    told.samples.add(
        timestamp=status.now_ms,
        voltage=battery.mv,
        remaining_capacity=battery.left_mah,
        temperature=battery.celsius,
        discharge_rate=battery.drain_mw,
        charge_rate=100 * battery.left_mah // battery.full_mah,  # percent, whatever the field's name says
        current=battery.ma,
        status=battery.status,
    )


def _timezone_info(message: _Report, status: Status) -> None:
    message.timezone_info.posix, message.timezone_info.region = status.system.time_zone, status.system.region


# Part of a report, named as in policy_values.REPORTS -> what it adds, in the client's order.
PARTS: Mapping[str, Callable[[_Report, Status], None]] = {
    "activity_times": _activity_times,
    "audio_status": _audio_status,
    "version_info": _version_info,
    "boot_mode": _boot_mode,
    "network_configuration": _network_configuration,
    "network_status": _network_status,
    "users": _users,
    "os_update_status": _os_update_status,
    "memory_info": _memory_info,
    "cpu_info": _cpu_info,
    "security_status": _security_status,
    "system_info": _system_info,
    "vpd_info": _vpd_info,
    "storage_status": _storage_status,
    "power_status": _power_status,
    "timezone_info": _timezone_info,
}

# Apps that every Chrome has, by their ids in the web store: Web Store, Google Docs Offline.
_APPS = (
    ("ahfgeienlihckogmohjhadlkjgocpleb", "Web Store", "0.2"),
    ("ghbmnnjooekpmoecnnnilnnbdlolhkhi", "Google Docs Offline", "1.80.1"),
)


def session_report(user_dm_token: str, reports: frozenset[str]) -> pb.SessionStatusReportRequest | None:
    """What is told of the session of an affiliated user, None where the policy asks for nothing of it.

    Args:
        user_dm_token: of the user's own registration.
    """
    if "app_info" not in reports:
        return None
    message = pb.SessionStatusReportRequest(user_dm_token=user_dm_token)
    for app_id, name, version in _APPS:
        message.app_infos.add(
            app_id=app_id,
            app_type=pb.AppInfo.APP_TYPE_EXTENSION,
            app_name=name,
            status=pb.AppInfo.STATUS_INSTALLED,
            version=version,
        )
    return message
