"""What to do next: for every verdict and cause a step that somebody can take."""

import re
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest

from reports.advice import HINTS, LEADS_TO, SHOWN, advice, hint
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.steps import Steps
from reports.story import story
from reports.summary import summarise
from simulator.journeys import JOURNEYS, MILESTONES
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
    acts = [{"at": "08:58", "act": "publish_policy", "with": {"policy": "device", "value": {}}}]
    return {**made, "folded": {**made["folded"], "objectives": list(objectives), "operator": acts}}


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


def missed(samples: np.ndarray, step: str, **limit: Any) -> list[str]:
    """The advice on a run that misses this one objective, in English; in Japanese there is as much."""
    case: dict[str, Any] = {"samples": samples, "scenario": scenario({"step": step, **limit})}
    said = told(**case)
    assert len(told(**case, say=Say("ja"))) == len(said)
    return said


def slower(samples: np.ndarray, later_s: float, *steps: str) -> np.ndarray:
    """The same with these steps later by so much."""
    made = samples.copy()
    made["done"][np.isin(made["step"], [made_run.STEPS.index(name) for name in steps])] += later_s
    return made


LATENCY = {"percentile": 95.0, "latency_s_at_most": 1.0}


def test_a_slow_milestone_names_the_slowest_step_that_leads_to_it() -> None:
    """A policy applied late because the fetch took ten seconds; nothing else of the run is named, however slow.

    Made: fetches log-normal about 12 ms, 95 of 100 below 12 ms * e^(1.645 * 0.5) = 27 ms, and 10 s later.
    """
    run = slower(slower(GOOD, 10.0, "management.device_policy", "applied"), 60.0, "updates.payload")
    first, *_ = missed(run, "applied", **LATENCY)
    assert first == (
        "Begin with management.device_policy, the slowest of the steps that lead to applied: of what was sent in the"
        " whole run, 95 of 100 took up to 10 s."
    )


@pytest.mark.parametrize("limit", [LATENCY, {"done_share": 0.95, "done_within_s": 1.0}])
def test_a_milestone_that_waits_between_its_steps_says_so(limit: dict[str, Any]) -> None:
    """Policies applied 4 s and more after the publish, the fetch 27 ms at most: what remains is no step's."""
    first, *_ = missed(GOOD, "applied", **limit)
    said = re.fullmatch(
        r"Most of the wait for applied \(([\d.]+) s for 95 of 100\) lies between its steps, of which the slowest,"
        r" management.device_policy, took 95 of 100 no more than ([\d.]+) ms: look at how long a push takes .*",
        first,
    )
    assert said, first
    rows = GOOD[(GOOD["step"] == made_run.STEPS.index("applied")) & (GOOD["trigger"] == 3)]
    assert float(said[1]) == pytest.approx(np.quantile(rows["done"] - rows["due"], 0.95), rel=0.02)
    assert 22 < float(said[2]) < 33


def test_signed_in_is_not_told_by_the_way_to_ready() -> None:
    """Where policy makes `ready` late, `signed_in` is told by what leads to it."""
    run = slower(slower(GOOD, 60.0, "management.user_policy", "ready"), 30.0, "identity.token", "signed_in")
    first, *_ = missed(run, "signed_in", **LATENCY)
    assert first.startswith("Begin with identity.token, the slowest of the steps that lead to signed_in")


def test_a_milestone_of_which_no_step_is_known_is_not_talked_about() -> None:
    """Nothing was recorded that leads to it: no dash stands for a figure."""
    alone = GOOD[GOOD["step"] == made_run.STEPS.index("applied")]
    assert missed(alone, "applied", **LATENCY) == told(alone, scenario=scenario({"step": "applied", **LATENCY}))
    assert not any("–" in line or "applied" in line for line in missed(alone, "applied", **LATENCY))


def failed(step: str, count: int, reason: str) -> np.ndarray:
    """So many more samples of a step that did not end ok."""
    at = made_run.REASONS.index(reason)
    return made_run.rows(step, count, outcome=2, reason=at, due=60.0, able=60.0, sent=60.0, done=61.0)


@pytest.mark.parametrize(
    ("step", "first"),
    [
        ("identity.login", "Begin with identity.login: 300 samples ended as timeout."),
        ("all", "Begin with updates.check: 2,000 samples ended as connect_refused."),
        ("updated", "Begin with updates.check: 2,000 samples ended as connect_refused."),
    ],
)
def test_errors_of_a_step_begin_with_that_step(step: str, first: str) -> None:
    """The most frequent trouble of the run is another service's: it is named for that and for all, not for sign-in."""
    lost = failed("updated", 2_000, "earlier_step")
    run = np.concatenate(
        [GOOD, failed("updates.check", 2_000, "connect_refused"), failed("identity.login", 300, "timeout"), lost]
    )
    said = missed(run, step, error_share_at_most=0.0)
    assert said[0] == first
    assert said[1] == hint(first.rsplit(maxsplit=1)[-1].rstrip("."), ENGLISH)


def test_what_kept_people_from_ready_is_told_by_their_own_reason() -> None:
    """Push lines failed more often, and stopped nobody; who was stopped met a time-out."""
    run = np.concatenate(
        [
            *(GOOD, failed("push.connect", 900, "connect_refused"), failed("identity.login", 60, "timeout")),
            *(failed("ready", 60, "timeout"), failed("identity.token", 60, "earlier_step")),
        ]
    )
    assert missed(run, "ready", error_share_at_most=0.0)[0] == "Begin with identity.login: 60 samples ended as timeout."
    run = np.concatenate([GOOD, failed("applied", 5, "run_ended")])
    run["trigger"][-5:] = 3
    first, second, *_ = missed(run, "applied", error_share_at_most=0.0)
    assert first == "Begin with applied: 5 samples ended as run_ended."
    assert second.startswith("The run's own end cut it off")


def test_errors_that_only_follow_are_told_by_their_cause() -> None:
    """Of the step itself nothing but skipped ones: the run's most frequent cause is where to begin."""
    run = np.concatenate(
        [GOOD, failed("management.user_policy", 90, "earlier_step"), failed("identity.login", 80, "timeout")]
    )
    said = missed(run, "management.user_policy", error_share_at_most=0.0)
    assert said[0] == "Begin with identity.login: 80 samples ended as timeout."


def test_the_steps_that_lead_to_a_milestone_are_its_journeys_own() -> None:
    """As the journeys have them, but for reports on a bad policy, and what the operator does for a person."""
    journeys = {
        "signed_in": ("enroll", "boot", "sign_in_only"),
        "ready": ("enroll", "boot", "sign_in", "unlock"),
        "signed_in_again": ("renew_token", "sign_in_again"),
        "applied": ("apply_push", "apply_user_push", "apply_account_push", "fetch_extensions"),
        "updated": ("check_update", "update"),
    }
    assert set(journeys) == set(LEADS_TO) == set(MILESTONES)
    for milestone, names in journeys.items():
        steps = {step for name in names for step in (*JOURNEYS[name].steps, *JOURNEYS[name].maybe)}
        assert set(LEADS_TO[milestone]) == steps - {"management.validation_report", "operator.session"}


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
