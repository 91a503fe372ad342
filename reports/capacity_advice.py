"""What to do next after a search for the capacity: the most pressing first. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reports.advice import remedies_told
from reports.capacity_words import devices, objective, tested
from reports.messages import Say
from reports.messages.distrust import remedy_of

_OPEN: Final = {"time": "todo.more_time", "complete": "todo.wide_band"}
_LONGER: Final = 2
_FURTHER: Final = 10


def capacity_advice(whole: Mapping[str, Any], say: Say) -> list[str]:
    """The sentences. `whole` is the search's capacity.json."""
    result, end = whole["result"], whole["result"]["end"]
    if end == "harness":
        known = remedies_told([result["why"]], say) if remedy_of(result["why"]) else [say("todo.raise_limit")]
        return [*known, say("todo.search_again", command=whole["command"])]
    if end == "open":
        key = _OPEN.get(whole["ended"]["reason"], "todo.search_on")
        return [say(key, command=whole["command"], minutes=f"{_LONGER * whole['minutes']:g}")]
    if end == "not_reached":
        told = [say("todo.further", most=_FURTHER * whole["bounds"]["most"])]
    else:
        told = list(_beyond(whole, say))
    if end == "found":
        told.append(say("todo.plan_with", low=devices(result["low"])))
    if not tested(whole):
        told.append(say("todo.name_staging"))
    if whole["compression"] != 1:
        told.append(say("todo.search_real_pace"))
    return told


def _beyond(whole: Mapping[str, Any], say: Say) -> Iterator[str]:
    """Where to look for what gave in."""
    found = whole["gave_in"].get("found")
    if found:
        yield say("todo.gave_in", metric=found[0]["metric"])
    elif not any(level["metrics"] for level in whole["levels"]):
        yield say("todo.give_metrics")
    beyond = [level for level in whole["levels"] if level["burden"] is not None and level["burden"] > 0]
    first = min(beyond, key=lambda level: (level["devices"], -level["burden"]))
    worst = max(first["objectives"], key=lambda row: float(row["burden"]))
    yield say("todo.open_level", run=first["folder"], objective=objective(worst["name"], say))
