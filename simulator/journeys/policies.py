"""What several journeys do about policy: fetch and check it, take it in, report what was wrong with it.

Facts: Chromium cloud_policy_client.cc and the policy managers in chrome/browser/ash/policy/core; facts 3 and 5.3.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from simulator import timers
from simulator.device import Account, Plan, Scheduler
from simulator.fleet import DeviceFacts
from simulator.journeys import extensions, life
from simulator.journeys.clients import DEVICE, USER, next_fetch, note, plan_sync
from simulator.protocols import management
from simulator.protocols.management import Identity, Invalid, PolicyReason, Registration, Trust
from simulator.protocols.messages import Exchange, Refused
from simulator.protocols.naming import agent_of, platform_of
from simulator.protocols.policy_values import EXTENSION, SIGNIN_EXTENSION
from simulator.traveller import Stopped, Traveller

T = TypeVar("T")

MAYBE = ("management.validation_report",)


def client_of(traveller: Traveller, device_id: str) -> Identity:
    """A client of this machine that is not registered yet."""
    return identity_of(traveller.plan, replace(traveller.facts, os_version=traveller.os_version), device_id)


def identity_of(plan: Plan, facts: DeviceFacts, device_id: str) -> Identity:
    """A client of a machine, without what registration gives."""
    return Identity(
        plan.management_url,
        device_id,
        agent_of(facts.chrome_version),
        platform_of(facts.board, facts.arch, facts.hwid, facts.os_version),
    )


async def fetch_device(traveller: Traveller, reason: int, *, critical: bool = False) -> None:
    """Fetch the device's policy; what is good is in force from here on. Raises: Stopped, reported if it has to be."""
    device = traveller.device
    assert device.identity is not None
    assert device.trust is not None
    exchange = management.fetch_device_policy(
        device.identity,
        reason=reason,
        trust=device.trust,
        state_keys=() if device.state_key_told else (traveller.facts.state_key,),
        invalidation=device.scheduler.invalidation,
        critical=critical,
        stored_ms=extensions.stored_ms(device, SIGNIN_EXTENSION),
    )
    try:
        policy = await _fetch(traveller, device.identity, device.scheduler, exchange)
    except Stopped as stopped:
        device.forgotten = device.forgotten or device.scheduler.status == timers.GONE
        # an answer that brings no good policy is an answer all the same (cloud_policy_client.cc)
        device.state_key_told = device.state_key_told or isinstance(stopped.trouble, Invalid)
        raise
    device.state_key_told = True
    device.trust, device.settings, device.affiliation_ids = policy.trust, policy.settings, policy.affiliation_ids
    device.disabled, device.forgotten = policy.disabled, False
    device.scheduler.managed = policy.managed
    if device.disabled:
        life.end(traveller)
    traveller.applied("device", policy.trust.timestamp_ms)
    extensions.take(traveller, SIGNIN_EXTENSION, policy.extensions)


async def refresh_device(traveller: Traveller, reason: int) -> None:
    """Fetch the device's policy, and plan the next time. Raises: Stopped."""
    try:
        await fetch_device(traveller, reason)
    finally:
        plan_sync(traveller, DEVICE)
    _name_accounts(traveller)


async def refresh_user(traveller: Traveller, reason: int, *, timeout_s: float = 30.0) -> None:
    """Fetch the signed-in user's policy, and plan the next time. Raises: Stopped, reported where it has to be."""
    device = traveller.device
    assert device.identity is not None
    assert device.user_identity is not None
    assert device.user_trust is not None
    exchange = management.fetch_user_policy(
        device.user_identity,
        reason=reason,
        trust=device.user_trust,
        device_dm_token=device.identity.dm_token if device.affiliated else "",
        invalidation=device.user_scheduler.invalidation,
        stored_ms=extensions.stored_ms(device, EXTENSION),
    )
    try:
        policy = await _fetch(traveller, device.user_identity, device.user_scheduler, exchange, timeout_s)
        reported = device.user_settings is not None and device.user_settings.reporting
        device.user_trust, device.user_settings = policy.trust, policy.settings
        device.user_scheduler.managed = policy.managed
    finally:
        plan_sync(traveller, USER)
    traveller.applied("user", policy.trust.timestamp_ms)
    if policy.settings.reporting != reported:
        life.plan_report(traveller)
    extensions.take(traveller, EXTENSION, policy.extensions)


async def refresh_account(traveller: Traveller, account_id: str, account: Account, reason: int) -> None:
    """Fetch the policy of a device-local account, and say when the next time is. What stops it is recorded, told to
    the server where it has to be, and stops no other account."""
    with suppress(Stopped):
        await _fetch_account(traveller, account, reason)
    refresh_ms = None if account.settings is None else account.settings.refresh_ms
    account.due = next_fetch(traveller, account.scheduler, refresh_ms, f"jitter of {account_id}")


