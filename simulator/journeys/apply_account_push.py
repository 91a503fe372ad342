"""Pushes said that device-local accounts' policies changed: each is fetched after a delay of its own (facts 3 e)."""

from __future__ import annotations

from simulator.agenda import Start
from simulator.device import Device
from simulator.journeys import policies
from simulator.operator import action_of
from simulator.protocols import push
from simulator.protocols.management import Invalidation, PolicyReason
from simulator.traveller import Traveller

STEPS: tuple[str, ...] = ()
MAYBE = ("management.account_policy", *policies.MAYBE)


async def play(traveller: Traveller) -> None:
    """Fetch for each account whose delay is over; the next start is for those that still wait."""
    device, now = traveller.device, traveller.world.clock.now()
    for kind in [kind for kind in device.pushed if kind.startswith(push.ACCOUNT_POLICY)]:
        account_id = kind.removeprefix(push.ACCOUNT_POLICY)
        account = (device.accounts or {}).get(account_id)
        if account is None or not device.registered:
            del device.pushed[kind]
        elif account.pushed_due is not None and account.pushed_due <= now:
            news = device.pushed.pop(kind)
            account.scheduler.invalidation = Invalidation(news.version, news.payload.encode())
            await policies.refresh_account(traveller, account_id, account, PolicyReason.INVALIDATION)
    policies.plan_accounts(traveller)
    if (start := next_start(device)) is not None:
        traveller.world.agenda.put(start)


def next_start(device: Device) -> Start | None:
    """Of this journey: when the first delay is over of the pushes that were not acted on yet; None without any."""
    waiting = [
        (account.pushed_due, action_of(news.payload))
        for account_id, account in (device.accounts or {}).items()
        if (news := device.pushed.get(push.ACCOUNT_POLICY + account_id)) and account.pushed_due is not None
    ]
    if not waiting:
        return None
    due, action = min(waiting)
    return Start(due, device.row, "apply_account_push", "push", action)
