"""What the health rows of a run tell against it: each thing that can spoil a measurement is a row of CHECKS.

Pure: from rows to figures and sentences that name what happened, when, and what to do. Samples are not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.messages.distrust import distrust
from scenarios.harness import Harness

WINDOW_S: Final = 5.0
STANDSTILL_MS: Final = 200.0
"""A loop that is that late stood still; shorter pauses are a machine's own, where others share it."""
STANDSTILL_WINDOW_S: Final = 600.0
IDLE_CORES_AT_LEAST: Final = 1.0
"""Where so much is left, what others take costs us nothing."""
ROW_S: Final = 1.0

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """The health rows of a run: of each engine, and of the run's own process, which watches the machine.

    `limits` are the scenario's, `limit_ms` is how late a start may be; `shared` whether a stand-in, `target_here`
    whether a target that the user named has the same cores as we.
    """

    engines: Mapping[str, Sequence[Row]]
    machine: Sequence[Row]
    limits: Harness
    limit_ms: float
    shared: bool
    target_here: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found: figures for summary.json, and why the run cannot be trusted; "" when it can."""

    figures: dict[str, Any]
    reason: str = ""


def watched(health: Sequence[Row], *, limits: Harness, limit_ms: float, shared: bool, target_here: bool) -> Watched:
    """Sort the rows of health.jsonl. What fell before the first start is left out."""
    engines: dict[str, list[Row]] = {}
    machine: list[Row] = []
    for row in health:
        if row["t"] - _span(row) < -ROW_S:
            continue
        if str(row["who"]).startswith("engine"):
            engines.setdefault(row["who"], []).append(row)
        elif row["who"] == "run":
            machine.append(row)
    return Watched(engines, machine, limits, limit_ms, shared, target_here)


def loop_lag(of: Watched) -> Found:
    """The longest lag of each second, by its median over five: one that stays stretches every answer we stamp."""
    lag = {who: _column(rows, "loop_lag_ms") for who, rows in of.engines.items()}
    at = max((_worst(of.engines[who], values, np.median, who) for who, values in lag.items()), default=None)
    longest = max((float(values.max()) for values in lag.values()), default=None)
    limit = of.limit_ms if of.limits.loop_lag_ms_at_most is None else of.limits.loop_lag_ms_at_most
    figures = {"max": longest, "worst_window": at and at.value, "limit": limit}
    if at is None or at.value <= limit:
        return Found(figures)
    told = {"who": at.who, "lag": f"{at.value:.1f}", "at": f"{at.t:.0f}", "limit": f"{limit:g}"}
    return Found(figures, distrust("loop_lag", **told))


def standstill(of: Watched) -> Found:
    """How long a loop stood still, of its pauses of STANDSTILL_MS and more, in the worst STANDSTILL_WINDOW_S."""
    worst: tuple[float, str, NDArray[np.float64]] = (0.0, "", np.empty((0, 4)))
    for who, rows in of.engines.items():
        pauses = _pauses(rows)
        ends = np.searchsorted(pauses[:, 0], pauses[:, 0] + STANDSTILL_WINDOW_S)
        for first, end in enumerate(ends):
            chosen = pauses[first:end]
            worst = max(worst, (float(chosen[:, 1].sum() / 1000), who, chosen), key=lambda one: one[0])
    stood_s, who, pauses = worst
    limit = of.limits.standstill_s_at_most
    figures = {"count": len(pauses), "worst_window": round(stood_s, 3), "limit": limit}
    if stood_s <= limit:
        return Found(figures)
    at, longest_ms, *_ = pauses[np.argmax(pauses[:, 1])]
    told = {"who": who, "count": len(pauses), "all": f"{stood_s:.2f}", "limit": f"{limit:g}"}
    return Found(figures, distrust(_held_by(pauses), **told, longest=f"{longest_ms:.0f}", at=f"{at:.1f}"))


def _held_by(pauses: NDArray[np.float64]) -> str:
    """Which reason stood still a loop, by what its process did meanwhile."""
    _, paused_ms, ran_ms, waited_ms = pauses.sum(axis=0)
    if ran_ms > paused_ms / 2:
        return "stood_own_work"
    return "stood_no_core" if waited_ms > paused_ms / 2 else "stood_stopped"


def engine_busy(of: Watched) -> Found:
    """The share of time in which an engine had work, whether or not it had a core for it."""
    return _share(of, "engine_busy", of.limits.engine_busy_share_at_most, "cpu_ms", "runqueue_ms")


def runqueue(of: Watched) -> Found:
    """The share of time in which an engine was ready to run and had no core."""
    return _share(of, "runqueue", of.limits.runqueue_share_at_most, "runqueue_ms")


def _share(of: Watched, reason: str, limit: float, *keys: str) -> Found:
    """The share of the worst window that these milliseconds of an engine take together."""
    at = _worst_share(of.engines, *keys)
    figures = {"worst_window": at and at.value, "limit": limit}
    if at is None or at.value <= limit:
        return Found(figures)
    told = {"who": at.who, "share": f"{at.value:.0%}", "at": f"{at.t:.0f}", "limit": f"{limit:.0%}"}
    return Found(figures, distrust(reason, **told))


def others(of: Watched) -> Found:
    """How many cores other programs and other guests of the host had, where they left us less than a whole one.

    Not judged where a target of the user's runs on this machine: its work is what was asked for.
    """
    taken = _column(of.machine, "others_ms") + _column(of.machine, "stolen_ms")
    span_ms = _spans_ms(of.machine)
    limit = None if of.target_here else of.limits.others_cores_at_most
    if not span_ms.size:
        return Found({"worst_window": None, "limit": limit})
    cores, idle = _mean(taken, span_ms), _mean(_column(of.machine, "idle_ms"), span_ms)
    short = np.where(idle < IDLE_CORES_AT_LEAST, cores, 0.0)
    at = int(np.argmax(short))
    figures = {"worst_window": round(float(short[at]), 3), "limit": limit}
    if limit is None or short[at] <= limit:
        return Found(figures)
    stolen = _mean(_column(of.machine, "stolen_ms"), span_ms)[at]
    told = {"taken": f"{short[at]:.2f}", "stolen": f"{stolen:.2f}", "idle": f"{idle[at]:.2f}", "limit": f"{limit:g}"}
    where = {"cores": of.machine[at].get("cores", 0), "at": f"{_began(of.machine[at]):.0f}"}
    return Found(figures, distrust("others", **told, **where))


def pressure(of: Watched) -> Found:
    """The share of time in which any task of the machine waited for a core while less than one was idle."""
    limit = None if of.shared or of.target_here else of.limits.pressure_share_at_most
    span_ms = _spans_ms(of.machine)
    if not span_ms.size:
        return Found({"worst_window": None, "limit": limit})
    waited = _mean(_column(of.machine, "pressure_ms"), span_ms)
    # on a machine with a core to spare others may wait for each other
    waited[_mean(_column(of.machine, "idle_ms"), span_ms) >= IDLE_CORES_AT_LEAST] = 0.0
    at = int(np.argmax(waited))
    figures = {"worst_window": round(float(waited[at]), 4), "limit": limit}
    if limit is None or waited[at] <= limit:
        return Found(figures)
    told = {"share": f"{waited[at]:.0%}", "at": f"{_began(of.machine[at]):.0f}", "limit": f"{limit:.0%}"}
    return Found(figures, distrust("pressure", **told))


def wall_clock(of: Watched) -> Found:
    """How far the wall clock was set, at once. Tokens, assertions and servers' logs are dated by it."""
    return _jump(of, "wall_clock", "wall_ms", of.limits.wall_clock_ms_at_most)


