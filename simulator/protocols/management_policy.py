"""Fetching policy, and reporting one that was turned down.

What makes a policy valid is said in policy.py, what it says in policy_values.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from simulator.protocols import management_pb2 as pb
from simulator.protocols import policy, policy_values
from simulator.protocols.extension_policy import ExtensionPolicy, extension_policies
from simulator.protocols.management_requests import FORM_FACTOR, Identity, answer, ask, client_status, done, text, texts
from simulator.protocols.messages import Exchange, Response, Trouble
from simulator.protocols.policy import Invalid, Trust
from simulator.protocols.policy_values import DeviceSettings, UserSettings

PolicyReason = pb.DevicePolicyRequest
# Chromium cloud_policy_client.cc, kPolicyVerificationKeyHash: which verification key this client has compiled in.
_VERIFICATION_KEY_HASH = "1:356l7w"
_DISABLED, _ACTIVE = pb.DeviceState.DEVICE_MODE_DISABLED, pb.PolicyData.ACTIVE
# PolicyFetchResponse.error_code: the server has no policy for that entity.
_NOT_FOUND = 902


@dataclass(frozen=True, slots=True)
class Invalidation:
    """What made a policy fetch necessary, as the push told it: version in microseconds, the server's own payload."""

    version_us: int
    payload: bytes


# Not frozen, as an Exchange is not: one is made for every fetch.
@dataclass(slots=True)
class DevicePolicy:
    """A device's policy, checked. `trust` is what the device holds from now on; its `timestamp_ms` says whether a
    publish has been applied. `managed` is what it says of itself. `disabled` locks the device, with a message for
    whoever holds it. `extensions` are those of the login screen."""

    trust: Trust
    settings: DeviceSettings
    managed: bool
    disabled: bool
    disabled_message: str
    affiliation_ids: tuple[str, ...]
    extensions: tuple[ExtensionPolicy | Trouble, ...] = ()


@dataclass(slots=True)
class UserPolicy:
    """A user's policy, checked, as DevicePolicy; the user is affiliated when user and device share an id."""

    trust: Trust
    settings: UserSettings
    managed: bool
    affiliation_ids: tuple[str, ...]
    extensions: tuple[ExtensionPolicy | Trouble, ...] = ()


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    """The policy of a device-local account, checked: what its client holds from now on, and what it says."""

    trust: Trust
    settings: UserSettings
    managed: bool


def fetch_device_policy(
    who: Identity,
    *,
    reason: int,
    trust: Trust,
    state_keys: Sequence[bytes] = (),
    invalidation: Invalidation | None = None,
    critical: bool = False,
    stored_ms: Mapping[str, int] | None = None,
) -> Exchange[DevicePolicy]:
    """Fetch the device's policy and check it.

    Args:
        who: the registered device. trust: what it holds.
        reason: DevicePolicyRequest.Reason; DEVICE_ENROLLMENT asks for the device's policy alone, all others for the
            login screen's extensions too.
        state_keys: all that the machine knows, with the first fetch of a run; 32 bytes each.
        invalidation: the push behind it. critical: part of enrollment.
        stored_ms: extension of the login screen -> the timestamp of the policy that the device has for it.
    Raises (when read): Refused; Broken; Invalid as in policy.find and policy.check, and bad_value for a payload that
        cannot be decoded.
    """
    asked: tuple[str, ...] = (policy_values.SIGNIN_EXTENSION, policy_values.DEVICE)
    if reason == PolicyReason.DEVICE_ENROLLMENT:
        asked = (policy_values.DEVICE,)
    body = _policy_request(asked, reason, trust, invalidation)
    if state_keys:
        message = pb.DeviceManagementRequest.FromString(body)
        message.device_state_key_update_request.server_backed_state_keys.extend(state_keys)
        body = message.SerializeToString()

    def read(response: Response) -> DevicePolicy:
        blobs = answer(response, "policy_response").policy_response.responses
        blob, data = policy.find(blobs, asked)
        after = policy.check(blob, data, trust)
        settings = policy_values.device_settings(data.policy_value)
        if settings is None:
            raise policy.invalid("bad_value", data, "policy_value")
        state = data.device_state
        disabled = state.device_mode == _DISABLED
        return DevicePolicy(
            after,
            settings,
            data.state == _ACTIVE,
            disabled,
            text(state.disabled_state.message) if disabled else "",
            texts(data.device_affiliation_ids),
            extension_policies(blobs, policy_values.SIGNIN_EXTENSION, after, stored_ms or {}) if len(blobs) > 1 else (),
        )

    return ask("management.device_policy", who, "policy", body, read, oauth_token="", critical=critical)


