"""An online sign-in as a device says it to Google's accounts: before and after a provider's pages, then the tokens.

Each function is one exchange and takes what the one before learnt; cookies are the wire's. No clock, no chance, no
journey: who waits, types or tries again is not decided here. Facts: Chromium google_apis/gaia (gaia_urls.cc,
fake_gaia.cc, oauth2_access_token_fetcher_impl.cc, oauth_multilogin_result.cc) and gaia_auth_host/authenticator.js.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
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
    CLIENT_SECRET,
    CONTINUE_PATH,
    ENTRY_PATH,
    MULTILOGIN_PATH,
    SAML_HEADER,
    SIGNIN_HEADER,
    SOURCE,
    TOKEN_PATH,
    USERINFO_PATH,
    json_object,
    member,
    read_accounts,
    read_signin_header,
)
from simulator.protocols.messages import Broken, Exchange, Refused, Request, Response, Trouble, settle
from simulator.protocols.pages import Page, origin_of
from simulator.protocols.saml import reason_of

LOGIN_SCOPE = "https://www.google.com/accounts/OAuthLogin"
_SCOPES = "https://www.googleapis.com/auth/"
MANAGEMENT_SCOPES = (f"{_SCOPES}chromeosdevicemanagement",)
SYNC_SCOPES = (f"{_SCOPES}chromesync", f"{_SCOPES}userinfo.email", f"{_SCOPES}userinfo.profile")

# Errors of the token endpoint, and of the way there, that pass.
_PASSING_ERRORS = frozenset({"rate_limit_exceeded", "internal_failure"})
_NO_CONNECTION = frozenset(
    {
        *("name_unknown", "unreachable", "connect_refused", "connect_timeout", "connect_failed", "tls_failed"),
        *("broken_before_sent", "broken_after_sent", "bad_http"),
    }
)

_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who signed in, where the browser is sent next (absolute), and the code for the tokens ("" if not given yet)."""

    email: str
    gaia_id: str
    continue_url: str
    code: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the code was exchanged for. `access_token` is good for LOGIN_SCOPE, for `expires_in_s` seconds."""

    access_token: str
    refresh_token: str
    id_token: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class AccessToken:
    """An access token for some scopes, good for `expires_in_s` seconds (Chrome uses nine tenths of them)."""

    token: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class UserInfo:
    """The account that an access token belongs to."""

    gaia_id: str
    email: str


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

    return Exchange("identity.challenge", _post(f"{base_url}{CHALLENGE_PATH}", {"identifier": user}), read)


def continue_page(signed_in: SignedIn) -> Exchange[SignedIn]:
    """Go where the consumer service sends the browser. Raises when read: Broken missing_part without a code by now."""

    def read(response: Response) -> SignedIn:
        settle(response)
        code = _cookie(response, "oauth_code") or signed_in.code
        if not code:
            raise Broken("missing_part", "no oauth_code cookie", status=response.status)
        return replace(signed_in, code=code)

    return Exchange("identity.continue", page_request(signed_in.continue_url), read)


def token(base_url: str, code: str, *, device_id: str) -> Exchange[Tokens]:
    """Exchange the code for tokens. Raises when read: as access_token."""
    fields = {"scope": LOGIN_SCOPE, "grant_type": "authorization_code", "client_id": CLIENT_ID}
    fields |= {"client_secret": CLIENT_SECRET, "code": code, "device_id": device_id, "device_type": "chrome"}

    def read(response: Response) -> Tokens:
        said = _token_answer(response)
        return Tokens(
            member(said, "access_token", str),
            member(said, "refresh_token", str),
            member(said, "id_token", str),
            member(said, "expires_in", int),
        )

    return Exchange("identity.token", _post(f"{base_url}{TOKEN_PATH}", fields), read)


def access_token(base_url: str, refresh_token: str, scopes: Sequence[str]) -> Exchange[AccessToken]:
    """Get an access token for a set of scopes.

    Raises when read: Refused invalid_grant when the user must sign in again, Refused http_status with the error's name
        for any other no; Broken http_status, undecodable, missing_part.
    """
    return Exchange("identity.access_token", _refresh(base_url, refresh_token, scopes), _read_access_token)


def management_token(base_url: str, refresh_token: str) -> Exchange[AccessToken]:
    """As access_token, for device management: what failed in passing is asked again (policy_oauth2_token_fetcher.cc).

    That is a connection that failed, HTTP 403, 407 and 5xx, and two errors by name (oauth2_access_token_fetcher_impl.cc
    and google_service_auth_error.cc, IsTransientError). The client sets itself no time: our own end of patience is not
    its error.
    """
    exchange = access_token(base_url, refresh_token, MANAGEMENT_SCOPES)

    def again(trouble: Trouble) -> Request | None:
        passing = (
            trouble.reason in _NO_CONNECTION
            or trouble.status in (403, 407)
            or trouble.status >= 500
            or (trouble.reason == "http_status" and trouble.detail.rpartition(" ")[2] in _PASSING_ERRORS)
        )
        return exchange.request if passing else None

    return replace(exchange, again=again, pace="steady")


def robot_token(base_url: str, code: str) -> Exchange[None]:
    """Exchange the code of a device's robot account for its tokens, of which nothing here has a use.

    Asked once, without a user's cookies and with a redirect_uri that is none (enrollment_handler.cc,
    HandleStepRobotAuthRefresh; the body is gaia_oauth_client.cc's, GetTokensFromAuthCode).
    Raises when read: as access_token.
    """
    fields = {"code": code, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    fields |= {"redirect_uri": "oob", "grant_type": "authorization_code"}

    def read(response: Response) -> None:
        said = _token_answer(response)
        member(said, "refresh_token", str)
        member(said, "access_token", str)
        member(said, "expires_in", int)

    return Exchange("identity.robot_token", _post(f"{base_url}{TOKEN_PATH}", fields), read)


def renew(base_url: str, refresh_token: str, scopes: Sequence[str]) -> Exchange[AccessToken | None]:
    """As access_token where a refusal is expected. Returns: None for invalid_grant: the user must sign in again."""

    def read(response: Response) -> AccessToken | None:
        try:
            return _read_access_token(response)
        except Refused as refused:
            if refused.reason == "invalid_grant":
                return None
            raise

    return Exchange("identity.access_token", _refresh(base_url, refresh_token, scopes), read)


def userinfo(base_url: str, access_token: str) -> Exchange[UserInfo]:
    """Ask whose token it is; the token needs userinfo.email. Raises when read: Refused, Broken as access_token."""
    return Exchange("identity.userinfo", _userinfo(base_url, access_token), _read_userinfo)


def userinfo_if_alive(base_url: str, access_token: str) -> Exchange[UserInfo | None]:
    """As userinfo where the token may be dead. Returns: None for 401, the answer to a token that died."""

    def read(response: Response) -> UserInfo | None:
        return None if response.status == 401 else _read_userinfo(response)

    return Exchange("identity.userinfo", _userinfo(base_url, access_token), read)


def multilogin(base_url: str, access_token: str, gaia_id: str) -> Exchange[tuple[WebCookie, ...]]:
    """Mint the cookies of the user's web session; the token needs LOGIN_SCOPE.

    Raises when read: Refused invalid_grant for INVALID_TOKENS, Refused http_status for any other status than OK;
        Broken undecodable, missing_part.
    """
    url = f"{base_url}{MULTILOGIN_PATH}?{urlencode({'source': SOURCE, 'reuseCookies': '0'})}"
    headers = (("Authorization", f"MultiBearer {access_token}:{gaia_id}"), *_FORM)

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
    headers = (("Origin", "https://www.google.com"), *_FORM)

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


def _post(url: str, fields: dict[str, str]) -> Request:
    return Request("POST", url, _FORM, urlencode(fields).encode())


def _refresh(base_url: str, refresh_token: str, scopes: Sequence[str]) -> Request:
    fields = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "refresh_token"}
    fields |= {"refresh_token": refresh_token, "scope": " ".join(scopes)}
    return _post(f"{base_url}{TOKEN_PATH}", fields)


def _read_access_token(response: Response) -> AccessToken:
    said = _token_answer(response)
    return AccessToken(member(said, "access_token", str), member(said, "expires_in", int))


def _userinfo(base_url: str, access_token: str) -> Request:
    return Request("GET", f"{base_url}{USERINFO_PATH}", (("Authorization", f"Bearer {access_token}"),))


def _read_userinfo(response: Response) -> UserInfo:
    said = json_object(settle(response))
    return UserInfo(member(said, "id", str), member(said, "email", str))


def _token_answer(response: Response) -> dict[str, Any]:
    """The object of a token answer; a refusal carries its error's name (RFC 6749 5.2)."""
    if 400 <= response.status < 500:
        try:
            error = member(json_object(response), "error", str)[:60]
        except Broken:
            error = ""
        reason = "invalid_grant" if error == "invalid_grant" else "http_status"
        raise Refused(reason, f"HTTP {response.status} {error}".rstrip(), status=response.status)
    return json_object(settle(response))


def _web_cookie(cookie: object) -> WebCookie:
    if not isinstance(cookie, dict):
        raise Broken("missing_part", "not a cookie")
    host = cookie.get("host") or cookie.get("domain") or ""
    name, value, path = member(cookie, "name", str), cookie.get("value"), cookie.get("path")
    if not (isinstance(host, str) and isinstance(value, str) and isinstance(path, str)):
        raise Broken("missing_part", "not a cookie")
    return WebCookie(name, value, host, path)
