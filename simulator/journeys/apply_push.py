"""A push said that policy changed: after the device's own random delay it is fetched and applied (policy facts 3 e)."""

from __future__ import annotations

from simulator.journeys import policies
from simulator.protocols import push
from simulator.protocols.management import Invalidation, PolicyReason
from simulator.protocols.push import News
from simulator.traveller import Stopped, Traveller

# Which of the two policies depends on the push.
STEPS: tuple[str, ...] = ()
MAYBE = (*policies.FETCHED, *policies.MAYBE)


async def play(traveller: Traveller) -> None:
    """Fetch what the pushes since the last time were about; the delay is over when this starts."""
    device = traveller.device
    if device.identity is None:
        return
    pushed, device.pushed = device.pushed, {}
    try:
        if news := pushed.get(push.DEVICE_POLICY):
            await policies.fetch_device(traveller, PolicyReason.INVALIDATION, invalidation=_of(news))
        if (news := pushed.get(push.USER_POLICY)) and device.user_identity is not None:
            await policies.fetch_user(traveller, PolicyReason.INVALIDATION, invalidation=_of(news))
    except Stopped as stopped:
        policies.plan_refresh(traveller, stopped)
        raise
    policies.plan_refresh(traveller)


def _of(news: News) -> Invalidation:
    return Invalidation(news.version, news.payload.encode())
