"""The update engine downloads an offered system, checks it, and tells the server in the real order: 13, GET, 14, 3."""

from __future__ import annotations

from simulator.journeys.check_update import report
from simulator.protocols import updates
from simulator.traveller import Stopped, Traveller

STEPS = ("updates.event", "updates.payload")

# A download has no overall timeout on a device; it is given up when it stalls. This bounds one that never ends.
DOWNLOAD_TIMEOUT_S = 600.0


async def play(traveller: Traveller) -> None:
    """From the offer to the event that says it is installed; what failed is told and left to the next check."""
    device = traveller.device
    if device.offer is None:
        return
    (offer, session_id), device.offer = device.offer, None
    device.new_version = offer.version
    exchange, sink = updates.download(offer, session_id)
    await report(traveller, offer.client, session_id, updates.SUCCEEDED, kind=updates.DOWNLOAD_STARTED)
    try:
        await traveller.ask(exchange, timeout_s=DOWNLOAD_TIMEOUT_S, sink=sink)
    except Stopped as stopped:
        device.new_version = ""
        errorcode = updates.download_errorcode(stopped.trouble)
        await report(traveller, offer.client, session_id, updates.FAILED, errorcode=errorcode)
        raise
    await report(traveller, offer.client, session_id, updates.SUCCEEDED, kind=updates.DOWNLOAD_FINISHED)
    await report(traveller, offer.client, session_id, updates.SUCCEEDED)
    device.updated = True
    traveller.reached("updated")
