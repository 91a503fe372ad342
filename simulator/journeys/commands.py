"""What a device does for each remote command, as far as a device without a browser can: COMMANDS, a visible dict.

Facts: Chromium chrome/browser/ash/policy/remote_commands, one job a command; policy facts 2.8, 3 (f) and 4.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator import timers
from simulator.protocols.management import Command, CommandEnd, CommandKind, CommandResult
from simulator.traveller import Traveller

# DeviceCommandScreenshotJob::FAILURE_SCREENSHOT_ACQUISITION: no screen is attached, which is the truth here.
_NO_SCREEN = 2
# A browser reads the payload's numbers as int32 (base/values.h).
_LONGEST_NOTICE_S = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Job:
    """How one kind of command is carried out.

    Attributes:
        accepts: whether the command's payload (JSON, decoded) is one.
        run: does it. Returns: whether that went well, and the result's payload; None: nothing is known before a reboot.
        expiry_s: after which the order is not obeyed any more, counted from when it was given.
        then: the journey that begins once the server has answered to the result.
    """

    run: Callable[[Traveller, Command, Any], tuple[bool, str] | None]
    accepts: Callable[[Any], bool] = lambda payload: True
    expiry_s: float = timers.COMMAND_EXPIRY_S
    then: str = ""


def _succeed(traveller: Traveller, command: Command, payload: Any) -> tuple[bool, str]:
    return True, ""


def _reboot(traveller: Traveller, command: Command, payload: Any) -> tuple[bool, str] | None:
    """Done if the machine booted after the order was given; else it boots, and is given the same order again."""
    device, now = traveller.device, traveller.world.clock.now()
    if device.booted > now - command.age_ms / 1000:
        return True, ""
    traveller.later("boot", timers.RESTART_S + (_notice_s(payload) if device.in_session else 0))
    return None


def _notice_s(payload: Any) -> int:
    said = payload.get("user_session_delay_s") if isinstance(payload, dict) else None
    return said if isinstance(said, int) and 0 < said <= _LONGEST_NOTICE_S else 0


def _screenshot(traveller: Traveller, command: Command, payload: Any) -> tuple[bool, str]:
    return False, json.dumps({"result": _NO_SCREEN}, separators=(",", ":"))


def _fetch_status(traveller: Traveller, command: Command, payload: Any) -> tuple[bool, str]:
    device, now = traveller.device, traveller.world.clock.now()
    since_s = timers.STATUS_FORCED_S if device.status_ended is None else now - device.status_ended
    traveller.soon("upload_status", max(0.0, timers.STATUS_FORCED_S - since_s), trigger="follows")
    return True, ""


def _cannot(traveller: Traveller, command: Command, payload: Any) -> tuple[bool, str]:
    """It takes a screen, a modem, diagnostics or a person that an emulated device has not."""
    return False, ""


def _has_upload_url(payload: Any) -> bool:
    return isinstance(payload, dict) and isinstance(payload.get("fileUploadUrl"), str)


def _has_volume(payload: Any) -> bool:
    volume = payload.get("volume") if isinstance(payload, dict) else None
    return isinstance(volume, int) and not isinstance(volume, bool) and 0 <= volume <= 100


COMMANDS: dict[int | None, Job] = {
    CommandKind.DEVICE_REBOOT: Job(_reboot),
    CommandKind.DEVICE_SCREENSHOT: Job(_screenshot, _has_upload_url),
    CommandKind.DEVICE_SET_VOLUME: Job(_succeed, _has_volume),
    CommandKind.DEVICE_FETCH_STATUS: Job(_fetch_status),
    CommandKind.DEVICE_WIPE_USERS: Job(_succeed, expiry_s=timers.WIPE_USERS_EXPIRY_S, then="wipe_users"),
    CommandKind.DEVICE_REMOTE_POWERWASH: Job(_succeed, expiry_s=timers.POWERWASH_EXPIRY_S, then="wipe"),
    CommandKind.DEVICE_START_CRD_SESSION: Job(_cannot),
    CommandKind.DEVICE_REFRESH_ENTERPRISE_MACHINE_CERTIFICATE: Job(_cannot),
    CommandKind.DEVICE_GET_AVAILABLE_DIAGNOSTIC_ROUTINES: Job(_cannot),
    CommandKind.DEVICE_RUN_DIAGNOSTIC_ROUTINE: Job(_cannot),
    CommandKind.DEVICE_GET_DIAGNOSTIC_ROUTINE_UPDATE: Job(_cannot),
    CommandKind.DEVICE_RESET_EUICC: Job(_cannot),
    CommandKind.FETCH_CRD_AVAILABILITY_INFO: Job(_cannot),
    CommandKind.FETCH_SUPPORT_PACKET: Job(_cannot),
}


def obey(traveller: Traveller, command: Command) -> CommandResult | None:
    """Carry one order out. Returns: how it ended; None while that is not known, before a reboot."""
    job = COMMANDS.get(command.kind)
    payload = _decoded(command.payload)
    if job is None or not job.accepts(payload):
        return CommandResult(CommandEnd.RESULT_IGNORED, command.command_id)
    if command.age_ms / 1000 > job.expiry_s:
        return CommandResult(CommandEnd.RESULT_IGNORED, command.command_id, 0)
    ended = job.run(traveller, command, payload)
    if ended is None:
        return None
    result = CommandEnd.RESULT_SUCCESS if ended[0] else CommandEnd.RESULT_FAILURE
    return CommandResult(result, command.command_id, traveller.utc_ms(), ended[1])


def _decoded(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):
        return None
