"""What a managed device asks beside its policy: robot account, push token, remote commands, status reports.

One exchange each; when they are due, and what an order makes the device do, is the journeys'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from google.protobuf.message import DecodeError

from simulator.protocols import management_pb2 as pb
from simulator.protocols import policy, policy_values
from simulator.protocols.management_report import report, session_report
from simulator.protocols.management_requests import Identity, answer, ask, done, text
from simulator.protocols.management_status import Status
from simulator.protocols.messages import Broken, Exchange, Response
from simulator.protocols.policy import Invalid, Trust

CommandReason = pb.DeviceRemoteCommandRequest
PushKind = pb.FmRegistrationTokenUploadRequest

# Chromium device_account_initializer.cc: the scope of all that a robot account may do; the client id is Chrome's own.
_ANY_API = "https://www.googleapis.com/auth/any-api"
_CHROME_CLIENT_ID = "77185425430.apps.googleusercontent.com"
# Chromium fm_registration_token_uploader.cc: its protocol version; cloud_policy_constants.h: who sends policy pushes.
_PUSH_PROTOCOL = 1
_PUSH_PROJECT = 1013309121859
# Chromium cloud_policy_constants.cc
_DEVICE_COMMANDS = "google/ash/device/remotecommand"


@dataclass(frozen=True, slots=True)
class Command:
    """An order to the device: RemoteCommand.Type (None: one that nobody here knows), its id, its age in milliseconds,
    and JSON."""

    kind: int | None
    command_id: int
    age_ms: int
    payload: str


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ended: RemoteCommandResult.ResultType, its id, when it began (Unix milliseconds), and JSON.

    `timestamp_ms` is 0 for one that had expired and None for one that could not even begin.
    """

    result: int
    command_id: int
    timestamp_ms: int | None = None
    payload: str = ""


class BadOrders(Invalid):
    """An answer with orders that its client turns down, told by the first of them.

    Attributes:
        count: how many. commands: those that are good.
    """

    def __init__(self, first: Invalid, count: int, commands: tuple[Command, ...]) -> None:
        super().__init__(first.reason, first.detail, policy_type=first.policy_type)
        self.count = count
        self.commands = commands


def api_authorization(who: Identity) -> Exchange[str]:
    """Ask for the authorisation code of the device's robot account; an empty one means: go without."""
    message = pb.DeviceManagementRequest()
    asked = message.service_api_access_request
    asked.auth_scopes.append(_ANY_API)
    asked.oauth2_client_id = _CHROME_CLIENT_ID
    asked.device_type = pb.DeviceServiceApiAccessRequest.CHROME_OS

    def read(response: Response) -> str:
        return text(answer(response, "service_api_access_response").service_api_access_response.auth_code)

    return ask("management.api_authorization", who, "api_authorization", message, read)


def push_token(who: Identity, token: str, kind: int, *, expiration_ms: int) -> Exchange[None]:
    """Tell the server under which push token this client listens.

    Args:
        who: the device, or the user.
        token: 1 to 64 characters of base64url.
        kind: FmRegistrationTokenUploadRequest.TokenType.
        expiration_ms: until when, Unix milliseconds.
    """
    message = pb.DeviceManagementRequest()
    asked = message.fm_registration_token_upload_request
    asked.token, asked.token_type = token, PushKind.TokenType.ValueType(kind)
    asked.protocol_version, asked.project_number = _PUSH_PROTOCOL, _PUSH_PROJECT
    asked.expiration_timestamp_ms = expiration_ms
    read = done("fm_registration_token_upload_response")
    return ask("management.push_token", who, "fm_registration_token_upload", message, read)


