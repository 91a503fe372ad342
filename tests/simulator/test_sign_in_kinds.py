"""Every kind of sign-in in virtual time: what is asked of whom, counted by arithmetic from the kinds drawn."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import pytest

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from scenarios.load import load
from scenarios.schema import Scenario
from simulator.accounts import people_of
from simulator.backend.core import Core
from simulator.composition import KNOWN
from simulator.fleet import make_fleet
from simulator.journeys import STEPS
from simulator.kinds import kinds_of
from simulator.memory import Air, VirtualClock, VirtualLoop
from simulator.protocols.account import Account
from simulator.protocols.messages import REASONS, Request, Response
from simulator.rehearsal import URLS, Rehearsed, Stage, rehearse

DEVICES = 100
# floor(100 * 80 / 2680) = 2 spares
STAFF = 98
MORNING = """
title = "Kinds"
question = "What do people of every kind ask?"
organisation = "maebashi"
devices = 100
[day]
start = "08:00"
end = "09:50"
compression = 1
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = { shape = "even", from = "08:10", to = "08:20" }
[people]
typing_median_s = 2.0
typing_sigma = 0.0
[updates]
offered_share = 0.0
"""
KINDS = """
[sign_in]
online = 0.2
offline_unlock = 0.3
expired_token = 0.2
wrong_password = 0.2
locked_account = 0.1
lock_after = 4
"""


class Played:
    """A rehearsal and what its scenario is."""

    def __init__(self, folder: Path, text: str) -> None:
        path = folder / "kinds.toml"
        path.write_text(text, "utf-8")
        self.scenario: Scenario = load(str(path), known=KNOWN)
        self.rehearsed: Rehearsed = rehearse(self.scenario)
        self.samples: Any = np.frombuffer(self.rehearsed.samples, SAMPLE)
        fleet = make_fleet(self.scenario.organisation, self.scenario.devices, self.scenario.seed)
        self.people = people_of(self.scenario, fleet)
        self.kinds = Counter(kinds_of(self.scenario.sign_in, self.scenario.seed, self.people))

    def of(self, step: str) -> Any:
        """The samples of a step."""
        return self.samples[self.samples["step"] == STEPS.index(step)]

    def statuses(self, step: str) -> dict[tuple[str, int], int]:
        """How often a step ended how, with which status."""
        ends = zip(self.of(step)["outcome"].tolist(), self.of(step)["status"].tolist(), strict=True)
        return dict(Counter((OUTCOMES[outcome], status) for outcome, status in ends))


Play = Callable[[str], Played]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Rehearse a scenario."""
    return lambda text: Played(tmp_path, text)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """The morning with all five kinds."""
    return Played(tmp_path_factory.mktemp("mixed"), MORNING + KINDS)


def test_every_kind_came(mixed: Played) -> None:
    """All five are among the people, so that no count below is of nothing."""
    assert sum(mixed.kinds.values()) == STAFF
    assert min(mixed.kinds.values()) > 3
    assert len(mixed.kinds) == 5


def test_who_asks_the_identity_provider(mixed: Played) -> None:
    """Online and wrong ones do, once through; a wrong password once, a locked account's four and the right one."""
    kinds = mixed.kinds
    through = kinds["online"] + kinds["wrong_password"]
    asking = through + kinds["locked_account"]
    assert mixed.statuses("identity.entry") == {("ok", 302): asking}
    assert mixed.statuses("identity.login_page") == {("ok", 200): asking}
    # refusals that the scenario expects are ok, their status kept
    assert mixed.statuses("identity.login") == {
        ("ok", 200): through + kinds["wrong_password"] + (4 + 1) * kinds["locked_account"]
    }
    for step in ("assertion", "continue", "token", "multilogin", "accounts"):
        assert len(mixed.of(f"identity.{step}")) == through
    told = mixed.rehearsed.state["idp"]
    assert told["wrong"] == kinds["wrong_password"] + 4 * kinds["locked_account"]
    assert told["locked"] == kinds["locked_account"]
    assert told["assertions"] == through


