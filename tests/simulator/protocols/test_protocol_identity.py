"""The device side of an online sign-in: what is asked, byte for byte, and how answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocols.forms import LoginForm, SamlPost
from simulator.protocols.gaia import (
    CLIENT_ID,
    CLIENT_SECRET,
    gaia_id_of,
    read_accounts,
    read_signin_header,
    signin_header,
    write_accounts,
)
from simulator.protocols.identity import (
    SignedIn,
    WebCookie,
    accounts,
    assertion,
    continue_page,
    entry,
    login_page,
    multilogin,
    submit,
)
from simulator.protocols.messages import Broken, Exchange, Refused, Response, Skipped, Trouble, Unknown
from simulator.protocols.oauth import (
    MANAGEMENT_SCOPES,
    SYNC_SCOPES,
    AccessToken,
    Tokens,
    UserInfo,
    access_token,
    management_token,
    renew,
    robot_token,
    token,
    userinfo,
    userinfo_if_alive,
)

BASE = "http://127.0.0.1:9001"
POST = SamlPost(f"{BASE}/acs", (("SAMLResponse", "PFI+"), ("RelayState", "r")), "utf-8", "http://127.0.0.1:9002")
SIGNED_IN = SignedIn("taro@city.example", "101", f"{BASE}/next", "")
FORM = LoginForm(f"{BASE}/in", "POST", (("u", ""), ("p", "")), "u", "p", "", "utf-8", BASE, False, False, False, 1)


def trouble(refused: Callable[[], object]) -> Trouble:
    with pytest.raises((Refused, Broken)) as caught:
        refused()
    return caught.value


def test_gaia_id() -> None:
    """A 1 and twenty digits, always the same ones: the first 8 bytes of SHA-256("abc") are ba7816bf8f01cfea."""
    assert gaia_id_of("abc") == f"1{0xBA7816BF8F01CFEA:020d}"
    assert len(gaia_id_of("abc")) == 21


def test_entry() -> None:
    """The sign-in of a domain is opened with its continue URL escaped once more (sign-in by SAML_INTERSTITIAL)."""
    exchange = entry(BASE, "city.example")
    assert exchange.step == "identity.entry"
    assert (exchange.request.method, exchange.request.redirects) == ("GET", 0)
    assert exchange.request.url == (
        f"{BASE}/samlredirect?domain=city.example&continue=http%3A%2F%2F127.0.0.1%3A9001%2Fprogrammatic_auth_chromeos"
        "%3Fhl%3Dja%26scope%3Dhttps%253A%252F%252Fwww.google.com%252Faccounts%252FOAuthLogin"
        "%26client_id%3D77185425430.apps.googleusercontent.com%26access_type%3Doffline"
    )
    headers = (("location", "/idp?SAMLRequest=x"), ("google-accounts-saml", "Start"))
    for status in (302, 307):
        assert exchange.read(Response(status, headers, url=exchange.request.url)) == f"{BASE}/idp?SAMLRequest=x"


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (400, (), "http_status"),
        (200, (), "http_status"),
        (302, (("location", "https://idp/"),), "missing_part"),
        (302, (("location", "https://idp/"), ("google-accounts-saml", "End")), "missing_part"),
        (302, (("google-accounts-saml", "Start"),), "bad_redirect"),
        (302, (("location", "javascript:1"), ("google-accounts-saml", "Start")), "bad_redirect"),
        (302, (("location", "http://["), ("google-accounts-saml", "Start")), "bad_redirect"),
    ],
)
def test_entry_troubles(status: int, headers: tuple[tuple[str, str], ...], reason: str) -> None:
    """No redirect, no header or no place to go: each by its reason."""
    assert trouble(lambda: entry(BASE, "d").read(Response(status, headers, url=BASE))).reason == reason


def test_assertion() -> None:
    """The post goes to the form's action; who signed in, where to go and the code come back."""
    exchange = assertion(BASE, POST)
    assert exchange.step == "identity.assertion"
    assert exchange.request.body == b"SAMLResponse=PFI%2B&RelayState=r"
    headers = (
        ("location", f"{BASE}/next"),
        ("google-accounts-saml", "End"),
        ("google-accounts-signin", 'email="Taro@City.example", obfuscatedid="101", sessionindex=0'),
        ("set-cookie", "SID=s; Path=/"),
        ("set-cookie", "oauth_code=c0de; Path=/; HttpOnly; SameSite=None; Secure"),
    )
    signed_in = exchange.read(Response(302, headers, url=f"{BASE}/acs"))
    assert signed_in == SignedIn("taro@city.example", "101", f"{BASE}/next", "c0de")
    unended = tuple(header for header in headers if header[1] != "End")
    assert trouble(lambda: exchange.read(Response(302, unended, url=f"{BASE}/acs"))).reason == "missing_part"
    elsewhere = Response(302, headers, url="http://127.0.0.1:9002/acs")
    assert trouble(lambda: exchange.read(elsewhere)).reason == "bad_value"
    assert trouble(lambda: exchange.read(Response(403, (), b"no", f"{BASE}/acs"))).reason == "http_status"


