"""When each push line looks whether a ping is due: one timer for all lines of an engine, as one each takes 0.6 KiB.

It knows neither MQTT nor a socket.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Protocol


class Pinging(Protocol):
    """A line that rests."""

    def ping_if_due(self) -> float:
        """Look. Returns: after how many seconds to look again; 0: never, it is over."""


class Pings:
    """Has every line that rests look in its time."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Pinging]] = []
        self._serial = count()
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, line: Pinging, after_s: float) -> None:
        """Have it look after that many seconds, and as it then says."""
        loop = asyncio.get_running_loop()
        heapq.heappush(self._heap, (loop.time() + after_s, next(self._serial), line))
        if self._timer is None or self._heap[0][2] is line:
            self._arm(loop)

    def stop(self) -> None:
        """No line looks any more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._heap[0][0], self._turn) if self._heap else None

    def _turn(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._heap and self._heap[0][0] <= now:
            _, _, line = heapq.heappop(self._heap)
            again_s = line.ping_if_due()
            if again_s:
                heapq.heappush(self._heap, (now + again_s, next(self._serial), line))
        self._arm(loop)
