"""What a person sees while a run plays: one screen on a terminal, now and then a plain line elsewhere.

All it shows comes from the tally; nothing here is a number of the report.
"""

from __future__ import annotations

import math
from typing import Final, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from simulator.tally import Planned, Tally

PLAIN_EVERY_S: Final = 10.0
SCREEN_EVERY_S: Final = 1.0
STEPS_SHOWN: Final = 8
TROUBLES_SHOWN: Final = 4
ENROLLED_BY: Final = "management.api_authorization"


class Progress:
    """Shows a tally.

    Args:
        out: where it goes; a terminal gets the screen.
    """

    def __init__(self, out: TextIO, tally: Tally, planned: Planned) -> None:
        self._out, self._tally, self._planned = out, tally, planned
        self._last = -math.inf
        self._live: Live | None = None
        console = Console(file=out)
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(console=console, auto_refresh=False, transient=True)

    def show(self, now: float, *, last: bool = False) -> None:
        """Show the state of the run at that run second if it is time for it; the last one stays as a plain line."""
        if not last and now - self._last < (PLAIN_EVERY_S if self._live is None else SCREEN_EVERY_S):
            return
        self._last = now
        if self._live is not None and not last:
            self._live.start()
            self._live.update(self.screen(now), refresh=True)
            return
        self.close()
        self._out.write(self.line(now) + "\n")
        self._out.flush()

    def close(self) -> None:
        """Give the terminal back. Idempotent."""
        if self._live is not None:
            self._live.stop()

    def line(self, now: float) -> str:
        """The state of the run in one line."""
        reached = "  ".join(f"{name} {count}/{of}" for name, count, of in self._reached())
        every = self._tally.recent(now)[0]
        return (
            f"{_clock(now)}  {reached}  {every.per_s:.0f} requests/s"
            f"  p95 {_seconds(every.p95_s)}  errors {self._tally.not_ok}  {_clock(self._planned.end_s - now)} left"
        )

    def screen(self, now: float) -> Group:
        """The state of the run on one screen."""
        planned = self._planned
        clock = f"{planned.clock(now) or 'enrollment'} in the city, {planned.compression:g} times the real rate"
        head = Text(f"{planned.name}   {clock}   {_clock(now)} of {_clock(planned.end_s)}", "bold")
        whole = Table.grid()
        whole.add_row(ProgressBar(planned.end_s, min(max(now, 0.0), planned.end_s), width=60))
        return Group(head, whole, self._people(), *self._tables(now))

    def _reached(self) -> list[tuple[str, int, int]]:
        tally, planned = self._tally, self._planned
        enrolled = planned.enrolled + tally.done(ENROLLED_BY)
        people = [(name.replace("_", " "), tally.done(name), planned.people) for name in ("signed_in", "ready")]
        return [("enrolled", enrolled, planned.devices), *people, ("online", tally.online, planned.people)]

    def _people(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, count, of in self._reached():
            table.add_row(name, f"{count:,} of {of:,}", ProgressBar(max(of, 1), min(count, of), width=40))
        return table

    def _tables(self, now: float) -> list[Table | Text]:
        every, *each = self._tally.recent(now)
        table = Table(box=None, padding=(0, 2), header_style="dim")
        for name in ("last 10 s", "per second", "p95", "not ok"):
            table.add_column(name, justify="left" if name == "last 10 s" else "right")
        for row in (every, *each[:STEPS_SHOWN]):
            bad = Text(f"{row.not_ok:,}", "red" if row.not_ok else "")
            table.add_row(row.step or "all steps", f"{row.per_s:,.1f}", _seconds(row.p95_s), bad)
        worst = self._tally.troubles.most_common(TROUBLES_SHOWN)
        troubles = [Text(f"{count:,} x {step}: {reason}", "red") for (step, reason), count in worst]
        return [table, *troubles, Text(self._harness(), "dim")]

    def _harness(self) -> str:
        """How our own processes fare: a second's share of a core, and the longest lag of an engine's loop."""
        rows = sorted(self._tally.health.items())
        return "   ".join(
            f"{who} {row.get('cpu_ms', 0.0) / 10:.0f} % of a core"
            + (f", lag {row['loop_lag_ms']:.0f} ms" if who.startswith("engine") and "loop_lag_ms" in row else "")
            for who, row in rows
        )


def _clock(seconds: float) -> str:
    return f"{int(max(0.0, seconds)) // 60}:{int(max(0.0, seconds)) % 60:02d}"


def _seconds(seconds: float) -> str:
    """A time for a glance; "-" for none, and what says that too many did not end ok."""
    if math.isnan(seconds):
        return "-"
    return "not ok" if math.isinf(seconds) else f"{seconds * 1000:,.0f} ms"
