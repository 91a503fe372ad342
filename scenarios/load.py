"""Reads a scenario's files, folds command line, scenario and organisation into one value, tells every fault at once.

The only file that opens a scenario or an organisation. It checks what one model alone cannot see; it plays nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from scenarios.arrivals import Arrivals
from scenarios.citytime import text
from scenarios.evidence import part, samples_needed
from scenarios.faults import Loc, ScenarioFaults, explain, fault, shown
from scenarios.objective import ALL, Objective
from scenarios.schema import Act, Day, Enrollment, Known, Scenario
from scenarios.sign_in import SignIn

HERE = Path(__file__).parent
COMMAND_LINE = "command line"
_OVERRIDDEN: tuple[Loc, ...] = (("devices",), ("seed",), ("arrivals_seed",), ("day", "compression"))

T = TypeVar("T")
_PUBLISHES = ("publish_policy", "publish_extension_policy")


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the command line says; None where it says nothing.

    Args:
        named_target: whether the user named any target. Then nothing is compressed unless the command line says so.
    """

    devices: int | None = None
    seed: int | None = None
    arrivals_seed: int | None = None
    compression: float | None = None
    named_target: bool = False


def shipped() -> dict[str, Path]:
    """The scenarios that come with the project, by name."""
    return {path.stem: path for path in sorted(HERE.glob("*.toml"))}


def load(name_or_path: str, *, known: Known, overrides: Overrides | None = None, judged: bool = True) -> Scenario:
    """Read a scenario and fold it: the command line counts before the scenario, the scenario before the organisation.

    Args:
        name_or_path: a shipped scenario's name, or the path of a TOML file.
        known: the names that the simulator knows.
        judged: whether its objectives will be judged: then its counts have to carry them.

    Raises:
        ScenarioFaults: with one line for each fault in the scenario, its organisation and the overrides.
    """
    path = _find(name_or_path, "scenario", shipped(), Path())
    data = read_toml(path)
    faults = _named(data, path)
    city, city_file = _organisation(data, path, faults)
    folded = _fold(data, path.stem, city, overrides or Overrides())

    def place(loc: Loc) -> tuple[str, Loc]:
        if loc[0] == "organisation" and len(loc) > 1:
            return city_file, loc[1:]
        if loc in _OVERRIDDEN and getattr(overrides, str(loc[-1]), None) is not None:
            return COMMAND_LINE, (f"--{loc[-1]}",)
        return path.name, loc

    try:
        scenario = Scenario.model_validate(folded, context=_context(known, city))
    except ValidationError as error:
        faults += explain(error, Scenario, place, skip=("organisation",) if city is None else ())
    faults += _across(folded, path.name)
    if judged:
        faults += _uncarried(folded, known, path.name)
    if faults:
        raise ScenarioFaults(faults)
    return scenario


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ScenarioFaults where it cannot be read; a syntax error comes with its line."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ScenarioFaults([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ScenarioFaults([f"{path.name}: not UTF-8 text (byte {error.start})"]) from error
    except tomllib.TOMLDecodeError as error:
        message = re.sub(r"^(.*) \(at (.*)\)$", r"\2: \1", str(error), flags=re.DOTALL)
        raise ScenarioFaults([f"{path.name}: {message} (TOML syntax)"]) from error
    except (ValueError, RecursionError) as error:
        raise ScenarioFaults([f"{shown(str(path))}: cannot be read: {error}"]) from error


