"""While a session lasts its access token is fetched anew, at nine tenths of its life (sign-in facts 1.4)."""

from __future__ import annotations

from simulator.journeys import session
from simulator.traveller import Traveller

STEPS = session.REFRESHED


async def play(traveller: Traveller) -> None:
    """One refresh; the next one follows from how it ended."""
    await session.refresh(traveller)
