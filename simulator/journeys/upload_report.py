"""Once a day a report about the user's browser, while user policy wants it (policy facts 2.7 and 4)."""

from __future__ import annotations

from simulator import timers
from simulator.draw import bits
from simulator.protocols import management
from simulator.protocols.management import UserReport
from simulator.traveller import Stopped, Traveller

STEPS = ("management.user_report",)


async def play(traveller: Traveller) -> None:
    """One report; the next follows from how it ended."""
    device = traveller.device
    if not device.in_session or device.user_identity is None:
        return
    try:
        await traveller.ask(management.user_report(device.user_identity, report_of(traveller)))
    except Stopped as stopped:
        _plan_next(traveller, management.ended_as(stopped.trouble))
        raise
    _plan_next(traveller, management.ended_as(None))


def report_of(traveller: Traveller) -> UserReport:
    """What this device tells of its user. The profile's folder is named by a hash of the user, as on a Chromebook."""
    device, facts, now = traveller.device, traveller.facts, traveller.world.clock.now()
    seed, row = traveller.plan.seed, device.row
    folder = "".join(f"{bits(seed, row, 'profile', part):016x}" for part in range(3))[:40]
    return UserReport(
        profile=f"/home/chronos/u-{folder}",
        name=facts.user.partition("@")[0],
        fetched_ms=traveller.utc_ms() - round((now - device.user_scheduler.ended) * 1000),
        affiliated=device.affiliated,
    )


def _plan_next(traveller: Traveller, status: str) -> None:
    device = traveller.device
    failed = status in timers.POLICY_ERRORS or status == "SERVICE_TOO_MANY_REQUESTS"
    device.report_failures = device.report_failures + 1 if failed else 0
    wait_s = timers.report_s(traveller.draw("user report"), status, device.report_failures)
    if wait_s is None:
        return
    retried = failed and device.report_failures <= timers.REPORT_RETRIES
    if not retried:
        device.report_ended = traveller.world.clock.now()
    traveller.later("upload_report", wait_s, trigger="retry" if retried else "timer")
