"""Trust: every reason not to, each shown to fire and to stay silent on the other side of its limit."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.instrument import worst
from reports.objectives import Objective, read_objectives
from reports.runfolder import RunData
from reports.trust import OURS, Trust, judge_trust, lateness_limit_ms, windows
from scenarios.harness import Harness


def starts(late_ms: Any, *, spacing_s: float = 0.02, **columns: Any) -> np.ndarray:
    """Planned starts in a row, each late by that much."""
    late_s = np.asarray(late_ms, np.float64) / 1000
    at = 40.0 + np.arange(late_s.size) * spacing_s
    return made_run.rows("management.device_policy", at.size, due=at, able=at, sent=at + late_s, done=at + 1, **columns)


def trust(samples: np.ndarray, health: Any = (), **changes: Any) -> Trust:
    """Judge these samples in an otherwise healthy run."""
    run = {"format": 1, **made_run.run_json(**changes)}
    return judge_trust(RunData(Path("x"), run, samples, [], list(health)), read_objectives(run["scenario"]["folded"]))


def test_a_healthy_run_is_trusted_with_a_note_on_the_stand_in() -> None:
    """No reason; the note says that the stand-in shares our cores."""
    found = trust(made_run.morning(2680), made_run.health(150))
    assert found.trustworthy, found.reasons
    assert len(found.notes) == 1
    assert "stand-in shared our cores" in found.notes[0]
    named = {"identity": {"url": "https://sso.city.example", "basis": "target"}}
    assert trust(made_run.morning(100), made_run.health(150), targets=named).notes == ()


@pytest.mark.parametrize(("late", "trusted"), [(0, True), (5, True), (6, False)])
def test_lateness_is_the_p98_of_the_worst_window(late: int, trusted: bool) -> None:
    """250 starts a window: p98 is the 245th, so five late ones are strays and six are not. 50 ms is the limit."""
    late_ms = np.full(2500, 2.0)
    late_ms[1000 : 1000 + 2 * late : 2] = 80.0
    found = trust(starts(late_ms))
    assert found.trustworthy is trusted
    assert found.figures["lateness_ms"]["worst_window"] == pytest.approx(2.0 if trusted else 80.0)
    assert ["80.0 ms late" in reason for reason in found.reasons] == ([] if trusted else [True])


@pytest.mark.parametrize(("frozen_ms", "trusted"), [(100, True), (250, False)])
def test_one_pause_of_a_loop(frozen_ms: int, trusted: bool) -> None:
    """A loop that stops for a quarter second makes 4 % of a window's even starts more than 50 ms late; 100 ms, 1 %."""
    late_ms = np.full(2500, 1.0)
    # starts every 20 ms: those due within the pause go out at its end
    pause = np.arange(frozen_ms, 0, -20)
    late_ms[1000 : 1000 + pause.size] = pause
    assert trust(starts(late_ms)).trustworthy is trusted


def test_the_worst_window_is_found_and_told() -> None:
    """Its begin is told, and an average over the whole run would have hidden it."""
    late_ms = np.full(25_000, 1.0)
    late_ms[10_000:10_250] = 60.0
    figures = trust(starts(late_ms)).figures["lateness_ms"]
    assert (figures["worst_at_s"], figures["worst_window"]) == (240.0, 60.0)
    assert (figures["count"], figures["p50"], figures["max"]) == (25_000, 1.0, 60.0)


def test_one_stray_start_in_a_quiet_stretch_decides_nothing() -> None:
    """With a start a second, a window is stretched until it holds a hundred."""
    late_ms = np.full(300, 1.0)
    late_ms[150] = 500.0
    late_ms[151] = 500.0
    assert trust(starts(late_ms, spacing_s=1.0)).trustworthy
    late_ms[152] = 500.0
    assert not trust(starts(late_ms, spacing_s=1.0)).trustworthy


@pytest.mark.parametrize(
    "columns", [{"trigger": 2}, {"trigger": 3}, {"trigger": 4}, {"outcome": 4}, {"device": 2**32 - 1}]
)
def test_only_our_own_starts_are_judged(columns: dict[str, int]) -> None:
    """What follows, is pushed or retried, was skipped, or is the operator's has no instant that we owed a device."""
    assert trust(starts(np.full(1000, 900.0), **columns)).figures["lateness_ms"]["count"] == 0
    assert not trust(starts(np.full(1000, 900.0), trigger=1)).trustworthy


