"""MQTT 3.1.1 as a broker reads and writes it: bytes in, packets out, and the other way round.

The subset a push service needs (OASIS MQTT Version 3.1.1; section numbers below are its own): no QoS 2, and a will is
read over. No connection, no session and no subscription lives here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PINGRESP = b"\xd0\x00"

# Return codes of CONNACK, table 3.1.
ACCEPTED = 0
WRONG_LEVEL = 1
BAD_CLIENT_ID = 2

# Table 2.1; the low half of the first byte holds flags.
_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE, _UNSUBSCRIBE, _PINGREQ, _DISCONNECT = 1, 3, 4, 8, 10, 12, 14


class Malformed(ValueError):  # noqa: N818 - MQTT's own word
    """The other side does not speak MQTT 3.1.1, or not the subset spoken here: the connection has to be closed."""


class WrongLevel(Malformed):
    """A CONNECT of another version of MQTT, to be answered with WRONG_LEVEL before closing (3.1.2.2)."""


@dataclass(frozen=True, slots=True)
class Connect:
    """3.1; the username and password are of no interest to this broker. `keepalive_s` 0 means none."""

    client_id: str
    clean_session: bool
    keepalive_s: int


@dataclass(frozen=True, slots=True)
class Publish:
    """3.3; `packet_id` is 0 for QoS 0."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    packet_id: int = 0


@dataclass(frozen=True, slots=True)
class Puback:
    """3.4"""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """3.8; `filters` are (topic filter, wanted QoS)."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """3.10"""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pingreq:
    """3.12"""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """3.14"""


Packet = Connect | Publish | Puback | Subscribe | Unsubscribe | Pingreq | Disconnect


class Packets:
    """Cuts what a client sends into packets.

    Args:
        max_bytes: the longest packet taken, without its fixed header.
    """

    __slots__ = ("_max_bytes", "_rest")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Take bytes as they came; yield each whole packet. Raises: Malformed, and then is not to be fed any more."""
        if self._rest:
            data = self._rest + data
        start, end = 0, len(data)
        while (body := _body(data, start, end, self._max_bytes)) is not None:
            first, (at, stop) = data[start], body
            if stop > end:
                break
            start = stop
            yield _read(first, data[at:stop])
        self._rest = data[start:]


def _body(data: bytes, start: int, end: int, max_bytes: int) -> tuple[int, int] | None:
    """Where the body of the packet at `start` begins and ends; None while its length is incomplete (2.2.3)."""
    length = shift = 0
    for at in range(start + 1, min(end, start + 5)):
        byte = data[at]
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if length > max_bytes:
                raise Malformed(f"a packet of {length} bytes")
            return at + 1, at + 1 + length
    if end - start >= 5:
        raise Malformed("a remaining length of more than 4 bytes")
    return None


def _read(first: int, body: bytes) -> Packet:
    kind, flags = first >> 4, first & 0x0F
    if kind == _PUBLISH:
        return _publish(flags, body)
    # 2.2.2: these flags are fixed.
    if flags != (2 if kind in (_SUBSCRIBE, _UNSUBSCRIBE) else 0):
        raise Malformed(f"flags {flags} in a packet of type {kind}")
    fields = _Fields(body)
    packet: Packet
    if kind == _PUBACK:
        packet = Puback(fields.packet_id())
    elif kind == _PINGREQ:
        packet = Pingreq()
    elif kind == _SUBSCRIBE:
        packet = _subscribe(fields)
    elif kind == _CONNECT:
        packet = _connect(fields)
    elif kind == _DISCONNECT:
        packet = Disconnect()
    elif kind == _UNSUBSCRIBE:
        packet = _unsubscribe(fields)
    else:
        raise Malformed(f"a packet of type {kind}")
    if fields.left:
        raise Malformed(f"{fields.left} bytes too many in a packet of type {kind}")
    return packet


