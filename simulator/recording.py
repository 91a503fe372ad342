"""Writes the run folder while a run plays, and shows how it goes: the one writer of the folder.

It starts nothing, sends nothing and judges nothing.
"""

from __future__ import annotations

# Locust patches the interpreter when it is imported, so it comes before whatever could hold an unpatched socket.
from simulator.runner.conductor import Conductor  # isort: skip

import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reports.messages.distrust import distrust
from reports.runfolder import RunFolder
from simulator.arguments import RunOptions, run_arguments
from simulator.composition import Composition, What
from simulator.fleet import make_fleet
from simulator.health import MachineHealth
from simulator.journeys import STEPS
from simulator.keeper import Keeper
from simulator.metrics import Metrics, MetricsServer
from simulator.progress import Progress
from simulator.protection import Protection
from simulator.protocols.messages import REASONS
from simulator.runrecord import run_record
from simulator.standins import StandIns
from simulator.tally import Planned, Tally

INTERRUPTED, OUR_BUG = 130, 70


class Recording:
    """Writes the run folder while the run plays, and shows how it goes. It is the conductor's listener.

    Attributes:
        interrupted: whether somebody stopped the run.
        cut: why the run does not come to its end, as run.json's `ended` names it and in words; None while it may.
    """

    def __init__(self, what: What, composition: Composition, options: RunOptions, stand_ins: StandIns) -> None:
        self.conductor: Conductor | None = None
        self.interrupted = False
        self.cut: tuple[str, str] | None = None
        self._tracebacks: list[str] = []
        self._distrusted: set[str] = set()
        self._protection = Protection(STEPS, composition.targets)
        self._stand_ins = stand_ins
        self._machine = MachineHealth("run")
        self._next_health = 0.0
        scenario = composition.scenario
        planned = Planned(
            scenario.name,
            scenario.devices,
            int(composition.enrolled.sum()),
            scenario.staff,
            scenario.day.compression,
            composition.lead_s,
            scenario.day.start_s,
            composition.end_s,
        )
        self._tally = Tally(STEPS, REASONS)
        self._progress = Progress(sys.stdout, self._tally, planned)
        self._metrics: MetricsServer | None = None
        if options.metrics:
            self._metrics = MetricsServer(options.metrics, Metrics(self._tally, planned, composition.basis))
            print(f"metrics at {self._metrics.url}/metrics", flush=True)
        self._folder = (
            RunFolder.create(options.base, scenario.name, datetime.now(UTC))
            if options.folder is None
            else RunFolder.named(options.folder)
        )
        arguments = run_arguments(what, replace(options, folder=None))
        self._record = run_record(composition, options.engines, options.broker, stand_ins.urls, arguments)
        self._folder.write_run(self._record)
        self._folder.write_fleet(make_fleet(scenario.organisation, scenario.devices, scenario.seed))
        stand_ins.hear_health(self._stand_in_health)
        file = composition.enrollments
        self._keeper = (
            None
            if file is None
            else Keeper(file, lambda why: self._distrust_once("enrollments", "not_kept", path=file.path, why=why))
        )

    @property
    def path(self) -> Path:
        """The run folder."""
        return self._folder.path

    def interrupt(self) -> bool:
        """Somebody stops the run: let the engines end it. Returns: whether there are any."""
        if self.conductor is None:
            return False
        if self.cut is None:
            self.interrupted, self.cut = True, ("interrupted", "")
        self.conductor.stop()
        return True

    def began(self, t0_utc: float) -> None:
        """As Listener.began."""
        self._record["t0_utc"] = datetime.fromtimestamp(t0_utc, UTC).isoformat(timespec="milliseconds")
        self._record["pids"] = self.conductor.pids if self.conductor else {}
        self._folder.write_run(self._record)

    def samples(self, batch: bytes, records: NDArray[np.void]) -> None:
        """As Listener.samples."""
        self._folder.add_samples(batch)
        self._tally.take(records)
        self._protection.take(records)

    def example(self, example: dict[str, Any]) -> None:
        """As Listener.example."""
        self._folder.add_example(example)

    def enrollments(self, lines: bytes) -> None:
        """As Listener.enrollments."""
        if self._keeper is not None:
            self._keeper.take(lines)

    def health(self, row: dict[str, Any]) -> None:
        """As Listener.health."""
        self._hear(row)

    def distrust(self, reason: str) -> None:
        """As Listener.distrust."""
        self._record["untrusted"].append(reason)

    def failed(self, traceback: str) -> None:
        """As Listener.failed."""
        self._tracebacks.append(traceback)
        print(traceback, file=sys.stderr)

    def tick(self) -> None:
        """Show progress; write our own health, and what is enrolled, once a second."""
        assert self.conductor is not None
        now = self._now()
        self._tally.online = sum(self.conductor.online.values())
        self._progress.show(now)
        if self._keeper is not None:
            self._keeper.tick()
        self._look_after_stand_ins()
        if now >= self._next_health:
            self._next_health = max(now, self._next_health + 1.0)
            self._hear(self._machine.row(now))
        if self.cut is None and (cut := self._protection.verdict(now, time.time())):
            self.cut = cut
            print(f"\nstopping: {cut[1]}", flush=True)
            self.conductor.stop()

    def ended(self) -> None:
        """Write how it ended."""
        assert self.conductor is not None
        self._progress.show(self._now(), last=True)
        if self._keeper is not None:
            self._keeper.close()
        self._look_after_stand_ins()
        reason, detail = ("failed", "") if self._tracebacks else self.cut or ("complete", "")
        self._record["partial"] = reason != "complete"
        ended = {"utc": datetime.now(UTC).isoformat(timespec="seconds"), "reason": reason, "detail": detail}
        self._record["ended"] = ended
        self._folder.write_run(self._record)

    def exit_code(self, judged: int) -> int:
        """The first that applies: interrupted, our own bug, then what the conclusion says."""
        if self.interrupted:
            return INTERRUPTED
        return OUR_BUG if self._tracebacks else judged

    def close(self) -> None:
        """Close the folder's files, the screen and the metrics."""
        self._progress.close()
        if self._metrics is not None:
            self._metrics.close()
        self._folder.close()

    def _look_after_stand_ins(self) -> None:
        for name in self._stand_ins.dead():
            self._distrust_once(name, "stand_in_ended", name=name)

    def _distrust_once(self, about: str, key: str, **figures: object) -> None:
        if about not in self._distrusted:
            self._distrusted.add(about)
            reason = distrust(key, at=f"{self._now():.0f}", **figures)
            print(f"fleetrush: {reason}", file=sys.stderr)
            self.distrust(reason)

    def _now(self) -> float:
        """The run second; 0 before the engines are told when it is."""
        return time.monotonic() - self.conductor.t0 if self.conductor is not None and self.conductor.t0 else 0.0

    def _hear(self, row: dict[str, Any]) -> None:
        self._tally.hear(row)
        self._folder.add_health(row)

    def _stand_in_health(self, row: dict[str, Any]) -> None:
        self._hear({**row, "t": round(self._now(), 3)})
