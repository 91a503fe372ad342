"""Several runs of one scenario, judged together: per objective the band between the runs, and the combined verdict.

Pure: from the summaries of the runs to the summary of their series. Runs differ by more than a band within one of them
says, so a percentile is judged by Student's t on the logarithm of each run's own (a time of day on its seconds). Which
runs there are is told; no file is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from reports.bands import RUNS_AT_LEAST, SHORTEST_S, between_runs
from reports.objectives import Verdict, combined
from reports.runfolder import FORMAT
from reports.summary import ABORTED

COMPLETE: Final = "complete"


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run of a series: its folder's name and its summary.json."""

    name: str
    summary: Mapping[str, Any]

    @property
    def left_out(self) -> str:
        """Why it says nothing about the targets; empty where it does.

        Trust is judged on our own processes alone, never on how a target fared: leaving out what cannot be trusted
        favours no verdict.
        """
        if not self.summary["harness"]["trustworthy"]:
            return "it cannot be trusted: " + "; and also: ".join(self.summary["harness"]["reasons"])
        return "it did not come to its end" if self.summary["partial"] else ""

    @property
    def gave_in(self) -> bool:
        """Whether it was stopped to spare a target that gave in."""
        return bool(self.summary["partial"] and self.summary["verdict"] == "fail")


def judge_series(series: Mapping[str, Any], runs: Sequence[OneRun]) -> dict[str, Any]:
    """Sum up a series.

    A run that cannot be trusted is named and left out. As long as RUNS_AT_LEAST others remain, those decide; with
    fewer the series cannot be trusted. A run that was stopped to spare a target makes the series fail.

    Args:
        series: series.json. runs: in the order they were played; at least one.

    Returns: summary.json of the series, which has the words of a run's: `scenario`, `hash`, `objectives`, `harness`,
        `verdict` and so on. `runs` lists each run; a row of `objectives` has `value`, `low` and `high` of all runs
        that count (of an error share: together, least and largest), `count` and `not_ok` of them together, and `runs`,
        what each of them measured. `harness` has of our own measures what others took of the cores at most.
    """
    first = runs[0].summary
    ended = series["ended"] or {"reason": "killed", "detail": ""}
    partial = ended["reason"] != COMPLETE
    counted = [run for run in runs if not run.left_out]
    trustworthy = partial or len(counted) >= RUNS_AT_LEAST
    notes = [f"{run.name} is left out: {run.left_out}" for run in runs if run.left_out]
    reasons = [] if trustworthy else [f"{len(counted)} of {len(runs)} runs can be trusted, {RUNS_AT_LEAST} are needed"]
    barred = "" if trustworthy else "too few runs can be trusted"
    if partial:
        barred = "the series did not come to its end"
    objectives = [_judge(number, counted, barred) for number in range(len(first["objectives"]))] if counted else []
    objectives = objectives or [_unjudged(row, barred) for row in first["objectives"]]
    gave_in = any(run.gave_in for run in runs)
    kept = ("format", "scenario", "title", "question", "hash", "seed", "compression", "undecided")
    return {
        **{key: first[key] for key in kept},
        "format": FORMAT,
        "partial": partial,
        "ended": ended,
        "planned_runs": series["planned"],
        "runs": [_told(run) for run in runs],
        "harness": {
            "trustworthy": trustworthy,
            "reasons": reasons + ([] if trustworthy else notes),
            "notes": ([] if not trustworthy else notes) + _shared_notes(counted),
            "others_cores": {"worst_window": max((_taken(run) for run in counted), default=None)},
        },
        "objectives": objectives,
        "verdict": "fail" if gave_in else "unknown" if barred else combined(row["verdict"] for row in objectives),
    }


def stops(run: OneRun) -> bool:
    """Whether no further run of a series may be played after that one: it was cut short, for whatever reason."""
    return bool(run.summary["partial"])


def why_stopped(run: OneRun) -> dict[str, str]:
    """`ended` of series.json after a run that was cut short."""
    told = run.summary["ended"]
    reason = ABORTED if run.gave_in else str(told["reason"])
    return {"reason": reason, "detail": f"{run.name}: {told['detail'] or reason}"}


