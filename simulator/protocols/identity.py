"""An online sign-in as a device says it to Google's accounts, before and after a provider's pages, and to the provider.

Each function is one exchange and takes what the one before learnt; cookies are the wire's. No clock, no chance, no
journey: who waits, types or tries again is not decided here; tokens are oauth.py's. Facts: Chromium google_apis/gaia
(gaia_urls.cc, fake_gaia.cc, oauth_multilogin_result.cc) and gaia_auth_host/authenticator.js.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlencode, urljoin, urlsplit

from simulator.protocols.forms import (
    LoginForm,
    NextPage,
    SamlPost,
    form_request,
    page_request,
    post_request,
    read_page,
)
from simulator.protocols.gaia import (
    ACCOUNTS_PATH,
    ANTI_HIJACK,
    BAD_ASSERTION_HEADER,
    CHALLENGE_PATH,
    CLIENT_ID,
    CONTINUE_PATH,
    ENTRY_PATH,
    FORM,
    MULTILOGIN_PATH,
    SAML_HEADER,
    SIGNIN_HEADER,
    SOURCE,
    form_post,
    json_object,
    member,
    read_accounts,
    read_signin_header,
)
from simulator.protocols.messages import Broken, Exchange, Refused, Request, Response, settle
from simulator.protocols.oauth import LOGIN_SCOPE
from simulator.protocols.pages import Page, origin_of
from simulator.protocols.saml import reason_of


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, where the browser is sent next (absolute), and the code for the tokens ("" if not given yet)."""

    email: str
    gaia_id: str
    continue_url: str
    code: str


@dataclass(frozen=True, slots=True)
class WebCookie:
    """A cookie for the user's own jar: multilogin gives them in its body, not as Set-Cookie."""

    name: str
    value: str
    host: str
    path: str


def entry(base_url: str, domain: str, *, language: str = "ja") -> Exchange[str]:
    """Open the sign-in of a domain with a SAML provider, as LoginAuthenticationBehavior = 1 does.

    Args:
        base_url: of Google's accounts, no slash at the end.
        domain: that the device is enrolled in.
        language: of the page, a BCP 47 tag.
    Returns: the provider's URL to go to, absolute.
    Raises when read: Refused http_status (400 for a domain without a provider); Broken missing_part, bad_redirect.
    """
    after = {"hl": language, "scope": LOGIN_SCOPE, "client_id": CLIENT_ID, "access_type": "offline"}
    query = {"domain": domain, "continue": f"{base_url}{CONTINUE_PATH}?{urlencode(after)}"}
    request = Request("GET", f"{base_url}{ENTRY_PATH}?{urlencode(query)}")

    def read(response: Response) -> str:
        location = _location(response)
        _expect_saml(response, "start")
        return location

    return Exchange("identity.entry", request, read)


def login_page(url: str) -> Exchange[NextPage]:
    """Get the provider's first page. Raises when read: as forms.read_page."""
    return Exchange("identity.login_page", page_request(url), read_page)


def submit(form: LoginForm, user: str, password: str, code: str | None = None) -> Exchange[NextPage]:
    """Fill in a provider's form and submit it; a page in between that asks for nothing is submitted as it is.

    Args:
        code: the one-time code of this moment, None for an account without a secret for it.
    Returns: the next form (to be submitted in turn) or the SAML post.
    Raises when read: as forms.read_page; a wrong password is Refused login_page_again; Refused asks_for_more where a
        one-time code is wanted and there is none.
    """

    def read(response: Response) -> NextPage:
        page = read_page(response, form)
        if code is None and isinstance(page, LoginForm) and page.code_field:
            said = "a one-time code, and the account has no secret for it"
            raise Refused("asks_for_more", said, status=response.status)
        return page

    return Exchange(_login_step(form), _filled(form, user, password, code or ""), read)


def submit_wrong(form: LoginForm, user: str, password: str) -> Exchange[LoginForm | None]:
    """Submit a wrong password: the login page again, or a 401 or 403, is the valid answer, its status kept.

    Returns: the form to try again with, None where the answer has none: then the sign-in begins anew.
    Raises when read: Broken bad_value when the password is taken; else as forms.read_page.
    """

    def read(response: Response) -> LoginForm | None:
        try:
            # as a first page: what it asks for again is no surprise
            page = read_page(response)
        except Refused as refused:
            if refused.status in (401, 403):
                return None
            raise
        if isinstance(page, LoginForm) and (page.password_field or page.user_field):
            return page
        raise Broken("bad_value", "a wrong password was taken", status=response.status)

    return Exchange(_login_step(form), _filled(form, user, password, ""), read)


def submit_locked(form: LoginForm, user: str, password: str) -> Exchange[NextPage | None]:
    """Submit the right password of an account that should be locked: a refusal is a valid answer, its status kept.

    Returns: None for the refusal; whatever page comes where the provider did not lock it.
    Raises when read: as forms.read_page.
    """

    def read(response: Response) -> NextPage | None:
        try:
            return read_page(response, form)
        except Refused as refused:
            if refused.reason == "login_page_again" or refused.status in (401, 403):
                return None
            raise

    return Exchange(_login_step(form), _filled(form, user, password, ""), read)


def _login_step(form: LoginForm) -> str:
    return "identity.login" if form.password_field or form.code_field else "identity.login_page"


def _filled(form: LoginForm, user: str, password: str, code: str) -> Request:
    return form_request(form, {form.user_field: user, form.password_field: password, form.code_field: code})


