"""What several journeys do about policy: fetch and check it, report what was wrong with it, plan the next fetch.

Facts: Chromium cloud_policy_client.cc, cloud_policy_refresh_scheduler.cc, policy facts 3 (d), 4 and 5.3.
"""

from __future__ import annotations

from dataclasses import replace

from simulator import timers
from simulator.device import Plan
from simulator.fleet import DeviceFacts
from simulator.protocols import management
from simulator.protocols.management import Identity, Invalid, Invalidation, PolicyReason, PushKind, Trust
from simulator.protocols.naming import agent_of, platform_of
from simulator.traveller import Stopped, Traveller

FETCHED = ("management.device_policy",)
MAYBE = ("management.user_policy", "management.validation_report")

# How long a push token is asked for, and then renewed (Chromium fm_registration_token_uploader.cc: 14 days).
PUSH_TOKEN_LIFE_MS = 14 * 24 * 3600 * 1000

# After these the scheduler waits as after a success, a day, or for ever (cloud_policy_refresh_scheduler.cc). What is in
# neither (5xx, no answer) is tried again with a growing delay.
_UNKNOWN_DEVICE = 410
_AS_USUAL = frozenset({412, 429, 902})
_NEXT_DAY = frozenset({400, 403, 413})
_NEVER = frozenset({401, 402, 405, 406, 409, 410, 417, 418, 419, 903, 905, 906, 907})


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


async def fetch_device(
    traveller: Traveller,
    reason: int,
    *,
    state_keys: tuple[bytes, ...] = (),
    invalidation: Invalidation | None = None,
    critical: bool = False,
) -> None:
    """Fetch the device's policy; what is good is in force from here on. Raises: Stopped, reported if it has to be."""
    device = traveller.device
    assert device.identity is not None
    assert device.trust is not None
    exchange = management.fetch_device_policy(
        device.identity,
        reason=reason,
        trust=device.trust,
        state_keys=state_keys,
        invalidation=invalidation,
        critical=critical,
    )
    try:
        policy = await traveller.ask(exchange)
    except Stopped as stopped:
        device.forgotten = device.forgotten or stopped.trouble.status == _UNKNOWN_DEVICE
        await _report(traveller, device.identity, stopped)
        raise
    device.trust, device.settings, device.affiliation_ids = policy.trust, policy.settings, policy.affiliation_ids
    device.disabled, device.forgotten = policy.disabled, False
    traveller.applied(policy.trust.timestamp_ms)


async def fetch_user(traveller: Traveller, reason: int, *, invalidation: Invalidation | None = None) -> None:
    """Fetch the signed-in user's policy. Raises: Stopped, reported where it has to be."""
    device = traveller.device
    assert device.identity is not None
    assert device.user_identity is not None
    assert device.user_trust is not None
    exchange = management.fetch_user_policy(
        device.user_identity,
        reason=reason,
        trust=device.user_trust,
        device_dm_token=device.identity.dm_token if device.affiliated else "",
        invalidation=invalidation,
    )
    try:
        policy = await traveller.ask(exchange)
    except Stopped as stopped:
        await _report(traveller, device.user_identity, stopped)
        raise
    device.user_trust = policy.trust


async def register_user(traveller: Traveller, access_token: str) -> None:
    """Register the user who signed in, fetch and check the user's policy. Raises: Stopped."""
    device, plan, user = traveller.device, traveller.plan, traveller.facts.user
    if device.user_identity is None:
        who = client_of(traveller, traveller.uuid("user client"))
        given = await traveller.ask(management.register_user(who, oauth_token=access_token))
        device.user_identity = replace(who, dm_token=given.dm_token)
        device.user_trust = Trust(given.dm_token, who.device_id, username=user, verification_key=plan.verification_key)
        device.affiliated = bool(set(given.affiliation_ids) & set(device.affiliation_ids))
    await fetch_user(traveller, PolicyReason.SIGNIN)


async def tell_push_token(traveller: Traveller, *, user: bool) -> None:
    """Upload the push token for the device's or the user's registration. Raises: Stopped."""
    device = traveller.device
    who = device.user_identity if user else device.identity
    assert who is not None
    exchange = management.push_token(
        who,
        traveller.push_token,
        PushKind.USER if user else PushKind.DEVICE,
        expiration_ms=traveller.utc_ms() + PUSH_TOKEN_LIFE_MS,
    )
    await traveller.ask(exchange)


def plan_refresh(traveller: Traveller, stopped: Stopped | None = None) -> None:
    """Put the next scheduled fetch on the agenda, as the refresh scheduler does after an end like this one."""
    device = traveller.device
    jitter = traveller.fixed_draw("policy jitter")
    configured_s = timers.POLICY_REFRESH_S if device.settings is None else device.settings.refresh_ms / 1000
    refresh_s = timers.policy_refresh_s(jitter, configured_s=configured_s, push_works=device.online)
    trouble = None if stopped is None else stopped.trouble
    status = 0 if trouble is None else trouble.status
    if trouble is None or isinstance(trouble, Invalid) or status in _AS_USUAL:
        device.policy_failures = 0
        traveller.later("sync_policy", refresh_s)
    elif status in _NEVER:
        traveller.world.agenda.drop(device.row, "sync_policy")
    elif status in _NEXT_DAY:
        device.policy_failures = 0
        traveller.later("sync_policy", timers.POLICY_REFRESH_MAX_S + jitter * timers.POLICY_JITTER_S)
    else:
        device.policy_failures += 1
        wait_s = timers.policy_retry_s(jitter, device.policy_failures, refresh_s=configured_s)
        traveller.later("sync_policy", wait_s, trigger="retry")


async def _report(traveller: Traveller, who: Identity, stopped: Stopped) -> None:
    """Tell the server what was wrong with its policy, if the policy carried a token to name it by."""
    trouble = stopped.trouble
    if isinstance(trouble, Invalid) and trouble.policy_token:
        try:
            await traveller.ask(management.validation_report(who, trouble))
        except Stopped:
            return
