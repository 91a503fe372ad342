"""The README stays true: its commands are run, its files are read, its names are ours."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.load import shipped
from simulator.journeys import JOURNEYS
from simulator.options import parser_of_all

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [line.strip() for line in re.findall(r"^ {4}(\S.*)$", README, re.MULTILINE)]
FLEETRUSH = [command.split()[1:] for command in COMMANDS if command.startswith("fleetrush ")]
MAKE = [command.split()[1] for command in COMMANDS if command.startswith("make ")]


def _toml_block() -> str:
    found = re.search(r"```toml\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader would stand after following the README: its targets file, a scenario copied."""
    (tmp_path / "city-ca.pem").write_text("a certificate would stand here")
    (tmp_path / "targets.toml").write_text(_toml_block())
    shutil.copy(shipped()["morning_peak"], tmp_path / "my_morning.toml")
    return tmp_path


def test_every_command_was_found() -> None:
    """The README shows three make targets, and fleetrush commands of each kind that it explains."""
    assert set(MAKE) == {"run", "test", "truth"}
    shown = ("run", "check", "plan", "accounts", "fleet", "backend", "report", "history", "capacity", "doctor")
    assert {command[0] for command in FLEETRUSH} == set(shown)
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(MAKE) <= set(targets)


@pytest.mark.parametrize("command", FLEETRUSH, ids=" ".join)
def test_the_command_line_takes_it(command: list[str]) -> None:
    """Each command parses as it stands."""
    assert parser_of_all().parse_args(command).command == command[0]


@pytest.mark.parametrize("command", [one for one in FLEETRUSH if one[0] == "plan"], ids=" ".join)
def test_the_plans_are_made(command: list[str], folder: Path) -> None:
    """Each plan runs in a folder with the README's files in it, sends nothing, and says what it is about."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("fleetrush")), *command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "sign-ins/s" in done.stdout
    if "--target" in command:
        # with a target of one's own, the real pace
        assert re.search(r"compression +1\n", done.stdout)
        assert "https://idp.city.example" in done.stdout


def test_what_the_readme_names_exists() -> None:
    """Files, journeys and the picture that the README points at are there."""
    for name in ("scenarios/morning_peak.toml", "scenarios/organisations/maebashi.toml", "simulator/rehearsal.py"):
        assert name in README
        assert (ROOT / name).is_file()
    for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", README):
        assert (ROOT / picture).is_file()
    assert "upload_status" in JOURNEYS


def test_the_default_compression_is_the_one_told() -> None:
    """The compression that the README explains is the one that ships."""
    shipped_one = re.search(r"^compression = (\d+)", shipped()["morning_peak"].read_text(), re.MULTILINE)
    assert shipped_one
    assert f"compression {shipped_one[1]}:" in README