def assertion(base_url: str, post: SamlPost) -> Exchange[SignedIn]:
    """Carry the assertion to the consumer service.

    Raises when read: Refused assertion_... by what the stand-in found wrong with it, Refused http_status for any other
    no; Broken missing_part, bad_redirect, or bad_value when the answer is not from the base URL: Chrome heeds the
    sign-in header from Google's accounts alone.
    """

    def read(response: Response) -> SignedIn:
        if part := response.header(BAD_ASSERTION_HEADER):
            raise Refused(reason_of(part), Page(response).said(), status=response.status)
        location = _location(response)
        if origin_of(response.url or post.action) != origin_of(base_url):
            raise Broken("bad_value", f"signed in at {origin_of(post.action)}, not at {origin_of(base_url)}")
        _expect_saml(response, "end")
        email, gaia_id = read_signin_header(response.header(SIGNIN_HEADER))
        return SignedIn(email, gaia_id, location, _cookie(response, "oauth_code"))

    return Exchange("identity.assertion", post_request(post), read)


def challenge(base_url: str, user: str) -> Exchange[SignedIn]:
    """Sign a user in at the stand-in whose assertion the device verified itself, and showed to no one.

    FakeGaia's answer to whoever says an address (fake_gaia.cc, HandleEmbeddedSigninChallenge).
    Raises when read: Refused http_status; Broken missing_part.
    """

    def read(response: Response) -> SignedIn:
        settle(response)
        email, gaia_id = read_signin_header(response.header(SIGNIN_HEADER))
        return SignedIn(email, gaia_id, f"{base_url}{CONTINUE_PATH}", _cookie(response, "oauth_code"))

    return Exchange("identity.challenge", form_post(f"{base_url}{CHALLENGE_PATH}", {"identifier": user}), read)


def continue_page(signed_in: SignedIn) -> Exchange[SignedIn]:
    """Go where the consumer service sends the browser. Raises when read: Broken missing_part without a code by now."""

    def read(response: Response) -> SignedIn:
        settle(response)
        code = _cookie(response, "oauth_code") or signed_in.code
        if not code:
            raise Broken("missing_part", "no oauth_code cookie", status=response.status)
        return replace(signed_in, code=code)

    return Exchange("identity.continue", page_request(signed_in.continue_url), read)


def multilogin(base_url: str, access_token: str, gaia_id: str) -> Exchange[tuple[WebCookie, ...]]:
    """Mint the cookies of the user's web session; the token needs LOGIN_SCOPE.

    Raises when read: Refused invalid_grant for INVALID_TOKENS, Refused http_status for any other status than OK;
        Broken undecodable, missing_part.
    """
    url = f"{base_url}{MULTILOGIN_PATH}?{urlencode({'source': SOURCE, 'reuseCookies': '0'})}"
    headers = (("Authorization", f"MultiBearer {access_token}:{gaia_id}"), *FORM)

    def read(response: Response) -> tuple[WebCookie, ...]:
        if response.status != 403:  # INVALID_TOKENS comes with a 403 and says so in its body
            settle(response)
        said = json_object(response, after=ANTI_HIJACK)
        if (status := member(said, "status", str)) != "OK":
            reason = "invalid_grant" if status == "INVALID_TOKENS" else "http_status"
            raise Refused(reason, f"multilogin said {status[:40]}", status=response.status)
        return tuple(_web_cookie(cookie) for cookie in member(said, "cookies", list))

    return Exchange("identity.multilogin", Request("POST", url, headers, b" "), read)


def accounts(base_url: str) -> Exchange[tuple[str, ...]]:
    """List the addresses that the web session's cookies are signed in with. Raises when read: Refused, Broken."""
    url = f"{base_url}{ACCOUNTS_PATH}?{urlencode({'gpsia': '1', 'source': SOURCE, 'json': 'standard'})}"
    headers = (("Origin", "https://www.google.com"), *FORM)

    def read(response: Response) -> tuple[str, ...]:
        return read_accounts(settle(response))

    return Exchange("identity.accounts", Request("POST", url, headers, b" "), read)


def _location(response: Response) -> str:
    """Where an unfollowed redirect leads, absolute."""
    settle(response, ok=(302, 303, 307))
    try:
        url = urljoin(response.url, response.header("location"))
        good = bool(response.header("location")) and bool(origin_of(url)) and bool(urlsplit(url).hostname)
    except ValueError:
        good = False
    if not good:
        raise Broken("bad_redirect", "no http(s) location to go to", status=response.status)
    return url


def _expect_saml(response: Response, wanted: str) -> None:
    if response.header(SAML_HEADER).strip().lower() != wanted:
        raise Broken("missing_part", f"no {SAML_HEADER} header saying {wanted}", status=response.status)


def _cookie(response: Response, name: str) -> str:
    """The value of a cookie that this response sets, "" when it does not."""
    pairs = (value.partition(";")[0].partition("=") for key, value in response.headers if key == "set-cookie")
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


def _web_cookie(cookie: object) -> WebCookie:
    if not isinstance(cookie, dict):
        raise Broken("missing_part", "not a cookie")
    host = cookie.get("host") or cookie.get("domain") or ""
    name, value, path = member(cookie, "name", str), cookie.get("value"), cookie.get("path")
    if not (isinstance(host, str) and isinstance(value, str) and isinstance(path, str)):
        raise Broken("missing_part", "not a cookie")
    return WebCookie(name, value, host, path)
