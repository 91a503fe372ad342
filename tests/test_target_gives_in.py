"""What a run does to a provider of the city's own, a real process on an address of this machine, when that one dies,
is down, needs JavaScript, or may be loaded no longer; and what the run says of it."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from processes import wait_for

from reports.record import OUTCOMES
from simulator.children import Child
from simulator.protocols.gaia import STAND_IN_URL
from simulator.secretfile import accounts_secret, default_path
from simulator.standins import BROKERS
from tests.leave import leave

HERE = Path(__file__).parent
SIGN_IN = HERE / "data" / "scenarios" / "sign_in.toml"
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]
LIMIT_S = 150


@dataclass
class Provider:
    """An identity provider in a process of its own."""

    process: Child
    metadata_url: str
    recording: Path

    def asked_at(self) -> list[float]:
        """The Unix second of every request to it so far, its metadata left out."""
        lines = self.recording.read_text("utf-8").splitlines() if self.recording.exists() else []
        told = [json.loads(line) for line in lines]
        return [line["at"] for line in told if "/metadata" not in line["url"]]

    def kill(self) -> None:
        """As a crash does it."""
        (pid,) = (
            int(path.parent.name)
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(self.recording.parent / "data").encode() in _read(path) and b"simulator.backend\0" in _read(path)
        )
        os.kill(pid, signal.SIGKILL)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@contextmanager
def provider_at(host: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """One that knows the fleet's passwords and fleetrush's own service provider."""
    recording = folder / "recording.jsonl"
    monkeypatch.setenv("PYTHONPATH", str(HERE / "recording"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
    secret = accounts_secret(default_path())
    broker = Child("broker", [BROKERS["embedded"], "--port", "0"])
    first = {
        "domain": "city.example",
        "password_secret": base64.b64encode(secret).decode(),
        "password_cost": 1000,
        "identity_url": STAND_IN_URL,
    }
    argv = ["--host", host, "--data", str(folder / "data"), "--push-url", broker.ready["url"], "--settings", "-"]
    try:
        monkeypatch.setenv("RECORDING", str(recording))
        backend = Child("provider", ["simulator.backend", *argv], first=first)
        monkeypatch.delenv("RECORDING")
        try:
            yield Provider(backend, backend.ready["idp"] + "/idp/metadata", recording)
        finally:
            backend.end()
    finally:
        broker.end()


@pytest.fixture
def provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """On the address that is everybody's own."""
    with provider_at("127.0.0.1", tmp_path, monkeypatch) as running:
        yield running


