"""From the folder of a search for the capacity to its pages and its words, after it and whenever it is judged again.

It reads what was recorded and counts nothing by itself; that is for reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from reports.capacity import LEVELS, PAGE, concluded, levels_in, open_search
from reports.capacity_council import capacity_council
from reports.capacity_page import capacity_page
from reports.capacity_words import text
from reports.messages import Lang, Say
from reports.pdf import search_pdf
from reports.public import MASK, public_search
from reports.record import SampleFileError
from reports.runfolder import COUNCIL, PUBLIC_COUNCIL, PUBLIC_PAGE, RunFolderError, open_run, write_whole
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
    """Write the pages and say what was found.

    Args:
        whole: its capacity.json, of one level at least.
        public: write report-public.html and council-public.html as well, in which nothing tells whose systems it was.
        pdf: where to write the report as PDF as well, as public as the pages; None: nowhere.
    Returns: 0 found, 3 we bind first, 4 undecided. Raises: RunFolderError when the first level cannot be read.
    """
    say, first = Say(lang), open_run(folder / whole["levels"][0]["folder"])
    write_whole(folder / PAGE, capacity_page(folder.name, whole, say).encode())
    write_whole(folder / COUNCIL, capacity_council(first, whole, say).encode())
    shown, name, page = whole, folder.name, PAGE
    if public:
        shown, name, page = public_search(first.run, whole), MASK, PUBLIC_PAGE
        write_whole(folder / page, capacity_page(name, shown, say, run_page=page).encode())
        write_whole(folder / PUBLIC_COUNCIL, capacity_council(first, shown, say).encode())
    if pdf is not None:
        write_whole(pdf, search_pdf(first, name, shown, say))
    out.write("\n" + text(whole, str(folder / page)))
    code: int = whole["result"]["exit"]
    return code


def judge_again(folder: Path, out: TextIO, lang: Lang, *, public: bool = False, pdf: Path | None = None) -> int:
    """Judge the folder of a search again, from its runs alone. As tell. Raises: UserError."""
    try:
        search, levels = open_search(folder), levels_in(folder)
        if not levels:
            raise RunFolderError(f"{folder}: not a whole search for the capacity (it has no {LEVELS})")
        return tell(folder, concluded(folder, search, levels), out, lang, public=public, pdf=pdf)
    except (RunFolderError, SampleFileError, MetricsError) as fault:
        raise UserError(str(fault)) from None
