"""A person signs in online: the city's identity provider over SAML, tokens, web cookies; then the user's policy: ready.

Order and endpoints: Chromium google_apis/gaia and chrome/browser/ash/login; the user's client: policy facts 3 (c).
"""

from __future__ import annotations

from math import exp
from statistics import NormalDist

from simulator.journeys import clients, policies
from simulator.protocols import identity
from simulator.protocols.forms import LoginForm, SamlPost
from simulator.protocols.messages import Skipped
from simulator.traveller import Stopped, Traveller

STEPS = (
    "identity.entry",
    "identity.login_page",
    "identity.login",
    "identity.assertion",
    "identity.continue",
    "identity.token",
    "identity.access_token",
    "identity.userinfo",
    "identity.multilogin",
    "identity.accounts",
    "management.register_user",
    "management.user_policy",
    "management.push_token",
)
MAYBE = ("management.validation_report",)

_NORMAL = NormalDist()
_TYPING_MAX_S = 120.0


async def play(traveller: Traveller) -> None:
    """From the login screen to a session whose policy is in force."""
    if traveller.device.identity is None:
        raise Stopped(STEPS[0], Skipped("earlier_step", "the device was wiped"))
    management_token = await _sign_in(traveller)
    traveller.reached("signed_in")
    await policies.register_user(traveller, management_token)
    traveller.reached("ready")
    # The login screen's pages have a storage of their own, which is cleared (gaia_auth_host/authenticator.js).
    traveller.device.wire.forget_cookies()
    await clients.tell_push_token(traveller, clients.USER)


async def _sign_in(traveller: Traveller) -> str:
    """Through the provider's pages to the tokens. Returns: an access token for device management."""
    plan, user = traveller.plan, traveller.facts.user
    base = plan.identity_url
    page = await traveller.ask(identity.login_page(await traveller.ask(identity.entry(base, plan.domain))))
    typed = False
    while isinstance(page, LoginForm):
        if page.password_field and not typed:
            await traveller.wait(typing_s(traveller))
            typed = True
        page = await traveller.ask(identity.submit(page, user, identity.password_of(plan.password_secret, user)))
    return await _tokens(traveller, page)


async def _tokens(traveller: Traveller, post: SamlPost) -> str:
    base, device = traveller.plan.identity_url, traveller.device
    assert device.identity is not None
    signed_in = await traveller.ask(identity.continue_page(await traveller.ask(identity.assertion(base, post))))
    tokens = await traveller.ask(identity.token(base, signed_in.code, device_id=device.identity.device_id))
    device.refresh_token = tokens.refresh_token
    access = await traveller.ask(identity.access_token(base, tokens.refresh_token, identity.MANAGEMENT_SCOPES))
    sync = await traveller.ask(identity.access_token(base, tokens.refresh_token, identity.SYNC_SCOPES))
    await traveller.ask(identity.userinfo(base, sync.token))
    await traveller.ask(identity.multilogin(base, tokens.access_token, signed_in.gaia_id))
    await traveller.ask(identity.accounts(base))
    return access.token


def typing_s(traveller: Traveller) -> float:
    """How long this person takes to type a password: lognormal, in real seconds, at most two minutes."""
    plan = traveller.plan
    # draw() may be 0, whose inverse normal is minus infinity
    u = min(max(traveller.draw("typing"), 1e-9), 1 - 1e-9)
    return min(plan.typing_median_s * exp(plan.typing_sigma * _NORMAL.inv_cdf(u)), _TYPING_MAX_S)
