"""The life of a device's and a user's policy: pushes, new keys, refusals, 410, a locked device (facts 3 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from one_device import BOOT_S, TYPING_S, Asked, Life, drawn, live, scenario

from reports.record import OUTCOMES
from simulator.device import Device
from simulator.draw import draw
from simulator.journeys import STEPS
from simulator.memory import UTC_0
from simulator.protocols import management_pb2 as pb
from simulator.protocols import push
from simulator.protocols.messages import Broken, Response
from simulator.rehearsal import Stage

HOUR = 3600
BROWSER_S, SESSION_S = BOOT_S + 5, BOOT_S + 5 + TYPING_S
AT = 1000.0
HOMEPAGE = {"policy": "user", "value": {"HomepageLocation": "https://city.example/news"}}
REFRESH = {"policy": "device", "value": {"device_policy_refresh_rate": 14_400_000}}


def _push(kind: str, issued_s: float, payload: str = "news") -> Callable[[Stage, Device], None]:
    """A push that the server issued at that run second."""

    def hear(stage: Stage, device: Device) -> None:
        told = push.notify("token", push.News(kind, payload, round((UTC_0 + issued_s) * 1000)))
        stage.player.world.heard(device, told)

    return hear


def _fetches(life: Life, kind: str, *, since: float = AT) -> list[tuple[float, str]]:
    return [(one.at, one.kind.partition(" ")[2]) for one in life.of(f"{kind} ") if one.at >= since]


def _last_fetch(one: Asked) -> pb.PolicyFetchRequest:
    return one.message.policy_request.requests[-1]


# -------------------------------------------------------------------------------------------------------------- pushes


def test_a_push_is_fetched_after_its_own_delay() -> None:
    """Uniform over 20 ms to 10 s by the device's own draw; the request says what the push said, in microseconds."""
    numbers: list[int] = []
    life = live(
        AT + 20,
        on=[(AT - 1, lambda stage, device: numbers.append(device.drawn)), (AT, _push(push.DEVICE_POLICY, AT))],
    )
    u = draw(scenario(1.0).seed, 0, "push delay", numbers[0] + 1)
    (one,) = [one for one in life.of("device ") if one.at >= AT]
    assert one.at == pytest.approx(AT + 0.02 + u * 9.98)
    fetch = _last_fetch(one)
    assert fetch.invalidation_version == round((UTC_0 + AT) * 1_000_000)
    assert fetch.invalidation_payload == b"news"
    assert one.kind == "device INVALIDATION"


def test_a_push_without_payload_waits_five_minutes_more() -> None:
    """And says nothing of itself in the request."""
    life = live(AT + 400, on=[(AT, _push(push.DEVICE_POLICY, AT, payload=""))])
    (one,) = [one for one in life.of("device ") if one.at >= AT]
    assert AT + 300 < one.at < AT + 310
    assert not _last_fetch(one).HasField("invalidation_version")


def test_the_users_policy_says_how_long_users_wait() -> None:
    """MaxInvalidationFetchDelay of 300 s spreads the user's fetch over five minutes; the device's stays within ten
    seconds."""
    numbers: list[int] = []
    life = live(
        AT + 400,
        acts=[(10.0, "publish_policy", {"policy": "user", "value": {"MaxInvalidationFetchDelay": 300_000}})],
        on=[(AT - 1, lambda stage, device: numbers.append(device.drawn)), (AT, _push(push.USER_POLICY, AT))],
    )
    u = draw(scenario(1.0).seed, 0, "push delay", numbers[0] + 1)
    assert _fetches(life, "user") == [(pytest.approx(AT + 0.02 + u * 299.98), "INVALIDATION")]
    assert _fetches(life, "device") == []


@pytest.mark.parametrize(
    ("second", "fetches"),
    [
        (_push(push.DEVICE_POLICY, AT), 1),  # the same version
        (_push(push.DEVICE_POLICY, AT - 1), 1),  # an older one
        (_push(push.DEVICE_POLICY, AT + 30), 2),  # a newer one
        (_push("NO_SUCH_KIND", AT + 30), 1),
    ],
)
def test_what_is_not_newer_is_dropped(second: Callable[[Stage, Device], None], fetches: int) -> None:
    """Also when the first has been acted on long ago."""
    life = live(AT + 60, on=[(AT, _push(push.DEVICE_POLICY, AT)), (AT + 30, second)])
    assert len(_fetches(life, "device")) == fetches


