"""The update payloads that the stand-in keeps: made once, by name, and handed out whole or in ranges without a copy.

It knows no release and no device. Files when it has a folder, which outlive the process; memory in a rehearsal.
"""

from __future__ import annotations

import mmap
import os
import re
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from simulator.protocols.messages import Response
from simulator.protocols.payload import PayloadFacts
from simulator.protocols.payload_builder import build

_RANGE = re.compile("(?i:bytes)=([0-9]{0,18})-([0-9]{0,18})")
_HEADERS = (
    ("content-type", "application/octet-stream"),
    ("accept-ranges", "bytes"),
    # Immutable by name, as on dl.google.com: a cache in between may keep it.
    ("cache-control", "public, max-age=86400"),
)


class Payloads:
    """All payloads by name.

    Args:
        folder: where the files are, created when missing; empty for none.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder) if folder else None
        self._views: dict[str, memoryview] = {}

    def make(self, name: str, size: int, seed: bytes, key: RSAPrivateKey) -> PayloadFacts:
        """Build a payload and keep it; see payload_builder.build. The same arguments make the same file.

        Raises: ValueError: no payload is that small. OSError: it cannot be written; nothing is left of it then.
        """
        if self._folder is None:
            body = bytearray()
            facts = build(size, seed, key, body.extend)
            self._views[name] = memoryview(bytes(body))
            return facts
        self._folder.mkdir(parents=True, exist_ok=True)
        part = self._folder / f"{name}.part"
        try:
            with part.open("wb") as file:
                facts = build(size, seed, key, file.write)
            os.replace(part, self._folder / name)
        finally:
            part.unlink(missing_ok=True)
        self._views.pop(name, None)
        return facts

    def view(self, name: str, size: int) -> memoryview | None:
        """The bytes of a payload of that name and size, shared by all who ask; None when there is none."""
        if name not in self._views and self._folder is not None:
            path = self._folder / name
            if not path.is_file() or path.stat().st_size != size:
                return None
            with path.open("rb") as file:
                self._views[name] = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return self._views.get(name)


def span(header: str, size: int) -> tuple[int, int] | None:
    """The part of a file that a Range header asks for (RFC 9110, 14.1.2 and 14.2).

    Args:
        header: empty, or e.g. "bytes=0-4194303". An end beyond the file is clamped: devices that resume send one.
        size: of the file, at least 1 byte.
    Returns: the first byte and the one after the last; an empty span when nothing of it lies in the file (416); None
        for the whole file, when the header is none that must be obeyed: another unit, several ranges, malformed.
    """
    match = _RANGE.fullmatch(header)
    if match is None or not (match[1] or match[2]):
        return None
    first, last = match[1], match[2]
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    start = min(int(first), size)
    return start, min(int(last) + 1, size) if last else size


def serve(view: memoryview, header: str) -> Response:
    """Answer a GET with that Range header: 200, 206 or 416."""
    size = len(view)
    asked = span(header, size)
    if asked is None:
        return Response(200, _HEADERS, _body(view))
    start, end = asked
    if start >= end:
        return Response(416, (("content-range", f"bytes */{size}"),))
    return Response(206, (*_HEADERS, ("content-range", f"bytes {start}-{end - 1}/{size}")), _body(view[start:end]))


def _body(view: memoryview) -> bytes:
    """A response's body is bytes to everybody who reads one; who sends this one only measures, slices and writes it."""
    return cast("bytes", view)
