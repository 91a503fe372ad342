"""A remote command removed all users from the machine: whoever was signed in signs in again, for the first time."""

from __future__ import annotations

from simulator.journeys import life
from simulator.traveller import Traveller

STEPS: tuple[str, ...] = ()


async def play(traveller: Traveller) -> None:
    """The wipe; the server was told before."""
    was_in_session = traveller.device.in_session
    life.forget_user(traveller)
    if was_in_session:
        traveller.later("sign_in", 0, trigger="follows")
