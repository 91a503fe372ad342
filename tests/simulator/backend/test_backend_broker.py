"""The embedded broker as a process: its contract, and MQTT with stock aiomqtt and with raw bytes as the other side.

What both brokers must do is asked of a real Mosquitto too, so that the embedded one is held to another implementation.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import aiomqtt
import pytest

MODULES = {"embedded": "simulator.backend.broker", "mosquitto": "simulator.backend.mosquitto"}
PATIENCE_S = 30


def start(name: str, *args: str, stderr: int | None = None) -> subprocess.Popen[bytes]:
    if name == "mosquitto" and not shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"):
        pytest.skip("no mosquitto on PATH")
    return subprocess.Popen(
        [sys.executable, "-P", "-m", MODULES[name], *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr
    )


def ready(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    assert process.stdout is not None
    where = urlsplit(json.loads(process.stdout.readline())["url"])
    assert where.scheme == "mqtt"
    assert where.hostname
    assert where.port
    return where.hostname, where.port


def end(process: subprocess.Popen[bytes]) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    code = process.wait(PATIENCE_S)
    process.stdout.close()
    return code


@pytest.fixture(scope="module", params=MODULES)
def broker(request: pytest.FixtureRequest) -> Iterator[tuple[str, int]]:
    process = start(request.param)
    yield ready(process)
    end(process)


@pytest.fixture(scope="module")
def embedded() -> Iterator[tuple[str, int]]:
    process = start("embedded")
    yield ready(process)
    end(process)


def play(story: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await story()

    asyncio.run(bounded())


def client(where: tuple[str, int], name: str, **options: object) -> aiomqtt.Client:
    return aiomqtt.Client(*where, identifier=name, username="any", password="body", **options)  # type: ignore[arg-type]


async def heard(listener: aiomqtt.Client, count: int) -> list[tuple[str, bytes, int, bool]]:
    messages = []
    async for message in listener.messages:
        assert isinstance(message.payload, bytes)
        messages.append((str(message.topic), message.payload, message.qos, message.retain))
        if len(messages) == count:
            break
    return messages


def connect_bytes(name: str, keepalive_s: int = 60) -> bytes:
    body = b"\0\x04MQTT\x04\x02" + keepalive_s.to_bytes(2, "big") + len(name).to_bytes(2, "big") + name.encode()
    return bytes((0x10, len(body))) + body


def test_a_message_reaches_those_whose_filter_takes_it_once_and_with_the_lower_qos(broker: tuple[str, int]) -> None:
    """Exact topics, + and #, unsubscribing; min(QoS published, QoS subscribed)."""

    async def story() -> None:
        async with client(broker, "one") as one, client(broker, "two") as two, client(broker, "sender") as sender:
            assert [code.value for code in await one.subscribe("push/a", 1)] == [1]  # type: ignore[union-attr]
            await two.subscribe("push/+", 0)
            await two.subscribe("other/#", 1)
            await two.subscribe("gone", 1)
            await two.unsubscribe("gone")
            await sender.publish("push/a", b"1", qos=1)
            await sender.publish("push/b", b"2", qos=1)
            await sender.publish("gone", b"3", qos=1)
            await sender.publish("other", b"4", qos=1)
            await sender.publish("push/a", b"5", qos=0)
            assert await heard(one, 2) == [("push/a", b"1", 1, False), ("push/a", b"5", 0, False)]
            assert await heard(two, 4) == [
                ("push/a", b"1", 0, False),
                ("push/b", b"2", 0, False),
                ("other", b"4", 1, False),
                ("push/a", b"5", 0, False),
            ]

    play(story)


def test_a_retained_message_waits_for_later_subscriptions_until_it_is_taken_back(broker: tuple[str, int]) -> None:
    """3.3.1.3: flagged as retained to a new subscription, not to one that was there; an empty payload removes it."""

    async def story() -> None:
        async with client(broker, "before") as before, client(broker, "sender") as sender:
            await before.subscribe("kept/#", 1)
            await sender.publish("kept/a", b"1", qos=1, retain=True)
            await sender.publish("kept/b", b"2", qos=1, retain=True)
            await sender.publish("kept/a", b"", qos=1, retain=True)
            async with client(broker, "after") as after:
                await after.subscribe("kept/#", 1)
                await sender.publish("kept/c", b"3", qos=1)
                assert await heard(after, 2) == [("kept/b", b"2", 1, True), ("kept/c", b"3", 1, False)]
            assert [message[3] for message in await heard(before, 4)] == [False] * 4
            await sender.publish("kept/b", b"", qos=1, retain=True)

    play(story)


