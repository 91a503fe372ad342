"""The command line: what it refuses, and what it does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import main

FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))


def test_a_few_devices_are_enough_where_nothing_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty samples carry no 95th percentile (it needs 72), which a plan is told; a list of them needs none."""
    assert main(["plan", "--devices", "30"]) == 2
    assert "it needs 72" in capsys.readouterr().err
    assert main(["fleet", "--devices", "30"]) == 0
    secret, people = tmp_path / "secret", tmp_path / "people.csv"
    said = ["--accounts-secret", str(secret), "--format", "csv", "--out", str(people)]
    assert main(["accounts", "--devices", "30", *said]) == 0
    # floor(30 * 80 / 2680) spares: none
    assert len(people.read_text().splitlines()) == 1 + 30


def test_reuse_is_said_of_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    """--reuse-accounts without --accounts is a mistake, not nothing."""
    assert main(["plan", "--reuse-accounts"]) == 2
    assert "--accounts FILE" in capsys.readouterr().err


def test_nobody_reads_on() -> None:
    """Output that goes to a closed pipe ends the command without a word: that is no bug of ours."""
    with subprocess.Popen(
        [FLEETRUSH, "fleet", "--rows", "2680"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as one:
        assert one.stdout is not None
        assert one.stderr is not None
        one.stdout.close()
        told = one.stderr.read()
        assert (one.wait(timeout=60), told) == (141, b"")
