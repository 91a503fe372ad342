"""Small real runs for the trust gate, and what can be done to one while it plays.

Devices enroll at an even rate, and nothing else is asked: a run of eight seconds has starts from its first to its last.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FLEETRUSH = str(Path(sys.executable).with_name("fleetrush"))
LIMIT_S = 120.0
SPIN = "while True: pass"


@dataclass(frozen=True, slots=True)
class Judged:
    """How a run ended, and how many seconds of a core others had meanwhile: not it, nor who plays it."""

    code: int
    run: dict[str, Any]
    summary: dict[str, Any]
    printed: str
    others_s: float

    @property
    def reasons(self) -> list[str]:
        """Why it cannot be trusted."""
        found: list[str] = self.summary["harness"]["reasons"]
        return found

    def names(self, *words: str) -> bool:
        """Whether one of the reasons has all these words."""
        return any(all(word in reason for word in words) for reason in self.reasons)


class Playing:
    """A run under way, in a process of its own.

    Args:
        folder: an empty one of its own.
        rate_per_s: devices that enroll in each second; length_s: for how long.
        acts: of the operator, as TOML.
        sabotage: as tests/sabotage.
        within: a command that runs the run, such as taskset.
    """

    def __init__(
        self,
        folder: Path,
        *,
        rate_per_s: float = 50,
        length_s: int = 8,
        acts: str = "",
        sabotage: str = "",
        within: Sequence[str] = (),
    ) -> None:
        self._folder = folder
        scenario = folder / "gate.toml"
        scenario.write_text(_scenario(round(rate_per_s * length_s), length_s, acts))
        # the output into a file: a pipe that nobody reads would stop a run that says much
        self._said = open(folder / "said", "w+")  # noqa: SIM115 - closed by end
        self._others_s = _others_s()
        self.process = subprocess.Popen(
            [*within, FLEETRUSH, "run", str(scenario), "--out", "runs"],
            stdout=self._said,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(HERE / "sabotage"), "SABOTAGE": sabotage},
        )

    def until(self, run_second: float) -> None:
        """Wait for that second of the run; for its first start if need be."""
        deadline = time.monotonic() + LIMIT_S
        while self._run().get("t0_utc") is None:
            assert self.process.poll() is None, self._said_so_far()
            assert time.monotonic() < deadline, "the run does not begin"
            time.sleep(0.05)
        t0 = datetime.fromisoformat(self._run()["t0_utc"]).timestamp()
        time.sleep(max(0.0, t0 + run_second - time.time()))

    def engine(self) -> int:
        """The pid of engine 0."""
        return int(self._run()["pids"]["0"])

    def backend(self) -> int:
        """The pid of the backend."""
        told = subprocess.run(
            ["ps", "-o", "pid=,args=", "--ppid", str(self.run_pid())], capture_output=True, text=True, check=True
        )
        (pid,) = (line.split()[0] for line in told.stdout.splitlines() if "simulator.backend --data" in line)
        return int(pid)

    def run_pid(self) -> int:
        """The pid of the run itself: the parent of its engine."""
        return int(Path(f"/proc/{self.engine()}/stat").read_text().rpartition(")")[2].split()[1])

    def end(self) -> Judged:
        """Wait for its end, and read what it says of itself."""
        try:
            self.process.wait(LIMIT_S)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            printed = self._said_so_far()
            self._said.close()
        (folder,) = (self._folder / "runs").iterdir()
        summary = json.loads((folder / "summary.json").read_text())
        return Judged(self.process.returncode, self._run(), summary, printed, _others_s() - self._others_s)

    def _run(self) -> dict[str, Any]:
        found = list(self._folder.glob("runs/*/run.json"))
        told: dict[str, Any] = json.loads(found[0].read_text()) if found else {}
        return told

    def _said_so_far(self) -> str:
        return (self._folder / "said").read_text()


def _others_s() -> float:
    """Seconds of a core so far that neither this process nor any child that it has waited for had.

    Counted from outside the run, by another way than the run's own: of the machine's busy time (proc_stat(5): user,
    nice, system, and stolen by the host) what getrusage(2) tells of this process and of its children is taken away.
    """
    fields = list(map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]))
    busy = fields[0] + fields[1] + fields[2] + fields[7]
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return busy / os.sysconf("SC_CLK_TCK") - sum(one.ru_utime + one.ru_stime for one in used)


def _scenario(devices: int, length_s: int, acts: str) -> str:
    return f"""
