"""What a redirect has to be asked next, as a browser does it, over sockets and in memory. It sends nothing."""

from __future__ import annotations

from dataclasses import replace

from simulator.protocols.messages import Broken, Request, Response
from simulator.wire.address import follow, locate

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OF_BODY = frozenset({"content-encoding", "content-language", "content-location", "content-type"})
_OF_ORIGIN = frozenset({"authorization"})


def leads_on(request: Request, response: Response) -> bool:
    """Whether an answer is a redirect, and the request one that follows such."""
    return bool(request.redirects and response.status in _REDIRECTS and response.header("location"))


def redirected(request: Request, response: Response) -> Request:
    """What an answer that leads on has to be asked next. Raises: Broken."""
    method, headers, body, status = request.method, request.headers, request.body, response.status
    try:
        url = follow(request.url, response.header("location"))
    except ValueError:
        raise Broken("bad_redirect", "not http or https, or no host and port to reach", status=status) from None
    if (status == 303 and method not in ("GET", "HEAD")) or (status in (301, 302) and method == "POST"):
        method, body = "GET", b""
        headers = _without(headers, _OF_BODY)
    if locate(url)[0] != locate(request.url)[0]:
        # Another origin does not get what was meant for this one (Fetch standard, "HTTP-redirect fetch").
        headers = _without(headers, _OF_ORIGIN)
    return replace(request, method=method, url=url, headers=headers, body=body)


def _without(headers: tuple[tuple[str, str], ...], names: frozenset[str]) -> tuple[tuple[str, str], ...]:
    return tuple(pair for pair in headers if pair[0].lower() not in names)
