"""A run without what tells whose systems, machines and accounts it was played with: what --public shows.

What may identify is left out rather than searched for, so that nothing has to be recognised; only sentences that have
to stay (reasons, notes, the scenario's own words) are searched, for values known from run.json and for their shapes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from reports.runfolder import RunData
from reports.servermetrics import STAND_IN

MASK: Final = "•••"
_KEPT_MACHINE: Final = ("cores",)
_KEPT_EXAMPLE: Final = ("step", "reason", "outcome", "status", "at_s", "device")
_OUR_PROCESS: Final = re.compile(r"(?:engine|worker|backend|broker|run)[-0-9]*")
_SHAPES: Final = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s,;()<>\"']+"  # URLs
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail addresses, accounts
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b|\[?(?:[0-9a-f]{0,4}:){3,}[0-9a-f.]{0,15}\]?"  # IP addresses
    r"|(?<![\w.])[~.]{0,2}/[\w.~-]+(?:/[\w.~-]*)*",  # paths
    re.IGNORECASE,
)


def public(data: RunData, summary: Mapping[str, Any]) -> tuple[RunData, dict[str, Any]]:
    """The run and its summary as anybody may see them; the samples are the same."""
    clean = _cleaner(data.run)
    examples = [
        {"detail": "", "url": "", **{key: one[key] for key in _KEPT_EXAMPLE if key in one}} for one in data.examples
    ]
    health = [row if _OUR_PROCESS.fullmatch(str(row["who"])) else {**row, "who": MASK} for row in data.health]
    shown = replace(data, run=_run(data.run, clean), examples=examples, health=health)
    return shown, _said(summary, clean)


def public_series(run: Mapping[str, Any], summary: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """run.json of its first run and the summary of repeated runs, as anybody may see them."""
    clean = _cleaner(run)
    shown = _run(run, clean)
    return {**shown, "command": f"{shown['command']} --repeat {summary['planned_runs']}"}, _said(summary, clean)


def public_search(run: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    """A search for the capacity as anybody may see it.

    Args:
        run: run.json of one of its levels, which knows what is to be masked.
        whole: its capacity.json.
    """
    clean = _cleaner(run)
    command = (
        f"capacity {clean(whole['scenario'])} --seed {whole['seed']} --devices {whole['devices']}"
        f" --compression {whole['compression']:g} --max-devices {whole['bounds']['most']}"
    )
    found = [
        # what servers call their metrics may name them
        one if one["metric"] in STAND_IN else {**one, "metric": MASK}
        for one in whole["gave_in"].get("found", ())
    ]
    gave_in = whole["gave_in"] | ({"found": found} if "found" in whole["gave_in"] else {})
    cleaned: dict[str, Any] = clean(whole)
    return cleaned | {"command": command, "gave_in": gave_in}


def _run(run: Mapping[str, Any], clean: Callable[[Any], Any]) -> dict[str, Any]:
    """run.json without what identifies."""
    words = {key: clean(run["scenario"][key]) for key in ("name", "title", "question")}
    return {
        **run,
        "scenario": {**run["scenario"], **words},
        "targets": {name: {**target, "url": ""} for name, target in run["targets"].items()},
        "machine": {key: run["machine"][key] for key in _KEPT_MACHINE if key in run["machine"]},
        "command": f"fleetrush run {words['name']} --seed {run['seed']}"
        f" --devices {run['devices']} --compression {run['compression']:g}",
        "folder": MASK,
        "accounts": {**(run.get("accounts") or {}), "from": MASK},
        "authorisation": None,
        "enrollments": None,
        "ended": clean(run["ended"]) if run.get("ended") else None,
        "untrusted": clean(run.get("untrusted", [])),
        "actions": clean(run.get("actions", [])),
    }


def _said(summary: Mapping[str, Any], clean: Callable[[Any], Any]) -> dict[str, Any]:
    """A summary whose sentences are cleaned; its figures are the same."""
    said = ("scenario", "title", "question", "ended", "harness", "objectives", "comparison", "runs")
    return {**summary, **{key: clean(summary[key]) for key in said if key in summary}}


def _cleaner(run: Mapping[str, Any]) -> Callable[[Any], Any]:
    """What masks, in texts however deep they lie, the values that a run knows and the shapes of others."""
    known = sorted({value for value in _known(run) if len(value) > 2}, key=len, reverse=True)

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            # the shapes first: a known domain alone would leave the name before it
            value = _SHAPES.sub(MASK, value)
            for one in known:
                value = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", MASK, value, flags=re.IGNORECASE)
            return value
        if isinstance(value, Mapping):
            return {key: clean(one) for key, one in value.items()}
        return [clean(one) for one in value] if isinstance(value, (list, tuple)) else value

    return clean


def _known(run: Mapping[str, Any]) -> Iterator[str]:
    """What run.json says of systems, places, people and machines."""
    for target in run["targets"].values():
        url = str(target.get("url") or "")
        yield url
        yield urlsplit(url).hostname or ""
    authorisation = run.get("authorisation") or {}
    yield from (str(authorisation.get(key) or "") for key in ("owner", "approved_by"))
    yield from map(str, authorisation.get("hosts") or ())
    for path in (run.get("enrollments"), (run.get("accounts") or {}).get("from")):
        if path and path != "generated":
            yield str(path)
            yield Path(path).name
    yield from (str(value) for key, value in run["machine"].items() if key not in _KEPT_MACHINE)
    yield str((run["scenario"]["folded"].get("organisation") or {}).get("domain") or "")
