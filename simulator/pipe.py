"""The frames between an engine and the runner: a kind, a length, a payload. Bytes only; no pipe is opened here.

Engine to runner: READY, then SAMPLES, EXAMPLE, ENROLLMENTS and HEALTH as they come, END with the number of samples and
of frames it sent (or FAILED with a traceback). Runner to engine: one JSON line with the whole plan, one with t0, then
silence; the engine lives while its standard input is open.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

READY = b"R"
SAMPLES = b"S"
EXAMPLE = b"X"
ENROLLMENTS = b"E"
HEALTH = b"H"
END = b"Z"
FAILED = b"!"
KINDS = frozenset((READY, SAMPLES, EXAMPLE, ENROLLMENTS, HEALTH, END, FAILED))

_HEAD = struct.Struct("<cI")
MAX_FRAME = 64 * 1024 * 1024


class BadFrame(ValueError):  # noqa: N818 - it says what is wrong
    """The other side does not speak this format: our own bug, never data."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame, ready to be written."""
    if kind not in KINDS:
        raise BadFrame(f"unknown kind {kind!r}")
    return _HEAD.pack(kind, len(payload)) + payload


def json_frame(kind: bytes, value: Any) -> bytes:
    """One frame around a JSON value."""
    return frame(kind, json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


class Frames:
    """Cuts a byte stream back into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Take bytes as they came; yield each whole (kind, payload). Raises BadFrame."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._buffer)
            if kind not in KINDS or length > MAX_FRAME:
                raise BadFrame(f"kind {kind!r}, {length} bytes")
            end = _HEAD.size + length
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            yield kind, payload

    @property
    def rest(self) -> int:
        """Bytes of a frame that has not ended: not 0 at the end of a stream means a torn one."""
        return len(self._buffer)
