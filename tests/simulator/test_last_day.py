"""A fleet that is given up: registrations and licences go back, and nothing is asked with them any more."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from reports.record import OUTCOMES, SAMPLE
from scenarios.load import Overrides, load
from simulator.composition import KNOWN, What, compose
from simulator.journeys import STEPS
from simulator.plan import forecast
from simulator.rehearsal import Rehearsed, rehearse

# Ten people sign in on ten devices, all leave, and hours later their machines are set up once more.
SCENARIO = """
title = "Leaving"
question = "Who is left?"
organisation = "maebashi"
devices = 10
[day]
start = "08:00"
end = "12:00"
[[waves]]
name = "lids"
who = "all"
journey = "boot"
arrivals = { shape = "at", at = "08:00" }
[[waves]]
name = "given back"
who = "all"
journey = "unregister"
arrivals = { shape = "even", from = "08:10", to = "08:20" }
[backend.enrollment]
licenses = 10
[[waves]]
name = "wiped afterwards"
who = "all"
journey = "wipe"
arrivals = { shape = "at", at = "11:00" }
"""


def _counts(rehearsed: Rehearsed) -> dict[str, Counter[str]]:
    samples: Any = np.frombuffer(rehearsed.samples, SAMPLE)
    counts: dict[str, Counter[str]] = {}
    for step, outcome in zip(samples["step"].tolist(), samples["outcome"].tolist(), strict=True):
        counts.setdefault(STEPS[step], Counter())[OUTCOMES[outcome]] += 1
    return counts


def test_all_are_let_go() -> None:
    """The shipped scenario, small: each device enrolls and leaves, one request each, and the server knows nobody."""
    rehearsed = rehearse(load("last_day", known=KNOWN, overrides=Overrides(devices=100)))
    counts = _counts(rehearsed)
    assert counts["management.register"] == counts["management.unregister"] == {"ok": 100}
    assert "management.unregister_user" not in counts
    assert rehearsed.state["management"]["devices"] == 0


def test_nothing_is_left_to_ask_with(tmp_path: Path) -> None:
    """Users leave before their devices. In the hours after, no timer of theirs asks for anything; wiped, they take the
    licences that they gave back."""
    path = tmp_path / "leaving.toml"
    path.write_text(SCENARIO)
    counts = _counts(rehearse(load(str(path), known=KNOWN, judged=False)))
    assert counts["ready"] == {"ok": 10}
    assert counts["management.unregister"] == counts["management.unregister_user"] == {"ok": 10}
    # before the morning, and after the wipe: ten licences were enough both times
    assert counts["management.register"] == {"ok": 20}
    # enrolled twice and one boot; the three-hourly refresh of 11:00 and later never comes
    assert counts["management.device_policy"] == {"ok": 30}
    assert counts["management.user_policy"] == {"ok": 10}
    # a minute after the boot, and no more
    assert counts["management.status_upload"] == {"ok": 10}


def test_who_is_not_enrolled_cannot_leave(tmp_path: Path) -> None:
    """A machine without a registration asks nothing, and the record says so."""
    path = tmp_path / "leaving.toml"
    path.write_text(SCENARIO.replace("licenses = 10", "licenses = 4"))
    counts = _counts(rehearse(load(str(path), known=KNOWN, judged=False)))
    assert counts["management.unregister"] == {"ok": 4, "skipped": 6}


def test_the_plan_counts_them() -> None:
    """2,680 in an hour at 30 times the pace are 22.3 requests in a second."""
    assert abs(forecast(compose(What("last_day")), 1).peak_steps_per_s - 2680 / 3600 * 30) < 0.01