@pytest.mark.parametrize(("age_s", "fetches"), [(299.0, 1), (302.0, 0)])
def test_a_stale_push_is_dropped(age_s: float, fetches: int) -> None:
    """Issued more than 300 s before the stored policy, which is of the run's first second."""
    life = live(AT + 60, on=[(AT, _push(push.DEVICE_POLICY, 1.0 - age_s))])
    stored_ms = _last_fetch(life.of("device BROWSER_START")[0]).timestamp
    assert UTC_0 <= stored_ms / 1000 < UTC_0 + 1
    assert len(_fetches(life, "device")) == fetches


def test_news_is_told_until_a_policy_is_stored() -> None:
    """The fetch after a push fails; the next try by the ladder still names the version, the one after it no more."""
    life = live(
        AT + 25 * HOUR,
        on=[(AT, _push(push.DEVICE_POLICY, AT))],
        meddle=lambda one: Response(500) if one.kind == "device INVALIDATION" else None,
    )
    version = round((UTC_0 + AT) * 1_000_000)
    told = [(one.kind, _last_fetch(one).invalidation_version) for one in life.of("device ") if one.at >= AT]
    assert told == [
        ("device INVALIDATION", version),
        ("device RETRY_AFTER_STATUS_TEMPORARY_UNAVAILABLE", version),
        ("device SCHEDULED", 0),
    ]


# ------------------------------------------------------------------------------------------------- what a client holds


def test_a_client_says_what_it_has() -> None:
    """First nothing; then key version 1; after a rotation the new version with the timestamp of the policy that brought
    it: fields 4 and 2 of each fetch of Chrome's own policy."""
    acts = [(AT, "rotate_key", {}), (AT + 100, "publish_policy", REFRESH)]
    life = live(BROWSER_S + 26 * HOUR, acts=acts)
    assert life.device is not None
    told = [(_last_fetch(one).public_key_version, _last_fetch(one).timestamp) for one in life.of("device ")]
    published = round((UTC_0 + AT + 100) * 1000)
    assert [version for version, _ in told] == [0, 1, 1, 2]
    assert told[0][1] == 0
    assert told[2][1] < told[3][1] == published
    users = [_last_fetch(one).public_key_version for one in life.of("user ")]
    assert users[0] == 0
    assert life.rehearsed is not None
    assert not life.rehearsed.examples


@pytest.mark.parametrize(
    ("code", "wait_s"),
    [
        (429, 24 * HOUR),  # as usual, which is a day with push
        (902, 24 * HOUR),
        (400, 24 * HOUR),
        (403, 24 * HOUR),
        (410, None),
        (401, None),
        (903, None),
    ],
)
def test_what_a_refusal_means_for_the_next_fetch(code: int, wait_s: float | None) -> None:
    """One refused fetch after a push: the next is where the facts put it, or nowhere for the rest of the day."""
    life = live(
        AT + 49 * HOUR,
        on=[(AT, _push(push.DEVICE_POLICY, AT))],
        meddle=lambda one: Response(code) if one.kind == "device INVALIDATION" else None,
    )
    first, *later = _fetches(life, "device")
    if wait_s is None:
        assert later == []
    else:
        assert later[0][0] == pytest.approx(first[0] + wait_s + 300 * drawn("jitter of sync_policy"))
    # the user has a clock of its own, whatever became of the device
    assert _fetches(life, "user")[0][0] == pytest.approx(
        SESSION_S + 24 * HOUR + 300 * drawn("jitter of sync_user_policy")
    )


def test_a_policy_that_is_turned_down_was_fetched() -> None:
    """A signature of nobody's: the answer came, so the next fetch is three hours later as ever, and not a retry."""

    def bend(_stage: Stage, asked: Asked, answer: Response) -> Response:
        if asked.kind != "device SCHEDULED" or asked.at > 4 * HOUR:
            return answer
        message = pb.DeviceManagementResponse.FromString(answer.body)
        message.policy_response.responses[-1].policy_data_signature = bytes(256)
        return replace(answer, body=message.SerializeToString())

    life = live(8 * HOUR, push=False, bend=bend)
    wait_s = 3 * HOUR + 300 * drawn("jitter of sync_policy")
    assert _fetches(life, "device") == [
        (pytest.approx(BROWSER_S + wait_s), "SCHEDULED"),
        (pytest.approx(BROWSER_S + 2 * wait_s), "SCHEDULED"),
    ]
    assert life.rehearsed is not None
    reasons = {(one["step"], one["reason"]) for one in life.rehearsed.examples}
    assert ("management.device_policy", "bad_signature") in reasons


