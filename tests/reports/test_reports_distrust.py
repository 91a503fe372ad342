"""Every reason not to trust a run, in the visible registry: each fires, says when, its limit and what to do, in English
and Japanese; and each harness limit that a scenario sets is the one that is judged."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest

from reports.instrument import CHECKS
from reports.messages import Say
from reports.messages.distrust import DISTRUST, distrust, remedy_of
from reports.objectives import read_objectives
from reports.runfolder import RunData
from reports.trust import judge_trust
from scenarios.harness import Harness

ROOT = Path(__file__).parents[2]
JAPANESE = re.compile("[぀-ヿ一-鿿]")
NUMBER = re.compile(r"\d(?:[\d.,]*\d)?")
NAMED = {"identity": {"url": "https://sso.city.example", "basis": "target"}}


def judged(
    *,
    late_ms: float = 1.0,
    reason: str = "none",
    harness: Any = None,
    stood: Sequence[Any] = (),
    others: Any = None,
    run: Any = None,
    **engine: Any,
) -> tuple[str, ...]:
    """Why a run of a minute cannot be trusted.

    Args:
        late_ms: of each of its 3,000 starts. reason: of one sample of them. harness: the scenario's limits.
        stood: pauses of the engine's loop, one a row. others: what the machine's rows say; engine: what those of the
            engine say. run: changes of run.json.
    """
    at = np.arange(3000) * 0.02
    samples = made_run.rows("management.device_policy", at.size, due=at, able=at, sent=at + late_ms / 1000, done=at + 1)
    samples["reason"][1000] = made_run.REASONS.index(reason)
    told = made_run.run_json(**(run or {}))
    if harness is not None:
        told["scenario"]["folded"]["harness"] = harness
    still = {"loop_lag_ms": 1.0, "runqueue_ms": 1.0, "cpu_ms": 1.0, "rss_mib": 1.0}
    rows = [{"t": t + 1.0, "who": "engine-0", **still, **engine} for t in range(60)]
    for row, pause in zip(rows, stood, strict=False):
        row["pauses"] = [pause]
    rows += [{"t": t + 1.0, "who": "run", "cores": 2, **(others or {"idle_ms": 1900.0})} for t in range(60)]
    objectives = read_objectives(told["scenario"]["folded"])
    return judge_trust(RunData(Path("x"), {"format": 1, **told}, samples, [], rows), objectives).reasons


def noted(key: str, **figures: Any) -> Callable[[], tuple[str, ...]]:
    """What the run itself saw, and wrote into run.json."""
    return lambda: judged(run={"untrusted": [distrust(key, at="12", **figures)]})


def paused(ran_ms: float, waited_ms: float) -> Callable[[], tuple[str, ...]]:
    """Four pauses of 250 ms, so long with a core and waiting for one meanwhile."""
    return lambda: judged(stood=[[0.5, 250.0, ran_ms, waited_ms]] * 4)


SPOILT: dict[str, Callable[[], tuple[str, ...]]] = {
    "killed": lambda: judged(run={"ended": None}),
    "engine_lost": noted("engine_lost", engine=1, exit=-9),
    "engine_silent": noted("engine_silent", engine=1, limit="30"),
    "engine_not_ready": noted("engine_not_ready", engine=1, limit="120"),
    "frame_torn": noted("frame_torn", engine=1, exit=1),
    "frames_lost": noted("frames_lost", engine=0, samples="1,990", all_samples="2,010", frames="29", all_frames="30"),
    "stand_in_ended": noted("stand_in_ended", name="backend"),
    "not_kept": noted("not_kept", path="fleet.json", why="No space left on device"),
    "harness_descriptors": lambda: judged(reason="harness_descriptors"),
    "harness_ports": lambda: judged(reason="harness_ports"),
    "harness_memory": lambda: judged(reason="harness_memory"),
    "rate_cap": lambda: judged(reason="rate_cap"),
    "late": lambda: judged(late_ms=51.0),
    "engine_busy": lambda: judged(cpu_ms=910.0),
    "loop_lag": lambda: judged(loop_lag_ms=51.0),
    "runqueue": lambda: judged(runqueue_ms=260.0),
    "others": lambda: judged(others={"others_ms": 510.0, "stolen_ms": 10.0, "idle_ms": 900.0}),
    "pressure": lambda: judged(others={"pressure_ms": 910.0, "idle_ms": 900.0}, run={"targets": NAMED}),
    "stood_own_work": paused(250.0, 0.0),
    "stood_no_core": paused(0.0, 250.0),
    "stood_stopped": paused(0.0, 0.0),
    "wall_clock": lambda: judged(wall_ms=-3200.0),
    "asleep": lambda: judged(asleep_ms=3200.0),
}
"""By key of the registry: a run that it alone is held against."""
LIMITLESS = ("killed", "engine_lost", "frame_torn", "frames_lost", "stand_in_ended", "not_kept", "rate_cap")
"""Of these one is too many; what ran out has no limit of ours either."""


def test_every_reason_of_the_registry_fires() -> None:
    """None is left out below, and a run that nothing happened to has none."""
    assert set(SPOILT) == set(DISTRUST)
    assert judged() == ()


@pytest.mark.parametrize("key", DISTRUST)
def test_a_reason_says_what_when_how_much_and_what_to_do(key: str) -> None:
    """One reason, in one sentence; the Japanese has its remedy, all its figures and no English left over."""
    (reason,) = SPOILT[key]()
    _, (remedy, remedy_japanese) = DISTRUST[key]
    happened = reason.removesuffix(f"; {remedy}")
    assert happened != reason
    assert remedy_of(reason) == remedy
    assert re.search(r"run second \d", happened), happened
    assert "the limit is" in happened or key in LIMITLESS or key.startswith("harness_")
    japanese = Say("ja").heard(reason)
    assert japanese.endswith(f"。{remedy_japanese}")
    assert Say("ja").heard(remedy) == remedy_japanese
    assert sorted(NUMBER.findall(japanese.removesuffix(remedy_japanese))) == sorted(NUMBER.findall(happened))


@pytest.mark.parametrize("key", DISTRUST)
def test_both_languages_have_a_remedy(key: str) -> None:
    """Neither is empty or the other's; the remedy stands alone: it has no figure and nothing that would end it."""
    happened, remedy = DISTRUST[key]
    for english, japanese in (happened, remedy):
        assert english.strip()
        assert not JAPANESE.search(english)
        assert JAPANESE.search(japanese)
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", japanese))
    assert not re.search("[{};]", "".join(remedy))