def test_tokens_of_each_kind(mixed: Played) -> None:
    """Two scope sets for who signs in, one for who unlocks, one before the morning; and one again after 54 minutes."""
    kinds, of = mixed.kinds, mixed.of("identity.access_token")
    through = kinds["online"] + kinds["wrong_password"]
    returning = kinds["offline_unlock"] + kinds["expired_token"]
    counts = Counter(TRIGGERS[trigger] for trigger in of["trigger"].tolist())
    assert counts == {"follows": 2 * through + 2 * returning, "timer": through + returning}
    # the dead token of an earlier day is answered 401, and that is expected
    assert mixed.statuses("identity.userinfo") == {("ok", 200): through, ("ok", 401): kinds["expired_token"]}
    assert mixed.rehearsed.state["identity"]["refreshes"] == len(of)


def test_nothing_is_signed_twice_for_who_comes_back(mixed: Played) -> None:
    """Registered and given a policy before the morning; then one refresh of it while unlocking; others register now."""
    kinds = mixed.kinds
    through = kinds["online"] + kinds["wrong_password"]
    returning = kinds["offline_unlock"] + kinds["expired_token"]
    registered = mixed.of("management.register_user")
    before = registered["due"] < 600
    assert (int(before.sum()), int((~before).sum())) == (returning, through)
    assert len(mixed.of("operator.session")) == returning
    assert (mixed.of("operator.session")["due"] < 600).all()
    assert len(mixed.of("management.user_policy")) == 2 * returning + through


def test_ready_of_each_kind(mixed: Played) -> None:
    """One a lid: who is locked out is refused and nothing else goes wrong; unlocking takes two steps less of a wait."""
    locked = mixed.kinds["locked_account"]
    for milestone in ("signed_in", "ready"):
        assert mixed.statuses(milestone) == {("ok", 0): STAFF - locked, ("refused", 0): locked}
        reasons = mixed.of(milestone)["reason"][mixed.of(milestone)["outcome"] > 0]
        assert {REASONS[reason] for reason in reasons.tolist()} == {"login_page_again"}
    others = mixed.samples[~np.isin(mixed.samples["step"], [STEPS.index("signed_in"), STEPS.index("ready")])]
    assert not others["outcome"].any()
    # 5 s of service start, then 2 s of typing; a wrong password is typed as well
    rows = dict(zip(mixed.people.tolist(), kinds_of(mixed.scenario.sign_in, 1, mixed.people), strict=True))
    typings = {"online": 1, "offline_unlock": 1, "expired_token": 1, "wrong_password": 2}
    ready = mixed.of("ready")
    for sample in ready[ready["outcome"] == 0]:
        waited = 5 + 2 * typings[rows[int(sample["device"])]]
        assert sample["done"] - sample["due"] == pytest.approx(waited, abs=1e-6)


def test_a_token_is_fetched_anew_at_nine_tenths_of_its_life(play: Play) -> None:
    """Tokens of 20 minutes are refreshed every 18, on the timer, as long as the day lasts; none dies before."""
    played = play(MORNING + "[sign_in]\noffline_unlock = 1.0\ntoken_life_s = 1200\n")
    of = played.of("identity.access_token")
    timed = of[of["trigger"] == TRIGGERS.index("timer")]
    end = 110 * 60 + 2
    for row in played.people.tolist()[:50]:
        first = float(played.of("ready")["done"][played.of("ready")["device"] == row][0])
        dues = np.sort(timed["due"][timed["device"] == row])
        assert dues == pytest.approx(first + 1080 * np.arange(1, len(dues) + 1), abs=1e-6)
        # as many as fit into the day
        assert end - 1080 < dues[-1] <= end
    assert not of["outcome"].any()


def test_compression_squeezes_a_tokens_life_with_everything(play: Play) -> None:
    """At 4 city seconds a second the same tokens are refreshed every 270 s and live 300: none dies in use."""
    squeezed = MORNING.replace("compression = 1\n", "compression = 4\n")
    played = play(squeezed + "[sign_in]\noffline_unlock = 1.0\ntoken_life_s = 1200\n")
    of = played.of("identity.access_token")
    timed = of[of["trigger"] == TRIGGERS.index("timer")]
    for row in played.people.tolist()[:50]:
        assert np.diff(np.sort(timed["due"][timed["device"] == row])) == pytest.approx(270, abs=1e-6)
    assert len(timed) > 4 * STAFF
    assert not of["outcome"].any()


def _expire(settings: str) -> str:
    act = f'[[operator]]\nat = "09:00"\nact = "expire_tokens"\nwith = {settings}\n'
    return f"{MORNING}[sign_in]\noffline_unlock = 1.0\n{act}"


