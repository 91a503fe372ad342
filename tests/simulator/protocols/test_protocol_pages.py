"""HTML's rules for what a form submits (HTML Living Standard 4.10), one by one."""

from __future__ import annotations

import pytest

from simulator.protocols.forms import LoginForm, form_request, read_page
from simulator.protocols.messages import Broken, Response
from simulator.protocols.pages import Page, PageForm, origin_of


def page(
    body: str | bytes, content_type: str = "text/html; charset=utf-8", url: str = "https://idp.example/a/b"
) -> Page:
    raw = body if isinstance(body, bytes) else body.encode()
    return Page(Response(200, (("content-type", content_type),), raw, url))


def only_form(body: str) -> PageForm:
    (form,) = page(body).forms
    return form


@pytest.mark.parametrize(
    ("controls", "fields"),
    [
        ("<input name=a>", [("a", "")]),
        ("<input name=a value=1><input name=a value=2>", [("a", "1"), ("a", "2")]),
        ("<input value=1>", []),
        ("<input name=a disabled>", []),
        ("<fieldset disabled><input name=a></fieldset><input name=b>", [("b", "")]),
        ("<input type=checkbox name=a checked><input type=checkbox name=b>", [("a", "on")]),
        ("<input type=radio name=a value=1><input type=radio name=a value=2 checked>", [("a", "2")]),
        ("<input type=submit name=a value=1><input type=submit name=b value=2>", [("a", "1")]),
        ("<button type=button name=a></button><button name=b value=2></button>", [("b", "2")]),
        ("<input type=reset name=a><input type=file name=b>", []),
        ("<input type=image name=a>", [("a.x", "0"), ("a.y", "0")]),
        ("<select name=a><option value=1>one<option value=2>two</select>", [("a", "1")]),
        ("<select name=a><option value=1><option selected> two  words </select>", [("a", "two words")]),
        ("<select name=a><option value=1 disabled><option value=2></select>", [("a", "2")]),
        ("<select name=a multiple><option value=1></select>", []),
        (
            "<select name=a multiple><option selected value=1><option selected value=2></select>",
            [("a", "1"), ("a", "2")],
        ),
        ("<textarea name=a>x &amp; y</textarea>", [("a", "x & y")]),
        ("<INPUT TYPE=HIDDEN NAME=Case VALUE='&#34;&#x3042;'>", [("Case", '"あ')]),
    ],
)
def test_entry_list(controls: str, fields: list[tuple[str, str]]) -> None:
    """Each control adds what the standard's entry list says, in document order, with the default button alone."""
    assert list(only_form(f"<form method=post>{controls}</form>").fields) == fields


def test_controls_outside_their_form() -> None:
    """A control's form attribute decides whose it is, inside another form too."""
    first, second = page(
        "<form id=one><input name=a form=two></form><form id=two></form><input name=b form=one><input name=c form=no>"
    ).forms
    assert first.fields == (("b", ""),)
    assert second.fields == (("a", ""),)


def test_button_may_redirect_the_form() -> None:
    """formaction and formmethod of the default button win over the form's own."""
    form = only_form("<form action=/x><input type=submit formaction=/y formmethod=post></form>")
    assert (form.action, form.method) == ("https://idp.example/y", "POST")


@pytest.mark.parametrize(
    ("action", "url"),
    [
        ("", "https://idp.example/a/b"),
        ("?c=1", "https://idp.example/a/b?c=1"),
        ("c", "https://idp.example/a/c"),
        ("//other.example/c", "https://other.example/c"),
        ("  /c \n", "https://idp.example/c"),
        ("/c#d", "https://idp.example/c"),
    ],
)
def test_action(action: str, url: str) -> None:
    """An action is resolved against the page's URL, without fragment (RFC 3986 5.2); an empty one is that URL."""
    assert only_form(f'<form action="{action}"></form>').action == url


@pytest.mark.parametrize("action", ["javascript:void(0)", "mailto:a@b", "http://[", "http://"])
def test_action_that_leads_nowhere(action: str) -> None:
    """A form that cannot be sent over HTTP is no form for this client."""
    assert page(f'<form action="{action}"></form>').forms == ()


def test_typed_fields() -> None:
    """A person types into text-like fields that are open; hidden, ticked, pressed and read-only ones are not typed."""
    form = only_form(
        "<form><input name=a><input name=b type=email><input name=c type=hidden><input name=d readonly value=x>"
        "<input name=e type=checkbox><input type=text><textarea name=f></textarea><input name=g type=unheard-of></form>"
    )
    assert [control.name for control in form.typed] == ["a", "b", "f", "g"]


# 漢 is 8A BF in Shift_JIS and B4 C1 in EUC-JP (JIS X 0208 20-33).
@pytest.mark.parametrize(
    ("content_type", "head", "encoding", "kanji", "sent"),
    [
        ("text/html; charset=Shift_JIS", "", "shift_jis", b"\x8a\xbf", b"%8A%BF"),
        ("text/html; charset=EUC-JP", "", "euc_jp", b"\xb4\xc1", b"%B4%C1"),
        ("text/html", "<meta charset=Shift_JIS>", "shift_jis", b"\x8a\xbf", b"%8A%BF"),
        ("text/html; charset=unheard-of", "<meta charset=utf-8>", "utf-8", b"\xe6\xbc\xa2", b"%E6%BC%A2"),
    ],
)
def test_encoding(content_type: str, head: str, encoding: str, kanji: bytes, sent: bytes) -> None:
    """A page is read in its own encoding and answered in it; what that lacks becomes a character reference."""
    body = (
        head.encode() + b"<form method=post><input name=user><input name=h type=hidden value='" + kanji + b"'></form>"
    )
    form = read_page(Response(200, (("content-type", content_type),), body, "https://idp.example/"))
    assert isinstance(form, LoginForm)
    assert (form.encoding, dict(form.fields)["h"]) == (encoding, "漢")
    emoji = b"%26%23128522%3B" if encoding != "utf-8" else b"%F0%9F%98%8A"
    assert form_request(form, {"user": "\U0001f60a"}).body == b"user=" + emoji + b"&h=" + sent


def test_empty_page() -> None:
    """Nothing to parse is undecodable."""
    with pytest.raises(Broken) as caught:
        page("")
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://A.example:8443/x?y", "https://a.example:8443"),
        ("http://user:pw@a.example", "http://a.example"),
        ("ftp://a.example/", ""),
        ("http://[", ""),
    ],
)
def test_origin(url: str, origin: str) -> None:
    """Scheme, host and port alone (RFC 6454 4)."""
    assert origin_of(url) == origin
