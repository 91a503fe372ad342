"""The protobuf wire format written by hand, as an oracle for the library (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

from collections.abc import Iterator


def varint(value: int) -> bytes:
    """A base-128 varint, least significant group first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    """A field of wire type 0: integers, bools, enums."""
    return varint(field << 3) + varint(value)


def block(field: int, *parts: bytes | str) -> bytes:
    """A field of wire type 2: strings, bytes and sub-messages."""
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(data)) + data


def fields(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Each field in its order: number, wire type, and value: a number for types 0, 1 and 5, bytes for 2.

    Raises: ValueError for what is no message.
    """
    at = 0
    while at < len(data):
        key, at = _varint_at(data, at)
        field, kind = key >> 3, key & 7
        if not field:
            raise ValueError("field number 0")
        if kind == 0:
            value, at = _varint_at(data, at)
            yield field, kind, value
            continue
        if kind == 2:
            size, at = _varint_at(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(data):
            raise ValueError("cut off")
        part, at = data[at : at + size], at + size
        yield field, kind, part if kind == 2 else int.from_bytes(part, "little")


def _varint_at(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("cut off")
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if not data[at - 1] & 0x80:
            return value, at
