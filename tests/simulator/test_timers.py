"""The devices' own clocks against the constants of the facts, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import timers
from simulator.protocols.management import Invalid, client_status, ended_as
from simulator.protocols.messages import Broken, Refused

U = st.floats(0, 1, exclude_max=True)
HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("configured_s", "push_works", "managed", "expected_s"),
    [
        (3 * HOUR, False, True, 10_800),  # the default
        (3 * HOUR, True, True, 86_400),  # push works: a day
        (60, False, True, 1_800),  # clamped to half an hour
        (90 * HOUR, False, True, 86_400),  # clamped to a day
        (3 * HOUR, False, False, 86_400),  # policy says that nobody manages the client
    ],
)
def test_policy_refresh(configured_s: float, push_works: bool, managed: bool, expected_s: float) -> None:
    """Clamp first, then at least a day with push; a day for what is not managed."""
    wait_s = timers.policy_wait_s(timers.SUCCESS, configured_s=configured_s, push_works=push_works, managed=managed)
    assert wait_s == expected_s


@pytest.mark.parametrize(
    ("codes", "expected_s"),
    [
        ((412, 429, 902), 3 * HOUR),  # after the normal refresh delay
        ((500, 502, 503, 599, 404), 300),  # TEMPORARY_UNAVAILABLE: the ladder
        ((400, 403, 413, 302, 418 + 3, 451), DAY),  # with every code that is in no table: HTTP_STATUS_ERROR
        ((401, 402, 405, 406, 409, 410, 417, 418, 419, 903, 905, 906, 907), None),  # never again
    ],
)
def test_what_each_code_means(codes: tuple[int, ...], expected_s: float | None) -> None:
    """Each HTTP code of the facts' table 1.4 against the four classes of section 4."""
    for code in codes:
        assert timers.policy_wait_s(client_status(code), failures=1) == expected_s, code


def test_what_has_no_code() -> None:
    """No answer climbs the ladder, 200 that cannot be read waits a day; a policy that is turned down was fetched, so
    the next is as usual; push makes the usual wait longer, no other."""
    assert timers.policy_wait_s(ended_as(Invalid("bad_signature"))) == 3 * HOUR
    assert timers.policy_wait_s(ended_as(Broken("connect_refused")), failures=1, push_works=True) == 300
    assert timers.policy_wait_s(ended_as(Broken("undecodable", status=200)), push_works=True) == DAY
    assert timers.policy_wait_s(ended_as(Refused("http_status", status=429)), push_works=True) == DAY


def test_every_class_is_of_its_own() -> None:
    """No status is in two classes, and each name is one that the client has for some code, or for no answer."""
    classes = (timers.POLICY_AS_USUAL, timers.POLICY_ERRORS, timers.POLICY_NEXT_DAY, timers.POLICY_NEVER)
    names = {client_status(code) for code in range(300, 1000)} | {"REQUEST_FAILED", "RESPONSE_DECODING_ERROR"}
    assert sum(map(len, classes)) == len(frozenset().union(*classes))
    assert frozenset().union(*classes) == names


def test_policy_errors_double_up_to_the_refresh_delay() -> None:
    """5, 10, 20, 40, 80, 160 minutes, then the three hours of the configured delay for ever, push or not."""
    for push_works in (False, True):
        waits = [
            timers.policy_wait_s("REQUEST_FAILED", failures=failures, push_works=push_works)
            for failures in (1, 2, 3, 4, 5, 6, 7, 8, 10_000)
        ]
        assert waits == [60 * minutes for minutes in (5, 10, 20, 40, 80, 160, 180, 180, 180)]


@given(U)
def test_jitter(u: float) -> None:
    """Less than five minutes."""
    assert 0 <= timers.policy_jitter_s(u) < 300


def test_repetitions_of_one_request() -> None:
    """Three, after 10, 20 and 40 s; policy at once; the token for device management five times, 3 s apart."""
    assert [timers.retry_s(retry, "growing") for retry in (1, 2, 3, 4)] == [10, 20, 40, None]
    assert [timers.retry_s(retry, "at_once") for retry in (1, 2, 3, 4)] == [0, 0, 0, None]
    assert [timers.retry_s(retry, "steady") for retry in range(1, 7)] == [3, 3, 3, 3, 3, None]


@given(U)
def test_push_lines(u: float) -> None:
    """10 s, doubling, at most five minutes, half of it to either side."""
    for failures, middle_s in enumerate((10, 20, 40, 80, 160, 300, 300)):
        assert timers.line_s(u, failures) == pytest.approx(middle_s * (0.5 + u))


def test_push_tokens() -> None:
    """Daily; after failures a minute, doubling, at most a day, up to a tenth earlier."""
    assert timers.push_token_s(0.7, 0) == DAY
    assert [timers.push_token_s(0.0, failures) for failures in (1, 2, 3, 11, 12, 99)] == [
        *(60, 120, 240, 61_440),
        *(DAY, DAY),
    ]
    assert timers.push_token_s(0.5, 1) == pytest.approx(57)


