"""What spares the systems under test: an authorisation's time and rate, and a target that gives in under load.

Pure: clocks are handed in, reasons come out. The wire's guard refuses what may not be sent; here a run is kept from
starting in vain, and told to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reports.record import OUTCOMES
from reports.summary import ABORTED
from scenarios.targets import AbortWhen, Targets
from simulator.composition import Composition
from simulator.protocols.login import service_of_step
from simulator.protocols.messages import REASONS

# A share of fewer says nothing: two people who mistype at six in the morning are no outage.
SAMPLES_AT_LEAST: Final = 10
LEAVE_OVER: Final = "authorisation over"

_NO_REASON: Final = REASONS.index("none")
_SKIPPED: Final = OUTCOMES.index("skipped")


def leave_faults(composition: Composition, now: float) -> list[str]:
    """One line if the authorisation does not hold at `now` (Unix seconds): nothing could be sent under it."""
    leave = composition.targets.authorisation
    if leave is None or leave.from_.timestamp() <= now < leave.until.timestamp():
        return []
    span = f"from {leave.from_.isoformat()} until {leave.until.isoformat()}"
    return [f"the [authorisation] holds {span}, and it is {_instant(now)}: have it renewed, or wait"]


def leave_notes(composition: Composition, now: float) -> list[str]:
    """One line if the authorisation ends before a run that begins at `now` (Unix seconds) would."""
    leave = composition.targets.authorisation
    over_s = 0.0 if leave is None else now + composition.end_s - leave.until.timestamp()
    if leave is None or over_s <= 0:
        return []
    return [
        f"the [authorisation] ends {over_s:.0f} s before the run would, at {leave.until.isoformat()}:"
        " nothing is sent from then on, and the run will decide nothing"
    ]


class Protection:
    """Watches a run's samples and says when it must stop.

    Args:
        steps: step names by a sample's `step`.
        targets: what the user named, with the leave to load it.
    """

    def __init__(self, steps: Sequence[str], targets: Targets) -> None:
        self._until = None if targets.authorisation is None else targets.authorisation.until
        limits = {service: target.aborts for service, target in targets.named().items()}
        self._watched = {
            index: _Watch(name, limit)
            for index, name in enumerate(steps)
            if "." in name and (limit := limits.get(service_of_step(name))) is not None
        }

    def take(self, records: NDArray[np.void]) -> None:
        """Count one batch of samples, records of reports.record.SAMPLE."""
        for index in np.unique(records["step"]):
            watch = self._watched.get(int(index))
            if watch is not None:
                watch.take(records[(records["step"] == index) & (records["outcome"] != _SKIPPED)])

    def verdict(self, now: float, utc: float) -> tuple[str, str] | None:
        """Why the run must stop, by name and in words; None while it may go on.

        Args:
            now: the run second. utc: Unix seconds.
        """
        if self._until is not None and utc >= self._until.timestamp():
            return LEAVE_OVER, f"the [authorisation] ended at {self._until.isoformat()}; nothing was sent after it"
        for watch in self._watched.values():
            said = watch.verdict(now)
            if said:
                return ABORTED, said
        return None


class _Watch:
    """One step of one target: how its last `over_s` seconds went, counted by the second in which a sample ended."""

    def __init__(self, step: str, limit: AbortWhen) -> None:
        self._step, self._limit = step, limit
        self._seconds: dict[int, NDArray[np.intp]] = {}

    def take(self, records: NDArray[np.void]) -> None:
        seconds = np.floor(records["done"]).astype(np.int64)
        for second in np.unique(seconds).tolist():
            ended = np.bincount(records["reason"][seconds == second], minlength=len(REASONS))
            self._seconds[second] = self._seconds.get(second, 0) + ended

    def verdict(self, now: float) -> str:
        self._seconds = {second: ended for second, ended in self._seconds.items() if second >= now - self._limit.over_s}
        reasons = np.sum([*self._seconds.values(), np.zeros(len(REASONS), np.int64)], axis=0)
        count, good = int(reasons.sum()), int(reasons[_NO_REASON])
        bad, reasons[_NO_REASON] = count - good, 0
        if count < SAMPLES_AT_LEAST or bad < self._limit.error_share * count:
            return ""
        why = REASONS[int(np.argmax(reasons))]
        return (
            f"{bad:,} of {count:,} {self._step} in {self._limit.over_s:g} s did not end ok, most of them {why};"
            f" abort_when stops the run at {self._limit.error_share:.0%}"
        )


def _instant(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")
