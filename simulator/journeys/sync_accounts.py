"""Policy of the device-local accounts that device policy names: each a client with its own clock (policy facts 3 b)."""

from __future__ import annotations

from contextlib import suppress

from simulator.journeys import policies
from simulator.journeys.clients import next_fetch
from simulator.protocols import management
from simulator.protocols.management import PolicyReason
from simulator.traveller import Stopped, Traveller

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
        with suppress(Stopped):  # recorded, and told to the server where it has to be
            await policies.fetch_account(traveller, account, reason)
        refresh_ms = None if account.settings is None else account.settings.refresh_ms
        account.due = next_fetch(traveller, account.scheduler, refresh_ms, f"jitter of {account_id}")
    policies.plan_accounts(traveller)
