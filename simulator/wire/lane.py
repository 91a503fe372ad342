"""One device's way to one origin: its few connections, who waits for one, and the TLS session to resume.

What goes over them, and where a redirect leads, is not its matter.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable

from simulator.protocols.messages import Broken
from simulator.wire.address import Origin
from simulator.wire.connection import Connection
from simulator.wire.opener import Opener
from simulator.wire.tls import TlsConnection

# What a browser opens to one origin at most (Chromium client_socket_pool_manager.cc, g_max_sockets_per_group).
MOST_CONNECTIONS = 6


class Lane:
    """One device's connections to one origin.

    Attributes:
        users: how many want a connection of it or have one: as long it is not forgotten. Whoever is the last, tidies.

    Args:
        opener: opens them.
        origin: where they lead.
        proxy: the HTTP proxy they go through, or None.
        idle_s: how long one may rest unused.
        forget: called when nothing would be lost by forgetting this lane.
    """

    __slots__ = (
        "_connections",
        "_forget",
        "_idle_s",
        "_opener",
        "_opening",
        "_origin",
        "_proxy",
        "_session",
        "_waiting",
        "users",
    )

    def __init__(
        self, opener: Opener, origin: Origin, proxy: Origin | None, idle_s: float, forget: Callable[[Origin], None]
    ) -> None:
        self._opener = opener
        self._origin = origin
        self._proxy = proxy
        self._idle_s = idle_s
        self._forget = forget
        self._connections: list[Connection] = []
        self._opening = 0
        self.users = 0
        self._waiting: deque[asyncio.Future[None]] | None = None
        self._session: ssl.SSLSession | None = None

    def free(self) -> Connection | None:
        """A connection that has been used before and takes an exchange at once. Raises: Skipped."""
        for connection in self._connections:
            if connection.idle:
                if connection.charged:
                    self._opener.guard.spend(connection.charged, self._origin.port)
                return connection
        return None

    async def acquire(self, deadline: float) -> tuple[Connection, bool]:
        """A connection that takes an exchange at once, and whether it has been used before.

        Raises: Skipped, Broken, Exhausted; Broken also when no connection comes free before the deadline.
        """
        while True:
            connection = self.free()
            if connection is not None:
                return connection, True
            if len(self._connections) + self._opening < MOST_CONNECTIONS:
                return await self._open(deadline), False
            await self._turn(deadline)

    def release(self, connection: Connection) -> None:
        """An exchange over it ended well: it rests until it is used again, or swept."""
        connection.deadline = time.monotonic() + self._idle_s
        if self._waiting:
            self._next()

    def close_idle(self) -> None:
        """Close the connections that no exchange uses."""
        for connection in tuple(self._connections):
            if connection.idle:
                connection.abort()

    def close(self) -> None:
        """Close all; exchanges under way end as unknown."""
        for connection in tuple(self._connections):
            connection.end()

    async def _open(self, deadline: float) -> Connection:
        self._opening += 1
        try:
            connection = await self._opener.open(self._origin, self._proxy, self._resume(), self._gone, deadline)
        except BaseException:
            self._next()
            raise
        finally:
            self._opening -= 1
        if not connection.closed:
            self._connections.append(connection)
        return connection

    def _resume(self) -> ssl.SSLSession | None:
        newest = (one.session for one in reversed(self._connections) if isinstance(one, TlsConnection))
        return next(filter(None, newest), self._session)

    def _gone(self, connection: Connection) -> None:
        if isinstance(connection, TlsConnection):
            self._session = connection.session or self._session
        if connection in self._connections:
            self._connections.remove(connection)
            self._next()
            self.tidy()

    def tidy(self) -> None:
        """Be forgotten, if nobody uses it and nothing is worth keeping."""
        if not self.users and not self._connections and self._session is None:
            self._forget(self._origin)

    async def _turn(self, deadline: float) -> None:
        """Wait until one of the connections may be free."""
        turn = self._opener.loop.create_future()
        self._waiting = self._waiting or deque()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await turn
        except TimeoutError:
            raise Broken("broken_before_sent", f"all {MOST_CONNECTIONS} connections stayed busy") from None
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        """Call the one who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