# ----------------------------------------------------------------------------------------------------------------- 410


def test_a_user_whom_the_server_forgot_registers_again() -> None:
    """410: a token for the user, then the same device id with reregister and the old token, then policy at once. The
    rest of the day is as any other."""
    life = live(
        SESSION_S + 50 * HOUR,
        meddle=lambda one: Response(410) if one.kind == "user SCHEDULED" and one.at < 25 * HOUR else None,
    )
    first, again = [one for one in life.of("register") if one.at > 1]
    gone = SESSION_S + 24 * HOUR + 300 * drawn("jitter of sync_user_policy")
    assert again.at == pytest.approx(gone)
    assert again.query["deviceid"] == first.query["deviceid"]
    asked = again.message.register_request
    assert asked.reregister
    assert asked.reregistration_dm_token
    assert not first.message.register_request.reregister
    assert life.device is not None
    assert life.device.user_identity is not None
    assert asked.reregistration_dm_token == life.device.user_identity.dm_token
    fetches = _fetches(life, "user")
    assert [why for _, why in fetches] == ["SCHEDULED", "REGISTRATION_CHANGED", "SCHEDULED"]
    assert fetches[1][0] == pytest.approx(gone)
    # beside the refreshes of the session's own token, every 54 minutes
    tokens = [at for at, url in life.other if "oauth2" in url and abs(at - gone) < 60]
    assert tokens == [pytest.approx(gone)]


def test_another_token_than_before_is_no_registration() -> None:
    """The server hands out a new token for the old id: the client turns it down, and asks no more in this session."""

    def bend(_stage: Stage, asked: Asked, answer: Response) -> Response:
        if asked.kind != "register" or asked.at < HOUR:
            return answer
        message = pb.DeviceManagementResponse.FromString(answer.body)
        message.register_response.device_management_token += "x"
        return replace(answer, body=message.SerializeToString())

    life = live(
        SESSION_S + 50 * HOUR,
        bend=bend,
        meddle=lambda one: Response(410) if one.kind == "user SCHEDULED" else None,
    )
    assert [why for _, why in _fetches(life, "user")] == ["SCHEDULED"]
    assert life.rehearsed is not None
    reasons = [(one["step"], one["reason"]) for one in life.rehearsed.examples]
    assert ("management.register_user", "wrong_token") in reasons


def test_a_device_that_the_server_forgot_falls_silent() -> None:
    """410 for the device: no policy, status, command or token of the device's any more; the user's go on. The next
    boot tries once with what is stored."""
    again = AT + 30 * HOUR
    life = live(
        again + 9 * HOUR,
        starts=[(0.0, "enroll"), (BOOT_S, "boot"), (again, "boot")],
        on=[(AT, _push(push.DEVICE_POLICY, AT)), (AT + 600, _push(push.DEVICE_COMMAND, AT + 600))],
        meddle=lambda one: Response(410) if one.kind.startswith("device ") and one.at >= AT else None,
    )
    assert life.device is not None
    assert life.device.identity is not None
    device_id = life.device.identity.device_id
    gone = _fetches(life, "device")[0][0]
    own = [(one.at, one.kind) for one in life.asked if one.query["deviceid"] == device_id and one.at > gone]
    assert own == [(again + 5, "device BROWSER_START")]
    assert _fetches(life, "user", since=again)[0] == (again + 5 + TYPING_S, "SIGNIN")
    assert not life.device.registered


# ----------------------------------------------------------------------------------------------- lids, locks, sessions


def test_a_users_registration_lasts() -> None:
    """At the second lid of a day the user is not registered again, and says what policy is there already."""
    life = live(AT + 60, starts=[(0.0, "enroll"), (BOOT_S, "boot"), (AT, "boot")])
    assert len([one for one in life.of("register") if one.at > 1]) == 1
    first, second = life.of("user SIGNIN")
    assert first.query["deviceid"] == second.query["deviceid"]
    assert _last_fetch(second).timestamp > 0
    assert _last_fetch(second).public_key_version == 1


