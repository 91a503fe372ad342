"""What is kept of enrollments: any state of a device comes back as it was, and no line gives a token away."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.device import Device
from simulator.enrollments import (
    DISABLED,
    ENROLLED,
    UNENROLLED,
    Enrollment,
    Reader,
    Recorder,
    Writer,
    device_of,
    enrollment_of,
)
from simulator.protocols.management import Identity, Trust
from simulator.protocols.policy_values import device_settings

WIRE: Any = object()
URL = "https://dm.city.example/devicemanagement/data/api"


def identify(device_id: str) -> Identity:
    """A client as a device would make it."""
    return Identity(URL, device_id, "agent", "platform")


# what splits lines elsewhere included
WORDS = st.text(max_size=20) | st.text("\x1c\x85\u2028a", max_size=5)
NUMBERS = st.integers(0, 2**53)


def trusts(*, user: bool) -> st.SearchStrategy[Trust]:
    """What a client holds; a user has a name, a device a domain."""
    return st.builds(
        Trust,
        dm_token=WORDS,
        device_id=WORDS,
        username=WORDS if user else st.just(""),
        domain=st.just("") if user else WORDS,
        key_version=NUMBERS,
        public_key=st.sampled_from([b"", b"one key", b"another key"]),
        timestamp_ms=NUMBERS,
    )


OF_DEVICE: dict[str, Any] = {
    "row": st.integers(0, 2**32 - 2),
    "device": trusts(user=False),
    "affiliation_ids": st.lists(WORDS, max_size=2).map(tuple),
    "disabled": st.booleans(),
    "drawn": NUMBERS,
}
OF_USER: dict[str, Any] = {"user": trusts(user=True), "refresh_token": WORDS, "affiliated": st.booleans()}
ENROLLMENTS = st.builds(Enrollment, **OF_DEVICE) | st.builds(Enrollment, **OF_DEVICE, **OF_USER)


@given(st.lists(ENROLLMENTS, max_size=5))
def test_lines_bring_back_what_went_in(kept: list[Enrollment]) -> None:
    """Rows of any content, unenrolled ones too, come out of their lines equal; a key that many hold is told once."""
    kept += [one.wiped() for one in kept]
    writer, reader = Writer(), Reader()
    lines = [line for one in kept for line in writer.lines(one)]
    assert [one for one in map(reader.read, lines) if one is not None] == kept
    assert all(line.splitlines() == [line] for line in lines)
    keys = {trust.public_key for one in kept for trust in (one.device, one.user) if trust is not None}
    assert len(lines) == len(kept) + len(keys)


@given(ENROLLMENTS)
def test_a_device_comes_back_as_it_was(kept: Enrollment) -> None:
    """Device to enrollment and back is nothing but the same; the verification key is this run's, not the last one's."""
    device = device_of(kept, WIRE, identify, b"root")
    assert device.identity == replace(identify(kept.device.device_id), dm_token=kept.device.dm_token)  # type: ignore[union-attr]
    assert device.trust is not None
    assert device.trust.verification_key == b"root"
    assert enrollment_of(device) == kept


def test_states() -> None:
    """Enrolled, disabled by policy, and unenrolled: never enrolled, given up half way, or not known any more (410)."""
    device = Device(7, WIRE)
    assert enrollment_of(device).state == UNENROLLED
    device.identity, device.trust = identify("d"), Trust("t", "d")
    assert enrollment_of(device).state == ENROLLED
    device.disabled = True
    assert enrollment_of(device).state == DISABLED
    device.forgotten = True
    assert enrollment_of(device) == Enrollment(7, None)


def test_an_ephemeral_user_leaves_nothing() -> None:
    """Where device policy has users ephemeral, a run that ends in the middle of a session keeps none of them."""
    device = Device(7, WIRE, identify("d"), Trust("t", "d"))
    device.user_identity, device.user_trust = identify("u"), Trust("ut", "u", "somebody@city.example")
    device.refresh_token, device.affiliated = "1//r", True
    assert enrollment_of(device).user == device.user_trust
    # field 13 of ChromeDeviceSettingsProto, EphemeralUsersEnabledProto, field 1: true
    device.settings = device_settings(b"\x6a\x02\x08\x01")
    assert enrollment_of(device) == Enrollment(7, Trust("t", "d"))


GOOD: dict[str, Any] = {
    "row": 3,
    "drawn": 2,
    "device": {"id": "d", "token": "SECRET", "domain": "", "key": "k", "version": 1, "timestamp_ms": 5},
    "affiliation_ids": [],
    "disabled": False,
}


@pytest.mark.parametrize(
    "damage",
    [
        {"row": -1},
        {"row": "3"},
        {"row": True},
        {"drawn": 1.5},
        {"device": 7},
        {"device": {**GOOD["device"], "token": None}},
        {"device": {**GOOD["device"], "key": "unknown"}},
        {"device": {**GOOD["device"], "version": "1"}},
        {"affiliation_ids": 5},
    ],
)
def test_a_damaged_line_is_refused_without_a_word_of_it(damage: dict[str, Any]) -> None:
    """A line of another shape is no enrollment, and neither message nor cause carries what stood in it."""
    reader = Reader()
    assert reader.read('{"key":"k","der":"AAAA"}') is None
    assert reader.read(json.dumps(GOOD)) is not None
    with pytest.raises(ValueError, match=r"^not an enrollment$") as caught:
        reader.read(json.dumps({**GOOD, **damage}))
    assert caught.value.__cause__ is None
    for line in ("", "[]", "{", "null", '{"key":"k","der":"?"}', json.dumps(GOOD)[:-5]):
        with pytest.raises(ValueError, match=r"^not an enrollment$"):
            reader.read(line)


def test_only_changes_are_told() -> None:
    """A device that drew numbers and nothing else is told at the run's end only; one that never enrolled, never."""
    reader = Reader()

    def told(recorder: Recorder) -> list[Enrollment]:
        found = map(reader.read, recorder.take().decode().splitlines())
        return [one for one in found if one is not None]

    kept = Enrollment(1, Trust("t", "d", public_key=b"k", timestamp_ms=5), drawn=3)
    recorder = Recorder([kept])
    device, stranger = device_of(kept, WIRE, identify, None), Device(2, WIRE)
    device.drawn = stranger.drawn = 9
    recorder.note(device)
    recorder.note(stranger)
    assert told(recorder) == []
    device.trust = replace(device.trust, timestamp_ms=6)  # type: ignore[type-var]
    recorder.note(device)
    recorder.note(device)
    assert told(recorder) == [replace(kept, device=replace(kept.device, timestamp_ms=6), drawn=9)]  # type: ignore[type-var]
    device.forgotten = True
    recorder.note(device)
    assert told(recorder) == [Enrollment(1, None, drawn=9)]
    device.drawn = 12
    recorder.note(device)
    assert told(recorder) == []
    recorder.close(device)
    recorder.close(stranger)
    assert told(recorder) == [Enrollment(1, None, drawn=12)]
