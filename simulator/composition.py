"""What is played against what: options of the command line folded into one frozen value, every fault in one go.

It reads scenario and targets files; it starts nothing and sends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scenarios.faults import ScenarioFaults
from scenarios.load import Overrides, load
from scenarios.schema import Known, Scenario
from scenarios.targets import ENROLLS_WITH, SERVICES, Services, Targets, read_targets
from scenarios.whatifs import what_if
from simulator import credentials
from simulator.accounts import Accounts, listed_accounts
from simulator.act_checks import wrong_acts
from simulator.carried import uncarried
from simulator.device import EnrollmentLogin
from simulator.enrollments_file import EnrollmentsFile, Origin
from simulator.errors import UserError
from simulator.fleet import device_facts, make_fleet
from simulator.journeys import JOURNEYS, STEPS
from simulator.operator import ACTIONS, Act, OperatorLogin, acts_of
from simulator.order import Order, management_url
from simulator.provider import NamedProvider
from simulator.secretfile import accounts_secret, default_path
from simulator.standins import STAND_IN, StandIns, StandInSettings
from simulator.timetable import journeys_of, lead_s, make_timetable, run_second

KNOWN = Known(
    journeys=tuple(name for name, journey in JOURNEYS.items() if journey.plannable), steps=STEPS, actions=tuple(ACTIONS)
)
TARGET = "target"
# So many of a fleet's first devices tell one fleet from another.
ALIKE = 256


@dataclass(frozen=True, slots=True)
class What:
    """What the command line says about what is played against what."""

    scenario: str = "morning_peak"
    devices: int | None = None
    seed: int | None = None
    arrivals_seed: int | None = None
    compression: float | None = None
    targets: Sequence[str] = ()
    targets_file: Path | None = None
    enrollments: Path | None = None
    accounts_file: Path | None = None
    reuse_accounts: bool = False
    secret_file: Path | None = None
    what_if: str | None = None

    def secret(self) -> bytes:
        """What the passwords of generated accounts follow from. Raises: UserError."""
        return accounts_secret(self.secret_file or default_path())


@dataclass(frozen=True, slots=True)
class Composition:
    """One run before it starts. Times in run seconds; `lead_s` is where the morning begins, after enrollment.

    `enrollments` is the file that keeps the fleet enrolled, None where nothing is kept. `enrollment` and
    `verification_key` are what a named management server wants; a stand-in tells its own. `accounts` have no
    secret yet.
    """

    scenario: Scenario
    targets: Targets
    lead_s: float
    end_s: float
    acts: tuple[Act, ...]
    enrollments: EnrollmentsFile | None
    enrollment: EnrollmentLogin
    verification_key: bytes
    accounts: Accounts

    @property
    def enrolled(self) -> NDArray[np.bool_]:
        """By fleet row, which devices need not enroll any more."""
        devices = self.scenario.devices
        return np.zeros(devices, np.bool_) if self.enrollments is None else self.enrollments.enrolled(devices)

    def kept(self, shard: int, shards: int) -> str:
        """What the rows of a shard keep of their enrollment, as an engine is told."""
        file = self.enrollments
        if file is None:
            return ""
        return file.lines_of(row for row in file.rows if row < self.scenario.devices and row % shards == shard)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Acts of the scenario that are not played, since the user named the service whose doing they are."""
        played = {act.action for act in self.acts}
        return tuple(act.act for number, act in enumerate(self.scenario.operator, 1) if number not in played)

    @property
    def basis(self) -> dict[str, str]:
        """By service: whether the user named it or it is embedded."""
        return {name: TARGET if name in self.targets.urls else STAND_IN for name in SERVICES}


def compose(what: What, *, judged: bool = True) -> Composition:
    """Fold scenario, organisation, targets and command line.

    Args:
        judged: whether a verdict is to come of it: then the scenario's counts have to carry its objectives.
    Raises: UserError with one line for each fault; nothing was sent.
    """
    faults: list[str] = []
    targets = Targets()
    try:
        targets = read_targets(what.targets_file, what.targets)
    except ScenarioFaults as error:
        faults += error.faults
    overrides = Overrides(
        what.devices, what.seed, what.arrivals_seed, what.compression, named_target=bool(targets.urls)
    )
    try:
        scenario = load(what.scenario, known=KNOWN, overrides=overrides, judged=judged)
    except ScenarioFaults as error:
        raise UserError(*faults, *error.faults) from None
    if what.what_if is not None:
        scenario = what_if(scenario, what.what_if)
    faults += wrong_acts(scenario)
    enrollments = None
    if what.enrollments is not None:
        try:
            enrollments = EnrollmentsFile(what.enrollments)
            enrollments.bind(origin_of(scenario, targets))
        except UserError as error:
            faults += error.lines
    enrollment, verification_key = EnrollmentLogin(), b""
    if (management := targets.targets.management) is not None:
        enrollment = credentials.enrollment_login(management, faults)
        verification_key = credentials.verification_key(management, faults)
        if not faults:
            faults += _missing(scenario, targets.targets, enrollment, enrollments)
    if what.reuse_accounts and what.accounts_file is None:
        faults.append("--reuse-accounts: says how a list is used: name it with --accounts FILE")
    if what.accounts_file is not None and targets.targets.identity is None:
        faults.append(
            "--accounts: the stand-in knows generated users alone: name a provider with --target identity=URL"
        )
    faults += _unplayable(scenario, targets)
    if faults:
        raise UserError(*faults)
    if judged and (missed := list(uncarried(scenario, KNOWN))):
        raise UserError(*missed)
    kept = 0 if enrollments is None else int(enrollments.enrolled(scenario.devices).sum())
    lead = lead_s(scenario, scenario.devices - kept)
    return Composition(
        scenario=scenario,
        targets=targets,
        lead_s=lead,
        end_s=run_second(scenario, lead, scenario.day.end_s),
        acts=acts_of(scenario, lead, targets.urls),
        enrollments=enrollments,
        enrollment=enrollment,
        verification_key=verification_key,
        accounts=_listed(what, scenario),
    )


