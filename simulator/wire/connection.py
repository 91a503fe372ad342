"""One HTTP/1.1 connection: bytes out, bytes in, one exchange at a time (RFC 9112).

It knows nothing of URLs, cookies, redirects or devices, opens no socket and starts no timer: whoever made it sweeps it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

import httptools

from simulator.protocols.messages import Broken, Sink, Trouble, Unknown
from simulator.wire.heads import Head, head_of, recalled, remember

_NEVER = float("inf")
_JOIN_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may make us hold: one response's head (or trailers), and its body where there is no sink."""

    header_bytes: int = 64 * 1024
    body_bytes: int = 16 * 1024 * 1024


@dataclass(slots=True)
class Answer:
    """One response as it came: its head, the body unless it went to a sink, the bytes of all of it."""

    head: Head
    body: bytes
    bytes_in: int


@lru_cache(maxsize=1024)
def _lower(name: bytes) -> str:
    return name.lower().decode("latin-1")


class Connection(asyncio.Protocol):
    """One connection over a plain transport.

    `untouched` says that the server closed it without a byte of an answer to the last exchange. `charged` is the
    caller's: the host whose rate its exchanges count for.

    Args:
        limits: what a server may make us hold.
        joined: called with this once it is connected.
        gone: called with this once it is not any more.
    """

    __slots__ = (
        *("_bodiless", "_body", "_bytes_in", "_done", "_future", "_gone", "_got_head", "_headers", "_joined"),
        *("_keep", "_limits", "_loop", "_parser", "_quiet", "_sink", "_status", "_to_sink", "_transport"),
        *("_unsent", "charged", "closed", "deadline", "untouched"),
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        joined: Callable[[Connection], None],
        gone: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._limits = limits
        self._joined = joined
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._future: asyncio.Future[Answer] | None = None
        self._sink: Sink | None = None
        self._unsent = False
        self._keep = True
        self._bodiless = self._to_sink = self._done = self._got_head = False
        self.closed = False
        self.deadline = _NEVER
        self.charged = ""
        self.untouched = False
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._body: bytes | bytearray = b""
        self._quiet = self._bytes_in = 0

    @property
    def idle(self) -> bool:
        """Whether it can take an exchange now."""
        return self._future is None and self._keep and not self.closed

    def exchange(
        self, head: bytes, body: bytes, *, head_only: bool, sink: Sink | None, deadline: float
    ) -> asyncio.Future[Answer]:
        """Send one request.

        Args:
            head_only: no body follows the answer's head, whatever it says (HEAD, CONNECT; RFC 9112 6.3).
            sink: takes the body of a 2xx answer.
            deadline: monotonic seconds at which `expire` will end it.
        Returns: the answer to be; Broken before the request was out, Unknown after, and Broken for a bad answer.
        """
        future = self._future = self._loop.create_future()
        self.deadline = deadline
        self._bodiless = head_only
        self._sink = sink
        self.untouched = False
        self._bytes_in = 0
        if self._transport is None or self._transport.is_closing():
            self.untouched = True
            self._fail(Broken("broken_before_sent", "closed by the server"))
            return future
        if len(body) <= _JOIN_BYTES:
            self._write(head + body)
        else:
            self._write(head)
            self._write(body)
        return future

    def expire(self) -> None:
        """Its deadline is over: end the exchange, or close it if it has none."""
        if self._unsent:
            self._fail(Broken("broken_before_sent", "timed out while sending"))
        else:
            said = "the head came, the body did not end" if self._got_head else "no answer"
            self._fail(Unknown("timeout", said, status=self._status))

    def end(self) -> None:
        """Close it; an exchange under way ends as unknown."""
        self._fail(Unknown("run_ended"))

    def abort(self) -> None:
        """Close it at once, whatever is under way; who waits for an exchange is not told."""
        self._future = None
        self._keep = False
        if self._transport is not None:
            self._transport.abort()

    def hand_over(self, heir: Connection) -> None:
        """Give the transport to another connection, as after a proxy's answer to CONNECT."""
        transport = cast(asyncio.Transport, self._transport)
        transport.set_protocol(heir)
        heir.connection_made(transport)
        self._transport = self._parser = None
        self.closed = True
        self._gone(self)

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio.Protocol says."""
        self._transport = cast(asyncio.Transport, transport)
        # Written at once rather than at the end of the loop's turn, and pause_writing means exactly "not all is out".
        self._transport.set_write_buffer_limits(high=0)
        self._joined(self)

    def pause_writing(self) -> None:
        """As asyncio.Protocol says."""
        self._unsent = True

    def resume_writing(self) -> None:
        """As asyncio.Protocol says."""
        self._unsent = False

    def data_received(self, data: bytes) -> None:
        """As asyncio.Protocol says."""
        if self._future is None:
            # Nobody asked: a server's parting words on an idle connection, or bytes after an answer.
            self.abort()
            return
        first, limits = not self._bytes_in, self._limits
        self._bytes_in += len(data)
        if first and self._sink is None and not self._bodiless and len(data) <= limits.header_bytes:
            known = recalled(data)
            if known is not None and known[0].length <= limits.body_bytes:
                self._answer(Answer(*known, len(data)))
                return
        self._quiet += len(data)
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserCallbackError as problem:
            self._fail(problem.__context__ or problem)
            return
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as problem:
            if not self._done:
                self._fail(Broken("bad_http", f"not HTTP/1.1: {problem}", status=self._status))
                return
            self._keep = False
        if self._done:
            head = self._finish()
            if first and self._parser is not None and self._keep:
                remember(data, head)
        elif self._quiet > limits.header_bytes:
            self._fail(_head_too_large(self._status))

    def eof_received(self) -> None:
        """As asyncio.Protocol says."""
        if self._got_head and self._future is not None and self._until_close():
            self._keep = False
            self._finish()
        elif self._transport is not None:
            self._keep = False
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio.Protocol says."""
        self.closed = True
        self.untouched = self._future is not None and self._bytes_in == 0
        if self._unsent or isinstance(exc, BrokenPipeError):
            self._fail(Broken("broken_before_sent", str(exc or "closed by the server")))
        else:
            where = "in the body" if self._got_head else "in the head" if self._bytes_in else "before any answer"
            self._fail(Unknown("broken_after_sent", f"{exc or 'closed by the server'}, {where}", status=self._status))
        self._transport = self._parser = None
        self._gone(self)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A status line begins: the first, one after a 1xx answer, or one that nobody asked for."""
        if self._done:
            self._keep = False
        else:
            self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header line, or a trailer, which nobody here needs."""
        if not self._got_head:
            self._headers.append((_lower(name), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self._done:
            return
        parser = cast(httptools.HttpResponseParser, self._parser)
        status = parser.get_status_code()
        if status < 200:
            return
        # Part of the bytes that came may be the body's: look closer only when there are that many.
        if self._bytes_in > self._limits.header_bytes and _bytes_of(self._headers) > self._limits.header_bytes:
            raise _head_too_large(0)
        self._got_head = True
        self._status = status
        self._to_sink = self._sink is not None and 200 <= status < 300
        if self._bodiless or status in (204, 304):
            # The parser would wait for the body a Content-Length speaks of: it is done with, and so are we.
            self._done = True
            self._keep = not _says_close(self._headers) and parser.get_http_version() == "1.1"
            self._parser = None
        else:
            self._keep = parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        """The next bytes of the body."""
        if self._done:
            self._keep = False
            return
        self._quiet = 0
        if self._to_sink:
            cast(Sink, self._sink).write(data)
            return
        if len(self._body) + len(data) > self._limits.body_bytes:
            raise Broken("body_too_large", f"more than {self._limits.body_bytes} bytes", status=self._status)
        if not self._body:
            self._body = data
        else:
            # Not a list of parts: a body that drips byte by byte would make each byte an object.
            self._body = self._body if isinstance(self._body, bytearray) else bytearray(self._body)
            self._body += data

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was a 1xx one."""
        self._done = self._got_head

    # Ends.

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _finish(self) -> Head:
        """The parser is through with an answer."""
        head = head_of(self._status, self._headers, len(self._body))
        answer = Answer(head, bytes(self._body), self._bytes_in)
        self._headers, self._body = [], b""
        self._to_sink = self._done = self._got_head = False
        self._quiet = self._status = 0
        self._answer(answer)
        return head

    def _answer(self, answer: Answer) -> None:
        future, self._future = self._future, None
        self._sink = None
        if not self._keep or self._unsent:
            self.abort()
        if future is not None and not future.done():
            future.set_result(answer)

    def _fail(self, problem: BaseException) -> None:
        future = self._future
        self.abort()
        self._sink = None
        if future is not None and not future.done():
            future.set_exception(problem)

    def _until_close(self) -> bool:
        """Whether the body ends with the connection: neither chunked nor of a told length (RFC 9112 6.3)."""
        return not any(
            name == "content-length" or (name == "transfer-encoding" and value.lower().rstrip().endswith("chunked"))
            for name, value in self._headers
        )


def _says_close(headers: list[tuple[str, str]]) -> bool:
    return any(name == "connection" and "close" in value.lower() for name, value in headers)


def _bytes_of(headers: list[tuple[str, str]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


def _head_too_large(status: int) -> Trouble:
    return Broken("header_too_large", "the head of the answer, or its trailers, do not end", status=status)
