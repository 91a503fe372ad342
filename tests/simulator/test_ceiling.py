"""What a machine was measured to drive: kept, found again, held against a plan; and the arithmetic of measuring."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from simulator import ceiling
from simulator.ceiling import Ceiling, Peak
from simulator.errors import UserError
from simulator.machine import fingerprint

FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
MOMENT = Path(__file__).parent.parent / "data" / "scenarios" / "moment.toml"
FOUND = Ceiling(
    fingerprint="mark",
    measured="2026-04-01T00:00:00+00:00",
    took_s=50.0,
    steps_per_s=3000.0,
    engines=2,
    all_steps_per_s=5000.0,
    starts_per_s=400,
    starts_at_least=False,
    lateness_ms=10.0,
    opened_per_s=2500.0,
)


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_what_is_kept_is_found_by_the_same_machine_alone(tmp_path: Path) -> None:
    """It comes back as it was; another machine, a damaged file and none at all are nothing."""
    assert ceiling.kept("mark") is None
    ceiling.keep(FOUND)
    assert ceiling.path() == tmp_path / "state" / "fleetrush" / "machine.json"
    assert ceiling.kept("mark") == FOUND
    assert ceiling.kept("another") is None
    for damage in ("{", "[]", '{"format": 2}', ceiling.path().read_text().replace('"format": 2', '"format": 1')):
        ceiling.path().write_text(damage)
        assert ceiling.kept("mark") is None


def test_a_place_that_takes_no_file(tmp_path: Path) -> None:
    """One line instead of a traceback."""
    (tmp_path / "state").write_text("")
    with pytest.raises(UserError, match="the measurement cannot be kept there"):
        ceiling.keep(FOUND)


def test_a_plan_near_the_ceiling_is_told() -> None:
    """Above 70 %: of 3,000 steps/s that is 2,100, of 5,000 (two engines) 3,500, of 400 starts/s 280, of 2,500 lines/s
    1,750. 1000 / 3,000 is 0.33 ms a step, 2 x 1000 / 5,000 is 0.4."""
    assert not list(ceiling.above(Peak(2100, 280, 1750), 1, FOUND))
    steps, starts, lines = ceiling.above(Peak(2101, 281, 1751), 1, FOUND)
    assert "2,101 steps/s of 1 engine(s), 70% of what they can drive (3,000, worked out from 0.33 ms a step" in steps
    assert "use --engines 2" in steps
    assert "281 starts/s of 1 engine(s), and 400 within 10 ms were measured here" in starts
    assert "1,751 push lines/s from 1 engine(s), and 2,500 were measured here" in lines
    assert not list(ceiling.above(Peak(3500, 560, 3500), 2, FOUND))
    steps, starts, lines = ceiling.above(Peak(3501, 561, 3501), 2, FOUND)
    assert "(5,000, worked out from 0.40 ms a step measured here)" in steps
    # a third engine has no core
    assert FOUND.steps_of(3) == 5000
    assert len(list(ceiling.above(Peak(0, 561, 3501), 3, FOUND))) == 2


def test_what_was_in_time_at_the_fastest_is_no_ceiling() -> None:
    """At least 400 starts/s: more of them may be as well in time, so nobody is warned."""
    assert not list(ceiling.above(Peak(0, 9999, 0), 1, replace(FOUND, starts_at_least=True)))


def test_where_nothing_was_measured_the_formula_stands() -> None:
    """0.55 ms a step is 1,818 a second: 70 % are 1,272; starts and lines have no formula."""
    assert not list(ceiling.above(Peak(1272, 9999, 9999), 1, None))
    (line,) = ceiling.above(Peak(1273, 9999, 9999), 1, None)
    assert "1,818 by the stated formula (0.55 ms a step); fleetrush doctor --measure measures it" in line
    assert not list(ceiling.above(Peak(1273, 0, 0), 2, replace(FOUND, all_steps_per_s=6000.0)))


def test_engines_of_one_core() -> None:
    """Where one engine is all that was measured, more of them drive no more."""
    alone = replace(FOUND, engines=1, all_steps_per_s=3000.0)
    assert [alone.steps_of(engines) for engines in (1, 2)] == [3000, 3000]


def test_the_kept_file_is_private() -> None:
    """Whose machine it is, is nobody's business."""
    ceiling.keep(FOUND)
    assert ceiling.path().stat().st_mode & 0o777 == 0o600


def test_run_warns_of_a_kept_ceiling(tmp_path: Path) -> None:
    """Five sign-ins need more than 70 % of a machine that was found to drive one step a second: said, and played."""
    ceiling.keep(replace(FOUND, fingerprint=fingerprint(version("fleetrush")), steps_per_s=1.0, all_steps_per_s=1.0))
    done = subprocess.run(
        [FLEETRUSH, "run", str(MOMENT), "--devices", "5", "--compression", "60", "--out", str(tmp_path / "runs")],
        capture_output=True, text=True, timeout=60, check=False, env=os.environ,
    )  # fmt: skip
    (warning,) = (line for line in done.stdout.splitlines() if line.startswith("the peak needs"))
    assert "steps/s of 1 engine(s), " in warning
    assert "(1, worked out from 1000.00 ms a step measured here)" in warning
    assert (next((tmp_path / "runs").iterdir()) / "summary.json").exists()
