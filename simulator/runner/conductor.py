"""Conducts one run on this host: hands out shards, gives t0 when all engines are ready, collects what they send.

It knows Locust's environment and the frames of the pipe; it writes no file and judges nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gevent
import numpy as np
from gevent.event import Event
from locust.env import Environment
from numpy.typing import NDArray

from reports.messages.distrust import distrust
from reports.record import SAMPLE
from simulator import pipe
from simulator.runner.shard_user import ShardUser
from simulator.runner.silence import Silence
from simulator.runner.statistics import merge

# Between "all ready" and t0: every engine has read its line by then.
HEAD_START_S = 0.5
READY_TIMEOUT_S = 120.0
# An engine tells of its health each second: one that tells nothing for so long stands still, or waits for ever.
SILENT_S = 30.0


class Listener(Protocol):
    """Who wants to know what the engines send: the run, which owns the run folder."""

    def began(self, t0_utc: float) -> None:
        """Run second 0 is at that Unix second."""

    def samples(self, batch: bytes, records: NDArray[np.void]) -> None:
        """One engine's batch, as bytes and as records of SAMPLE."""

    def example(self, example: dict[str, Any]) -> None:
        """One redacted example of a trouble."""

    def enrollments(self, lines: bytes) -> None:
        """What changed of the enrollments of one engine's devices (simulator.enrollments)."""

    def health(self, row: dict[str, Any]) -> None:
        """One second of one process."""

    def distrust(self, reason: str) -> None:
        """Something happened after which the run cannot be trusted."""

    def failed(self, traceback: str) -> None:
        """An engine died of our own bug."""


class FleetEnvironment(Environment):
    """Locust's environment with the conductor on it, where the users find it."""

    fleetrush: Conductor


