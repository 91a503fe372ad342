"""What to do next: for every verdict and cause a step that somebody can take."""

from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest

from reports.advice import HINTS, SHOWN, advice, hint
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.steps import Steps
from reports.story import story
from reports.summary import summarise
from simulator.protocols.messages import REASONS

TARGET = {"identity": {"url": "https://sso.city.example", "basis": "target"}}


def told(samples: np.ndarray, *, say: Say = ENGLISH, health: Any = (), **changes: Any) -> list[str]:
    """The advice on a run of these samples."""
    run = {"format": 1, **made_run.run_json(**changes)}
    data = RunData(Path("x"), run, samples, [], list(health))
    summary = summarise(data)
    of = story(data, Steps(run, samples), summary, say)
    return advice(run, summary, of.ways, of.clusters[0], say)


def scenario(*objectives: dict[str, Any]) -> dict[str, Any]:
    """The made-up scenario with these objectives."""
    made = made_run.run_json()["scenario"]
    return {**made, "folded": {**made["folded"], "objectives": list(objectives)}}


GOOD = made_run.morning(2680)
QUEUED = GOOD.copy()
QUEUED["sent"][QUEUED["trigger"] < 2] += 0.3
SLOW_LOGIN = {"step": "ready", "percentile": 95.0, "latency_s_at_most": 1.0}
ABORTED = {"reason": "aborted", "detail": "x"}
AT_ITS_LIMIT = {"step": "ready", "percentile": 95.0, "latency_s_at_most": 16.5}


@pytest.mark.parametrize(
    ("case", "first", "last"),
    [
        ({"samples": GOOD}, "Nothing of yours was tested yet", "run with the same option."),
        ({"samples": GOOD, "targets": TARGET}, "This was a stress", "fleetrush capacity morning_peak."),
        ({"samples": GOOD, "targets": TARGET, "compression": 1}, "Keep this run as a baseline", "morning_peak."),
        ({"samples": GOOD, "scenario": scenario()}, "Say in the scenario what has to hold", "latency_s_at_most."),
        ({"samples": GOOD, "scenario": scenario(SLOW_LOGIN)}, "9", "run with the same option."),
        ({"samples": made_run.morning(2680, broken=0.2)}, "Begin with identity.login: 5", "run with the same option."),
        (
            {"samples": made_run.morning(60)},
            "ready p95 latency, identity.login p95 latency and applied p95 latency: play more devices",
            "run with the same option.",
        ),
        (
            {"samples": GOOD[:0]},
            "Nothing of ready, identity.login, applied and all was recorded",
            "run with the same option.",
        ),
        (
            {"samples": QUEUED},
            "End other work on this machine, play with more engines",
            "neither a good nor a bad one.",
        ),
        ({"samples": GOOD, "untrusted": ["engine 1 ended early"]}, "Part of the run was lost", "nor a bad one."),
        ({"samples": GOOD, "ended": None}, "Look for who ended it (memory,", "neither a good nor a bad one."),
        (
            {"samples": GOOD, "partial": True, "ended": {"reason": "interrupted", "detail": ""}},
            "Run it to its end: fleetrush run morning_peak --seed 1",
            "--seed 1",
        ),
        (
            {
                "samples": made_run.morning(2680, broken=0.9),
                "partial": True,
                "ended": ABORTED,
            },
            "Read the target's own log for this time",
            "is loaded to the end.",
        ),
    ],
)
def test_each_end_has_its_next_step(case: dict[str, Any], first: str, last: str) -> None:
    """The most pressing first, no more than can be read at once, each once, the same number in Japanese."""
    said = told(**case)
    assert said[0].startswith(first), said
    assert said[-1].endswith(last), said
    assert len(said) == len(set(said)) <= SHOWN
    japanese = told(**case, say=Say("ja"))
    assert len(japanese) == len(said)
    assert not set(japanese) & set(said)


def test_a_slow_ready_names_who_takes_the_time() -> None:
    """Where a service takes most of the wait of the slow, it and its slowest step are named."""
    samples = GOOD.copy()
    step = {
        name: made_run.STEPS.index(name) for name in ("identity.token", "ready", "signed_in", "management.user_policy")
    }
    for name in ("identity.token", "management.user_policy", "signed_in", "ready"):
        at = samples["step"] == step[name]
        samples["done"][at] += 60.0
        if name == "management.user_policy":
            samples["sent"][at] += 60.0
    (first, *_) = told(samples, scenario=scenario(SLOW_LOGIN))
    assert first.startswith("Begin with identity: it takes 6")
    assert "most of it in identity.token" in first


def test_a_slow_step_is_told_by_its_service_time() -> None:
    """A step of its own is pointed at on its server."""
    (first, *_) = told(
        GOOD, scenario=scenario({"step": "identity.login", "percentile": 95.0, "latency_s_at_most": 0.1})
    )
    assert first.startswith("Look at identity.login on its server: of what was sent, 95 of 100 took up to 1.3")


def test_a_band_on_its_limit_asks_for_repetition() -> None:
    """Undecided by nearness, not by count."""
    ready = GOOD[(GOOD["step"] == made_run.STEPS.index("ready"))]
    limit = float(np.sort(ready["done"] - ready["due"])[int(ready.size * 0.95)])
    (first, *_) = told(GOOD, scenario=scenario({**AT_ITS_LIMIT, "latency_s_at_most": limit}))
    assert first.startswith("At the limit: ready p95 latency. Repeat the run to decide")


def test_every_reason_has_a_hint() -> None:
    """Whatever a step may end as; no row is of a reason that is none."""
    assert set(HINTS) <= set(REASONS)
    for reason in REASONS:
        assert hint(reason, ENGLISH)
        assert hint(reason, Say("ja"))
    assert "SAML" in hint("assertion_expired", ENGLISH)


def test_worse_than_before_is_no_baseline_for_the_next() -> None:
    """No limit missed, and yet: what became worse since which run is looked for before anything else."""
    run = {"format": 1, **made_run.run_json(targets=TARGET, compression=1)}
    steps = Steps(run, GOOD)
    data = RunData(Path("x"), run, GOOD)
    rows = [{"name": "ready p95 latency", "verdict": "regressed"}, {"name": "all errors", "verdict": "same"}]
    summary = {**summarise(data, steps), "comparison": {"objectives": rows, "baselines": ["older", "night-7"]}}
    of = story(data, steps, summary)
    first, last = advice(run, summary, of.ways, of.clusters[0], ENGLISH)
    assert first.startswith("Find out what changed since night-7: ready p95 latency became worse")
    assert last.startswith("Then run the same again")
