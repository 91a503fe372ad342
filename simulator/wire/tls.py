"""TLS over a plain transport, so that a device resumes its sessions: asyncio's own TLS does not let them be set.

It makes contexts and one kind of connection; which session belongs to whom is the caller's.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from simulator.protocols.messages import Broken
from simulator.wire.connection import Connection, Limits

_READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How one target's certificate is checked.

    Args:
        ca_file: a PEM file of authorities trusted besides the system's (the city's own), or "".
        verify: False takes any certificate for any name.
    """

    ca_file: str = ""
    verify: bool = True


def context_of(settings: TlsSettings) -> ssl.SSLContext:
    """A client context. Raises: OSError (ssl.SSLError included) when `ca_file` cannot be read."""
    context = ssl.create_default_context()
    if settings.ca_file:
        context.load_verify_locations(cafile=settings.ca_file)
    if not settings.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsConnection(Connection):
    """One connection with TLS between the HTTP and the transport.

    Args:
        context: a client's.
        host: the name the certificate must have.
        resume: a session of an earlier connection to the same origin in the same context.
    """

    __slots__ = ("_incoming", "_outgoing", "_problem", "_shaking", "_tls", "ready")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        joined: Callable[[Connection], None],
        gone: Callable[[Connection], None],
        *,
        context: ssl.SSLContext,
        host: str,
        resume: ssl.SSLSession | None,
    ) -> None:
        super().__init__(loop, limits, joined, gone)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host, session=resume)
        self._shaking = True
        self._problem: Exception | None = None
        self.ready: asyncio.Future[Broken | None] = loop.create_future()

    @property
    def session(self) -> ssl.SSLSession | None:
        """The newest session the server gave, to resume in a later connection; each look costs a copy."""
        return None if self._shaking else self._tls.session

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio.Protocol says."""
        super().connection_made(transport)
        self._shake()

    def data_received(self, data: bytes) -> None:
        """As asyncio.Protocol says."""
        self._incoming.write(data)
        if self._shaking:
            self._shake()
        try:
            while not self._shaking and self._transport is not None and not self._transport.is_closing():
                plain = self._tls.read(_READ_BYTES)
                if not plain:
                    # close_notify. A body that ends with the connection may end without it, as browsers take it too.
                    self.eof_received()
                    break
                super().data_received(plain)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as problem:
            self._break(problem)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio.Protocol says."""
        problem = exc or self._problem
        if not self.ready.done():
            self.ready.set_result(Broken("tls_failed", f"{problem or 'closed by the server'}, in the handshake"))
        super().connection_lost(problem)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as problem:
            self._break(problem)
        self._flush()

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as problem:
            self._problem = problem
            self._flush()
            if self._transport is not None:
                # Not aborted: the alert that says why goes out first.
                self._transport.close()
        else:
            self._shaking = False
            self._flush()
            if not self.ready.done():
                self.ready.set_result(None)

    def _break(self, problem: ssl.SSLError) -> None:
        self._problem = problem
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)
