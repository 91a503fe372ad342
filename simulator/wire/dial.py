"""Dials: a connected socket, its TLS handshake done on the loop, for a library that wants to have the socket itself.

The guard is asked at every dial, after name resolution. What is said over the socket is not known here.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle

from simulator.protocols.messages import Broken, Trouble
from simulator.wire.address import Resolver
from simulator.wire.guard import Guard
from simulator.wire.refusals import not_connected
from simulator.wire.tls import TlsSettings, context_of

_BIND_ADDRESS_NO_PORT = 24


class Dialer:
    """Dials for all devices of an engine.

    Args:
        guard: asked at every dial.
        tls: "host:port" -> how that target's certificate is checked; the system's authorities for all others.
        hosts: name -> "address:port" to dial instead of asking a resolver.
        sources: addresses of this machine to dial from, in turn; the one that the system takes where there are none of
            the dialed address's family.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        tls: Mapping[str, TlsSettings],
        hosts: Mapping[str, str],
        sources: Sequence[str] = (),
    ) -> None:
        self._sources = {six: cycle([one for one in sources if (":" in one) is six]) for six in (False, True)}
        self._guard = guard
        self._tls = dict(tls)
        self._contexts = {settings: _context(settings) for settings in {TlsSettings(), *tls.values()}}
        self._resolver = Resolver(hosts)

    async def dial(self, host: str, port: int, *, tls: bool) -> socket.socket:
        """A non-blocking socket, the caller's to close. Raises: Broken, Skipped (the guard's), Exhausted."""
        addresses, to_port = await self._resolver.addresses(host, port)
        addresses = self._guard.allowed(host, addresses, to_port)
        self._guard.check(host, addresses, to_port)
        context = self._contexts[self._tls.get(f"{host}:{port}", TlsSettings())] if tls else None
        trouble: Trouble = Broken("name_unknown", f"{host} has no address")
        for address in addresses:
            try:
                return await _open(address, to_port, host, context, next(self._sources[":" in address], ""))
            except ssl.SSLError as problem:
                raise Broken("tls_failed", f"{host} port {port}: {problem}") from None
            except OSError as problem:
                trouble = not_connected(address, to_port, problem)
        raise trouble

    async def close(self) -> None:
        """Stop what is being resolved."""
        await self._resolver.close()


def _context(settings: TlsSettings) -> ssl.SSLContext:
    context = context_of(settings)
    # No HTTP here: a push client offers no protocol.
    context.set_alpn_protocols([])
    return context


async def _open(address: str, port: int, host: str, context: ssl.SSLContext | None, source: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            # The port is taken at the connect, from those that are free towards that target alone (ip(7)).
            sock.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
            sock.bind((source, 0))
        await _connect(sock, address, port)
        if context is not None:
            # It takes the descriptor over from the plain socket.
            sock = secure = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
            await _shake(secure)
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(sock: socket.socket, address: str, port: int) -> None:
    """Connect to a literal address. Raises: OSError."""
    # uvloop's sock_connect would resolve the literal in a thread.
    code = sock.connect_ex((address, port))
    if code == errno.EINPROGRESS:
        loop = asyncio.get_running_loop()
        await _ready(sock, loop.add_writer, loop.remove_writer)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


async def _shake(sock: ssl.SSLSocket) -> None:
    """A TLS handshake without blocking: asyncio's own TLS would keep the socket to itself. Raises: OSError."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            return sock.do_handshake()
        except ssl.SSLWantReadError:
            # There is no waiting to write: what a client says in a handshake fits into a fresh socket's buffer.
            await _ready(sock, loop.add_reader, loop.remove_reader)


async def _ready(sock: socket.socket, watch: Callable[..., object], unwatch: Callable[[int], object]) -> None:
    """Wait until the loop says that the socket is ready."""
    number, ready = sock.fileno(), asyncio.Event()
    watch(number, ready.set)
    try:
        await ready.wait()
    finally:
        unwatch(number)
