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
    traveller.hang_up()
    device.wire.forget_cookies()
    traveller.cancel(*_FORGOTTEN)
    fresh = Device(device.row, device.wire)
    # its chance goes on (a new device id is another one), and what it owes to the record; the system stays installed
    kept = ("open", "applied", "news", "drawn", "os_version", "new_version", "updated")
    lid_open = device.booted > 0
    for name in Device.__slots__:
        if name not in kept:
            setattr(device, name, getattr(fresh, name))
    traveller.abandon(("updated",), Skipped("earlier_step", "the device was wiped"))
    device.setting_up, device.lid_waits = True, lid_open
    traveller.later("enroll", 0, trigger="follows")
