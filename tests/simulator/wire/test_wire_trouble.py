"""The HTTP wire against real servers that do it wrong: always a Trouble with the right reason, never anything else."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
from wire_servers import OK, Script, Side, answering, played, pooled, served, until

from simulator.protocols.messages import Broken, Request, Trouble, Unknown
from simulator.wire.connection import Limits

LIMITS = Limits(header_bytes=8 * 1024, body_bytes=100_000)


def saying(data: bytes, *, then: str = "close") -> Script:
    """A script that answers the first request with these bytes, and then closes, resets or waits."""

    async def script(side: Side) -> None:
        await side.request()
        await side.say(data)
        if then == "reset":
            side.reset()
        elif then == "wait":
            await side.until_closed()

    return script


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TROUBLES = {
    "closes before the answer": (saying(b""), Unknown, "broken_after_sent", 0),
    "resets before the answer": (saying(b"", then="reset"), Unknown, "broken_after_sent", 0),
    "closes within the head": (saying(b"HTTP/1.1 200 OK\r\nContent-Le"), Unknown, "broken_after_sent", 0),
    "closes within the body": (saying(HEAD + b"12345"), Unknown, "broken_after_sent", 200),
    "resets within the body": (saying(HEAD + b"12345", then="reset"), Unknown, "broken_after_sent", 200),
    "closes within a chunk": (saying(CHUNKED + b"a\r\n12345"), Unknown, "broken_after_sent", 200),
    "closes before the last chunk": (saying(CHUNKED + b"2\r\nok\r\n"), Unknown, "broken_after_sent", 200),
    "bad chunk": (saying(CHUNKED + b"xyz\r\nok\r\n", then="wait"), Broken, "bad_http", 200),
    "garbage": (saying(b"\x00\x01SSH-2.0-OpenSSH\r\n", then="wait"), Broken, "bad_http", 0),
    "two lengths": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok"), Broken, "bad_http", 0
    ),
    "minus length": (saying(b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"), Broken, "bad_http", 0),
    "chunked and length": (
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
        Broken, "bad_http", 0,
    ),
    "switches protocols": (
        saying(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", then="wait"),
        Broken, "bad_http", 0,
    ),
    "one endless header": (
        saying(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000, then="wait"), Broken, "header_too_large", 0
    ),
    "large head in one piece": (
        saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 2000 + b"Content-Length: 0\r\n\r\n", then="wait"),
        Broken, "header_too_large", 0,
    ),
    "endless interim heads": (saying(b"HTTP/1.1 103 Early\r\n\r\n" * 2000, then="wait"), Broken, "header_too_large", 0),
    "endless trailers": (saying(CHUNKED + b"0\r\nX: " + b"x" * 20_000, then="wait"), Broken, "header_too_large", 200),
    "endless chunk extension": (saying(CHUNKED + b"2;" + b"x" * 20_000, then="wait"), Broken, "header_too_large", 200),
    "large body told": (
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 100001\r\n\r\n" + b"x" * 100_001, then="wait"),
        Broken, "body_too_large", 200,
    ),
    "large body chunked": (
        saying(CHUNKED + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 200, then="wait"), Broken, "body_too_large", 200
    ),
    "large body of a 500": (
        saying(b"HTTP/1.1 500 Oh\r\n\r\n" + b"x" * 100_001, then="wait"), Broken, "body_too_large", 500
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", TROUBLES)
@played
async def test_what_a_server_does_wrong(kind):
    """Each wrong ends as the outcome and reason it is, with the status if one came, and leaves no connection."""
    script, outcome, reason, status = TROUBLES[kind]
    async with served(script) as peer, pooled(limits=LIMITS) as pool:
        with pytest.raises(Trouble) as caught:
            await pool.device().send(Request("POST", peer.url, (), b"body"), timeout_s=20)
        assert (type(caught.value), caught.value.reason, caught.value.status) == (outcome, reason, status)
        await until(lambda: not pool.open_connections)
        # A first use is never sent again.
        assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("start", "status"),
    [(b"", 0), (b"HTTP/1.1 200 OK\r\n", 0), (HEAD, 200)],
    ids=["nothing", "within the head", "body"],
)
@played
async def test_slow_drip_times_out(start, status):
    """A server that says nothing, or drips and never ends, ends as unknown, timeout, however alive it looks."""

    async def script(side: Side) -> None:
        await side.request()
        await side.say(start)
        for letter in b"X: dr" if start else b"":
            await side.say(bytes([letter]))
        await side.until_closed()

    async with served(script) as peer, pooled() as pool:
        with pytest.raises(Unknown) as caught:
            await pool.device().send(Request("GET", peer.url), timeout_s=0.2)
        assert (caught.value.reason, caught.value.status) == ("timeout", status)


@played
async def test_timeout_while_sending_is_broken():
    """When the time is over with the request half out, it was not received: broken, not unknown."""

    async def script(side: Side) -> None:
        side.writer.transport.pause_reading()
        await side.peer.never.wait()

    async with served(script) as peer, pooled() as pool:
        peer.never = asyncio.Event()
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("POST", peer.url, (), b"x" * 30_000_000), timeout_s=0.3)
        assert caught.value.reason == "broken_before_sent"


@played
async def test_reset_while_sending_is_broken():
    """When the server resets with the request half out, it is broken before sent."""

    async def script(side: Side) -> None:
        await side.reader.readexactly(1)
        side.reset()

    async with served(script) as peer, pooled() as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("POST", peer.url, (), b"x" * 30_000_000), timeout_s=20)
        assert caught.value.reason == "broken_before_sent"


@played
async def test_answer_before_the_request_is_out():
    """A server that says 413 and waits before it has read all is heard, and its connection is not used again."""

    async def script(side: Side) -> None:
        await side.reader.readexactly(1)
        await side.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        side.writer.transport.pause_reading()
        await side.peer.done.wait()

    async with served(script) as peer, pooled(idle_s=1000) as pool:
        peer.done = asyncio.Event()
        response = await pool.device().send(Request("POST", peer.url, (), b"x" * 30_000_000), timeout_s=20)
        assert response.status == 413
        await until(lambda: not pool.open_connections)


@played
async def test_connect_refused():
    """A port where nobody listens is broken, connect_refused."""
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        async with pooled() as pool:
            with pytest.raises(Broken) as caught:
                await pool.device().send(
                    Request("GET", f"http://127.0.0.1:{placeholder.getsockname()[1]}/"), timeout_s=5
                )
    assert caught.value.reason == "connect_refused"


@pytest.mark.parametrize(("connect_timeout_s", "timeout_s"), [(0.2, 20), (20, 0.2)])
@played
async def test_connect_timeout(connect_timeout_s, timeout_s):
    """A host that does not answer a connect is broken, connect_timeout, by whichever time is over first."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        # Linux drops further SYNs when the accept queue (backlog + 1) is full.
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        async with pooled(connect_timeout_s=connect_timeout_s) as pool:
            with pytest.raises(Broken) as caught:
                await pool.device().send(Request("GET", f"http://127.0.0.1:{address[1]}/"), timeout_s=timeout_s)
            assert caught.value.reason == "connect_timeout"
            assert pool.open_connections == 0
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize("way", ["closed", "reset"])
@played
async def test_reused_connection_that_was_closed_is_tried_once_more(way):
    """A POST over a reused connection that the server closes without a byte goes out once more, and succeeds."""

    async def script(side: Side) -> None:
        await side.request()
        await side.say(OK)
        await side.request()
        if side.number == 1:
            if way == "reset":
                side.reset()
            return
        await side.say(OK)

    async with served(script) as peer, pooled() as pool:
        line, request = pool.device(), Request("POST", peer.url, (), b"x")
        await line.send(request, timeout_s=5)
        response = await line.send(request, timeout_s=5)
        assert response.status == 200
        assert [side.number for side in peer.sides] == [1, 2]
        assert len(peer.requests) == 3
        # Both tries were sent.
        assert response.bytes_out == len(peer.requests[1]) + len(peer.requests[2])


