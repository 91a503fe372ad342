"""A call meets a token that was killed before its time: 401, then a new token, or the person signs in again."""

from __future__ import annotations

from simulator.journeys import session
from simulator.traveller import Traveller

STEPS = session.RENEWED
MAYBE = session.MAYBE_RENEWED


async def play(traveller: Traveller) -> None:
    """The session's next call."""
    await session.renew(traveller)
