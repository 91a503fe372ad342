"""What a page links to is found as a browser would find it; foreign origins are counted, never asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocols.assets import ASSETS_MAX, asset, assets_of, with_assets
from simulator.protocols.forms import LoginForm
from simulator.protocols.identity import submit_wrong
from simulator.protocols.messages import Exchange, Refused, Request, Response

URL = "https://idp.city.example/realms/city/login?SAMLRequest=x"
HTML = (("content-type", "text/html; charset=utf-8"),)
CSS = (("content-type", "text/css; charset=utf-8"),)
HOME = "https://idp.city.example"


def own(body: str) -> list[str]:
    """Paths of what a page links to at its own origin."""
    return [url.removeprefix(HOME) for url in assets_of(Response(200, HTML, body.encode(), URL)).own]


def in_sheet(css: str, *, at: str = f"{HOME}/css/a.css") -> list[str]:
    """Paths of what a style sheet asks for at the page's origin."""
    fetched = asset(at, URL).read(Response(200, CSS, css.encode(), at))
    return [url.removeprefix(HOME) for url in fetched.assets.own]


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ('<link rel="stylesheet" href="a.css">', ["/realms/city/a.css"]),
        ('<LINK REL="Shortcut ICON" HREF="/f.ico">', ["/f.ico"]),
        ('<link rel="preload" as="font" href="/f.woff2"><link rel=modulepreload href=/m.js>', ["/f.woff2", "/m.js"]),
        ('<link rel="canonical" href="/c"><link rel="alternate" href="/d"><link rel="dns-prefetch" href="/e">', []),
        ('<script src="/a.js"></script><script>inline()</script>', ["/a.js"]),
        ('<script type="module" src="/a.mjs"></script><script type="text/x-template" src="/t"></script>', ["/a.mjs"]),
        ('<img src="/a.png"><img src="/b.png" loading="lazy"><img src="data:image/png;base64,AA">', ["/a.png"]),
        ('<input type="image" src="/go.gif"><input type="text" src="/no.gif">', ["/go.gif"]),
        ('<img src="/a.png"><img src="/a.png#x"><img src="https://idp.city.example/a.png">', ["/a.png"]),
        ("<style>.a { background: url('/bg.svg') }</style>", ["/bg.svg"]),
        ('<noscript><img src="/pixel.gif"></noscript>', []),
        ('<base href="/static/"><img src="a.png">', ["/static/a.png"]),
        ('<img src=""><img><link rel=stylesheet><script src=" "></script>', []),
    ],
)
def test_what_a_page_links_to(markup: str, expected: list[str]) -> None:
    """Links that load, scripts, pictures, style elements: each once, none that a browser leaves for later."""
    assert own(f"<!DOCTYPE html><html><head></head><body>{markup}</body></html>") == expected


@pytest.mark.parametrize(
    ("css", "expected"),
    [
        ('@import "b.css"; @import url(c.css); @import url("/d.css") print;', ["/css/b.css", "/css/c.css", "/d.css"]),
        (".a{background:url( '../i.png' )} .b{background:url(/j.png)}", ["/i.png", "/j.png"]),
        ("/* url(/commented.png) */ .a{background:url(/j.png)}", ["/j.png"]),
        (".a{background:url(/i.png)} /* never closed: .b{background:url(/j.png)}", ["/i.png"]),
        ("@font-face{" * 100_000, []),
        (".a{background:url(data:image/png;base64,AA==)} .b{mask:url(#here)}", []),
        (
            "@font-face{font-family:A;src:url(a.eot);src:url(a.ttf),url(a.woff2)}"
            "@font-face{font-family:A;font-weight:700;src:url(a7.woff2)}@font-face{font-family:B;src:url(b.ttf)}",
            ["/css/a.woff2", "/css/b.ttf"],
        ),
    ],
)
def test_what_a_style_sheet_asks_for(css: str, expected: list[str]) -> None:
    """@import and url() relative to the sheet; of a font's files one, of a family's faces one; nothing in comments."""
    assert in_sheet(css) == expected


def test_foreign_origins_are_counted() -> None:
    """Another host, port or scheme is another origin (RFC 6454): counted once each, never among those to fetch."""
    body = "".join(
        f'<script src="{url}"></script>'
        for url in ("//cdn.example/a.js", "https://idp.city.example:8443/b.js", "http://idp.city.example/c.js",
                    "//cdn.example/a.js", "/own.js")
    )  # fmt: skip
    found = assets_of(Response(200, HTML, body.encode(), URL))
    assert found.own == (f"{HOME}/own.js",)
    assert found.foreign == 3


def test_only_a_style_sheet_is_looked_into() -> None:
    """What looks like CSS in a script or a picture is nobody's request."""
    fetched = asset(f"{HOME}/a.js", URL).read(Response(200, (("content-type", "text/javascript"),), b"url(/x.png)"))
    assert fetched.assets.own == ()


@pytest.mark.parametrize(
    ("told", "kept"), [("", True), ("max-age=60", True), ("no-cache", True), ("private, No-Store", False)]
)
def test_no_store_is_heeded(told: str, kept: bool) -> None:
    """What may not be stored is fetched again with the next page (RFC 9111 5.2.2.5)."""
    fetched = asset(f"{HOME}/a.js", URL).read(Response(200, (("cache-control", told),), b""))
    assert fetched.kept is kept


def test_trouble_is_sorted() -> None:
    """An asset that is not there is a refusal, as any other answer of that kind."""
    with pytest.raises(Refused):
        asset(f"{HOME}/a.js", URL).read(Response(404, HTML, b"no"))


def test_no_query_is_told_to_the_next() -> None:
    """The page's query, an AuthnRequest perhaps, travels in no Referer of ours."""
    assert asset(f"{HOME}/a.js", URL).request.header("referer") == URL.partition("?")[0]


def test_a_page_is_read_once_for_both() -> None:
    """The page's own reader decides whether it is good; its assets come along."""
    exchange = with_assets(Exchange("identity.login_page", Request("GET", URL), lambda response: response.status))
    linked = exchange.read(Response(200, HTML, b'<img src="/a.png">', URL))
    assert (linked.page, linked.assets.own, linked.assets.page_url) == (200, (f"{HOME}/a.png",), URL)


def test_a_no_without_a_page_stays_the_answer_it_is() -> None:
    """A wrong password that a provider answers with a bare 401 was refused as expected; there is nothing to fetch."""
    form = LoginForm(URL, "POST", (("u", ""), ("p", "")), "u", "p", "", "utf-8", HOME, False, False, False, 1)
    linked = with_assets(submit_wrong(form, "who", "wrong")).read(Response(401, (), b"", URL))
    assert (linked.page, linked.assets.own, linked.assets.page_url) == (None, (), URL)


@given(st.binary(max_size=400))
def test_no_page_breaks_it(body: bytes) -> None:
    """Whatever bytes come, there is a bounded list of URLs of the page's origin, or the page is no page at all."""
    images = b"".join(b'<img src="/%d.png">' % number for number in range(ASSETS_MAX + 50))
    found = assets_of(Response(200, HTML, b"<html><body>" + images + body, URL))
    assert len(found.own) == ASSETS_MAX
    assert all(url.startswith(f"{HOME}/") for url in found.own)
