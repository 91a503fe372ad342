"""Redirects over the real wire: where they lead, what goes along, and that the guard is asked again."""

from __future__ import annotations

import pytest
from wire_servers import OK, Side, answering, played, pooled, served

from simulator.protocols.messages import Broken, Request, Skipped
from simulator.wire.address import follow


def to(location: str, status: int = 302, more: bytes = b"") -> bytes:
    """A redirect."""
    return b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: %s\r\n%s\r\n" % (status, location.encode(), more)


@pytest.mark.parametrize(
    ("method", "status", "then"),
    [
        ("POST", 301, "GET"), ("POST", 302, "GET"), ("POST", 303, "GET"), ("POST", 307, "POST"), ("POST", 308, "POST"),
        ("GET", 301, "GET"), ("GET", 303, "GET"), ("GET", 307, "GET"), ("PUT", 302, "PUT"), ("PUT", 303, "GET"),
        ("HEAD", 302, "HEAD"), ("HEAD", 303, "HEAD"),
    ],
)  # fmt: skip
@played
async def test_methods(method, status, then):
    """A 303, and a 301 or 302 answer to a POST, turn into a GET without body; the others keep both (RFC 9110 15.4)."""
    done = OK.replace(b"ok", b"") if then == "HEAD" else OK
    async with served(answering(to("/b?c", status), done)) as peer, pooled() as pool:
        body = b"" if method in ("GET", "HEAD") else b"body"
        request = Request(method, f"{peer.url}/a", (("Content-Type", "x/y"), ("Accept", "*/*")), body, redirects=1)
        response = await pool.device().send(request, timeout_s=5)
        assert response.url == f"{peer.url}/b?c"
        second = peer.requests[1]
        assert second.startswith(f"{then} /b?c HTTP/1.1\r\n".encode())
        assert second.endswith(b"\r\n\r\n" + (body if then == method else b""))
        assert (b"Content-Type: x/y" in second) == (then == method)
        assert b"Accept: */*" in second
        assert response.bytes_out == sum(map(len, peer.requests))
        assert response.bytes_in == len(to("/b?c", status)) + len(done)


@played
async def test_not_followed_unless_asked():
    """With redirects=0 the 30x itself is the answer; and one without Location always is."""
    async with served(answering(to("/b"))) as peer, pooled() as pool:
        response = await pool.device().send(Request("GET", peer.url), timeout_s=5)
        assert (response.status, response.header("location")) == (302, "/b")
    nowhere = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
    async with served(answering(nowhere)) as peer, pooled() as pool:
        assert (await pool.device().send(Request("GET", peer.url, redirects=5), timeout_s=5)).status == 302


@played
async def test_loop_ends():
    """A loop ends after as many redirects as allowed, as broken, too_many_redirects."""
    async with served(answering(to("/again"))) as peer, pooled() as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", peer.url, redirects=3), timeout_s=5)
        assert (caught.value.reason, caught.value.status) == ("too_many_redirects", 302)
        assert len(peer.requests) == 4


@pytest.mark.parametrize("location", ["ftp://x/", "javascript:alert(1)", "http://[::1", "http://a:0/"])
@played
async def test_bad_locations(location):
    """A Location that nobody can follow is broken, bad_redirect, with its status."""
    async with served(answering(to(location))) as peer, pooled() as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", peer.url, redirects=3), timeout_s=5)
        assert (caught.value.reason, caught.value.status) == ("bad_redirect", 302)


@pytest.mark.parametrize(
    ("host", "reason"),
    [("idp.city.example", "guard_not_authorised"), ("accounts.google.com", "guard_public_service")],
)
@played
async def test_the_guard_is_asked_again(host, reason):
    """A redirect from loopback to somebody else's host is skipped: that connect has no leave."""
    hosts = {host: "192.0.2.7:80"}
    async with served(answering(to(f"http://{host}/"))) as peer, pooled(hosts=hosts) as pool:
        with pytest.raises(Skipped) as caught:
            await pool.device().send(Request("GET", peer.url, redirects=3), timeout_s=5)
        assert caught.value.reason == reason


@played
async def test_other_origin_gets_no_authorization():
    """Authorization stays with the origin it was meant for; within it, it goes along (Fetch, HTTP-redirect fetch)."""
    headers = (("Authorization", "Bearer secret"), ("X-Other", "1"))
    async with (
        served(answering(OK)) as other,
        served(answering(to("/same"), to(f"{other.url}/x"))) as peer,
        pooled() as pool,
    ):
        await pool.device().send(Request("GET", peer.url, headers, redirects=2), timeout_s=5)
        assert b"Authorization: Bearer secret" in peer.requests[1]
        assert b"Authorization" not in other.requests[0]
        assert b"X-Other: 1" in other.requests[0]


@played
async def test_cookies_along_the_way():
    """A cookie set by a redirect goes with the next request; another device has none; forgotten ones are gone."""

    async def script(side: Side) -> None:
        await side.request()
        await side.say(to("/b", 302, b"Set-Cookie: session=s1; Path=/; HttpOnly; Secure; SameSite=None\r\n"))
        while True:
            await side.request()
            await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        line = pool.device()
        await line.send(Request("GET", f"{peer.url}/a", redirects=1), timeout_s=5)
        assert b"Cookie" not in peer.requests[0]
        assert peer.requests[1].endswith(b"\r\nCookie: session=s1\r\n\r\n")
        line.forget_cookies()
        await line.send(Request("GET", f"{peer.url}/a"), timeout_s=5)
        assert b"Cookie" not in peer.requests[2]
    async with served(script) as peer, pooled(secure_cookies_over_http=False) as pool:
        await pool.device().send(Request("GET", f"{peer.url}/a", redirects=1), timeout_s=5)
        assert b"Cookie" not in peer.requests[1]


@pytest.mark.parametrize(
    ("location", "url"),
    [
        # RFC 3986 5.4.1, with its base.
        ("g", "http://a/b/c/g"), ("./g", "http://a/b/c/g"), ("/g", "http://a/g"), ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"), ("g?y", "http://a/b/c/g?y"), ("..", "http://a/b/"), ("../../g", "http://a/g"),
        ("g;x=1/../y", "http://a/b/c/y"), ("../../../g", "http://a/g"),
        # What servers write though they should not: blanks, raw UTF-8 (as latin-1 text), and around it blanks.
        ("/a b", "http://a/a%20b"), (" /g ", "http://a/g"), ("/前".encode().decode("latin-1"), "http://a/%E5%89%8D"),
        ("https://x/%20?a=b&c=%2B+", "https://x/%20?a=b&c=%2B+"),
    ],
)  # fmt: skip
def test_follow(location, url):
    """Relative references resolve as RFC 3986 says; odd characters come out percent-encoded once."""
    assert follow("http://a/b/c/d;p?q", location) == url
