"""Enrollment as a device lives it, in virtual time against the backend's core: ways, codes, tries, wipes."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import numpy as np
import pytest

from reports.record import OUTCOMES, SAMPLE, TRIGGERS
from scenarios.load import load
from scenarios.targets import Targets
from simulator import rehearsal
from simulator.composition import KNOWN, What, compose
from simulator.errors import UserError
from simulator.journeys import STEPS
from simulator.journeys.enroll import NO
from simulator.memory import UTC_0, Air, VirtualLoop
from simulator.protocols import management_pb2 as pb
from simulator.protocols.messages import REASONS, Request, Response, Unknown
from simulator.protocols.policy import PolicySigner
from simulator.rehearsal import Rehearsed, Stage, rehearse

SCENARIO = """
title = "Enrollment"
question = "Who gets in?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "09:00"
[enrollment]
rate_per_s = 100
{enrollment}
[backend.enrollment]
{terms}
[[waves]]
name = "lids"
who = "staff"
journey = "boot"
arrivals = {{ shape = "at", at = "08:10" }}
{rest}
"""
WIPE = '[[waves]]\nname = "wipe"\nwho = "all"\njourney = "wipe"\narrivals = { shape = "at", at = "08:30" }'
# Real seconds of the first waits at most; at least a tenth less (enrollment_screen.cc: 4 s, x1.5, jitter 0.1).
WAITS = (6.0, 9.0, 13.5)
LID_S = 600.0

Say = Callable[[str, float], Response | Unknown | None]


class Heard:
    """What crossed the air: the kind of each request, its device id and platform, and its message."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, pb.DeviceManagementRequest]] = []
        self.platforms: list[tuple[str, str]] = []

    def of(self, kind: str) -> list[pb.DeviceManagementRequest]:
        """All messages of a kind, in order."""
        return [message for asked, _, message in self.asked if asked == kind]

    def ids(self, *kinds: str) -> list[str]:
        """The device ids of all requests of those kinds."""
        return [device_id for asked, device_id, _ in self.asked if asked in kinds]


@pytest.fixture(autouse=True)
def _same_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """An RSA key takes its time: policies are signed with the same ones in all rehearsals here."""
    keys = itertools.cycle(private_keys())
    monkeypatch.setattr(PolicySigner, "generate", lambda: next(keys))


@cache
def private_keys() -> tuple[bytes, bytes]:
    """Two of them."""
    return PolicySigner.generate(), PolicySigner.generate()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """Listens in to every management request of a rehearsal."""
    return _listen(monkeypatch, lambda kind, now: None)


def _listen(monkeypatch: pytest.MonkeyPatch, say: Say) -> Heard:
    """Let `say` answer some management requests in the core's stead: by kind and run second. A loss comes after the
    core did the work."""
    heard = Heard()

    class Overheard(Air):
        async def carry(self, request: Request, deadline: float) -> Response:
            if "/devicemanagement/" not in request.url:
                return await super().carry(request, deadline)
            query = dict(pair.split("=", 1) for pair in request.url.partition("?")[2].split("&"))
            message = pb.DeviceManagementRequest.FromString(request.body)
            heard.platforms.append((query["request"], unquote_plus(query["platform"])))
            heard.asked.append((query["request"], query["deviceid"], message))
            said = say(query["request"], self.clock.now())
            if isinstance(said, Response):
                return said
            answer = await super().carry(request, deadline)
            if said is not None:
                raise said
            return answer

    monkeypatch.setattr(rehearsal, "Stage", partial(rehearsal.Stage, air=Overheard))
    return heard


def _first(count: int, kind: str, answer: Response | Unknown) -> Say:
    """That answer to the first so many requests of a kind."""
    left = [count]

    def say(asked: str, _now: float) -> Response | Unknown | None:
        if asked != kind or not left[0]:
            return None
        left[0] -= 1
        return answer

    return say


