"""What one device remembers, and what is handed to it: the plan of its run, a wire, a clock.

It must stay small: thousands of devices rest in one engine. Nothing here acts; what a device does on a journey is
traveller.py's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from scenarios.sign_in import SignIn
from simulator.fleet import DeviceFacts
from simulator.operator import Act, OperatorLogin
from simulator.protocols.account import Account as IdpAccount
from simulator.protocols.management import (
    DeviceSettings,
    ExtensionPolicy,
    Identity,
    Invalidation,
    Trust,
    UserSettings,
)
from simulator.protocols.messages import Push, PushLine, PushLogin, Request, Response, Sink
from simulator.protocols.push import News
from simulator.protocols.service_provider import ServiceProvider
from simulator.protocols.updates import Offer, UpdateClient
from simulator.timers import GONE

APPLIED = "applied"


class Wire(Protocol):
    """One device's way out: sockets, or memory. Whatever a server does wrong is raised as Trouble, nothing else."""

    async def send(self, request: Request, *, timeout_s: float, sink: Sink | None = None) -> Response:
        """One request, one response; a 2xx body goes to the sink as it comes when one is given."""

    async def listen(self, login: PushLogin, hear: Callable[[Push], None], lost: Callable[[str], None]) -> PushLine:
        """Connect, log in and subscribe; then `hear` is called for each push, and `lost` once if the line breaks."""

    def forget_cookies(self) -> None:
        """Clear what servers had the device remember."""

    def close(self) -> None:
        """Let go of every connection but the push line."""


class Clock(Protocol):
    """Run seconds: 0 is t0."""

    def now(self) -> float:
        """The run second. Monotonic."""

    async def until(self, instant: float) -> None:
        """Return at that run second, never before it."""

    def utc(self) -> float:
        """Unix seconds now, for what protocols write into messages."""


@dataclass(frozen=True, slots=True)
class Publish:
    """An act that changes policy: its number (from 1) and the run second at which it is due.

    `policy` is what it changes: "device", "user", "account", or an extension's, as "user/<extension id>".
    """

    action: int
    due: float
    policy: str


@dataclass(frozen=True, slots=True)
class Expiry:
    """An act that kills tokens: its number, the run second at which it is due, and over how many real seconds after it
    the devices make their next call, and notice."""

    action: int
    due: float
    within_s: float


@dataclass(frozen=True, slots=True)
class EnrollmentLogin:
    """With what devices may be enrolled. Each way to enroll needs one of them; what there is none of is empty.

    Attributes:
        oauth_token: an access token, of scope chromeosdevicemanagement, of an account that may enroll.
        enrollment_token: one that stands for the organisation.
        attestation_secret: of the simulated authority that certifies machines, in hex.
    """

    oauth_token: str = ""
    enrollment_token: str = ""
    attestation_secret: str = ""

    @classmethod
    def told(cls, said: Mapping[str, str]) -> EnrollmentLogin:
        """What the backend's operator API answers to `enrollment_token`."""
        return cls(said["access_token"], said["enrollment_token"], said["attestation_secret"])


@dataclass(frozen=True, slots=True)
class Plan:
    """What every journey of a run may know. URLs are bases without a trailing slash; times in real seconds.

    `facts` tells who a fleet row is, `account` with what its person signs in, `kind` in what way (kinds.py). `way`,
    `state_determination` and `kiosk` are how devices enroll (scenarios.schema, Enrollment). `enroll_at_boot`: one that
    is not enrolled does it when its lid opens. `verification_key` is the DER of the key that vouches for policy keys,
    None where a management server's is not known. `operator` is None where no backend of ours takes acts.
    `identity_url` is of Google's accounts, not of the identity provider; `service_provider` is the one whose part
    devices play, None where those accounts are the service provider. `unasked` are steps that this run never asks.
    `page_assets`: what login pages link to is fetched too. `push_urls`: of the brokers that share the push lines.
    """

    seed: int
    compression: float
    management_url: str
    identity_url: str
    updates_url: str
    push_urls: tuple[str, ...]
    domain: str
    enrollment: EnrollmentLogin
    account: Callable[[DeviceFacts], IdpAccount]
    kind: Callable[[int], str]
    sign_in: SignIn
    typing_median_s: float
    typing_sigma: float
    facts: Callable[[int], DeviceFacts]
    way: str = "account"
    state_determination: str = "unified"
    kiosk: bool = False
    enroll_at_boot: bool = False
    verification_key: bytes | None = None
    operator: OperatorLogin | None = None
    acts: tuple[Act, ...] = ()
    publishes: tuple[Publish, ...] = ()
    expiries: tuple[Expiry, ...] = ()
    service_provider: ServiceProvider | None = None
    unasked: frozenset[str] = frozenset()
    page_assets: bool = False


