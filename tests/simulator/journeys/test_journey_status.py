"""What a device remembers for its reports: use that is told once, on the right day; the system that it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scenarios.load import load
from scenarios.sign_in import SignIn
from simulator.agenda import Agenda, Start
from simulator.composition import KNOWN
from simulator.device import Device, EnrollmentLogin, Plan
from simulator.fleet import device_facts, make_fleet
from simulator.journeys import JOURNEY_NAMES, STEPS, boot, check_update, upload_status
from simulator.journeys import life as session
from simulator.protocols import management_pb2 as pb
from simulator.protocols.account import Account
from simulator.protocols.management import Identity, Trust
from simulator.protocols.messages import Broken, Request, Response
from simulator.tape import Tape
from simulator.traveller import Stopped, Traveller
from simulator.world import World

MIDNIGHT_UTC = 1_775_001_600
HOUR = 3600
DAY_MS = 24 * HOUR * 1000
GOOD = pb.DeviceManagementResponse()
GOOD.device_status_report_response.SetInParent()


class Clock:
    """Run seconds that stand still until they are set; a wait is over at once."""

    def __init__(self) -> None:
        self.run_s = 0.0

    def now(self) -> float:
        """As Clock.now."""
        return self.run_s

    async def until(self, instant: float) -> None:
        """As Clock.until."""
        self.run_s = max(self.run_s, instant)

    def utc(self) -> float:
        """As Clock.utc."""
        return MIDNIGHT_UTC + self.run_s


class Line:
    """A wire that keeps what was asked, and answers every request with one response, or with none."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer: Response | None = None

    async def send(self, request: Request, *, timeout_s: float, sink: object = None) -> Response:
        """As Wire.send."""
        self.asked.append(request)
        if self.answer is None:
            raise Broken("connect_refused")
        return self.answer

    async def listen(self, login: object, hear: object, lost: object) -> Any:
        """As Wire.listen, with nobody there."""
        raise Broken("connect_refused")


class Life:
    """One enrolled device of Maebashi."""

    def __init__(self, compression: float = 1) -> None:
        city = load("morning_peak", known=KNOWN).organisation
        fleet = make_fleet(city, 10, 1)
        names = ("management_url", "identity_url", "updates_url")
        plan = Plan(
            seed=1,
            compression=compression,
            **{name: f"http://{name}.invalid" for name in names},
            push_urls=("mqtt://push.invalid",),
            domain=city.domain,
            enrollment=EnrollmentLogin(),
            account=lambda facts: Account(facts.user, "secret"),
            kind=lambda row: "online",
            sign_in=SignIn(),
            typing_median_s=1,
            typing_sigma=1,
            facts=lambda row: device_facts(fleet, city, row),
        )
        self.clock, self.line = Clock(), Line()
        self.device = Device(7, self.line)  # type: ignore[arg-type]  # as much of a Wire as these journeys need
        self.device.identity = Identity(plan.management_url, "device-7", "agent", "platform", "token")
        self.device.trust = Trust("token", "device-7")
        self.world = World(plan, self.clock, Agenda(), Tape(STEPS, JOURNEY_NAMES))

    def at(self, run_s: float) -> Traveller:
        """The device on a journey that begins then."""
        self.clock.run_s = run_s
        return Traveller(self.world, self.device, Start(run_s, 7, "upload_status", "timer"), run_s)

    def booted(self, run_s: float) -> None:
        """A boot at that second."""
        session.boot(self.at(run_s))

    def signed_in(self, run_s: float, *, affiliated: bool = True) -> None:
        """A user of this organisation, or of another, is registered and signed in at that second."""
        self.device.user_identity = Identity("http://u", "user-7", "agent", "platform", "user-token")
        self.device.user_trust = Trust("user-token", "user-7", username=self.world.plan.facts(7).user)
        self.device.affiliated = affiliated
        session.begin(self.at(run_s))


def played(journey: Coroutine[Any, Any, None]) -> None:
    """Play it to its end, good or bad."""
    with suppress(Stopped):
        asyncio.run(journey)


@pytest.fixture
def life() -> Life:
    """A device that opened its lid at 13:00 UTC, 22:00 in Tokyo."""
    life = Life()
    life.booted(13 * HOUR)
    return life


