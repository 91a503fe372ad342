"""report.html: one file that holds all it shows, for a screen of any width, for paper, and without a network.

Asks each section for what it shows and puts it before the template. Nothing is measured or judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import drawing
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.sections import sections_of
from reports.steps import Steps


def page(data: RunData, summary: Mapping[str, Any], steps: Steps | None = None, say: Say = ENGLISH) -> str:
    """The page.

    Args:
        data: the run as recorded.
        summary: summary.json of the same run.
        steps: its samples by step, where the caller has them already.
        say: its language.
    """
    with drawing.unchecked():
        content = sections_of(data, summary, steps or Steps(data.run, data.samples), say)
        every = [chart for section in content["sections"].values() for chart in section.get("charts", ())]
        return render("report.html.j2", say, charts=every, **content)
