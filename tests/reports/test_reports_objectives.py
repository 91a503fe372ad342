"""Objectives: every verdict by hand, the combined one, and the exit code's table."""

import math
from typing import Any

import numpy as np
import pytest

from reports.objectives import Evidence, Objective, combined, exit_code, judge, read_objectives
from reports.percentiles import Ranked


def evidence(seconds: list[float], not_ok: int = 0) -> Evidence:
    """Those latencies, ok, and some samples more that are not."""
    ok = np.array([True] * len(seconds) + [False] * not_ok)
    return Evidence(ok.size, not_ok, Ranked(np.array(seconds + [0.0] * not_ok), ok))


P95 = Objective("ready", "latency", 30.0, 95.0)
# Of 1,000 samples 0.01, 0.02 ... 10.00, the band of p95 lies at ranks 936 and 964: 9.36 s to 9.64 s.
THOUSAND = evidence([rank / 100 for rank in range(1, 1001)])


@pytest.mark.parametrize(
    ("limit", "verdict"),
    [
        (9.64, "pass"),
        (9.63, "unknown"),
        (9.50, "unknown"),
        (9.36, "unknown"),
        (9.35, "fail"),
        (30, "pass"),
        (1, "fail"),
    ],
)
def test_a_percentile_is_judged_by_its_whole_band(limit: float, verdict: str) -> None:
    """Pass with the band's upper end at most the limit, fail with its lower end above, undecided in between."""
    row = judge(Objective("ready", "latency", limit, 95.0), THOUSAND)
    assert (row["value"], row["low"], row["high"]) == (9.5, 9.36, 9.64)
    assert row["verdict"] == verdict


def test_a_percentile_among_failures_fails() -> None:
    """With 10 % not ok, p95 is above every ok: null, at least the slowest ok, and missed whatever the limit."""
    row = judge(P95, evidence([1.0] * 900, not_ok=100))
    assert (row["value"], row["low"], row["high"], row["at_least"]) == (None, None, None, 1.0)
    assert row["verdict"] == "fail"


def test_a_band_that_reaches_into_failures_is_undecided() -> None:
    """5 % not ok: the band of p95 lies partly among them."""
    row = judge(P95, evidence([1.0] * 950, not_ok=50))
    assert (row["value"], row["low"], row["high"]) == (1.0, 1.0, None)
    assert row["verdict"] == "unknown"


def test_too_few_samples_decide_nothing() -> None:
    """71 samples carry no band of p95, however fast they were; 72 do."""
    few, enough = judge(P95, evidence([1.0] * 71)), judge(P95, evidence([1.0] * 72))
    assert (few["verdict"], few["value"]) == ("unknown", 1.0)
    assert "needs 72" in few["reason"]
    assert enough["verdict"] == "pass"


@pytest.mark.parametrize(("not_ok", "verdict"), [(0, "pass"), (5, "pass"), (6, "fail")])
def test_a_share_of_errors_is_counted(not_ok: int, verdict: str) -> None:
    """At most 0.5 % of 1,000 are 5: the limit itself is kept, one more breaks it."""
    row = judge(Objective("all", "errors", 0.005), Evidence(1000, not_ok))
    assert (row["value"], row["low"], row["high"]) == (not_ok / 1000, None, None)
    assert row["verdict"] == verdict


def test_nothing_recorded_is_undecided() -> None:
    """No sample is no evidence, not a pass."""
    assert judge(P95, None)["verdict"] == "unknown"
    assert judge(Objective("x.y", "errors", 0.5), Evidence(0, 0))["verdict"] == "unknown"


def test_a_barred_run_decides_nothing_but_shows_its_values() -> None:
    """Not to be trusted, or cut short: unknown with the reason, for what would pass and what would fail."""
    for limit in (30.0, 0.1):
        row = judge(Objective("ready", "latency", limit, 95.0), THOUSAND, barred="not to be trusted")
        assert (row["verdict"], row["reason"], row["value"]) == ("unknown", "not to be trusted", 9.5)


def test_service_time_is_judged_where_asked() -> None:
    """A service objective reads service times; a milestone has none and cannot be decided."""
    fast = Ranked(np.full(100, 0.5), np.ones(100, np.bool_))
    slow = Ranked(np.full(100, 9.0), np.ones(100, np.bool_))
    asked = Objective("a.b", "service", 1.0, 95.0)
    assert judge(asked, Evidence(100, 0, slow, fast))["verdict"] == "pass"
    assert judge(asked, Evidence(100, 0, fast, slow))["verdict"] == "fail"
    assert judge(asked, Evidence(100, 0, fast, None))["verdict"] == "unknown"


def test_objectives_are_read_as_scenarios_write_them() -> None:
    """Unset limits may be null or absent."""
    folded = {
        "objectives": [
            {"step": "ready", "percentile": 95, "latency_s_at_most": 30, "service_s_at_most": None},
            {"step": "a.b", "percentile": 99.9, "service_s_at_most": 2, "error_share_at_most": None},
            {"step": "all", "percentile": None, "error_share_at_most": 0},
        ]
    }
    found = read_objectives(folded)
    assert found == (P95, Objective("a.b", "service", 2.0, 99.9), Objective("all", "errors", 0.0))
    assert [one.name for one in found] == ["ready p95 latency", "a.b p99.9 service", "all errors"]
    assert read_objectives({}) == ()


def test_the_combined_verdict_is_the_worst() -> None:
    """Fail before unknown before pass, in any order."""
    assert combined(["pass", "unknown", "fail"]) == "fail"
    assert combined(["unknown", "pass"]) == "unknown"
    assert combined(["pass", "pass"]) == "pass"


@pytest.mark.parametrize(
    ("trustworthy", "verdict", "undecided", "partial", "code"),
    [
        (True, "pass", "fail", False, 0),
        (True, "fail", "fail", False, 1),
        (True, "fail", "pass", False, 1),
        (True, "unknown", "fail", False, 4),
        (True, "unknown", "pass", False, 0),
        (True, "unknown", "pass", True, 4),
        (False, "unknown", "pass", False, 3),
        (False, "unknown", "fail", True, 3),
    ],
)
def test_exit_codes(trustworthy: bool, verdict: str, undecided: str, partial: bool, code: int) -> None:
    """The table of the command line, first that applies: 3, 1, 4, 0; undecided may pass, cut short never."""
    summary: dict[str, Any] = {"harness": {"trustworthy": trustworthy}}
    assert exit_code({**summary, "verdict": verdict, "undecided": undecided, "partial": partial}) == code


def test_no_row_holds_what_json_cannot() -> None:
    """Infinity never leaves: summary.json is JSON."""
    row = judge(P95, evidence([], not_ok=100))
    assert not any(isinstance(value, float) and math.isinf(value) for value in row.values())
    assert row["verdict"] == "fail"
