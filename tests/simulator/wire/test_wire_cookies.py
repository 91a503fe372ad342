"""Cookies: a table from RFC 6265, each row by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.wire.cookies import MOST_BYTES, MOST_COOKIES, CookieJar

NOW = 1_700_000_000.0
ASKED = ("idp.city.example", "/realms/city/login?x=1")

# Set-Cookie from http://idp.city.example/realms/city/login -> the URL asked next -> the Cookie header.
ROWS = [
    # 5.2: name and value, blanks around them, quotes kept, no value, no name.
    ("a=b", ASKED, "a=b"),
    (" a = b ; HttpOnly", ASKED, "a=b"),
    ('a="b c"', ASKED, 'a="b c"'),
    ("a=", ASKED, "a="),
    ("a=b=c", ASKED, "a=b=c"),
    ("", ASKED, ""),
    ("=; Path=/", ASKED, ""),
    # 5.3, 5.1.3: without Domain the very host alone; with it, that and all below.
    ("a=b; Path=/", ("x.idp.city.example", "/"), ""),
    ("a=b; Path=/; Domain=city.example", ("www.city.example", "/"), "a=b"),
    ("a=b; Path=/; DOMAIN=.City.Example", ("city.example", "/"), "a=b"),
    ("a=b; Path=/; Domain=city.example", ("notcity.example", "/"), ""),
    ("a=b; Path=/; Domain=other.example", ("other.example", "/"), ""),
    ("a=b; Path=/; Domain=other.example", ASKED, ""),
    ("a=b; Path=/; Domain=www.idp.city.example", ASKED, ""),
    ("a=b; Path=/; Domain=example", ASKED, ""),
    ("a=b; Path=/; Domain=", ASKED, "a=b"),
    # 5.1.4: the default path is the directory of what was asked; a path covers itself and what lies below.
    ("a=b", ("idp.city.example", "/realms/city"), "a=b"),
    ("a=b", ("idp.city.example", "/realms/city/"), "a=b"),
    ("a=b", ("idp.city.example", "/realms/citymore"), ""),
    ("a=b", ("idp.city.example", "/realms"), ""),
    ("a=b; Path=/realms/", ("idp.city.example", "/realms/x"), "a=b"),
    ("a=b; Path=/realms/", ("idp.city.example", "/realms"), ""),
    ("a=b; Path=relative", ("idp.city.example", "/realms/city"), "a=b"),
    ("a=b; Path=/other", ("idp.city.example", "/other?q=/x"), "a=b"),
    ("a=b; Path=/x; Path=/", ("idp.city.example", "/"), "a=b"),
    # 5.2.1, 5.2.2: when they end. Max-Age wins, and what cannot be read is no attribute.
    ("a=b; Max-Age=60", ASKED, "a=b"),
    ("a=b; Max-Age=0", ASKED, ""),
    ("a=b; Max-Age=-1", ASKED, ""),
    ("a=b; Max-Age=soon", ASKED, "a=b"),
    ("a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT", ASKED, ""),
    ("a=b; Expires=Wednesday, 21-Oct-15 07:28:00 GMT", ASKED, ""),
    ("a=b; Expires=Wed Oct 21 07:28:00 2015", ASKED, ""),
    ("a=b; Expires=Thu, 01 Jan 1970 00:00:00 GMT", ASKED, ""),
    ("a=b; Expires=Wed, 21 Oct 2065 07:28:00 GMT", ASKED, "a=b"),
    ("a=b; Expires=whenever", ASKED, "a=b"),
    ("a=b; Expires=Wed, 99 Foo 2015 07:28:00 GMT", ASKED, "a=b"),
    ("a=b; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=60", ASKED, "a=b"),
    ("a=b; Expires=Wed, 21 Oct 2065 07:28:00 GMT; Max-Age=0", ASKED, ""),
    ("a=b; SameSite=None; Unheard-Of; Priority=High", ASKED, "a=b"),
]


def told(*lines: str, https: bool = False, secure_over_http: bool = True) -> CookieJar:
    """A jar that one answer of the identity provider filled."""
    jar = CookieJar(secure_over_http=secure_over_http)
    jar.store("idp.city.example", "/realms/city/login?next=/a/b/c", https=https, lines=lines, now=NOW)
    return jar


@pytest.mark.parametrize(("line", "asked", "expected"), ROWS)
def test_table(line, asked, expected):
    """Each Set-Cookie goes back to exactly the hosts, paths and times that the RFC says."""
    assert told(line).header(*asked, https=False, now=NOW) == expected


def test_time_passes():
    """A cookie ends with the second its Max-Age or Expires tells: 2023-11-14T22:13:30Z is ten seconds from now."""
    for line in ("a=b; Max-Age=10", "a=b; Expires=Tue, 14 Nov 2023 22:13:30 GMT"):
        assert told(line).header(*ASKED, https=False, now=NOW + 9) == "a=b"
        assert told(line).header(*ASKED, https=False, now=NOW + 10) == ""


@pytest.mark.parametrize(
    ("set_over", "sent_over", "over_http", "expected"),
    [(a, b, c, "a=b" if (b if a else c) else "") for a, b, c in itertools.product((True, False), repeat=3)],
)
def test_secure(set_over, sent_over, over_http, expected):
    """A Secure cookie that came over TLS goes over TLS alone (RFC 6265 5.4); one that came without is kept if told."""
    jar = told("a=b; Secure", https=set_over, secure_over_http=over_http)
    assert jar.header(*ASKED, https=sent_over, now=NOW) == expected


def test_order_and_replacing():
    """Longer paths first, then the older (5.4); the same name, domain and path replaces in place; expiry removes."""
    jar = told("a=1; Path=/", "b=2; Path=/realms", "c=3; Path=/", "a=4; Path=/")
    assert jar.header(*ASKED, https=False, now=NOW) == "b=2; a=4; c=3"
    jar.store("idp.city.example", "/", https=False, lines=["a=; Path=/; Max-Age=0"], now=NOW)
    assert jar.header(*ASKED, https=False, now=NOW) == "b=2; c=3"


def test_addresses():
    """An address has nothing below it: its cookies go to itself (5.1.3), whether it says its Domain or not."""
    jar = CookieJar()
    lines = ["a=1; Domain=127.0.0.1", "b=2", "c=3; Domain=0.0.1"]
    jar.store("127.0.0.1", "/", https=False, lines=lines, now=NOW)
    assert jar.header("127.0.0.1", "/", https=False, now=NOW) == "a=1; b=2"


def test_bounds():
    """A server cannot fill a device: large cookies are not kept, and of too many the oldest go."""
    jar = told(f"big={'x' * MOST_BYTES}", f"fits={'x' * (MOST_BYTES - 4)}")
    assert jar.header(*ASKED, https=False, now=NOW).startswith("fits=x")
    jar = told(*(f"c{i}=v" for i in range(MOST_COOKIES + 5)))
    sent = jar.header(*ASKED, https=False, now=NOW).split("; ")
    assert (len(sent), sent[0]) == (MOST_COOKIES, "c5=v")


@given(st.text(max_size=80), st.text(max_size=30))
def test_any_line_ends_well(line, path):
    """Whatever a Set-Cookie line holds, the jar takes it or leaves it."""
    jar = CookieJar()
    jar.store("a.example", "/" + path, https=False, lines=[line, f"a=b; {line}", f"a=b; Expires={line}"], now=NOW)
    assert isinstance(jar.header("a.example", "/" + path, https=False, now=NOW), str)