class _Fields:
    """Reads the fields of a body in order (1.5). Each raises Malformed where the body is too short."""

    __slots__ = ("_at", "_body")

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._body) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise Malformed("a packet that ends too early")
        self._at += count
        return self._body[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def packet_id(self) -> int:
        """2.3.1: never 0."""
        number = self.number()
        if not number:
            raise Malformed("packet identifier 0")
        return number

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        """1.5.3: well-formed UTF-8 without U+0000."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise Malformed("a string that is not UTF-8") from None
        if "\0" in text:
            raise Malformed("a string with U+0000")
        return text


def _connect(fields: _Fields) -> Connect:
    name, level = fields.binary(), fields.byte()
    if (name, level) in ((b"MQIsdp", 3), (b"MQTT", 5)):
        raise WrongLevel(f"MQTT protocol level {level}")
    if (name, level) != (b"MQTT", 4):
        raise Malformed(f"protocol {name[:10]!r}, level {level}")
    flags, keepalive_s = fields.byte(), fields.number()
    will, will_qos, will_retain = flags & 0x04, flags >> 3 & 3, flags & 0x20
    username, password = flags & 0x80, flags & 0x40
    if flags & 0x01 or will_qos == 3 or (not will and (will_qos or will_retain)) or (password and not username):
        raise Malformed(f"connect flags {flags:08b}")
    client_id = fields.text()
    if will:
        fields.text()
        fields.binary()
    if username:
        fields.text()
    if password:
        fields.binary()
    return Connect(client_id, bool(flags & 0x02), keepalive_s)


def _publish(flags: int, body: bytes) -> Publish:
    qos = flags >> 1 & 3
    if qos > 1:
        raise Malformed(f"a publish of QoS {qos}")
    fields = _Fields(body)
    topic = fields.text()
    # 3.3.2.1, 4.7.3
    if not topic or "+" in topic or "#" in topic:
        raise Malformed(f"topic name {topic[:40]!r}")
    packet_id = fields.packet_id() if qos else 0
    return Publish(topic, fields.take(fields.left), qos, bool(flags & 0x01), packet_id)


def _subscribe(fields: _Fields) -> Subscribe:
    packet_id = fields.packet_id()
    filters: list[tuple[str, int]] = []
    # 3.8.3: at least one
    while fields.left or not filters:
        topic_filter, qos = _filter(fields), fields.byte()
        if qos > 2:
            raise Malformed(f"a subscription of QoS {qos}")
        filters.append((topic_filter, qos))
    return Subscribe(packet_id, tuple(filters))


def _unsubscribe(fields: _Fields) -> Unsubscribe:
    packet_id = fields.packet_id()
    filters: list[str] = []
    while fields.left or not filters:
        filters.append(_filter(fields))
    return Unsubscribe(packet_id, tuple(filters))


def _filter(fields: _Fields) -> str:
    """4.7.1: a wildcard fills its level, and # is the last."""
    topic_filter = fields.text()
    levels = topic_filter.split("/")
    filled = all(len(level) == 1 or not ("+" in level or "#" in level) for level in levels)
    if not topic_filter or not filled or "#" in levels[:-1]:
        raise Malformed(f"topic filter {topic_filter[:40]!r}")
    return topic_filter


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a subscription takes that topic (4.7.1, 4.7.2)."""
    wanted, levels = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    if wanted[-1] == "#":
        # "sport/#" takes "sport" too.
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(wanted) == len(levels) and all(want in ("+", level) for want, level in zip(wanted, levels, strict=True))


def connack(code: int) -> bytes:
    """3.2; the session is never present, as none outlives its connection."""
    return bytes((0x20, 2, 0, code))


def puback(packet_id: int) -> bytes:
    """3.4"""
    return b"\x40\x02" + packet_id.to_bytes(2, "big")


def suback(packet_id: int, granted: tuple[int, ...]) -> bytes:
    """3.9; one granted QoS for each filter that was asked."""
    return b"\x90" + _length(2 + len(granted)) + packet_id.to_bytes(2, "big") + bytes(granted)


def unsuback(packet_id: int) -> bytes:
    """3.11"""
    return b"\xb0\x02" + packet_id.to_bytes(2, "big")


def publish(packet: Publish) -> bytes:
    """3.3"""
    topic = packet.topic.encode()
    head = len(topic).to_bytes(2, "big") + topic
    if packet.qos:
        head += packet.packet_id.to_bytes(2, "big")
    first = 0x30 | packet.qos << 1 | packet.retain
    return bytes((first,)) + _length(len(head) + len(packet.payload)) + head + packet.payload


def _length(length: int) -> bytes:
    """2.2.3: seven bits a byte, the lowest first."""
    out = bytearray()
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out)
