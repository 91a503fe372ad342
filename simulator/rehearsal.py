"""The same journeys in virtual time against the backend's core in memory: no sockets, no waiting.

The player, the journeys and the core are the ones that run for real; only the wire and the clock are others. It judges
nothing; who wants numbers reads the samples.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import selectors
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from scenarios.schema import Scenario
from scenarios.targets import Targets
from simulator.accounts import Accounts
from simulator.agenda import Agenda
from simulator.backend.core import Core
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.device import EnrollmentLogin
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.operator import OperatorLogin
from simulator.order import Order
from simulator.player import Player
from simulator.protocols.gaia import STAND_IN_URL
from simulator.protocols.messages import Broken, Push, PushLine, PushLogin, Request, Response, Sink, Unknown
from simulator.standins import StandInSettings
from simulator.tape import Tape
from simulator.timetable import lead_s
from simulator.wire.cookies import CookieJar
from simulator.world import World

# Where the services are: names that resolve nowhere, since nothing is resolved.
URLS = {name: f"http://{name}.fleetrush.invalid" for name in ("management", "identity", "idp", "updates", "operator")}
PUSH_URL = "mqtt://push.fleetrush.invalid"
# An ordinary working day at midnight UTC: what protocols write into messages must not depend on when one rehearses.
UTC_0 = 1_775_001_600.0
SETTLE_S = 60.0

_REDIRECTS = frozenset({301, 302, 303, 307})


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

    async def carry(self, request: Request) -> Response:
        """One request to the core, with the delay that a fault gives it. Raises: Unknown when it is dropped."""
        answer = self.core.handle(request, self.clock.utc())
        for push in answer.pushes:
            hear = self._listening.get(push.topic)
            if hear is not None:
                self._loop.call_soon(hear, push)
        if answer.delay_s:
            await self.clock.until(self.clock.now() + answer.delay_s)
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
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._follow(request)
        except TimeoutError:
            raise Unknown("timeout", f"no answer within {timeout_s:g} s") from None
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

    async def _follow(self, request: Request) -> Response:
        left = request.redirects
        while True:
            response = await self._once(request)
            location = response.header("location")
            if not left or response.status not in _REDIRECTS or not location:
                return response
            left -= 1
            request = _redirected(request, response.status, urljoin(request.url, location))

    async def _once(self, request: Request) -> Response:
        now, parts = self._air.clock.now(), urlsplit(request.url)
        host, target = parts.hostname or "", parts.path or "/"
        cookies = self._cookies.header(host, target, https=False, now=now)
        headers = (*request.headers, ("Cookie", cookies)) if cookies else request.headers
        response = await self._air.carry(replace(request, headers=headers))
        said = [value for name, value in response.headers if name.lower() == "set-cookie"]
        self._cookies.store(host, target, https=False, lines=said, now=now)
        size = len(response.body)
        return replace(response, url=request.url, bytes_in=size, bytes_out=len(request.body))


def _redirected(request: Request, status: int, url: str) -> Request:
    if urlsplit(url).scheme not in ("http", "https"):
        raise Broken("bad_redirect", "not an http(s) location")
    if status == 307 or request.method == "GET":
        return replace(request, url=url)
    return replace(request, method="GET", url=url, body=b"")


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal leaves: samples packed as records of SAMPLE, how many, examples, and what the core counted."""

    samples: bytes
    count: int
    examples: list[dict[str, Any]]
    state: dict[str, Any]


