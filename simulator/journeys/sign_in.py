"""A person signs in online: the city's identity provider over SAML, tokens, web cookies; then the user's policy: ready.

Order and endpoints: Chromium google_apis/gaia and chrome/browser/ash/login; the user's client: policy facts 3 (c).
"""

from __future__ import annotations

from math import exp
from statistics import NormalDist

from simulator.journeys import clients, page_load, policies, session
from simulator.protocols import identity, oauth
from simulator.protocols.account import wrong_password
from simulator.protocols.forms import LoginForm, NextPage, SamlPost
from simulator.protocols.gaia import service_of
from simulator.protocols.login import Accept, accepting, expect_post_to
from simulator.protocols.messages import Refused, Skipped
from simulator.protocols.service_provider import ask_provider, expect_assertion
from simulator.traveller import Stopped, Traveller

IDENTITY_STEPS = (
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
)
OF_MANAGEMENT = ("management.register_user", "management.user_policy", "management.push_token")
STEPS = (*IDENTITY_STEPS, *OF_MANAGEMENT)
IDENTITY_MAYBE = ("identity.challenge", "identity.asset")
MAYBE = (*IDENTITY_MAYBE, "management.validation_report")
BY_SERVICE = ("identity.entry", "identity.assertion")
"""Asked only where Google's accounts are the service provider, not where a device plays the city's own."""

_NORMAL = NormalDist()
_TYPING_MAX_S = 120.0


async def play(traveller: Traveller) -> None:
    """From the login screen to a session whose policy is in force."""
    if traveller.device.identity is None:
        raise Stopped(STEPS[0], Skipped("earlier_step", "the device was wiped"))
    signed_in = await _sign_in(traveller, wrong=_wrong_passwords(traveller))
    if signed_in is None:
        return
    traveller.reached("signed_in")
    await policies.register_user(traveller, *signed_in)
    traveller.reached("ready")
    await clients.tell_push_token(traveller, clients.USER)


def needless(traveller: Traveller) -> tuple[str, ...]:
    """Of the steps, what is not asked where the user's registration was kept, or the user is nobody's to manage."""
    if traveller.device.unmanaged:
        return OF_MANAGEMENT
    return () if traveller.device.user_identity is None else OF_MANAGEMENT[:1]


async def play_only(traveller: Traveller) -> None:
    """From the login screen to the tokens, on a device that nobody manages here: no other service is asked."""
    if await _sign_in(traveller, wrong=_wrong_passwords(traveller)) is not None:
        traveller.reached("signed_in")


async def play_again(traveller: Traveller) -> None:
    """In a session whose tokens are no good any more: the same, and everything else is there already."""
    await _sign_in(traveller, wrong=0)
    traveller.reached(session.SIGNED_IN_AGAIN)


async def _sign_in(traveller: Traveller, *, wrong: int) -> tuple[str, str] | None:
    """One sign-in, after so many wrong passwords, in a storage of its own: nothing of it is there at the next one.

    The login screen's pages have one, which is cleared for each attempt (gaia_auth_host/authenticator.js): a provider
    would let whoever comes with an old cookie in without a password. Returns: as _to_tokens.
    """
    try:
        return await _to_tokens(traveller, wrong)
    finally:
        traveller.device.wire.forget_cookies()


async def _to_tokens(traveller: Traveller, wrong: int) -> tuple[str, str] | None:
    """Through the provider's pages to the tokens.

    Either Google's accounts are the service provider and get the assertion, or the device plays the city's own: it has
    verified the assertion, the person is signed in, the assertion is thrown away, and the stand-in for those accounts
    takes the address at its word.

    Returns: the user's address, and an access token for device management; None for one who is locked out, as the
        scenario has it: what that device owed is closed.
    """
    post = await _through_pages(traveller, wrong)
    if post is None:
        traveller.abandon(("signed_in", "ready"), Refused("login_page_again", "the account is locked"))
        return None
    base = traveller.plan.identity_url
    if traveller.plan.service_provider is None:
        return await _tokens(traveller, await traveller.ask(identity.assertion(base, post)))
    traveller.reached("signed_in")
    return await _tokens(traveller, await traveller.ask(identity.challenge(base, traveller.address)))


