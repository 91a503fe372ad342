"""The scheduled refresh of the signed-in user's policy, by a clock of its own (policy facts 1.5, 3 d)."""

from __future__ import annotations

from simulator import timers
from simulator.journeys import policies
from simulator.protocols import management
from simulator.traveller import Traveller

STEPS = ("management.user_policy",)
MAYBE = policies.MAYBE


async def play(traveller: Traveller) -> None:
    """One refresh; the next one follows from how it ended, and a new registration where the old one is gone."""
    device = traveller.device
    if device.in_session:
        try:
            await policies.refresh_user(traveller, management.retry_reason(device.user_scheduler.status))
        finally:
            if device.user_scheduler.status == timers.GONE:
                traveller.later("register_user_again", 0, trigger="follows")
