"""What a scenario may say: its frozen models, and the hash of what it says. It reads no file and explains no fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    JsonValue,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from scenarios.arrivals import Arrivals, later
from scenarios.base import Frozen, Many, Positive, PositiveShare, Share, Text
from scenarios.citytime import CityTime
from scenarios.evidence import part
from scenarios.harness import Harness
from scenarios.objective import Objective, known
from scenarios.organisation import Organisation
from scenarios.sign_in import SignIn

# The journeys that begin with a person at a device.
LIDS = ("boot", "sign_in_only")


@dataclass(frozen=True, slots=True)
class Known:
    """The names that the simulator knows; handed in, since scenarios may not import it.

    Args:
        journeys: what a wave may start.
        steps: steps and milestones that an objective may judge.
        actions: what an operator may do.
        once_per: steps that are played once in each start of these journeys, so that their count is known beforehand.
    """

    journeys: tuple[str, ...]
    steps: tuple[str, ...]
    actions: tuple[str, ...]
    once_per: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {"ready": ("boot",), "signed_in": LIDS})


class Day(Frozen):
    """The stretch of the day that is played."""

    start_s: CityTime = Field(alias="start")
    """City time at which the morning begins, after enrollment."""
    end_s: CityTime = Field(alias="end")
    """City time at which the run ends; nothing starts after it."""
    compression: Annotated[float, Field(ge=1, le=1000)] = 1
    """How many city seconds pass in a second, as long as no target is named."""

    @field_validator("end_s")
    @classmethod
    def _after_start(cls, end_s: float, info: ValidationInfo) -> float:
        return later(end_s, info.data.get("start_s"), "start")


class Members(Frozen):
    """The staff of one department, at one site, or both."""

    department: Annotated[Text, AfterValidator(known("departments"))] | None = None
    site: Annotated[Text, AfterValidator(known("sites"))] | None = None

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if self.department is None and self.site is None:
            raise PydanticCustomError("who", "a department, a site or both")
        return self


def _who_kind(value: object) -> str:
    return "Members" if isinstance(value, (dict, Members)) else "Group"


Group = Literal["staff", "spares", "all"]
Who = Annotated[Annotated[Group, Tag("Group")] | Annotated[Members, Tag("Members")], Discriminator(_who_kind)]


class Wave(Frozen):
    """Who starts which journey, and when."""

    name: Text
    who: Who
    journey: Annotated[Text, AfterValidator(known("journeys"))]
    arrivals: Arrivals
    share: PositiveShare = 1
    """Of those named by `who`."""


class Enrollment(Frozen):
    """When devices enroll that are not enrolled yet."""

    when: Literal["before", "first_boot", "never"] = "before"
    """All of them before the morning, in real time; each when its lid opens first; or none: its people sign in only."""
    rate_per_s: Positive = 100
    """Of those before the morning."""
    way: Literal["account", "token", "attestation"] = "account"
    """By an account that may enroll, by an enrollment token, or by a machine's certificate (zero touch)."""
    state_determination: Literal["unified", "legacy"] = "unified"
    """What a machine asks before: one question, or two checks, by state key and by serial number."""
    license_type: Literal["enterprise", "kiosk"] = "enterprise"
    """What each device asks for."""


class People(Frozen):
    """How long a person takes to type, in real seconds; counted in no step's latency. Lognormal."""

    typing_median_s: Positive = 8
    typing_sigma: Annotated[float, Field(ge=0)] = 0.4
    """Of the underlying normal."""


class Act(Frozen):
    """Something the operator does during the morning."""

    at_s: CityTime = Field(alias="at")
    act: Annotated[Text, AfterValidator(known("actions"))]
    with_: dict[str, JsonValue] = Field(alias="with", default_factory=dict)
    """What the act needs to know."""


class Updates(Frozen):
    """The release that the stand-in offers."""

    offered_share: Share = 0.1
    """Of the devices that ask."""
    payload_bytes: Annotated[int, Field(ge=4096, le=1 << 30)] = 4_194_304
    """Of the stand-in's payload."""
    true_bytes: Annotated[int, Field(ge=1)] = 1_200_000_000
    """What a real full update weighs; figures scaled to it are marked "computed"."""