@pytest.mark.parametrize(
    "value",
    ["", 'email="a@b"', 'email="a@b", obfuscatedid="1"', 'email="", obfuscatedid="1", sessionindex=0', "email, =, ="],
)
def test_signin_header_with_a_part_missing(value: str) -> None:
    """E-mail, id and session index have to be there."""
    assert trouble(lambda: read_signin_header(value)).reason == "missing_part"


def test_signin_header() -> None:
    """FakeGaia's very text, and back."""
    assert signin_header("a@b.c", "7") == 'email="a@b.c", obfuscatedid="7", sessionindex=0'
    assert read_signin_header('sessionindex=0,obfuscatedid="7" , email="A@b.c"') == ("a@b.c", "7")


def test_continue_page() -> None:
    """The code is the newest that was set; without any there is nothing to go on with."""
    exchange = continue_page(SIGNED_IN)
    assert (exchange.step, exchange.request.url) == ("identity.continue", f"{BASE}/next")
    assert exchange.read(Response(200, (("set-cookie", "oauth_code=new; Path=/"),))).code == "new"
    assert trouble(lambda: exchange.read(Response(200))).reason == "missing_part"


def test_token() -> None:
    """The authorization code grant with its fields in order (oauth2 v4 token)."""
    exchange = token(BASE, "c/1", device_id="d 1")
    assert (exchange.step, exchange.request.url) == ("identity.token", f"{BASE}/oauth2/v4/token")
    assert exchange.request.body == (
        b"scope=https%3A%2F%2Fwww.google.com%2Faccounts%2FOAuthLogin&grant_type=authorization_code"
        b"&client_id=77185425430.apps.googleusercontent.com&client_secret=fleetrush&code=c%2F1"
        b"&device_id=d+1&device_type=chrome"
    )
    said = b'{"access_token":"a","refresh_token":"r","id_token":"i","expires_in":3600,"token_type":"Bearer"}'
    assert exchange.read(Response(200, (), said)) == Tokens("a", "r", "i", 3600)


def test_access_token() -> None:
    """The refresh grant for a set of scopes."""
    exchange = access_token(BASE, "r", MANAGEMENT_SCOPES)
    assert exchange.step == "identity.access_token"
    assert exchange.request.body.endswith(
        b"&grant_type=refresh_token&refresh_token=r"
        b"&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fchromeosdevicemanagement"
    )
    assert exchange.read(Response(200, (), b'{"access_token":"a","expires_in":10}')) == AccessToken("a", 10)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), st.lists(st.text("a:/ &=%+é", min_size=1)))
def test_a_refresh_is_the_form_of_its_fields(refresh_token: str, scopes: list[str]) -> None:
    """Whatever is in a server's refresh token, it arrives; the body is that of urllib's own encoder."""
    fields = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "refresh_token"}
    fields |= {"refresh_token": refresh_token, "scope": " ".join(scopes)}
    request = access_token(BASE, refresh_token, scopes).request
    assert request.body == urlencode(fields).encode()
    assert request.header("content-type") == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("status", "body", "outcome", "reason"),
    [
        (400, b'{"error":"invalid_grant"}', "refused", "invalid_grant"),
        (400, b'{"error":"invalid_scope"}', "refused", "http_status"),
        (403, b"not json", "refused", "http_status"),
        (429, b'{"error":"rate_limit_exceeded"}', "refused", "http_status"),
        (503, b"", "refused", "http_status"),
        (500, b'{"error":"internal_failure"}', "failed", "http_status"),
        (200, b"{", "failed", "undecodable"),
        (200, b"[" * 100_000, "failed", "undecodable"),
        (200, b"[]", "failed", "missing_part"),
        (200, b'{"access_token":"","expires_in":1}', "failed", "missing_part"),
        (200, b'{"access_token":"a","expires_in":"1"}', "failed", "missing_part"),
        (200, b'{"access_token":"\\ud800","expires_in":1}', "failed", "bad_value"),
        (200, b'{"access_token":"a","expires_in":0}', "failed", "bad_value"),
        (200, b'{"access_token":"a","expires_in":1' + b"0" * 400 + b"}", "failed", "bad_value"),
    ],
)
def test_token_errors(status: int, body: bytes, outcome: str, reason: str) -> None:
    """invalid_grant alone means: sign in again; everything else keeps its status."""
    caught = trouble(lambda: access_token(BASE, "r", MANAGEMENT_SCOPES).read(Response(status, (), body)))
    assert (caught.outcome, caught.reason) == (outcome, reason)
    assert reason != "http_status" or caught.status == status


