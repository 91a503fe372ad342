"""What one device on one journey leaves in the record: every stamp, sample and milestone of a device is made here.

Nothing here sends, waits or plans; that is the traveller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simulator.agenda import Start
from simulator.device import APPLIED, Device
from simulator.protocols.messages import Response, Skipped, Trouble
from simulator.world import World


class Recorded:
    """One device on one journey, as far as the record goes.

    Args:
        start: what the agenda gave; the first step is due then.
        able: when the device was free to begin, in run seconds.
    """

    __slots__ = ("_able", "_due", "_trigger", "asked", "device", "start", "world")

    def __init__(self, world: World, device: Device, start: Start, able: float) -> None:
        self.world = world
        self.device = device
        self.start = start
        self.asked: set[str] = set()
        self._due = start.due
        self._able = able
        self._trigger = start.trigger

    def found(self, step: str, trouble: Trouble) -> None:
        """Record that a step cannot even be sent, for what a server sent along before was broken."""
        now = self.world.clock.now()
        self._sample(step, due=now, able=now, sent=now, done=now, trigger="follows", trouble=trouble)
        self.world.tape.example(step, trouble, done=now, device=self.device.row, url="")

    def opens(self, milestone: str, due: float) -> None:
        """From now on the device owes that milestone, counted from `due`."""
        self.device.open[milestone, 0] = due

    def reached(self, milestone: str) -> None:
        """The device got there; recorded if it owed it."""
        due = self.device.open.pop((milestone, 0), None)
        if due is not None:
            self._milestone(milestone, due, self.start.trigger, 0)

    def applied(self, policy: str, timestamp_ms: int) -> None:
        """Policy of that timestamp (Publish.policy says which) is in force: close each publish that it contains.

        A device that was online at the publish knows from its push when the change was made and closes with trigger
        `push`. One that comes later knows only the policy's own timestamp, and closes with trigger `follows`.
        """
        device, world = self.device, self.world
        now = world.clock.now()
        for publish in world.plan.publishes:
            if publish.policy != policy or publish.action in device.applied or publish.due > now:
                continue
            made_ms = device.news.get(publish.action)
            if made_ms is None:
                made_ms = int((world.clock.utc() - now + publish.due) * 1000)  # a server writes whole ones that began
            if timestamp_ms >= made_ms:
                device.applied |= {publish.action}
                device.news.pop(publish.action, None)
                owed = device.open.pop((APPLIED, publish.action), None)
                trigger = "follows" if owed is None else "push"
                self._milestone(APPLIED, publish.due, trigger, publish.action)

    def skip(self, steps: Iterable[str]) -> None:
        """Record those steps as skipped, but for what was asked on this journey or never is: one did not end ok."""
        now = self.world.clock.now()
        trouble = Skipped("earlier_step")
        for step in steps:
            if step not in self.asked and step not in self.world.plan.unasked:
                self.asked.add(step)
                self._sample(step, due=now, able=now, sent=now, done=now, trigger="follows", trouble=trouble)

    def abandon(self, milestones: Iterable[str], trouble: Trouble) -> None:
        """The device will not get there: close those that it owes with the trouble that stopped it."""
        now = self.world.clock.now()
        for milestone in milestones:
            due = self.device.open.pop((milestone, 0), None)
            if due is not None:
                self._sample(milestone, due=due, able=due, sent=due, done=now, trigger="follows", trouble=trouble)

    def _milestone(self, milestone: str, due: float, trigger: str, action: int) -> None:
        now = self.world.clock.now()
        self._sample(milestone, due=due, able=due, sent=due, done=now, trigger=trigger, action=action)

    def _record(
        self,
        step: str,
        sent: float,
        trouble: Trouble | None,
        response: Response | None,
        url: str,
        *,
        attempt: int = 1,
    ) -> None:
        """Record the journey's own exchange that ended just now; the next is due from here on."""
        self._due = self._able = self._stamp(
            step, sent, trouble, response, url, due=self._due, able=self._able, attempt=attempt
        )
        self._trigger = "follows"

    def _stamp(
        self,
        step: str,
        sent: float,
        trouble: Trouble | None,
        response: Response | None,
        url: str,
        *,
        due: float,
        able: float,
        attempt: int = 1,
    ) -> float:
        """Record one exchange that ended just now. Returns: when that was."""
        world, start = self.world, self.start
        done = world.clock.now()
        status, bytes_in, bytes_out = (
            (0, 0, 0) if response is None else (response.status, response.bytes_in, response.bytes_out)
        )
        world.tape.sample(
            step,
            due=due,
            able=able,
            sent=sent,
            done=done,
            device=start.device,
            trigger=self._trigger,
            journey=start.journey,
            trouble=trouble,
            status=status,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
            action=start.action,
            attempt=attempt,
        )
        if trouble is not None:
            world.tape.example(step, trouble, done=done, device=start.device, url=url)
        return done

    def _sample(self, step: str, **fields: Any) -> None:
        self.world.tape.sample(step, device=self.device.row, journey=self.start.journey, **fields)
