"""capacity.json: what a search for the capacity found, from its run folders alone; judged again, it is the same.

How a level is chosen is the search's, the curve the fit's; nothing is worded for a reader or drawn here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from reports.capacity_fit import Fit, burden, fit
from reports.capacity_search import TRIES, Bounds, Bracket, Played, Stop, bracket, next_play
from reports.gave_in import gave_in
from reports.runfolder import RunData, RunFolderError, open_run, write_json
from reports.scalability import Plateau, plateau, scalability
from reports.servermetrics import FILE as METRICS
from reports.servermetrics import backend_metrics, metrics_between, read_csv
from reports.summary import ABORTED, summarise

FILE: Final = "capacity.json"
PAGE: Final = "report.html"
FORMAT: Final = 1
LEVELS: Final = "level-*"
WHAT_IF_RUNS: Final = "what-if-*"
ANY: Final = "an objective"
"""How the limit is called where no single objective's curve passes it, but the worst of each run does."""

Level = dict[str, Any]


def level_of(data: RunData) -> Level:
    """One run of a level.

    Returns: `folder`, `devices`, `seed`, `trusted`, `reasons` (why not), `complete`, `objectives` [{name, value, limit,
        unit, burden}] of those of which anything was recorded, `burden` (the worst; None where the run is no evidence),
        `peak_per_s`, `metrics` (of the stand-in), `began_utc`, `ended_utc` (Unix seconds), `plateau`.
    """
    summary = summarise(data)
    aborted = summary["ended"]["reason"] == ABORTED
    judged = [_objective(one, float(data.run["day_start_s"])) for one in summary["objectives"]]
    rows = [row for row in judged if row is not None]
    trusted, complete = summary["harness"]["trustworthy"], not summary["partial"] or aborted
    counts = trusted and complete and rows
    began = _unix(data.run.get("t0_utc"))
    flat = plateau(data)
    return {
        "folder": data.path.name,
        "devices": int(data.run["devices"]),
        "seed": data.run["seed"],
        "trusted": trusted,
        "reasons": summary["harness"]["reasons"],
        "complete": complete,
        "aborted": aborted,
        "objectives": rows,
        "burden": (burden(None, 1.0) if aborted else max(row["burden"] for row in rows)) if counts else None,
        "peak_per_s": summary["phases"]["morning"]["peak_per_s"],
        "bytes": summary["bytes"],
        "metrics": backend_metrics(data),
        "began_utc": None if began is None else began + float(data.run["lead_s"]),
        "ended_utc": _unix((data.run.get("ended") or {}).get("utc")),
        "plateau": None if flat is None else {"in_flight": flat.in_flight, "per_s": flat.per_s},
    }


def _objective(row: Mapping[str, Any], day_start_s: float) -> dict[str, Any] | None:
    """An objective as a level has it; None where nothing of it was recorded. A time of day counts from the start."""
    value = row["value"]
    if value is None and not row["count"]:
        return None
    named = {key: row[key] for key in ("name", "limit", "unit")}
    zero = day_start_s if row["unit"] == "clock" else 0.0
    return {**named, "value": value, "burden": round(burden(value and value - zero, row["limit"] - zero), 6)}


