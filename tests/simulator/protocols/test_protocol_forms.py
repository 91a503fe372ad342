"""The form client on pages written after what is known of five identity providers, and on anything else."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocols.forms import (
    PAGES_MAX,
    LoginForm,
    NextPage,
    SamlPost,
    form_request,
    post_request,
    read_page,
)
from simulator.protocols.identity import login_page, submit, submit_locked, submit_wrong
from simulator.protocols.messages import Broken, Refused, Response, Trouble

PAGES = Path(__file__).parents[2] / "data" / "forms"
HTML = (("content-type", "text/html; charset=utf-8"),)
USER, PASSWORD = "taro@city.example", "p&+=漢"


def answer(name: str, url: str, status: int = 200, *headers: tuple[str, str]) -> Response:
    """A page of the collection as a provider's answer."""
    return Response(status, HTML + headers, (PAGES / f"{name}.html").read_bytes(), url)


def login_form(page: NextPage) -> LoginForm:
    assert isinstance(page, LoginForm)
    return page


def test_keycloak_login_and_post() -> None:
    """Entities in the action are undone, hidden fields and the button go along, the unticked box does not; the page of
    upper-case tags then gives what to post."""
    url = "https://login.city.example/realms/city/protocol/saml?SAMLRequest=x"
    form = login_form(login_page(url).read(answer("keycloak_login", url)))
    exchange = submit(form, USER, PASSWORD)
    assert exchange.step == "identity.login"
    assert exchange.request.method == "POST"
    assert exchange.request.url == (
        "https://login.city.example/realms/city/login-actions/authenticate"
        "?session_code=s1&execution=e1&client_id=google.com&tab_id=t1&client_data=eyJydSI6Imh0dHBzIn0"
    )
    assert exchange.request.body == (
        b"username=taro%40city.example&password=p%26%2B%3D%E6%BC%A2&credentialId=&login=Sign+In"
    )
    assert exchange.request.header("Origin") == "https://login.city.example"
    assert exchange.request.header("Content-Type") == "application/x-www-form-urlencoded"
    assert exchange.request.redirects > 0
    post = exchange.read(answer("keycloak_post", exchange.request.url))
    assert isinstance(post, SamlPost)
    assert post.action == "https://accounts.city.example/SSO?a=1&b=2"
    assert post.fields == (
        ("SAMLResponse", "PHNhbWxwOlJlc3BvbnNlLz4="),
        ("RelayState", 'https://accounts.city.example/next?x=1&y="2"'),
    )
    request = post_request(post)
    assert (request.method, request.url, request.redirects) == ("POST", post.action, 0)
    assert dict(parse_qsl(request.body.decode())) == dict(post.fields)


def test_keycloak_username_first() -> None:
    """The name alone, then the password alone; only the second is the login."""
    url = "https://login.city.example/realms/city/protocol/saml"
    name = submit(login_form(read_page(answer("keycloak_username", url))), USER, PASSWORD)
    assert (name.step, name.request.body) == ("identity.login_page", b"username=taro%40city.example&login=Sign+In")
    password = submit(login_form(name.read(answer("keycloak_password", url))), USER, PASSWORD)
    assert (password.step, password.request.body) == (
        "identity.login",
        b"password=p%26%2B%3D%E6%BC%A2&login=Sign+In",
    )
    assert isinstance(password.read(answer("keycloak_post", url)), SamlPost)


def test_keycloak_unknown_name() -> None:
    """The page that asks for the name, again after the name: refused."""
    form = login_form(read_page(answer("keycloak_username", "https://idp.example/")))
    with pytest.raises(Refused) as caught:
        submit(form, USER, PASSWORD).read(answer("keycloak_username", "https://idp.example/"))
    assert caught.value.reason == "login_page_again"


def test_keycloak_kerberos() -> None:
    """A 401 that offers Kerberos carries a page that goes on without it; any other 401 is a refusal."""
    url = "https://login.city.example/realms/city/protocol/saml"
    form = login_form(read_page(answer("keycloak_kerberos", url, 401, ("www-authenticate", "Negotiate"))))
    onward = submit(form, USER, PASSWORD)
    assert (onward.step, onward.request.body) == ("identity.login_page", b"continue=Continue")
    assert isinstance(onward.read(answer("keycloak_login", url)), LoginForm)
    without_page = Response(401, (("www-authenticate", "Negotiate"),), b"no", url)
    for refused in (answer("keycloak_kerberos", url, 401), without_page):
        with pytest.raises(Refused) as caught:
            read_page(refused)
        assert (caught.value.reason, caught.value.status) == ("http_status", 401)