def test_who_logs_in_under_a_name_puts_out_who_had_it(broker: tuple[str, int]) -> None:
    """3.1.4: the old connection is closed, and only the new one hears."""

    async def story() -> None:
        async with client(broker, "sender") as sender:
            old = client(broker, "twin")
            await old.__aenter__()
            await old.subscribe("twins", 1)
            async with client(broker, "twin") as new:
                with pytest.raises(aiomqtt.MqttError):
                    await heard(old, 1)
                await new.subscribe("twins", 1)
                await sender.publish("twins", b"1", qos=1)
                assert await heard(new, 1) == [("twins", b"1", 1, False)]

    play(story)


def test_more_messages_than_there_are_packet_identifiers_come_in_order(embedded: tuple[str, int]) -> None:
    """Identifiers go round from 65,535 to 1 (2.3.1); no message may be lost, doubled or moved on the way."""
    size, step = 14, 1000
    with socket.create_connection(embedded) as listener, socket.create_connection(embedded) as sender:
        for peer, name in ((listener, "many"), (sender, "sender")):
            peer.settimeout(PATIENCE_S)
            peer.sendall(connect_bytes(name))
            assert peer.recv(100).hex() == "20020000"
        listener.sendall(bytes.fromhex("8208 0001 0003 6c6f74 01"))
        assert listener.recv(100).hex() == "9003000101"
        with listener.makefile("rb") as heard_by, sender.makefile("rb") as answers:
            for first in range(0, 66_000, step):
                numbers = [b"%05d" % number for number in range(first, first + step)]
                sender.sendall(b"".join(bytes.fromhex("320c 0003 6c6f74 0001") + number for number in numbers))
                packets = heard_by.read(step * size)
                cut = [packets[at : at + size] for at in range(0, len(packets), size)]
                assert [packet[9:] for packet in cut] == numbers
                identifiers = [int.from_bytes(packet[7:9], "big") for packet in cut]
                assert identifiers == [(first + number) % 65_535 + 1 for number in range(step)]
                listener.sendall(b"".join(b"\x40\x02" + packet[7:9] for packet in cut))
                assert answers.read(4 * step) == bytes.fromhex("40020001") * step


def test_who_keeps_silent_for_longer_than_promised_is_put_out(broker: tuple[str, int]) -> None:
    """3.1.2.10: after one and a half times its keepalive."""
    with socket.create_connection(broker, timeout=PATIENCE_S) as silent:
        silent.sendall(connect_bytes("silent", keepalive_s=1))
        assert silent.recv(100).hex() == "20020000"
        assert silent.recv(100) == b""


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        ("c000", ""),  # no CONNECT at first
        ("100e00044d51545404020000000264318206000100016103", "20020000"),  # a malformed SUBSCRIBE
        ("100e00044d5154540402000000026431100e00044d5154540402000000026431", "20020000"),  # a second CONNECT
        ("100c00044d515454040000000000", "20020002"),  # no name, and a session to be kept
        ("100c00044d515454060200000000", ""),  # a level that there is not
        (b"GET / HTTP/1.1\r\n".ljust(100, b"x").hex(), ""),
    ],
)
def test_who_breaks_the_protocol_is_put_out(embedded: tuple[str, int], sent: str, answer: str) -> None:
    """4.8: the connection is closed, after the answer that is due."""
    with socket.create_connection(embedded, timeout=PATIENCE_S) as peer, peer.makefile("rb") as stream:
        peer.sendall(bytes.fromhex(sent))
        try:
            said = stream.read()
        except ConnectionResetError:
            said = b""
        # A reset may overtake the answer.
        assert said.hex() in (answer, "")


def test_a_client_of_mqtt_5_is_told_so(embedded: tuple[str, int]) -> None:
    """3.1.2.2: return code 1, then closed."""
    with socket.create_connection(embedded, timeout=PATIENCE_S) as peer, peer.makefile("rb") as stream:
        peer.sendall(bytes.fromhex("100d00044d51545405020000000000"))
        assert stream.read().hex() == "20020001"


