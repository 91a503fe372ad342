"""The folder of a run: its one writer, and how it is read again.

Which file holds what, and that a run killed at any moment opens. What a file's numbers mean is not known here; no clock
is read and nothing is summed up.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reports.record import SampleFile, Samples, load

RUN: Final = "run.json"
SAMPLES: Final = "samples.npy"
EXAMPLES: Final = "examples.jsonl"
HEALTH: Final = "health.jsonl"
FLEET: Final = "fleet.npy"
SUMMARY: Final = "summary.json"
PAGE: Final = "report.html"
COUNCIL: Final = "council.html"
PUBLIC_PAGE: Final = "report-public.html"
PUBLIC_COUNCIL: Final = "council-public.html"
JUNIT: Final = "junit.xml"
FORMAT: Final = 1
EXAMPLES_EACH: Final = 5
"""How many examples of one (step, reason) a run keeps, whichever engines they come from."""


class RunFolderError(ValueError):
    """A folder that holds no run this program can read; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class RunData:
    """A run as it was recorded. `run` is run.json; `examples` and `health` are lines in the order they came."""

    path: Path
    run: dict[str, Any]
    samples: Samples
    examples: list[dict[str, Any]] = field(default_factory=list)
    health: list[dict[str, Any]] = field(default_factory=list)


class RunFolder:
    """The one writer of a run's folder.

    Args:
        path: the folder, which holds no samples yet. Raises FileExistsError if it does.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._samples = SampleFile(path / SAMPLES)
        self._examples = open(path / EXAMPLES, "ab", buffering=0)  # noqa: SIM115 - closed by close()
        self._health = open(path / HEALTH, "ab", buffering=0)  # noqa: SIM115
        self._kept: Counter[tuple[str, str]] = Counter()

    @classmethod
    def create(cls, base: Path, name: str, utc: datetime) -> RunFolder:
        """Make `base`/<UTC>-<scenario>/, with -2, -3 ... behind it while that exists."""
        return cls(new_folder(base, name, utc))

    @classmethod
    def named(cls, path: Path) -> RunFolder:
        """Make exactly that folder. Raises FileExistsError if it is there."""
        path.mkdir(parents=True)
        return cls(path)

    @property
    def samples_written(self) -> int:
        """How many samples the folder holds."""
        return self._samples.count

    def write_run(self, run: Mapping[str, Any]) -> None:
        """Write run.json whole or not at all.

        Args:
            run: `scenario` {name, title, question, folded}, `hash`, `seed`, `versions` {}, `machine` {},
                `targets` {service: {url, basis}}, `compression`, `lead_s`, `day_start_s`, `steps`, `reasons`,
                `journeys`, `triggers`, `actions` [{act, due}] (due in run seconds), `devices`, `enrolled_before`
                (optional), `enrollments` (the file that keeps them, or null), `staff`, `engines`, `broker` (which
                stands in for push), `comparable_hash`, `command` (a line for a shell), `partial`, `untrusted` (what the
                runner saw), `left_out` (acts that are not played), `planned` {edges_s, counts}. `t0_utc` comes with the
                first start, `ended` {utc, reason, detail} last.
        """
        write_json(self.path / RUN, {"format": FORMAT, **run})

    def write_fleet(self, fleet: NDArray[Any]) -> None:
        """Write the fleet's rows."""
        np.save(self.path / FLEET, fleet, allow_pickle=False)

    def add_samples(self, batch: bytes) -> None:
        """Add whole packed samples."""
        self._samples.append(batch)

    def add_example(self, example: Mapping[str, Any]) -> None:
        """Add one example of a trouble, unless there are EXAMPLES_EACH of its step and reason.

        Args:
            example: `step`, `reason`, `outcome`, `status`, `detail`, `url`, `device`, `at_s` (run seconds).
        """
        key = (example["step"], example["reason"])
        self._kept[key] += 1
        if self._kept[key] <= EXAMPLES_EACH:
            self._examples.write(_line(example))

    def add_health(self, health: Mapping[str, Any]) -> None:
        """Add one second of one process.

        Args:
            health: `t` (run second), `who`, and of that second `loop_lag_ms` (the longest), `runqueue_ms` and `cpu_ms`
                (spent in it), `rss_mib`, `online`, `fds`; `pressure_ms` (any task of the machine waited for a CPU).
        """
        self._health.write(_line(health))

    def close(self) -> None:
        """Close the files. Idempotent."""
        for file in (self._samples, self._examples, self._health):
            file.close()


def new_folder(base: Path, name: str, utc: datetime) -> Path:
    """Make an empty folder `base`/<UTC>-<name>/, with -2, -3 ... behind it while that exists."""
    stem = f"{utc:%Y%m%dT%H%M%SZ}-{name}"
    base.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        path = base / (stem if number == 1 else f"{stem}-{number}")
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
        number += 1


def open_run(path: Path) -> RunData:
    """Read a run's folder, whatever was written before its end came.

    Raises: RunFolderError where there is no run.json, or one of another format; record.SampleFileError.
    """
    try:
        run = json.loads((path / RUN).read_bytes())
    except FileNotFoundError:
        raise RunFolderError(f"{path}: not a run's folder (it has no {RUN})") from None
    except ValueError as fault:
        raise RunFolderError(f"{path / RUN}: not JSON ({fault})") from None
    if not isinstance(run, dict) or run.get("format") != FORMAT:
        found = run.get("format") if isinstance(run, dict) else None
        raise RunFolderError(f"{path / RUN}: format {found!r}, expected {FORMAT}; it was written by another version")
    return RunData(path, run, load(path / SAMPLES), _lines(path / EXAMPLES), _lines(path / HEALTH))


def load_fleet(path: Path) -> NDArray[Any] | None:
    """The fleet's rows of a run's folder; None where it holds none."""
    try:
        rows: NDArray[Any] = np.load(path / FLEET, allow_pickle=False)
    except (FileNotFoundError, ValueError):
        return None
    return rows


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file whole or not at all. Numbers are rounded by whoever made them; NaN is refused."""
    write_whole(path, json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n")


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a reader sees the old one or the new one."""
    beside = path.with_name(path.name + ".new")
    with open(beside, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; what was cut off at its end is left out."""
    if not path.exists():
        return []
    whole, _, _ = path.read_bytes().rpartition(b"\n")
    return [json.loads(line) for line in whole.split(b"\n") if line]
