"""From the folder of repeated runs to their verdict: summary.json, summary.csv, report.html, junit.xml and the words.

It reads what was recorded and counts nothing by itself; that is for reports.
"""

from __future__ import annotations

import json
import platform
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TextIO

from reports.junit import junit
from reports.messages import Lang, Say
from reports.repeat import OneRun, judge_series
from reports.runfolder import FORMAT, JUNIT, PAGE, RUN, SUMMARY, RunFolderError, write_json, write_whole
from reports.series_page import series_page
from reports.tables import SUMMARY_CSV, csv_bytes, series_rows
from reports.text import series_text

SERIES: Final = "series.json"


def run_name(number: int) -> str:
    """The folder of a run of a series, counted from 1."""
    return f"run-{number:02}"


def is_series(path: Path) -> bool:
    """Whether it is the folder of a series of runs."""
    return (path / SERIES).exists()


def conclude_series(path: Path, out: TextIO, lang: Lang) -> dict[str, Any]:
    """Judge and report a series whose runs have been concluded.

    Returns: its summary. Raises: RunFolderError for what is no whole series.
    """
    series = _json(path / SERIES)
    if series.get("format") != FORMAT:
        raise RunFolderError(f"{path / SERIES}: format {series.get('format')!r}, expected {FORMAT}")
    runs = [OneRun(one["run"], _json(path / one["run"] / SUMMARY)) for one in series["runs"]]
    if not runs:
        raise RunFolderError(f"{path}: a series without any run")
    for one in runs:
        if one.summary["hash"] != series["hash"]:
            raise RunFolderError(f"{path / one.name}: not a run of this series, its scenario has another hash")
    summary = judge_series(series, runs)
    write_json(path / SUMMARY, summary)
    write_whole(path / SUMMARY_CSV, csv_bytes(series_rows(summary)))
    run = _json(path / runs[0].name / RUN)
    ended = _json(path / runs[-1].name / RUN).get("ended") or {}
    began, last = series["began_utc"], ended.get("utc") or series["began_utc"]
    seconds = (datetime.fromisoformat(last) - datetime.fromisoformat(began)).total_seconds()
    write_whole(path / JUNIT, junit(summary, utc=began, seconds=max(0.0, seconds), host=platform.node()))
    told = {**summary, "steps": runs[0].summary["steps"]}
    write_whole(path / PAGE, series_page({**run, "command": series["command"]}, told, Say(lang)).encode())
    out.write("\n" + series_text(run, told, str(path / PAGE)))
    return summary


def _json(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunFolderError(f"{path.parent}: not a whole series of runs (it has no {path.name})") from None
    except ValueError as fault:
        raise RunFolderError(f"{path}: not JSON ({fault})") from None
    return told
