"""The faults an operator injects: what is done to an answer instead of, or before, giving it.

Pure: time and chance are handed in. It knows services, requests and mistakes by name only and paths by prefix, and must
never touch a store or an answer's content: what a mistake is, the service that makes it knows.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote_plus

# What each kind of fault takes besides `where`, `kind`, `rate` and `for_s`.
KINDS: dict[str, frozenset[str]] = {
    "delay": frozenset({"low_s", "high_s"}),
    "error": frozenset({"status", "request", "error_detail"}),
    "freeze": frozenset(),
    "drop": frozenset(),
    "slots": frozenset({"slots", "service_s", "request"}),
    "wrong_policy": frozenset({"mistake", "policy_type"}),
    "wrong_command": frozenset({"mistake"}),
}
FAULT_KEYS = frozenset({"where", "kind", "rate", "for_s"}).union(*KINDS.values())
MOST_S = 1e6
MOST_SLOTS = 10_000
_NOUNS = {"error": "an error", "slots": "a slots fault"}
# What HTTP knows, and what device management says besides (policy facts 1.4).
_STATUSES = (range(400, 600), range(902, 908))


@dataclass(frozen=True, slots=True)
class Services:
    """What there is to spoil: names that a fault may say.

    Args:
        names: of services.
        requests: the kinds of request of the management service.
        policy_types: those that it gives out.
        mistakes: what it can do wrong, by kind of fault.
        error_details: what it can add to a 410.
    """

    names: frozenset[str]
    requests: frozenset[str]
    policy_types: frozenset[str]
    mistakes: Mapping[str, frozenset[str]]
    error_details: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault.

    Attributes:
        where: the name of a service, or a path prefix that begins with "/".
        kind: one of KINDS: `delay` answers between `low_s` and `high_s` late (uniform), `error` answers `status` in the
            service's place, `freeze` lets all answers wait until `until`, `drop` does the work and then closes the
            connection without an answer, `slots` serves so many at a time, each for `service_s`, and the others in the
            order they came; `wrong_policy` and `wrong_command` let the service make a mistake.
        rate: share of requests (of policies, for `wrong_policy`) that suffer it, 0 to 1.
        request: the only kind of management request that an error or slots meet; empty: every request.
        error_detail: what a 410 says besides.
        mistake: by name. policy_type: the only one it is made in; empty: in every policy.
        until: Unix seconds at which it ends; infinity lasts until it is cleared.
    """

    where: str
    kind: str
    rate: float = 1.0
    low_s: float = 0.0
    high_s: float = 0.0
    status: int = 0
    slots: int = 0
    service_s: float = 0.0
    request: str = ""
    error_detail: str = ""
    mistake: str = ""
    policy_type: str = ""
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class Effect:
    """What one request suffers: seconds its answer waits, a status in the service's place (0: none) with what a 410
    says besides, no answer."""

    delay_s: float = 0.0
    status: int = 0
    drop: bool = False
    error_detail: str = ""


NOTHING = Effect()


