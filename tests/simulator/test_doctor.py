"""The doctor, end to end: its findings, what it says of a plan, and the short form of its measurement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reports.record import SAMPLE
from simulator import doctor
from simulator.journeys import JOURNEY_NAMES, STEPS
from simulator.machine import this_machine

FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
LIMIT_S = 150
# the arithmetic of measuring stands behind an import that patches the interpreter: it is asked for in a process
ARITHMETIC = """
import json, sys
import numpy as np
from reports.record import SAMPLE
from simulator.measure import Climb, Day, opened_per_s, step_ms
told = json.load(sys.stdin)
made = lambda rows: np.array([tuple(row) for row in rows], SAMPLE)
records, starts, day, climb = made(told["records"]), made(told["starts"]), Day(4), Climb((20, 30, 45, 68))
late = starts.copy()
late["sent"] += 1
print(json.dumps([
    [day.devices, day.signing_in, day.lead_s, day.back, day.lids],
    step_ms(told["rows"], records, day), opened_per_s(records, day),
    climb.in_time(starts), [climb.is_over(starts, now) for now in (3.9, 4.0, 5.9, 6.0, 8.0)],
    [climb.is_over(late, now) for now in (3.9, 4.0)],
    [len(Climb.within(files).rungs) for files in (None, 20_000, 1564, 1563, 100)],
]))
"""


def fleetrush(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command on one core, with a state folder of its own, and open files for the two lowest rungs of the climb."""
    core = min(os.sched_getaffinity(0))
    return subprocess.run(
        ["prlimit", "--nofile=1600", "taskset", "-c", str(core), FLEETRUSH, *arguments],
        capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=folder,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
    )  # fmt: skip


def test_findings_measurement_and_plan(tmp_path: Path) -> None:
    """Each row of CHECKS is a line; what is measured is kept, told, and held against a plan; one core is too few."""
    done = fleetrush(tmp_path, "doctor", "--measure", "2", "--devices", "200")
    print(done.stdout, done.stderr)
    # one core is too few to trust
    assert done.returncode == 4
    lines = done.stdout.splitlines()
    for name in doctor.CHECKS:
        assert any(line.startswith(name) and line[16:].startswith(("ok ", "attention ")) for line in lines), name
    kept = json.loads((tmp_path / "state" / "fleetrush" / "machine.json").read_text())
    assert kept["engines"] == 1
    assert all(kept[figure] > 0 for figure in ("steps_per_s", "all_steps_per_s", "opened_per_s"))
    # a busy machine starts nothing in time, and that is what it is told then
    assert f"{kept['starts_per_s']:,.0f} starts/s of an engine within 10 ms" in done.stdout
    assert f"{kept['steps_per_s']:,.0f} steps/s of an engine with a core to itself, worked out from " in done.stdout
    assert f"in {kept['took_s']:.0f} s, kept in" in done.stdout
    assert any(line.startswith("plan") and "morning_peak, 200 devices, 1 engine(s)" in line for line in lines)
    assert not (tmp_path / "runs").exists()
    # what is kept speaks where a plan is made: 100 times the real rate is far above it
    plan = fleetrush(tmp_path, "plan", "--devices", "2680", "--compression", "1000")
    assert "ms a step measured here" in plan.stdout


def test_a_plan_that_does_not_fit(tmp_path: Path) -> None:
    """Exit 2, with the limit that is missed; without a measurement the line that tells how to make one."""
    done = fleetrush(tmp_path, "doctor", "--devices", "2000000", "--engines", "2")
    assert done.returncode == 2
    assert "cannot be played: open files: each of 2 engine(s) needs" in done.stdout
    assert "nothing yet: fleetrush doctor --measure finds" in done.stdout