def test_user_reports() -> None:
    """Daily; no answer, 5xx and 429 ten times with a growing wait, then a day; 413 counts as sent; others stop it."""
    assert timers.report_s(0.0, "SUCCESS", 0) == timers.report_s(0.0, "REQUEST_TOO_LARGE", 0) == DAY
    for status in ("REQUEST_FAILED", "TEMPORARY_UNAVAILABLE", "SERVICE_TOO_MANY_REQUESTS"):
        waits = [timers.report_s(0.0, status, failures) for failures in range(1, 12)]
        assert waits == [*(60 * 2**n for n in range(10)), DAY]
    # the facts: all ten together are 15 to 19 hours
    for u, hours in ((0.0, 17.05), (0.999999, 15.345)):
        waits = [timers.report_s(u, "REQUEST_FAILED", failures) or 0 for failures in range(1, 11)]
        assert sum(waits) == pytest.approx(hours * HOUR, rel=1e-4)
    for status in ("REQUEST_INVALID", "SERVICE_MANAGEMENT_TOKEN_INVALID", "SERVICE_DEVICE_NOT_FOUND"):
        assert timers.report_s(0.0, status, 0) is None


def test_downloads_of_extension_policy() -> None:
    """15 s for what broke, a minute for the rest, 12 h for a wrong file; at most a fifth earlier; thrice for 4xx."""

    def wait(
        failures: int, u: float = 0.0, *, status: int = 0, interrupted: bool = False, spoiled: bool = False
    ) -> object:
        return timers.extension_retry_s(u, failures, status=status, interrupted=interrupted, spoiled=spoiled)

    assert [wait(n, interrupted=True) for n in (1, 2, 3, 99)] == [15, 30, 60, 12 * HOUR]
    assert [wait(n) for n in (1, 2, 3, 99)] == [60, 120, 240, 12 * HOUR]
    assert [wait(n, spoiled=True) for n in (1, 2)] == [12 * HOUR, 12 * HOUR]
    assert [wait(n, status=404) for n in (1, 2, 3, 4)] == [60, 120, 240, None]
    assert wait(1, 0.5, interrupted=True) == pytest.approx(13.5)


@given(U)
def test_first_update_check_is_between_2_and_12_minutes(u: float) -> None:
    """Seven minutes with a fuzz window of ten in all."""
    assert 120 <= timers.first_update_check_s(u) <= 720


def test_update_checks_slow_down_only_when_overloaded() -> None:
    """40 to 50 minutes; after 500 or 503 90 minutes, 180, then 4 h; the fuzz is then half the interval to each side."""
    assert [timers.update_check_s(u) / 60 for u in (0.0, 0.5)] == [40, 45]
    assert [timers.update_check_s(0.5, overloaded=n) / 60 for n in (1, 2, 3, 9)] == [90, 180, 240, 240]
    assert [timers.update_check_s(u, overloaded=3) / HOUR for u in (0.0, 0.5)] == [2, 4]


@given(U, st.floats(0, 10**6))
def test_a_poll_interval_is_clamped(u: float, poll_s: float) -> None:
    """Whatever the server asks: never more often than every 40 minutes, never less than every 6 hours."""
    assert 22.5 * 60 <= timers.update_check_s(u, poll_s=poll_s) <= 6 * HOUR


@given(U, st.floats(1, 300))
def test_push_delay(u: float, max_s: float) -> None:
    """20 ms to 10 s, or to what policy says; five minutes more when the push said nothing."""
    assert 0.02 <= timers.push_delay_s(u) < 10.0
    assert 0.02 <= timers.push_delay_s(u, max_s=max_s) <= max_s
    assert timers.push_delay_s(u, has_payload=False) == pytest.approx(timers.push_delay_s(u) + 300)


def test_stale_pushes() -> None:
    """Issued more than 300 s before the stored policy: it tells nothing; two servers' clocks may differ by that."""
    assert not timers.push_is_stale(1_000_000, 1_300_000)
    assert timers.push_is_stale(1_000_000, 1_300_001)


def test_status_is_never_more_often_than_every_minute() -> None:
    """The administrator's value has a floor of a minute."""
    assert [timers.status_s(1), timers.status_s(), timers.status_s(600)] == [60, 10_800, 600]


def test_enrollment_is_tried_again_at_the_screens_pace() -> None:
    """4 s x 1.5 after the first failure, half as long again each time, never above 480 s; a tenth less at most."""
    waits = [timers.enroll_retry_s(0, failures) for failures in (1, 2, 3, 4, 11, 12, 1000)]
    # 4 * 1.5**11 = 345.990234375; 4 * 1.5**12 = 518.98...
    assert waits == [6.0, 9.0, 13.5, 20.25, 345.990234375, 480.0, 480.0]
    assert timers.enroll_retry_s(0.5, 1) == pytest.approx(5.7)


@given(U, st.integers(1, 10_000))
def test_enrollment_waits_stay_in_their_band(u: float, failures: int) -> None:
    """Jitter only shortens, by a tenth at most; a long outage builds no huge number."""
    longest = timers.enroll_retry_s(0, failures)
    assert 0.9 * longest <= timers.enroll_retry_s(u, failures) <= longest <= 480


def test_tokens_are_fetched_at_nine_tenths_of_their_life() -> None:
    """Google's hour gives 54 minutes."""
    assert timers.token_refresh_s(3600) == 3240


def test_a_token_is_asked_for_again_later_and_later() -> None:
    """2 s, doubling, never above four hours; a fifth less at most (net/base/backoff_entry.cc subtracts its fuzz)."""
    waits = [timers.token_retry_s(0, failures) for failures in (1, 2, 3, 13, 14, 10_000)]
    assert waits == [2, 4, 8, 8192, 14_400, 14_400]
    assert timers.token_retry_s(0.5, 3) == pytest.approx(7.2)


@given(U, st.integers(1, 10_000))
def test_token_waits_stay_in_their_band(u: float, failures: int) -> None:
    """Jitter only shortens, by a fifth at most."""
    longest = timers.token_retry_s(0, failures)
    assert 0.8 * longest <= timers.token_retry_s(u, failures) <= longest
