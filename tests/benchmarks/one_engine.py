"""One engine's share of a bench, in a process of its own: devices that ask without pause, all the shipped way.

`python -m tests.benchmarks.one_engine FOLDER URL SECONDS [memory]`. What a device asks goes through its Traveller, the
management protocol, the wire and the tape, as on a journey. With "memory" no server is asked: below the wire, a
transport answers with the bytes that one would send.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import uvloop

from scenarios.load import load
from scenarios.sign_in import SignIn
from scenarios.targets import Targets
from simulator import pipe
from simulator.agenda import Agenda, Start
from simulator.composition import KNOWN
from simulator.device import Device, EnrollmentLogin, Plan
from simulator.engine import FLUSH_S, RealClock, Sockets, settle_memory
from simulator.fleet import device_facts, make_fleet
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.protocols.account import Account
from simulator.tape import Tape
from simulator.traveller import Traveller
from simulator.world import World
from tests.benchmarks.registered import Registered, read

WARM_S = 0.5
_NOWHERE = "http://nowhere.invalid"


def world_of(url: str, clock: RealClock, devices: int) -> World:
    """A fleet of that size whose management server is at that URL; all other services are nowhere."""
    city = load("morning_peak", known=KNOWN).organisation
    fleet = make_fleet(city, devices, 1)
    plan = Plan(
        seed=1,
        compression=1,
        management_url=url,
        identity_url=_NOWHERE,
        updates_url=_NOWHERE,
        push_urls=(_NOWHERE,),
        domain=city.domain,
        enrollment=EnrollmentLogin(),
        account=lambda facts: Account(facts.user, "secret"),
        kind=lambda row: "online",
        sign_in=SignIn(),
        typing_median_s=1,
        typing_sigma=1,
        facts=lambda row: device_facts(fleet, city, row),
    )
    return World(plan, clock, Agenda(), Tape(STEPS, JOURNEY_NAMES))


def device_of(world: World, sockets: Sockets, row: int, registered: Registered) -> Device:
    """A device that is on, with that registration."""
    device = Device(row, sockets.wire(world.plan.facts(row)))
    device.identity, device.trust, device.state_key_told = registered.identity, registered.trust, True
    return device


async def ask_on(world: World, device: Device, registered: Registered) -> None:
    """Ask for ever, one after the other."""
    traveller = Traveller(world, device, Start(0.0, device.row, "sync_policy", "timer"), 0.0)
    makers = registered.exchanges()
    while True:
        for make in makers:
            registered.take(await traveller.ask(make()))


async def count(tape: Tape, seconds: float) -> dict[str, Any]:
    """Flush as an engine does, and count what came in that time: a Load."""
    await asyncio.sleep(WARM_S)
    tape.take()
    before, began, used = tape.count, time.monotonic(), time.process_time()
    while (took := time.monotonic() - began) < seconds:
        await asyncio.sleep(FLUSH_S)
        pipe.frame(pipe.SAMPLES, tape.take())
    return {"requests": tape.count - before, "seconds": took, "cpu_s": time.process_time() - used}


async def play(folder: Path, url: str, seconds: float) -> None:
    """Play, and tell."""
    registered = read(folder, url)
    world = world_of(url, RealClock(time.monotonic(), time.time()), len(registered))
    sockets = Sockets(Targets())
    settle_memory()
    devices = [device_of(world, sockets, row, one) for row, one in enumerate(registered)]
    asking = [asyncio.ensure_future(ask_on(world, *pair)) for pair in zip(devices, registered, strict=True)]
    told = await count(world.tape, seconds)
    if world.tape.take_examples():
        raise RuntimeError("not every step ended well")
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await sockets.close()
    print(json.dumps(told))


class _Recorded(asyncio.Transport):
    """A connection to nobody: what is written is answered, a turn of the loop later, with a recorded answer."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, protocol: asyncio.Protocol, answers: dict[bytes, bytes]
    ) -> None:
        super().__init__()
        self._call, self._protocol, self._answers = loop.call_soon, protocol, answers
        self._closed = False
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """As asyncio says."""
        self._call(self._protocol.data_received, self._answers[bytes(data[: data.index(b" HTTP/")])])

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As asyncio says: everything is out at once."""

    def is_closing(self) -> bool:
        """As asyncio says."""
        return self._closed

    def abort(self) -> None:
        """As asyncio says."""
        if not self._closed:
            self._closed = True
            self._call(self._protocol.connection_lost, None)


def memory_loop(folder: Path, url: str) -> Callable[[], asyncio.AbstractEventLoop]:
    """Makes uvloop's loop, but whoever connects gets answers from memory."""
    answers: dict[bytes, bytes] = {}
    place = urlsplit(url).path
    for one in read(folder, url):
        for make in one.exchanges():
            target = urlsplit(make().request.url)
            kind = parse_qs(target.query)["request"][0]
            body = (folder / one.identity.device_id / kind).read_bytes()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuffer\r\nContent-Length: {len(body)}\r\n\r\n"
            answers[f"POST {place}?{target.query}".encode()] = head.encode() + body

    class Loop(uvloop.Loop):  # type: ignore[misc]  # its stub says that it is final
        async def create_connection(self, factory: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
            protocol = factory()
            return _Recorded(self, protocol, answers), protocol

    return Loop


def main(folder: str, url: str, seconds: str, *how: str) -> None:
    """Entry."""
    factory = memory_loop(Path(folder), url) if "memory" in how else uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(play(Path(folder), url, float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