def _told(run: OneRun) -> dict[str, Any]:
    summary = run.summary
    keys = ("partial", "verdict")
    told = {"run": run.name, "left_out": run.left_out, "trustworthy": summary["harness"]["trustworthy"]}
    return told | {key: summary[key] for key in keys}


def _taken(run: OneRun) -> float:
    """Cores that others took at their worst, by the run's own summary."""
    return float((run.summary["harness"].get("others_cores") or {}).get("worst_window") or 0.0)


def _shared_notes(runs: Sequence[OneRun]) -> list[str]:
    """What every run that counts notes of itself, once."""
    noted = [run.summary["harness"]["notes"] for run in runs]
    return [note for note in noted[0] if all(note in other for other in noted)] if noted else []


def _judge(number: int, runs: Sequence[OneRun], barred: str) -> dict[str, Any]:
    rows = [(run.name, run.summary["objectives"][number]) for run in runs]
    row = _unjudged(rows[0][1], barred)
    row["runs"] = [
        {"run": name, **{key: one[key] for key in ("value", "at_least", "verdict") if key in one}} for name, one in rows
    ]
    row |= {key: sum(one[key] for _, one in rows) for key in ("count", "not_ok")}
    verdict: Verdict
    if missing := [name for name, one in rows if not one["count"] or (one["value"] is None and "at_least" not in one)]:
        verdict, reason = "unknown", f"nothing of it was recorded in {missing[0]}"
    elif row["measure"] == "errors":
        verdict, reason = _judge_share(row, rows)
    elif len(rows) < RUNS_AT_LEAST:
        verdict, reason = "unknown", f"{len(rows)} runs have no band between them"
    else:
        verdict, reason = _judge_times(row, [one for _, one in rows])
    return row if barred else {**row, "verdict": verdict, "reason": reason}


def _unjudged(row: Mapping[str, Any], barred: str) -> dict[str, Any]:
    kept = ("name", "step", "measure", "percentile", "unit", "window", "limit")
    empty: dict[str, Any] = {
        "value": None,
        "low": None,
        "high": None,
        "count": 0,
        "not_ok": 0,
        "runs": [],
        "verdict": "unknown",
        "reason": barred,
    }
    return {**{key: row[key] for key in kept}, **empty}


def _judge_times(row: dict[str, Any], rows: Sequence[Mapping[str, Any]]) -> tuple[Verdict, str]:
    values = [math.inf if one["value"] is None else max(float(one["value"]), SHORTEST_S) for one in rows]
    band = between_runs(values, clock=row["unit"] == "clock")
    row |= {"value": _finite(band.middle), "low": _finite(band.low), "high": _finite(band.high)}
    if math.isinf(band.middle):
        row["at_least"] = _finite(min((value for value in values if value < math.inf), default=math.inf))
    limit = row["limit"]
    if band.high <= limit:
        return "pass", f"the whole band between {band.runs} runs keeps the limit"
    if band.low > limit:
        return "fail", f"the whole band between {band.runs} runs breaks the limit"
    return "unknown", f"the band between {band.runs} runs lies on both sides of the limit"


def _judge_share(row: dict[str, Any], rows: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[Verdict, str]:
    """Errors are counted, not estimated: all runs together may not break the limit, and no single one either."""
    count, bad = row["count"], row["not_ok"]
    shares = [float(one["value"]) for _, one in rows]
    row |= {"value": bad / count, "low": min(shares), "high": max(shares)}
    worst = rows[shares.index(max(shares))][0]
    if row["value"] > row["limit"]:
        return "fail", f"{bad:,} of {count:,} in {len(rows)} runs together, most in {worst}"
    if row["high"] <= row["limit"]:
        return "pass", f"each of {len(rows)} runs keeps the limit, the worst is {worst}"
    return "unknown", f"{worst} breaks the limit, {len(rows)} runs together keep it"


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else round(value, 6)
