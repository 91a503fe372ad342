"""What the stand-in is told: passwords that outlive it where its database does."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.load import load
from simulator.composition import KNOWN
from simulator.errors import UserError
from simulator.standins import StandInSettings

FIRST, SECOND = b"1" * 32, b"2" * 32


def test_passwords_last_as_long_as_the_database(tmp_path: Path) -> None:
    """A folder keeps the secret that it was made with, privately, whatever a later run would take; none keeps none."""
    scenario = load("morning_peak", known=KNOWN)
    data = tmp_path / "fleet.json.backend"

    def secret(new: bytes, data: Path | None) -> bytes:
        return StandInSettings.of(scenario, new, data).password_secret

    assert secret(FIRST, data) == FIRST
    assert secret(SECOND, data) == FIRST
    assert secret(SECOND, tmp_path / "another") == secret(SECOND, None) == SECOND
    assert data.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in data.iterdir()] == [0o600]


def test_a_damaged_secret_is_told(tmp_path: Path) -> None:
    """Nobody could sign in with another one, so it is not replaced."""
    (tmp_path / "password_secret").write_bytes(b"short")
    with pytest.raises(UserError, match="expected 32 bytes"):
        StandInSettings.of(load("morning_peak", known=KNOWN), FIRST, tmp_path)
    assert (tmp_path / "password_secret").read_bytes() == b"short"


def test_a_place_that_takes_no_folder(tmp_path: Path) -> None:
    """One line instead of a traceback."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match="cannot be kept there"):
        StandInSettings.of(load("morning_peak", known=KNOWN), FIRST, tmp_path / "file" / "data")
