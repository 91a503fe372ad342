"""Policy of the device-local accounts that device policy names: each a client with its own clock (policy facts 3 b)."""

from __future__ import annotations

from simulator.journeys import policies
from simulator.protocols import management
from simulator.protocols.management import PolicyReason
from simulator.traveller import Traveller

STEPS: tuple[str, ...] = ()
MAYBE = ("management.account_policy", *policies.MAYBE)


async def play(traveller: Traveller) -> None:
    """Fetch for each account that is due; what stops one account stops no other."""
    device, now = traveller.device, traveller.world.clock.now()
    if not device.registered:
        return
    for account_id, account in list((device.accounts or {}).items()):
        if account.due is None or account.due > now:
            continue
        status = account.scheduler.status
        reason = management.retry_reason(status) if status else PolicyReason.BROWSER_START
        await policies.refresh_account(traveller, account_id, account, reason)
    policies.plan_accounts(traveller)
