"""summary.json: everything a run is judged by, from its samples alone.

The only place that turns samples into the figures reports show. It writes no file and words nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from reports.evidence import Gathering, measure
from reports.honesty import honesty
from reports.objectives import Evidence, combined, judge, read_objectives
from reports.outages import outages
from reports.percentiles import Ranked
from reports.record import OUTCOMES, Samples
from reports.runfolder import FORMAT, RunData
from reports.steps import Steps, basis_of, is_milestone
from reports.trust import judge_trust

PERCENTS: Final = (50.0, 90.0, 95.0, 99.0, 99.9)
ENROLLED_BY: Final = "management.api_authorization"
"""The last step of enrolling: a device that registered and got no further is not enrolled."""
ROBOT: Final = "identity.robot_token"
"""... but where the server gives robot accounts, this is, and one whose account failed is not enrolled either."""
PAYLOAD: Final = "updates.payload"
ABORTED: Final = "aborted"
"""How run.json says that a run was stopped to spare a target that gave in."""
REACHED: Final = ("signed_in", "ready", "updated", "applied")

_OK: Final = OUTCOMES.index("ok")
_SKIPPED: Final = OUTCOMES.index("skipped")


def summarise(data: RunData, steps: Steps | None = None) -> dict[str, Any]:
    """Sum up a run.

    Args:
        data: the run as recorded.
        steps: its samples by step, where the caller has them already.

    Returns: summary.json as a dict. Beyond the words of the design it has `title`, `question`, `undecided`, `phases`,
        `bytes`, `honesty`, `outages`, `ended` {reason, detail}, per step `reasons`, `at_least_ms`, `bytes_in`,
        `bytes_out`, and what objectives and trust add.
        Where devices were kept from an earlier run, `devices` has `enrolled_before`, which `enrolled` contains.
        `latency_ms` of a percentile among the outcomes other than ok is null; `at_least_ms` is then the largest ok one.
    """
    steps = steps or Steps(data.run, data.samples)
    scenario = data.run["scenario"]
    objectives = read_objectives(scenario["folded"])
    rows: dict[str, Any] = {}
    gathered = Gathering(data.run, objectives)
    phases = _Phases(float(data.run["lead_s"]))
    for name in steps.names:
        samples = steps.rows(name)
        if not is_milestone(name):
            phases.add(samples)
        measured = measure(name, samples)
        rows[name] = _row(name, samples, measured, data.run)
        gathered.take(name, samples, measured)
    trust = judge_trust(data, objectives)
    partial = bool(data.run.get("partial", True)) or not data.run.get("ended")
    barred = _barred(trust.trustworthy, partial)
    judged = [judge(one, gathered.of(one), barred=barred) for one in objectives]
    return {
        "format": FORMAT,
        "scenario": scenario["name"],
        "title": scenario["title"],
        "question": scenario["question"],
        "hash": data.run["hash"],
        "seed": data.run["seed"],
        "compression": data.run["compression"],
        "partial": partial,
        "ended": {"reason": "killed", "detail": "", **(data.run.get("ended") or {})},
        "undecided": scenario["folded"].get("undecided") or "fail",
        "devices": _devices(data.run, steps),
        "phases": phases.to_json(),
        "bytes": _bytes(rows, scenario["folded"]),
        "steps": rows,
        "harness": trust.to_json(),
        "honesty": honesty(data, steps, rows, objectives),
        "objectives": judged,
        "outages": outages(data.run, steps),
        "verdict": _verdict(data.run, judged, trustworthy=trust.trustworthy, barred=bool(barred)),
    }


def _verdict(run: Mapping[str, Any], judged: Sequence[Mapping[str, Any]], *, trustworthy: bool, barred: bool) -> str:
    """The run's verdict. A target that gave in under load so far that the run was stopped did not hold."""
    if trustworthy and (run.get("ended") or {}).get("reason") == ABORTED:
        return "fail"
    return "unknown" if barred else combined(one["verdict"] for one in judged)


def _barred(trustworthy: bool, partial: bool) -> str:
    if not trustworthy:
        return "the run cannot be trusted"
    return "the run did not come to its end" if partial else ""


def _row(name: str, rows: Samples, measured: Evidence, run: Mapping[str, Any]) -> dict[str, Any]:
    outcomes = np.bincount(rows["outcome"], minlength=len(OUTCOMES))
    latency = measured.latency
    assert latency is not None
    service = _times(measured.service)[0] if measured.service else None
    times, bands = _times(latency)
    return {
        "basis": basis_of(name, run["targets"]),
        "count": measured.count,
        **{outcome: int(outcomes[index]) for index, outcome in enumerate(OUTCOMES)},
        "latency_ms": times,
        "latency_band_ms": bands,
        "at_least_ms": _ms(latency.at_least) if measured.not_ok else None,
        "service_ms": service,
        "bytes_in": int(rows["bytes_in"].sum(dtype=np.uint64)),
        "bytes_out": int(rows["bytes_out"].sum(dtype=np.uint64)),
        "reasons": reasons_of(rows, run["reasons"]),
    }