async def _through_pages(traveller: Traveller, wrong: int) -> SamlPost | None:
    """From the entry to the assertion; None where a locked account is refused. Each password and code takes typing."""
    account, tried = traveller.account, 0
    locked_out = wrong >= traveller.plan.sign_in.lock_after
    page: NextPage | None
    # The login screen begins each sign-in with a storage of its own, in memory: nothing is cached yet.
    cached: set[str] = set()
    page, accept = await _first_page(traveller, cached)
    while isinstance(page, LoginForm):
        if page.password_field or page.code_field:
            await traveller.wait(typing_s(traveller))
        if page.password_field and tried < wrong:
            tried += 1
            again = await page_load.ask(
                traveller, identity.submit_wrong(page, account.user, wrong_password(tried)), cached
            )
            page, accept = (again, accept) if again else await _first_page(traveller, cached)
        elif page.password_field and locked_out:
            locked = identity.submit_locked(page, account.user, account.password)
            page = await page_load.ask(traveller, accepting(locked, accept), cached)
        else:
            page = await _submit(traveller, page, accept, cached)
    return page


async def _submit(traveller: Traveller, page: LoginForm, accept: Accept, cached: set[str]) -> NextPage:
    """Give the person's own answers; but no password that was refused before, for that would lock somebody out.

    It is refused once an engine, however many people share the account: a list of accounts may be out of date.
    """
    account, refused = traveller.account, traveller.world.refused
    if page.password_field and account.user in refused:
        raise Stopped("identity.login", Skipped("earlier_step", "the account's password was refused before"))
    submitted = identity.submit(page, account.user, account.password, account.code(traveller.utc_ms() / 1000))
    try:
        return await page_load.ask(traveller, accepting(submitted, accept), cached)
    except Stopped as stopped:
        if page.password_field and stopped.trouble.reason == "login_page_again" and not account.expendable:
            refused.add(account.user)
        raise


async def _first_page(traveller: Traveller, cached: set[str]) -> tuple[NextPage, Accept]:
    """Ask the provider, as whichever service provider it is. Returns: its first page, and what judges its last one."""
    plan, clock, service = traveller.plan, traveller.world.clock, traveller.plan.service_provider
    if service is None:
        accept = expect_post_to(service_of(plan.identity_url)[1])
        asking = identity.login_page(await traveller.ask(identity.entry(plan.identity_url, plan.domain)))
    else:
        request_id = f"_{traveller.uuid('authn request')}"
        accept = expect_assertion(service, request_id, clock.utc)
        asking = ask_provider(service, request_id, clock.utc())
    return await page_load.ask(traveller, accepting(asking, accept), cached), accept


async def _tokens(traveller: Traveller, signed_in: identity.SignedIn) -> tuple[str, str]:
    base, device = traveller.plan.identity_url, traveller.device
    device_id = traveller.uuid("device client") if device.identity is None else device.identity.device_id
    signed_in = await traveller.ask(identity.continue_page(signed_in))
    tokens = await traveller.ask(oauth.token(base, signed_in.code, device_id=device_id))
    device.refresh_token = tokens.refresh_token
    access = await traveller.ask(oauth.management_token(base, tokens.refresh_token))
    sync = await traveller.ask(oauth.access_token(base, tokens.refresh_token, oauth.SYNC_SCOPES))
    session.keep(traveller, sync)
    await traveller.ask(oauth.userinfo(base, sync.token))
    await traveller.ask(identity.multilogin(base, tokens.access_token, signed_in.gaia_id))
    await traveller.ask(identity.accounts(base))
    return signed_in.email, access.token


def _wrong_passwords(traveller: Traveller) -> int:
    """How many wrong passwords this person types before the right one: on an expendable account alone."""
    kind, lock_after = traveller.plan.kind(traveller.device.row), traveller.plan.sign_in.lock_after
    return {"wrong_password": 1, "locked_account": lock_after}.get(kind, 0) if traveller.account.expendable else 0


def typing_s(traveller: Traveller) -> float:
    """How long this person takes to type a password: lognormal, in real seconds, at most two minutes."""
    plan = traveller.plan
    # draw() may be 0, whose inverse normal is minus infinity
    u = min(max(traveller.draw("typing"), 1e-9), 1 - 1e-9)
    return min(plan.typing_median_s * exp(plan.typing_sigma * _NORMAL.inv_cdf(u)), _TYPING_MAX_S)
