"""An engine that tells nothing for too long: who is accused, by arithmetic, and a real one that stands still."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from simulator.runner.silence import Silence
from tests.truth.real_engine import NOBODY, order_of, scenario_of

LIMIT_S = 60.0
SILENT_S = 3.0
ROOT = Path(__file__).parents[2]
CHECKS = {"shape": "even", "from": "08:00", "to": "08:00:30"}

# The conductor patches the interpreter, so it plays in one of its own.
PLAY = """
from simulator.runner.conductor import Conductor
import json, sys
from simulator.journeys import STEPS
class Heard:
    def began(self, t0_utc): print("began", conductor.pids[1], flush=True)
    def distrust(self, reason): print(reason, flush=True); conductor.stop()
    def failed(self, traceback): print(traceback, flush=True)
    def samples(self, batch, records): pass
    example = enrollments = health = lambda self, told: None
conductor = Conductor(json.load(sys.stdin), STEPS, Heard(), silent_s=float(sys.argv[1]))
conductor.play(lambda: None)
"""


def _looks(silence: Silence, start: int, seconds: int) -> list[tuple[int, list[int]]]:
    """Whoever is named in each of so many seconds, looked at four times a second."""
    looks = ((start + quarter // 4, silence.too_long(start + quarter / 4)) for quarter in range(4 * seconds))
    return [look for look in looks if look[1]]


def test_only_the_silent_one_is_named_and_once() -> None:
    """One tells something each second and the other nothing: the other is named after the limit."""
    silence, named = Silence(30.0), []
    silence.heard(0)
    silence.heard(1)
    for second in range(100, 200):
        silence.heard(0)
        named += _looks(silence, second, 1)
    assert named == [(130, [1])]


def test_whoever_is_gone_is_not_missed() -> None:
    """An engine that ended tells nothing, as it should."""
    silence = Silence(30.0)
    silence.heard(0)
    silence.forget(0)
    assert _looks(silence, 0, 100) == []


def test_a_machine_that_pauses_accuses_nobody() -> None:
    """Ten pauses of an hour, in which whoever listens slept as well, count for no more than ten seconds."""
    silence = Silence(30.0)
    silence.heard(0)
    for hour in range(11):
        assert silence.too_long(3600.0 * hour) == []
    assert _looks(silence, 36_001, 60) == [(36_020, [0])]


def test_a_stopped_engine_ends_the_run() -> None:
    """Of two real engines one is stopped: it is named and ended, the other goes on until it is told to stop."""
    orders = [order_of(scenario_of(CHECKS, 60, seed=1), NOBODY).to_json() | {"shard": n, "shards": 2} for n in (0, 1)]
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PLAY, str(SILENT_S)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        cwd=ROOT,
    ) as run:  # fmt: skip
        assert run.stdin
        assert run.stdout
        try:
            run.stdin.write(json.dumps(orders))
            run.stdin.close()
            began, pid = run.stdout.readline().split()
            assert began == "began"
            os.kill(int(pid), signal.SIGSTOP)
            said = run.stdout.read().splitlines()
            (reason,) = said
            assert reason.startswith("engine 1 told nothing any more and was ended at run second ")
            assert "(the limit is 3 s)" in reason
            assert run.wait(LIMIT_S) == 0
        finally:
            run.kill()
