"""What policies say: the types there are, and from each payload the few values that a device's behaviour depends on.

A payload that thousands of devices share is decoded once. Who signed it, and for whom, is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb
from simulator.protocols.management_requests import text

# Chromium cloud_policy_constants.cc
DEVICE = "google/chromeos/device"
SIGNIN_EXTENSION = "google/chromeos/signinextension"
PUBLIC_ACCOUNT = "google/chromeos/publicaccount"
USER = "google/chromeos/user"
EXTENSION = "google/chrome/extension"
BROWSER_USER = "google/chrome/user"
MACHINE_LEVEL_USER = "google/chrome/machine-level-user"
MACHINE_LEVEL_EXTENSION = "google/chrome/machine-level-extension"
REMOTE_COMMAND = "google/chromeos/remotecommand"

# The parts of a status report that a policy can turn on or off and a device here has something to say for: the names of
# DeviceReportingProto's fields without their "report_".
REPORTS = (
    *("version_info", "activity_times", "boot_mode", "users", "os_update_status", "power_status", "storage_status"),
    *("cpu_info", "timezone_info", "memory_info", "app_info", "vpd_info", "system_info", "audio_status"),
    *("network_configuration", "network_status", "security_status"),
)

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """The part of device policy (ChromeDeviceSettingsProto) that changes what a device sends.

    Attributes:
        refresh_ms: between two policy fetches without push; 30 min to 24 h, 3 h when not set.
        status_ms: between two status reports; 60 s at least, 3 h when not set.
        reports: which parts they have, of REPORTS.
        ephemeral_users: whether users leave nothing on the device, so that each sign-in is a first one.
        update_disabled, target_version_prefix, scatter_s, release_channel: for update checks.
        accounts: ids of the device-local accounts, each of which has a policy of its own.
    """

    refresh_ms: int
    status_ms: int
    reports: frozenset[str]
    ephemeral_users: bool
    update_disabled: bool
    target_version_prefix: str
    scatter_s: int
    release_channel: str
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserSettings:
    """The part of user policy (CloudPolicySettings) that changes what a device sends.

    Attributes:
        refresh_ms: as of a device.
        push_delay_ms: a pushed change is fetched after a random delay up to this; 1 s to 300 s, 10 s when not set.
        offline_sign_in_s: for how long a user may unlock offline after a sign-in by SAML; negative: for ever.
        homepage: a policy that people see; a change of it is easy to follow.
        reporting: whether the user's browser is reported on, once a day.
    """

    refresh_ms: int
    push_delay_ms: int
    offline_sign_in_s: int
    homepage: str
    reporting: bool = False


def _clamped(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def _refresh_ms(set_ms: int | None) -> int:
    """Chromium cloud_policy_refresh_scheduler.cc: kDefaultRefreshDelayMs, kRefreshDelayMinMs, kRefreshDelayMaxMs."""
    return 3 * _HOUR_MS if set_ms is None else _clamped(set_ms, 30 * _MINUTE_MS, 24 * _HOUR_MS)


def _reports(policy: pb.DeviceReportingProto) -> frozenset[str]:
    """The parts that are on; where a policy says nothing, the message's own defaults hold."""
    return frozenset(name for name in REPORTS if getattr(policy, f"report_{name}"))


# Of a device that has no policy yet.
DEFAULT_REPORTS = _reports(pb.DeviceReportingProto())


@lru_cache(maxsize=64)
def device_settings(payload: bytes) -> DeviceSettings | None:
    """The values in a device's policy, None when it cannot be decoded. Raises: Broken for text that is not UTF-8."""
    try:
        policy = pb.ChromeDeviceSettingsProto.FromString(payload)
    except DecodeError:
        return None
    refresh, update = policy.device_policy_refresh_rate, policy.auto_update_settings
    return DeviceSettings(
        refresh_ms=_refresh_ms(
            refresh.device_policy_refresh_rate if refresh.HasField("device_policy_refresh_rate") else None
        ),
        status_ms=max(_MINUTE_MS, policy.device_reporting.device_status_frequency),
        reports=_reports(policy.device_reporting),
        ephemeral_users=policy.ephemeral_users_enabled.ephemeral_users_enabled,
        update_disabled=update.update_disabled,
        target_version_prefix=text(update.target_version_prefix),
        scatter_s=max(0, update.scatter_factor_in_seconds),
        release_channel=text(policy.release_channel.release_channel),
        accounts=tuple(
            dict.fromkeys(
                text(account.account_id) for account in policy.device_local_accounts.account if account.account_id
            )
        ),
    )


@lru_cache(maxsize=64)
def user_settings(payload: bytes) -> UserSettings | None:
    """The values in a user's policy, None when it cannot be decoded. Raises: Broken for text that is not UTF-8."""
    try:
        policy = pb.CloudPolicySettings.FromString(payload)
    except DecodeError:
        return None
    limit = policy.SAMLOfflineSigninTimeLimit
    delay = policy.MaxInvalidationFetchDelay
    return UserSettings(
        refresh_ms=_refresh_ms(policy.PolicyRefreshRate.value if policy.PolicyRefreshRate.HasField("value") else None),
        push_delay_ms=_clamped(delay.value, 1000, 300_000) if delay.HasField("value") else 10_000,
        # Chromium login_constants.h, kDefaultSAMLOfflineSigninTimeLimit; -1 is no limit.
        offline_sign_in_s=limit.value if limit.HasField("value") else 14 * 24 * 3600,
        homepage=text(policy.HomepageLocation.value),
        reporting=policy.CloudReportingEnabled.value,
    )
