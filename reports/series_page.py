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
from reports.sections import compared, room_left
from reports.series_advice import series_advice


def series_page(
    run: Mapping[str, Any],
    summary: Mapping[str, Any],
    say: Say = ENGLISH,
    *,
    run_page: str = PAGE,
    sheet: Mapping[str, Any] | None = None,
) -> str:
    """The page.

    Args:
        run: run.json of the first run, with the `command` of the series.
        summary: summary.json of the series, with the `steps` of the first run.
        say: its language.
        run_page: the page that each run has in its folder; "" to link to none.
        sheet: the council's (reports.council.sheet), for paper, where it comes first; None for the screen.
    """
    return render(
        "series.html.j2" if sheet is None else "series_paper.html.j2",
        say,
        sheet=sheet,
        run=run,
        summary=summary,
        run_page=run_page,
        headline=wording.headline(run, summary, say),
        standing=wording.standing(run, summary, say),
        facts=_facts(summary, say),
        tested=wording.what_was_tested(run, summary, say),
        rows=[_row(row, summary) for row in summary["objectives"]],
        todo=series_advice(run, summary, say),
        comparison=compared(summary),
    )


def _facts(summary: Mapping[str, Any], say: Say) -> list[tuple[str, str, str]]:
    """The few figures of the first screen: a name, a figure, what to know about it."""
    counted = sum(not one["left_out"] for one in summary["runs"])
    rows = [(say("series.counted"), f"{counted:,}", say("series.of_planned", planned=f"{summary['planned_runs']:,}"))]
    if (room := room_left(summary, [_at_worst(row) for row in summary["objectives"]], say)) is not None:
        left, note = room
        rows.insert(0, (say("headroom.room"), left, say("series.at_worst", what=note)))
    return rows


def _at_worst(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """An objective at the worse end of its band, where it has one."""
    return row if row["low"] is None else {**row, "value": row["high"], "at_least": row["low"]}


def _row(row: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """An objective with what each run measured of it; None of a run that does not count."""
    known = {one["run"]: {**one, "unit": row["unit"]} for one in row["runs"]}
    each = [known.get(one["run"]) for one in summary["runs"]]
    return {**row, "each": each, "band_key": "series.least_most" if row["measure"] == "errors" else "series.between"}
