"""What starts next in one shard: a heap of starts by due instant. Pure: it is told the time.

At most one start waits per (device, journey), a new one replaces the old; those of the timetable wait beside it, each
for its own instant. Nothing here plays a start.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Start:
    """One journey of one device, to begin at `due` (run seconds), and what made it begin.

    `action` is the operator act that caused it (0: none).
    """

    due: float
    device: int
    journey: str
    trigger: str
    action: int = 0


_PLANNED = "planned"


class Agenda:
    """Starts in order of due instant; equal instants in the order in which they were put.

    Args:
        sooner: called when a start was put that is due before all others.
    """

    def __init__(self, sooner: Callable[[], None] | None = None) -> None:
        self._heap: list[tuple[float, int, Start]] = []
        # by journey and device, the serial of the one that counts; a planned one always does
        self._waiting: defaultdict[str, dict[int, int]] = defaultdict(dict)
        self._planned = 0
        self._serial = 0
        self.sooner = sooner

    def __len__(self) -> int:
        return self._planned + sum(map(len, self._waiting.values()))

    def put(self, start: Start) -> None:
        """Add a start; one that waited for the same device and journey is dropped, unless either is planned."""
        self._serial += 1
        if start.trigger == _PLANNED:
            self._planned += 1
        else:
            self._waiting[start.journey][start.device] = self._serial
        heapq.heappush(self._heap, (start.due, self._serial, start))
        if self._heap[0][1] == self._serial and self.sooner is not None:
            self.sooner()

    def drop(self, device: int, journey: str) -> None:
        """Forget the start that waits for that device and journey, if any; what is planned stays."""
        self._waiting[journey].pop(device, None)

    def next_due(self) -> float | None:
        """When the next start is due, None when nothing waits."""
        self._skip_dropped()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> Start | None:
        """Take the next start that is due by `now`."""
        self._skip_dropped()
        if not self._heap or self._heap[0][0] > now:
            return None
        start = heapq.heappop(self._heap)[2]
        if start.trigger == _PLANNED:
            self._planned -= 1
        else:
            del self._waiting[start.journey][start.device]
        return start

    def _skip_dropped(self) -> None:
        while self._heap:
            _, serial, start = self._heap[0]
            if start.trigger == _PLANNED or self._waiting[start.journey].get(start.device) == serial:
                return
            heapq.heappop(self._heap)
