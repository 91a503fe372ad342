"""Once a day the device tells the management service again under which push token it listens (policy facts 4)."""

from __future__ import annotations

from simulator.journeys import clients
from simulator.traveller import Traveller

STEPS = ("management.push_token",)


async def play(traveller: Traveller) -> None:
    """One upload; the next follows from how it ended."""
    if traveller.device.registered:
        await clients.tell_push_token(traveller, clients.DEVICE)
