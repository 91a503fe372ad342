"""A day of one device in virtual time: exactly the requests that the facts derive, each at its instant.

Every instant here is arithmetic on the constants of the policy facts, section 4, and on the device's own draws.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import pytest
from one_device import BOOT_S, TYPING_S, Asked, drawn, live

from reports.record import OUTCOMES, TRIGGERS
from simulator.journeys import STEPS
from simulator.protocols.messages import Broken, Response, Trouble

MINUTE, HOUR, DAY = 60, 3600, 86_400
# One draw a scheduler, added to every wait that is not over: up to five minutes.
DEVICE_JITTER = 300 * drawn("jitter of sync_policy")
USER_JITTER = 300 * drawn("jitter of sync_user_policy")

# The browser asks five seconds after its start; here nothing but typing takes time.
BROWSER_S = BOOT_S + 5
SESSION_S = BROWSER_S + TYPING_S
STATUS_S = BOOT_S + 60

ENROLLMENT = [
    (0.0, "device_state_retrieval"),
    (0.0, "register"),
    (0.0, "device DEVICE_ENROLLMENT"),
    (0.0, "api_authorization"),
]
REPORTING = (10.0, "publish_policy", {"policy": "user", "value": {"CloudReportingEnabled": True}})


def _rounded(times: list[tuple[float, str]]) -> list[tuple[float, str]]:
    return sorted((round(at, 3), kind) for at, kind in times)


def _every(first: float, step: float, until: float, kind: str) -> list[tuple[float, str]]:
    count = int((until - first) // step) + 1
    return [(first + number * step, kind) for number in range(count)]


def _morning(*, push: bool) -> list[tuple[float, str]]:
    token = "fm_registration_token_upload"
    told = [(BROWSER_S, token), (SESSION_S, token)] if push else []
    return [
        *ENROLLMENT,
        (BROWSER_S, "device BROWSER_START"),
        (BROWSER_S, "remote_commands"),
        (SESSION_S, "register"),
        (SESSION_S, "user SIGNIN"),
        *told,
    ]


def test_a_day_with_push() -> None:
    """Idle, with push and one signed-in user: a day after the morning one fetch of each policy, two tokens, one report;
    eight status uploads; commands only at the start; nothing else at all."""
    end = 25 * HOUR
    token = "fm_registration_token_upload"
    expected = [
        *_morning(push=True),
        *_every(STATUS_S, 3 * HOUR, end, "status_upload"),
        *_every(SESSION_S, DAY, end, "chrome_os_user_report"),
        (BROWSER_S + DAY, token),
        (SESSION_S + DAY, token),
        (BROWSER_S + DAY + DEVICE_JITTER, "device SCHEDULED"),
        (SESSION_S + DAY + USER_JITTER, "user SCHEDULED"),
    ]
    life = live(end, acts=[REPORTING])
    assert sorted(life.times()) == _rounded(expected)
    assert not life.samples["outcome"].any()


def test_a_day_without_push() -> None:
    """The same without a push service: both policies every three hours and a jitter of their own, no push token."""
    end = 24 * HOUR
    expected = [
        *_morning(push=False),
        *_every(STATUS_S, 3 * HOUR, end, "status_upload"),
        *_every(BROWSER_S + 3 * HOUR + DEVICE_JITTER, 3 * HOUR + DEVICE_JITTER, end, "device SCHEDULED"),
        *_every(SESSION_S + 3 * HOUR + USER_JITTER, 3 * HOUR + USER_JITTER, end, "user SCHEDULED"),
    ]
    assert sorted(live(end, push=False).times()) == _rounded(expected)
    assert len([kind for _, kind in expected if kind == "device SCHEDULED"]) in (7, 8)


def test_a_compressed_day_with_push() -> None:
    """At 40 times the pace every wait of a minute and more takes a fortieth; the browser's start and typing do not."""
    pace, end = 40.0, 25 * HOUR / 40
    token = "fm_registration_token_upload"
    device_jitter = 300 * drawn("jitter of sync_policy", pace)
    user_jitter = 300 * drawn("jitter of sync_user_policy", pace)
    expected = [
        *_morning(push=True),
        *_every(BOOT_S + 60 / pace, 3 * HOUR / pace, BOOT_S + end, "status_upload"),
        *_every(SESSION_S, DAY / pace, BOOT_S + end, "chrome_os_user_report"),
        (BROWSER_S + DAY / pace, token),
        (SESSION_S + DAY / pace, token),
        (BROWSER_S + (DAY + device_jitter) / pace, "device SCHEDULED"),
        (SESSION_S + (DAY + user_jitter) / pace, "user SCHEDULED"),
    ]
    assert sorted(live(BOOT_S + end, compression=pace, acts=[REPORTING]).times()) == _rounded(expected)


