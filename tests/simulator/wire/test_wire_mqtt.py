"""Push lines and the publisher: against both real brokers, and against servers that do everything wrong."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho

from simulator.protocols.messages import Broken, Push, PushLine, PushLogin, Refused, Skipped, Trouble, Unknown
from simulator.wire.guard import Guard
from simulator.wire.mqtt import Publisher, PushLines
from simulator.wire.push_line import Line
from simulator.wire.tls import TlsSettings

MODULES = {"embedded": "simulator.backend.broker", "mosquitto": "simulator.backend.mosquitto"}
PATIENCE_S = 60
CONNACK = bytes.fromhex("20020000")
SUBACK = bytes.fromhex("9003000101")


class Broker:
    """One broker process, on the same port whenever it is started again."""

    def __init__(self, name: str) -> None:
        path = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
        if name == "mosquitto" and not shutil.which("mosquitto", path=path):
            pytest.skip("no mosquitto on PATH")
        self._name = name
        self.url = ""
        self.start()

    def start(self) -> None:
        port = self.url.rpartition(":")[2] or "0"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULES[self._name], "--port", port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.url = json.loads(self._process.stdout.readline())["url"]

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture(scope="module", params=MODULES)
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    broker = Broker(request.param)
    yield broker
    broker.kill()


@pytest.fixture(params=MODULES)
def mortal(request: pytest.FixtureRequest) -> Iterator[Broker]:
    broker = Broker(request.param)
    yield broker
    broker.kill()


class Device:
    """Hears, and is told when its line is lost."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Push] = asyncio.Queue()
        self.lost: asyncio.Queue[str] = asyncio.Queue()

    async def listen(self, lines: PushLines, login: PushLogin, timeout_s: float = PATIENCE_S) -> PushLine:
        return await lines.listen(login, self.heard.put_nowait, self.lost.put_nowait, timeout_s=timeout_s)


def login(url: str, number: int = 0, keepalive_s: int = 240) -> PushLogin:
    return PushLogin(url, f"device-{number}", f"device-{number}", "secret", f"push/{number}", keepalive_s)


def play(story: Callable[[], Awaitable[None]]) -> None:
    """On uvloop, as an engine does. What a callback raises fails the test; no task and no descriptor may be left."""
    problems: list[dict[str, Any]] = []
    before = descriptors()

    async def bounded() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context))
        async with asyncio.timeout(PATIENCE_S):
            await story()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())
    assert problems == []
    assert descriptors() == before


def descriptors() -> int:
    # From its first loop on, libuv keeps a pipe for signals as long as the process lives.
    uvloop.new_event_loop().close()
    return len(os.listdir("/proc/self/fd"))


