"""What a device makes of a push, and of a push line that broke: the start that follows, if any."""

from __future__ import annotations

from simulator import timers
from simulator.agenda import Start
from simulator.device import Device
from simulator.draw import draw
from simulator.journeys import reconnect
from simulator.operator import action_of
from simulator.protocols import push
from simulator.protocols.messages import Push, Trouble
from simulator.protocols.push import News
from simulator.traveller import World

# What a push is about -> the journey that fetches it.
_POLICY = {push.DEVICE_POLICY: "apply_push", push.USER_POLICY: "apply_user_push"}


def on_push(world: World, device: Device, heard: Push) -> Start | None:
    """A push arrived. What tells nothing new, or does not concern a device, is dropped as a real one drops it."""
    try:
        news = push.read(heard)
    except Trouble:
        return None
    now = world.clock.now()
    action = action_of(news.payload)
    if not device.registered or (news.kind == push.USER_POLICY and not device.in_session):
        return None
    if news.kind == push.DEVICE_COMMAND:
        return Start(now, device.row, "obey", "push", action)
    if news.kind not in _POLICY or not _is_news(device, news):
        return None
    device.pushed[news.kind] = news
    if action:
        device.news[action] = news.issued_ms
    device.drawn += 1
    u = draw(world.plan.seed, device.row, "push delay", device.drawn)
    max_s = timers.PUSH_DELAY_MAX_S
    if news.kind == push.USER_POLICY and device.user_settings is not None:
        max_s = device.user_settings.push_delay_ms / 1000
    wait_s = timers.push_delay_s(u, max_s=max_s, has_payload=bool(news.payload))
    return Start(now + wait_s, device.row, _POLICY[news.kind], "push", action)


def _is_news(device: Device, news: News) -> bool:
    """Whether it is newer than what was heard before, and not older than the stored policy; it counts as heard then."""
    is_user = news.kind == push.USER_POLICY
    scheduler = device.user_scheduler if is_user else device.scheduler
    trust = device.user_trust if is_user else device.trust
    if news.version <= scheduler.heard_us or (trust and timers.push_is_stale(news.issued_ms, trust.timestamp_ms)):
        return False
    scheduler.heard_us = news.version
    return True


def on_line_lost(world: World, device: Device) -> Start:
    """The push line broke: the first try to have it back."""
    device.drawn += 1
    u = draw(world.plan.seed, device.row, "line lost", device.drawn)
    return Start(world.clock.now() + reconnect.retry_s(0, u), device.row, "reconnect", "retry")