@pytest.mark.parametrize(
    ("first", "again", "said"),
    [
        ("keycloak_login", "keycloak_login_again", "Invalid username or password."),
        ("shibboleth_login", "shibboleth_login_again", "The password you entered was incorrect."),
        ("adfs_login", "adfs_login_again", "Incorrect user ID or password."),
        ("simplesamlphp_login", "simplesamlphp_login", "Enter your username and password"),
        ("lemonldap_login", "lemonldap_login", "Authentication portal"),
    ],
)
def test_login_page_again(first: str, again: str, said: str) -> None:
    """The login form after the password is a refusal that carries the page's words and never the password."""
    form = login_form(read_page(answer(first, "https://idp.example/sso")))
    with pytest.raises(Refused) as caught:
        submit(form, USER, PASSWORD).read(answer(again, "https://idp.example/sso"))
    assert (caught.value.reason, caught.value.status) == ("login_page_again", 200)
    assert said in caught.value.detail
    assert PASSWORD not in str(caught.value)


def test_simplesamlphp() -> None:
    """The search form before it is left alone; action "?..." replaces the query; the ticked box and the chosen
    organisation go along, a field without a name and a button without one do not."""
    url = "https://idp.city.example/saml2/idp/SSOService.php?SAMLRequest=x"
    form = login_form(read_page(answer("simplesamlphp_login", url)))
    request = submit(form, USER, PASSWORD).request
    assert request.url == (
        "https://idp.city.example/saml2/idp/SSOService.php"
        "?AuthState=_abc%3Ahttps%3A%2F%2Fidp.city.example%2Fsso%3Fa%3D1"
    )
    assert request.body == (
        b"username=taro%40city.example&password=p%26%2B%3D%E6%BC%A2&remember_username=Yes&organization=schools"
    )
    post = read_page(answer("simplesamlphp_post", url), form)
    assert isinstance(post, SamlPost)
    assert post.fields == (("SAMLResponse", "PFJlc3BvbnNlLz4="), ("RelayState", "r"))


def test_shibboleth() -> None:
    """The localStorage probe goes back as it came; then the login; then the page that would write localStorage."""
    url = "https://idp.city.example/idp/profile/SAML2/Redirect/SSO?SAMLRequest=x"
    probe = submit(login_form(read_page(answer("shibboleth_probe", url))), USER, PASSWORD)
    assert probe.step == "identity.login_page"
    assert probe.request.url == "https://idp.city.example/idp/profile/SAML2/Redirect/SSO?execution=e1s1"
    assert probe.request.body == (
        b"csrf_token=_c1"
        b"&shib_idp_ls_exception.shib_idp_session_ss=&shib_idp_ls_success.shib_idp_session_ss=false"
        b"&shib_idp_ls_value.shib_idp_session_ss="
        b"&shib_idp_ls_exception.shib_idp_persistent_ss=&shib_idp_ls_success.shib_idp_persistent_ss=false"
        b"&shib_idp_ls_value.shib_idp_persistent_ss="
        b"&shib_idp_ls_supported=&_eventId_proceed="
    )
    login = submit(login_form(probe.read(answer("shibboleth_login", url))), USER, PASSWORD)
    assert login.step == "identity.login"
    assert login.request.body == (
        b"csrf_token=_c2&j_username=taro%40city.example&j_password=p%26%2B%3D%E6%BC%A2&_eventId_proceed="
    )
    write = submit(login_form(login.read(answer("shibboleth_write", url))), USER, PASSWORD)
    assert b"csrf_token=_c3" in write.request.body
    assert PASSWORD.encode() not in write.request.body
    assert isinstance(write.read(answer("keycloak_post", url)), SamlPost)


def test_adfs() -> None:
    """Of the two forms the one with the password is taken, though the other comes first and has no button either."""
    url = "https://adfs.city.example/adfs/ls/?SAMLRequest=abc&client-request-id=r"
    request = submit(login_form(read_page(answer("adfs_login", url))), USER, PASSWORD).request
    assert request.url == url
    assert request.body == (b"UserName=taro%40city.example&Password=p%26%2B%3D%E6%BC%A2&AuthMethod=FormsAuthentication")


