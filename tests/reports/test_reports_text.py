"""The words and number formats every renderer shares, and the terminal's summary."""

from pathlib import Path
from typing import Any

import made_run
import pytest

from reports import wording
from reports.runfolder import RunData
from reports.summary import summarise
from reports.text import text

TARGET = {"identity": {"url": "https://sso.city.example", "basis": "target"}}


def told(*, devices: int = 2680, broken: float = 0.0, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """run.json and summary of a made-up morning."""
    run = {"format": 1, **made_run.run_json(**changes)}
    return run, summarise(RunData(Path("x"), run, made_run.morning(devices, broken=broken)))


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (None, "–"),
        (0.0, "0 ms"),
        (0.25, "0.25 ms"),
        (12.34, "12.3 ms"),
        (999.4, "999 ms"),
        (999.6, "1 s"),
        (12_345, "12.3 s"),
    ],
)
def test_durations(ms: float | None, said: str) -> None:
    """Three digits, and the unit that suits."""
    assert wording.duration(ms) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [(0, "0 %"), (1, "100 %"), (0.005, "0.50 %"), (0.5, "50.0 %"), (1e-7, "< 0.01 %"), (1 - 1e-7, "> 99.99 %")],
)
def test_shares_are_never_rounded_to_none_or_all(value: float, said: str) -> None:
    """One error in ten million is not 0 %."""
    assert wording.share(value) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (999_999, "1 MB"), (2.4e9, "2.4 GB"), (1.07e12, "1.07 TB")],
)
def test_sizes(count: float, said: str) -> None:
    """Powers of a thousand."""
    assert wording.size(count) == said


def test_spans_say_the_unit_once() -> None:
    """And what is among errors is said so."""
    assert wording.span(20.3, 21.3) == "20.3–21.3 ms"
    assert wording.span(900, 1100) == "900 ms–1.1 s"
    assert wording.span(900, None) == "over 900 ms"
    assert wording.span(None, None) == "among errors"


def test_city_clock_runs_past_midnight() -> None:
    """25:00 is 01:00."""
    assert wording.city_clock(28_500) == "07:55:00"
    assert wording.city_clock(90_000) == "01:00:00"


@pytest.mark.parametrize(
    ("made", "mood", "word"),
    [
        ({}, "pass", "Holds in rehearsal"),
        ({"targets": TARGET}, "pass", "Holds"),
        ({"broken": 0.2}, "fail", "Does not hold in rehearsal"),
        ({"broken": 0.2, "targets": TARGET}, "fail", "Does not hold"),
        ({"devices": 60}, "unknown", "Undecided"),
        ({"partial": True}, "unknown", "Cut short"),
        ({"untrusted": ["engine 1 lost"], "broken": 0.2}, "untrusted", "Cannot be trusted"),
    ],
)
def test_the_headline(made: dict[str, Any], mood: str, word: str) -> None:
    """The verdict in words; against stand-ins alone it is a rehearsal."""
    said = wording.headline(*told(**made))
    assert (said.mood, said.word) == (mood, word)
    assert said.because.endswith(".")


def test_a_scenario_without_objectives_is_not_called_good() -> None:
    """Nothing was asked, so nothing holds."""
    run = made_run.run_json()
    run["scenario"]["folded"]["objectives"] = []
    assert wording.headline(*told(scenario=run["scenario"])).word == "Not judged"


def test_the_standing_says_what_was_tested_and_at_what_pace() -> None:
    """A compressed run is a stress at that rate, never the morning; stand-ins alone test none of your systems."""
    assert wording.standing(*told()) == (
        "One run: a stress at 40 times the real rate. A rehearsal against stand-ins: none of your systems was tested."
    )
    both = {**made_run.run_json()["targets"], **TARGET}
    assert wording.standing(*told(targets=both, compression=1)) == (
        "One run in real time. Tested: identity; management, updates and push stood in."
    )
    assert wording.standing(*told(targets=TARGET, compression=1, left_out=["publish_policy"])).endswith(
        " Left out, since only a stand-in does as the scenario says: publish_policy."
    )


def test_shared_accounts_are_said_beside_what_was_tested() -> None:
    """Where people shared accounts, how many did how many; where each had one, nothing."""
    accounts = {"from": "accounts.csv", "accounts": 50, "people": 2600, "reused": True}
    for reused, said in ((True, " 2,600 people shared 50 accounts."), (False, "")):
        run, summary = told(targets=TARGET, compression=1, accounts=accounts | {"reused": reused})
        assert wording.standing(run, summary) == f"One run in real time. Tested: identity.{said}"


def test_google_stands_in_around_a_named_provider() -> None:
    """Where a target answers some steps of its service only, what answers the others is named as standing in."""
    own = {"identity": {**TARGET["identity"], "steps": ["identity.login_page", "identity.login"]}}
    both = {**made_run.run_json()["targets"], **own}
    assert wording.standing(*told(targets=both, compression=1)) == (
        "One run in real time. Tested: identity; management, Google's accounts, updates and push stood in."
    )


def test_what_no_step_reached_was_left_out() -> None:
    """A target that was named and never asked is not called tested."""
    run, summary = told(targets={**TARGET, "proxy": {"url": "http://proxy.city.example", "basis": "target"}})
    found = wording.what_was_tested(run, summary)
    assert found.tested == [("identity", "https://sso.city.example")]
    assert found.left_out == [("proxy", "http://proxy.city.example")]


def test_the_terminal_s_summary() -> None:
    """Devices, every step, every objective with its verdict, what was tested, where the report is."""
    run, summary = told(broken=0.2)
    lines = text(run, summary, "runs/x/report.html").splitlines()
    assert lines[0].startswith("2,680 devices: 2,680 enrolled, ")
    assert any(line.split()[:3] == ["management.register", "2,680", "0"] for line in lines)
    login = next(line for line in lines if line.startswith("identity.login "))
    assert login.split()[-1] == "timeout"
    assert " > " in login
    assert sum("MISSED" in line for line in lines) == 4
    assert any(
        line.startswith("Does not hold in rehearsal. Missed 4 of 5 objectives: ready p95 latency") for line in lines
    )
    assert any("none of your systems was tested" in line for line in lines)
    assert lines[-1] == "report: runs/x/report.html"