def test_use_is_counted_on_the_local_day_and_for_its_user(life: Life) -> None:
    """Before the sign-in for nobody; after it for the user; past Tokyo's midnight (15:00 UTC) on the next day."""
    life.signed_in(14 * HOUR)
    upload_status.note_use(life.at(17 * HOUR))
    user = life.world.plan.facts(7).user
    today, tomorrow = MIDNIGHT_UTC * 1000, MIDNIGHT_UTC * 1000 + DAY_MS
    assert set(life.device.used) == {(today, ""), (today, user), (tomorrow, user)}
    assert life.device.used[tomorrow, user] > life.device.used[today, user]
    assert all(0 < ms <= 2 * HOUR * 1000 for ms in life.device.used.values())


def test_after_a_reboot_nobody_is_signed_in(life: Life) -> None:
    """What the user did until then is still the user's; from the reboot on it is nobody's, and no network is told."""
    life.signed_in(13.25 * HOUR)
    life.booted(14 * HOUR)
    upload_status.note_use(life.at(14.75 * HOUR))
    today, user = MIDNIGHT_UTC * 1000, life.world.plan.facts(7).user
    assert set(life.device.used) == {(today, ""), (today, user)}
    assert 0 < life.device.used[today, user] <= 0.75 * HOUR * 1000
    assert 0 < life.device.used[today, ""] <= HOUR * 1000
    status = upload_status.status_of(life.at(14.75 * HOUR))
    assert (status.users, status.network) == ((user,), None)


def test_the_user_of_another_organisation_is_not_named(life: Life) -> None:
    """Use counts, but for nobody; the user is told of without an address, the network not at all."""
    life.signed_in(14 * HOUR, affiliated=False)
    upload_status.note_use(life.at(14.5 * HOUR))
    assert {email for _, email in life.device.used} == {""}
    status = upload_status.status_of(life.at(14.5 * HOUR))
    assert (status.users, status.network) == (("",), None)


def test_what_arrived_is_told_once_and_what_did_not_is_told_again(life: Life) -> None:
    """An upload that fails loses nothing; after one that arrived only what came since is told."""
    played(upload_status.play(life.at(13.5 * HOUR)))
    kept = dict(life.device.used)
    assert kept
    life.line.answer = Response(503)
    played(upload_status.play(life.at(13.75 * HOUR)))
    assert all(life.device.used[key] > ms for key, ms in kept.items())
    life.line.answer = Response(200, (), GOOD.SerializeToString())
    played(upload_status.play(life.at(14 * HOUR)))
    assert life.device.used == {}
    told = [pb.DeviceManagementRequest.FromString(request.body) for request in life.line.asked]
    durations = [
        sum(period.active_duration for period in message.device_status_report_request.active_periods)
        for message in told
    ]
    assert durations == sorted(durations)
    assert durations[0] == sum(kept.values())


def test_compression_keeps_the_number_of_samples_and_the_share_of_use() -> None:
    """At 40 times the real rate three hours pass in 270 s: ten samples, 3 s apart, and no more use than time."""
    life = Life(compression=40)
    life.booted(0)
    life.signed_in(1)
    traveller = life.at(270)
    upload_status.note_use(traveller)
    status = upload_status.status_of(traveller)
    stamps = [sample.timestamp_ms for sample in status.samples]
    assert [later - earlier for earlier, later in pairwise(stamps)] == [3000] * 9
    assert 0.3 * 270_000 < sum(life.device.used.values()) < 270_000


def test_an_installed_update_runs_after_the_next_boot(life: Life) -> None:
    """From then on every server is told the new version; the first check tells the old one, once (event 54)."""
    device = life.device
    device.update_client = check_update.first_client(life.at(14 * HOUR))
    device.new_version, device.updated = "16002.44.0", True
    before = upload_status.status_of(life.at(14 * HOUR))
    assert (before.update.state, before.update.version) == (3, "16002.44.0")
    assert before.system.os_version.startswith("15886.44.0 ")
    played(boot.play(life.at(15 * HOUR)))
    after = upload_status.status_of(life.at(15.1 * HOUR))
    assert (after.update.state, after.update.version) == (0, "")
    assert after.system.os_version.startswith("16002.44.0 ")
    asked = parse_qs(urlsplit(life.line.asked[0].url).query)
    assert asked["platform"][0].endswith("|16002.44.0")
    for _ in range(2):
        life.line.answer = Response(
            200, (), b'<response protocol="3.0"><app><updatecheck status="noupdate"/></app></response>'
        )
        played(check_update.play(life.at(15.2 * HOUR)))
    checks = [request.body for request in life.line.asked if b"<updatecheck" in request.body]
    assert [b'previousversion="15886.44.0"' in body for body in checks] == [True, False]
    assert all(b'version="16002.44.0"' in body for body in checks)
