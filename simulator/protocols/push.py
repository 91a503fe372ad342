"""Push messages: the topic of a device's push token, and the JSON a push carries, both directions.

Stands in for a direct message of Firebase Cloud Messaging. No connection is held here, and no push is acted on.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from zlib import crc32

from simulator.protocols.messages import Broken, Push, is_unicode

# Chromium components/invalidation: the types of a direct message that a ChromeOS device with one user acts on.
DEVICE_POLICY = "DEVICE_POLICY_FETCH"
USER_POLICY = "USER_POLICY_FETCH"
# Followed by the id of a device-local account.
ACCOUNT_POLICY = "PUBLIC_ACCOUNT_POLICY_FETCH-"
DEVICE_COMMAND = "DEVICE_REMOTE_COMMAND"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class News:
    """What a push tells: that something of `kind` changed, the server's opaque `payload`, and when it was issued."""

    kind: str
    payload: str
    issued_ms: int

    @property
    def version(self) -> int:
        """The invalidation version, microseconds (Chromium invalidation_listener_impl.cc: issue time x 1000)."""
        return self.issued_ms * 1000


def topic_of(token: str) -> str:
    """The MQTT topic on which the device that made this token listens.

    Raises: ValueError when the token is not 1 to 64 characters of base64url: one could then address another topic.
    """
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"push token {token!r}: expected 1 to 64 characters of A-Z a-z 0-9 _ -")
    return f"push/{token}"


def share_of(topic: str, shares: int) -> int:
    """Which of so many brokers carries a topic, where several share a fleet: device and publisher reckon alike."""
    return crc32(topic.encode()) % shares


def notify(token: str, news: News) -> Push:
    """The push that brings the news to one device. Raises: ValueError for a bad token."""
    fields = {"type": news.kind, "payload": news.payload, "issue_timestamp_ms": str(news.issued_ms)}
    return Push(topic_of(token), json.dumps(fields, separators=(",", ":")).encode())


def read(push: Push) -> News:
    """What a device makes of a push; of a kind it does not know as well, which it then ignores.

    Raises: Broken for a payload that is not JSON ("undecodable"), lacks a key ("missing_part") or has one of a wrong
        form ("bad_value").
    """
    try:
        fields = json.loads(push.payload)
    except (ValueError, RecursionError) as error:
        raise Broken("undecodable", f"push payload: {error}") from None
    if not isinstance(fields, dict):
        raise Broken("bad_value", "push payload is not a JSON object")
    texts: list[str] = []
    for key in ("type", "payload", "issue_timestamp_ms"):
        if key not in fields:
            raise Broken("missing_part", f"push payload has no {key!r}")
        if not isinstance(fields[key], str):
            raise Broken("bad_value", f"{key!r} of a push is not a string")
        if not is_unicode(fields[key]):
            raise Broken("bad_value", f"{key!r} of a push is not Unicode")
        texts.append(fields[key])
    kind, payload, issued = texts
    # An int64 in the client: 18 digits always fit.
    if not re.fullmatch(r"[0-9]{1,18}", issued):
        raise Broken("bad_value", f"'issue_timestamp_ms' of a push is {issued[:40]!r}")
    return News(kind, payload, int(issued))