class Conductor:
    """One run over `len(orders)` engines.

    Args:
        orders: what each engine is told, one JSON-able value a shard.
        steps: step names, for Locust's rows.
        web_port: show Locust's web UI on this loopback port; None for no UI.
        silent_s: an engine that tells nothing for so long, once all are ready or the run was stopped, is ended.
    """

    def __init__(
        self,
        orders: Sequence[dict[str, Any]],
        steps: Sequence[str],
        listener: Listener,
        web_port: int | None = None,
        *,
        silent_s: float = SILENT_S,
    ) -> None:
        self.orders = orders
        self.steps = steps
        self.listener = listener
        self.pids: dict[int, int] = {}
        self.online: dict[str, int] = {}
        self.t0 = 0.0
        self.t0_utc = 0.0
        self._unclaimed = list(range(len(orders)))
        self._say: dict[int, Callable[[bytes], None]] = {}
        self._kill: dict[int, Callable[[], None]] = {}
        self._silence = Silence(silent_s)
        self._silent: set[int] = set()
        self._ready: set[int] = set()
        self._received = {shard: [0, 0] for shard in range(len(orders))}
        self._sent: dict[int, list[int]] = {}
        self._over: set[int] = set()
        self._changed = Event()
        self._stopping = False
        self.environment = FleetEnvironment(user_classes=[ShardUser])
        self.environment.fleetrush = self
        self.runner = self.environment.create_local_runner()
        self._web_ui: Any = None
        if web_port is not None:
            self._web_ui = self.environment.create_web_ui("127.0.0.1", web_port)

    def claim(self) -> int | None:
        """The next shard, once; None when all are taken."""
        return self._unclaimed.pop(0) if self._unclaimed else None

    def order_line(self, shard: int) -> bytes:
        """What the engine of that shard is told first."""
        return json.dumps(self.orders[shard]).encode() + b"\n"

    def started(self, shard: int, pid: int, kill: Callable[[], None]) -> None:
        """The engine of that shard runs, and is ended at once by `kill`."""
        self.pids[shard] = pid
        self._kill[shard] = kill
        self._silence.heard(shard)

    def told(self, shard: int, say: Callable[[bytes], None]) -> None:
        """The engine of that shard took its order, and takes further lines through `say`."""
        self._say[shard] = say
        if self._stopping:
            say(b"stop\n")

    def take(self, shard: int, kind: bytes, payload: bytes) -> None:
        """One frame of one engine."""
        self._silence.heard(shard)
        self._received[shard][1] += kind != pipe.END
        if kind == pipe.SAMPLES:
            records = np.frombuffer(payload, SAMPLE)
            self._received[shard][0] += records.size
            self.listener.samples(payload, records)
            merge(self.environment.stats, records, self.steps, self.t0_utc)
        elif kind == pipe.HEALTH:
            row = json.loads(payload)
            self.online[row["who"]] = row["online"]
            self.listener.health(row)
        elif kind == pipe.EXAMPLE:
            self.listener.example(json.loads(payload))
        elif kind == pipe.ENROLLMENTS:
            self.listener.enrollments(payload)
        elif kind == pipe.READY:
            self._ready.add(shard)
            self._changed.set()
        elif kind == pipe.END:
            told = json.loads(payload)
            self._sent[shard] = [told["samples"], told["frames"]]
        elif kind == pipe.FAILED:
            self.listener.failed(json.loads(payload)["traceback"])

    def ended(self, shard: int, code: int, *, torn: bool) -> None:
        """The engine of that shard is gone."""
        self._over.add(shard)
        self._silence.forget(shard)
        self._changed.set()
        at = f"{time.monotonic() - self.t0:.0f}" if self.t0 else "0"
        sent = self._sent.get(shard)
        if shard in self._silent:
            limit = f"{self._silence.limit_s:g}"
            self.listener.distrust(distrust("engine_silent", engine=shard, at=at, limit=limit))
        elif sent is None:
            key = "frame_torn" if torn else "engine_lost"
            self.listener.distrust(distrust(key, engine=shard, at=at, exit=code))
        elif torn or sent != self._received[shard]:
            samples, frames = (f"{count:,}" for count in self._received[shard])
            all_samples, all_frames = (f"{count:,}" for count in sent)
            told = {"samples": samples, "all_samples": all_samples, "frames": frames, "all_frames": all_frames}
            self.listener.distrust(distrust("frames_lost", engine=shard, at=at, **told))

    def play(self, tick: Callable[[], None]) -> None:
        """Start all engines, play until the last has ended; `tick` is called about four times a second."""
        self.runner.start(len(self.orders), spawn_rate=max(1, len(self.orders)))
        try:
            if self._all_ready():
                self._begin()
            while len(self._over) < len(self.orders):
                self._changed.clear()
                self._changed.wait(0.25)
                tick()
                self._end_the_silent()
        finally:
            self.runner.quit()
            if self._web_ui is not None:
                self._web_ui.stop()

    def stop(self) -> None:
        """Let every engine close what is open, send what it has, and end."""
        self._stopping = True
        for say in self._say.values():
            say(b"stop\n")
        self._changed.set()

    def _end_the_silent(self) -> None:
        """An engine that is stopped, or waits for ever, would have the run wait with it."""
        for shard in self._silence.too_long(time.monotonic()):
            self._silent.add(shard)
            self._kill[shard]()

    def _all_ready(self) -> bool:
        """Wait for the engines; False when one ended before it was ready, or when the run was stopped."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while len(self._ready) < len(self.orders):
            late = time.monotonic() > deadline
            if late:
                for shard in sorted({*range(len(self.orders))} - self._ready):
                    limit = f"{READY_TIMEOUT_S:g}"
                    self.listener.distrust(distrust("engine_not_ready", engine=shard, at="0", limit=limit))
            if self._over or self._stopping or late:
                self.stop()
                return False
            self._changed.clear()
            self._changed.wait(0.25)
        return True

    def _begin(self) -> None:
        self.t0 = time.monotonic() + HEAD_START_S
        self.t0_utc = time.time() + HEAD_START_S
        line = json.dumps({"t0": self.t0, "utc": self.t0_utc}).encode() + b"\n"
        for say in self._say.values():
            say(line)
        self.listener.began(self.t0_utc)
        gevent.sleep(0)
