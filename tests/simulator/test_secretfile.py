"""The secret of the generated passwords: made once, its owner's alone, the same for ever after."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.errors import UserError
from simulator.secretfile import accounts_secret, default_path


def test_made_once_and_then_the_same(tmp_path: Path) -> None:
    """32 bytes, mode 0600 in folders of the owner's alone, whatever the umask; every later call reads the same."""
    path = tmp_path / "new" / "deeper" / "secret"
    before = os.umask(0)
    try:
        secret = accounts_secret(path)
    finally:
        os.umask(before)
    assert len(secret) == 32
    assert bytes.fromhex(path.read_text()) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert accounts_secret(path) == secret
    assert [entry.name for entry in path.parent.iterdir()] == ["secret"]
    assert accounts_secret(tmp_path / "other") != secret


def test_two_that_come_first_at_once_agree(tmp_path: Path) -> None:
    """Processes that start together all take the secret of the one that was first."""
    path = tmp_path / "secret"
    code = "import pathlib, sys, simulator.secretfile as s; print(s.accounts_secret(pathlib.Path(sys.argv[1])).hex())"
    command = [sys.executable, "-c", code, str(path)]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    told = {racer.communicate(timeout=60)[0].strip() for racer in racers}
    assert told == {path.read_text().strip()}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_secret_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """It says what to do, and does not say the secret."""
    path = tmp_path / "secret"
    secret = accounts_secret(path)
    path.chmod(mode)
    with pytest.raises(UserError, match=r"others may read the secret .*: chmod 600") as caught:
        accounts_secret(path)
    assert secret.hex() not in str(caught.value)


@pytest.mark.parametrize("text", ["", "abc", "00" * 31, "00" * 33, "zz" * 32, "漢"])
def test_a_file_that_holds_something_else(tmp_path: Path, text: str) -> None:
    """Nothing of it is overwritten, and nothing of it said."""
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(UserError, match="expected 64 hex digits"):
        accounts_secret(path)
    assert path.read_text() == text


def test_where_it_cannot_be(tmp_path: Path) -> None:
    """One line with the option that helps."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be kept there: .*; say --accounts-secret FILE"):
        accounts_secret(tmp_path / "file" / "secret")


def test_where_it_is_when_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The user's state directory; a relative one is ignored, as its specification has it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_path() == tmp_path / "fleetrush" / "accounts-secret"
    for unusable in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", unusable)
        monkeypatch.setenv("HOME", "/home/taro")
        assert default_path() == Path("/home/taro/.local/state/fleetrush/accounts-secret")
