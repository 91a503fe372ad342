"""What spares a target: when a run is stopped for its sake, and what an authorisation's time and rate forbid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.record import OUTCOMES, SAMPLE
from scenarios.targets import Targets
from simulator.composition import Composition, What, compose
from simulator.plan import authorised_rate, limits_missed
from simulator.protection import SAMPLES_AT_LEAST, Protection, leave_faults, leave_notes
from simulator.protocols.messages import REASONS
from tests.leave import leave

STEPS = ("identity.entry", "identity.login_page", "identity.login", "management.register", "ready")
NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
LEAVE = {
    "hosts": ["127.0.0.2"],
    "owner": "City of Example",
    "approved_by": "T. Sato",
    "from": (NOON - timedelta(hours=1)).isoformat(),
    "until": (NOON + timedelta(hours=1)).isoformat(),
    "max_rate_per_s": 100.0,
}


def targets(*, leave: dict[str, Any] | None = None, **identity: Any) -> Targets:
    """An identity provider that somebody named, and the leave to load it."""
    told = {"targets": {"identity": {"url": "http://127.0.0.2:8080", **identity}}, "authorisation": leave}
    return Targets.model_validate(told, strict=False)


def samples(step: str, outcome: str, done: list[float], reason: str = "") -> np.ndarray:
    """Samples of one step that ended at those run seconds."""
    made = np.zeros(len(done), SAMPLE)
    made["step"], made["outcome"] = STEPS.index(step), OUTCOMES.index(outcome)
    made["reason"] = REASONS.index(reason or ("none" if outcome == "ok" else "http_status"))
    made["done"] = done
    return made


def stopped(protection: Protection, now: float) -> str:
    """Why the run must stop, "" while it may go on."""
    verdict = protection.verdict(now, NOON.timestamp())
    return f"{verdict[0]}: {verdict[1]}" if verdict else ""


def test_what_stands_in_around_a_target_is_not_the_target() -> None:
    """Google's accounts answer the entry: that they give in spares nobody."""
    protection = Protection(STEPS, targets())
    protection.take(samples("identity.entry", "failed", [11.5] * 100, "connect_refused"))
    assert stopped(protection, 12) == ""


def test_a_target_that_gives_in() -> None:
    """Half of a step other than ok within 30 s stops the run, and the words say which, how many and why."""
    protection = Protection(STEPS, targets())
    protection.take(samples("identity.login", "ok", [float(second) for second in range(11)]))
    assert stopped(protection, 11) == ""
    protection.take(samples("identity.login", "failed", [11.5] * 10, "connect_refused"))
    assert stopped(protection, 12) == ""
    protection.take(samples("identity.login", "unknown", [12.5], "timeout"))
    assert stopped(protection, 13) == (
        "aborted: 11 of 22 identity.login in 30 s did not end ok, most of them connect_refused;"
        " abort_when stops the run at 50%"
    )


def test_what_is_long_ago_counts_no_more() -> None:
    """The share is of the last `over_s` seconds: a thousand good answers a minute ago do not hide an outage."""
    protection = Protection(STEPS, targets(abort_when={"error_share": 0.9, "over_s": 10.0}))
    protection.take(samples("identity.login", "ok", [float(second) / 20 for second in range(1000)]))
    protection.take(samples("identity.login", "refused", [62.0] * 20, "http_status"))
    assert "20 of 20 identity.login in 10 s" in stopped(protection, 63)
    assert stopped(protection, 80) == ""


@pytest.mark.parametrize(
    ("step", "outcome", "count"),
    [
        ("identity.login", "ok", 1000),
        ("identity.login", "skipped", 1000),
        ("identity.login", "failed", SAMPLES_AT_LEAST - 1),
        ("management.register", "failed", 1000),
        ("ready", "failed", 1000),
    ],
)
def test_what_stops_nothing(step: str, outcome: str, count: int) -> None:
    """Good answers, what was never sent, a handful, stand-ins and milestones stop no run."""
    protection = Protection(STEPS, targets())
    protection.take(samples(step, outcome, [1.0] * count))
    assert stopped(protection, 2) == ""


