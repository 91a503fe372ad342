"""The push line: log in, subscribe, tell the management service; and again, later and later, when it breaks."""

from __future__ import annotations

from simulator import timers
from simulator.journeys import clients
from simulator.protocols.messages import PushLogin
from simulator.protocols.push import share_of, topic_of
from simulator.traveller import PUSH_CONNECT, Stopped, Traveller

STEPS = (PUSH_CONNECT, "management.push_token")


async def play(traveller: Traveller) -> None:
    """One more try to hold a line."""
    device = traveller.device
    if device.line is None and device.registered:
        await hold_line(traveller)
        if device.in_session:
            await clients.tell_push_token(traveller, clients.USER)
        # a line that holds again says that the network is back (cloud_policy_refresh_scheduler.cc)
        for client in clients.DEVICE, clients.USER:
            if client.scheduler(device).status == timers.NO_ANSWER:
                traveller.later(client.sync, 0, trigger="retry")


async def hold_line(traveller: Traveller) -> None:
    """Connect, and tell the management service where the device listens: from then on it is online.

    A line that cannot be had is tried for again later; a line of which the service cannot be told is held all the same.

    Raises: Stopped.
    """
    device = traveller.device
    assert device.identity is not None
    token, urls = traveller.push_token, traveller.plan.push_urls
    topic = topic_of(token)
    url = urls[share_of(topic, len(urls))]
    login = PushLogin(url, device.identity.device_id, device.identity.device_id, token, topic)
    try:
        await traveller.listen(login)
    except Stopped:
        wait_s = timers.line_s(traveller.draw("reconnect"), device.line_failures)
        device.line_failures += 1
        traveller.soon("reconnect", wait_s, trigger="retry")
        raise
    device.line_failures = 0
    await clients.tell_push_token(traveller, clients.DEVICE)