def test_lemonldap() -> None:
    """A password field of type text is one; of several tabs the first is taken; <base> counts, a fragment does not."""
    form = login_form(read_page(answer("lemonldap_login", "https://auth.city.example/saml/singleSignOn?SAMLRequest=x")))
    request = submit(form, USER, PASSWORD).request
    assert request.url == "https://auth.city.example/saml/singleSignOn"
    assert request.body == (
        b"url=aHR0cHM6Ly9hdXRoLmNpdHkuZXhhbXBsZS9zYW1s&timezone=&skin=bootstrap&lmAuth=LDAP&token=1700000000_42"
        b"&user=taro%40city.example&password=p%26%2B%3D%E6%BC%A2"
    )


@pytest.mark.parametrize("name", ["keycloak_otp", "keycloak_update_password", "adfs_mfa", "shibboleth_consent"])
def test_asks_for_more(name: str) -> None:
    """A new password, a consent, or a code for which there is no secret: its own reason, and nothing is filled in."""
    form = login_form(read_page(answer("keycloak_login", "https://idp.example/")))
    with pytest.raises(Refused) as caught:
        submit(form, USER, PASSWORD).read(answer(name, "https://idp.example/"))
    assert caught.value.reason == "asks_for_more"


def test_page_that_needs_javascript() -> None:
    """A page without a form is broken, and the detail says which page it was."""
    with pytest.raises(Broken) as caught:
        read_page(answer("entra_login", "https://idp.example/"))
    assert caught.value.reason == "missing_part"
    assert "Sign in to your account" in caught.value.detail


@pytest.mark.parametrize(("status", "kind"), [(400, Refused), (403, Refused), (503, Refused), (500, Broken)])
def test_error_status(status: int, kind: type[Trouble]) -> None:
    """A page with an error status is sorted by the status and quoted, even when it holds a login form."""
    with pytest.raises(kind) as caught:
        read_page(answer("keycloak_login_again", "https://idp.example/", status))
    assert (caught.value.reason, caught.value.status) == ("http_status", status)
    assert "Invalid username or password." in caught.value.detail


def test_pages_without_end() -> None:
    """A provider that sends one page in between after the other is left in the end."""
    page = login_form(read_page(answer("shibboleth_probe", "https://idp.example/")))
    for _ in range(PAGES_MAX - 1):
        page = login_form(read_page(answer("shibboleth_probe", "https://idp.example/"), page))
    with pytest.raises(Broken) as caught:
        read_page(answer("shibboleth_probe", "https://idp.example/"), page)
    assert caught.value.reason == "too_many_pages"


def test_get_form() -> None:
    """A form without a method is a GET whose fields replace the action's query (HTML 4.10.21.3)."""
    body = b'<form action="/in?old=1"><input name=login><input name=to type=hidden><input type=submit></form>'
    form = login_form(read_page(Response(200, HTML, body, "http://idp.example/")))
    request = form_request(form, {"login": "a b", "to": "&"})
    assert (request.method, request.url, request.body) == ("GET", "http://idp.example/in?login=a+b&to=%26", b"")


@pytest.mark.parametrize(
    ("where", "attributes"),
    [
        ("http://idp.example/", "action=/in"),
        ("https://idp.example/", "action=/in method=get"),
        ("https://idp.example/", "action=http://idp.example/in method=post"),
    ],
)
def test_no_password_is_given_away(where: str, attributes: str) -> None:
    """A form that puts the password into an address, or leaves TLS with it, is not filled in; one beside it may be."""
    body = f"<form {attributes}><input name=login><input name=pw type=password><button>Go</button></form>"
    with pytest.raises(Broken) as caught:
        read_page(Response(200, HTML, body.encode(), where))
    assert caught.value.reason == "missing_part"
    body += body.replace(attributes, "method=post action=/good")
    form = login_form(read_page(Response(200, HTML, body.encode(), where)))
    assert (form.action, form.password_field) == (f"{where}good", "pw")


