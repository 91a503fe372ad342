"""One device on one journey: how it asks, waits, and puts later starts on the agenda.

Nothing here opens a socket, sleeps or knows a message: wire and clock are handed in, exchanges come from the protocols,
the order of a journey's steps is told in journeys, and how what it does is recorded in recorded.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from simulator.agenda import Start
from simulator.device import Device, Plan
from simulator.draw import bits, draw
from simulator.fleet import DeviceFacts
from simulator.protocols.account import Account
from simulator.protocols.gaia import address_in
from simulator.protocols.messages import (
    Exchange,
    PushLogin,
    Request,
    Sink,
    Trouble,
    Unknown,
)
from simulator.recorded import Recorded
from simulator.timers import SHORTEST_TIMER_S, retry_s
from simulator.world import World

T = TypeVar("T")

PUSH_CONNECT = "push.connect"


class Stopped(Exception):  # noqa: N818 - the end of a journey, not an error of ours
    """A step did not end ok; it is recorded already."""

    def __init__(self, step: str, trouble: Trouble) -> None:
        super().__init__(f"{step}: {trouble}")
        self.step = step
        self.trouble = trouble


class Traveller(Recorded):
    """One device on one journey. It stamps and records everything itself. Args: as Recorded."""

    __slots__ = ("_facts", "began")

    def __init__(self, world: World, device: Device, start: Start, able: float) -> None:
        super().__init__(world, device, start, able)
        self.began = world.clock.now()
        self._facts: DeviceFacts | None = None

    @property
    def plan(self) -> Plan:
        """What every journey of the run may know."""
        return self.world.plan

    @property
    def account(self) -> Account:
        """With what the device's person signs in."""
        return self.world.plan.account(self.facts)

    @property
    def address(self) -> str:
        """The person's e-mail address in the enrolment domain, whatever name is typed at the login.

        The account's where it has one there; the fleet's own for one of another domain, or CITY\\taro.
        """
        user, domain = self.account.user, self.plan.domain
        return address_in(domain, user if "@" in user else f"{user}@{domain}") or self.facts.user

    @property
    def facts(self) -> DeviceFacts:
        """Who the device and its person are; made once a journey, since thousands of devices at rest need none."""
        if self._facts is None:
            self._facts = self.world.plan.facts(self.device.row)
        return self._facts

    @property
    def os_version(self) -> str:
        """The platform version that the device runs now."""
        return self.device.os_version or self.facts.os_version

    def utc_ms(self) -> int:
        """Unix milliseconds now, for what protocols write into messages."""
        return round(self.world.clock.utc() * 1000)

    def draw(self, what: str) -> float:
        """This device's next number in [0, 1) for that purpose."""
        self.device.drawn += 1
        return draw(self.world.plan.seed, self.device.row, what, self.device.drawn)

    def fixed_draw(self, what: str) -> float:
        """This device's one number in [0, 1) for that purpose, the same whenever it is asked for."""
        return draw(self.world.plan.seed, self.device.row, what)

    @property
    def push_token(self) -> str:
        """The token under which the push service knows this device: 32 hex digits of its own."""
        seed, row = self.world.plan.seed, self.device.row
        return f"{bits(seed, row, 'push token', 0):016x}{bits(seed, row, 'push token', 1):016x}"

    def uuid(self, what: str) -> str:
        """This device's next random UUID (RFC 9562, version 4) for that purpose, in lower case."""
        self.device.drawn += 1
        high, low = (bits(self.world.plan.seed, self.device.row, f"{what}/{half}", self.device.drawn) for half in "ab")
        high = high & ~0xF000 | 0x4000
        low = low & ~(0b11 << 62) | 0b10 << 62
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

    def chance(self, what: str, size: int) -> bytes:
        """This device's next random bytes for that purpose."""
        self.device.drawn += 1
        seed, device = self.world.plan.seed, self.device
        words = (bits(seed, device.row, f"{what}/{n}", device.drawn) for n in range((size + 7) // 8))
        return b"".join(word.to_bytes(8, "big") for word in words)[:size]

    async def ask(self, exchange: Exchange[T], *, timeout_s: float = 30.0, sink: Sink | None = None) -> T:
        """Send, read, record; and again where the client itself repeats what failed in passing.

        Returns: what the exchange's reader made of the answer.
        Raises: Stopped when the last try did not end ok.
        """
        world, step, attempt = self.world, exchange.step, 1
        self.asked.add(step)
        while True:
            request, response = exchange.request, None
            sent = world.clock.now()
            try:
                response = await self.device.wire.send(request, timeout_s=timeout_s, sink=sink)
                answer = exchange.read(response)
            except Trouble as trouble:
                self._record(step, sent, trouble, response, request.url, attempt=attempt)
                if world.tell is not None:
                    world.tell(exchange, response, None, trouble, sent)
                again = exchange.again(trouble)
                wait_s = retry_s(attempt, exchange.pace)
                if again is None or wait_s is None:
                    raise Stopped(step, trouble) from trouble
            except BaseException:
                # cancelled at the run's end (or our own bug, which stops the run): what was asked is still one sample
                self._record(step, sent, Unknown("run_ended"), response, request.url, attempt=attempt)
                raise
            else:
                self._record(step, sent, None, response, "", attempt=attempt)
                if world.tell is not None:
                    world.tell(exchange, response, answer, None, sent)
                return answer
            await self.wait(wait_s)
            self._trigger = "retry"
            exchange = replace(exchange, request=again)
            attempt += 1

    async def load(self, exchanges: Iterable[Exchange[T]], *, at_once: int, timeout_s: float = 10.0) -> list[T]:
        """Ask several, a few at once, as a browser loads what a page links to; the journey goes on when all have ended.

        Each is due when the step before was done: waiting for one's turn is what the device suffers.

        Returns: the answers that ended ok; the others are recorded, and stop nothing.
        """
        due, waiting, found = self._due, iter(exchanges), list[T]()

        async def lane() -> None:
            able = due
            for exchange in waiting:
                able = await self._fetch(exchange, due, able, timeout_s, found)

        await self.world.together([lane() for _ in range(at_once)])
        self._due = self._able = self.world.clock.now()
        return found

    async def _fetch(self, exchange: Exchange[T], due: float, able: float, timeout_s: float, found: list[T]) -> float:
        """One of several at once. Returns: when it was done."""
        world, url = self.world, exchange.request.url
        self.asked.add(exchange.step)
        response, answer, trouble = None, None, None
        sent = world.clock.now()
        try:
            response = await self.device.wire.send(exchange.request, timeout_s=timeout_s)
            answer = exchange.read(response)
            found.append(answer)
        except Trouble as problem:
            trouble = problem
        except BaseException:
            self._stamp(exchange.step, sent, Unknown("run_ended"), response, url, due=due, able=able)
            raise
        done = self._stamp(exchange.step, sent, trouble, response, url, due=due, able=able)
        if world.tell is not None:
            world.tell(exchange, response, answer, trouble, sent)
        return done

    async def listen(self, login: PushLogin) -> None:
        """Open the push line and keep it on the device, as step `push.connect`.

        Raises: Stopped when it did not end ok.
        """
        device, world = self.device, self.world
        self.asked.add(PUSH_CONNECT)
        sent = world.clock.now()
        try:
            device.line = await device.wire.listen(
                login, partial(world.heard, device), partial(world.line_lost, device)
            )
        except Trouble as trouble:
            self._record(PUSH_CONNECT, sent, trouble, None, login.url)
            self._tell_line(login, trouble, sent)
            raise Stopped(PUSH_CONNECT, trouble) from trouble
        except BaseException:
            self._record(PUSH_CONNECT, sent, Unknown("run_ended"), None, login.url)
            raise
        self._record(PUSH_CONNECT, sent, None, None, "")
        self._tell_line(login, None, sent)

    def _tell_line(self, login: PushLogin, trouble: Trouble | None, sent: float) -> None:
        if self.world.tell is not None:
            connect: Exchange[None] = Exchange(PUSH_CONNECT, Request("CONNECT", login.url), lambda response: None)
            self.world.tell(connect, None, None, trouble, sent)

    async def wait(self, real_s: float) -> None:
        """Let real time pass (typing, a push's delay): it counts in no step's latency."""
        self._due += real_s
        self._able = self._due
        await self.world.clock.until(self._due)

    def later(self, journey: str, city_s: float, *, since: float | None = None, trigger: str = "timer") -> None:
        """Put a start of this device on the agenda, `city_s` after now (or after the run second `since`).

        Waits of a minute and more are squeezed by the compression, shorter ones stay real.
        """
        base = self.world.clock.now() if since is None else since
        self.world.agenda.put(Start(base + self.squeezed(city_s), self.device.row, journey, trigger))

    def squeezed(self, city_s: float) -> float:
        """A wait in real seconds: the compression squeezes those of a minute and more."""
        return city_s / self.world.plan.compression if city_s >= SHORTEST_TIMER_S else city_s

    def cancel(self, *journeys: str) -> None:
        """Forget what waits on the agenda of these journeys of this device."""
        for journey in journeys:
            self.world.agenda.drop(self.device.row, journey)

    def soon(self, journey: str, real_s: float, *, trigger: str) -> None:
        """Put a start of this device on the agenda, `real_s` after now, whatever the compression."""
        self.at(journey, self.world.clock.now() + real_s, trigger=trigger)

    def at(self, journey: str, due: float, *, trigger: str) -> None:
        """Put a start of this device on the agenda at that run second."""
        self.world.agenda.put(Start(due, self.device.row, journey, trigger))

    def hang_up(self) -> None:
        """Give the push line up."""
        if self.device.line is not None:
            self.device.line.close()
        self.device.line = None
        self.device.online = False
