"""Whether the timetable carries what objectives ask of windows of the morning. Pure: nothing is played."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from scenarios.citytime import text
from scenarios.evidence import samples_needed
from scenarios.load import planned
from scenarios.objective import Objective
from scenarios.schema import Known, Scenario
from simulator.fleet import make_fleet
from simulator.timetable import journeys_of, lead_s, make_timetable, run_second


def uncarried(scenario: Scenario, known: Known) -> Iterator[str]:
    """One line for each objective on a window in which too few samples are due.

    Only what is known beforehand is counted: steps that are played once in each start of a planned journey, and
    `applied`, which is due at the publish.
    """
    for number, objective in enumerate(scenario.objectives):
        if objective.from_s is None and objective.until_s is None:
            continue
        count = _due_within(scenario, objective, known)
        needed = 1 if objective.least_percentile is None else samples_needed(objective.least_percentile)
        if count is not None and count < needed:
            ends = ((word, end) for word, end in (("from", objective.from_s), ("until", objective.until_s)))
            window = " ".join(f"{word} {text(end)}" for word, end in ends if end is not None)
            yield (
                f"{scenario.name}.toml: objectives[{number}]: {count:,} planned samples of {objective.step} are due"
                f" {window}, and it needs {needed:,}: widen the window, plan more devices, or ask for less"
            )


def _due_within(scenario: Scenario, objective: Objective, known: Known) -> int | None:
    """How many samples of its step are due in its window; None where that is not known beforehand."""
    first = -math.inf if objective.from_s is None else objective.from_s
    end = math.inf if objective.until_s is None else objective.until_s
    if objective.step == "applied":
        acts = tuple(act for act in scenario.operator if first <= act.at_s < end)
        return planned(scenario.model_copy(update={"operator": acts}), "applied", known)
    journeys = known.once_per.get(objective.step)
    if journeys is None:
        return None
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    lead = lead_s(scenario, scenario.devices)
    starts = make_timetable(scenario, fleet)
    wanted = [index for index, name in enumerate(journeys_of(scenario)) if name in journeys]
    due = starts["due"][np.isin(starts["journey"], wanted)]
    inside = (due >= run_second(scenario, lead, first)) & (due < run_second(scenario, lead, end))
    return int(np.count_nonzero(inside))
