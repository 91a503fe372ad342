"""A device leaves the fleet: its user's registration is given up, then its own, and nothing is left on it.

No Chromebook of today does so by itself; it is what a fleet that was enrolled for a test owes to a server that counts
licences (policy facts 1.3: `unregister`, with the DM token).
"""

from __future__ import annotations

from simulator.journeys import wipe
from simulator.protocols import management
from simulator.protocols.messages import Skipped
from simulator.traveller import Stopped, Traveller

STEPS = ("management.unregister",)
MAYBE = ("management.unregister_user",)


async def play(traveller: Traveller) -> None:
    """Give up what there is; a device whose server says no keeps what it has, and is silent until it boots again."""
    device = traveller.device
    if device.identity is None:
        raise Stopped(STEPS[0], Skipped("earlier_step", "the device is not enrolled"))
    wipe.fall_silent(traveller)
    if device.user_identity is not None:
        await traveller.ask(management.unregister(device.user_identity, step=MAYBE[0]))
        device.user_identity = device.user_trust = None
    await traveller.ask(management.unregister(device.identity, step=STEPS[0]))
    wipe.forget(traveller)
