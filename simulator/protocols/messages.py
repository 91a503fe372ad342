"""What passes between the protocols, the wires and the journeys: requests, responses, exchanges and how they end.

Nothing here does I/O, reads a clock or knows a protocol, and nothing of ours is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

# Why an exchange did not end ok: a closed list, the index of which is a sample's `reason`. Only ever append.
REASONS: tuple[str, ...] = (
    "none",
    # The server said no, in good form.
    "http_status",
    "login_page_again",
    "connack",
    "suback",
    "not_entitled",
    # The answer, or the way to it, was broken for certain.
    "undecodable",
    "missing_part",
    "bad_http",
    "header_too_large",
    "body_too_large",
    "too_many_redirects",
    "bad_redirect",
    "connect_refused",
    "connect_timeout",
    "connect_failed",
    "name_unknown",
    "tls_failed",
    "broken_before_sent",
    "bad_signature",
    "bad_initial_signature",
    "bad_key_signature",
    "error_code_present",
    "wrong_policy_type",
    "wrong_entity",
    "wrong_token",
    "wrong_device",
    "wrong_user",
    "wrong_domain",
    "bad_timestamp",
    "bad_value",
    "bad_assertion",
    "size_mismatch",
    "hash_mismatch",
    "bad_payload",
    # The request was out, and then we cannot know.
    "timeout",
    "broken_after_sent",
    "push_lost",
    "run_ended",
    # It could not start.
    "earlier_step",
    "guard_not_authorised",
    "guard_public_service",
    "rate_cap",
    # Our own machine's fault: the run cannot be trusted.
    "harness_descriptors",
    "harness_ports",
    "harness_memory",
    # Sign-in: more was asked than a user of the fleet has; the pages never ended; the user must sign in again.
    "asks_for_more",
    "too_many_pages",
    "invalid_grant",
    # The way to the server is cut.
    "unreachable",
    # The identity provider's answer, by the first thing wrong with it (SAML profiles 4.1.4.3).
    "assertion_status",
    "assertion_destination",
    "assertion_encrypted",
    "assertion_unsigned",
    "assertion_algorithm",
    "assertion_signature",
    "assertion_issuer",
    "assertion_subject",
    "assertion_recipient",
    "assertion_in_response_to",
    "assertion_expired",
    "assertion_not_yet",
    "assertion_audience",
    "assertion_statement",
    "assertion_replayed",
)
_KNOWN = frozenset(REASONS)


class Trouble(Exception):  # noqa: N818 - an end of an exchange, not an error of ours
    """An exchange that did not end ok.

    Args:
        reason: one of REASONS.
        detail: what happened, for a person; never a secret.
        status: the HTTP status or MQTT reason code that came, 0 if none.
    """

    outcome = "failed"

    def __init__(self, reason: str, detail: str = "", *, status: int = 0) -> None:
        if reason not in _KNOWN:
            raise ValueError(f"{reason!r} is not in REASONS")
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status = status


class Refused(Trouble):
    """A well-formed no: 4xx, 429, 503, a CONNACK or SUBACK code, the login page again."""

    outcome = "refused"


class Broken(Trouble):
    """Definite and broken: another 5xx, invalid content, no connection, or broken before the request was out."""

    outcome = "failed"


class Unknown(Trouble):
    """Timed out or broken after the request was out: nobody here can know what the server did."""

    outcome = "unknown"


class Skipped(Trouble):
    """It could not start: an earlier step ended not ok, or the guard said no."""

    outcome = "skipped"


class Exhausted(Skipped):
    """Our own machine ran out of descriptors, ports or memory: the run cannot be trusted."""


# The three that every exchange makes are not frozen: a frozen one costs four times as much to make. Nobody changes one.
@dataclass(slots=True)
class Request:
    """One HTTP request as a protocol wants it sent.

    `url` is absolute. `headers` go out in this order after Host; Content-Length, Cookie and Connection are the wire's.
    `redirects` is how many the wire may follow by itself (a 303, or a 301 or 302 answer to a POST, turns into a GET).
    `browser` says that the device's browser asks: what it tells of itself goes after the headers. Other programs of a
    device, such as its update engine, say only what they say.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    redirects: int = 0
    browser: bool = True

    def header(self, name: str, default: str = "") -> str:
        """The first header of that name (any case), or the default."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), default)


@dataclass(slots=True)
class Response:
    """One HTTP response. `body` is empty where it went to a sink; header names are lower case, repeated ones kept.

    `url` is the one that answered (after redirects); `bytes_in` and `bytes_out` are HTTP bytes, heads included.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    url: str = ""
    bytes_in: int = 0
    bytes_out: int = 0

    def header(self, name: str, default: str = "") -> str:
        """The first header of that lower-case name, or the default."""
        return next((value for key, value in self.headers if key == name), default)


class Sink(Protocol):
    """Takes a response body as it arrives, in order. Only bodies of 2xx responses reach it."""

    def write(self, data: bytes) -> None:
        """Take the next bytes. Must not raise; judge at the end."""


@dataclass(slots=True)
class Exchange(Generic[T_co]):
    """One named exchange with one service: what to send, how to read what comes, and whether to ask again.

    `read` raises Refused or Broken, nothing else. `again` says what the client sends by itself after that trouble, at
    its `pace` (timers.RETRIES); None: nothing.
    """

    step: str
    request: Request
    read: Callable[[Response], T_co]
    again: Callable[[Trouble], Request | None] = lambda trouble: None
    pace: Literal["growing", "at_once", "steady"] = "growing"


@dataclass(frozen=True, slots=True)
class PushLogin:
    """How a device logs in to the push service: an mqtt:// or mqtts:// URL, its MQTT identity and its own topic."""

    url: str
    client_id: str
    username: str
    password: str
    topic: str
    keepalive_s: int = 240


@dataclass(frozen=True, slots=True)
class Push:
    """One message of the push service, on its way to (`topic`) or as heard by a device."""

    topic: str
    payload: bytes


class PushLine(Protocol):
    """A held push connection at rest: no task of ours waits on it."""

    def close(self) -> None:
        """Send DISCONNECT and let go. Idempotent; the `lost` callback is not called for it."""


def is_unicode(text: str) -> bool:
    """Whether a text can be sent: JSON's escapes can spell one half of a surrogate pair, which UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def settle(response: Response, *, ok: tuple[int, ...] = (200,), detail: str = "") -> Response:
    """Sort a response by its status alone, as the record defines outcomes.

    Returns: the response when its status is in `ok`.
    Raises: Refused for 4xx, 429 and 503 and for an unexpected 2xx or 3xx; Broken for any other status.
    """
    if response.status in ok:
        return response
    said = detail or f"HTTP {response.status}"
    if 200 <= response.status < 500 or response.status == 503:
        raise Refused("http_status", said, status=response.status)
    raise Broken("http_status", said, status=response.status)
