"""The backend as a process: real sockets, real signals, a real broker."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import dataclasses
import hashlib
import http.client
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from simulator.backend.shell import Mailbag, Shell
from simulator.protocols import management
from simulator.protocols.messages import Exchange, Push, PushLogin, Request, Response
from simulator.wire.guard import Guard
from simulator.wire.http import HttpPool
from simulator.wire.mqtt import PushLines

T = TypeVar("T")

SETTINGS = {"password_secret": base64.b64encode(b"a test's own").decode(), "password_cost": 10}
NAMES = ("management", "identity", "idp", "updates", "operator")

# The shell around a service of a few lines, for what no service of ours should ever do.
TRIVIAL = """
import asyncio, hashlib, json, sys, uvloop
from simulator.backend.core import Answer
from simulator.backend.shell import Server, Shell, bind, url_of
from simulator.protocols.messages import Response

BIG = bytes(range(256)) * 16384

def handle(request, now):
    path = request.url.split("/", 3)[3]
    if path == "raise":
        raise ZeroDivisionError("a mistake of ours")
    if path == "big":
        return Answer(Response(200, (), BIG))
    if path == "nothing":
        return Answer(Response(204))
    if path == "pushes":
        return Answer(Response(200), pushes=("first", "second"))
    said = {"method": request.method, "url": request.url, "headers": request.headers,
            "body": hashlib.sha256(request.body).hexdigest()}
    headers = (("content-type", "application/json"), ("set-cookie", "a=1"), ("set-cookie", "b=2"))
    return Answer(Response(203, headers, json.dumps(said).encode()))

sockets = bind("127.0.0.1", {"one": 0, "two": 0})
ready = lambda: print(json.dumps({name: url_of(listener) for name, listener in sockets.items()}), flush=True)
server = Server(Shell(handle, lambda pushes: print(json.dumps(pushes), flush=True)), ready)
with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
    runner.run(server.serve(list(sockets.values())))
"""


class Process:
    """A started process of ours, what it said when it was ready, and how to talk to it."""

    def __init__(self, *argv: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-P", *argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert self.popen.stdout is not None
        self.out = self.popen.stdout
        line = self.out.readline()
        if not line:
            pytest.fail(self.end(signal.SIGKILL))
        self.ready: dict[str, str] = json.loads(line)

    def end(self, number: int = signal.SIGTERM) -> str:
        """Send a signal, wait, and return its standard error."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.communicate(timeout=20)[1].decode()

    def ask(self, method: str, url: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, url.removeprefix("http://" + urlsplit(url).netloc), body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def operate(self, act: str, method: str = "POST", **body: Any) -> dict[str, Any]:
        """One call of the operator API that must succeed."""
        token = {"Authorization": f"Bearer {self.ready['operator_token']}"}
        status, answer = self.ask(method, f"{self.ready['operator']}/operator/{act}", json.dumps(body), token)
        assert status == 200, answer
        told: dict[str, Any] = json.loads(answer)
        return told


def connect(url: str) -> socket.socket:
    """A connection to the port of a URL."""
    where = urlsplit(url)
    return socket.create_connection((where.hostname, where.port), timeout=30)


def read_answer(connection: socket.socket) -> bytes:
    """One answer with a Content-Length, head and body; less when the connection ends."""
    held = b""
    while b"\r\n\r\n" not in held:
        came = connection.recv(65536)
        if not came:
            return held
        held += came
    head, _, body = held.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@pytest.fixture(scope="module")
def push_url() -> Iterator[str]:
    """The embedded broker."""
    broker = Process("-m", "simulator.backend.broker", "--port", "0")
    yield broker.ready["url"]
    broker.end()


def start(data: Path, push_url: str, *more: str) -> Process:
    """The backend, ready."""
    settings = ("--settings", json.dumps(SETTINGS))
    return Process("-m", "simulator.backend", "--data", str(data), "--push-url", push_url, *settings, *more)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory, push_url: str) -> Iterator[Process]:
    """One backend for the tests that leave it as it was."""
    started = start(tmp_path_factory.mktemp("backend"), push_url)
    yield started
    assert started.end() == ""
    assert started.popen.returncode == 0