@dataclass(slots=True)
class Scheduler:
    """Where the policy refreshes of one client stand: of a device, its user, or a device-local account.

    Attributes:
        status: the client's name for how the last fetch ended; empty before the first of this boot.
        ended: the run second of that.
        failures: fetches in a row that ended in an error which is tried again sooner.
        managed: whether the stored policy says so.
        pushes: whether the management service was told where this client listens.
        token_failures: uploads of the push token in a row that failed.
        heard_us: the newest version that a push told.
        invalidation: what a push told, until a policy is stored after it.
    """

    status: str = ""
    ended: float = 0.0
    failures: int = 0
    managed: bool = True
    pushes: bool = False
    token_failures: int = 0
    heard_us: int = 0
    invalidation: Invalidation | None = None


@dataclass(slots=True)
class Account:
    """A device-local account that device policy names: what its client holds, when it fetches next by its own clock,
    and when the delay after a push is over (run seconds)."""

    trust: Trust
    scheduler: Scheduler
    settings: UserSettings | None = None
    due: float | None = None
    pushed_due: float | None = None


@dataclass(slots=True)
class ExtensionFile:
    """The file that an extension's policy names: when it is downloaded next (run second; None: it is there, or given
    up), and how often that failed in a row."""

    policy: ExtensionPolicy
    due: float | None
    failures: int = 0
    stored: bool = False


@dataclass(slots=True)
class Device:
    """What one device remembers between journeys. It must stay small: thousands of them rest in one engine.

    Attributes:
        identity, trust, settings, scheduler: of the device's own registration and policy.
        user_identity, user_trust, user_settings, user_scheduler: of the user's.
        refresh_token, access_token: of the user's sign-in, "" where there are none; token_failures in a row.
        in_session: whether the user is signed in now.
        accounts: device-local ones by account id, None while there are none.
        extensions: files of extension policy by policy type and extension id, None while there are none.
        setting_up: whether its enrollment is under way or will be tried again; enroll_failures in a row.
        lid_waits: whether a lid is open that can boot only when the device is enrolled.
        unmanaged: whether the server said that it does not manage the user (403), who is registered no more then.
        affiliation_ids, affiliated: of the device's owner, and whether the user belongs to the same one.
        disabled: whether its policy says that nobody may use it.
        forgotten: whether the server said that it does not know the device any more (410).
        state_key_told: whether a fetch of this boot that was answered told the server by what it knows the machine.
        line, online: the push line, and whether the management service was told of it; line_failures in a row.
        pushed: the newest push of each kind that was not acted on yet.
        booted: the run second of the last boot.
        used: for how long it was used and not yet told, by the local day and the user's address: milliseconds.
        noted_ms: up to when that was added up, Unix milliseconds; 0 before the first boot.
        last_command_id, command_ids: the last remote command that ended, and all that were fetched, in this boot.
        status_ended, report_ended: the run seconds at which a status upload and a user report ended last.
        report_failures, overloaded: failures in a row, by which back-off grows.
        update_client, offer, updated: what the update engine remembers, and whether a new system waits for a reboot.
        new_version: of the system being downloaded, or waiting. checked_ms: of the last check, Unix milliseconds.
        os_version, previous_version: of the system it was updated to, and of the one before until a check has told it;
            empty: it runs what it came with.
        open: milestones owed, by name and operator act, with the instant they count from.
        news: by operator act, the Unix millisecond at which its change was made, as a push told.
        applied: the acts that are applied.
        drawn: how many numbers were drawn.
    """

    row: int
    wire: Wire
    identity: Identity | None = None
    trust: Trust | None = None
    settings: DeviceSettings | None = None
    scheduler: Scheduler = field(default_factory=Scheduler)
    user_identity: Identity | None = None
    user_trust: Trust | None = None
    user_settings: UserSettings | None = None
    user_scheduler: Scheduler = field(default_factory=Scheduler)
    refresh_token: str = ""
    access_token: str = ""
    token_failures: int = 0
    in_session: bool = False
    accounts: dict[str, Account] | None = None
    extensions: dict[tuple[str, str], ExtensionFile] | None = None
    setting_up: bool = False
    enroll_failures: int = 0
    lid_waits: bool = False
    affiliation_ids: tuple[str, ...] = ()
    affiliated: bool = False
    unmanaged: bool = False
    disabled: bool = False
    forgotten: bool = False
    state_key_told: bool = False
    line: PushLine | None = None
    online: bool = False
    line_failures: int = 0
    pushed: dict[str, News] = field(default_factory=dict)
    booted: float = 0.0
    used: dict[tuple[int, str], int] = field(default_factory=dict)
    noted_ms: int = 0
    last_command_id: int | None = None
    command_ids: tuple[int, ...] = ()
    status_ended: float | None = None
    report_ended: float | None = None
    report_failures: int = 0
    overloaded: int = 0
    update_client: UpdateClient | None = None
    offer: tuple[Offer, str] | None = None
    updated: bool = False
    new_version: str = ""
    os_version: str = ""
    previous_version: str = ""
    checked_ms: int = 0
    open: dict[tuple[str, int], float] = field(default_factory=dict)
    news: dict[int, int] = field(default_factory=dict)
    applied: frozenset[int] = frozenset()
    drawn: int = 0

    @property
    def registered(self) -> bool:
        """Whether it is enrolled, as far as it knows: a server that has forgotten it (410) ends that until a boot."""
        return self.identity is not None and self.scheduler.status != GONE