def fetch_user_policy(
    who: Identity,
    *,
    reason: int,
    trust: Trust,
    device_dm_token: str = "",
    invalidation: Invalidation | None = None,
    stored_ms: Mapping[str, int] | None = None,
) -> Exchange[UserPolicy]:
    """Fetch a user's policy and those of the user's extensions, and check them.

    Args:
        who: the registered user. trust: what the user's client holds.
        reason: DevicePolicyRequest.Reason.
        device_dm_token: of the device, when the user is affiliated with it.
        invalidation: the push behind it.
        stored_ms: extension -> the timestamp of the policy that the user has for it.
    Raises (when read): as fetch_device_policy.
    """
    asked = (policy_values.EXTENSION, policy_values.USER)
    body = _policy_request(asked, reason, trust, invalidation)
    if device_dm_token:
        message = pb.DeviceManagementRequest.FromString(body)
        message.policy_request.requests[-1].device_dm_token = device_dm_token
        body = message.SerializeToString()

    def read(response: Response) -> UserPolicy:
        blobs = answer(response, "policy_response").policy_response.responses
        blob, data = policy.find(blobs, asked)
        after = policy.check(blob, data, trust)
        settings = policy_values.user_settings(data.policy_value)
        if settings is None:
            raise policy.invalid("bad_value", data, "policy_value")
        return UserPolicy(
            after,
            settings,
            data.state == _ACTIVE,
            texts(data.user_affiliation_ids),
            extension_policies(blobs, policy_values.EXTENSION, after, stored_ms or {}) if len(blobs) > 1 else (),
        )

    return ask("management.user_policy", who, "policy", body, read, oauth_token="")


def fetch_account_policy(
    who: Identity, *, reason: int, trust: Trust, invalidation: Invalidation | None = None
) -> Exchange[AccountPolicy | None]:
    """Fetch the policy of a device-local account, with the device's own registration, and check it.

    Args:
        who: the registered device.
        reason: DevicePolicyRequest.Reason.
        trust: what the account's client holds: the device's tokens and policy key, and the account id as the user name
            (Chromium device_local_account_policy_store.cc).
        invalidation: the push behind it.
    Returns (when read): None where the server has no policy for this account (902 within the answer).
    Raises (when read): as fetch_device_policy.
    """
    asked = (policy_values.PUBLIC_ACCOUNT,)
    message = pb.DeviceManagementRequest.FromString(_policy_request(asked, reason, trust, invalidation))
    message.policy_request.requests[-1].settings_entity_id = trust.username

    def read(response: Response) -> AccountPolicy | None:
        blobs = answer(response, "policy_response").policy_response.responses
        if [blob.error_code for blob in blobs] == [_NOT_FOUND]:
            return None
        blob, data = policy.find(blobs, asked, trust.username)
        policy.check_borrowed(blob, data, trust)
        settings = policy_values.user_settings(data.policy_value)
        if settings is None:
            raise policy.invalid("bad_value", data, "policy_value")
        after = replace(trust, timestamp_ms=data.timestamp, key_version=data.public_key_version or trust.key_version)
        return AccountPolicy(after, settings, data.state == _ACTIVE)

    return ask("management.account_policy", who, "policy", message, read, oauth_token="")


def ended_as(trouble: Trouble | None) -> str:
    """The client's name for how an exchange ended, None for well; a policy that it turns down has still been fetched.

    Sources: Chromium device_management_service.cc and cloud_policy_client.cc.
    """
    if trouble is None or isinstance(trouble, Invalid):
        return "SUCCESS"
    if not trouble.status:
        return "REQUEST_FAILED"
    return "RESPONSE_DECODING_ERROR" if trouble.status == 200 else client_status(trouble.status)


def retry_reason(ended_as: str) -> int:
    """Why a client fetches by its timer: DevicePolicyRequest.Reason, after a fetch that ended as it calls it."""
    names = PolicyReason.Reason.keys()
    wanted = f"RETRY_AFTER_STATUS_{ended_as}"
    return PolicyReason.Reason.Value(wanted) if wanted in names else PolicyReason.SCHEDULED


def _policy_request(asked: tuple[str, ...], reason: int, trust: Trust, invalidation: Invalidation | None) -> bytes:
    """Chromium cloud_policy_client.cc, CreatePolicyRequest: the last type is Chrome's own policy, and only that says
    what the client has already and why it asks."""
    if invalidation is not None and not invalidation.payload:
        invalidation = None
    return _same_for_all(asked, reason, trust.key_version, trust.timestamp_ms, invalidation)


@lru_cache(maxsize=256)
def _same_for_all(
    asked: tuple[str, ...], reason: int, key_version: int, timestamp_ms: int, invalidation: Invalidation | None
) -> bytes:
    """What thousands of clients send that hold the same policy, serialized once."""
    message = pb.DeviceManagementRequest()
    for policy_type in asked:
        fetch = message.policy_request.requests.add(
            policy_type=policy_type,
            signature_type=policy.SHA256_RSA,
            verification_key_hash=_VERIFICATION_KEY_HASH,
            device_info=FORM_FACTOR,
        )
        if key_version:
            fetch.public_key_version = key_version
    if timestamp_ms:
        fetch.timestamp = timestamp_ms
    if invalidation is not None:
        fetch.invalidation_version = invalidation.version_us
        fetch.invalidation_payload = invalidation.payload
    message.policy_request.reason = PolicyReason.Reason.ValueType(reason)
    return message.SerializeToString()


def validation_report(who: Identity, fault: Invalid) -> Exchange[None]:
    """Report a policy that was turned down while it was to be stored; only one that has a policy token is reported."""
    message = pb.DeviceManagementRequest()
    report = message.policy_validation_report_request
    report.policy_type, report.policy_token = fault.policy_type, fault.policy_token
    report.validation_result_type = fault.result_type
    report.action = pb.PolicyValidationReportRequest.STORE
    read = done("policy_validation_report_response")
    return ask("management.validation_report", who, "policy_validation_report", message, read)
