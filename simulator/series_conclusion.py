"""From the folder of repeated runs to their verdict: its summary, its pages, junit.xml and the words on the terminal.

It reads what was recorded and counts nothing by itself; that is for reports.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from reports.baselines import Against
from reports.compare import series_judged_against
from reports.council import Waits, series_council, waits_of
from reports.junit import junit
from reports.messages import Lang, Say
from reports.objectives import exit_code
from reports.pdf import series_pdf
from reports.public import public_series
from reports.repeat import OneRun, judge_series
from reports.runfolder import (
    COUNCIL,
    JUNIT,
    PAGE,
    PUBLIC_COUNCIL,
    PUBLIC_PAGE,
    RUN,
    SUMMARY,
    RunFolderError,
    open_run,
    write_json,
    write_whole,
)
from reports.series_page import series_page
from reports.seriesfolder import read_series, read_whole
from reports.shown import Shown, shown
from reports.steps import Steps
from reports.tables import SUMMARY_CSV, csv_bytes, series_rows
from reports.text import series_text


def conclude_series(
    path: Path,
    out: TextIO,
    lang: Lang,
    against: Against | None = None,
    *,
    public: bool = False,
    pdf: Path | None = None,
) -> int:
    """Judge and report a series whose runs have been concluded, held against earlier runs and series if any are named.

    Made again, its comparison is kept, as a run's is.

    Args:
        public: write report-public.html and council-public.html as well, in which nothing tells whose systems it was;
            the runs have theirs already.
        pdf: where to write the report as PDF as well, as public as the pages; None: nowhere.
    Returns: 0, 1, 3 or 4 (reports.objectives.exit_code). Raises: RunFolderError for what is no whole series.
    """
    series, folders = read_series(path)
    runs = [OneRun(folder.name, read_whole(folder / SUMMARY)) for folder in folders]
    for one in runs:
        if one.summary["hash"] != series["hash"]:
            raise RunFolderError(f"{path / one.name}: not a run of this series, its scenario has another hash")
    first, say = read_whole(folders[0] / RUN), Say(lang)
    waits, showing = _counted(path, runs)
    summary = judge_series(series, runs)
    summary = dict(series_judged_against(path, showing, summary, first, against))
    write_json(path / SUMMARY, summary)
    write_whole(path / SUMMARY_CSV, csv_bytes(series_rows(summary)))
    ended = read_whole(folders[-1] / RUN).get("ended") or {}
    began, last = series["began_utc"], ended.get("utc") or series["began_utc"]
    seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(began)).total_seconds()
    write_whole(path / JUNIT, junit(summary, utc=began, seconds=max(0.0, seconds), host=platform.node()))
    told = {**summary, "steps": runs[0].summary["steps"]}
    shown_run, shown_told = {**first, "command": series["command"]}, told
    write_whole(path / PAGE, series_page(shown_run, told, say).encode())
    write_whole(path / COUNCIL, series_council(first, told, waits, say).encode())
    if public:
        shown_run, shown_told = public_series(first, told)
        page = series_page(shown_run, shown_told, say, run_page=PUBLIC_PAGE)
        write_whole(path / PUBLIC_PAGE, page.encode())
        write_whole(path / PUBLIC_COUNCIL, series_council(shown_run, shown_told, waits, say).encode())
    if pdf is not None:
        write_whole(pdf, series_pdf(shown_run, shown_told, waits, say))
    out.write("\n" + series_text(first, told, str(path / (PUBLIC_PAGE if public else PAGE))))
    return exit_code(summary)


def _counted(path: Path, runs: Sequence[OneRun]) -> tuple[list[Waits | None], list[Shown]]:
    """Of each run that counts, how long its people waited, and what it shows to a comparison."""
    waits, showing = [], []
    for one in runs:
        if not one.left_out:
            data = open_run(path / one.name)
            steps = Steps(data.run, data.samples)
            waits.append(waits_of(steps))
            showing.append(shown(data, steps, one.summary))
    return waits, showing
