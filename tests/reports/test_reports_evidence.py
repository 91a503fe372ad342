"""What is counted of each kind of objective, and judged: by hand, on a few samples, in a window and at a pace."""

from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest

from reports.objectives import judge, read_objectives
from reports.record import OPERATOR
from reports.runfolder import RunData
from reports.summary import summarise

LEAD_S, DAY_START_S, PACE = 10.0, 28_800.0, 60.0  # 08:00


def due(clock_s: float) -> float:
    """The run second of a city instant, in seconds after 08:00."""
    return LEAD_S + clock_s / PACE


def judged(samples: np.ndarray, *objectives: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows of summary.json's objectives."""
    run = made_run.run_json(lead_s=LEAD_S, day_start_s=DAY_START_S, compression=PACE)
    run["scenario"]["folded"] = {**run["scenario"]["folded"], "objectives": list(objectives)}
    return summarise(RunData(Path("x"), run, samples))["objectives"]


def ready(starts: list[float], took: list[float], **columns: Any) -> np.ndarray:
    """One `ready` a device: due that many city seconds after 08:00, and so many real seconds to it."""
    begun = np.array([due(one) for one in starts])
    times = {"due": begun, "able": begun, "sent": begun, "done": begun + np.array(took)}
    return made_run.rows("ready", len(starts), device=np.arange(len(starts)), **times, **columns)


def test_a_window_counts_what_was_due_in_it() -> None:
    """From `from` on, before `until`: the slow half hour does not speak for the other, errors neither."""
    # 100 due 08:00:00 to 08:01:39 in 1 s each, 100 due 08:10:00 to 08:11:39 in 9 s each, of which 10 fail
    starts = [float(at) for at in range(100)] + [600.0 + at for at in range(100)]
    outcomes = np.array([0] * 190 + [1] * 10)
    rows = ready(starts, [1.0] * 100 + [9.0] * 100, outcome=outcomes)
    limit = {"step": "ready", "percentile": 50.0, "latency_s_at_most": 5.0}
    errors = {"step": "ready", "error_share_at_most": 0.07}
    first, second, until, from_on, edge, share, early = judged(
        rows,
        limit | {"from": "08:00", "until": "08:05"},
        limit | {"from": "08:05", "until": "08:15"},
        limit | {"until": "08:10"},
        limit | {"from": "08:10"},
        limit | {"from": "08:01:39", "until": "08:10:01"},
        errors | {"from": "08:05"},
        errors | {"until": "08:05"},
    )
    assert [row["value"] for row in (first, second, until, from_on)] == pytest.approx([1.0, 9.0, 1.0, 9.0])
    assert [row["verdict"] for row in (first, second, until, from_on)] == ["pass", "fail", "pass", "fail"]
    # one of the first hundred and one of the second: two are too few for a band, and both were counted
    assert (edge["verdict"], edge["reason"]) == ("unknown", "2 samples are too few: p50 needs 6")
    assert (share["value"], share["reason"], share["verdict"]) == (0.1, "10 of 100 did not end ok", "fail")
    assert (early["value"], early["verdict"]) == (0.0, "pass")
    assert second["name"] == "ready p50 latency, due from 08:05 until 08:15"


def test_errors_apart() -> None:
    """Of 100 samples 4 were refused, 3 failed, 2 are unknown and 1 was skipped; milestones are not among all."""
    outcome = np.array([0] * 90 + [1] * 4 + [2] * 3 + [3] * 2 + [4])
    steps = [
        made_run.rows(name, 100, due=LEAD_S, done=LEAD_S + 1, outcome=outcome) for name in ("push.connect", "ready")
    ]
    kinds = (["refused"], ["failed"], ["unknown"], ["skipped"], ["refused", "unknown"], None)
    asked = [
        {"step": step, "error_share_at_most": 0.05, "outcomes": kind} for step in ("ready", "all") for kind in kinds
    ]
    rows = judged(np.concatenate(steps), *asked)
    assert [row["value"] for row in rows] == [0.04, 0.03, 0.02, 0.01, 0.06, 0.1] * 2
    assert [row["verdict"] for row in rows] == (["pass"] * 4 + ["fail"] * 2) * 2
    assert [row["name"] for row in rows][3:6] == ["ready skipped", "ready refused or unknown", "ready errors"]
    assert rows[4]["reason"] == "6 of 100 ended refused or unknown"


def test_when_a_share_of_the_devices_is_done() -> None:
    """A device is done at its start in city time and the real seconds it took, whatever the pace; the operator is none.

    1,000 lids open a city second apart from 08:00 on, each ready 30 real seconds later: the 950th, which opened at
    08:15:49, is ready at 08:16:19. By hand, the band of p95 lies at ranks 936 and 964: 14 s before and after.
    """
    rows = ready([float(at) for at in range(1000)], [30.0] * 1000)
    act = made_run.rows("ready", 1, due=due(0), done=due(0) + 9000, device=OPERATOR)
    by = {"step": "ready", "done_share": 0.95}
    holds, fails, open_one, within, too_late, everybody = judged(
        np.concatenate([rows, act]),
        by | {"done_by": "08:16:34"},
        by | {"done_by": "08:16:04"},
        by | {"done_by": "08:16:19"},
        by | {"done_within_s": 46.2},
        by | {"done_within_s": 45.0},
        {"step": "ready", "done_share": 1.0, "done_by": "08:17:09"},
    )
    after = [holds["value"] - 28_800, holds["low"] - 28_800, holds["high"] - 28_800]
    assert after == pytest.approx([949 + 30, 935 + 30, 963 + 30])
    assert [row["verdict"] for row in (holds, fails, open_one)] == ["pass", "fail", "unknown"]
    assert (holds["unit"], holds["name"]) == ("clock", "ready on 95 % of devices")
    # real seconds from the first lid: at 60 times the pace the 950th opened 949 / 60 s after it, the 964th 963 / 60 s
    assert (within["value"], within["high"]) == (pytest.approx(949 / 60 + 30), pytest.approx(963 / 60 + 30))
    assert (within["unit"], within["verdict"]) == ("s", "pass")
    assert too_late["verdict"] == "fail"
    assert (everybody["value"], everybody["low"]) == (pytest.approx(28_800 + 999 + 30), None)
    assert (everybody["verdict"], everybody["reason"]) == ("pass", "the last of 1,000 devices")


def test_devices_that_never_got_there() -> None:
    """They rank above all others: with a tenth of them, no share of 95 % was ever done; a second try counts."""
    rows = ready([0.0] * 200, [1.0] * 200, outcome=np.array([4] * 20 + [0] * 180))
    again = rows[:15].copy()
    again["outcome"], again["done"] = 0, again["due"] + 2
    asked = {"step": "ready", "done_share": 0.95, "done_by": "09:00"}
    everybody = {"step": "ready", "done_share": 1.0, "done_by": "09:00"}
    never, missing = judged(rows, asked, everybody)
    assert (never["value"], never["at_least"], never["verdict"]) == (None, 28_801.0, "fail")
    assert (missing["verdict"], missing["reason"]) == ("fail", "20 of 200 devices never got there")
    (tried, _) = judged(np.concatenate([rows, again]), asked, everybody)
    assert tried["value"] == pytest.approx(28_802)


def test_none_ok_is_no_missing_evidence() -> None:
    """A percentile among outcomes other than ok has `at_least`, null where nothing ended ok; no evidence has none."""
    rows = ready([0.0] * 100, [1.0] * 100, outcome=2)
    asked = {"step": "ready", "percentile": 95.0, "latency_s_at_most": 1.0}
    none_ok, nothing = judged(rows, asked, asked | {"step": "signed_in"})
    assert (none_ok["value"], none_ok["at_least"], none_ok["verdict"]) == (None, None, "fail")
    assert "at_least" not in nothing
    assert (nothing["verdict"], nothing["reason"]) == ("unknown", "nothing of it was recorded")


def test_an_objective_is_read_as_it_was_folded() -> None:
    """Times of the day as a scenario writes them; a share of devices is a percentile of them."""
    (one,) = read_objectives(
        {"objectives": [{"step": "ready", "done_share": 0.9, "done_by": "08:40", "from": "08:00"}]}
    )
    assert (one.measure, one.limit, one.percentile, one.from_s, one.until_s) == ("done_by", 31_200, 90, 28_800, None)
    assert judge(one, None)["verdict"] == "unknown"
