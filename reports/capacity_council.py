"""council.html of a search for the capacity: one A4 page in plain words for those who buy, and never saw a percentile.

Puts what the search found before the template of council.html. Nothing is measured here, and nothing judged but whether
what was asked about lies within what is borne. No chart, no step's name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np

from reports import wording
from reports.capacity_words import devices, starts_told, theirs_gave_in
from reports.council import LONGEST_QUESTION, LONGEST_TITLE, shared_told, short, tested_told
from reports.html import render
from reports.messages import ENGLISH, Say
from reports.runfolder import RunData
from reports.scalability import plateau_window

Enough = Literal["yes", "near", "no", "unknown"]
Amount = Callable[[float], str]
"""A number of devices in words: as that, or on a plateau, where devices set a rate and are no fleet, as that rate."""

_MOODS: Final[dict[Enough, str]] = {"yes": "pass", "no": "fail", "near": "unknown", "unknown": "unknown"}


def capacity_council(first: RunData, whole: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """The page.

    Args:
        first: a run of one of its levels, which tells what was asked of which service.
        whole: its capacity.json.
        say: its language.
    """
    return render("council.html.j2", say, sheet=search_sheet(first, whole, say))


def search_sheet(first: RunData, whole: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """What stands on the page, for its template (arguments as capacity_council has them)."""
    result, end, enough = whole["result"], whole["result"]["end"], enough_of(whole)
    steady = plateau_window(first.run) is not None

    def amount(count: float) -> str:
        if not steady:
            return say("buy.devices", count=devices(count))
        return say("buy.per_s", count=starts_told(whole, count))

    asked_of = [str(first.run["steps"][at]) for at in np.unique(first.samples["step"])]
    found = wording.what_was_tested(first.run, {"steps": asked_of}, say)
    nothing = end == "harness" and result["holds"] is None
    known = {key: amount(result[key]) for key in ("capacity", "holds", "breaks") if result[key] is not None}
    who = say("buy.who_own" if found.tested else "buy.who_stand_ins")
    asked = amount(whole["bounds"]["start"])
    limits = _limits(found, whole, amount, say, steady=steady)
    return {
        "mood": _mood(end, enough),
        "title": short(say.heard(whole["title"]), LONGEST_TITLE),
        "question": short(say.heard(whole["question"]), LONGEST_QUESTION),
        "day": str(first.run.get("t0_utc") or "")[:10],
        "rehearsal": not found.tested,
        "heading": say("buy.head_nothing" if nothing else f"buy.head_{end}", who=who, **known),
        "people": None,
        "sentence": say(f"buy.so_far_{enough}" if end == "open" else f"buy.asked_{enough}", asked=asked),
        "tiles": _tiles(whole, amount, say),
        "limits": [*limits, *shared_told(first.run, say), say("council.not_in_it")],
        "next": _next(whole, enough, amount, say, rehearsal=not found.tested),
        "which": say("buy.which", scenario=whole["scenario"]),
    }


def enough_of(whole: Mapping[str, Any]) -> Enough:
    """Whether what was asked about is borne: by the band's lower end where there is a band, by the levels otherwise.

    Of a search that did not come to its end: by its levels so far.
    """
    result, asked = whole["result"], whole["bounds"]["start"]
    if result["end"] == "found":
        return "yes" if asked <= result["low"] else "no" if asked > result["high"] else "near"
    if result["holds"] is not None and asked <= result["holds"]:
        return "yes"
    return "no" if result["breaks"] is not None and asked >= result["breaks"] else "unknown"


def _mood(end: str, enough: Enough) -> str:
    if end == "harness" and enough == "unknown":
        return "untrusted"
    return "unknown" if end == "open" else _MOODS[enough]


def _tiles(whole: Mapping[str, Any], amount: Amount, say: Say) -> list[tuple[str, str, str]]:
    """Each a figure and what it means: what to plan with, where the limit lies, what was asked about."""
    result = whole["result"]
    tiles = [(amount(whole["bounds"]["start"]), say("buy.tile_asked"), "")]
    if result["end"] == "found":
        low, high = (amount(result[key]) for key in ("low", "high"))
        return [(low, say("buy.tile_low"), ""), *tiles, (high, say("buy.tile_high"), "")]
    found = [(key, result[key]) for key in ("holds", "breaks", "saturated") if result[key] is not None]
    if result["end"] == "lacking":
        found = [("lacking" if key == "saturated" else key, count) for key, count in found]
    return [*tiles, *((amount(count), say(f"buy.tile_{key}"), "") for key, count in found)]


def _limits(found: wording.Tested, whole: Mapping[str, Any], amount: Amount, say: Say, *, steady: bool) -> list[str]:
    """What the search does and does not say, the gravest first; `steady`: one rate was played, and no morning."""
    pace = whole["compression"]
    told = [say("buy.harness")] if whole["result"]["end"] == "harness" else []
    told += [tested_told(found, say), _rests(whole, amount, say)]
    if pace != 1:
        told.append(say("council.squeezed", pace=f"{pace:g}"))
    elif not steady:
        told.append(say("council.real_pace"))
    if steady:
        told.append(say("buy.steady", asked=devices(whole["bounds"]["start"])))
    if found.tested and (theirs := theirs_gave_in(whole)):
        told.append(say("buy.gave_in", metric=theirs[0]["metric"]))
    return told


def _rests(whole: Mapping[str, Any], amount: Amount, say: Say) -> str:
    """How many tests it rests on, and what "borne" means."""
    played = [level["devices"] for level in whole["levels"] if level["burden"] is not None]
    if not played:
        return say("buy.rests_none")
    least, most = amount(min(played)), amount(max(played))
    loads = most if least == most else say("buy.between", least=least, most=most)
    return say("buy.rests_one" if len(played) == 1 else "buy.rests", tests=len(played), loads=loads)


def _next(whole: Mapping[str, Any], enough: Enough, amount: Amount, say: Say, *, rehearsal: bool) -> str:
    """The one thing to do next."""
    result, end = whole["result"], whole["result"]["end"]
    if end in ("harness", "lacking", "open"):
        return say(f"buy.next_{end}")
    if rehearsal:
        return say("council.next_rehearsal")
    if whole["compression"] != 1:
        return say("buy.next_real_pace")
    if end == "found":
        return say(f"buy.next_{enough}", low=amount(result["low"]))
    return say("buy.next_not_reached" if enough == "yes" else "buy.next_no")
