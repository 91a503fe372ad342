"""What our wire sends beside what a real browser sends for the same exchange: a request's head, name by name.

Needs Debian's chromium and the right to mount, as the browser's enrollment token lies in /etc.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, quote_plus

import pytest
from wire_servers import OK, answering, played, pooled, served

from simulator.protocols import management as m
from simulator.protocols import management_pb2 as pb
from simulator.protocols.naming import agent_of, platform_of, user_agent_of

CHROMIUM = "/usr/lib/chromium/chromium"
CAN_MOUNT = shutil.which("unshare") is not None and (
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
)
MISSING = (
    f"no {CHROMIUM}: apt-get install chromium"
    if not os.access(CHROMIUM, os.X_OK)
    else ""
    if CAN_MOUNT
    else "unshare --mount is not permitted"
)
PATIENCE_S = 60
PATH = "/devicemanagement/data/api"

TOKEN = r"GoogleDMToken token=[A-Za-z0-9_-]+"
# Header by header, in the browser's order: a pattern for its value and one for ours. Where the two differ, why.
HEADERS: dict[str, tuple[str, str, str]] = {
    "Host": (r"127\.0\.0\.1:\d+", r"127\.0\.0\.1:\d+", ""),
    "Connection": ("keep-alive", "keep-alive", ""),
    "Content-Length": (r"\d+", r"\d+", ""),
    "Authorization": (TOKEN, TOKEN, ""),
    "Content-Type": ("application/protobuf", "application/protobuf", ""),
    "Sec-Fetch-Site": ("none", "none", ""),
    "Sec-Fetch-Mode": ("no-cors", "no-cors", ""),
    "Sec-Fetch-Dest": ("empty", "empty", ""),
    "User-Agent": (
        r"Mozilla/5\.0 \(X11; Linux x86_64\) AppleWebKit/537\.36 \(KHTML, like Gecko\)"
        r" HeadlessChrome/\d+\.0\.0\.0 Safari/537\.36",
        r"Mozilla/5\.0 \(X11; CrOS x86_64 14541\.0\.0\) AppleWebKit/537\.36 \(KHTML, like Gecko\)"
        r" Chrome/126\.0\.0\.0 Safari/537\.36",
        "a Chromebook's browser, and not a headless one",
    ),
    "Accept-Encoding": (
        "gzip, deflate, br, zstd",
        "gzip, deflate",
        "br and zstd are not in Python's library, and what cannot be read must not be announced",
    ),
}
LAST_CHANGE = r"\([0-9a-f]{40}-refs/branch-heads/\d+@\{#\d+\}\)"
# Parameter by parameter, in the browser's order.
QUERY: dict[str, tuple[str, str, str]] = {
    "retry": ("false", "false", ""),
    "agent": (rf"Chromium [\d.]+{LAST_CHANGE}", rf"Google Chrome [\d.]+{LAST_CHANGE}", "the product's name"),
    "apptype": ("Chrome", "Chrome", ""),
    "deviceid": (r"[A-Za-z0-9_-]{27}", r"[0-9a-f-]{36}", "a browser is known by its machine, a Chromebook by a UUID"),
    "devicetype": ("2", "2", ""),
    "oauth_token": ("", "", ""),
    "platform": (
        r"Linux\|x86_64\|-",
        r"Linux,CrOS,[a-z0-9-]+\|x86_64,[A-Z0-9 -]+\|\d+\.\d+\.\d+",
        "only ChromeOS tells its board, its hardware class and its version",
    ),
    "request": ("policy", "policy", ""),
}

# Chromium base/strings/escape.cc, kQueryCharmap: what EscapeQueryParamValue leaves alone besides letters and digits.
ESCAPED_BY_NOBODY = "!'()*-._~"


def start_chromium(folder: Path, url: str) -> subprocess.Popen[bytes]:
    """A new browser that is to enroll at the URL, with its own /etc/chromium and machine id, in its own session."""
    enrollment = folder / "chromium/policies/enrollment"
    enrollment.mkdir(parents=True)
    (enrollment / "CloudManagementEnrollmentToken").write_text("37185d02-e055-11e7-80c1-9a214cf093ae")
    (folder / "machine-id").write_text("0123456789abcdef" * 2)
    place = shlex.quote(str(folder))
    flags = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--no-default-browser-check", "--disable-component-update", "--enable-chrome-browser-cloud-management"),
        *(f"--user-data-dir={folder}/profile", f"--device-management-url={url}{PATH}"),
        *("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "about:blank"),
    ]
    script = (
        "mount --make-rprivate / && mkdir -p /etc/chromium"
        f" && mount --bind {place}/chromium /etc/chromium && mount --bind {place}/machine-id /etc/machine-id"
        f" && exec {shlex.join([CHROMIUM, *flags])}"
    )
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log, start_new_session=True
        )


def browsers_heads(listener: socket.socket, until: float) -> list[bytes]:
    """The heads of what a browser asks over one connection up to its first policy fetch, as they came."""
    registered = pb.DeviceManagementResponse()
    registered.register_response.device_management_token = "dm-token"
    body = registered.SerializeToString()
    heads: list[bytes] = []
    while not any(b"request=policy" in head for head in heads):
        listener.settimeout(max(0.1, until - time.monotonic()))
        peer, _ = listener.accept()
        with peer, peer.makefile("rwb") as stream:
            peer.settimeout(max(0.1, until - time.monotonic()))
            while first := stream.readline():
                head = first + b"".join(iter(stream.readline, b"\r\n")) + b"\r\n"
                heads.append(head)
                length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
                stream.read(int(length[1]) if length else 0)
                if b"request=policy" in head:
                    break
                stream.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                stream.flush()
    return heads


def taken_apart(head: bytes) -> tuple[str, list[tuple[str, str]]]:
    """A head's request line, and its headers in their order."""
    first, *lines = head.decode("ascii").rstrip("\r\n").split("\r\n")
    return first, [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The head of a real browser's policy fetch."""
    folder = tmp_path_factory.mktemp("chromium")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        browser = start_chromium(folder, f"http://127.0.0.1:{listener.getsockname()[1]}")
        try:
            heads = browsers_heads(listener, time.monotonic() + PATIENCE_S)
        except TimeoutError:
            print((folder / "log").read_text(errors="replace")[-3000:], file=sys.stderr)
            raise
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    return heads[-1]


@pytest.fixture(scope="module")
def ours() -> bytes:
    """The head of our device's policy fetch, as a server got it."""
    taken: list[bytes] = []

    @played
    async def ask():
        async with served(answering(OK)) as peer, pooled() as pool:
            who = m.Identity(
                url=f"{peer.url}{PATH}",
                device_id="0f8fad5b-d9cb-469f-a165-70867728950e",
                agent=agent_of("126.0.6478.132"),
                platform=platform_of("brya-signed-mp-v9keys", "x86_64", "ANAHERA-TYOO A5B-C3D", "15886.44.0"),
                dm_token="dm-token",
            )
            trust = m.Trust("dm-token", who.device_id)
            exchange = m.fetch_device_policy(who, reason=m.PolicyReason.BROWSER_START, trust=trust)
            await pool.device(user_agent=user_agent_of("126.0.6478.132")).send(exchange.request, timeout_s=5)
            taken.append(peer.requests[0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

    ask()
    return taken[0]


def differences(table: dict[str, tuple[str, str, str]], theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """What is not as the table says; a difference that the table gives no reason for is one."""
    wrong = []
    for name, (pattern, our_pattern, reason) in table.items():
        for whose, value, wanted in (("theirs", theirs[name], pattern), ("ours", ours[name], our_pattern)):
            if not re.fullmatch(wanted, value):
                wrong.append(f"{name}: {whose} is {value!r}, not {wanted}")
        if (pattern != our_pattern) != bool(reason):
            wrong.append(f"{name}: a difference needs a reason, and a reason a difference")
    return wrong


def test_our_head_is_as_the_table_says(ours: bytes) -> None:
    """Our own half of the comparison holds on every machine: the same headers and parameters in the table's order."""
    line, headers = taken_apart(ours)
    query = parse_qsl(line.split()[1].partition("?")[2], keep_blank_values=True, strict_parsing=True)
    assert [name for name, _ in headers] == list(HEADERS)
    assert [name for name, _ in query] == list(QUERY)
    assert [f"{n}: {v}" for n, v in headers if not re.fullmatch(HEADERS[n][1], v)] == []
    assert [f"{n}: {v}" for n, v in query if not re.fullmatch(QUERY[n][1], v)] == []


@pytest.mark.skipif(bool(MISSING), reason=MISSING)
@pytest.mark.parametrize("part", ["headers", "query"])
def test_a_browsers_head_and_ours_differ_for_reasons_only(theirs: bytes, ours: bytes, part: str) -> None:
    """The same names in the same order, and each value as in the table, which has a reason for each difference."""
    (line, headers), (our_line, our_headers) = taken_apart(theirs), taken_apart(ours)
    table = HEADERS if part == "headers" else QUERY
    if part == "query":
        headers, our_headers = (
            parse_qsl(said.split()[1].partition("?")[2], keep_blank_values=True, strict_parsing=True)
            for said in (line, our_line)
        )
        # the browser's own values, escaped by our rules, are the bytes that it sent
        again = "&".join(f"{name}={quote_plus(value, safe=ESCAPED_BY_NOBODY)}" for name, value in headers)
        assert line == f"POST {PATH}?{again} HTTP/1.1"
    assert [name for name, _ in headers] == [name for name, _ in our_headers] == list(table)
    assert differences(table, dict(headers), dict(our_headers)) == []
