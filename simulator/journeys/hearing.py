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
from simulator.traveller import World

_POLICY = frozenset({push.DEVICE_POLICY, push.USER_POLICY})


def on_push(world: World, device: Device, heard: Push) -> Start | None:
    """A push arrived. What tells nothing new, or does not concern a device, is dropped as a real one drops it."""
    try:
        news = push.read(heard)
    except Trouble:
        return None
    now = world.clock.now()
    action = action_of(news.payload)
    if news.kind == push.DEVICE_COMMAND:
        return Start(now, device.row, "obey", "push", action)
    held = device.pushed.get(news.kind)
    if news.kind not in _POLICY or (held is not None and news.version <= held.version):
        return None
    device.pushed[news.kind] = news
    if action:
        device.news[action] = news.issued_ms
    device.drawn += 1
    u = draw(world.plan.seed, device.row, "push delay", device.drawn)
    return Start(now + timers.push_delay_s(u, has_payload=bool(news.payload)), device.row, "apply_push", "push", action)


def on_line_lost(world: World, device: Device) -> Start:
    """The push line broke: the first try to have it back."""
    device.drawn += 1
    u = draw(world.plan.seed, device.row, "line lost", device.drawn)
    return Start(world.clock.now() + reconnect.retry_s(0, u), device.row, "reconnect", "retry")
