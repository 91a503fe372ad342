"""The same journeys in virtual time against the backend's core in memory: no sockets, no waiting.

The player, the journeys and the core are the ones that run for real; only the wire and the clock are others. It judges
nothing; who wants numbers reads the samples.

A fleet whose devices share nothing but the operator's publishing can be rehearsed in shards, each a process with a core
of its own: device for device that is the same day.
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from typing import Any, cast

import numpy as np

from reports.record import OPERATOR, SAMPLE
from scenarios.schema import Scenario
from scenarios.targets import Targets
from simulator.accounts import Accounts
from simulator.agenda import Agenda
from simulator.backend.core import Core
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.device import EnrollmentLogin
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.memory import Air, MemoryWire, VirtualClock, VirtualLoop
from simulator.operator import PUBLISHES, OperatorLogin
from simulator.order import Order
from simulator.player import Player
from simulator.protocols.gaia import STAND_IN_URL
from simulator.protocols.messages import Request
from simulator.standins import StandInSettings
from simulator.tape import Tape
from simulator.timetable import lead_s
from simulator.world import World

# Where the services are: names that resolve nowhere, since nothing is resolved.
URLS = {name: f"http://{name}.fleetrush.invalid" for name in ("management", "identity", "idp", "updates", "operator")}
PUSH_URL = "mqtt://push.fleetrush.invalid"
SETTLE_S = 60.0
_NO_COUNTS = frozenset({"key_version"})


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal leaves: samples packed as records of SAMPLE, how many, examples, and what the core counted."""

    # megabytes: asyncio.Runner, as it ends, has a repr made of its task and so of what that returned
    samples: bytes = field(repr=False)
    count: int
    examples: list[dict[str, Any]]
    state: dict[str, Any]


class Stage:
    """One scenario in virtual time, with nothing played yet. To be made within a VirtualLoop.

    Args:
        shard: (number, count): only the rows whose index modulo count is the number.
        air: makes what stands between the devices and the core; None: an Air.

    Attributes:
        order, clock, core, air, agenda, player: of the scenario's shard; its starts are not on the agenda yet.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        shard: tuple[int, int] = (0, 1),
        air: Callable[[Core, VirtualClock], Air] | None = None,
    ) -> None:
        self.clock = VirtualClock(cast(VirtualLoop, asyncio.get_running_loop()))
        # a secret that nobody needs to keep: it opens nothing but this rehearsal
        settings = StandInSettings.of(scenario, b"rehearsal")
        self._store = Store(":memory:")
        self.core = Core(self._store, _backend_settings(settings), _chance(scenario.seed, shard[0]))
        self._login = OperatorLogin(URLS["operator"], self.core.operator_token)
        self.operate("publish_release", {"version": settings.release, "size": settings.payload_bytes})
        self.order = Order(
            scenario=scenario,
            shard=shard[0],
            shards=shard[1],
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
        plan = self.order.plan(self.fleet)
        # Every device is seen all day, and there is memory enough for those of one rehearsal.
        plan = replace(plan, facts=cache(plan.facts), kind=cache(plan.kind))
        world = World(plan, self.clock, self.agenda, self.tape)
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


def rehearse(scenario: Scenario, *, shards: int = 1) -> Rehearsed:
    """Play a scenario in virtual time against the embedded core alone.

    Args:
        shards: processes that share the fleet. The same number gives the same bytes again, however many cores there
            are; a scenario whose devices share more than what is published is played in one whatever is said.
    """
    if shards == 1 or not _apart(scenario):
        return _play(scenario, (0, 1))
    # Forked: all that a shard needs is imported here already, which takes each process half a second anew.
    with ProcessPoolExecutor(shards, get_context("fork")) as processes:
        parts = list(processes.map(_play, [scenario] * shards, [(number, shards) for number in range(shards)]))
    samples = np.concatenate([np.frombuffer(part.samples, SAMPLE) for part in parts])
    # Each core was told by its own operator; the record is one operator's.
    first = np.repeat([number == 0 for number in range(shards)], [part.count for part in parts])
    samples = samples[first | (samples["device"] != OPERATOR)]
    samples = samples[np.argsort(samples["done"], kind="stable")]
    return Rehearsed(
        samples.tobytes(),
        samples.size,
        [example for part in parts for example in part.examples],
        _sum([part.state for part in parts]),
    )


def _apart(scenario: Scenario) -> bool:
    """Whether no device can notice what another one did."""
    return scenario.backend.enrollment.licenses is None and {act.act for act in scenario.operator} <= PUBLISHES.keys()


def _sum(states: Sequence[Any], name: str = "") -> Any:
    """What several cores counted, as one would have; what is no count is the same in all."""
    first = states[0]
    if isinstance(first, dict):
        return {key: _sum([state[key] for state in states], key) for key in first}
    return sum(states) if isinstance(first, int) and name not in _NO_COUNTS else first


def _play(scenario: Scenario, shard: tuple[int, int]) -> Rehearsed:
    with _seldom_collected(), asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_rehearse(scenario, shard))


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Meanwhile only the youngest objects are looked at for cycles: what devices remember stays to the end."""
    before = gc.get_threshold()
    gc.set_threshold(20_000, 50, 10_000)
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def _rehearse(scenario: Scenario, shard: tuple[int, int]) -> Rehearsed:
    stage = Stage(scenario, shard=shard)
    for start in stage.order.starts(stage.fleet):
        stage.agenda.put(start)
    if shard[0]:
        for start in stage.order.operators():
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
        # it protects nobody here, and no virtual second passes meanwhile
        password_cost=1,
        lock_after=settings.lock_after,
        token_life_s=settings.token_life_s,
        compression=settings.compression,
        robot_accounts=settings.robot_accounts,
        update_share=settings.update_share,
        **settings.terms,
    )


def _chance(seed: int, shard: int) -> Chance:
    """Random bytes that the seed decides, others in each shard."""
    numbers: Iterable[int] = itertools.count()
    drawn = iter(numbers)
    return lambda count: hashlib.shake_128(f"{seed}/{shard}/{next(drawn)}".encode()).digest(count)
