"""Which earlier runs a run is held against: found in the folders that were named, and left out with a reason.

Reads run.json and summary.json of the candidates, no samples. What the comparison says is not known here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from reports.comparable import differences
from reports.runfolder import RUN, SUMMARY, RunFolderError
from reports.seriesfolder import is_series, read_series

NEWEST: Final = 20
"""So many of the comparable runs are enough, the latest: what a service was like before them says little of today."""


@dataclass(frozen=True, slots=True)
class Against:
    """What a user names to compare with: run folders, or folders of them; `any_run` takes what was played otherwise."""

    named: tuple[Path, ...]
    any_run: bool = False


@dataclass(frozen=True, slots=True)
class Baselines:
    """The runs to compare with, or series of them, oldest first; those left out as (folder, why); what else to know
    about the choice."""

    paths: tuple[Path, ...] = ()
    left_out: tuple[tuple[Path, str], ...] = ()
    notices: tuple[str, ...] = ()


def run_folders(path: Path) -> list[Path]:
    """The run folders that a path stands for: itself, or those in it and in its folders (a repeated run has its own).

    Returns: in the order of their paths, whose names begin with their time; empty where there are none.
    """
    if (path / RUN).is_file():
        return [path]
    return sorted(file.parent for pattern in (f"*/{RUN}", f"*/*/{RUN}") for file in path.glob(pattern))


def choose(run_path: Path, against: Against) -> Baselines:
    """Choose from what was named; a folder that does not exist holds no run.

    Left out, silently, are the run itself and, in a folder of runs, what was played after it; with a reason, runs that
    cannot be trusted or did not come to their end, and those whose comparable part differs. A series is held against
    series, each as one, and against single runs; a run against runs alone, those of a series among them.

    Args:
        run_path: the folder of the run, or of the series, that is judged.
    Raises: RunFolderError where its run.json cannot be read.
    """
    run = _read_run(run_path)
    found: dict[Path, Path] = {}
    for path in against.named:
        for folder in run_folders(path):
            whole = is_series(run_path) and is_series(folder.parent) and folder != path
            found.setdefault((folder.parent if whole else folder).resolve(), path)
    chosen: list[tuple[str, Path]] = []
    left_out: list[tuple[Path, str]] = []
    changed: set[str] = set()
    for folder, path in found.items():
        if folder == run_path.resolve():
            continue
        try:
            other = _read_run(folder)
        except RunFolderError as fault:
            left_out.append((folder, str(fault)))
            continue
        if began(other) > began(run) and folder != path.resolve():
            continue
        differs = differences(run, other)
        why = _why_not(folder, [] if against.any_run else differs)
        if why:
            left_out.append((folder, why))
            continue
        changed |= set(differs) | _told(run, other)
        chosen.append((began(other), folder))
    chosen.sort()
    notices = [f"compared all the same with runs that differ in {', '.join(sorted(changed))}"] if changed else []
    if not chosen:
        where = ", ".join(str(path) for path in against.named)
        notices.append(f"no baseline yet: {where} holds no earlier run that can be compared with this one")
    return Baselines(tuple(folder for _, folder in chosen[-NEWEST:]), tuple(left_out), tuple(notices))


def began(run: Mapping[str, Any]) -> str:
    """When the first start of a run was due, as UTC text that sorts; empty where none was."""
    return str(run.get("t0_utc") or "")


def _why_not(folder: Path, differs: Sequence[str]) -> str:
    if differs:
        return f"it was not played alike: {', '.join(differs)}"
    if not (folder / SUMMARY).is_file():
        return "it was never judged: `fleetrush report` does it"
    summary = _read(folder / SUMMARY)
    if summary["partial"]:
        return "it did not come to its end"
    return "" if summary["harness"]["trustworthy"] else "it cannot be trusted"


def _read_run(folder: Path) -> dict[str, Any]:
    """run.json of a run, or of the first run of a series, which the others have in common."""
    return _read((read_series(folder)[1][0] if is_series(folder) else folder) / RUN)


def _told(run: Mapping[str, Any], other: Mapping[str, Any]) -> set[str]:
    """What may differ and has to be known: where the city's own services were."""
    return {
        f"the address of {service}"
        for service, target in run["targets"].items()
        if target["basis"] == "target" and target.get("url") != other["targets"].get(service, {}).get("url")
    }


def _read(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise RunFolderError(f"{path}: cannot be read ({fault})") from None
    if not isinstance(told, dict):
        raise RunFolderError(f"{path}: expected a JSON object")
    return told
