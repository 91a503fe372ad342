"""The counts of the moment while a run plays: one fold over the batches, for the screen and for metrics alike.

No number of a report comes from here; nothing is printed or served.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.percentiles import rank_of
from reports.record import OPERATOR, OUTCOMES, TRIGGERS

WINDOW_S: Final = 10.0
TIMES_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Upper ends of the buckets of latency and service time; what is longer, or did not end ok, is above all of them."""
LATENESS_S: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Upper ends of the buckets of lateness."""

_OK: Final = OUTCOMES.index("ok")
_SKIPPED: Final = OUTCOMES.index("skipped")
_OWN: Final = (TRIGGERS.index("planned"), TRIGGERS.index("timer"))


@dataclass(frozen=True, slots=True)
class Planned:
    """What is expected of a run: its scenario's name, devices, those of them enrolled before, people, and its times.

    The morning begins at run second `lead_s`, which is `day_start_s` seconds after midnight; nothing starts
    from `end_s` on.
    """

    name: str
    devices: int
    enrolled: int
    people: int
    compression: float
    lead_s: float
    day_start_s: float
    end_s: float

    def clock(self, now: float) -> str:
        """The city time of a run second as people read it; "" before the morning."""
        if now < self.lead_s:
            return ""
        whole = int(self.day_start_s + (now - self.lead_s) * self.compression) % 86_400
        return f"{whole // 3600:02}:{whole // 60 % 60:02}"


@dataclass(slots=True)
class Buckets:
    """Histograms of one kind, a row each: `counts` by bucket, the last one above all ends; `sums` of what ended ok."""

    ends: tuple[float, ...]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]

    @classmethod
    def of(cls, rows: int, ends: tuple[float, ...]) -> Buckets:
        """Empty ones."""
        return cls(ends, np.zeros((rows, len(ends) + 1), np.int64), np.zeros(rows))

    def add(self, rows: NDArray[Any], seconds: NDArray[np.float64], ok: NDArray[np.bool_]) -> None:
        """Count times; one that did not end ok ranks above every one that did."""
        wide = len(self.ends) + 1
        bucket = np.where(ok, np.searchsorted(self.ends, seconds), wide - 1)
        self.counts += np.bincount(rows * wide + bucket, minlength=self.counts.size).reshape(self.counts.shape)
        self.sums += np.bincount(rows[ok], seconds[ok], minlength=self.sums.size)


@dataclass(slots=True)
class Recent:
    """One step over the last WINDOW_S: its rate, and what 95 of 100 took (infinite: more than 5 did not end ok)."""

    step: str
    per_s: float
    p95_s: float
    not_ok: int


@dataclass(slots=True)
class Tally:
    """Folds batches of samples and rows of health.

    Attributes:
        steps, reasons: names by a sample's `step` and `reason`.
        outcomes: counts by (step, outcome). latency, service: by step. lateness: one row.
        health: the last row of each process. troubles: counts by (step, reason).
        online: devices online now, over all engines.
    """

    steps: Sequence[str]
    reasons: Sequence[str]
    outcomes: NDArray[np.int64] = field(init=False)
    latency: Buckets = field(init=False)
    service: Buckets = field(init=False)
    lateness: Buckets = field(init=False)
    health: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    troubles: Counter[tuple[str, str]] = field(default_factory=Counter)
    online: int = 0
    _is_step: NDArray[np.bool_] = field(init=False)
    _window: deque[NDArray[np.void]] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.outcomes = np.zeros((len(self.steps), len(OUTCOMES)), np.int64)
        self.latency, self.service = (Buckets.of(len(self.steps), TIMES_S) for _ in range(2))
        self.lateness = Buckets.of(1, LATENESS_S)
        self._is_step = np.array(["." in name for name in self.steps])

    def take(self, records: NDArray[np.void]) -> None:
        """Count one batch of samples."""
        step, outcome, ok = records["step"].astype(np.int64), records["outcome"], records["outcome"] == _OK
        wide = len(OUTCOMES)
        self.outcomes += np.bincount(step * wide + outcome, minlength=self.outcomes.size).reshape(self.outcomes.shape)
        self.latency.add(step, records["done"] - records["due"], ok)
        sent = self._is_step[step] & (outcome != _SKIPPED)
        self.service.add(step[sent], (records["done"] - records["sent"])[sent], ok[sent])
        own = sent & np.isin(records["trigger"], _OWN) & (records["device"] != OPERATOR)
        late = (records["sent"] - records["able"])[own]
        self.lateness.add(np.zeros(late.size, np.int64), late, np.ones(late.size, np.bool_))
        kinds, counts = np.unique((step * len(self.reasons) + records["reason"])[~ok], return_counts=True)
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
            of, reason = divmod(kind, len(self.reasons))
            self.troubles[self.steps[of], self.reasons[reason]] += count
        if sent.any():
            self._window.append(records[sent])

    def hear(self, row: Mapping[str, Any]) -> None:
        """One second of one process."""
        self.health[str(row["who"])] = row

    def done(self, step: str) -> int:
        """How many of a step or milestone ended ok."""
        return int(self.outcomes[self.steps.index(step), _OK])

    @property
    def not_ok(self) -> int:
        """How many steps and milestones did not end ok."""
        return int(self.outcomes.sum() - self.outcomes[:, _OK].sum())

    def recent(self, now: float) -> list[Recent]:
        """The steps of the last WINDOW_S, the busiest first; the first row is all of them together ("")."""
        while self._window and float(self._window[0]["done"].max()) < now - WINDOW_S:
            self._window.popleft()
        if not self._window:
            return [Recent("", 0.0, float("nan"), 0)]
        rows = np.concatenate(list(self._window))
        width = min(WINDOW_S, max(now, 1.0))
        found = [_recent("", rows, width)]
        each = [(name, rows[rows["step"] == at]) for at, name in enumerate(self.steps) if self._is_step[at]]
        found += sorted((_recent(name, of, width) for name, of in each if of.size), key=lambda one: -one.per_s)
        return found


def _recent(step: str, rows: NDArray[np.void], width: float) -> Recent:
    ok = rows["outcome"] == _OK
    seconds = np.sort(np.where(ok, rows["done"] - rows["due"], np.inf))
    return Recent(step, rows.size / width, float(seconds[rank_of(rows.size, 95) - 1]), int((~ok).sum()))
