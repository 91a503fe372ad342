"""The broker's side of MQTT 3.1.1, byte for byte: constants from the standard's tables, paho-mqtt as another writer."""

import contextlib
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from simulator.protocols import mqtt
from simulator.protocols.mqtt import (
    Connect,
    Disconnect,
    Malformed,
    Packet,
    Packets,
    Pingreq,
    Puback,
    Publish,
    Subscribe,
    Unsubscribe,
)

# By hand from sections 3.1 to 3.14: (hexadecimal, what it says).
CASES: list[tuple[str, Packet]] = [
    ("10 0e 0004 4d515454 04 02 003c 0002 6431", Connect("d1", True, 60)),
    ("10 0c 0004 4d515454 04 00 0000 0000", Connect("", False, 0)),
    # user name "u", password 00 01
    ("10 14 0004 4d515454 04 c2 00f0 0001 64 0001 75 0002 0001", Connect("d", True, 240)),
    # will: topic "w", message ff, QoS 1, retained
    ("10 13 0004 4d515454 04 2e 000a 0001 64 0001 77 0001 ff", Connect("d", True, 10)),
    ("30 05 0003 612f62", Publish("a/b", b"")),
    ("33 0a 0003 612f62 0007 01ff02", Publish("a/b", b"\x01\xff\x02", 1, True, 7)),
    ("3a 06 0001 61 000a 78", Publish("a", b"x", 1, False, 10)),
    ("40 02 ffff", Puback(65535)),
    ("82 0d 0001 0003 612f62 01 0002 2b2f 00", Subscribe(1, (("a/b", 1), ("+/", 0)))),
    ("a2 08 0102 0001 23 0001 2f", Unsubscribe(258, ("#", "/"))),
    ("c0 00", Pingreq()),
    ("e0 00", Disconnect()),
]

MALFORMED = {
    "CONNECT with a reserved flag": "10 0e 0004 4d515454 04 03 003c 0002 6431",
    "CONNECT with a password and no user name": "10 11 0004 4d515454 04 42 003c 0002 6431 0001 78",
    "CONNECT with a will QoS and no will": "10 0e 0004 4d515454 04 0a 003c 0002 6431",
    "CONNECT with a will QoS of 3": "10 13 0004 4d515454 04 1e 000a 0001 64 0001 77 0001 ff",
    "CONNECT of another protocol": "10 0e 0004 4d515455 04 02 003c 0002 6431",
    "CONNECT of an unknown level": "10 0e 0004 4d515454 06 02 003c 0002 6431",
    "CONNECT without a client id": "10 0a 0004 4d515454 04 02 003c",
    "CONNECT with a byte too many": "10 0f 0004 4d515454 04 02 003c 0002 6431 00",
    "CONNECT with flags in its first byte": "11 0e 0004 4d515454 04 02 003c 0002 6431",
    "PUBLISH of QoS 2": "34 06 0001 61 000a 78",
    "PUBLISH of QoS 3": "36 06 0001 61 000a 78",
    "PUBLISH to a wildcard": "30 03 0001 23",
    "PUBLISH to nothing": "30 02 0000",
    "PUBLISH with packet identifier 0": "32 05 0001 61 0000",
    "PUBLISH to what is not UTF-8": "30 03 0001 ff",
    "PUBLISH to a surrogate": "30 05 0003 eda080",
    "PUBLISH to U+0000": "30 03 0001 00",
    "PUBACK too short": "40 01 00",
    "SUBSCRIBE with wrong flags": "80 06 0001 0001 61 01",
    "SUBSCRIBE to nothing": "82 02 0001",
    "SUBSCRIBE of QoS 3": "82 06 0001 0001 61 03",
    "SUBSCRIBE with packet identifier 0": "82 06 0000 0001 61 01",
    "SUBSCRIBE to an empty filter": "82 05 0001 0000 01",
    "SUBSCRIBE to a# ": "82 07 0001 0002 6123 01",
    "SUBSCRIBE to #/a": "82 08 0001 0003 232f61 01",
    "SUBSCRIBE to a+": "82 07 0001 0002 612b 01",
    "UNSUBSCRIBE from nothing": "a2 02 0001",
    "PINGREQ with a body": "c0 01 00",
    "a server's packet": "20 02 0000",
    "type 0": "00 00",
    "type 15": "f0 00",
    "a length of five bytes": "30 ffffffff01",
    "a length above the bound": "30 8108",
}
MAX_BYTES = 1024


def feed(*parts: bytes) -> list[Packet]:
    packets = Packets(MAX_BYTES)
    return [packet for part in parts for packet in packets.feed(part)]


@pytest.mark.parametrize(("text", "packet"), CASES)
def test_each_packet_is_read_as_the_standard_says(text: str, packet: Packet) -> None:
    """Worked out by hand from the standard's tables."""
    assert feed(bytes.fromhex(text)) == [packet]


@pytest.mark.parametrize(("text", "packet"), CASES)
def test_no_strict_prefix_of_a_packet_says_anything(text: str, packet: Packet) -> None:
    """Only the last byte makes it a packet."""
    data = bytes.fromhex(text)
    for cut in range(len(data)):
        assert feed(data[:cut]) == []
        assert feed(data[:cut], data[cut:]) == [packet]