@given(
    body=st.binary()
    | st.text().map(str.encode)
    | st.lists(
        st.sampled_from(
            [
                "<form>",
                "</form>",
                "<form action='http://[' method=post>",
                "<input name=user>",
                "<input type=password name=p>",
                "<noscript>",
                "<input type=submit>",
                "<select name=s><option>",
                "<textarea name=t>",
                "<base href='//['>",
                "<button name=b>",
                "<body onload=submit()>",
                "<input name=SAMLResponse>",
                "\x00",
                "<!--",
                "<fieldset disabled>",
                "<input form=f name=x>",
                "<form id=f method=dialog>",
                "<input type=image name=i>",
                "text",
                "&#0;",
                "&#xD800;",
            ]
        )
    )
    .map("".join)
    .map(str.encode),
    content_type=st.text()
    | st.sampled_from(["text/html; charset=utf-16", "; charset=idna", ";charset=hex", ";charset=\0"]),
    url=st.sampled_from(["https://idp.example/a?b=c", "", "http://[", "ftp://x/"]),
    status=st.sampled_from([200, 200, 200, 401, 404, 500]),
)
def test_arbitrary_pages(body: bytes, content_type: str, url: str, status: int) -> None:
    """Whatever a page is, reading it gives something that can be submitted, or ends Refused or Broken."""
    headers = (("content-type", content_type), ("www-authenticate", "Negotiate"))
    try:
        page = read_page(Response(status, headers, body, url))
    except (Refused, Broken):
        return
    if isinstance(page, SamlPost):
        assert post_request(page).url.startswith("http")
    else:
        assert submit(page, USER, PASSWORD).request.url.startswith("http")


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("keycloak_otp", "otp"),
        ("keycloak_totp", "totp"),
        ("shibboleth_totp", "j_tokenNumber"),
        ("adfs_totp", "OathCode"),
    ],
)
def test_a_one_time_code_is_typed_where_it_is_asked_for(name: str, field: str) -> None:
    """After the password the page asks for a code alone: it is filled in, once, and the same page again is a no."""
    form = login_form(read_page(answer("keycloak_login", "https://idp.example/")))
    code_form = submit(form, USER, PASSWORD, "287082").read(answer(name, "https://idp.example/"))
    assert isinstance(code_form, LoginForm)
    assert (code_form.code_field, code_form.user_field, code_form.password_field) == (field, "", "")
    exchange = submit(code_form, USER, PASSWORD, "081804")
    assert exchange.step == "identity.login"
    assert dict(parse_qsl(exchange.request.body.decode()))[field] == "081804"
    assert b"p%26" not in exchange.request.body
    assert isinstance(exchange.read(answer("keycloak_post", "https://idp.example/")), SamlPost)
    with pytest.raises(Refused) as caught:
        exchange.read(answer(name, "https://idp.example/"))
    assert caught.value.reason == "login_page_again"


WRONG_AGAIN = ["keycloak_login_again", "shibboleth_login_again", "adfs_login_again"]


@pytest.mark.parametrize("again", WRONG_AGAIN)
def test_a_wrong_password_is_answered_with_the_page_to_go_on_with(again: str) -> None:
    """Where a refusal is expected the page again is the answer, and its own form takes the right password."""
    form = login_form(read_page(answer("keycloak_login", "https://idp.example/")))
    exchange = submit_wrong(form, USER, "wrong")
    assert exchange.step == "identity.login"
    assert b"password=wrong" in exchange.request.body
    second = exchange.read(answer(again, "https://idp.example/sso"))
    assert second is not None
    right = submit(second, USER, PASSWORD)
    assert b"p%26%2B%3D%E6%BC%A2" in right.request.body
    assert isinstance(right.read(answer("keycloak_post", "https://idp.example/")), SamlPost)
    with pytest.raises(Refused):
        right.read(answer(again, "https://idp.example/sso"))


def test_a_wrong_password_by_status() -> None:
    """A provider that says 401 or 403 refuses as well; one that takes the password is broken; 500 stays what it is."""
    form = login_form(read_page(answer("keycloak_login", "https://idp.example/")))
    exchange = submit_wrong(form, USER, "wrong")
    for status in (401, 403):
        assert exchange.read(Response(status, (("content-type", "text/html"),), b"<p>no</p>", "https://x/")) is None
    with pytest.raises(Broken) as taken:
        exchange.read(answer("keycloak_post", "https://idp.example/"))
    assert taken.value.reason == "bad_value"
    with pytest.raises(Broken) as failed:
        exchange.read(Response(500, (("content-type", "text/html"),), b"<p>no</p>", "https://x/"))
    assert failed.value.reason == "http_status"


def test_a_locked_account_is_refused_or_not() -> None:
    """The right password: the page again is None, and whatever else comes is gone on with."""
    form = login_form(read_page(answer("keycloak_login", "https://idp.example/")))
    exchange = submit_locked(form, USER, PASSWORD)
    assert b"p%26%2B%3D%E6%BC%A2" in exchange.request.body
    assert exchange.read(answer("keycloak_login_again", "https://idp.example/")) is None
    assert exchange.read(Response(403, (("content-type", "text/html"),), b"<p>no</p>", "https://x/")) is None
    assert isinstance(exchange.read(answer("keycloak_post", "https://idp.example/")), SamlPost)
