"""Who: rows that depend on seed and index alone, the same bytes everywhere, facts that are unique and well formed."""

import re
from dataclasses import asdict
from hashlib import sha256

import numpy as np
import pytest

from scenarios.load import load
from scenarios.organisation import Organisation
from scenarios.schema import Known
from simulator.draw import draw
from simulator.fleet import ROW, device_facts, make_fleet, names


@pytest.fixture(scope="module")
def city() -> Organisation:
    """Maebashi."""
    return load(
        "morning_peak", known=Known(("boot",), ("ready", "applied", "identity.login"), ("publish_policy",))
    ).organisation


def test_same_bytes_on_every_machine(city: Organisation) -> None:
    """The bytes for a seed never change: earlier runs stay comparable. Little-endian, no padding."""
    assert ROW.itemsize == 22
    assert all(ROW[name].str[0] in "<|" for name in ROW.names or ())
    assert sha256(make_fleet(city, 2680, 1).tobytes()).hexdigest() == (
        "e64db889272d50bf8e0825c590e7012cb54ff8745e45c11537784f419dd45f5c"
    )


def test_a_row_does_not_depend_on_the_fleets_size(city: Organisation) -> None:
    """Device 7 is the same in a fleet of 10, 1,000 and 100,000; another seed gives another."""
    large = make_fleet(city, 100_000, 1)
    for size in (10, 1_000):
        small = make_fleet(city, size, 1)
        assert small.tobytes() == large[:size].tobytes()
    assert device_facts(make_fleet(city, 10, 1), city, 7) == device_facts(large, city, 7)
    assert not (make_fleet(city, 10, 2)["number"] == large["number"][:10]).any()


@pytest.mark.parametrize("devices", [1, 33, 34, 200, 2680, 26_800])
def test_spares_are_exact(city: Organisation, devices: int) -> None:
    """80 spares in 2,680 rows, in proportion in any other number, and evenly spread: one in each 33 or 34 rows."""
    staff = make_fleet(city, devices, 1)["staff"]
    assert np.count_nonzero(~staff) == devices * 80 // 2680
    assert set(np.diff(np.flatnonzero(~staff))) <= {33, 34}


def test_no_spares_where_everybody_has_one_device(city: Organisation) -> None:
    """An organisation without spares has none at any size."""
    assert make_fleet(city.model_copy(update={"staff": 2680}), 5_000, 1)["staff"].all()


def test_cables_and_hardware_are_those_of_site_and_model(city: Organisation) -> None:
    """Of each site's devices the told share is wired, within five standard deviations; the hardware is the model's."""
    fleet = make_fleet(city, 20_000, 1)
    wired: dict[str, list[bool]] = {site.name: [] for site in city.sites}
    hardware = {model.name: model.hardware for model in city.models}
    for row in range(fleet.size):
        facts = device_facts(fleet, city, row)
        wired[facts.site].append(facts.wired)
        assert facts.hardware is hardware[facts.model]
    for site in city.sites:
        n, share = len(wired[site.name]), site.wired
        assert abs(sum(wired[site.name]) - n * share) <= 5 * (n * share * (1 - share)) ** 0.5
    assert {site.name for site in city.sites if not site.wired} == {"在宅"}


def test_shares_are_kept(city: Organisation) -> None:
    """Each department, site and model has its share of 100,000 devices, within four standard deviations."""
    fleet = make_fleet(city, 100_000, 1)
    for column, kinds in (("department", city.departments), ("site", city.sites), ("model", city.models)):
        counts = np.bincount(fleet[column], minlength=len(kinds))
        assert len(counts) == len(kinds)
        for count, kind in zip(counts, kinds, strict=True):
            assert abs(count - 100_000 * kind.share) < 4 * (100_000 * kind.share * (1 - kind.share)) ** 0.5


def test_a_row_follows_from_its_own_draws(city: Organisation) -> None:
    """The kind is the first whose shares, added up, pass the device's draw: by scalar arithmetic, one row at a time."""
    fleet = make_fleet(city, 300, 5)
    for row in range(300):
        expected, passed = 0, city.sites[0].share
        while draw(5, row, "site") >= passed:
            expected += 1
            passed += city.sites[expected].share
        assert fleet["site"][row] == expected


def test_what_must_be_unique_is_unique(city: Organisation) -> None:
    """No two of 20,000 devices share a serial number, asset tag, MAC address, state key or account."""
    fleet = make_fleet(city, 20_000, 1)
    facts = [device_facts(fleet, city, row) for row in range(20_000)]
    for name in ("serial", "asset_tag", "state_key", "user"):
        assert len({getattr(one, name) for one in facts}) == 20_000
    assert len({mac for one in facts for mac in (one.ethernet_mac, one.dock_mac, one.wifi_mac)}) == 60_000
    assert len(np.unique(make_fleet(city, 1_000_000, 1)["number"])) == 1_000_000


def test_facts_are_as_servers_expect_them(city: Organisation) -> None:
    """Serial, MAC, date, state key and account have the forms that the protocols ask for."""
    fleet = make_fleet(city, 500, 1)
    models = {model.name: model for model in city.models}
    for row in range(500):
        facts = device_facts(fleet, city, row)
        assert re.fullmatch(r"5CD[0-9A-Z]{7}", facts.serial)
        for mac in (facts.ethernet_mac, facts.dock_mac, facts.wifi_mac):
            assert re.fullmatch(r"[0-9A-F]{12}", mac)
            # IEEE 802: the second lowest bit of the first octet says locally administered, the lowest says group
            assert int(mac[:2], 16) & 3 == 2
        model = models[facts.model]
        assert str(model.made_from) <= facts.manufacture_date <= str(model.made_until)
        assert len(facts.state_key) == 32
        assert re.fullmatch(r"[a-z]+\.[a-z]+\.\d{4}@city\.example", facts.user)
        assert facts.user.endswith(f".{row + 1:04}@city.example")
        assert {facts.board, facts.hwid, facts.brand_code} == {model.board, model.hwid, model.brand_code}
        assert facts.spare == (not fleet["staff"][row])
        assert all(value != "" for value in asdict(facts).values())


def test_names_are_japanese_and_have_their_latin_spelling() -> None:
    """256 of either kind, each with an ASCII spelling for addresses; Japan's commonest family names are among them."""
    family, given = names()
    assert (len(family), len(given)) == (256, 256)
    for kanji, latin in (*family, *given):
        assert not kanji.isascii()
        assert re.fullmatch(r"[A-Z][a-z]+", latin)
    assert {"佐藤", "鈴木", "高橋", "田中"} <= {kanji for kanji, _ in family}
