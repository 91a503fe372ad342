"""report.html: one file that holds all it shows, for a screen of any width, for paper, and without a network.

Asks each section for what it shows and puts it before the template. Nothing is measured or judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import charts, wording
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.sections import SECTIONS
from reports.steps import Steps
from reports.story import story


def page(data: RunData, summary: Mapping[str, Any], steps: Steps | None = None, say: Say = ENGLISH) -> str:
    """The page.

    Args:
        data: the run as recorded.
        summary: summary.json of the same run.
        steps: its samples by step, where the caller has them already.
        say: its language.
    """
    of = story(data, steps or Steps(data.run, data.samples), summary, say)
    with charts.unchecked():
        every = {name: make(of) for name, make in SECTIONS.items()}
        shown = {name: content for name, content in every.items() if content is not None}
        return render(
            "report.html.j2",
            say,
            charts=[chart for content in shown.values() for chart in content.get("charts", ())],
            sections=shown,
            run=data.run,
            summary=summary,
            title=say.heard(summary["title"]),
            headline=wording.headline(data.run, summary, say),
        )
