"""One device through the same journeys, every exchange told, before any load: the `check` command, and what `run` does
first against a named target (as a process of its own: it runs an asyncio loop).

The device is one more than the scenario has, of the same make, with the first person's account: whatever it leaves
behind at a target stands in no device's way, and the stand-ins it meets are its own. Where a kept fleet needs nothing
to enroll with at a management server, it is one of that fleet.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import uvloop

from simulator import narration, stuck
from simulator.agenda import Agenda, Start
from simulator.children import ChildFailed
from simulator.composition import What, accounts_of, compose, order_of
from simulator.device import Device, EnrollmentLogin, Plan
from simulator.engine import RealClock, Sockets
from simulator.enrollments import Enrollment
from simulator.errors import Unreachable
from simulator.fleet import device_facts, make_fleet
from simulator.journeys import JOURNEY_NAMES, JOURNEYS, STEPS
from simulator.order import Order, devices_of
from simulator.orphans import end_at_once_with_parent
from simulator.protocols.assets import Linked
from simulator.protocols.forms import LoginForm, SamlPost
from simulator.protocols.messages import Exchange, Push, Response, Trouble
from simulator.provider import named_provider
from simulator.standins import STAND_IN, StandIns, StandInSettings
from simulator.tape import Tape
from simulator.traveller import Stopped, Traveller
from simulator.wire.http import Hop
from simulator.world import World

# What one morning of one device is, in order; an update only when one is offered.
WALK = ("enroll", "boot", "sign_in", "upload_status", "check_update", "update")
# ... of one that is enrolled already.
KEPT_FIRST = "sync_policy"
# The same where the scenario enrolls nobody.
SHORT_WALK: tuple[str, ...] = ("sign_in_only",)
# Where a journey stops, the ones after it have nothing to begin with.
DECISIVE = ("enroll", "sign_in", "sign_in_only")
TYPING_S = 0.3
OK, NOT_OK, UNDRIVABLE, UNREACHABLE, OUR_BUG = 0, 1, 2, 3, 70

# What a plan says otherwise for one device that is watched: whoever it is signs in online, at once, without mistakes.
_AS_A_CHECK: Mapping[str, Any] = {
    "typing_median_s": TYPING_S,
    "publishes": (),
    "expiries": (),
    "kind": lambda row: "online",
}

Say = Callable[[str], object]


def check(what: What, *, broker: str, verbose: bool, say: Say = print) -> int:
    """Walk one device through its morning.

    Returns: 0; 1 when a step did not end ok, 2 when the identity provider needs JavaScript, 3 when a service could not
        be reached.
    """
    composition = compose(what, judged=False)
    if composition.basis["management"] == STAND_IN:
        composition = replace(composition, enrollments=None)
    push_url = composition.targets.urls.get("push", "")
    try:
        provider = named_provider(composition.targets)
        settings = StandInSettings.of(composition.scenario, what.secret(), provider=provider)
        with StandIns(settings, wanted=composition.basis, broker=broker, push_url=push_url) as stand_ins:
            order = order_of(composition, stand_ins, accounts_of(what, composition, settings), provider)
            order = replace(order, lead_s=0.0, operator=None, kept=composition.kept(0, 1))
            for service, basis in composition.basis.items():
                say(f"{service:<12} {basis:<9} {order.urls[service]}")
            return uvloop.run(_walk(order, Account(say, verbose)))
    except (ChildFailed, Unreachable) as failed:
        print(f"fleetrush: {failed}", file=sys.stderr)
        return UNREACHABLE


def chosen(order: Order) -> tuple[Enrollment, Plan]:
    """The device that walks, and a plan for it."""
    # Of the city's own accounts only those who sign in in the scenario have one.
    able = order.accounts.listed or order.remembered()
    kept = [one for row, one in order.remembered().items() if one.device is not None and row in able]
    if order.enrollment == EnrollmentLogin() and kept:
        plan = replace(order.plan(order.fleet()), **_AS_A_CHECK)
        return next((one for one in kept if one.user is not None), kept[0]), plan
    row, plan = plan_of_one_more(order)
    return Enrollment(row, None), plan


def plan_of_one_more(order: Order) -> tuple[int, Plan]:
    """A device that no fleet of this scenario has, and a plan in which it is the first person's: online."""
    scenario = order.scenario
    row = scenario.devices
    fleet = make_fleet(scenario.organisation, row + 1, scenario.seed)
    first = min(order.accounts.listed, default=int(fleet["staff"].argmax()))
    person = device_facts(fleet, scenario.organisation, first)
    device = device_facts(fleet, scenario.organisation, row)
    facts = replace(device, spare=False, user=person.user, display_name=person.display_name)
    account = order.accounts.of(person)
    return row, replace(
        order.plan(fleet),
        **_AS_A_CHECK,
        facts=lambda row: facts,
        account=lambda facts: account,
    )


