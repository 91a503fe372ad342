"""The operator's own journey: one act of the scenario, played by shard 0 as a device of its own row."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.agenda import Start
from simulator.operator import ACTIONS, OPERATOR_ROW, Act, ask
from simulator.traveller import Traveller

STEPS = tuple(f"operator.{name}" for name in ACTIONS)


async def play(traveller: Traveller) -> None:
    """Ask the backend to do the act that this start is for; the next act goes onto the agenda first."""
    plan = traveller.plan
    act = next(one for one in plan.acts if one.action == traveller.start.action)
    first = first_after(plan.acts, act)
    if first is not None:
        traveller.world.agenda.put(start_of(first))
    if plan.operator is not None:
        await traveller.ask(ask(plan.operator, act))


def first_after(acts: Sequence[Act], act: Act | None) -> Act | None:
    """The act that is next after another one (None: the very first): one start waits at a time for one device."""
    later = [one for one in acts if act is None or (one.due, one.action) > (act.due, act.action)]
    return min(later, key=lambda one: (one.due, one.action), default=None)


def start_of(act: Act) -> Start:
    """The start that plays an act."""
    return Start(act.due, OPERATOR_ROW, "operate", "planned", act.action)
