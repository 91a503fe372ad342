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
from reports.objectives import Objective
from reports.percentiles import Ranked, rank_of
from reports.record import OPERATOR, OUTCOMES, TRIGGERS
from reports.runfolder import RunData
from reports.steps import of_steps

WINDOW_STARTS: Final = 100
WINDOW_PERCENT: Final = 98
"""Of a window's starts, whose lateness is judged. One pause of a tenth of a second is 2 % of a window: machines that
others share have those, and they move no percentile of a run; where starts are many a quarter second is found out."""
LATENESS_MS_AT_MOST: Final = 50.0
LATENESS_SHARE_AT_MOST: Final = 0.05
"""Of the tightest latency or service objective."""

OURS: Final[dict[str, tuple[str, str]]] = {
    "harness_descriptors": ("descriptors", "raise the limit (ulimit -n), or play with more engines (--engines)"),
    "harness_ports": ("ports", "widen net.ipv4.ip_local_port_range, or play fewer devices on this machine"),
    "harness_memory": ("memory for sockets", "play fewer devices on this machine"),
}
"""A sample's reasons that are our own machine's fault: what ran out, and what to do."""
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
    limit_ms = lateness_limit_ms(data.run, objectives)
    reasons = [str(reason) for reason in data.run.get("untrusted", ())]
    if not data.run.get("ended"):
        reasons.append("the run was killed before its end")
    targets = data.run["targets"].values()
    shared = any(target["basis"] == "stand-in" for target in targets)
    here = any(target["basis"] != "stand-in" and _is_here(target["url"]) for target in targets)
    seen = watched(data.health, limit_ms=limit_ms, shared=shared, target_here=here)
    found = {name: check(seen) for name, check in CHECKS.items()}
    late = {**_lateness(data), "limit": limit_ms}
    reasons += _ours(data) + [one.reason for one in found.values() if one.reason] + _late(late) + _held_back(data)
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


def _late(figure: Mapping[str, Any]) -> list[str]:
    value, limit = figure["worst_window"], figure["limit"]
    if value is None or value <= limit:
        return []
    at = figure["worst_at_s"]
    return [f"starts were {value:.1f} ms late in the worst window, from run second {at:g}, the limit is {limit:g} ms"]


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
    """What our own machine had none left of, how often it was missed, and what to do."""
    reasons = []
    for index, name in enumerate(data.run["reasons"]):
        missed = data.samples[data.samples["reason"] == index] if name in OURS else data.samples[:0]
        if missed.size:
            what, remedy = OURS[name]
            at = float(missed["done"].min())
            reasons.append(f"{what} ran out {missed.size:,} times, first at run second {at:.1f}; {remedy}")
    return reasons


def _held_back(data: RunData) -> list[str]:
    """Samples that our own cap on the rate did not let start: the targets were asked for less than was planned."""
    names = list(data.run["reasons"])
    held = int((data.samples["reason"] == names.index(RATE_CAP)).sum()) if RATE_CAP in names else 0
    return [f"max_rate_per_s held {held:,} exchanges back: less was asked than the scenario says"] if held else []
