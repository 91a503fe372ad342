"""A Locust user that is one engine: starts the process, hands its frames to the conductor, sees it end.

It sends nothing itself and counts nothing itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import gevent
from locust import User, task

from simulator import pipe

ENGINE = [sys.executable, "-P", "-m", "simulator.engine"]
READ_SIZE = 1 << 16
END_TIMEOUT_S = 10.0


class Shards(Protocol):
    """Who hands out shards and hears of them: the conductor."""

    def claim(self) -> int | None:
        """The next shard, once; None when all are taken."""

    def order_line(self, shard: int) -> bytes:
        """What the engine of that shard is told first."""

    def started(self, shard: int, pid: int, kill: Callable[[], None]) -> None:
        """The engine of that shard runs, and is ended at once by `kill`."""

    def told(self, shard: int, say: Callable[[bytes], None]) -> None:
        """The engine of that shard took its order, and takes further lines through `say`."""

    def take(self, shard: int, kind: bytes, payload: bytes) -> None:
        """One frame of one engine."""

    def ended(self, shard: int, code: int, *, torn: bool) -> None:
        """The engine of that shard is gone; `torn`: a frame did not come whole."""


class ShardUser(User):
    """Plays the next shard that nobody claimed. The environment carries the conductor as `fleetrush`."""

    @task
    def play(self) -> None:
        """Play one shard to its end; then rest, so that Locust does not ask again."""
        environment: Any = self.environment
        conductor: Shards = environment.fleetrush
        shard = conductor.claim()
        if shard is not None:
            play_shard(conductor, shard)
        while True:
            gevent.sleep(3600)


def play_shard(conductor: Shards, shard: int) -> None:
    """One engine from start to end; whatever ends it, the conductor hears of it."""
    # An engine has a session of its own: the terminal's Ctrl-C is for the run, which ends engines through their input.
    process = subprocess.Popen(ENGINE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    torn = False
    try:
        conductor.started(shard, process.pid, process.kill)
        say(process, conductor.order_line(shard))
        conductor.told(shard, lambda line: say(process, line))
        torn = _read(process, conductor, shard)
    finally:
        _end(process)
        conductor.ended(shard, process.returncode, torn=torn)


def _read(process: subprocess.Popen[bytes], conductor: Shards, shard: int) -> bool:
    """Hand frames on until the engine closes its output. Returns: whether one was torn, after which none is read."""
    frames = pipe.Frames()
    stdout: Any = process.stdout
    try:
        while data := stdout.read1(READ_SIZE):
            for kind, payload in frames.feed(data):
                conductor.take(shard, kind, payload)
    except pipe.BadFrame:
        return True
    return frames.rest > 0


def say(process: subprocess.Popen[bytes], line: bytes) -> None:
    """Write one line to the engine; an engine that is gone is noticed where its output ends."""
    stdin: Any = process.stdin
    try:
        stdin.write(line)
        stdin.flush()
    except (OSError, ValueError):
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close its standard input, which ends an engine; then wait, and insist if it does not go."""
    stdin: Any = process.stdin
    with suppress(BrokenPipeError):
        stdin.close()
    try:
        process.wait(END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