def _find(name: str, what: str, known: dict[str, Path], base: Path) -> Path:
    if name.endswith(".toml") or "/" in name:
        return base / name
    if name in known:
        return known[name]
    close = get_close_matches(name, list(known), n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise ScenarioFaults(
        [f"no {what} is called {shown(name)}: expected one of {', '.join(known)}, or a .toml file{hint}"]
    )


def _named(data: dict[str, Any], path: Path) -> list[str]:
    return [f"{path.name}: name: unknown key, its name is its file's"] if "name" in data else []


def _organisation(data: dict[str, Any], path: Path, faults: list[str]) -> tuple[dict[str, Any] | None, str]:
    """The organisation's tables and its file's name; None where there are none to judge."""
    name = data.get("organisation")
    if not isinstance(name, str):
        expected = "an organisation's name or file, in quotes"
        faults.append(
            f"{path.name}: organisation is missing: expected {expected}"
            if name is None
            else fault(path.name, "organisation", name, expected)
        )
        return None, ""
    try:
        known = {file.stem: file for file in sorted(HERE.glob("organisations/*.toml"))}
        file = _find(name, "organisation", known, path.parent)
        city = read_toml(file)
        faults += _named(city, file)
        return city | {"name": file.stem}, file.name
    except ScenarioFaults as error:
        faults += error.faults
        return None, ""


def _fold(data: dict[str, Any], name: str, city: dict[str, Any] | None, overrides: Overrides) -> dict[str, Any]:
    devices = (city or {}).get("devices")
    # a wrong number is the organisation's fault, and told there
    devices = devices if isinstance(devices, int) and devices > 0 else 1
    folded = {"devices": devices, **data, "name": name, "organisation": city}
    if overrides.devices is not None:
        folded["devices"] = overrides.devices
    if overrides.seed is not None:
        folded["seed"] = overrides.seed
    if overrides.arrivals_seed is not None:
        folded["arrivals_seed"] = overrides.arrivals_seed
    compression = 1.0 if overrides.named_target and overrides.compression is None else overrides.compression
    if compression is not None and isinstance(data.get("day"), dict):
        folded["day"] = data["day"] | {"compression": compression}
    return folded


def _context(known: Known, city: dict[str, Any] | None) -> dict[str, Any]:
    """The names that the models check against; a list that cannot be read is not checked against."""
    names = {"journeys": known.journeys, "steps": (*known.steps, ALL), "actions": known.actions}
    for key in ("departments", "sites"):
        kinds = (city or {}).get(key)
        if isinstance(kinds, list) and all(isinstance(kind, dict) for kind in kinds):
            names[key] = tuple(str(kind.get("name")) for kind in kinds)
    return names


def _valid(kind: Any, value: object) -> Any:
    """The value as that type, None when it is not one: its faults are told elsewhere."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return None


def _tables(folded: dict[str, Any], key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    listed = folded.get(key)
    if isinstance(listed, list):
        yield from ((index, table) for index, table in enumerate(listed) if isinstance(table, dict))


def _across(folded: dict[str, Any], file: str) -> Iterator[str]:
    """Faults between the parts of a scenario, each looked for where the parts it needs are right in themselves."""
    day, enrollment = _valid(Day, folded.get("day")), _valid(Enrollment, folded.get("enrollment", {}))
    sign_in = _valid(SignIn, folded.get("sign_in", {}))
    names: set[object] = set()
    for index, table in _tables(folded, "waves"):
        if isinstance(name := table.get("name"), str) and name in names:
            yield fault(file, f"waves[{index}].name", name, "a name that no other wave has")
        names.add(str(table.get("name")))
        arrivals = _valid(Arrivals, table.get("arrivals"))
        if day and arrivals and not day.start_s <= arrivals.from_s <= arrivals.to_s <= day.end_s:
            window = f"{text(arrivals.from_s)} to {text(arrivals.to_s)}"
            yield fault(file, f"waves[{index}].arrivals", window, f"times within the day, {_span(day)}")
        if table.get("journey") == "boot" and enrollment and enrollment.when == "never":
            needed = '"sign_in_only" where [enrollment] says when = "never"'
            yield fault(file, f"waves[{index}].journey", "boot", needed)
        if table.get("journey") == "sign_in_only" and sign_in and sign_in.returning:
            needed = '"boot", or [sign_in] without offline_unlock and expired_token: they ask for no sign-in'
            yield fault(file, f"waves[{index}].journey", "sign_in_only", needed)
    for index, table in _tables(folded, "operator"):
        act = _valid(Act, table)
        if day and act and not day.start_s <= act.at_s <= day.end_s:
            yield fault(file, f"operator[{index}].at", text(act.at_s), f"a city time within the day, {_span(day)}")
    for index, table in _tables(folded, "objectives"):
        objective = _valid(Objective, table)
        for key in ("from", "until", "done_by") if day and objective else ():
            at = getattr(objective, f"{key}_s")
            if at is not None and not day.start_s <= at <= day.end_s:
                yield fault(file, f"objectives[{index}].{key}", text(at), f"a city time within the day, {_span(day)}")


def _span(day: Day) -> str:
    return f"{text(day.start_s)} to {text(day.end_s)}"


_CARRIED: Final = {"percentile": "percentile", "done_share": "share", "error_share_at_most": "share"}
"""What of an objective has to be carried by a count, and what it is called."""


def _uncarried(folded: dict[str, Any], known: Known, file: str) -> Iterator[str]:
    """Objectives that the planned count cannot carry: percentiles, shares of devices, errors of what is not planned."""
    keep = ("name", "organisation", "devices", "waves", "operator", "updates")
    alone = {"title": "-", "question": "-", "day": {"start": "00:00", "end": "24:00"}}
    scenario = _valid(Scenario, alone | {key: folded[key] for key in keep if key in folded})
    if scenario is None:
        return
    for index, table in _tables(folded, "objectives"):
        objective = _valid(Objective, table)
        if objective is None:
            continue
        least = objective.least_percentile
        count, needed = planned(scenario, objective.step, known), 1 if least is None else samples_needed(least)
        if count is not None and count < needed:
            key, kind = next((key, kind) for key, kind in _CARRIED.items() if getattr(objective, key) is not None)
            carried = f"a {kind} that {count} planned samples of {objective.step} can carry"
            advice = f"{carried} (it needs {needed}): plan more devices, or ask for less"
            yield fault(file, f"objectives[{index}].{key}", getattr(objective, key), advice)


def planned(scenario: Scenario, step: str, known: Known) -> int | None:
    """How many samples of a step or milestone a scenario plans; None where that is not known beforehand."""
    lids = scenario.starts("boot")
    if step == "applied":
        changed = [act.with_.get("policy") for act in scenario.operator if act.act in _PUBLISHES]
        # which devices have accounts of their own is not known beforehand; a browser's extensions are no device's
        return None if "account" in changed else lids * (len(changed) - changed.count("browser"))
    if step == "updated":
        return part(scenario.updates.offered_share, lids)
    journeys = known.once_per.get(step)
    if journeys == ("enroll",):
        return scenario.devices
    return None if journeys is None else scenario.starts(*journeys)
