"""One device in virtual time: what it asks of the management service, and when. For the tests of several files.

The journeys, the player and the backend's core are the real ones. A test may meddle with any request on its way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from reports.record import SAMPLE
from scenarios.load import load
from scenarios.schema import Scenario
from simulator.agenda import Start
from simulator.backend.core import Core
from simulator.composition import KNOWN
from simulator.device import Device
from simulator.draw import draw
from simulator.memory import Air, MemoryLine, VirtualClock, VirtualLoop
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Broken, Push, Request, Response, Trouble
from simulator.rehearsal import Rehearsed, Stage

# Enrolled at 0, the lid opens at a minute; with no spread in typing a password takes exactly the median.
BOOT_S = 60.0
TYPING_S = 6.0
_SCENARIO = """
title = "One device"
question = "What does it ask, and when?"
organisation = "maebashi"
devices = 1
[day]
start = "00:00"
end = "23:59"
compression = {compression}
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = {{ shape = "even", from = "00:10", to = "00:20" }}
[people]
typing_median_s = 6.0
typing_sigma = 0.0
"""


@dataclass(frozen=True)
class Asked:
    """One request to the management service: the run second, the query and the message."""

    at: float
    query: dict[str, str]
    message: pb.DeviceManagementRequest

    @property
    def kind(self) -> str:
        """The `request` parameter; of policy with the type and the reason."""
        kind = self.query["request"]
        if kind != "policy":
            return kind
        asked = self.message.policy_request
        return f"{asked.requests[-1].policy_type.rpartition('/')[2]} {pb.DevicePolicyRequest.Reason.Name(asked.reason)}"


# What becomes of a request on its way: None lets it pass, a response or a trouble is what the device gets instead.
Meddle = Callable[[Asked], Response | Trouble | None]
# What becomes of the server's answer.
Bend = Callable[[Stage, Asked, Response], Response]
# Files elsewhere: URL -> what comes at a run second.
Files = Mapping[str, Callable[[float], Response]]


@dataclass
class Life:
    """What a device did.

    Attributes:
        asked: of the management service, in order. other: every other URL, with the run second.
        stage: on which it is played. device: what it remembers at the end. rehearsed: the record.
    """

    asked: list[Asked] = field(default_factory=list)
    other: list[tuple[float, str]] = field(default_factory=list)
    stage: Stage | None = None
    device: Device | None = None
    rehearsed: Rehearsed | None = None

    def times(self, *, since: float = 0.0) -> list[tuple[float, str]]:
        """(run second to the millisecond, kind) of every request from that second on."""
        return [(round(one.at, 3), one.kind) for one in self.asked if one.at >= since]

    def of(self, kind: str) -> list[Asked]:
        """Those of a kind; of policy by the start of its name."""
        return [one for one in self.asked if one.kind.startswith(kind)]

    @property
    def samples(self) -> Any:
        """The record's samples."""
        assert self.rehearsed is not None
        return np.frombuffer(self.rehearsed.samples, SAMPLE)


class _Street(Air):
    """The way to the core, with a log."""

    def __init__(
        self,
        core: Core,
        clock: VirtualClock,
        *,
        life: Life,
        meddle: Meddle,
        bend: Bend,
        push: Callable[[float], bool],
        files: Files,
    ) -> None:
        super().__init__(core, clock)
        self._life, self._meddle, self._bend, self._has_push, self._files = life, meddle, bend, push, files

    async def carry(self, request: Request, deadline: float) -> Response:
        """As Air.carry."""
        parts = urlsplit(request.url)
        if parts.path != "/devicemanagement/data/api":
            self._life.other.append((self.clock.now(), request.url))
            file = self._files.get(request.url)
            return await super().carry(request, deadline) if file is None else file(self.clock.now())
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(self.clock.now(), query, pb.DeviceManagementRequest.FromString(request.body))
        self._life.asked.append(asked)
        instead = self._meddle(asked)
        if isinstance(instead, Trouble):
            raise instead
        assert self._life.stage is not None
        return instead or self._bend(self._life.stage, asked, await super().carry(request, deadline))

    def listen(self, topic: str, hear: Callable[[Push], None]) -> MemoryLine:
        """As Air.listen. Raises: Broken while there is no push."""
        if not self._has_push(self.clock.now()):
            raise Broken("connect_refused", "no push here")
        return super().listen(topic, hear)


@cache
def scenario(compression: float) -> Scenario:
    """The scenario of one device."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "one.toml"
        path.write_text(_SCENARIO.format(compression=compression))
        return load(str(path), known=KNOWN)


def drawn(what: str, compression: float = 1.0) -> float:
    """The device's one number in [0, 1) for that purpose."""
    return draw(scenario(compression).seed, 0, what)


def live(
    until_s: float,
    *,
    compression: float = 1.0,
    push: bool | Callable[[float], bool] = True,
    meddle: Meddle = lambda asked: None,
    bend: Bend = lambda stage, asked, answer: answer,
    files: Files | None = None,
    acts: Sequence[tuple[float, str, dict[str, Any]]] = (),
    starts: Sequence[tuple[float, str]] = ((0.0, "enroll"), (BOOT_S, "boot")),
    on: Sequence[tuple[float, Callable[[Stage, Device], None]]] = (),
) -> Life:
    """Play one device up to a run second.

    Args:
        push: whether there is a push service, or when.
        meddle, bend, files: see there.
        acts: what the operator does: run second, name, settings.
        starts: planned starts: run second, journey.
        on: what else happens to the device: run second, what.
    """
    life = Life()

    def has_push(now: float) -> bool:
        return push(now) if callable(push) else push

    def street(core: Core, clock: VirtualClock) -> Air:
        return _Street(core, clock, life=life, meddle=meddle, bend=bend, push=has_push, files=files or {})

    async def play() -> None:
        stage = Stage(scenario(compression), air=street)
        life.stage = stage
        others = [asyncio.create_task(_begin(stage, *start)) for start in starts]
        others += [asyncio.create_task(_operate(stage, *act)) for act in acts]
        others += [asyncio.create_task(_happen(stage, *one)) for one in on]
        await stage.play(until_s)
        await asyncio.gather(*others)
        life.device = stage.player.devices[0]
        life.rehearsed = await stage.end()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(play())
    return life


async def _begin(stage: Stage, due: float, journey: str) -> None:
    # not before: the agenda keeps one start for each journey of a device
    await stage.clock.until(due)
    stage.agenda.put(Start(due, 0, journey, "planned"))


async def _operate(stage: Stage, at: float, act: str, settings: dict[str, Any]) -> None:
    await stage.clock.until(at)
    login = stage.order.operator
    assert login is not None
    headers = (("Authorization", f"Bearer {login.token}"),)
    request = Request("POST", f"{login.url}/operator/{act}", headers, json.dumps(settings).encode())
    answer = await stage.air.carry(request, float("inf"))
    assert answer.status == 200, answer.body


async def _happen(stage: Stage, at: float, what: Callable[[Stage, Device], None]) -> None:
    await stage.clock.until(at)
    what(stage, stage.player.devices[0])
