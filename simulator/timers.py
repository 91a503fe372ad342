"""The devices' own clocks: when a Chromebook does again what it does by itself. Pure; all times are city seconds.

The one table of what the facts say of timing: constants, which answer means which wait, and one function a timer, each
with its source. Chance comes in as `u`, a number in [0, 1); nothing of ours is imported. Sources: DMS = Chromium
device_management_service.cc, CRS = cloud_policy_refresh_scheduler.cc, CPI = cloud_policy_invalidator.cc and
policy_invalidation_util.cc, FRT = fm_registration_token_uploader.cc, SU = status_uploader.cc, RS = report_scheduler.cc
and report_uploader.cc, EDU = external_policy_data_updater.cc, RCJ = remote_command_job.h and the jobs of
chrome/browser/ash/policy/remote_commands, NUC = update_engine next_update_check_policy_impl.cc,
SAM = sync_auth_manager.cc (net/base/backoff_entry.cc).
"""

from __future__ import annotations

MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR

# Shorter waits are part of a journey and stay real under compression; longer ones are timers.
SHORTEST_TIMER_S = 60.0

# ------------------------------------------------------------------------------------------------------ one request

SERVICE_START_S = 5.0  # browser start to the first management request (DMS, 5,000 ms)
# From each try that failed in passing to the next, by the pace of its exchange. Management jobs whose connection failed
# three times with growing waits, policy at once (DMS, kMaxRetries and kRetryDelay); the token with which a user is
# registered five times (policy_oauth2_token_fetcher.cc, kMaxRequestAttemptCount and kRequestRestartDelay).
RETRIES = {"growing": (10.0, 20.0, 40.0), "at_once": (0.0, 0.0, 0.0), "steady": (3.0,) * 5}

# ------------------------------------------------------------------------------------------------------ enrollment

# Chromium enrollment_screen.cc: kInitialDelayMS, kMultiplyFactor, kJitterFactor, kMaxDelayMS.
ENROLL_RETRY_FIRST_S = 4.0
ENROLL_RETRY_FACTOR = 1.5
ENROLL_RETRY_JITTER = 0.1
ENROLL_RETRY_MAX_S = 8 * MINUTE

# ------------------------------------------------------------------------------------------------------ policy

POLICY_REFRESH_S = 3 * HOUR
POLICY_REFRESH_MIN_S = 30 * MINUTE
POLICY_REFRESH_MAX_S = DAY
POLICY_PUSHED_S = DAY  # at least, while push works
POLICY_UNMANAGED_S = DAY
POLICY_JITTER_S = 5 * MINUTE
POLICY_ERROR_FIRST_S = 5 * MINUTE
SIGNIN_WAIT_S = 10.0  # for news of a policy that is cached (user_cloud_policy_manager_ash.cc)

# What the client calls the end of a fetch -> when it fetches again (CRS, ScheduleRefresh). HTTP codes stand beside.
SUCCESS = "SUCCESS"
NO_ANSWER = "REQUEST_FAILED"
GONE = "SERVICE_DEVICE_NOT_FOUND"
POLICY_AS_USUAL = frozenset(
    {
        "SERVICE_ACTIVATION_PENDING",  # 412
        "SERVICE_TOO_MANY_REQUESTS",  # 429
        "SERVICE_POLICY_NOT_FOUND",  # 902
    }
)
POLICY_ERRORS = frozenset(
    {
        NO_ANSWER,
        "TEMPORARY_UNAVAILABLE",  # 404, 5xx
    }
)
POLICY_NEXT_DAY = frozenset(
    {
        "REQUEST_INVALID",  # 400
        "SERVICE_MANAGEMENT_NOT_SUPPORTED",  # 403
        "REQUEST_TOO_LARGE",  # 413
        "HTTP_STATUS_ERROR",  # any other
        "RESPONSE_DECODING_ERROR",  # 200 that cannot be decoded, or without its part
    }
)
POLICY_NEVER = frozenset(
    {
        "SERVICE_MANAGEMENT_TOKEN_INVALID",  # 401
        "SERVICE_MISSING_LICENSES",  # 402
        "SERVICE_INVALID_SERIAL_NUMBER",  # 405
        "SERVICE_DOMAIN_MISMATCH",  # 406
        "SERVICE_DEVICE_ID_CONFLICT",  # 409
        GONE,  # 410
        "SERVICE_CONSUMER_ACCOUNT_WITH_PACKAGED_LICENSE",  # 417
        "SERVICE_INVALID_PACKAGED_DEVICE_FOR_KIOSK",  # 418
        "SERVICE_ORG_UNIT_ENROLLMENT_LIMIT_EXCEEEDED",  # 419, sic
        "SERVICE_DEPROVISIONED",  # 903
        "SERVICE_ARC_DISABLED",  # 904: no answer to a fetch, which leaves the schedule as it is: used up
        "SERVICE_ENTERPRISE_ACCOUNT_IS_NOT_ELIGIBLE_TO_ENROLL",  # 905
        "SERVICE_ENTERPRISE_TOS_HAS_NOT_BEEN_ACCEPTED",  # 906
        "SERVICE_ILLEGAL_ACCOUNT_FOR_PACKAGED_EDU_LICENSE",  # 907
    }
)

