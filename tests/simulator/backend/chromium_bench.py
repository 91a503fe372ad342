"""A stock Chromium, and the real `fleetrush backend` that it enrolls with.

Needs Debian's chromium and the right to mount: a browser's enrollment token and machine id lie in /etc, and each
browser here gets an /etc of its own. Chromium trusts one verification key only; for domain example.com its authors
published policy keys with that key's signature (tests/data/chromium-test-keys.json).
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import closing, suppress
from hashlib import sha1
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
import websocket
from chromium_proxy import API, Proxy, Said
from processes import announced

from simulator.protocols import management_pb2 as pb

T = TypeVar("T")
CHROMIUM = "/usr/lib/chromium/chromium"
CAN_MOUNT = shutil.which("unshare") is not None and (
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
)
needs_chromium = [
    pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"no {CHROMIUM}: apt-get install chromium"),
    pytest.mark.skipif(not CAN_MOUNT, reason="unshare --mount is not permitted"),
]
KEYS = Path(__file__).parents[2] / "data/chromium-test-keys.json"
PATIENCE_S = 60


def until(found: Callable[[], T | None], what: str, within_s: float = PATIENCE_S) -> T:
    """What is found in the end, if true; fails, saying what was waited for, when nothing is within that time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if it := found():
            return it
        time.sleep(0.1)
    pytest.fail(f"waited {within_s} s for {what}")


def stays_away(found: Callable[[], object], for_s: float) -> bool:
    """Whether something that must not come does not come in a time in which it would."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        if found():
            return False
        time.sleep(0.1)
    return True


class Backend:
    """`fleetrush backend` for domain example.com, with keys that every Chromium accepts there.

    Attributes:
        urls: what it says of each service, and its tokens ("token", "enrollment").

    Args:
        data: where it keeps its database. scenario: whose settings it has. more: options besides.
    """

    def __init__(self, data: Path, scenario: str = "morning_peak", *more: str) -> None:
        self.data = data
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "simulator.cli", "backend", scenario, "--data", str(data)),
                *("--domain", "example.com", "--policy-keys", str(KEYS), *more),
            ],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.urls = announced(self._process.stdout)

    def operate(self, act: str, **told: object) -> dict[str, Any]:
        """One act of the operator API that must succeed."""
        status, body = self._ask("POST", f"/operator/{act}", json.dumps(told).encode())
        assert status == 200, body
        said: dict[str, Any] = json.loads(body)
        return said

    def state(self) -> dict[str, Any]:
        """What it counted."""
        said: dict[str, Any] = json.loads(self._ask("GET", "/operator/state", b"")[1])
        return said

    def report(self, kind: str, device_id: str) -> tuple[pb.DeviceManagementRequest, int] | None:
        """The latest report of a kind of one client, and how many it sent; None: none yet."""
        with closing(sqlite3.connect(f"file:{self.data}/backend.sqlite?mode=ro", uri=True)) as database:
            row = database.execute(
                "SELECT body, received FROM management_reports JOIN management_clients ON client = id"
                " WHERE management_reports.kind = ? AND device_id = ?",
                (kind, device_id),
            ).fetchone()
        return (pb.DeviceManagementRequest.FromString(row[0]), row[1]) if row else None

    def close(self) -> None:
        """End it, as a user does."""
        self._process.terminate()
        self._process.communicate(timeout=30)

    def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection(urlsplit(self.urls["operator"]).netloc, timeout=60)) as connection:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.urls['token']}"})
            answer = connection.getresponse()
            return answer.status, answer.read()


class Browser:
    """One machine with a Chromium: its own /etc/chromium, machine id and profile.

    Args:
        folder: for all of it. proxy: what it takes for its management server. token: to enroll with.
        flags: besides those that every browser here has.
    """

    def __init__(self, folder: Path, proxy: Proxy, token: str, *flags: str) -> None:
        self.folder, self._proxy, self._flags = folder, proxy, flags
        self.profile = folder / "profile"
        enrollment = folder / "chromium/policies/enrollment"
        enrollment.mkdir(parents=True)
        (enrollment / "CloudManagementEnrollmentToken").write_text(token)
        (folder / "machine-id").write_text(os.urandom(16).hex())
        self._process: subprocess.Popen[bytes] | None = None
        self._first = 0

    def start(self) -> None:
        """Start it; what it says from here on is in `said`."""
        self._first = len(self._proxy.said)
        place, url = shlex.quote(str(self.folder)), self._proxy.url
        flags = [
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
            *("--no-default-browser-check", "--disable-component-update", "--enable-chrome-browser-cloud-management"),
            *(f"--user-data-dir={self.profile}", f"--device-management-url={url}{API}"),
            *(f"--realtime-reporting-url={url}/realtime", f"--encrypted-reporting-url={url}/encrypted"),
            *("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--remote-debugging-port=0"),
            *self._flags,
        ]
        script = (
            "mount --make-rprivate / && mkdir -p /etc/chromium"
            f" && mount --bind {place}/chromium /etc/chromium && mount --bind {place}/machine-id /etc/machine-id"
            f" && exec {shlex.join([CHROMIUM, *flags, 'about:blank'])}"
        )
        (self.profile / "DevToolsActivePort").unlink(missing_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """End it and all its processes. Idempotent."""
        if self._process is None:
            return
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def said(self, kind: str) -> list[Said]:
        """What it asked since it was started."""
        mine = [said for said in self._proxy.said[self._first :] if said.device_id == self.device_id]
        return [said for said in mine if said.kind == kind]

    @property
    def device_id(self) -> str:
        """Its client id: SHA-1 of the machine id, base64url (Chromium browser_dm_token_storage_linux.cc)."""
        return urlsafe_b64encode(sha1((self.folder / "machine-id").read_bytes()).digest()).rstrip(b"=").decode()

    @property
    def token_file(self) -> str:
        """Where it keeps its DM token: what is in it; empty when it is gone."""
        with suppress(FileNotFoundError):
            return (self.profile / "Policy/Enrollment" / self.device_id).read_text(errors="replace")
        return ""

    def page(self) -> PolicyPage:
        """chrome://policy in a new tab."""
        port = until(self._port, "the browser's debugging port")
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("PUT", "/json/new?chrome://policy")
            told = json.loads(connection.getresponse().read())
        return PolicyPage(told["webSocketDebuggerUrl"])

    def _port(self) -> int | None:
        with suppress(FileNotFoundError):
            lines = (self.profile / "DevToolsActivePort").read_text().split("\n")
            return int(lines[0]) if len(lines) > 1 else None
        return None


