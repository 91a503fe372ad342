"""Plays one shard: takes due starts from the agenda, lets each device travel, one task a running journey.

It works on any asyncio loop and any Clock, so real time and virtual time play the same code. No socket, no file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from simulator.agenda import Start
from simulator.device import APPLIED, Device, Expiry, Publish, Wire
from simulator.journeys import JOURNEYS
from simulator.journeys.hearing import hears_of, on_line_lost, on_push
from simulator.journeys.session import on_expiry
from simulator.protocols.messages import Push, Skipped, Trouble, Unknown
from simulator.traveller import Stopped, Traveller
from simulator.world import World

# What a device owes to something that happened before the end.
_CONSEQUENCES = frozenset({"follows", "push"})


class Player:
    """The interpreter of one shard's agenda.

    Args:
        world: what the travellers share; its agenda is the one played.
        wire_of: makes the wire of a fleet row.
        devices: what rows remember from an earlier run (identities of a fleet enrolled before).
    """

    def __init__(
        self, world: World, wire_of: Callable[[int], Wire], devices: Mapping[int, Device] | None = None
    ) -> None:
        self.world = world
        self.devices: dict[int, Device] = dict(devices or {})
        self.failure: BaseException | None = None
        self.finished = asyncio.Event()
        self._wire_of = wire_of
        self._running: dict[tuple[int, str], asyncio.Task[None]] = {}
        self._held: dict[tuple[int, str], Start] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._events: list[Publish | Expiry] = sorted(
            (*world.plan.publishes, *world.plan.expiries), key=lambda event: event.due
        )
        self._stopping = self._closed = False
        world.heard = self._heard
        world.line_lost = self._lost
        world.together = lambda ways: asyncio.gather(*ways)
        world.agenda.sooner = self._arm

    @property
    def online(self) -> int:
        """Devices that hold a push line and have told the management service so."""
        return sum(device.online for device in self.devices.values())

    @property
    def at_rest(self) -> bool:
        """Whether nothing is under way, owed, or pushed and not yet acted on."""
        return not self._running and not any(device.open or device.pushed for device in self.devices.values())

    def close_doors(self) -> None:
        """Begin nothing new: from here on only what follows from what is under way or was pushed."""
        self._closed = True

    def begin(self) -> None:
        """Start to play what the agenda holds."""
        self._arm()

    async def stop(self) -> None:
        """Start nothing more, let go of what runs, close what is open as unknown, hang up every line."""
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._close_open()
        for device in self.devices.values():
            if device.line is not None:
                device.line.close()
            device.wire.close()

    def _arm(self) -> None:
        """Wake when the next start, publish or expiry is due."""
        if self._stopping or self.failure is not None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.world.agenda.next_due()
        if self._events and (due is None or self._events[0].due < due):
            due = self._events[0].due
        if due is not None:
            self._timer = self._loop.call_later(max(0.0, due - self.world.clock.now()), self._turn)

    def _turn(self) -> None:
        """Begin all that is due. A timer that woke early finds nothing due and arms again."""
        self._timer = None
        now = self.world.clock.now()
        while self._events and self._events[0].due <= now:
            event = self._events.pop(0)
            if isinstance(event, Publish):
                self._published(event)
            else:
                self._expired(event)
        while (start := self.world.agenda.pop(now)) is not None:
            if not self._closed or start.trigger in _CONSEQUENCES:
                self._due(start)
        self._arm()

    def _published(self, publish: Publish) -> None:
        """From here on each device that hears of it now owes to have it applied."""
        for device in self.devices.values():
            if hears_of(device, publish):
                device.open[APPLIED, publish.action] = publish.due

    def _expired(self, expiry: Expiry) -> None:
        """Each device with a session finds its token dead, at its next call."""
        for device in self.devices.values():
            start = on_expiry(self.world, device, expiry)
            if start is not None:
                self.world.agenda.put(start)

    def _device(self, row: int) -> Device:
        device = self.devices.get(row)
        if device is None:
            device = self.devices[row] = Device(row, self._wire_of(row))
        return device

    def _due(self, start: Start) -> None:
        journey = JOURNEYS[start.journey]
        device = self._device(start.device)
        if start.trigger == "planned":
            for milestone in journey.opens:
                if (milestone, 0) in device.open:
                    self._close(device, milestone, 0, Skipped("earlier_step", "the lid was opened again"))
                device.open[milestone, 0] = start.due
        if any((start.device, name) in self._running for name in (start.journey, *journey.after)):
            self._held[start.device, start.journey] = start
            return
        self._go(device, start, start.due)

    def _go(self, device: Device, start: Start, able: float) -> None:
        traveller = Traveller(self.world, device, start, able)
        key = (start.device, start.journey)
        self._running[key] = self._loop.create_task(self._travel(traveller, key))

    async def _travel(self, traveller: Traveller, key: tuple[int, str]) -> None:
        journey = JOURNEYS[key[1]]
        try:
            await journey.play(traveller)
        except Stopped as stopped:
            traveller.skip(journey.skipped(traveller))
            for name in journey.then(traveller):
                traveller.skip(JOURNEYS[name].skipped(traveller))
            traveller.abandon(journey.owes, stopped.trouble)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            # our own bug: nothing more is begun, and whoever waits for the end raises it
            self.failure = self.failure or error
            self._closed = True
            self.finished.set()
        finally:
            del self._running[key]
            if not self._stopping:
                self.world.rested(traveller.device)
                self._release(traveller.device)

    def _release(self, device: Device) -> None:
        """A journey ended: begin what had to wait for it."""
        if not self._held:
            return
        for name in [name for row, name in self._held if row == device.row]:
            start = self._held[device.row, name]
            if any((device.row, other) in self._running for other in (name, *JOURNEYS[name].after)):
                continue
            del self._held[device.row, name]
            self._go(device, start, self.world.clock.now())

    def _heard(self, device: Device, push: Push) -> None:
        start = on_push(self.world, device, push)
        if start is not None:
            self.world.agenda.put(start)

    def _lost(self, device: Device, reason: str) -> None:
        device.line = None
        device.online = False
        if not self._stopping:
            self.world.agenda.put(on_line_lost(self.world, device))

    def _close_open(self) -> None:
        for device in self.devices.values():
            for milestone, action in sorted(device.open):
                self._close(device, milestone, action, Unknown("run_ended"))

    def _close(self, device: Device, milestone: str, action: int, trouble: Trouble) -> None:
        """The device will not get there: what it owes of a milestone ends with that trouble."""
        due = device.open.pop((milestone, action))
        self.world.tape.sample(
            milestone,
            due=due,
            able=due,
            sent=due,
            done=max(self.world.clock.now(), due),
            device=device.row,
            trigger="push" if milestone == APPLIED else "planned",
            journey="apply_push" if milestone == APPLIED else "boot",
            trouble=trouble,
            action=action,
        )
