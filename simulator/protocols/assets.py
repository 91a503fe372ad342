"""What a browser fetches besides a page: its images, scripts and style sheets, and what those sheets ask for in turn.

HTML's and CSS's own reading (HTML Living Standard 4.2.4, 4.8.3, 4.12.1; CSS Syntax 4.3.6, CSS Cascade 2). It knows no
login and no provider; which of it is fetched when, and what is kept, is the journey's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from simulator.protocols.messages import Broken, Exchange, Request, Response, settle
from simulator.protocols.pages import Page, join, origin_of

T = TypeVar("T")

STEP = "identity.asset"
# What one page may have us fetch: more than any login page known, and an end to one that is made to have none.
ASSETS_MAX = 200
_REDIRECTS_MAX = 5
# Links that a browser acts on while it loads a page; others it keeps for later (HTML 4.6.7).
_FETCHED_LINKS = frozenset({"stylesheet", "icon", "preload", "modulepreload"})
_NOT_JAVASCRIPT = re.compile(r"json|template|importmap|speculationrules|x-handlebars|text/html", re.IGNORECASE)
# Of a font's several files a browser fetches one, and of a family's several faces those that it draws: here the first.
_FONT = re.compile(r"@font-face\s*\{([^{}]*)\}", re.IGNORECASE)
_FAMILY = re.compile(r"font-family\s*:\s*([^;]+)", re.IGNORECASE)
# One that is not closed goes on to the end (CSS Syntax 4.3.2).
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_REFERENCE = re.compile(
    r"""@import\s+(?:url\(\s*)?["']([^"'\n]+)["']|url\(\s*(?:["']([^"'\n]*)["']|([^"'()\s]+))\s*\)""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Assets:
    """What a page or a style sheet links to, without duplicates, in document order.

    Attributes:
        page_url: of the page.
        own: absolute URLs of the page's own origin.
        foreign: how many lead elsewhere; nobody gave leave to load that.
    """

    page_url: str
    own: tuple[str, ...] = ()
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Linked(Generic[T]):
    """A page as its exchange read it, and what it links to."""

    page: T
    assets: Assets


@dataclass(frozen=True, slots=True)
class Fetched:
    """One asset that came. `assets`: what a style sheet asks for in turn. `kept`: a cache may hold it."""

    url: str
    assets: Assets
    kept: bool


def assets_of(response: Response) -> Assets:
    """What a page links to and a browser would fetch at once. Raises: Broken: undecodable, as Page."""
    page = Page(response)
    found: list[str] = []
    for element in page.elements("link", "script", "img", "input", "style"):
        match element.tag:
            case "link" if _FETCHED_LINKS & set(element.get("rel", "").lower().split()):
                found.append(element.get("href", ""))
            case "script" if not _NOT_JAVASCRIPT.search(element.get("type", "")):
                found.append(element.get("src", ""))
            case "img" if element.get("loading", "").lower() != "lazy":
                found.append(element.get("src", ""))
            case "input" if element.get("type", "").lower() == "image":
                found.append(element.get("src", ""))
            case "style":
                found += _references(element.text or "")
    return Assets(page.url, *_parted(found, page.base, origin_of(page.url)))


def asset(url: str, page_url: str) -> Exchange[Fetched]:
    """Fetch one asset of a page. Raises when read: as settle."""

    def read(response: Response) -> Fetched:
        settle(response)
        sheet = response.header("content-type").partition(";")[0].strip().lower() == "text/css"
        found = _in_sheet(response.body, response.url or url, origin_of(page_url)) if sheet else ()
        kept = "no-store" not in response.header("cache-control").lower()
        return Fetched(url, Assets(page_url, *found), kept)

    headers = (("Accept", "*/*"), ("Referer", page_url.partition("?")[0]))
    return Exchange(STEP, Request("GET", url, headers, redirects=_REDIRECTS_MAX), read)


def with_assets(exchange: Exchange[T]) -> Exchange[Linked[T]]:
    """The same exchange for a page, read for its assets as well; an answer that is no page, but good, has none."""

    def read(response: Response) -> Linked[T]:
        page = exchange.read(response)
        try:
            return Linked(page, assets_of(response))
        except Broken:
            return Linked(page, Assets(response.url))

    return cast(Exchange[Linked[T]], replace(cast(Exchange[Any], exchange), read=read))


@lru_cache(maxsize=32)
def _in_sheet(body: bytes, url: str, home: str) -> tuple[tuple[str, ...], int]:
    """As _parted, of a style sheet. Remembered: all devices get the same, and half a megabyte takes tens of ms."""
    return _parted(_references(body.decode("utf-8", "replace")), url, home)


def _references(css: str) -> list[str]:
    """The URLs in a style sheet that a browser may ask for, of each font family one."""
    css = _COMMENT.sub("", css)
    fonts: dict[str, str] = {}
    for face in _FONT.findall(css):
        files = _urls(face)
        family = _FAMILY.search(face)
        if files and family is not None:
            fonts.setdefault(family[1].strip(), next((url for url in files if "woff2" in url), files[0]))
    return [*_urls(_FONT.sub("", css)), *fonts.values()]


def _urls(css: str) -> list[str]:
    return [next(filter(None, found), "") for found in _REFERENCE.findall(css)]


def _parted(references: Iterable[str], base: str, home: str) -> tuple[tuple[str, ...], int]:
    """`own` and `foreign` of Assets; `home` is the page's origin."""
    # A fragment alone is a part of what is there already.
    wanted = dict.fromkeys(one.strip() for one in references)
    urls = dict.fromkeys(url for one in wanted if one and not one.startswith("#") and (url := join(base, one)))
    own = [url for url in urls if origin_of(url) == home]
    return tuple(own[:ASSETS_MAX]), len(urls) - len(own)