def asleep(of: Watched) -> Found:
    """How long the machine slept: our monotonic clock stood still then, and nobody else's did."""
    return _jump(of, "asleep", "asleep_ms", of.limits.asleep_ms_at_most)


def _jump(of: Watched, reason: str, key: str, limit: float) -> Found:
    """The furthest a clock moved in a row of any process, and how many rows of that process it moved too far in."""
    told = {**of.engines, "run": of.machine}
    found = [_At(float(row.get(key, 0.0)), float(row["t"]), who) for who, rows in told.items() for row in rows]
    at = max(found, key=lambda one: abs(one.value), default=None)
    figures = {"worst_window": at and abs(at.value), "limit": limit}
    count = sum(one.who == at.who and abs(one.value) > limit for one in found) if at else 0
    if at is None or not count:
        return Found(figures)
    by = f"{at.value / 1000:+.2f}"
    return Found(figures, distrust(reason, by=by, at=f"{at.t:.0f}", count=count, limit=f"{limit:g}"))


CHECKS: Final[dict[str, Callable[[Watched], Found]]] = {
    "engine_busy_share": engine_busy,
    "others_cores": others,
    "standstill_s": standstill,
    "loop_lag_ms": loop_lag,
    "runqueue_share": runqueue,
    "pressure_share": pressure,
    "wall_clock_ms": wall_clock,
    "asleep_ms": asleep,
}
"""What can spoil a measurement, by its name in summary.json; a scenario sets its limit as [harness] <name>_at_most.

Causes stand before what follows from them.
"""