async def _fetch_account(traveller: Traveller, account: Account, reason: int) -> None:
    device = traveller.device
    assert device.identity is not None
    assert device.trust is not None
    trust = replace(account.trust, public_key=device.trust.public_key)
    exchange = management.fetch_account_policy(
        device.identity, reason=reason, trust=trust, invalidation=account.scheduler.invalidation
    )
    policy = await _fetch(traveller, device.identity, account.scheduler, exchange)
    account.scheduler.managed = policy is not None and policy.managed
    if policy is not None:
        account.trust, account.settings = policy.trust, policy.settings
    # in force where the last of them has it
    traveller.applied("account", min((one.trust.timestamp_ms for one in (device.accounts or {}).values()), default=0))


async def register_user(traveller: Traveller, user: str, access_token: str) -> None:
    """Register the user (an address) who signed in unless that was done before, then fetch and check the user's policy.

    News of a policy that the device has already is waited for a while; then the session begins with that. Without any
    there is no session. A user whom the server does not manage (403) is remembered as one, and asked about no more
    (policy facts 3 c).

    Raises: Stopped.
    """
    device, plan = traveller.device, traveller.plan
    if device.unmanaged:
        raise Stopped("management.register_user", Refused("not_entitled", "the server does not manage this user"))
    if device.user_identity is None:
        who = client_of(traveller, traveller.uuid("user client"))
        try:
            given = await _register_user(traveller, who, access_token)
        except Stopped as stopped:
            device.unmanaged = stopped.trouble.status == 403
            raise
        device.user_identity = replace(who, dm_token=given.dm_token)
        device.user_trust = Trust(given.dm_token, who.device_id, username=user, verification_key=plan.verification_key)
        device.affiliated = bool(set(given.affiliation_ids) & set(device.affiliation_ids))
    cached = device.user_trust is not None and device.user_trust.timestamp_ms > 0
    life.begin(traveller)
    try:
        try:
            await refresh_user(traveller, PolicyReason.SIGNIN, timeout_s=timers.SIGNIN_WAIT_S if cached else 30.0)
        except Stopped:
            if device.user_scheduler.status != timers.GONE:
                raise
            await register_user_again(traveller, access_token)
    except Stopped:
        if not cached:
            life.end(traveller)
            # a registration is kept within the cached policy alone: the next sign-in makes another (facts 3 c 2, 5)
            device.user_identity = device.user_trust = None
            raise


async def register_user_again(traveller: Traveller, access_token: str) -> None:
    """The server has forgotten the user (410): register under the same id and token, and fetch policy at once.

    Raises: Stopped.
    """
    who = traveller.device.user_identity
    assert who is not None
    await _register_user(traveller, who, access_token)
    await refresh_user(traveller, PolicyReason.REGISTRATION_CHANGED)


async def _register_user(traveller: Traveller, who: Identity, access_token: str) -> Registration:
    settings = traveller.device.settings
    ephemeral = settings is not None and settings.ephemeral_users
    return await traveller.ask(management.register_user(who, oauth_token=access_token, ephemeral=ephemeral))


async def _fetch(
    traveller: Traveller, who: Identity, scheduler: Scheduler, exchange: Exchange[T], timeout_s: float = 30.0
) -> T:
    """Ask; remember how it ended, and tell the server what was wrong with its policy."""
    try:
        policy = await traveller.ask(exchange, timeout_s=timeout_s)
    except Stopped as stopped:
        note(traveller, scheduler, stopped.trouble)
        trouble = stopped.trouble
        if isinstance(trouble, Invalid) and trouble.policy_token:
            await _report(traveller, who, trouble)
        raise
    note(traveller, scheduler, None)
    scheduler.invalidation = None
    return policy


async def _report(traveller: Traveller, who: Identity, fault: Invalid) -> None:
    try:
        await traveller.ask(management.validation_report(who, fault))
    except Stopped:
        return


def _name_accounts(traveller: Traveller) -> None:
    """Have a client for each device-local account that device policy names, and fetch for the new ones at once."""
    device = traveller.device
    assert device.settings is not None
    assert device.trust is not None
    if not device.settings.accounts:
        device.accounts = None
        return traveller.cancel("sync_accounts")
    before, now = device.accounts or {}, traveller.world.clock.now()
    device.accounts = {
        account_id: before.get(account_id)
        or Account(Trust(device.trust.dm_token, device.trust.device_id, username=account_id), Scheduler(), due=now)
        for account_id in device.settings.accounts
    }
    return plan_accounts(traveller)


def plan_accounts(traveller: Traveller) -> None:
    """Put the next fetch of any device-local account's policy on the agenda."""
    accounts = (traveller.device.accounts or {}).values()
    dues = [account.due for account in accounts if account.due is not None]
    if dues:
        traveller.at("sync_accounts", min(dues), trigger="timer")
    else:
        traveller.cancel("sync_accounts")
