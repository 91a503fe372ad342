"""A city as data: departments, sites, device models, how many devices and staff. It names no person and no device."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from scenarios.base import Frozen, Many, Positive, PositiveShare, Share, Text

# u1 columns in the fleet
MOST_KINDS = 256
DOMAIN = r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"


class Department(Frozen):
    """A part of the city's staff."""

    name: Text
    """As the city calls it; a wave's `who` may name it."""
    english: Text
    share: PositiveShare
    """Of all devices; all departments add up to 1."""


class Site(Frozen):
    """A place where devices are used, and the line each device sits behind."""

    name: Text
    """As the city calls it; a wave's `who` may name it."""
    english: Text
    share: PositiveShare
    """Of all devices; all sites add up to 1."""
    down_mbit: Positive
    """Of one device's own line, Mbit/s towards it."""
    up_mbit: Positive
    rtt_ms: Annotated[float, Field(ge=0)]
    """There and back between a device and the targets, milliseconds."""
    wired: Share = 0
    """Of its devices: those on a cable, through a dock or an adapter; the others use Wi-Fi."""


class Hardware(Frozen):
    """What a model is built of, as its devices report it."""

    maker: Text = "HP"
    """As its firmware names it (SMBIOS system vendor)."""
    cpu: Text = "12th Gen Intel(R) Core(TM) i3-1215U"
    """As /proc/cpuinfo names it."""
    cpu_max_mhz: Annotated[int, Field(ge=100)] = 4400
    ram_gib: Annotated[int, Field(ge=1, le=64)] = 8
    storage: Literal["nvme", "mmc"] = "nvme"
    """What its disk is: NVMe, or eMMC."""
    storage_gb: Annotated[int, Field(ge=16, le=2048)] = 128
    """As sold, in 10^9 bytes."""
    storage_model: Text = "KBG50ZNS128G KIOXIA"
    battery_mah: Annotated[int, Field(ge=500, le=20_000)] = 5020
    """Design capacity."""
    battery_mv: Annotated[int, Field(ge=3_000, le=30_000)] = 11_550
    """Lowest voltage by design, which for these is the rated one."""
    battery_maker: Text = "HP"
    """As the battery names it."""
    firmware: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")] = "14505.589.0"
    """Version of the firmware that it boots."""


class DeviceModel(Frozen):
    """A Chromebook model, as its devices tell servers about themselves."""

    name: Text
    board: Text
    """CHROMEOS_RELEASE_BOARD, such as "brya-signed-mp-v9keys"."""
    appid: Annotated[str, Field(pattern=r"^\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}$")]
    """CHROMEOS_BOARD_APPID: what an update server knows the board by."""
    hwid: Text
    """Hardware class, as crossystem prints it."""
    brand_code: Annotated[str, Field(pattern=r"^[A-Z]{4}$")]
    """RLZ brand code."""
    arch: Literal["x86_64", "aarch64"] = "x86_64"
    share: PositiveShare
    """Of all devices; all models add up to 1."""
    os_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    """Platform version that the devices start the day with."""
    chrome_version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+\.\d+$")]
    made_from: date
    """First and last day of manufacture."""
    made_until: date
    hardware: Hardware = Hardware()

    @field_validator("made_until")
    @classmethod
    def _in_order(cls, until: date, info: ValidationInfo) -> date:
        if (first := info.data.get("made_from")) and until < first:
            raise PydanticCustomError("order", "a day not before made_from ({first})", {"first": str(first)})
        return until


Kind = TypeVar("Kind", bound=Department | Site | DeviceModel)


def _whole(kinds: tuple[Kind, ...]) -> tuple[Kind, ...]:
    """Kinds with names of their own, whose shares are the whole city."""
    names = [kind.name for kind in kinds]
    if doubles := sorted({name for name in names if names.count(name) > 1}):
        raise PydanticCustomError("doubles", "different names, not twice {name}", {"name": doubles[0]})
    total = sum(kind.share for kind in kinds)
    if abs(total - 1) > 1e-9:
        raise PydanticCustomError("shares", "shares that add up to 1, not {total}", {"total": f"{total:.9g}"})
    return kinds


Kinds = Annotated[Many[Kind], Field(min_length=1, max_length=MOST_KINDS), AfterValidator(_whole)]


class Organisation(Frozen):
    """A city and its whole fleet, at its own size (a scenario may play fewer or more devices)."""

    name: SkipJsonSchema[Text]
    """Of its file."""
    title: Text
    locale: Literal["ja_JP"] = "ja_JP"
    """Of people's names; the one Faker locale whose names come with their Latin spelling, as addresses need."""
    domain: Annotated[str, Field(pattern=DOMAIN)]
    """Of the accounts, and the one that the devices are enrolled into."""
    devices: Annotated[int, Field(ge=1)]
    staff: Annotated[int, Field(ge=1)]
    """People with a device of their own; the other devices are spares."""
    departments: Kinds[Department]
    sites: Kinds[Site]
    models: Kinds[DeviceModel]

    @field_validator("staff")
    @classmethod
    def _device_each(cls, staff: int, info: ValidationInfo) -> int:
        if (devices := info.data.get("devices")) and staff > devices:
            raise PydanticCustomError("staff", "at most as many staff as devices ({devices})", {"devices": devices})
        return staff

    @property
    def spares(self) -> int:
        """Devices that are enrolled and stay closed."""
        return self.devices - self.staff

    def spares_among(self, devices: int) -> int:
        """Spares among the first so many devices: they are spread evenly over the rows, whatever the fleet's size."""
        return devices * self.spares // self.devices