@dataclass(frozen=True, slots=True, order=True)
class _At:
    """A figure, the run second at which its window began, and whose it is."""

    value: float
    t: float
    who: str


def worst(values: NDArray[np.float64], middle: Any) -> float:
    """The largest `middle` (mean, median) of any five seconds in a row; of all of them where there are fewer."""
    return round(float(_windows(values, middle).max()), 4)


def _windows(values: NDArray[np.float64], middle: Any) -> NDArray[np.float64]:
    wide = min(int(WINDOW_S / ROW_S), values.size)
    found: NDArray[np.float64] = middle(np.lib.stride_tricks.sliding_window_view(values, wide), axis=1)
    return found


def _worst(rows: Sequence[Row], values: NDArray[np.float64], middle: Any, who: str) -> _At:
    at = int(np.argmax(_windows(values, middle)))
    return _At(worst(values, middle), _began(rows[at]), who)


def _mean(amounts: NDArray[np.float64], spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per window: amounts by time, whatever stretch each row tells of."""
    return _windows(amounts, np.sum) / _windows(spans, np.sum)


def _worst_share(rows_of: Mapping[str, Sequence[Row]], *keys: str) -> _At | None:
    found = []
    for who, rows in rows_of.items():
        shares = _mean(np.sum([_column(rows, key) for key in keys], axis=0), _spans_ms(rows))
        at = int(np.argmax(shares))
        found.append(_At(round(float(shares[at]), 4), _began(rows[at]), who))
    return max(found, default=None)


def _pauses(rows: Sequence[Row]) -> NDArray[np.float64]:
    """Of each standstill of a loop, in order: run second of its begin, ms of it, with a core, and waiting for one."""
    told = [
        (row["t"] - ago_s - lag_ms / 1000, lag_ms, ran_ms, waited_ms)
        for row in rows
        for ago_s, lag_ms, ran_ms, waited_ms in row.get("pauses", ())
    ]
    return np.array([one for one in told if one[0] >= 0 and one[1] >= STANDSTILL_MS], np.float64).reshape(-1, 4)


def _spans_ms(rows: Sequence[Row]) -> NDArray[np.float64]:
    return np.array([_span(row) * 1000 for row in rows], np.float64)


def _span(row: Row) -> float:
    """Seconds that a row tells of."""
    return max(float(row.get("span_s", ROW_S)), 0.001)


def _began(row: Row) -> float:
    return max(0.0, float(row["t"]) - _span(row))


def _column(rows: Sequence[Row], key: str) -> NDArray[np.float64]:
    return np.array([row.get(key, 0.0) for row in rows], np.float64)