@played
async def test_only_once_more_and_only_without_a_byte():
    """The second try's own end counts; and a reused connection that broke after one byte is not tried again."""

    async def never_again(side: Side) -> None:
        await side.request()
        if side.number == 1:
            await side.say(OK)
            await side.request()

    async def one_byte(side: Side) -> None:
        await side.request()
        await side.say(OK)
        await side.request()
        await side.say(b"H")

    for script, requests in ((never_again, 3), (one_byte, 2)):
        async with served(script) as peer, pooled() as pool:
            line = pool.device()
            await line.send(Request("GET", peer.url), timeout_s=5)
            with pytest.raises(Unknown) as caught:
                await line.send(Request("GET", peer.url), timeout_s=5)
            assert caught.value.reason == "broken_after_sent"
            assert len(peer.requests) == requests


@pytest.mark.parametrize("surplus", [b"garbage", OK, b"HTTP/1.1 200 OK\r\nX"], ids=["garbage", "answer", "half a head"])
@played
async def test_bytes_after_an_answer(surplus):
    """What follows an answer that nobody asked for spoils the connection, not the answer, and not the next one."""
    async with served(answering(OK + surplus)) as peer, pooled() as pool:
        line = pool.device()
        for _ in range(3):
            response = await line.send(Request("GET", peer.url), timeout_s=5)
            assert (response.status, response.body, response.headers) == (200, b"ok", (("content-length", "2"),))
        assert len(peer.sides) == 3


@played
async def test_parting_words_on_an_idle_connection():
    """A 408 that a server says to an idle connection before it closes it is nobody's answer."""
    said = asyncio.Event()

    async def script(side: Side) -> None:
        await side.request()
        await side.say(OK)
        await side.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        said.set()

    async with served(script) as peer, pooled() as pool:
        line = pool.device()
        await line.send(Request("GET", peer.url), timeout_s=5)
        await said.wait()
        assert (await line.send(Request("GET", peer.url), timeout_s=5)).status == 200


@played
async def test_a_pool_ends_whatever_was_being_opened():
    """Cancelled in any turn of the loop between the first byte and the answer, nothing stays open or is waited for."""
    async with served(answering(OK)) as peer:
        for turns in range(12):
            async with pooled() as pool:
                asking = [
                    asyncio.ensure_future(pool.device().send(Request("GET", peer.url), timeout_s=5)) for _ in range(5)
                ]
                for _ in range(turns):
                    await asyncio.sleep(0)
                for one in asking:
                    one.cancel()
                await asyncio.wait(asking)


DESCRIPTORS = """
import asyncio, resource, uvloop
from simulator.protocols.messages import Exhausted, Request
from simulator.wire.guard import Guard
from simulator.wire.http import HttpPool

async def main():
    pool = HttpPool(guard=Guard())
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    used = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            used.append(open("/dev/null"))
    except OSError:
        pass
    for url in (f"http://127.0.0.1:{port}/", "http://nobody.invalid/"):
        try:
            await pool.device().send(Request("GET", url), timeout_s=20)
        except Exhausted as problem:
            print(problem.reason)

uvloop.run(main())
"""


def test_no_descriptor_left_is_ours():
    """With no descriptor left, a connect and a name's resolution both end as Exhausted, harness_descriptors."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DESCRIPTORS], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["harness_descriptors"] * 2, done.stderr
