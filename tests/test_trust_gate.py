"""What spoils a measurement, done to real runs: each is named, and ends with 3; a healthy run and a slow target accuse
nobody."""

from __future__ import annotations

from pathlib import Path

from gate_runs import accused, beside_a_burner, frozen, out_of_descriptors, play, slow_target

LENGTH_S = 6


def test_a_loop_that_stands_still(tmp_path: Path) -> None:
    """An engine frozen 250 ms four times: how often and how long is said, and that it was stopped from outside."""
    judged = play(tmp_path / "run", frozen, length_s=LENGTH_S)
    assert judged.code == 3
    assert judged.names("the loop of engine-0 stood still", "times", "was stopped"), judged.reasons


def test_a_core_that_others_burn(tmp_path: Path) -> None:
    """Somebody else's program computes on a core of ours for the whole run: how much of the cores it took is said."""
    judged = play(tmp_path / "run", beside_a_burner, length_s=LENGTH_S)
    assert judged.code == 3
    assert judged.names("others took", "of our"), judged.reasons


def test_a_healthy_run_is_not_accused(tmp_path: Path) -> None:
    """Nothing is done to it: no reason, and it ends with 0; but for what others on this machine did, as counted."""
    judged = play(tmp_path / "run", length_s=LENGTH_S)
    assert accused(judged) == []
    assert judged.code == (3 if judged.reasons else 0)


def test_a_lost_frame_and_a_clock_that_jumps(tmp_path: Path) -> None:
    """Both of one run: which part of the record is missing, and how far the clock went."""
    judged = play(tmp_path / "run", sabotage="lose_frame,jump_clock", length_s=LENGTH_S)
    assert judged.code == 3
    assert judged.names("of what engine 0 sent", "samples", "frames arrived", "a part of the record is lost"), (
        judged.reasons
    )
    assert judged.names("the wall clock jumped +3.2"), judged.reasons


def test_descriptors_that_run_out(tmp_path: Path) -> None:
    """They are our machine's fault and no server's: counted, and what to raise is said."""
    judged = play(tmp_path / "run", out_of_descriptors, length_s=LENGTH_S)
    assert judged.code == 3
    assert judged.names("descriptors ran out", "ulimit -n"), judged.reasons


def test_a_slow_target_accuses_nobody(tmp_path: Path) -> None:
    """A target that stands still for three seconds: latencies tell it, and nothing is held against us.

    A machine that other work uses may be accused rightly, of that. So `others took` and `waited for a core` are left
    out of account where others had as much of the cores as it takes, counted from outside the run, and there only: on
    a quiet machine each is a false accusation.
    """
    judged = play(tmp_path / "run", slow_target, length_s=LENGTH_S)
    assert accused(judged) == []
    assert judged.summary["steps"]["management.state_retrieval"]["latency_ms"]["max"] > 2000