def _play(
    tmp_path: Path, *, devices: int = 1, enrollment: str = "", terms: str = "", rest: str = ""
) -> tuple[Any, Rehearsed]:
    path = tmp_path / "enroll.toml"
    path.write_text(SCENARIO.format(devices=devices, enrollment=enrollment, terms=terms, rest=rest))
    played = rehearse(load(str(path), known=KNOWN))
    return np.frombuffer(played.samples, SAMPLE), played


def _of(samples: Any, step: str) -> Any:
    return samples[samples["step"] == STEPS.index(step)]


def _outcomes(samples: Any, step: str) -> dict[str, int]:
    return dict(Counter(OUTCOMES[outcome] for outcome in _of(samples, step)["outcome"].tolist()))


# ------------------------------------------------------------------------------------------------------------ the ways

REGISTERS = {"account": "register", "token": "token_based_register", "attestation": "certificate_based_register"}


def _asked(kind: str, message: pb.DeviceManagementRequest) -> pb.DeviceRegisterRequest:
    if kind == "token_based_register":
        return message.token_based_device_register_request.device_register_request
    if kind == "certificate_based_register":
        signed = message.certificate_based_register_request.signed_request
        data = signed.data[: -signed.extra_data_bytes]
        return pb.CertificateBasedDeviceRegistrationData.FromString(data).device_register_request
    return message.register_request


@pytest.mark.parametrize("determination", ["unified", "legacy"])
@pytest.mark.parametrize("way", REGISTERS)
def test_each_way_leads_to_a_managed_fleet(tmp_path: Path, heard: Heard, way: str, determination: str) -> None:
    """Every device registers once in its way, says how it came to it, and works; a throw-away id for each check."""
    enrollment = f'way = "{way}"\nstate_determination = "{determination}"\nlicense_type = "kiosk"'
    samples, played = _play(tmp_path, devices=20, enrollment=enrollment)
    assert not samples["outcome"].any()
    assert played.state["management"]["devices"] == 20
    assert _outcomes(samples, "ready") == {"ok": 20}
    kind = REGISTERS[way]
    asked = [
        _asked(kind, message) for message in heard.of(kind) if kind != "register" or message.register_request.machine_id
    ]
    assert len(asked) == 20
    flavor, membership = {"account": (13, 1), "token": (18, 4), "attestation": (14, 1)}[way]
    for one in asked:
        assert (one.flavor, one.psm_execution_result, one.license_type.license_type) == (flavor, membership, 3)
        attested = one.machine_id if way == "attestation" else ""
        assert one.device_register_identification.attested_device_id == attested
        assert (len(one.ethernet_mac_address), len(one.dock_mac_address), len(one.manufacture_date)) == (12, 12, 10)
        # within the enrollment, 20 of them at 100 a second
        assert 0 <= one.psm_determination_timestamp_ms - UTC_0 * 1000 <= 200
    kinds = ("enterprise_check", "device_state_retrieval", "device_initial_enrollment_state")
    checks = (0, 20, 0) if determination == "unified" else (20, 0, 20)
    assert tuple(len(heard.of(name)) for name in kinds) == checks
    assert len(set(heard.ids(*kinds))) == sum(checks)


def test_an_attested_machine_that_is_not_expected_falls_back_to_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """410 to the certificate: a person steps in, under another device id and with the fallback's flavor."""
    heard = _listen(monkeypatch, _first(1, "certificate_based_register", Response(410)))
    samples, played = _play(tmp_path, enrollment='way = "attestation"')
    assert _outcomes(samples, "management.register") == {"refused": 1, "ok": 1}
    assert [one.register_request.flavor for one in heard.of("register")][:1] == [15]
    assert len(set(heard.ids("certificate_based_register", "register"))) == 3  # the third is the user's
    assert (played.state["management"]["devices"], _outcomes(samples, "ready")) == (1, {"ok": 1})