def reasons_of(rows: Samples, names: Sequence[str]) -> dict[str, int]:
    """How many samples did not end ok, by reason, most frequent first."""
    counts = np.bincount(rows["reason"][rows["outcome"] != _OK], minlength=len(names))
    return {names[index]: int(counts[index]) for index in np.argsort(-counts, kind="stable") if counts[index]}


def _times(ranked: Ranked) -> tuple[dict[str, float | None], dict[str, list[float | None] | None]]:
    times: dict[str, float | None] = {}
    bands: dict[str, list[float | None] | None] = {}
    for percent in PERCENTS:
        found = ranked.percentile(percent)
        assert found is not None
        times[f"p{percent:g}"] = _ms(found.value)
        bands[f"p{percent:g}"] = None if found.low is None else [_ms(found.low), _ms(found.high)]
    times["max"] = _ms(ranked.at(ranked.count))
    return times, bands


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else round(seconds * 1000, 3)


def _devices(run: Mapping[str, Any], steps: Steps) -> dict[str, int]:
    """How many different devices got how far."""
    before = int(run.get("enrolled_before", 0))
    return {
        "planned": int(run["devices"]),
        "enrolled": before + _enrolled(steps.rows(ENROLLED_BY), steps.rows(ROBOT)),
        **({"enrolled_before": before} if before else {}),
        **{name: _reached(steps.rows(name)) for name in REACHED},
    }


def _enrolled(last: Samples, robots: Samples) -> int:
    without = np.setdiff1d(robots["device"], robots["device"][robots["outcome"] == _OK])
    return _reached(last[~np.isin(last["device"], without)])


def _reached(rows: Samples) -> int:
    devices = rows["device"][rows["outcome"] == _OK]
    seen = np.zeros(int(devices.max()) + 1 if devices.size else 0, np.bool_)
    seen[devices] = True
    return int(seen.sum())


class _Phases:
    """What was asked before the morning and in it, by due; the busiest second by what was sent in it."""

    def __init__(self, lead_s: float) -> None:
        self._lead_s, self._end_s = lead_s, lead_s
        self._counts = {"enrollment": [0, 0], "morning": [0, 0]}
        self._per_second = {name: np.zeros(0, np.int64) for name in self._counts}

    def add(self, rows: Samples) -> None:
        """Count the samples of one step."""
        early = rows["due"] < self._lead_s
        self._end_s = max(self._end_s, float(rows["done"].max()))
        seconds = np.maximum(rows["sent"], 0).astype(np.int64)
        was_sent = rows["outcome"] != _SKIPPED
        bad = rows["outcome"] != _OK
        for name, chosen in (("enrollment", early), ("morning", ~early)):
            self._counts[name][0] += int(chosen.sum())
            self._counts[name][1] += int((chosen & bad).sum())
            more, so_far = np.bincount(seconds[chosen & was_sent]), self._per_second[name]
            longer, shorter = (more, so_far) if more.size > so_far.size else (so_far, more)
            longer[: shorter.size] += shorter
            self._per_second[name] = longer

    def to_json(self) -> dict[str, Any]:
        """The `phases` of summary.json."""
        spans = {"enrollment": (0.0, self._lead_s), "morning": (self._lead_s, round(self._end_s, 3))}
        return {
            name: {
                "from_s": first,
                "to_s": last,
                "count": self._counts[name][0],
                "not_ok": self._counts[name][1],
                "peak_per_s": int(self._per_second[name].max(initial=0)),
            }
            for name, (first, last) in spans.items()
        }


def _bytes(rows: Mapping[str, Any], folded: Mapping[str, Any]) -> dict[str, Any]:
    """Application bytes, and what the payloads would have weighed at their true size (`computed`, never measured)."""
    total = {way: sum(row[way] for row in rows.values()) for way in ("bytes_in", "bytes_out")}
    updates = folded.get("updates") or {}
    payload, true = updates.get("payload_bytes"), updates.get("true_bytes")
    moved = rows[PAYLOAD]["bytes_in"] if PAYLOAD in rows else 0
    computed = round(total["bytes_in"] - moved + moved * true / payload) if moved and payload and true else None
    return {"in": total["bytes_in"], "out": total["bytes_out"], "payload_in": moved, "computed_in": computed}
