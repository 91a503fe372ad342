"""What the conductor says of an engine that is gone: a process of its own asks it, for it imports locust."""

import json
import subprocess
import sys

import pytest

from reports.messages.distrust import DISTRUST

ENDED = """
import json, sys
from simulator.runner.conductor import Conductor
from simulator import pipe

class Listener:
    def distrust(self, reason): print(json.dumps(reason))
    def example(self, example): pass

conductor = Conductor([{}] * 4, [], Listener())
for shard, (sent, came, torn) in enumerate([(None, 0, False), (None, 0, True), (3, 2, False), (3, 3, False)]):
    for _ in range(came):
        conductor.take(shard, pipe.EXAMPLE, b"{}")
    if sent is not None:
        conductor.take(shard, pipe.END, json.dumps({"samples": 0, "frames": sent}).encode())
    conductor.ended(shard, -9, torn=torn)
"""


@pytest.fixture(scope="module")
def said() -> list[str]:
    """The reasons, in the order in which the engines ended."""
    told = subprocess.run([sys.executable, "-c", ENDED], capture_output=True, text=True, timeout=60, check=True)
    return [json.loads(line) for line in told.stdout.splitlines()]


def test_an_engine_that_is_gone_is_told_with_its_remedy(said: list[str]) -> None:
    """Lost, torn, a frame missing; the fourth sent what it said, and is told of by nobody."""
    assert [reason.partition(";")[0] for reason in said] == [
        "engine 0 was lost at run second 0 (exit -9): its devices played no further",
        "engine 1 tore a frame at run second 0 (exit -9): its devices played no further",
        "of what engine 2 sent, 0 of 0 samples and 2 of 3 frames arrived by run second 0: a part of the record is lost",
    ]
    assert [reason.partition("; ")[2] for reason in said] == [
        DISTRUST[key][1][0] for key in ("engine_lost", "frame_torn", "frames_lost")
    ]