def test_killed_access_tokens_are_renewed_without_a_password(play: Play) -> None:
    """Each session's next call is answered 401 within the minute, one refresh follows; nobody types anything."""
    played = play(_expire("{ within_s = 60 }"))
    act_s = float(played.of("operator.expire_tokens")["due"][0])
    calls = played.of("identity.userinfo")
    assert played.statuses("identity.userinfo") == {("ok", 401): STAFF}
    after_s = calls["due"] - act_s
    # a second for the act, then uniform over 60 s: the mean within five standard errors
    assert after_s.min() >= 1
    assert after_s.max() < 61
    assert abs(after_s.mean() - 31) < 5 * 60 / 12**0.5 / STAFF**0.5
    assert set(calls["action"].tolist()) == {1}
    renewed = played.of("identity.access_token")
    assert len(renewed[renewed["action"] == 1]) == STAFF
    assert not len(played.of("identity.login"))
    assert not len(played.of("signed_in_again"))
    assert not played.samples["outcome"].any()


def test_killed_refresh_tokens_send_everybody_to_the_provider(play: Play) -> None:
    """All at once: 401, the refresh token refused as expected, a sign-in; the milestone counts from the call."""
    played = play(_expire("{ refresh = true }"))
    act_s = float(played.of("operator.expire_tokens")["due"][0])
    assert set(played.of("identity.userinfo")["due"][:STAFF].tolist()) == {act_s + 1}
    assert played.statuses("identity.access_token")["ok", 400] == STAFF
    assert played.statuses("identity.login") == {("ok", 200): STAFF}
    again = played.of("signed_in_again")
    assert played.statuses("signed_in_again") == {("ok", 0): STAFF}
    # 2 s of typing; in memory nothing else takes time
    assert again["done"] - again["due"] == pytest.approx(2.0, abs=1e-6)
    assert played.rehearsed.state["idp"]["assertions"] == STAFF
    assert not played.samples["outcome"].any()
    # tokens of before would be refreshed between 9:04 and 9:14, those of after at 9:54: no timer fires in this day
    assert not (played.of("identity.access_token")["trigger"] == TRIGGERS.index("timer")).any()


def test_sign_in_alone(play: Play) -> None:
    """Nothing but identity is asked by devices that nobody manages; each step once for each person."""
    alone = MORNING.replace('journey = "boot"', 'journey = "sign_in_only"')
    played = play(alone + '[enrollment]\nwhen = "never"\n')
    services = {STEPS[step].partition(".")[0] for step in np.unique(played.samples["step"])}
    assert services == {"identity", "signed_in"}
    assert played.statuses("signed_in") == {("ok", 0): STAFF}
    counts = Counter(STEPS[step] for step in played.samples["step"].tolist())
    once = ("entry", "login_page", "login", "assertion", "continue", "token", "userinfo", "multilogin", "accounts")
    assert {counts[f"identity.{step}"] for step in once} == {STAFF}


def test_a_first_boot_enrolls(play: Play) -> None:
    """Nothing is enrolled before the lids open; then each staff device is, once, and `ready` counts from its lid."""
    played = play(MORNING + '[enrollment]\nwhen = "first_boot"\n')
    registered = played.of("management.register")
    assert sorted(registered["device"].tolist()) == played.people.tolist()
    assert registered["due"].min() >= 600
    assert played.statuses("ready") == {("ok", 0): STAFF}
    lids = dict(zip(played.of("ready")["device"].tolist(), played.of("ready")["due"].tolist(), strict=True))
    first = played.of("management.state_retrieval")
    assert {int(row): due for row, due in zip(first["device"], first["due"], strict=True)} == lids


OUTAGE = """
[sign_in]
offline_unlock = 1.0
token_life_s = 1200
[[operator]]
at = "08:30"
act = "inject_fault"
with = { where = "/oauth2", kind = "error", status = 500, for_s = 600 }
"""


