"""What a machine was measured to drive: kept, found again, held against a plan; and the arithmetic of measuring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from simulator import ceiling
from simulator.ceiling import Ceiling, Peak
from simulator.errors import UserError

FOUND = Ceiling("mark", "2026-04-01T00:00:00+00:00", 3000.0, 2, 5000.0, 400, 10.0, 2500.0)


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
    for damage in ("{", "[]", '{"format": 1}', ceiling.path().read_text().replace('"format": 1', '"format": 2')):
        ceiling.path().write_text(damage)
        assert ceiling.kept("mark") is None


def test_a_place_that_takes_no_file(tmp_path: Path) -> None:
    """One line instead of a traceback."""
    (tmp_path / "state").write_text("")
    with pytest.raises(UserError, match="the measurement cannot be kept there"):
        ceiling.keep(FOUND)


def test_a_plan_near_the_ceiling_is_told() -> None:
    """Above 70 %: of 3,000 steps/s that is 2,100, of 5,000 (two engines) 3,500, of 400 starts/s 280."""
    assert not list(ceiling.above(Peak(2100, 280), 1, FOUND))
    steps, starts = ceiling.above(Peak(2101, 281), 1, FOUND)
    assert "2,101 steps/s of 1 engine(s), 70% of what they can drive (3,000 were measured here)" in steps
    assert "use --engines 2" in steps
    assert "281 starts/s of 1 engine(s), and 400 within 10 ms were measured here" in starts
    assert not list(ceiling.above(Peak(3500, 560), 2, FOUND))
    assert len(list(ceiling.above(Peak(3501, 561), 2, FOUND))) == 2
    # a third engine has no core
    assert FOUND.steps_of(3) == 5000


def test_where_nothing_was_measured_the_formula_stands() -> None:
    """0.55 ms a step is 1,818 a second: 70 % are 1,272; starts have no formula."""
    assert not list(ceiling.above(Peak(1272, 9999), 1, None))
    (line,) = ceiling.above(Peak(1273, 9999), 1, None)
    assert "1,818 by the stated formula (0.55 ms a step); fleetrush doctor --measure measures it" in line
    assert not list(ceiling.above(Peak(1273, 0), 2, replace(FOUND, all_steps_per_s=6000.0)))


def test_engines_of_one_core() -> None:
    """Where one engine is all that was measured, more of them drive no more."""
    alone = replace(FOUND, engines=1, all_steps_per_s=3000.0)
    assert [alone.steps_of(engines) for engines in (1, 2)] == [3000, 3000]


def test_the_kept_file_is_private() -> None:
    """Whose machine it is, is nobody's business."""
    ceiling.keep(FOUND)
    assert ceiling.path().stat().st_mode & 0o777 == 0o600
