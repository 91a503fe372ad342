"""The operator's own journey: one act of the scenario, played by shard 0 as a device of its own row."""

from __future__ import annotations

from simulator.device import Traveller
from simulator.operator import ACTIONS

STEPS = tuple(f"operator.{name}" for name in ACTIONS)


async def play(traveller: Traveller) -> None:
    """Ask the backend to do the act that this start is for."""
    plan = traveller.plan
    act = plan.acts[traveller.start.action - 1]
    if plan.operator is not None:
        await traveller.ask(ACTIONS[act.name](plan.operator, act))