OUTAGE_S = 10_000.0
BACK_S = OUTAGE_S + 3 * HOUR


def _ladder(first: float, jitter: float) -> list[float]:
    """The instants of a fetch that fails until BACK_S: 5, 10, 20, 40, 80, 160 minutes after each end, never more than
    the refresh delay of three hours, each with the jitter; the last one here is the first that succeeds."""
    waits = [min(5 * MINUTE * 2**failures, 3 * HOUR) + jitter for failures in range(10)]
    instants = list(accumulate([first, *waits]))
    return [at for at in instants if at < BACK_S] + [min(at for at in instants if at >= BACK_S)]


def _through_outage(meddle: Callable[[Asked], Response | Trouble | None]) -> list[Asked]:
    def only_then(asked: Asked) -> Response | Trouble | None:
        return meddle(asked) if OUTAGE_S <= asked.at < BACK_S else None

    life = live(15 * HOUR, push=False, meddle=only_then)
    assert life.device is not None
    assert life.device.registered
    return life.asked


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (Broken("connect_refused", "the service is down"), "RETRY_AFTER_STATUS_REQUEST_FAILED"),
        (Response(503, (), b"overloaded"), "RETRY_AFTER_STATUS_TEMPORARY_UNAVAILABLE"),
    ],
)
def test_three_hours_without_management(trouble: Trouble | Response, reason: str) -> None:
    """Refused connections (which Chromium does not repeat) and 503: each policy climbs the ladder by itself, says why
    it asks again, and after its first good fetch waits three hours as ever. Reports do not care."""
    asked = _through_outage(lambda one: trouble)
    for kind, first, jitter in (
        ("device", BROWSER_S + 3 * HOUR + DEVICE_JITTER, DEVICE_JITTER),
        ("user", SESSION_S + 3 * HOUR + USER_JITTER, USER_JITTER),
    ):
        ladder = _ladder(first, jitter)
        assert len(ladder) >= 5
        # as ever at first; from the second on because the one before had failed; and then as ever again
        expected = [
            (ladder[0], f"{kind} SCHEDULED"),
            *((at, f"{kind} {reason}") for at in ladder[1:]),
            *_every(ladder[-1] + 3 * HOUR + jitter, 3 * HOUR + jitter, 15 * HOUR, f"{kind} SCHEDULED"),
        ]
        got = [(round(one.at, 3), one.kind) for one in asked if one.kind.startswith(kind) and one.at > 3 * HOUR]
        assert got == _rounded(expected)
    reports = [(one.at, one.kind) for one in asked if one.kind == "status_upload"]
    assert reports == _every(STATUS_S, 3 * HOUR, 15 * HOUR, "status_upload")


def test_three_hours_without_a_name() -> None:
    """A name that does not resolve is in Chromium's list: each policy fetch is four tries at one instant, each report
    goes again after 10, 20 and 40 s and the next one counts from the last try; each repetition says so in its query."""
    asked = _through_outage(lambda one: Broken("name_unknown", "no such name"))
    ladder = _ladder(BROWSER_S + 3 * HOUR + DEVICE_JITTER, DEVICE_JITTER)
    got = [round(one.at, 3) for one in asked if one.kind.startswith("device ") and OUTAGE_S <= one.at < BACK_S]
    assert got == [round(at, 3) for at in ladder[:-1] for _ in range(4)]
    # within the outage: two reports of four tries; the third is good again
    first = STATUS_S + 3 * HOUR
    second = first + 70 + 3 * HOUR
    tries = [first, first + 10, first + 30, first + 70]
    tries += [second] if second >= BACK_S else [second, second + 10, second + 30, second + 70]
    reports = [one for one in asked if one.kind == "status_upload"]
    assert [one.at for one in reports if one.at > 3 * HOUR][: len(tries)] == tries
    for one in asked:
        first_try = one.at < OUTAGE_S or one.at >= BACK_S or one in (*reports[1:2], *_firsts(asked))
        assert (one.query["retry"], one.query.get("lasterror")) == (("false", None) if first_try else ("true", "-105"))


