"""Content codings: what a server compresses arrives as it was, and what is broken, huge or unasked for is trouble."""

from __future__ import annotations

import gzip
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_servers import answering, played, pooled, served

from simulator.protocols.messages import Broken, Request
from simulator.wire.connection import Limits
from simulator.wire.content import decoded

LIMIT = 10_000


def raw_deflate(data: bytes) -> bytes:
    """Deflate without zlib's header, as some servers send it."""
    made = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return made.compress(data) + made.flush()


CODERS = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "Deflate": raw_deflate}


@pytest.mark.parametrize("name", CODERS)
@given(data=st.binary(max_size=2000))
def test_any_body_comes_back(name: str, data: bytes) -> None:
    """What the standard library's own coders wrote is read, whatever it was."""
    assert decoded(CODERS[name](data), name, limit=LIMIT) == data


def test_codings_are_undone_in_reverse_order() -> None:
    """ "deflate, gzip" was deflated first; "identity" is nothing; members of a gzip file follow one another."""
    assert decoded(gzip.compress(zlib.compress(b"one")), "deflate, identity, gzip", limit=LIMIT) == b"one"
    assert decoded(gzip.compress(b"one") + gzip.compress(b"two") + b"junk", "gzip", limit=LIMIT) == b"onetwo"


@pytest.mark.parametrize("name", CODERS)
@given(cut=st.integers(1, 30))
def test_a_body_that_ends_too_early_is_broken(name: str, cut: int) -> None:
    """Cut anywhere, it is no shorter body but trouble."""
    whole = CODERS[name](bytes(range(256)))
    with pytest.raises(Broken) as caught:
        decoded(whole[:-cut], name, limit=LIMIT)
    assert caught.value.reason == "undecodable"


@pytest.mark.parametrize("name", CODERS)
@given(data=st.binary(min_size=1, max_size=300))
def test_arbitrary_bytes_end_in_trouble_or_in_a_body(name: str, data: bytes) -> None:
    """Nothing else is raised."""
    with suppress(Broken):
        assert len(decoded(data, name, limit=LIMIT)) <= LIMIT


@pytest.mark.parametrize("name", CODERS)
def test_a_bomb_is_bounded(name: str) -> None:
    """A thousand times the limit in a few bytes ends at the limit, in one coding and in two."""
    bomb = CODERS[name](b"\0" * (1000 * LIMIT))
    for body, codings in ((bomb, name), (gzip.compress(bomb), f"{name}, gzip")):
        with pytest.raises(Broken) as caught:
            decoded(body, codings, limit=LIMIT)
        assert caught.value.reason == "body_too_large"
    assert decoded(CODERS[name](b"\0" * LIMIT), name, limit=LIMIT) == b"\0" * LIMIT


@pytest.mark.parametrize("codings", ["br", "zstd", "gzip, compress", "gzip,gzip,gzip,gzip,gzip"])
def test_a_coding_that_was_not_announced_is_broken(codings: str) -> None:
    """What the wire did not ask for it does not guess at, and no chain of codings is endless."""
    with pytest.raises(Broken) as caught:
        decoded(gzip.compress(b"x"), codings, limit=LIMIT, status=203)
    assert (caught.value.reason, caught.value.status) == ("undecodable", 203)


def coded(body: bytes, coding: str) -> bytes:
    """An answer with a Content-Encoding."""
    return (
        b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding.encode(), len(body)) + body
    )


@played
async def test_the_wire_hands_over_plain_bodies_and_counts_wire_bytes():
    """A compressed answer is read as it was; bytes_in is what came over the connection, which is used again."""
    answer = coded(gzip.compress(b"policy" * 500), "gzip")
    async with served(answering(answer)) as peer, pooled() as pool:
        line = pool.device()
        for _ in range(2):
            response = await line.send(Request("GET", peer.url), timeout_s=5)
            assert (response.body, response.bytes_in) == (b"policy" * 500, len(answer))
        assert len(peer.sides) == 1


@played
async def test_a_sink_takes_what_came():
    """A download is judged byte for byte, so its bytes are not touched."""
    body = gzip.compress(b"payload")
    taken = []

    class Heap:
        def write(self, data: bytes) -> None:
            taken.append(data)

    async with served(answering(coded(body, "gzip"))) as peer, pooled() as pool:
        await pool.device().send(Request("GET", peer.url), timeout_s=5, sink=Heap())
    assert b"".join(taken) == body


@pytest.mark.parametrize(
    ("body", "coding", "reason"),
    [
        (b"plain", "gzip", "undecodable"),
        (b"plain", "br", "undecodable"),
        (gzip.compress(b"\0" * 5000, mtime=0), "gzip", "body_too_large"),
    ],
)
@played
async def test_broken_codings_fail_the_exchange(body, coding, reason):
    """A coding that is wrong, unknown or a bomb is the server's fault: failed, with its status."""
    async with served(answering(coded(body, coding))) as peer, pooled(limits=Limits(body_bytes=1000)) as pool:
        with pytest.raises(Broken) as caught:
            await pool.device().send(Request("GET", peer.url), timeout_s=5)
        assert (caught.value.reason, caught.value.status) == (reason, 200)
