"""What to submit next in an identity provider's sign-in, as a careful client without JavaScript would decide.

It knows what a login asks for, and no provider by name. Pages come in as responses and go out as requests; nothing here
sends, waits or keeps a cookie.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from simulator.protocols.messages import Broken, Refused, Request, Response, settle
from simulator.protocols.pages import Control, Page, PageForm, origin_of

# Pages of one sign-in before it is given up; probes, user's name and password together stay well below.
PAGES_MAX = 10
_REDIRECTS_MAX = 10
_ACCEPT = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
_CONTENT_TYPE = ("Content-Type", "application/x-www-form-urlencoded")

# What providers call these fields: Keycloak username, Shibboleth j_username, AD FS UserName, LemonLDAP user.
_USER_WORDS = ("user", "email", "login", "ident", "account", "uid")
_PASSWORD_WORDS = ("passw", "pwd")
# Keycloak otp and totp, Shibboleth j_tokenNumber, AD FS OathCode and VerificationCode
_ONE_TIME_WORDS = ("otp", "token", "code")
_PLAIN = ("text", "email", "tel")
_UNSAFE = re.compile(rb"[^0-9A-Za-z*._-]")

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class LoginForm:
    """A form on the way to the assertion, ready but for what its person types.

    Attributes:
        action: absolute URL. method: "GET" or "POST".
        fields: what is submitted, in document order, the default button among it.
        user_field, password_field, code_field: which of the fields to fill, the last with a one-time code; "" where
            the form has none (a page in between).
        encoding: of the page, and so of what is submitted.
        origin: of the page.
        user_given, password_given, code_given: answered on an earlier page of this sign-in.
        pages: read so far in this sign-in, this one included.
    """

    action: str
    method: str
    fields: Fields
    user_field: str
    password_field: str
    code_field: str
    encoding: str
    origin: str
    user_given: bool
    password_given: bool
    code_given: bool
    pages: int


@dataclass(frozen=True, slots=True)
class SamlPost:
    """The provider's last page: what to post to the assertion consumer service, and where (SAML bindings 3.5.4)."""

    action: str
    fields: Fields
    encoding: str
    origin: str


NextPage = LoginForm | SamlPost


def page_request(url: str) -> Request:
    """GET a page as a browser would, redirects followed."""
    return Request("GET", url, (_ACCEPT,), redirects=_REDIRECTS_MAX)


def form_request(form: LoginForm, values: Mapping[str, str]) -> Request:
    """Submit a form with these values in its fields of these names, redirects followed."""
    fields = tuple((name, values.get(name, value)) for name, value in form.fields)
    if form.method == "GET":
        query = _encoded(fields, form.encoding).decode()
        return page_request(urlsplit(form.action)._replace(query=query).geturl())
    return fields_request(form.action, fields, form.origin, form.encoding)


def fields_request(url: str, fields: Fields, origin: str, encoding: str = "utf-8") -> Request:
    """Post fields as the form of a page of that origin and encoding would, redirects followed."""
    headers = (_ACCEPT, _CONTENT_TYPE, ("Origin", origin))
    return Request("POST", url, headers, _encoded(fields, encoding), redirects=_REDIRECTS_MAX)


def post_request(post: SamlPost) -> Request:
    """Submit the last page as it is; where the answer leads is for the caller to see."""
    return replace(fields_request(post.action, post.fields, post.origin, post.encoding), redirects=0)


def read_page(response: Response, before: LoginForm | None = None) -> NextPage:
    """What a page of an identity provider wants submitted next.

    In this order: a form with a password field, one with a SAMLResponse, one that asks for a user's name alone, one
    that asks for a one-time code alone, and one that is made to submit itself.

    Args:
        response: the page, after redirects.
        before: the form whose submission it answers; None for the first page.
    Raises:
        Refused: login_page_again when it asks again for what was given; asks_for_more when it asks for what a fleet's
            user does not have (a consent, a new password); http_status.
        Broken: undecodable; missing_part where no form works without JavaScript, or none keeps a password to itself;
            too_many_pages; http_status.
    """
    page = _page(response)
    pages = 1 if before is None else before.pages + 1
    if pages > PAGES_MAX:
        raise Broken("too_many_pages", f"{PAGES_MAX} pages and no SAMLResponse", status=response.status)
    form, user, password, code = _choose(page, response.status)
    origin = origin_of(response.url)
    if not (user or password or code) and _is_saml(form):
        return SamlPost(form.action, form.fields, page.encoding, origin)
    user_given = before is not None and (before.user_given or bool(before.user_field))
    password_given = before is not None and (before.password_given or bool(before.password_field))
    code_given = before is not None and (before.code_given or bool(before.code_field))
    # A user's name asked again beside the password is a second step; alone, or after the password, it is a no.
    again = (password and password_given) or (code and code_given)
    if again or (user and not password and (user_given or password_given)):
        raise Refused("login_page_again", page.said(), status=response.status)
    return LoginForm(
        form.action,
        form.method,
        form.fields,
        user,
        password,
        code,
        page.encoding,
        origin,
        user_given,
        password_given,
        code_given,
        pages,
    )


