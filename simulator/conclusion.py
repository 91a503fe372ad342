"""From a run folder to its verdict: summary.json, report.html, junit.xml and the words on the terminal.

It reads what was recorded and counts nothing by itself; that is for reports.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from reports.junit import junit
from reports.messages import Lang, Say
from reports.objectives import exit_code
from reports.page import page
from reports.record import SampleFileError
from reports.runfolder import JUNIT, PAGE, SUMMARY, RunFolderError, open_run, write_json, write_whole
from reports.steps import Steps
from reports.summary import summarise
from reports.text import text
from simulator.errors import UserError


def conclude(path: Path, out: TextIO, lang: Lang = "en") -> int:
    """Sum up, judge and report one run folder, its pages in a language.

    Returns: 0, 1, 3 or 4 (reports.objectives.exit_code).
    """
    data = open_run(path)
    steps = Steps(data.run, data.samples)
    summary = summarise(data, steps)
    write_json(path / SUMMARY, summary)
    seconds = float(data.samples["done"].max()) if data.samples.size else 0.0
    began = data.run.get("t0_utc", "")
    write_whole(path / JUNIT, junit(summary, utc=began, seconds=seconds, host=platform.node()))
    write_whole(path / PAGE, page(data, summary, steps, Say(lang)).encode())
    out.write(text(data.run, summary, str(path / PAGE)))
    return exit_code(summary)


def report_again(paths: Sequence[Path], lang: Lang = "en") -> int:
    """Report recorded runs again. Returns: the highest exit code of them. Raises: UserError for what is no run."""
    codes = []
    for path in paths:
        try:
            codes.append(conclude(path, sys.stdout, lang))
        except (RunFolderError, SampleFileError) as error:
            raise UserError(str(error)) from None
    return max(codes)
