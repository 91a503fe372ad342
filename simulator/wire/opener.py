"""Opens connections, each with the guard's leave, and sweeps those that are open. What they carry is not its matter."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping

from simulator.protocols.messages import Broken, Trouble
from simulator.wire.address import Origin, Resolver
from simulator.wire.connection import Connection, Limits
from simulator.wire.guard import Guard, is_address, plain_host
from simulator.wire.refusals import not_connected
from simulator.wire.tls import TlsConnection, TlsSettings, context_of

# One look at every connection this often costs less than one timer a request.
SWEEP_S = 0.1


class Opener:
    """Opens connections for all devices of an engine.

    Args:
        guard: asked at every connect, after name resolution.
        connect_timeout_s: for one connect, TLS handshake and proxy included.
        tls: "host:port" -> how that target's certificate is checked; the system's authorities for all others.
        hosts, stand_ins: as HttpPool says.
        limits: what a server may make us hold.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        connect_timeout_s: float,
        tls: Mapping[str, TlsSettings],
        hosts: Mapping[str, str],
        stand_ins: Mapping[str, str],
        limits: Limits,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.guard = guard
        self.connections: set[Connection] = set()
        self._connect_timeout_s = connect_timeout_s
        self._resolver = Resolver({**hosts, **stand_ins})
        self._stand_ins = frozenset(map(plain_host, stand_ins))
        self._limits = limits
        self._tls = dict(tls)
        self._contexts = {settings: context_of(settings) for settings in {TlsSettings(), *tls.values()}}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False
        self._empty: asyncio.Future[None] | None = None

    async def open(
        self,
        origin: Origin,
        proxy: Origin | None,
        resume: ssl.SSLSession | None,
        gone: Callable[[Connection], None],
        deadline: float,
    ) -> Connection:
        """A fresh connection to an origin, through a proxy if one is given.

        Args:
            resume: a TLS session of the same origin.
            gone: called once when the connection is closed.
            deadline: monotonic seconds.
        Raises: Skipped when the guard says no, Broken, Exhausted.
        """
        patience_s = min(self._connect_timeout_s, deadline - time.monotonic())
        try:
            async with asyncio.timeout(patience_s):
                return await self._reach(origin, None if origin.host in self._stand_ins else proxy, resume, gone)
        except TimeoutError:
            raise Broken("connect_timeout", f"{origin.netloc}, after {patience_s:.1f} s") from None

    async def close(self) -> None:
        """Close every connection, whoever uses it, and wait until all are."""
        self._closed = True
        await self._resolver.close()
        for connection in tuple(self.connections):
            connection.end()
        if self.connections:
            self._empty = self.loop.create_future()
            await self._empty

    async def _reach(
        self, origin: Origin, proxy: Origin | None, resume: ssl.SSLSession | None, gone: Callable[[Connection], None]
    ) -> Connection:
        addresses, port, charged = await self._leave(origin, proxy)

        def plain() -> Connection:
            return Connection(self.loop, self._limits, self._joined, lambda it: self._gone(it, gone))

        def over_tls() -> TlsConnection:
            return TlsConnection(
                self.loop,
                self._limits,
                self._joined,
                lambda it: self._gone(it, gone),
                context=self._contexts[self._tls.get(origin.netloc, TlsSettings())],
                host=origin.host,
                resume=resume,
            )

        tls = origin.scheme == "https" and origin.host not in self._stand_ins
        connection = await self._connect(over_tls if tls and proxy is None else plain, addresses, port)
        try:
            if tls and proxy is not None:
                connection = await _tunnel(connection, over_tls(), origin)
            if isinstance(connection, TlsConnection):
                problem = await connection.ready
                if problem is not None:
                    raise problem
        except BaseException:
            connection.abort()
            raise
        connection.charged = charged
        return connection

    async def _leave(self, origin: Origin, proxy: Origin | None) -> tuple[tuple[str, ...], int, str]:
        """Where to connect to, and the host whose rate it counts for ("" for a free one): the guard's leave."""
        first = proxy or origin
        addresses, port = await self._resolver.addresses(first.host, first.port)
        addresses = self.guard.allowed(first.host, addresses, port)
        charged = "" if all(map(self.guard.is_free, addresses)) else first.host
        if proxy is not None:
            # The proxy resolves the name: only the name, or an address in its place, can be judged.
            beyond = (origin.host,) if is_address(origin.host) else ()
            self.guard.allowed(origin.host, beyond, origin.port)
            charged = charged if self.guard.is_free(origin.host) else origin.host
        if charged:
            self.guard.spend(charged, port)
        return addresses, port, charged

    async def _connect(self, make: Callable[[], Connection], addresses: tuple[str, ...], port: int) -> Connection:
        """The first address that takes the connect."""
        problem: Trouble = Broken("name_unknown", "the name has no address")
        for address in addresses:
            connection = make()
            try:
                await self._try(connection, address, port)
            except OSError as refused:
                problem = not_connected(address, port, refused)
            else:
                return connection
        raise problem

    async def _try(self, connection: Connection, address: str, port: int) -> None:
        try:
            await self.loop.create_connection(lambda: connection, address, port)
        except asyncio.CancelledError:
            # uvloop closes one that was just connected without telling it, and `close` would wait for it for ever
            if connection in self.connections:
                connection.connection_lost(None)
            raise

    def _joined(self, connection: Connection) -> None:
        self.connections.add(connection)
        if self._closed:
            connection.end()
        if self._sweep is None:
            self._sweep = self.loop.call_later(SWEEP_S, self._look)

    def _gone(self, connection: Connection, tell: Callable[[Connection], None]) -> None:
        self.connections.discard(connection)
        tell(connection)
        if not self.connections:
            if self._sweep is not None:
                self._sweep.cancel()
                self._sweep = None
            if self._empty is not None and not self._empty.done():
                self._empty.set_result(None)

    def _look(self) -> None:
        """Expire what is over: exchanges that took too long, connections that rested too long."""
        self._sweep = self.loop.call_later(SWEEP_S, self._look)
        now = time.monotonic()
        for connection in tuple(self.connections):
            if connection.deadline <= now:
                connection.expire()


async def _tunnel(connection: Connection, through: TlsConnection, origin: Origin) -> TlsConnection:
    """Have a proxy connect us to an origin (CONNECT, RFC 9110 9.3.6)."""
    head = f"CONNECT {origin.netloc} HTTP/1.1\r\nHost: {origin.netloc}\r\n\r\n".encode("ascii")
    # Its time is the opening's, which asyncio.timeout keeps.
    answer = await connection.exchange(head, b"", head_only=True, sink=None, deadline=float("inf"))
    status = answer.head.status
    if status != 200 or not connection.idle:
        raise Broken("connect_failed", f"the proxy answered {status} to CONNECT", status=status)
    connection.hand_over(through)
    return through
