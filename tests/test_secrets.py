"""No secret of anybody is kept or said: a small run is played for real, and everything it leaves is searched.

The secrets are those of the real exchange: the stand-in's process writes down what it was asked and what it answered.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, urlsplit

import pytest

from simulator.protocols import management_pb2 as pb

HERE = Path(__file__).parent
SMALL = HERE / "data" / "scenarios" / "small.toml"
FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]
LIMIT_S = 150
# A fifth of the logins and of the assertions meet a fault: there are troubles to keep examples of, and of 88 sign-ins
# 56 are expected to end well, give or take 5, so that tens of each secret are exchanged.
FAULTS = """
[[operator]]
at = "08:02"
act = "inject_fault"
with = { where = "/idp/login-actions", kind = "error", status = 500, rate = 0.2 }
[[operator]]
at = "08:02"
act = "inject_fault"
with = { where = "/acs", kind = "drop", rate = 0.2 }
"""
_FIELDS = {"password": "password", "SAMLResponse": "assertion", "code": "code", "refresh_token": "OAuth token"}
_JSON_FIELDS = ("access_token", "refresh_token", "id_token")
_SAML = re.compile(r'NAME="SAMLResponse" VALUE="([^"]+)"', re.IGNORECASE)


@dataclass
class Played:
    """What a run left and said, and the secrets of its exchange by kind."""

    folder: Path
    said: bytes
    command_lines: bytes
    secrets: dict[str, set[str]] = field(default_factory=dict)


def _watch(pid: int, stop: threading.Event, seen: set[bytes]) -> None:
    """Gather the command lines of a process and all below it, until told to stop."""
    while not stop.wait(0.1):
        family = [pid]
        for one in family:
            for children in Path(f"/proc/{one}/task").glob("*/children"):
                try:
                    family += map(int, children.read_text().split())
                except OSError:
                    continue
        for one in family:
            try:
                seen.add(Path(f"/proc/{one}/cmdline").read_bytes())
            except OSError:
                continue


def _play(folder: Path, *command: str) -> Played:
    recording = folder / "recording.jsonl"
    environment = os.environ | {"PYTHONPATH": str(HERE / "recording"), "RECORDING": str(recording)}
    environment |= {"XDG_STATE_HOME": str(folder / "state")}
    process = subprocess.Popen(
        [*FLEETRUSH, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )
    stop, seen = threading.Event(), set[bytes]()
    watcher = threading.Thread(target=_watch, args=(process.pid, stop, seen))
    watcher.start()
    try:
        said, _ = process.communicate(timeout=LIMIT_S)
    finally:
        stop.set()
        watcher.join()
        process.kill()
        process.wait()
    return Played(folder / "runs", said, b"\n".join(seen), _secrets(recording))


def _secrets(recording: Path) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in recording.read_text("utf-8").splitlines():
        for kind, secret in _of_exchange(json.loads(line)):
            if len(secret) >= 8:
                found[kind].add(secret)
    return found


def _of_exchange(told: dict) -> Iterator[tuple[str, str]]:
    """Every secret in one exchange, by kind."""
    url = urlsplit(told["url"])
    for name, value in parse_qsl(url.query):
        if name == "oauth_token":
            yield "OAuth token", value
    for name, value in told["asked"]:
        if name.lower() == "authorization":
            # "Bearer TOKEN", "GoogleDMToken token=TOKEN", "MultiBearer TOKEN:an account's number, which is none"
            yield "authorization", value.rpartition(" ")[2].removeprefix("token=").partition(":")[0]
    for name, value in told["told"]:
        if name == "set-cookie":
            yield "cookie", value.partition(";")[0].partition("=")[2]
    for name, value in parse_qsl(told["body"]):
        if name in _FIELDS:
            yield _FIELDS[name], value
    yield from (("assertion", value) for value in _SAML.findall(told["answer"]))
    if url.path == "/devicemanagement/data/api":
        response = pb.DeviceManagementResponse()
        response.ParseFromString(told["answer"].encode("latin-1"))
        yield "DM token", response.register_response.device_management_token
    elif told["answer"][:1] == "{":
        yield from (("OAuth token", str(json.loads(told["answer"]).get(name, ""))) for name in _JSON_FIELDS)


def _forms(secret: str) -> Iterator[bytes]:
    """A secret as it may be written: plain, in a URL, in base64 or base64url at any of the three places in a group."""
    plain = secret.encode()
    yield plain
    yield quote(secret, safe="").encode()
    yield quote_plus(secret).encode()
    for shift in range(3):
        coded = base64.b64encode(bytes(shift) + plain)
        # the first and last characters depend on what stands beside it
        inner = coded[4 if shift else 0 : -4]
        if len(inner) >= 8:
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))
    # whatever escaping does to the rest, a long token's own words stay
    yield from (run for run in re.findall(rb"[A-Za-z0-9]{20,}", plain)[:8])


def _leaks(played: Played) -> list[str]:
    """Every place in which a secret stands, in whatever form."""
    places = {
        str(path.relative_to(played.folder)): path.read_bytes() for path in played.folder.rglob("*") if path.is_file()
    }
    places |= {"what it said": played.said, "command lines": played.command_lines}
    leaks = []
    for kind, secrets in played.secrets.items():
        forms = {form for secret in secrets for form in _forms(secret)}
        leaks += [f"{kind} in {place}" for place, content in places.items() if any(form in content for form in forms)]
    return leaks


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A small morning with faults in its sign-ins, on two engines."""
    folder = tmp_path_factory.mktemp("secrets")
    scenario = folder / "faulty.toml"
    scenario.write_text(SMALL.read_text() + FAULTS)
    played = _play(folder, "run", str(scenario), "--engines", "2", "--out", str(folder / "runs"))
    print(played.said.decode())
    return played