def test_each_step_is_judged_alone() -> None:
    """A login page that answers does not hide a login that fails: the good ones of another step count for nothing."""
    protection = Protection(STEPS, targets())
    protection.take(samples("identity.login_page", "ok", [1.0] * 1000))
    protection.take(samples("identity.login", "failed", [1.0] * 20, "connect_refused"))
    assert "20 of 20 identity.login" in stopped(protection, 2)


def test_a_staging_copy_is_loaded_until_it_gives_in() -> None:
    """`staging` takes the stop away, an abort_when of its own brings it back."""
    failing = samples("identity.login", "failed", [1.0] * 100)
    for told, stops in (
        ({}, True),
        ({"staging": True}, False),
        ({"staging": True, "abort_when": {"error_share": 0.5, "over_s": 5}}, True),
    ):
        protection = Protection(STEPS, targets(**told))
        protection.take(failing)
        assert bool(stopped(protection, 2)) is stops


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans()), min_size=1, max_size=60), st.integers(1, 5))
def test_batches_do_not_matter(ends: list[tuple[float, bool]], parts: int) -> None:
    """The verdict is the share of the samples of the window, however they were cut into batches: counted plainly."""
    protection = Protection(STEPS, targets(abort_when={"error_share": 0.3, "over_s": 50.0}))
    for part in range(parts):
        for good in (True, False):
            done = [at for at, ok in ends[part::parts] if ok is good]
            protection.take(samples("identity.login", "ok" if good else "failed", done))
    within = [ok for at, ok in ends if at >= 50]
    bad = within.count(False)
    stops = len(within) >= SAMPLES_AT_LEAST and bad >= 0.3 * len(within)
    assert bool(stopped(protection, 100.0)) is stops


def test_an_authorisation_ends_within_a_run() -> None:
    """From `until` on, not before, the run must stop, and it says at which instant its leave ended."""
    protection = Protection(STEPS, targets(leave=LEAVE))
    end = (NOON + timedelta(hours=1)).timestamp()
    assert protection.verdict(0, end - 0.001) is None
    verdict = protection.verdict(0, end)
    assert verdict is not None
    assert verdict[0] == "authorisation over"
    assert "2026-04-01T13:00:00+00:00" in verdict[1]


def composed(folder: Path, devices: int, *, compression: float = 1.0) -> Composition:
    """The shipped morning against a provider at an address that needs leave."""
    (folder / "targets.toml").write_text(leave(LEAVE["from"], LEAVE["until"], 100))
    return compose(What(devices=devices, compression=compression, targets_file=folder / "targets.toml"))


def test_the_leave_must_hold_now(tmp_path: Path) -> None:
    """Before `from` and from `until` on nothing begins; in between it does, with a note if the time will not do."""
    composition = composed(tmp_path, 2680)
    first, end = NOON.timestamp() - 3600, NOON.timestamp() + 3600
    for now, faults in ((first - 1, 1), (first, 0), (end - 1, 0), (end, 1)):
        assert len(leave_faults(composition, now)) == faults
    length = composition.end_s
    assert leave_notes(composition, end - length) == []
    assert "ends 60 s before the run would" in leave_notes(composition, end - length + 60)[0]


def test_a_plan_above_the_authorised_rate_is_refused(tmp_path: Path) -> None:
    """The peak, with room for its chance, is worked out beforehand: 2.4 times the mean of 2,600 in an hour."""
    composition = composed(tmp_path, 2680)
    rate = authorised_rate(composition)
    assert rate is not None
    # 2600 / 3600 * 2.4 = 1.73 sign-ins a second, each a handful of requests of the service
    assert 1.73 * 2 < rate[0] < 1.73 * 30
    assert limits_missed(composition, 1) == []
    missed = limits_missed(composed(tmp_path, 2680, compression=30.0), 1)
    assert len(missed) == 1
    assert "max_rate_per_s is 100" in missed[0]
    assert authorised_rate(compose(What(devices=2680, targets=["identity=http://127.0.0.1:1"]))) is None
