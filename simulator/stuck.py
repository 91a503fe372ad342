"""What a person is told when a sign-in stops: what was expected, what came instead, and what to do about it.

Nothing of the answer is shown but its redacted text and the names of its forms and fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from simulator.protocols.forms import LoginForm, NextPage, SamlPost
from simulator.protocols.messages import Broken, Response, Trouble
from simulator.protocols.pages import Page, PageForm
from simulator.protocols.providers import Scripted, recognised_host, recognised_page
from simulator.redaction import redacted
from simulator.wire.http import Hop

# Nobody answered, or something in front of it did for it.
_UNREACHED = frozenset(
    {
        *("connect_refused", "connect_timeout", "connect_failed", "name_unknown", "timeout"),
        *("broken_before_sent", "broken_after_sent"),
    }
)
_GATEWAY_SAYS = frozenset({502, 503, 504})

_EXPECTED = {
    "identity.entry": "a redirect to the identity provider",
    "identity.login_page": "a page with a password field, one that asks for a user name, or a form with SAMLResponse",
    "identity.login": "a form with SAMLResponse, or another page of the sign-in",
    "identity.assertion": "that the service provider takes the assertion and says who signed in",
    "identity.challenge": "that the stand-in takes the address at its word and says who signed in",
    "identity.continue": "a page that sets the cookie oauth_code",
}
_CLOCKS = "Compare the clocks of the provider and of this machine."
_BY_REASON = {
    "login_page_again": "The provider asks again for what it was given: user name or password is wrong, or the account"
    " is locked; try them by hand in a browser.",
    "asks_for_more": "The provider asks for more than a user name and a password; exempt the test accounts from it.",
    "guard_public_service": "A public service is never loaded, whoever allows it.",
    "guard_not_authorised": "Have the [authorisation] of the targets file name that host, and hold now.",
    "assertion_encrypted": "Have the provider leave assertions for this service provider unencrypted.",
    "assertion_unsigned": "Have the provider sign its assertions, or its responses.",
    "assertion_algorithm": "Have the provider sign with SHA-256: nothing weaker is taken, by Google neither.",
    "assertion_signature": "The provider signed with a key that its metadata does not name: get the metadata anew.",
    "assertion_subject": "Have the provider say the user's e-mail address as NameID.",
    "assertion_audience": "The assertion is for another service provider: compare the entity IDs.",
    "assertion_destination": "The assertion is for another address: compare the assertion consumer service URLs.",
    "assertion_expired": _CLOCKS,
    "assertion_not_yet": _CLOCKS,
    "tls_failed": "Give the city's own certificate authority as ca_file in the targets file.",
}


def unreachable(trouble: Trouble) -> bool:
    """Whether the service was not there at all, rather than said no or said nonsense."""
    return trouble.reason in _UNREACHED or trouble.status in _GATEWAY_SAYS


def needs_script(trouble: Trouble, response: Response | None, hops: Sequence[Hop]) -> Scripted | None:
    """Which known provider that needs JavaScript a sign-in stopped at; None when it was another trouble.

    A login page that comes again is a wrong password first of all: only a captcha has the same look.
    """
    if unreachable(trouble):
        return None
    urls = [url for hop in hops for url in (hop.url, _location(hop))]
    by_host = next(filter(None, (recognised_host(urlsplit(url).hostname or "") for url in reversed(urls))), None)
    if by_host is not None:
        return by_host
    found = recognised_page(response) if response is not None else None
    if trouble.reason == "login_page_again" and found is not None and "captcha" not in found.name:
        return None
    return found


def explained(
    step: str, trouble: Trouble, response: Response | None, scripted: Scripted | None, persons: Iterable[str]
) -> Iterator[str]:
    """Lines for a person: what was expected, what there was, what the page says, what to do."""
    expected = _EXPECTED.get(step)
    page = _page(response)
    if expected is not None:
        yield f"expected {expected}" + (f"; there came {_inventory(page)}" if page is not None else "")
    if page is not None and (text := redacted(page.text(), persons)):
        yield f"the page says: {text}"
    if scripted is not None:
        yield f"This is {scripted.name}, which needs JavaScript and cannot be driven: {scripted.advice}."
    elif trouble.reason in _BY_REASON:
        yield _BY_REASON[trouble.reason]
    elif unreachable(trouble):
        yield "The service cannot be reached; nothing else was tried."


def chosen(answer: NextPage, response: Response) -> str:
    """The form that will be submitted, in one line: its name, where it goes, and its fields by name."""
    page = _page(response)
    forms = page.forms if page is not None else ()
    name = next((form.name for form in forms if (form.action, form.fields) == (answer.action, answer.fields)), "")
    method = answer.method if isinstance(answer, LoginForm) else "POST"
    fields = ", ".join(field for field, _ in answer.fields) or "none"
    filled = [answer.user_field, answer.password_field, answer.code_field] if isinstance(answer, LoginForm) else []
    fills = f"; fills {', '.join(filter(None, filled))}" if any(filled) else ""
    kind = "carries the assertion" if isinstance(answer, SamlPost) else "chosen"
    parts = urlsplit(answer.action)
    return f"form {name or '(unnamed)'} {kind}: {method} {parts.netloc}{parts.path}, fields {fields}{fills}"


def _inventory(page: Page) -> str:
    if not page.forms:
        return "no form that works without JavaScript"
    return "; ".join(_described(form) for form in page.forms[:4])


def _described(form: PageForm) -> str:
    fields = ", ".join(dict.fromkeys(name for name, _ in form.fields)) or "no field"
    typed = ", ".join(control.name for control in form.typed)
    return f"form {form.name or '(unnamed)'} with {fields}" + (f" (typed: {typed})" if typed else "")


def _page(response: Response | None) -> Page | None:
    if response is None or "html" not in response.header("content-type", "html"):
        return None
    try:
        return Page(response)
    except Broken:
        return None


def _location(hop: Hop) -> str:
    return next((value for name, value in hop.headers if name == "location"), "")
