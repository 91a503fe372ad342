"""What a section of a page, and each of its charts, may draw from: one run, summed up, in one language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reports import series
from reports.groups import Cluster, clusters
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.series import Axis, Row
from reports.steps import Steps
from reports.way import Way, milestone_of, way_to


@dataclass(frozen=True, slots=True)
class Story:
    """A run as its page tells it.

    `axis` are the slices of the morning, `acts` the operator's acts on it, `ways` the way to ready (reports.way),
    `clusters` what did not end ok (reports.groups).
    """

    data: RunData
    steps: Steps
    summary: Mapping[str, Any]
    axis: Axis
    acts: tuple[Row, ...]
    ways: list[Way]
    clusters: tuple[list[Cluster], int, int]
    say: Say

    @property
    def run(self) -> Mapping[str, Any]:
        """run.json."""
        return self.data.run


def story(data: RunData, steps: Steps, summary: Mapping[str, Any], say: Say = ENGLISH) -> Story:
    """Prepare the morning's axis and the operator's acts on it."""
    axis = series.axis_of(data)
    acts = tuple(
        {"t": round(axis.city_s(act["due"]) * 1000), "act": act["act"].replace("_", " ")}
        for act in data.run.get("actions", ())
        if axis.edges[0] <= act["due"] <= axis.edges[-1]
    )
    milestone = milestone_of(steps)
    ways = way_to(data, steps, milestone) if milestone else []
    return Story(data, steps, summary, axis, acts, ways, clusters(data), say)