@pytest.fixture(scope="module")
def trivial() -> Iterator[Process]:
    """The shell around a trivial service."""
    started = Process("-c", TRIVIAL)
    yield started
    started.end()


def test_every_service_has_a_port_and_its_paths_are_the_same_on_all(backend: Process) -> None:
    """Five different ports; the path alone says whose a request is, and a path of nobody's is a 404."""
    assert len({backend.ready[name] for name in NAMES}) == 5
    assert len(base64.b64decode(backend.ready["verification_key"], validate=True)) > 200
    for name in NAMES:
        assert backend.ask("GET", backend.ready[name] + "/idp/metadata")[0] == 200
        assert backend.ask("GET", backend.ready[name] + "/nobody")[0] == 404


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", "Basic {token}", "bearer {token} "])
def test_operator_wants_its_token(backend: Process, authorization: str | None) -> None:
    """Without the very token of the ready line nothing is told and nothing is done."""
    headers = {} if authorization is None else {"Authorization": authorization.format(token="x")}
    for method, act in (("GET", "state"), ("POST", "rotate_key")):
        status, answer = backend.ask(method, f"{backend.ready['operator']}/operator/{act}", b"{}", headers)
        assert status == 401
        assert json.loads(answer)["error"]


def test_injected_errors_and_drops_reach_the_wire(backend: Process) -> None:
    """An error answers its status, a drop closes without a byte, the operator never suffers, and clearing ends both."""
    url = backend.ready["idp"] + "/idp/metadata"
    backend.operate("inject_fault", where="idp", kind="error", status=599)
    assert backend.ask("GET", url)[0] == 599
    backend.operate("inject_fault", where="/idp/meta", kind="drop")
    with connect(url) as connection:
        connection.sendall(b"GET /idp/metadata HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1) == b""
    assert backend.operate("clear_faults") == {"cleared": 2}
    assert backend.ask("GET", url)[0] == 200


@pytest.mark.parametrize("status", range(902, 908))
def test_codes_that_only_the_management_protocol_has_reach_the_wire(backend: Process, status: int) -> None:
    """902 to 907 (policy facts 1.4): for the request that is named, to another client's parser and to our own wire."""
    backend.operate("inject_fault", where="management", kind="error", status=status, request="policy")
    url = f"{backend.ready['management']}/devicemanagement/data/api?deviceid=d&devicetype=2&apptype=Chrome&request="
    with connect(url) as connection:
        connection.sendall(f"POST {url}policy HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
        assert read_answer(connection).startswith(f"HTTP/1.1 {status} \r\n".encode())

    async def ask(kind: str) -> int:
        pool = HttpPool(guard=Guard())
        try:
            return (await pool.device().send(Request("POST", url + kind), timeout_s=20)).status
        finally:
            await pool.close()

    assert asyncio.run(ask("policy")) == status
    assert asyncio.run(ask("unregister")) == 401
    backend.operate("clear_faults")


def test_an_operator_may_send_what_a_client_may_not(backend: Process) -> None:
    """The policy of an extension that has 5 MiB is published over the wire; a client's body of that size is 413."""
    value = {"C": {"Value": "x" * (5 * 2**20 - 18)}}
    told = backend.operate("publish_extension_policy", policy="user", extension_id="a" * 32, value=value)
    assert told["published_ms"] > 0
    url = f"{backend.ready['management']}/devicemanagement/data/api"
    assert backend.ask("POST", url, b"x" * (5 * 2**20))[0] == 413
    backend.operate("publish_extension_policy", policy="user", extension_id="a" * 32, value=None)


def test_a_delayed_answer_holds_nobody_else_and_survives_sigterm(tmp_path: Path, push_url: str) -> None:
    """While one service is frozen another answers; told to end, the process first answers what it was asked."""
    process = start(tmp_path, push_url)
    before = process.operate("state", "GET")["backend"]["requests"]
    process.operate("inject_fault", where="idp", kind="freeze", for_s=3)
    with connect(process.ready["idp"]) as frozen:
        frozen.sendall(b"GET /idp/metadata HTTP/1.1\r\nHost: a\r\n\r\n")
        polls = 0
        while process.operate("state", "GET")["backend"]["requests"] < before + 3 + polls:
            polls += 1
        assert select.select([frozen], [], [], 0)[0] == []
        process.popen.send_signal(signal.SIGTERM)
        assert read_answer(frozen).startswith(b"HTTP/1.1 200")
    assert process.end() == ""
    assert process.popen.returncode == 0


def test_operator_serves_loopback_only() -> None:
    """A caller from elsewhere is refused before the core hears of it, token or not."""
    told: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        told.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/operator/state",
        "raw_path": b"/operator/state",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"a")],
        "server": ("192.0.2.1", 80),
        "client": ("192.0.2.2", 1024),
        "state": {},
    }
    shell = Shell(lambda request, now: pytest.fail("the core was asked"), lambda pushes: None)
    asyncio.run(shell(scope, receive, send))
    assert told[0]["status"] == 403


