"""What to do next after a search for the capacity: the most pressing first. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reports.advice import remedies_told
from reports.capacity_words import devices, objective, starts_told, surely_gave_in, tested, theirs_gave_in
from reports.messages import Say
from reports.messages.distrust import remedy_of
from reports.servermetrics import STAND_IN

_OPEN: Final = {"time": "todo.more_time", "leave": "todo.renew_leave", "complete": "todo.wide_band"}
_LONGER: Final = 2
_FURTHER: Final = 10


def capacity_advice(whole: Mapping[str, Any], say: Say) -> list[str]:
    """The sentences. `whole` is the search's capacity.json."""
    result, end = whole["result"], whole["result"]["end"]
    if end == "harness":
        known = remedies_told([result["why"]], say) if remedy_of(result["why"]) else [say("todo.raise_limit")]
        return [*known, say("todo.search_again", command=whole["command"])]
    if end == "lacking":
        return [say("todo.lacking"), say("todo.search_again", command=whole["command"])]
    if end == "open":
        key = _OPEN.get(whole["ended"]["reason"], "todo.search_on")
        return [say(key, command=whole["command"], minutes=f"{_LONGER * whole['minutes']:g}")]
    if end == "not_reached":
        told = [say("todo.further", most=_FURTHER * whole["bounds"]["most"])]
    else:
        told = list(_beyond(whole, say))
    if end == "found":
        told.append(_plan_with(whole, say))
    if not tested(whole):
        told.append(say("todo.name_staging"))
    if whole["compression"] != 1:
        told.append(say("todo.search_real_pace"))
    return told


def _plan_with(whole: Mapping[str, Any], say: Say) -> str:
    """The lower end of the band, in devices and in what they start at their peak: a plateau is a rate, not a fleet."""
    low = whole["result"]["low"]
    if not whole["peak_starts_per_s"]:
        return say("todo.plan_with", low=devices(low))
    return say("todo.plan_with_rate", low=devices(low), per_s=starts_told(whole, low))


def _beyond(whole: Mapping[str, Any], say: Say) -> Iterator[str]:
    """Where to look for what gave in, and the run that shows it: the worst of the first level that breaks."""
    found = surely_gave_in(whole)
    of_users = theirs_gave_in(whole) if tested(whole) else found
    if of_users:
        yield say(f"todo.gave_in_{of_users[0]['kind']}", metric=of_users[0]["metric"])
    elif found:
        yield say("todo.stand_in_gave_in", metric=found[0]["metric"])
    elif tested(whole) and not any(level["metrics"].keys() - set(STAND_IN) for level in whole["levels"]):
        yield say("todo.give_metrics")
    of_level = [level for level in whole["levels"] if level["devices"] == whole["result"]["breaks"]]
    worst = max((level for level in of_level if level["burden"] is not None), key=lambda level: float(level["burden"]))
    missed = max(worst["objectives"], key=lambda row: float(row["burden"]))
    yield say("todo.open_level", run=worst["folder"], objective=objective(missed["name"], say))
