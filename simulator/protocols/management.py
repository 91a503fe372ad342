"""All that a Chromebook asks of its management server, under one name for the journeys.

Only names stand here: what they mean is told where they are defined.
"""

from simulator.protocols.extension_policy import ExtensionPolicy, download
from simulator.protocols.management_pb2 import (
    DevicePolicyRequest as PolicyReason,
)
from simulator.protocols.management_pb2 import (
    DeviceRegisterRequest as Register,
)
from simulator.protocols.management_pb2 import (
    DeviceRemoteCommandRequest as CommandReason,
)
from simulator.protocols.management_pb2 import (
    FmRegistrationTokenUploadRequest as PushKind,
)
from simulator.protocols.management_pb2 import (
    RemoteCommand as CommandKind,
)
from simulator.protocols.management_pb2 import (
    RemoteCommandResult as CommandEnd,
)
from simulator.protocols.management_policy import (
    AccountPolicy,
    DevicePolicy,
    Invalidation,
    UserPolicy,
    ended_as,
    fetch_account_policy,
    fetch_device_policy,
    fetch_user_policy,
    retry_reason,
    validation_report,
)
from simulator.protocols.management_registration import (
    Membership,
    Registration,
    register_by_attestation,
    register_by_token,
    register_device,
    register_user,
    unregister,
)
from simulator.protocols.management_requests import CLIENT_STATUS, Identity, client_status
from simulator.protocols.management_state import (
    DeviceState,
    Machine,
    enterprise_check,
    initial_state,
    restore_state,
    state_retrieval,
)
from simulator.protocols.management_tasks import (
    BadOrders,
    Command,
    CommandResult,
    api_authorization,
    push_token,
    remote_commands,
    status_upload,
)
from simulator.protocols.management_user_report import UserReport, user_report
from simulator.protocols.policy import Invalid, Trust
from simulator.protocols.policy_values import DeviceSettings, UserSettings

__all__ = [
    "CLIENT_STATUS",
    "AccountPolicy",
    "BadOrders",
    "Command",
    "CommandEnd",
    "CommandKind",
    "CommandReason",
    "CommandResult",
    "DevicePolicy",
    "DeviceSettings",
    "DeviceState",
    "ExtensionPolicy",
    "Identity",
    "Invalid",
    "Invalidation",
    "Machine",
    "Membership",
    "PolicyReason",
    "PushKind",
    "Register",
    "Registration",
    "Trust",
    "UserPolicy",
    "UserReport",
    "UserSettings",
    "api_authorization",
    "client_status",
    "download",
    "ended_as",
    "enterprise_check",
    "fetch_account_policy",
    "fetch_device_policy",
    "fetch_user_policy",
    "initial_state",
    "push_token",
    "register_by_attestation",
    "register_by_token",
    "register_device",
    "register_user",
    "remote_commands",
    "restore_state",
    "retry_reason",
    "state_retrieval",
    "status_upload",
    "unregister",
    "user_report",
    "validation_report",
]