class Stage:
    """One scenario in virtual time, with nothing played yet. To be made within a VirtualLoop.

    Args:
        air: makes what stands between the devices and the core; None: an Air.

    Attributes:
        order, clock, core, air, agenda, player: of the scenario's one shard; its starts are not on the agenda yet.
    """

    def __init__(self, scenario: Scenario, *, air: Callable[[Core, VirtualClock], Air] | None = None) -> None:
        self.clock = VirtualClock(cast(VirtualLoop, asyncio.get_running_loop()))
        # a secret that nobody needs to keep: it opens nothing but this rehearsal
        settings = StandInSettings.of(scenario, b"rehearsal")
        self._store = Store(":memory:")
        self.core = Core(self._store, _backend_settings(settings), _chance(scenario.seed))
        self._login = OperatorLogin(URLS["operator"], self.core.operator_token)
        self.operate("publish_release", {"version": settings.release, "size": settings.payload_bytes})
        self.order = Order(
            scenario=scenario,
            shard=0,
            shards=1,
            lead_s=lead_s(scenario, scenario.devices),
            urls={**URLS, "push": PUSH_URL},
            hosts={},
            targets=Targets(),
            operator=self._login,
            enrollment=EnrollmentLogin.told(self.operate("enrollment_token", {})),
            accounts=Accounts(settings.password_secret),
            verification_key=self.core.verification_key,
        )
        self.tape, self.agenda = Tape(STEPS, JOURNEY_NAMES), Agenda()
        self.fleet = self.order.fleet()
        self.air = (air or Air)(self.core, self.clock)
        world = World(self.order.plan(self.fleet), self.clock, self.agenda, self.tape)
        self.player = Player(world, lambda row: MemoryWire(self.air))

    def operate(self, act: str, told: dict[str, Any] | None) -> Any:
        """One call of the operator API. Returns: its answer. Raises: RuntimeError for a refusal."""
        method, body = ("GET", b"") if told is None else ("POST", json.dumps(told).encode())
        headers = (("Authorization", f"Bearer {self._login.token}"),)
        request = Request(method, f"{self._login.url}/operator/{act}", headers, body)
        answer = self.core.handle(request, self.clock.utc())
        if answer.response.status != 200:
            raise RuntimeError(f"operator {act}: {answer.response.body!r}")
        return json.loads(answer.response.body)

    async def play(self, until_s: float) -> None:
        """Play what the agenda holds up to that run second, or to the end of what can come."""
        self.player.begin()
        with suppress(TimeoutError):
            async with asyncio.timeout(until_s - self.clock.now()):
                await self.player.finished.wait()

    async def end(self) -> Rehearsed:
        """Stop. Raises: a mistake of ours that stopped the play."""
        await self.player.stop()
        if self.player.failure is not None:
            raise self.player.failure
        state = self.operate("state", None)
        self._store.close()
        return Rehearsed(self.tape.take(), self.tape.count, self.tape.take_examples(), state)


def rehearse(scenario: Scenario) -> Rehearsed:
    """Play a scenario in virtual time against the embedded core alone."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_rehearse(scenario))


async def _rehearse(scenario: Scenario) -> Rehearsed:
    stage = Stage(scenario)
    for start in stage.order.starts(stage.fleet):
        stage.agenda.put(start)
    await stage.play(stage.order.end_s)
    stage.player.close_doors()
    await stage.clock.until(stage.order.end_s + SETTLE_S)
    return await stage.end()


def _backend_settings(settings: StandInSettings) -> BackendSettings:
    return BackendSettings(
        management_url=URLS["management"],
        identity_url=STAND_IN_URL,
        idp_url=URLS["idp"],
        updates_url=URLS["updates"],
        push_url=PUSH_URL,
        password_secret=settings.password_secret,
        domain=settings.domain,
        password_cost=settings.password_cost,
        lock_after=settings.lock_after,
        token_life_s=settings.token_life_s,
        compression=settings.compression,
        robot_accounts=settings.robot_accounts,
        update_share=settings.update_share,
        **settings.terms,
    )


def _chance(seed: int) -> Chance:
    """Random bytes that the seed decides."""
    numbers: Iterable[int] = itertools.count()
    drawn = iter(numbers)
    return lambda count: hashlib.shake_128(f"{seed}/{next(drawn)}".encode()).digest(count)
