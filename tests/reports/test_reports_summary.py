"""summary.json of runs worked out by hand."""

import json
from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest

from reports.runfolder import RunData
from reports.steps import CAUGHT_UP, Steps, basis_of
from reports.summary import summarise

REASON = made_run.REASONS.index


def summed(*parts: np.ndarray, **changes: Any) -> dict[str, Any]:
    """The summary of these samples, having gone through JSON as its file does."""
    run = {"format": 1, **made_run.run_json(**changes)}
    data = RunData(Path("x"), run, np.concatenate(parts) if parts else made_run.rows("ready", 0))
    found: dict[str, Any] = json.loads(json.dumps(summarise(data), allow_nan=False))
    return found


def logins() -> np.ndarray:
    """100 logins that took 10, 20 ... 1000 ms from their due, sent 4 ms after it; the last three did not end ok."""
    due = 40.0 + np.arange(100) / 64
    took = np.arange(1, 101) / 100
    rows = made_run.rows("identity.login", 100, due=due, able=due, sent=due + 0.004, done=due + took, trigger=2)
    rows["device"], rows["bytes_in"], rows["bytes_out"] = np.arange(100), 1000, 200
    rows["outcome"][97:], rows["reason"][97:] = (1, 3, 3), (REASON("http_status"), REASON("timeout"), REASON("timeout"))
    return rows


def test_a_step_by_hand() -> None:
    """Counts, exact percentiles, band, service times, bytes and reasons of 100 samples."""
    row = summed(logins())["steps"]["identity.login"]
    counts = {key: row[key] for key in ("count", "ok", "refused", "failed", "unknown", "skipped")}
    assert counts == {"count": 100, "ok": 97, "refused": 1, "failed": 0, "unknown": 2, "skipped": 0}
    assert row["latency_ms"] == {"p50": 500.0, "p90": 900.0, "p95": 950.0, "p99": None, "p99.9": None, "max": None}
    assert row["at_least_ms"] == 970.0
    assert row["service_ms"]["p95"] == 946.0
    assert row["latency_band_ms"]["p95"] == [900.0, None]
    assert row["latency_band_ms"]["p99"] is None
    assert row["reasons"] == {"timeout": 2, "http_status": 1}
    assert (row["basis"], row["bytes_in"], row["bytes_out"]) == ("stand-in", 100_000, 20_000)


def test_a_milestone_stands_among_the_steps_without_a_service_time() -> None:
    """`ready` counts from its due; it is in no total of steps."""
    ready = made_run.rows("ready", 10, due=40.0, able=40.0, sent=40.0, done=45.0)
    found = summed(logins(), ready)
    assert found["steps"]["ready"]["service_ms"] is None
    assert found["steps"]["ready"]["latency_ms"]["p50"] == 5000.0
    share = next(row for row in found["objectives"] if row["step"] == "all")
    assert share["value"] == 0.03


def test_applied_is_told_apart() -> None:
    """Those online at the publish, and those who caught up: two rows, and the objective judges the first."""
    applied = made_run.rows("applied", 100, due=50.0, done=51.0, trigger=3, device=np.arange(100))
    late = made_run.rows("applied", 40, due=50.0, done=90.0, trigger=2, device=100 + np.arange(40))
    found = summed(applied, late)
    assert found["steps"]["applied"]["count"] == 100
    assert found["steps"][CAUGHT_UP]["count"] == 40
    assert found["steps"]["applied"]["latency_ms"]["max"] == 1000.0
    assert next(row for row in found["objectives"] if row["step"] == "applied")["verdict"] == "pass"
    assert list(summed(late)["steps"]) == [CAUGHT_UP]


def test_devices_are_counted_once() -> None:
    """A device that was ready twice counts once, one that never was ok not at all; enrolled ones add up."""
    ready = made_run.rows("ready", 5, device=[7, 7, 8, 9, 9], outcome=[0, 0, 0, 3, 4])
    enrolled = made_run.rows("management.api_authorization", 4, device=[1, 2, 3, 4], outcome=[0, 0, 0, 2])
    half = made_run.rows("management.register", 1, device=5)
    devices = summed(ready, enrolled, half, enrolled_before=10)["devices"]
    wanted = {"planned": 2680, "enrolled": 13, "signed_in": 0, "ready": 2, "updated": 0, "applied": 0}
    assert devices == wanted | {"enrolled_before": 10}


def test_a_device_without_its_robot_account_is_not_enrolled() -> None:
    """Where tokens of robot accounts are asked for, a device that never got any does not count; a later try does."""
    enrolled = made_run.rows("management.api_authorization", 5, device=[1, 2, 3, 3, 4])
    robots = made_run.rows("ready", 4, device=[1, 2, 3, 3], outcome=[0, 1, 1, 0])
    robots["step"] = len(made_run.STEPS)
    steps = [*made_run.STEPS, "identity.robot_token"]
    assert summed(enrolled, robots, steps=steps)["devices"]["enrolled"] == 3


