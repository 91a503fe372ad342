"""A request taken apart and an answer put together, as the sign-in services' handlers want them.

It knows HTTP's forms and cookies, and no service, no token and no page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from simulator.protocols.messages import Request, Response

Headers = tuple[tuple[str, str], ...]
_FIELDS_MAX = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What one request asks. Of fields and cookies of the same name the first counts."""

    method: str
    path: str
    query: dict[str, str]
    form: dict[str, str]
    cookies: dict[str, str]
    authorization: str


def take_apart(request: Request) -> Asked:
    """Part a request. Raises: ValueError: the URL is none, or there are too many fields."""
    parts, cookies = urlsplit(request.url), request.header("cookie")
    return Asked(
        request.method,
        parts.path,
        _fields(parts.query),
        _fields(request.body.decode("utf-8", "replace")) if request.method == "POST" else {},
        _cookies(cookies) if cookies else {},
        request.header("authorization"),
    )


def html(status: int, page: str, *headers: tuple[str, str]) -> Response:
    """An HTML page that nobody may keep or frame."""
    kept = (
        ("content-type", "text/html;charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-frame-options", "SAMEORIGIN"),
    )
    return Response(status, kept + headers, page.encode())


def json_answer(status: int, said: object, *, before: str = "") -> Response:
    """A JSON document, behind an anti-hijacking prefix if one is given."""
    headers = (("content-type", "application/json; charset=utf-8"), ("cache-control", "no-store"))
    return Response(status, headers, f"{before}{json.dumps(said)}".encode())


def redirect(location: str, *headers: tuple[str, str]) -> Response:
    """Send the client elsewhere, with a GET."""
    return Response(302, (("location", location), ("cache-control", "no-store"), *headers))


def cookie(name: str, value: str, path: str) -> tuple[str, str]:
    """A session cookie as Google and Keycloak set theirs: Secure even over plain http."""
    return "set-cookie", f"{name}={value}; Path={path}; HttpOnly; SameSite=None; Secure"


def _fields(text: str) -> dict[str, str]:
    return _first(parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)) if text else {}


def _cookies(line: str) -> dict[str, str]:
    return _first((name.strip(), value.strip()) for name, _, value in (pair.partition("=") for pair in line.split(";")))


def _first(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found
