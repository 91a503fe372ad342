"""Tells one device's exchanges to a person: a line each, and the decoded messages for whoever wants to see them.

No secret is told: tokens, codes, cookies, passwords and assertions are named, never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from google.protobuf import text_format
from google.protobuf.message import DecodeError, Message

from simulator.protocols import management_pb2 as pb
from simulator.protocols.assets import Fetched, Linked
from simulator.protocols.forms import LoginForm, SamlPost
from simulator.protocols.messages import Exchange, Response, Trouble
from simulator.redaction import redacted
from simulator.wire.http import Hop

HIDDEN = "(hidden)"
_SECRET = re.compile(
    r"token|secret|passw|pwd|code|cookie|assertion|saml|relaystate|session|signature|key|^fields$|^value$",
    re.IGNORECASE,
)
# What is said in a form without being anybody's own (RFC 6749 4.1.3, 6): of all other fields the names are told, since
# a provider may call its password, its code and its user what it likes.
_PLAIN_FIELDS = frozenset({"grant_type", "scope", "client_id", "device_type"})
_VALUE_LENGTH = 60
_BODY_LENGTH = 4000


def line(
    exchange: Exchange[Any], response: Response | None, answer: Any, trouble: Trouble | None, seconds: float
) -> str:
    """One exchange in one line: step, where it went, status, time, and what was learnt or what went wrong."""
    request = exchange.request
    status = response.status if response is not None else 0
    end = "ok" if trouble is None else trouble.outcome
    said = learnt(answer) if trouble is None else redacted(str(trouble))
    where = f"{request.method} {_place(request.url)}"
    return f"{exchange.step:<28} {end:<8} {status or '-':>3} {seconds * 1000:8.1f} ms  {where}" + (
        f"\n{'':<28} {said}" if said else ""
    )


def learnt(answer: Any) -> str:
    """What a reader made of an answer, in a few words."""
    if answer is None or answer == () or isinstance(answer, LoginForm | SamlPost | Linked | Fetched):
        return ""  # of a page its form and its links are told, by whoever knows it whole
    if isinstance(answer, str):
        return _place(answer) if "://" in answer else HIDDEN if answer else ""
    if isinstance(answer, tuple):
        return f"{len(answer)} of them: {', '.join(learnt(one) for one in answer[:3])}"
    if is_dataclass(answer):
        told = ((field.name, getattr(answer, field.name)) for field in fields(answer))
        return ", ".join(f"{name}={_shown(name, value)}" for name, value in told if value not in ("", (), None, b""))
    return str(answer)[:_VALUE_LENGTH]


def decoded(exchange: Exchange[Any], response: Response | None) -> Iterator[str]:
    """Both messages of an exchange, decoded, secrets hidden: for -v."""
    yield from _message("sent", exchange.request.headers, exchange.request.body, pb.DeviceManagementRequest())
    if response is not None:
        yield from _message("got", response.headers, response.body, pb.DeviceManagementResponse())


def hop_lines(hops: Sequence[Hop]) -> Iterator[str]:
    """Each hop with its status and time, where it leads, and its cookies: names and attributes, never values.

    A single hop is the exchange itself, whose line says the rest.
    """
    for hop in hops:
        if len(hops) > 1:
            yield f"    {hop.method} {_place(hop.url)}  {hop.status} {hop.seconds * 1000:.1f} ms"
        for name, value in hop.headers:
            if name == "location":
                yield f"      leads to {_place(urljoin(hop.url, value))}"
            elif name == "set-cookie":
                yield f"      sets {_cookie(value)}"


def _cookie(line: str) -> str:
    pair, *attributes = (part.strip() for part in line.split(";"))
    return f"{pair.partition('=')[0]} ({'; '.join(attributes) or 'no attributes'})"


def _message(way: str, headers: tuple[tuple[str, str], ...], body: bytes, empty: Message) -> Iterator[str]:
    for name, value in headers:
        yield f"    {way} {name}: {HIDDEN if _hidden(name) else value}"
    kind = next((value.partition(";")[0] for name, value in headers if name.lower() == "content-type"), "")
    if body:
        yield from (f"    {way} | {text}" for text in _body(kind, body, empty))


def _body(kind: str, body: bytes, empty: Message) -> list[str]:
    if "proto" in kind:
        try:
            empty.ParseFromString(body)
        except DecodeError:
            return [f"{len(body)} bytes that are no message"]
        _hide(empty)
        return text_format.MessageToString(empty).splitlines()
    if kind.endswith("urlencoded"):
        pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
        return [f"{name} = {value[:_VALUE_LENGTH] if name in _PLAIN_FIELDS else HIDDEN}" for name, value in pairs]
    if kind in ("text/xml", "application/xml", "text/plain"):
        return body[:_BODY_LENGTH].decode(errors="replace").splitlines()
    return [f"{len(body)} bytes of {kind or 'no type'}"]


def _hide(message: Message) -> None:
    """Blot out every field of a message that is named like a secret, and every field of bytes."""
    for field, value in message.ListFields():
        if isinstance(value, Message):
            _hide(value)
        elif field.is_repeated:
            for one in value:
                if isinstance(one, Message):
                    _hide(one)
        elif isinstance(value, bytes):
            setattr(message, field.name, f"({len(value)} bytes)".encode())
        elif isinstance(value, str) and _SECRET.search(field.name):
            setattr(message, field.name, HIDDEN)


def _hidden(header: str) -> bool:
    return bool(_SECRET.search(header)) or header.lower() in ("authorization", "location")


def _shown(name: str, value: Any) -> str:
    if _SECRET.search(name) and not isinstance(value, bool | int):
        return HIDDEN
    if is_dataclass(value):
        return f"({learnt(value)})"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, str) and "://" in value:
        return _place(value)
    return str(value)[:_VALUE_LENGTH]


def _place(url: str) -> str:
    """A URL without its query's values: identities and tokens travel there."""
    parts = urlsplit(url)
    names = "&".join(name for name, _ in parse_qsl(parts.query, keep_blank_values=True))
    kind = next((f"request={value}" for name, value in parse_qsl(parts.query) if name == "request"), "")
    return f"{parts.scheme}://{parts.netloc}{parts.path}" + (f"?{kind or names}" if parts.query else "")
