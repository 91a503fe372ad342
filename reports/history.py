"""The course of earlier runs: a series for each objective, over the runs that were played alike, and where it changed.

Reads run.json and summary.json, no samples, so that hundreds of runs take a moment. Nothing is drawn or worded here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from reports.baselines import began, run_folders
from reports.changepoints import ChangePoint, change_points
from reports.comparable import comparable_hash
from reports.runfolder import RUN, SUMMARY

NEWEST: Final = 500


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a history. `name` is its folder's path in the folder of the history, so that the runs of two series
    are told apart; `counted` tells whether its numbers can be trusted and the run came to its end."""

    name: str
    utc: str
    counted: bool
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Point:
    """What one run shows of an objective, in seconds or shares; its band is None where it has none."""

    run: Run
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """Where a trend changed: the first run since, and the change with the means on either side of it."""

    since: Run
    point: ChangePoint


@dataclass(frozen=True, slots=True)
class Trend:
    """One objective over the runs. `limit` is the latest run's; `changes` rest on the points that count alone."""

    name: str
    unit: str
    limit: float
    points: tuple[Point, ...]
    changes: tuple[Change, ...]

    def levels(self) -> list[tuple[Run, Run, float]]:
        """The stretches between changes: first run, last run, mean."""
        counted = [point for point in self.points if point.run.counted]
        starts = [0, *(change.point.at for change in self.changes), len(counted)]
        stretches = [counted[first:end] for first, end in pairwise(starts)]
        return [(some[0].run, some[-1].run, sum(one.value for one in some) / len(some)) for some in stretches if some]


@dataclass(frozen=True, slots=True)
class Group:
    """Runs that were played alike, oldest first, and the trend of each objective of the latest."""

    scenario: str
    title: str
    key: str
    runs: tuple[Run, ...]
    trends: tuple[Trend, ...]


def history(folder: Path) -> tuple[Group, ...]:
    """The history of a folder of run folders, the group with the latest run first; runs never judged are left out.

    The runs of a series are runs as others are, each a point of its own at its own time.
    """
    groups: dict[str, list[tuple[Run, str]]] = {}
    for path in run_folders(folder):
        run, summary = _read(path / RUN), _read(path / SUMMARY)
        if run and summary and began(run):
            counted = bool(summary["harness"]["trustworthy"]) and not summary["partial"]
            known = groups.setdefault(comparable_hash(run), [])
            name = path.name if path == folder else path.relative_to(folder).as_posix()
            known.append((Run(name, began(run), counted, summary), str(run["scenario"]["title"])))
    made = [_group(key, known) for key, known in groups.items()]
    return tuple(sorted(made, key=lambda group: group.runs[-1].utc, reverse=True))


def _group(key: str, known: Sequence[tuple[Run, str]]) -> Group:
    ordered = sorted(known, key=lambda one: one[0].utc)[-NEWEST:]
    runs = tuple(run for run, _ in ordered)
    latest = runs[-1].summary
    trends = (_trend(row, runs) for row in latest["objectives"])
    return Group(str(latest["scenario"]), ordered[-1][1], key, runs, tuple(trends))


def _trend(latest: Mapping[str, Any], runs: Sequence[Run]) -> Trend:
    points = []
    for run in runs:
        rows = [row for row in run.summary["objectives"] if row["name"] == latest["name"]]
        # a percentile among the outcomes other than ok has no value to draw
        points += [Point(run, row["value"], row["low"], row["high"]) for row in rows[:1] if row["value"] is not None]
    counted = [point for point in points if point.run.counted]
    changes = (
        Change(counted[found.at].run, found) for found in change_points([float(point.value) for point in counted])
    )
    return Trend(latest["name"], latest["unit"], float(latest["limit"]), tuple(points), tuple(changes))


def _read(path: Path) -> dict[str, Any] | None:
    """A JSON object; None where it is not there or none."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
