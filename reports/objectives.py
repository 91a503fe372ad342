"""The scenario's objectives, each judged on what was measured; the combined verdict and the exit code it asks for.

Pure: from numbers to verdicts. Whether the run can be trusted is judged in trust.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from reports.percentiles import Percentile, Ranked
from reports.record import OUTCOMES
from scenarios.citytime import seconds, text
from scenarios.evidence import samples_needed

Verdict = Literal["pass", "fail", "unknown"]

Measure = Literal["latency", "service", "errors", "done_by", "done_within"]
_LIMITS: Final[dict[Measure, str]] = {
    "latency": "latency_s_at_most",
    "service": "service_s_at_most",
    "errors": "error_share_at_most",
    "done_by": "done_by",
    "done_within": "done_within_s",
}
_UNITS: Final[dict[Measure, str]] = {"errors": "share", "done_by": "clock"}
"""Of a limit and what is measured against it; "s" where nothing stands here. "clock" is city seconds after midnight."""
NOT_OK: Final = OUTCOMES[1:]
_WORST_FIRST: Final[tuple[Verdict, ...]] = ("fail", "unknown", "pass")


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise of a scenario.

    Attributes:
        limit: in seconds; a share of 1 where `measure` is "errors"; city seconds after midnight where it is "done_by".
        percentile: of the samples; of the devices where `measure` is "done_by" or "done_within".
        outcomes: which of them "errors" counts.
        from_s, until_s: city time between which the samples were due that count; None for no such end.
    """

    step: str
    measure: Measure
    limit: float
    percentile: float | None = None
    outcomes: tuple[str, ...] = NOT_OK
    from_s: float | None = None
    until_s: float | None = None

    @property
    def is_of_devices(self) -> bool:
        """Whether it asks when a share of the devices is done."""
        return self.measure in ("done_by", "done_within")

    @property
    def unit(self) -> str:
        """Of its limit: "s", "share" or "clock"."""
        return _UNITS.get(self.measure, "s")

    @property
    def name(self) -> str:
        """How reports call it, as in "ready p95 latency" or "ready p95 latency, due 08:20 to 08:30"."""
        return self._what + self._due

    @property
    def window(self) -> list[float | None] | None:
        """City time from which and until which samples count, as summary.json has it; None for all of them."""
        return None if self.from_s is None and self.until_s is None else [self.from_s, self.until_s]

    @property
    def _what(self) -> str:
        if self.measure == "errors":
            return f"{self.step} {'errors' if self.outcomes == NOT_OK else ' or '.join(self.outcomes)}"
        if self.measure == "done_by":
            return f"{self.step} on {self.percentile:g} % of devices"
        if self.measure == "done_within":
            return f"{self.step} on {self.percentile:g} % of devices, from the first start"
        return f"{self.step} p{self.percentile:g} {self.measure}"

    @property
    def _due(self) -> str:
        ends = zip(("from", "until"), self.window or (), strict=False)
        said = "".join(f" {word} {text(end)}" for word, end in ends if end is not None)
        return f", due{said}" if said else ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was measured of one objective.

    Attributes:
        count: how many samples (devices, where it asks when a share of them is done).
        not_ok: how many of them ended otherwise (as an objective's `outcomes`), or never got there.
        latency, service: seconds. done: when each device was done, in the unit of the limit.
    """

    count: int
    not_ok: int
    latency: Ranked | None = None
    service: Ranked | None = None
    done: Ranked | None = None


def read_objectives(scenario: Mapping[str, Any]) -> tuple[Objective, ...]:
    """The objectives of a folded scenario (JSON): one for each limit that is set."""
    return tuple(
        _read(row, measure, row[key])
        for row in scenario.get("objectives", ())
        for measure, key in _LIMITS.items()
        if row.get(key) is not None
    )


def _read(row: Mapping[str, Any], measure: Measure, limit: Any) -> Objective:
    share, percentile = row.get("done_share"), row.get("percentile")
    if share is not None:
        percentile = round(100 * share, 6)
    return Objective(
        row["step"],
        measure,
        seconds(limit) if measure == "done_by" else float(limit),
        None if percentile is None else float(percentile),
        tuple(row.get("outcomes") or NOT_OK),
        *(None if row.get(key) is None else seconds(row[key]) for key in ("from", "until")),
    )


def judge(objective: Objective, evidence: Evidence | None, *, barred: str = "") -> dict[str, Any]:
    """Judge one objective.

    A percentile passes when its whole band keeps the limit and fails when its whole band breaks it; where the band
    straddles the limit, another such morning could have shown either, and the evidence cannot decide. A share of errors
    is counted, not estimated, and has no band. When a share of the devices is done is a percentile of the devices.

    Args:
        evidence: what was measured of the objective's step; None where nothing was.
        barred: why this run decides nothing (it is not to be trusted, or did not come to its end).

    Returns: a row of summary.json's `objectives`. `count` and `not_ok` are the evidence's, `window` Objective.window.
        `value`, `low` and `high` have the unit of the limit; null is a percentile among outcomes other than ok (then
        there is `at_least`, the largest ok one or null), no band, or no evidence, and `reason` says which.
    """
    row: dict[str, Any] = {
        "name": objective.name,
        "step": objective.step,
        "measure": objective.measure,
        "percentile": objective.percentile,
        "unit": objective.unit,
        "window": objective.window,
        "limit": objective.limit,
        "value": None,
        "low": None,
        "high": None,
        "count": 0 if evidence is None else evidence.count,
        "not_ok": 0 if evidence is None else evidence.not_ok,
    }
    verdict: Verdict
    if evidence is None or not evidence.count:
        verdict, reason = "unknown", "nothing of it was recorded"
    elif objective.measure == "errors":
        share = evidence.not_ok / evidence.count
        row["value"] = share
        verdict = "pass" if share <= objective.limit else "fail"
        reason = f"{evidence.not_ok:,} of {evidence.count:,} {_ended(objective)}"
    else:
        verdict, reason = _judge_percentile(objective, evidence, row)
    if barred:
        verdict, reason = "unknown", barred
    return {**row, "verdict": verdict, "reason": reason}


def _ended(objective: Objective) -> str:
    return "did not end ok" if objective.outcomes == NOT_OK else f"ended {' or '.join(objective.outcomes)}"


def _judge_percentile(objective: Objective, evidence: Evidence, row: dict[str, Any]) -> tuple[Verdict, str]:
    ranked = {"latency": evidence.latency, "service": evidence.service}.get(objective.measure, evidence.done)
    if ranked is None or objective.percentile is None:
        return "unknown", f"{objective.step} has no {objective.measure} time"
    if objective.percentile == 100:
        return _judge_all(objective, evidence, ranked, row)
    found = ranked.percentile(objective.percentile)
    assert found is not None
    row |= {"value": _finite(found.value), "low": _finite(found.low), "high": _finite(found.high)}
    if math.isinf(found.value):
        row["at_least"] = None if ranked.at_least is None else round(ranked.at_least, 6)
    if found.low is None or found.high is None:
        least = samples_needed(objective.percentile)
        return "unknown", f"{ranked.count:,} samples are too few: p{objective.percentile:g} needs {least:,}"
    return _against(objective.limit, found, found.low, found.high)


def _judge_all(objective: Objective, evidence: Evidence, ranked: Ranked, row: dict[str, Any]) -> tuple[Verdict, str]:
    """Every device: that is counted, not estimated, and has no band."""
    last = ranked.at(ranked.count)
    row["value"] = _finite(last)
    if math.isinf(last):
        row["at_least"] = None if ranked.at_least is None else round(ranked.at_least, 6)
        return "fail", f"{evidence.not_ok:,} of {evidence.count:,} devices never got there"
    return ("pass" if last <= objective.limit else "fail"), f"the last of {evidence.count:,} devices"


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
