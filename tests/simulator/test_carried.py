"""What a window of the morning can be asked, against the timetable counted by other means."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.composition import What, compose
from simulator.errors import UserError

SMALL = (Path(__file__).parent.parent / "data" / "scenarios" / "small.toml").read_text()
EVEN = SMALL.replace('"bell", from = "08:00", to = "08:06"', '"even", from = "08:00", to = "08:06", stratified = true')


def faults(tmp_path: Path, objective: str, devices: int = 730) -> list[str]:
    """What is wrong with the small morning, its lids evenly spread, with one objective more."""
    path = tmp_path / "mine.toml"
    path.write_text(f"{EVEN}\n[[objectives]]\n{objective}\n")
    try:
        compose(What(str(path), devices=devices))
    except UserError as error:
        return list(error.lines)
    return []


P95 = 'step = "ready"\npercentile = 95\nlatency_s_at_most = 20\n'


def test_a_window_carries_what_is_due_in_it(tmp_path: Path) -> None:
    """floor(730 * 80 / 2680) = 21 spares leave 709 lids in 360 s: 72 of them, which p95 needs, take 36.6 s."""
    assert not faults(tmp_path, P95 + 'from = "08:02"\nuntil = "08:02:38"')
    (line,) = faults(tmp_path, P95 + 'from = "08:02"\nuntil = "08:02:30"')
    assert re.fullmatch(
        r"mine.toml: objectives\[2\]: (58|59|60) planned samples of ready are due from 08:02 until 08:02:30,"
        r" and it needs 72: widen the window, plan more devices, or ask for less",
        line,
    )
    assert not faults(tmp_path, P95 + 'until = "08:00:38"')
    (line,) = faults(tmp_path, P95 + 'from = "08:06"')
    assert ": 0 planned samples of ready are due from 08:06, and it needs 72" in line


def test_a_share_of_devices_needs_as_many_as_a_percentile(tmp_path: Path) -> None:
    """95 % of 71 planned lids cannot be estimated, of 72 they can; all of them are counted, however few."""
    asked = 'step = "ready"\ndone_share = {}\ndone_by = "08:18"\n'
    assert not faults(tmp_path, asked.format(0.95), devices=74)
    (line,) = faults(tmp_path, asked.format(0.99), devices=74)
    assert "objectives[2].done_share = 0.99: expected a share that 72 planned samples of ready can carry" in line
    assert "it needs 368" in line
    assert not faults(tmp_path, asked.format(1), devices=74)
    assert faults(tmp_path, asked.format(0.95) + 'from = "08:02"\nuntil = "08:02:30"')


@pytest.mark.parametrize(
    ("window", "right"),
    [('from = "08:16"\nuntil = "08:17"', True), ('until = "08:16"', False), ('from = "08:16:01"', False)],
)
def test_applied_is_due_at_the_publish(tmp_path: Path, window: str, right: bool) -> None:
    """The one publish is at 08:16."""
    lines = faults(tmp_path, f'step = "applied"\npercentile = 95\nlatency_s_at_most = 15\n{window}')
    assert (not lines) == right
    assert right or "0 planned samples of applied are due" in lines[0]


def test_what_nobody_knows_beforehand_is_not_refused(tmp_path: Path) -> None:
    """How often a step is asked that depends on what is answered; an error share needs one sample, not 72."""
    assert not faults(tmp_path, 'step = "identity.login"\npercentile = 99\nservice_s_at_most = 2\nuntil = "08:01"')
    assert not faults(tmp_path, 'step = "ready"\nerror_share_at_most = 0\nfrom = "08:02"\nuntil = "08:02:05"')
    assert faults(tmp_path, 'step = "ready"\nerror_share_at_most = 0\nfrom = "08:10"\nuntil = "08:11"')