@pytest.mark.parametrize(
    ("name", "changes", "advice"),
    [
        ("cores", {"cores": 1}, "use one with two cores or more"),
        ("memory", {"memory_bytes": 2**30}, "a run of Maebashi needs about 1 GiB"),
        ("memory", {"memory_bytes": 0}, "cannot say whether a fleet fits"),
        ("open files", {"files": 1024}, "raise the hard limit to 20,000"),
        ("ports", {"ports": 10_000}, "sysctl net.ipv4.ip_local_port_range"),
        ("processes", {"processes": 20}, "ulimit -u"),
    ],
)
def test_what_is_short_is_told_with_what_to_do(name: str, changes: dict[str, Any], advice: str) -> None:
    """Each figure that is too small; the same check says nothing of a machine that has enough."""
    plenty = replace(this_machine(), cores=4, memory_bytes=2**34, files=10**6, ports=28_232, processes=None)
    assert not doctor.CHECKS[name](plenty).advice
    assert advice in doctor.CHECKS[name](replace(plenty, **changes)).advice


def test_a_state_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not write there is told where else it could be."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert not doctor.CHECKS["state folder"](this_machine()).advice
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "XDG_STATE_HOME" in doctor.CHECKS["state folder"](this_machine()).advice


def _made(samples: list[dict[str, Any]]) -> list[Any]:
    records = np.zeros(len(samples), SAMPLE)
    for at, fields in enumerate(samples):
        for field, value in fields.items():
            records[at][field] = value
    return [record.tolist() for record in records]


def test_the_arithmetic_of_measuring() -> None:
    """Rungs of two seconds; and a ramp of 4 s after 300 enrollments at 300/s and a rest, 2 s. Figures by hand."""
    step, journey = STEPS.index("push.connect"), JOURNEY_NAMES.index("enroll")
    starts = []
    # 40 starts in time; of 60 two (3.3 %) 20 ms late; of 90 one never out; of 136 two (1.5 %) late and one never out
    for rung, (count, late) in enumerate(((40, 0), (60, 2), (89, 0), (135, 2))):
        for number in range(count):
            due, lag_s = 2 * rung + number / 100, 0.02 if number < late else 0.001
            starts.append({"due": due, "able": due, "sent": due + lag_s, "done": due + 0.1, "journey": journey})
    # 100 lines, due at 3, the last told of at 3.5
    made = [{"due": 3.0, "done": 3.5, "step": step, "trigger": 1} for _ in range(100)]
    # 50 steps in second 10 to 11, 10 in the next
    made += [{"due": 10.0, "done": 10.5, "trigger": 1} for _ in range(50)]
    made += [{"due": 11.0, "done": 11.5, "trigger": 1} for _ in range(10)]
    # two engines; the second with 10 steps is not a busy one
    rows = [{"t": t, "who": f"engine-{n}", "cpu_ms": ms} for n in (0, 1) for t, ms in ((11.0, 20.0), (12.0, 9.0))]
    told = {"rows": rows, "records": _made(made), "starts": _made(starts)}
    done = subprocess.run(
        [sys.executable, "-c", ARITHMETIC], input=json.dumps(told), capture_output=True, text=True, check=True
    )
    day, step_ms, opened, in_time, is_over, late, rungs = json.loads(done.stdout)
    assert day == [300, [1, 2, 3, 4], 2.0, 3.0, 4.0]
    # 2 x 20 ms for 50 steps
    assert step_ms == pytest.approx(0.8)
    assert opened == pytest.approx(200)
    # 98 of 100: 58 of 60 are 96.7 %, 89 of 90 are 98.9 %, 133 of 136 are 97.8 %
    assert in_time == [True, False, True, False]
    # known late are 3.3 % in the second rung alone, and one is not two in a row: it goes on to the end of the last
    assert is_over == [False, False, False, False, True]
    # once two in a row are, nothing faster is tried
    assert late == [False, True]
    # a connection a device and 64 files besides: 2 x (300 + 450) + 64 = 1,564; the first is played in any case
    assert rungs == [6, 6, 2, 1, 1]
