"""HTTP for many devices: a pool shared by an engine, and one line a device with its own connections and cookies.

Everything a server can do wrong ends as a Trouble. Nothing is logged, and no detail of a Trouble carries a path, a
query or a header: they hold codes and tokens.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from simulator.protocols.messages import Broken, Request, Response, Sink, Trouble
from simulator.wire.address import Origin, locate
from simulator.wire.connection import Limits
from simulator.wire.content import ACCEPTED, decoded
from simulator.wire.cookies import CookieJar
from simulator.wire.guard import Guard
from simulator.wire.lane import Lane
from simulator.wire.opener import Opener
from simulator.wire.redirects import leads_on, redirected
from simulator.wire.tls import TlsSettings

_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
# What speaks of a body goes with it (Fetch standard, "request-body-header name").


class Hop(NamedTuple):
    """One request on the way to an answer, redirects being hops of their own: what answered and what it told."""

    method: str
    url: str
    status: int
    headers: tuple[tuple[str, str], ...]
    seconds: float


class HttpPool:
    """What the devices of one engine share. Make it inside the running loop.

    Attributes:
        watch: called after every hop, for a person who watches one device; None for a fleet.

    Args:
        guard: asked at every connect.
        idle_s: an unused connection is closed after this.
        connect_timeout_s: for one connect, TLS handshake included; a request's own timeout may be shorter.
        tls: "host:port" -> how the certificate of that target is checked; by the system's authorities otherwise.
        hosts: name -> "address:port" to connect to instead of asking a resolver (the guard is asked about it too).
        stand_ins: the same for a stand-in of ours that has a name of its own: no proxy knows it, and it speaks without
            TLS whatever its URL says.
        limits: what a server may make us hold.
        secure_cookies_over_http: see CookieJar.
    Raises: OSError when a CA file cannot be read, ValueError for `hosts` that are not addresses.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        idle_s: float = 5.0,
        connect_timeout_s: float = 10.0,
        tls: Mapping[str, TlsSettings] | None = None,
        hosts: Mapping[str, str] | None = None,
        stand_ins: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        secure_cookies_over_http: bool = True,
    ) -> None:
        self.idle_s = idle_s
        self.secure_cookies_over_http = secure_cookies_over_http
        self.limits = limits or Limits()
        self.watch: Callable[[Hop], None] | None = None
        self.opener = Opener(
            guard=guard,
            connect_timeout_s=connect_timeout_s,
            tls=tls or {},
            hosts=hosts or {},
            stand_ins=stand_ins or {},
            limits=self.limits,
        )

    @property
    def open_connections(self) -> int:
        """Connections that are open now, idle ones included."""
        return len(self.opener.connections)

    def device(self, *, proxy: str = "", user_agent: str = "fleetrush") -> HttpLine:
        """A line for one device.

        Args:
            proxy: an http:// URL of the proxy all its requests go through, or "".
            user_agent: of its browser, for requests that bring none.
        Raises: ValueError for a proxy that is none.
        """
        browser = _browser(user_agent)
        if not proxy:
            return HttpLine(self, None, browser)
        origin, _ = locate(proxy)
        if origin.scheme != "http":
            raise ValueError(f"proxy: {proxy!r}; expected an http:// URL")
        return HttpLine(self, origin, browser)

    async def close(self) -> None:
        """Close every connection of every device; exchanges under way end as unknown."""
        await self.opener.close()


