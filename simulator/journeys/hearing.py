"""What a device makes of a push, and of a push line that broke: the start that follows, if any."""

from __future__ import annotations

from simulator import timers
from simulator.agenda import Start
from simulator.device import Device, Publish, Scheduler
from simulator.draw import draw
from simulator.journeys import apply_account_push, extensions
from simulator.operator import action_of
from simulator.protocols import push
from simulator.protocols.management import Trust, UserSettings
from simulator.protocols.messages import Push, Trouble
from simulator.protocols.policy_values import EXTENSION, SIGNIN_EXTENSION
from simulator.protocols.push import News
from simulator.world import World

# What a push is about -> the journey that fetches it.
_POLICY = {push.DEVICE_POLICY: "apply_push", push.USER_POLICY: "apply_user_push"}


def hears_of(device: Device, publish: Publish) -> bool:
    """Whether the pushes of a publish concern a device at this moment: it then owes to have it applied."""
    if publish.policy == "account":
        return device.online and bool(device.accounts)
    is_user = publish.policy == "user" or extensions.type_of(publish) == EXTENSION
    of_device = publish.policy == "device" or extensions.type_of(publish) == SIGNIN_EXTENSION
    return device.online and (of_device or (is_user and device.in_session))


def on_push(world: World, device: Device, heard: Push) -> Start | None:
    """A push arrived. What tells nothing new, or does not concern a device, is dropped as a real one drops it."""
    try:
        news = push.read(heard)
    except Trouble:
        return None
    now = world.clock.now()
    action = action_of(news.payload)
    if not device.registered:
        return None
    if news.kind == push.DEVICE_COMMAND:
        return Start(now, device.row, "obey", "push", action)
    client = _client(device, news.kind)
    if client is None or not _is_news(client[0], client[1], news):
        return None
    device.pushed[news.kind] = news
    if action:
        device.news[action] = news.issued_ms
    device.drawn += 1
    u = draw(world.plan.seed, device.row, "push delay", device.drawn)
    max_s = timers.PUSH_DELAY_MAX_S if client[2] is None else client[2].push_delay_ms / 1000
    due = now + timers.push_delay_s(u, max_s=max_s, has_payload=bool(news.payload))
    if news.kind in _POLICY:
        return Start(due, device.row, _POLICY[news.kind], "push", action)
    assert device.accounts is not None
    device.accounts[news.kind.removeprefix(push.ACCOUNT_POLICY)].pushed_due = due
    return apply_account_push.next_start(device)


def _client(device: Device, kind: str) -> tuple[Scheduler, Trust | None, UserSettings | None] | None:
    """What the client holds that such a push is for; None where the device has no such client now."""
    if kind == push.DEVICE_POLICY:
        return device.scheduler, device.trust, None
    if kind == push.USER_POLICY:
        return (device.user_scheduler, device.user_trust, device.user_settings) if device.in_session else None
    account = (device.accounts or {}).get(kind.removeprefix(push.ACCOUNT_POLICY))
    if account is None or not kind.startswith(push.ACCOUNT_POLICY):
        return None
    return account.scheduler, account.trust, account.settings


def _is_news(scheduler: Scheduler, trust: Trust | None, news: News) -> bool:
    """Whether it is newer than what was heard before, and not older than the stored policy; it counts as heard then."""
    if news.version <= scheduler.heard_us or (trust and timers.push_is_stale(news.issued_ms, trust.timestamp_ms)):
        return False
    scheduler.heard_us = news.version
    return True


def on_line_lost(world: World, device: Device) -> Start:
    """The push line broke: the first try to have it back."""
    device.drawn += 1
    u = draw(world.plan.seed, device.row, "line lost", device.drawn)
    return Start(world.clock.now() + timers.line_s(u, 0), device.row, "reconnect", "retry")