@pytest.mark.parametrize(
    ("way", "login", "expected"),
    [
        ("account", "enrollment_token_env", "token"),
        ("token", "oauth_token_env", "account"),
        ("attestation", "oauth_token_env", "account"),
    ],
)
def test_a_named_server_is_enrolled_at_with_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, login: str, expected: str
) -> None:
    """One line, before anything is sent; nobody but the stand-in believes in a simulated authority."""
    monkeypatch.setenv("LOGIN", "secret-token")
    path, targets = tmp_path / "enroll.toml", tmp_path / "targets.toml"
    targets.write_text(
        f'[targets.management]\nurl = "http://127.0.0.1"\n{login} = "LOGIN"\naccepts_stand_in_tokens = true\n'
    )
    path.write_text(SCENARIO.format(devices=1, enrollment=f'way = "{expected}"', terms="", rest=""))
    compose(What(str(path), targets_file=targets))
    path.write_text(SCENARIO.format(devices=1, enrollment=f'way = "{way}"', terms="", rest=""))
    with pytest.raises(UserError, match=rf'enroll\.toml: enrollment\.way = "{way}": expected "{expected}"'):
        compose(What(str(path), targets_file=targets))


# ----------------------------------------------------------------------------------------------- state determination


def test_a_server_may_ask_for_its_modulus_once(tmp_path: Path, heard: Heard) -> None:
    """2^15 first, then the one asked for, by the same throw-away id; then the hash is looked for in that bucket."""
    samples, _ = _play(
        tmp_path, devices=5, enrollment='state_determination = "legacy"', terms="hash_modulus = 4096", rest=WIPE
    )
    assert not samples["outcome"].any()
    asked = heard.of("enterprise_check")
    assert Counter(one.auto_enrollment_request.modulus for one in asked) == {32768: 10, 4096: 10}
    assert Counter(Counter(heard.ids("enterprise_check")).values()) == {2: 10}
    # after the wipe each one was found there
    assert len(heard.of("device_state_retrieval")) == 5


@pytest.mark.parametrize(
    ("moduli", "asked"), [((2**20,), [2**15]), ((2**12, 2**13), [2**15, 2**12]), ((2**15, 2**15), [2**15, 2**15])]
)
def test_more_changes_or_too_large_a_modulus_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moduli: tuple[int, ...], asked: list[int]
) -> None:
    """The check has failed; the setup is begun anew and, with a server that knows better, goes through."""
    answers = [pb.DeviceManagementResponse() for _ in moduli]
    for answer, modulus in zip(answers, moduli, strict=True):
        answer.auto_enrollment_response.expected_modulus = modulus
    left = [Response(200, body=answer.SerializeToString()) for answer in answers]
    heard = _listen(monkeypatch, lambda kind, now: left.pop(0) if kind == "enterprise_check" and left else None)
    samples, played = _play(tmp_path, enrollment='state_determination = "legacy"')
    moduli_asked = [one.auto_enrollment_request.modulus for one in heard.of("enterprise_check")]
    assert moduli_asked == [*asked, 2**15]
    checks = _of(samples, "management.enterprise_check")
    assert Counter(REASONS[reason] for reason in checks["reason"]) == {"none": len(asked), "bad_value": 1}
    assert played.state["management"]["devices"] == 1


@pytest.mark.parametrize("way", ["account", "attestation"])
@pytest.mark.parametrize("determination", ["unified", "legacy"])
def test_a_wiped_fleet_comes_back_by_its_state_keys(tmp_path: Path, heard: Heard, way: str, determination: str) -> None:
    """Known again, enrolled again under new ids, one registration each, and those whose lid is open get on."""
    enrollment = f'way = "{way}"\nstate_determination = "{determination}"'
    samples, played = _play(tmp_path, devices=40, enrollment=enrollment, rest=WIPE)
    assert not samples["outcome"].any()
    # floor(40 * 80 / 2680) = 1 spare, whose lid stays closed
    assert {step: len(_of(samples, step)) for step in ("management.register", "push.connect", "identity.login")} == {
        "management.register": 80,
        "push.connect": 78,
        "identity.login": 78,
    }
    assert _outcomes(samples, "ready") == {"ok": 39}
    assert played.state["management"]["devices"] == 40
    kind = REGISTERS[way]
    asked = [_asked(kind, message) for message in heard.of(kind)]
    flavors = Counter(one.flavor for one in asked if one.machine_id)
    assert flavors == ({13: 40, 4: 40} if way == "account" else {14: 40, 10: 40})
    if determination == "legacy":
        retrievals = heard.of("device_state_retrieval")
        assert len(retrievals) == 40
        assert not any(one.device_state_retrieval_request.serial_number for one in retrievals)
        assert len(heard.of("device_initial_enrollment_state")) == 40
    assert not heard.of("unregister")


