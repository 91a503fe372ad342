"""OAuth tokens and whose they are, as a device asks Google's accounts for them once somebody is signed in.

No page, no cookie and no journey. Facts: Chromium google_apis/gaia/oauth2_access_token_fetcher_impl.cc; RFC 6749.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus, urlencode

from simulator.protocols.gaia import (
    CLIENT_ID,
    CLIENT_SECRET,
    FORM,
    TOKEN_PATH,
    USERINFO_PATH,
    form_post,
    json_object,
    member,
)
from simulator.protocols.messages import Broken, Exchange, Refused, Request, Response, Trouble, settle

LOGIN_SCOPE = "https://www.google.com/accounts/OAuthLogin"
_SCOPES = "https://www.googleapis.com/auth/"
MANAGEMENT_SCOPES = (f"{_SCOPES}chromeosdevicemanagement",)
SYNC_SCOPES = (f"{_SCOPES}chromesync", f"{_SCOPES}userinfo.email", f"{_SCOPES}userinfo.profile")

_REFRESH = urlencode({"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "refresh_token"})
_LONGEST_S = 2**31 - 1

# Errors of the token endpoint, and of the way there, that pass.
_PASSING_ERRORS = frozenset({"rate_limit_exceeded", "internal_failure"})
_NO_CONNECTION = frozenset(
    {
        *("name_unknown", "unreachable", "connect_refused", "connect_timeout", "connect_failed", "tls_failed"),
        *("broken_before_sent", "broken_after_sent", "bad_http"),
    }
)


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
            _life_s(said),
        )

    return Exchange("identity.token", form_post(f"{base_url}{TOKEN_PATH}", fields), read)


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

    return Exchange("identity.robot_token", form_post(f"{base_url}{TOKEN_PATH}", fields), read)


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


def _refresh(base_url: str, refresh_token: str, scopes: Sequence[str]) -> Request:
    # Every device asks this every hour, for one of a few sets of scopes.
    form = f"{_REFRESH}&refresh_token={quote_plus(refresh_token)}&{_scope_field(' '.join(scopes))}"
    return Request("POST", f"{base_url}{TOKEN_PATH}", FORM, form.encode())


@lru_cache(maxsize=64)
def _scope_field(scope: str) -> str:
    return urlencode({"scope": scope})


def _read_access_token(response: Response) -> AccessToken:
    said = _token_answer(response)
    return AccessToken(member(said, "access_token", str), _life_s(said))


def _life_s(said: dict[str, Any]) -> int:
    """How long a token is good. One that is dead at once would have its device ask for another without end."""
    life_s = member(said, "expires_in", int)
    if not 0 < life_s <= _LONGEST_S:
        raise Broken("bad_value", "an expires_in that is no token's")
    return life_s


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
