"""Four identity providers' pages over real HTTP, as tests/data/forms has them: Keycloak, Shibboleth, AD FS, LemonLDAP.

One address for all: each sign-in gets the next provider's pages, with its cookies, redirects, one-time addresses and
its page for a wrong password, and a signed assertion at the end. What a real one would refuse is refused with a 400.
"""

from __future__ import annotations

import itertools
import threading
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from urllib.parse import parse_qs, parse_qsl, urlsplit

from lxml import etree

from simulator.backend.idp_key import signing_key
from simulator.backend.store import Store
from simulator.protocols.assertion import Assertion, write_response
from simulator.protocols.saml_metadata import Provider, provider_metadata

PAGES = Path(__file__).parents[1] / "data" / "forms"
HOSTS = ("https://login.city.example", "https://adfs.city.example:443", "https://auth.city.example")
KEYCLOAK, SHIBBOLETH, ADFS, LEMONLDAP = "keycloak", "shibboleth", "adfs", "lemonldap"
FLOWS = (KEYCLOAK, SHIBBOLETH, ADFS, LEMONLDAP)
# Each provider's session cookie, as it sets it over plain http, and the path that its pages have.
COOKIES = {
    KEYCLOAK: ("AUTH_SESSION_ID", "Path=/realms/city/; HttpOnly; Secure; SameSite=None"),
    SHIBBOLETH: ("JSESSIONID", "Path=/idp; Secure; HttpOnly"),
    ADFS: ("MSISSamlRequest", "path=/adfs; HttpOnly; Secure"),
    LEMONLDAP: ("lemonldappdata", "path=/; HttpOnly"),
}
STARTS = {
    KEYCLOAK: "/realms/city/protocol/saml",
    SHIBBOLETH: "/idp/profile/SAML2/Redirect/SSO?execution=e1s1",
    ADFS: "/adfs/ls/?SAMLRequest=abc&client-request-id=r",
    LEMONLDAP: "/saml/singleSignOn",
}
NAMES = {"samlp": "urn:oasis:names:tc:SAML:2.0:protocol", "saml": "urn:oasis:names:tc:SAML:2.0:assertion"}


@dataclass
class Session:
    """One sign-in under way."""

    flow: str
    request_id: str
    audience: str
    acs_url: str
    relay_state: str
    codes: set[str] = field(default_factory=set)
    user: str = ""


