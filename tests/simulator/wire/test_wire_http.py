"""The HTTP wire against real servers that behave well."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest
from wire_servers import OK, Side, answering, played, pooled, served, until

from simulator.protocols.messages import Broken, Request, Skipped, Unknown
from simulator.wire.connection import Limits


class Heap:
    """A sink that keeps what comes."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> None:
        """As Sink says."""
        self.parts.append(data)


@played
async def test_request_bytes():
    """A request goes out with exactly the head that HTTP/1.1 and the message say, and every byte is counted."""
    async with served(answering(OK)) as peer, pooled() as pool:
        request = Request(
            "POST", f"{peer.url}/a/b?c=d#here", (("Content-Type", "text/plain"), ("X-One", "1")), b"hello"
        )
        response = await pool.device(user_agent="test/1").send(request, timeout_s=5)
        expected = (
            b"POST /a/b?c=d HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: keep-alive\r\nContent-Length: 5\r\n"
            b"Content-Type: text/plain\r\nX-One: 1\r\nUser-Agent: test/1\r\nAccept-Encoding: gzip, deflate\r\n\r\nhello"
            % peer.port
        )
        assert peer.requests == [expected]
        assert (response.status, response.body, response.url) == (200, b"ok", request.url)
        assert (response.bytes_out, response.bytes_in) == (len(expected), len(OK))
        assert response.headers == (("content-length", "2"),)