def test_a_packet_above_the_bound_closes_its_connection_at_once(embedded: tuple[str, int]) -> None:
    """256 KiB and one byte, announced only: nothing is collected for it."""
    with socket.create_connection(embedded, timeout=PATIENCE_S) as peer:
        peer.sendall(connect_bytes("large"))
        assert peer.recv(100).hex() == "20020000"
        peer.sendall(bytes.fromhex("30818010"))
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(100) == b""


def test_a_subscriber_that_does_not_read_is_put_out_and_holds_up_nobody(embedded: tuple[str, int]) -> None:
    """It may leave a bounded number of bytes unread; the others go on."""

    async def story() -> None:
        reader, writer = await asyncio.open_connection(*embedded, limit=1)
        writer.write(connect_bytes("lazy") + bytes.fromhex("82080001 0003 6c6f74 00"))
        assert (await reader.readexactly(9)).hex() == "20020000" + "9003000100"
        async with client(embedded, "keen") as keen, client(embedded, "sender") as sender:
            await keen.subscribe("lot", 1)
            count = 0
            # 200 x 250,000 bytes: more than any socket's buffers take.
            for _ in range(200):
                await sender.publish("lot", bytes(250_000), qos=1)
                count += len(await heard(keen, 1))
            assert count == 200
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(200 * 250_000)
        writer.close()

    play(story)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("way", ["stdin", "sigterm"])
def test_it_ends_when_its_input_closes_or_on_sigterm(name: str, way: str) -> None:
    """With code 0, connections open or not."""
    process = start(name)
    with socket.create_connection(ready(process)):
        if way == "sigterm":
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE_S) == 0
        assert end(process) == 0


@pytest.mark.parametrize("name", MODULES)
def test_a_killed_broker_leaves_its_port_free(name: str) -> None:
    """Nothing of it lives on, Mosquitto itself included, and another starts on the same port."""
    process = start(name)
    host, port = ready(process)
    with socket.create_connection((host, port), timeout=PATIENCE_S) as peer:
        process.kill()
        # The end of the connection says that whoever had the port is gone.
        with contextlib.suppress(ConnectionResetError):
            assert peer.recv(100) == b""
    end(process)
    again = start(name, "--port", str(port))
    assert ready(again) == (host, port)
    end(again)


@pytest.mark.parametrize("name", MODULES)
def test_a_port_that_is_taken_is_told_in_one_line(name: str) -> None:
    """A user's mistake: what, where, and code 1."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        # Its input stays open: it ends by itself.
        process = start(name, "--port", port, stderr=subprocess.PIPE)
        assert process.wait(PATIENCE_S) == 1
        assert process.stdout is not None
        assert process.stderr is not None
        with process.stderr as stream:
            said = stream.read()
        assert process.stdout.read() == b""
        end(process)
    assert b"in use" in said
    assert said.count(b"\n") == 1


def test_a_missing_mosquitto_is_told_in_one_line() -> None:
    """What is missing and what to do."""
    said = subprocess.run(
        [sys.executable, "-P", "-c", MISSING], input="", capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert said.returncode == 1
    assert said.stderr == (
        "Mosquitto is not installed (no mosquitto on PATH): install it, or use the embedded broker\n"
    )


# A machine without one: no program is found anywhere.
MISSING = """
import shutil, sys
shutil.which = lambda name, path=None: None
sys.argv = ["mosquitto"]
from simulator.backend import mosquitto
mosquitto.main()
"""


def test_the_embedded_one_tells_how_many_it_holds() -> None:
    """With --health each further line is one second's figures; connections are those that are open then."""
    process = start("embedded", "--health")
    where = ready(process)

    def held(count: int) -> bool:
        assert process.stdout is not None
        row = json.loads(process.stdout.readline())["health"]
        assert {"cpu_ms", "rss_mib", "loop_lag_ms"} <= set(row)
        return bool(row["connections"] == count)

    with contextlib.ExitStack() as open_ones:
        for _ in range(3):
            open_ones.enter_context(socket.create_connection(where))
        while not held(3):
            pass
    while not held(0):
        pass
    end(process)
