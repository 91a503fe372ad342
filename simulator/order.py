"""What an engine is told, in both directions: the runner's JSON line, and what the engine makes of it.

It plans from the order; it sends nothing and keeps no secret anywhere but in memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenarios.schema import Scenario
from scenarios.targets import Targets
from simulator.agenda import Start
from simulator.device import EnrollmentLogin, Plan, Publish
from simulator.fleet import device_facts, make_fleet
from simulator.journeys.operate import first_after, start_of
from simulator.operator import PUBLISHES, OperatorLogin, acts_of
from simulator.timetable import journeys_of, make_timetable, run_second

DM_PATH = "/devicemanagement/data/api"


@dataclass(frozen=True, slots=True)
class Order:
    """One shard's whole order. `urls` are bases by service without a trailing slash; times are run seconds."""

    scenario: Scenario
    shard: int
    shards: int
    lead_s: float
    urls: dict[str, str]
    targets: Targets
    operator: OperatorLogin | None
    enrollment: EnrollmentLogin
    password_secret: bytes
    verification_key: bytes

    def to_json(self) -> dict[str, Any]:
        """A JSON-able value; secrets travel in it, so it goes through a pipe and nowhere else."""
        return {
            "scenario": self.scenario.to_json(),
            "shard": self.shard,
            "shards": self.shards,
            "lead_s": self.lead_s,
            "urls": self.urls,
            "targets": self.targets.model_dump_json(by_alias=True),
            "operator": None if self.operator is None else [self.operator.url, self.operator.token],
            "enrollment": asdict(self.enrollment),
            "password_secret": self.password_secret.hex(),
            "verification_key": base64.b64encode(self.verification_key).decode(),
        }

    @classmethod
    def from_json(cls, line: bytes) -> Order:
        """The order as the runner wrote it."""
        told = json.loads(line)
        operator = told.pop("operator")
        return cls(
            scenario=Scenario.from_json(told.pop("scenario")),
            targets=Targets.model_validate_json(told.pop("targets")),
            enrollment=EnrollmentLogin(**told.pop("enrollment")),
            operator=None if operator is None else OperatorLogin(*operator),
            password_secret=bytes.fromhex(told.pop("password_secret")),
            verification_key=base64.b64decode(told.pop("verification_key")),
            **told,
        )

    @property
    def end_s(self) -> float:
        """The run second after which nothing starts."""
        return run_second(self.scenario, self.lead_s, self.scenario.day.end_s)

    def fleet(self) -> NDArray[np.void]:
        """Every device of the scenario, not this shard's only."""
        return make_fleet(self.scenario.organisation, self.scenario.devices, self.scenario.seed)

    def plan(self, fleet: NDArray[np.void]) -> Plan:
        """What the journeys of this shard may know."""
        scenario = self.scenario
        acts = acts_of(scenario, self.lead_s)
        return Plan(
            seed=scenario.seed,
            compression=scenario.day.compression,
            management_url=self.urls["management"] + DM_PATH,
            identity_url=self.urls["identity"],
            updates_url=self.urls["updates"],
            push_url=self.urls["push"],
            domain=scenario.organisation.domain,
            enrollment=self.enrollment,
            password_secret=self.password_secret,
            typing_median_s=scenario.people.typing_median_s,
            typing_sigma=scenario.people.typing_sigma,
            facts=lambda row: device_facts(fleet, scenario.organisation, row),
            verification_key=self.verification_key or None,
            operator=self.operator,
            acts=acts,
            publishes=tuple(Publish(act.action, act.due) for act in acts if act.name in PUBLISHES),
        )

    def starts(self, fleet: NDArray[np.void]) -> Iterator[Start]:
        """All starts of this shard that are known beforehand; the operator's are shard 0's."""
        scenario = self.scenario
        names = journeys_of(scenario)
        timetable = make_timetable(scenario, fleet, shard=(self.shard, self.shards))
        for due, device, journey in timetable.tolist():
            yield Start(due, device, names[journey], "planned")
        if self.shard == 0:
            first = first_after(acts_of(scenario, self.lead_s), None)
            if first is not None:
                yield start_of(first)
