"""What a body was before its Content-Encoding (RFC 9110, 8.4): gzip and deflate, which are what the wire announces.

br and zstd are in no standard library of Python 3.11: they are not announced, so a server that sends them is wrong.
Bytes in, bytes out; no connection is known here.
"""

from __future__ import annotations

import zlib

from simulator.protocols.messages import Broken

ACCEPTED = "gzip, deflate"

_GZIP = 16 + zlib.MAX_WBITS
_MOST_CODINGS = 4


def decoded(body: bytes, codings: str, *, limit: int, status: int = 200) -> bytes:
    """The body without its codings.

    Args:
        body: as it came, not empty.
        codings: the value of Content-Encoding, in the order in which they were applied.
        limit: bytes that it may come to, so that a small body cannot fill the memory.
        status: of the answer, for what is raised.
    Raises: Broken: undecodable, for a coding that was not announced and for data that are not what it says or that end
        too early; body_too_large.
    """
    named = [name for name in (part.strip().lower() for part in codings.split(",")) if name not in ("", "identity")]
    if len(named) > _MOST_CODINGS:
        raise Broken("undecodable", f"{len(named)} content codings", status=status)
    for name in reversed(named):
        if name not in ("gzip", "x-gzip", "deflate"):
            raise Broken("undecodable", "a content coding that was not asked for", status=status)
        try:
            body = _inflated(body, name == "deflate", limit)
        except (zlib.error, EOFError):
            raise Broken("undecodable", f"not {name} as its Content-Encoding says", status=status) from None
        if len(body) > limit:
            raise Broken("body_too_large", f"more than {limit} bytes when decoded", status=status)
    return body


def _inflated(data: bytes, deflate: bool, limit: int) -> bytes:
    """At most `limit` + 1 bytes. Raises: zlib.error; EOFError when the data end too early."""
    # "deflate" is zlib's format, but servers that send it raw are so many that browsers take both (RFC 9110, 8.4.1.2).
    kind = (zlib.MAX_WBITS if _is_zlib(data) else -zlib.MAX_WBITS) if deflate else _GZIP
    out = bytearray()
    while True:
        one = zlib.decompressobj(kind)
        out += one.decompress(data, limit + 1 - len(out))
        if len(out) > limit:
            return bytes(out)
        if not one.eof:
            raise EOFError
        data = one.unused_data
        # A gzip file may have several members (RFC 1952, 2.2); other bytes after the end mean nothing to a browser.
        if kind != _GZIP or not data.startswith(b"\x1f\x8b"):
            return bytes(out)


def _is_zlib(data: bytes) -> bool:
    """Whether the first two bytes are a zlib header (RFC 1950, 2.2): method 8, and a multiple of 31."""
    return len(data) >= 2 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
