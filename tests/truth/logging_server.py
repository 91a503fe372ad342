"""A server in a process of its own that keeps its own log of when it was asked and when it answered.

It answers update checks, so that a real engine's devices can ask it. How many it serves at once, how long each takes, a
time in which it stands still and which it refuses are told to it; it knows nothing of who asks, or of what is reported.

`python -m tests.truth.logging_server` takes one JSON line of settings, tells its port in one, takes one with the
instant (time.monotonic) that its times count from, and when standard input closes writes its log: an .npy of LOG.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import cast

import numpy as np
import uvloop

LOG = np.dtype([("asked", "<f8"), ("answered", "<f8"), ("status", "<u2")])

_BODY = b"""<?xml version="1.0" encoding="UTF-8"?>
<response protocol="3.0"><daystart elapsed_days="7000" elapsed_seconds="0"/>\
<app appid="{0}" status="ok"><ping status="ok"/><updatecheck status="noupdate"/></app></response>"""
_HEAD = "HTTP/1.1 {status} Said\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n"
_ANSWERS = {
    200: _HEAD.format(status=200, length=len(_BODY)).encode() + _BODY,
    503: _HEAD.format(status=503, length=0).encode(),
}
_BLOCK = 4096


def delays(kind: str, mean_s: float, seed: int) -> Iterator[float]:
    """Delays of that distribution and mean, for ever."""
    chance = np.random.default_rng(seed)
    draw = {
        "constant": lambda: np.full(_BLOCK, mean_s),
        "exponential": lambda: chance.exponential(mean_s, _BLOCK),
        # sigma 1: the mean is exp(1/2) medians
        "log-normal": lambda: mean_s * chance.lognormal(-0.5, 1.0, _BLOCK),
        # four of five take half the mean, one takes three of it
        "bimodal": lambda: mean_s * np.where(chance.random(_BLOCK) < 0.8, 0.5, 3.0),
    }[kind]
    while True:
        yield from draw().tolist()


class Service:
    """First come, first served: `places` at once, each for its own delay; nothing moves while it stands still."""

    def __init__(
        self,
        *,
        kind: str,
        mean_s: float,
        seed: int = 1,
        places: int = 1_000_000,
        frozen: tuple[float, float] = (0.0, 0.0),
        refuse_each: int = 0,
        stops: bool = False,
    ) -> None:
        self._delays = delays(kind, mean_s, seed)
        self._free = places
        self._frozen = frozen
        self._refuse_each = refuse_each
        self._stops = stops
        self._count = 0
        self._queue: deque[tuple[float, asyncio.WriteTransport]] = deque()
        self._loop = asyncio.get_running_loop()
        self.log: list[tuple[float, float, int]] = []

    def count_from(self, instant: float) -> None:
        """The instant that `frozen` counts from."""
        first, last = (instant + second for second in self._frozen)
        if self._stops:
            # the whole process stands, as one that swaps or collects its garbage: nobody in it sees who comes
            self._frozen = (0.0, 0.0)
            self._loop.call_later(first - time.monotonic(), lambda: time.sleep(max(0.0, last - time.monotonic())))
            return
        self._frozen = first, last
        if last > first:
            self._loop.call_later(last - time.monotonic(), self._thaw)

    def ask(self, transport: asyncio.WriteTransport) -> None:
        """One request came, whole."""
        asked = time.monotonic()
        self._count += 1
        if self._refuse_each and self._count % self._refuse_each == 0:
            self._answer(asked, transport, 503)
            return
        self._queue.append((asked, transport))
        self._serve()

    @property
    def _stands(self) -> bool:
        return self._frozen[0] <= time.monotonic() < self._frozen[1]

    def _thaw(self) -> None:
        if self._stands:
            self._loop.call_later(0.001, self._thaw)  # the loop's timers come early
        else:
            self._serve()

    def _serve(self) -> None:
        while self._queue and self._free and not self._stands:
            self._free -= 1
            self._loop.call_later(next(self._delays), partial(self._served, *self._queue.popleft()))

    def _served(self, asked: float, transport: asyncio.WriteTransport) -> None:
        if self._stands:
            self._loop.call_later(self._frozen[1] - time.monotonic(), self._served, asked, transport)
            return
        self._answer(asked, transport, 200)
        self._free += 1
        self._serve()

    def _answer(self, asked: float, transport: asyncio.WriteTransport, status: int) -> None:
        # before the write: a client cannot have it sooner than the log says
        self.log.append((asked, time.monotonic(), status))
        if not transport.is_closing():
            transport.write(_ANSWERS[status])


class _Line(asyncio.Protocol):
    """One connection: cuts requests, one at a time, as a client without pipelining sends them."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0):
            return
        self._buffer = b""
        if b"<updatecheck" in body:
            self._service.ask(self._transport)
        else:  # an event, which nobody measures
            self._transport.write(_ANSWERS[200])


async def main() -> None:
    """Serve until standard input closes."""
    loop = asyncio.get_running_loop()
    told = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(told), sys.stdin)
    service = Service(**json.loads(await told.readline()))
    server = await loop.create_server(lambda: _Line(service), "127.0.0.1", 0, backlog=4096)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    if line := await told.readline():
        service.count_from(float(line))
    await told.read()
    np.save(sys.stdout.buffer, np.array(service.log, LOG))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(main())
