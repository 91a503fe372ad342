"""An online sign-in from the first redirect to the list of accounts: device side and both services, in memory."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import itertools
import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import TypeVar, cast
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.backend import accounts, idp_key
from simulator.backend.accounts import Accounts, Verdict
from simulator.backend.identity import Identity
from simulator.backend.idp import IdentityProvider
from simulator.backend.idp_key import signing_key
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols import assertion, oauth
from simulator.protocols import identity as device
from simulator.protocols.account import password_of
from simulator.protocols.forms import LoginForm, SamlPost
from simulator.protocols.gaia import CLIENT_ID, gaia_id_of
from simulator.protocols.messages import Exchange, Refused, Request, Response
from simulator.protocols.saml import AuthnRequest, read_request, redirect_url
from simulator.protocols.saml_metadata import Provider, provider_metadata

T = TypeVar("T")
BASE = "https://accounts.city.example"
IDP = "https://login.city.example:8443"
USER = "taro.maebashi@city.example"
SECRET = b"secret of the fleet"
NOW = 1_790_000_000.0
PASSWORD = password_of(SECRET, USER)
SETTINGS = BackendSettings(
    management_url="https://management.city.example",
    identity_url=BASE,
    idp_url=IDP,
    updates_url="https://updates.city.example",
    push_url="mqtt://127.0.0.1:1883",
    password_secret=SECRET,
    password_cost=1,
)


ASSERTED = assertion.Assertion(
    id="_a",
    issuer=f"{IDP}/idp/metadata",
    name_id=USER,
    in_response_to="",
    recipient=f"{BASE}/acs",
    audience=f"{BASE}/metadata",
    issued_s=NOW,
    not_before_s=NOW,
    not_on_or_after_s=NOW + 60,
    session_index="s",
)


def chance() -> Callable[[int], bytes]:
    """Bytes that never repeat and need no randomness."""
    numbers = itertools.count()
    return lambda n: hashlib.shake_128(str(next(numbers)).encode()).digest(n)


@dataclass
class Town:
    """Both services over one store, at a time of the test's choosing; everything asked and answered is kept."""

    store: Store
    now: float = NOW
    chance: Callable[[int], bytes] = field(default_factory=chance)
    log: list[tuple[Request, Response]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.identity = Identity(self.store, SETTINGS, self.chance, [])
        self.idp = IdentityProvider(self.store, SETTINGS, self.chance, [])

    def handle(self, request: Request) -> Response:
        service = self.idp if urlsplit(request.url).netloc == urlsplit(IDP).netloc else self.identity
        response = service.handle(request, self.now)
        self.log.append((request, response))
        return response


class Browser:
    """One device's wire: cookies by the standard library's jar (RFC 6265's judge here), redirects by hand."""

    def __init__(self, town: Town) -> None:
        self.town, self.jar = town, CookieJar()

    def send(self, request: Request) -> Response:
        for _ in range(request.redirects + 1):
            asked = urllib.request.Request(request.url, method=request.method)
            self.jar.add_cookie_header(asked)
            if cookies := asked.get_header("Cookie"):
                request = replace(request, headers=(*request.headers, ("Cookie", cookies)))
            response = replace(self.town.handle(request), url=request.url)
            self._keep(response, asked)
            if response.status not in (302, 303, 307) or not request.redirects:
                break
            request = Request("GET", urljoin(request.url, response.header("location")), redirects=request.redirects - 1)
        return response

    def _keep(self, response: Response, asked: urllib.request.Request) -> None:
        message = Message()
        for name, value in response.headers:
            message[name] = value

        class Headers:
            def info(self) -> Message:
                return message

        self.jar.extract_cookies(cast("HTTPResponse", Headers()), asked)

    def ask(self, exchange: Exchange[T]) -> T:
        return exchange.read(self.send(exchange.request))


@pytest.fixture(scope="module")
def made_key() -> tuple[bytes, bytes]:
    """A signing key as it is kept, made once: it takes a quarter of a second."""
    with closing(Store(":memory:")) as store:
        signing_key(store)
        row = store.one("SELECT key, certificate FROM idp_key")
    assert row is not None
    return row["key"], row["certificate"]


@pytest.fixture
def town(made_key: tuple[bytes, bytes]) -> Iterator[Town]:
    with closing(Store(":memory:")) as store:
        store.ensure(idp_key.SCHEMA)
        store.execute("INSERT INTO idp_key VALUES (1, ?, ?)", *made_key)
        yield Town(store)


def first_form(browser: Browser) -> LoginForm:
    form = browser.ask(device.login_page(browser.ask(device.entry(BASE, "city.example"))))
    assert isinstance(form, LoginForm)
    return form


def post_of(browser: Browser) -> SamlPost:
    post = browser.ask(device.submit(first_form(browser), USER, PASSWORD))
    assert isinstance(post, SamlPost)
    return post


def signed_in(browser: Browser) -> device.SignedIn:
    return browser.ask(device.continue_page(browser.ask(device.assertion(BASE, post_of(browser)))))


def refusal(browser: Browser, exchange: Exchange[object]) -> Refused:
    with pytest.raises(Refused) as caught:
        browser.ask(exchange)
    return caught.value


def log_in(town: Town, **form: str) -> str:
    """One login posted by a browser of its own; the page that came."""
    browser = Browser(town)
    page = browser.send(submitted(first_form(browser), **form))
    assert page.status == 200
    return page.body.decode()


def submitted(form: LoginForm, **values: str) -> Request:
    return device.submit(form, values.get("username", USER), values.get("password", PASSWORD)).request


def test_the_whole_flow(town: Town) -> None:
    """Entry, login, assertion, code, tokens, user, cookies, accounts: every answer fits the next request."""
    browser = Browser(town)
    who = signed_in(browser)
    assert (who.email, who.gaia_id) == (USER, gaia_id_of(USER))
    assert who.continue_url.startswith(f"{BASE}/programmatic_auth_chromeos?hl=ja&scope=")
    tokens = browser.ask(oauth.token(BASE, who.code, device_id="d"))
    management = browser.ask(oauth.access_token(BASE, tokens.refresh_token, oauth.MANAGEMENT_SCOPES))
    sync = browser.ask(oauth.access_token(BASE, tokens.refresh_token, oauth.SYNC_SCOPES))
    assert browser.ask(oauth.userinfo(BASE, sync.token)) == oauth.UserInfo(gaia_id_of(USER), USER)
    assert town.identity.who_is(management.token, town.now) == USER
    cookies = browser.ask(device.multilogin(BASE, tokens.access_token, who.gaia_id))
    assert {cookie.name for cookie in cookies} == {"SID", "LSID", "HSID", "SSID", "APISID", "SAPISID"}
    assert {cookie.host for cookie in cookies} == {"accounts.city.example"}
    assert browser.ask(device.accounts(BASE)) == (USER,)
    claims = json.loads(base64.urlsafe_b64decode(tokens.id_token.split(".")[1] + "=="))
    assert (claims["email"], claims["exp"]) == (USER, NOW + 3600)
    assert [response.status for _, response in town.log] == [302, 200, 200, 302, 200, 200, 200, 200, 200, 200, 200]


def test_headers_as_chrome_reads_them(town: Town) -> None:
    """Start at the entry, End with who signed in at the consumer service, cookies as FakeGaia's."""
    browser = Browser(town)
    browser.ask(device.assertion(BASE, post_of(browser)))
    start, *_, end = (response for _, response in town.log)
    assert start.header("google-accounts-saml") == "Start"
    assert end.header("google-accounts-saml") == "End"
    assert end.header("google-accounts-signin") == (
        f'email="{USER}", obfuscatedid="{gaia_id_of(USER)}", sessionindex=0'
    )
    cookies = [value for name, value in end.headers if name == "set-cookie"]
    assert [cookie.partition("=")[0] for cookie in cookies] == ["SID", "LSID", "oauth_code"]
    assert all(cookie.endswith("; Path=/; HttpOnly; SameSite=None; Secure") for cookie in cookies)


def test_login_page_is_like_a_real_one(town: Town) -> None:
    """Two to four KiB, a session cookie for its own path, a hidden field, and an action with &amp; in it."""
    form = first_form(Browser(town))
    page = town.log[-1][1]
    assert 2048 <= len(page.body) <= 4096
    assert b"&amp;tab_id=" in page.body
    assert page.header("set-cookie").startswith("AUTH_SESSION_ID=")
    assert "; Path=/idp/; HttpOnly" in page.header("set-cookie")
    assert [name for name, _ in form.fields] == ["username", "password", "credentialId", "login"]


def test_restart_between_any_two_steps(tmp_path: Path) -> None:
    """Both services made anew from the database before every single request: the sign-in goes through."""

    class Restarting(Town):
        def handle(self, request: Request) -> Response:
            self.store.close()
            self.store = Store(str(tmp_path / "b.sqlite"))
            self.__post_init__()
            return super().handle(request)

    town = Restarting(Store(str(tmp_path / "b.sqlite")))
    browser = Browser(town)
    tokens = browser.ask(oauth.token(BASE, signed_in(browser).code, device_id="d"))
    browser.ask(oauth.access_token(BASE, tokens.refresh_token, oauth.SYNC_SCOPES))
    assert browser.ask(device.accounts(BASE)) == (USER,)
    town.store.close()


def test_what_was_used_stays_used(tmp_path: Path) -> None:
    """After a restart a code, an assertion and a login page that were used are refused as before it."""
    path = str(tmp_path / "b.sqlite")
    town = Town(Store(path))
    browser = Browser(town)
    form = first_form(browser)
    post = browser.ask(device.submit(form, USER, PASSWORD))
    assert isinstance(post, SamlPost)
    who = browser.ask(device.assertion(BASE, post))
    browser.ask(oauth.token(BASE, who.code, device_id="d"))
    town.store.close()
    browser.town = Town(Store(path))
    assert refusal(browser, device.submit(form, USER, PASSWORD)).status == 400
    assert "replayed" in body_of_refusal(browser, device.assertion(BASE, post))
    assert refusal(browser, oauth.token(BASE, who.code, device_id="d")).reason == "invalid_grant"
    browser.town.store.close()


def body_of_refusal(browser: Browser, exchange: Exchange[object]) -> str:
    assert refusal(browser, exchange).status == 403
    return browser.town.log[-1][1].body.decode()


@pytest.mark.parametrize(
    ("user", "password"),
    [
        (USER, "wrong"),
        (USER, ""),
        (USER, PASSWORD + "x"),
        ("hanako@city.example", PASSWORD),
        ("taro@other.example", password_of(SECRET, "taro@other.example")),
        ("taro.maebashi", PASSWORD),
        ("", PASSWORD),
        ("'\"><script>@city.example", PASSWORD),
    ],
)
def test_wrong_login(town: Town, user: str, password: str) -> None:
    """The login page again with 200 and its error, escaped; the right password then goes through on that page."""
    browser = Browser(town)
    form = first_form(browser)
    caught = refusal(browser, device.submit(form, user, password))
    assert (caught.reason, caught.detail) == ("login_page_again", "Invalid username or password.")
    page = town.log[-1][1].body.decode()
    assert "<script>" not in page
    again = re.search('action="([^"]+)"', page)
    assert again is not None
    second = replace(form, action=html.unescape(again[1]))
    assert second.action != form.action
    assert isinstance(browser.ask(device.submit(second, USER, PASSWORD)), SamlPost)


def test_any_user_of_the_domain_in_any_case(town: Town) -> None:
    """Users are not listed beforehand; an address is one whatever its case and the spaces around it."""
    assert "SAMLResponse" in log_in(town, username=f"  {USER.upper()} ")
    assert "SAMLResponse" in log_in(town, username="x1@city.example", password=password_of(SECRET, "x1@city.example"))
    assert town.idp.counts()["users"] == 2


def test_locked_account(town: Town) -> None:
    """After thirty wrong passwords the right one is refused for a quarter of an hour, other people's are not."""
    for _ in range(30):
        assert "Invalid username or password." in log_in(town, password="wrong")
    assert "temporarily disabled" in log_in(town)
    other = "hanako@city.example"
    assert "SAMLResponse" in log_in(town, username=other, password=password_of(SECRET, other))
    town.now += 899
    assert "temporarily disabled" in log_in(town)
    town.now += 1
    assert "SAMLResponse" in log_in(town)


def test_right_password_forgives(town: Town) -> None:
    """Only wrong passwords in a row count."""
    for _ in range(2):
        for _ in range(29):
            log_in(town, password="wrong")
        assert "SAMLResponse" in log_in(town)


def test_login_form_is_bound(town: Town) -> None:
    """A form is good once, for its own session, for half an hour."""
    browser, stranger = Browser(town), Browser(town)
    form = first_form(browser)
    assert refusal(stranger, device.submit(form, USER, PASSWORD)).status == 400
    first_form(stranger)
    assert refusal(stranger, device.submit(form, USER, PASSWORD)).status == 400
    assert isinstance(browser.ask(device.submit(form, USER, PASSWORD)), SamlPost)
    assert refusal(browser, device.submit(form, USER, PASSWORD)).status == 400
    late = first_form(browser)
    town.now += 1800
    assert refusal(browser, device.submit(late, USER, PASSWORD)).status == 400


def test_assertion_is_bound(town: Town) -> None:
    """An assertion is refused for another RelayState, without a request of ours, too late, and damaged."""
    browser = Browser(town)
    post = post_of(browser)
    response = dict(post.fields)["SAMLResponse"]
    elsewhere = replace(post, fields=(("SAMLResponse", response), ("RelayState", f"{BASE}/elsewhere")))
    assert "in_response_to" in body_of_refusal(browser, device.assertion(BASE, elsewhere))
    damaged = b64(base64.b64decode(response).replace(b"taro.maebashi@", b"mayor@"))
    forged = replace(post, fields=(("SAMLResponse", damaged), post.fields[1]))
    assert "signature" in body_of_refusal(browser, device.assertion(BASE, forged))
    town.now += 60 + 60
    assert "expired" in body_of_refusal(browser, device.assertion(BASE, post))
    assert town.identity.counts()["bad_assertions"] == 3


def test_each_bad_assertion_is_a_reason_at_the_device(town: Town) -> None:
    """Expired, for another, in answer to another, by another key, unsigned, a second answer to one request: the device
    tells each apart, as a refusal by the service provider."""
    browser = Browser(town)
    key, certificate = signing_key(town.store)
    other = signing_key(Store(":memory:"))

    def asked_in(post: SamlPost) -> str:
        xml = base64.b64decode(dict(post.fields)["SAMLResponse"]).decode()
        return re.findall('InResponseTo="([^"]+)"', xml)[0]

    def said(**change: object) -> str:
        """The reason for an assertion that is right but for that."""
        post = post_of(browser)
        told = replace(ASSERTED, in_response_to=asked_in(post))
        signer = other if change.pop("forged", False) else (key, certificate)
        response = assertion.write_response(replace(told, **change), "_p", *signer)  # type: ignore[arg-type]
        exchange = device.assertion(BASE, replace(post, fields=(("SAMLResponse", response), post.fields[1])))
        refused = refusal(browser, exchange)
        assert (refused.outcome, refused.status) == ("refused", 403)
        assert refused.detail.startswith("This account cannot be accessed: ")
        return refused.reason

    elsewhere = "https://portal.city.example/acs"
    assert said(not_before_s=NOW - 900, not_on_or_after_s=NOW - 600) == "assertion_expired"
    assert said(not_before_s=NOW + 600, not_on_or_after_s=NOW + 900) == "assertion_not_yet"
    assert said(audience="https://portal.city.example") == "assertion_audience"
    assert said(recipient=elsewhere) == "assertion_destination"
    assert said(in_response_to="_never_asked") == "assertion_in_response_to"
    assert said(issuer="https://evil.example") == "assertion_issuer"
    assert said(name_id="taro") == "assertion_subject"
    assert said(forged=True) == "assertion_signature"
    post = post_of(browser)
    browser.ask(device.assertion(BASE, post))
    assert refusal(browser, device.assertion(BASE, post)).reason == "assertion_replayed"
    told = replace(ASSERTED, in_response_to=asked_in(post), id="_another")
    second = (("SAMLResponse", assertion.write_response(told, "_p", key, certificate)), post.fields[1])
    assert refusal(browser, device.assertion(BASE, replace(post, fields=second))).reason == "assertion_replayed"
    unsigned = re.sub(rb"(?s)<ds:Signature.*</ds:Signature>", b"", base64.b64decode(dict(post.fields)["SAMLResponse"]))
    bare = replace(post, fields=(("SAMLResponse", b64(unsigned)), post.fields[1]))
    assert refusal(browser, device.assertion(BASE, bare)).reason == "assertion_unsigned"
    assert refusal(browser, device.assertion(BASE, replace(post, fields=(("SAMLResponse", "*"),)))).reason == (
        "bad_assertion"
    )


def test_the_city_s_own_provider(town: Town) -> None:
    """With a named provider's metadata the device is sent there, and that one's assertion is taken instead of ours."""
    other = signing_key(Store(":memory:"))
    city = Provider("https://idp.city.example/", {"redirect": "https://idp.city.example/sso?a=1"}, (other[1],))
    named = replace(SETTINGS, idp_metadata=provider_metadata(city).decode())
    town.identity = Identity(town.store, named, town.chance, [])
    browser = Browser(town)
    location = browser.ask(device.entry(BASE, "city.example"))
    assert location.startswith("https://idp.city.example/sso?a=1&SAMLRequest=")
    query = parse_qs(urlsplit(location).query)
    asked = read_request(query["SAMLRequest"][0])
    assert (asked.issuer, asked.acs_url) == (f"{BASE}/metadata", f"{BASE}/acs")
    told = replace(ASSERTED, issuer=city.entity_id, in_response_to=asked.id)
    for signer, reason in ((signing_key(town.store), "assertion_signature"), (other, "")):
        fields = (
            ("SAMLResponse", assertion.write_response(told, "_p", *signer)),
            ("RelayState", query["RelayState"][0]),
        )
        exchange = device.assertion(BASE, SamlPost(f"{BASE}/acs", fields, "utf-8", "https://idp.city.example"))
        if reason:
            assert refusal(browser, exchange).reason == reason
        else:
            assert browser.ask(exchange).email == USER


def test_at_its_word(town: Town) -> None:
    """Where devices verify assertions themselves an address is signed in as FakeGaia does; anywhere else it is not."""
    assert refusal(Browser(town), device.challenge(BASE, USER)).status == 403
    town.identity = Identity(town.store, replace(SETTINGS, takes_word=True), town.chance, [])
    browser = Browser(town)
    who = browser.ask(device.continue_page(browser.ask(device.challenge(BASE, USER))))
    assert (who.email, who.gaia_id) == (USER, gaia_id_of(USER))
    tokens = browser.ask(oauth.token(BASE, who.code, device_id="d"))
    assert town.identity.who_is(tokens.access_token, town.now) == USER
    assert refusal(Browser(town), device.challenge(BASE, "taro@other.example")).status == 400


@pytest.mark.parametrize("name_id", ["taro@other.example", 'a"b@city.example', "a\nb@city.example", "city.example"])
def test_assertion_about_nobody_here(town: Town, name_id: str) -> None:
    """A rightly signed assertion is refused whose address is none of this domain, or could break a header."""
    browser = Browser(town)
    post = post_of(browser)
    (asked,) = re.findall('InResponseTo="([^"]+)"', base64.b64decode(dict(post.fields)["SAMLResponse"]).decode())[:1]
    told = replace(ASSERTED, in_response_to=asked)
    for name, part in ((USER, ""), (name_id, "subject")):
        response = assertion.write_response(replace(told, name_id=name), "_p", *signing_key(town.store))
        exchange = device.assertion(BASE, replace(post, fields=(("SAMLResponse", response), post.fields[1])))
        if part:
            assert part in body_of_refusal(browser, exchange)
        else:
            assert browser.ask(exchange).email == USER


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def test_request_of_another_service(town: Town) -> None:
    """The identity provider answers its one service provider, and says no to anybody else."""
    browser = Browser(town)
    sso = f"{IDP}/idp/sso"
    ours = AuthnRequest("_1", f"{BASE}/metadata", sso, f"{BASE}/acs", NOW)
    assert isinstance(browser.ask(device.login_page(redirect_url(ours, "r"))), LoginForm)
    for wrong in (
        replace(ours, issuer="google.com/a/other.example"),
        replace(ours, acs_url="https://evil.example/SSO"),
        replace(ours, destination="https://other.example/sso"),
    ):
        url = redirect_url(wrong, "r").replace(wrong.destination, sso, 1)
        assert refusal(browser, device.login_page(url)).status == 400
    assert refusal(browser, device.login_page(f"{sso}?SAMLRequest=x")).status == 400


def test_assertion_nobody_asked_for(town: Town) -> None:
    """A good assertion in answer to a request that this service never made is refused."""
    browser = Browser(town)
    ours = AuthnRequest("_1", f"{BASE}/metadata", f"{IDP}/idp/sso", f"{BASE}/acs", NOW)
    form = browser.ask(device.login_page(redirect_url(ours, f"{BASE}/programmatic_auth_chromeos")))
    assert isinstance(form, LoginForm)
    post = browser.ask(device.submit(form, USER, PASSWORD))
    assert isinstance(post, SamlPost)
    assert "in_response_to" in body_of_refusal(browser, device.assertion(BASE, post))


@pytest.mark.parametrize(
    "after", ["https://evil.example/", f"{BASE}/%0d%0aSet-Cookie:x=1", "javascript:1", f"{BASE}@evil.example/"]
)
def test_no_open_redirect(town: Town, after: str) -> None:
    """A sign-in continues here and nowhere else, and its address cannot end a header."""
    query = urlencode({"domain": "city.example"}) + "&continue=" + after
    assert town.handle(Request("GET", f"{BASE}/samlredirect?{query}")).status == 400


def test_unknown_domain(town: Town) -> None:
    """A domain without a provider: 400, as Google answers."""
    assert refusal(Browser(town), device.entry(BASE, "other.example")).status == 400


def test_lookup(town: Town) -> None:
    """The page's question where an address signs in: in headers for the domain, empty for any other (FakeGaia)."""
    url = f"{BASE}/_/embedded/lookup/accountlookup"
    ours = town.handle(Request("POST", url, body=b"identifier=taro%40city.example"))
    assert (ours.status, ours.header("google-accounts-saml")) == (200, "Start")
    assert isinstance(Browser(town).ask(device.login_page(ours.header("continue"))), LoginForm)
    other = town.handle(Request("POST", url, body=b"identifier=taro%40other.example"))
    assert (other.status, other.body, other.header("continue")) == (200, b"", "")
    assert town.handle(Request("GET", f"{BASE}/embedded/setup/v2/chromeos?hl=ja")).status == 200


def test_continue_needs_a_session(town: Town) -> None:
    """Without the session cookie nobody is signed in, and no account is listed."""
    browser = Browser(town)
    who = signed_in(browser)
    stranger = Browser(town)
    assert refusal(stranger, device.continue_page(who)).status == 401
    assert stranger.ask(device.accounts(BASE)) == ()


def test_tokens_expire(town: Town) -> None:
    """A code lives ten minutes, an access token an hour, a refresh token half a year; each to the second."""
    browser = Browser(town)
    early, late = signed_in(browser), signed_in(Browser(town))
    town.now += 599
    tokens = browser.ask(oauth.token(BASE, early.code, device_id="d"))
    town.now += 1
    assert refusal(browser, oauth.token(BASE, late.code, device_id="d")).reason == "invalid_grant"
    town.now = NOW + 599 + 3599
    assert town.identity.who_is(tokens.access_token, town.now) == USER
    town.now += 1
    assert town.identity.who_is(tokens.access_token, town.now) is None
    assert refusal(browser, device.multilogin(BASE, tokens.access_token, early.gaia_id)).reason == "invalid_grant"
    town.now = NOW + 599 + 180 * 86400 - 1
    browser.ask(oauth.access_token(BASE, tokens.refresh_token, oauth.SYNC_SCOPES))
    town.now += 1
    refused = refusal(browser, oauth.access_token(BASE, tokens.refresh_token, oauth.SYNC_SCOPES))
    assert refused.reason == "invalid_grant"


def test_tokens_are_good_for_their_scope_and_kind(town: Town) -> None:
    """A token of one kind is nothing as another; userinfo wants its scope, multilogin wants its own."""
    browser = Browser(town)
    who = signed_in(browser)
    tokens = browser.ask(oauth.token(BASE, who.code, device_id="d"))
    narrow = browser.ask(oauth.access_token(BASE, tokens.refresh_token, oauth.MANAGEMENT_SCOPES))
    assert refusal(browser, oauth.userinfo(BASE, narrow.token)).status == 403
    assert refusal(browser, oauth.userinfo(BASE, tokens.refresh_token)).status == 401
    assert refusal(browser, device.multilogin(BASE, narrow.token, who.gaia_id)).reason == "invalid_grant"
    assert refusal(browser, device.multilogin(BASE, tokens.access_token, "1")).reason == "invalid_grant"
    wrong_kind = oauth.access_token(BASE, tokens.access_token, oauth.SYNC_SCOPES)
    assert refusal(browser, wrong_kind).reason == "invalid_grant"
    assert town.identity.who_is(tokens.refresh_token, NOW) is None
    assert town.identity.who_is(narrow.token[:-1] + ("A" if narrow.token[-1] != "A" else "B"), NOW) is None
    bad_scope = refusal(browser, oauth.access_token(BASE, tokens.refresh_token, ["everything"]))
    assert (bad_scope.reason, bad_scope.detail) == ("http_status", "HTTP 400 invalid_scope")


def test_minted_token_and_tokeninfo(town: Town) -> None:
    """The operator's token is one like any other; tokeninfo says whose, what for and how long."""
    token = town.identity.mint_access("enroller@city.example", "a b", NOW)
    assert town.identity.who_is(token, NOW) == "enroller@city.example"
    town.now += 100
    url = f"{BASE}/oauth2/v2/tokeninfo"
    said = json.loads(town.handle(Request("POST", url, body=urlencode({"access_token": token}).encode())).body)
    assert (said["email"], said["scope"], said["expires_in"]) == ("enroller@city.example", "a b", 3500)
    assert said["user_id"] == gaia_id_of("enroller@city.example")
    assert town.handle(Request("POST", url, body=b"access_token=x")).status == 400


@pytest.mark.parametrize(
    ("fields", "status", "error"),
    [
        ({"client_id": "other"}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": ""}, 400, "invalid_scope"),
        ({"code": "x"}, 400, "invalid_grant"),
    ],
)
def test_token_errors(town: Town, fields: dict[str, str], status: int, error: str) -> None:
    """The token endpoint's errors are RFC 6749's."""
    good = parse_qs(oauth.token(BASE, "c", device_id="d").request.body.decode())
    body = urlencode({name: values[0] for name, values in good.items()} | fields).encode()
    answer = town.handle(Request("POST", f"{BASE}/oauth2/v4/token", body=body))
    assert (answer.status, json.loads(answer.body)) == (status, {"error": error})


def test_no_password_is_kept(tmp_path: Path) -> None:
    """After right and wrong logins neither password is in the database's files or in any answer."""
    town = Town(Store(str(tmp_path / "b.sqlite")))
    log_in(town)
    log_in(town, password="wrong-but-secret")
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    answers = b"".join(response.body for _, response in town.log)
    assert USER.encode() in files
    for secret in (PASSWORD.encode(), b"wrong-but-secret"):
        assert secret not in files
        assert secret not in answers
    town.store.close()


def test_password_hash(town: Town) -> None:
    """What is kept is PBKDF2-HMAC-SHA256 over a salt of its own, at the cost of the settings."""
    log_in(town)
    row = town.store.one("SELECT * FROM idp_users")
    assert row is not None
    block = hmac.digest(PASSWORD.encode(), row["salt"] + b"\0\0\0\1", "sha256")
    # RFC 8018 5.2 with one iteration: the first block is the hash.
    assert (row["cost"], row["hash"], len(row["salt"])) == (1, block, 16)


def test_one_signature_one_hash_one_verification(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sign-in signs once, verifies once and hashes one password once, the first of a user and the next."""
    done: Counter[str] = Counter()

    def counted(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            done[name] += 1
            return real(*args, **kwargs)

        return call

    monkeypatch.setattr(assertion.XMLSigner, "sign", counted("sign", assertion.XMLSigner.sign))
    monkeypatch.setattr(assertion.XMLVerifier, "verify", counted("verify", assertion.XMLVerifier.verify))
    monkeypatch.setattr(accounts, "pbkdf2_hmac", counted("hash", accounts.pbkdf2_hmac))
    for times in (1, 2):
        signed_in(Browser(town))
        assert done == {"sign": times, "verify": times, "hash": times}


def test_counts(town: Town) -> None:
    """What the operator is shown after one wrong and one right login."""
    log_in(town, password="wrong")
    browser = Browser(town)
    browser.ask(oauth.token(BASE, signed_in(browser).code, device_id="d"))
    assert town.idp.counts() == {"users": 1, "pages": 3, "wrong": 1, "assertions": 1}
    assert town.identity.counts() == {"begun": 2, "signed_in": 1, "codes": 1}


def test_metadata_is_served(town: Town) -> None:
    """Each side's metadata is where its entity id says, or where the other would ask."""
    provider = town.handle(Request("GET", f"{IDP}/idp/metadata"))
    service = town.handle(Request("GET", f"{BASE}/metadata"))
    assert f'entityID="{IDP}/idp/metadata"'.encode() in provider.body
    assert f'Location="{BASE}/acs"'.encode() in service.body
    assert {provider.header("content-type"), service.header("content-type")} == {"application/samlmetadata+xml"}


PATHS = [
    "/samlredirect",
    "/acs",
    "/metadata",
    "/programmatic_auth_chromeos",
    "/oauth2/v4/token",
    "/oauth2/v2/tokeninfo",
    "/oauth2/v1/userinfo",
    "/oauth/multilogin",
    "/ListAccounts",
    "/embedded/setup/v2/chromeos",
    "/_/embedded/signin/challenge",
    "/_/embedded/lookup/accountlookup",
    "/idp/sso",
    "/idp/login-actions/authenticate",
    "/idp/metadata",
]
KNOWN = Town(Store(":memory:"))
_BROWSER = Browser(KNOWN)
_WHO = signed_in(_BROWSER)
_TOKENS = _BROWSER.ask(oauth.token(BASE, _WHO.code, device_id="d"))
WORDS = st.text() | st.sampled_from(
    [
        USER,
        PASSWORD,
        "city.example",
        CLIENT_ID,
        "authorization_code",
        "refresh_token",
        oauth.LOGIN_SCOPE,
        _WHO.code,
        _TOKENS.refresh_token,
        _TOKENS.access_token,
        _TOKENS.access_token + ".x",
        "W10.x",
        f"Bearer {_TOKENS.access_token}",
        f"MultiBearer {_TOKENS.access_token}:1",
        *(dict(parse_qs(request.body.decode())).get("SAMLResponse", ["x"])[0] for request, _ in KNOWN.log),
    ]
)
NAMES = (
    "domain",
    "continue",
    "SAMLRequest",
    "SAMLResponse",
    "RelayState",
    "session_code",
    "username",
    "password",
    "grant_type",
    "client_id",
    "scope",
    "code",
    "refresh_token",
    "access_token",
    "identifier",
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), WORDS).map(urlencode)
REQUESTS = st.builds(
    Request,
    method=st.sampled_from(["GET", "POST", "PUT", ""]),
    url=st.builds(
        "{}{}?{}".format, st.sampled_from([BASE, IDP]), st.sampled_from(PATHS) | st.text(), FIELDS | st.text()
    )
    | st.text(),
    body=FIELDS.map(str.encode) | st.binary(),
    headers=st.lists(st.tuples(st.sampled_from(["cookie", "authorization"]), WORDS), max_size=3).map(tuple),
)


@settings(max_examples=300, deadline=None)
@given(REQUESTS)
def test_arbitrary_requests(request: Request) -> None:
    """Whatever is asked of either service gets an answer with a status of HTTP, and never raises."""
    for service in (KNOWN.identity, KNOWN.idp):
        assert 200 <= service.handle(request, NOW).status < 500


def test_tokens_live_as_the_settings_say() -> None:
    """Told 600 s at 10 city seconds a second, an access token is good for 60 real ones; tokeninfo counts the city's."""
    with closing(Store(":memory:")) as store:
        settings = replace(SETTINGS, token_life_s=600, compression=10.0, lock_after=3)
        identity = Identity(store, settings, chance(), [])
        refresh_token, _ = identity.mint_session(USER, NOW)
        exchange = oauth.access_token(BASE, refresh_token, oauth.SYNC_SCOPES)
        token = exchange.read(identity.handle(exchange.request, NOW))
        assert token.expires_in_s == 600
        assert identity.who_is(token.token, NOW + 59) == USER
        assert identity.who_is(token.token, NOW + 61) is None
        asked = Request("POST", f"{BASE}/oauth2/v2/tokeninfo", body=urlencode({"access_token": token.token}).encode())
        # a token's last instant is a whole second
        assert json.loads(identity.handle(asked, NOW + 30).body)["expires_in"] in range(290, 301)
        accounts = Accounts(store, settings, chance())
        told = [accounts.check(USER, "wrong", NOW) for _ in range(3)]
        assert told == [Verdict.WRONG] * 3
        assert accounts.check(USER, PASSWORD, NOW) is Verdict.LOCKED
