"""The scheduled refresh: the device's policy, and the user's when someone is signed in (policy facts 3 d)."""

from __future__ import annotations

from simulator.journeys import policies
from simulator.protocols.management import PolicyReason
from simulator.traveller import Stopped, Traveller

STEPS = policies.FETCHED
MAYBE = policies.MAYBE


async def play(traveller: Traveller) -> None:
    """One refresh of all policies; the next one follows from how it ended."""
    if traveller.device.identity is None:
        return
    try:
        await policies.fetch_device(traveller, PolicyReason.SCHEDULED)
        if traveller.device.user_identity is not None:
            await policies.fetch_user(traveller, PolicyReason.SCHEDULED)
    except Stopped as stopped:
        policies.plan_refresh(traveller, stopped)
        raise
    policies.plan_refresh(traveller)