def test_the_exchange_had_secrets(run: Played) -> None:
    """Every kind that is looked for was really exchanged, tens of them, and there were troubles to tell of."""
    counts = {kind: len(secrets) for kind, secrets in run.secrets.items()}
    for kind in ("password", "cookie", "assertion", "code", "OAuth token", "DM token", "authorization"):
        assert counts.get(kind, 0) >= 40, counts
    examples = next(run.folder.glob("*/examples.jsonl")).read_text()
    assert "identity.login" in examples
    assert "identity.assertion" in examples


def test_nothing_is_kept_or_said(run: Played) -> None:
    """Run folder, report, examples, health, output and command lines hold none of them, in no form."""
    assert {path.name for path in run.folder.rglob("*")} >= {
        "run.json",
        "examples.jsonl",
        "report.html",
        "health.jsonl",
    }
    assert _leaks(run) == []


def test_check_says_nothing_either(tmp_path: Path) -> None:
    """`check -v` decodes every message and shows no secret of any."""
    played = _play(tmp_path, "check", "-v")
    assert b"0 not ok" in played.said
    assert set(played.secrets) >= {"password", "cookie", "assertion", "code", "OAuth token", "DM token"}
    assert _leaks(played) == []


def test_a_leak_would_be_found(tmp_path: Path) -> None:
    """The search finds a secret in every form in which one may stand, in the middle of other text or of other bytes."""
    secret = "Ab-cd_3/4+5678==secretsecret"
    longer = b"before " + secret.encode() + b" behind"
    for content in (
        longer,
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        base64.b64encode(longer),
        base64.urlsafe_b64encode(b"x" + longer),
        base64.b64encode(b"xy" + longer),
    ):
        (tmp_path / "file").write_bytes(b"\x93NUMPY" + content + b"\x00")
        played = Played(tmp_path, b"", b"", {"password": {secret}})
        assert _leaks(played) == ["password in file"], content
        assert _leaks(Played(tmp_path, b"", content, {"password": {secret}}))[-1] == "password in command lines"
    (tmp_path / "file").write_bytes(b"nothing of it")
    assert _leaks(Played(tmp_path, b"", b"", {"password": {secret}})) == []