def test_a_wipe_leaves_the_system_that_is_installed(tmp_path: Path, heard: Heard) -> None:
    """Updated by 08:22, wiped at 08:30: it boots into the new system, says so, and is not updated once more."""
    updates = "[updates]\noffered_share = 1.0\npayload_bytes = 8192\n"
    samples, _ = _play(tmp_path, rest=updates + WIPE)
    assert not samples["outcome"].any()
    assert len(_of(samples, "updated")) == 1
    told = [platform.rpartition("|")[2] for kind, platform in heard.platforms if kind == "status_upload"]
    assert told[-1] != told[0]
    # the release of the stand-in is newer by a hundred than every device's system
    assert told[-1].endswith(".1.0")


def test_a_disabled_machine_stays_where_it_is(tmp_path: Path, heard: Heard) -> None:
    """Locked, then wiped: the server says so before it registers, and it does not try again."""
    lock = '[[operator]]\nat = "08:20"\nact = "lock_device"\nwith = { message = "stolen" }\n'
    samples, _ = _play(tmp_path, devices=5, rest=lock + WIPE)
    assert len(heard.of("device_state_retrieval")) == 10
    registered = _outcomes(samples, "management.register")
    assert registered == {"ok": 5, "skipped": 5}


# ----------------------------------------------------------------------------------------------------------- the codes


def test_licences_are_for_so_many(tmp_path: Path) -> None:
    """30 devices, 12 licences: exactly 12 are enrolled, the others are refused once with 402, and told at the lid."""
    samples, played = _play(tmp_path, devices=30, terms="licenses = 12")
    registered = _of(samples, "management.register")
    assert Counter(registered["status"].tolist()) == {200: 12, 402: 18}
    assert np.unique(registered["device"]).size == 30
    assert played.state["management"]["devices"] == 12
    assert _outcomes(samples, "ready") == {"ok": 12, "skipped": 18}


def test_a_wiped_fleet_needs_no_second_licence(tmp_path: Path) -> None:
    """A machine that comes again takes its own place."""
    samples, played = _play(tmp_path, devices=12, terms="licenses = 12", rest=WIPE)
    assert not samples["outcome"].any()
    assert played.state["management"]["devices"] == 12


def test_pending_approval_is_waited_for(tmp_path: Path) -> None:
    """412 until the operator approves at 08:15; the lids that opened at 08:10 wait, and all of them get ready."""
    act = '[[operator]]\nat = "08:15"\nact = "set_enrollment"\nwith = { approval = false }\n'
    samples, _ = _play(tmp_path, devices=10, terms="approval = true", rest=act)
    registered = _of(samples, "management.register")
    assert Counter(registered["status"][registered["outcome"] == OUTCOMES.index("refused")].tolist()).keys() == {412}
    assert _outcomes(samples, "management.register")["ok"] == 10
    ready = _of(samples, "ready")
    assert _outcomes(samples, "ready") == {"ok": 10}
    assert ((ready["done"] - ready["due"]) > 300).all()
    # at most 480 s after the approval, and what a sign-in takes
    assert ((ready["done"] - ready["due"]) < 300 + 480 + 180).all()


@pytest.mark.parametrize("status", sorted(NO))
def test_a_definite_no_is_taken_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """One try; the device stays unenrolled, and its lid says that it is not enrolled."""
    _listen(monkeypatch, _first(1, "register", Response(status)))
    samples, played = _play(tmp_path)
    assert _outcomes(samples, "management.register") == {"refused": 1}
    assert played.state["management"]["devices"] == 0
    ready = _of(samples, "ready")
    assert [REASONS[reason] for reason in ready["reason"]] == ["earlier_step"]


