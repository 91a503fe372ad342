"""junit.xml: one case per objective (and one per objective held against earlier runs), one for trust and one for a
target that gave in, for a pipeline that shows tests.

A case fails if and only if the exit code is 1: in a run that cannot be trusted, or did not come to its end, every
verdict is unknown already, and unknown is a skipped case with its reason. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from reports.wording import change, figure, measured


def junit(summary: Mapping[str, Any], *, utc: str, seconds: float, host: str) -> bytes:
    """The document, UTF-8.

    Args:
        summary: summary.json.
        utc: when the run began, ISO 8601.
        seconds: how long the run took.
        host: the machine that ran it.
    """
    classname = f"fleetrush.{summary['scenario']}"
    cases = [_trust(summary["harness"], classname)]
    if summary["verdict"] == "fail" and summary["partial"]:
        cases.append(_gave_in(summary["ended"], classname))
    cases += [_objective(row, classname) for row in summary["objectives"]]
    cases += _compared(summary.get("comparison"), classname)
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": "0",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
        "time": f"{seconds:.3f}",
    }
    suites = etree.Element("testsuites", {"name": "fleetrush", **counts})
    where = {"timestamp": utc, "hostname": host}
    suite = etree.SubElement(suites, "testsuite", {"name": str(summary["scenario"]), **where, **counts})
    suite.extend(cases)
    return etree.tostring(suites, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _trust(harness: Mapping[str, Any], classname: str) -> etree._Element:
    case = etree.Element("testcase", {"classname": classname, "name": "the run can be trusted", "time": "0"})
    if not harness["trustworthy"]:
        etree.SubElement(case, "skipped", {"message": _legal("; ".join(harness["reasons"]))})
    return case


def _gave_in(ended: Mapping[str, Any], classname: str) -> etree._Element:
    case = etree.Element("testcase", {"classname": classname, "name": "no target gave in", "time": "0"})
    etree.SubElement(case, "failure", {"type": "aborted", "message": _legal(ended["detail"])})
    return case


def _objective(row: Mapping[str, Any], classname: str) -> etree._Element:
    name = f"{row['name']} at most {figure(row['limit'], row['unit'])}"
    case = etree.Element("testcase", {"classname": classname, "name": name, "time": "0"})
    said = f"{measured(row)}: {row['reason']}"
    if row["verdict"] == "fail":
        etree.SubElement(case, "failure", {"type": "objective", "message": _legal(said)})
    elif row["verdict"] != "pass":
        etree.SubElement(case, "skipped", {"message": _legal(said)})
    return case


def _compared(comparison: Mapping[str, Any] | None, classname: str) -> list[etree._Element]:
    """A case for each objective that was held against earlier runs; one that is skipped where none was."""
    if comparison is None:
        return []
    rows = comparison["objectives"] or [
        {"name": "every objective", "verdict": "undecided", "reason": "; ".join(comparison["notices"])}
    ]
    cases = []
    for row in rows:
        name = f"{row['name']} no worse than in earlier runs"
        case = etree.Element("testcase", {"classname": classname, "name": name, "time": "0"})
        if row["verdict"] == "regressed":
            said = f"{change(row['change'], row['unit'])}: {row['reason']}"
            etree.SubElement(case, "failure", {"type": "regression", "message": _legal(said)})
        elif row["verdict"] == "undecided":
            etree.SubElement(case, "skipped", {"message": _legal(row["reason"])})
        cases.append(case)
    return cases


def _legal(text: str) -> str:
    """The text without what XML 1.0 (section 2.2) cannot carry."""
    return "".join(
        char
        if char in "\t\n" or " " <= char <= "\ud7ff" or "\ue000" <= char <= "\ufffd" or char >= "\U00010000"
        else "?"
        for char in text
    )
