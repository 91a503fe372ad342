"""A user's mistakes in a file, each as one line: file, key, value, what was expected, the nearest known name.

No file is read here and nothing is decided: this only words what was found.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

Loc = tuple[int | str, ...]

_WIDEST_VALUE = 60
_UNIONS = ("arrivals", "who")

# What pydantic's error types mean, in words; braces are filled from the error's context
_EXPECTED = {
    "string_type": "text in quotes",
    "string_too_short": "text that is not empty",
    "string_pattern_mismatch": "text that matches {pattern}",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "tuple_type": "a list",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "date_type": "a date without quotes, YYYY-MM-DD",
    "datetime_type": "a date and time without quotes, YYYY-MM-DDTHH:MM:SS+09:00",
    "timezone_aware": "a date and time with its offset, YYYY-MM-DDTHH:MM:SS+09:00",
}
_UNITS = (
    ("_per_s", "per second"),
    ("_s", "in seconds"),
    ("_s_at_most", "in seconds"),
    ("_ms", "in milliseconds"),
    ("_ms_at_most", "in milliseconds"),
    ("_cores_at_most", "in cores"),
    ("_bytes", "in bytes"),
    ("_mbit", "in Mbit/s"),
    ("share", "as a share from 0 to 1"),
    ("share_at_most", "as a share from 0 to 1"),
)


class ScenarioFaults(ValueError):  # noqa: N818 - a list of them
    """Everything that is wrong with a scenario, its organisation or its targets, told in one go."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def fault(file: str, key: str, value: object, expected: str, near: Iterable[str] = ()) -> str:
    """One line about a wrong value, with the nearest of the names that would have been right."""
    close = get_close_matches(value, list(near), n=1) if isinstance(value, str) else []
    return f"{file}: {key} = {shown(value)}: expected {expected}" + (f'; did you mean "{close[0]}"?' if close else "")


def unknown_key(file: str, key: str, keys: Iterable[str]) -> str:
    """One line about a key that does not belong there."""
    names = sorted(keys)
    close = get_close_matches(key.rpartition(".")[2], names, n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    return f"{file}: {key}: unknown key, expected one of {', '.join(names)}{hint}"


def explain(
    error: ValidationError, model: type[BaseModel], place: Callable[[Loc], tuple[str, Loc]], skip: tuple[str, ...] = ()
) -> Iterator[str]:
    """A line for each thing that pydantic found.

    Args:
        model: what was validated.
        place: file and key of a location in it (an organisation's keys are in another file).
        skip: top-level keys whose errors are already told.
    """
    for detail in error.errors(include_url=False):
        # a list whose items are wrong is called too short as well
        items = detail["type"] == "too_short" and len(detail["input"]) >= detail["ctx"]["min_length"]
        if detail["loc"][0] not in skip and not items:
            yield _line(detail, place, _inside(model, detail["loc"]))


def _line(detail: ErrorDetails, place: Callable[[Loc], tuple[str, Loc]], inside: type[BaseModel]) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), detail["input"]
    # pydantic puts the name of a union's member into the location, after the key: no file has it
    loc: Loc = tuple(part for before, part in pairwise(("", *detail["loc"])) if before not in _UNIONS)
    if tag := str(context.get("discriminator", "")).strip("'"):
        loc, value = (*loc, tag), value.get(tag) if isinstance(value, dict) else value
    if kind == "secret":
        value = "..."
    file, at = place(loc)
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
    if kind == "extra_forbidden":
        return unknown_key(file, key, _keys(inside))
    if kind in ("missing", "union_tag_not_found"):
        about = _fields(inside)[str(loc[-1])].description if kind == "missing" else "Its kind."
        return f"{file}: {key} is missing" + (f": expected {about[0].lower()}{about[1:].rstrip('.')}" if about else "")
    names = _choices(context)
    if names:
        return fault(file, key, value, f"one of {', '.join(names)}", names)
    numbers = {key: f"{said:,.10g}" if isinstance(said, (int, float)) else said for key, said in context.items()}
    expected = _EXPECTED[kind].format(**numbers) if kind in _EXPECTED else detail["msg"]
    return fault(file, key, value, expected + (_unit(loc) if "number" in expected else ""))


def _choices(context: dict[str, Any]) -> list[str]:
    """The names that would have been right, where there is a list of them."""
    said = context.get("names") or context.get("expected_tags") or context.get("expected")
    return re.findall(r"'([^']*)'", said) if isinstance(said, str) else list(said or ())


def _unit(loc: Loc) -> str:
    key = str(loc[-1])
    return next((f", {unit}" for suffix, unit in _UNITS if key.endswith(suffix)), "")


def shown(value: object) -> str:
    """A value as TOML writes it, cut where it gets long."""
    if isinstance(value, (date, datetime, time)):
        said = value.isoformat()
    else:
        said = json.dumps(value, ensure_ascii=False, default=str)
    return said if len(said) <= _WIDEST_VALUE else said[: _WIDEST_VALUE - 3] + "..."


def _keys(model: type[BaseModel]) -> list[str]:
    """What a file may say there; a field left out of the JSON Schema is not the file's to say."""
    hidden = SkipJsonSchema
    return [key for key, field in _fields(model).items() if not any(isinstance(m, hidden) for m in field.metadata)]


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inside(model: type[BaseModel], loc: Loc) -> type[BaseModel]:
    """The model that the last key of a location belongs to; for a union the location names the member."""
    options = [model]
    for part in loc[:-1]:
        if isinstance(part, int):
            continue
        if field := _fields(model).get(part):
            options = list(_models(field.annotation)) or [model]
            model = options[0]
        else:
            model = next((kind for kind in options if kind.__name__.lower() == part.lower()), model)
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
