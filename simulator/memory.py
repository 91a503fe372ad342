"""What a rehearsal has instead of time and sockets: a loop whose clock jumps, a wire that ends in the core's memory.

Nothing is played or judged here.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from simulator.backend.core import Core
from simulator.protocols.messages import Push, PushLine, PushLogin, Request, Response, Sink, Unknown
from simulator.wire.address import locate
from simulator.wire.cookies import CookieJar
from simulator.wire.redirects import leads_on, redirected

# An ordinary working day at midnight UTC: what protocols write into messages must not depend on when one rehearses.
UTC_0 = 1_775_001_600.0


class _Jump(selectors.SelectSelector):
    """A selector that never waits: the time it was to wait passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        """Let the time pass. Raises: RuntimeError when it would be for ever."""
        if timeout is None:
            raise RuntimeError("nothing will ever happen in this rehearsal")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to whatever is due next."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jump.now


class VirtualClock:
    """Run seconds of a virtual loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        """As Clock.now."""
        return self._loop.time()

    async def until(self, instant: float) -> None:
        """As Clock.until."""
        while (left := instant - self.now()) > 0:  # noqa: ASYNC110 - a clock, not a condition, is waited for
            await asyncio.sleep(left)

    def utc(self) -> float:
        """As Clock.utc."""
        return UTC_0 + self.now()


class Air:
    """What stands between the devices and the core: requests and pushes cross it at once."""

    def __init__(self, core: Core, clock: VirtualClock) -> None:
        self.core = core
        self.clock = clock
        self._loop = asyncio.get_running_loop()
        self._listening: dict[str, Callable[[Push], None]] = {}

    async def carry(self, request: Request, deadline: float) -> Response:
        """One request to the core, with the delay that a fault gives it.

        Args:
            deadline: the run second at which whoever asked stops waiting.
        Raises: Unknown when it is dropped, or answered after the deadline.
        """
        answer = self.core.handle(request, self.clock.utc())
        for push in answer.pushes:
            hear = self._listening.get(push.topic)
            if hear is not None:
                self._loop.call_soon(hear, push)
        if answer.delay_s:
            answered = self.clock.now() + answer.delay_s
            await self.clock.until(min(answered, deadline))
            if answered > deadline:
                raise Unknown("timeout", "no answer in time")
        if answer.drop:
            raise Unknown("broken_after_sent", "dropped by a fault")
        return answer.response

    def listen(self, topic: str, hear: Callable[[Push], None]) -> MemoryLine:
        """Hear every push to the topic from now on."""
        self._listening[topic] = hear
        return MemoryLine(lambda: self._listening.pop(topic, None))


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """A push line without a connection."""

    hang_up: Callable[[], object]

    def close(self) -> None:
        """As PushLine.close."""
        self.hang_up()


class MemoryWire:
    """One device's way to the core, cookies and redirects included."""

    def __init__(self, air: Air) -> None:
        self._air = air
        self._cookies = CookieJar()

    async def send(self, request: Request, *, timeout_s: float, sink: Sink | None = None) -> Response:
        """As Wire.send."""
        response = await self._follow(request, self._air.clock.now() + timeout_s)
        if sink is not None and 200 <= response.status < 300:
            sink.write(response.body)
            response = replace(response, body=b"")
        return response

    async def listen(self, login: PushLogin, hear: Callable[[Push], None], lost: Callable[[str], None]) -> PushLine:
        """As Wire.listen; a line in memory never breaks."""
        return self._air.listen(login.topic, hear)

    def forget_cookies(self) -> None:
        """As Wire.forget_cookies."""
        self._cookies = CookieJar()

    def close(self) -> None:
        """As Wire.close: there is nothing to let go."""

    async def _follow(self, request: Request, deadline: float) -> Response:
        left = request.redirects
        while True:
            response = await self._once(request, deadline)
            if not left or not leads_on(request, response):
                return response
            left -= 1
            request = redirected(request, response)

    async def _once(self, request: Request, deadline: float) -> Response:
        now, (origin, target) = self._air.clock.now(), locate(request.url)
        cookies = self._cookies.header(origin.host, target, https=False, now=now)
        sent = replace(request, headers=(*request.headers, ("Cookie", cookies))) if cookies else request
        response = await self._air.carry(sent, deadline)
        said = [value for name, value in response.headers if name.lower() == "set-cookie"]
        if said:
            self._cookies.store(origin.host, target, https=False, lines=said, now=now)
        status, headers, body = response.status, response.headers, response.body
        return Response(status, headers, body, request.url, len(body), len(request.body))
