"""The values of the kinds of policy: what they are before anybody published, and how a publish changes them.

Messages and plain values only; nothing is stored or signed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from simulator.protocols import management_pb2 as pb

# Kind of policy -> the message its payload is, and what it says at first.
MESSAGES: Mapping[str, type[Message]] = {
    "device": pb.ChromeDeviceSettingsProto,
    "user": pb.CloudPolicySettings,
    "account": pb.CloudPolicySettings,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "device": {
        "device_policy_refresh_rate": 10_800_000,
        "guest_mode_enabled": False,
        "metrics_enabled": True,
        "release_channel": {"release_channel": "stable-channel"},
        "device_reporting": {
            "report_os_update_status": True,
            "report_cpu_info": True,
            "report_memory_info": True,
            "report_storage_status": True,
            "device_status_frequency": 10_800_000,
        },
        "auto_update_settings": {"http_downloads_enabled": True, "scatter_factor_in_seconds": 0},
    },
    "user": {
        "HomepageLocation": "https://intranet.city.example/",
        "ShowHomeButton": True,
        "BookmarkBarEnabled": True,
        "SAMLOfflineSigninTimeLimit": 86_400,
    },
    # Of whoever uses an account that belongs to a device, at a counter or a meeting room.
    "account": {
        "HomepageLocation": "https://www.city.example/",
        "ShowHomeButton": True,
    },
}


def payload_of(kind: str, changes: Mapping[str, Any], before: bytes = b"") -> bytes:
    """The payload after some named policies were set; those not named stay as they were.

    Args:
        kind: "device", "user" or "account".
        changes: name -> value. A message takes a mapping, or straight away the one value it is about; a repeated field
            takes a list, an enum its value's name; None unsets.
        before: the payload so far.
    Raises:
        ValueError: there is no such kind, policy or field, or the value does not fit.
    """
    if kind not in MESSAGES:
        raise ValueError(f"policy {kind!r}: expected one of {', '.join(MESSAGES)}")
    message = MESSAGES[kind]()
    message.ParseFromString(before)
    _set_all(message, changes, "")
    return message.SerializeToString(deterministic=True)


def _set_all(message: Message, changes: Mapping[str, Any], where: str) -> None:
    fields = message.DESCRIPTOR.fields_by_name
    for name, value in changes.items():
        field = fields.get(name) if isinstance(name, str) else None
        if field is None:
            near = get_close_matches(str(name), fields, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(sorted(fields)[:40])}"
            raise ValueError(f"no policy {where}{name}{hint}")
        _set(message, field, value, f"{where}{name}")


def _set(message: Message, field: Any, value: object, where: str) -> None:
    if value is None or field.is_repeated:
        message.ClearField(field.name)
    if value is None:
        return
    if field.message_type is not None:
        _set_messages(message, field, value, where)
        return
    try:
        if not field.is_repeated:
            setattr(message, field.name, _plain(field, value))
        elif isinstance(value, list | tuple):
            getattr(message, field.name).extend([_plain(field, entry) for entry in value])
        else:
            raise TypeError("expected a list")
    except (TypeError, ValueError) as fault:
        raise ValueError(f"policy {where}: {fault}") from None


def _set_messages(message: Message, field: Any, value: object, where: str) -> None:
    fields, inner = field.message_type.fields_by_name, getattr(message, field.name)
    if not field.is_repeated:
        _set_inner(inner, fields, value, where)
        return
    if not isinstance(value, list | tuple):
        raise ValueError(f"policy {where}: expected a list")
    for number, entry in enumerate(value):
        _set_inner(inner.add(), fields, entry, f"{where}[{number}]")


def _set_inner(inner: Message, fields: Mapping[str, Any], value: object, where: str) -> None:
    """Fill a sub-message, from a mapping or from the value that it is about."""
    inner.SetInParent()
    if isinstance(value, Mapping):
        _set_all(inner, value, f"{where}.")
        return
    # The one value: `value` in CloudPolicySettings, `entries` of a list; elsewhere the field named like the policy.
    for name in ("value", "entries", where.rpartition(".")[2]):
        if name in fields:
            _set(inner, fields[name], value, where)
            return
    raise ValueError(f"policy {where}: expected an object with {', '.join(fields)}")


def _plain(field: Any, value: object) -> object:
    if field.enum_type is None:
        # Python counts True as 1, and protobuf takes both for either.
        if isinstance(value, bool) != (field.cpp_type == FieldDescriptor.CPPTYPE_BOOL):
            raise TypeError(f"{value!r} does not fit")
        return value
    if isinstance(value, str) and value in field.enum_type.values_by_name:
        return field.enum_type.values_by_name[value].number
    raise TypeError(f"{value!r}: expected one of {', '.join(field.enum_type.values_by_name)}")
