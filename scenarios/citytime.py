"""City time as a scenario writes it: "07:55" or "07:55:30", kept as seconds after midnight. No clock is read here."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$|^24:00(:00)?$"


def seconds(text: object) -> float:
    """Seconds after midnight of "HH:MM" or "HH:MM:SS" (up to "24:00"). Raises PydanticCustomError."""
    if not isinstance(text, str) or not re.fullmatch(_PATTERN, text):
        raise PydanticCustomError("city_time", 'a city time in quotes, "HH:MM" or "HH:MM:SS"')
    hours, minutes, *rest = (int(part) for part in text.split(":"))
    return float(hours * 3600 + minutes * 60 + sum(rest))


def text(city_s: float) -> str:
    """The city time as a scenario would write it; a fraction of a second is cut off."""
    minutes, second = divmod(int(city_s), 60)
    return f"{minutes // 60:02}:{minutes % 60:02}" + (f":{second:02}" if second else "")


CityTime = Annotated[
    float,
    BeforeValidator(seconds),
    PlainSerializer(text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PATTERN, "examples": ["07:55", "08:58:30"]}),
]
