"""A user's session on a device: the tokens that last while it does, and what an earlier day left of them.

Facts: sign-in facts 1.4 (tokens are fetched anew at nine tenths of their life; invalid_grant: the user signs in again).
"""

from __future__ import annotations

from simulator import timers
from simulator.agenda import Start
from simulator.device import Device, Expiry
from simulator.draw import draw
from simulator.journeys import life, policies
from simulator.operator import session
from simulator.protocols import oauth
from simulator.protocols.oauth import AccessToken
from simulator.traveller import Stopped, Traveller
from simulator.world import World

REMEMBERED = ("operator.session", "identity.access_token", "management.register_user", "management.user_policy")
REFRESHED = ("identity.access_token",)
RENEWED = ("identity.userinfo",)
MAYBE_RENEWED = ("identity.access_token",)

SIGNED_IN_AGAIN = "signed_in_again"

# Until the act that kills the tokens is done: no device calls before.
_ACT_S = 1.0


async def remember(traveller: Traveller) -> None:
    """What a sign-in on an earlier day left on this device: the user's registration, policy and refresh token.

    The stand-in hands the token out, since nobody signs in for it. Raises: Stopped.
    """
    device, login = traveller.device, traveller.plan.operator
    if device.identity is None or login is None:
        return
    address = traveller.address
    if not device.refresh_token:
        device.refresh_token, device.access_token = await traveller.ask(session(login, address))
    if device.user_identity is None:
        base = traveller.plan.identity_url
        access = await traveller.ask(oauth.management_token(base, device.refresh_token))
        await policies.register_user(traveller, address, access.token)
        life.end(traveller)


async def refresh(traveller: Traveller) -> None:
    """Fetch a new access token before the one in use dies; the next one in its turn. Raises: Stopped."""
    device, base = traveller.device, traveller.plan.identity_url
    if not device.refresh_token or not _in_use(device):
        return
    try:
        keep(traveller, await traveller.ask(oauth.access_token(base, device.refresh_token, oauth.SYNC_SCOPES)))
    except Stopped as stopped:
        _failed(traveller, stopped)
        raise


async def renew(traveller: Traveller) -> None:
    """A call that meets a dead token: 401, a new one by the refresh token, or a sign-in again. Raises: Stopped."""
    device, base = traveller.device, traveller.plan.identity_url
    if not device.refresh_token:
        return
    if await traveller.ask(oauth.userinfo_if_alive(base, device.access_token)) is not None:
        return
    try:
        token = await traveller.ask(oauth.renew(base, device.refresh_token, oauth.SYNC_SCOPES))
    except Stopped as stopped:
        _failed(traveller, stopped)
        raise
    if token is None:
        _sign_in_again(traveller)
    else:
        keep(traveller, token)


def keep(traveller: Traveller, token: AccessToken) -> None:
    """From here on this access token is in use; put its refresh on the agenda."""
    device = traveller.device
    device.access_token, device.token_failures = token.token, 0
    traveller.later("refresh_token", timers.token_refresh_s(token.expires_in_s))


def on_expiry(world: World, device: Device, expiry: Expiry) -> Start | None:
    """Tokens were killed: a device with a session notices at its next call, which is some time after."""
    if not device.access_token or not _in_use(device):
        return None
    u = draw(world.plan.seed, device.row, "next call", expiry.action)
    return Start(expiry.due + _ACT_S + u * expiry.within_s, device.row, "renew_token", "push", expiry.action)


def _in_use(device: Device) -> bool:
    """Whether anybody is there for whom tokens are good: in a session, or after sign_in_only, which management knows
    nothing of."""
    return device.in_session or device.identity is None


def _failed(traveller: Traveller, stopped: Stopped) -> None:
    """No token came: try again later and later, or let the user sign in where that is what was said."""
    device = traveller.device
    if stopped.trouble.reason == "invalid_grant":
        _sign_in_again(traveller)
        return
    device.token_failures += 1
    wait_s = timers.token_retry_s(traveller.draw("token retry"), device.token_failures)
    traveller.later("refresh_token", wait_s, trigger="retry")


def _sign_in_again(traveller: Traveller) -> None:
    device = traveller.device
    device.refresh_token = device.access_token = ""
    traveller.world.agenda.drop(device.row, "refresh_token")
    traveller.opens(SIGNED_IN_AGAIN, traveller.start.due)
    traveller.later("sign_in_again", 0, trigger="follows")