@pytest.mark.parametrize("name", MALFORMED)
def test_what_the_standard_forbids_is_malformed(name: str) -> None:
    """Each closes the connection."""
    with pytest.raises(Malformed):
        feed(bytes.fromhex(MALFORMED[name]))


@pytest.mark.parametrize("head", ["0006 4d5149736470 03", "0004 4d515454 05"])
def test_another_version_of_mqtt_is_told_apart_from_garbage(head: str) -> None:
    """3.1.2.2: it has to be answered with return code 1."""
    body = bytes.fromhex(head + "02 003c 0000")
    with pytest.raises(mqtt.WrongLevel):
        feed(bytes((0x10, len(body))) + body)


@settings(deadline=None)
@given(st.lists(st.sampled_from(CASES)), st.data())
def test_where_the_stream_is_cut_changes_nothing(cases: list[tuple[str, Packet]], data: st.DataObject) -> None:
    """TCP keeps no boundaries."""
    stream = b"".join(bytes.fromhex(text) for text, _ in cases)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert feed(*parts) == [packet for _, packet in cases]


@settings(deadline=None)
@given(st.lists(st.binary()))
def test_whatever_bytes_come_only_malformed_is_raised(parts: list[bytes]) -> None:
    """Anyone can connect."""
    with contextlib.suppress(Malformed):
        feed(*parts)


@settings(deadline=None)
@given(st.sampled_from(CASES), st.data())
def test_a_packet_with_a_changed_byte_is_read_or_malformed(case: tuple[str, Packet], data: st.DataObject) -> None:
    """Near misses find what pure noise does not."""
    changed = bytearray.fromhex(case[0])
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        feed(bytes(changed))


TOPICS = st.text(st.characters(exclude_characters="\0+#", exclude_categories=["Cs"]), min_size=1, max_size=60)


@settings(deadline=None)
@given(TOPICS, st.binary(max_size=700), st.booleans(), st.integers(0, 65535))
def test_a_written_publish_is_read_back(topic: str, payload: bytes, retain: bool, packet_id: int) -> None:
    """Identifier 0 stands for QoS 0."""
    packet = Publish(topic, payload, 1 if packet_id else 0, retain, packet_id)
    assert feed(mqtt.publish(packet)) == [packet]


def test_each_answer_is_written_as_the_standard_says() -> None:
    """By hand from sections 3.2, 3.3, 3.4, 3.9, 3.11 and 3.13."""
    assert mqtt.connack(mqtt.ACCEPTED).hex() == "20020000"
    assert mqtt.connack(mqtt.BAD_CLIENT_ID).hex() == "20020002"
    assert mqtt.puback(258).hex() == "40020102"
    assert mqtt.suback(1, (1, 0, 128)).hex() == "90050001010080"
    assert mqtt.unsuback(65535).hex() == "b002ffff"
    assert mqtt.PINGRESP.hex() == "d000"
    assert mqtt.publish(Publish("a/b", b"\x01", 1, True, 7)).hex() == "33080003612f62000701"
    # 2.2.3: 127 is the longest of one byte, 128 needs two, 16,384 three
    assert mqtt.publish(Publish("a", bytes(124)))[:2].hex() == "307f"
    assert mqtt.publish(Publish("a", bytes(125)))[:3].hex() == "308001"
    assert mqtt.publish(Publish("a", bytes(16_381)))[:4].hex() == "30808001"


def test_what_paho_writes_is_read() -> None:
    """An independent implementation as the other side."""
    client = paho.Client(CallbackAPIVersion.VERSION2, "dev-ä", protocol=MQTTProtocolVersion.MQTTv311)
    client.username_pw_set("name", "pass")
    client.will_set("gone", b"x", qos=1, retain=True)
    near, far = socket.socketpair()
    with near, far:
        client._sock = near
        client._send_connect(240)
        client.subscribe([("push/+", 1), ("#", 2)])
        client.unsubscribe("push/+")
        client.publish("t", b"payload", qos=1, retain=True)
        client.publish("t", b"", qos=0)
        client._send_puback(9)
        client._send_pingreq()
        client.disconnect()
        read = feed(far.recv(65536))
    assert read == [
        Connect("dev-ä", True, 240),
        Subscribe(1, (("push/+", 1), ("#", 2))),
        Unsubscribe(2, ("push/+",)),
        Publish("t", b"payload", 1, True, 3),
        Publish("t", b""),
        Puback(9),
        Pingreq(),
        Disconnect(),
    ]


@pytest.mark.parametrize(
    ("topic_filter", "topic", "taken"),
    [
        # The examples of section 4.7.
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", True),
        ("sport/tennis/player1/#", "sport/tennis", False),
        ("sport/#", "sport", True),
        ("#", "a/b", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/uptime", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("ACCOUNTS", "Accounts", False),
    ],
)
def test_a_filter_takes_what_the_standard_says(topic_filter: str, topic: str, taken: bool) -> None:
    """Section 4.7, its own examples."""
    assert mqtt.matches(topic_filter, topic) is taken
    # paho's own matching, where it may be asked
    assert taken is paho.topic_matches_sub(topic_filter, topic)
