"""Whether a run's numbers can be trusted: judged on our own processes alone, never on how a target fared.

Pure: from samples and health rows to reasons. What the verdict is made of stands in objectives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from reports.instrument import CHECKS, WINDOW_S, watched
from reports.messages.distrust import distrust
from reports.objectives import Objective
from reports.percentiles import Ranked, rank_of
from reports.record import OPERATOR, OUTCOMES, TRIGGERS
from reports.runfolder import RunData
from reports.steps import of_steps
from scenarios.harness import Harness

WINDOW_STARTS: Final = 100
WINDOW_PERCENT: Final = 98
"""Of a window's starts, whose lateness is judged. One pause of a tenth of a second is 2 % of a window: machines that
others share have those, and they move no percentile of a run; where starts are many a quarter second is found out."""
LATENESS_SHARE_AT_MOST: Final = 0.05
"""Of the tightest latency or service objective."""

OURS: Final = ("harness_descriptors", "harness_ports", "harness_memory")
"""A sample's reasons that are our own machine's fault, and reasons not to trust its run by the same name."""
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
    up. A window is 5 s, and longer where fewer than 100 starts fell into it, so that no single start decides. What
    the samples do not show, or do not name, the health rows tell (reports.instrument).
    """
    limits = Harness.model_validate(data.run["scenario"]["folded"].get("harness") or {})
    limit_ms = lateness_limit_ms(limits, objectives)
    reasons = [str(reason) for reason in data.run.get("untrusted", ())]
    if not data.run.get("ended"):
        reasons.append(distrust("killed", at=f"{_last(data):.0f}"))
    targets = data.run["targets"].values()
    shared = any(target["basis"] == "stand-in" for target in targets)
    here = any(target["basis"] != "stand-in" and _is_here(target["url"]) for target in targets)
    seen = watched(data.health, limits=limits, limit_ms=limit_ms, shared=shared, target_here=here)
    found = {name: check(seen) for name, check in CHECKS.items()}
    late = {**_lateness(data), "limit": limit_ms}
    reasons += [reason for name in OURS if (reason := _troubled(data, name))]
    reasons += [one.reason for one in found.values() if one.reason]
    reasons += [reason for reason in (_late(late), _troubled(data, RATE_CAP)) if reason]
    notes = []
    if shared:
        notes.append("The stand-in shared our cores: its times and ours lengthen each other.")
    if here:
        notes.append("A target runs on this machine: its times and ours may lengthen each other.")
    if data.samples.size and not seen.engines:
        notes.append("No engine told how it fared; lateness alone was judged.")
    figures = {"lateness_ms": late, **{name: one.figures for name, one in found.items()}}
    return Trust(not reasons, tuple(reasons), tuple(notes), figures)


def _is_here(url: str) -> bool:
    """Whether a target's address is one of this machine's own, as far as its spelling tells."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _last(data: RunData) -> float:
    """The run second of the last that was recorded."""
    return max([0.0, *(float(row["t"]) for row in data.health[-1:]), *map(float, data.samples["done"][-1:])])


def _late(figure: Mapping[str, Any]) -> str:
    value, limit = figure["worst_window"], figure["limit"]
    if value is None or value <= limit:
        return ""
    return distrust("late", late=f"{value:.1f}", at=f"{figure['worst_at_s']:g}", limit=f"{limit:g}")


def lateness_limit_ms(limits: Harness, objectives: Sequence[Objective]) -> float:
    """How late a start may be: what the scenario says, and at most 5 % of the tightest objective."""
    tightest = [one.limit * 1000 * LATENESS_SHARE_AT_MOST for one in objectives if one.measure != "errors"]
    return round(min([limits.lateness_ms_at_most, *tightest]), 3)


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


def _troubled(data: RunData, name: str) -> str:
    """How many samples ended for one of our own reasons, and when the first; "" for none."""
    names = list(data.run["reasons"])
    troubled = data.samples[data.samples["reason"] == names.index(name)] if name in names else data.samples[:0]
    if not troubled.size:
        return ""
    return distrust(name, count=f"{troubled.size:,}", at=f"{troubled['done'].min():.1f}")
