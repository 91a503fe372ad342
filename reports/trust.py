"""Whether a run's numbers can be trusted: judged on our own processes alone, never on how a target fared.

Pure: from samples and health rows to reasons. What the verdict is made of stands in objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.objectives import Objective
from reports.percentiles import Ranked, rank_of
from reports.record import OPERATOR, OUTCOMES, TRIGGERS
from reports.runfolder import RunData
from reports.steps import of_steps

WINDOW_S: Final = 5.0
WINDOW_STARTS: Final = 100
WINDOW_PERCENT: Final = 98
"""Of a window's starts, whose lateness is judged. One pause of a tenth of a second is 2 % of a window: machines that
others share have those, and they move no percentile of a run; a pause of a quarter second is found out."""
LATENESS_MS_AT_MOST: Final = 50.0
LATENESS_SHARE_AT_MOST: Final = 0.05
"""Of the tightest latency or service objective."""
RUNQUEUE_SHARE_AT_MOST: Final = 0.25
"""Of a window, in which an engine was ready to run and had no core."""
PRESSURE_SHARE_AT_MOST: Final = 0.9
"""Of a window, in which any task of the machine waited for a core, unless the stand-in shares our cores: its own
work raises the figure then, and the run queue of the engines tells what that cost us."""

RATE_CAP: Final = "rate_cap"
_OWN_STARTS: Final = (TRIGGERS.index("planned"), TRIGGERS.index("timer"))
_SKIPPED: Final = OUTCOMES.index("skipped")


@dataclass(frozen=True, slots=True)
class Trust:
    """The judgement: `reasons` why not, `notes` that do not untrust, and the figures it was made on."""

    trustworthy: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    figures: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The `harness` of summary.json."""
        head = {"trustworthy": self.trustworthy, "reasons": list(self.reasons), "notes": list(self.notes)}
        return {**head, **self.figures}


def judge_trust(data: RunData, objectives: Sequence[Objective]) -> Trust:
    """Judge a run.

    Lateness is judged on planned and timer starts, which alone have an instant that we owe them, by what 98 of
    100 keep in the worst window: a stray start or two of a hundred tell nothing, more tell a machine that cannot keep
    up. A window is 5 s, and longer where fewer than 100 starts fell into it, so that no single start decides. The
    longest loop lag of each second is judged by its median over 5 s: a lone pause shows in lateness already, a lag
    that stays stretches every answer we stamp.
    """
    limit_ms = lateness_limit_ms(data.run, objectives)
    reasons = [str(reason) for reason in data.run.get("untrusted", ())]
    if not data.run.get("ended"):
        reasons.append("the run was killed before its end")
    late = _lateness(data)
    engines = _engines(data.health)
    lag = {who: _column(rows, "loop_lag_ms") for who, rows in engines.items()}
    queue = {who: _column(rows, "runqueue_ms") / 1000 for who, rows in engines.items()}
    pressure = {who: _column(rows, "pressure_ms") / 1000 for who, rows in engines.items()}
    shared = any(target["basis"] == "stand-in" for target in data.run["targets"].values())
    figures = {
        "lateness_ms": {**late, "limit": limit_ms},
        "loop_lag_ms": {
            "max": _highest(lag.values()),
            "worst_window": max((worst(values, np.median) for values in lag.values()), default=None),
            "limit": limit_ms,
        },
        "runqueue_share": {
            "worst_window": max((worst(values, np.mean) for values in queue.values()), default=None),
            "limit": RUNQUEUE_SHARE_AT_MOST,
        },
        "pressure_share": {
            "worst_window": max((worst(values, np.mean) for values in pressure.values()), default=None),
            "limit": None if shared else PRESSURE_SHARE_AT_MOST,
        },
    }
    reasons += [f"{_SAYS[key].format(**figure)}" for key, figure in figures.items() if _over(figure)]
    reasons += _ours(data) + _held_back(data)
    notes = []
    if shared:
        notes.append("The stand-in shared our cores: its times and ours lengthen each other.")
    if data.samples.size and not engines:
        notes.append("No engine told how it fared; lateness alone was judged.")
    return Trust(not reasons, tuple(reasons), tuple(notes), figures)


_SAYS: Final = {
    "lateness_ms": "starts were {worst_window:.1f} ms late in the worst window, the limit is {limit:g} ms",
    "loop_lag_ms": "an engine's loop lagged {worst_window:.1f} ms in the worst window, the limit is {limit:g} ms",
    "runqueue_share": "an engine waited for a core {worst_window:.0%} of the worst window, the limit is {limit:.0%}",
    "pressure_share": "tasks waited for a core {worst_window:.0%} of the worst window, the limit is {limit:.0%}",
}