MAY_PASS = {
    **{str(status): Response(status) for status in (404, 409, 412, 429, 500, 902)},
    "lost": Unknown("broken_after_sent"),
    "undecodable": Response(200, body=b"\xff"),
    "no part": Response(200),
}


@pytest.mark.parametrize("step", ["device_state_retrieval", "register", "policy", "api_authorization"])
@pytest.mark.parametrize("trouble", MAY_PASS)
def test_what_may_pass_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, step: str) -> None:
    """Twice troubled: begun anew after 6 s and after 9 s (a tenth less at most), then enrolled, registered once."""
    heard = _listen(monkeypatch, _first(2, step, MAY_PASS[trouble]))
    samples, played = _play(tmp_path)
    begun = _of(samples, "management.state_retrieval")
    assert [TRIGGERS[one] for one in begun["trigger"]] == ["planned", "retry", "retry"]
    # in memory nothing else takes time, so one try follows the other by its wait
    waited = np.diff(begun["due"])
    assert ((waited <= WAITS[:2]) & (waited >= 0.9 * np.array(WAITS[:2]))).all()
    assert played.state["management"]["devices"] == 1
    assert _outcomes(samples, "ready") == {"ok": 1}
    registers = [one for one in heard.of("register") if one.register_request.machine_id]
    assert len(registers) == (1 if step == "device_state_retrieval" else 3)


@pytest.mark.parametrize("status", [401, 410])
@pytest.mark.parametrize("step", ["policy", "api_authorization"])
def test_a_registration_that_the_server_lost_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, step: str
) -> None:
    """401 and 410 are about the registration once there is one: a new one helps, and the old one is replaced."""
    _listen(monkeypatch, _first(1, step, Response(status)))
    samples, played = _play(tmp_path)
    assert len(_of(samples, "management.register")) == 2
    assert played.state["management"]["devices"] == 1


def test_a_mode_that_no_chromebook_takes_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one failure without a button to try again (enrollment_screen_handler.cc, kRegistrationBadMode)."""
    answer = pb.DeviceManagementResponse()
    answer.register_response.device_management_token = "token"
    answer.register_response.enrollment_type = pb.DeviceRegisterResponse.RETAIL_DEPRECATED
    _listen(monkeypatch, _first(1, "register", Response(200, body=answer.SerializeToString())))
    samples, _ = _play(tmp_path)
    assert _outcomes(samples, "management.register") == {"failed": 1}


def test_the_waits_are_real_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No compression squeezes them."""
    _listen(monkeypatch, _first(1, "register", Response(503)))
    path = tmp_path / "enroll.toml"
    text = SCENARIO.format(devices=1, enrollment="", terms="", rest="")
    path.write_text(text.replace('end = "09:00"', 'end = "09:00"\ncompression = 40'))
    samples = np.frombuffer(rehearse(load(str(path), known=KNOWN)).samples, SAMPLE)
    (waited,) = np.diff(_of(samples, "management.state_retrieval")["due"])
    assert 5.4 <= waited <= 6


# -------------------------------------------------------------------------------------- a lid that opens in the middle


def _outage(until_s: float, status: int = 503, then: int = 0) -> Say:
    """Registration is answered with a status until a run second; from then on with another, or by the core (0)."""

    def say(kind: str, now: float) -> Response | None:
        if kind != "register":
            return None
        answer = status if now < until_s else then
        return Response(answer) if answer else None

    return say