def remote_commands(
    who: Identity, *, reason: int, trust: Trust, last_id: int | None = None, results: Sequence[CommandResult] = ()
) -> Exchange[tuple[Command, ...]]:
    """Fetch the orders for this device, and hand in how earlier ones ended.

    Args:
        who: the device. trust: what it holds; its policy key signs the orders.
        reason: DeviceRemoteCommandRequest.Reason.
        last_id: of the last command that ended in this run; the server may forget it and all before.
        results: not handed in yet.
    Returns (when read): the orders, in the order in which to obey them.
    Raises (when read): Refused; Broken, also for orders that are not signed (undecodable); BadOrders: bad_signature,
        wrong_policy_type, bad_value, wrong_device. For each a client answers RESULT_IGNORED with command id -1
        (Chromium remote_commands_service.cc).
    """

    def read(response: Response) -> tuple[Command, ...]:
        part = answer(response, "remote_command_response").remote_command_response
        if part.commands:
            raise Broken("undecodable", "RESPONSE_DECODING_ERROR: unsigned commands", status=200)
        commands, faults = [], []
        for signed in part.secure_commands:
            try:
                command = _command(signed, trust)
            except Invalid as fault:
                faults.append(fault)
            else:
                # an order without an id is none (remote_commands_service.cc, EnqueueCommand)
                commands += [command] if command else []
        if faults:
            raise BadOrders(faults[0], len(faults), tuple(commands))
        return tuple(commands)

    return ask("management.remote_commands", who, "remote_commands", _orders(reason, last_id, *results), read)


@lru_cache(maxsize=256)
def _orders(reason: int, last_id: int | None, *results: CommandResult) -> bytes:
    """The body of a fetch of orders, serialized once: of most clients it says the same."""
    message = pb.DeviceManagementRequest()
    asked = message.remote_command_request
    if last_id is not None:
        asked.last_command_unique_id = last_id
    for result in results:
        kind = pb.RemoteCommandResult.ResultType.ValueType(result.result)
        asked.command_results.add(
            result=kind, command_id=result.command_id, timestamp=result.timestamp_ms, payload=result.payload or None
        )
    asked.send_secure_commands = True
    asked.signature_type = policy.SHA256_RSA
    asked.type = _DEVICE_COMMANDS
    asked.reason = CommandReason.Reason.ValueType(reason)
    return message.SerializeToString()


def _command(signed: pb.SignedData, trust: Trust) -> Command | None:
    """Chromium remote_commands_service.cc, VerifyAndEnqueueSignedCommand: the checks in its order."""
    if not policy.verified(signed.data, signed.signature, trust.public_key, policy.SHA256_RSA):
        raise _invalid("bad_signature")
    try:
        data = pb.PolicyData.FromString(signed.data)
        command = pb.RemoteCommand.FromString(data.policy_value)
    except DecodeError:
        raise _invalid("bad_value") from None
    if data.policy_type != policy_values.REMOTE_COMMAND:
        raise _invalid("wrong_policy_type")
    if command.target_device_id != trust.device_id:
        raise _invalid("wrong_device")
    if not command.HasField("command_id"):
        return None
    return Command(
        command.type if command.HasField("type") else None,
        command.command_id,
        command.age_of_command,
        text(command.payload),
    )


def _invalid(reason: str) -> Invalid:
    return Invalid(reason, "a remote command", policy_type=policy_values.REMOTE_COMMAND)


def status_upload(who: Identity, status: Status, reports: frozenset[str], *, user_dm_token: str = "") -> Exchange[None]:
    """Report the device's status.

    Args:
        who: the device. status: all that it knows.
        reports: which parts of it the policy asks for, of policy_values.REPORTS.
        user_dm_token: of an affiliated user who is signed in, whose session is told of where the policy asks for that.
    """
    message = pb.DeviceManagementRequest(device_status_report_request=report(status, reports))
    session = session_report(user_dm_token, reports) if user_dm_token else None
    if session is not None:
        message.session_status_report_request.CopyFrom(session)
    read = done("device_status_report_response")
    return ask("management.status_upload", who, "status_upload", message, read, oauth_token="")