# ------------------------------------------------------------------------------------------------------ push

PUSH_DELAY_MIN_S = 0.020
PUSH_DELAY_MAX_S = 10.0
PUSH_BLIND_S = 5 * MINUTE
PUSH_STALE_S = 300.0
# A line that cannot be had or broke is tried for in real seconds: no timer of the city's.
LINE_FIRST_S = 10.0
LINE_MAX_S = 300.0
PUSH_TOKEN_LIFE_S = 14 * DAY
PUSH_TOKEN_S = DAY
PUSH_TOKEN_RETRY_S = MINUTE
PUSH_TOKEN_JITTER = 0.1

# ------------------------------------------------------------------------------------------------------ reports

STATUS_FIRST_S = 60.0
STATUS_S = 3 * HOUR
STATUS_MIN_S = 60.0
STATUS_FORCED_S = 10.0  # at least, after the last one

REPORT_S = DAY
REPORT_RETRY_S = MINUTE
REPORT_JITTER = 0.1
REPORT_RETRIES = 10

# ------------------------------------------------------------------------------------------------------ remote commands

COMMAND_EXPIRY_S = 10 * MINUTE  # since it was issued
POWERWASH_EXPIRY_S = 5 * 365 * DAY
WIPE_USERS_EXPIRY_S = 180 * DAY
RESTART_S = 5.0  # from the order to reboot to the next boot: no fact, what a Chromebook needs to shut down
COMMAND_ACK_S = 10.0  # a wipe begins when its acknowledgement is answered, or after this

# ----------------------------------------------------------------------------------------------------- extension policy

EXTENSION_SOON_S = 15.0
EXTENSION_LATER_S = MINUTE
EXTENSION_MUCH_LATER_S = 12 * HOUR
EXTENSION_FUZZ = 0.2
EXTENSION_REFUSALS = 3

# ------------------------------------------------------------------------------------------------------ sign-in tokens

TOKEN_USED = 0.9  # of its life (oauth2_access_token_manager.cc; sign-in facts 1.4)
TOKEN_ERROR_FIRST_S = 2.0
TOKEN_ERROR_MAX_S = 4 * HOUR
TOKEN_ERROR_JITTER = 0.2

# ------------------------------------------------------------------------------------------------------ updates

UPDATE_FIRST_S = 7 * MINUTE
UPDATE_S = 45 * MINUTE
UPDATE_FUZZ_S = 10 * MINUTE
UPDATE_MAX_S = 4 * HOUR


def retry_s(retry: int, pace: str) -> float | None:
    """From a try that failed in passing to the next, in real seconds; None: no more.

    Args:
        retry: 1 for the first repetition. pace: a key of RETRIES.
    """
    waits = RETRIES[pace]
    return waits[retry - 1] if retry <= len(waits) else None


def enroll_retry_s(u: float, failures: int) -> float:
    """From a failed enrollment to the next try, in real seconds: 6 s, half as long again each time, at most 8 min.

    The numbers are those of the enrollment screen's own retry (net/base/backoff_entry.cc: with always_use_initial_delay
    the first wait is the initial delay times the factor; jitter only shortens). Today that retry is off and a person
    presses the button (enrollment_screen.cc, ShouldAutoRetryOnError): here the person keeps to its pace.

    Args:
        failures: how many in a row, 1 for the first.
    """
    first_s = ENROLL_RETRY_FIRST_S * ENROLL_RETRY_FACTOR
    return _backed_off(first_s, failures, u, ENROLL_RETRY_JITTER, ENROLL_RETRY_MAX_S, factor=ENROLL_RETRY_FACTOR)


def policy_wait_s(
    status: str,
    *,
    failures: int = 0,
    configured_s: float = POLICY_REFRESH_S,
    managed: bool = True,
    push_works: bool = False,
) -> float | None:
    """From the end of a policy fetch to the next scheduled one, without jitter (CRS); None: never again.

    Args:
        status: the client's name for that end.
        failures: how many in a row ended in POLICY_ERRORS; these wait 5 min, doubling, up to the configured delay.
        configured_s: by policy; clamped.
        managed: whether the stored policy says so.
        push_works: whether the server knows where this client listens.
    """
    configured_s = min(max(configured_s, POLICY_REFRESH_MIN_S), POLICY_REFRESH_MAX_S)
    usual_s = max(configured_s, POLICY_PUSHED_S) if push_works else configured_s
    if status == SUCCESS:
        return usual_s if managed else POLICY_UNMANAGED_S
    if status in POLICY_AS_USUAL:
        return usual_s
    if status in POLICY_ERRORS:
        return _backed_off(POLICY_ERROR_FIRST_S, failures, 0.0, 0.0, configured_s)
    return None if status in POLICY_NEVER else POLICY_UNMANAGED_S