@played
async def test_what_is_no_browser_says_nothing_of_one():
    """The update engine's requests carry neither a User-Agent nor an Accept-Encoding (libcurl_http_fetcher.cc)."""
    async with served(answering(OK)) as peer, pooled() as pool:
        request = Request("GET", f"{peer.url}/x", (("Accept", "*/*"),), browser=False)
        await pool.device(user_agent="test/1").send(request, timeout_s=5)
        assert peer.requests == [
            b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: keep-alive\r\nAccept: */*\r\n\r\n" % peer.port
        ]


@played
async def test_own_user_agent_wins():
    """A request that brings a User-Agent goes out with that one alone; a GET has no Content-Length."""
    async with served(answering(OK)) as peer, pooled() as pool:
        await pool.device().send(Request("GET", f"{peer.url}", (("user-agent", "ChromeOSUpdateEngine"),)), timeout_s=5)
        head = peer.requests[0].lower()
        assert head.startswith(b"get / http/1.1\r\n")
        assert head.count(b"user-agent:") == 1
        assert b"content-length" not in head


@played
async def test_keep_alive_and_devices_apart():
    """One device's requests share a connection; another device has its own."""
    async with served(answering(OK)) as peer, pooled() as pool:
        one, two = pool.device(), pool.device()
        for line in (one, one, one, two):
            await line.send(Request("GET", peer.url), timeout_s=5)
        assert [side.number for side in peer.sides] == [1, 2]
        assert len(peer.requests) == 4
        assert pool.open_connections == 2
        one.close()
        two.close()
        for side in peer.sides:
            await side.writer.wait_closed()


@played
async def test_at_most_six_connections():
    """Ten requests at once of one device go over six connections, and all are answered."""
    release = asyncio.Event()

    async def script(side: Side) -> None:
        while True:
            await side.request()
            if len(side.peer.requests) == 6:
                release.set()
            await release.wait()
            await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        line = pool.device()
        sends = [line.send(Request("GET", peer.url), timeout_s=10) for _ in range(10)]
        responses = await asyncio.gather(*sends)
        assert [response.status for response in responses] == [200] * 10
        assert len(peer.sides) == 6


@played
async def test_seventh_request_times_out_unsent():
    """A request that finds all six busy until its time is over was never sent; a cancelled one is in nobody's way."""
    release = asyncio.Event()

    async def script(side: Side) -> None:
        while True:
            await side.request()
            await release.wait()
            await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        line = pool.device()
        busy = [asyncio.ensure_future(line.send(Request("GET", peer.url), timeout_s=10)) for _ in range(6)]
        await until(lambda: len(peer.requests) == 6)
        with pytest.raises(Broken) as caught:
            await line.send(Request("GET", peer.url), timeout_s=0.05)
        assert caught.value.reason == "broken_before_sent"
        waiting = [asyncio.ensure_future(line.send(Request("GET", peer.url), timeout_s=10)) for _ in range(2)]
        await until(lambda: waiting[1].get_coro().cr_await is not None)
        waiting[0].cancel()
        release.set()
        assert (await waiting[1]).status == 200
        assert [(await one).status for one in busy] == [200] * 6
        assert len(peer.requests) == 7


@played
async def test_a_turn_that_nobody_takes_is_passed_on():
    """A waiting request that is cancelled just as a connection comes free leaves the connection to the next."""
    first, rest = asyncio.Event(), asyncio.Event()

    async def script(side: Side) -> None:
        while True:
            await side.request()
            if len(side.peer.requests) == 6:
                first.set()
            await (first if side.number == 1 else rest).wait()
            await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        line, request = pool.device(), Request("GET", peer.url)

        async def one() -> None:
            await line.send(request, timeout_s=10)
            waiting[0].cancel()

        busy = [asyncio.ensure_future(one() if n == 0 else line.send(request, timeout_s=10)) for n in range(6)]
        await asyncio.sleep(0)
        waiting = [asyncio.ensure_future(line.send(request, timeout_s=10)) for _ in range(2)]
        assert (await waiting[1]).status == 200
        assert waiting[0].cancelled()
        rest.set()
        await asyncio.gather(*busy)


BODIES = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", b"hello"),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: t\r\n\r\n",
        b"hello",
    ),
    "close": (b"HTTP/1.1 200 OK\r\n\r\nhello", b"hello"),
    "http/1.0": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "204 that tells a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n\r\n", b""),
    "304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 900\r\n\r\n", b""),
    "after 100 and 103": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"hello",
    ),
}


@pytest.mark.parametrize("kind", BODIES)
@played
async def test_bodies(kind):
    """Each way to end a body (RFC 9112 6.3) gives that body, all bytes counted, interim heads forgotten."""
    answer, body = BODIES[kind]

    async def script(side: Side) -> None:
        await side.request()
        await side.say(answer)

    async with served(script) as peer, pooled() as pool:
        response = await pool.device().send(Request("GET", peer.url), timeout_s=5)
        assert response.body == body
        assert response.bytes_in == len(answer)
        assert response.header("link") == response.header("trailer") == ""


@played
async def test_head_has_no_body_and_keeps_the_connection():
    """An answer to HEAD ends with its head, whatever length it tells, and the connection serves the next request."""
    told = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"
    async with served(answering(told, OK)) as peer, pooled() as pool:
        line = pool.device()
        response = await line.send(Request("HEAD", peer.url), timeout_s=5)
        assert (response.status, response.body, response.header("content-length")) == (200, b"", "900")
        assert (await line.send(Request("GET", peer.url), timeout_s=5)).body == b"ok"
        assert len(peer.sides) == 1


@played
async def test_connection_close_is_obeyed():
    """After an answer with Connection: close, and after HTTP/1.0, the next request has a connection of its own."""
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    old = b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
    async with pooled() as pool:
        for answer in (closing, old):
            async with served(answering(answer)) as peer:
                line = pool.device()
                for _ in range(3):
                    await line.send(Request("GET", peer.url), timeout_s=5)
                assert len(peer.sides) == 3


@played
async def test_sink_takes_2xx_bodies_only():
    """A 2xx body of any length goes to the sink, in order and whole; another status's body stays in the response."""
    part = bytes(range(256)) * 4096
    big = b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n" % (4 * len(part)) + part * 4
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"
    async with served(answering(big, missing)) as peer, pooled(limits=Limits(body_bytes=1000)) as pool:
        line, heap = pool.device(), Heap()
        response = await line.send(Request("GET", peer.url, (("Range", "bytes=0-"),)), timeout_s=20, sink=heap)
        assert (response.status, response.body, response.bytes_in) == (206, b"", len(big))
        assert b"".join(heap.parts) == part * 4
        assert b"Range: bytes=0-\r\n" in peer.requests[0]
        refused = Heap()
        assert (await line.send(Request("GET", peer.url), timeout_s=5, sink=refused)).body == b"gone"
        assert refused.parts == []


@played
async def test_sink_that_raises_is_loud():
    """A sink that breaks its promise is our own mistake: its exception comes out as it is."""

    class Bad:
        def write(self, data: bytes) -> None:
            raise ZeroDivisionError

    async with served(answering(OK)) as peer, pooled() as pool:
        with pytest.raises(ZeroDivisionError):
            await pool.device().send(Request("GET", peer.url), timeout_s=5, sink=Bad())


@played
async def test_large_upload_arrives_whole():
    """A body larger than any socket buffer arrives whole, also at a server that reads late."""
    body = bytes(range(256)) * 40_000
    async with served(answering(OK)) as peer, pooled() as pool:
        response = await pool.device().send(Request("POST", peer.url, (), body), timeout_s=20)
        assert peer.requests[0].endswith(b"\r\n\r\n" + body)
        assert response.bytes_out == len(peer.requests[0])


@played
async def test_header_values_cannot_split_a_request():
    """A line break or a letter beyond latin-1 in a header value (a token a server gave) is broken; nothing is sent."""
    async with served(answering(OK)) as peer, pooled() as pool:
        for value in ("a\r\nX-Evil: 1", "a\nb", "a\rb", "日本"):
            with pytest.raises(Broken) as caught:
                await pool.device().send(Request("GET", peer.url, (("Authorization", value),)), timeout_s=5)
            assert caught.value.reason == "bad_value"
        assert peer.sides == []


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://a/", "http://", "http:///x", "http://[::1", "http://a:port/", "http://a:0/", "http://a b/",
     "http://.a/", "http://a..b/", "http://é\u3002\u3002/", "javascript:alert(1)", "http://a:99999/", "http://[fe80::1%25x]/"],
)  # fmt: skip
@played
async def test_urls_that_cannot_be_asked(url):
    """A URL as a page may hold it, but nobody can ask for, is broken, not an exception of another kind."""
    async with pooled() as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", url), timeout_s=5)
        assert caught.value.reason == "bad_value"


@played
async def test_odd_characters_in_a_url_are_encoded():
    """Blanks and other letters in a path go out percent-encoded as UTF-8, what is encoded stays (WHATWG URL)."""
    async with served(answering(OK)) as peer, pooled() as pool:
        await pool.device().send(Request("GET", f'{peer.url}/前橋 市?q=%20"é'), timeout_s=5)
        assert peer.requests[0].startswith(b"GET /%E5%89%8D%E6%A9%8B%20%E5%B8%82?q=%20%22%C3%A9 HTTP/1.1\r\n")


@played
async def test_host_map_and_default_port():
    """A mapped name is connected to at its address and port, and asked for by its own name."""
    async with served(answering(OK)) as peer, pooled(hosts={"IdP.city.invalid": f"127.0.0.1:{peer.port}"}) as pool:
        await pool.device().send(Request("GET", "http://idp.CITY.invalid/x"), timeout_s=5)
    assert b"\r\nHost: idp.city.invalid\r\n" in peer.requests[0]


@played
async def test_names_are_resolved():
    """localhost is resolved as the machine does; a name under .invalid is unknown (RFC 6761 6.4)."""
    async with served(answering(OK)) as peer, pooled() as pool:
        assert (await pool.device().send(Request("GET", f"http://localhost:{peer.port}/"), timeout_s=5)).status == 200
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", "http://nobody.invalid/"), timeout_s=20)
        assert caught.value.reason == "name_unknown"


@played
async def test_one_who_gives_up_does_not_end_the_asking_for_others():
    """Two devices ask for the same name at once: cancelling the first leaves the second its own answer."""
    async with pooled() as pool:
        request = Request("GET", "http://nobody.invalid/")
        sends = [asyncio.ensure_future(pool.device().send(request, timeout_s=20)) for _ in range(2)]
        await asyncio.sleep(0)
        sends[0].cancel()
        ends = await asyncio.gather(*sends, return_exceptions=True)
        assert isinstance(ends[0], asyncio.CancelledError)
        assert isinstance(ends[1], Broken)
        assert ends[1].reason == "name_unknown"


@played
async def test_idle_connections_are_swept():
    """A connection that rests longer than idle_s is closed by us, and nothing of ours is left for it."""
    closed = asyncio.Event()

    async def script(side: Side) -> None:
        await side.request()
        await side.say(OK)
        assert await side.until_closed() == b""
        closed.set()

    async with served(script) as peer, pooled(idle_s=0.05) as pool:
        line = pool.device()
        await line.send(Request("GET", peer.url), timeout_s=5)
        await closed.wait()
        await until(lambda: not pool.open_connections)
        assert line._lanes is None


@played
async def test_cancelled_send_leaves_nothing():
    """A cancelled send closes its connection, whichever point it had reached, and the line works on."""
    asked = asyncio.Event()

    async def script(side: Side) -> None:
        await side.request()
        if side.number == 1:
            asked.set()
            await side.until_closed()
        await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        line = pool.device()
        send = asyncio.ensure_future(line.send(Request("GET", peer.url), timeout_s=30))
        await asked.wait()
        send.cancel()
        with pytest.raises(asyncio.CancelledError):
            await send
        await until(lambda: not pool.open_connections)
        early = asyncio.ensure_future(line.send(Request("GET", peer.url), timeout_s=30))
        await asyncio.sleep(0)
        early.cancel()
        with pytest.raises(asyncio.CancelledError):
            await early
        assert (await line.send(Request("GET", peer.url), timeout_s=5)).status == 200


@played
async def test_closing_ends_what_is_under_way():
    """close() of a line ends its exchanges as unknown, run_ended, and those of no other line."""
    asked = asyncio.Event()
    release = asyncio.Event()

    async def script(side: Side) -> None:
        await side.request()
        if len(side.peer.requests) == 2:
            asked.set()
        await release.wait()
        await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        one, two = pool.device(), pool.device()
        sends = [asyncio.ensure_future(line.send(Request("GET", peer.url), timeout_s=30)) for line in (one, two)]
        await asked.wait()
        one.close()
        with pytest.raises(Unknown) as caught:
            await sends[0]
        assert caught.value.reason == "run_ended"
        release.set()
        assert (await sends[1]).status == 200


@played
async def test_closing_the_pool_ends_a_connect_under_way():
    """A connect that succeeds after the pool was closed carries nothing."""
    async with served(answering(OK)) as peer, pooled() as pool:
        send = asyncio.ensure_future(pool.device().send(Request("GET", peer.url), timeout_s=5))
        await asyncio.sleep(0)
        assert pool.open_connections == 0
        await pool.close()
        with pytest.raises(Broken) as caught:
            await send
        assert caught.value.reason == "broken_before_sent"
        await until(lambda: not pool.open_connections)
        assert peer.requests == []


@played
async def test_a_stand_in_speaks_without_tls():
    """A stand-in's https name leads to it in plain and past any proxy; cookies and Host are the name's own."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: SID=1; Secure; Path=/\r\n\r\n"
    async with (
        served(answering(answer, answer)) as peer,
        pooled(stand_ins={"sp.invalid": f"127.0.0.1:{peer.port}"}) as pool,
    ):
        line = pool.device(proxy="http://127.0.0.1:1")
        for _ in range(2):
            assert (await line.send(Request("GET", "https://sp.invalid/acs"), timeout_s=5)).status == 200
        first, second = peer.requests
        assert first.startswith(b"GET /acs HTTP/1.1\r\nHost: sp.invalid\r\n")
        assert b"Cookie: SID=1\r\n" in second


@played
async def test_foreign_hosts_need_leave():
    """Without an authorisation nothing but loopback is connected to: a name's address and a literal alike."""
    async with pooled(hosts={"idp.city.example": "192.0.2.7:80", "accounts.google.com": "192.0.2.7:80"}) as pool:
        for url, reason in (
            ("http://idp.city.example/", "guard_not_authorised"),
            ("http://192.0.2.9/", "guard_not_authorised"),
            ("http://[2001:db8::1]/", "guard_not_authorised"),
            ("http://accounts.google.com/", "guard_public_service"),
        ):
            with pytest.raises(Skipped) as caught:
                await pool.device().send(Request("GET", url), timeout_s=5)
            assert caught.value.reason == reason


@played
async def test_idle_line_is_small():
    """A device's line that has been used and rests costs less than 1 KiB."""
    async with served(answering(OK)) as peer, pooled(idle_s=0.01) as pool:
        lines = [pool.device() for _ in range(50)]
        for line in lines:
            await line.send(Request("GET", peer.url), timeout_s=5)
        await until(lambda: not pool.open_connections)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        more = [pool.device() for _ in range(1000)]
        cost = (tracemalloc.get_traced_memory()[0] - before) / len(more)
        tracemalloc.stop()
        assert cost < 1024
        assert all(line._lanes is None and line._cookies is None for line in lines)
