"""Plays one shard in real time: one process, one asyncio loop on uvloop, frames out, two lines in.

Standard input brings the order (one JSON line), then t0, then perhaps "stop"; the engine lives while it is open.
Standard output carries frames only (simulator.pipe). It touches no disk.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import uvloop

from scenarios.targets import Targets
from simulator import pipe
from simulator.agenda import Agenda
from simulator.enrollments import Recorder
from simulator.fleet import DeviceFacts
from simulator.health import Health
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.machine import allow_descriptors
from simulator.operator import OPERATOR_ROW
from simulator.order import Order, devices_of
from simulator.orphans import end_at_once_with_parent
from simulator.player import Player
from simulator.protocols.messages import Push, PushLine, PushLogin, Request, Response, Sink
from simulator.protocols.naming import user_agent_of
from simulator.tape import Tape
from simulator.wire.guard import Authorisation, Guard
from simulator.wire.http import HttpLine, HttpPool
from simulator.wire.mqtt import PushLines
from simulator.wire.tls import TlsSettings
from simulator.world import World

# Chrome keeps an unused connection five minutes; 2,680 devices with four each must fit under 20,000 descriptors.
IDLE_S = 30.0
FLUSH_S = 0.25
DRAIN_S = 45.0
PUSH_TIMEOUT_S = 30.0


_PORTS = {"http": 80, "https": 443, "mqtt": 1883, "mqtts": 8883}


def settle_memory() -> None:
    """Leave what there is now to itself: a full collection walks every device and stops the loop for 100 ms, so from
    here on only the youngest objects are looked at."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10_000, 10)


class RealClock:
    """Run seconds on the machine's monotonic clock."""

    def __init__(self, t0: float, utc0: float) -> None:
        self._t0 = t0
        self._utc0 = utc0

    def now(self) -> float:
        """Seconds since t0."""
        return time.monotonic() - self._t0

    async def until(self, instant: float) -> None:
        """Sleep until that run second; asyncio may wake early, so look again."""
        while (left := instant - self.now()) > 0:  # noqa: ASYNC110 - a clock, not a condition, is waited for
            await asyncio.sleep(left)

    def utc(self) -> float:
        """Unix seconds, steady within a run even if the machine's wall clock is set."""
        return self._utc0 + self.now()


class Sockets:
    """What the wires of one engine share: the guard, the HTTP pool, TLS settings of the targets.

    Args:
        targets: what may be loaded, and how hard by all engines together.
        shards: how many engines there are.
        hosts: as HttpPool.
        provider_urls: of the identity provider besides its target's url, as its metadata tells them.
    """

    def __init__(
        self,
        targets: Targets,
        *,
        shards: int = 1,
        hosts: Mapping[str, str] | None = None,
        provider_urls: Iterable[str] = (),
    ) -> None:
        leave = targets.authorisation
        told = None if leave is None else leave.model_dump(by_alias=True)
        if told is not None:
            # the cap is for all engines together
            told["max_rate_per_s"] /= shards
        self.guard = Guard(None if told is None else Authorisation.parse(told))
        named = targets.named()
        places = [(target.url, target) for target in named.values()]
        places += [(url, named["identity"]) for url in provider_urls]
        tls = {_location(url): TlsSettings(target.ca_file or "", target.verify_tls) for url, target in places}
        self.pool = HttpPool(guard=self.guard, idle_s=IDLE_S, tls=tls, stand_ins=hosts)
        push = targets.targets.push
        self.lines = PushLines(guard=self.guard, tls=tls, sources=push.source_addresses if push else ())

    @classmethod
    def of(cls, order: Order) -> Sockets:
        """Of the engine that plays an order."""
        provider = order.provider
        urls = provider.sso_urls.values() if provider else ()
        return cls(order.targets, shards=order.shards, hosts=order.hosts, provider_urls=urls)

    def wire(self, facts: DeviceFacts | None) -> SocketWire:
        """One device's, or the operator's (None), who has no browser."""
        line = self.pool.device() if facts is None else self.pool.device(user_agent=user_agent_of(facts.chrome_version))
        return SocketWire(line, self.lines)

    async def close(self) -> None:
        """Close every connection but the push lines: those are closed by whoever has them."""
        await self.pool.close()
        await self.lines.close()


def _location(url: str) -> str:
    """The "host:port" of a target's URL."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or _PORTS[parts.scheme]}"


class SocketWire:
    """One device's way out over real sockets."""

    __slots__ = ("_line", "_lines")

    def __init__(self, line: HttpLine, lines: PushLines) -> None:
        self._line = line
        self._lines = lines

    def send(self, request: Request, *, timeout_s: float, sink: Sink | None = None) -> Coroutine[Any, Any, Response]:
        """As Wire.send."""
        return self._line.send(request, timeout_s=timeout_s, sink=sink)

    async def listen(self, login: PushLogin, hear: Callable[[Push], None], lost: Callable[[str], None]) -> PushLine:
        """As Wire.listen."""
        return await self._lines.listen(login, hear, lost, timeout_s=PUSH_TIMEOUT_S)

    def forget_cookies(self) -> None:
        """As Wire.forget_cookies."""
        self._line.forget_cookies()

    def close(self) -> None:
        """As Wire.close."""
        self._line.close()


