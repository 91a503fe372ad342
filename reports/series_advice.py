"""What to do next after repeated runs: a few sentences, the most pressing first. Nothing is measured here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reports.advice import next_steps, regressed, worse_told
from reports.messages import Say


def series_advice(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say) -> list[str]:
    """The sentences.

    Args:
        run: run.json of the first run, with the `command` of the series.
        summary: summary.json of the series, with the `steps` of the first run.
    """
    if not summary["harness"]["trustworthy"]:
        left = say.many([one["run"] for one in summary["runs"] if one["left_out"]])
        return [say("series.todo_untrusted", runs=left), say("todo.untrusted_last")]
    if summary["partial"]:
        gave_in = say("series.todo_gave_in", run=summary["runs"][-1]["run"])
        return [gave_in if summary["verdict"] == "fail" else say("todo.to_its_end", command=run["command"])]
    if not summary["objectives"]:
        return [say("todo.no_objective")]
    missed, open_ones = (
        [row for row in summary["objectives"] if row["verdict"] == verdict] for verdict in ("fail", "unknown")
    )
    worse = regressed(summary)
    told = [say("series.todo_missed", names=_names(missed, say), run=_worst(missed[0]))] if missed else []
    told += [worse_told(summary, worse, say)] if worse else []
    told += [say("series.todo_undecided", names=_names(open_ones, say))] if open_ones else []
    return told + next_steps(run, summary, say, passed=not told)


def _names(rows: list[Mapping[str, Any]], say: Say) -> str:
    return say.many([say.heard(row["name"]) for row in rows])


def _worst(row: Mapping[str, Any]) -> str:
    """The run that shows most of what was missed."""
    worst = max(row["runs"], key=lambda one: math.inf if one["value"] is None else float(one["value"]))
    return str(worst["run"])