def _listed(what: What, scenario: Scenario) -> Accounts:
    """The accounts of --accounts; without it none are listed."""
    if what.accounts_file is None:
        return Accounts()
    fleet = make_fleet(scenario.organisation, scenario.devices, scenario.seed)
    return listed_accounts(what.accounts_file, scenario, fleet, reuse=what.reuse_accounts)


def _unplayable(scenario: Scenario, targets: Targets) -> Iterator[str]:
    """What the kinds of sign-in need and do not have."""
    if scenario.sign_in.returning and set(targets.urls) >= set(SERVICES) - {"push"}:
        yield (
            f"{scenario.name}: [sign_in] offline_unlock and expired_token need what our stand-in handed out on an"
            " earlier day, and every service is named: leave one to the stand-in, or set both to 0"
        )


def accounts_of(what: What, composition: Composition, settings: StandInSettings) -> Accounts:
    """Whose account each person signs in with: those whose passwords the identity provider knows. Raises: UserError."""
    stood_in = composition.basis["identity"] == STAND_IN
    return replace(composition.accounts, secret=settings.password_secret if stood_in else what.secret())


def order_of(
    composition: Composition,
    stand_ins: StandIns,
    accounts: Accounts,
    provider: NamedProvider | None,
    shards: int = 1,
) -> Order:
    """What the engine of shard 0 is told, but for what its rows keep.

    Args:
        stand_ins: running.
        accounts: with their secret.
        provider: the identity provider that the user named.
    Raises: UserError when devices were enrolled at another stand-in.
    """
    urls = stand_ins.urls | composition.targets.bases
    enrollment, verification_key = composition.enrollment, composition.verification_key
    if composition.basis["management"] == STAND_IN:
        enrollment, verification_key = stand_ins.enrollment(), stand_ins.verification_key
        if composition.enrollments is not None:
            composition.enrollments.bind_server(sha256(verification_key).hexdigest())
    return Order(
        scenario=composition.scenario,
        shard=0,
        shards=shards,
        lead_s=composition.lead_s,
        urls=urls,
        hosts=stand_ins.hosts,
        brokers=stand_ins.brokers,
        targets=composition.targets,
        operator=OperatorLogin(urls["operator"], stand_ins.operator_token) if stand_ins.operator_token else None,
        enrollment=enrollment,
        accounts=accounts,
        verification_key=verification_key,
        idp_metadata=provider.metadata if provider else "",
        sp_key=provider.sp_key if provider else "",
        enrolled=composition.enrolled,
        keeps=composition.enrollments is not None,
    )


def origin_of(scenario: Scenario, targets: Targets) -> Origin:
    """What a file of enrollments is bound to."""
    named = targets.targets.management
    organisation = scenario.organisation
    fleet = make_fleet(organisation, ALIKE, scenario.seed)
    known = (device_facts(fleet, organisation, row) for row in range(ALIKE))
    told = "\n".join(f"{facts.serial} {facts.hwid} {facts.user}" for facts in known)
    management = STAND_IN if named is None else management_url(named.url)
    return Origin(organisation.name, sha256(told.encode()).hexdigest()[:16], scenario.seed, management)


def _missing(
    scenario: Scenario, named: Services, enrollment: EnrollmentLogin, enrollments: EnrollmentsFile | None
) -> Iterator[str]:
    """What a named management server would have to be told, and is not."""
    if scenario.enrollment.when == "never":
        return
    rows = {} if enrollments is None else enrollments.rows
    left = scenario.devices if enrollments is None else np.count_nonzero(~enrollments.enrolled(scenario.devices))
    if left and enrollment == EnrollmentLogin():
        yield (
            f"target management: {left:,} devices have to enroll there, and nothing says with what:"
            f" say one of {', '.join(ENROLLS_WITH)} in the targets file, under [targets.management]"
        )
    elif left and scenario.enrollment.way != (given := "account" if enrollment.oauth_token else "token"):
        yield (
            f'{scenario.name}.toml: enrollment.way = "{scenario.enrollment.way}": expected "{given}": with that the'
            " targets file has devices enroll at your management server"
        )
    assert named.management is not None
    if named.management.accepts_stand_in_tokens:
        return
    fleet, names = make_fleet(scenario.organisation, scenario.devices, scenario.seed), journeys_of(scenario)
    boots = {row for _, row, journey in make_timetable(scenario, fleet).tolist() if names[journey] == "boot"}
    strangers = len(boots - {row for row, kept in rows.items() if kept.user is not None})
    if strangers:
        yield (
            f"target management: {strangers:,} people have to be registered there with the access tokens that the"
            " stand-in's sign-in gives them, and a server of yours does not know those: if it takes them all the same,"
            " say accepts_stand_in_tokens = true in the targets file, under [targets.management]; otherwise play a"
            " scenario in which nobody signs in"
        )