class HttpLine:
    """One device's HTTP: its connections, cookies and TLS sessions. It costs next to nothing while it rests."""

    __slots__ = ("_browser", "_cookies", "_lanes", "_pool", "_proxy")

    def __init__(self, pool: HttpPool, proxy: Origin | None, browser: tuple[str, str]) -> None:
        self._pool = pool
        self._proxy = proxy
        self._browser = browser
        self._cookies: CookieJar | None = None
        self._lanes: dict[Origin, Lane] | None = None

    def send(self, request: Request, *, timeout_s: float, sink: Sink | None = None) -> Coroutine[Any, Any, Response]:
        """Send a request, follow up to `request.redirects` redirects, return the answer, whatever its status.

        A request on a reused connection that the server closed before any byte of an answer is sent once more on
        another, POST too, as browsers do (Chromium HttpNetworkTransaction::ShouldResendRequest): the server closed an
        idle connection just then and has most likely never seen the request. A failure it would be in no browser.

        Args:
            timeout_s: for everything: connect, redirects and the last byte.
            sink: takes a 2xx answer's body, of any length, instead of `Response.body`.
        Raises: Skipped (the guard), Broken, Unknown, Exhausted.
        """
        deadline = time.monotonic() + timeout_s
        # Most requests follow none, and a coroutine more on the way costs as much as reading an answer's head.
        return self._follow(request, sink, deadline) if request.redirects else self._once(request, sink, deadline)

    def close(self) -> None:
        """Close its connections; exchanges under way end as unknown. It can be used again."""
        if self._lanes is not None:
            for lane in tuple(self._lanes.values()):
                lane.close()

    def forget_cookies(self) -> None:
        """As when the user's session ends."""
        self._cookies = None

    async def _follow(self, request: Request, sink: Sink | None, deadline: float) -> Response:
        """The first answer that leads nowhere else; its bytes are those of the whole way."""
        redirects, bytes_in, bytes_out = request.redirects, 0, 0
        while True:
            response = await self._once(request, sink, deadline)
            bytes_in += response.bytes_in
            bytes_out += response.bytes_out
            if not leads_on(request, response):
                response.bytes_in, response.bytes_out = bytes_in, bytes_out
                return response
            if not redirects:
                raise Broken("too_many_redirects", f"more than {request.redirects}", status=response.status)
            redirects -= 1
            request = redirected(request, response)

    async def _once(self, request: Request, sink: Sink | None, deadline: float) -> Response:
        """One request and its answer."""
        method, url, body = request.method, request.url, request.body
        origin, target = _place(url)
        head = self._head(request, origin, target)
        began, bytes_out = time.monotonic(), 0
        while True:
            lane = self._lane(origin)
            lane.users += 1
            try:
                connection = lane.free()
                reused = connection is not None
                if connection is None:
                    connection, reused = await lane.acquire(deadline)
                again = bytes_out > 0
                bytes_out += len(head) + len(body)
                try:
                    answer = await connection.exchange(
                        head, body, head_only=method == "HEAD", sink=sink, deadline=deadline
                    )
                except Trouble:
                    if again or not reused or not connection.untouched:
                        raise
                    # The others have likely been closed too.
                    lane.close_idle()
                except BaseException:
                    connection.abort()
                    raise
                else:
                    lane.release(connection)
                    break
            finally:
                lane.users -= 1
                if not lane.users:
                    lane.tidy()
        told, plain = answer.head, answer.body
        status = told.status
        if told.cookies:
            self._learn(origin, target, told.cookies)
        if self._pool.watch is not None:
            self._pool.watch(Hop(method, url, status, told.headers, time.monotonic() - began))
        response = Response(status, told.headers, plain, url, answer.bytes_in, bytes_out)
        if told.coding and plain and not leads_on(request, response):
            response.body = decoded(plain, told.coding, limit=self._pool.limits.body_bytes, status=status)
        return response

    def _lane(self, origin: Origin) -> Lane:
        if self._lanes is None:
            self._lanes = {}
        lane = self._lanes.get(origin)
        if lane is None:
            lane = self._lanes[origin] = Lane(self._pool.opener, origin, self._proxy, self._pool.idle_s, self._forget)
        return lane

    def _forget(self, origin: Origin) -> None:
        if self._lanes is not None:
            self._lanes.pop(origin, None)
            self._lanes = self._lanes or None

    def _head(self, request: Request, origin: Origin, target: str) -> bytes:
        """A request's head, in Chromium's order: Host, Connection, Content-Length, its own, the browser's, Cookie."""
        method, body = request.method, request.body
        asked = target if self._proxy is None or origin.scheme == "https" else f"http://{origin.authority}{target}"
        length = f"Content-Length: {len(body)}\r\n" if body or method in _WITH_BODY else ""
        own, says_agent = _own(request.headers)
        agent, accepted = self._browser if request.browser else ("", "")
        cookie = "" if self._cookies is None else self._cookie(origin, target)
        said = "" if says_agent else agent
        head = f"{method} {asked} HTTP/1.1\r\n{_every(origin)}{length}{own}{said}{accepted}{cookie}\r\n"
        try:
            return head.encode("latin-1")
        except UnicodeEncodeError:
            raise Broken("bad_value", "a request header with a character that HTTP cannot carry") from None

    def _cookie(self, origin: Origin, target: str) -> str:
        """The line of the cookies that this request carries, "" for none."""
        assert self._cookies is not None
        cookie = self._cookies.header(origin.host, target, https=origin.scheme == "https", now=time.time())
        return _line("Cookie", cookie) if cookie else ""

    def _learn(self, origin: Origin, target: str, lines: tuple[str, ...]) -> None:
        if self._cookies is None:
            self._cookies = CookieJar(secure_over_http=self._pool.secure_cookies_over_http)
        self._cookies.store(origin.host, target, https=origin.scheme == "https", lines=lines, now=time.time())


@lru_cache(maxsize=256)
def _browser(user_agent: str) -> tuple[str, str]:
    """What a browser says of itself, one tuple for all devices with the same one."""
    return f"User-Agent: {user_agent}\r\n", f"Accept-Encoding: {ACCEPTED}\r\n"


@lru_cache(maxsize=1024)
def _every(origin: Origin) -> str:
    """The two header lines of every request to an origin."""
    return f"Host: {origin.authority}\r\nConnection: keep-alive\r\n"


@lru_cache(maxsize=1024)
def _own(headers: tuple[tuple[str, str], ...]) -> tuple[str, bool]:
    """The lines of a request's own headers, and whether a User-Agent is among them.

    Remembered, for a device asks several things in a row with the same ones. Raises: Broken.
    """
    return "".join([_line(*pair) for pair in headers]), any(name.lower() == "user-agent" for name, _ in headers)


def _line(name: str, value: str) -> str:
    """One header line. Raises: Broken for a value learnt from a server (a token, say) that would become a header of its
    own, or a second request."""
    line = f"{name}: {value}"
    if "\n" in line or "\r" in line:
        raise Broken("bad_value", "a line break within a request header")
    return line + "\r\n"


def _place(url: str) -> tuple[Origin, str]:
    try:
        return locate(url)
    except ValueError:
        raise Broken("bad_value", "a URL that is not http or https, or has no host and port to reach") from None
