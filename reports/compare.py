"""A run held against earlier ones: each objective by its figure and by its devices, and what of it is a regression.

From run folders to the `comparison` of summary.json, which is kept when a report is made again. The statistics are
difference's, the choice of runs baselines'; nothing is worded for people here but the reasons, and no file is written.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from reports import difference
from reports.baselines import Against, Baselines, choose
from reports.difference import ALPHA, RUNS_AT_LEAST, Change
from reports.runfolder import SUMMARY, RunData
from reports.seriesfolder import label_of, read_whole
from reports.shown import Shown, is_of_all_times, shown, shown_again, shown_together
from reports.steps import Steps

TOLERANCE: Final = 0.1
DISTURBED_CORES: Final = 0.1
"""So much more of the machine than beside any earlier run is told: a trusted run can be slower for it."""
FIGURE, DEVICES = "figure", "devices"
"""The two looks at one objective: its own figure, which a slow tail moves; and the typical device against itself."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One objective: its changes by look, and its p of either direction (corrected for all objectives, later).

    `counts` are those of a share, (how many, of how many), in the run and then in each earlier one.
    """

    row: Mapping[str, Any]
    changes: Mapping[str, Change]
    baseline: float | None
    worse: float
    better: float
    counts: Sequence[tuple[int, int]] = ()


def judged_against(
    data: RunData, steps: Steps, summary: Mapping[str, Any], against: Against | None
) -> Mapping[str, Any]:
    """summary.json of a run that is held against earlier ones: with `comparison`, and "fail" where one regressed.

    Args:
        against: what to compare with; None keeps what an earlier report of it found, if any.
    Raises: RunFolderError where what is to be kept cannot be read.
    """
    if against is None:
        return _with(summary, _kept(data.path, summary))
    return _with(summary, compare(shown(data, steps, summary), data.run, choose(data.path, against)))


def series_judged_against(
    path: Path, runs: Sequence[Shown], summary: Mapping[str, Any], run: Mapping[str, Any], against: Against | None
) -> Mapping[str, Any]:
    """The same of a series, which is held against earlier ones as one.

    Its runs share the night they were played in (a busy machine, a cold cache), so that they are more alike than two
    nights are, and a band from them would call every other night a change. So a series, however long, is one more
    observation: its figures are the means of its runs', and how much such observations differ is measured on the
    earlier series, each counted once (a single run counts as the shortest of them, and differs by more).

    Args:
        path: its folder. runs: what those of its runs show that count. summary: its summary.json.
        run: run.json of its first run. against, and Raises: as of a run.
    """
    if against is None:
        return _with(summary, _kept(path, summary))
    new = shown_together(runs, summary) if runs else Shown(summary, {}, {})
    return _with(summary, compare(new, run, choose(path, against)))


def _kept(path: Path, summary: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The comparison that a folder's summary.json has already; None where it has none.

    What was recorded is the same, so it stays true when a report is made again, where the earlier runs may be gone.
    One that was made while the run still played, or was trusted otherwise, says nothing of it any more.
    """
    if not (path / SUMMARY).exists():
        return None
    before = read_whole(path / SUMMARY)
    kept: Mapping[str, Any] | None = before.get("comparison")
    return kept if kept is not None and _barred(before) == _barred(summary) else None


