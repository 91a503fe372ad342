"""One connection fed with pieces: how the bytes were cut never matters."""

from __future__ import annotations

import asyncio
import http.client
import io
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocols.messages import Trouble
from simulator.wire.connection import Answer, Connection, Limits


class Pipe(asyncio.Transport):
    """A transport in memory that keeps what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.aborted = False

    def write(self, data: bytes) -> None:
        """As asyncio says."""
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As asyncio says: everything is out at once."""

    def is_closing(self) -> bool:
        """As asyncio says."""
        return self.aborted

    def abort(self) -> None:
        """As asyncio says."""
        self.aborted = True


def play(pieces: list[bytes], *, closes: bool) -> tuple[Answer | Trouble, bool]:
    """What one exchange makes of these pieces, and whether the connection can be used again."""
    loop = asyncio.new_event_loop()
    try:
        pipe, ends = Pipe(), []
        connection = Connection(loop, Limits(header_bytes=2048, body_bytes=4096), lambda _: None, ends.append)
        connection.connection_made(pipe)
        future = connection.exchange(b"head", b"body", head_only=False, sink=None, deadline=0.0)
        assert pipe.written == b"headbody"
        for piece in pieces:
            if not pipe.aborted:
                connection.data_received(piece)
        if closes and not pipe.aborted:
            connection.eof_received()
        if pipe.aborted:
            connection.connection_lost(None)
            assert ends == [connection]
        assert future.done() or not closes
        if not future.done():
            future.cancel()
            return Trouble("timeout"), False
        problem = future.exception()
        if problem is not None:
            assert isinstance(problem, Trouble), problem
            return problem, connection.idle
        return future.result(), connection.idle
    finally:
        loop.close()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data cut at these places."""
    bounds = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(bounds) if a < b]


RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Folded:  v \r\n\r\nhello world",
    b'HTTP/1.1 404 \r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n06;ext="q"\r\n world\r\n0\r\nTrailer: x\r\n\r\n',
    b"HTTP/1.1 500 Oh No\r\nServer: x\r\n\r\nuntil the end",
    b"HTTP/1.1 302 Found\r\nLocation: /b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
]


@pytest.mark.parametrize("response", RESPONSES)
@given(places=st.lists(st.integers(0, 10_000), max_size=40))
def test_cuts_do_not_matter(response, places):
    """However the bytes of a response are cut, the answer is the one the standard library reads from them whole."""
    got, _ = play(cut(response, places), closes=True)
    oracle = http.client.HTTPResponse(Socket(response))
    oracle.begin()
    assert isinstance(got, Answer)
    assert (got.head.status, got.body, got.bytes_in) == (oracle.status, oracle.read(), len(response))
    assert list(got.head.headers) == [(name.lower(), value) for name, value in oracle.getheaders()]


class Socket:
    """As much of a socket as http.client reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, mode: str) -> io.BytesIO:
        """As socket.makefile."""
        return io.BytesIO(self._data)


@pytest.mark.parametrize("response", RESPONSES)
def test_byte_by_byte(response):
    """Byte by byte is the same answer, and the same word about using the connection again, as all at once."""
    assert play([bytes([byte]) for byte in response], closes=True) == play([response], closes=True)


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8), st.booleans())
def test_any_bytes_end_well(data, places, after_head):
    """Whatever bytes come, in whatever pieces, the exchange ends as an answer or a Trouble."""
    start = b"HTTP/1.1 200 OK\r\n" if after_head else b""
    got, _ = play(cut(start + data, places), closes=True)
    assert isinstance(got, Answer | Trouble)


@pytest.mark.parametrize("response", RESPONSES[:2])
def test_every_prefix_is_unfinished(response):
    """No strict prefix of a delimited response is an answer: closed there, it is broken after sent."""
    for end in range(len(response)):
        got, again = play([response[:end]], closes=True)
        assert isinstance(got, Trouble)
        assert (got.reason, again) == ("broken_after_sent", False)


def test_used_again_only_when_the_answer_allows():
    """A delimited HTTP/1.1 answer leaves the connection usable; close, 1.0 and surplus bytes do not (RFC 9112 9.3)."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
    assert play([ok + b"\r\nok"], closes=False)[1]
    assert play([ok + b"Connection: keep-alive\r\n\r\nok"], closes=False)[1]
    assert not play([ok + b"Connection: Close\r\n\r\nok"], closes=False)[1]
    assert not play([ok.replace(b"1.1", b"1.0") + b"\r\nok"], closes=False)[1]
    assert not play([ok + b"\r\nok!"], closes=False)[1]
    assert not play([ok + b"\r\nok", b"!"], closes=False)[1]


@pytest.mark.parametrize(("problem", "outcome"), [(BrokenPipeError(), "failed"), (ConnectionResetError(), "unknown")])
def test_lost_while_writing(problem, outcome):
    """EPIPE comes only from a write, so the request was not out; a reset may come after it was."""
    loop = asyncio.new_event_loop()
    connection = Connection(loop, Limits(), lambda _: None, lambda _: None)
    connection.connection_made(Pipe())
    future = connection.exchange(b"head", b"", head_only=False, sink=None, deadline=0.0)
    connection.connection_lost(problem)
    trouble = future.exception()
    loop.close()
    assert isinstance(trouble, Trouble)
    assert trouble.outcome == outcome
    assert connection.untouched


def test_limits_are_exact():
    """A body of exactly the limit passes, one byte more does not, in one piece or in many."""
    for size, passes in ((4096, True), (4097, False)):
        response = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
        for pieces in ([response], [response[i : i + 7] for i in range(0, len(response), 7)]):
            got, _ = play(pieces, closes=False)
            if passes:
                assert isinstance(got, Answer)
                assert got.body == b"x" * size
            else:
                assert isinstance(got, Trouble)
                assert got.reason == "body_too_large"
