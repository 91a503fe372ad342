"""Two hundred sign in through a real SimpleSAMLphp, in both ways: real processes, real pages, real assertions."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from sign_in_runs import OURS, PEOPLE, THEIRS, WAYS, City, city_in
from simplesamlphp import MISSING, SimpleSamlPhp

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    return city_in(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def provider(city: City, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleSamlPhp]:
    """A provider that knows everybody of the fleet, and both service providers."""
    started = SimpleSamlPhp(tmp_path_factory.mktemp("provider"), dict([OURS, THEIRS]))
    try:
        started.set_users(city.users)
        yield started
    finally:
        started.stop()


@pytest.mark.parametrize("way", list(WAYS))
def test_everybody_signs_in(city: City, provider: SimpleSamlPhp, way: str) -> None:
    """All two hundred get in, none refused, by our samples and by the provider's own log."""
    before = provider.posted()
    done = city.fleetrush("run", way, provider.metadata_url, provider.metadata, "--out", way)
    # 3 is a machine too busy to be trusted: the counts must hold all the same
    assert done.returncode in (0, 3)
    city.expect_everybody_signed_in(way, way, assets=1)
    # two hundred, and the one that went first
    assert provider.posted() - before == PEOPLE + 1


@pytest.mark.parametrize("way", list(WAYS))
def test_wrong_password(city: City, provider: SimpleSamlPhp, way: str) -> None:
    """A password that the provider does not take is refused, the login page again with 200, before any load."""
    provider.set_users(dict.fromkeys(city.users, "something else"))
    try:
        done = city.fleetrush("run", way, provider.metadata_url, provider.metadata, "--out", "never")
    finally:
        provider.set_users(city.users)
    assert done.returncode == 2
    assert "login_page_again" in done.stdout
    assert not (city.folder / "never").exists()
    assert not [password for password in city.users.values() if password in done.stdout + done.stderr]


def test_accounts_of_a_list(city: City, provider: SimpleSamlPhp) -> None:
    """Test accounts of the city's own sign in, each with its own password; one too few is told before any load."""
    listed = {f"test{number:02}@city.example": f"own word {number}" for number in range(1, 21)}
    rows = ["user,password,totp,expendable", *(f"{user},{password},," for user, password in listed.items())]
    (city.folder / "accounts.csv").write_text("\n".join(rows) + "\n")
    (city.folder / "accounts.csv").chmod(0o600)
    provider.set_users(listed)
    before = provider.posted()
    try:
        for devices, code in ((len(listed), (0, 3, 4)), (len(listed) + 1, (2,))):
            said = ("--devices", str(devices), "--accounts", "accounts.csv", "--out", f"listed-{devices}")
            done = city.fleetrush("run", "played", provider.metadata_url, provider.metadata, *said)
            assert done.returncode in code
    finally:
        provider.set_users(city.users)
    # each of them, and the one that went first
    assert provider.posted() - before == len(listed) + 1
    (run,) = (city.folder / f"listed-{len(listed)}").iterdir()
    signed_in = json.loads((run / "summary.json").read_text())["steps"]["signed_in"]
    assert (signed_in["ok"], signed_in["count"]) == (len(listed), len(listed))


def test_not_registered(city: City, provider: SimpleSamlPhp) -> None:
    """A service provider that the identity provider does not know is told before any load."""
    stranger = WAYS["played"].replace(THEIRS[0], "https://unknown.city.example").format(url=provider.metadata_url)
    (city.folder / "stranger.toml").write_text(stranger)
    done = city.fleetrush("check", "played", provider.metadata_url, provider.metadata, "--targets", "stranger.toml")
    assert done.returncode == 1
    assert "Metadata not found" in done.stdout
