"""What the travellers of one shard share: plan, clock, agenda, tape, and whom to call. Nothing happens here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

from simulator.agenda import Agenda
from simulator.device import Clock, Device, Plan
from simulator.protocols.messages import Exchange, Push, Response, Trouble
from simulator.tape import Tape


class World:
    """What the travellers of one shard share.

    Args:
        plan, clock, agenda, tape: as their classes say.

    Attributes:
        tell: called after every exchange, for a person who watches one device; None for a fleet.
        heard, line_lost: called for every push of every device, and for a push line that broke, with why.
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
        self.line_lost: Callable[[Device, str], None] = lambda device, reason: None
        self.refused: set[str] = set()
        self.rested: Callable[[Device], None] = lambda device: None
        self.together: Callable[[Sequence[Coroutine[Any, Any, None]]], Awaitable[object]] = _one_by_one


async def _one_by_one(ways: Sequence[Coroutine[Any, Any, None]]) -> None:
    for way in ways:
        await way
