"""HTML pages as a client without JavaScript sees them: their forms, and what each would submit.

This is HTML's own reading (HTML Living Standard, 4.10) and knows nothing of logins, SAML or any provider.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urldefrag, urljoin, urlsplit

from lxml import etree

from simulator.protocols.messages import Broken, Response

_SUBMITS = frozenset({"submit", "image"})
# Controls that nobody types into.
_UNTYPED = frozenset({"hidden", "checkbox", "radio", "button", "reset", "file", "range", "color"}) | _SUBMITS
# Elements whose text no browser draws.
_UNSEEN = frozenset({"script", "style", "template"})
_ERROR_WORDS = ("error", "alert", "feedback")
_SAID_MAX = 120


@dataclass(frozen=True, slots=True)
class Control:
    """A field that a person types into. `names` is its name and id in lower case, `hints` its autocomplete words."""

    name: str
    kind: str
    names: str
    hints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PageForm:
    """One form of a page.

    Attributes:
        name: its id, else its name, else "".
        action: absolute http(s) URL without fragment. method: "GET" or "POST".
        fields: the entry list of pressing the default button (HTML 4.10.21.4), in document order.
        typed: the fields that a person types into, in document order; read-only ones are not among them.
        button: it has a button that a person sees and may press.
        unseen: it is made to submit itself: the page's onload does, or its button is inside noscript.
    """

    name: str
    action: str
    method: str
    fields: tuple[tuple[str, str], ...]
    typed: tuple[Control, ...]
    button: bool
    unseen: bool


class Page:
    """A parsed HTML page.

    Args:
        response: whose body is HTML, or something that a browser would take for it.
    Raises:
        Broken: undecodable, when there is nothing in it to parse.
    """

    def __init__(self, response: Response) -> None:
        charset, body = _charset(response.header("content-type")), response.body
        if charset and charset != "utf-8":
            # Recoded here: libxml2 and Python do not call all encodings by the same names.
            body = body.decode(charset, "replace").encode()
        try:
            self._root = etree.fromstring(body, etree.HTMLParser(encoding="utf-8" if charset else None))
        except (etree.LxmlError, ValueError) as error:
            raise Broken("undecodable", f"not HTML: {error}"[:_SAID_MAX], status=response.status) from None
        if self._root is None:
            raise Broken("undecodable", "an empty page", status=response.status)
        self.encoding = charset or _known(self._root.getroottree().docinfo.encoding or "") or "utf-8"
        self.url = response.url

    @cached_property
    def base(self) -> str:
        """What relative references are resolved against (HTML 2.4.3)."""
        told = next((element.get("href", "") for element in self._root.iter("base") if element.get("href")), "")
        return join(self.url, told) or self.url

    def elements(self, *tags: str) -> Iterator[etree._Element]:
        """The elements of those names, in document order; what is inside noscript is not asked for by a browser."""
        for element in self._root.iter(*tags):
            if next(element.iterancestors("noscript"), None) is None:
                yield element

    @cached_property
    def forms(self) -> tuple[PageForm, ...]:
        """The forms that can be submitted to an http(s) URL, in document order."""
        base = self.base
        body = next(self._root.iter("body"), None)
        onload = body is not None and "submit" in body.get("onload", "")
        owned: dict[etree._Element, list[etree._Element]] = {form: [] for form in self._root.iter("form")}
        by_id = {form.get("id", ""): form for form in reversed(owned)}
        for control in self._root.iter("input", "button", "select", "textarea"):
            named = control.get("form")
            owner = next(control.iterancestors("form"), None) if named is None else by_id.get(named)
            if owner is not None and not _is_off(control):
                owned[owner].append(control)
        found = (_form(form, controls, base, self.url, onload) for form, controls in owned.items())
        return tuple(form for form in found if form is not None)

    def said(self) -> str:
        """What the page tells its reader: the first error that it shows, else its title; cut to one short line."""
        for element in self._root.iter("div", "span", "p", "label", "li", "h1", "h2", "h3", "td"):
            marks = f"{element.get('class', '')} {element.get('id', '')} {element.get('role', '')}".lower()
            if any(word in marks for word in _ERROR_WORDS) and (text := _text(element)):
                return text[:_SAID_MAX]
        return _text(next(self._root.iter("title"), None))[:_SAID_MAX]

    def text(self) -> str:
        """What a reader without JavaScript sees, title and buttons included, white space folded."""
        parts: list[str] = []
        _gather(self._root, parts)
        return " ".join(" ".join(parts).split())


def _gather(element: etree._Element, parts: list[str]) -> None:
    if isinstance(element.tag, str) and element.tag not in _UNSEEN and element.get("hidden") is None:
        if element.get("type", "").lower() in _SUBMITS | {"button"}:
            parts.append(element.get("value", ""))
        parts.append(element.text or "")
        for child in element:
            _gather(child, parts)
    parts.append(element.tail or "")


def join(base: str, reference: str) -> str:
    """An absolute http(s) URL without fragment, "" where there is none to be had."""
    try:
        url = urldefrag(urljoin(base, reference.strip())).url
        return url if origin_of(url) and urlsplit(url).hostname else ""
    except ValueError:
        return ""


def origin_of(url: str) -> str:
    """scheme://host[:port] of an http(s) URL in lower case, "" of anything else (RFC 6454 4)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}" if parts.scheme in ("http", "https") else ""


