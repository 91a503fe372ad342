"""The backend's sockets: several listening ports in one process, each request handed to the synchronous core.

Here are the clock, the loop and the delays that the core has not. Nothing here knows a service, and no request may
block another for longer than the core's own answer takes.

Why uvicorn, and why the fleet's requests pass Starlette by: measured with wrk (50 connections, one core for the server,
a trivial handler), CPU microseconds per request, GET and POST of 200 bytes: raw ASGI on uvicorn (httptools, uvloop) 58
to 76 and 61 to 82, on granian 61 to 71 and 83 to 94; a Starlette route on uvicorn 104 to 106 and 105 to 138, a raw
handler behind a Starlette application 73 to 93 and 76 to 96. Nearly all that a fleet sends are POSTs. A uvicorn server
also takes any number of sockets, where a granian server binds one address. Starlette serves the operator's calls.
"""

from __future__ import annotations

import asyncio
import re
import socket
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from ipaddress import ip_address
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as Page
from starlette.responses import Response as PageResponse
from starlette.routing import Route
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from simulator.backend.core import Answer
from simulator.protocols.messages import Push, Request, Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Handle = Callable[[Request, float], Answer]

BODY_BYTES = 4 * 2**20
# The policy of an extension may have 5 MiB, and JSON may escape what it says.
OPERATOR_BODY_BYTES = 16 * 2**20
CHUNK_BYTES = 256 * 2**10
# Longer than any client of ours keeps an idle connection, so that a client closes it and never meets a closed one.
KEEP_ALIVE_S = 120
# At most 1,000 pushes a second.
HANDFUL = 10
HANDFUL_S = 0.01
GRACE_S = 5
BACKLOG = 4096
# uvicorn has no status line beyond 599; the management protocol's own codes are 902 to 907 (policy facts 1.4).
STATUS_LINE.update({status: b"HTTP/1.1 %d \r\n" % status for status in range(902, 908)})
_HOST = re.compile(r"[A-Za-z0-9._\-:\[\]]+")
_PLAIN = (("content-type", "text/plain; charset=utf-8"),)
_BAD_HOST = Response(400, _PLAIN, b"bad Host header\n")
_TOO_LARGE = Response(413, (*_PLAIN, ("connection", "close")), b"too large\n")
_OUR_MISTAKE = Response(500, _PLAIN, b"a mistake of the backend's own; its standard error says more\n")
_WITHOUT_BODY = frozenset({204, 304})


class Shell:
    """The ASGI application.

    Args:
        handle: Core.handle, or what stands for it.
        push: takes the pushes of an answer, after it was sent.
    """

    def __init__(self, handle: Handle, push: Callable[[Sequence[Push]], None]) -> None:
        self._handle = handle
        self._push = push
        self._pages = Starlette(routes=[Route("/operator/{act}", self._operator, methods=["GET", "POST"])])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3, https://asgi.readthedocs.io/en/latest/specs/www.html)."""
        if scope["path"].startswith("/operator"):
            await self._pages(scope, receive, send)
            return
        body = b"" if scope["method"] in ("GET", "HEAD") else await _body(receive, BODY_BYTES)
        if body is None:
            await _send(send, _TOO_LARGE)  # uvicorn passes over what is sent to a client that went away
            return
        answer = self._answer(scope, body)
        if answer.delay_s > 0:
            await asyncio.sleep(answer.delay_s)
        if answer.drop:
            scope["state"]["abort"]()
            while (await receive())["type"] != "http.disconnect":
                pass
        else:
            await _send(send, answer.response)
        if answer.pushes:
            self._push(answer.pushes)

    def _answer(self, scope: Scope, body: bytes) -> Answer:
        headers = tuple([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        host = next((value for name, value in headers if name == "host"), None)
        if host is None:
            host = "{}:{}".format(*scope["server"])  # HTTP/1.0 has no Host
        elif not _HOST.fullmatch(host):
            return Answer(_BAD_HOST)  # it would be read as part of the path
        url = f"http://{host}{scope['raw_path'].decode('latin-1')}"
        if scope["query_string"]:
            url += "?" + scope["query_string"].decode("latin-1")
        try:
            return self._handle(Request(scope["method"], url, headers, body), time.time())
        except Exception:
            traceback.print_exc()
            return Answer(_OUR_MISTAKE)

    async def _operator(self, page: Page) -> PageResponse:
        """The operator API: for callers on this machine only."""
        if page.client is None or not ip_address(page.client.host).is_loopback:
            return PageResponse("the operator API is for loopback only\n", 403)
        body = await _body(page.receive, OPERATOR_BODY_BYTES)
        if body is None:
            return PageResponse("too large\n", 413)
        answer = self._answer(page.scope, body)
        if answer.pushes:
            self._push(answer.pushes)
        return PageResponse(answer.response.body, answer.response.status, dict(answer.response.headers))


async def _body(receive: Receive, most_bytes: int) -> bytes | None:
    """The whole body of a request; None when it is larger than that or its client went away."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message["body"])
        size += len(parts[-1])
        if size > most_bytes:
            return None
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, response: Response) -> None:
    body = response.body
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    if response.status not in _WITHOUT_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if len(body) > CHUNK_BYTES:
        # Views copy nothing, and each send waits until the socket took the one before, while others are served.
        view = memoryview(body)
        for start in range(0, len(body), CHUNK_BYTES):
            await send({"type": "http.response.body", "body": view[start : start + CHUNK_BYTES], "more_body": True})
        body = b""
    await send({"type": "http.response.body", "body": body})


class Mailbag:
    """Takes pushes from answers to the push service: behind their backs, in order, and at most `room` answers' at once.

    Attributes:
        unsent: how many pushes found no room.

    Args:
        publish: sends pushes in order; returns when they are on their way.
    """

    def __init__(self, publish: Callable[[Sequence[Push]], Awaitable[None]], room: int = 10_000) -> None:
        self._publish = publish
        self._waiting: asyncio.Queue[Sequence[Push]] = asyncio.Queue(room)
        self.unsent = 0

    def put(self, pushes: Sequence[Push]) -> None:
        """Take the pushes of one answer."""
        try:
            self._waiting.put_nowait(pushes)
        except asyncio.QueueFull:
            self.unsent += len(pushes)

    async def deliver(self) -> None:
        """Send what was put and will be, until cancelled.

        Many at once go out by the handful: a city's devices are told within a few seconds, as a push service does it,
        and not in one burst that stops every process on this machine.
        """
        while True:
            pushes = await self._waiting.get()
            for first in range(0, len(pushes), HANDFUL):
                await self._publish(pushes[first : first + HANDFUL])
                if len(pushes) > HANDFUL:
                    await asyncio.sleep(HANDFUL_S)


class _Connection(HttpToolsProtocol):
    """A connection of uvicorn's that an application can break off: ASGI has no other way to give no answer."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["abort"] = self.transport.abort


class Server(uvicorn.Server):
    """A uvicorn server that says when it accepts connections. Ends when `should_exit` is set, or on SIGTERM or SIGINT.

    Requests under way are finished first, for at most GRACE_S.

    Args:
        app: the ASGI application.
        ready: called once, when all sockets are served.
    """

    def __init__(self, app: Shell, ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Connection,
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, then say so."""
        await super().startup(sockets)
        self._ready()


def bind(host: str, ports: Mapping[str, int]) -> dict[str, socket.socket]:
    """A listening socket for each name; port 0 takes a free one. Raises OSError, naming the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return {name: socket.create_server((host, port), family=family, backlog=BACKLOG) for name, port in ports.items()}


def url_of(listener: socket.socket) -> str:
    """The base URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