class Faults:
    """The faults in force.

    Args:
        draw: gives a number in [0, 1).
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._faults: list[Fault] = []
        # By the identity of a fault with slots, when each of them is free again: a heap of Unix seconds.
        self._free: dict[int, list[float]] = {}

    def inject(self, fault: Fault) -> None:
        """Put a fault into force, beside those already there."""
        self._faults.append(fault)
        self._free[id(fault)] = [0.0] * fault.slots

    def clear(self) -> int:
        """End all faults; returns how many there were, expired ones not yet met again included."""
        cleared = len(self._faults)
        self._faults = []
        self._free = {}
        return cleared

    def in_force(self, now: float) -> list[Fault]:
        """The faults that have not ended; `now` in Unix seconds."""
        self._faults = [fault for fault in self._faults if now < fault.until]
        return self._faults

    def effect(self, service: str, path: str, query: str, now: float) -> Effect:
        """What a request for that service, path and query suffers now.

        Delays add up, after the longest freeze has ended; of several errors the one injected first counts.
        """
        if not self._faults:
            return NOTHING
        thaw_s = delay_s = 0.0
        error, drop = None, False
        for fault in self.in_force(now):
            if fault.mistake or not _meets(fault, service, path, query) or not self._happens(fault):
                continue
            if fault.kind == "freeze":
                thaw_s = max(thaw_s, fault.until - now)
            elif fault.kind == "delay":
                delay_s += fault.low_s + (fault.high_s - fault.low_s) * self._draw()
            elif fault.kind == "slots":
                delay_s += self._served(fault, now) - now
            elif fault.kind == "error":
                error = error or fault
            else:
                drop = True
        status, error_detail = (error.status, error.error_detail) if error else (0, "")
        return Effect(thaw_s + delay_s, status, drop, error_detail)

    def mistake(self, kind: str, policy_type: str, now: float) -> str:
        """Which mistake the service is to make now, empty for none; of several the one injected first counts.

        Args:
            kind: "wrong_policy" or "wrong_command". policy_type: of the policy it is about to give out.
        """
        if not self._faults:
            return ""
        for fault in self.in_force(now):
            if fault.kind == kind and fault.policy_type in ("", policy_type) and self._happens(fault):
                return fault.mistake
        return ""

    def _served(self, fault: Fault, now: float) -> float:
        """When a request that comes now has been served: first come, first served."""
        free = self._free[id(fault)]
        done = max(now, free[0]) + fault.service_s
        heapq.heapreplace(free, done)
        return done

    def _happens(self, fault: Fault) -> bool:
        return fault.rate >= 1 or self._draw() < fault.rate


def _meets(fault: Fault, service: str, path: str, query: str) -> bool:
    if not (path.startswith(fault.where) if fault.where.startswith("/") else service == fault.where):
        return False
    return not fault.request or fault.request == _requested(query)


def _requested(query: str) -> str:
    """The last `request` parameter of a query, as the management service reads it."""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return unquote_plus({name: value for name, _, value in pairs}.get("request", ""))


def read_fault(value: Mapping[str, object], services: Services, now: float) -> Fault:
    """A fault as an operator says it in JSON; `for_s` counts from `now` (Unix seconds).

    A delay says `high_s`, and `low_s` when it is not constant; slots say how many (`slots`, 1 when left out) and for
    how long each serves (`service_s`); an error its `status`; both may say the one kind of `request` that they meet; a
    freeze says how long (`for_s`); a wrong policy or command its `mistake`.
    Raises: ValueError, one line: what is wrong and what was expected.
    """
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}")
    unknown = sorted(set(value) - KINDS[kind] - {"where", "kind", "rate", "for_s"})
    if unknown:
        raise ValueError(f"a {kind} fault takes no {', '.join(unknown)}")
    where = value.get("where")
    if not isinstance(where, str) or (where not in services.names and not where.startswith("/")):
        raise ValueError(
            f"where is {where!r}; expected one of {', '.join(sorted(services.names))}, or a path that begins with /"
        )
    if where != "management" and (kind in services.mistakes or {"request", "error_detail"} & set(value)):
        said = f"a {kind} fault" if kind in services.mistakes else f"{_NOUNS[kind]} with request or error_detail"
        raise ValueError(f'where is {where!r}; {said} is for "management"')
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
        slots=_slots(value) if kind == "slots" else 0,
        service_s=_number(value, "service_s", None if kind == "slots" else 0.0, high=MOST_S),
        request=_name(value, "request", services.requests),
        error_detail=_name(value, "error_detail", services.error_details),
        mistake=_name(value, "mistake", services.mistakes.get(kind, frozenset()), needed=kind in services.mistakes),
        policy_type=_name(value, "policy_type", services.policy_types),
        until=now + _number(value, "for_s", None, high=MOST_S) if "for_s" in value else math.inf,
    )


def _number(value: Mapping[str, object], key: str, default: float | None, *, high: float) -> float:
    number = value.get(key, default)
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= high:
        raise ValueError(f"{key} is {number!r}; expected a number from 0 to {high:g}")
    return float(number)


def _status(value: Mapping[str, object]) -> int:
    status = value.get("status")
    if isinstance(status, bool) or not isinstance(status, int) or not any(status in known for known in _STATUSES):
        raise ValueError(f"status is {status!r}; expected an HTTP status from 400 to 599, or 902 to 907")
    if "error_detail" in value and status != 410:
        raise ValueError(f"status is {status}; only a 410 has an error_detail")
    return status


def _slots(value: Mapping[str, object]) -> int:
    slots = value.get("slots", 1)
    if isinstance(slots, bool) or not isinstance(slots, int) or not 1 <= slots <= MOST_SLOTS:
        raise ValueError(f"slots is {slots!r}; expected a whole number from 1 to {MOST_SLOTS}")
    return slots


def _name(value: Mapping[str, object], key: str, names: frozenset[str], *, needed: bool = False) -> str:
    name = value.get(key)
    if name is None and key not in value and not needed:
        return ""
    if not isinstance(name, str) or name not in names:
        near = get_close_matches(str(name), names, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{key} is {name!r}; expected one of {', '.join(sorted(names))}{hint}")
    return name