def _form(
    form: etree._Element, controls: list[etree._Element], base: str, page_url: str, onload: bool
) -> PageForm | None:
    button = next((control for control in controls if _kind(control) in _SUBMITS), None)
    action, method = form.get("action", ""), form.get("method", "")
    if button is not None:
        action, method = button.get("formaction", action), button.get("formmethod", method)
    url = join(base, action) if action.strip() else join(page_url, "")
    if not url or method.strip().lower() == "dialog":
        return None
    typed = tuple(
        Control(
            control.get("name", ""),
            _kind(control),
            f"{control.get('name', '')} {control.get('id', '')}".lower(),
            tuple(control.get("autocomplete", "").lower().split()),
        )
        for control in controls
        if control.get("name") and _kind(control) not in _UNTYPED | {"select"} and control.get("readonly") is None
    )
    hidden_button = button is not None and next(button.iterancestors("noscript"), None) is not None
    return PageForm(
        form.get("id", "") or form.get("name", ""),
        url,
        "POST" if method.strip().lower() == "post" else "GET",
        tuple(entry for control in controls for entry in _entries(control, button)),
        typed,
        button is not None and not hidden_button,
        onload or hidden_button,
    )


def _kind(control: etree._Element) -> str:
    """The state of a control's type attribute (HTML 4.10.5 and 4.10.8)."""
    if control.tag == "input":
        return control.get("type", "").strip().lower() or "text"
    if control.tag == "button":
        kind = control.get("type", "").strip().lower()
        return kind if kind in ("button", "reset") else "submit"
    return str(control.tag)


def _entries(control: etree._Element, button: etree._Element | None) -> Iterator[tuple[str, str]]:
    """What one control adds to a submission (HTML 4.10.21.4, constructing the entry list)."""
    name, kind = control.get("name", ""), _kind(control)
    if kind == "image" and control is button:
        prefix = f"{name}." if name else ""
        yield from ((f"{prefix}x", "0"), (f"{prefix}y", "0"))
    elif not name or kind in ("button", "reset", "file") or (kind in _SUBMITS and control is not button):
        return
    elif kind in ("checkbox", "radio"):
        if control.get("checked") is not None:
            yield name, control.get("value", "on")
    elif kind == "select":
        for option in _chosen(control):
            yield name, option.get("value", _text(option))
    else:
        yield name, _raw_text(control) if kind == "textarea" else control.get("value", "")


def _chosen(select: etree._Element) -> list[etree._Element]:
    """The selected options; where one must be and none is, the first (HTML 4.10.7)."""
    options = [option for option in select.iter("option") if not _is_off(option)]
    chosen = [option for option in options if option.get("selected") is not None]
    return chosen if select.get("multiple") is not None else chosen[-1:] or options[:1]


def _is_off(element: etree._Element) -> bool:
    return element.get("disabled") is not None or any(
        ancestor.tag == "datalist" or ancestor.get("disabled") is not None
        for ancestor in element.iterancestors("fieldset", "optgroup", "datalist")
    )


def _raw_text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext())


def _text(element: etree._Element | None) -> str:
    return "" if element is None else " ".join(_raw_text(element).split())


def _charset(content_type: str) -> str:
    """The charset of a Content-Type header, "" when it names none that is known."""
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == "charset":
            return _known(value.strip(" \"'"))
    return ""


def _known(charset: str) -> str:
    """Python's name of an encoding that a form can be submitted in, "" of any other (HTML 4.10.21.5: not UTF-16)."""
    try:
        return codecs.lookup(charset).name if "a".encode(charset, "xmlcharrefreplace") == b"a" else ""
    except (LookupError, ValueError):
        return ""
