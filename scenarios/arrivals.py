"""The shapes in which a wave's devices arrive, as a scenario writes them. The curves are the timetable's business."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from scenarios.base import Frozen, Many
from scenarios.citytime import CityTime


def later(city_s: float, than_s: float | None, key: str) -> float:
    """A city time that has to come after the one under another key. Raises PydanticCustomError."""
    if than_s is not None and city_s <= than_s:
        raise PydanticCustomError("order", "a city time after {key}", {"key": key})
    return city_s


class _Window(Frozen):
    from_s: CityTime = Field(alias="from")
    to_s: CityTime = Field(alias="to")
    stratified: bool = False
    """Spread evenly along the curve, instead of at random as people are."""

    @field_validator("to_s")
    @classmethod
    def _after_from(cls, to_s: float, info: ValidationInfo) -> float:
        return later(to_s, info.data.get("from_s"), "from")


class Bell(_Window):
    """Most come in the middle: 40 % within the middle sixth of the window."""

    shape: Literal["bell"]


class Even(_Window):
    """As many in any minute as in any other."""

    shape: Literal["even"]


class At(Frozen):
    """All in the same instant."""

    shape: Literal["at"]
    at_s: CityTime = Field(alias="at")

    @property
    def from_s(self) -> float:
        """Where the window begins, city seconds."""
        return self.at_s

    @property
    def to_s(self) -> float:
        """Where the window ends, city seconds."""
        return self.at_s


class Minutes(Frozen):
    """A curve of one's own, such as the minutes of an audit log."""

    shape: Literal["minutes"]
    from_s: CityTime = Field(alias="from")
    counts: Annotated[Many[Annotated[float, Field(ge=0, le=1e9)]], Field(min_length=1, max_length=1440)]
    """One for each minute; only their proportions count, the wave says how many devices."""
    stratified: bool = False

    @field_validator("counts")
    @classmethod
    def _some(cls, counts: tuple[float, ...]) -> tuple[float, ...]:
        if not sum(counts):
            raise PydanticCustomError("some", "at least one count above 0")
        return counts

    @property
    def to_s(self) -> float:
        """Where the window ends, city seconds."""
        return self.from_s + 60 * len(self.counts)


Arrivals = Annotated[Bell | Even | At | Minutes, Field(discriminator="shape")]