def test_a_token_endpoint_that_fails_is_asked_later_and_later(play: Play) -> None:
    """2 s, doubling, up to a fifth less (sync's back-off); with the first good answer all is as before."""
    played = play(MORNING + OUTAGE)
    of = played.of("identity.access_token")
    met = [row for row in played.people.tolist() if (of["outcome"][of["device"] == row] > 0).any()]
    # tokens are refreshed from 8:28 to 8:38 along an even curve: about four fifths of them within the outage
    assert abs(len(met) / STAFF - 0.8) < 5 * (0.16 / STAFF) ** 0.5
    for row in met:
        own = np.sort(of[of["device"] == row], order="due")
        bad = np.flatnonzero(own["outcome"] > 0)
        assert bad.tolist() == list(range(bad[0], bad[0] + len(bad)))
        # every token is asked for until it comes
        waits = np.diff(own["due"][bad[0] : bad[-1] + 2]).tolist()
        assert len(waits) == len(bad)
        for failures, wait in enumerate(waits, 1):
            assert 0.8 * 2**failures - 1e-6 <= wait <= 2**failures + 1e-6
    assert played.statuses("ready") == {("ok", 0): STAFF}


class NoTokens(Air):
    """A token endpoint that is down, and what the provider's entry was told in cookies."""

    def __init__(self, core: Core, clock: VirtualClock) -> None:
        super().__init__(core, clock)
        self.cookies: list[str] = []

    async def carry(self, request: Request, deadline: float) -> Response:
        """The core's answers but for that one's."""
        path = urlsplit(request.url).path
        if path == "/idp/sso":
            self.cookies.append(request.header("cookie"))
        return Response(503) if path == "/oauth2/v4/token" else await super().carry(request, deadline)


def test_a_sign_in_that_broke_off_leaves_no_cookie(tmp_path: Path) -> None:
    """Whoever comes back after a sign-in that did not end well is a stranger to the provider again, as in Chrome."""
    path = tmp_path / "alone.toml"
    path.write_text(MORNING.replace('"boot"', '"sign_in_only"') + '[enrollment]\nwhen = "never"\n')

    async def play() -> tuple[Rehearsed, Any]:
        stage = Stage(load(str(path), known=KNOWN), air=NoTokens)
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(start)
        await stage.play(1800)
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(replace(start, due=start.due + 1800))
        await stage.play(stage.order.end_s)
        return await stage.end(), stage.air

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        played, air = runner.run(play())
    samples: Any = np.frombuffer(played.samples, SAMPLE)
    tokens = samples[samples["step"] == STEPS.index("identity.token")]
    assert len(tokens) == 2 * STAFF
    assert {OUTCOMES[outcome] for outcome in tokens["outcome"].tolist()} == {"refused"}
    assert air.cookies == [""] * (2 * STAFF)


@pytest.mark.parametrize(("expendable", "typed"), [(False, 1), (True, STAFF)])
def test_a_wrong_password_of_a_list_locks_nobody_out(tmp_path: Path, expendable: bool, typed: int) -> None:
    """Of an account that many share, a password that is out of date is typed once, and the others are told of as
    skipped; an expendable one may be locked."""
    path = tmp_path / "shared.toml"
    path.write_text(MORNING.replace('"boot"', '"sign_in_only"') + '[enrollment]\nwhen = "never"\n')
    shared = Account("shared@city.example", "out of date", expendable=expendable)

    async def play() -> Rehearsed:
        stage = Stage(load(str(path), known=KNOWN))
        stage.player.world.plan = replace(stage.player.world.plan, account=lambda facts: shared)
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(start)
        await stage.play(stage.order.end_s)
        return await stage.end()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        played = runner.run(play())
    samples: Any = np.frombuffer(played.samples, SAMPLE)
    ends = Counter(OUTCOMES[end] for end in samples["outcome"][samples["step"] == STEPS.index("identity.login")])
    assert ends == Counter(refused=typed, skipped=STAFF - typed)
    signed_in = samples[samples["step"] == STEPS.index("signed_in")]
    assert len(signed_in) == STAFF
    assert signed_in["outcome"].all()