def start(folder: Path, targets: str, *arguments: str, scenario: Path = SIGN_IN) -> subprocess.Popen[str]:
    """A run against what a targets file names."""
    (folder / "targets.toml").write_text(targets)
    return subprocess.Popen(
        [*FLEETRUSH, "run", str(scenario), "--targets", "targets.toml", "--out", "runs", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    """Wait for it. Returns: what it printed."""
    try:
        printed, _ = process.communicate(timeout=LIMIT_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    print(printed)
    return printed


def load(folder: Path) -> tuple[dict[str, Any], Any, dict[str, Any]]:
    """run.json, samples and summary of the only run."""
    (run,) = (folder / "runs").iterdir()
    return (
        json.loads((run / "run.json").read_text()),
        np.load(run / "samples.npy"),
        json.loads((run / "summary.json").read_text()),
    )


def signed_in(folder: Path) -> int:
    """How many have so far, by what the run has on the disk."""
    runs = list(folder.glob("runs/*/samples.npy"))
    if not runs or not runs[0].stat().st_size or not runs[0].with_name("run.json").exists():
        return 0
    steps = json.loads(runs[0].with_name("run.json").read_text())["steps"]
    samples = np.load(runs[0])
    return int(((samples["step"] == steps.index("signed_in")) & (samples["outcome"] == 0)).sum())


@pytest.mark.parametrize("staging", [False, True], ids=["spared", "staging"])
def test_a_provider_that_dies_in_the_middle(tmp_path: Path, provider: Provider, staging: bool) -> None:
    """Exit 1, and every report shows the minute, the step and how many. A staging copy is loaded to the end of the
    scenario all the same; any other is spared once half of a step failed for five seconds, and the reason is named."""
    told = "staging = true" if staging else "abort_when = { error_share = 0.5, over_s = 5 }"
    process = start(tmp_path, f'[targets.identity]\nurl = "{provider.metadata_url}"\n{told}\n')
    try:
        wait_for("sixty people in", 90, lambda: signed_in(tmp_path) >= 60 or process.poll() is not None)
        provider.kill()
        died_at = time.time()
    finally:
        printed = end(process)
    run, samples, summary = load(tmp_path)
    # a machine too busy to be trusted is told by 3; all else must hold all the same
    assert process.returncode == (1 if summary["harness"]["trustworthy"] else 3), printed
    (down, *_) = [row for row in summary["outages"] if row["step"] == "identity.login_page"]
    assert down["reason"] in ("connect_refused", "broken_after_sent")
    died_s = died_at - datetime.fromisoformat(run["t0_utc"]).timestamp()
    assert down["from_s"] <= died_s <= down["to_s"]
    pages = samples[samples["step"] == run["steps"].index("identity.login_page")]
    within = pages[(pages["due"] >= down["from_s"]) & (pages["due"] < down["to_s"])]
    bad = ~np.isin(within["outcome"], [OUTCOMES.index("ok"), OUTCOMES.index("skipped")])
    bad &= within["reason"] != run["reasons"].index("run_ended")
    assert down["not_ok"] == bad.sum() > 10
    assert re.search(r"went down:\n.*08:00:00  identity\.login", printed, re.DOTALL)
    (folder,) = (tmp_path / "runs").iterdir()
    assert "08:00:00" in (folder / "report.html").read_text()
    if staging:
        assert summary["ended"]["reason"] == "complete"
        assert "stopping: " not in printed
    else:
        assert summary["partial"] is True
        assert summary["ended"]["reason"] == "aborted"
        assert "in 5 s did not end ok" in summary["ended"]["detail"]
        assert "stopping: " in printed
        # it was stopped within seconds: nothing was due a quarter of a minute after the death
        assert pages["sent"][pages["outcome"] != OUTCOMES.index("skipped")].max() < died_s + 15
        if summary["harness"]["trustworthy"]:
            assert "Gave in. The run was stopped to spare the target" in printed


def test_a_provider_that_is_down_at_the_start(tmp_path: Path, provider: Provider) -> None:
    """Exit 3 and no run folder, whether its metadata cannot be had or it is dead behind metadata from a file."""
    with urllib.request.urlopen(provider.metadata_url) as answer:
        (tmp_path / "provider.xml").write_bytes(answer.read())
    provider.kill()
    for told in ("", 'metadata = "provider.xml"\n'):
        process = start(tmp_path, f'[targets.identity]\nurl = "{provider.metadata_url}"\n{told}')
        printed = end(process)
        assert process.returncode == 3
        assert "cannot be reached" in printed
        assert "Traceback" not in printed
        assert not (tmp_path / "runs").exists()


def test_one_device_goes_first(tmp_path: Path, provider: Provider) -> None:
    """Before any load exactly one person signs in; a run that is stopped then has loaded nothing. What the check told
    is shown with -v alone."""
    process = start(tmp_path, f'[targets.identity]\nurl = "{provider.metadata_url}"\n', "-v")
    try:
        wait_for("the run's folder", 60, lambda: list(tmp_path.glob("runs/*/run.json")) or process.poll() is not None)
        posts = [line for line in provider.recording.read_text().splitlines() if '"/idp/login-actions' in line]
        assert len(provider.asked_at()) <= 12
        assert len(posts) <= 1
        process.send_signal(signal.SIGINT)
    finally:
        printed = end(process)
    assert process.returncode == 130
    assert "form kc-form-login chosen: POST" in printed
    assert printed.count("identity.asset ") == 7
    assert "0 not ok" in printed


def test_a_provider_that_needs_javascript(tmp_path: Path, provider: Provider) -> None:
    """Exit 2, named once with what to do; it was asked for its page once, and nothing else was sent."""
    page = (HERE / "data" / "forms" / "entra_login.html").read_bytes()
    asked: list[str] = []

    class Entra(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(urlsplit(self.path).path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Keep silent."""

    with urllib.request.urlopen(provider.metadata_url) as answer:
        metadata = answer.read().decode()
    with HTTPServer(("127.0.0.1", 0), Entra) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        place = urlsplit(provider.metadata_url)
        (tmp_path / "provider.xml").write_text(metadata.replace(f"http://{place.netloc}/idp/sso", f"{address}/saml2"))
        process = start(tmp_path, f'[targets.identity]\nurl = "{address}"\nmetadata = "provider.xml"\n')
        printed = end(process)
        server.shutdown()
    assert process.returncode == 2
    assert printed.count("This is Microsoft Entra ID, which needs JavaScript and cannot be driven") == 1
    assert asked == ["/saml2"]
    assert not (tmp_path / "runs").exists()


def test_an_authorisation_that_ends_within_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second loopback address stands in for a foreign host. By the provider's own record nothing is sent to it from
    `until` on; what was recorded is kept, marked partial, and the reason is named."""
    with provider_at("127.0.0.2", tmp_path, monkeypatch) as provider:
        longer = tmp_path / "longer.toml"
        longer.write_text(re.sub(r'(end =|to =) "08:00:..', r'\1 "08:04', SIGN_IN.read_text()))
        until = datetime.now(UTC) + timedelta(seconds=30)
        process = start(
            tmp_path,
            leave((until - timedelta(hours=1)).isoformat(), until.isoformat(), 1000, url=provider.metadata_url),
            scenario=longer,
        )
        printed = end(process)
        asked = provider.asked_at()
    run, samples, summary = load(tmp_path)
    assert process.returncode == (4 if summary["harness"]["trustworthy"] else 3)
    assert max(asked) < until.timestamp()
    assert len(asked) > 20
    assert samples.size > 200
    assert (summary["partial"], run["ended"]["reason"]) == (True, "authorisation over")
    assert "the [authorisation] ends" in printed
    assert "nothing was sent after it" in printed
