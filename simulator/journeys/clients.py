"""The two clients of a device that a push may wake: its own and its user's. When each fetches policy again, and where
each stands with its push token.

Facts: Chromium cloud_policy_refresh_scheduler.cc, fm_registration_token_uploader.cc; policy facts 3 (d), (e) and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator import timers
from simulator.device import Device, Scheduler
from simulator.protocols import management
from simulator.protocols.management import Identity, PushKind
from simulator.protocols.messages import Trouble
from simulator.traveller import Stopped, Traveller


@dataclass(frozen=True, slots=True)
class Client:
    """One of the two.

    Attributes:
        sync, renew: the journeys of its timers.
        kind: whose push token it is.
        identity, scheduler, refresh_ms: what a device holds for it.
    """

    sync: str
    renew: str
    kind: int
    identity: Callable[[Device], Identity | None]
    scheduler: Callable[[Device], Scheduler]
    refresh_ms: Callable[[Device], int | None]


DEVICE = Client(
    "sync_policy",
    "renew_push_token",
    PushKind.DEVICE,
    lambda device: device.identity,
    lambda device: device.scheduler,
    lambda device: device.settings.refresh_ms if device.settings else None,
)
USER = Client(
    "sync_user_policy",
    "renew_user_push_token",
    PushKind.USER,
    lambda device: device.user_identity,
    lambda device: device.user_scheduler,
    lambda device: device.user_settings.refresh_ms if device.user_settings else None,
)


def note(traveller: Traveller, scheduler: Scheduler, trouble: Trouble | None) -> None:
    """Remember how a fetch ended."""
    scheduler.status = management.ended_as(trouble)
    scheduler.ended = traveller.world.clock.now()
    scheduler.failures = scheduler.failures + 1 if scheduler.status in timers.POLICY_ERRORS else 0


def next_fetch(traveller: Traveller, scheduler: Scheduler, refresh_ms: int | None, jitter: str) -> float | None:
    """The run second of the next scheduled fetch; None: never again. One that is overdue has no jitter."""
    wait_s = timers.policy_wait_s(
        scheduler.status,
        failures=scheduler.failures,
        configured_s=timers.POLICY_REFRESH_S if refresh_ms is None else refresh_ms / 1000,
        managed=scheduler.managed,
        push_works=scheduler.pushes,
    )
    if wait_s is None:
        return None
    now = traveller.world.clock.now()
    if scheduler.ended + traveller.squeezed(wait_s) <= now:
        return now
    return scheduler.ended + traveller.squeezed(wait_s + timers.policy_jitter_s(traveller.fixed_draw(jitter)))


def plan_sync(traveller: Traveller, client: Client) -> None:
    """Put a client's next scheduled fetch on the agenda, as its scheduler does whenever something changes."""
    scheduler = client.scheduler(traveller.device)
    due = next_fetch(traveller, scheduler, client.refresh_ms(traveller.device), f"jitter of {client.sync}")
    if due is None:
        traveller.cancel(client.sync)
    else:
        traveller.at(client.sync, due, trigger="retry" if scheduler.failures else "timer")


async def tell_push_token(traveller: Traveller, client: Client) -> None:
    """Upload the push token for a client's registration; the next time is a day later, or after a growing wait.

    Where there has been no push line there is no token either: whoever gets the line tells it.

    Raises: Stopped.
    """
    device, scheduler = traveller.device, client.scheduler(traveller.device)
    if device.line is None and not scheduler.pushes:
        return
    who = client.identity(device)
    assert who is not None
    until_ms = traveller.utc_ms() + round(timers.PUSH_TOKEN_LIFE_S * 1000)
    try:
        await traveller.ask(management.push_token(who, traveller.push_token, client.kind, expiration_ms=until_ms))
    except Stopped:
        scheduler.token_failures += 1
        wait_s = timers.push_token_s(traveller.draw(client.renew), scheduler.token_failures)
        traveller.later(client.renew, wait_s, trigger="retry")
        raise
    scheduler.token_failures = 0
    traveller.later(client.renew, timers.push_token_s(0.0, 0))
    if client is DEVICE:
        device.online = device.line is not None
    if not scheduler.pushes:
        scheduler.pushes = True
        plan_sync(traveller, client)
