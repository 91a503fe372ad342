"""What is told of a sign-in that stops: the reason in one sentence, the page without secrets, the provider by name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.check import NOT_OK, OK, UNDRIVABLE, UNREACHABLE, Account
from simulator.protocols.forms import LoginForm, read_page
from simulator.protocols.identity import login_page, submit
from simulator.protocols.messages import Broken, Refused, Response, Skipped, Trouble, Unknown
from simulator.protocols.providers import recognised_host, recognised_page
from simulator.protocols.saml import BadAssertion
from simulator.redaction import LONGEST, redacted
from simulator.wire.http import Hop

FORMS = Path(__file__).parent.parent / "data" / "forms"
URL = "http://idp.city.example/login?SAMLRequest=Z2VoZWltAAA&RelayState=geheim"
PERSON = "hanako.sato.0001@city.example"


def page(name: str, *, status: int = 200) -> Response:
    """One of the saved pages as an answer."""
    return html((FORMS / f"{name}.html").read_bytes(), status=status)


def html(body: bytes, *, status: int = 200) -> Response:
    """A page as an answer."""
    return Response(status, (("content-type", "text/html; charset=utf-8"),), body, URL)


def told(response: Response, before: LoginForm | None = None, hops: tuple[Hop, ...] = ()) -> tuple[str, int]:
    """All that is told of one page of a sign-in, and the code that `check` would end with."""
    lines: list[str] = []
    account = Account(lines.append, verbose=True, persons=(PERSON, "佐藤 花子"))
    for hop in hops:
        account.hop(hop)
    exchange = login_page(URL) if before is None else submit(before, PERSON, "geheim")
    try:
        answer = exchange.read(response)
    except Trouble as trouble:
        account.exchange(exchange, response, None, trouble, 0.01)
    else:
        account.exchange(exchange, response, answer, None, 0.01)
    return "\n".join(lines), account.code


def test_a_form_is_told_by_its_names() -> None:
    """The form chosen with its id, method, action without values, its fields in order, and which are filled."""
    said, code = told(page("keycloak_login"))
    assert code == OK
    line = next(line for line in said.splitlines() if "chosen" in line)
    assert "form kc-form-login chosen: POST" in line
    assert "fields username, password, " in line
    assert line.endswith("fills username, password")
    assert "session_code" not in line


def test_the_field_for_a_code_is_told() -> None:
    """Of a page that asks for a one-time code alone, that field is said to be filled."""
    said, _ = told(page("keycloak_totp"))
    line = next(line for line in said.splitlines() if "chosen" in line)
    assert line.endswith("fills totp")


def test_hops_are_told_without_values() -> None:
    """Every hop of a redirect chain: URL with names only, status, where it leads, cookies with attributes alone."""
    first = Hop(
        "GET",
        "http://idp.city.example/a?code=geheim1",
        302,
        (("location", "/b?ticket=geheim2"), ("set-cookie", "SID=geheim3; Path=/; HttpOnly; Secure")),
        0.0021,
    )
    said, _ = told(
        page("keycloak_login"), hops=(first, Hop("GET", "http://idp.city.example/b?ticket=geheim2", 200, (), 0.1))
    )
    assert "GET http://idp.city.example/a?code  302 2.1 ms" in said
    assert "leads to http://idp.city.example/b?ticket" in said
    assert "sets SID (Path=/; HttpOnly; Secure)" in said
    assert "GET http://idp.city.example/b?ticket  200 100.0 ms" in said
    assert "geheim" not in said


def test_a_wrong_password_is_told() -> None:
    """The login page again: what was expected, what came, what the page says, and what to do; no user name."""
    before = read_page(page("keycloak_login"))
    assert isinstance(before, LoginForm)
    said, code = told(page("keycloak_login_again"), before)
    assert code == NOT_OK
    assert "expected a form with SAMLResponse, or another page of the sign-in; there came form" in said
    assert "form kc-form-login with username, password, credentialId, login (typed: username, password)" in said
    assert "Invalid username or password." in said
    assert "user name or password is wrong" in said
    assert "JavaScript and cannot be driven" not in said


def test_a_bad_assertion_is_told_with_what_to_do() -> None:
    """The reason says which part is wrong and the next line what to compare; the assertion itself is not shown."""
    lines: list[str] = []
    account = Account(lines.append, verbose=True)
    form = read_page(page("keycloak_login"))
    assert isinstance(form, LoginForm)
    trouble = BadAssertion("audience", "https://portal.city.example, not https://sp.fleetrush.invalid/metadata")
    account.exchange(submit(form, PERSON, "geheim"), page("keycloak_post"), None, trouble, 0.01)
    said = "\n".join(lines)
    assert account.code == NOT_OK
    assert "assertion_audience" in said
    assert "https://portal.city.example, not https://sp.fleetrush.invalid/metadata" in said
    assert "The assertion is for another service provider: compare the entity IDs." in said
    assert "PHNhbWxwOlJlc3BvbnNlLz4" not in said


def test_entra_is_named() -> None:
    """Entra ID's page, written from the facts, is called by its name, with what to do, and ends with 2."""
    said, code = told(page("entra_login"))
    assert code == UNDRIVABLE
    assert said.count("This is Microsoft Entra ID, which needs JavaScript and cannot be driven") == 1
    assert "staging provider" in said


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'<div id="okta-login-container"></div><script>var stateToken="x"; new OktaSignIn({})</script>', "Okta's"),
        (b'<script src="/_/mss/boq-identity/_/js/k=boq-identity.AccountsSignInUi.en"></script>', "Google's own"),
        (b'<iframe id="duo_iframe" data-host="api-1.duosecurity.com" data-sig-request="TX|x"></iframe>', "Duo"),
        (b"<script>navigator.credentials.get({publicKey: options})</script>", "a passkey"),
        (b'<div class="g-recaptcha" data-size="invisible"></div>', "a captcha"),
    ],
)
def test_what_needs_javascript_is_recognised(body: bytes, name: str) -> None:
    """Each provider of the facts that no form client can drive is known by the marks of its page."""
    scripted = recognised_page(html(body))
    assert scripted is not None
    assert name in scripted.name


