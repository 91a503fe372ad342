"""The `check` command: one device through the same journeys, every exchange told, before any load."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any

import uvloop

from simulator import narration
from simulator.agenda import Agenda, Start
from simulator.children import ChildFailed
from simulator.composition import Composition, What, compose, order_of
from simulator.device import Device
from simulator.engine import RealClock, Sockets
from simulator.fleet import make_fleet
from simulator.journeys import JOURNEY_NAMES, JOURNEYS, STEPS
from simulator.order import Order
from simulator.protocols.messages import Exchange, Push, Response, Trouble
from simulator.standins import StandIns, StandInSettings
from simulator.tape import Tape
from simulator.traveller import Stopped, Traveller, World

# What one morning of one device is, in order; an update only when one is offered.
WALK = ("enroll", "boot", "sign_in", "upload_status", "check_update", "update")
TYPING_S = 0.3
OK, NOT_OK, UNREACHABLE = 0, 1, 3


def check(what: What, *, broker: str, verbose: bool) -> int:
    """Walk one device through its morning. Returns: 0; 1 when a step did not end ok; 3 when nothing could start."""
    composition = compose(what)
    settings = StandInSettings.of(composition.scenario)
    push_url = composition.targets.urls.get("push", "")
    try:
        with StandIns(settings, wanted=composition.basis, broker=broker, push_url=push_url) as stand_ins:
            order = replace(order_of(composition, stand_ins, settings.password_secret), lead_s=0.0, operator=None)
            for service, basis in composition.basis.items():
                print(f"{service:<12} {basis:<9} {order.urls[service]}")
            return uvloop.run(_walk(order, first_staff(composition), verbose))
    except ChildFailed as failed:
        print(f"fleetrush: {failed}", file=sys.stderr)
        return UNREACHABLE


def first_staff(composition: Composition) -> int:
    """The first fleet row that has a person."""
    scenario = composition.scenario
    staff = make_fleet(scenario.organisation, scenario.devices, scenario.seed)["staff"]
    return int(staff.argmax())


async def _walk(order: Order, row: int, verbose: bool) -> int:
    clock = RealClock(time.monotonic(), time.time())
    world = World(
        replace(order.plan(order.fleet()), typing_median_s=TYPING_S, publishes=()),
        clock,
        Agenda(),
        Tape(STEPS, JOURNEY_NAMES),
    )
    told: list[Trouble | None] = []

    def tell(
        exchange: Exchange[Any], response: Response | None, answer: Any, trouble: Trouble | None, sent: float
    ) -> None:
        told.append(trouble)
        print(narration.line(exchange, response, answer, trouble, clock.now() - sent), flush=True)
        if verbose:
            for text in narration.decoded(exchange, response):
                print(text)

    def heard(device: Device, push: Push) -> None:
        print(f"{'push':<28} {len(push.payload)} bytes on {push.topic.partition('/')[0]}/...")

    world.tell, world.heard = tell, heard
    sockets = Sockets(order)
    facts = world.plan.facts(row)
    device = Device(row, sockets.wire(facts))
    print(f"device {row}: {facts.model}, {facts.department}, {facts.site}, {facts.user}")
    stopped = await _journeys(world, device)
    if device.line is not None:
        device.line.close()
    await sockets.close()
    bad = [trouble for trouble in told if trouble is not None]
    print(f"{len(told)} exchanges, {len(bad)} not ok" + (f"; stopped at {stopped}" if stopped else ""))
    return NOT_OK if bad else OK


async def _journeys(world: World, device: Device) -> str:
    """Play the walk one journey after the other. Returns: the step that stopped it, or ""."""
    for name in WALK:
        if name == "update" and device.offer is None:
            continue
        now = world.clock.now()
        print(f"-- {name}")
        try:
            await JOURNEYS[name].play(Traveller(world, device, Start(now, device.row, name, "planned"), now))
        except Stopped as stopped:
            if name in ("enroll", "sign_in"):
                return stopped.step
    return ""
