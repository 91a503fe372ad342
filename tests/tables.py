"""Tables of measured rows: what `make bench` and `make truth` print as they go and write when they end.

How anything is measured is not known here.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

BUILD = Path(__file__).parent.parent / "build"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure; `note` says how it was measured, or why it fell short."""

    what: str
    must: str
    measured: str
    met: bool
    note: str = ""

    def markdown(self) -> str:
        """The row of a Markdown table."""
        cells = (self.what, self.must, self.measured, "yes" if self.met else "**no**", self.note)
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


Maker = Callable[[], Iterable[Row]]


def tell(name: str, makers: Mapping[str, Maker], wanted: Sequence[str]) -> int:
    """Measure and tell.

    Args:
        name: of the table; it is written to build/<name>.md.
        makers: by name, what measures its rows; one is asked after the other.
        wanted: names of makers; empty for all.
    Returns: 0 when every row is met, 1 when one is not, 2 for a name that is none.
    """
    unknown = set(wanted) - set(makers)
    if unknown:
        print(f"{name}: {', '.join(sorted(unknown))}: expected of {', '.join(makers)}", file=sys.stderr)
        return 2
    head = ["| what | must reach | measured | met | how, or why not |", "|---|---|---|---|---|"]
    print("\n".join(head), flush=True)
    rows = []
    for key, make in makers.items():
        if not wanted or key in wanted:
            for row in make():
                rows.append(row)
                print(row.markdown(), flush=True)
    BUILD.mkdir(exist_ok=True)
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.platform()}, Python {platform.python_version()}"
    text = "\n".join([f"# {name}", "", when, "", *head, *(row.markdown() for row in rows), ""])
    (BUILD / f"{name}.md").write_text(text)
    return 0 if all(row.met for row in rows) else 1
