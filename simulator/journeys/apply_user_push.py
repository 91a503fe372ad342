"""A push said that the user's policy changed: after a random delay it is fetched and applied (policy facts 3 e)."""

from __future__ import annotations

from simulator.journeys import policies
from simulator.protocols import push
from simulator.protocols.management import Invalidation, PolicyReason
from simulator.traveller import Traveller

STEPS = ("management.user_policy",)
MAYBE = policies.MAYBE


async def play(traveller: Traveller) -> None:
    """Fetch what the pushes since the last time were about; the delay is over when this starts."""
    device = traveller.device
    news = device.pushed.pop(push.USER_POLICY, None)
    if news is not None and device.in_session:
        device.user_scheduler.invalidation = Invalidation(news.version, news.payload.encode())
        await policies.refresh_user(traveller, PolicyReason.INVALIDATION)
