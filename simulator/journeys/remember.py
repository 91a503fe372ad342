"""Before the morning: what a sign-in on an earlier day left on a device whose person comes back to it."""

from __future__ import annotations

from simulator.journeys import session
from simulator.traveller import Traveller

STEPS = session.REMEMBERED


async def play(traveller: Traveller) -> None:
    """A registered user with a cached policy and a refresh token."""
    await session.remember(traveller)
