"""Plays one scenario several times, each run in a process of its own with fresh state, in one folder for all of them.

Same seed, same timetable: what differs between the runs is what a morning differs by. It judges nothing itself.
"""

from __future__ import annotations

import json
import shlex
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reports.bands import RUNS_AT_LEAST
from reports.repeat import COMPLETE, OneRun, stops, why_stopped
from reports.runfolder import FORMAT, SUMMARY, new_folder, write_json
from reports.seriesfolder import SERIES, run_name
from simulator.apart import play_apart
from simulator.arguments import RunOptions, run_arguments
from simulator.composition import Composition, What, compose
from simulator.errors import UserError
from simulator.plan import limits_missed
from simulator.series_conclusion import conclude_series
from simulator.standins import STAND_IN

OUR_BUG, INTERRUPTED = 70, 130


def repeat(what: What, options: RunOptions, count: int) -> int:
    """Play `count` runs, and judge them together.

    Returns: as a run, by all of them; what kept the first from starting. Raises: UserError before anything was sent.
    """
    composition = compose(what)
    if faults := _faults(composition, options, count):
        raise UserError(*faults)
    folder = _folder(options, composition.scenario.name)
    command = shlex.join(["fleetrush", *run_arguments(what, replace(options, folder=None)), f"--repeat={count}"])
    told: dict[str, Any] = {
        "format": FORMAT,
        "scenario": composition.scenario.name,
        "hash": composition.scenario.hash,
        "planned": count,
        "command": command,
        "began_utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": [],
        "ended": None,
    }
    write_json(folder / SERIES, told)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        stopped = _play(what, options, folder, told)
    except KeyboardInterrupt:
        stopped, told["ended"] = INTERRUPTED, {"reason": "interrupted", "detail": "between two runs"}
    finally:
        signal.signal(signal.SIGTERM, before)
    if not told["runs"]:
        (folder / SERIES).unlink()
        folder.rmdir()
        return stopped
    write_json(folder / SERIES, told)
    judged = conclude_series(folder, sys.stdout, options.lang, options.against)
    return stopped or judged


def _play(what: What, options: RunOptions, folder: Path, told: dict[str, Any]) -> int:
    """Returns: the exit code of what stopped the series, 0 where its runs are to be judged."""
    for number in range(1, told["planned"] + 1):
        name = run_name(number)
        print(f"\nrun {number} of {told['planned']}", flush=True)
        recorded, code = play_apart(what, replace(options, folder=folder / name, against=None))
        if recorded is None or not (recorded / SUMMARY).exists():
            told["ended"] = {"reason": "failed", "detail": f"{name} ended with exit {code} and without a summary"}
            return code
        told["runs"].append({"run": name, "exit": code})
        write_json(folder / SERIES, told)
        one = OneRun(name, json.loads((recorded / SUMMARY).read_bytes()))
        if stops(one) or code in (INTERRUPTED, OUR_BUG):
            told["ended"] = why_stopped(one)
            return code if code in (INTERRUPTED, OUR_BUG) else 0
    told["ended"] = {"reason": COMPLETE, "detail": ""}
    return 0


def _folder(options: RunOptions, scenario: str) -> Path:
    if options.folder is None:
        return new_folder(options.base, f"{scenario}-repeat", datetime.now(UTC))
    options.folder.mkdir(parents=True)
    return options.folder


def _faults(composition: Composition, options: RunOptions, count: int) -> list[str]:
    """One line for each reason not to begin."""
    faults = limits_missed(composition, options.engines)
    if count < RUNS_AT_LEAST:
        faults.append(
            f"--repeat {count}: a band between runs needs at least {RUNS_AT_LEAST} of them:"
            f" say --repeat {RUNS_AT_LEAST}, or leave it out for one run"
        )
    if options.folder is not None and options.folder.exists():
        faults.append(f"--folder {options.folder}: exists already, and a series has its own folder: name a new one")
    if composition.enrollments is not None:
        left = composition.scenario.devices - int(composition.enrolled.sum())
        if composition.basis["management"] == STAND_IN:
            faults.append(
                "--repeat: each run begins afresh, and --enrollments keeps what the run before left at the stand-in:"
                " leave it out"
            )
        elif left and composition.scenario.enrollment.when != "never":
            faults.append(
                f"--repeat: {left:,} devices of --enrollments are not enrolled yet, so that the first run would differ"
                " from the others: play one run without --repeat before"
            )
    return faults
