"""What `check` tells of one device: enough to understand, and no secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulator import narration
from simulator.journeys import JOURNEYS
from simulator.protocols import management, oauth
from simulator.protocols.messages import Exchange, Refused, Request, Response

FLEETRUSH = [str(Path(sys.executable).with_name("fleetrush"))]


@pytest.fixture(scope="module")
def told() -> str:
    """What `check -v` prints against the stand-ins."""
    done = subprocess.run([*FLEETRUSH, "check", "-v"], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_step_of_a_morning_is_told(told: str) -> None:
    """One device goes through enrollment, boot, sign-in, status and update check: each step in a line that ended ok."""
    lines = [line for line in told.splitlines() if not line.startswith(" ")]
    for journey in ("enroll", "boot", "sign_in", "upload_status", "check_update"):
        for step in JOURNEYS[journey].steps:
            assert any(line.startswith(step) and " ok " in line for line in lines), step
    assert "0 not ok" in told


def test_messages_are_decoded(told: str) -> None:
    """-v shows the fields of what was sent and got, by their names in the protocol."""
    for word in (
        "device_state_retrieval_request",
        'policy_type: "google/chromeos/device"',
        "<updatecheck",
        "password = ",
    ):
        assert word in told


def test_no_secret_is_told(told: str) -> None:
    """Tokens, codes, cookies, passwords and assertions are named and never shown."""
    assert told.count(narration.HIDDEN) > 20
    for line in told.splitlines():
        for name in ("device_management_token:", "oauth_token=", "SAMLResponse =", "password =", "refresh_token ="):
            if name in line:
                assert narration.HIDDEN in line, line
        assert "GoogleDMToken token=" not in line
        assert not ("cookie:" in line.lower() and narration.HIDDEN not in line), line


def test_of_a_form_the_names_are_told() -> None:
    """Whatever a provider calls its fields, no value of them is shown; what an OAuth request is for is."""
    kinds = (("Content-Type", "application/x-www-form-urlencoded"),)
    for name in ("pass", "kennwort", "otp", "totp", "email", "identifier", "_eventId_proceed"):
        exchange: Exchange[None] = Exchange(
            "identity.login", Request("POST", "https://idp/", kinds, f"{name}=geheim".encode()), lambda response: None
        )
        told = "\n".join(narration.decoded(exchange, None))
        assert f"{name} = {narration.HIDDEN}" in told
        assert "geheim" not in told
    tokens = oauth.access_token("https://accounts", "geheim", ("a", "b"))
    told = "\n".join(narration.decoded(tokens, None))
    assert "scope = a b" in told
    assert "grant_type = refresh_token" in told
    assert "geheim" not in told


def test_one_line() -> None:
    """Step, end, status, time, place; the query's values stay out, the kind of request stays in."""
    exchange: Exchange[None] = Exchange(
        "management.register", Request("POST", "http://h/p?oauth_token=geheim&request=register"), lambda response: None
    )
    line = narration.line(exchange, Response(403), None, Refused("http_status", "no", status=403), 0.0123)
    told = "management.register refused 403 12.3 ms POST http://h/p?request=register http_status: no"
    assert " ".join(line.split()) == told


def test_what_was_learnt_is_short_and_clean() -> None:
    """Values are told by name; what is named like a secret is not."""
    tokens = oauth.Tokens("geheim-1", "geheim-2", "geheim-3", 3600)
    assert "geheim" not in narration.learnt(tokens)
    assert "expires_in_s=3600" in narration.learnt(tokens)
    given = management.Registration("geheim", "a machine", ("C1",), "who@city.example")
    assert narration.learnt(given) == (
        "dm_token=(hidden), machine_name=a machine, affiliation_ids=('C1',), user_email=who@city.example"
    )
    assert narration.learnt("geheim") == narration.HIDDEN
    assert narration.learnt("http://h/p?code=geheim") == "http://h/p?code"
    assert narration.learnt(None) == ""
