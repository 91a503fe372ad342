"""Our requests beside those that a real Chromium sent, field by field: each difference has its reason here.

The captures are a desktop browser's, ours a Chromebook's. Both are read by an independent decoder and table of numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from management_numbers import NUMBERS, leaves
from protobuf_by_hand import block, fields, number

from simulator.protocols import management as m
from simulator.protocols.messages import Exchange

CAPTURES = Path(__file__).parents[2] / "data" / "chromium-156"
WHO = m.Identity(url="http://h/dm", device_id="0f8fad5b-d9cb-469f-a165-70867728950e", agent="a", platform="p")
TRUST = m.Trust("dm-token", WHO.device_id)
KNOWN = m.Trust("dm-token", WHO.device_id, key_version=1, public_key=b"key", timestamp_ms=1_795_401_000_000)
OURS: dict[str, Exchange[Any]] = {
    "policy_first": m.fetch_device_policy(
        WHO, reason=m.PolicyReason.DEVICE_ENROLLMENT, trust=TRUST, state_keys=(b"k" * 32,), critical=True
    ),
    "policy_restart": m.fetch_device_policy(
        WHO, reason=m.PolicyReason.BROWSER_START, trust=KNOWN, state_keys=(b"k" * 32,)
    ),
    "remote_commands_startup": m.remote_commands(WHO, reason=m.CommandReason.REASON_STARTUP, trust=KNOWN),
    "policy_validation_report_bad_signature": m.validation_report(
        WHO, m.Invalid("bad_initial_signature", policy_type="google/chromeos/device", policy_token="lab-policy-token")
    ),
    "fm_registration_token_upload": m.push_token(
        WHO, "0123456789abcdef", m.PushKind.DEVICE, expiration_ms=1_796_612_000_000
    ),
    "api_authorization": m.api_authorization(WHO),
}
NOT_OURS = {"register_browser": "a Chromebook registers as a device (register, field 1): no browser ever does"}

TYPES = "the same two parts under ChromeOS's names: the policy, and the policies of extensions"
IDENTIFIER = "only a browser that shares its machine with others tells the machine's name and serial number"
STATE_KEYS = "only a Chromebook has state keys, by which it is found again after a wipe"
REASON = "another occasion"
LATER = "while it enrolls, a Chromebook asks for its own policy alone; for that of extensions from the next boot on"
# What both send with another value, what only the browser sends, and what only we send.
DIFFERENCES: dict[str, dict[str, str]] = {
    "policy_first": {
        "3.3[main].1": TYPES,
        **dict.fromkeys((f"3.3[extension].{path}" for path in ("1", "3", "9", "15.1")), LATER),
        "3.3[main].13.1": IDENTIFIER,
        "3.3[main].13.2": IDENTIFIER,
        "3.4": REASON,
        "10.1": STATE_KEYS,
    },
    "policy_restart": {
        "3.3[main].1": TYPES,
        "3.3[extension].1": TYPES,
        "3.3[main].2": "each tells the timestamp of the policy that it holds",
        "3.3[main].13.1": IDENTIFIER,
        "3.3[main].13.2": IDENTIFIER,
        "3.4": REASON,
        "10.1": STATE_KEYS,
    },
    "remote_commands_startup": {"13.5": "commands for a ChromeOS device, not for a browser"},
    "policy_validation_report_bad_signature": {"27.1": "the policy that was found wanting is a device's"},
    "fm_registration_token_upload": {
        "42.1": "each has its own token",
        "42.3": "DEVICE (0), where a browser says BROWSER (1)",
        "42.4": "each token has its own end",
        "42.5": "another project of the push service: that of ChromeOS's invalidations",
    },
    "api_authorization": {
        "8.1": "a device's robot account may be given any scope; a browser asks for the two that it needs",
        "8.2": "Debian's builds have no client id of their own",
        "8.3": "CHROME_OS (0), where a browser says CHROME_BROWSER (3)",
    },
}


def told(body: bytes) -> dict[str, list[int | bytes]]:
    """Path -> values. The policy requests within one, whose order means nothing, are told apart by their kind."""
    paths: dict[str, list[int | bytes]] = {}
    for field, _, part in fields(body):
        assert isinstance(part, bytes)
        if field == 3:
            for inner, wire_type, value in fields(part):
                if inner == 3:
                    assert isinstance(value, bytes)
                    name = dict(leaves(value, "PolicyFetchRequest"))["1"]
                    assert isinstance(name, bytes)
                    role = "extension" if b"extension" in name else "main"
                    for path, leaf in leaves(value, "PolicyFetchRequest"):
                        paths.setdefault(f"3.3[{role}].{path}", []).append(leaf)
                else:
                    assert (NUMBERS["DevicePolicyRequest"][inner], wire_type) == ("n", 0)
                    paths.setdefault(f"3.{inner}", []).append(value)
        else:
            for path, leaf in leaves(block(field, part)):
                paths.setdefault(path, []).append(leaf)
    return paths


def test_each_capture_has_its_counterpart_or_a_reason() -> None:
    """No captured kind is left out of the comparison."""
    assert {path.stem for path in CAPTURES.glob("*.bin")} == {*OURS, *NOT_OURS}
    assert set(DIFFERENCES) == set(OURS)


@pytest.mark.parametrize("name", OURS)
def test_ours_differ_from_the_browsers_only_as_told(name: str) -> None:
    """What both send has the same value, and what one of them lacks is in the table; the table holds nothing else."""
    theirs = told((CAPTURES / f"{name}.bin").read_bytes())
    ours = told(OURS[name].request.body)
    differ = {path for path in theirs.keys() | ours.keys() if theirs.get(path) != ours.get(path)}
    assert differ == set(DIFFERENCES[name])


@pytest.mark.parametrize("name", [*OURS, *NOT_OURS])
def test_the_browser_sends_only_what_the_table_of_numbers_has(name: str) -> None:
    """The table itself is held against reality: every field of every capture is in it, with the right kind."""
    assert list(leaves((CAPTURES / f"{name}.bin").read_bytes()))


@pytest.mark.parametrize(
    ("name", "path", "plausible"),
    [
        ("policy_first", "3.3[main].3", [2]),
        ("policy_first", "3.3[main].9", [b"1:356l7w"]),
        ("policy_first", "3.3[main].15.1", [1]),
        ("policy_first", "3.4", [1]),
        ("policy_first", "10.1", [b"k" * 32]),
        ("policy_restart", "3.3[main].2", [1_795_401_000_000]),
        ("policy_restart", "3.3[main].4", [1]),
        ("policy_restart", "3.4", [19]),
        ("remote_commands_startup", "13.5", [b"google/ash/device/remotecommand"]),
        ("fm_registration_token_upload", "42.3", [0]),
        ("fm_registration_token_upload", "42.5", [1013309121859]),
        ("api_authorization", "8.1", [b"https://www.googleapis.com/auth/any-api"]),
        ("api_authorization", "8.3", [0]),
    ],
)
def test_what_is_ours_has_the_value_that_a_chromebook_sends(name: str, path: str, plausible: list[int | bytes]) -> None:
    """The values of what differs are those of the published sources."""
    assert told(OURS[name].request.body)[path] == plausible


@pytest.mark.parametrize(
    "body",
    [
        block(3, block(3, number(5, 1))),
        block(3, number(3, 1)),
        block(3, block(3, number(1, 1))),
        block(4, block(1, b"\xff")),
        block(99, ""),
    ],
    ids=["no such number", "a message as a number", "text as a number", "not UTF-8", "no such part"],
)
def test_the_table_of_numbers_objects(body: bytes) -> None:
    """A number that nobody defined, a wrong kind and broken text do not pass: the check can fail."""
    with pytest.raises(ValueError, match=r"field|wire type|utf-8"):
        list(leaves(body))
