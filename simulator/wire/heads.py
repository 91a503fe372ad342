"""What the head of an answer says, read once for all answers that begin with the same bytes.

This is the one clever file, and this is the trick: the servers of a fleet say few different heads (a Date makes a new
one a second), and reading seven header lines in Python costs as much as a send and a receive. So the HTTP parser reads
each head that is new, and what it made of it is remembered under the very bytes. It alone judges: nothing is remembered
but a whole answer that it took, of one piece, framed by its Content-Length, after which the connection goes on. All
else (chunks, 1xx, no body, the connection's end, a sink, a piece of an answer) comes before it every time.
"""

from __future__ import annotations

from dataclasses import dataclass

_MOST_HEADS = 1024
_MOST_BYTES = 4096


@dataclass(slots=True)
class Head:
    """Status and header lines of one answer, and what of them the wire looks at.

    Attributes:
        headers: names in lower case, in the order in which they came.
        length: of the body that followed, in bytes.
        cookies: the values of its Set-Cookie lines.
        coding: of its Content-Encoding lines, joined; "" for none.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    length: int = 0
    cookies: tuple[str, ...] = ()
    coding: str = ""


# Shared by all connections: what given bytes mean depends on nobody.
_known: dict[bytes, Head] = {}


def head_of(status: int, headers: list[tuple[str, str]], length: int) -> Head:
    """A head as the parser told it."""
    cookies, codings = [], []
    for name, value in headers:
        if name == "set-cookie":
            cookies.append(value)
        elif name == "content-encoding":
            codings.append(value)
    return Head(status, tuple(headers), length, tuple(cookies), ",".join(codings))


def recalled(data: bytes) -> tuple[Head, bytes] | None:
    """Head and body of an answer that is whole in these bytes, when its head came before; None otherwise."""
    end = data.find(b"\r\n\r\n") + 4
    head = _known.get(data[:end])
    if head is None or len(data) - end != head.length:
        return None
    return head, data[end:]


def remember(data: bytes, head: Head) -> None:
    """Remember the head of an answer that the parser took as whole and as the last in these bytes.

    Only where its body is all that follows the first empty line, and a Content-Length says so: a head before it (1xx)
    or another end of line than CR LF would leave other bytes between.
    """
    end = data.find(b"\r\n\r\n") + 4
    framed = any(name == "content-length" for name, _ in head.headers)
    chunked = any(name == "transfer-encoding" for name, _ in head.headers)
    if framed and not chunked and len(data) - end == head.length and end <= _MOST_BYTES:
        if len(_known) >= _MOST_HEADS:
            _known.clear()
        _known[data[:end]] = head