def ask_management(process: Process, exchange: Exchange[T]) -> T:
    """One exchange of a device with the management service."""
    request = exchange.request
    status, body = process.ask(request.method, request.url, request.body, dict(request.headers))
    return exchange.read(Response(status, (), body))


def enrolled(process: Process) -> management.Identity:
    """A device that is enrolled and listens for pushes under the token "a-token"."""
    where = process.ready["management"] + "/devicemanagement/data/api"
    who = management.Identity(
        where, "00000000-0000-4000-8000-000000000001", "Google Chrome 126.0.6478.132(0)", "CrOS|x|y"
    )
    token = process.operate("enrollment_token")["access_token"]
    flavor = management.Register.FLAVOR_ENROLLMENT_SERVER_FORCED
    machine = management.Machine("serial-1", "HWID", "ABCD")
    registration = ask_management(process, management.register_device(who, machine, oauth_token=token, flavor=flavor))
    who = dataclasses.replace(who, dm_token=registration.dm_token)
    ask_management(
        process, management.push_token(who, "a-token", management.PushKind.DEVICE, expiration_ms=4_000_000_000_000)
    )
    return who


def test_kill_forgets_nothing_that_was_answered(tmp_path: Path, push_url: str) -> None:
    """After kill -9 the same directory and ports go on: the same key vouches, an enrolled device is known by its token,
    what was published and released is counted."""
    process = start(tmp_path, push_url)
    who = enrolled(process)
    process.operate("publish_policy", policy="user", value={"HomepageLocation": "http://a.example/"})
    process.operate("publish_release", version="16181.61.0", size=65536)
    process.operate("rotate_key")
    state = process.operate("state", "GET")
    assert (state["management"]["devices"], state["management"]["key_version"]) == (1, 2)
    process.end(signal.SIGKILL)
    ports = [f"--port-{name}={urlsplit(process.ready[name]).port}" for name in NAMES]
    again = start(tmp_path, push_url, *ports)
    lasting = set(process.ready) - {"operator_token"}
    assert {name: again.ready[name] for name in lasting} == {name: process.ready[name] for name in lasting}
    after = again.operate("state", "GET")
    for count in ("devices", "key_version"):
        assert after["management"][count] == state["management"][count]
    assert after["updates"]["releases"] == state["updates"]["releases"] == 1
    ask_management(
        again, management.push_token(who, "another", management.PushKind.DEVICE, expiration_ms=4_000_000_000_000)
    )
    again.end()


