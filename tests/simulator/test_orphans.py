"""No process of a run outlives it: real engines and stand-ins whose parent is killed, or goes without a word."""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from processes import descendants, wait_for

from tests.truth.real_engine import NOBODY, order_of, scenario_of

LIMIT_S = 30.0
ENGINE = [sys.executable, "-P", "-m", "simulator.engine"]
# An even wave of checks that are refused at once: each is a sample of 56 bytes, and a pipe takes 64 KiB.
DEVICES = 4_000
FULL = 60_000
CHECKS = {"shape": "even", "from": "08:00", "to": "08:00:02"}

PARENT = """
import json, subprocess, sys
from simulator.children import Child
from simulator.standins import StandIns, StandInSettings
from scenarios.load import load
from simulator.composition import KNOWN
told = sys.stdin.readline().encode()
started = sys.stdin.readline().encode()
engine = subprocess.Popen(json.loads(sys.argv[1]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
engine.stdin.write(told + started)
engine.stdin.flush()
settings = StandInSettings.of(load("ordinary_day", known=KNOWN, judged=False), b"s" * 32)
other = Child("broker", ["simulator.backend.broker", "--port", "0"])
with StandIns(settings, wanted={"push": "stand-in"}, broker="mosquitto"):
    print("all run", flush=True)
    engine.wait()
"""
# Engine, backend, embedded broker, Mosquitto and the process that owns it.
PROCESSES = 5


def _order() -> bytes:
    return json.dumps(order_of(scenario_of(CHECKS, DEVICES, seed=1), NOBODY).to_json()).encode() + b"\n"


def _begin() -> bytes:
    return json.dumps({"t0": time.monotonic(), "utc": time.time()}).encode() + b"\n"


def _unread(stream: IO[bytes]) -> int:
    """How many bytes wait in a pipe."""
    found = array.array("i", [0])
    fcntl.ioctl(stream.fileno(), termios.FIONREAD, found)
    return found[0]


@contextmanager
def _watched(pids: list[int]) -> Iterator[list[int]]:
    """A descriptor of each process, which is readable once it has ended (pidfd_open(2)); whoever is left is ended."""
    watches = [os.pidfd_open(pid) for pid in pids]
    try:
        yield watches
    finally:
        for watch in watches:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(watch, signal.SIGKILL)
            os.close(watch)


def test_an_engine_whose_reader_is_gone() -> None:
    """With its output full and half its devices under way, it ends by itself and in order once nobody is there."""
    with subprocess.Popen(ENGINE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as engine:
        assert engine.stdin
        assert engine.stdout
        assert engine.stderr
        try:
            engine.stdin.write(_order() + _begin())
            engine.stdin.flush()
            wait_for("a full pipe", LIMIT_S, lambda: _unread(engine.stdout) > FULL)
            engine.stdout.close()
            engine.stdin.close()
            assert engine.wait(LIMIT_S) == 0
            assert engine.stderr.read() == b""
        finally:
            engine.kill()


def test_nobody_outlives_a_killed_run() -> None:
    """Engine, backend, broker and Mosquitto stand still, and hear nothing: they end all the same with their parent."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PARENT, json.dumps(ENGINE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        try:
            parent.stdin.write(_order() + _begin())
            parent.stdin.flush()
            assert parent.stdout.readline() == b"all run\n"
            with _watched(descendants(parent.pid)) as watches:
                assert len(watches) == PROCESSES
                for watch in watches:
                    signal.pidfd_send_signal(watch, signal.SIGSTOP)
                parent.kill()
                left, end = set(watches), time.monotonic() + LIMIT_S
                while left and time.monotonic() < end:
                    left.difference_update(select.select(left, [], [], 1.0)[0])
                assert not left
        finally:
            parent.kill()
