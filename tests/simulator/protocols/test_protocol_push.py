"""What a push carries, both directions."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.protocols import push
from simulator.protocols.messages import Broken, Push

GOOD = {"type": "DEVICE_POLICY_FETCH", "payload": "p", "issue_timestamp_ms": "1795467224123"}


def test_the_bytes_of_a_push_are_the_three_keys_of_a_direct_message() -> None:
    """Keys type, payload and issue_timestamp_ms, all strings, on the topic of the token."""
    made = push.notify("abc-_9", push.News(push.USER_POLICY, "é", 1_700_000_000_000))
    assert made.topic == "push/abc-_9"
    assert made.payload == (b'{"type":"USER_POLICY_FETCH","payload":"\\u00e9","issue_timestamp_ms":"1700000000000"}')


def test_a_version_is_the_issue_time_in_microseconds() -> None:
    """Chromium multiplies issue_timestamp_ms by 1000."""
    assert push.read(Push("push/t", json.dumps(GOOD).encode())).version == 1_795_467_224_123_000


@pytest.mark.parametrize("token", ["", "a" * 65, "a/b", "+", "#", "ü", "a\n"])
def test_a_token_that_could_address_another_topic_is_refused(token: str) -> None:
    """Only 1 to 64 characters of base64url make a topic."""
    with pytest.raises(ValueError, match="push token"):
        push.topic_of(token)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "undecodable"),
        (b"\xff", "undecodable"),
        (b"[" * 100_000, "undecodable"),
        (b"[]", "bad_value"),
        (json.dumps({**GOOD, "type": 1}).encode(), "bad_value"),
        (json.dumps({**GOOD, "payload": "\ud800"}).encode(), "bad_value"),
        (json.dumps({**GOOD, "issue_timestamp_ms": 1}).encode(), "bad_value"),
        (json.dumps({**GOOD, "issue_timestamp_ms": "-1"}).encode(), "bad_value"),
        (json.dumps({**GOOD, "issue_timestamp_ms": "9" * 19}).encode(), "bad_value"),
        (json.dumps({**GOOD, "issue_timestamp_ms": "٣"}).encode(), "bad_value"),
        *[(json.dumps({k: v for k, v in GOOD.items() if k != gone}).encode(), "missing_part") for gone in GOOD],
    ],
)
def test_a_push_that_is_no_news_is_broken_with_its_reason(payload: bytes, reason: str) -> None:
    """Nothing but Broken comes of it, and it says what was wrong."""
    with pytest.raises(Broken) as caught:
        push.read(Push("push/t", payload))
    assert caught.value.reason == reason


@settings(deadline=None)
@given(st.text(), st.text(), st.integers(0, 10**18 - 1))
def test_what_was_told_is_what_is_read(kind: str, payload: str, issued_ms: int) -> None:
    """Both directions agree for whatever strings."""
    news = push.News(kind, payload, issued_ms)
    assert push.read(push.notify("token", news)) == news


@settings(deadline=None)
@given(st.binary())
def test_whatever_bytes_come_only_broken_is_raised(payload: bytes) -> None:
    """A push service can send anything."""
    with contextlib.suppress(Broken):
        push.read(Push("push/t", payload))