@dataclass(slots=True)
class Account:
    """Tells of each exchange as it ends, and remembers how the walk fared.

    Attributes:
        say: takes a line.
        verbose: whether messages are told decoded.
        persons: names that are told to nobody.
    """

    say: Say
    verbose: bool
    persons: tuple[str, ...] = ()
    troubles: list[Trouble] = field(default_factory=list)
    exchanges: int = 0
    seconds: float = 0.0
    undrivable: bool = False
    _hops: list[Hop] = field(default_factory=list)

    def hop(self, hop: Hop) -> None:
        """As HttpPool.watch."""
        self._hops.append(hop)

    def exchange(
        self, exchange: Exchange[Any], response: Response | None, answer: Any, trouble: Trouble | None, seconds: float
    ) -> None:
        """Tell one exchange; of a sign-in every hop, the form chosen, and on failure what was expected."""
        self.exchanges += 1
        self.seconds += seconds
        hops, self._hops = self._hops, []
        self.say(narration.line(exchange, response, answer, trouble, seconds))
        if exchange.step.startswith("identity."):
            for text in narration.hop_lines(hops):
                self.say(text)
        if isinstance(answer, Linked):
            own, foreign = len(answer.assets.own), answer.assets.foreign
            elsewhere = f", and to {foreign} elsewhere, which are never fetched" if foreign else ""
            self.say(f"    links to {own} assets of its origin{elsewhere}")
            answer = answer.page
        if response is not None and isinstance(answer, (LoginForm, SamlPost)):
            self.say(f"    {stuck.chosen(answer, response)}")
        if self.verbose:
            for text in narration.decoded(exchange, response):
                self.say(text)
        if trouble is not None:
            self.troubles.append(trouble)
            of_sign_in = exchange.step.startswith("identity.")
            scripted = stuck.needs_script(trouble, response, hops) if of_sign_in else None
            self.undrivable |= scripted is not None
            for text in stuck.explained(exchange.step, trouble, response, scripted, self.persons):
                self.say(f"    {text}")

    @property
    def code(self) -> int:
        """How it fared, as `check` returns it."""
        if self.undrivable:
            return UNDRIVABLE
        if any(map(stuck.unreachable, self.troubles)):
            return UNREACHABLE
        return NOT_OK if self.troubles else OK


async def _walk(order: Order, account: Account) -> int:
    clock = RealClock(time.monotonic(), time.time())
    kept, plan = chosen(order)
    row = kept.row
    world = World(plan, clock, Agenda(), Tape(STEPS, JOURNEY_NAMES))

    def tell(
        exchange: Exchange[Any], response: Response | None, answer: Any, trouble: Trouble | None, sent: float
    ) -> None:
        account.exchange(exchange, response, answer, trouble, clock.now() - sent)

    def heard(device: Device, push: Push) -> None:
        account.say(f"{'push':<28} {len(push.payload)} bytes on {push.topic.partition('/')[0]}/...")

    world.tell, world.heard = tell, heard
    world.together = lambda ways: asyncio.gather(*ways)
    sockets = Sockets.of(order)
    sockets.pool.watch = account.hop
    facts = plan.facts(row)
    device = devices_of({row: kept}, plan, lambda row: sockets.wire(facts))[row]
    user = plan.account(facts).user
    account.persons = (user, facts.display_name)
    account.say(f"device {row}: {facts.model}, {facts.department}, {facts.site}, {user}")
    if order.scenario.enrollment.when == "never":
        walk = SHORT_WALK
    else:
        first = WALK[0] if device.identity is None else KEPT_FIRST
        # nobody signs in who does not in the scenario either
        walk = (first, *(WALK[1:] if order.scenario.starts("boot") else ()))
    stopped = await _journeys(world, device, account.say, walk)
    if device.line is not None:
        device.line.close()
    await sockets.close()
    bad = len(account.troubles)
    at = f"; stopped at {stopped}" if stopped else ""
    account.say(f"{account.exchanges} exchanges in {account.seconds:.3f} s, {bad} not ok{at}")
    return account.code


async def _journeys(world: World, device: Device, say: Say, walk: Sequence[str]) -> str:
    """Play the walk one journey after the other. Returns: the step that stopped it, or ""."""
    for name in walk:
        if name == "update" and device.offer is None:
            continue
        now = world.clock.now()
        say(f"-- {name}")
        try:
            await JOURNEYS[name].play(Traveller(world, device, Start(now, device.row, name, "planned"), now))
        except Stopped as stopped:
            if name in DECISIVE:
                return stopped.step
    return ""


def main() -> int:
    """Entry of `python -P -m simulator.check`: (What, broker) pickled on standard input, by our own process only."""
    end_at_once_with_parent()
    what, broker = pickle.load(sys.stdin.buffer)
    try:
        return check(what, broker=broker, verbose=False)
    except Exception:
        traceback.print_exc()
        return OUR_BUG


if __name__ == "__main__":
    sys.exit(main())
