"""The MQTT wire: the push lines of an engine's devices, and the publisher that pushes to them.

Whom to listen for, what to publish and what a message says is told by the caller; how MQTT is spoken is push_line's.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import aiomqtt

from simulator.protocols.messages import Push, PushLine, PushLogin, Trouble
from simulator.wire.dial import Dialer
from simulator.wire.guard import Guard
from simulator.wire.pings import Pings
from simulator.wire.push_line import Line, open_line
from simulator.wire.tls import TlsSettings

_NO_TLS: Mapping[str, TlsSettings] = MappingProxyType({})
_NO_HOSTS: Mapping[str, str] = MappingProxyType({})


class PushLines:
    """Opens the push lines of all devices of an engine.

    Args:
        guard: asked at every connect, after name resolution.
        tls: "host:port" -> how that target's certificate is checked; the system's authorities for all others.
        hosts: name -> "address:port" to connect to instead of asking a resolver.
        sources: as Dialer.
    """

    def __init__(
        self,
        *,
        guard: Guard,
        tls: Mapping[str, TlsSettings] = _NO_TLS,
        hosts: Mapping[str, str] = _NO_HOSTS,
        sources: Sequence[str] = (),
    ) -> None:
        self._dialer = Dialer(guard=guard, tls=tls, hosts=hosts, sources=sources)
        self._pings = Pings()

    async def listen(
        self, login: PushLogin, hear: Callable[[Push], None], lost: Callable[[str], None], *, timeout_s: float
    ) -> PushLine:
        """Log in and subscribe. Arguments and what is raised: push_line.open_line."""
        return await open_line(self._dialer, login, hear, lost, pings=self._pings, timeout_s=timeout_s)

    async def close(self) -> None:
        """Stop what is being resolved. A line is closed by whoever has it."""
        self._pings.stop()
        await self._dialer.close()


class Publishers:
    """Delivers pushes through the brokers that share a fleet, each through the one that carries its topic.

    Args:
        of: which of so many brokers carries a topic.
    """

    def __init__(self, of: Callable[[str, int], int]) -> None:
        self._of = of
        self._publishers: list[Publisher] = []

    async def connect(self, urls: Sequence[str]) -> None:
        """Log in to every broker. Raises: as open_line."""
        for url in urls:
            self._publishers.append(publisher := Publisher())
            await publisher.connect(url)

    async def publish(self, pushes: Sequence[Push]) -> None:
        """As Publisher.publish: in order for each topic."""
        parts: dict[int, list[Push]] = {}
        for push in pushes:
            parts.setdefault(self._of(push.topic, len(self._publishers)), []).append(push)
        await asyncio.gather(*(self._publishers[at].publish(part) for at, part in parts.items()))

    async def close(self) -> None:
        """Log out everywhere."""
        for publisher in self._publishers:
            await publisher.close()


class Publisher:
    """Delivers pushes with QoS 1, through one connection that comes back whenever the broker does.

    Args:
        guard: asked at every connect; None lets only loopback through.
    """

    # As many pushes are under way at once as paho has unacknowledged ones; a round trip takes less than to send them.
    WINDOW = 20
    KEEPALIVE_S = 20
    TIMEOUT_S = 10.0
    AGAIN_S = (0.05, 1.0)

    def __init__(self, *, guard: Guard | None = None) -> None:
        self._dialer = Dialer(guard=guard or Guard(), tls=_NO_TLS, hosts=_NO_HOSTS)
        self._pings = Pings()
        self._line: Line | None = None
        self._turn = asyncio.Lock()
        self._under_way: list[asyncio.Task[None]] = []

    async def connect(self, url: str) -> None:
        """Log in to the broker of an mqtt:// URL. Raises: as open_line."""
        name = f"fleetrush-publisher-{os.urandom(6).hex()}"
        self._login = PushLogin(url, name, "", "", "", self.KEEPALIVE_S)
        self._line = await self._log_in()

    async def publish(self, pushes: Sequence[Push]) -> None:
        """Deliver in order; returns when the broker has acknowledged all. While there is no broker it waits.

        What was on its way when the broker went is sent again: a push may arrive twice, and none is left out.
        """
        async with self._turn:
            waiting = list(pushes)
            while waiting:
                line = self._line or await self._log_in_again()
                waiting[: self.WINDOW] = await self._deliver(line, waiting[: self.WINDOW])

    async def close(self) -> None:
        """Log out."""
        if self._line is not None:
            self._line.close()
            self._line = None
        self._pings.stop()
        await self._dialer.close()

    async def _log_in(self) -> Line:
        return await open_line(
            self._dialer, self._login, lambda push: None, self._lost, pings=self._pings, timeout_s=self.TIMEOUT_S
        )

    async def _log_in_again(self) -> Line:
        pause_s, longest_s = self.AGAIN_S
        while True:
            try:
                self._line = await self._log_in()
            except Trouble:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, longest_s)
            else:
                return self._line

    async def _deliver(self, line: Line, pushes: list[Push]) -> list[Push]:
        """Send all at once. Returns those that were not acknowledged before the line broke."""
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(line.publish(push.topic, push.payload, qos=1, timeout=math.inf)) for push in pushes]
        self._under_way = tasks
        try:
            await asyncio.wait(tasks)
        finally:
            self._stop_waiting()
        left = []
        for push, task in zip(pushes, tasks, strict=True):
            error = None if task.cancelled() else task.exception()
            if task.cancelled() or isinstance(error, aiomqtt.MqttError):
                left.append(push)
            elif error is not None:
                raise error
        return left

    def _lost(self, reason: str) -> None:
        self._line = None
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        # aiomqtt waits on for an acknowledgement that a broken connection can no longer bring.
        for task in self._under_way:
            task.cancel()
        self._under_way = []
