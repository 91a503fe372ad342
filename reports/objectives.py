"""The scenario's objectives, each judged on what was measured; the combined verdict and the exit code it asks for.

Pure: from numbers to verdicts. Whether the run can be trusted is judged in trust.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from reports.percentiles import Percentile, Ranked
from scenarios.evidence import samples_needed

Verdict = Literal["pass", "fail", "unknown"]
ALL: Final = "all"
"""The `step` of an objective on every step together (milestones stand for steps already counted)."""

Measure = Literal["latency", "service", "errors"]
_LIMITS: Final[dict[Measure, str]] = {
    "latency": "latency_s_at_most",
    "service": "service_s_at_most",
    "errors": "error_share_at_most",
}
_WORST_FIRST: Final[tuple[Verdict, ...]] = ("fail", "unknown", "pass")


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise of a scenario. `limit` is in seconds, or a share of 1 where `measure` is "errors"."""

    step: str
    measure: Measure
    limit: float
    percentile: float | None = None

    @property
    def name(self) -> str:
        """How reports call it, as in "ready p95 latency"."""
        return f"{self.step} errors" if self.percentile is None else f"{self.step} p{self.percentile:g} {self.measure}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of one step: values in seconds, and how many of the samples did not end ok."""

    count: int
    not_ok: int
    latency: Ranked | None = None
    service: Ranked | None = None


def read_objectives(scenario: Mapping[str, Any]) -> tuple[Objective, ...]:
    """The objectives of a folded scenario (JSON): one for each limit that is set."""
    return tuple(
        Objective(row["step"], measure, float(row[key]), None if measure == "errors" else float(row["percentile"]))
        for row in scenario.get("objectives", ())
        for measure, key in _LIMITS.items()
        if row.get(key) is not None
    )


def judge(objective: Objective, evidence: Evidence | None, *, barred: str = "") -> dict[str, Any]:
    """Judge one objective.

    A percentile passes when its whole band keeps the limit and fails when its whole band breaks it; where the band
    straddles the limit, another such morning could have shown either, and the evidence cannot decide. A share of errors
    is counted, not estimated, and has no band.

    Args:
        evidence: what was measured of the objective's step; None where nothing was.
        barred: why this run decides nothing (it is not to be trusted, or did not come to its end).

    Returns: a row of summary.json's `objectives`. `value`, `low` and `high` have the unit of the limit; null is a
        percentile among outcomes other than ok, no band, or no evidence, and `reason` says which.
    """
    row: dict[str, Any] = {
        "name": objective.name,
        "step": objective.step,
        "measure": objective.measure,
        "percentile": objective.percentile,
        "unit": "share" if objective.measure == "errors" else "s",
        "limit": objective.limit,
        "value": None,
        "low": None,
        "high": None,
    }
    verdict: Verdict
    if evidence is None or not evidence.count:
        verdict, reason = "unknown", "nothing of it was recorded"
    elif objective.measure == "errors":
        share = evidence.not_ok / evidence.count
        row["value"] = share
        verdict = "pass" if share <= objective.limit else "fail"
        reason = f"{evidence.not_ok:,} of {evidence.count:,} did not end ok"
    else:
        verdict, reason = _judge_percentile(objective, evidence, row)
    if barred:
        verdict, reason = "unknown", barred
    return {**row, "verdict": verdict, "reason": reason}


def _judge_percentile(objective: Objective, evidence: Evidence, row: dict[str, Any]) -> tuple[Verdict, str]:
    ranked = evidence.latency if objective.measure == "latency" else evidence.service
    found = ranked.percentile(objective.percentile) if ranked and objective.percentile is not None else None
    if ranked is None or found is None or objective.percentile is None:
        return "unknown", f"{objective.step} has no {objective.measure} time"
    row |= {"value": _finite(found.value), "low": _finite(found.low), "high": _finite(found.high)}
    if math.isinf(found.value) and ranked.at_least is not None:
        row["at_least"] = round(ranked.at_least, 6)
    if found.low is None or found.high is None:
        least = samples_needed(objective.percentile)
        return "unknown", f"{ranked.count:,} samples are too few: p{objective.percentile:g} needs {least:,}"
    return _against(objective.limit, found, found.low, found.high)


def _against(limit: float, found: Percentile, low: float, high: float) -> tuple[Verdict, str]:
    if high <= limit:
        return "pass", "the whole band keeps the limit"
    if low > limit:
        return "fail", (
            "it falls among the outcomes other than ok"
            if math.isinf(found.value)
            else "the whole band breaks the limit"
        )
    return "unknown", "the band lies on both sides of the limit"


def combined(verdicts: Iterable[str]) -> Verdict:
    """The worst of several verdicts: fail before unknown before pass."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), "pass")


def exit_code(summary: Mapping[str, Any]) -> int:
    """What a pipeline is told: 3 not to be trusted, 1 an objective missed, 4 undecided, 0 every objective met.

    A scenario may let undecided pass; a run that did not come to its end never does.
    """
    if not summary["harness"]["trustworthy"]:
        return 3
    if summary["verdict"] == "fail":
        return 1
    lenient = summary["undecided"] == "pass" and not summary["partial"]
    return 4 if summary["verdict"] == "unknown" and not lenient else 0


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 6)
