"""The devices' own clocks against the constants of the facts, worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import timers

U = st.floats(0, 1, exclude_max=True)
HOUR = 3600


@pytest.mark.parametrize(
    ("configured_s", "push_works", "u", "expected_s"),
    [
        (3 * HOUR, False, 0.0, 10_800),  # the default, no jitter drawn
        (3 * HOUR, False, 0.5, 10_950),  # plus half of five minutes
        (3 * HOUR, True, 0.0, 86_400),  # push works: a day
        (60, False, 0.0, 1_800),  # clamped to half an hour
        (90 * HOUR, False, 0.0, 86_400),  # clamped to a day
    ],
)
def test_policy_refresh(configured_s: float, push_works: bool, u: float, expected_s: float) -> None:
    """Clamp first, then at least a day with push, then the jitter on top."""
    assert timers.policy_refresh_s(u, configured_s=configured_s, push_works=push_works) == expected_s


def test_policy_errors_double_up_to_the_refresh_delay() -> None:
    """5, 10, 20, 40, 80, 160 minutes, then the three hours of the refresh delay for ever, each plus the jitter."""
    minutes = [timers.policy_retry_s(0.0, failures) / 60 for failures in (1, 2, 3, 4, 5, 6, 7, 8, 100)]
    assert minutes == [5, 10, 20, 40, 80, 160, 180, 180, 180]
    assert timers.policy_retry_s(0.999, 7) > 180 * 60 + 299


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


@given(U)
def test_push_delay(u: float) -> None:
    """20 ms to 10 s; five minutes more when the push said nothing."""
    assert 0.02 <= timers.push_delay_s(u) < 10.0
    assert timers.push_delay_s(u, has_payload=False) == pytest.approx(timers.push_delay_s(u) + 300)


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
