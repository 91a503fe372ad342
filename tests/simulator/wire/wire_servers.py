"""Real servers on 127.0.0.1 that misbehave as told, for the tests of the wire; each test says what its server does."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import uvloop

from simulator.wire.guard import Guard
from simulator.wire.http import HttpPool

PATIENCE_S = 30.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def played(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run an async test on uvloop, as an engine does; whatever the loop complains of fails it."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        complaints: list[dict[str, Any]] = []

        async def play() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _loop, said: complaints.append(said))
            await asyncio.wait_for(test(*args, **kwargs), PATIENCE_S)

        uvloop.run(play())
        assert complaints == [], complaints

    return run


async def until(holds: Callable[[], object]) -> None:
    """Let the loop turn until something holds; a test that waits in vain ends by its own patience."""
    while not holds():  # noqa: ASYNC110 - what is waited for has no event of its own
        await asyncio.sleep(0)


class Side:
    """The server's side of one connection; `number` counts from 1."""

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer = peer
        self.reader = reader
        self.writer = writer
        self.number = len(peer.sides) + 1

    async def request(self) -> bytes:
        """Read one request, its body by Content-Length; it is kept in the peer's `requests`."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        request = head + await self.reader.readexactly(length)
        self.peer.requests.append(request)
        return request

    async def say(self, data: bytes) -> None:
        """Write, and wait until the kernel has it."""
        self.writer.write(data)
        await self.writer.drain()

    async def until_closed(self) -> bytes:
        """Whatever the client still says until it closes."""
        return await self.reader.read()

    def reset(self) -> None:
        """Close with a RST instead of a FIN."""
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Side], Awaitable[None]]


class Peer:
    """A started server, what it was asked, and over which connections."""

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[bytes] = []
        self.sides: list[Side] = []
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its base URL, for plain HTTP."""
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def served(script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[Peer]:
    """A server that plays the script once for every connection, and then closes it."""
    peer = Peer()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        side = Side(peer, reader, writer)
        peer.sides.append(side)
        task = asyncio.current_task()
        assert task is not None
        peer.tasks.add(task)
        try:
            await script(side)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # The client went away, or the test is over.
            pass
        finally:
            peer.tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(talk, host, 0, ssl=tls)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        tasks = tuple(peer.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answering(*answers: bytes) -> Script:
    """A script: the n-th request over a connection gets the n-th answer, the last one again and again."""

    async def script(side: Side) -> None:
        for count in range(1_000_000):
            await side.request()
            await side.say(answers[min(count, len(answers) - 1)])

    return script


@asynccontextmanager
async def pooled(**options: Any) -> AsyncIterator[HttpPool]:
    """A pool that only loopback is open to, closed at the end; no connection may outlive that."""
    pool = HttpPool(**{"guard": Guard(), **options})
    try:
        yield pool
    finally:
        await pool.close()
        assert pool.open_connections == 0