class Terms(Frozen):
    """On which terms the stand-in enrolls devices."""

    licenses: Annotated[int, Field(ge=0)] | None = None
    """For how many devices; any number when left out."""
    packaged_licenses: bool = False
    """Whether every machine was bought with a licence of its own: none is needed then, and none is for a kiosk."""
    serial_prefix: str = ""
    """With what the serial numbers of the city's machines begin; any machine is the city's when left out."""
    approval: bool = False
    """Whether somebody has to approve a machine that enrolls for the first time."""
    hash_modulus: Annotated[int, Field(ge=1, le=1 << 62)] | None = None
    """Into how many buckets known machines are sorted, a power of two; as many as are asked for when left out."""

    @field_validator("hash_modulus")
    @classmethod
    def _power_of_two(cls, modulus: int | None) -> int | None:
        if modulus is not None and modulus & (modulus - 1):
            raise PydanticCustomError("modulus", "a power of two")
        return modulus


class Backend(Frozen):
    """Settings of the stand-in."""

    password_cost: Annotated[int, Field(ge=1, le=1_000_000)] = 2500
    """PBKDF2-HMAC-SHA256 iterations for each password."""
    enrollment: Terms = Terms()
    robot_accounts: bool = False
    """Whether each device gets an account of its own."""


class Compare(Frozen):
    """How a run is held against earlier ones."""

    tolerance: Annotated[float, Field(gt=0, le=10)] = 0.1
    """By what share a time may grow while the earlier runs are too few to tell how much runs differ."""


class Scenario(Frozen):
    """One question to a city's systems, folded: file, organisation and command line are one value."""

    name: SkipJsonSchema[Text]
    """Of its file."""
    title: Text
    question: Text
    organisation: Annotated[Organisation, WithJsonSchema({"type": "string", "examples": ["maebashi"]})]
    """A shipped organisation's name, or the path of a file relative to this one."""
    devices: Annotated[int, Field(ge=1, le=10_000_000)]
    """How many to play; the organisation's own number when left out. Staff and spares keep their proportion."""
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] = 1
    arrivals_seed: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    """What the instants follow from at which the waves start devices; `seed` when left out. Another one is another
    morning of the same fleet and the same accounts."""
    undecided: Literal["fail", "pass"] = "fail"
    """What it means for the exit code that the evidence cannot decide an objective."""
    day: Day
    enrollment: Enrollment = Enrollment()
    waves: Annotated[Many[Wave], Field(min_length=1)]
    people: People = People()
    sign_in: SignIn = SignIn()
    operator: Many[Act] = ()
    updates: Updates = Updates()
    backend: Backend = Backend()
    objectives: Many[Objective] = ()
    harness: Harness = Harness()
    compare: Compare = Compare()

    @property
    def staff(self) -> int:
        """How many of the devices have a person."""
        return self.devices - self.organisation.spares_among(self.devices)

    @property
    def hash(self) -> str:
        """SHA-256 (hex) of all that was folded into it."""
        return sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces, times as a scenario writes them."""
        value: Any = self.model_dump(mode="json", by_alias=True)
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Scenario:
        """The same scenario again. Raises pydantic.ValidationError: then it was not made by to_json."""
        return cls.model_validate_json(text)

    def eligible(self, who: Group | Members) -> float:
        """How many devices `who` names; for a department or a site how many are expected."""
        if isinstance(who, Members):
            departments = {kind.name: kind.share for kind in self.organisation.departments}
            sites = {kind.name: kind.share for kind in self.organisation.sites}
            return self.staff * departments.get(who.department or "", 1.0) * sites.get(who.site or "", 1.0)
        return {"staff": self.staff, "spares": self.devices - self.staff, "all": self.devices}[who]

    def starts(self, *journeys: str) -> int:
        """Starts of these journeys that the waves plan."""
        return sum(part(wave.share, round(self.eligible(wave.who))) for wave in self.waves if wave.journey in journeys)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a scenario's file, for editors."""
    schema = Scenario.model_json_schema(by_alias=True)
    schema["required"] = [key for key in schema["required"] if key not in ("name", "devices")]
    return schema


def organisation_schema() -> dict[str, Any]:
    """JSON Schema of an organisation's file, for editors."""
    schema = Organisation.model_json_schema(by_alias=True)
    schema["required"] = [key for key in schema["required"] if key != "name"]
    return schema