@pytest.mark.parametrize("path", sorted(FORMS.glob("*.html")), ids=lambda path: path.stem)
def test_what_can_be_driven_is_not_mistaken(path: Path) -> None:
    """No saved page of a provider with forms is taken for one that needs JavaScript."""
    scripted = recognised_page(page(path.stem))
    assert (scripted is not None) == (path.stem == "entra_login")


def test_hosts() -> None:
    """A provider is known by its host and whatever lies below it, never by a similar name."""
    found = recognised_host("login.microsoftonline.com")
    assert found is not None
    assert "Entra" in found.name
    assert recognised_host("city.okta.com") is not None
    assert recognised_host("notokta.com") is None
    assert recognised_host("idp.city.example") is None


def test_a_redirect_to_a_public_service_is_named() -> None:
    """Where the guard stopped a redirect to Entra ID, the answer names it though its page was never fetched."""
    lines: list[str] = []
    account = Account(lines.append, verbose=False)
    account.hop(Hop("GET", URL, 302, (("location", "https://login.microsoftonline.com/x/saml2?SAMLRequest=y"),), 0.0))
    trouble = Skipped("guard_public_service", "login.microsoftonline.com:443 is a public service and is never loaded")
    account.exchange(login_page(URL), None, None, trouble, 0.0)
    assert account.code == UNDRIVABLE
    assert any("This is Microsoft Entra ID" in line for line in lines)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [
        (Broken("connect_refused"), UNREACHABLE),
        (Broken("name_unknown"), UNREACHABLE),
        (Unknown("timeout"), UNREACHABLE),
        (Broken("http_status", status=502), UNREACHABLE),
        (Refused("http_status", status=503), UNREACHABLE),
        (Broken("http_status", status=500), NOT_OK),
        (Broken("tls_failed"), NOT_OK),
        (Refused("http_status", status=403), NOT_OK),
        (Skipped("guard_not_authorised"), NOT_OK),
    ],
)
def test_unreachable_and_unwilling_are_told_apart(trouble: Trouble, code: int) -> None:
    """Nobody there, or a gateway that says so, ends with 3; a service that says no, or nonsense, with 1."""
    account = Account(lambda line: None, verbose=False)
    account.exchange(login_page(URL), None, None, trouble, 0.0)
    assert account.code == code


@pytest.mark.parametrize(
    "secret",
    [
        PERSON, PERSON.upper(), "hanako.sato.0001", "other.person@city.example", "佐藤 花子",
        "PHNhbWxwOlJlc3BvbnNlIHhtbG5zOnNhbWxwPSJ1cm46b2Fz", "a3f8c9d2e1b4a7f6c5d8e9b2a1f4c7d6",
        "9b2c-Tf3xAz_QmR7LkPw1sVn",
    ],
)  # fmt: skip
def test_secrets_are_blotted_out(secret: str) -> None:
    """Persons, addresses, base64, hex and base64url blobs are gone; the words around them stay."""
    said = redacted(f"Sorry, {secret} could not be signed in. Try again.", (PERSON, "佐藤 花子"))
    assert secret not in said
    assert said.startswith("Sorry, ")
    assert said.endswith("could not be signed in. Try again.")


def test_words_are_no_secrets() -> None:
    """Ordinary long words and sentences in Latin and Japanese stay as they are."""
    text = "Internationalisierungsbeauftragte: パスワードの有効期限が切れています。 Please contact the administrator."
    assert redacted(text) == text


@pytest.mark.parametrize("before", range(5960, 6001))
def test_no_half_of_a_name_is_left(before: int) -> None:
    """Of a page that is longer than is looked at, an address at the very end of that does not come out as a part."""
    said = redacted(f"{'x1' * (before // 2)} hanako@city.example {'more ' * 1000}")
    assert "hanako" not in said


@given(st.text(max_size=3000))
def test_what_is_shown_is_bounded(text: str) -> None:
    """Whatever a page says, one line of bounded length comes out."""
    said = redacted(text)
    assert len(said) <= LONGEST
    assert "\n" not in said