async def packet(reader: asyncio.StreamReader) -> bytes:
    """One short packet as a client sent it."""
    head = await reader.readexactly(2)
    assert head[1] < 0x80
    return head + await reader.readexactly(head[1])


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def server(serve: Serve, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A scripted server; its connections are closed when the script ends. Yields its port's URL."""
    busy: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        busy.add(task)
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            busy.discard(task)

    listening = await asyncio.start_server(guarded, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    try:
        yield f"mqtt{'s' if tls else ''}://localhost:{port}" if tls else f"mqtt://127.0.0.1:{port}"
    finally:
        listening.close()
        await listening.wait_closed()
        await asyncio.gather(*busy, return_exceptions=True)


def answers(*said: bytes, then: Serve | None = None) -> Serve:
    """Answers each packet with the next of these, then goes on or closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in said:
            await packet(reader)
            writer.write(answer)
        if then is not None:
            await then(reader, writer)

    return serve


async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read, and say nothing, until the other side closes."""
    while await reader.read(1000):
        pass


async def trouble_of(serve: Serve, timeout_s: float = PATIENCE_S) -> Trouble:
    """How listen() ends against a server."""
    async with server(serve) as url:
        device, lines = Device(), PushLines(guard=Guard())
        with pytest.raises(Trouble) as caught:
            await device.listen(lines, login(url), timeout_s)
        await lines.close()
        assert device.lost.empty()
    return caught.value


# --- real brokers


def test_each_of_300_devices_at_once_hears_its_own_pushes_in_order_and_leaves_nothing_behind(broker: Broker) -> None:
    """Logged in together, two pushes each; after close() no task, timer callback, descriptor or `lost` remains."""

    async def story() -> None:
        lines, publisher = PushLines(guard=Guard()), Publisher()
        await publisher.connect(broker.url)
        devices = [Device() for _ in range(300)]
        held = await asyncio.gather(*(d.listen(lines, login(broker.url, n)) for n, d in enumerate(devices)))
        # A line at rest has no task of ours.
        assert len(asyncio.all_tasks()) == 1
        await publisher.publish([Push(f"push/{n}", b"%d-%d" % (turn, n)) for turn in range(2) for n in range(300)])
        for n, device in enumerate(devices):
            for turn in range(2):
                assert await device.heard.get() == Push(f"push/{n}", b"%d-%d" % (turn, n))
        for line in held:
            line.close()
            line.close()
        await publisher.close()
        await lines.close()
        assert all(device.heard.empty() and device.lost.empty() for device in devices)

    play(story)


def test_a_second_login_of_a_name_takes_the_line_of_the_first(broker: Broker) -> None:
    """The first is told once that it lost its line; the second hears."""

    async def story() -> None:
        lines, publisher, first, second = PushLines(guard=Guard()), Publisher(), Device(), Device()
        await publisher.connect(broker.url)
        old = await first.listen(lines, login(broker.url))
        new = await second.listen(lines, login(broker.url))
        assert await first.lost.get() == "push_lost"
        await publisher.publish([Push("push/0", b"x")])
        assert (await second.heard.get()).payload == b"x"
        old.close()
        new.close()
        await publisher.close()
        assert first.heard.empty()
        assert first.lost.empty()
        assert second.lost.empty()

    play(story)


def test_a_killed_broker_loses_every_line_and_the_publisher_comes_back_with_the_next(mortal: Broker) -> None:
    """`lost` once each; pushes given while there is no broker are delivered when there is one again."""

    async def story() -> None:
        lines, publisher = PushLines(guard=Guard()), Publisher()
        await publisher.connect(mortal.url)
        devices = [Device() for _ in range(20)]
        for n, device in enumerate(devices):
            await device.listen(lines, login(mortal.url, n))
        mortal.kill()
        assert [await device.lost.get() for device in devices] == ["push_lost"] * 20
        with pytest.raises(Broken, match="connect_refused"):
            await Device().listen(lines, login(mortal.url))
        publishing = asyncio.ensure_future(
            publisher.publish([Push("late", b"%d" % number) for number in range(3 * Publisher.WINDOW + 1)])
        )
        mortal.start()
        late = Device()
        waiting = PushLogin(mortal.url, "late", "", "", "late")
        line = await late.listen(lines, waiting)
        await publishing
        await publisher.publish([Push("late", b"last")])
        while (await late.heard.get()).payload != b"last":
            pass
        line.close()
        await publisher.close()
        assert all(device.lost.empty() for device in devices)

    play(story)


# --- the publisher against a broker that breaks


def test_the_publisher_sends_again_what_was_not_acknowledged_and_only_that() -> None:
    """The first connection acknowledges the first two of five and closes; the second gets the other three, in order."""
    got: list[list[bytes]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = not got
        got.append([])
        await packet(reader)
        writer.write(CONNACK)
        while (said := await packet(reader))[0] >> 4 == 3:
            got[-1].append(said[7:])
            if first and len(got[0]) == 5:
                return
            if not first or len(got[0]) <= 2:
                writer.write(b"\x40\x02" + said[5:7])

    async def story() -> None:
        async with server(serve) as url:
            publisher = Publisher()
            await publisher.connect(url)
            await publisher.publish([Push("t", b"%d" % number) for number in range(5)])
            await publisher.close()

    play(story)
    assert got[0] == [b"0", b"1", b"2", b"3", b"4"]
    # An acknowledgement may be lost with the connection that carried it: at least once, never out of order.
    assert got[1] in ([b"2", b"3", b"4"], [b"1", b"2", b"3", b"4"], [b"0", b"1", b"2", b"3", b"4"])


def test_a_publish_that_is_given_up_leaves_no_task() -> None:
    """Cancelled while a broker does not acknowledge."""

    async def story() -> None:
        asked = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await packet(reader)
            asked.set()
            await hold(reader, writer)

        async with server(answers(CONNACK, then=silent)) as url:
            publisher = Publisher()
            await publisher.connect(url)
            publishing = asyncio.ensure_future(publisher.publish([Push("t", b"x")] * 30))
            await asked.wait()
            publishing.cancel()
            await asyncio.wait([publishing])
            await publisher.close()

    play(story)


# --- servers that refuse, break, keep silent or talk nonsense


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 77])
def test_a_refused_login_keeps_the_return_code(code: int) -> None:
    """MQTT 3.1.1, table 3.1; the numbers of the wire, not those of MQTT 5."""

    async def story() -> None:
        trouble = await trouble_of(answers(bytes((0x20, 2, 0, code)), then=hold))
        assert (type(trouble), trouble.reason, trouble.status) == (Refused, "connack", code)

    play(story)


def test_a_refused_subscription_keeps_the_return_code() -> None:
    """3.9.3: 0x80 is failure."""

    async def story() -> None:
        trouble = await trouble_of(answers(CONNACK, bytes.fromhex("9003000180"), then=hold))
        assert (type(trouble), trouble.reason, trouble.status) == (Refused, "suback", 128)

    play(story)


@pytest.mark.parametrize(
    ("serve", "kind", "reason"),
    [
        (answers(b""), Unknown, "broken_after_sent"),
        (answers(CONNACK), Unknown, "broken_after_sent"),
        (answers(CONNACK, b""), Unknown, "broken_after_sent"),
        (answers(CONNACK[:3]), Unknown, "broken_after_sent"),
        (answers(b"HTTP/1.1 400 Bad Request\r\n\r\n".ljust(100), then=hold), Broken, "undecodable"),
        (answers(b"\x20\x03\0\0\0", then=hold), Broken, "undecodable"),
        (answers(b"\x20\xff\xff\xff\xff\xff", then=hold), Broken, "undecodable"),
        (answers(b"\x30\x81\x80\x40", then=hold), Broken, "body_too_large"),
        (answers(CONNACK, b"\xf0\x00", then=hold), Broken, "undecodable"),
        (answers(CONNACK, b"\x30\x03\x00\x01\xff", then=hold), Broken, "undecodable"),
    ],
)
def test_a_login_that_breaks_ends_as_the_record_says(serve: Serve, kind: type[Trouble], reason: str) -> None:
    """Closed after the CONNECT was out: unknown. An answer that is no MQTT: failed, at once and not at the timeout."""

    async def story() -> None:
        trouble = await trouble_of(serve)
        assert (type(trouble), trouble.reason) == (kind, reason)

    play(story)


@pytest.mark.parametrize("said", [(), (CONNACK,)])
def test_a_login_that_is_not_answered_is_unknown(said: tuple[bytes, ...]) -> None:
    """The request was out; nothing is left of the try."""

    async def story() -> None:
        trouble = await trouble_of(answers(*said, then=hold), timeout_s=0.2)
        assert (type(trouble), trouble.reason) == (Unknown, "timeout")

    play(story)


def test_a_login_that_is_given_up_leaves_nothing() -> None:
    """Cancelled between CONNECT and CONNACK: the server sees the connection end."""

    async def story() -> None:
        asked, gone = asyncio.Event(), asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await packet(reader)
            asked.set()
            await hold(reader, writer)
            gone.set()

        async with server(serve) as url:
            lines = PushLines(guard=Guard())
            listening = asyncio.ensure_future(Device().listen(lines, login(url)))
            await asked.wait()
            listening.cancel()
            await asyncio.wait([listening])
            await gone.wait()

    play(story)


@settings(max_examples=60, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.booleans())
@example(b"\x30\x02\x00\x00", True)
@example(b"\x90\x02\x00\x01", True)
@example(b"\x40\x01\x00", True)
@example(b"\xd0\x01\x00", False)
def test_whatever_a_server_says_a_login_ends_in_trouble_or_a_line(said: bytes, connected: bool) -> None:
    """No other exception, no hang, nothing left; a line that came about is lost when the server closes."""

    async def story() -> None:
        serve = answers(CONNACK, said) if connected else answers(said)
        async with server(serve) as url:
            device = Device()
            # Any exception but Trouble fails the test here.
            with suppress(Trouble):
                line = await device.listen(PushLines(guard=Guard()), login(url))
                assert await device.lost.get() in ("push_lost", "undecodable", "connack")
                line.close()
            assert device.lost.empty()

    play(story)


def test_a_line_that_hears_garbage_is_lost_once() -> None:
    """At rest as well: told with its reason, and let go of."""

    async def story() -> None:
        async with server(answers(CONNACK, SUBACK + b"\x30\x03\x00\x01\xff", then=hold)) as url:
            device = Device()
            line = await device.listen(PushLines(guard=Guard()), login(url))
            assert await device.lost.get() == "undecodable"
            line.close()
            assert device.lost.empty()

    play(story)


def test_a_line_pings_and_lives_as_long_as_it_is_answered_then_is_lost() -> None:
    """3.1.2.10: a ping within each keepalive and a half; a server that falls silent, half-open, is noticed."""

    async def story() -> None:
        async def pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(2):
                assert await asyncio.wait_for(packet(reader), 1.5) == b"\xc0\x00"
                writer.write(b"\xd0\x00")
            answered.set()
            await hold(reader, writer)

        answered = asyncio.Event()
        async with server(answers(CONNACK, SUBACK, then=pong)) as url:
            device = Device()
            await device.listen(PushLines(guard=Guard()), login(url, keepalive_s=1))
            await answered.wait()
            assert device.lost.empty()
            assert await device.lost.get() == "timeout"

    play(story)


def test_what_hears_and_what_is_told_of_a_loss_may_close_the_line_and_listen_again() -> None:
    """Called from the loop, not from inside paho, whose locks would hang; after close() nothing more is heard."""

    async def story() -> None:
        lines, heard, again = PushLines(guard=Guard()), [], asyncio.Event()
        held: list[PushLine] = []

        def hear(push: Push) -> None:
            heard.append(push.payload)
            held[0].close()
            again.set()

        push = b"\x30\x04\x00\x01a"

        async def two(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await told.wait()
            writer.write(push + b"1" + push + b"2")
            await hold(reader, writer)

        told = asyncio.Event()
        async with server(answers(CONNACK, SUBACK, then=two)) as url:
            held.append(await lines.listen(login(url), hear, pytest.fail, timeout_s=PATIENCE_S))
            told.set()
            await again.wait()
        assert heard == [b"1"]

    play(story)


# --- what is in the way of a connection


def test_nobody_there_is_refused_and_an_unknown_name_is_told() -> None:
    """Definite: failed."""

    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            port = gone.getsockname()[1]
        lines = PushLines(guard=Guard())
        for url, reason in (
            (f"mqtt://127.0.0.1:{port}", "connect_refused"),
            ("mqtt://nobody.invalid", "name_unknown"),
        ):
            with pytest.raises(Broken) as caught:
                await Device().listen(lines, login(url))
            assert caught.value.reason == reason
        await lines.close()

    play(story)


def test_a_server_that_does_not_accept_times_out() -> None:
    """A full backlog: the connect itself gets no answer."""

    async def story() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            where = full.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(where)
            lines = PushLines(guard=Guard())
            with pytest.raises(Broken) as caught:
                await Device().listen(lines, login(f"mqtt://127.0.0.1:{where[1]}"), timeout_s=0.2)
            assert caught.value.reason == "connect_timeout"
            for filler in fillers:
                filler.close()

    play(story)


def test_the_guard_is_asked_before_any_connect() -> None:
    """192.0.2.1 is nobody's (RFC 5737): without an authorisation no packet may go there, by address or by name."""

    async def story() -> None:
        lines = PushLines(guard=Guard(), hosts={"broker.city.example": "192.0.2.1:1883"})
        for url in ("mqtt://192.0.2.1", "mqtt://broker.city.example"):
            with pytest.raises(Skipped) as caught:
                await Device().listen(lines, login(url))
            assert caught.value.reason == "guard_not_authorised"
        with pytest.raises(Skipped):
            await Publisher().connect("mqtt://192.0.2.1")

    play(story)


@pytest.mark.parametrize("url", ["http://127.0.0.1", "mqtt://", "127.0.0.1:1883", "mqtt://127.0.0.1/topic"])
def test_what_is_no_mqtt_url_is_the_users_mistake(url: str) -> None:
    """One clear line, and nothing is sent."""

    async def story() -> None:
        with pytest.raises(ValueError, match=r"^push URL .*expected mqtt://HOST"):
            await Device().listen(PushLines(guard=Guard()), login(url))

    play(story)


def test_no_descriptor_left_is_our_own_fault() -> None:
    """EMFILE untrusts the run: Exhausted, which is told from a broker that does not answer."""
    said = subprocess.run(
        [sys.executable, "-c", NO_DESCRIPTOR], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert (said.stdout, said.stderr) == ("Exhausted harness_descriptors\n", "")


NO_DESCRIPTOR = """
import asyncio, os, resource, uvloop
from simulator.protocols.messages import PushLogin, Trouble
from simulator.wire.guard import Guard
from simulator.wire.mqtt import PushLines

async def main():
    lines = PushLines(guard=Guard())
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    try:
        while True:
            os.dup(0)
    except OSError:
        pass
    try:
        await lines.listen(PushLogin("mqtt://127.0.0.1:1", "d", "", "", "t"), print, print, timeout_s=5)
    except Trouble as trouble:
        print(type(trouble).__name__, trouble.reason)

uvloop.run(main())
"""


# --- TLS


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for localhost, and a server's context with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both = folder / f"{name}-key.pem"
    both.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return pem, context


def test_over_tls_all_that_came_in_one_record_is_heard(tmp_path: Path) -> None:
    """What TLS holds decrypted makes no socket readable; the certificate is checked against the city's authority."""
    pem, context = certificate(tmp_path, "localhost")

    async def story() -> None:
        count = 50
        pushes = b"".join(b"\x30\x06\x00\x01a%03d" % number for number in range(count))
        async with server(answers(CONNACK, SUBACK + pushes, then=hold), context) as url:
            target = url.removeprefix("mqtts://")
            lines, device = PushLines(guard=Guard(), tls={target: TlsSettings(ca_file=str(pem))}), Device()
            line = await device.listen(lines, login(url))
            assert [(await device.heard.get()).payload for _ in range(count)] == [b"%03d" % n for n in range(count)]
            line.close()
            await lines.close()

    play(story)


def test_a_certificate_that_nobody_vouches_for_or_no_tls_at_all_is_tls_failed(tmp_path: Path) -> None:
    """Verified unless switched off for that one target."""
    _, context = certificate(tmp_path, "localhost")
    other, _ = certificate(tmp_path, "other.example")

    async def story() -> None:
        async with server(answers(CONNACK, SUBACK, then=hold), context) as url:
            target = url.removeprefix("mqtts://")
            for tls in ({}, {target: TlsSettings(ca_file=str(other))}, {"localhost:1": TlsSettings(verify=False)}):
                lines = PushLines(guard=Guard(), tls=tls)
                with pytest.raises(Broken) as caught:
                    await Device().listen(lines, login(url))
                assert caught.value.reason == "tls_failed"
                await lines.close()
            lines = PushLines(guard=Guard(), tls={target: TlsSettings(verify=False)})
            (await Device().listen(lines, login(url))).close()
            await lines.close()

        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(CONNACK)

        async with server(plain) as url:
            with pytest.raises(Broken) as caught:
                await Device().listen(PushLines(guard=Guard()), login(url.replace("mqtt:", "mqtts:")))
            assert caught.value.reason == "tls_failed"

    play(story)


# --- what a line costs, and what it leans on


def test_a_line_at_rest_costs_at_most_16_kib() -> None:
    """Resident memory of a process with 1,000 lines, less that with 50: sockets, paho, aiomqtt and ours together."""
    broker = Broker("embedded")
    try:
        said = subprocess.run(
            [sys.executable, "-c", MEMORY, broker.url], capture_output=True, text=True, timeout=PATIENCE_S, check=True
        )
    finally:
        broker.kill()
    assert 1.0 < float(said.stdout) <= 16.0


MEMORY = """
import asyncio, gc, resource, sys, uvloop
from pathlib import Path
from simulator.protocols.messages import PushLogin
from simulator.wire.guard import Guard
from simulator.wire.mqtt import PushLines

def kib():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1024

async def main():
    lines, held = PushLines(guard=Guard()), []
    async def some(count):
        for number in range(count):
            name = f"device-{len(held)}"
            held.append(await lines.listen(
                PushLogin(sys.argv[1], name, name, "secret", f"push/{name}"), print, print, timeout_s=30))
    await some(50)
    before = kib()
    await some(950)
    print((kib() - before) / 950)

resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
uvloop.run(main())
"""


# What Line replaces in aiomqtt, or reaches for in paho, and a digest of its source as of aiomqtt 2.5.1 and paho-mqtt
# 2.2.0. When one differs: read what changed, see whether push_line.py still does the same, then write the new digest.
LEANT_ON = {
    "aiomqtt._on_message": "f71c95a83129f9e3",
    "aiomqtt._on_disconnect": "06c47e2b6a3c8b6b",
    "aiomqtt._on_socket_open": "10263ff51d823e74",
    "aiomqtt._on_socket_close": "6511966629d9ccd0",
    "aiomqtt._on_socket_register_write": "ec93d15d4118247e",
    "aiomqtt._on_socket_unregister_write": "195827fbdc620725",
    "aiomqtt._on_connect": "7864d8930bfb1a29",
    "aiomqtt._on_subscribe": "b4e9a7d5dca85485",
    "aiomqtt.__aenter__": "4ce04cfce6dbec0b",
    "aiomqtt.__init__": "14860cbfeb71819c",
    "aiomqtt._client_connect": "b0deddcf123c4811",
    "aiomqtt._misc_loop": "606cc9ddc6afc5fb",
    "aiomqtt.subscribe": "718df9550edaff64",
    "aiomqtt.publish": "1e1885f9d00b931c",
    "paho._handle_connack": "39267140212c8b5f",
    "paho._create_socket": "3043436f2eb23690",
    "paho._sock_close": "638e9c4e5a7f32ae",
    "paho._packet_read": "bbe32d8af1e37955",
    "paho._packet_write": "d097b7b51bed128d",
    "paho._loop_rc_handle": "ee5ad3b7849433a4",
    "paho.loop_read": "4fa11ca2d451dbec",
    "paho.loop_write": "57c360e5ae749fd9",
    "paho.loop_misc": "e9c8f0e45281062e",
    "paho._check_keepalive": "162b7cd2a4d56585",
    "paho.reconnect": "3ecdf1a8299e8c8a",
    "paho._packet_queue": "e298fa9ab31e5f79",
    "paho._do_on_disconnect": "4669601f8a462ca4",
}


@pytest.mark.parametrize("name", sorted(LEANT_ON))
def test_what_a_line_leans_on_inside_aiomqtt_and_paho_is_as_it_was(name: str) -> None:
    """Names with an underscore may change in any release; this says so before a fleet does."""
    owner, _, attribute = name.partition(".")
    source = inspect.getsource(getattr({"aiomqtt": aiomqtt.Client, "paho": paho.Client}[owner], attribute))
    assert sha256(source.encode()).hexdigest()[:16] == LEANT_ON[name]


def test_every_method_a_line_replaces_is_watched() -> None:
    """No override of an aiomqtt method without a row in the table."""
    replaced = {f"aiomqtt.{name}" for name in vars(Line) if name in vars(aiomqtt.Client) and name != "__module__"}
    assert replaced - {"aiomqtt.__doc__", "aiomqtt.__dict__", "aiomqtt.__weakref__"} <= set(LEANT_ON)
    assert "aiomqtt._on_message" in replaced
