"""What is played against what: options of the command line folded into one frozen value, every fault in one go.

It reads scenario and targets files; it starts nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scenarios.faults import ScenarioFaults
from scenarios.load import Overrides, load
from scenarios.schema import Known, Scenario
from scenarios.targets import SERVICES, Targets, read_targets
from simulator.errors import UserError
from simulator.journeys import JOURNEYS, STEPS
from simulator.operator import ACTIONS, Act, acts_of
from simulator.standins import STAND_IN
from simulator.timetable import lead_s, run_second

KNOWN = Known(
    journeys=tuple(name for name, journey in JOURNEYS.items() if journey.plannable), steps=STEPS, actions=tuple(ACTIONS)
)
TARGET = "target"


@dataclass(frozen=True, slots=True)
class What:
    """What the command line says about what is played against what."""

    scenario: str = "morning_peak"
    devices: int | None = None
    seed: int | None = None
    compression: float | None = None
    targets: Sequence[str] = ()
    targets_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Composition:
    """One run before it starts. Times in run seconds; `lead_s` is where the morning begins, after enrollment."""

    scenario: Scenario
    targets: Targets
    lead_s: float
    end_s: float
    acts: tuple[Act, ...]

    @property
    def basis(self) -> dict[str, str]:
        """By service: whether the user named it or it is embedded."""
        return {name: TARGET if name in self.targets.urls else STAND_IN for name in SERVICES}


def compose(what: What) -> Composition:
    """Fold scenario, organisation, targets and command line.

    Raises: UserError with one line for each fault; nothing was sent.
    """
    faults: list[str] = []
    targets = Targets()
    try:
        targets = read_targets(what.targets_file, what.targets)
    except ScenarioFaults as error:
        faults += error.faults
    overrides = Overrides(what.devices, what.seed, what.compression, named_target=bool(targets.urls))
    try:
        scenario = load(what.scenario, known=KNOWN, overrides=overrides)
    except ScenarioFaults as error:
        raise UserError(*faults, *error.faults) from None
    if faults:
        raise UserError(*faults)
    lead = lead_s(scenario, scenario.devices)
    return Composition(scenario, targets, lead, run_second(scenario, lead, scenario.day.end_s), acts_of(scenario, lead))
