"""The folder of repeated runs: what marks it, which runs it holds and what they are called. Nothing is judged here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from reports.runfolder import FORMAT, RunFolderError

SERIES: Final = "series.json"


def run_name(number: int) -> str:
    """The folder of a run of a series, counted from 1."""
    return f"run-{number:02}"


def is_series(path: Path) -> bool:
    """Whether it is the folder of a series of runs."""
    return (path / SERIES).exists()


def label_of(path: Path) -> str:
    """What a run folder is called among others: its name, and before it that of the series it belongs to."""
    return f"{path.parent.name}/{path.name}" if is_series(path.parent) else path.name


def read_series(path: Path) -> tuple[dict[str, Any], list[Path]]:
    """Read series.json. Returns: it, and its runs' folders in the order they were played, at least one.

    Raises: RunFolderError for what is no whole series.
    """
    series = read_whole(path / SERIES)
    if series.get("format") != FORMAT:
        raise RunFolderError(f"{path / SERIES}: format {series.get('format')!r}, expected {FORMAT}")
    if not series["runs"]:
        raise RunFolderError(f"{path}: a series without any run")
    return series, [path / one["run"] for one in series["runs"]]


def read_whole(path: Path) -> dict[str, Any]:
    """Read a JSON file that a whole series has. Raises: RunFolderError where it is not there, or is none."""
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise RunFolderError(f"{path.parent}: not a whole series of runs (it has no {path.name})") from None
    except ValueError as fault:
        raise RunFolderError(f"{path}: not JSON ({fault})") from None
    return told
