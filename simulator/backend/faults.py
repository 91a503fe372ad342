"""The faults an operator injects: what is done to an answer instead of, or before, giving it.

Pure: time and chance are handed in. It knows services by name and paths by prefix only, and must never touch a store or
an answer's content.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# What each kind of fault takes besides `where`, `kind`, `rate` and `for_s`.
KINDS: dict[str, frozenset[str]] = {
    "delay": frozenset({"low_s", "high_s"}),
    "error": frozenset({"status"}),
    "freeze": frozenset(),
    "drop": frozenset(),
}
FAULT_KEYS = frozenset({"where", "kind", "rate", "for_s"}).union(*KINDS.values())
MOST_S = 1e6


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault.

    Attributes:
        where: the name of a service, or a path prefix that begins with "/".
        kind: one of KINDS: `delay` answers between `low_s` and `high_s` late (uniform), `error` answers `status` in the
            service's place, `freeze` lets all answers wait until `until`, `drop` does the work and then closes the
            connection without an answer.
        rate: share of requests that suffer it, 0 to 1.
        until: Unix seconds at which it ends; infinity lasts until it is cleared.
    """

    where: str
    kind: str
    rate: float = 1.0
    low_s: float = 0.0
    high_s: float = 0.0
    status: int = 0
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Effect:
    """What one request suffers: seconds its answer waits, a status in the service's place (0: none), no answer."""

    delay_s: float = 0.0
    status: int = 0
    drop: bool = False


NOTHING = Effect()


class Faults:
    """The faults in force.

    Args:
        draw: gives a number in [0, 1).
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._faults: list[Fault] = []

    def inject(self, fault: Fault) -> None:
        """Put a fault into force, beside those already there."""
        self._faults.append(fault)

    def clear(self) -> int:
        """End all faults; returns how many there were, expired ones not yet met again included."""
        cleared = len(self._faults)
        self._faults = []
        return cleared

    def in_force(self, now: float) -> list[Fault]:
        """The faults that have not ended; `now` in Unix seconds."""
        self._faults = [fault for fault in self._faults if now < fault.until]
        return self._faults

    def effect(self, service: str, path: str, now: float) -> Effect:
        """What a request for that service and path suffers now.

        Delays add up, after the longest freeze has ended; of several errors the one injected first counts.
        """
        if not self._faults:
            return NOTHING
        thaw_s = delay_s = 0.0
        status, drop = 0, False
        for fault in self.in_force(now):
            if not (path.startswith(fault.where) if fault.where.startswith("/") else service == fault.where):
                continue
            if fault.rate < 1 and self._draw() >= fault.rate:
                continue
            if fault.kind == "freeze":
                thaw_s = max(thaw_s, fault.until - now)
            elif fault.kind == "delay":
                delay_s += fault.low_s + (fault.high_s - fault.low_s) * self._draw()
            elif fault.kind == "error":
                status = status or fault.status
            else:
                drop = True
        return Effect(thaw_s + delay_s, status, drop)


def read_fault(value: Mapping[str, object], services: frozenset[str], now: float) -> Fault:
    """A fault as an operator says it in JSON; `for_s` counts from `now` (Unix seconds).

    A delay says `high_s`, and `low_s` when it is not constant; an error its `status`; a freeze how long (`for_s`).
    Raises: ValueError, one line: what is wrong and what was expected.
    """
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}")
    unknown = sorted(set(value) - KINDS[kind] - {"where", "kind", "rate", "for_s"})
    if unknown:
        raise ValueError(f"a {kind} fault takes no {', '.join(unknown)}")
    where = value.get("where")
    if not isinstance(where, str) or (where not in services and not where.startswith("/")):
        raise ValueError(
            f"where is {where!r}; expected one of {', '.join(sorted(services))}, or a path that begins with /"
        )
    if kind == "freeze" and ("for_s" not in value or "rate" in value):
        raise ValueError("a freeze holds all answers for a time: it takes for_s, and no rate")
    high_s = _number(value, "high_s", None if kind == "delay" else 0.0, high=MOST_S)
    return Fault(
        where=where,
        kind=kind,
        rate=_number(value, "rate", 1.0, high=1.0),
        low_s=_number(value, "low_s", high_s, high=high_s),
        high_s=high_s,
        status=_status(value) if kind == "error" else 0,
        until=now + _number(value, "for_s", None, high=MOST_S) if "for_s" in value else math.inf,
    )


def _number(value: Mapping[str, object], key: str, default: float | None, *, high: float) -> float:
    number = value.get(key, default)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= high:
        raise ValueError(f"{key} is {number!r}; expected a number from 0 to {high:g}")
    return float(number)


def _status(value: Mapping[str, object]) -> int:
    status = value.get("status")
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
        raise ValueError(f"status is {status!r}; expected an HTTP status from 400 to 599")
    return status