def _page(response: Response) -> Page:
    """The page of an answer that has one to go on with; raises by the status, with the page's words, if it has not."""
    try:
        page = Page(response)
    except Broken:
        settle(response)
        raise
    # Keycloak offers Kerberos with a 401 whose page goes on without it; a browser shows that page (RFC 4559 4.1).
    negotiates = response.status == 401 and response.header("www-authenticate").lower().startswith("negotiate")
    if response.status != 200 and not (negotiates and page.forms):
        settle(response, detail=f"HTTP {response.status} {page.said()}".rstrip())
    return page


def _choose(page: Page, status: int) -> tuple[PageForm, str, str, str]:
    """The form to submit, with the names of its user, password and code fields."""
    logins = [(form, *_login_fields(form)) for form in page.forms]
    if asking := [login for login in logins if login[2]]:
        login = next((login for login in asking if _keeps_secrets(login[0], page)), None)
        if login is None:
            said = "without JavaScript its form would send the password in an address, or without TLS"
            raise Broken("missing_part", said, status=status)
        return *login, _code_field(login[0])
    for form in page.forms:
        if _is_saml(form):
            return form, "", "", ""
    for form, user, _ in logins:
        if user:
            return form, user, "", _code_field(form)
    for form in page.forms:
        if len(form.typed) == 1 and (code := _code_field(form)):
            return form, "", "", code
    if any(form.typed for form in page.forms):
        raise Refused("asks_for_more", page.said(), status=status)
    for form in page.forms:
        if form.unseen:
            return form, "", "", ""
    if any(form.button and form.method == "POST" for form in page.forms):
        raise Refused("asks_for_more", page.said(), status=status)
    raise Broken("missing_part", f"no form that works without JavaScript; it says {page.said()!r}", status=status)


def _keeps_secrets(form: PageForm, page: Page) -> bool:
    """Whether no password ends in a server's log of addresses, nor where a page over TLS has it sent without."""
    over_tls, sends_without = origin_of(page.url).startswith("https:"), origin_of(form.action).startswith("http:")
    return form.method == "POST" and not (over_tls and sends_without)


def _is_saml(form: PageForm) -> bool:
    return any(name == "SAMLResponse" for name, _ in form.fields)


def _login_fields(form: PageForm) -> tuple[str, str]:
    """The names of a form's user and password fields, "" for what it has not."""
    passwords = [index for index, control in enumerate(form.typed) if _is_password(control)]
    if len(passwords) > 1:
        return "", ""  # a registration or a change of password
    users = [control for control in form.typed if _is_user(control)]
    if passwords and not users:
        # Whatever it is called: the last text before the password, as browsers' password managers have it.
        users = [control for control in form.typed[: passwords[0]] if control.kind in _PLAIN][-1:]
    return users[0].name if users else "", form.typed[passwords[0]].name if passwords else ""


def _is_password(control: Control) -> bool:
    """A password field, or one that is only called so (LemonLDAP's may be type=text); never a one-time code."""
    called_so = any(word in control.names for word in _PASSWORD_WORDS)
    if control.kind == "password":
        once = "one-time-code" in control.hints or any(word in control.names for word in _ONE_TIME_WORDS)
        return called_so or not once
    return called_so and control.kind == "text"


def _is_user(control: Control) -> bool:
    if control.kind not in _PLAIN or _is_password(control):
        return False
    return bool({"username", "email"} & set(control.hints)) or any(word in control.names for word in _USER_WORDS)


def _code_field(form: PageForm) -> str:
    """The name of the field for a one-time code, "" without one."""
    codes = [control.name for control in form.typed if _is_code(control)]
    return codes[0] if len(codes) == 1 else ""


def _is_code(control: Control) -> bool:
    if control.kind not in (*_PLAIN, "number", "password") or _is_password(control) or _is_user(control):
        return False
    return "one-time-code" in control.hints or any(word in control.names for word in _ONE_TIME_WORDS)


def _encoded(fields: Fields, encoding: str) -> bytes:
    """application/x-www-form-urlencoded (URL Standard 5.2); what the page's encoding lacks becomes &#NNN;.

    Not urllib's: that goes through an assertion of five thousand characters one by one, in half a millisecond.
    """
    return b"&".join(
        b"=".join(_UNSAFE.sub(_escaped, text.encode(encoding, "xmlcharrefreplace")) for text in field)
        for field in fields
    )


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"+" if found[0] == b" " else b"%%%02X" % ord(found[0])
