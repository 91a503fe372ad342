"""Two engines and two stand-in brokers in one tiny run: every line is held by the broker its topic falls to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from simulator.protocols.push import share_of

LIMIT_S = 120
DEVICES = 24
CONNECT, COMMANDS = "push.connect", "management.remote_commands"
SCENARIO = f"""
title = "Back again"
question = "Do {DEVICES} lines come back?"
organisation = "maebashi"
devices = {DEVICES}
[day]
start = "08:00"
end = "08:01:30"
compression = 30
[enrollment]
rate_per_s = 40
[[waves]]
name = "back"
who = "all"
journey = "reconnect"
arrivals = {{ shape = "even", from = "08:00", to = "08:00:30" }}
[[operator]]
at = "08:00:45"
act = "queue_command"
with = {{ type = "DEVICE_SET_VOLUME", command = '{{"volume": 50}}' }}
"""
# A machine on which one broker holds half of the lines.
PROGRAM = """
import sys
from dataclasses import replace
from simulator import plan
machine = plan.this_machine()
plan.this_machine = lambda: replace(machine, ports=48)
from simulator.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_lines_and_pushes_find_their_broker(tmp_path: Path) -> None:
    """24 lines are too many for half of 48 ports, so there are two brokers: both hold some, and each push arrives."""
    (tmp_path / "back.toml").write_text(SCENARIO)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "run", "back.toml", "--engines", "2", "--out", "runs"],
        capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=tmp_path,
    )  # fmt: skip
    print(done.stdout, done.stderr)
    # a machine too busy to be trusted ends with 3; the numbers must hold all the same
    assert done.returncode in (0, 3)
    (run,) = (tmp_path / "runs").iterdir()
    told = json.loads((run / "run.json").read_text())
    samples = np.load(run / "samples.npy")
    ok = samples[samples["outcome"] == 0]
    asked = {name: ok["device"][ok["step"] == told["steps"].index(name)].tolist() for name in (CONNECT, COMMANDS)}
    assert sorted(asked[CONNECT]) == list(range(DEVICES))
    # nobody asks for commands but who was told by a push
    assert set(asked[COMMANDS]) == set(range(DEVICES))
    most: dict[str, int] = {}
    for line in (run / "health.jsonl").read_text().splitlines():
        row = json.loads(line)
        if row["who"].startswith(("broker", "engine")):
            figure = "connections" if row["who"].startswith("broker") else "online"
            most[row["who"]] = max(most.get(row["who"], 0), row[figure])
    assert (most["engine-0"], most["engine-1"]) == (DEVICES // 2, DEVICES // 2)
    # each broker also holds the line through which the backend publishes
    held = [most["broker 1"] - 1, most["broker 2"] - 1]
    assert sum(held) == DEVICES
    assert min(held) > 0


def test_topics_spread_evenly_and_stay() -> None:
    """CRC-32 decides (its published check value), so every process reckons alike; six brokers get like shares."""
    assert share_of("123456789", 2**32) == 0xCBF43926
    shares = np.bincount([share_of(f"push/{number:032x}", 6) for number in range(60_000)], minlength=6)
    # 10,000 each, standard deviation sqrt(60,000 x 5/36) = 91
    assert abs(shares - 10_000).max() < 5 * 91