def _with(summary: Mapping[str, Any], comparison: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if comparison is None:
        return summary
    verdict = "fail" if comparison["verdict"] == "fail" else summary["verdict"]
    return {**summary, "comparison": comparison, "verdict": verdict}


def compare(new: Shown, run: Mapping[str, Any], chosen: Baselines) -> dict[str, Any]:
    """Hold a run, or a series of runs as one, against its baselines.

    Args:
        new: what it shows. run: its run.json.
        chosen: the runs or series to compare with. They are judged by this run's objectives.

    Returns: `comparison` of summary.json: `baselines` (folder names, oldest first), `left_out` [{run, reason}],
        `notices`, `tolerance`, `objectives` and `others`, and `verdict` ("fail" where an objective regressed,
        "unknown" where one could not be compared, "pass"). Rows of `objectives` are gated: `value`, `baseline`,
        `change` (of the figure: relative, or in shares of 1) with `low` and `high`, `devices` (the same of the typical
        device, with their `count`; or null), `p` (corrected for all gated ones; null where the tolerance decides),
        `smallest_found`, `verdict` ("regressed", "better", "same", "undecided") and `reason`. Rows of `others` show
        the figure alone and decide nothing.
    """
    summary, folded = new.summary, run["scenario"]["folded"]
    tolerance = float((folded.get("compare") or {}).get("tolerance", TOLERANCE))
    told: dict[str, Any] = {
        "baselines": [label_of(path) for path in chosen.paths],
        "left_out": [{"run": label_of(path), "reason": why} for path, why in chosen.left_out],
        "notices": list(chosen.notices),
        "tolerance": tolerance,
        "objectives": [],
        "others": [],
        "verdict": "pass",
    }
    barred = _barred(summary)
    if barred or not chosen.paths:
        told["notices"] += [barred] if barred else []
        return told
    if "runs" in summary:
        told["notices"].append("a series counts once, by the mean of its runs: they are more alike than two series are")
    if len(chosen.paths) < RUNS_AT_LEAST:
        told["notices"].append(
            f"earlier runs: {len(chosen.paths)}, too few to tell how much runs differ ({RUNS_AT_LEAST} are needed):"
            f" only a difference beyond the tolerance of {tolerance:.0%} counts"
        )
    old = [shown_again(path, folded.get("objectives", [])) for path in chosen.paths]
    if disturbed := _disturbed(new, old):
        told["notices"].append(disturbed)
    compared = [_compare(row, new, old) for row in summary["objectives"] if row["unit"] != "clock"]
    if clocks := [row["name"] for row in summary["objectives"] if row["unit"] == "clock"]:
        told["notices"].append(f"a time of day is held against its limit alone: {', '.join(clocks)}")
    worse = difference.holm([one.worse for one in compared])
    better = difference.holm([one.better for one in compared])
    corrected = [replace(one, worse=p, better=q) for one, p, q in zip(compared, worse, better, strict=True)]
    told["objectives"] = [_told(one, runs=len(old), gated=len(compared), tolerance=tolerance) for one in corrected]
    told["others"] = list(_others(new, old))
    verdicts = {row["verdict"] for row in told["objectives"]}
    told["verdict"] = "fail" if "regressed" in verdicts else "unknown" if "undecided" in verdicts else "pass"
    return told


def _barred(summary: Mapping[str, Any]) -> str:
    what = "this series" if "runs" in summary else "this run"
    if not summary["harness"]["trustworthy"]:
        return f"not compared: {what} cannot be trusted"
    return f"not compared: {what} did not come to its end" if summary["partial"] else ""


def _disturbed(new: Shown, old: Sequence[Shown]) -> str:
    """Whether others used this machine as they did beside no earlier run, in words; "" where they did not."""
    taken, *before = (float(run.summary["harness"]["others_cores"]["worst_window"] or 0.0) for run in (new, *old))
    if taken <= max(before) + DISTURBED_CORES:
        return ""
    return (
        f"others took up to {taken:.2f} cores of this machine in this run and {max(before):.2f} in the earlier ones:"
        " what is slower may be theirs, so repeat it alone before you believe a difference"
    )


def _compare(row: Mapping[str, Any], new: Shown, old: Sequence[Shown]) -> Compared:
    name, step = row["name"], row["step"]
    if row["unit"] == "share":
        return _compare_shares(row, new, old)
    figures = [run.figure(name) for run in old]
    changes = {
        FIGURE: _figure_change(name, new, old),
        DEVICES: difference.of_devices(new.devices[key], [run.devices[key] for run in old])
        if is_of_all_times(row) and (key := (step, row["measure"])) in new.devices
        else None,
    }
    known = {look: change for look, change in changes.items() if change is not None}
    baseline = float(np.mean(figures))
    return Compared(
        row,
        known,
        math.exp(baseline) if math.isfinite(baseline) else None,
        _p(known.values(), worse=True),
        _p(known.values(), worse=False),
    )


def _figure_change(name: str, new: Shown, old: Sequence[Shown]) -> Change | None:
    figures = [run.figure(name) for run in (new, *old)]
    if any(math.isnan(figure) for figure in figures):
        return None
    bands = [run.band(name) for run in (new, *old)]
    return difference.of_figures(figures[0], figures[1:], [band for band in bands if band is not None])


def _compare_shares(row: Mapping[str, Any], new: Shown, old: Sequence[Shown]) -> Compared:
    counted = [_counted(run, row) for run in (new, *old)]
    if not all(count for _, count in counted):
        return Compared(row, {}, None, 1.0, 1.0)
    change, p = difference.of_shares(counted[0], counted[1:])
    baseline = float(np.mean([bad / count for bad, count in counted[1:]]))
    worse, better = (p if change.value > 0 else 1.0), (p if change.value < 0 else 1.0)
    return Compared(row, {FIGURE: change}, baseline, worse, better, counted)


def _counted(run: Shown, row: Mapping[str, Any]) -> tuple[int, int]:
    found = run.row(row["name"])
    return found["not_ok"], found["count"]


def _p(changes: Iterable[Change], *, worse: bool) -> float:
    """The p of one direction: the least of the looks' times their number (Bonferroni)."""
    looks = list(changes)
    ps = [change.p for change in looks if change.p is not None and (change.value > 0) == worse]
    return min(1.0, min(ps, default=1.0) * len(looks))


def _told(one: Compared, *, runs: int, gated: int, tolerance: float) -> dict[str, Any]:
    share = one.row["unit"] == "share"
    verdict, p = _verdict(one, runs, tolerance), min(one.worse, one.better)
    smallest = _smallest_found(one, runs=runs, gated=gated, tolerance=tolerance)
    devices = one.changes.get(DEVICES)
    return {
        **{key: one.row[key] for key in ("name", "step", "measure", "percentile", "unit", "value")},
        "baseline": _rounded(one.baseline),
        **_ends(one.changes.get(FIGURE), share=share),
        "devices": None if devices is None else {"count": devices.count, **_ends(devices, share=False)},
        "p": float(f"{p:.3g}") if share or runs >= RUNS_AT_LEAST else None,
        "smallest_found": _rounded(smallest),
        "verdict": verdict,
        "reason": _reason(verdict, p, runs, tolerance),
    }


def _verdict(one: Compared, runs: int, tolerance: float) -> str:
    if not one.changes:
        return "undecided"
    worse, better = one.worse <= ALPHA, one.better <= ALPHA
    if runs < RUNS_AT_LEAST and one.counts:
        beyond = abs(one.changes[FIGURE].value) > tolerance * (one.baseline or 0.0)
        worse, better = worse and beyond, better and beyond
    elif runs < RUNS_AT_LEAST:
        bands = [(change.low, change.high) for change in one.changes.values()]
        edge = math.log1p(tolerance)
        worse = any(low is not None and low > edge for low, _ in bands)
        better = any(high is not None and high < -edge for _, high in bands)
    return "regressed" if worse else "better" if better else "same"


def _smallest_found(one: Compared, *, runs: int, gated: int, tolerance: float) -> float | None:
    """The smallest true difference that would have been found (in 80 % of runs, where their spread is known)."""
    if not one.changes:
        return None
    alpha = ALPHA / (gated * len(one.changes))
    if one.counts:
        return difference.smallest_share(one.counts[0][1], one.counts[1:], alpha)
    found = [change.smallest(alpha) for change in one.changes.values()]
    if runs < RUNS_AT_LEAST:
        edge = math.log1p(tolerance)
        found = [edge + change.value - change.low for change in one.changes.values() if change.low is not None]
    known = [value for value in found if value is not None and math.isfinite(value)]
    return math.expm1(min(known)) if known else None


def _reason(verdict: str, p: float, runs: int, tolerance: float) -> str:
    if verdict == "undecided":
        return "too little of it is in both this run and the earlier ones"
    many = runs >= RUNS_AT_LEAST
    if verdict == "same":
        return "no more than runs that are alike differ" if many else f"not beyond the tolerance of {tolerance:.0%}"
    if many:
        return f"more than {runs} earlier runs differ among each other (p = {p:.2g})"
    return f"beyond the tolerance of {tolerance:.0%}"


def _others(new: Shown, old: Sequence[Shown]) -> Iterable[dict[str, Any]]:
    """The p95 of every step and milestone that no objective asks for: shown, never gated."""
    asked = {row["name"] for row in new.summary["objectives"]}
    for step, figure in new.p95.items():
        figures = [run.p95[step] for run in old if step in run.p95]
        name = f"{step} p95 latency"
        if name in asked or len(figures) < len(old):
            continue
        yield {
            "name": name,
            "step": step,
            "value": _rounded(math.exp(figure)),
            "baseline": _rounded(math.exp(float(np.mean(figures)))),
            **_ends(difference.of_figures(figure, figures), share=False),
        }


def _ends(change: Change | None, *, share: bool) -> dict[str, float | None]:
    """A change as a reader takes it: relative for times, in shares of 1 for shares."""
    ends = {key: getattr(change, key, None) for key in ("value", "low", "high")}
    read = {key: end if share or end is None else math.expm1(end) for key, end in ends.items()}
    return {("change" if key == "value" else key): _rounded(end) for key, end in read.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 6)
