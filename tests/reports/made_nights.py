"""Nights made up for tests: runs of one morning, alike but for what a night, a run and a device differ by."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reports.runfolder import write_json
from reports.summary import summarise
from tests.reports import made_run

DEVICES = 400
LOGIN = made_run.STEPS.index("identity.login")
MORNING = made_run.morning(DEVICES)


@dataclass
class Nights:
    """A folder of runs of one morning: equal timetables, each device's own times, the night's state, and luck."""

    folder: Path
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))
    count: int = 0

    def play(
        self, *, slower: dict[str, float] | None = None, broken: int = 0, others_cores: float = 0.0, **changes: Any
    ) -> Path:
        """One more run, judged as it would have been; `slower` by step, `broken` logins end as unknown.

        Other programs had `others_cores` of two cores, and left half a core.
        """
        self.count += 1
        samples = MORNING.copy()
        for step in np.unique(samples["step"]):
            rows = samples["step"] == step
            factor = (slower or {}).get(made_run.STEPS[step], 1.0) * np.exp(self.chance.normal(0, 0.01))
            luck = np.exp(self.chance.normal(0, 0.05, int(rows.sum())))
            samples["done"][rows] = samples["due"][rows] + (samples["done"] - samples["due"])[rows] * factor * luck
        bad = np.flatnonzero(samples["step"] == LOGIN)[:broken]
        samples["outcome"][bad], samples["reason"][bad] = 3, 2
        began = f"2026-01-{self.count:02}T00:00:00Z"
        run = made_run.run_json(**{"devices": DEVICES, "t0_utc": began, **changes})
        machine = {"who": "run", "cores": 2, "others_ms": 1000 * others_cores, "idle_ms": 500.0}
        healths = [{"t": second + 1.0, **machine} for second in range(10)]
        data = made_run.write(self.folder, samples, run, healths)
        write_json(data.path / "summary.json", summarise(data))
        return data.path

    def several(self, count: int) -> list[Path]:
        """That many more, all alike."""
        return [self.play() for _ in range(count)]

    def repeat(self, runs: int = 3, *, night: float = 1.0, **changes: Any) -> Path:
        """A series of that many more runs of one night, which made logins so many times as slow in all of them."""
        slower = {"identity.login": night}
        played = [self.play(slower=slower, **changes) for _ in range(runs)]
        folder = self.folder / f"night-{self.count:02}-repeat"
        folder.mkdir()
        names = [f"run-{number:02}" for number in range(1, runs + 1)]
        for path, name in zip(played, names, strict=True):
            path.rename(folder / name)
        told = {"format": 1, "scenario": "morning_peak", "hash": made_run.run_json()["hash"], "planned": runs}
        told |= {"command": "fleetrush run --repeat=3", "began_utc": f"2026-01-{self.count:02}T00:00:00+00:00"}
        ends = {"ended": {"reason": "complete", "detail": ""}, "runs": [{"run": name, "exit": 0} for name in names]}
        write_json(folder / "series.json", told | ends)
        return folder