def _unix(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None


def played_of(levels: Sequence[Level], unplayable: Mapping[int, str]) -> list[Played]:
    """The runs as the search knows them; a run that was interrupted is no run, a plan we cannot carry saturates us."""
    runs = [Played(level["devices"], level["burden"]) for level in levels if level["complete"]]
    return runs + [Played(devices, None) for devices in unplayable for _ in range(TRIES)]


def judge(search: Mapping[str, Any], levels: Sequence[Level]) -> dict[str, Any]:
    """The result of a search.

    Args:
        search: `bounds` of Bounds, `unplayable` {devices: why}, `lacking` (those of them that this machine could
            play: what was named does not suffice for them), `ended` {reason}.
        levels: of level_of, all that were played.

    Returns: `end`, one of End, `lacking` (as `harness`, but what stopped us is not this machine) or `open` (the search
        did not come to its end); `capacity`, `low` and `high` (devices,
        None where unknown or open), `objective` {name, limit, unit} that gives in first, `holds`, `breaks`, `saturated`
        (levels, or None), `why` we are saturated, `runs` (trusted ones), `curves` {objective: Fit as a dict}, `exit`.
    """
    bounds = Bounds(**search["bounds"])
    unplayable = {int(devices): why for devices, why in search.get("unplayable", {}).items()}
    played = played_of(levels, unplayable)
    where = bracket(played)
    said = next_play(played, bounds)
    end: str = said.end if isinstance(said, Stop) else "open"
    if end == "harness" and where.saturated in search.get("lacking", ()):
        end = "lacking"
    good = [level for level in levels if level["burden"] is not None]
    curves = _curves(good)
    name, chosen = _first(curves)
    reached = end in ("found", "open") and chosen is not None and chosen.crossing is not None
    if end == "found" and (chosen is None or chosen.low <= 0 or math.isinf(chosen.high)):
        end = "open"
    return {
        "end": end,
        "capacity": _round(chosen.crossing) if reached and chosen is not None else None,
        "low": _round(chosen.low) if reached and chosen is not None else None,
        "high": _round(chosen.high) if reached and chosen is not None else None,
        "objective": _named(name, good),
        "holds": where.holds,
        "breaks": where.breaks,
        "saturated": where.saturated,
        "why": _why(where, levels, unplayable),
        "runs": len(good),
        "curves": {one: _told(curve) for one, curve in curves.items()},
        "exit": {"found": 0, "harness": 3}.get(end, 4),
    }


def _curves(good: Sequence[Level]) -> dict[str, Fit]:
    """A curve for each objective, and one for the worst of each run."""
    series: dict[str, list[tuple[int, float]]] = {}
    for level in good:
        for row in level["objectives"]:
            worst = burden(None, 1.0) if level["aborted"] else row["burden"]
            series.setdefault(row["name"], []).append((level["devices"], worst))
        series.setdefault(ANY, []).append((level["devices"], level["burden"]))
    fits = {}
    for name, runs in series.items():
        devices, burdens = np.array(runs, np.float64).T
        fits[name] = fit(devices, burdens)
    return fits


def _first(curves: Mapping[str, Fit]) -> tuple[str, Fit | None]:
    """The objective whose curve passes its limit with the fewest devices."""
    named = [(one.crossing, name) for name, one in curves.items() if name != ANY and one.crossing is not None]
    name = min(named)[1] if named else ANY
    return name, curves.get(name)


def _named(name: str, good: Sequence[Level]) -> dict[str, Any]:
    for level in good:
        for row in level["objectives"]:
            if row["name"] == name:
                return {key: row[key] for key in ("name", "limit", "unit")}
    return {"name": ANY, "limit": None, "unit": None}


def _why(where: Bracket, levels: Sequence[Level], unplayable: Mapping[int, str]) -> str:
    """Why we are saturated, as the run itself or the plan said."""
    if where.saturated is None:
        return ""
    reasons = [level["reasons"] for level in levels if level["devices"] == where.saturated and not level["trusted"]]
    said = [text for texts in reasons for text in texts]
    return unplayable.get(where.saturated) or (said[0] if said else "")


def _told(curve: Fit) -> dict[str, Any]:
    return {
        "levels": [int(level) for level in curve.levels],
        "fitted": [round(float(value), 6) for value in curve.fitted],
        "runs": curve.runs.tolist(),
        "crossing": _round(curve.crossing),
        "low": _round(curve.low),
        "high": _round(curve.high),
    }


def _round(devices: float | None) -> float | None:
    """Three figures of a number of devices; None for one that is open."""
    if devices is None or devices <= 0 or math.isinf(devices):
        return None
    return float(f"{devices:.3g}")


def levels_in(folder: Path) -> list[Level]:
    """All runs of levels in a folder of a search, in the order they were played. Raises: RunFolderError."""
    runs = [open_run(path) for path in folder.glob(LEVELS) if (path / "run.json").is_file()]
    return [level_of(data) for data in sorted(runs, key=lambda data: str(data.run.get("t0_utc", "")))]


def with_metrics(levels: Sequence[Level], file: Path) -> list[Level]:
    """The levels with what the servers told between start and end of each. Raises: MetricsError."""
    if not file.exists():
        return list(levels)
    series = read_csv(file)
    return [
        {**level, "metrics": level["metrics"] | metrics_between(series, level["began_utc"], level["ended_utc"])}
        if level["began_utc"] is not None and level["ended_utc"] is not None
        else level
        for level in levels
    ]


def is_search(folder: Path) -> bool:
    """Whether a folder is that of a search."""
    return (folder / FILE).is_file()


def open_search(folder: Path) -> dict[str, Any]:
    """capacity.json as the search left it. Raises: RunFolderError."""
    try:
        search = json.loads((folder / FILE).read_bytes())
    except (OSError, ValueError) as fault:
        raise RunFolderError(f"{folder / FILE}: not a search for the capacity ({fault})") from None
    if not isinstance(search, dict) or search.get("format") != FORMAT:
        raise RunFolderError(f"{folder / FILE}: expected format {FORMAT}; it was written by another version")
    return search


def concluded(folder: Path, search: Mapping[str, Any], levels: Sequence[Level]) -> dict[str, Any]:
    """Judge a search and write its capacity.json.

    Args:
        search: what the command knows: `scenario`, `title`, `question`, `devices`, `seed`, `compression`, `targets`,
            `same_fleet`, `peak_starts_per_s` (of lids, with `devices`), `bounds`, `unplayable`, `lacking`,
            `metrics_left_out`, `minutes`, `command`, `ended` {reason, detail}, `what_ifs`; or a capacity.json, whose
            findings are replaced.
    Returns: what was written. Raises: MetricsError for a server.csv that is none.
    """
    levels = with_metrics(levels, folder / METRICS)
    result = judge(search, levels)
    evidence = [level for level in levels if level["burden"] is not None]
    whole = {
        "format": FORMAT,
        **search,
        "levels": levels,
        "result": result,
        "scalability": scalability(
            [Plateau(level["devices"], **level["plateau"]) for level in evidence if level["plateau"]]
        ),
        "gave_in": gave_in(
            [(level["devices"], level["metrics"]) for level in evidence], result["holds"], result["breaks"]
        ),
    }
    write_json(folder / FILE, whole)
    return whole