def _firsts(asked: list[Asked]) -> list[Asked]:
    """The first request of each kind at each instant."""
    seen: dict[tuple[float, str], Asked] = {}
    for one in asked:
        if one.kind != "status_upload":
            seen.setdefault((one.at, one.kind.partition(" ")[0]), one)
    return list(seen.values())


def test_each_try_is_a_sample() -> None:
    """The four tries of a report: attempts 1 to 4, the later ones with trigger `retry`, due when the one before was
    done plus the wait, so that none has any lateness of the harness's."""
    life = live(2 * MINUTE + 100, meddle=lambda one: Broken("unreachable") if one.kind == "status_upload" else None)
    tries = life.samples[life.samples["step"] == STEPS.index("management.status_upload")]
    assert tries["attempt"].tolist() == [1, 2, 3, 4]
    assert [TRIGGERS[trigger] for trigger in tries["trigger"]] == ["timer", "retry", "retry", "retry"]
    assert {OUTCOMES[outcome] for outcome in tries["outcome"]} == {"failed"}
    assert tries["due"].tolist() == [120, 130, 150, 190]
    assert (tries["sent"] == tries["due"]).all()
    assert [one.query.get("lasterror") for one in life.of("status_upload")] == [None, "-109", "-109", "-109"]


def test_when_the_network_is_back() -> None:
    """A boot without any network: no policy, no line. When the line holds again the policy is fetched at that
    instant, without waiting for its ladder and without jitter, and says why."""
    back = 100.0
    life = live(
        HOUR,
        push=lambda now: now >= back,
        meddle=lambda one: Broken("connect_refused") if BOOT_S <= one.at < back else None,
    )
    token = life.of("fm_registration_token_upload")[0]
    policies = life.of("device ")[1:]
    assert [one.kind.partition(" ")[2] for one in policies] == ["BROWSER_START", "RETRY_AFTER_STATUS_REQUEST_FAILED"]
    # the first rung would have come later: five minutes after the failure at the earliest
    assert back <= policies[1].at == token.at < BROWSER_S + 5 * MINUTE


def test_the_state_key_goes_until_a_fetch_is_answered() -> None:
    """A boot into an outage of eight minutes: each try says by what the server knows the machine, the first that is
    answered too, and none after it (state_keys_to_upload_ of cloud_policy_client.cc, cleared by a success)."""
    life = live(
        5 * HOUR,
        push=False,
        meddle=lambda one: (
            Response(503) if one.kind.startswith("device ") and BOOT_S <= one.at < BOOT_S + 8 * MINUTE else None
        ),
    )
    told = [
        (one.kind.partition(" ")[2], len(one.message.device_state_key_update_request.server_backed_state_keys))
        for one in life.of("device ")
    ]
    again = "RETRY_AFTER_STATUS_TEMPORARY_UNAVAILABLE"
    assert told == [("DEVICE_ENROLLMENT", 1), ("BROWSER_START", 1), (again, 1), (again, 1), ("SCHEDULED", 0)]


def test_a_registration_that_found_no_connection_says_that_it_may_be_the_second() -> None:
    """The first try may have reached the server: every repetition sets `reregister`, which the first one has not."""
    life = live(
        50.0,
        starts=[(0.0, "enroll")],
        meddle=lambda one: Broken("connect_timeout") if one.kind == "register" and one.at < 5 else None,
    )
    tries = life.of("register")
    assert [one.at for one in tries] == [0.0, 10.0]
    assert [one.message.register_request.reregister for one in tries] == [False, True]
    assert tries[1].query["lasterror"] == "-118"
    assert life.device is not None
    assert life.device.identity is not None
