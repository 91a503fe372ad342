"""What a scenario may ask of its morning: the model of one objective. It judges nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from scenarios.base import Frozen, Many, Positive, PositiveShare, Share, Text
from scenarios.citytime import CityTime

LIMITS: Final = ("latency_s_at_most", "service_s_at_most", "error_share_at_most", "done_by", "done_within_s")
"""An objective has exactly one of them."""
ALL: Final = "all"
"""The `step` of an objective on every step together (milestones stand for steps already counted)."""

Trouble = Literal["refused", "failed", "unknown", "skipped"]


def known(what: str) -> Callable[[str, ValidationInfo], str]:
    """A validator: the name is among the context's names of that kind (without a context, as in an engine, any is)."""

    def check(name: str, info: ValidationInfo) -> str:
        names = (info.context or {}).get(what)
        if names is not None and name not in names:
            raise PydanticCustomError("name", "a known name", {"names": names})
        return name

    return check


class Objective(Frozen):
    """A limit that the morning has to keep: of a latency, a service time, an error share, or when a share is done."""

    step: Annotated[Text, AfterValidator(known("steps"))]
    """A step or a milestone; "all" for the error share of all steps."""
    percentile: Annotated[float, Field(gt=0, lt=100)] | None = None
    latency_s_at_most: Positive | None = None
    """From the instant it should have started."""
    service_s_at_most: Positive | None = None
    """From the instant it was sent."""
    error_share_at_most: Share | None = None
    """Outcomes other than ok."""
    outcomes: Annotated[Many[Trouble], Field(min_length=1)] | None = None
    """Which outcomes an error share counts; all of them when left out."""
    done_share: PositiveShare | None = None
    """Of the devices that should get there, so many have to: in time, as done_by or done_within_s says."""
    done_by_s: CityTime | None = Field(alias="done_by", default=None)
    """City time at which that share has to be done; each device's own start in city time, and real seconds from it."""
    done_within_s: Positive | None = None
    """Real seconds from the first start within which that share has to be done: for what an act sets off."""
    from_s: CityTime | None = Field(alias="from", default=None)
    """Only what was due from this city time on counts."""
    until_s: CityTime | None = Field(alias="until", default=None)
    """Only what was due before this city time counts."""

    @property
    def least_percentile(self) -> float | None:
        """What share of the samples, in percent, is estimated and needs a band; None where all are counted."""
        if self.done_share is not None:
            return 100 * self.done_share if self.done_share < 1 else None
        return self.percentile

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        times = (self.latency_s_at_most, self.service_s_at_most)
        done = (self.done_by_s, self.done_within_s)
        if sum(limit is not None for limit in (*times, self.error_share_at_most, *done)) != 1:
            raise PydanticCustomError("limit", "exactly one of {keys}", {"keys": ", ".join(LIMITS)})
        if any(limit is not None for limit in times) != (self.percentile is not None):
            raise PydanticCustomError("limit", "a percentile with a latency or service time, and with nothing else")
        if any(limit is not None for limit in done) != (self.done_share is not None):
            raise PydanticCustomError("limit", "a done_share with done_by or done_within_s, and with nothing else")
        if self.outcomes is not None and self.error_share_at_most is None:
            raise PydanticCustomError("limit", "outcomes with an error share only")
        if self.step == ALL and self.error_share_at_most is None:
            raise PydanticCustomError("limit", 'a step or milestone; "all" is for error shares')
        if self.from_s is not None and self.until_s is not None and self.until_s <= self.from_s:
            raise PydanticCustomError("limit", "an until after its from")
        return self
