"""The stand-in for Google's accounts: a SAML service provider in front, OAuth tokens and web cookies behind.

Paths, headers and cookies are FakeGaia's (Chromium google_apis/gaia/fake_gaia.cc), with the checks, the expiry and the
single use that it lacks. It must never see a password.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Mapping

from simulator.backend.idp_key import provider_of
from simulator.backend.login_pages import message_page, setup_page
from simulator.backend.robots import Granted, Robots
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.backend.tokens import Opened, Tokens
from simulator.backend.web import Asked, cookie, html, json_answer, redirect, take_apart
from simulator.protocols.assertion import read_response
from simulator.protocols.gaia import (
    ACCOUNTS_PATH,
    ACS_PATH,
    ANTI_HIJACK,
    BAD_ASSERTION_HEADER,
    CHALLENGE_PATH,
    CLIENT_ID,
    CONTINUE_PATH,
    ENTRY_PATH,
    METADATA_PATH,
    MULTILOGIN_PATH,
    SAML_HEADER,
    SIGNIN_HEADER,
    TOKEN_PATH,
    USERINFO_PATH,
    address_in,
    gaia_id_of,
    service_of,
    signin_header,
    write_accounts,
)
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.oauth import LOGIN_SCOPE
from simulator.protocols.pages import origin_of
from simulator.protocols.saml import AuthnRequest, BadAssertion, redirect_url
from simulator.protocols.saml_metadata import read_provider, service_metadata

SETUP_PATH = "/embedded/setup/v2/chromeos"
LOOKUP_PATH = "/_/embedded/lookup/accountlookup"
TOKENINFO_PATH = "/oauth2/v2/tokeninfo"
ACCESS_S = 3600
CODE_S = 600
REQUEST_S = 1800
# Google lets a refresh token that is not used lapse after half a year, a session after two weeks.
REFRESH_S = 180 * 86400
SESSION_S = 14 * 86400
_SCOPE_PREFIX = "https://www.googleapis.com/auth/"
_EMAIL_SCOPE = f"{_SCOPE_PREFIX}userinfo.email"
_WEB_COOKIES = ("SID", "LSID", "HSID", "SSID", "APISID", "SAPISID")


class Identity:
    """Accounts of one domain, whose sign-in its SAML identity provider decides.

    Args:
        store, settings, chance: as for every service of the backend.
        outbox: not used; this service pushes nothing.

    Attributes:
        robots: the accounts of machines.
    """

    def __init__(self, store: Store, settings: BackendSettings, chance: Chance, outbox: list[Push]) -> None:
        self._settings, self._chance = settings, chance
        named = settings.idp_metadata.encode()
        self._provider = read_provider(named) if named else provider_of(store, settings)
        self._entity_id, self._acs_url = service_of(settings.identity_url)
        self._tokens = Tokens(store, "identity", chance)
        self.robots = Robots(self._tokens, chance)
        self._counts: Counter[str] = Counter()
        self._routes: dict[tuple[str, str], Callable[[Asked, float], Response]] = {
            ("GET", SETUP_PATH): lambda asked, now: html(200, setup_page()),
            ("POST", LOOKUP_PATH): self._lookup,
            ("POST", CHALLENGE_PATH): self._challenge,
            ("GET", ENTRY_PATH): self._entry,
            ("GET", METADATA_PATH): self._metadata,
            ("POST", ACS_PATH): self._consume,
            ("GET", CONTINUE_PATH): self._continue,
            ("POST", TOKEN_PATH): self._token,
            ("POST", TOKENINFO_PATH): self._tokeninfo,
            ("GET", USERINFO_PATH): self._userinfo,
            ("POST", MULTILOGIN_PATH): self._multilogin,
            ("POST", ACCOUNTS_PATH): self._accounts,
        }
        self._grants = {"authorization_code": self._by_code, "refresh_token": self._by_refresh}

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request; `now` in Unix seconds. Raises nothing, whatever bytes come."""
        try:
            asked = take_apart(request)
        except ValueError:
            return _error(400, "The request cannot be read.")
        route = self._routes.get((asked.method, asked.path))
        return route(asked, now) if route else _error(404, "There is no such page.")

    def who_is(self, access_token: str, now: float) -> str | None:
        """The e-mail address that an access token belongs to; None when it is not good (any more)."""
        opened = self._tokens.open("access", access_token, now)
        return opened.fields[0] if opened else None

    def mint_access(self, user: str, scope: str, now: float, life_s: float = ACCESS_S) -> str:
        """An access token of a user for a scope (space separated), for so many real seconds."""
        return self._tokens.make("access", user, scope, until_s=now + life_s)

    def mint_session(self, user: str, now: float) -> tuple[str, str]:
        """What a sign-in on an earlier day left: a refresh token, and an access token that has died."""
        dead = self._tokens.make("access", user, _EMAIL_SCOPE, until_s=now)
        return self._tokens.make("refresh", user, until_s=now + REFRESH_S), dead

    def expire_tokens(self, *, refresh: bool) -> None:
        """Kill all access tokens at once, and all refresh tokens as well where that is said."""
        for kind in ("access", "refresh") if refresh else ("access",):
            self._tokens.expire(kind)

    def counts(self) -> Mapping[str, int]:
        """Since the start: sign-ins begun and done, assertions refused, codes and refresh tokens exchanged."""
        return dict(self._counts)

    def _lookup(self, asked: Asked, now: float) -> Response:
        """Tell a page whether an address signs in elsewhere, in headers as FakeGaia does."""
        if asked.form.get("identifier", "").strip().lower().partition("@")[2] != self._settings.domain:
            return html(200, "")
        to = self._begin(f"{self._settings.identity_url}{CONTINUE_PATH}", now)
        return html(200, "", (SAML_HEADER, "Start"), ("continue", to))

    def _entry(self, asked: Asked, now: float) -> Response:
        if asked.query.get("domain", "").lower() != self._settings.domain:
            return _error(400, "This domain has no identity provider.")
        after = asked.query.get("continue") or f"{self._settings.identity_url}{CONTINUE_PATH}"
        # What is not printable could end the header that it will be sent back in.
        if origin_of(after) != origin_of(self._settings.identity_url) or not (after.isascii() and after.isprintable()):
            return _error(400, "It may not continue elsewhere.")
        return redirect(self._begin(after, now), (SAML_HEADER, "Start"))

    def _begin(self, after: str, now: float) -> str:
        """The provider's URL with a new request. Its ID proves itself, and that it goes with this RelayState."""
        token = self._tokens.make("request", self._chance(9).hex(), until_s=now + REQUEST_S, bound=after)
        self._counts["begun"] += 1
        destination = self._provider.sso_urls["redirect"]
        return redirect_url(AuthnRequest(f"_{token}", self._entity_id, destination, self._acs_url, now), after)

    def _consume(self, asked: Asked, now: float) -> Response:
        """The assertion consumer service: each request is answered once, and so each assertion signs in once."""
        after = asked.form.get("RelayState", "")

        def request_of(id_: str) -> Opened | None:
            return self._tokens.open("request", id_.removeprefix("_"), now, bound=after)

        try:
            assertion = read_response(
                asked.form.get("SAMLResponse", ""),
                self._provider,
                audience=self._entity_id,
                acs_url=self._acs_url,
                asked=lambda id_: request_of(id_) is not None,
                now=now,
            )
            user = self._address(assertion.name_id)
            request = request_of(assertion.in_response_to)
            if request is None or not self._tokens.spend("request", request.fields[0], request.until_s, now):
                raise BadAssertion("replayed", f"the request that {assertion.id} answers was answered before")
        except BadAssertion as fault:
            self._counts["bad_assertions"] += 1
            page = message_page("Error", f"This account cannot be accessed: {fault.detail}")
            return html(403, page, (BAD_ASSERTION_HEADER, fault.part))
        return redirect(after, (SAML_HEADER, "End"), *self._signed_in(user, now))

    def _challenge(self, asked: Asked, now: float) -> Response:
        """Sign in whoever says an address, as FakeGaia does, where devices play the city's own service provider."""
        if not self._settings.takes_word:
            return _error(403, "This domain signs in at its identity provider.")
        try:
            user = self._address(asked.form.get("identifier", ""))
        except BadAssertion:
            return _error(400, "That is not an address.")
        return html(200, "", *self._signed_in(user, now))

    def _address(self, name_id: str) -> str:
        """The account that somebody is called by: an e-mail address of the domain, or there is no such account."""
        address = address_in(self._settings.domain, name_id)
        if not address:
            raise BadAssertion("subject", f"the NameID is not the e-mail address of a user of {self._settings.domain}")
        return address

    def _signed_in(self, user: str, now: float) -> tuple[tuple[str, str], ...]:
        """The headers of an answer that signs a user in."""
        self._counts["signed_in"] += 1
        code = self._tokens.make("code", user, self._chance(9).hex(), until_s=now + CODE_S)
        return (
            (SIGNIN_HEADER, signin_header(user, gaia_id_of(user))),
            cookie("SID", self._session("SID", user, now), "/"),
            cookie("LSID", self._session("LSID", user, now), "/"),
            cookie("oauth_code", code, "/"),
        )

    def _session(self, name: str, user: str, now: float) -> str:
        return self._tokens.make(name, user, until_s=now + SESSION_S)

    def _metadata(self, asked: Asked, now: float) -> Response:
        document = service_metadata(self._entity_id, self._acs_url)
        return Response(200, (("content-type", "application/samlmetadata+xml"),), document)

    def _continue(self, asked: Asked, now: float) -> Response:
        if self._tokens.open("SID", asked.cookies.get("SID", ""), now) is None:
            return _error(401, "Nobody is signed in here.")
        return html(200, message_page("Signed in", "The device goes on from here."))

    def _token(self, asked: Asked, now: float) -> Response:
        """The token endpoint; its errors are RFC 6749's (5.2)."""
        form = asked.form
        if robot := self.robots.exchange(form, now):
            return self._robot_tokens(robot, now)
        grant = self._grants.get(form.get("grant_type", ""))
        scopes = form.get("scope", "").split()
        if form.get("client_id") != CLIENT_ID:
            return json_answer(401, {"error": "invalid_client"})
        if grant is None:
            return json_answer(400, {"error": "unsupported_grant_type"})
        if not scopes or not all(scope == LOGIN_SCOPE or scope.startswith(_SCOPE_PREFIX) for scope in scopes):
            return json_answer(400, {"error": "invalid_scope"})
        granted = grant(form, now)
        if granted is None:
            return json_answer(400, {"error": "invalid_grant"})
        user, more = granted
        scope = " ".join(scopes)
        life_s = self._settings.token_life_s
        token = self._tokens.make("access", user, scope, until_s=now + life_s / self._settings.compression)
        said = {"access_token": token, "id_token": self._id_token(user, now)}
        return json_answer(200, {**said, "expires_in": life_s, "token_type": "Bearer", "scope": scope, **more})

    def _robot_tokens(self, granted: Granted, now: float) -> Response:
        said = {"access_token": self.mint_access(granted.robot, granted.scope, now), "expires_in": ACCESS_S}
        more = {"refresh_token": granted.refresh_token} if granted.refresh_token else {}
        self._counts["robots"] += 1
        return json_answer(200, {**said, "token_type": "Bearer", "scope": granted.scope, **more})

    def _by_code(self, form: dict[str, str], now: float) -> tuple[str, dict[str, str]] | None:
        """Whose code it is, with the refresh token for it; a code is good once."""
        code = self._tokens.open("code", form.get("code", ""), now)
        if code is None or not self._tokens.spend("code", code.fields[1], code.until_s, now):
            return None
        self._counts["codes"] += 1
        return code.fields[0], {"refresh_token": self._tokens.make("refresh", code.fields[0], until_s=now + REFRESH_S)}

    def _by_refresh(self, form: dict[str, str], now: float) -> tuple[str, dict[str, str]] | None:
        known = self._tokens.open("refresh", form.get("refresh_token", ""), now)
        if known is None:
            return None
        self._counts["refreshes"] += 1
        return known.fields[0], {}

    def _id_token(self, user: str, now: float) -> str:
        """A JSON Web Token (RFC 7519) under the stand-in's own key: Chrome reads it and does not verify it."""
        names = {"iss": self._settings.identity_url, "aud": CLIENT_ID, "sub": gaia_id_of(user), "email": user}
        claims = {**names, "email_verified": True, "iat": int(now), "exp": int(now) + self._settings.token_life_s}
        signed = f"{_JWT_HEADER}.{_jwt_part(claims)}"
        return f"{signed}.{self._tokens.sign(signed)}"

    def _tokeninfo(self, asked: Asked, now: float) -> Response:
        opened = self._tokens.open("access", asked.form.get("access_token", ""), now)
        if opened is None:
            return json_answer(400, {"error": "invalid_token"})
        user, scope = opened.fields
        said = {"issued_to": CLIENT_ID, "audience": CLIENT_ID, "user_id": gaia_id_of(user), "email": user}
        return json_answer(
            200, {**said, "scope": scope, "expires_in": int((opened.until_s - now) * self._settings.compression)}
        )

    def _userinfo(self, asked: Asked, now: float) -> Response:
        opened = self._tokens.open("access", asked.authorization.removeprefix("Bearer "), now)
        if opened is None:
            return json_answer(401, {"error": "invalid_token"})
        user, scope = opened.fields
        if _EMAIL_SCOPE not in scope.split():
            return json_answer(403, {"error": "insufficient_scope"})
        said = {"id": gaia_id_of(user), "email": user, "verified_email": True, "hd": self._settings.domain}
        return json_answer(200, said)

    def _multilogin(self, asked: Asked, now: float) -> Response:
        """Cookies for the first account of Authorization: MultiBearer token:id[,token:id ...], all of them good."""
        users, failed = [], []
        for pair in asked.authorization.removeprefix("MultiBearer ").split(","):
            token, _, gaia_id = pair.strip().rpartition(":")
            opened = self._tokens.open("access", token, now)
            user, scope = opened.fields if opened else ("", "")
            if gaia_id == gaia_id_of(user) and LOGIN_SCOPE in scope.split():
                users.append(user)
            else:
                failed.append({"obfuscated_id": gaia_id, "status": "RECOVERABLE"})
        if failed:
            return json_answer(403, {"status": "INVALID_TOKENS", "failed_accounts": failed}, before=f"{ANTI_HIJACK}\n")
        host = origin_of(self._settings.identity_url).partition("://")[2].partition(":")[0]
        usual = {"host": host, "path": "/", "isSecure": True, "isHttpOnly": True, "maxAge": SESSION_S}
        cookies = [{"name": name, "value": self._session(name, users[0], now), **usual} for name in _WEB_COOKIES]
        return json_answer(200, {"status": "OK", "cookies": cookies}, before=f"{ANTI_HIJACK}\n")

    def _accounts(self, asked: Asked, now: float) -> Response:
        session = self._tokens.open("SID", asked.cookies.get("SID", ""), now)
        headers = (("content-type", "application/json; charset=utf-8"), ("cache-control", "no-store"))
        return Response(200, headers, write_accounts([session.fields[0]] if session else []))


def _jwt_part(said: dict[str, object]) -> str:
    return urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


_JWT_HEADER = _jwt_part({"alg": "HS256", "typ": "JWT"})


def _error(status: int, text: str) -> Response:
    return html(status, message_page("Error", text))