def policy_jitter_s(u: float) -> float:
    """What a scheduler adds to each wait that is not over yet (CRS): `u` is drawn once a scheduler."""
    return u * POLICY_JITTER_S


def push_delay_s(u: float, *, max_s: float = PUSH_DELAY_MAX_S, has_payload: bool = True) -> float:
    """From a policy push to the refetch (CPI: uniform; 5 min more without payload). Real seconds.

    Args:
        max_s: by policy, MaxInvalidationFetchDelay.
    """
    return PUSH_DELAY_MIN_S + u * (max_s - PUSH_DELAY_MIN_S) + (0.0 if has_payload else PUSH_BLIND_S)


def push_is_stale(issued_ms: int, stored_ms: int) -> bool:
    """Whether a push tells of nothing that the stored policy has not (CPI: issued more than 300 s before it)."""
    return issued_ms + PUSH_STALE_S * 1000 < stored_ms


def line_s(u: float, failures: int) -> float:
    """From a push line that broke, or was not had, to the next try for one: 10 s, doubling, up to 5 min, spread over
    half to one and a half of that (Chromium google_apis/gcm/engine/connection_factory_impl.cc). Real seconds.

    Args:
        failures: in a row, to have one; 0 when one broke.
    """
    return _backed_off(LINE_FIRST_S, failures + 1, 0.0, 0.0, LINE_MAX_S) * (0.5 + u)


def push_token_s(u: float, failures: int) -> float:
    """From one upload of a push token to the next (FRT): a day, or after failures 1 min, doubling, up to a day."""
    return _backed_off(PUSH_TOKEN_RETRY_S, failures, u, PUSH_TOKEN_JITTER) if failures else PUSH_TOKEN_S


def status_s(configured_s: float = STATUS_S) -> float:
    """From the end of one status upload to the next, good or bad (SU: nothing is retried)."""
    return max(configured_s, STATUS_MIN_S)


def report_s(u: float, status: str, failures: int) -> float | None:
    """From the end of one user report to the next (RS); None: not before the browser starts again.

    Args:
        status: the client's name for that end. One that is too large counts as sent.
        failures: how many in a row had no answer, 5xx or 429: 1 min, doubling, at most 10 times; then a day again.
    """
    if status in (SUCCESS, "REQUEST_TOO_LARGE"):
        return REPORT_S
    if status in POLICY_ERRORS or status == "SERVICE_TOO_MANY_REQUESTS":
        return REPORT_S if failures > REPORT_RETRIES else _backed_off(REPORT_RETRY_S, failures, u, REPORT_JITTER)
    return None


def extension_retry_s(u: float, failures: int, *, status: int, interrupted: bool, spoiled: bool) -> float | None:
    """From a download of extension policy that failed to the next try (EDU); None: given up.

    Args:
        failures: how many in a row.
        status: of HTTP, 0 where none came; a 4xx is asked for three times more.
        interrupted: the connection broke, or the server failed: 15 s, doubling, instead of 1 min, doubling.
        spoiled: what came was too large, or is not what its hash says: 12 h.
    """
    if 400 <= status < 500 and failures > EXTENSION_REFUSALS:
        return None
    first_s = EXTENSION_MUCH_LATER_S if spoiled else EXTENSION_SOON_S if interrupted else EXTENSION_LATER_S
    return _backed_off(first_s, failures, u, EXTENSION_FUZZ, EXTENSION_MUCH_LATER_S)


def token_refresh_s(life_s: float) -> float:
    """From getting an access token to fetching the next one."""
    return TOKEN_USED * life_s


def token_retry_s(u: float, failures: int) -> float:
    """From a token request that failed in passing to the next try: 2 s, doubling, up to 4 h, up to a fifth less (SAM).

    Args:
        failures: how many in a row, 1 for the first.
    """
    return _backed_off(TOKEN_ERROR_FIRST_S, failures, u, TOKEN_ERROR_JITTER, TOKEN_ERROR_MAX_S)


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


def _backed_off(
    first_s: float, failures: int, u: float, fuzz: float, max_s: float = DAY, *, factor: float = 2.0
) -> float:
    """Growing by the factor, less by a share of up to `fuzz`, then the cap (Chromium net/base/backoff_entry.cc)."""
    # by then every cap is passed: a long outage must not overflow
    return min(first_s * factor ** min(failures - 1, 30) * (1 - u * fuzz), max_s)
