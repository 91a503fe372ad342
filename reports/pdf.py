"""The report as PDF: the council's page first, then the report's sections, on A4 with page numbers.

The same templates as on the screen, laid out by WeasyPrint (extra "pdf"). It knows no light-dark(), and no variables in
an SVG, so the light theme's colours are put in before. Nothing is measured or judged here.
"""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from reports import drawing
from reports.capacity_council import search_sheet
from reports.capacity_page import capacity_page
from reports.council import Waits, sheet, waits_of
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.sections import sections_of
from reports.series_page import series_page
from reports.steps import Steps

_THEMED = re.compile(r"light-dark\((#[0-9a-f]{6}), #[0-9a-f]{6}\)")
_COLOUR = re.compile(r"--([a-z0-9-]+): (#[0-9a-f]{6})")
_OF_SVG = re.compile(r'(?<==")var\(--([a-z0-9-]+)\)(?=")')


class PdfMissing(Exception):  # noqa: N818 - says what is missing
    """What makes PDFs is not installed; the message says what to install."""


def require() -> Any:
    """WeasyPrint. Raises: PdfMissing."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # it prints advice of its own
            import weasyprint
    except ImportError:
        raise PdfMissing("--pdf needs WeasyPrint: python -m pip install 'fleetrush[pdf]'") from None
    except OSError as error:
        raise PdfMissing(f"--pdf needs Pango: apt install libpango-1.0-0 libpangoft2-1.0-0 ({error})") from None
    return weasyprint


def japanese_missing() -> str:
    """What to install where no font of this machine has Japanese letters; empty where one has, or nobody can tell."""
    try:
        found = subprocess.run(["fc-list", ":lang=ja", "family"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""
    return (
        ""
        if found.strip()
        else "no Japanese font is installed, so boxes stand for its letters: apt install fonts-ipaexfont-gothic"
    )


def pdf(data: RunData, summary: Mapping[str, Any], steps: Steps | None = None, say: Say = ENGLISH) -> bytes:
    """The PDF.

    Args:
        data: the run as recorded.
        summary: summary.json of the same run.
        steps: its samples by step, where the caller has them already.
        say: its language.
    Raises: PdfMissing.
    """
    steps = steps or Steps(data.run, data.samples)
    with drawing.unchecked():
        html = render(
            "paper.html.j2",
            say,
            **sections_of(data, summary, steps, say),
            sheet=sheet(data.run, summary, [waits_of(steps)], say),
        )
    return printed(html)


def series_pdf(
    run: Mapping[str, Any], summary: Mapping[str, Any], waits: Sequence[Waits | None], say: Say = ENGLISH
) -> bytes:
    """The page of repeated runs as PDF (arguments as series_page and series_council have them). Raises: PdfMissing."""
    return printed(series_page(run, summary, say, run_page="", sheet=sheet(run, summary, waits, say)))


def search_pdf(first: RunData, folder: str, whole: Mapping[str, Any], say: Say = ENGLISH) -> bytes:
    """The page of a search as PDF (arguments as capacity_page and capacity_council have them). Raises: PdfMissing."""
    return printed(capacity_page(folder, whole, say, run_page="", sheet=search_sheet(first, whole, say)))


def printed(html: str) -> bytes:
    """A page for paper as PDF. Raises: PdfMissing."""
    made: bytes = require().HTML(string=_light(html)).write_pdf(pdf_tags=True)
    return made


def _light(html: str) -> str:
    html = _THEMED.sub(r"\1", html)
    colours = dict(_COLOUR.findall(html))
    return _OF_SVG.sub(lambda found: colours[found[1]], html)
