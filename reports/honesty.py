"""What one run tells of its own measuring: latency beside service time, starts beside their plan, how far bands hold.

Pure: from a run to figures for summary.json, and from those to sentences. The judgement of our own machines is trust's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from reports import wording
from reports.evidence import counted
from reports.lids import opened
from reports.likeness import likeness
from reports.messages import Say
from reports.objectives import Objective
from reports.percentiles import Ranked, rank_of
from reports.record import OUTCOMES, Samples
from reports.runfolder import RunData
from reports.starts import clumping, kolmogorov, per_bin_of, shares_of
from reports.steps import Steps

APART_MS: Final = 5.0
APART_SHARE: Final = 0.01
"""From when on latency and service time differ: by more than the one, and by more than this share of the latency."""
STOOD_S: Final = 1.0
STARTS_AT_LEAST: Final = 10
UNLIKELY: Final = 0.001
"""One honest run in a thousand strays as far from its plan, or has neighbours that are as alike."""
_LEAST: Final = 0.00001

_OK: Final = OUTCOMES.index("ok")
_UNANSWERED: Final = (OUTCOMES.index("unknown"), OUTCOMES.index("skipped"))

Rows = Mapping[str, Mapping[str, Any]]


def honesty(data: RunData, steps: Steps, rows: Rows, objectives: Sequence[Objective]) -> dict[str, Any]:
    """The figures.

    Args:
        rows: `steps` of summary.json.

    Returns: `honesty` of summary.json; `latency`, `arrivals` and `bands` are each None where the run has nothing to
        tell it by. The same samples in any order give the same figures, to the bit.
    """
    return {"latency": _latency(steps, rows), "arrivals": _arrivals(data), "bands": _bands(data.run, steps, objectives)}


def _latency(steps: Steps, rows: Rows) -> dict[str, Any] | None:
    """The step whose p95 latency and service time differ most; where none differ, the slowest one."""
    both = {
        name: (row["latency_ms"]["p95"], row["service_ms"]["p95"])
        for name, row in rows.items()
        if row["basis"] != "harness" and row["service_ms"] is not None
    }
    known = {name: times for name, times in both.items() if None not in times}
    if not known:
        return None
    slowest = max(known, key=lambda name: known[name][0])
    most = max(known, key=lambda name: known[name][0] - known[name][1])
    latency_ms, service_ms = known[most]
    differ = latency_ms - service_ms > max(APART_MS, APART_SHARE * latency_ms)
    name = most if differ else slowest
    chosen = steps.rows(name)
    return {
        "step": name,
        "latency_p95_ms": known[name][0],
        "service_p95_ms": known[name][1],
        "differ": differ,
        "busy_mean_ms": _mean_ms(chosen["able"] - chosen["due"]),
        "late_mean_ms": _mean_ms(chosen["sent"] - chosen["able"]),
        "stood": _stood(slowest, steps.rows(slowest)),
    }


def _mean_ms(seconds: Any) -> float:
    # a sum of floats depends on their order
    return round(float(np.sort(seconds).mean()) * 1000, 3)


def _stood(name: str, rows: Samples) -> dict[str, Any] | None:
    """The longest time in which a step was asked many times and answered not once; None where there was none."""
    done = np.sort(rows["done"][~np.isin(rows["outcome"], _UNANSWERED)])
    sent = np.sort(rows["sent"])
    if done.size < 2:
        return None
    first = np.searchsorted(sent, done[:-1], side="right")
    asked = np.searchsorted(sent, done[1:], side="left") - first
    began = sent[np.minimum(first, sent.size - 1)]
    stood_s = np.where(asked >= STARTS_AT_LEAST, done[1:] - began, 0.0)
    at = int(np.argmax(stood_s))
    if stood_s[at] < STOOD_S:
        return None
    due = (rows["due"] >= began[at]) & (rows["due"] < done[at + 1])
    return {
        "step": name,
        "from_s": round(float(began[at]), 3),
        "for_s": round(float(stood_s[at]), 3),
        "due": int(due.sum()),
        "sent": int(asked[at]),
    }


def _arrivals(data: RunData) -> dict[str, Any] | None:
    """Planned lids as they were opened, against the plan's curve.

    None where all come in one instant, hardly any came, or the run did not come to the plan's end.
    """
    plan = data.run.get("planned")
    waves = data.run["scenario"]["folded"].get("waves", ())
    if plan is None or data.run.get("partial", True) or any(wave["arrivals"]["shape"] == "at" for wave in waves):
        return None
    edges_s, counts = (np.asarray(plan[key], np.float64) for key in ("edges_s", "counts"))
    instants = opened(data)
    if instants.size < STARTS_AT_LEAST or not counts.any():
        return None
    shares = shares_of(instants, edges_s, counts)
    distance, chance = kolmogorov(shares)
    index, most = clumping(shares, per_bin=per_bin_of(edges_s, counts))
    return {
        "planned": round(float(counts.sum())),
        "sent": int(instants.size),
        "ks": round(distance, 5),
        "ks_chance": round(chance, 5),
        "clumping": round(index, 4),
        "clumping_limit": round(most, 4),
    }


def _bands(run: Mapping[str, Any], steps: Steps, objectives: Sequence[Objective]) -> dict[str, Any] | None:
    """Whether what lies beyond a judged percentile came together, of the objective where chance explains it least.

    Where an objective asks when a share of the devices is done, how long they took is looked at.
    """
    judged = [one for one in objectives if one.percentile is not None]
    told = [(one, _likeness(one, counted(one, steps.rows(one.step), run))) for one in judged]
    found = [(one, *alike) for one, alike in told if alike is not None]
    if not found:
        return None
    one, alike, chance = min(found, key=lambda row: (row[2], -row[1]))
    # nothing is impossible by chance: it is never told as 0 %
    chance = max(_LEAST, round(chance, 5))
    return {"step": one.step, "percentile": one.percentile, "likeness": round(alike, 4), "chance": chance}


def _likeness(one: Objective, rows: Samples) -> tuple[float, float] | None:
    """Of all that it judges, neighbours by due; None where too few are due at an instant of their own."""
    if one.percentile is None or rows.size < STARTS_AT_LEAST:
        return None
    due, ok = rows["due"], rows["outcome"] == _OK
    took = rows["done"] - rows["sent" if one.measure == "service" else "due"]
    beyond = ~ok | (took > Ranked(took, ok).at(rank_of(rows.size, one.percentile)))
    order = np.argsort(due)
    apart = np.diff(due[order]) > 0
    # what is due at one instant, as after a push, has no order in time
    if apart.mean() <= 0.5:
        return None
    # by device as well only where it matters: that takes ten times as long
    return likeness(beyond[order if apart.all() else np.lexsort((beyond, rows["device"], due))])


def sentences(figures: Mapping[str, Any], say: Say) -> Iterator[tuple[str, str]]:
    """What `honesty` of summary.json means for a reader: the key of a heading, and a text under it."""
    if (latency := figures["latency"]) is not None:
        yield "honesty.latency", _latency_told(latency, say)
    if (arrivals := figures["arrivals"]) is not None:
        yield "honesty.arrivals", _arrivals_told(arrivals, say)
    yield "honesty.bands", _bands_told(figures["bands"], say)


def _latency_told(figures: Mapping[str, Any], say: Say) -> str:
    p95 = {key: wording.duration(figures[f"{key}_p95_ms"]) for key in ("latency", "service")}
    busy_ms, late_ms = figures["busy_mean_ms"], figures["late_mean_ms"]
    told = [say("honesty.both", step=figures["step"], **p95)]
    if not figures["differ"]:
        told.append(say("honesty.together", late=wording.duration(late_ms)))
    elif busy_ms > late_ms:
        told.append(say("honesty.busy", busy=wording.duration(busy_ms), late=wording.duration(late_ms)))
    else:
        told.append(say("honesty.late", late=wording.duration(late_ms)))
    if (stood := figures["stood"]) is not None:
        long = wording.duration(1000 * stood["for_s"])
        counts = {key: f"{stood[key]:,}" for key in ("due", "sent")}
        told.append(say("honesty.stood", step=stood["step"], at=f"{stood['from_s']:.1f}", long=long, **counts))
    return _joined(told, say)


def _arrivals_told(figures: Mapping[str, Any], say: Say) -> str:
    counts = {key: f"{figures[key]:,}" for key in ("planned", "sent")}
    told = [say("honesty.sent", **counts)]
    strays = "honesty.strays" if figures["ks_chance"] < UNLIKELY else "honesty.follows"
    told.append(say(strays, ks=f"{figures['ks']:.3f}", chance=wording.share(figures["ks_chance"])))
    clumps = "honesty.clumps" if figures["clumping"] > figures["clumping_limit"] else "honesty.no_clumps"
    told.append(say(clumps, index=f"{figures['clumping']:.2f}", most=f"{figures['clumping_limit']:.2f}"))
    return _joined(told, say)


def _bands_told(figures: Mapping[str, Any] | None, say: Say) -> str:
    told = [say("honesty.band")]
    if figures is not None:
        alike = "honesty.alike" if figures["chance"] < UNLIKELY else "honesty.unlike"
        known = {"step": figures["step"], "percent": f"{figures['percentile']:g}"}
        likeness, chance = f"{figures['likeness']:.2f}", wording.share(figures["chance"])
        told.append(say(alike, likeness=likeness, chance=chance, **known))
    return _joined(told, say)


def _joined(told: Sequence[str], say: Say) -> str:
    return ("" if say.lang == "ja" else " ").join(told)
