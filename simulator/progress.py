"""What a person sees while a run plays: one line that stays in place on a terminal, now and then one elsewhere.

Counts come from the batches of samples as they arrive; nothing here is a number of the report.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from reports.record import OUTCOMES

PLAIN_EVERY_S = 10.0
TERMINAL_EVERY_S = 1.0
WINDOW_S = 10.0

_OK = OUTCOMES.index("ok")
_SKIPPED = OUTCOMES.index("skipped")


class Progress:
    """Folds batches into the counts of the moment.

    Args:
        out: where the lines go.
        steps: step names by a sample's `step`.
        devices, people: how many are planned; enrolled: how many of the devices were enrolled before.
        end_s: the run second at which nothing starts any more.
    """

    def __init__(
        self, out: TextIO, steps: Sequence[str], *, devices: int, enrolled: int, people: int, end_s: float
    ) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._devices, self._enrolled, self._people, self._end_s = devices, enrolled, people, end_s
        self._is_request = np.array(["." in name for name in steps])
        self._index = {name: index for index, name in enumerate(steps)}
        self._counts = np.zeros(len(steps), np.int64)
        self._errors = 0
        self._window: deque[tuple[float, NDArray[np.float64]]] = deque()
        self._last = -1e9
        self.online = 0

    def take(self, records: NDArray[np.void]) -> None:
        """Count one batch of samples."""
        ok = records["outcome"] == _OK
        self._counts += np.bincount(records["step"][ok], minlength=self._counts.size)
        self._errors += int((~ok).sum())
        requests = records[self._is_request[records["step"]] & (records["outcome"] != _SKIPPED)]
        if requests.size:
            self._window.append((float(requests["done"].max()), (requests["done"] - requests["due"]) * 1000))

    def line(self, now: float) -> str:
        """The state of the run at that run second, in one line."""
        while self._window and self._window[0][0] < now - WINDOW_S:
            self._window.popleft()
        latencies = np.concatenate([part for _, part in self._window]) if self._window else np.zeros(0)
        p95 = f"{np.percentile(latencies, 95):.0f} ms" if latencies.size else "-"
        left = max(0.0, self._end_s - now)
        return (
            f"{_clock(now)}  enrolled {self._enrolled + self._done('management.api_authorization')}/{self._devices}"
            f"  signed in {self._done('signed_in')}/{self._people}  ready {self._done('ready')}/{self._people}"
            f"  online {self.online}  {latencies.size / min(WINDOW_S, max(now, 1.0)):.0f} requests/s"
            f"  p95 {p95}  errors {self._errors}  {_clock(left)} left"
        )

    def show(self, now: float, *, last: bool = False) -> None:
        """Print the line if it is time for one."""
        if not last and now - self._last < (TERMINAL_EVERY_S if self._terminal else PLAIN_EVERY_S):
            return
        self._last = now
        if self._terminal:
            self._out.write("\r\x1b[K" + self.line(now) + ("\n" if last else ""))
        else:
            self._out.write(self.line(now) + "\n")
        self._out.flush()

    def _done(self, step: str) -> Any:
        return self._counts[self._index[step]]


def _clock(seconds: float) -> str:
    return f"{int(max(0.0, seconds)) // 60}:{int(max(0.0, seconds)) % 60:02d}"
