"""The targets file and --target: what is read, and the line for each mistake."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.faults import ScenarioFaults
from scenarios.targets import SERVICES, Targets, read_targets

GOOD = """
[targets.identity]
url = "https://idp.city.example/"
ca_file = "ca.pem"
staging = true
[targets.push]
url = "mqtts://push.city.example:8883"
[authorisation]
hosts = ["idp.city.example", "push.city.example"]
owner = "Information Policy Division"
approved_by = "Head of division"
from = 2026-04-01T18:00:00+09:00
until = 2026-04-01T22:00:00+09:00
max_rate_per_s = 200
"""


def written(folder: Path, text: str) -> Path:
    """A targets file beside its certificate."""
    (folder / "ca.pem").write_text("-")
    (folder / "targets.toml").write_text(text)
    return folder / "targets.toml"


def test_a_whole_file(tmp_path: Path) -> None:
    """Everything that the file says is there, paths relative to it, times with their zone."""
    targets = read_targets(written(tmp_path, GOOD))
    assert targets.bases == {"identity": "https://idp.city.example", "push": "mqtts://push.city.example:8883"}
    assert targets.urls["identity"] == "https://idp.city.example/"
    identity = targets.named()["identity"]
    assert (identity.ca_file, identity.verify_tls, identity.staging) == (str(tmp_path / "ca.pem"), True, True)
    leave = targets.authorisation
    assert leave is not None
    assert leave.from_ == datetime(2026, 4, 1, 9, tzinfo=UTC)
    assert (leave.hosts, leave.max_rate_per_s) == (("idp.city.example", "push.city.example"), 200)


def test_an_identity_provider(tmp_path: Path) -> None:
    """Where its metadata is, and whose service provider is played; files relative to the targets file."""
    for name in ("idp.xml", "sp.pem"):
        (tmp_path / name).write_text("-")
    more = """metadata = "idp.xml"
[targets.identity.service_provider]
entity_id = "https://portal.city.example"
acs_url = "https://portal.city.example/acs?tenant=1"
key_file = "sp.pem"
"""
    identity = read_targets(written(tmp_path, GOOD.replace("[targets.push]", more + "[targets.push]"))).targets.identity
    assert identity is not None
    assert identity.metadata == str(tmp_path / "idp.xml")
    service = identity.service_provider
    assert service is not None
    assert (service.acs_url, service.binding) == ("https://portal.city.example/acs?tenant=1", "redirect")
    assert (service.key_file, service.relay_state) == (str(tmp_path / "sp.pem"), "")
    by_url = GOOD.replace("staging = true", 'staging = true\nmetadata = "https://idp.city.example/m?x=1"')
    identity = read_targets(written(tmp_path, by_url)).targets.identity
    assert identity is not None
    assert identity.metadata == "https://idp.city.example/m?x=1"


def test_nothing_named() -> None:
    """Without a file and without --target every service stands in."""
    assert read_targets(None) == Targets()
    assert read_targets(None).urls == {}


def test_command_line_goes_first(tmp_path: Path) -> None:
    """--target replaces the file's target whole, its settings too; the others stay."""
    targets = read_targets(written(tmp_path, GOOD), ["identity=http://127.0.0.1:8080"])
    identity = targets.named()["identity"]
    assert (identity.url, identity.ca_file, identity.staging) == ("http://127.0.0.1:8080", None, False)
    assert targets.urls["push"] == "mqtts://push.city.example:8883"


