"""A person who signed in here before unlocks with the local password: no provider, a policy refresh, a new token.

The session begins with the cached policy when its refresh takes long (policy facts 3 c 5, 4: at most 10 s).
"""

from __future__ import annotations

from simulator import timers
from simulator.journeys import clients, life, policies, session, sign_in
from simulator.protocols.management import PolicyReason
from simulator.protocols.messages import Skipped
from simulator.traveller import Stopped, Traveller

STEPS = ("management.user_policy", "identity.access_token", "management.push_token")
MAYBE = (*session.REMEMBERED, *session.RENEWED, *policies.MAYBE)

# Kinds of a person who signed in on this device on an earlier day (kinds.py).
KINDS = frozenset({"offline_unlock", "expired_token"})


async def play(traveller: Traveller) -> None:
    """From the login screen to a session, without the identity provider unless the tokens are no good."""
    if traveller.device.identity is None:
        raise Stopped(STEPS[0], Skipped("earlier_step", "the device was wiped"))
    await session.remember(traveller)
    await traveller.wait(sign_in.typing_s(traveller))
    traveller.reached("signed_in")
    life.begin(traveller)
    try:
        await policies.refresh_user(traveller, PolicyReason.SIGNIN, timeout_s=timers.SIGNIN_WAIT_S)
    except Stopped:
        if traveller.device.user_scheduler.status == timers.GONE:
            traveller.later("register_user_again", 0, trigger="follows")
    traveller.reached("ready")
    if traveller.plan.kind(traveller.device.row) == "expired_token":
        await session.renew(traveller)
    else:
        await session.refresh(traveller)
    await clients.tell_push_token(traveller, clients.USER)