def test_a_milestone_is_no_start() -> None:
    """`ready` has no instant at which it was sent."""
    late = made_run.rows("ready", 500, able=40.0, sent=70.0)
    assert trust(late).figures["lateness_ms"]["count"] == 0


@pytest.mark.parametrize(
    ("objectives", "asked", "limit"),
    [
        ([], None, 50.0),
        ([Objective("a.b", "latency", 30, 95)], None, 50.0),
        ([Objective("a.b", "latency", 30, 95), Objective("a.b", "service", 0.2, 95)], None, 10.0),
        ([Objective("a.b", "errors", 0.001)], None, 50.0),
        ([Objective("a.b", "latency", 0.6, 95)], 20.0, 20.0),
        ([Objective("a.b", "latency", 0.2, 95)], 20.0, 10.0),
    ],
)
def test_the_limit_is_5_percent_of_the_tightest_objective(objectives: Any, asked: Any, limit: float) -> None:
    """Never above 50 ms, nor above what the scenario asks; a share of errors is no time."""
    limits = Harness() if asked is None else Harness(lateness_ms_at_most=asked)
    assert lateness_limit_ms(limits, objectives) == limit


def rows(seconds: int, who: str = "engine-0", **figures: float) -> list[dict[str, Any]]:
    """Health rows that stay the same."""
    still = {"loop_lag_ms": 1.0, "runqueue_ms": 1.0, "cpu_ms": 1.0, "rss_mib": 1.0}
    return [{"t": float(second), "who": who, **still, **figures} for second in range(seconds)]


def test_a_lasting_loop_lag_untrusts_and_a_lone_one_does_not() -> None:
    """Three seconds of five in a row decide; two do not."""
    health = rows(60)
    for second in (30, 32):
        health[second]["loop_lag_ms"] = 900.0
    assert trust(starts([1.0] * 100), health).trustworthy
    health[34]["loop_lag_ms"] = 900.0
    found = trust(starts([1.0] * 100), health)
    assert "the loop of engine-0 lagged 900.0 ms" in found.reasons[0]


def test_waiting_for_a_core_untrusts_engines_only() -> None:
    """260 ms of each second is above a quarter; a backend that waits is a slow target, not a bad harness."""
    assert "26%" in trust(starts([1.0] * 100), rows(60, runqueue_ms=260.0)).reasons[0]
    assert trust(starts([1.0] * 100), rows(60, runqueue_ms=240.0)).trustworthy
    backend = rows(60) + rows(60, who="backend", runqueue_ms=900.0, loop_lag_ms=900.0)
    assert trust(starts([1.0] * 100), backend).trustworthy


def test_cpu_pressure_untrusts_unless_the_stand_in_makes_it() -> None:
    """The same pressure on a machine of our own is ours."""
    pressed = rows(60) + rows(60, who="run", pressure_ms=950.0)
    named = {"identity": {"url": "https://sso.city.example", "basis": "target"}}
    assert "95%" in trust(starts([1.0] * 100), pressed, targets=named).reasons[0]
    assert trust(starts([1.0] * 100), pressed).trustworthy


def test_what_others_take_untrusts_where_they_leave_less_than_a_core() -> None:
    """0.6 of two cores with 0.7 left is too much; with one left it harms nobody; nor where a target runs here."""
    short = rows(60) + rows(60, who="run", others_ms=600.0, idle_ms=700.0, cores=2)
    (reason,) = trust(starts([1.0] * 100), short).reasons
    assert reason.startswith("others took 0.60 of our 2 cores from run second 0")
    spare = rows(60) + rows(60, who="run", others_ms=600.0, idle_ms=1000.0, cores=2)
    assert trust(starts([1.0] * 100), spare).trustworthy
    here = {"identity": {"url": "http://127.0.0.1:8080", "basis": "target"}}
    assert trust(starts([1.0] * 100), short, targets=here).trustworthy


