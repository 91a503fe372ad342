"""The scheduled refresh of the device's policy (policy facts 3 d)."""

from __future__ import annotations

from simulator.journeys import policies
from simulator.protocols import management
from simulator.traveller import Traveller

STEPS = ("management.device_policy",)
MAYBE = policies.MAYBE


async def play(traveller: Traveller) -> None:
    """One refresh; the next one follows from how it ended."""
    device = traveller.device
    if device.registered:
        await policies.refresh_device(traveller, management.retry_reason(device.scheduler.status))