def test_a_cached_policy_starts_the_session() -> None:
    """The second lid finds no management service for the user: the session starts all the same, with what is cached,
    and its policy climbs the ladder. At the first lid nothing was cached: no session."""
    ready, failed = OUTCOMES.index("ok"), OUTCOMES.index("failed")
    for since, expected in ((AT, [ready, ready]), (0.0, [failed, failed])):
        life = live(
            AT + 600,
            starts=[(0.0, "enroll"), (BOOT_S, "boot"), (AT, "boot")],
            meddle=lambda one, since=since: (
                Broken("connect_refused") if one.kind.startswith("user ") and one.at >= since else None
            ),
        )
        outcomes = life.samples[life.samples["step"] == STEPS.index("ready")]["outcome"].tolist()
        assert outcomes == expected
    assert [at for at, _ in _fetches(life, "user", since=0.0)] == [SESSION_S, AT + 5 + TYPING_S]


def test_a_user_whose_first_policy_does_not_come_was_never_here() -> None:
    """No policy at the first lid: no session, and the registration goes with it. The next sign-in registers anew, as
    another client; nobody's tokens are refreshed in between."""
    life = live(
        AT + 2 * HOUR,
        starts=[(0.0, "enroll"), (BOOT_S, "boot"), (AT + HOUR, "boot")],
        meddle=lambda one: Response(503) if one.kind.startswith("user ") and one.at < AT else None,
    )
    first, second = [one for one in life.of("register") if one.at > 1]
    assert first.query["deviceid"] != second.query["deviceid"]
    assert not second.message.register_request.reregister
    assert [at for at, url in life.other if "oauth2" in url and SESSION_S + 1 < at < AT + HOUR] == []
    outcomes = life.samples[life.samples["step"] == STEPS.index("ready")]["outcome"].tolist()
    assert outcomes == [OUTCOMES.index("refused"), OUTCOMES.index("ok")]


def test_a_user_whom_the_server_does_not_manage_is_asked_about_once() -> None:
    """403 at the first sign-in: the person is signed in, but never ready; the next lid registers nobody, fetches no
    policy of the user's and skips nothing, for none of it would be asked."""
    life = live(
        AT + 2 * HOUR,
        starts=[(0.0, "enroll"), (BOOT_S, "boot"), (AT, "boot")],
        meddle=lambda one: Response(403) if one.kind == "register" and one.at > 1 else None,
    )
    assert len([one for one in life.of("register") if one.at > 1]) == 1
    assert _fetches(life, "user", since=0.0) == []

    def outcomes(step: str) -> list[str]:
        return [OUTCOMES[one] for one in life.samples[life.samples["step"] == STEPS.index(step)]["outcome"].tolist()]

    assert outcomes("signed_in") == ["ok", "ok"]
    assert outcomes("ready") == ["refused", "refused"]
    assert outcomes("management.register_user") == ["refused"]
    assert outcomes("management.user_policy") == []
    assert _fetches(life, "device", since=AT)[0] == (AT + 5, "BROWSER_START")


@pytest.mark.parametrize("lid", [BOOT_S, AT])
def test_a_sign_in_after_which_the_server_will_not_know_the_user(lid: float) -> None:
    """410 for the user's policy and a refused second registration: with a policy that is cached the session starts
    with that; without any there is none, and nothing of the user's is sent for the rest of the day."""
    life = live(
        AT + 5 * HOUR,
        starts=[(0.0, "enroll"), (BOOT_S, "boot"), (AT, "boot")] if lid == AT else [(0.0, "enroll"), (BOOT_S, "boot")],
        meddle=lambda one: (
            Response(410 if one.kind.startswith("user ") else 503)
            if one.at >= lid and (one.kind.startswith("user ") or one.message.register_request.reregister)
            else None
        ),
    )
    outcomes = life.samples[life.samples["step"] == STEPS.index("ready")]["outcome"].tolist()
    ok, refused = OUTCOMES.index("ok"), OUTCOMES.index("refused")
    assert outcomes == ([ok, ok] if lid == AT else [refused])
    assert life.device is not None
    assert life.device.in_session == (lid == AT)