def test_pushes_go_out_through_the_broker_in_order(backend: Process, push_url: str) -> None:
    """Who listens to a device's topic hears of one publish after the other, with the payload of each."""
    enrolled(backend)

    async def listen() -> list[str]:
        heard: asyncio.Queue[Push] = asyncio.Queue()
        lines = PushLines(guard=Guard())
        login = PushLogin(push_url, "a listener", "", "", "push/a-token")
        line = await lines.listen(login, heard.put_nowait, pytest.fail, timeout_s=20)
        for number in range(20):
            value = {"guest_mode_enabled": number % 2 == 0}
            told = await asyncio.to_thread(
                backend.operate, "publish_policy", policy="device", value=value, payload=f"act-{number}"
            )
            assert told["told"] == 1
        payloads = [json.loads((await asyncio.wait_for(heard.get(), 20)).payload)["payload"] for _ in range(20)]
        line.close()
        await lines.close()
        return payloads

    assert asyncio.run(listen()) == [f"act-{number}" for number in range(20)]


def test_ends_when_its_parent_is_gone(tmp_path: Path, push_url: str) -> None:
    """Standard input closed: it ends by itself, in good order."""
    process = start(tmp_path, push_url)
    process.popen.communicate(timeout=20)
    assert process.popen.returncode == 0


