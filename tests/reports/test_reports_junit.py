"""junit.xml against the exit code's table."""

from pathlib import Path
from typing import Any

import made_run
import numpy as np
import pytest
from lxml import etree

from reports.junit import junit
from reports.objectives import exit_code
from reports.runfolder import RunData
from reports.summary import summarise


def judged(samples: np.ndarray, **changes: Any) -> tuple[int, etree._Element]:
    """The exit code of a run and its parsed junit.xml."""
    summary = summarise(RunData(Path("x"), {"format": 1, **made_run.run_json(**changes)}, samples))
    document = junit(summary, utc="2026-01-15T00:00:00Z", seconds=12.5, host="here")
    return exit_code(summary), etree.fromstring(document)


RUNS = {
    "holds": ({}, 0.0, {}, 0),
    "does not hold": ({}, 0.2, {}, 1),
    "not trusted, holds": ({}, 0.0, {"untrusted": ["engine 1 lost"]}, 3),
    "not trusted, does not hold": ({}, 0.2, {"untrusted": ["engine 1 lost"]}, 3),
    "cut short": ({}, 0.2, {"partial": True}, 4),
    "killed": ({}, 0.2, {"ended": None}, 3),
    "too few": ({"devices": 60}, 0.0, {}, 4),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_case_fails_if_and_only_if_the_exit_code_is_1(name: str) -> None:
    """For every way a run can end; what is undecided is skipped with its reason; the counts are those of the cases."""
    how, broken, changes, code = RUNS[name]
    found, suites = judged(made_run.morning(how.get("devices", 2680), broken=broken), **changes)
    suite = suites[0]
    cases = suite.findall("testcase")
    failures, skipped = (suite.xpath(f"testcase[{kind}]") for kind in ("failure", "skipped"))
    assert found == code
    assert bool(failures) == (code == 1)
    assert bool(skipped) == (code in (3, 4))
    assert len(cases) == 1 + len(made_run.OBJECTIVES)
    for element in (suites, suite):
        counts = [int(element.get(key)) for key in ("tests", "failures", "errors", "skipped")]
        assert counts == [len(cases), len(failures), 0, len(skipped)]
    assert all(case.get("name") and case.get("classname") and case.get("time") for case in cases)
    assert all(one.get("message") for case in cases for one in case)


def test_the_suite_says_when_where_and_how_long() -> None:
    """What a CI server shows."""
    _, suites = judged(made_run.morning(200))
    wanted = {"name": "morning_peak", "timestamp": "2026-01-15T00:00:00Z", "hostname": "here", "time": "12.500"}
    assert {key: suites[0].get(key) for key in wanted} == wanted


def test_text_that_xml_cannot_carry_does_not_break_it() -> None:
    """Whatever a reason holds, the document parses; markup in it is text."""
    _, suites = judged(made_run.morning(200), untrusted=['\x00\x1b[31m <failure/> & "前橋" \ud800 \uffff 🙂'])
    message = suites[0][0][0].get("message")
    assert '<failure/> & "前橋"' in message
    assert not suites.xpath("//failure")
