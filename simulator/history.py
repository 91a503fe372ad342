"""The command `history`: reads a folder of runs, writes its page and what Otava reads, says what changed.

It judges nothing and counts nothing; that is for reports.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, TextIO

from reports.history import history
from reports.history_page import history_page, history_text
from reports.messages import Lang, Say
from reports.otava import CONFIGURATION, configuration, name_of, table
from reports.runfolder import write_whole
from simulator.errors import UserError

PAGE: Final = "history.html"


def show_history(folder: Path, out: TextIO, lang: Lang) -> int:
    """Write history.html, otava.yaml and a CSV for each group of runs into the folder.

    Returns: 0; a change is news, not a verdict. Raises: UserError where the folder holds no run that was judged.
    """
    groups = history(folder)
    if not groups:
        raise UserError(f"{folder}: holds no judged run: expected a folder of run folders, as `fleetrush run` makes it")
    write_whole(folder / PAGE, history_page(groups, Say(lang)).encode())
    files = [(group, folder / f"{name_of(group)}.csv") for group in groups]
    for group, file in files:
        write_whole(file, table(group).encode())
    write_whole(folder / CONFIGURATION, configuration([(group, str(file)) for group, file in files]).encode())
    out.write(history_text(groups))
    out.write(f"\npage: {folder / PAGE}\n")
    out.write(f"for Apache Otava: OTAVA_CONFIG={folder / CONFIGURATION} otava analyze {name_of(groups[0])}\n")
    return 0
