"""What all models of the files have in common: frozen, strict, no unknown key. No file format of its own."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, Strict

T = TypeVar("T")

# TOML gives lists where the models keep tuples: the one conversion that strict models allow
Many = Annotated[tuple[T, ...], Strict(False)]
Share = Annotated[float, Field(ge=0, le=1)]
PositiveShare = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


class Frozen(BaseModel):
    """A value that cannot change, and refuses what it does not know."""

    # defaults are validated too: a default of 1 and a written 1.0 must give the same hash
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        validate_default=True,
        use_attribute_docstrings=True,
    )