@pytest.mark.parametrize(("pauses", "found"), [(3, 0), (4, 1)])
def test_four_quarters_of_a_second_untrust(pauses: int, found: int) -> None:
    """A loop that stood still 250 ms four times within ten minutes; three times is a machine that others share."""
    health = rows(60)
    for second in range(20, 20 + pauses):
        health[second]["pauses"] = [[0.5, 250.0, 0.0, 0.0]]
    reasons = trust(starts([1.0] * 100), health).reasons
    assert len(reasons) == found
    assert not found or "stood still 4 times, 1.00 s in all (the limit is 0.8 s), the longest 250 ms" in reasons[0]
    assert not found or "at run second 19.2: the process or the whole machine was stopped; look at" in reasons[0]


@pytest.mark.parametrize(("key", "says"), [("wall_ms", "the wall clock jumped +3.20 s"), ("asleep_ms", "slept")])
def test_a_clock_that_jumps_untrusts(key: str, says: str) -> None:
    """3.2 s in one row of an engine; 80 ms are a clock that is steered into place."""
    health = rows(60)
    health[30][key] = 80.0
    assert trust(starts([1.0] * 100), health).trustworthy
    health[31][key] = 3200.0
    (reason,) = trust(starts([1.0] * 100), health).reasons
    assert says in reason


def test_an_engine_at_its_limit_untrusts() -> None:
    """950 ms of each second, be it that a part of them went by waiting for a core; 850 are told and no more."""
    for cpu_ms, queued_ms in ((949.0, 1.0), (750.0, 200.0)):
        (reason,) = trust(starts([1.0] * 100), rows(60, cpu_ms=cpu_ms, runqueue_ms=queued_ms)).reasons
        assert reason.startswith("engine-0 was saturated: busy 95% of the time")
    assert trust(starts([1.0] * 100), rows(60, cpu_ms=850.0)).trustworthy


def test_what_the_runner_noted_untrusts() -> None:
    """Engines and frames lost are its to see."""
    lost = ["engine 1 lost", "frames lost: 12 of 80000"]
    assert trust(starts([1.0] * 100), untrusted=lost).reasons == tuple(lost)


@pytest.mark.parametrize("ours", OURS)
def test_our_own_exhaustion_untrusts(ours: str) -> None:
    """A single sample that ended for want of a descriptor, a port or memory; a server's trouble is none of ours."""
    samples = starts([1.0] * 100)
    samples["reason"][7], samples["outcome"][7] = made_run.REASONS.index("timeout"), 3
    assert trust(samples).trustworthy
    samples["reason"][8], samples["outcome"][8] = made_run.REASONS.index(ours), 4
    (reason,) = trust(samples).reasons
    assert "ran out 1 times, first at run second 41.2; " in reason


def test_a_killed_run_is_not_trusted() -> None:
    """Nobody wrote its end; until when it was recorded is said: its last start, at 41.98 s, took a second."""
    (reason,) = trust(starts([1.0] * 100), ended=None).reasons
    assert reason.startswith("the run was killed before its end, after run second 43;")


def test_no_engine_health_is_noted() -> None:
    """Lateness alone is judged then, and a reader learns it."""
    assert any("No engine" in note for note in trust(starts([1.0] * 100)).notes)


@given(st.lists(st.floats(0, 200), max_size=400), st.integers(1, 50))
def test_windows_hold_every_start_once_and_enough_of_them(instants: list[float], least: int) -> None:
    """They tile the starts in order; each but an only one holds enough; none is cut within a 5 s stretch."""
    at = np.sort(np.array(instants, np.float64))
    cuts = windows(at, at_least=least)
    assert [index for cut in cuts for index in range(cut.start, cut.stop)] == list(range(at.size))
    assert len(cuts) <= 1 or all(cut.stop - cut.start >= least for cut in cuts)
    assert all(at[one.stop - 1] // 5 < at[two.start] // 5 for one, two in pairwise(cuts))


def test_worst_is_over_five_in_a_row() -> None:
    """By hand: means of 5 of 0 0 0 0 10 0 0 0 0 5 are 2, and the last holds 5 / 5."""
    values = np.array([0, 0, 0, 0, 10, 0, 0, 0, 0, 5], np.float64)
    assert worst(values, np.mean) == 2.0
    assert worst(values[-2:], np.mean) == 2.5
