"""The update engine asks for a new system; an offer starts the update. Timing and events are update_engine's."""

from __future__ import annotations

from simulator import timers
from simulator.protocols import updates
from simulator.protocols.updates import Offer, UpdateClient
from simulator.traveller import Stopped, Traveller

STEPS = ("updates.check",)
MAYBE = ("updates.event",)

# Only these slow a device's next checks down (next_update_check_policy_impl.cc).
OVERLOADED = (500, 503)


async def play(traveller: Traveller) -> None:
    """One scheduled check; the next one counts from this one's start."""
    device, plan = traveller.device, traveller.plan
    if device.updated:
        # The new system waits for a reboot and today's ping is out: update_engine makes no request at all.
        plan_next(traveller)
        return
    client = device.update_client or first_client(traveller)
    session_id = traveller.uuid("update session")
    exchange = updates.check(
        plan.updates_url,
        client,
        now=traveller.utc_ms() / 1000,
        request_id=traveller.uuid("update request"),
        session_id=session_id,
        previous_version=device.previous_version,
    )
    try:
        found = await traveller.ask(exchange)
    except Stopped as stopped:
        device.overloaded = device.overloaded + 1 if stopped.trouble.status in OVERLOADED else 0
        plan_next(traveller)
        await report(traveller, client, session_id, updates.FAILED, errorcode=updates.check_errorcode(stopped.trouble))
        raise
    device.overloaded, device.previous_version = 0, ""
    device.checked_ms = traveller.utc_ms() // 1000 * 1000  # update_engine counts whole seconds
    device.update_client = found.client
    plan_next(traveller, found.poll_s)
    if isinstance(found, Offer):
        device.offer = (found, session_id)
        traveller.opens("updated", traveller.start.due)
        traveller.later("update", 0, trigger="follows")


def first_client(traveller: Traveller) -> UpdateClient:
    """What a device's update engine is before it ever asked."""
    facts = traveller.facts
    return UpdateClient(
        appid=facts.appid,
        board=facts.board,
        hwid=facts.hwid,
        version=traveller.os_version,
        cpu=facts.arch,
    )


def plan_next(traveller: Traveller, poll_s: int = 0) -> None:
    """Put the next check on the agenda."""
    city_s = timers.update_check_s(
        traveller.draw("update check"), overloaded=traveller.device.overloaded, poll_s=poll_s
    )
    traveller.later("check_update", city_s, since=traveller.began)


async def report(
    traveller: Traveller,
    client: UpdateClient,
    session_id: str,
    result: int,
    *,
    kind: int = updates.UPDATE_COMPLETE,
    errorcode: int = 0,
) -> None:
    """Send one event. A device goes on whatever becomes of it: there is no retry (omaha_request_action.cc)."""
    exchange = updates.event(
        traveller.plan.updates_url,
        client,
        kind=kind,
        result=result,
        errorcode=errorcode,
        request_id=traveller.uuid("update request"),
        session_id=session_id,
    )
    try:
        await traveller.ask(exchange)
    except Stopped:
        return