class AsksForCodes(Air):
    """A provider that asks for a one-time code after the password, and checks it by RFC 6238."""

    wrong = tickets = 0

    async def carry(self, request: Request, deadline: float) -> Response:
        """The real provider's answers, and this page before its last one."""
        path = urlsplit(request.url).path
        if path == "/idp/otp":
            typed = dict(parse_qsl(request.body.decode()))
            counter = struct.pack(">Q", int(self.clock.utc()) // 30)
            digest = hmac.new(b"12345678901234567890", counter, hashlib.sha1).digest()
            (number,) = struct.unpack_from(">I", digest, digest[-1] & 15)
            if typed["otp"] == f"{number % 2**31 % 10**6:06}":
                return self.kept.pop(typed["ticket"])
            self.wrong += 1
            return self._page(typed["ticket"])
        response = await super().carry(request, deadline)
        if path != "/idp/login-actions/authenticate" or b"SAMLResponse" not in response.body:
            return response
        self.tickets += 1
        self.kept[str(self.tickets)] = response
        return self._page(str(self.tickets))

    def _page(self, ticket: str) -> Response:
        page = (
            f'<form method="post" action="{URLS["idp"]}/idp/otp"><input type="hidden" name="ticket" value="{ticket}">'
            '<input name="otp" autocomplete="one-time-code"><input type="submit" value="Go"></form>'
        )
        return Response(200, (("content-type", "text/html; charset=utf-8"),), page.encode())

    def __init__(self, core: Core, clock: VirtualClock) -> None:
        super().__init__(core, clock)
        self.kept: dict[str, Response] = {}


@pytest.mark.parametrize("totp", ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", ""])
def test_one_time_codes_are_typed_from_the_accounts_secret(tmp_path: Path, totp: str) -> None:
    """With the secret everybody gets through the page for the code; without one it is said that more is asked."""
    path = tmp_path / "codes.toml"
    path.write_text(MORNING)
    scenario = load(str(path), known=KNOWN)

    async def play() -> tuple[Rehearsed, Any]:
        stage = Stage(scenario, air=AsksForCodes)
        world = stage.player.world
        world.plan = replace(world.plan, account=lambda facts: replace(stage.order.accounts.of(facts), totp=totp))
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(start)
        await stage.play(stage.order.end_s)
        return await stage.end(), stage.air

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        played, air = runner.run(play())
    samples: Any = np.frombuffer(played.samples, SAMPLE)
    logins = samples[samples["step"] == STEPS.index("identity.login")]
    signed_in = samples[samples["step"] == STEPS.index("signed_in")]
    if totp:
        # the password, then the code
        assert len(logins) == 2 * STAFF
        assert not samples["outcome"].any()
        assert air.wrong == 0
    else:
        assert len(logins) == STAFF
        assert {REASONS[reason] for reason in logins["reason"].tolist()} == {"asks_for_more"}
        assert {OUTCOMES[outcome] for outcome in signed_in["outcome"].tolist()} == {"refused"}


@pytest.mark.parametrize(
    ("status", "times", "tries", "ready"), [(503, 2, 3, "ok"), (503, 9, 6, "refused"), (400, 9, 1, "refused")]
)
def test_the_token_for_device_management_is_asked_for_again(
    tmp_path: Path, status: int, times: int, tries: int, ready: str
) -> None:
    """Up to five times, 3 s apart, where the error passes (policy_oauth2_token_fetcher.cc): each try a sample of its
    own, due by its wait. The sign-in ends as the last one did."""
    path = tmp_path / "one.toml"
    path.write_text(MORNING.replace("devices = 100", "devices = 1"))

    class Troubled(Air):
        left = times

        async def carry(self, request: Request, deadline: float) -> Response:
            asked = dict(parse_qsl(request.body.decode(errors="replace")))
            if self.left and asked.get("scope") == "https://www.googleapis.com/auth/chromeosdevicemanagement":
                self.left -= 1
                return Response(status, (), b'{"error":"invalid_scope"}')
            return await super().carry(request, deadline)

    async def play() -> Rehearsed:
        stage = Stage(load(str(path), known=KNOWN), air=Troubled)
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(start)
        await stage.play(stage.order.end_s)
        return await stage.end()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        samples: Any = np.frombuffer(runner.run(play()).samples, SAMPLE)
    asked = samples[samples["step"] == STEPS.index("identity.access_token")][:tries]
    assert asked["attempt"].tolist() == list(range(1, tries + 1))
    assert [TRIGGERS[one] for one in asked["trigger"]] == ["follows", *["retry"] * (tries - 1)]
    assert np.diff(asked["due"]) == pytest.approx([3.0] * (tries - 1))
    assert np.array_equal(asked["due"][1:], asked["sent"][1:])
    milestone = samples[samples["step"] == STEPS.index("ready")]
    assert [OUTCOMES[one] for one in milestone["outcome"]] == [ready]
