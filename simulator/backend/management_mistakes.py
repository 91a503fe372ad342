"""What the management service can be told to do wrong: each mistake by name, and nothing else amiss.

Whether one is made, and when, the faults say. A spoilt policy is signed all the same, so that a client finds the
mistake and not a bad signature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.protocols import management_pb2 as pb

_DAY_MS = 86_400_000
# A tag that never ends: no message decodes it.
_UNDECODABLE = b"\xff"


def _nothing(_right: object) -> None:
    """Leave it right."""


@dataclass(frozen=True, slots=True)
class PolicyMistake:
    """One in a policy.

    Attributes:
        data: done to the PolicyData before it is signed. blob: done to the answer after.
        key_again: whether the key goes out to a client that knows it, for the mistake to be seen.
    """

    data: Callable[[pb.PolicyData], None] = _nothing
    blob: Callable[[pb.PolicyFetchResponse], None] = _nothing
    key_again: bool = False


@dataclass(frozen=True, slots=True)
class CommandMistake:
    """One in a remote command.

    Attributes:
        command: done to the order before it is signed. signed: done to what is signed, after.
        unsigned: whether it goes out without a signature.
    """

    command: Callable[[pb.RemoteCommand], None] = _nothing
    signed: Callable[[pb.SignedData], None] = _nothing
    unsigned: bool = False


def _bad_signature(blob: pb.PolicyFetchResponse) -> None:
    blob.policy_data_signature = bytes(len(blob.policy_data_signature))


def _no_signature_type(blob: pb.PolicyFetchResponse) -> None:
    blob.ClearField("policy_data_signature_type")


def _bad_key_signature(blob: pb.PolicyFetchResponse) -> None:
    """The verification key vouches for nothing, neither in the new form nor in the old."""
    old, new = blob.new_public_key_verification_signature_deprecated, blob.new_public_key_verification_data_signature
    blob.new_public_key_verification_signature_deprecated = bytes(len(old))
    blob.new_public_key_verification_data_signature = bytes(len(new))


def _bad_new_key_signature(blob: pb.PolicyFetchResponse) -> None:
    """The key that the client holds did not sign the new one."""
    blob.new_public_key_signature = bytes(len(blob.new_public_key_signature))


def _error_code(blob: pb.PolicyFetchResponse) -> None:
    blob.error_code = 500


def _wrong_device_id(data: pb.PolicyData) -> None:
    data.device_id = f"not-{data.device_id}"


def _wrong_dm_token(data: pb.PolicyData) -> None:
    data.request_token = f"not-{data.request_token}"


def _older_timestamp(data: pb.PolicyData) -> None:
    data.timestamp -= _DAY_MS


def _undecodable_value(data: pb.PolicyData) -> None:
    data.policy_value = _UNDECODABLE


def _wrong_policy_type(data: pb.PolicyData) -> None:
    data.policy_type = f"{data.policy_type}-not"


def _wrong_user(data: pb.PolicyData) -> None:
    data.username = f"not-{data.username}"


def _wrong_domain(data: pb.PolicyData) -> None:
    data.username = f"{data.username}.not.example"


def _wrong_entity(data: pb.PolicyData) -> None:
    data.settings_entity_id = f"not-{data.settings_entity_id}"


def _bad_command_signature(signed: pb.SignedData) -> None:
    signed.signature = bytes(len(signed.signature))


def _wrong_device(command: pb.RemoteCommand) -> None:
    command.target_device_id = f"not-{command.target_device_id}"


POLICY_MISTAKES: Mapping[str, PolicyMistake] = {
    "bad_signature": PolicyMistake(blob=_bad_signature),
    "no_signature_type": PolicyMistake(blob=_no_signature_type),
    "bad_key_signature": PolicyMistake(blob=_bad_key_signature, key_again=True),
    "bad_new_key_signature": PolicyMistake(blob=_bad_new_key_signature, key_again=True),
    "error_code": PolicyMistake(blob=_error_code),
    "wrong_policy_type": PolicyMistake(_wrong_policy_type),
    "wrong_entity": PolicyMistake(_wrong_entity),
    "wrong_dm_token": PolicyMistake(_wrong_dm_token),
    "wrong_device_id": PolicyMistake(_wrong_device_id),
    "wrong_user": PolicyMistake(_wrong_user),
    "wrong_domain": PolicyMistake(_wrong_domain),
    "older_timestamp": PolicyMistake(_older_timestamp),
    "undecodable_value": PolicyMistake(_undecodable_value),
}
COMMAND_MISTAKES: Mapping[str, CommandMistake] = {
    "bad_signature": CommandMistake(signed=_bad_command_signature),
    "unsigned": CommandMistake(unsigned=True),
    "wrong_device": CommandMistake(_wrong_device),
}
# Kind of fault -> the mistakes that it can name.
MISTAKES: Mapping[str, Mapping[str, object]] = {"wrong_policy": POLICY_MISTAKES, "wrong_command": COMMAND_MISTAKES}