def test_health_is_told(tmp_path: Path, push_url: str) -> None:
    """With --health each further line is one second's figures; the count of requests is the core's."""
    process = start(tmp_path, push_url, "--health")
    for _ in range(3):
        process.ask("GET", process.ready["idp"] + "/idp/metadata")
    while (row := json.loads(process.out.readline())["health"])["requests"] < 3:
        pass
    assert row["requests"] == 3
    assert row["rss_mib"] > 10
    assert {"cpu_ms", "loop_lag_ms", "connections", "unsent"} <= set(row)
    process.end()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("--settings", "{"), "backend: --settings: Expecting"),
        (("--settings", "[]"), "backend: --settings: expected a JSON object"),
        (("--settings", "@/nowhere"), "backend: --settings: [Errno 2]"),
        (("--settings", "{}"), "backend: --settings: password_secret must be said"),
        (("--settings", '{"password_secret": "%"}'), "backend: --settings: password_secret"),
        (
            ("--settings", json.dumps({**SETTINGS, "password_cost": "1"})),
            "backend: --settings: password_cost is '1'; expected int",
        ),
        (("--settings", json.dumps({**SETTINGS, "colour": 1})), "backend: --settings: no setting is called colour"),
        (("--settings", json.dumps(SETTINGS), "--port-idp", "70000"), "backend: cannot listen on 127.0.0.1"),
        (("--settings", json.dumps(SETTINGS), "--host", "192.0.2.1"), "backend: cannot listen on 192.0.2.1"),
        (("--settings", json.dumps(SETTINGS), "--data", "/dev/null/x"), "backend: --data /dev/null/x"),
        (
            ("--settings", json.dumps(SETTINGS), "--push-url", "mqtt://127.0.0.1:1"),
            "backend: --push-url mqtt://127.0.0.1:1",
        ),
    ],
)
def test_a_users_mistake_is_one_line(tmp_path: Path, argv: tuple[str, ...], line: str) -> None:
    """What is wrong and where, exit 2, no traceback."""
    wanted = [
        sys.executable,
        "-P",
        "-m",
        "simulator.backend",
        "--data",
        str(tmp_path),
        "--push-url",
        "mqtt://127.0.0.1:1",
    ]
    ended = subprocess.run([*wanted, *argv], input=b"", capture_output=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert ended.stderr.decode().startswith(line)
    assert ended.stderr.count(b"\n") == 1
    assert ended.stdout == b""


def test_settings_may_come_by_standard_input(tmp_path: Path, push_url: str) -> None:
    """What must not be seen in a process list comes as the first line; the rest still holds the process."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-P",
            "-m",
            "simulator.backend",
            "--data",
            str(tmp_path),
            "--push-url",
            push_url,
            "--settings",
            "-",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(SETTINGS).encode() + b"\n")
    process.stdin.flush()
    assert "management" in json.loads(process.stdout.readline())
    assert process.poll() is None
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_a_request_arrives_as_it_was_sent(trivial: Process) -> None:
    """Absolute URL with its query, headers in order, the whole body, both cookies of the answer; chunked or not."""
    host = urlsplit(trivial.ready["one"]).netloc
    body = os.urandom(300_000)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:200_000], body[200_000:]))
    for framing, sent in (
        (b"Content-Length: 300000", body),
        (b"Transfer-Encoding: chunked", chunks + b"0\r\n\r\n"),
    ):
        with connect(trivial.ready["one"]) as connection:
            connection.sendall(
                b"POST /a%%20b?c=d%%26&e HTTP/1.1\r\nHost: %b\r\nX-A: 1\r\n%b\r\n\r\n" % (host.encode(), framing)
            )
            connection.sendall(sent)
            head, _, told = read_answer(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 203")
        assert head.count(b"set-cookie") == 2
        said = json.loads(told)
        assert (said["method"], said["url"]) == ("POST", f"http://{host}/a%20b?c=d%26&e")
        assert said["headers"][:2] == [["host", host], ["x-a", "1"]]
        assert said["body"] == hashlib.sha256(body).hexdigest()


def test_a_large_answer_is_whole_and_holds_nobody_else(trivial: Process) -> None:
    """4 MiB that one client does not read yet keep no other client waiting, and arrive whole."""
    with connect(trivial.ready["one"]) as slow:
        slow.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
        slow.recv(1, socket.MSG_PEEK)
        assert trivial.ask("GET", trivial.ready["two"] + "/else")[0] == 203
        _, _, body = read_answer(slow).partition(b"\r\n\r\n")
    assert body == bytes(range(256)) * 16384


def test_what_no_request_should_be_is_refused(trivial: Process) -> None:
    """Too large a body, a Host that would be read as a path, no HTTP at all: refused, and the next is served."""
    with connect(trivial.ready["one"]) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            connection.sendall(bytes(8388608))
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(12) == b"HTTP/1.1 413"
    for bad in (b"GET / HTTP/1.1\r\nHost: a/operator\r\n\r\n", b"\x16\x03\x01\r\n\r\n"):
        with connect(trivial.ready["one"]) as connection:
            connection.sendall(bad)
            assert connection.recv(12) == b"HTTP/1.1 400"
    assert trivial.ask("GET", trivial.ready["one"] + "/")[0] == 203


def test_mailbag_keeps_order_and_has_an_end() -> None:
    """Room for two answers' pushes while nothing moves: the third's are counted as unsent, the rest go in order."""

    async def play() -> tuple[list[Push], int]:
        sent: list[Push] = []
        done = asyncio.Event()

        async def publish(pushes: Sequence[Push]) -> None:
            sent.extend(pushes)
            if len(sent) == 3:
                done.set()

        mailbag = Mailbag(publish, room=2)
        for letter in ("a", "bc", "de"):
            mailbag.put([Push(topic, b"") for topic in letter])
        delivery = asyncio.create_task(mailbag.deliver())
        await asyncio.wait_for(done.wait(), 20)
        delivery.cancel()
        return sent, mailbag.unsent

    sent, unsent = asyncio.run(play())
    assert [push.topic for push in sent] == ["a", "b", "c"]
    assert unsent == 2


def test_half_a_request_is_never_handled() -> None:
    """A client that goes away in the middle of its body has asked nothing; our mistake is a 500 and a traceback."""
    process = Process("-c", TRIVIAL)
    with connect(process.ready["one"]) as connection:
        connection.sendall(b"POST /raise HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")
    assert process.ask("GET", process.ready["one"] + "/nothing") == (204, b"")
    assert process.ask("POST", process.ready["one"] + "/raise", b"")[0] == 500
    assert process.ask("GET", process.ready["one"] + "/pushes")[0] == 200
    assert json.loads(process.out.readline()) == ["first", "second"]
    assert process.end().count("ZeroDivisionError: a mistake of ours") == 1


def test_holds_2000_idle_connections(backend: Process) -> None:
    """2,000 kept alive at once: each is served, and served again after all the others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    request = b"GET /idp/metadata HTTP/1.1\r\nHost: a\r\n\r\n"
    with contextlib.ExitStack() as held:
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        connections = [held.enter_context(connect(backend.ready["idp"])) for _ in range(2000)]
        for _ in range(2):
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                assert read_answer(connection).startswith(b"HTTP/1.1 200")