class PolicyPage:
    """chrome://policy, read over the DevTools protocol.

    Its elements nest in shadow roots. It has a row for each of the many hundred policies that there are, so that no
    more of it is looked at than needed, and nothing that makes it lay itself out (innerText).
    """

    _FIND = """
        const find = (roots, name) => [...roots].flatMap(root => [...(root.shadowRoot ?? root).querySelectorAll(name)]);
        const text = (root, name) => find([root], name).map(element => element.textContent.trim()).join('');
        const app = document.querySelector('policy-app') ?? document;
    """
    _ROWS = """
        find([app], 'policy-table').flatMap(table => find([table], 'policy-row')
            .filter(row => text(row, '.policy.row > .source'))
            .map(row => [
                find([table], '.header')[0].textContent.trim(),
                ...['name', 'value', 'source', 'scope', 'level', 'messages'].map(
                    cell => text(row, '.policy.row > .' + cell)),
            ]))
    """

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(url, timeout=PATIENCE_S, suppress_origin=True)
        self._calls = 0

    def rows(self) -> list[list[str]]:
        """Every policy that is set: table, name, value, source, scope, level, status."""
        rows: list[list[str]] = self._run(self._ROWS)
        return rows

    def status(self) -> str:
        """How the machine's policy fares."""
        return str(self._run("find(find([app], 'status-box'), '.status-entry > .status')[0].textContent.trim()"))

    def reload(self) -> None:
        """Have the browser fetch its policies again."""
        until(lambda: self._run("find([app], '#reload-policies').length"), "chrome://policy")
        self._run("find([app], '#reload-policies').forEach(button => button.click())")

    def close(self) -> None:
        """Let it go; the tab stays."""
        self._socket.close()

    def _run(self, expression: str) -> Any:
        self._calls += 1
        params = {"expression": f"(() => {{{self._FIND} return {expression.strip()}; }})()", "returnByValue": True}
        self._socket.send(json.dumps({"id": self._calls, "method": "Runtime.evaluate", "params": params}))
        while (told := json.loads(self._socket.recv())).get("id") != self._calls:
            pass
        return told["result"]["result"].get("value")
