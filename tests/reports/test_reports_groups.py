"""Samples in groups, against figures worked out by hand or by another way of counting."""

from pathlib import Path
from typing import Any

import made_run
import numpy as np

from reports import groups
from reports.groups import clusters, heat
from reports.headroom import nearest, of_harness
from reports.runfolder import RunData
from reports.series import axis_of


def run_of(samples: np.ndarray, examples: list | None = None) -> RunData:
    """A run of these samples."""
    return RunData(Path("x"), {"format": 1, **made_run.run_json()}, samples, examples or [])


def test_people_are_told_by_where_they_are() -> None:
    """Group 0 waits 1 to 100 s, group 1 a second each, group 2 has nobody; one of group 1 got nowhere."""
    samples = made_run.rows("ready", 200, device=np.arange(200))
    samples["done"][:100] = np.arange(1, 101)
    samples["done"][100:] = 1.0
    samples["outcome"][199] = 2
    group = np.repeat([0, 1], 100)
    slow, quick = groups.by_group(samples, group, ["hall", "branch", "nowhere"])
    assert (slow["name"], slow["count"], slow["not_ok"]) == ("hall", 100, 0)
    assert (slow["p50"], slow["p95"]) == (50_000.0, 95_000.0)
    assert slow["band"][0] < 95_000.0 < slow["band"][1]
    assert (quick["name"], quick["not_ok"], quick["p95"]) == ("branch", 1, 1000.0)


def test_a_sample_of_no_device_is_in_no_group() -> None:
    """The operator's samples, and rows the fleet does not have."""
    samples = made_run.rows("ready", 2, device=[made_run.OPERATOR, 0], done=1.0)
    (only,) = groups.by_group(samples, np.zeros(1, np.uint8), ["hall"])
    assert only["count"] == 1


def test_the_heat_map_counts_every_ok_latency_once() -> None:
    """A cell counts the latencies between its bounds, in its time; together they are all that ended ok."""
    samples = made_run.morning(2000, broken=0.1)
    data = run_of(samples)
    logins = samples[samples["step"] == made_run.STEPS.index("identity.login")]
    axis = axis_of(data)
    cells = heat(logins, axis)
    ok = logins[logins["outcome"] == 0]
    assert sum(cell["count"] for cell in cells) == ok.size
    city_ms = (data.run["day_start_s"] + (ok["due"] - data.run["lead_s"]) * data.run["compression"]) * 1000
    seconds = ok["done"] - ok["due"]
    for cell in cells[:: max(1, len(cells) // 20)]:
        inside = (city_ms >= cell["from"] - 1) & (city_ms < cell["to"] + 1)
        inside &= (seconds >= cell["low"] * 0.9999) & (seconds < cell["high"] * 1.0001)
        assert abs(int(inside.sum()) - cell["count"]) <= 1
    assert len({(cell["from"], cell["low"]) for cell in cells}) == len(cells)
    assert len({cell["from"] for cell in cells}) <= groups.COLUMNS_AT_MOST


def test_errors_are_gathered_by_what_they_share() -> None:
    """Timeouts of two steps are one cluster; another status is another; what only followed comes last, however many."""
    parts = [
        made_run.rows("identity.login", 5, outcome=3, reason=2, due=40.0 + np.arange(5)),
        made_run.rows("identity.entry", 2, outcome=3, reason=2, due=50.0),
        made_run.rows("identity.token", 3, outcome=1, reason=1, status=503, due=60.0),
        made_run.rows("identity.token", 1, outcome=1, reason=1, status=429, due=60.0),
        made_run.rows("management.user_policy", 99, outcome=4, reason=4, due=60.0),
        made_run.rows("ready", 99, outcome=4, reason=4, due=60.0),
        made_run.rows("push.connect", 9),
    ]
    made, more, more_count = clusters(run_of(np.concatenate(parts)))
    told = [(one.reason, one.status, one.count, one.steps) for one in made]
    assert told == [
        ("timeout", 0, 7, [("identity.login", 5), ("identity.entry", 2)]),
        ("http_status", 503, 3, [("identity.token", 3)]),
        ("http_status", 429, 1, [("identity.token", 1)]),
        ("earlier_step", 0, 99, [("management.user_policy", 99)]),
    ]
    assert (made[0].first_s, made[0].last_s) == (40.0, 50.0)
    assert (more, more_count) == (0, 0)


def test_examples_that_say_the_same_are_shown_once() -> None:
    """Three that differ in more than numbers and ids, of those that fit the cluster."""
    texts = ["queue 17 full", "queue 23 full", "no answer from 4f2a9c0d11", "no answer from aa00bb11cc", "gone", "away"]
    examples = [
        {"step": "identity.login", "reason": "timeout", "status": 0, "detail": text, "url": "", "device": 1, "at_s": 1}
        for text in texts
    ]
    samples = made_run.rows("identity.login", 5, outcome=3, reason=2)
    ((only,), _, _) = clusters(run_of(samples, [*examples, {**examples[0], "reason": "name_unknown"}]))
    assert [one["detail"] for one in only.examples] == ["queue 17 full", "no answer from 4f2a9c0d11", "gone"]


def of_limit(name: str, value: float | None, limit: float, verdict: str = "pass", **more: Any) -> dict[str, Any]:
    """A row of `objectives`."""
    return {"name": name, "value": value, "limit": limit, "unit": "s", "verdict": verdict, **more}


def test_the_nearest_limit() -> None:
    """In shares of the limit; what is not known but among the lost is beyond all; a time of day kept has no share."""
    rows = [
        of_limit("a", 10.0, 30.0),
        of_limit("b", 0.004, 0.005, unit="share"),
        of_limit("c", None, 2.0, "unknown"),
        of_limit("e", 31_000.0, 31_800.0, unit="clock"),
        of_limit("f", 0.0, 0.0, unit="share"),
    ]
    share, row = nearest(rows) or (0, {})
    assert (round(share, 6), row["name"]) == (0.8, "b")
    share, row = nearest([*rows, of_limit("d", None, 10.0, "fail", at_least=9.0)]) or (0, {})
    assert (share, row["name"]) == (float("inf"), "d")
    assert nearest([of_limit("c", None, 2.0, "unknown")]) is None


def test_a_missed_limit_is_nearer_than_any_that_is_kept() -> None:
    """A limit of 0 and a time of day too, which have no share; of several the one that is furthest beyond."""
    kept = of_limit("a", 29.0, 30.0)
    for missed in (
        of_limit("all errors", 0.002, 0.0, "fail", unit="share"),
        of_limit("ready on 95 % of devices", 32_000.0, 31_800.0, "fail", unit="clock"),
        of_limit("ready p95 latency", None, 30.0, "fail", at_least=None),
    ):
        share, row = nearest([kept, missed]) or (0, {})
        assert (share, row["name"]) == (float("inf"), missed["name"])
    # the counted share of all runs keeps the limit, one run does not: the verdict counts, not the figure
    share, row = nearest([kept, of_limit("b", 1.0, 30.0, "fail"), of_limit("c", 45.0, 30.0, "fail")]) or (0, {})
    assert (share, row["name"]) == (1.5, "c")


def test_what_the_harness_had_left() -> None:
    """Each of its measures that has a limit and a figure."""
    harness = {
        "trustworthy": True,
        "reasons": [],
        "lateness_ms": {"worst_window": 5.0, "limit": 50.0},
        "pressure_share": {"worst_window": 0.5, "limit": None},
        "runqueue_share": {"worst_window": None, "limit": 0.25},
    }
    assert [(row["name"], row["used"]) for row in of_harness(harness)] == [("lateness_ms", 0.1)]
