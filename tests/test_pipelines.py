"""The README's examples for pipelines: their shell steps, run as GitHub Actions and GitLab run them."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from foreign_backend import ForeignBackend
from lxml import etree

from reports.baselines import Against
from simulator.conclusion import conclude
from tests.reports.made_nights import Nights

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
GITHUB, GITLAB = (yaml.safe_load(example) for example in EXAMPLES)
NIGHTLY = """
title = "First day"
question = "Do all devices enroll at a server of ours?"
organisation = "maebashi"
devices = 100
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
[[objectives]]
step = "management.register"
percentile = 95
latency_s_at_most = 10
[[objectives]]
step = "all"
error_share_at_most = 0.5
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignBackend]:
    """The city's management server."""
    with ForeignBackend(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def checkout(tmp_path: Path, server: ForeignBackend) -> Path:
    """What a pipeline checks out: scenario and targets file, fleetrush as a submodule; no secret."""
    (tmp_path / "fleetrush").symlink_to(ROOT)
    (tmp_path / "nightly.toml").write_text(NIGHTLY)
    (tmp_path / "policy_key.pem").write_bytes(server.verification_key_pem)
    return tmp_path


def _targets(checkout: Path, server: ForeignBackend, token: str) -> None:
    lines = ["[targets.management]", f'url = "{server.told["management"]}"', 'verification_key_file = "policy_key.pem"']
    (checkout / "targets.toml").write_text("\n".join([*lines, token]) + "\n")


def _shell(script: str, checkout: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=checkout,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _is_a_good_night(checkout: Path, kept: Path, said: str, secret: str) -> None:
    """A run that was reported, is kept for later ones, and tells nobody the secret."""
    summary = json.loads((checkout / "run" / "summary.json").read_text())
    assert summary["verdict"] == "pass"
    assert summary["devices"]["enrolled"] == 100
    assert not etree.parse(checkout / "run" / "junit.xml").findall(".//failure")
    assert "no baseline yet" in said
    assert (kept / "samples.npy").read_bytes() == (checkout / "run" / "samples.npy").read_bytes()
    assert secret not in said
    assert all(secret.encode() not in path.read_bytes() for path in kept.iterdir())


# A machine too busy to be trusted ends a run with 3; the night is tried again then.
NIGHTS = 3


def test_github_actions(checkout: Path, server: ForeignBackend) -> None:
    """Each `run` step in a shell of its own, with its own environment; a step after a failed one only where it says
    always."""
    secret = server.operate("enrollment_token")["access_token"]
    _targets(checkout, server, 'oauth_token_env = "CITY_DM_TOKEN"')
    job: dict[str, Any] = GITHUB["jobs"]["morning"]
    for night in range(NIGHTS):
        given = {"GITHUB_STEP_SUMMARY": str(checkout / "summary.md"), "GITHUB_RUN_ID": f"4711{night}"}
        said, codes = "", []
        for step in job["steps"]:
            if "run" not in step or (any(codes) and step.get("if") != "always()"):
                continue
            told = {name: str(value) for name, value in step.get("env", {}).items()}
            told = {name: value.replace("${{ secrets.CITY_DM_TOKEN }}", secret) for name, value in told.items()}
            assert not any("${{" in value for value in told.values())
            done = _shell(step["run"], checkout, {**given, **told})
            said += done.stdout + done.stderr
            codes.append(done.returncode)
        if 3 not in codes:
            break
        (checkout / "run").rename(checkout / f"untrusted-{night}")
    assert not any(codes), said
    _is_a_good_night(checkout, checkout / "baseline" / given["GITHUB_RUN_ID"], said, secret)
    assert "management.register" in (checkout / "summary.md").read_text()


def test_a_night_that_became_worse_stays_worse(checkout: Path) -> None:
    """The step that writes a pipeline's summary makes the report again, without the baseline: nothing is lost by it."""
    nights = Nights(checkout / "nights")
    nights.several(1)
    run = nights.play(slower={"identity.login": 1.3}).rename(checkout / "run")
    assert conclude(run, io.StringIO(), against=Against((nights.folder,))) == 1
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    (step,) = (step["run"] for step in GITHUB["jobs"]["morning"]["steps"] if "STEP_SUMMARY" in step.get("run", ""))
    _shell(step, checkout, {"GITHUB_STEP_SUMMARY": str(checkout / "summary.md")})
    assert "Worse than before" in (checkout / "summary.md").read_text()
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_gitlab_ci(checkout: Path, server: ForeignBackend) -> None:
    """The script in one shell, then the after-script in another; the secret comes as a file."""
    secret = server.operate("enrollment_token")["access_token"]
    _targets(checkout, server, 'oauth_token_file = "dm_token"')
    (checkout.parent / "variable").write_text(secret)
    job: dict[str, Any] = GITLAB["morning"]
    for night in range(NIGHTS):
        given = {"CITY_DM_TOKEN": str(checkout.parent / "variable"), "CI_JOB_ID": f"4711{night}"}
        done = _shell("\n".join(job["script"]), checkout, given)
        if done.returncode != 3:
            break
        (checkout / "run").rename(checkout / f"untrusted-{night}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert _shell("\n".join(job["after_script"]), checkout, given).returncode == 0
    assert not (checkout / "dm_token").exists()
    assert job["artifacts"]["reports"]["junit"] == "run/junit.xml"
    _is_a_good_night(checkout, checkout / "baseline" / given["CI_JOB_ID"], done.stdout + done.stderr, secret)