title = "Enrollments"
question = "Can what this machine measures be trusted?"
organisation = "maebashi"
devices = {devices}
[day]
start = "08:00"
end = "08:00:{length_s:02}"
[enrollment]
when = "never"
[[waves]]
name = "enrollments"
who = "all"
journey = "enroll"
arrivals = {{ shape = "even", from = "08:00", to = "08:00:{length_s:02}" }}
[updates]
offered_share = 0.0
{acts}
[[objectives]]
step = "management.register"
percentile = 50
latency_s_at_most = 1
"""


def freeze(pid: int, *, times: int = 4, for_s: float = 0.25, every_s: float = 1.0) -> None:
    """Stop a process for a while, so many times."""
    for _ in range(times):
        with stopped(pid):
            time.sleep(for_s)
        time.sleep(every_s - for_s)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process stands still inside."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def burnt(cores: Sequence[int]) -> Iterator[None]:
    """Each of these cores has a program of somebody else's that computes and never rests."""
    programs = [subprocess.Popen(["taskset", "-c", str(core), sys.executable, "-c", SPIN]) for core in cores]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


def no_more_descriptors(pid: int) -> None:
    """Let a process open four more and no further."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 4, hard))


NOISE_S = {"others took": 2.0, "waited for a core": 1.0}
"""How a reason reads that a neighbour on the machine gives, and how many seconds of a core he has to have had: half
a core, or a quarter of the time, in a window of at least four seconds."""


def explained(judged: Judged, reason: str) -> bool:
    """Whether what others had of the machine, as counted from outside the run, explains a reason."""
    return any(words in reason and judged.others_s >= least_s for words, least_s in NOISE_S.items())


def accused(judged: Judged) -> list[str]:
    """Reasons that no neighbour on this machine explains; those that one explains are printed."""
    excused = [reason for reason in judged.reasons if explained(judged, reason)]
    if excused:
        print(f"others had {judged.others_s:.1f} s of a core meanwhile, which explains: {'; '.join(excused)}")
    return [reason for reason in judged.reasons if reason not in excused]


def frozen(run: Playing) -> None:
    """Its engine stands still four times, a quarter of a second each."""
    run.until(2)
    freeze(run.engine())


def killed(run: Playing) -> None:
    """Its engine is killed in the middle."""
    run.until(3)
    os.kill(run.engine(), signal.SIGKILL)


def out_of_descriptors(run: Playing) -> None:
    """Its engine may open four more files from the middle on."""
    run.until(3)
    no_more_descriptors(run.engine())


def out_of_ports(run: Playing) -> None:
    """Within a network of its own eleven ports are left from the middle on."""
    run.until(3)
    narrow = "echo 33000 33010 > /proc/sys/net/ipv4/ip_local_port_range"
    subprocess.run(["nsenter", "-t", str(run.engine()), "-n", "sh", "-c", narrow], check=True)


FIRST_CORE = min(os.sched_getaffinity(0))
ON_ONE_CORE = ("taskset", "-c", str(FIRST_CORE))


def beside_a_burner(run: Playing) -> None:
    """A core has somebody else's program nearly all the time."""
    run.until(1)
    with burnt([FIRST_CORE]):
        time.sleep(6)


def slow_target(run: Playing) -> None:
    """Its target stands still for three seconds."""
    run.until(2)
    with stopped(run.backend()):
        time.sleep(3)


ANSWERS_AFTER_3_S = """
[[operator]]
at = "08:00:01"
act = "inject_fault"
with = { where = "management", kind = "delay", low_s = 3.0, high_s = 3.0, rate = 1.0, for_s = 60 }
"""
"""Acts that make a slow target, and leave it running."""

OWN_NETWORK = ("unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" "$@"')


def play(folder: Path, hurt: Callable[[Playing], None] = lambda run: None, **how: Any) -> Judged:
    """One run from start to end, and what is done to it meanwhile."""
    folder.mkdir(parents=True)
    run = Playing(folder, **how)
    try:
        hurt(run)
    finally:
        judged = run.end()
    return judged
