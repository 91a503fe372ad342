"""The page of repeated runs: the verdict of all, each objective run by run with its band between them, and the runs.

Puts words and figures before the template. Nothing is measured, judged or worded here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import wording
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.runfolder import PAGE
from reports.sections import compared
from reports.series_advice import series_advice


def series_page(run: Mapping[str, Any], summary: Mapping[str, Any], say: Say = ENGLISH, *, run_page: str = PAGE) -> str:
    """The page.

    Args:
        run: run.json of the first run, with the `command` of the series.
        summary: summary.json of the series, with the `steps` of the first run.
        say: its language.
        run_page: the page that each run has in its folder.
    """
    return render(
        "series.html.j2",
        say,
        run=run,
        summary=summary,
        run_page=run_page,
        headline=wording.headline(run, summary, say),
        standing=wording.standing(run, summary, say),
        rows=[_row(row, summary) for row in summary["objectives"]],
        todo=series_advice(run, summary, say),
        comparison=compared(summary),
    )


def _row(row: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """An objective with what each run measured of it; None of a run that does not count."""
    known = {one["run"]: {**one, "unit": row["unit"]} for one in row["runs"]}
    each = [known.get(one["run"]) for one in summary["runs"]]
    return {**row, "each": each, "band_key": "series.least_most" if row["measure"] == "errors" else "series.between"}
