"""The stand-in's SAML identity provider: a login page, a password check, an assertion.

It plays the part that a city's own provider plays in a run against real systems. What it answers survives a restart;
what it hands out proves itself, so that a page costs no write. It must never know what a sign-in is for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from simulator.backend.accounts import Accounts, Verdict
from simulator.backend.idp_key import provider_of, signing_key
from simulator.backend.login_assets import asset
from simulator.backend.login_pages import LOCKED, WRONG, login_page, message_page, post_page
from simulator.backend.settings import BackendSettings, Chance
from simulator.backend.store import Store
from simulator.backend.tokens import Tokens
from simulator.backend.web import Asked, cookie, html, take_apart
from simulator.protocols.assertion import Assertion, write_response
from simulator.protocols.gaia import service_of
from simulator.protocols.messages import Push, Request, Response
from simulator.protocols.saml import BadAssertion, read_request
from simulator.protocols.saml_metadata import provider_metadata

SSO_PATH = "/idp/sso"
AUTHENTICATE_PATH = "/idp/login-actions/authenticate"
METADATA_PATH = "/idp/metadata"
COOKIE = "AUTH_SESSION_ID"
# Keycloak's defaults: half an hour to log in, a minute for the assertion to arrive.
LOGIN_S = 1800
ASSERTION_S = 60
_EXECUTION = "3f8a6c1e-5d0b-4b3e-9d0c-7a1f2e4b6c88"


class IdentityProvider:
    """One realm with one service provider: the enrolment domain's.

    Args:
        store, settings, chance: as for every service of the backend.
        outbox: not used; this service pushes nothing.
    """

    def __init__(self, store: Store, settings: BackendSettings, chance: Chance, outbox: list[Push]) -> None:
        self._settings, self._chance = settings, chance
        self._key, self._certificate = signing_key(store)
        self._provider = provider_of(store, settings)
        self._sso_url = self._provider.sso_urls["redirect"]
        self._audience, self._acs_url = service_of(settings.identity_url)
        self._tokens = Tokens(store, "idp", chance)
        self._accounts = Accounts(store, settings, chance)
        self._counts: Counter[str] = Counter()
        self._routes: dict[tuple[str, str], Callable[[Asked, float], Response]] = {
            ("GET", SSO_PATH): self._sso,
            ("POST", AUTHENTICATE_PATH): self._authenticate,
            ("GET", METADATA_PATH): self._metadata,
        }

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request; `now` in Unix seconds. Raises nothing, whatever bytes come."""
        try:
            asked = take_apart(request)
        except ValueError:
            return _sorry(400, "Bad request")
        route = self._routes.get((asked.method, asked.path))
        if route is not None:
            return route(asked, now)
        found = asset(asked.path) if asked.method == "GET" else None
        return found or _sorry(404, "Page not found")

    def counts(self) -> Mapping[str, int]:
        """Users ever seen; login pages, assertions signed, wrong and locked logins since the start."""
        return {"users": self._accounts.count(), **self._counts}

    def _sso(self, asked: Asked, now: float) -> Response:
        """An AuthnRequest of the one service provider gets the login page and a session."""
        try:
            wanted = read_request(asked.query.get("SAMLRequest", ""))
        except BadAssertion as fault:
            return _sorry(400, f"Invalid Request: {fault.detail}")
        if wanted.issuer != self._audience or wanted.acs_url not in ("", self._acs_url):
            return _sorry(400, "Unknown login requester")
        if wanted.destination not in ("", self._sso_url):
            return _sorry(400, "Invalid Request: destination")
        session = self._chance(12).hex()
        kept = cookie(COOKIE, self._tokens.make("session", session, until_s=now + LOGIN_S), "/idp/")
        page = self._page((session, wanted.id, asked.query.get("RelayState", "")), now)
        return replace(page, headers=(*page.headers, kept))

    def _page(self, carried: tuple[str, str, str], now: float, *, user: str = "", error: str = "") -> Response:
        """A login page whose code is good for one post; `carried`: session, request ID and RelayState."""
        page_id = self._chance(9).hex()
        code = self._tokens.make("page", page_id, *carried, until_s=now + LOGIN_S)
        query = {
            "session_code": code,
            "execution": _EXECUTION,
            "client_id": self._audience,
            "tab_id": page_id[:11],
        }
        self._counts["pages"] += 1
        base = urlsplit(self._sso_url)._replace(path=AUTHENTICATE_PATH).geturl()
        return html(200, login_page(self._settings.domain, base, query, user=user, error=error))

    def _authenticate(self, asked: Asked, now: float) -> Response:
        session = self._tokens.open("session", asked.cookies.get(COOKIE, ""), now)
        if session is None:
            return _sorry(400, "Restart login cookie not found. It may have expired; it may have been deleted.")
        page = self._tokens.open("page", asked.query.get("session_code", ""), now)
        if page is None or page.fields[1] != session.fields[0]:
            return _sorry(400, "Page has expired")
        page_id, session_id, request_id, relay_state = page.fields
        if not self._tokens.spend("page", page_id, page.until_s, now):
            return _sorry(400, "Page has expired: it was sent before")
        user = asked.form.get("username", "").strip().lower()
        verdict = self._accounts.check(user, asked.form.get("password", ""), now)
        if verdict is not Verdict.RIGHT:
            self._counts[verdict.value] += 1
            error = LOCKED if verdict is Verdict.LOCKED else WRONG
            return self._page((session_id, request_id, relay_state), now, user=user[:200], error=error)
        return html(200, post_page(self._acs_url, self._assert(user, request_id, session_id, now), relay_state))

    def _assert(self, user: str, request_id: str, session_id: str, now: float) -> str:
        assertion = Assertion(
            id=f"ID_{self._chance(16).hex()}",
            issuer=self._provider.entity_id,
            name_id=user,
            in_response_to=request_id,
            recipient=self._acs_url,
            audience=self._audience,
            issued_s=now,
            not_before_s=now,
            not_on_or_after_s=now + ASSERTION_S,
            session_index=session_id,
        )
        self._counts["assertions"] += 1
        return write_response(assertion, f"ID_{self._chance(16).hex()}", self._key, self._certificate)

    def _metadata(self, asked: Asked, now: float) -> Response:
        return Response(200, (("content-type", "application/samlmetadata+xml"),), provider_metadata(self._provider))


def _sorry(status: int, text: str) -> Response:
    return html(status, message_page("We are sorry...", text))