def test_phases_part_by_due() -> None:
    """Enrollment ends where the morning begins; the busiest second counts what was sent."""
    early = made_run.rows("management.register", 6, due=1.0, sent=[1.0, 1.1, 1.2, 1.9, 2.0, 2.1], done=3.0)
    late = made_run.rows("push.connect", 3, due=40.0, sent=[40.0, 40.5, 41.0], done=60.0, outcome=[0, 1, 4])
    phases = summed(early, late)["phases"]
    lead_s = made_run.LEAD_S
    assert phases["enrollment"] == {"from_s": 0.0, "to_s": lead_s, "count": 6, "not_ok": 0, "peak_per_s": 4}
    assert phases["morning"] == {"from_s": lead_s, "to_s": 60.0, "count": 3, "not_ok": 2, "peak_per_s": 2}


def test_true_update_sizes_are_computed_from_what_was_moved() -> None:
    """Two payloads of 4,194,304 bytes would have been 2.4 GB of 1,200,000,000; other bytes stay as they are."""
    payload = made_run.rows("updates.payload", 2, bytes_in=4_194_304, done=1.0)
    other = made_run.rows("push.connect", 1, bytes_in=1000, bytes_out=500, done=1.0)
    moved = summed(payload, other)["bytes"]
    assert moved == {"in": 8_389_608, "out": 500, "payload_in": 8_388_608, "computed_in": 2_400_001_000}
    assert summed(other)["bytes"]["computed_in"] is None


def test_an_untrusted_run_is_unknown() -> None:
    """Whatever its objectives would say."""
    found = summed(made_run.morning(2680), untrusted=["engine 1 lost"])
    assert found["verdict"] == "unknown"
    assert {row["verdict"] for row in found["objectives"]} == {"unknown"}
    assert found["harness"]["reasons"] == ["engine 1 lost"]


@pytest.mark.parametrize(("broken", "verdict"), [(0.0, "pass"), (0.2, "fail")])
def test_a_morning_is_judged(broken: float, verdict: str) -> None:
    """A healthy one passes with every device where it should be; one whose sign-in breaks fails."""
    found = summed(made_run.morning(2680, broken=broken))
    assert found["verdict"] == verdict
    assert found["devices"]["enrolled"] == 2680
    if not broken:
        assert found["devices"]["ready"] == found["steps"]["ready"]["count"] == 2600


def test_an_interrupted_run_decides_nothing() -> None:
    """Partial: unknown, and marked."""
    found = summed(made_run.morning(2680), partial=True)
    assert (found["partial"], found["verdict"], found["harness"]["trustworthy"]) == (True, "unknown", True)


def test_a_run_without_a_sample_is_summed_up() -> None:
    """Killed early: no step, no evidence, no crash."""
    found = summed()
    assert (found["steps"], found["verdict"]) == ({}, "unknown")


def test_the_keys_are_those_of_the_contract() -> None:
    """A pipeline may rely on each of them."""
    found = summed(logins())
    wanted = {
        "format",
        "scenario",
        "hash",
        "seed",
        "compression",
        "partial",
        "devices",
        "steps",
        "harness",
        "objectives",
    }
    assert wanted | {"verdict"} <= set(found)
    assert {"trustworthy", "reasons", "notes", "lateness_ms", "loop_lag_ms"} <= set(found["harness"])
    assert {"name", "limit", "value", "low", "high", "verdict"} <= set(found["objectives"][0])


def test_every_sample_is_in_one_row() -> None:
    """The rows of all lines together are the samples, none lost, none twice."""
    samples = made_run.morning(300, broken=0.1)
    steps = Steps(made_run.run_json(), samples)
    gathered = np.concatenate([steps.rows(name) for name in steps.names])
    assert (
        np.sort(gathered, order=["step", "device", "due"]).tobytes()
        == np.sort(samples, order=["step", "device", "due"]).tobytes()
    )


def test_a_step_that_run_json_does_not_name_is_our_own_bug() -> None:
    """Said loudly, not counted elsewhere."""
    samples = made_run.rows("ready", 1)
    samples["step"] = 99
    with pytest.raises(ValueError, match="99"):
        Steps(made_run.run_json(), samples)


def test_the_basis_of_a_step_is_its_service_s() -> None:
    """A target answers the steps it is said of; a milestone over several kinds is mixed; the operator's are ours."""
    targets = {"identity": {"basis": "target", "steps": ["identity.login"]}, "push": {"basis": "stand-in"}}
    names = ("identity.login", "identity.token", "push.connect", "ready", "operator.publish_policy")
    assert [basis_of(name, targets) for name in names] == ["target", "stand-in", "stand-in", "mixed", "harness"]
    assert basis_of("ready", {"push": {"basis": "stand-in"}}) == "stand-in"