def test_every_reason_has_somebody_who_says_it() -> None:
    """Each key stands in the code; run.json and the gate's figures take no sentence from anywhere else."""
    sources = [path for part in ("reports", "simulator") for path in (ROOT / part).rglob("*.py")]
    code = "\n".join(path.read_text("utf-8") for path in sources if path.name != "distrust.py")
    assert all(f'"{key}"' in code for key in DISTRUST)


def test_two_reasons_of_a_kind_are_each_told_in_japanese() -> None:
    """Where a sentence has several reasons, none swallows the other."""
    one, two = (distrust("engine_lost", engine=engine, at="12", exit=-9) for engine in (0, 1))
    said = Say("ja").heard(f"it cannot be trusted: {one}; and also: {two}")
    assert not re.search("lost|also|trusted", said)
    assert "エンジン 0 " in said
    assert "エンジン 1 " in said


# by name of a limit: a value that is stricter than the default, one that is looser, and what lies between each and it
SET: dict[str, tuple[float, float, dict[str, Any], dict[str, Any]]] = {
    "loop_lag_ms_at_most": (20, 120, {"loop_lag_ms": 40.0}, {"loop_lag_ms": 100.0}),
    "standstill_s_at_most": (0.5, 1.2, {"stood": [[0.5, 250.0, 0, 0]] * 3}, {"stood": [[0.5, 250.0, 0, 0]] * 4}),
    "engine_busy_share_at_most": (0.5, 0.98, {"cpu_ms": 700.0}, {"cpu_ms": 960.0}),
    "runqueue_share_at_most": (0.1, 0.5, {"runqueue_ms": 200.0}, {"runqueue_ms": 400.0}),
    "others_cores_at_most": (
        0.2,
        0.8,
        {"others": {"others_ms": 400.0, "idle_ms": 500.0}},
        {"others": {"others_ms": 700.0, "idle_ms": 500.0}},
    ),
    "pressure_share_at_most": (
        0.5,
        1,
        {"others": {"pressure_ms": 700.0, "idle_ms": 500.0}, "run": {"targets": NAMED}},
        {"others": {"pressure_ms": 950.0, "idle_ms": 500.0}, "run": {"targets": NAMED}},
    ),
    "wall_clock_ms_at_most": (30, 500, {"wall_ms": 80.0}, {"wall_ms": 300.0}),
    "asleep_ms_at_most": (30, 500, {"asleep_ms": 80.0}, {"asleep_ms": 300.0}),
    "lateness_ms_at_most": (20, 50, {"late_ms": 40.0}, {"late_ms": 40.0}),
}


def test_every_figure_of_the_gate_has_a_limit_of_the_same_name() -> None:
    """What the report calls it, the scenario sets."""
    assert {f"{name}_at_most" for name in (*CHECKS, "lateness_ms")} == set(Harness.model_fields) == set(SET)


@pytest.mark.parametrize("name", SET)
def test_a_scenario_sets_the_harness_limits(name: str) -> None:
    """Beyond the stricter limit and within the default; beyond the default and within the looser one.

    Lateness cannot be looser than 50 ms.
    """
    strict, loose, little, much = SET[name]
    assert judged(**little) == ()
    (reason,) = judged(**little, harness={name: strict})
    assert f"the limit is {strict:.0%}" in reason or f"the limit is {strict:g}" in reason
    if name != "lateness_ms_at_most":
        assert len(judged(**much)) == 1
    assert judged(**much, harness={name: loose}) == ()
