"""A device is wiped (powerwash): all that it kept is gone, and its setup begins anew.

It tells the server nothing: a Chromebook never unregisters, it comes back through state determination, known by its
state key, and its new registration replaces the old one (policy facts 3 a0, 3 f; Chromium
device_command_remote_powerwash_job.cc hands the wipe to session_manager and is done).
"""

from __future__ import annotations

from simulator.device import Device
from simulator.journeys import life
from simulator.protocols.messages import Skipped
from simulator.traveller import Traveller

STEPS: tuple[str, ...] = ()
# What a wiped device does no more until it is enrolled again and boots.
_FORGOTTEN = (
    *("remember", "sign_in", "unlock", "upload_status", "check_update", "update"),
    *life.OF_BOOT,
    *life.OF_USER,
)


async def play(traveller: Traveller) -> None:
    """Forget everything but who the machine is; then enroll, and boot again if the lid is open."""
    device = traveller.device
    lid_open = device.booted > 0
    fall_silent(traveller)
    forget(traveller)
    traveller.abandon(("updated",), Skipped("earlier_step", "the device was wiped"))
    device.setting_up, device.lid_waits = True, lid_open
    traveller.later("enroll", 0, trigger="follows")


def fall_silent(traveller: Traveller) -> None:
    """Nothing more is heard, and nothing that was planned is begun."""
    traveller.hang_up()
    traveller.cancel(*_FORGOTTEN)


def forget(traveller: Traveller) -> None:
    """The machine is as it came. Its chance goes on (a new device id is another one), and so does what it owes to the
    record; the system stays installed."""
    device = traveller.device
    device.wire.forget_cookies()
    fresh = Device(device.row, device.wire)
    kept = ("open", "applied", "news", "drawn", "os_version", "new_version", "updated")
    for name in Device.__slots__:
        if name not in kept:
            setattr(device, name, getattr(fresh, name))
