"""Heads that came before: remembered or not, an answer is what the HTTP parser alone makes of its bytes."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_wire_connection import Pipe, play

from simulator.protocols.messages import Broken
from simulator.wire import heads
from simulator.wire.connection import Answer, Connection, Limits

PLAIN = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\n"
# Never remembered: another frame, another end, nothing after the head, and an answer before the answer.
OTHERS = (
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN + b"hello",
    b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nuntil the end",
    PLAIN + b"hello and more",
    PLAIN + b"hell",
)


@pytest.fixture(autouse=True)
def _no_heads():
    heads._known.clear()
    yield
    heads._known.clear()


def told(data: bytes) -> object:
    """What one exchange makes of these bytes in one piece, as values that compare."""
    got, again = play([data], closes=True)
    return (got, again) if isinstance(got, Answer) else (str(got), again)


def test_a_known_head_is_recalled_with_another_body():
    """The second answer that begins with the same bytes gives the same head and its own body, without the parser."""
    assert heads.recalled(PLAIN + b"hello") is None
    (first, _), (second, again) = (play([PLAIN + body], closes=False) for body in (b"hello", b"world"))
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert second.head is first.head
    assert (second.head.status, second.body, second.bytes_in, again) == (200, b"world", len(PLAIN) + 5, True)
    assert second.head.headers == (("server", "x"), ("content-length", "5"))


@pytest.mark.parametrize("data", OTHERS)
def test_all_else_goes_to_the_parser(data):
    """What is not one whole answer of a told length on a connection that goes on leaves nothing behind."""
    told(data)
    assert heads._known == {}


@given(st.lists(st.tuples(st.sampled_from([PLAIN, *OTHERS]), st.binary(max_size=12)), min_size=1, max_size=6))
def test_memory_changes_no_answer(answers):
    """Whatever came before, and whatever follows a head: the same as with no memory at all."""
    wires = [head + more for head, more in answers]
    heads._known.clear()
    warm = [told(data) for data in [*wires, *wires]]
    cold = []
    for data in [*wires, *wires]:
        heads._known.clear()
        cold.append(told(data))
    assert warm == cold


class Sink:
    """Takes a body."""

    def __init__(self) -> None:
        self.body = b""

    def write(self, data: bytes) -> None:
        """As Sink says."""
        self.body += data


def test_a_known_head_holds_nobody_to_other_limits_and_ways():
    """A smaller limit, a sink and a request for the head alone are kept to, though the head is known."""
    play([PLAIN + b"hello"], closes=False)
    assert PLAIN in heads._known
    loop = asyncio.new_event_loop()
    try:
        for limits, head_only, sink in (
            (Limits(body_bytes=4), False, None),
            (Limits(), True, None),
            (Limits(), False, Sink()),
        ):
            connection = Connection(loop, limits, lambda _: None, lambda _: None)
            connection.connection_made(Pipe())
            future = connection.exchange(b"head", b"", head_only=head_only, sink=sink, deadline=0.0)
            connection.data_received(PLAIN if head_only else PLAIN + b"hello")
            if limits.body_bytes == 4:
                problem = future.exception()
                assert isinstance(problem, Broken)
                assert problem.reason == "body_too_large"
            else:
                assert future.result().body == b""
                assert sink is None or sink.body == b"hello"
    finally:
        loop.close()


def test_memory_is_bounded():
    """A server with a new head each time fills no memory, and a long head is not kept."""
    for number in range(3000):
        play([b"HTTP/1.1 200 OK\r\nX-Id: %d\r\nContent-Length: 0\r\n\r\n" % number], closes=False)
    assert 0 < len(heads._known) <= 1024
    long = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 5000 + b"\r\nContent-Length: 0\r\n\r\n"
    play([long], closes=False)
    assert long not in heads._known
