"""What is kept of a fleet's enrollment from one run to the next, as values and as lines of JSON. Pure.

DM and refresh tokens are in it, so nothing of it may be printed or put into a run folder. Its file is
enrollments_file.py's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from simulator.device import Device, Wire
from simulator.protocols.management import Identity, Trust

ENROLLED, DISABLED, UNENROLLED = STATES = ("enrolled", "disabled", "unenrolled")


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What one fleet row keeps.

    Attributes:
        device: what it holds of its own registration and policy; None: it has to enroll (again).
        user: the same of its user's registration; an ephemeral user leaves none.
        refresh_token, affiliated: of the user, affiliation_ids, disabled, drawn: of the device; as of Device.
    """

    row: int
    device: Trust | None
    user: Trust | None = None
    refresh_token: str = ""
    affiliated: bool = False
    affiliation_ids: tuple[str, ...] = ()
    disabled: bool = False
    drawn: int = 0

    @property
    def state(self) -> str:
        """One of STATES."""
        return UNENROLLED if self.device is None else DISABLED if self.disabled else ENROLLED

    def wiped(self) -> Enrollment:
        """The same machine after a wipe: it enrolls anew, under ids that it never had."""
        return Enrollment(self.row, None, drawn=self.drawn)


def enrollment_of(device: Device) -> Enrollment:
    """What is to be kept of a device between two journeys, when it is enrolled or not, and never half."""
    if device.identity is None or device.forgotten or device.setting_up:
        return Enrollment(device.row, None, drawn=device.drawn)
    kept = Enrollment(
        device.row,
        _without_key(device.trust),
        affiliation_ids=device.affiliation_ids,
        disabled=device.disabled,
        drawn=device.drawn,
    )
    if device.user_identity is None or (device.settings is not None and device.settings.ephemeral_users):
        return kept
    user = _without_key(device.user_trust)
    return replace(kept, user=user, refresh_token=device.refresh_token, affiliated=device.affiliated)


def _without_key(trust: Trust | None) -> Trust | None:
    return None if trust is None else replace(trust, verification_key=None)


def device_of(
    kept: Enrollment, wire: Wire, identify: Callable[[str], Identity], verification_key: bytes | None
) -> Device:
    """The device as it was.

    Args:
        identify: who a client of that device id is, without a DM token.
        verification_key: as of Trust; what is trusted is this run's business.
    """
    device = Device(kept.row, wire, drawn=kept.drawn)
    if kept.device is None:
        return device
    device.identity = replace(identify(kept.device.device_id), dm_token=kept.device.dm_token)
    device.trust = replace(kept.device, verification_key=verification_key)
    if kept.user is not None:
        device.user_identity = replace(identify(kept.user.device_id), dm_token=kept.user.dm_token)
        device.user_trust = replace(kept.user, verification_key=verification_key)
        device.refresh_token, device.affiliated = kept.refresh_token, kept.affiliated
    device.affiliation_ids, device.disabled = kept.affiliation_ids, kept.disabled
    return device


class Writer:
    """Turns enrollments into lines; a policy key that many hold gets a line of its own, before the first holder's."""

    def __init__(self) -> None:
        self._named: dict[bytes, str] = {}

    def lines(self, kept: Enrollment) -> Iterator[str]:
        """The lines of one row."""
        for trust in (kept.device, kept.user):
            if trust is not None and trust.public_key not in self._named:
                name = self._named[trust.public_key] = sha256(trust.public_key).hexdigest()[:16]
                yield _json({"key": name, "der": base64.b64encode(trust.public_key).decode()})
        told: dict[str, Any] = {"row": kept.row, "drawn": kept.drawn}
        if kept.device is not None:
            told |= {"device": self._told(kept.device, domain=kept.device.domain)}
            told |= {"affiliation_ids": kept.affiliation_ids, "disabled": kept.disabled}
        if kept.user is not None:
            told |= {"user": self._told(kept.user, username=kept.user.username)}
            told |= {"refresh_token": kept.refresh_token, "affiliated": kept.affiliated}
        yield _json(told)

    def _told(self, trust: Trust, **whose: str) -> dict[str, Any]:
        return {
            "id": trust.device_id,
            "token": trust.dm_token,
            **whose,
            "key": self._named[trust.public_key],
            "version": trust.key_version,
            "timestamp_ms": trust.timestamp_ms,
        }


class Reader:
    """Turns lines back into enrollments."""

    def __init__(self) -> None:
        self._keys: dict[str, bytes] = {}

    def read(self, line: str) -> Enrollment | None:
        """The row of a line; None for the line of a key. Raises: ValueError, which repeats nothing of the line."""
        try:
            told = json.loads(line)
            if "key" in told:
                self._keys[told["key"]] = base64.b64decode(told["der"], validate=True)
                return None
            kept = Enrollment(
                _whole(told["row"]),
                self._trust(told.get("device")),
                self._trust(told.get("user")),
                str(told.get("refresh_token", "")),
                told.get("affiliated") is True,
                tuple(str(entry) for entry in told.get("affiliation_ids", ())),
                told.get("disabled") is True,
                _whole(told["drawn"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            # none of their messages: they may quote a token
            raise ValueError("not an enrollment") from None
        return kept

    def _trust(self, told: Mapping[str, Any] | None) -> Trust | None:
        if told is None:
            return None
        texts = (told["token"], told["id"], told.get("username", ""), told.get("domain", ""))
        if not all(isinstance(text, str) for text in texts):
            raise ValueError
        return Trust(*texts, _whole(told["version"]), self._keys[told["key"]], _whole(told["timestamp_ms"]))


class Recorder:
    """Notices in an engine what changed of its devices' enrollments, and tells it in lines.

    Args:
        kept: what was kept before.
    """

    def __init__(self, kept: Iterable[Enrollment] = ()) -> None:
        self._told = {enrollment.row: enrollment for enrollment in kept}
        self._changed: dict[int, Enrollment] = {}
        self._writer = Writer()

    def note(self, device: Device) -> None:
        """A journey of the device is over."""
        now, told = enrollment_of(device), self._told.get(device.row) or Enrollment(device.row, None)
        if now != replace(told, drawn=now.drawn):
            self._told[device.row] = self._changed[device.row] = now

    def close(self, device: Device) -> None:
        """The run is over for the device: how many numbers it drew is told as well, if it has anything to keep."""
        now = enrollment_of(device)
        if self._told.get(device.row, now) != now:
            self._told[device.row] = self._changed[device.row] = now

    def take(self) -> bytes:
        """The lines of all that changed since the last time, each with a newline; empty when nothing did."""
        changed, self._changed = self._changed, {}
        return "".join(f"{line}\n" for kept in changed.values() for line in self._writer.lines(kept)).encode()


def _json(value: dict[str, Any]) -> str:
    # ASCII alone: a server's words may hold what str.splitlines takes for the end of a line
    return json.dumps(value, separators=(",", ":"))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("not a whole number")
    return value