def test_a_lid_that_opens_during_an_outage_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exactly one `ready` a lid, counted from the lid to the end of it all: the outage is in it."""
    _listen(monkeypatch, _outage(LID_S + 300))
    samples, played = _play(tmp_path, devices=10)
    ready = _of(samples, "ready")
    assert np.unique(ready["device"]).size == ready.size == 10
    assert _outcomes(samples, "ready") == {"ok": 10}
    waited = ready["done"] - ready["due"]
    assert ((waited > 300 - 2) & (waited < 300 + 480 + 180)).all()
    assert played.state["management"]["devices"] == 10


def test_a_lid_that_waits_in_vain_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outage ends with a definite no: its `ready` closes there, and is not lost."""
    _listen(monkeypatch, _outage(LID_S + 300, then=402))
    samples, _ = _play(tmp_path, devices=3)
    ready = _of(samples, "ready")
    assert _outcomes(samples, "ready") == {"skipped": 3}
    assert ((ready["done"] - ready["due"]) > 300 - 2).all()


def test_a_lid_that_waits_to_the_end_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage until the end: nobody can know what would have become of it."""
    _listen(monkeypatch, _outage(1e9))
    samples, played = _play(tmp_path, devices=3)
    assert _outcomes(samples, "ready") == {"unknown": 3}
    assert played.state["management"]["devices"] == 0


# ------------------------------------------------------------------------------------------------------ robot accounts

ROBOTS = "[backend]\nrobot_accounts = true"


def test_a_robot_account_gets_its_tokens(tmp_path: Path) -> None:
    """Its code is exchanged once a device, after the authorisation; without robot accounts nothing is asked."""
    samples, played = _play(tmp_path, devices=10, enrollment=ROBOTS)
    assert _outcomes(samples, "identity.robot_token") == {"ok": 10}
    assert played.state["identity"]["robots"] == 10
    authorised = _of(samples, "management.api_authorization")
    ended = dict(zip(authorised["device"].tolist(), authorised["done"].tolist(), strict=True))
    for row in _of(samples, "identity.robot_token"):
        assert row["due"] == ended[int(row["device"])]
    assert not samples["outcome"].any()
    samples, played = _play(tmp_path, devices=10)
    assert not _of(samples, "identity.robot_token").size


@pytest.mark.parametrize("times", [1, 1000])
def test_without_its_robots_tokens_no_device_is_enrolled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """A code that is no good: refused once and not asked again, but the enrollment begins anew and brings another."""
    bad = pb.DeviceManagementResponse()
    bad.service_api_access_response.auth_code = "4/nobody's"
    _listen(monkeypatch, _first(times, "api_authorization", Response(200, body=bad.SerializeToString())))
    samples, _ = _play(tmp_path, enrollment=ROBOTS)
    tried = _of(samples, "identity.robot_token")
    assert set(tried["attempt"].tolist()) == {1}
    assert tried.size == _of(samples, "management.register").size > 1
    if times == 1:
        assert _outcomes(samples, "identity.robot_token") == {"refused": 1, "ok": 1}
        assert _outcomes(samples, "ready") == {"ok": 1}
    else:
        assert set(_outcomes(samples, "identity.robot_token")) == {"refused"}
        assert _outcomes(samples, "ready") == {"unknown": 1}


def test_a_named_servers_robot_accounts_are_let_be(tmp_path: Path) -> None:
    """Our stand-in for Google's accounts cannot know the code of another management server: it is not asked."""
    path = tmp_path / "enroll.toml"
    path.write_text(SCENARIO.format(devices=1, enrollment=ROBOTS, terms="", rest=""))

    async def play() -> Rehearsed:
        stage = Stage(load(str(path), known=KNOWN))
        named = Targets.model_validate({"targets": {"management": {"url": "http://127.0.0.1:1"}}})
        stage.player.world.plan = replace(
            stage.player.world.plan, unasked=replace(stage.order, targets=named).plan(stage.fleet).unasked
        )
        for start in stage.order.starts(stage.fleet):
            stage.agenda.put(start)
        await stage.play(stage.order.end_s)
        return await stage.end()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        played = runner.run(play())
    samples = np.frombuffer(played.samples, SAMPLE)
    assert not _of(samples, "identity.robot_token").size
    assert _outcomes(samples, "management.api_authorization") == {"ok": 1}
    assert _outcomes(samples, "ready") == {"ok": 1}
