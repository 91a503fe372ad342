"""Who: the devices as rows of columns, and what one device and its person are called. Nothing here knows when or how.

Row i depends on the organisation, the seed and i alone, so device 7 is the same in a fleet of 10 and of 1,000,000. The
bytes of the rows are the same on every machine: fixed little-endian types, and arithmetic that rounds alike everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import Any

import numpy as np
from faker.generator import Generator
from faker.providers.person.ja_JP import Provider
from numpy.typing import NDArray

from scenarios.organisation import Department, DeviceModel, Hardware, Organisation, Site
from simulator.draw import bits, bits_column, draws

# One device. `number` is its own among all rows: serial number and MAC addresses are ways to write it. `chance` is 64
# bits of its own, from which follows what nobody plans by.
ROW = np.dtype(
    [
        ("number", "<u8"),
        ("chance", "<u8"),
        ("department", "u1"),
        ("site", "u1"),
        ("model", "u1"),
        ("staff", "?"),
        ("family_name", "u1"),
        ("given_name", "u1"),
    ]
)

NAMES = 256
_NAMES_SEED = 2680
_NUMBER_BITS = 35
_SPREAD = 0x9E3779B97F4A7C15 & ((1 << _NUMBER_BITS) - 1)
_DIGITS = "0123456789ABCDEFGHJKLMNPQRSTUVWX"
# Locally administered, so no address is ever one of a maker's (IEEE 802-2014, 8.2): wired, docked, wireless
_ETHERNET, _DOCK, _WIFI = 0x02, 0x06, 0x0A


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a device and its person tell others about themselves.

    MAC addresses are 12 upper-case hex digits and the date is yyyy-mm-dd, as registration wants them (Chromium
    device_management_backend.proto, DeviceRegisterRequest). `state_key` has 32 bytes. A `wired` device is on a cable. A
    spare has a person as well: the one who would get it.
    """

    row: int
    serial: str
    asset_tag: str
    model: str
    board: str
    appid: str
    hwid: str
    brand_code: str
    arch: str
    os_version: str
    chrome_version: str
    manufacture_date: str
    ethernet_mac: str
    dock_mac: str
    wifi_mac: str
    state_key: bytes
    department: str
    site: str
    wired: bool
    hardware: Hardware
    spare: bool
    user: str
    display_name: str


def make_fleet(organisation: Organisation, devices: int, seed: int) -> NDArray[np.void]:
    """The first so many devices of an organisation.

    Spares are spread evenly over the rows in the organisation's own proportion: Maebashi's 2,680 rows hold exactly 80.
    """
    rows = np.arange(devices, dtype=np.uint64)
    fleet = np.zeros(devices, ROW)
    # an odd factor visits every number below 2**35 once
    offset = np.uint64(bits(seed, -1, "number") >> (64 - _NUMBER_BITS))
    fleet["number"] = (rows * np.uint64(_SPREAD) + offset) & np.uint64((1 << _NUMBER_BITS) - 1)
    fleet["chance"] = bits_column(seed, rows, "device")
    fleet["department"] = _chosen(organisation.departments, draws(seed, rows, "department"))
    fleet["site"] = _chosen(organisation.sites, draws(seed, rows, "site"))
    fleet["model"] = _chosen(organisation.models, draws(seed, rows, "model"))
    passed = rows * np.uint64(organisation.spares)
    whole = np.uint64(organisation.devices)
    fleet["staff"] = passed // whole == (passed + np.uint64(organisation.spares)) // whole
    fleet["family_name"] = bits_column(seed, rows, "family_name") % np.uint64(NAMES)
    fleet["given_name"] = bits_column(seed, rows, "given_name") % np.uint64(NAMES)
    return fleet


def _chosen(kinds: Iterable[Department | Site | DeviceModel], drawn: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The kind whose stretch of shares each draw falls into."""
    ends = np.array(list(accumulate(kind.share for kind in kinds)))
    # shares may fall short of 1 by a rounding: the last kind has the rest
    return np.searchsorted(ends[:-1], drawn, side="right").astype(np.uint8)


@lru_cache(maxsize=1)
def names() -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Family names and given names, each as (Japanese, Latin): drawn by Faker (ja_JP) as often as people have them."""
    generator = Generator()
    generator.seed_instance(_NAMES_SEED)
    people: Any = Provider(generator)
    family = [people.last_name_pair() for _ in range(NAMES)]
    given = [people.first_name_pair() for _ in range(NAMES)]
    return tuple((kanji, latin) for kanji, _, latin in family), tuple((kanji, latin) for kanji, _, latin in given)


def device_facts(fleet: NDArray[np.void], organisation: Organisation, row: int) -> DeviceFacts:
    """What one device tells about itself, made when asked for."""
    device = fleet[row]
    number, chance = int(device["number"]), int(device["chance"])
    model = organisation.models[device["model"]]
    family_names, given_names = names()
    family, given = family_names[device["family_name"]], given_names[device["given_name"]]
    site = organisation.sites[device["site"]]
    days = (model.made_until - model.made_from).days + 1
    mac = f"{number:010X}"
    return DeviceFacts(
        row=row,
        serial="5CD" + "".join(_DIGITS[number >> shift & 31] for shift in range(_NUMBER_BITS - 5, -1, -5)),
        asset_tag=f"CB-{row + 1:06}",
        model=model.name,
        board=model.board,
        appid=model.appid,
        hwid=model.hwid,
        brand_code=model.brand_code,
        arch=model.arch,
        os_version=model.os_version,
        chrome_version=model.chrome_version,
        manufacture_date=(model.made_from + timedelta(days=chance % days)).isoformat(),
        ethernet_mac=f"{_ETHERNET:02X}{mac}",
        dock_mac=f"{_DOCK:02X}{mac}",
        wifi_mac=f"{_WIFI:02X}{mac}",
        state_key=blake2b(chance.to_bytes(8, "little"), digest_size=32, person=b"state key").digest(),
        department=organisation.departments[device["department"]].name,
        site=site.name,
        # the highest bits: the lowest chose the day
        wired=(chance >> 32) * 2.0**-32 < site.wired,
        hardware=model.hardware,
        spare=not device["staff"],
        user=f"{given[1]}.{family[1]}.{row + 1:04}@{organisation.domain}".lower(),
        display_name=f"{family[0]} {given[0]}",
    )
