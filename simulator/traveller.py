"""One device on one journey: how it asks, waits, and puts later starts on the agenda.

Every stamp and every sample of a device is made here. Nothing here opens a socket, sleeps or knows a message: wire and
clock are handed in, exchanges come from the protocols, and the order of a journey's steps is told in journeys.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from simulator.agenda import Agenda, Start
from simulator.device import APPLIED, Clock, Device, Plan
from simulator.draw import bits, draw
from simulator.fleet import DeviceFacts
from simulator.protocols.account import Account
from simulator.protocols.gaia import address_in
from simulator.protocols.messages import (
    Exchange,
    Push,
    PushLogin,
    Request,
    Response,
    Sink,
    Skipped,
    Trouble,
    Unknown,
)
from simulator.tape import Tape
from simulator.timers import SHORTEST_TIMER_S, retry_s

T = TypeVar("T")

PUSH_CONNECT = "push.connect"


class Stopped(Exception):  # noqa: N818 - the end of a journey, not an error of ours
    """A step did not end ok; it is recorded already."""

    def __init__(self, step: str, trouble: Trouble) -> None:
        super().__init__(f"{step}: {trouble}")
        self.step = step
        self.trouble = trouble


class World:
    """What the travellers of one shard share.

    Args:
        plan, clock, agenda, tape: as their classes say.

    Attributes:
        tell: called after every exchange, for a person who watches one device; None for a fleet.
        heard, line_lost: called for every push of every device, and for a push line that broke.
        rested: called when a journey of a device is over, however it ended.
        refused: accounts that must not be locked, and whose password was refused: names as typed at the login.
        together: runs several coroutines at once; whoever has a loop puts that in. One after the other without.
    """

    def __init__(self, plan: Plan, clock: Clock, agenda: Agenda, tape: Tape) -> None:
        self.plan = plan
        self.clock = clock
        self.agenda = agenda
        self.tape = tape
        self.tell: Callable[[Exchange[Any], Response | None, Any, Trouble | None, float], None] | None = None
        self.heard: Callable[[Device, Push], None] = lambda device, push: None
        self.line_lost: Callable[[Device], None] = lambda device: None
        self.refused: set[str] = set()
        self.rested: Callable[[Device], None] = lambda device: None
        self.together: Callable[[Sequence[Coroutine[Any, Any, None]]], Awaitable[object]] = _one_by_one


async def _one_by_one(ways: Sequence[Coroutine[Any, Any, None]]) -> None:
    for way in ways:
        await way


class Traveller:
    """One device on one journey. It stamps and records everything itself.

    Args:
        start: what the agenda gave; the first step is due then.
        able: when the device was free to begin, in run seconds.
    """

    __slots__ = ("_able", "_due", "_facts", "_trigger", "asked", "began", "device", "start", "world")

    def __init__(self, world: World, device: Device, start: Start, able: float) -> None:
        self.world = world
        self.device = device
        self.start = start
        self.began = world.clock.now()
        self.asked: set[str] = set()
        self._due = start.due
        self._able = able
        self._facts: DeviceFacts | None = None
        self._trigger = start.trigger

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
        attempt = 1
        while True:
            try:
                return await self._try(exchange, attempt, timeout_s, sink)
            except Stopped as stopped:
                request = exchange.again(stopped.trouble)
                wait_s = retry_s(attempt, exchange.pace)
                if request is None or wait_s is None:
                    raise
            await self.wait(wait_s)
            self._trigger = "retry"
            exchange = replace(exchange, request=request)
            attempt += 1

    async def _try(self, exchange: Exchange[T], attempt: int, timeout_s: float, sink: Sink | None) -> T:
        world = self.world
        self.asked.add(exchange.step)
        response: Response | None = None
        sent = world.clock.now()
        try:
            response = await self.device.wire.send(exchange.request, timeout_s=timeout_s, sink=sink)
            answer = exchange.read(response)
        except Trouble as trouble:
            self._record(exchange.step, sent, trouble, response, exchange.request.url, attempt=attempt)
            if world.tell is not None:
                world.tell(exchange, response, None, trouble, sent)
            raise Stopped(exchange.step, trouble) from trouble
        except BaseException:
            # cancelled at the run's end (or our own bug, which stops the run): what was asked is still one sample
            self._record(exchange.step, sent, Unknown("run_ended"), response, exchange.request.url, attempt=attempt)
            raise
        self._record(exchange.step, sent, None, response, "", attempt=attempt)
        if world.tell is not None:
            world.tell(exchange, response, answer, None, sent)
        return answer

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
                login, lambda push: world.heard(device, push), lambda reason: world.line_lost(device)
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

    def found(self, step: str, trouble: Trouble) -> None:
        """Record that a step cannot even be sent, for what a server sent along before was broken."""
        now = self.world.clock.now()
        self._sample(step, due=now, able=now, sent=now, done=now, trigger="follows", trouble=trouble)
        self.world.tape.example(step, trouble, done=now, device=self.device.row, url="")

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

    def opens(self, milestone: str, due: float) -> None:
        """From now on the device owes that milestone, counted from `due`."""
        self.device.open[milestone, 0] = due

    def reached(self, milestone: str) -> None:
        """The device got there; recorded if it owed it."""
        due = self.device.open.pop((milestone, 0), None)
        if due is not None:
            self._milestone(milestone, due, self.start.trigger, 0)

    def applied(self, policy: str, timestamp_ms: int) -> None:
        """Policy of that timestamp (Publish.policy says which) is in force: close each publish that it contains.

        A device that was online at the publish knows from its push when the change was made and closes with trigger
        `push`. One that comes later knows only the policy's own timestamp, and closes with trigger `follows`.
        """
        device, world = self.device, self.world
        now = world.clock.now()
        for publish in world.plan.publishes:
            if publish.policy != policy or publish.action in device.applied or publish.due > now:
                continue
            made_ms = device.news.get(publish.action)
            if made_ms is None:
                made_ms = int((world.clock.utc() - now + publish.due) * 1000)  # a server writes whole ones that began
            if timestamp_ms >= made_ms:
                device.applied |= {publish.action}
                device.news.pop(publish.action, None)
                owed = device.open.pop((APPLIED, publish.action), None)
                trigger = "follows" if owed is None else "push"
                self._milestone(APPLIED, publish.due, trigger, publish.action)

    def skip(self, steps: Iterable[str]) -> None:
        """Record those steps as skipped, but for what was asked on this journey or never is: one did not end ok."""
        now = self.world.clock.now()
        trouble = Skipped("earlier_step")
        for step in steps:
            if step not in self.asked and step not in self.plan.unasked:
                self.asked.add(step)
                self._sample(step, due=now, able=now, sent=now, done=now, trigger="follows", trouble=trouble)

    def abandon(self, milestones: Iterable[str], trouble: Trouble) -> None:
        """The device will not get there: close those that it owes with the trouble that stopped it."""
        now = self.world.clock.now()
        for milestone in milestones:
            due = self.device.open.pop((milestone, 0), None)
            if due is not None:
                self._sample(milestone, due=due, able=due, sent=due, done=now, trigger="follows", trouble=trouble)

    def _milestone(self, milestone: str, due: float, trigger: str, action: int) -> None:
        now = self.world.clock.now()
        self._sample(milestone, due=due, able=due, sent=due, done=now, trigger=trigger, action=action)

    def _record(
        self,
        step: str,
        sent: float,
        trouble: Trouble | None,
        response: Response | None,
        url: str,
        *,
        attempt: int = 1,
    ) -> None:
        """Record the journey's own exchange that ended just now; the next is due from here on."""
        due, able = self._due, self._able
        self._due = self._able = self._stamp(step, sent, trouble, response, url, due=due, able=able, attempt=attempt)
        self._trigger = "follows"

    def _stamp(
        self,
        step: str,
        sent: float,
        trouble: Trouble | None,
        response: Response | None,
        url: str,
        *,
        due: float,
        able: float,
        attempt: int = 1,
    ) -> float:
        """Record one exchange that ended just now. Returns: when that was."""
        done = self.world.clock.now()
        self._sample(
            step,
            due=due,
            able=able,
            sent=sent,
            done=done,
            trigger=self._trigger,
            trouble=trouble,
            status=response.status if response is not None else 0,
            bytes_in=response.bytes_in if response is not None else 0,
            bytes_out=response.bytes_out if response is not None else 0,
            action=self.start.action,
            attempt=attempt,
        )
        if trouble is not None:
            self.world.tape.example(step, trouble, done=done, device=self.device.row, url=url)
        return done

    def _sample(self, step: str, **fields: Any) -> None:
        self.world.tape.sample(step, device=self.device.row, journey=self.start.journey, **fields)
