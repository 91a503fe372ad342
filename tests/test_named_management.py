"""--target management: a second process of our own backend as somebody else's server, and what a run must be told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from foreign_backend import ForeignBackend

from reports.record import OUTCOMES
from simulator.enrollments_file import EnrollmentsFile

FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
DEVICES = 30
FIRST_DAY = """
title = "First day"
question = "Do all devices enroll at a server of ours?"
organisation = "maebashi"
devices = 30
[day]
start = "08:00"
end = "08:00:02"
[enrollment]
rate_per_s = 1000
[[waves]]
name = "rollout"
who = "all"
journey = "enroll"
arrivals = { shape = "even", from = "08:00", to = "08:00:01" }
[[operator]]
at = "08:00:01"
act = "publish_policy"
with = { policy = "device", value = { guest_mode_enabled = true } }
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignBackend]:
    """The foreign server, which runs all the time."""
    with ForeignBackend(tmp_path_factory.mktemp("server")) as server:
        yield server


class Place:
    """A folder with a scenario and a targets file that names the server."""

    def __init__(self, folder: Path, server: ForeignBackend) -> None:
        self.folder, self.server = folder, server
        (folder / "first_day.toml").write_text(FIRST_DAY)
        (folder / "policy_key.pem").write_bytes(server.verification_key_pem)
        self.token = server.operate("enrollment_token")["access_token"]

    def targets(self, *lines: str, path: str = "") -> None:
        """Write the targets file."""
        url = f'url = "{self.server.told["management"]}{path}"'
        (self.folder / "targets.toml").write_text("\n".join(["[targets.management]", url, *lines]))

    def command(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Do it, with the token in an environment variable."""
        return subprocess.run(
            [FLEETRUSH, verb, str(self.folder / "first_day.toml"), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            env={**os.environ, "CITY_TOKEN": self.token},
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Play the scenario at the server."""
        return self.command("run", "--targets", "targets.toml", "--out", "runs", *arguments)


@pytest.fixture
def place(tmp_path: Path, server: ForeignBackend) -> Place:
    """A place of its own for each test, at the one server."""
    return Place(tmp_path, server)


@pytest.mark.parametrize("path", ["", "/", "/devicemanagement/data/api"])
def test_devices_enroll_there(place: Place, path: str) -> None:
    """With a path or without, all devices are that server's; its key was checked; no token reached the run's folder;
    and with the file they need no credentials any more, and have nothing to enroll."""
    place.targets('oauth_token_env = "CITY_TOKEN"', 'verification_key_file = "policy_key.pem"', path=path)
    done = place.run("--enrollments", "fleet.json")
    print(done.stdout, done.stderr)
    # 3 is a machine too busy to be trusted: the record must be right all the same
    assert done.returncode in (0, 3)
    (run,) = (place.folder / "runs").iterdir()
    told, samples = json.loads((run / "run.json").read_text()), np.load(run / "samples.npy")
    steps = [told["steps"][step] for step in samples["step"].tolist()]
    assert steps.count("management.register") == steps.count("management.api_authorization") == DEVICES
    assert not samples["outcome"].any(), [OUTCOMES[outcome] for outcome in samples["outcome"].tolist()]
    assert told["targets"]["management"]["basis"] == "target"
    assert told["left_out"] == ["publish_policy"]
    kept = EnrollmentsFile(place.folder / "fleet.json")
    assert kept.origin is not None
    assert kept.origin.management == f"{place.server.told['management']}/devicemanagement/data/api"
    theirs = {device_id: token for device_id, token, _ in place.server.devices()}
    devices = [one.device for one in kept.rows.values() if one.device is not None]
    assert len(devices) == DEVICES
    assert all(theirs[device.device_id] == device.dm_token for device in devices)
    for file in run.iterdir():
        assert place.token.encode() not in file.read_bytes()
    place.targets(path=path)
    plan = place.command("plan", "--targets", "targets.toml", "--enrollments", "fleet.json")
    assert plan.returncode == 0
    assert f"{DEVICES} devices, 0 to enroll" in plan.stdout
    assert "left out           publish_policy" in plan.stdout
    assert "enroll             0 starts" in plan.stdout
    registered = place.server.devices()
    check = place.command("check", "--targets", "targets.toml", "--enrollments", "fleet.json")
    assert check.returncode == 0, check.stdout
    assert "-- sync_policy" in check.stdout
    assert place.server.devices() == registered


def test_a_key_that_vouches_for_nothing(place: Place) -> None:
    """With the public key of another server, the device that goes first turns its policy down, and no other is sent."""
    wrong = place.folder / "policy_key.pem"
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    wrong.write_bytes(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    place.targets('oauth_token_env = "CITY_TOKEN"', 'verification_key_file = "policy_key.pem"')
    done = place.run("--enrollments", "fleet.json")
    assert done.returncode == 2
    assert "bad_key_signature" in done.stdout
    assert not (place.folder / "runs").exists()
    assert not EnrollmentsFile(place.folder / "fleet.json").rows


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), "30 devices have to enroll there, and nothing says with what"),
        (('oauth_token_env = "NO_SUCH"',), "oauth_token_env = NO_SUCH: expected an environment variable that is set"),
        (('oauth_token_file = "no_such"',), "expected a file that exists"),
        (('oauth_token_file = "empty"',), "expected a file that is not empty"),
        (('oauth_token_file = "two"',), "expected one token in it, without spaces"),
        (('oauth_token_env = "A"', 'oauth_token_file = "two"'), "at most one of"),
        (('verification_key_file = "two"', 'oauth_token_env = "CITY_TOKEN"'), "expected an RSA public key"),
        (('oauth_token = "ya29.secret"',), 'did you mean "oauth_token_env"?'),
    ],
)
def test_what_is_missing_or_wrong_is_told_before_anything_is_sent(
    place: Place, lines: tuple[str, ...], said: str
) -> None:
    """Exit 2, one line that says what to do and shows no secret; the server heard nothing, no folder was made."""
    (place.folder / "empty").write_text("")
    (place.folder / "two").write_text("ya29.secret and more")
    place.targets(*lines)
    before = place.server.requests()
    done = place.run()
    assert place.server.requests() == before
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "secret" not in done.stderr
    assert not (place.folder / "runs").exists()


def test_people_need_tokens_that_the_server_takes(place: Place) -> None:
    """Where people sign in at the stand-in and nobody says that the server takes its tokens, nothing is sent."""
    (place.folder / "first_day.toml").write_text(FIRST_DAY.replace('"enroll"', '"boot"').replace('"all"', '"staff"'))
    place.targets('oauth_token_env = "CITY_TOKEN"')
    plan = place.command("plan", "--targets", "targets.toml")
    assert plan.returncode == 2
    assert "30 people have to be registered there" in plan.stderr
    place.targets('oauth_token_env = "CITY_TOKEN"', "accepts_stand_in_tokens = true")
    assert place.command("plan", "--targets", "targets.toml").returncode == 0


def test_a_server_that_is_not_there(place: Place) -> None:
    """Exit 3 before the first start, and nothing recorded, when the named server refuses connections."""
    place.targets('oauth_token_env = "CITY_TOKEN"')
    there = place.server.told["management"]
    text = (place.folder / "targets.toml").read_text()
    # port 1 of loopback: nobody listens there
    (place.folder / "targets.toml").write_text(text.replace(there, "http://127.0.0.1:1"))
    done = place.run()
    assert done.returncode == 3
    assert "connect_refused" in done.stdout
    assert not (place.folder / "runs").exists()