def lateness_limit_ms(run: Mapping[str, Any], objectives: Sequence[Objective]) -> float:
    """How late a start may be: 5 % of the tightest objective, at most 50 ms, at most what the scenario says."""
    tightest = [one.limit * 1000 * LATENESS_SHARE_AT_MOST for one in objectives if one.measure != "errors"]
    wanted = (run["scenario"]["folded"].get("harness") or {}).get("lateness_ms_at_most")
    return round(min([LATENESS_MS_AT_MOST, *tightest, *([] if wanted is None else [float(wanted)])]), 3)


def own_starts(data: RunData) -> NDArray[np.bool_]:
    """Which samples we owed an instant: planned and timer starts of devices that were handed to the wire."""
    samples = data.samples
    planned, timer = _OWN_STARTS
    chosen: NDArray[np.bool_] = ((samples["trigger"] == planned) | (samples["trigger"] == timer)) & of_steps(
        data.run, samples
    )
    chosen &= (samples["outcome"] != _SKIPPED) & (samples["device"] != OPERATOR)
    return chosen


def windows(instants: NDArray[np.float64], *, at_least: int = WINDOW_STARTS) -> list[slice]:
    """Cut sorted instants (run seconds) into windows of 5 s, each joined with the next until it holds enough of them.

    What is too few at the end is joined with the window before.
    """
    if not instants.size:
        return []
    ends = np.flatnonzero(np.diff(np.floor(instants / WINDOW_S))) + 1
    cuts = [0]
    for end in ends:
        if end - cuts[-1] >= at_least:
            cuts.append(int(end))
    if len(cuts) > 1 and instants.size - cuts[-1] < at_least:
        cuts.pop()
    return [slice(first, end) for first, end in zip(cuts, [*cuts[1:], instants.size], strict=True)]


def worst(values: NDArray[np.float64], middle: Any) -> float:
    """The largest `middle` (mean, median) of any five seconds in a row; of all of them where there are fewer."""
    wide = min(int(WINDOW_S), values.size)
    return round(float(middle(np.lib.stride_tricks.sliding_window_view(values, wide), axis=1).max()), 4)


def _lateness(data: RunData) -> dict[str, Any]:
    """Milliseconds from when a start's device could to when it was handed to the wire."""
    chosen = own_starts(data)
    able, sent = data.samples["able"][chosen], data.samples["sent"][chosen]
    order = np.argsort(able)
    able, late_ms = able[order], ((sent - able) * 1000)[order]
    if not late_ms.size:
        return {"count": 0, "p50": None, "p99": None, "max": None, "worst_window": None, "worst_at_s": None}
    cuts = windows(able)
    ranks = [rank_of(cut.stop - cut.start, WINDOW_PERCENT) - 1 for cut in cuts]
    judged = [float(np.partition(late_ms[cut], rank)[rank]) for cut, rank in zip(cuts, ranks, strict=True)]
    at = int(np.argmax(judged))
    ranked = Ranked(late_ms, np.ones(late_ms.size, np.bool_))
    return {
        "count": ranked.count,
        **{f"p{percent}": round(ranked.at(rank_of(ranked.count, percent)), 3) for percent in (50, 99)},
        "max": round(ranked.at(ranked.count), 3),
        "worst_window": round(judged[at], 3),
        "worst_at_s": round(float(able[cuts[at].start]), 1),
    }


def _ours(data: RunData) -> list[str]:
    """Samples that ended as they did through our own machine's fault."""
    ours = [index for index, name in enumerate(data.run["reasons"]) if name.startswith("harness_")]
    counts = np.bincount(data.samples["reason"], minlength=len(data.run["reasons"]))
    return [f"samples that ended as {data.run['reasons'][at]}: {counts[at]:,}" for at in ours if counts[at]]


def _held_back(data: RunData) -> list[str]:
    """Samples that our own cap on the rate did not let start: the targets were asked for less than was planned."""
    names = list(data.run["reasons"])
    held = int((data.samples["reason"] == names.index(RATE_CAP)).sum()) if RATE_CAP in names else 0
    return [f"max_rate_per_s held {held:,} exchanges back: less was asked than the scenario says"] if held else []


def _engines(health: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in health:
        if str(row["who"]).startswith("engine"):
            found.setdefault(row["who"], []).append(row)
    return found


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> NDArray[np.float64]:
    return np.array([row.get(key, 0.0) for row in rows], np.float64)


def _highest(columns: Any) -> float | None:
    return max((float(values.max()) for values in columns), default=None)


def _over(figure: Mapping[str, Any]) -> bool:
    value, limit = figure["worst_window"], figure["limit"]
    return value is not None and limit is not None and value > limit
