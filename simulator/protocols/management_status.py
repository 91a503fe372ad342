"""What a device can tell of itself in a status report, as plain values. Nothing is measured, drawn or written here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What the machine is. Versions are as they name themselves, dates yyyy-mm-dd or yyyy-WW, sizes in bytes.

    `os_version` is the release's description: "15886.44.0 (Official Build) stable-channel brya". `wifi_mac` and
    `ethernet_mac` have 12 hex digits; the latter is empty where there is no cable.
    """

    os_version: str
    browser_version: str
    firmware_version: str
    maker: str
    board: str
    board_version: str
    sku: str
    serial: str
    marketing_name: str
    manufacture_date: str
    first_power_date: str
    wifi_mac: str
    ethernet_mac: str
    cpu: str
    cpu_max_khz: int
    arm: bool
    ram_total: int
    time_zone: str
    region: str


@dataclass(frozen=True, slots=True)
class Use:
    """For how long somebody used the device on one local day since the last report that arrived.

    `day_ms` is midnight of the day's date in UTC, Unix milliseconds; `user_email` is empty for nobody, and for a user
    of another organisation.
    """

    day_ms: int
    user_email: str
    active_ms: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What a device samples every 120 s: at `timestamp_ms` (Unix), the CPU's load in percent and free memory, bytes."""

    timestamp_ms: int
    cpu_pct: int
    ram_free: int


@dataclass(frozen=True, slots=True)
class Network:
    """The connected network; `signal_dbm` is None for a cable."""

    ip_address: str
    gateway: str
    signal_dbm: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The one disk: what it is, and what was read and written since the boot (bytes). `worn` (1 to 11) is eMMC's."""

    model: str
    serial: str
    kind: str
    size: int
    partition_total: int
    partition_free: int
    read: int
    written: int
    worn: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """The battery: mAh, mV, mA (positive when charging), mW, degrees Celsius; `status` is the kernel's word."""

    serial: str
    maker: str
    design_mah: int
    full_mah: int
    cycles: int
    design_mv: int
    mv: int
    left_mah: int
    ma: int
    drain_mw: int
    celsius: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """The operating system's update.

    Attributes:
        state: 0 up to date, 1 not started, 2 in progress, 3 a reboot is needed (OsUpdateStatus).
        version: platform version being downloaded or waiting for the reboot.
        checked_ms, booted_ms: Unix milliseconds; checked_ms is 0 before the first check, as update_engine says it.
    """

    state: int
    version: str
    checked_ms: int
    booted_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """All that a device knows of itself at `now_ms` (Unix milliseconds).

    `network` is None where no affiliated user is signed in: then it is not told. `users` are the e-mail addresses of
    all who ever signed in, empty for those of another organisation. `page_faults` counts since the boot.
    """

    now_ms: int
    system: System
    uses: tuple[Use, ...]
    samples: tuple[Sample, ...]
    cpu_celsius: tuple[int, ...]
    network: Network | None
    users: tuple[str, ...]
    disk: Disk
    battery: Battery
    update: Update
    volume_pct: int
    ram_free: int
    ram_available: int
    page_faults: int