def test_an_ephemeral_user_stays_one() -> None:
    """Registered again after 410 for as long as the first time: LIFETIME_EPHEMERAL_USER is 2."""
    life = live(
        SESSION_S + 5 * HOUR,
        push=False,
        acts=[(10.0, "publish_policy", {"policy": "device", "value": {"ephemeral_users_enabled": True}})],
        meddle=lambda one: Response(410) if one.kind == "user SCHEDULED" else None,
    )
    lifetimes = [one.message.register_request.lifetime for one in life.of("register") if one.at > 1]
    assert lifetimes == [2, 2]


def test_a_locked_device() -> None:
    """Locked while somebody is at work: the session ends. The device goes on to fetch its policy, to report, to hear
    pushes and to keep its push token fresh; nothing of the user's is sent. Unlocked, it hears of that by push."""
    acts = [
        (10.0, "publish_policy", {"policy": "user", "value": {"CloudReportingEnabled": True}}),
        (AT, "lock_device", {"message": "Please return to the town hall"}),
        (AT + 30 * HOUR, "publish_policy", HOMEPAGE),
        (AT + 31 * HOUR, "queue_command", {"type": "DEVICE_SET_VOLUME", "command": '{"volume": 0}'}),
    ]
    life = live(AT + 32 * HOUR, acts=acts)
    assert life.device is not None
    assert life.device.disabled
    assert life.device.identity is not None
    later = [one for one in life.asked if one.at > AT + 10]
    assert {one.query["deviceid"] for one in later} == {life.device.identity.device_id}
    kinds = {one.kind for one in later}
    assert kinds == {"device SCHEDULED", "status_upload", "fm_registration_token_upload", "remote_commands"}


def test_a_reported_user_is_reported_once_a_day_and_by_policy_only() -> None:
    """Switched on at noon: at once and then daily; switched off: no more."""
    on, off = ({"policy": "user", "value": {"CloudReportingEnabled": value}} for value in (True, False))
    acts = [(AT, "publish_policy", on), (AT + 40 * HOUR, "publish_policy", off)]
    life = live(AT + 100 * HOUR, acts=acts)
    fetched = _fetches(life, "user")[0][0]
    assert [one.at for one in life.of("chrome_os_user_report")] == [
        pytest.approx(fetched),
        pytest.approx(fetched + 24 * HOUR),
    ]
    report = life.of("chrome_os_user_report")[0].message.chrome_os_user_report_request.browser_report
    # a Chromebook leaves version and channel to the device's own reports
    assert not report.HasField("browser_version")
    (profile,) = report.chrome_user_profile_infos
    assert profile.id.startswith("/home/chronos/u-")
    assert len(profile.id) == len("/home/chronos/u-") + 40
    assert profile.affiliation.is_affiliated


def test_a_user_report_that_fails_goes_again() -> None:
    """After a minute, then two, each up to a tenth earlier; 401 ends it until the next sign-in."""
    codes = iter([503, 429, 401])
    life = live(
        AT + 24 * HOUR,
        acts=[(10.0, "publish_policy", {"policy": "user", "value": {"CloudReportingEnabled": True}})],
        meddle=lambda one: Response(next(codes)) if one.query["request"] == "chrome_os_user_report" else None,
    )
    first, second, third = (one.at for one in life.of("chrome_os_user_report"))
    assert first == SESSION_S
    assert 54 < second - first <= 60
    assert 108 < third - second <= 120


def test_what_a_kept_user_would_not_ask_is_not_skipped() -> None:
    """The user's registration lasts: where a later sign-in stops at its first step, all that follows counts as skipped
    but for the registration, which would not have been asked."""
    life = live(
        10 * HOUR,
        starts=[(0.0, "enroll"), (BOOT_S, "boot"), (8 * HOUR, "boot")],
        acts=[(4 * HOUR, "inject_fault", {"where": "/samlredirect", "kind": "error", "status": 503})],
    )
    skipped = life.samples[life.samples["outcome"] == OUTCOMES.index("skipped")]
    steps = [STEPS[step] for step in skipped["step"]]
    assert "identity.login_page" in steps
    assert "management.user_policy" in steps
    assert "management.register_user" not in steps
    assert (life.samples["step"] == STEPS.index("management.register_user")).sum() == 1
