"""Outages: the minute, the step and the count are those that happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from lxml import etree

from reports import wording
from reports.junit import junit
from reports.objectives import exit_code
from reports.outages import outages
from reports.page import page
from reports.runfolder import RunData
from reports.steps import Steps
from reports.summary import summarise
from reports.text import text

LEAD_S = made_run.LEAD_S
ABORTED = {
    "utc": "2026-01-15T00:02:30Z",
    "reason": "aborted",
    "detail": "60 of 60 identity.login in 30 s did not end ok",
}
TARGETS = {"identity": {"url": "https://sso.city.example", "basis": "target"}}


def logins(minute: int, count: int, not_ok: int, reason: str = "connect_refused") -> Any:
    """Logins due within one minute of the morning, some of which failed."""
    made = made_run.rows("identity.login", count, due=LEAD_S + 60 * minute + np.linspace(0, 59.9, count))
    made["able"] = made["sent"] = made["due"]
    made["done"] = made["due"] + 0.1
    made["outcome"][:not_ok], made["reason"][:not_ok] = 2, made_run.REASONS.index(reason)
    return made


def found(*parts: Any, **changes: Any) -> list[dict[str, Any]]:
    """The outages of samples put together, the run's clock being real time from 07:55."""
    run = made_run.run_json(compression=1.0, **changes)
    return outages(run, Steps(run, np.concatenate(parts)))


def test_the_minute_is_the_one_it_happened_in() -> None:
    """A provider that answers three minutes, then none: one row, from the fourth minute on, with its counts."""
    rows = found(*(logins(minute, 40, 0) for minute in range(3)), logins(3, 40, 11), logins(4, 50, 50))
    assert rows == [
        {
            "step": "identity.login",
            "from_s": round(LEAD_S + 180, 3),
            "to_s": round(LEAD_S + 300, 3),
            "city_s": 28_500 + 180,
            "count": 90,
            "not_ok": 61,
            "reason": "connect_refused",
        }
    ]
    assert wording.down(rows[0]) == ("07:58:00  identity.login: 61 of 90 not ok within 2 minutes (connect_refused)")


def test_two_outages_are_two() -> None:
    """A good minute between two bad ones parts them."""
    rows = found(logins(0, 40, 40), logins(1, 40, 0), logins(2, 40, 4))
    assert [(row["city_s"] - 28_500, row["count"], row["not_ok"]) for row in rows] == [(0, 40, 40), (120, 40, 4)]


@pytest.mark.parametrize(("count", "not_ok", "down"), [(40, 3, False), (40, 4, True), (9, 9, False), (10, 1, True)])
def test_a_tenth_of_ten(count: int, not_ok: int, down: bool) -> None:
    """A minute is down from a tenth of at least ten on."""
    assert bool(found(logins(0, count, not_ok))) is down


def test_our_own_end_is_no_outage() -> None:
    """What the run's end cut off, and what was skipped, count for nothing."""
    cut, skipped = logins(0, 40, 40, "run_ended"), logins(0, 40, 40, "earlier_step")
    skipped["outcome"] = 4
    assert found(cut, skipped) == []


def told(ended: dict[str, str], partial: bool, **changes: Any) -> tuple[RunData, dict[str, Any]]:
    """A morning whose provider died, ended in that way."""
    run = made_run.run_json(ended=ended, partial=partial, targets=TARGETS, compression=1.0, **changes)
    samples = np.concatenate([made_run.morning(268), logins(1, 60, 60)])
    data = RunData(Path("x"), {"format": 1, **run}, samples[np.argsort(samples["done"])])
    return data, summarise(data)


def test_a_run_that_was_stopped_to_spare_a_target_failed() -> None:
    """Verdict fail, exit 1, a failed case, and every report says what was stopped, when it began and why."""
    data, summary = told(ABORTED, partial=True)
    assert summary["verdict"] == "fail"
    assert exit_code(summary) == 1
    assert {row["verdict"] for row in summary["objectives"]} == {"unknown"}
    said = wording.headline(data.run, summary)
    assert (said.mood, said.word) == ("fail", "Gave in")
    assert ABORTED["detail"] in said.because
    assert "07:56:00  identity.login: 60 of" in text(data.run, summary)
    html = page(data, summary)
    for word in ("Gave in", ABORTED["detail"], "07:56:00", "connect_refused"):
        assert word in html
    cases = etree.fromstring(junit(summary, utc="", seconds=1, host="h"))
    assert [case.get("name") for case in cases.iter("testcase") if case.find("failure") is not None] == [
        "no target gave in"
    ]


def test_trust_goes_first() -> None:
    """A harness that was lost while the target gave in proves nothing about the target: 3."""
    _, summary = told(ABORTED, partial=True, untrusted=["engine 0 was lost"])
    assert (summary["verdict"], exit_code(summary)) == ("unknown", 3)


def test_an_authorisation_that_ended_decides_nothing() -> None:
    """The run is cut short, says why, and ends undecided."""
    ended = {"utc": "2026-01-15T00:02:30Z", "reason": "authorisation over", "detail": "the [authorisation] ended at 9"}
    data, summary = told(ended, partial=True)
    assert (summary["verdict"], exit_code(summary)) == ("unknown", 4)
    assert "the [authorisation] ended at 9" in wording.headline(data.run, summary).because


def test_our_own_cap_untrusts_the_numbers() -> None:
    """Exchanges that max_rate_per_s held back are no fault of the target's: the run asked for less than it should."""
    reasons = (*made_run.REASONS, "rate_cap")
    run = made_run.run_json(reasons=list(reasons))
    samples = made_run.morning(268)
    samples["outcome"][100:103], samples["reason"][100:103] = 4, reasons.index("rate_cap")
    summary = summarise(RunData(Path("x"), {"format": 1, **run}, samples))
    assert "max_rate_per_s held 3 exchanges back" in " ".join(summary["harness"]["reasons"])
    assert exit_code(summary) == 3
