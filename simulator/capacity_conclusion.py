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
from reports.record import SampleFileError
from reports.runfolder import RunFolderError, write_whole
from reports.servermetrics import MetricsError
from simulator.errors import UserError


def tell(folder: Path, whole: Mapping[str, Any], out: TextIO, lang: Lang) -> int:
    """Write the page and say what was found. Returns: 0 found, 3 we bind first, 4 undecided."""
    write_whole(folder / PAGE, capacity_page(folder, whole, Say(lang)).encode())
    out.write("\n" + text(whole, str(folder / PAGE)))
    code: int = whole["result"]["exit"]
    return code


def judge_again(folder: Path, out: TextIO, lang: Lang) -> int:
    """Judge the folder of a search again, from its runs alone. Returns: as tell. Raises: UserError."""
    try:
        return tell(folder, concluded(folder, open_search(folder), levels_in(folder)), out, lang)
    except (RunFolderError, SampleFileError, MetricsError) as fault:
        raise UserError(str(fault)) from None
