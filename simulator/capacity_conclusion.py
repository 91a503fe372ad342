"""From the folder of a search for the capacity to its page and its words, after it and whenever it is judged again.

It reads what was recorded and counts nothing by itself; that is for reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from reports.capacity import PAGE, concluded, levels_in, open_search
from reports.capacity_page import capacity_page
from reports.capacity_words import text
from reports.messages import Lang, Say
from reports.pdf import search_pdf
from reports.public import MASK, public_search
from reports.record import SampleFileError
from reports.runfolder import PUBLIC_PAGE, RunFolderError, open_run, write_whole
from reports.servermetrics import MetricsError
from simulator.errors import UserError


def tell(
    folder: Path,
    whole: Mapping[str, Any],
    out: TextIO,
    lang: Lang,
    *,
    public: bool = False,
    pdf: Path | None = None,
) -> int:
    """Write the page and say what was found.

    Args:
        public: write report-public.html as well, in which nothing tells whose systems it was.
        pdf: where to write the page as PDF as well, as public as the page; None: nowhere.
    Returns: 0 found, 3 we bind first, 4 undecided. Raises: RunFolderError when no run tells what is to be masked.
    """
    say = Say(lang)
    write_whole(folder / PAGE, capacity_page(folder.name, whole, say).encode())
    shown, name, page = whole, folder.name, PAGE
    if public:
        run = open_run(folder / whole["levels"][0]["folder"]).run
        shown, name, page = public_search(run, whole), MASK, PUBLIC_PAGE
        write_whole(folder / page, capacity_page(name, shown, say, run_page=page).encode())
    if pdf is not None:
        write_whole(pdf, search_pdf(name, shown, say))
    out.write("\n" + text(whole, str(folder / page)))
    code: int = whole["result"]["exit"]
    return code


def judge_again(folder: Path, out: TextIO, lang: Lang, *, public: bool = False, pdf: Path | None = None) -> int:
    """Judge the folder of a search again, from its runs alone. As tell. Raises: UserError."""
    try:
        whole = concluded(folder, open_search(folder), levels_in(folder))
        return tell(folder, whole, out, lang, public=public, pdf=pdf)
    except (RunFolderError, SampleFileError, MetricsError) as fault:
        raise UserError(str(fault)) from None
