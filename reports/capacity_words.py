"""What a search for the capacity found, in words: the headline of its page and the lines on the terminal.

Nothing is computed or judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reports import wording
from reports.capacity import ANY
from reports.gave_in import DRAWS
from reports.messages import ENGLISH, Say
from reports.servermetrics import SERIES_AT_MOST, STAND_IN
from reports.wording import Headline

_MOODS: Final = {"found": "pass", "harness": "untrusted"}
_SURE: Final = 0.8
_WHY: Final = {
    "time": "capacity.why_time",
    "leave": "capacity.why_leave",
    "interrupted": "capacity.why_interrupted",
    "complete": "capacity.why_band",
}


def headline(whole: Mapping[str, Any], say: Say = ENGLISH) -> Headline:
    """The capacity as a reader hears it first, and what it rests on."""
    result, end = whole["result"], whole["result"]["end"]
    key = f"capacity.head_{end}"
    if end == "harness" and result["holds"] is None:
        key = "capacity.head_harness_none"
    counts = {name: devices(result[name]) for name in ("holds", "breaks", "saturated", "low", "high")}
    values: dict[str, Any] = {
        **counts,
        "devices": devices(result["capacity"]),
        "objective": objective(result["objective"]["name"], say),
        "limit": limit(result["objective"]),
        "runs": result["runs"],
        "why": say.heard(result["why"])
        if end in ("harness", "lacking")
        else say(_WHY.get(whole["ended"]["reason"], "capacity.why_cut")),
    }
    because = say(_because(whole), **values)
    if end == "open" and result["capacity"] is not None:
        because += say("capacity.so_far", **values)
    return Headline(_MOODS.get(end, "unknown"), say(key, **values), because)


def _because(whole: Mapping[str, Any]) -> str:
    """The key of what the headline rests on."""
    result, end = whole["result"], whole["result"]["end"]
    if end == "open" and not result["runs"]:
        return "capacity.because_nothing"
    if end == "harness" and str(result["saturated"]) in whole["unplayable"]:
        return "capacity.because_not_carried"
    return f"capacity.because_{end}"


def standing(whole: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """What the capacity is a capacity of."""
    pace = whole["compression"]
    said = say("capacity.real_pace") if pace == 1 else say("capacity.pace", pace=f"{pace:g}")
    named = tested(whole)
    others = [name for name in whole["targets"] if name not in named]
    said += say("capacity.same_fleet" if whole["same_fleet"] else "capacity.own_fleets")
    if not named:
        return said + say("standing.rehearsal")
    if not others:
        return said + say("standing.tested", names=say.many(named))
    return said + say("standing.tested_also", names=say.many(named), others=say.many(others))


def headroom(whole: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """How much of the capacity the devices need with which the search began; empty where no capacity is known."""
    start, most = whole["bounds"]["start"], whole["result"]["capacity"]
    if most is None or whole["result"]["end"] != "found":
        return ""
    key = "capacity.room" if start <= most else "capacity.no_room"
    return say(key, start=devices(start), share=f"{100 * start / most:.0f} %")


def tested(whole: Mapping[str, Any]) -> list[str]:
    """The targets that were systems of the user's own."""
    return [name for name, target in whole["targets"].items() if target["basis"] == "target"]


def devices(count: float | None) -> str:
    """A number of devices; a dash where it is not known."""
    return wording.NOTHING if count is None else f"{count:,.0f}"


def objective(name: str, say: Say) -> str:
    """An objective by its name."""
    return say("capacity.any_objective") if name == ANY else say.heard(name)


def limit(row: Mapping[str, Any]) -> str:
    """The limit of an objective."""
    return wording.NOTHING if row["limit"] is None else wording.figure(row["limit"], row["unit"])


def verdict_of(level: Mapping[str, Any]) -> str:
    """How a run of a level stands: within, beyond, untrusted, cut or gave_in."""
    if level["burden"] is None:
        return "untrusted" if level["complete"] and not level["trusted"] else "cut"
    if level["aborted"]:
        return "gave_in"
    return "beyond" if level["burden"] > 0 else "within"


def gave_in(whole: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """What gave in with the limit, in a sentence that says how sure that is; empty where nothing is named."""
    found = surely_gave_in(whole)
    if not found:
        return ""
    first = found[0]
    values = {"metric": first["metric"], "kind": say(f"gave_in.{first['kind']}"), "sure": surely(first, say)}
    return say("gave_in.first" if len(found) == 1 else "gave_in.first_of", others=len(found) - 1, **values)


def surely_gave_in(whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What gave in and is sure enough to act on, as far as that is known; the table has the others too."""
    found = whole["gave_in"].get("found") or ()
    return [one for one in found if one["sure"] is None or one["sure"] >= _SURE]


def theirs_gave_in(whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of what surely gave in, what is no metric of a stand-in."""
    return [one for one in surely_gave_in(whole) if one["metric"] not in STAND_IN]


def starts_told(whole: Mapping[str, Any], count: float) -> str:
    """How many lids so many devices open in the busiest second, by the first level's plan."""
    per_s = count * whole["peak_starts_per_s"] / whole["devices"]
    return f"{per_s:,.0f}" if per_s >= 100 else f"{per_s:.3g}"


def surely(found: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """How sure it is that a metric gave in."""
    sure = found["sure"]
    if found["kind"] == "appeared":
        return say("gave_in.in_every")
    return say("gave_in.unsure") if sure is None else say("gave_in.sure", share=wording.share(sure), draws=DRAWS)


def metrics_left_out(whole: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """How many of the servers' metrics were not looked at, in a sentence; empty where all were."""
    count = whole.get("metrics_left_out", 0)
    return say("gave_in.left_out", count=devices(count), kept=devices(SERIES_AT_MOST)) if count else ""


def what_if(row: Mapping[str, Any], say: Say = ENGLISH) -> str:
    """What became of a what-if, measured or rehearsed, in a few words."""
    said = [say(f"whatifs.{row['way']}")]
    if row["why"]:
        said.append(say("whatifs.not_measured", why=say.heard(row["why"])))
    if row["verdict"]:
        said.append(f"{say('levels.verdict')}: {say('levels.' + row['verdict'])}")
    if row["worst"]:
        measured, allowed = (wording.figure(row["worst"][key], row["worst"]["unit"]) for key in ("value", "limit"))
        said.append(f"{objective(row['worst']['name'], say)} {measured} / {allowed}")
    return "; ".join(said)


def text(whole: Mapping[str, Any], page: str) -> str:
    """The lines for a terminal, with a newline at the end."""
    said = headline(whole)
    lines = [f"{said.word}.", said.because, standing(whole)]
    law = whole["scalability"]
    if law["points"]:
        refused = law.get("refused")
        lines.append(
            ENGLISH("scalability.refused", why=refused)
            if refused
            else f"Universal Scalability Law: {law['rate']['value']:.4g} per second with one in flight, contention"
            f" {law['contention']['value']:.3g}, coherency {law['coherency']['value']:.3g}"
        )
    lines += [
        f"gave in: {one['metric']}: {ENGLISH('gave_in.' + one['kind'])} ({one['low']}, {one['at']}, {one['beyond']});"
        f" {surely(one)}"
        for one in whole["gave_in"].get("found", ())
    ]
    if left_out := metrics_left_out(whole):
        lines.append(left_out)
    lines += [
        f"what if: {ENGLISH('case.' + row['name'])} ({devices(row['devices'])} devices): {what_if(row)}"
        for row in whole["what_ifs"]
    ]
    return "\n".join([*lines, "", f"report: {page}"]) + "\n"
