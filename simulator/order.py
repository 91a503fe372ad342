"""What an engine is told, in both directions: the runner's JSON line, and what the engine makes of it.

It plans from the order; it sends nothing and keeps no secret anywhere but in memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from scenarios.schema import Scenario
from scenarios.targets import Targets
from simulator.accounts import Accounts
from simulator.agenda import Start
from simulator.device import Device, EnrollmentLogin, Expiry, Plan, Publish, Wire
from simulator.enrollments import Enrollment, Reader, device_of
from simulator.fleet import device_facts, make_fleet
from simulator.journeys import enroll, sign_in
from simulator.journeys.operate import first_after, start_of
from simulator.journeys.policies import identity_of
from simulator.kinds import kind_of
from simulator.operator import EXPIRES, PUBLISHES, WITHIN, OperatorLogin, acts_of
from simulator.protocols.gaia import STAND_IN_URL
from simulator.protocols.saml_metadata import Provider, read_provider
from simulator.protocols.service_provider import ServiceProvider, read_key
from simulator.timetable import journeys_of, make_timetable, run_second

DM_PATH = "/devicemanagement/data/api"


@dataclass(frozen=True, slots=True)
class Order:
    """One shard's whole order. `urls` are bases by service without a trailing slash; times are run seconds.

    `enrolled` tells of every device whether it need not enroll, `kept` is what the shard's own rows keep of it, in
    lines, and `keeps` whether anybody wants to keep more. `hosts` says where the stand-in's own name leads.
    `idp_metadata` is the named identity provider's, "" for the stand-in's; `sp_key` the PEM of the key by which the
    played service provider signs, "" for none. `brokers` share the push lines where one alone cannot hold them.
    """

    scenario: Scenario
    shard: int
    shards: int
    lead_s: float
    urls: dict[str, str]
    hosts: dict[str, str]
    targets: Targets
    operator: OperatorLogin | None
    enrollment: EnrollmentLogin
    accounts: Accounts
    verification_key: bytes
    idp_metadata: str = ""
    sp_key: str = ""
    enrolled: NDArray[np.bool_] | None = None
    kept: str = ""
    keeps: bool = False
    brokers: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """A JSON-able value; secrets travel in it, so it goes through a pipe and nowhere else."""
        return {
            "scenario": self.scenario.to_json(),
            "shard": self.shard,
            "shards": self.shards,
            "lead_s": self.lead_s,
            "urls": self.urls,
            "hosts": self.hosts,
            "idp_metadata": self.idp_metadata,
            "sp_key": self.sp_key,
            "targets": self.targets.model_dump_json(by_alias=True),
            "operator": None if self.operator is None else [self.operator.url, self.operator.token],
            "enrollment": asdict(self.enrollment),
            "accounts": self.accounts.to_json(),
            "verification_key": base64.b64encode(self.verification_key).decode(),
            "enrolled": _packed(self.enrolled),
            "kept": self.kept,
            "keeps": self.keeps,
            "brokers": list(self.brokers),
        }

    @classmethod
    def from_json(cls, line: bytes) -> Order:
        """The order as the runner wrote it."""
        told = json.loads(line)
        operator = told.pop("operator")
        scenario = Scenario.from_json(told.pop("scenario"))
        return cls(
            scenario=scenario,
            enrolled=_unpacked(told.pop("enrolled"), scenario.devices),
            targets=Targets.model_validate_json(told.pop("targets")),
            enrollment=EnrollmentLogin(**told.pop("enrollment")),
            operator=None if operator is None else OperatorLogin(*operator),
            accounts=Accounts.from_json(told.pop("accounts")),
            verification_key=base64.b64decode(told.pop("verification_key")),
            **told,
        )

    @property
    def provider(self) -> Provider | None:
        """The named identity provider as its metadata tells it; None where the stand-in's is asked."""
        return read_provider(self.idp_metadata.encode()) if self.idp_metadata else None

    @property
    def service_provider(self) -> ServiceProvider | None:
        """The service provider whose part the devices play; None where the stand-in is one."""
        provider, target = self.provider, self.targets.targets.identity
        if provider is None or target is None or target.service_provider is None:
            return None
        told = target.service_provider
        return ServiceProvider(
            provider,
            told.entity_id,
            told.acs_url,
            told.binding,
            told.name_id_format,
            told.relay_state,
            read_key(self.sp_key) if self.sp_key else None,
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
        acts = acts_of(scenario, self.lead_s, self.targets.urls)
        service_provider = self.service_provider
        target = self.targets.targets.identity
        return Plan(
            seed=scenario.seed,
            compression=scenario.day.compression,
            management_url=management_url(self.urls["management"]),
            identity_url=STAND_IN_URL,
            updates_url=self.urls["updates"],
            push_urls=tuple(self.brokers) or (self.urls["push"],),
            domain=scenario.organisation.domain,
            enrollment=self.enrollment,
            account=self.accounts.of,
            kind=lambda row: kind_of(scenario.sign_in, scenario.seed, row),
            sign_in=scenario.sign_in,
            enroll_at_boot=scenario.enrollment.when == "first_boot",
            typing_median_s=scenario.people.typing_median_s,
            typing_sigma=scenario.people.typing_sigma,
            facts=lambda row: device_facts(fleet, scenario.organisation, row),
            way=scenario.enrollment.way,
            state_determination=scenario.enrollment.state_determination,
            kiosk=scenario.enrollment.license_type == "kiosk",
            verification_key=self.verification_key or None,
            operator=self.operator,
            acts=acts,
            service_provider=service_provider,
            unasked=frozenset(
                (
                    *(sign_in.BY_SERVICE if service_provider else ()),
                    *((enroll.ROBOT,) if "management" in self.targets.urls else ()),
                )
            ),
            page_assets=target is not None and target.page_assets,
            publishes=tuple(
                Publish(act.action, act.due, PUBLISHES[act.name](act.settings)) for act in acts if act.name in PUBLISHES
            ),
            expiries=tuple(
                Expiry(act.action, act.due, act.settings.get(WITHIN, 0)) for act in acts if act.name in EXPIRES
            ),
        )

    def starts(self, fleet: NDArray[np.void]) -> Iterator[Start]:
        """All starts of this shard that are known beforehand; the operator's are shard 0's."""
        scenario = self.scenario
        names = journeys_of(scenario)
        timetable = make_timetable(scenario, fleet, self.enrolled, (self.shard, self.shards))
        for due, device, journey in timetable.tolist():
            yield Start(due, device, names[journey], "planned")
        if self.shard == 0:
            yield from self.operators()

    def operators(self) -> Iterator[Start]:
        """The operator's first start, where there is an act to play; each act puts the next on the agenda."""
        first = first_after(acts_of(self.scenario, self.lead_s, self.targets.urls), None)
        if first is not None:
            yield start_of(first)

    def remembered(self) -> dict[int, Enrollment]:
        """What the shard's rows keep from an earlier run."""
        reader = Reader()
        kept = (reader.read(line) for line in self.kept.splitlines())
        return {enrollment.row: enrollment for enrollment in kept if enrollment is not None}


def devices_of(kept: Mapping[int, Enrollment], plan: Plan, wire_of: Callable[[int], Wire]) -> dict[int, Device]:
    """The devices of those rows as they were."""
    return {
        row: device_of(one, wire_of(row), partial(identity_of, plan, plan.facts(row)), plan.verification_key)
        for row, one in kept.items()
    }


def management_url(base: str) -> str:
    """Where management requests go: an address with a path is meant as it is, behind any other comes the usual one."""
    return base if urlsplit(base).path.strip("/") else base.rstrip("/") + DM_PATH


def _packed(column: NDArray[np.bool_] | None) -> str | None:
    return None if column is None else base64.b64encode(np.packbits(column).tobytes()).decode()


def _unpacked(bits: str | None, devices: int) -> NDArray[np.bool_] | None:
    if bits is None:
        return None
    return np.unpackbits(np.frombuffer(base64.b64decode(bits), np.uint8), count=devices).astype(np.bool_)