@pytest.mark.parametrize(
    ("came", "again"),
    [
        (Response(403), True),
        (Response(407), True),
        (Response(500), True),
        (Response(503), True),
        (Response(400, (), b'{"error":"rate_limit_exceeded"}'), True),
        (Response(429, (), b'{"error":"internal_failure"}'), True),
        (Response(400, (), b'{"error":"invalid_grant"}'), False),
        (Response(400, (), b'{"error":"invalid_scope"}'), False),
        (Response(401, (), b'{"error":"invalid_client"}'), False),
        (Response(404), False),
        (Response(200, (), b"{"), False),
        (Response(200, (), b"{}"), False),
        (Broken("connect_refused"), True),
        (Broken("name_unknown"), True),
        (Unknown("broken_after_sent"), True),
        # the client would still wait
        (Unknown("timeout"), False),
        (Skipped("guard_not_authorised"), False),
        (Skipped("rate_cap"), False),
    ],
)
def test_what_passes_is_asked_again_for_device_management(came: Response | Trouble, again: bool) -> None:
    """The same request, for what Chromium calls a transient error; whatever else comes is the end of it."""
    exchange = management_token(BASE, "r")
    plain = access_token(BASE, "r", MANAGEMENT_SCOPES)
    assert (exchange.step, exchange.request) == (plain.step, plain.request)
    caught = came if isinstance(came, Trouble) else trouble(lambda: exchange.read(came))
    assert exchange.again(caught) == (exchange.request if again else None)
    assert plain.again(caught) is None


def test_robot_token() -> None:
    """The grant of Chromium's gaia_oauth_client.cc, its fields in order; all three parts of the answer are wanted."""
    exchange = robot_token(BASE, "4/c")
    assert (exchange.step, exchange.request.url) == ("identity.robot_token", f"{BASE}/oauth2/v4/token")
    assert exchange.request.body == (
        b"code=4%2Fc&client_id=77185425430.apps.googleusercontent.com&client_secret=fleetrush"
        b"&redirect_uri=oob&grant_type=authorization_code"
    )
    said = {"access_token": "a", "refresh_token": "r", "expires_in": 3600}
    assert exchange.read(Response(200, (), json.dumps(said).encode())) is None
    for part in said:
        less = json.dumps({name: value for name, value in said.items() if name != part}).encode()
        assert trouble(partial(exchange.read, Response(200, (), less))).reason == "missing_part"
    refused = trouble(lambda: exchange.read(Response(400, (), b'{"error":"invalid_grant"}')))
    assert exchange.again(refused) is None


def test_userinfo() -> None:
    """A bearer token in, the account out."""
    exchange = userinfo(BASE, "a")
    assert exchange.request.header("Authorization") == "Bearer a"
    body = b'{"id":"101","email":"a@b","verified_email":true}'
    assert exchange.read(Response(200, (), body)) == UserInfo("101", "a@b")


def test_renew() -> None:
    """Where a dead refresh token is expected, invalid_grant is an answer; every other end is as it ever was."""
    exchange = renew(BASE, "r", SYNC_SCOPES)
    assert (exchange.step, exchange.request) == ("identity.access_token", access_token(BASE, "r", SYNC_SCOPES).request)
    assert exchange.read(Response(200, (), b'{"access_token":"a","expires_in":10}')) == AccessToken("a", 10)
    assert exchange.read(Response(400, (), b'{"error":"invalid_grant"}')) is None
    assert trouble(lambda: exchange.read(Response(400, (), b'{"error":"invalid_scope"}'))).reason == "http_status"
    assert trouble(lambda: exchange.read(Response(500))).outcome == "failed"