class Engine:
    """One shard from order to end."""

    def __init__(self, order: Order, out: asyncio.WriteTransport) -> None:
        self.order = order
        self.out = out
        self.stopped = asyncio.Event()
        self._frames = 0

    async def play(self, instructions: asyncio.StreamReader) -> None:
        """Get ready, wait for t0, play to the end, tell how many samples there are."""
        tape = Tape(STEPS, JOURNEY_NAMES)
        fleet, kept = self.order.fleet(), self.order.remembered()
        self.order = replace(self.order, kept="")  # half a kilobyte a device
        plan, agenda, sockets = self.order.plan(fleet), Agenda(), Sockets.of(self.order)
        for start in self.order.starts(fleet):
            agenda.put(start)

        def wire_of(row: int) -> SocketWire:
            return sockets.wire(None if row == OPERATOR_ROW else plan.facts(row))

        devices, recorder = devices_of(kept, plan, wire_of), Recorder(kept.values())
        settle_memory()
        self._send(pipe.READY)
        t0_line = await instructions.readline()
        if t0_line in (b"", b"stop\n"):
            self._end(0)
            return
        t0 = json.loads(t0_line)
        clock = RealClock(t0["t0"], t0["utc"])
        world = World(plan, clock, agenda, tape)
        player = Player(world, wire_of, devices)
        del kept, devices
        if self.order.keeps:
            world.rested = recorder.note
        health = Health(
            f"engine-{self.order.shard}",
            clock.now,
            lambda row: self._send(pipe.HEALTH, row),
            lambda: {"online": player.online, "connections": sockets.pool.open_connections},
        )
        listener = asyncio.ensure_future(self._obey(instructions))
        player.begin()
        try:
            await self._until_done(player, clock, tape, recorder)
        finally:
            health.stop()
            listener.cancel()
            await player.stop()
            await sockets.close()
            if self.order.keeps:
                for device in player.devices.values():
                    recorder.close(device)
            self._flush(tape, recorder)
        if player.failure is not None:
            raise player.failure
        self._end(tape.count)

    async def _obey(self, instructions: asyncio.StreamReader) -> None:
        """Any further line, or the end of standard input, stops the run."""
        await instructions.readline()
        self.stopped.set()

    async def _until_done(self, player: Player, clock: RealClock, tape: Tape, recorder: Recorder) -> None:
        """Flush as samples come, until nothing can come any more.

        After the scenario's end nothing starts; what is under way gets DRAIN_S to end.
        """
        end_s = self.order.end_s
        while not self.stopped.is_set() and not player.finished.is_set():
            await asyncio.sleep(FLUSH_S)
            self._flush(tape, recorder)
            now = clock.now()
            if now >= end_s:
                player.close_doors()
                if player.at_rest or now >= end_s + DRAIN_S:
                    return

    def _flush(self, tape: Tape, recorder: Recorder) -> None:
        samples = tape.take()
        if samples:
            self._send(pipe.SAMPLES, samples)
        for example in tape.take_examples():
            self._send(pipe.EXAMPLE, example)
        lines = recorder.take()
        if lines:
            self._send(pipe.ENROLLMENTS, lines)

    def _end(self, samples: int) -> None:
        """Tell how much there is, so that whoever collects it knows when some is lost."""
        self._send(pipe.END, {"samples": samples, "frames": self._frames})

    def _send(self, kind: bytes, payload: Any = b"") -> None:
        self._frames += 1
        if self.out.is_closing():
            return  # nobody reads any more: standard input, which closes too, says what to do
        self.out.write(pipe.frame(kind, payload) if isinstance(payload, bytes) else pipe.json_frame(kind, payload))


async def _main(out_fd: int) -> int:
    loop = asyncio.get_running_loop()
    instructions = asyncio.StreamReader(limit=2**28)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(instructions), sys.stdin.buffer)
    out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(out_fd, "wb", buffering=0))
    line = await instructions.readline()
    if not line:
        return 0
    try:
        engine = Engine(Order.from_json(line), out)
        del line  # it holds what every device keeps
        await engine.play(instructions)
    except Exception:
        out.write(pipe.json_frame(pipe.FAILED, {"traceback": traceback.format_exc()}))
        code = 70
    else:
        code = 0
    while out.get_write_buffer_size() and not out.is_closing():  # noqa: ASYNC110 - a transport tells of it no other way
        await asyncio.sleep(0.01)
    return code


def main() -> None:
    """Entry of `python -P -m simulator.engine`."""
    # Frames own the real standard output; whatever a library prints must not tear them.
    out_fd = os.dup(1)
    os.dup2(2, 1)
    end_at_once_with_parent()
    allow_descriptors()
    sys.exit(uvloop.run(_main(out_fd)))


if __name__ == "__main__":
    main()
