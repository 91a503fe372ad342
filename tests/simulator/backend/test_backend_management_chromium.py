"""The management service against a real client: an unmodified Chromium enrolls, and accepts our signed policy.

Needs Debian's chromium and the right to mount, as its enrollment token lies in /etc. A stock browser trusts one root
key only; for domain example.com Chromium's authors published a policy key with that root's signature.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from management_bench import SETTINGS

from simulator.backend import management_keys
from simulator.backend.management import Management
from simulator.backend.settings import BackendSettings
from simulator.backend.store import Store
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import Request
from simulator.protocols.policy import PolicySigner

CHROMIUM = "/usr/lib/chromium/chromium"
CAN_MOUNT = shutil.which("unshare") is not None and (
    subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0
)
pytestmark = [
    pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"no {CHROMIUM}: apt-get install chromium"),
    pytest.mark.skipif(not CAN_MOUNT, reason="unshare --mount is not permitted"),
]
PATIENCE_S = 60


def trusted_service() -> Management:
    """The service for example.com, with the policy key that every Chromium accepts there."""
    key = json.loads((Path(__file__).parents[2] / "data/chromium-test-keys.json").read_text())["keys"]["1"]
    private = base64.b64decode(key["private_key_pkcs8"])
    vouched = pb.PolicyFetchResponse(
        new_public_key=PolicySigner(private).public_der,
        new_public_key_verification_signature_deprecated=base64.b64decode(
            key["verification_signatures"]["example.com"]
        ),
    )
    store = Store(":memory:")
    store.ensure(management_keys.SCHEMA)
    store.execute("INSERT INTO management_keys VALUES (1, ?, ?)", private, vouched.SerializeToString())
    fields = {name: getattr(SETTINGS, name) for name in BackendSettings.__dataclass_fields__}
    settings = BackendSettings(**{**fields, "domain": "example.com"})
    service = Management(store, settings, os.urandom, [], who_is=lambda _token, _now: None)
    service.publish("user", {"CloudReportingEnabled": True}, time.time())
    return service


class Face(BaseHTTPRequestHandler):
    """Hands each request to the service, and notes what was asked."""

    service: ClassVar[Management]
    asked: ClassVar[list[str]]

    def do_POST(self) -> None:
        """Answer one request."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        url = f"http://127.0.0.1{self.path}"
        answer = self.service.handle(Request("POST", url, tuple(self.headers.items()), body), time.time())
        self.asked.append(f"{self.path.rpartition('request=')[2]} {answer.status}")
        self.send_response(answer.status)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def start_chromium(folder: Path, token: str, url: str) -> subprocess.Popen[bytes]:
    """A new browser with its own /etc/chromium and machine id, in a session of its own."""
    enrollment = folder / "chromium/policies/enrollment"
    enrollment.mkdir(parents=True)
    (enrollment / "CloudManagementEnrollmentToken").write_text(token)
    (folder / "machine-id").write_text("0123456789abcdef" * 2)
    place = shlex.quote(str(folder))
    flags = [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
        *("--no-default-browser-check", "--disable-component-update", "--enable-chrome-browser-cloud-management"),
        *(f"--user-data-dir={folder}/profile", f"--device-management-url={url}/devicemanagement/data/api"),
        *(f"--realtime-reporting-url={url}/realtime", f"--encrypted-reporting-url={url}/encrypted"),
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


def test_an_unmodified_chromium_enrolls_and_accepts_our_policy(tmp_path: Path) -> None:
    """It registers, fetches policy, finds no fault in it, and sends the report that only this policy makes it send."""
    Face.service, Face.asked = trusted_service(), []
    with HTTPServer(("127.0.0.1", 0), Face) as server:
        server.timeout = 1
        url = f"http://127.0.0.1:{server.server_port}"
        browser = start_chromium(tmp_path, Face.service.enrollment_token, url)
        try:
            until = time.monotonic() + PATIENCE_S
            while "chrome_desktop_report 200" not in Face.asked and time.monotonic() < until:
                server.handle_request()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
    print(*Face.asked, (tmp_path / "log").read_text(errors="replace")[-3000:], sep="\n", file=sys.stderr)
    assert Face.asked[:2] == ["register_browser 200", "policy 200"]
    assert "chrome_desktop_report 200" in Face.asked
    assert not any(asked.startswith("policy_validation_report") for asked in Face.asked)
    assert Face.service.counts()["policies_signed"] == 1