def test_userinfo_if_alive() -> None:
    """401 is the answer to a dead token; any other refusal stays one."""
    exchange = userinfo_if_alive(BASE, "a")
    assert (exchange.step, exchange.request) == ("identity.userinfo", userinfo(BASE, "a").request)
    assert exchange.read(Response(200, (), b'{"id":"101","email":"a@b"}')) == UserInfo("101", "a@b")
    assert exchange.read(Response(401, (), b'{"error":"invalid_token"}')) is None
    assert trouble(lambda: exchange.read(Response(403))).reason == "http_status"


def test_multilogin() -> None:
    """One space as the body, MultiBearer, and cookies out of JSON behind its prefix."""
    exchange = multilogin(BASE, "a", "101")
    assert exchange.request.url == f"{BASE}/oauth/multilogin?source=ChromiumBrowser&reuseCookies=0"
    assert exchange.request.header("Authorization") == "MultiBearer a:101"
    assert exchange.request.body == b" "
    cookies = (
        b'[{"name":"SID","value":"1","domain":".g.example","path":"/"},{"name":"X","value":"","host":"h","path":"/"}]'
    )
    body = b')]}\'\n{"status":"OK","cookies":' + cookies + b"}"
    assert exchange.read(Response(200, (), body)) == (
        WebCookie("SID", "1", ".g.example", "/"),
        WebCookie("X", "", "h", "/"),
    )


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b')]}\'\n{"status":"INVALID_TOKENS"}', "invalid_grant"),
        (200, b')]}\'\n{"status":"RETRY"}', "http_status"),
        (403, b"<html>", "undecodable"),
        (200, b'{"status":"OK"}', "missing_part"),
        (200, b'{"status":"OK","cookies":[1]}', "missing_part"),
        (200, b'{"status":"OK","cookies":[{"name":"a"}]}', "missing_part"),
        (503, b"", "http_status"),
    ],
)
def test_multilogin_troubles(status: int, body: bytes, reason: str) -> None:
    """Refusals are in the body, whatever the status line says."""
    assert trouble(lambda: multilogin(BASE, "a", "1").read(Response(status, (), body))).reason == reason


def test_accounts() -> None:
    """The list as Chromium's own test server gives it; ours has the same shape."""
    exchange = accounts(BASE)
    assert exchange.request.url == f"{BASE}/ListAccounts?gpsia=1&source=ChromiumBrowser&json=standard"
    assert exchange.request.header("Origin") == "https://www.google.com"
    body = b'["gaia.l.a.r",[["gaia.l.a",1,"Name","a@b.c","photo",1,1,0,0,1,"28",11,12,13,0]]]'
    assert exchange.read(Response(200, (), body)) == ("a@b.c",)
    row = json.loads(write_accounts(["a@b.c"]))[1][0]
    assert row == ["gaia.l.a", 1, "a", "a@b.c", "", 1, 1, 0, 0, 1, gaia_id_of("a@b.c"), 11, 12, 13, 0]
    assert read_accounts(Response(200, (), b'["gaia.l.a.r",[]]')) == ()


EXCHANGES: list[Exchange[object]] = [
    entry(BASE, "d"),
    login_page(BASE),
    submit(FORM, "u", "p"),
    assertion(BASE, POST),
    continue_page(SIGNED_IN),
    token(BASE, "c", device_id="d"),
    access_token(BASE, "r", MANAGEMENT_SCOPES),
    userinfo(BASE, "a"),
    multilogin(BASE, "a", "1"),
    accounts(BASE),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["OK", "gaia.l.a.r", "gaia.l.a", "x", ""]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ["access_token", "refresh_token", "id_token", "expires_in", "status", "cookies", "error", "name", "id"]
            ),
            inner,
        )
    ),
)
HEADERS = st.tuples(
    st.sampled_from(["location", "set-cookie", "google-accounts-saml", "google-accounts-signin", "content-type"]),
    st.text() | st.sampled_from(["start", "End", "/x", "http://[", 'email="a", obfuscatedid="b", sessionindex=0']),
)


@given(
    exchange=st.sampled_from(EXCHANGES),
    status=st.sampled_from([200, 302, 307, 400, 401, 403, 429, 500, 503, 204, 0]),
    headers=st.lists(HEADERS, max_size=5).map(tuple),
    body=st.binary() | VALUES.map(lambda value: json.dumps(value).encode()),
    url=st.sampled_from([f"{BASE}/x", "", "http://[", "https://other.example/"]),
)
def test_arbitrary_answers(
    exchange: Exchange[object], status: int, headers: tuple[tuple[str, str], ...], body: bytes, url: str
) -> None:
    """Whatever an answer is, each exchange reads it or ends Refused or Broken."""
    with suppress(Refused, Broken):
        exchange.read(Response(status, headers, body, url))