class FormProviders(ThreadingHTTPServer):
    """All four, at one address.

    Attributes:
        users: who is let in, with which password.
        flows: whose pages are shown, in turn.
        done: assertions handed out, by provider; wrong: wrong passwords; signed: requests that came signed; scripts:
            how often the one script of these pages was fetched.
        odd: what a real one would have refused, in words; a test wants none.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, users: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.users, self.flows = dict(users), FLOWS
        self.done: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()
        self.signed = self.scripts = 0
        self.odd: list[str] = []
        self.lock = threading.Lock()
        self.sessions: dict[str, Session] = {}
        self.begun, self.numbers = itertools.count(), itertools.count()
        self.key, certificate = signing_key(Store(":memory:"))
        sso = f"{self.url}/sso"
        self.provider = Provider(f"{self.url}/metadata", {"redirect": sso, "post": sso}, (certificate,))
        self.metadata = provider_metadata(self.provider)

    def page(self, name: str) -> str:
        """A saved page, its provider at our address."""
        text = (PAGES / f"{name}.html").read_text()
        for host in HOSTS:
            text = text.replace(host, self.url)
        return text

    def assertion(self, session: Session) -> str:
        """The last page of a sign-in, with a form that posts the assertion on."""
        now, number = time(), next(self.numbers)
        told = Assertion(
            id=f"_a{number}",
            issuer=self.provider.entity_id,
            name_id=session.user,
            in_response_to=session.request_id,
            recipient=session.acs_url,
            audience=session.audience,
            issued_s=now,
            not_before_s=now - 5,
            not_on_or_after_s=now + 60,
            session_index=f"s{number}",
        )
        response = write_response(told, f"_p{number}", self.key, self.provider.certificates[0])
        page = self.page("keycloak_post" if session.flow == KEYCLOAK else "simplesamlphp_post")
        for saved in ("https://accounts.city.example/SSO?a=1&amp;b=2", "https://accounts.city.example/SSO"):
            page = page.replace(f'"{saved}"', f'"{escape(session.acs_url)}"')
        for saved in ("PHNhbWxwOlJlc3BvbnNlLz4=", "PFJlc3BvbnNlLz4="):
            page = page.replace(f'"{saved}"', f'"{response}"')
        for saved in ("https://accounts.city.example/next?x=1&amp;y=&#34;2&#34;", "r"):
            page = page.replace(f'"{saved}"', f'"{escape(session.relay_state)}"')
        with self.lock:
            self.done[session.flow] += 1
        return page


class Handler(BaseHTTPRequestHandler):
    """One connection to them."""

    protocol_version = "HTTP/1.1"
    server: FormProviders

    def do_GET(self) -> None:
        """A page, or the start of a sign-in by redirect."""
        self._answer({})

    def do_POST(self) -> None:
        """A form, or the start of a sign-in by post."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(dict(parse_qsl(body, keep_blank_values=True)))

    def log_message(self, format: str, *args: object) -> None:
        """Keep silent."""

    def _answer(self, form: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if path == "/metadata":
            return self._send(200, self.server.metadata.decode())
        if path == "/sso":
            return self._begin(query, form)
        if path.endswith(".js"):
            with self.server.lock:
                self.server.scripts += 1
            return self._send(200, "document.forms[0].submit();", ("Cache-Control", "max-age=3600"))
        flow = next(name for name, start in STARTS.items() if path.split("/")[1] == start.split("/")[1])
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        morsel = cookies.get(COOKIES[flow][0])
        session = self.server.sessions.get(morsel.value if morsel else "")
        if session is None or session.flow != flow:
            return self._refuse(f"{flow}: a page without its session cookie")
        return getattr(self, f"_{flow}")(session, query, form, cookies)

    def _begin(self, query: dict[str, str], form: dict[str, str]) -> None:
        """Read the request by hand, by redirect (deflated) or by post, and show the next provider's pages."""
        told = {**query, **form}
        raw = b64decode(told["SAMLRequest"])
        root = etree.fromstring(raw if form else zlib.decompress(raw, wbits=-15))
        is_signed = root.find("{http://www.w3.org/2000/09/xmldsig#}Signature") is not None or "Signature" in query
        server = self.server
        with server.lock:
            number = next(server.begun)
            server.signed += is_signed
        session = Session(
            server.flows[number % len(server.flows)],
            root.get("ID", ""),
            root.findtext("saml:Issuer", "", NAMES),
            root.get("AssertionConsumerServiceURL", ""),
            told.get("RelayState", ""),
        )
        server.sessions[f"n{number}"] = session
        name, attributes = COOKIES[session.flow]
        self._send(302, "", ("Location", STARTS[session.flow]), ("Set-Cookie", f"{name}=n{number}; {attributes}"))

    def _keycloak(self, session: Session, query: dict[str, str], form: dict[str, str], cookies: SimpleCookie) -> None:
        """Its form's address is good once; the hidden credentialId and the button go along."""
        if not form:
            return self._send(200, self.server.page("keycloak_login"))
        if query["session_code"] in session.codes or (form["credentialId"], form["login"]) != ("", "Sign In"):
            return self._refuse("keycloak: an address for the second time, or a field was lost")
        session.codes.add(query["session_code"])
        return self._judge(session, form["username"], form["password"], "keycloak_login_again")

    def _shibboleth(self, session: Session, query: dict[str, str], form: dict[str, str], cookies: SimpleCookie) -> None:
        """The localStorage probe, the login, the page that would write localStorage: each with its CSRF token."""
        step = query["execution"]
        if not form:
            return self._send(200, self.server.page("shibboleth_probe" if step == "e1s1" else "shibboleth_login"))
        if not form["csrf_token"] or form["_eventId_proceed"]:
            return self._refuse("shibboleth: no CSRF token, or another button")
        if step == "e1s1":
            if form["shib_idp_ls_success.shib_idp_session_ss"] != "false":
                return self._refuse("shibboleth: no browser without JavaScript can read localStorage")
            return self._send(302, "", ("Location", f"{urlsplit(self.path).path}?execution=e1s2"))
        if "j_username" in form:
            return self._judge(session, form["j_username"], form["j_password"], "shibboleth_login_again")
        return self._send(200, self.server.assertion(session))

    def _adfs(self, session: Session, query: dict[str, str], form: dict[str, str], cookies: SimpleCookie) -> None:
        """The login, then a redirect to the same address with a cookie that proves it."""
        if form:
            if form["AuthMethod"] != "FormsAuthentication" or "Kmsi" in form:
                return self._refuse("adfs: the other form, or a box was ticked")
            return self._judge(session, form["UserName"], form["Password"], "adfs_login_again")
        if "MSISAuth" in cookies:
            return self._send(200, self.server.assertion(session))
        return self._send(200, self.server.page("adfs_login"))

    def _lemonldap(self, session: Session, query: dict[str, str], form: dict[str, str], cookies: SimpleCookie) -> None:
        """A base element, a password field of type text, a second form that is not the one."""
        if not form:
            return self._send(200, self.server.page("lemonldap_login"))
        if (form["lmAuth"], form["token"]) != ("LDAP", "1700000000_42") or not form["url"]:
            return self._refuse("lemonldap: the other form, or a field was lost")
        return self._judge(session, form["user"], form["password"], "lemonldap_login")

    def _judge(self, session: Session, user: str, password: str, again: str) -> None:
        """The page that follows a password: the login again, or onward."""
        server = self.server
        if server.users.get(user) != password:
            with server.lock:
                server.wrong[session.flow] += 1
            return self._send(200, server.page(again))
        session.user = user
        if session.flow == SHIBBOLETH:
            return self._send(200, server.page("shibboleth_write"))
        if session.flow == ADFS:
            return self._send(302, "", ("Location", self.path), ("Set-Cookie", "MSISAuth=AAEA; path=/adfs; HttpOnly"))
        return self._send(200, server.assertion(session))

    def _refuse(self, words: str) -> None:
        self.server.odd.append(words)
        self._send(400, "<title>Bad request</title>")

    def _send(self, status: int, page: str, *headers: tuple[str, str]) -> None:
        body = page.encode()
        self.send_response(status)
        for name, value in (("Content-Type", "text/html; charset=utf-8"), *headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(users: Mapping[str, str]) -> Iterator[FormProviders]:
    """The providers, in a thread of this process for as long as the context lasts."""
    with FormProviders(users) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