@pytest.mark.parametrize(
    ("right", "wrong", "line"),
    [
        (
            "[targets.identity]",
            "[targets.idenity]",
            "targets.idenity: unknown key, expected one of identity, management, push, updates; "
            'did you mean "identity"?',
        ),
        (
            "https://idp",
            "ftp://idp",
            'targets.identity.url = "ftp://idp.city.example/": expected an address such as https://host[:port]',
        ),
        (
            "https://idp",
            "https://me:pw@idp",
            'targets.identity.url = "...": expected an address without a user or password in it',
        ),
        (
            "mqtts://push.city.example:8883",
            "https://push",
            'targets.push.url = "https://push": expected an address such as mqtts://host[:port]',
        ),
        (
            "push.city.example:8883",
            "push:88830",
            'targets.push.url = "mqtts://push:88830": expected an address such as mqtts://host[:port]',
        ),
        (
            "staging = true",
            'metadata = "no.xml"',
            'targets.identity.metadata = "no.xml": expected a file that exists',
        ),
        (
            "staging = true",
            'service_provider = { entity_id = "x", acs_url = "https://x", binding = "artifact" }',
            'targets.identity.service_provider.binding = "artifact": expected one of redirect, post',
        ),
        (
            "staging = true",
            'service_provider = { entity_id = "x" }',
            "targets.identity.service_provider.acs_url is missing: expected where it has assertions posted. No one ever"
            " asks this address",
        ),
        ('"ca.pem"', '"no.pem"', 'targets.identity.ca_file = "no.pem": expected a file that exists'),
        ("staging = true", "verify_tls = false", "targets.identity.verify_tls = false: expected true beside a ca_file"),
        (
            "+09:00\nuntil",
            "\nuntil",
            "authorisation.from = 2026-04-01T18:00:00: expected a date and time with its offset, "
            "YYYY-MM-DDTHH:MM:SS+09:00",
        ),
        (
            "until = 2026-04-01T22",
            "until = 2026-04-01T17",
            "authorisation.until = 2026-04-01T17:00:00+09:00: expected a date and time after from",
        ),
        ('owner = "Information Policy Division"\n', "", "authorisation.owner is missing"),
        (
            "max_rate_per_s = 200",
            "max_rate_per_s = 0",
            "authorisation.max_rate_per_s = 0: expected a number above 0, per second",
        ),
    ],
)
def test_one_fault(tmp_path: Path, right: str, wrong: str, line: str) -> None:
    """One mistake gives one line."""
    assert right in GOOD
    with pytest.raises(ScenarioFaults) as caught:
        read_targets(written(tmp_path, GOOD.replace(right, wrong, 1)))
    assert caught.value.faults == (f"targets.toml: {line}",)


def test_faults_of_the_command_line() -> None:
    """All at once, each with what was typed."""
    with pytest.raises(ScenarioFaults) as caught:
        read_targets(None, ["idp=https://x", "push", "updates=x"])
    expected = "NAME=URL, with NAME one of management, identity, updates, push"
    assert caught.value.faults == (
        f'command line: --target = "idp": expected {expected}',
        f'command line: --target = "push": expected {expected}',
        'command line: --target updates = "x": expected an address such as https://host[:port]',
    )


@given(st.sampled_from(SERVICES), st.text(max_size=40))
def test_any_address_is_taken_or_told(service: str, url: str) -> None:
    """Whatever is named, the answer is targets with a host, or faults."""
    try:
        targets = read_targets(None, [f"{service}={url}"])
    except ScenarioFaults as caught:
        told = caught.faults
    else:
        told = tuple(targets.urls.values())
    assert len(told) == 1


def test_json_round_trip(tmp_path: Path) -> None:
    """An engine gets the same targets, whatever folder it runs in."""
    targets = read_targets(written(tmp_path, GOOD))
    assert Targets.model_validate_json(targets.model_dump_json(by_alias=True)) == targets


def test_source_addresses_of_push_lines(tmp_path: Path) -> None:
    """IP addresses, as they are; a name or a number is told."""
    more = '[targets.push]\nsource_addresses = ["10.0.0.5", "2001:DB8::1"]'
    push = read_targets(written(tmp_path, GOOD.replace("[targets.push]", more))).targets.push
    assert push is not None
    assert push.source_addresses == ("10.0.0.5", "2001:db8::1")
    with pytest.raises(ScenarioFaults, match=r"source_addresses.*IP addresses of this machine"):
        read_targets(written(tmp_path, GOOD.replace("[targets.push]", more.replace("10.0.0.5", "eth0"))))
