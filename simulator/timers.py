"""The devices' own clocks: when a Chromebook does again what it does by itself. Pure; all times are city seconds.

One function a timer, each with its source. Chance comes in as `u`, a number in [0, 1); nothing of ours is imported.
Sources: CRS = Chromium cloud_policy_refresh_scheduler.cc, SU = status_uploader.cc, CPI = cloud_policy_invalidator.cc,
NUC = update_engine next_update_check_policy_impl.cc.
"""

from __future__ import annotations

MINUTE = 60.0
HOUR = 3600.0

# Shorter waits are part of a journey and stay real under compression; longer ones are timers.
SHORTEST_TIMER_S = 60.0

SERVICE_START_S = 5.0  # browser start to the first management request (DeviceManagementService, 5,000 ms)

POLICY_REFRESH_S = 3 * HOUR
POLICY_REFRESH_MIN_S = 30 * MINUTE
POLICY_REFRESH_MAX_S = 24 * HOUR
POLICY_JITTER_S = 5 * MINUTE
POLICY_ERROR_FIRST_S = 5 * MINUTE

STATUS_FIRST_S = 60.0
STATUS_S = 3 * HOUR
STATUS_MIN_S = 60.0

PUSH_DELAY_MIN_S = 0.020
PUSH_DELAY_MAX_S = 10.0
PUSH_BLIND_S = 5 * MINUTE

# Chromium enrollment_screen.cc: kInitialDelayMS, kMultiplyFactor, kJitterFactor, kMaxDelayMS.
ENROLL_RETRY_FIRST_S = 4.0
ENROLL_RETRY_FACTOR = 1.5
ENROLL_RETRY_JITTER = 0.1
ENROLL_RETRY_MAX_S = 8 * MINUTE

UPDATE_FIRST_S = 7 * MINUTE
UPDATE_S = 45 * MINUTE
UPDATE_FUZZ_S = 10 * MINUTE
UPDATE_MAX_S = 4 * HOUR


def policy_refresh_s(u: float, *, configured_s: float = POLICY_REFRESH_S, push_works: bool) -> float:
    """From the end of a good policy fetch to the next scheduled one (CRS: clamp, a day with push, jitter).

    The jitter is one draw per scheduler, so `u` must be the same for one device each time.
    """
    refresh_s = min(max(configured_s, POLICY_REFRESH_MIN_S), POLICY_REFRESH_MAX_S)
    if push_works:
        refresh_s = max(refresh_s, POLICY_REFRESH_MAX_S)
    return refresh_s + u * POLICY_JITTER_S


def policy_retry_s(u: float, failures: int, *, refresh_s: float = POLICY_REFRESH_S) -> float:
    """From a failed fetch (no answer, or 5xx) to the next try: 5 min, doubling, capped, then jitter (CRS).

    Args:
        failures: how many in a row, 1 for the first.
    """
    # 2**10 already passes every cap: a long outage must not build huge integers
    return float(min(POLICY_ERROR_FIRST_S * 2 ** min(failures - 1, 10), refresh_s)) + u * POLICY_JITTER_S


def status_s(configured_s: float = STATUS_S) -> float:
    """From the end of one status upload to the next, good or bad (SU: nothing is retried)."""
    return max(configured_s, STATUS_MIN_S)


def push_delay_s(u: float, *, max_s: float = PUSH_DELAY_MAX_S, has_payload: bool = True) -> float:
    """From a policy push to the refetch (CPI: uniform; 5 min more without payload). Real seconds."""
    return PUSH_DELAY_MIN_S + u * (max_s - PUSH_DELAY_MIN_S) + (0.0 if has_payload else PUSH_BLIND_S)


def enroll_retry_s(u: float, failures: int) -> float:
    """From a failed enrollment to the next try, in real seconds: 6 s, half as long again each time, at most 8 min.

    The numbers are those of the enrollment screen's own retry (net/base/backoff_entry.cc: with always_use_initial_delay
    the first wait is the initial delay times the factor; jitter only shortens). Today that retry is off and a person
    presses the button (enrollment_screen.cc, ShouldAutoRetryOnError): here the person keeps to its pace.

    Args:
        failures: how many in a row, 1 for the first.
    """
    wait_s = ENROLL_RETRY_FIRST_S * ENROLL_RETRY_FACTOR ** min(failures, 20)
    return min(wait_s * (1 - u * ENROLL_RETRY_JITTER), ENROLL_RETRY_MAX_S)


def first_update_check_s(u: float) -> float:
    """From boot to the first update check: uniform over 2 to 12 minutes (NUC)."""
    return UPDATE_FIRST_S + (u - 0.5) * UPDATE_FUZZ_S


def update_check_s(u: float, *, overloaded: int = 0, poll_s: float = 0.0) -> float:
    """From the start of one update check to the next (NUC): 40 to 50 minutes.

    Args:
        overloaded: checks in a row that ended with HTTP 500 or 503; only these double the interval, up to 4 h.
        poll_s: the server's PollInterval, 0 when it sent none; clamped to 45 min .. 4 h.

    Above 45 minutes the fuzz is half the interval to either side.
    """
    base_s = min(max(poll_s, UPDATE_S), UPDATE_MAX_S)
    interval_s = float(min(base_s * 2 ** min(overloaded, 10), UPDATE_MAX_S))
    fuzz_s = UPDATE_FUZZ_S if interval_s <= UPDATE_S else interval_s
    return interval_s + (u - 0.5) * fuzz_s
